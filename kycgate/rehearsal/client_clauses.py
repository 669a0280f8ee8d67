"""What a client of the vendor must do: the clauses of the other side, and the judge of what the stand-in received."""

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from kycgate.contracts.clauses import Level
from kycgate.contracts.flows import flow
from kycgate.rehearsal.received import Received

_AT_ONCE_S: Final = 1.0
"""Seconds within which a second approval follows from no look at what became of the first."""
_SLACK_S: Final = 0.05
"""A client's clock and ours may differ by this much over one wait."""


@dataclass(frozen=True, slots=True)
class ClientClause:
    """One thing that a client must do: its id, how hard it binds, one sentence, and where it is written."""

    id: str
    level: Level
    sentence: str
    source: str


@dataclass(frozen=True, slots=True)
class Seen:
    """One observation of a client's clause: whether it was kept, and what shows it."""

    clause: str
    kept: bool
    actual: str = ""
    shown_by: Received | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One run of the client: what the vendor received, what the client printed, and how it ended."""

    received: Sequence[Received]
    output: str
    secrets: Sequence[str]
    hung: bool = False


def _clause(name: str, level: Level, sentence: str, source: str) -> ClientClause:
    return ClientClause(f"client.{name}", level, sentence, source)


_DOC, _CLIENT, _EXPECTED = Level.DOCUMENTED, Level.RELIED_ON, Level.EXPECTED
CLIENT_CATALOGUE: Final = (
    _clause("credential", _DOC, "Each step carries the Authorization header.", "Where and how: on every call"),
    _clause("json-body", _DOC, "Each step that has a body sends a JSON object as application/json.", "Where and how"),
    _clause("order", _DOC, "A step is sent only after the steps that it needs were accepted.", "Order"),
    _clause("image-base64", _DOC, "`image` is base64, with or without line breaks, without a data: prefix.", "Images"),
    _clause("approval-values", _DOC, "idNumber has 14 digits and birthdate is dd/MM/yyyy.", "ApproveFrontImage"),
    _clause("one-token-a-session", _DOC, "Each onboarding has a token of its own.", "Where and how: the token"),
    _clause("stops-when-refused", _CLIENT, "An upload that was refused is repeated, not passed over.", "Order"),
    _clause("backs-off", _EXPECTED, "After a 429 the client waits as Retry-After says.", "The four steps: 429"),
    _clause(
        "no-blind-approval", _EXPECTED,
        "An approval that may have been performed (5xx, no answer) is not sent again at once.", "Order: refused again",
    ),
    _clause("no-secret-printed", _EXPECTED, "The client prints no token and no secret.", "Where and how"),
    _clause("gives-up", _EXPECTED, "The client ends when the vendor does not answer.", "Where and how: 60 s"),
    _clause("shows-message", _EXPECTED, "A refusal's message reaches the user.", "What a refusal looks like"),
)  # fmt: skip
"""Sections are those of the vendor's documentation as this repository has it."""


def judge_client(attempt: Attempt) -> Iterator[Seen]:
    """Every observation that one run of the client gives."""
    for judge in _JUDGES:
        yield from judge(attempt)
    yield Seen("client.gives-up", not attempt.hung, "it was still running at the time limit" if attempt.hung else "")


def _steps(attempt: Attempt) -> list[Received]:
    return [received for received in attempt.received if received.step not in ("", "token")]


def _sessions(attempt: Attempt) -> dict[str, list[Received]]:
    found: dict[str, list[Received]] = {}
    for received in _steps(attempt):
        if received.credential:
            found.setdefault(received.credential, []).append(received)
    return found


def _credential(attempt: Attempt) -> Iterator[Seen]:
    for received in _steps(attempt):
        yield Seen("client.credential", bool(received.credential), "no Authorization header", received)


def _json_body(attempt: Attempt) -> Iterator[Seen]:
    for received in _steps(attempt):
        if (step := flow().get(received.step)) is not None and step.request is not None:
            kind = received.headers.get("content-type", "")
            good = isinstance(received.json, dict) and kind.partition(";")[0].strip().lower() == "application/json"
            yield Seen("client.json-body", good, f"Content-Type {kind or 'missing'}", received)


def _order(attempt: Attempt) -> Iterator[Seen]:
    needs = {str(step): {str(before) for before in flow().predecessors(step)} for step in flow().steps}
    for session in _sessions(attempt).values():
        done: set[str] = set()
        for received in session:
            lacking = needs[received.step] - done
            yield Seen("client.order", not lacking, f"{received.step} before {', '.join(sorted(lacking))}", received)
            if received.accepted:
                done.add(received.step)


def _image(attempt: Attempt) -> Iterator[Seen]:
    for received in _steps(attempt):
        body = received.json
        image = body.get("image") if isinstance(body, dict) else None
        if received.step not in flow().uploads or not isinstance(image, str):
            continue
        if image.startswith("data:"):
            yield Seen("client.image-base64", False, "a data: prefix", received)
            continue
        try:
            base64.b64decode(re.sub(r"[\r\n]", "", image), validate=True)
        except (binascii.Error, ValueError):
            yield Seen("client.image-base64", False, "no base64", received)
        else:
            yield Seen("client.image-base64", True)


def _approval(attempt: Attempt) -> Iterator[Seen]:
    for received in _steps(attempt):
        body = received.json
        if received.step in flow().uploads or not isinstance(body, dict):
            continue
        for name, pattern in (("idNumber", r"\d{14}"), ("birthdate", r"\d{2}/\d{2}/\d{4}")):
            value = body.get(name)
            if value is not None:
                good = isinstance(value, str) and re.fullmatch(pattern, value) is not None
                yield Seen("client.approval-values", good, f"{name} is written otherwise", received)


def _own_token(attempt: Attempt) -> Iterator[Seen]:
    final = str(flow().final)
    for session in _sessions(attempt).values():
        ended = False
        for received in session:
            again = ended and received.step != final
            yield Seen("client.one-token-a-session", not again, f"{received.step} after {final}", received)
            ended = ended or (received.step == final and received.accepted)


def _stops(attempt: Attempt) -> Iterator[Seen]:
    for session in _sessions(attempt).values():
        for before, after in pairwise(session):
            if before.step in flow().uploads and not before.accepted and before.status < 500:
                went_on = before.step in flow().predecessors(after.step)
                yield Seen("client.stops-when-refused", not went_on, f"{after.step} after a refusal", after)


def _backs_off(attempt: Attempt) -> Iterator[Seen]:
    for session in _sessions(attempt).values():
        for before, after in pairwise(session):
            if before.status == 429:
                wait = next((v for k, v in before.answer_headers.items() if k.lower() == "retry-after"), "1")
                asked = float(wait) if wait.isdigit() else 1.0
                waited = after.at - before.at
                kept = waited + _SLACK_S >= asked
                yield Seen("client.backs-off", kept, f"{waited:.1f} s after a 429 that asks for {asked:g} s", after)


def _no_blind_approval(attempt: Attempt) -> Iterator[Seen]:
    for session in _sessions(attempt).values():
        for before, after in pairwise(session):
            if before.step not in flow().uploads and (before.status >= 500 or before.accepted):
                # A 200 that the client repeats was lost on its way, or is not understood: it counts all the same.
                blind = after.step == before.step and after.at - before.at < _AT_ONCE_S
                yield Seen("client.no-blind-approval", not blind, f"{after.step} again within a second", after)


def _no_secret(attempt: Attempt) -> Iterator[Seen]:
    tokens = {received.credential for received in _steps(attempt) if len(received.credential) > 20}
    found = [secret for secret in (*attempt.secrets, *tokens) if secret and secret in attempt.output]
    if attempt.received:
        yield Seen("client.no-secret-printed", not found, "a credential stands in the client's output")


def _shows_message(attempt: Attempt) -> Iterator[Seen]:
    refused = [received for received in _steps(attempt) if not received.accepted]
    if not refused:
        return
    value = refused[-1].answer_json
    message = value.get("message") if isinstance(value, dict) else None
    if isinstance(message, str) and message.strip():
        shown = message in attempt.output
        yield Seen("client.shows-message", shown, "the refusal's message is not in its output", refused[-1])


_JUDGES: Final[tuple[Callable[[Attempt], Iterator[Seen]], ...]] = (
    _credential, _json_body, _order, _image, _approval, _own_token, _stops, _backs_off, _no_blind_approval, _no_secret,
    _shows_message,
)  # fmt: skip
