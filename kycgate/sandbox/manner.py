"""How one vendor answers beyond its liberties: its headers, orders of properties, refusals, nulls and latencies.

`kycgate.rehearsal.like` learns a manner from a recorded run; the stand-in takes it on. It adds nothing to what a fault
leaves out: what the contract's own answers hold is put in another order, replaced or dropped, and never brought back.
"""

import json
import random
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Why = Literal[
    "credential", "method", "order", "not-json", "image", "not-base64", "unreadable", "names", "ill-formed",
    "tenant-missing", "tenant-type", "tenant-unknown", "tries", "known",
]  # fmt: skip
"""The refusals of the contract, as the stand-in tells them apart."""

_OURS = {(200, "cache-control"), (401, "www-authenticate"), (405, "allow"), (429, "retry-after")}
"""Headers that the stand-in sends by itself with some status: where one lacks, a fault left it out."""
_ALWAYS_OURS = frozenset({"content-type", "content-length", "date", "server"})
_MESSAGES = frozenset({"message", "title", "detail", "error", "description", "errorMessage"})
_CODES = frozenset({"errorCode", "code"})


class Header(BaseModel):
    """One header: of how many of the answers (0 to 1), and its value where that was always the same."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    share: float = Field(default=1.0, ge=0, le=1)
    value: str = "stand-in"


class Said(BaseModel):
    """How a refusal is said: `success` and `code` are null where it has none; `plain` is a body without JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: int = Field(ge=200, le=599)
    success: bool | None = None
    code: str | None = None
    plain: bool = False


class Manner(BaseModel):
    """What was learnt. Endpoints are named as the flow names them; `whose` is `step` or `token`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    headers: dict[str, dict[str, Header]] = Field(
        default_factory=dict, description="By whose and status (step-401), then by name in lower case."
    )
    order: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="The properties of a kind of answer (upload_front, isSuccess true)."
    )
    refusals: dict[str, Said] = Field(default_factory=dict, description="By endpoint and why (upload_front order).")
    fields: dict[str, dict[str, dict[str, float]]] = Field(
        default_factory=dict, description="By endpoint and property of customerData: the share of each kind of value."
    )
    words: dict[str, str] = Field(default_factory=dict, description="By property and gender (gender, female).")
    latency_ms: dict[str, tuple[float, ...]] = Field(
        default_factory=dict,
        description="By endpoint, or endpoint and status: evenly spaced quantiles, from the least to the most.",
    )
    success_code: str | None = Field(default=None, description="The errorCode of a success, where it has words.")
    seed: int = 0


class Actor:
    """Answers in a manner. Thread-safe as far as chance may be: one draw does not depend on another."""

    def __init__(self, manner: Manner) -> None:
        self.manner = manner
        self._rng = random.Random(manner.seed)

    def refusal(self, endpoint: str, why: Why, message: str) -> tuple[int, bytes] | None:
        """Status and body of a refusal; None where nothing was learnt of it."""
        known = self.manner.refusals.get(f"{endpoint} {why}")
        if known is None:
            return None
        if known.plain:
            return known.status, b""
        names = self._names(endpoint, known) or ("message", "errorCode")
        body = {name: _said(name, known, message) for name in names}
        return known.status, json.dumps(body, ensure_ascii=False).encode()

    def code_of(self, endpoint: str, why: Why, code: str | None) -> str | None:
        """The errorCode of a result that says isSuccess false."""
        known = self.manner.refusals.get(f"{endpoint} {why}")
        return known.code if known is not None else code

    def _names(self, endpoint: str, said: Said) -> tuple[str, ...] | None:
        kind = endpoint if said.status == 200 else f"{whose(endpoint)} {said.status}"
        if said.success is not None:
            kind += f", isSuccess {str(said.success).lower()}"
        return self.manner.order.get(kind)

    def ordered(self, kind: str, value: dict[str, Any]) -> dict[str, Any]:
        """The properties of `value` as this kind of answer has them; what it has beyond them is null."""
        names = self.manner.order.get(kind)
        return value if names is None else {name: value.get(name) for name in names}

    def customer_data(self, endpoint: str, data: dict[str, Any], gender: str) -> dict[str, Any]:
        """The reading with this vendor's words, kinds and order; `gender` is male, female or empty."""
        for name in ("gender", "detectedGender"):
            word = self.manner.words.get(f"{name}, {gender}")
            if word is not None and data.get(name) is not None:
                data[name] = word
        found = self.ordered(f"{endpoint} customerData", data)
        for name, shares in self.manner.fields.get(endpoint, {}).items():
            kind = self._drawn(shares)
            if kind == "absent":
                found.pop(name, None)
            else:
                found[name] = _as(kind, found.get(name))
        return found

    def _drawn(self, shares: Mapping[str, float]) -> str:
        return self._rng.choices(list(shares), list(shares.values()))[0] if len(shares) > 1 else next(iter(shares), "")

    def headers(self, endpoint: str, status: int, ours: dict[str, str]) -> dict[str, str]:
        """The headers of an answer of ours, as this vendor sends them."""
        known = self.manner.headers.get(f"{whose(endpoint)}-{status}")
        if known is None:
            return ours
        kept = {name: value for name, value in ours.items() if name.lower() in known or name.lower() == "content-type"}
        held = {name.lower() for name in kept}
        for name, header in known.items():
            if name in held or name in _ALWAYS_OURS or (status, name) in _OURS:
                continue
            if header.share >= 1 or self._rng.random() < header.share:
                kept[name] = header.value
        return kept

    def sends(self, endpoint: str, status: int, name: str) -> bool:
        """Whether an answer carries a header that the server itself would add: `date` or `server`."""
        known = self.manner.headers.get(f"{whose(endpoint)}-{status}")
        return known is None or name in known

    def latency_s(self, endpoint: str, status: int) -> float | None:
        """Seconds from the request's last byte to the answer; None where none was measured."""
        times = self.manner.latency_ms.get(f"{endpoint} {status}") or self.manner.latency_ms.get(endpoint)
        return None if not times else quantile(times, self._rng.random()) / 1e3


def whose(endpoint: str) -> str:
    """`token` or `step`: they may well be different servers."""
    return "token" if endpoint.startswith("token") else "step"


def quantile(times: Sequence[float], q: float) -> float:
    """The `q` quantile (0 to 1) between evenly spaced quantiles, the first the least and the last the most."""
    place = q * (len(times) - 1)
    low = int(place)
    high = min(low + 1, len(times) - 1)
    return times[low] + (times[high] - times[low]) * (place - low)


def _said(name: str, said: Said, message: str) -> Any:
    if name in _MESSAGES:
        return message
    if name in _CODES:
        return said.code
    return {"isSuccess": said.success, "status": said.status}.get(name)


def _as(kind: str, value: Any) -> Any:
    """`value` as a value of this kind; where it is none, one that says nothing of a person."""
    match kind:
        case "null":
            return None
        case "empty text":
            return ""
        case "text":
            return value if isinstance(value, str) and value.strip() else "-" if value is None else str(value)
        case "number":
            return value if isinstance(value, int | float) else int(value) if _digits(value) else 0
        case "boolean":
            return value if isinstance(value, bool) else False
        case "object":
            return value if isinstance(value, dict) else {}
        case "array":
            return value if isinstance(value, list) else []
        case _:
            return value


def _digits(value: Any) -> bool:
    return isinstance(value, str) and value.isascii() and value.isdigit()
