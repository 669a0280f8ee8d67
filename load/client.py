"""One connection of one virtual person: a gevent socket with vectored sends, answers parsed by httptools (llhttp).

What llhttp will not take is read again by h11, the parser of the check's client: both clients take and refuse the same.

The body goes out by reference, and the clocks are read where connecting, sending, thinking and reading part. See
`kycgate.load.wire` for when a body counts as sent.
"""

import socket
import ssl
import time
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import h11
import httptools
from gevent import socket as gsocket
from gevent import ssl as gssl
from gevent.timeout import Timeout

from kycgate.errors import NotTheTarget
from kycgate.load.wire import TlsWire, Wire
from kycgate.target.blame import own_fault
from kycgate.target.decoding import MAX_ANSWER, decoded
from kycgate.target.exchange import HUNG_UP, NOT_HTTP, Clocks, Exchange, Picture
from kycgate.target.proxy import CUT_SHORT, PROXY_DEMANDS
from kycgate.target.route import Route, with_ours
from kycgate.target.tunnel import dial

READ = 65_536
MAX_HEAD = 100_000
"""Bytes before an answer's body: header and interim answers. As many fields as fit take a hundred times the memory."""
MAX_FIELDS = 1_000
_VERSIONS = ("1.0", "1.1")


class OwnFault(Exception):  # noqa: N818 - it is an outcome that voids the run
    """This machine could not send: that says nothing of the target."""


class NoAnswer(Exception):  # noqa: N818 - it is an outcome that is counted
    """No whole answer came."""


@contextmanager
def _own_fault() -> Iterator[None]:
    """That a gateway in front gives no token is no fault of the target.

    Raises:
        OwnFault: it gives none.
    """
    try:
        yield
    except NotTheTarget as error:
        raise OwnFault(str(error)) from None


def _no_http(why: object) -> NoAnswer:
    return NoAnswer(f"{NOT_HTTP}: {why}")


class _Answer:
    """One answer, as llhttp calls it out."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: list[tuple[str, str]] = []
        self.raw = bytearray()
        self.reusable = False
        """Whether another request may follow on its connection."""
        self.came = False
        """Whether anything of it came."""
        self._begun = self._whole = False
        self._parts: list[bytes] = []
        """All that came of it: h11 reads it again where llhttp refuses it."""
        self._parser = httptools.HttpResponseParser(self)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._whole and len(self.headers) < MAX_FIELDS:
            self.headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        # Bytes after the answer belong neither to it nor to the next request's answer.
        if self._whole:
            self.reusable = False
            return
        self.status = self._parser.get_status_code()
        self._begun = True

    def on_body(self, part: bytes) -> None:
        if not self._whole:
            self.raw += part

    def on_message_complete(self) -> None:
        if self._whole:
            return
        if 100 <= self.status < 200:
            # An interim answer (RFC 9110, 15.2): the real one follows.
            self.headers, self._begun = [], False
            return
        self._whole = True
        self.reusable = self._parser.should_keep_alive()

    def read(self, wire: Wire) -> int:
        """Read until the answer is whole; returns the moment of its first byte.

        Raises:
            NoAnswer: it is not HTTP, ends too early or is larger than `MAX_ANSWER`, its header larger than `MAX_HEAD`.
        """
        part = wire.receive(READ)
        first_byte = time.perf_counter_ns()
        if part[:1] in (b"\r", b"\n"):
            raise _no_http("no response line received")
        size = 0
        while part:
            self.came = True
            size += len(part)
            self._parts.append(part)
            begun = self._begun
            try:
                self._parser.feed_data(part)
            except httptools.HttpParserError:
                if not self._whole:
                    self._read_by_h11(wire, size)
                    return first_byte
                self.reusable = False
            if self._begun and not begun:
                self._refuse_other_framings()
            if self._whole:
                return first_byte
            self._bound(size)
            part = wire.receive(READ)
        lengths = {name.lower() for name, _ in self.headers}
        if self._begun and not lengths & {"content-length", "transfer-encoding"}:
            return first_byte  # Its end is the connection's (RFC 9112, 6.3).
        raise _no_http("the connection ended before the answer was whole") if self.came else NoAnswer(HUNG_UP)

    def _bound(self, size: int) -> None:
        if size > (MAX_ANSWER if self._begun else MAX_HEAD):
            whole, head = f"{MAX_ANSWER / 1e6:g} MB", f"{MAX_HEAD / 1e3:g} kB"
            raise NoAnswer(f"the answer is over {whole}" if self._begun else f"its header is over {head}")

    def _refuse_other_framings(self) -> None:
        """What llhttp takes, and the check's client does not: another version, a transfer coding but chunked."""
        version = self._parser.get_http_version()
        if version not in _VERSIONS:
            raise _no_http(f"its version is HTTP/{version}")
        for name, value in self.headers:
            if name.lower() == "transfer-encoding" and value.strip().lower() != "chunked":
                raise _no_http("Only Transfer-Encoding: chunked is supported")

    def _read_by_h11(self, wire: Wire, size: int) -> None:
        """Read the answer from its beginning with h11.

        Raises:
            NoAnswer: h11 refuses it too, or it is too large.
        """
        self.headers, self.raw, self.status = [], bytearray(), 0
        self._begun = self.reusable = False
        parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
        parser.send(h11.Request(method="POST", target="/", headers=[("Host", "kycgate"), ("Content-Length", "0")]))
        parser.send(h11.EndOfMessage())
        parser.receive_data(b"".join(self._parts))
        try:
            while not isinstance(event := parser.next_event(), h11.EndOfMessage):
                if event is h11.NEED_DATA:
                    self._bound(size)
                    part = wire.receive(READ)
                    size += len(part)
                    parser.receive_data(part)
                elif isinstance(event, h11.Response):
                    self._begun, self.status = True, event.status_code
                    if event.http_version.decode() not in _VERSIONS:
                        raise _no_http(f"its version is HTTP/{event.http_version.decode()}")
                    fields = list(event.headers)[:MAX_FIELDS]
                    self.headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in fields]
                elif isinstance(event, h11.Data):
                    self.raw += event.data
                elif not isinstance(event, h11.InformationalResponse):
                    raise _no_http("the connection ended before the answer was whole")
        except h11.RemoteProtocolError as error:
            raise _no_http(error) from None
        self._whole = True
        self.reusable = parser.their_state is h11.DONE and not parser.trailing_data[0]

    def body(self) -> bytes:
        """Without its content codings.

        Raises:
            NoAnswer: it does not fit them.
        """
        codings = [c for name, value in self.headers if name.lower() == "content-encoding" for c in value.split(",")]
        try:
            return decoded(bytes(self.raw), codings) if codings else bytes(self.raw)
        except ValueError as error:
            raise NoAnswer(f"the answer cannot be decoded: {error}") from None


class Connection:
    """A kept-alive connection to the target. Redirects are not followed.

    Nothing is sent twice, but what met a kept connection that had been closed in between (RFC 9112, 9.5), as by OkHttp.
    """

    def __init__(self, base_url: str, timeout_s: float, tls: ssl.SSLContext | None, route: Route | None = None) -> None:
        """`route` says by which proxy, and with which further headers."""
        parts = urlsplit(base_url)
        self._prefix = parts.path
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._authority = parts.netloc.rpartition("@")[2]
        self._tls = tls if parts.scheme == "https" else None
        self._timeout_s = timeout_s
        self._wire: Wire | None = None
        self._resent = False
        """Whether the last request was sent twice, as the kept connection had been closed."""
        self._proxy = route.proxy if route is not None else None
        self._headers = route.headers if route is not None else {}
        self._gateway = route.gateway if route is not None else None
        self._whole = ""
        """Where a proxy is asked in the clear: what of the target's URL stands before the path."""
        self._proxy_headers: dict[str, str] = {}
        if self._proxy is not None and self._tls is None:
            self._whole = f"http://{self._authority}"
            if self._proxy.authorization:
                self._proxy_headers = {"Proxy-Authorization": self._proxy.authorization}

    def ask(
        self,
        endpoint: str,
        path: str,
        headers: dict[str, str],
        body: bytes,
        due_ns: int,
        *,
        session: str = "load",
        picture: Picture | None = None,
        card: str = "",
        intent: str = "legal",
    ) -> Exchange:
        """Send, and wait for the whole answer; without one the exchange has no status, and says why.

        Raises:
            OwnFault: this machine could not send it.
        """
        headers = with_ours(headers, self._headers) if self._headers else headers
        if self._gateway is not None:
            with _own_fault():
                headers = {**headers, **self._gateway.headers()}
        begun = time.perf_counter_ns()
        exchange = Exchange(
            number=0,
            endpoint=endpoint,
            method="POST",
            path=path,
            request_headers={"Host": self._authority, **headers, "Content-Length": str(len(body))},
            request_body=body,
            session=session,
            clocks=Clocks(due_ns, begun, begun),
            picture=picture,
            card=card,
            intent=intent,
        )
        try:
            answered = self.post(path, headers, body, due_ns)
        except NoAnswer as error:
            exchange.clocks, exchange.failure = Clocks(due_ns, begun, time.perf_counter_ns()), str(error)
        else:
            exchange.status, exchange.answer_headers, exchange.answer_body, exchange.clocks = answered
            exchange.resent = self._resent
            if self._gateway is not None:
                with _own_fault():
                    self._gateway.demand_not_expired(exchange)
        return exchange

    def post(
        self, path: str, headers: Mapping[str, str], body: bytes | memoryview, due_ns: int
    ) -> tuple[int, list[tuple[str, str]], bytes, Clocks]:
        """Send and wait for the whole answer.

        Raises:
            NoAnswer: it did not come within the time-out (of the whole exchange); the connection is closed.
            OwnFault: this machine could not send it.
        """
        lines = [f"POST {self._whole}{self._prefix}{path} HTTP/1.1", f"Host: {self._authority}"]
        lines += [f"{name}: {value}" for name, value in {**headers, **self._proxy_headers}.items()]
        head = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode("latin-1")
        begun = time.perf_counter_ns()
        deadline = Timeout.start_new(self._timeout_s)
        answer = _Answer()
        self._resent = False
        try:
            if self._wire is not None and self._wire.ended():
                self.close()
            kept = self._wire is not None
            try:
                connected, sent, first_byte, done = self._exchange(head, body, answer)
            except (OSError, NoAnswer):
                if not kept or answer.came:
                    raise
                self.close()
                self._resent = True
                answer = _Answer()
                connected, sent, first_byte, done = self._exchange(head, body, answer)
            if not answer.reusable:
                self.close()
            content = answer.body()
        except Timeout as error:
            self.close()
            if error is not deadline:
                raise
            raise NoAnswer(f"no whole answer within {self._timeout_s:g} s") from None
        except (OSError, NoAnswer) as error:
            self.close()
            self._demand_no_refusal(answer, CUT_SHORT if self._whole else {PROXY_DEMANDS})
            if own := own_fault(error):
                raise OwnFault(own) from error
            raise NoAnswer(str(error) if isinstance(error, NoAnswer) else f"{type(error).__name__}: {error}") from error
        except BaseException:
            self.close()
            raise
        finally:
            deadline.close()
        self._demand_no_refusal(answer, {PROXY_DEMANDS})
        # A wall clock that jumped in between must not turn the phases around.
        body_sent = min(max(sent, connected), first_byte)
        clocks = Clocks(due_ns, begun, done, body_sent, first_byte, connected)
        return answer.status, answer.headers, content, clocks

    def _demand_no_refusal(self, answer: _Answer, statuses: Set[int]) -> None:
        """Raises OwnFault where the proxy has answered instead of the target, as one of `statuses` says."""
        if self._proxy is not None and answer.status in statuses:
            self.close()
            raise OwnFault(f"the proxy refuses ({answer.status}): its credentials come from KYCGATE_PROXY_USER")

    def _exchange(self, head: bytes, body: bytes | memoryview, answer: _Answer) -> tuple[int, int, int, int]:
        """Connected, sent, first byte, last byte."""
        if self._wire is None:
            self._wire = self._connect()
        connected = time.perf_counter_ns()
        self._wire.send(head, body)
        taken = time.perf_counter_ns()
        first_byte = answer.read(self._wire)
        done = time.perf_counter_ns()
        return connected, self._wire.acknowledged_at(taken), first_byte, done

    def _connect(self) -> Wire:
        made = dial(self._host, self._port, self._timeout_s, self._proxy, tunnel=self._tls is not None, create=_create)
        return Wire(made) if self._tls is None else TlsWire(made, self._host, self._tls)

    def close(self) -> None:
        if self._wire is not None:
            self._wire.close()
            self._wire = None


def _create(address: tuple[str, int], timeout_s: float) -> socket.socket:
    return gsocket.create_connection(address, timeout=timeout_s)  # type: ignore[no-any-return]


def tls_context(*, verify: bool, ca_file: str | None) -> ssl.SSLContext:
    """A context that checks certificates unless told not to."""
    context: Any = gssl.create_default_context(cafile=ca_file)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context  # type: ignore[no-any-return]
