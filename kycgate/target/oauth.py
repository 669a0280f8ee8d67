"""The token of a gateway in front of the target: OAuth 2 client credentials (RFC 6749, 4.4).

One token serves all requests of a process, and is renewed before it expires. What goes wrong with its endpoint says
nothing of the target.
"""

import base64
import json
import math
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote_plus, urlencode

import httpx
from pydantic import BaseModel, ConfigDict, Field

from kycgate.errors import NotTheTarget
from kycgate.target.blame import blame_of
from kycgate.target.exchange import Exchange
from kycgate.target.proxy import PROXY_DEMANDS, Proxy
from kycgate.target.transport import BoundedTransport

TOKEN_NAME = "KYCGATE_GATEWAY_TOKEN"  # noqa: S105 - what stands for it in all that is kept
KIND = "no token from the gateway's OAuth endpoint"
MAX_KEPT = 20
"""Tokens that were replaced, and are still taken out of what is kept."""
MAX_BODY = 65_536
_AGAIN_S = 5.0
"""Seconds until a renewal that failed is tried again, while the old token lives."""
_SPARE_S = 30.0
_REFUSALS = {401, 403}
"""Statuses that a gateway may have answered, as the token had expired when it looked at it."""
_ERRORS = {
    "invalid_request": "ask the vendor of the gateway what it wants",
    "invalid_client": "check the client id and secret, and oauth.client_authentication",
    "invalid_grant": "check the client id and secret",
    "unauthorized_client": "this client may not ask for such a token",
    "unsupported_grant_type": "it gives no tokens for client credentials",
    "invalid_scope": "check oauth.scope",
}
"""RFC 6749, 5.2."""


class Grant(BaseModel):
    """How the token is asked for; `token` is one that is held already."""

    model_config = ConfigDict(frozen=True)

    token_url: str
    header: str
    client_id: str = Field(repr=False)
    client_secret: str = Field(repr=False)
    scope: str = ""
    in_body: bool = Field(default=False, description="The client id and secret stand in the body, not in the header.")
    proxy: Proxy | None = None
    timeout_s: float = 30.0
    token: str = Field(default="", repr=False)
    until: float | None = Field(default=None, description="When it expires, on the monotonic clock; None: unknown.")
    life_s: float | None = Field(default=None, description="Seconds that it lives in all; None: unknown.")


class Gateway:
    """Holds the token of one process. Thread-safe."""

    def __init__(self, grant: Grant, tls: Callable[[], ssl.SSLContext]) -> None:
        self._grant = grant
        self._tls = tls
        self._lock = threading.Lock()
        self._next_try = -math.inf
        self._earlier: list[str] = []
        self.on_token: Callable[[str], None] = lambda token: None
        """Called with each new token, before anything is sent with it."""

    @property
    def grant(self) -> Grant:
        """With the token that is held now."""
        return self._grant

    @property
    def tokens(self) -> list[str]:
        """The one that is held, and some that were."""
        return [token for token in (self._grant.token, *self._earlier) if token]

    def headers(self) -> dict[str, str]:
        """The header that carries the token, which is asked for where none is held, or it expires soon.

        Raises:
            NotTheTarget: none is to be had.
        """
        return {self._grant.header: f"Bearer {self._current(lambda life: min(life / 4, _SPARE_S))}"}

    def demand_not_expired(self, exchange: Exchange) -> None:
        """After an answer: a refusal says something of the target only while the gateway's token lives.

        Raises:
            NotTheTarget: the token has expired meanwhile, and no new one is to be had; the exchange tells.
        """
        if exchange.status not in _REFUSALS:
            return
        try:
            self.headers()
        except NotTheTarget:
            exchange.failure = f"{exchange.status}, and the gateway's token had expired"
            raise

    def keep_fresh(self) -> None:
        """Renew the token from the half of its life on: called now and then, so that no timed request waits for it.

        Raises:
            NotTheTarget: none is to be had, and the old one has expired.
        """
        self._current(lambda life: life / 2)

    def _current(self, spare: Callable[[float], float]) -> str:
        if not self._is_due(spare):
            return self._grant.token
        with self._lock:
            if self._is_due(spare):
                self._renew()
            return self._grant.token

    def _is_due(self, spare: Callable[[float], float]) -> bool:
        held = self._grant
        if not held.token:
            return True
        if held.until is None or held.life_s is None:
            return False
        left = held.until - time.monotonic()
        return left <= 0 or (left < spare(held.life_s) and time.monotonic() >= self._next_try)

    def _renew(self) -> None:
        held = self._grant
        asked = time.monotonic()
        try:
            token, life_s = self._ask()
        except NotTheTarget:
            if held.token and held.until is not None and held.until > time.monotonic():
                self._next_try = time.monotonic() + _AGAIN_S
                return
            raise
        if held.token and held.token != token:
            self._earlier = [held.token, *self._earlier][:MAX_KEPT]
        self.on_token(token)
        until = asked + life_s if life_s is not None else None
        self._grant = held.model_copy(update={"token": token, "until": until, "life_s": life_s})

    def _ask(self) -> tuple[str, float | None]:
        """A token, and the seconds that it lives, where that is said.

        Raises:
            NotTheTarget: none came.
        """
        grant = self._grant
        fields = {"grant_type": "client_credentials"} | ({"scope": grant.scope} if grant.scope else {})
        headers = {"Accept": "application/json", "User-Agent": "kycgate"}
        if grant.in_body:
            fields |= {"client_id": grant.client_id, "client_secret": grant.client_secret}
        else:
            # RFC 6749, 2.3.1: both are form-encoded first.
            pair = f"{quote_plus(grant.client_id)}:{quote_plus(grant.client_secret)}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        transport = BoundedTransport(self._tls(), 1, grant.proxy)
        try:
            with (
                httpx.Client(transport=transport, trust_env=False, follow_redirects=False) as client,
                transport.within(grant.timeout_s),
                client.stream("POST", grant.token_url, headers=headers, content=urlencode(fields)) as response,
            ):
                if grant.proxy is not None and response.status_code == PROXY_DEMANDS:
                    # Its page is not read: a proxy that has not read the request resets the connection.
                    raise self._failed("the proxy refuses (407): its credentials come from KYCGATE_PROXY_USER")
                body = bytearray()
                for part in response.iter_bytes():
                    body += part
                    if len(body) > MAX_BODY:
                        raise self._failed(f"its answer is over {MAX_BODY // 1024} KiB")
        except (httpx.HTTPError, OSError) as error:
            blame = blame_of(error)
            raise self._failed(f"{blame.kind}{f': {blame.advice}' if blame.whose != 'theirs' else ''}") from None
        return self._token_of(response.status_code, bytes(body))

    def _token_of(self, status: int, body: bytes) -> tuple[str, float | None]:
        """RFC 6749, 5.1 and 5.2."""
        try:
            value: Any = json.loads(body)
        except (ValueError, RecursionError):
            value = None
        answer: dict[str, Any] = value if isinstance(value, dict) else {}
        error = answer.get("error")
        if status != 200:
            if isinstance(error, str) and error in _ERRORS:
                raise self._failed(f"it refuses ({status}, {error}): {_ERRORS[error]}")
            raise self._failed(f"status {status}, and no token: check oauth.token_url")
        token, kind = answer.get("access_token"), answer.get("token_type")
        if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable() or " " in token:
            raise self._failed("its answer holds no access_token")
        if not isinstance(kind, str) or kind.lower() != "bearer":
            raise self._failed("its token is not of the type Bearer")
        try:
            life_s = float(answer["expires_in"])
        except (KeyError, TypeError, ValueError):
            return token, None
        return token, life_s if 0 < life_s < math.inf else None

    def _failed(self, why: str) -> NotTheTarget:
        return NotTheTarget(f"the gateway's OAuth endpoint {self._grant.token_url}: {why}", KIND)
