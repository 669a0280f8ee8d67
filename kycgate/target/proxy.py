"""An HTTP proxy on the way to the target."""

from pydantic import BaseModel, ConfigDict, Field

PROXY_DEMANDS = 407
"""No target of ours is a proxy, so this status is another's (RFC 9110, 15.5.8)."""
CUT_SHORT = frozenset({401, 403, PROXY_DEMANDS})
"""Statuses of a proxy that is asked in the clear and resets the connection, as it has not read the request: of no whole
answer it can be said whose these are."""


class Proxy(BaseModel):
    """An HTTP proxy. TLS goes through it by CONNECT (RFC 9110, 9.3.6), http as absolute-form requests."""

    model_config = ConfigDict(frozen=True)

    host: str
    port: int
    authorization: str = Field(default="", repr=False, description="The value of Proxy-Authorization; empty for none.")

    @property
    def url(self) -> str:
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"
