"""Serves the sandbox: in a thread of this process, or as a process of its own."""

import contextlib
import errno
import ipaddress
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

import uvicorn
from starlette.applications import Starlette

from kycgate.errors import UsageError
from kycgate.sandbox.app import Delay, Observe, create_app
from kycgate.sandbox.faults import vendor_with
from kycgate.sandbox.settings import SandboxSettings
from kycgate.sandbox.vendor import Vendor

_OF_THE_PORT = (errno.EADDRINUSE, errno.EACCES)


def listen(host: str, port: int, *, allow_remote: bool) -> socket.socket:
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    if not loopback and not allow_remote:
        raise UsageError(f"--host {host} can be reached from elsewhere: add --allow-remote if that is meant")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named: asyncio sets TCP_NODELAY only on sockets that say they are TCP.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(1024)
    except (OSError, OverflowError) as error:
        listening.close()
        option = f"--host {host}" if getattr(error, "errno", None) not in _OF_THE_PORT else f"--port {port}"
        said = getattr(error, "strerror", None) or error
        raise UsageError(f"{option}: cannot listen on {host}:{port}: {said}") from None
    return listening


def _server(app: Starlette, *, adds_headers: bool) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=1,
            date_header=adds_headers,
            server_header=adds_headers,
        )
    )


class RunningApp:
    """An application in a thread of this process on a free loopback port, for as long as the `with` block lasts.

    With `adds_headers` the server itself adds Date and Server.
    """

    def __init__(self, app: Starlette, *, adds_headers: bool = True) -> None:
        self.app = app
        self._server = _server(app, adds_headers=adds_headers)
        self._socket = listen("127.0.0.1", 0, allow_remote=False)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        deadline = time.monotonic() + 10
        while not self._server.started:
            if time.monotonic() > deadline or not self._thread.is_alive():
                raise RuntimeError("the server did not start")
            time.sleep(0.005)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=60)
        self._socket.close()


class RunningSandbox(RunningApp):
    """The sandbox."""

    def __init__(self, settings: SandboxSettings, faults: Sequence[str] = (), observe: Observe | None = None) -> None:
        # Date and Server are the vendor's own: the one that was learnt from a run may send neither.
        super().__init__(create_app(settings, faults, observe), adds_headers=False)
        self.base_url = self.url

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self.app.state.vendor.close()

    def serve_as(self, settings: SandboxSettings, faults: Sequence[str] = (), vendor: Vendor | None = None) -> None:
        """From the next request on be another vendor, which knows none of the sessions before: `vendor`, where given.

        Raises:
            UsageError: there is no fault of that name.
        """
        state = self.app.state
        before = state.vendor
        state.vendor = vendor or vendor_with(settings, faults)
        state.delay = Delay(settings.latency)
        before.close()

    def expired_token(self) -> str:
        """A token of this sandbox that has expired a minute ago."""
        return self.app.state.vendor.mint(-60.0)  # type: ignore[no-any-return]


def serve(
    settings: SandboxSettings,
    faults: Sequence[str] = (),
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    allow_remote: bool = False,
    until_closed: int | None = None,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Serve until interrupted; once connections are taken `ready` is called, and one JSON line says the URL.

    `until_closed` is a file descriptor: when its other end closes (the parent is gone), the server ends.

    Raises:
        UsageError: the address cannot be used, or there is no such fault.
    """
    app = create_app(settings, faults)
    server = _server(app, adds_headers=False)
    listening = listen(host, port, allow_remote=allow_remote)
    ready()
    address = listening.getsockname()
    shown = f"[{address[0]}]" if ":" in address[0] else address[0]
    print(json.dumps({"url": f"http://{shown}:{address[1]}"}), flush=True)  # noqa: T201 - it is the command's output
    if until_closed is not None:
        descriptor = until_closed

        def watch() -> None:
            with contextlib.suppress(OSError):
                while os.read(descriptor, 1024):
                    pass
            server.should_exit = True

        threading.Thread(target=watch, daemon=True).start()
    with listening:
        try:
            server.run([listening])
        finally:
            app.state.vendor.close()
