"""How a token is asked for: the one way that check, probe, load and Locust share. The sender is an argument."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC

from kycgate.contracts.models import parse_date_time
from kycgate.judging.answers import json_or_none
from kycgate.judging.ledger import Observation
from kycgate.target.clock import now_of
from kycgate.target.exchange import Exchange

OPTIONAL_TOKEN_PROPERTIES = ("deviceId", "correlationId", "userId", "userName")
FILLED: Mapping[str, str] = dict.fromkeys(OPTIONAL_TOKEN_PROPERTIES, "kycgate")

Ask = Callable[[Mapping[str, object]], Exchange]
"""Sends one request for a token with these further properties."""


@dataclass(frozen=True, slots=True)
class Minted:
    """The last answer to a request for a token, and how it was asked for."""

    exchange: Exchange
    properties: Mapping[str, object]
    """With which further properties; those that the next request takes too."""
    refused: Exchange | None = None
    """The legal request that was refused because it left the optional properties out; None when none was."""

    @property
    def token(self) -> str | None:
        return token_of(self.exchange)


def mint(ask: Ask, properties: Mapping[str, object]) -> Minted:
    """Ask for a token with `properties`; where that is a 400 and they are none, once more with the optional ones."""
    exchange = ask(properties)
    if exchange.status == 400 and not properties:
        # Perhaps the target demands what the contract leaves optional.
        again = ask(FILLED)
        if token_of(again) is not None:
            return Minted(again, FILLED, exchange)
    return Minted(exchange, properties)


def optional_refused(refused: Exchange) -> Observation:
    """The breach of a target that demands the optional properties."""
    return Observation("token.optional", False, "200: the other properties may be left out", f"status {refused.status}")


def token_of(exchange: Exchange) -> str | None:
    """The token that an answer gives, if it does."""
    value = json_or_none(exchange)
    token = value.get("token") if isinstance(value, dict) else None
    given = exchange.status is not None and 200 <= exchange.status < 300 and isinstance(token, str)
    return str(token) if given and token else None


def seconds_to_expiry(answer: Mapping[str, object], date_header: str | None = None) -> float | None:
    """Seconds until a token answer's expirationDate (a naive one is read as UTC); None when it has none.

    Counted from the answer's own Date where it has one: what a clock of ours says of the target's tokens, which may be
    wrong or be set meanwhile, is not a breach.
    """
    try:
        moment = parse_date_time(str(answer["expirationDate"]))
    except (KeyError, ValueError):
        return None
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now_of(date_header)).total_seconds()
