"""vendor-api.md, "Where and how": the token endpoints."""

import time
import uuid
from collections.abc import Iterator
from typing import Any

from kycgate.contracts.flows import flow
from kycgate.contracts.flows.national_id import APPROVE_FRONT, UPLOAD_FRONT
from kycgate.contracts.models import parse_date_time
from kycgate.errors import CannotJudge
from kycgate.gate.gate import Gate
from kycgate.gate.minting import OPTIONAL_TOKEN_PROPERTIES, seconds_to_expiry, token_of
from kycgate.gate.plan import judges
from kycgate.judging.answers import accepted, json_or_none
from kycgate.judging.ledger import Observation
from kycgate.judging.order import status_words
from kycgate.target.exchange import Exchange
from kycgate.target.requests import Outcome, Variation

PERSON = f"عبد الرَّحمٰن D’Specimen 样本 👩‍👧{' Specimen' * 25}"
"""A userName: Arabic with vowel marks, an apostrophe as phones type it, other scripts, and long."""
MIN_AGE_S, THOROUGH_AGE_S = 4.0, 20.0
"""Seconds that the run's first session waits for its second step, at least: in a longer run it is older."""
MIN_LIFE_S = 60.0


def _needs_tenant(gate: Gate) -> None:
    if not gate.has_tenant:
        given = "tokens come by a command" if gate.mints_tokens else "fixed keys were given"
        raise CannotJudge(f"{given}: judging the token endpoints takes a tenant")


@judges("token.issued", "token.distinct", "token.optional", "token.expiry-ahead", "token.expiry-agrees",
        "status.no-5xx", requests=4, telling=6)  # fmt: skip
def test_issue(gate: Gate) -> None:
    """The optional properties may be null, left out, or given; each call gives a token of its own."""
    _needs_tenant(gate)

    def given(exchange: Exchange) -> Iterator[Observation]:
        ok = token_of(exchange) is not None
        yield Observation("token.optional", ok, "200 with a token", f"status {exchange.status}")

    def ahead(exchange: Exchange) -> Iterator[Observation]:
        yield from given(exchange)
        value = json_or_none(exchange)
        try:
            moment = parse_date_time(value["expirationDate"])
        except (KeyError, TypeError, ValueError):
            return
        # A naive date-time may be local time anywhere: half a day either way is not a breach.
        slack = 0 if moment.tzinfo else 14 * 3600
        # By its own clock and by ours: one of them may be wrong, or be set meanwhile.
        left = max(seconds_to_expiry(value, date) or 0.0 for date in (exchange.answer_header("Date"), None))
        yield Observation(
            "token.expiry-ahead", left + slack > 0, "a moment ahead", f"{-left:.0f} s ago", "expirationDate"
        )

    optional = ("deviceId", "correlationId", "requestId", "userId", "userName")
    # A phone says its language here as at each step; what the profile demands stays.
    language = "" if gate.profile.sets("Accept-Language") else "ar"
    for intent, spoken, properties in (
        ("optional properties left out", language, {"kycRequestTypeId": ...}),
        ("optional properties null", "", {"kycRequestTypeId": None, **dict.fromkeys(optional)}),
    ):
        gate.tokens.request(judge=ahead, intent=intent, properties=properties, language=spoken)

    def named(exchange: Exchange) -> Iterator[Observation]:
        # Free text may be refused; what gives a token is judged like any other.
        if exchange.status != 400:
            yield from ahead(exchange)

    given_all = {**dict.fromkeys(optional, "kycgate"), "requestId": None, "appVersion": 1}
    # A request may be traced across systems, and a device have no UUID for a name.
    intent = "optional properties given, long ones, with a name as people write it"
    long = {"userName": PERSON, "deviceId": "d0" * 32, "correlationId": f"urn:uuid:{uuid.UUID(int=7)}"}
    exchange = gate.tokens.request(judge=named, intent=intent, properties={**given_all, **long})
    if exchange.status == 400:
        gate.tokens.request(judge=ahead, intent="optional properties given", properties=given_all)


@judges("token.refused", "refusal.no-leak", "refusal.broken-json", "status.no-5xx", requests=15, telling=6)
def test_wrong_tenant(gate: Gate) -> None:
    """Wrong tenant credentials are a 401 like any other; missing ones a 400 or a 401; broken JSON is a 400."""
    _needs_tenant(gate)
    secret = gate.tenant_secret

    def ask(intent: str, allowed: tuple[int, ...], clause: str = "token.refused", **request: Any) -> None:
        def refused(exchange: Exchange) -> Iterator[Observation]:
            required = " or ".join(map(str, allowed))
            ok = exchange.status in allowed
            yield Observation(clause, ok, f"{required} for {intent}", status_words(exchange), "status")

        if "properties" in request:
            # What this target demands besides is given: it is refused for the tenant alone.
            request["properties"] = {**gate.tokens.properties, **request["properties"]}
        exchange = gate.tokens.request(judge=refused, intent=intent, odd=True, **request)
        if intent.startswith("no "):
            gate.ledger.open_point("missing-tenant", str(exchange.status))

    ask("the secret with a letter more", (401,), properties={"tenantSecret": f"{secret}x"})
    if len(secret) > 1:
        ask("the secret without its last character", (401,), properties={"tenantSecret": secret[:-1]})
    if secret.swapcase() != secret:
        ask("the secret with its case swapped", (401,), properties={"tenantSecret": secret.swapcase()})
    ask("an unknown tenant", (401, 404), properties={"tenantId": "kycgate-no-such-tenant"})
    ask("an empty secret", (400, 401), properties={"tenantSecret": ""})
    ask("no secret", (400, 401), properties={"tenantSecret": ...})
    ask("a null secret", (400, 401), properties={"tenantSecret": None})
    ask("no tenant", (400, 401), properties={"tenantId": ...})
    # Who compares values of any type with one another takes some of them for the secret.
    ask("a secret that is true", (400, 401), properties={"tenantSecret": True})
    # And a store of documents takes an object for a comparison; who decodes it to a list has one here, too.
    ask("a secret that is an object", (400, 401), properties={"tenantSecret": {"$ne": ""}})
    ask("a tenant that is a number", (400, 401), "refusal.broken-json", properties={"tenantId": 7})
    ask("null for a body", (400, 401), "refusal.broken-json", raw=b"null")
    ask("an array for a body", (400, 401), "refusal.broken-json", raw=b"[]")
    ask("a text for a body", (400, 401), "refusal.broken-json", raw=b'"SPECIMEN"')
    # Behind a whole request, and cut short itself: who reads no further would give a token for it.
    behind = gate.tokens.body(gate.tokens.properties) + b'{"tenantId": '
    ask("broken JSON behind a whole request", (400,), "refusal.broken-json", raw=behind)


@judges("token.own-session", requests=7, uploads=1, telling=5)
def test_tokens_of_one_device_are_two_sessions(gate: Gate) -> None:
    """The session hangs on the token, not on anything in a body; a requestId that is new resumes no one's either."""
    _needs_tenant(gate)
    same = dict.fromkeys(OPTIONAL_TOKEN_PROPERTIES, f"kycgate-{gate.seed}")
    # Two that are alike but for their end: who looks at less than the whole takes the one for the other.
    known = str(uuid.uuid4())
    other = f"{known[:-1]}{'1' if known[-1] != '1' else '2'}"

    def ask(intent: str, **more: str) -> str | None:
        return token_of(gate.tokens.request(intent=intent, properties={**same, **more}))

    # Some take no requestId of the client's own choice.
    began = ask("the same device and user", requestId=known) or ask("the same device and user")
    if began is None:
        raise CannotJudge("the target gave no token for a device and a user")
    first = gate.session_with(began)
    first.do(UPLOAD_FRONT)
    new = ask("the same device and user, a new requestId", requestId=other)
    new = new or ask("the same device and user again")
    if new is None:
        raise CannotJudge("the target gave no tokens for one device twice")
    second = gate.session_with(new)
    exchange = second.do(APPROVE_FRONT, demand=False)
    gate.judge_apart("token.own-session", exchange, "this token's session has no upload")
    first.do(APPROVE_FRONT)
    gate.release(first)


@judges("token.lives", "session.idle", requests=2, uploads=1, telling=2)
def test_oldest_token_still_works(gate: Gate, thorough: bool) -> None:
    """The run's first token, as old as the run, is as good as new, and its session is as far as it was then."""
    _needs_tenant(gate)
    session = gate.first_session
    if session is None or gate.tokens.life_s < MIN_LIFE_S:
        raise CannotJudge("the target's tokens live too short to tell")
    time.sleep(max(0.0, (THOROUGH_AGE_S if thorough else MIN_AGE_S) - gate.age_s))
    exchange = session.do(APPROVE_FRONT, Variation("with the run's oldest token", Outcome.ANY), demand=False)
    if accepted(exchange):
        gate.observe("session.idle", exchange, True, "a session that goes on", "accepted")
    elif exchange.status in (400, 404):
        came = f"refused after {gate.age_s:.0f} s: status {exchange.status}"
        gate.suspect("session.idle", APPROVE_FRONT.acceptance, exchange, came)
    if exchange.status == 401 and gate.has_newer(session.credential.value):
        # Newer tokens may have ended it: one that is the newest for as long tells whether time does.
        newest = gate.session()
        time.sleep(MIN_AGE_S)
        exchange = newest.do(
            UPLOAD_FRONT, variation=Variation("with a token some seconds old", Outcome.ANY), demand=False
        )
        gate.release(newest)
    gate.observe(
        "token.lives", exchange, exchange.status != 401, "no 401 before its expiry", f"status {exchange.status}"
    )


@judges("token.sibling", "token.refused", requests=4, uploads=1, telling=4)
def test_sibling(gate: Gate) -> None:
    """The other token endpoint takes the same bodies, and refuses the same."""
    _needs_tenant(gate)
    sibling = flow().tokens[1]

    def answers(exchange: Exchange) -> Iterator[Observation]:
        ok = token_of(exchange) is not None
        # Where the other path refuses the same body, that is the cause.
        because = "token.optional" if exchange.status == 400 else ""
        yield Observation("token.sibling", ok, "200 with a token", f"status {exchange.status}", "status", because)

    def refuses(exchange: Exchange) -> Iterator[Observation]:
        if exchange.status != 404:
            yield Observation("token.refused", exchange.status == 401, "401", status_words(exchange), "status")

    nulls = {"kycRequestTypeId": None, **dict.fromkeys(OPTIONAL_TOKEN_PROPERTIES)}
    exchange = gate.tokens.request(sibling, answers, intent="optional properties null", properties=nulls)
    wrong = {**gate.tokens.properties, "tenantSecret": f"{gate.tenant_secret}x"}
    gate.tokens.request(sibling, refuses, intent="the secret with a letter more", properties=wrong, odd=True)
    token = token_of(exchange)
    if token is not None:
        session = gate.session_with(token)
        with_it = Variation("with the sibling's token", Outcome.ANY)
        for step in (UPLOAD_FRONT, APPROVE_FRONT):
            taken = session.do(step, with_it, demand=False)
            ok = taken.status != 401
            gate.observe("token.sibling", taken, ok, "a token that opens a session", f"status {taken.status}")
        gate.release(session)
