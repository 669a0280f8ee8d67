"""vendor-api.md: no, malformed, unknown or expired credentials are a 401, on every endpoint, whatever the body."""

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle

import pytest

from kycgate.contracts.flow import Step
from kycgate.contracts.flows import flow
from kycgate.contracts.flows.national_id import APPROVE_BACK, APPROVE_FRONT, UPLOAD_BACK, UPLOAD_FRONT
from kycgate.errors import CannotJudge
from kycgate.gate.gate import Gate
from kycgate.gate.plan import judges
from kycgate.gate.session import Session
from kycgate.judging.answers import accepted, success_of
from kycgate.judging.shape import jwt_claims
from kycgate.target.client import Wanted
from kycgate.target.requests import Outcome, Variation, headers_of

NO_CREDENTIALS_CAN_BE = "xkycgate-unknown"
WAIT_S = 20
"""Seconds that a token may live on for the test that waits for its end."""
LONG = 6_000
"""Characters: within what servers take in a header by default."""


def _forged(token: str) -> Iterator[tuple[str, str]]:
    """Tokens close to a good one that the vendor never gave out."""
    parts = token.split(".")
    if len(parts) == 3:
        flipped = "A" if parts[2][:1] != "A" else "B"
        yield "a token with a tampered signature", f"{parts[0]}.{parts[1]}.{flipped}{parts[2][1:]}"
        none = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")
        yield "a token with alg none", f"{none}.{parts[1]}."
        claims = jwt_claims(token)
        if claims:
            changed = base64.urlsafe_b64encode(json.dumps({**claims, "kycgate": 1}).encode()).decode().rstrip("=")
            yield "a token with changed claims", f"{parts[0]}.{changed}.{parts[2]}"


def _rare(token: str, prefix: str) -> dict[Step, Variation]:
    """Ways to be wrong that one endpoint each tries, as requests are few."""
    ways = (
        ("a credential with something behind it", f"{prefix}{token}.x", "auth.unknown"),
        ("an unknown scheme", f"Token {token}", "auth.malformed"),
        ("a credential with its case swapped", f"{prefix}{token.swapcase()}", "auth.unknown"),
        ("a credential cut short", f"{prefix}{token[:-4]}", "auth.unknown"),
    )
    return {
        step: Variation(name, Outcome.UNAUTHORIZED, clause, authorization=text)
        for step, (name, text, clause) in zip(flow().steps, cycle(ways), strict=False)
    }


def _wrong(session: Session, step: Step) -> Iterator[Variation]:
    token, scheme = session.credential.value, session.credential.scheme
    prefix = "Bearer " if scheme == "bearer" else ""
    forged = tuple(_forged(token))
    final = step == flow().final
    if step not in MET_WITH_A_PICTURE:
        # As the page has it: who does not ask for JSON may be led to a page to log in.
        page = {"Accept": "*/*"}
        yield Variation(
            "no Authorization header", Outcome.UNAUTHORIZED, "auth.missing", headers=page, authorization=None
        )
    # Requests are few: what is alike takes turns over the steps.
    turn = flow().steps.index(step)
    first_turn = turn % 2 == 0
    if first_turn:
        yield Variation("an empty Authorization header", Outcome.UNAUTHORIZED, "auth.missing", authorization="")
    else:
        # Two in one header are what a proxy makes of two headers of one name (RFC 9110, 5.3).
        name, behind = (
            ("a credential with another behind it", f", {prefix}{NO_CREDENTIALS_CAN_BE}")
            if final
            else ("a credential with a word behind it", f" {NO_CREDENTIALS_CAN_BE}")
        )
        yield Variation(name, Outcome.UNAUTHORIZED, "auth.malformed", authorization=f"{prefix}{token}{behind}")
    if first_turn:
        basic = f"Basic {base64.b64encode(token.encode()).decode()}"
        yield Variation("the Basic scheme", Outcome.UNAUTHORIZED, "auth.malformed", authorization=basic)
        twice = f"Bearer Bearer {token}"
        yield Variation("the scheme twice", Outcome.UNAUTHORIZED, "auth.malformed", authorization=twice)
    elif not final:
        yield Variation("Bearer without a token", Outcome.UNAUTHORIZED, "auth.malformed", authorization="Bearer")
    if not (final and step.request is None and len(forged) == 3):
        # Else it is met in `test_credentials_come_before_the_body`, as that step has none.
        long = turn == 1
        yield Variation(
            "an unknown key of 6 kB" if long else "an unknown key",
            Outcome.UNAUTHORIZED,
            "auth.unknown",
            authorization=f"{prefix}{NO_CREDENTIALS_CAN_BE}{'x' * LONG if long else ''}",
        )
    yield _rare(token, prefix)[step]
    if final:
        yield Variation(
            "a credential that is not ASCII",
            Outcome.UNAUTHORIZED,
            "auth.malformed",
            authorization=f"{prefix}\xe9\xfctoken",
        )
    if len(forged) == 3 and not final:
        forged = forged[:2] if first_turn else (forged[0], forged[2])
    for name, text in forged:
        yield Variation(name, Outcome.UNAUTHORIZED, "auth.unknown", authorization=f"{prefix}{text}")


SMALL = b'{"image":"AAAA"}'
MET_WITH_A_PICTURE = (UPLOAD_FRONT, UPLOAD_BACK)
"""What `test_unauthorized_step_is_not_performed` sends whole and without credentials."""


@judges(
    *(
        "auth.missing",
        "auth.malformed",
        "auth.unknown",
        "refusal.error-body",
        "refusal.no-leak",
        "refusal.changes-nothing",
        "status.no-5xx",
    ),
    requests=12,
    uploads=2,
    telling=8,
)
@pytest.mark.parametrize("step", flow().steps)
def test_wrong_credentials(session: Session, step: Step) -> None:
    """Each wrong credential on each step is a 401, and the step can still be taken with the right one."""
    for before in flow().steps[: flow().steps.index(step)]:
        session.do(before)
    for variation in _wrong(session, step):
        body = SMALL if step.is_upload else None
        session.do(step, replace(variation, body=body))
    session.do(step)


def _spelled(path: str) -> Iterator[tuple[str, str]]:
    """Other ways to write a path, which some servers take for the same one."""
    above, _, last = path.rpartition("/")
    yield "a slash behind the path", f"{path}/"
    yield "two slashes within the path", f"{above}//{last}"
    yield "a parameter behind the path", f"{path};x=1"
    yield "the path in another case", path.lower() if path != path.lower() else path.upper()


@judges(
    *("auth.missing", "auth.unknown", "refusal.changes-nothing", "session.any-connection"),
    *("order.approve-front-after-upload-front", "order.approve-back-after-upload-back"),
    requests=15,
    uploads=9,
    telling=8,
)
def test_unauthorized_step_is_not_performed(gate: Gate, session: Session) -> None:
    """A whole, legal upload with wrong credentials does nothing, on either side: what leans on it is still refused.

    However its path is written: a server may look for credentials at one spelling, and serve another.
    """
    no_credentials = Variation("no Authorization header", Outcome.UNAUTHORIZED, "auth.missing", authorization=None)
    stranger = Variation(
        "a legal body with a forged credential",
        Outcome.UNAUTHORIZED,
        "auth.unknown",
        authorization=session.credential.header()[:-3] + "xyz",
    )
    whole = session.do(UPLOAD_FRONT, variation=no_credentials)
    for spelling, path in _spelled(whole.path):
        intent = f"no Authorization header, and {spelling}"
        wanted = Wanted("elsewhere", "POST", path, headers_of(whole.request_body), whole.request_body, "", intent)
        exchange = gate.send(wanted)
        performed = success_of(exchange) is True
        gate.observe("auth.missing", exchange, not performed, "not performed: no credentials were sent", "performed")
    session.do(UPLOAD_FRONT, variation=stranger)
    session.do(APPROVE_FRONT)
    session.do(UPLOAD_FRONT)
    session.do(APPROVE_FRONT)
    session.do(UPLOAD_BACK, variation=no_credentials)
    session.do(APPROVE_BACK)
    session.do(UPLOAD_BACK)
    _write_credentials_the_other_way(gate, session)
    session.finish()


def _write_credentials_the_other_way(gate: Gate, session: Session) -> None:
    """Bare or as Bearer: one way is known to work; where the other does too, the token has the same session."""
    scheme = session.credential.scheme
    name, other = ("bare", "") if scheme == "bearer" else ("Bearer", "Bearer ")
    last = flow().final
    variation = Variation(
        f"credentials written {name}", Outcome.ANY, authorization=f"{other}{session.credential.value}"
    )
    answer = session.do(last, variation)
    if answer.status == 401:
        gate.ledger.open_point("credentials-form", f"{'Bearer' if scheme == 'bearer' else 'bare'} alone")
    elif accepted(answer):
        gate.ledger.open_point("credentials-form", "either way")
        gate.observe("session.any-connection", answer, True, "the token's session", "the token's session")
    elif answer.status in (400, 404) and accepted(session.do(last, demand=False)):
        # Known as a credential, and as no session's: the header's writing stands in for the token.
        gate.observe(
            "session.any-connection", answer, False, "401, or accepted as with the same token written the other way",
            f"status {answer.status}",
        )  # fmt: skip


BODIES: dict[str, bytes] = {
    "broken JSON": b'{"image": ',
    "no body": b"",
    "a wrong type": b'{"image": 7}',
}


@judges("auth.before-body", requests=14, telling=7)
def test_credentials_come_before_the_body(session: Session) -> None:
    """A wrong body with wrong credentials is a 401, not a 400."""
    unknown = f"Bearer {NO_CREDENTIALS_CAN_BE}"
    for step in flow().steps:
        for (name, body), header in zip(BODIES.items(), (None, unknown, unknown), strict=True):
            if step.request is None and name == "a wrong type":
                continue  # Where no body is due, none has a type.
            named = f"{name} with {'an unknown key' if header else 'no credentials'}"
            session.do(step, Variation(named, Outcome.UNAUTHORIZED, "auth.before-body", body, authorization=header))
    variation = Variation(
        "a wrong media type with no credentials",
        Outcome.UNAUTHORIZED,
        "auth.before-body",
        b"SPECIMEN",
        {"Content-Type": "text/plain"},
        authorization=None,
    )
    session.do(APPROVE_FRONT, variation=variation)


@judges("auth.expired", requests=6, uploads=0, telling=6)
def test_expired_token(gate: Gate, session: Session) -> None:
    """An expired token is a 401 on every step."""
    expired = gate.expired_token
    if expired is None and gate.has_tenant:
        too_long = "the target's tokens live too long to wait for, and no expired one was given"
        if gate.tokens.life_s > 2 * WAIT_S:
            raise CannotJudge(too_long)
        asked = gate.tokens.request()
        if not gate.wait_for_expiry(asked, at_most_s=WAIT_S):
            raise CannotJudge(too_long)
        expired = json.loads(asked.answer_body)["token"]
    if expired is None:
        raise CannotJudge("tokens come by a command" if gate.mints_tokens else "fixed keys do not expire")
    header = f"Bearer {expired}" if session.credential.scheme == "bearer" else expired
    for step in flow().steps:
        body = SMALL if step.is_upload else None
        session.do(
            step, Variation("an expired token", Outcome.UNAUTHORIZED, "auth.expired", body, authorization=header)
        )
