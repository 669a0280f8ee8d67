"""The vendor behind HTTP: bounds what is read, keeps the reading off the event loop, plays the latency model."""

import contextlib
import random
import time
from collections.abc import Callable, Mapping, Sequence

import anyio
import anyio.to_thread
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from kycgate.sandbox.faults import vendor_with
from kycgate.sandbox.settings import LatencyModel, SandboxSettings
from kycgate.sandbox.vendor import Incoming, Reply

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]


class Delay:
    """Draws from the latency model."""

    def __init__(self, model: LatencyModel) -> None:
        self._model = model
        self._rng = random.Random(model.seed)
        self._start = time.monotonic()
        self._readers = anyio.Semaphore(model.readers) if model.readers else contextlib.nullcontext()
        self._reading = 0

    async def read(self, size: int) -> None:
        """Take the time that reading a body of `size` bytes takes."""
        seconds = self.service_s(size)
        if not seconds:
            return
        async with self._readers:
            self._reading += 1
            try:
                await anyio.sleep(seconds * (1 + self._model.crosstalk * (self._reading - 1)))
            finally:
                self._reading -= 1

    def service_s(self, size: int) -> float:
        """Seconds of reading for a body of `size` bytes, without stalls."""
        model = self._model
        return model.quantile_ms(0.5, size) / 1e3 * (self._rng.lognormvariate(0, model.sigma) if model.sigma else 1.0)

    def stall_left_s(self) -> float:
        """Seconds until the present stall is over; 0 outside one."""
        model = self._model
        if not model.stall_every_s:
            return 0.0
        into = (time.monotonic() - self._start) % model.stall_every_s
        return model.stall_every_s - into if into >= model.stall_every_s - model.stall_ms / 1e3 else 0.0


Observe = Callable[[Incoming, Reply], None]
"""Is told of each request and its answer, before the answer leaves."""


def create_app(settings: SandboxSettings, faults: Sequence[str] = (), observe: Observe | None = None) -> Starlette:
    """The ASGI application.

    `app.state` holds its `vendor` and its `delay`: another one put there answers from the next request on.

    Raises:
        UsageError: there is no fault of that name.
    """

    async def serve(request: Request) -> Response:
        vendor, delay, arrived = app.state.vendor, app.state.delay, time.monotonic()
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers.raw}
        chunks, size = [], 0
        try:
            async for chunk in request.stream():
                chunks.append(chunk)
                size += len(chunk)
                if size > vendor.settings.max_body:
                    large = Incoming(request.method, request.url.path, headers, b"")
                    refused = Reply.json(413, {"message": "Too large", "errorCode": "413"})
                    return _response(refused, vendor.server_headers(large, refused.status))
        except ClientDisconnect:
            return Response(status_code=400)
        incoming = Incoming(request.method, request.url.path, headers, b"".join(chunks), arrived)
        began = time.monotonic()
        if "Upload" in incoming.path:
            await delay.read(size)
        reply = await anyio.to_thread.run_sync(vendor.handle, incoming)
        learnt = vendor.latency_s(incoming, reply.status)
        if learnt is not None:
            await anyio.sleep(max(0.0, learnt - (time.monotonic() - began)))
        if observe is not None:
            observe(incoming, reply)
        stall = delay.stall_left_s()
        if stall:
            await anyio.sleep(stall)
        return _response(reply, vendor.server_headers(incoming, reply.status))

    app = Starlette(routes=[Route("/{path:path}", serve, methods=METHODS)])
    app.state.vendor = vendor_with(settings, faults)
    app.state.delay = Delay(settings.latency)
    return app


def _response(reply: Reply, more: Mapping[str, str] | None = None) -> Response:
    own = {name.lower() for name in reply.headers}
    headers = {name: value for name, value in (more or {}).items() if name not in own}
    return Response(reply.body, reply.status, headers=headers | reply.headers)
