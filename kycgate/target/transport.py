"""The bytes below HTTP: one deadline and one size for a whole exchange, whatever the target does with them.

httpx counts its time-outs for each read, so a target that sends a byte a second holds a request for ever. Here each
read and write of an exchange gets what is left of the exchange's own time.
"""

import itertools
import math
import socket
import ssl
import threading
import time
import typing
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import h11
import httpcore
import httpx

from kycgate.target.blame import NameLate, NameUnknown, ProxyAway
from kycgate.target.decoding import MAX_ANSWER
from kycgate.target.proxy import Proxy

MAX_ON_THE_WIRE = MAX_ANSWER + 500_000
"""Bytes that are read for one answer in all: interim answers, header, chunk sizes."""
_SLICE = 65_536
_LONGEST_S = 3_600.0


class TooMuch(httpx.HTTPError):
    """More came than any answer of this API is long."""


class _Exchange(threading.local):
    """What this thread's exchange may still take."""

    until = math.inf
    stream: "_Stream | None" = None
    """The connection that was last written to."""
    head = b""
    """What of the request's header went out."""

    def left(self, asked: float | None, late: type[Exception]) -> float:
        """Seconds for the next read or write: those asked for, or what is left of them all."""
        left = self.until - time.monotonic()
        if left <= 0:
            raise late("the time limit of the whole exchange")
        return min(left, _LONGEST_S if asked is None else asked)


_SERIAL = itertools.count(1)


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream, exchange: _Exchange) -> None:
        self._inner = inner
        self.serial = next(_SERIAL)
        self._exchange = exchange
        self.received = bytearray()
        """What came since the last request began."""
        self._answering = False
        self._kept = False
        """Whether an earlier exchange has had an answer on it."""
        self._method = "GET"
        self._looked_at: tuple[int, bool] = 0, False
        """How much of the answer was looked at, and whether more came than the answer."""

    @property
    def answering(self) -> bool:
        """Whether anything of an answer came since the last request began."""
        return self._answering

    @property
    def stale(self) -> bool:
        """Whether it was kept from an earlier exchange, and nothing of this one's answer came on it."""
        return self._kept and not self._answering

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        part = self._inner.read(max_bytes, self._exchange.left(timeout, httpcore.ReadTimeout))
        self._answering = self._answering or bool(part)
        self.received += part
        if len(self.received) > MAX_ON_THE_WIRE:
            raise TooMuch(f"over {MAX_ON_THE_WIRE / 1e6:g} MB and no end")
        return part

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if self._answering or self._exchange.stream is not self:
            # The first bytes of a request: its method comes first.
            self._exchange.head = b""
            self._method = bytes(buffer[:16]).split(b" ", 1)[0].decode("latin-1")
        if self._answering:
            self.received, self._answering, self._kept = bytearray(), False, True
            self._looked_at = 0, False
        self._exchange.stream = self
        for start in range(0, len(buffer), _SLICE):
            self._inner.write(buffer[start : start + _SLICE], self._exchange.left(timeout, httpcore.WriteTimeout))
        if b"\r\n\r\n" not in self._exchange.head:
            self._exchange.head += bytes(buffer)

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = self._exchange.left(timeout, httpcore.ConnectTimeout)
        # What went out until now was for a proxy.
        self._exchange.head = b""
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, left), self._exchange)

    def get_extra_info(self, info: str) -> typing.Any:
        # The pool asks this of an idle connection, which is not in use then, and drops it when it is readable.
        # What came behind an answer must not be taken for the next one (RFC 9112, 9.2 and 11.1).
        if info == "is_readable" and self._answering and self._overfull():
            return True
        return self._inner.get_extra_info(info)

    def _overfull(self) -> bool:
        """Whether more came than the answer; read once, as the pool asks at every request."""
        if self._looked_at[0] != len(self.received):
            self._looked_at = len(self.received), _behind_the_answer(bytes(self.received), self._method)
        return self._looked_at[1]


class _Backend(httpcore.NetworkBackend):
    def __init__(self, exchange: _Exchange, *, is_proxy: bool) -> None:
        self._exchange = exchange
        self._is_proxy = is_proxy
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[typing.Any] | None = None,
    ) -> httpcore.NetworkStream:
        late = httpcore.ConnectTimeout
        last: Exception = NameUnknown(f"{host} has no address")
        until = time.monotonic() + self._exchange.left(timeout, late)
        addresses: list[str] = []
        try:
            addresses = _addresses(host, port, until - time.monotonic())
        except (NameUnknown, NameLate) as error:
            if not self._is_proxy:
                raise
            last = error
        for number, address in enumerate(addresses):
            # An address that drops everything leaves the others their share.
            share = max((until - time.monotonic()) / (len(addresses) - number), 0.001)
            try:
                stream = self._inner.connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                last = error
            else:
                return _Stream(stream, self._exchange)
        if self._is_proxy:
            raise ProxyAway(f"{host}:{port}: {last}")
        raise last


def _addresses(host: str, port: int, seconds: float) -> list[str]:
    """The host's addresses; the system's resolver has no time limit of its own, so it is waited for in a thread.

    Raises:
        NameUnknown: the name does not resolve.
        NameLate: no answer came in time.
    """
    found: list[list[str] | Exception] = []

    def look() -> None:
        try:
            infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found.append(list(dict.fromkeys(str(info[4][0]) for info in infos)))
        except (OSError, UnicodeError) as error:
            found.append(error)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    thread.join(seconds)
    if not found:
        raise NameLate(f"the name {host} was not resolved in time")
    if isinstance(found[0], Exception):
        reason = getattr(found[0], "strerror", None) or found[0]
        raise NameUnknown(f"the name {host} does not resolve: {reason}")
    return found[0]


class BoundedTransport(httpx.HTTPTransport):
    """httpx's transport whose exchanges end in time. Thread-safe; no proxy but the one given is used."""

    def __init__(self, context: ssl.SSLContext, connections: int, proxy: Proxy | None = None) -> None:
        super().__init__(verify=context, trust_env=False)
        self._exchange = _Exchange()
        options: dict[str, typing.Any] = {
            "ssl_context": context,
            "max_connections": connections,
            "max_keepalive_connections": connections,
            "keepalive_expiry": 5.0,
            "network_backend": _Backend(self._exchange, is_proxy=proxy is not None),
        }
        if proxy is None:
            self._pool = httpcore.ConnectionPool(**options)
        else:
            given = [(b"Proxy-Authorization", proxy.authorization.encode())] if proxy.authorization else []
            self._pool = httpcore.HTTPProxy(proxy.url, proxy_headers=given, **options)

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Requests of this thread inside the block end within these seconds, or raise httpx.TimeoutException."""
        self._exchange.until, self._exchange.stream = time.monotonic() + seconds, None
        self._exchange.head = b""
        try:
            yield
        finally:
            self._exchange.until = math.inf

    def sent_headers(self) -> dict[str, str]:
        """The headers of this thread's last request as they went out; empty where none did."""
        head, whole, _ = self._exchange.head.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")[1:] if whole else []
        return {name: value.strip(" \t") for name, _, value in (line.partition(":") for line in lines)}

    def connection(self) -> int:
        """Which connection this thread's last request was written to, by a number of its own; 0 where none was."""
        return self._exchange.stream.serial if self._exchange.stream is not None else 0

    def began(self) -> bool:
        """Whether anything of an answer to this thread's last request came."""
        return self._exchange.stream is not None and self._exchange.stream.answering

    def found_closed(self) -> bool:
        """Whether this thread's last exchange met a kept connection that the target had closed in between.

        Nothing is known then of how it answers (RFC 9112, 9.5): clients send again on a new connection, as OkHttp does.
        """
        return self._exchange.stream is not None and self._exchange.stream.stale


def _behind_the_answer(came: bytes, method: str) -> bool:
    parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=len(came) + 1)
    parser.send(h11.Request(method=method, target="/", headers=[("Host", "kycgate")]))
    parser.send(h11.EndOfMessage())
    parser.receive_data(came)
    try:
        while parser.next_event() not in (h11.NEED_DATA, h11.PAUSED):
            if parser.their_state in (h11.DONE, h11.MUST_CLOSE, h11.CLOSED):
                break
    except h11.RemoteProtocolError:
        return True
    return bool(parser.trailing_data[0])
