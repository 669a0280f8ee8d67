"""What the stand-in vendor received, and whether a fault showed in what it answered."""

import json
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kycgate.contracts.flows import flow
from kycgate.sandbox.vendor import Incoming, Reply, Vendor

_CHANGING = re.compile(
    r"eyJ[\w-]+\.[\w-]+\.[\w-]*"
    r"|[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}"
)
"""Tokens and UUIDs: new in each run, so no sign of a fault."""
_MOMENT = re.compile(rb'("expirationDate":\s*)"[^"]*"')


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it came, and what was answered.

    `arrived` (its head) and `at` (its answer) are in seconds of the monotonic clock.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    status: int
    answer: bytes
    answer_headers: Mapping[str, str]
    arrived: float = field(default_factory=time.monotonic)
    at: float = field(default_factory=time.monotonic)

    @classmethod
    def of(cls, request: Incoming, reply: Reply) -> "Received":
        """The record of one exchange; header names in lower case."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        answer = (reply.status, reply.body, dict(reply.headers))
        return cls(request.method, request.path, headers, request.body, *answer, request.arrived)

    @property
    def step(self) -> str:
        """The flow's step, `token`, or empty for a path that the vendor does not know."""
        found = next((endpoint for endpoint in flow().endpoints if endpoint.path == self.path), None)
        return "" if found is None else found.id if found.step is not None else "token"

    @property
    def json(self) -> Any:
        """The body's JSON value; None when it is none."""
        return _json(self.body)

    @property
    def answer_json(self) -> Any:
        """The answer's JSON value; None when it is none."""
        return _json(self.answer)

    @property
    def credential(self) -> str:
        """What Authorization carries, without the scheme; empty without the header."""
        return self.headers.get("authorization", "").removeprefix("Bearer ").strip()

    @property
    def accepted(self) -> bool:
        """Whether a client may take the step for performed: a 2xx that says neither `isSuccess: false` nor `false`."""
        value = self.answer_json
        refused = value.get("isSuccess") is False if isinstance(value, dict) else value is False
        return 200 <= self.status < 300 and not refused


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def replay(received: Iterable[Received], vendor: Vendor) -> list[Received]:
    """The same requests sent to another vendor, in their order; tokens are those that this vendor gave.

    Nothing goes over the network. A request is changed in one way: a credential that stems from an earlier answer of
    the first vendor is replaced by the one that `vendor` gave in that place.
    """
    tokens: dict[str, str] = {}
    answered = []
    for was in received:
        headers = dict(was.headers)
        for old, new in tokens.items():
            if "authorization" in headers:
                headers["authorization"] = headers["authorization"].replace(old, new)
        request = Incoming(was.method, was.path, headers, was.body)
        now = Received.of(request, vendor.handle(request))
        old_token, new_token = _token(was), _token(now)
        if old_token and new_token:
            tokens[old_token] = new_token
        answered.append(now)
    return answered


def _token(received: Received) -> str:
    value = received.answer_json if received.step == "token" else None
    token = value.get("token") if isinstance(value, dict) else None
    return token if isinstance(token, str) else ""


def differing(first: Sequence[Received], second: Sequence[Received]) -> int:
    """How many answers differ in more than what is new in each run."""
    return sum(_comparable(one) != _comparable(other) for one, other in zip(first, second, strict=True))


def _comparable(received: Received) -> tuple[int, str, tuple[tuple[str, str], ...]]:
    body = received.answer
    if received.step == "token":
        body = _MOMENT.sub(rb'\1"later"', body)
    text = _CHANGING.sub("#", body.decode("utf-8", "surrogateescape"))
    headers = tuple(sorted((name.lower(), value) for name, value in received.answer_headers.items()))
    return received.status, text, headers
