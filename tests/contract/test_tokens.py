"""API.md, "Where and how": the token endpoints."""

from collections.abc import Iterator
from datetime import UTC, datetime

from kycgate.contracts.endpoints import TOKEN_SIBLING
from kycgate.contracts.models import parse_date_time
from kycgate.errors import CannotJudge
from kycgate.evidence import Observation
from kycgate.exchange import Exchange
from kycgate.gate import Gate
from kycgate.judge import json_or_none
from kycgate.plan import judges


def _needs_tenant(gate: Gate) -> None:
    if not gate.mints_tokens:
        raise CannotJudge("fixed keys were given: judging the token endpoints takes a tenant")


def _token(exchange: Exchange) -> str | None:
    value = json_or_none(exchange)
    token = value.get("token") if isinstance(value, dict) else None
    return token if exchange.status == 200 and isinstance(token, str) else None


@judges("token.issued", "token.distinct", "token.optional", "token.expiry-ahead", requests=4, telling=6)
def test_issue(gate: Gate) -> None:
    """The optional properties may be null, left out, or given; each call gives a token of its own."""
    _needs_tenant(gate)

    def given(exchange: Exchange) -> Iterator[Observation]:
        ok = _token(exchange) is not None
        yield Observation("token.optional", ok, "200 with a token", f"status {exchange.status}")

    def ahead(exchange: Exchange) -> Iterator[Observation]:
        yield from given(exchange)
        value = json_or_none(exchange)
        try:
            moment = parse_date_time(value["expirationDate"])
        except (KeyError, TypeError, ValueError):
            return
        # A naive date-time may be local time anywhere: half a day either way is no breach.
        slack = 0 if moment.tzinfo else 14 * 3600
        left = ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds()
        yield Observation(
            "token.expiry-ahead", left + slack > 0, "a moment ahead", f"{-left:.0f} s ago", "expirationDate"
        )

    optional = ("deviceId", "correlationId", "requestId", "userId", "userName")
    answers = [
        gate.request_token(judge=ahead, intent=intent, properties=properties)
        for intent, properties in (
            ("optional properties left out", {"kycRequestTypeId": ...}),
            ("optional properties null", {"kycRequestTypeId": None, **dict.fromkeys(optional)}),
            ("optional properties given", {**dict.fromkeys(optional, "kycgate"), "requestId": None}),
        )
    ]
    tokens = [token for token in map(_token, answers) if token]
    distinct = len(set(tokens)) == len(tokens)
    gate.ledger.add(
        [Observation("token.distinct", distinct, "a token of its own for each call", "the same token again", "token")],
        answers[-1],
        None,
    )


@judges("token.refused", "refusal.no-leak", requests=8, telling=6)
def test_wrong_tenant(gate: Gate) -> None:
    """Wrong or missing tenant credentials earn no token."""
    _needs_tenant(gate)

    def refused(exchange: Exchange) -> Iterator[Observation]:
        ok = exchange.status in (400, 401, 404)
        yield Observation("token.refused", ok, "400, 401 or 404", f"status {exchange.status}", "status")

    missing = "missing-tenant"
    for intent, properties in (
        ("a wrong secret", {"tenantSecret": "kycgate-wrong-secret"}),
        ("an unknown tenant", {"tenantId": "kycgate-no-such-tenant"}),
        ("an empty secret", {"tenantSecret": ""}),
        ("a null secret", {"tenantSecret": None}),
        ("a null tenant", {"tenantId": None}),
        ("no secret", {"tenantSecret": ...}),
        ("no tenant", {"tenantId": ...}),
    ):
        exchange = gate.request_token(judge=refused, intent=intent, properties=properties)
        if intent.startswith("no "):
            gate.ledger.open_point(missing, str(exchange.status))


@judges("token.sibling", requests=1, telling=4)
def test_sibling(gate: Gate) -> None:
    """The other token endpoint takes the same body."""
    _needs_tenant(gate)

    def answers(exchange: Exchange) -> Iterator[Observation]:
        if exchange.status != 404:
            ok = _token(exchange) is not None
            yield Observation("token.sibling", ok, "200 with a token", f"status {exchange.status}", "status")

    if gate.request_token(TOKEN_SIBLING, answers).status == 404:
        raise CannotJudge("the target does not offer GenerateOnboardingSessionToken (404)")
