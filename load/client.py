"""One connection of one virtual person: http.client, whose sockets gevent makes cooperative and which sets TCP_NODELAY.

The body goes out by reference, and the clocks are read where sending, thinking and reading part.
"""

import http.client
import ssl
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

from kycgate.exchange import Clocks

SENDING_CLOCK = (
    "sending ends when the kernel has taken the body's last byte, "
    "so what then still lies in its send buffer counts as thinking"
)
MAX_ANSWER = 8_000_000


class NoAnswer(Exception):  # noqa: N818 - it is an outcome that is counted
    """No whole answer came."""


class Connection:
    """A kept-alive connection to the target. Redirects are not followed, nothing is sent twice."""

    def __init__(self, base_url: str, timeout_s: float, tls: ssl.SSLContext | None) -> None:
        parts = urlsplit(base_url)
        self._prefix = parts.path
        host = parts.hostname or ""
        if parts.scheme == "https":
            self._http: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, parts.port, timeout=timeout_s, context=tls
            )
        else:
            self._http = http.client.HTTPConnection(host, parts.port, timeout=timeout_s)

    def post(
        self, path: str, headers: Mapping[str, str], body: bytes | memoryview, due_ns: int
    ) -> tuple[int, list[tuple[str, str]], bytes, Clocks]:
        """Send and wait for the whole answer.

        Raises:
            NoAnswer: it did not come; the connection is closed.
        """
        connection = self._http
        sent = time.perf_counter_ns()
        try:
            connection.putrequest("POST", self._prefix + path, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders()
            if body:
                connection.send(body)
            body_sent = time.perf_counter_ns()
            response = connection.getresponse()
            first_byte = time.perf_counter_ns()
            answer = response.read(MAX_ANSWER)
            if not response.isclosed():
                connection.close()
            clocks = Clocks(due_ns, sent, time.perf_counter_ns(), body_sent, first_byte)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise NoAnswer(f"{type(error).__name__}: {error}") from error
        return response.status, response.getheaders(), answer, clocks

    def close(self) -> None:
        self._http.close()


def tls_context(*, verify: bool, ca_file: str | None) -> ssl.SSLContext:
    """A context that checks certificates unless told not to."""
    context = ssl.create_default_context(cafile=ca_file)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
