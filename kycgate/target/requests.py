"""Requests to send: legal bodies, and variations of them with what the contract expects of each."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from kycgate.contracts.flow import Step

CLIENT_HEADERS = {"Accept": "application/json", "Accept-Language": "en"}


class Outcome(StrEnum):
    """What must become of a request."""

    BY_ORDER = "by the order of steps"
    BAD_REQUEST = "400"
    UNREADABLE = "400, or 200 with isSuccess false"
    UNAUTHORIZED = "401"
    ANY = "any documented answer"


UNLISTED = {"isApproved": True, "isSuccess": True, "status": "Approved", "step": "Completed", "role": "admin"}
"""What the page lists for no request."""
KEEP = "\0keep"
"""Stands for the session's own credentials."""


LINES = {"lf": "\n", "crlf": "\r\n"}
"""Writings of base64 in lines of 76 characters: Android's default, and MIME's."""
ESCAPED = "escaped"
"""Unbroken base64 of which all but letters and digits is escaped, as JSON allows and some writers do (RFC 8259, 7)."""


@dataclass(frozen=True, slots=True)
class Variation:
    """How a request differs from the legal one, and what the contract says of it.

    `body` replaces the legal body. Else `wrapping` says how its base64 is written (`upload_body`), and `more`
    properties are added to it. `headers` are added, and those given as None taken away; `authorization` is the whole
    header, None for no header. `clause` is what the outcome speaks to, when it is not the order's or the step's own.
    """

    name: str = "legal"
    outcome: Outcome = Outcome.BY_ORDER
    clause: str | None = None
    body: bytes | None = field(default=None, repr=False)
    headers: Mapping[str, str | None] = field(default_factory=dict, repr=False)
    method: str = "POST"
    authorization: str | None = field(default=KEEP, repr=False)
    by_chance: bool = False
    """Chance decides what is sent, or what it meets: the answer is judged, and says nothing of drift."""
    more: Mapping[str, Any] = field(default_factory=dict, repr=False)
    wrapping: str = "none"


LEGAL = Variation()
WITH_ESCAPES = Variation("base64 with escapes, as JSON allows", wrapping=ESCAPED)


def to_base64(image: bytes, wrapping: str = "none") -> str:
    """`wrapping`: none, `ESCAPED`, or one of `LINES`."""
    if wrapping not in LINES:
        return base64.b64encode(image).decode("ascii")
    text = base64.encodebytes(image).decode("ascii")
    return text.replace("\n", LINES[wrapping])


def to_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def authorization_of(credential: str, scheme: str) -> str:
    """The Authorization header's value: `scheme` is bearer or bare."""
    return f"Bearer {credential}" if scheme == "bearer" else credential


def headers_of(body: bytes | None, authorization: str | None = None) -> dict[str, str]:
    """The headers of a legal request with this body (None: without one), as the installed client sends them."""
    headers = dict(CLIENT_HEADERS)
    if authorization is not None:
        headers["Authorization"] = authorization
    if body is not None:
        headers["Content-Type"] = "application/json"
    return headers


def token_body(tenant_id: str | None, tenant_secret: str | None, properties: Mapping[str, object]) -> bytes:
    """The JSON of a request for a token; `properties` replace those of the legal one, and `...` leaves one out."""
    body: dict[str, object] = {"tenantId": tenant_id, "tenantSecret": tenant_secret, "kycRequestTypeId": "1"}
    body |= dict(properties)
    return to_json({name: value for name, value in body.items() if value is not ...})


def upload_body(image: bytes, wrapping: str = "none", **more: Any) -> bytes:
    """The JSON of an upload.

    `more` stands before the image, which need not be the first property. The picture is most of it and needs no escapes
    but for its line ends: what escapes JSON does not look through it.
    """
    text = to_base64(image, wrapping).replace("\r", "\\r").replace("\n", "\\n")
    if wrapping == ESCAPED:
        text = text.replace("/", "\\/").replace("+", "\\u002b").replace("=", "\\u003d")
    return b'%b%b"image": "%b"}' % (to_json(more)[:-1], b", " if more else b"", text.encode("ascii"))


def body_of(
    step: Step,
    image: bytes | None,
    reading: Mapping[str, Any],
    truth: Mapping[str, str],
    *,
    translation: str = "auto",
    wrapping: str = "none",
    more: Mapping[str, Any] = MappingProxyType({}),
) -> bytes | None:
    """The legal body of `step`: the picture that it shows, or what the flow makes of the first reading; None for none.

    `more` properties are added to it; a step that has no body then has one of these alone.

    The one place where check, probe, load and Locust take it from.
    """
    if step.is_upload:
        return upload_body(image or b"", wrapping, **more)
    if step.body is None and not more:
        return None
    return to_json({**(step.body(reading, truth, translation) if step.body else {}), **more})
