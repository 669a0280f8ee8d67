"""One connection of one virtual person: a gevent socket with vectored sends, answers parsed by httptools (llhttp).

The body goes out by reference, and the clocks are read where connecting, sending, thinking and reading part. A body is
"sent" when the target's kernel has acknowledged all but its last two segments (SIOCOUTQ), not when ours has taken it:
some MB may lie in a send buffer, and on a slow uplink that is not the vendor's thinking. The last two may wait for
the answer to carry their acknowledgement (RFC 1122, 4.2.3.2), which is not sending.
"""

import array
import fcntl
import socket
import ssl
import sys
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import httptools
from gevent import socket as gsocket
from gevent import ssl as gssl
from gevent.timeout import Timeout

from kycgate.exchange import Clocks

SIOCOUTQ = 0x5411
"""Linux: bytes in a TCP socket's send queue that were not acknowledged (tcp(7))."""
POLL_S = 0.0005
READ = 65_536
MAX_ANSWER = 8_000_000
SENDING_CLOCK = (
    "sending ends when the target's side has acknowledged all but the last two segments (SIOCOUTQ, looked at every "
    "0.5 ms), or with the answer's first byte"
    if sys.platform == "linux"
    else "sending ends when the kernel has taken the body's last byte, "
    "so what then still lies in its send buffer counts as thinking"
)


class NoAnswer(Exception):  # noqa: N818 - it is an outcome that is counted
    """No whole answer came."""


class _Answer:
    """One answer, as llhttp calls it out."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: list[tuple[str, str]] = []
        self.body = bytearray()
        self.keeps_alive = False
        self._begun = self._whole = False
        self._parser = httptools.HttpResponseParser(self)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        self._begun = True

    def on_body(self, part: bytes) -> None:
        self.body += part

    def on_message_complete(self) -> None:
        if 100 <= self.status < 200:
            # An interim answer (RFC 9110, 15.2): the real one follows.
            self.headers, self._begun = [], False
            return
        self._whole = True
        self.keeps_alive = self._parser.should_keep_alive()

    def read(self, connected: Any) -> int:
        """Read until the answer is whole; returns the moment of its first byte.

        Raises:
            NoAnswer: it ends too early or is larger than `MAX_ANSWER`.
            HttpParserError: it is no HTTP.
        """
        part = connected.recv(READ)
        first_byte = time.perf_counter_ns()
        size = 0
        while part:
            size += len(part)
            self._parser.feed_data(part)
            if self._whole:
                return first_byte
            if size > MAX_ANSWER:
                raise NoAnswer(f"the answer is over {MAX_ANSWER} bytes")
            part = connected.recv(READ)
        lengths = {name.lower() for name, _ in self.headers}
        if self._begun and not lengths & {"content-length", "transfer-encoding"}:
            return first_byte  # Its end is the connection's (RFC 9112, 6.3).
        raise NoAnswer("the connection ended before the answer was whole")


class Connection:
    """A kept-alive connection to the target. Redirects are not followed, nothing is sent twice."""

    def __init__(self, base_url: str, timeout_s: float, tls: ssl.SSLContext | None) -> None:
        parts = urlsplit(base_url)
        self._prefix = parts.path
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._authority = parts.netloc.rpartition("@")[2]
        self._tls = tls if parts.scheme == "https" else None
        self._timeout_s = timeout_s
        self._socket: Any = None

    def post(
        self, path: str, headers: Mapping[str, str], body: bytes | memoryview, due_ns: int
    ) -> tuple[int, list[tuple[str, str]], bytes, Clocks]:
        """Send and wait for the whole answer.

        Raises:
            NoAnswer: it did not come within the time-out (of the whole exchange); the connection is closed.
        """
        lines = [f"POST {self._prefix}{path} HTTP/1.1", f"Host: {self._authority}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        head = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode("latin-1")
        begun = time.perf_counter_ns()
        deadline = Timeout.start_new(self._timeout_s)
        try:
            if self._socket is None:
                self._socket = self._connect()
            connected = time.perf_counter_ns()
            self._send(head, body)
            body_sent = self._until_acknowledged()
            answer = _Answer()
            first_byte = answer.read(self._socket)
            done = time.perf_counter_ns()
            if not answer.keeps_alive:
                self.close()
            body_sent = min(body_sent, first_byte)
        except Timeout as error:
            self.close()
            if error is not deadline:
                raise
            raise NoAnswer(f"no whole answer within {self._timeout_s:g} s") from None
        except (OSError, httptools.HttpParserError, NoAnswer) as error:
            self.close()
            raise NoAnswer(str(error) if isinstance(error, NoAnswer) else f"{type(error).__name__}: {error}") from error
        except BaseException:
            self.close()
            raise
        finally:
            deadline.close()
        clocks = Clocks(due_ns, begun, done, body_sent, first_byte, connected)
        return answer.status, answer.headers, bytes(answer.body), clocks

    def _connect(self) -> Any:
        made = gsocket.create_connection((self._host, self._port), timeout=self._timeout_s)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls is not None:
            return self._tls.wrap_socket(made, server_hostname=self._host)
        return made

    def _send(self, head: bytes, body: bytes | memoryview) -> None:
        if self._tls is not None:
            self._socket.sendall(head)
            if body:
                self._socket.sendall(body)
            return
        views = [memoryview(head), memoryview(body)]
        while views:
            sent = self._socket.sendmsg(views)
            while views and sent >= len(views[0]):
                sent -= len(views.pop(0))
            if views:
                views[0] = views[0][sent:]

    def _until_acknowledged(self) -> int:
        """The moment at which no more than two segments are unacknowledged, or the answer has begun."""
        if sys.platform == "linux":
            left = array.array("i", [0])
            enough = 2 * self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
            while True:
                fcntl.ioctl(self._socket.fileno(), SIOCOUTQ, left)
                if left[0] <= enough:
                    break
                try:
                    gsocket.wait_read(self._socket.fileno(), timeout=POLL_S, timeout_exc=TimeoutError())
                    break
                except TimeoutError:
                    continue
        return time.perf_counter_ns()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def tls_context(*, verify: bool, ca_file: str | None) -> ssl.SSLContext:
    """A context that checks certificates unless told not to."""
    context = gssl.create_default_context(cafile=ca_file)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context  # type: ignore[no-any-return]
