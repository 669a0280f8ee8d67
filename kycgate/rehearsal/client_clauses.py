"""What a client of the vendor must do: the clauses of the other side, and the judge of what the stand-in received."""

import base64
import binascii
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from email.utils import parsedate_to_datetime
from itertools import pairwise
from typing import Final, Literal

from kycgate.contracts.clauses import Level
from kycgate.contracts.flows import flow
from kycgate.rehearsal.received import Received

_AT_ONCE_S: Final = 1.0
"""Seconds within which a second approval follows from no look at what became of the first."""
_SLACK_S: Final = 0.05
"""A client's clock and ours may differ by this much over one wait."""
_LIFE_SLACK_S: Final = 2.0
"""Past its expiry a token may still be on its way, and the expiry is cut to whole seconds."""
_LINE: Final = 76
"""Characters of a line of wrapped base64 (RFC 2045)."""

Base64Form = Literal["either", "wrapped", "unbroken"]
"""How a bank's own rule wants base64 written; the vendor's contract takes it either way."""


@dataclass(frozen=True, slots=True)
class ClientClause:
    """One thing that a client must do: its id, how hard it binds, one sentence, and where it is written."""

    id: str
    level: Level
    sentence: str
    source: str


@dataclass(frozen=True, slots=True)
class Seen:
    """One observation of a client's clause: whether it was kept (None: by itself it does not tell), and by what."""

    clause: str
    kept: bool | None
    actual: str = ""
    shown_by: Received | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One run of the client: what the vendor received, what the client printed, and how it ended.

    `whole` says whether `output` is all that it printed, `silent` whether a line kept the vendor's answers from it.
    """

    received: Sequence[Received]
    output: str
    secrets: Sequence[str]
    hung: bool = False
    silent: bool = False
    whole: bool = True
    base64_form: Base64Form = "either"

    @property
    def tokens(self) -> frozenset[str]:
        """The tokens that the vendor gave out."""
        given = (one.answer_json for one in self.received if one.step == "token")
        values = (value.get("token") for value in given if isinstance(value, dict))
        return frozenset(value for value in values if isinstance(value, str) and len(value) > 20)


def _clause(name: str, level: Level, sentence: str, source: str) -> ClientClause:
    return ClientClause(f"client.{name}", level, sentence, source)


_DOC, _CLIENT, _EXPECTED = Level.DOCUMENTED, Level.RELIED_ON, Level.EXPECTED
CLIENT_CATALOGUE: Final = (
    _clause("credential", _DOC, "Each step carries the Authorization header.", "Where and how: on every call"),
    _clause("json-body", _DOC, "Each step that has a body sends a JSON object as application/json.", "Where and how"),
    _clause("order", _DOC, "A step is sent only after the steps that it needs were answered and accepted.", "Order"),
    _clause(
        "image-base64", _DOC, "`image` is base64 without a data: prefix; wrapped or not, as --base64 demands.", "Images"
    ),
    _clause("approval-values", _DOC, "idNumber has 14 digits and birthdate is dd/MM/yyyy.", "ApproveFrontImage"),
    _clause("one-token-a-session", _DOC, "Each onboarding has a token of its own.", "Where and how: the token"),
    _clause("stops-when-refused", _CLIENT, "An upload that was refused is repeated, not passed over.", "Order"),
    _clause("backs-off", _EXPECTED, "After a 429 the client waits as Retry-After says.", "The four steps: 429"),
    _clause(
        "token-life", _EXPECTED, "A token is not used after its expirationDate, nor again after a 401.",
        "What a refusal looks like: 401",
    ),
    _clause(
        "no-blind-approval", _EXPECTED,
        "An approval that may have been performed (5xx, no answer) is not sent again at once.", "Order: refused again",
    ),
    _clause("no-secret-printed", _EXPECTED, "No token or secret stands in its output or its files.", "Where and how"),
    _clause("gives-up", _EXPECTED, "The client ends when the vendor does not answer.", "Where and how: 60 s"),
    _clause("shows-message", _EXPECTED, "A refusal's message reaches the user.", "What a refusal looks like"),
)  # fmt: skip
"""Sections are those of the vendor's documentation as this repository has it."""


def judge_client(attempt: Attempt) -> Iterator[Seen]:
    """Every observation that one run of the client gives."""
    for judge in _JUDGES:
        yield from judge(attempt)


def settle(seen: Sequence[Seen]) -> list[Seen]:
    """The same, with what all of them tell together.

    A client that once shows a refusal's message in its output shows messages there: where one is lacking it is not
    shown. Of a client that never does so its screen may be elsewhere.
    """
    shown = any(one.clause == _SHOWS and one.kept for one in seen)
    return [replace(one, kept=False) if shown and one.clause == _SHOWS and one.kept is None else one for one in seen]


_SHOWS: Final = "client.shows-message"


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
        accepted_at: dict[str, float] = {}
        for received in session:
            if received.accepted:
                accepted_at[received.step] = min(received.at, accepted_at.get(received.step, received.at))
        for received in session:
            # What was sent while the answer was awaited was sent too early, whatever became of it.
            lacking = {step for step in needs[received.step] if accepted_at.get(step, float("inf")) > received.arrived}
            yield Seen("client.order", not lacking, f"{received.step} before {', '.join(sorted(lacking))}", received)


def _image(attempt: Attempt) -> Iterator[Seen]:
    for received in _steps(attempt):
        body = received.json
        image = body.get("image") if isinstance(body, dict) else None
        if received.step not in flow().uploads or not isinstance(image, str):
            continue
        if image.startswith("data:"):
            yield Seen("client.image-base64", False, "a data: prefix", received)
            continue
        lines = re.split(r"\r?\n", image)
        if attempt.base64_form == "unbroken" and len(lines) > 1:
            yield Seen("client.image-base64", False, "line breaks, and --base64 unbroken is demanded", received)
            continue
        if attempt.base64_form == "wrapped" and max(map(len, lines)) > _LINE:
            said = f"a line of more than {_LINE} characters, and --base64 wrapped is demanded"
            yield Seen("client.image-base64", False, said, received)
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
        for before in session:
            after = min((one for one in session if one.arrived > before.at), key=lambda one: one.arrived, default=None)
            if before.status == 429 and after is not None:
                asked = _asked_wait(before)
                waited = after.arrived - before.at
                kept = waited + _SLACK_S >= asked
                yield Seen("client.backs-off", kept, f"{waited:.1f} s after a 429 that asks for {asked:g} s", after)


def _asked_wait(refused: Received) -> float:
    """Seconds that Retry-After asks for: a number or a date (RFC 9110, 10.2.3); 1 where it says nothing."""
    said = next((value for name, value in refused.answer_headers.items() if name.lower() == "retry-after"), "").strip()
    if said.isdigit():
        return float(said)
    try:
        until = parsedate_to_datetime(said)
    except ValueError:
        return 1.0
    return max(0.0, until.timestamp() - _wall(refused.at))


def _wall(at: float) -> float:
    """A moment of the monotonic clock as Unix time."""
    return time.time() - (time.monotonic() - at)


def _token_life(attempt: Attempt) -> Iterator[Seen]:
    minted = attempt.tokens
    ends = {token: end for one in attempt.received if one.step == "token" for token, end in _expiry(one)}
    for token, session in _sessions(attempt).items():
        if token not in minted:
            # Its own token, such as one that its tests made up.
            continue
        refused_at = min((one.at for one in session if one.status == 401), default=float("inf"))
        for received in session:
            late = _wall(received.arrived) - ends.get(token, float("inf"))
            if received.arrived > refused_at:
                yield Seen("client.token-life", False, f"{received.step} with a token that was a 401", received)
            elif late > _LIFE_SLACK_S:
                said = f"{received.step} {late:.0f} s after the token's expirationDate"
                yield Seen("client.token-life", False, said, received)
            else:
                yield Seen("client.token-life", True)


def _expiry(answered: Received) -> Iterator[tuple[str, float]]:
    """The token and the Unix time at which it ends, where the answer says so in an unmistakable way."""
    value = answered.answer_json
    token, said = (value.get("token"), value.get("expirationDate")) if isinstance(value, dict) else (None, None)
    if not isinstance(token, str) or not isinstance(said, str):
        return
    try:
        end = datetime.fromisoformat(said)
    except ValueError:
        return
    # A vendor that gives out what has ended already is at fault itself.
    if end.tzinfo is not None and end.timestamp() > _wall(answered.at):
        yield token, end.timestamp()


def _no_blind_approval(attempt: Attempt) -> Iterator[Seen]:
    for session in _sessions(attempt).values():
        for before, after in pairwise(session):
            if before.step not in flow().uploads and (before.status >= 500 or before.accepted):
                # A 2xx that the client repeats was lost on its way, or is not understood: it counts all the same.
                since = before.at if after.arrived >= before.at else before.arrived
                blind = after.step == before.step and after.arrived - since < _AT_ONCE_S
                yield Seen("client.no-blind-approval", not blind, f"{after.step} again within a second", after)


def _no_secret(attempt: Attempt) -> Iterator[Seen]:
    if not attempt.received:
        return
    tokens = {received.credential for received in _steps(attempt) if len(received.credential) > 20}
    found = [secret for secret in (*attempt.secrets, *tokens, *attempt.tokens) if secret and secret in attempt.output]
    if found or attempt.whole:
        yield Seen("client.no-secret-printed", not found, "a credential stands in the client's output")


def _gives_up(attempt: Attempt) -> Iterator[Seen]:
    if attempt.hung or attempt.silent:
        yield Seen("client.gives-up", not attempt.hung, "it was still running at the time limit")


def _shows_message(attempt: Attempt) -> Iterator[Seen]:
    """Of the refusal that was the end: what a client gets over by itself, and a 5xx's words, are not for its user."""
    last = _steps(attempt)[-1:]
    if not last or last[0].accepted or last[0].status >= 500 or last[0].status in (401, 429):
        return
    value = last[0].answer_json
    message = value.get("message") if isinstance(value, dict) else None
    if isinstance(message, str) and message.strip():
        said = "no refusal's message stands in the command's output; where the app shows it elsewhere, look there"
        shown = message in attempt.output
        if shown or attempt.whole:
            yield Seen(_SHOWS, True if shown else None, said, last[0])


_JUDGES: Final[tuple[Callable[[Attempt], Iterator[Seen]], ...]] = (
    _credential, _json_body, _order, _image, _approval, _own_token, _stops, _backs_off, _token_life, _no_blind_approval,
    _no_secret, _gives_up, _shows_message,
)  # fmt: skip
