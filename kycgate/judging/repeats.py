"""Answers that were kept and given again: word for word what another request was answered, though it is made once."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from kycgate.judging.ledger import Observation
from kycgate.target.exchange import Exchange

MADE_ONCE: Final = ("token.distinct", "session.own-customer")
"""The clauses of what no two requests are given alike, the one that says most first."""
_WHAT_WAS_DONE: Final = (
    *("auth.", "order.", "session.", "token.", "upload.", "approve.", "request.", "optional.", "image."),
    *("refusal.broken-json", "refusal.image-", "refusal.unreadable", "refusal.order-status", "refusal.changes-nothing"),
    *("route.only-post", "safety.no-mass-assignment"),
)
"""What an answer that belongs to another request says, as it may: this step was performed, or could not be."""


def explained_by_repeats(seen: Observation) -> bool:
    """Whether an answer that was made for another request explains this breach."""
    return seen.clause.startswith(_WHAT_WAS_DONE)


@dataclass(frozen=True, slots=True)
class _Answer:
    number: int
    endpoint: str
    session: str
    sent: int
    came: int
    status: int
    body: bytes
    """Its digest."""


class Repeats:
    """The answers of a run, to be looked at when it is over."""

    def __init__(self) -> None:
        self._answers: list[_Answer] = []

    def note(self, exchange: Exchange) -> None:
        """Count one exchange; failures tell nothing."""
        if exchange.status is None or exchange.status >= 500 or exchange.endpoint == "elsewhere":
            return
        clocks, body = exchange.clocks, hashlib.sha256(exchange.answer_body).digest()
        kept = _Answer(
            exchange.number, exchange.endpoint, exchange.session, clocks.sent, clocks.last_byte, exchange.status, body
        )
        self._answers.append(kept)

    def explained(self, broken: Collection[int]) -> set[int]:
        """The exchanges that answers given again explain; empty where none of `broken` shows that they are.

        `broken` are those that were given what only another request may be given. Where one of them is word for word
        an earlier answer of its endpoint, each such answer of as little age is one that was kept, too; and who was
        answered so has not done what it was told, so that a later step may be refused.
        """
        ages = self._ages()
        proven = [age for number, age in ages.items() if number in broken]
        if not proven:
            return set()
        again = {number for number, age in ages.items() if age <= max(proven)}
        told: set[str] = set()
        found: set[int] = set()
        for answer in sorted(self._answers, key=lambda answer: answer.number):
            if answer.number in again or answer.session in told:
                found.add(answer.number)
            if answer.number in again and answer.session:
                told.add(answer.session)
        return found

    def _ages(self) -> dict[int, int]:
        """By number of an answer that performs: nanoseconds since its endpoint was last answered the same."""
        last: dict[tuple[str, bytes], int] = {}
        ages: dict[int, int] = {}
        for answer in sorted(self._answers, key=lambda answer: answer.came):
            if not 200 <= answer.status < 300:
                continue
            before = last.get((answer.endpoint, answer.body))
            if before is not None:
                ages[answer.number] = max(answer.sent - before, 0)
            last[answer.endpoint, answer.body] = answer.came
        return ages
