"""One connection in the hand of a misbehaviour: sockets, the request that came, and the right answer to it."""

import http.client
import socket
import ssl
import struct
import threading
from dataclasses import dataclass, field

READ = 65_536
MAX_HEAD = 100_000


@dataclass(frozen=True, slots=True)
class Answer:
    """The sandbox's answer, taken apart."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def head(self, *, version: str = "1.1", length: int | None = None, more: tuple[str, ...] = ()) -> bytes:
        """Status line and header; Content-Length is `length`, or left out when that is negative."""
        size = len(self.body) if length is None else length
        lines = [f"HTTP/{version} {self.status} {self.reason}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        lines += [f"Content-Length: {size}"] if size >= 0 else []
        return "\r\n".join([*lines, *more, "", ""]).encode("latin-1")

    @property
    def raw(self) -> bytes:
        return self.head() + self.body


@dataclass(slots=True)
class Hand:
    """What an act may do with its connection."""

    connection: socket.socket
    upstream: tuple[str, int]
    canary: str
    """The URL of a server that must not be contacted."""
    gone: threading.Event
    """Set when the target is taken down: whatever still waits ends."""
    head: bytes = b""
    body: bytes = b""
    keep: bool = False
    """Set by an act that leaves the connection usable."""
    _answer: Answer | None = field(default=None)

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def drip(self, data: bytes, every_s: float = 1.0) -> None:
        """One byte at a time, until the other side has had enough."""
        for byte in data:
            self.send(bytes((byte,)))
            if self.gone.wait(every_s):
                return

    def repeat(self, data: bytes) -> None:
        """The same again and again, as fast as it is taken, until the other side has had enough."""
        while not self.gone.is_set():
            self.send(data)

    def wait(self) -> None:
        """Do nothing until the other side leaves; what it sends is not read."""
        while not self.gone.wait(0.05):
            self.connection.settimeout(0.001)
            try:
                if not self._peek():
                    return
            except (TimeoutError, ssl.SSLWantReadError):
                continue

    def _peek(self) -> bytes:
        if isinstance(self.connection, ssl.SSLSocket):
            return self.connection.recv(1)
        return self.connection.recv(1, socket.MSG_PEEK)

    def drain(self) -> None:
        """Read until the other side leaves; never answer."""
        while not self.gone.is_set():
            self.connection.settimeout(0.05)
            try:
                if not self.connection.recv(READ):
                    return
            except (TimeoutError, ssl.SSLWantReadError):
                continue

    def reset(self) -> None:
        """End the connection with RST instead of FIN."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    @property
    def answer(self) -> Answer:
        """The right answer, from the sandbox."""
        if self._answer is None:
            self._answer = _ask(self.upstream, self.head, self.body)
        return self._answer

    def read_request(self) -> bool:
        """Read the next request's head into `head`; false when there is none."""
        self.head, self.body, self._answer, self.keep = b"", b"", None, False
        came = bytearray()
        while b"\r\n\r\n" not in came:
            part = self._receive()
            if not part or len(came) > MAX_HEAD:
                return False
            came += part
        head, _, begun = bytes(came).partition(b"\r\n\r\n")
        self.head, self.body = head + b"\r\n\r\n", begun
        return True

    def read_body(self) -> None:
        """Read the rest of the request."""
        left = self.length - len(self.body)
        parts = [self.body]
        while left > 0:
            part = self._receive()
            if not part:
                raise ConnectionError("the request ended too early")
            parts.append(part)
            left -= len(part)
        self.body = b"".join(parts)

    @property
    def length(self) -> int:
        """Of the request's body, as its head says."""
        for line in self.head.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.strip().lower() == b"content-length":
                return int(value)
        return 0

    def _receive(self) -> bytes:
        while not self.gone.is_set():
            self.connection.settimeout(0.2)
            try:
                return self.connection.recv(READ)
            except (TimeoutError, ssl.SSLWantReadError):
                continue
        return b""


def _ask(upstream: tuple[str, int], head: bytes, body: bytes) -> Answer:
    method = head.split(b" ", 1)[0].decode("latin-1")
    with socket.create_connection(upstream, timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(head + body)
        response = http.client.HTTPResponse(connection, method=method)
        response.begin()
        content = response.read()
        own = ("content-length", "transfer-encoding", "connection", "date", "server")
        headers = tuple((name, value) for name, value in response.getheaders() if name.lower() not in own)
        return Answer(response.status, response.reason, headers, content)
