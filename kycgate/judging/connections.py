"""Whether a session hangs on the connection that it began on (vendor-api.md, "What the field adds")."""

from collections import Counter, defaultdict
from dataclasses import dataclass

from kycgate.judging.answers import accepted, is_evidence
from kycgate.target.exchange import Exchange, header_of

ANY_CONNECTION = "session.any-connection"
_TWICE = 2
"""Refusals on another connection from which they are no chance."""
_RARELY = 0.1


@dataclass(frozen=True, slots=True)
class _Seen:
    number: int
    session: str
    connection: int
    step: str
    fair: bool
    """Whether the contract has it accepted."""
    ok: bool
    closes: bool
    """Whether the session ends its connection with each request."""


class Connections:
    """What a run's answers say of it together: one refusal over another connection may have any cause."""

    def __init__(self) -> None:
        self._seen: list[_Seen] = []

    def note(self, exchange: Exchange) -> None:
        """Count one exchange of a session."""
        if exchange.session and exchange.step is not None and exchange.connection and is_evidence(exchange):
            fair = exchange.turn == "in its turn" and not exchange.odd and not exchange.excused
            ok, number, step = accepted(exchange), exchange.number, exchange.endpoint
            closes = header_of(exchange.request_headers.items(), "Connection") == "close"
            self._seen.append(_Seen(number, exchange.session, exchange.connection, step, fair, ok, closes))

    def refused_elsewhere(self) -> set[int]:
        """The numbers of the exchanges that another connection explains; empty where it is not what matters.

        It matters where steps that are accepted on the connection of the session's accepted ones are refused over
        another one each time, and more than once.
        """
        return max((self._explained(hangs_on) for hangs_on in ("a request", "an accepted step", "an end")), key=len)

    def _explained(self, hangs_on: str) -> set[int]:
        """The same where a session is taken to hang on the connection of its first request, or first accepted step.

        Or to end with the connection that its client ends.
        """
        homes: dict[str, int] = {}
        under_way: set[str] = set()
        counts: dict[str, Counter[tuple[bool, bool]]] = defaultdict(Counter)
        away: list[_Seen] = []
        for seen in sorted(self._seen, key=lambda seen: seen.number):
            if hangs_on == "a request" or seen.ok:
                homes.setdefault(seen.session, seen.connection)
            if seen.session in under_way:
                moved = seen.closes if hangs_on == "an end" else seen.connection != homes[seen.session]
                if moved:
                    away.append(seen)
                if seen.fair:
                    counts[seen.step][moved, seen.ok] += 1
            if seen.ok:
                under_way.add(seen.session)
        bound = {step: refused for step, tally in counts.items() if (refused := _refusals_elsewhere(tally))}
        if sum(bound.values()) < _TWICE:
            return set()
        return {seen.number for seen in away if seen.step in bound}


def _refusals_elsewhere(tally: Counter[tuple[bool, bool]]) -> int:
    """How often a step was refused over another connection; 0 where that does not explain it."""
    at_home, refused_at_home = tally[False, True], tally[False, False]
    if tally[True, True] or not at_home or refused_at_home > _RARELY * at_home:
        return 0
    return tally[True, False]
