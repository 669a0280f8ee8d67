"""The target: takes connections, asks the sandbox for the right answer, and misbehaves when it is its turn."""

import contextlib
import random
import socket
import ssl
import threading
import time
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from kycgate.chaos.certificates import Served, certificate
from kycgate.chaos.connection import Hand
from kycgate.chaos.registry import Behaviour, Stage
from kycgate.errors import UsageError

CANARY_HOST = "127.0.0.2"
"""Another host than the target's, on this machine."""


class Canary:
    """A server that must not be contacted; counts the connections that it gets."""

    def __init__(self) -> None:
        self._socket = socket.create_server((CANARY_HOST, 0))
        self._socket.settimeout(0.02)
        self.url = f"http://{CANARY_HOST}:{self._socket.getsockname()[1]}"
        self.contacts = 0
        self._gone = threading.Event()
        self._thread = threading.Thread(target=self._count, daemon=True)

    def _count(self) -> None:
        while not self._gone.is_set():
            with contextlib.suppress(TimeoutError):
                self._socket.accept()[0].close()
                self.contacts += 1

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._gone.set()
        self._thread.join()
        self._socket.close()


class ChaosTarget:
    """Serves on a free loopback port for as long as the `with` block lasts.

    It behaves for the first `after` requests; then each request has the chance `share` (seeded) to be mistreated.
    """

    def __init__(
        self, behaviour: Behaviour, upstream: str, *, after: int = 0, share: float = 1.0, seed: int = 0, port: int = 0
    ) -> None:
        parts = urlsplit(upstream)
        self.behaviour = behaviour
        self._upstream = (parts.hostname or "", parts.port or 80)
        self._after, self._share = after, share
        self._rng = random.Random(seed)
        self._served: Served | None = certificate(behaviour.tls) if behaviour.tls in _CERTIFICATES else None
        self.requests = 0
        """Requests whose head came."""
        self.mistreated = 0
        self._began: float | None = None
        self._lock = threading.Lock()
        self._gone = threading.Event()
        self._socket = self._listen(port)
        self.port = self._socket.getsockname()[1]
        # After the port, which may be in use: both sockets are closed by `with` alone.
        self.canary = Canary()
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def behave(self, behaviour: Behaviour, *, after: int = 0, share: float = 1.0) -> None:
        """Behave so from the next request on, counted anew; with `share` 0, well.

        Raises:
            UsageError: the behaviour is one of TLS, which this target would have to begin with.
        """
        if behaviour.tls != self.behaviour.tls or behaviour.name == "no-such-host":
            raise UsageError(
                f"{behaviour.name} takes an address of its own: `kycgate chaos {behaviour.name}` serves it"
            )
        with self._lock:
            self.behaviour, self._after, self._share = behaviour, after, share
            self.requests = self.mistreated = 0
            self._began = None

    @property
    def base_url(self) -> str:
        if self.behaviour.name == "no-such-host":
            return f"http://kycgate-chaos.invalid:{self.port}"
        return f"{'https' if self.behaviour.tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def ca_pem(self) -> bytes:
        """The CA that a profile may name; empty without TLS."""
        return self._served.ca_pem if self._served else b""

    def _listen(self, port: int) -> socket.socket:
        made = socket.socket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind(("127.0.0.1", port))
        except OSError as error:
            made.close()
            raise UsageError(f"--port {port}: cannot listen there: {error.strerror}") from None
        made.listen(256)
        made.settimeout(0.02)
        return made

    def __enter__(self) -> Self:
        self.canary.__enter__()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._gone.set()
        self._thread.join()
        self._socket.close()
        self._hang_up()
        self.canary.__exit__()

    def _accept(self) -> None:
        while not self._gone.is_set():
            if self.behaviour.stage is Stage.LISTEN and self._wrong(count=False):
                self._be_away()
                continue
            try:
                connection = self._socket.accept()[0]
            except (TimeoutError, OSError):
                continue
            threading.Thread(target=self._take, args=(connection,), daemon=True).start()

    def _be_away(self) -> None:
        """Nothing listens, until the behaviour is over or the target is taken down."""
        self._socket.close()
        self._hang_up()
        while not self._gone.is_set() and self._wrong(count=False):
            time.sleep(0.05)
        self._socket = self._listen(self.port)

    def _hang_up(self) -> None:
        with self._lock:
            found = list(self._open)
        for connection in found:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _wrong(self, *, count: bool) -> bool:
        """Whether this request (or connection) is mistreated."""
        with self._lock:
            if count:
                self.requests += 1
            lasts = self.behaviour.lasts_s
            # A connection comes before its first request.
            if self.requests + (not count) <= self._after or (
                self._began is not None and lasts and time.monotonic() > self._began + lasts
            ):
                return False
            wrong = self._share >= 1 or self._rng.random() < self._share
            if wrong:
                self._began = self._began or time.monotonic()
                self.mistreated += 1
            return wrong

    def _take(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.add(connection)
        hand = Hand(connection, self._upstream, self.canary.url, self._gone)
        # The client may leave at any moment: that is what is tried.
        with contextlib.suppress(OSError, ssl.SSLError, ValueError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._serve(hand)
        with self._lock:
            self._open.discard(connection)
        with contextlib.suppress(OSError):
            hand.connection.close()

    def _serve(self, hand: Hand) -> None:
        stage = self.behaviour.stage
        if stage is Stage.CONNECT and self._wrong(count=False):
            self.behaviour.act(hand)
            return
        if self._served is not None:
            hand.connection.settimeout(5)
            try:
                hand.connection = self._served.context.wrap_socket(hand.connection, server_side=True)
            except OSError:
                # The certificate was all that was wrong, and the other side has seen it.
                self.mistreated += 1
                raise
        while not self._gone.is_set() and hand.read_request():
            wrong = self._wrong(count=True)
            if wrong and stage in (Stage.CONNECT, Stage.LISTEN):
                # This connection was made when all was still well.
                return
            if stage is Stage.HEAD and wrong:
                self.behaviour.act(hand)
                return
            hand.read_body()
            hand.connection.settimeout(60)
            if wrong:
                self.behaviour.act(hand)
                if not hand.keep:
                    return
            else:
                hand.send(hand.answer.raw)


_CERTIFICATES = ("good", "expired", "wrong-host", "self-signed")
