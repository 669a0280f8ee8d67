"""The control endpoint of a stand-in: what the fixture `kycgate_vendor` does, over HTTP, for apps in other languages.

It listens on loopback alone, on a port of its own, and answers nothing without its token, nor to a request whose Host
is another (a web page whose name was bound to 127.0.0.1). Its operations are those of `StandIn`: each is one method
there.
"""

import hmac
import json
import secrets
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

import anyio.to_thread
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from kycgate.errors import UsageError
from kycgate.rehearsal.received import Received
from kycgate.rehearsal.vendor import StandIn
from kycgate.sandbox import SandboxSettings
from kycgate.sandbox.serve import RunningApp

KEPT: Final = 1_000
"""Received requests that are held, the latest."""
SHOWN: Final = 2_000
"""Characters of one text that /received shows whole."""
MOST: Final = 65_536
"""Bytes of a control request."""
HOSTS: Final = ("127.0.0.1", "localhost")
"""What Host may name; any other is 400."""


class Use(BaseModel):
    """POST /use"""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["fault", "variant", "habit"]
    name: str


class Latency(BaseModel):
    """POST /latency"""

    model_config = ConfigDict(extra="forbid")

    model: str


class Line(BaseModel):
    """POST /line"""

    model_config = ConfigDict(extra="forbid")

    name: str
    after: int = Field(default=0, ge=0)
    share: float = Field(default=1.0, ge=0, le=1)


class Reset(BaseModel):
    """POST /reset"""

    model_config = ConfigDict(extra="forbid")


def control_app(vendor: StandIn, token: str) -> Starlette:
    """The ASGI application: GET /state, GET /received, POST /use, /latency, /line and /reset."""
    posts: dict[str, tuple[type[BaseModel], Callable[[Any], None]]] = {
        "/use": (Use, lambda given: vendor.use(given.kind, given.name)),
        "/latency": (Latency, lambda given: vendor.latency(given.model)),
        "/line": (Line, lambda given: vendor.line(given.name, after=given.after, share=given.share)),
        "/reset": (Reset, lambda _: vendor.reset()),
    }

    def state() -> dict[str, Any]:
        return {
            "base_url": vendor.base_url, "faults": list(vendor.faults), "line": vendor.bad_line,
            "latency": vendor.settings.latency.model_dump(), "mistreated": vendor.mistreated,
            "received": len(vendor.received),
        }  # fmt: skip

    def allowed(request: Request) -> bool:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        return hmac.compare_digest(given.encode(), token.encode())

    async def answer(request: Request) -> Response:
        path = request.url.path
        if not allowed(request):
            return _problem(401, "give the token that `kycgate sandbox --control` printed: Authorization: Bearer …")
        if path in ("/state", "/received"):
            if request.method != "GET":
                return _problem(405, f"{path} takes GET")
            return JSONResponse(state() if path == "/state" else [shown(one) for one in vendor.received])
        if path not in posts:
            return _problem(404, f"there are GET /state, GET /received and POST {', POST '.join(posts)}")
        if request.method != "POST":
            return _problem(405, f"{path} takes POST")
        model, act = posts[path]
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > MOST:
                return _problem(413, f"a body holds at most {MOST} bytes")
        try:
            given = model.model_validate_json(bytes(body) or b"{}")
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            return _problem(400, f"{where}: {first['msg']}" if where else first["msg"])
        try:
            await anyio.to_thread.run_sync(act, given)
        except UsageError as error:
            return _problem(400, str(error))
        return JSONResponse(state())

    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    trusted = Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS, www_redirect=False)
    return Starlette(routes=[Route("/{path:path}", answer, methods=methods)], middleware=[trusted])


def _problem(status: int, said: str) -> Response:
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    return JSONResponse({"error": said}, status, headers=headers)


def shown(one: Received) -> dict[str, Any]:
    """One received request as /received shows it: long texts are said by their length alone."""
    return {
        "method": one.method, "path": one.path, "step": one.step, "headers": dict(one.headers),
        "json": _short(one.json), "body_bytes": len(one.body), "status": one.status,
        "answer": _short(one.answer_json), "at_s": round(one.at, 6),
    }  # fmt: skip


def _short(value: Any) -> Any:
    if isinstance(value, str) and len(value) > SHOWN:
        return f"<{len(value)} characters>"
    if isinstance(value, dict):
        return {name: _short(held) for name, held in value.items()}
    return [_short(held) for held in value] if isinstance(value, list) else value


class Control(RunningApp):
    """The control endpoint of `vendor`."""

    def __init__(self, vendor: StandIn, *, token: str = "") -> None:
        self.token = token or secrets.token_urlsafe(24)
        super().__init__(control_app(vendor, self.token))


def serve_controlled(
    settings: SandboxSettings, faults: Sequence[str] = (), *, host: str, port: int, ready: Callable[[], None]
) -> None:
    """Serve a stand-in with its control endpoint until interrupted; after `ready`, one JSON line says where both are.

    Raises:
        UsageError: `host` is not 127.0.0.1, the port is taken, or there is no such fault.
    """
    if host not in HOSTS:
        raise UsageError("--control serves 127.0.0.1 alone: leave --host and --allow-remote out")
    with StandIn(settings, faults, port=port, keep=KEPT) as vendor, Control(vendor) as control:
        ready()
        line = {"url": vendor.base_url, "control": control.url, "control_token": control.token}
        print(json.dumps(line), flush=True, file=sys.stdout)  # noqa: T201 - it is the command's output
        threading.Event().wait()
