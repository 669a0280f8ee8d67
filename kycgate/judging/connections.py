"""Whether a session hangs on the connection that it began on (vendor-api.md, "What the field adds")."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from kycgate.judging.answers import accepted, is_evidence
from kycgate.target.exchange import Exchange, header_of

ANY_CONNECTION = "session.any-connection"
_TWICE = 2
"""From this number on, refusals on another connection are not chance."""
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
        self._accepted_over: dict[str, set[int]] = defaultdict(set)
        """The connections over which each session's steps were accepted."""

    def note(self, exchange: Exchange) -> bool:
        """Count one exchange; whether it was a step that its session went on with over another connection."""
        if not exchange.session or exchange.step is None or not exchange.connection or not is_evidence(exchange):
            return False
        fair = exchange.turn == "in its turn" and not exchange.odd and not exchange.excused
        ok, number, step = accepted(exchange), exchange.number, exchange.endpoint
        closes = header_of(exchange.request_headers.items(), "Connection") == "close"
        self._seen.append(_Seen(number, exchange.session, exchange.connection, step, fair, ok, closes))
        if not ok:
            return False
        homes = self._accepted_over[exchange.session]
        moved = bool(homes) and exchange.connection not in homes
        homes.add(exchange.connection)
        return fair and moved

    def refused_elsewhere(self, otherwise: Collection[int] = ()) -> set[int]:
        """The numbers of the exchanges that another connection explains; empty where it is not what matters.

        Those in `otherwise` may have been refused for something else, such as a pause: they do not show it.
        It matters where steps that are accepted on the connection of the session's accepted ones are refused over
        another one each time, and more than once.
        """
        told = [replace(seen, fair=seen.fair and seen.number not in otherwise) for seen in self._seen]
        told.sort(key=lambda seen: seen.number)
        return max((_explained(told, hangs_on) for hangs_on in ("a request", "an accepted step", "an end")), key=len)


def _explained(told: Iterable[_Seen], hangs_on: str) -> set[int]:
    """The same where a session is taken to hang on the connection of its first request, or first accepted step.

    Or to end with the connection that its client ends.
    """
    homes: dict[str, int] = {}
    under_way: set[str] = set()
    counts: dict[str, Counter[tuple[bool, bool]]] = defaultdict(Counter)
    away: list[_Seen] = []
    for seen in told:
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
    # Steps that were never legal over another connection, such as a side that was approved, show nothing else.
    tried = {step for step, tally in counts.items() if tally[True, True] or tally[True, False]}
    return {seen.number for seen in away if seen.step in bound or seen.step not in tried}


def _refusals_elsewhere(tally: Counter[tuple[bool, bool]]) -> int:
    """How often a step was refused over another connection; 0 where that does not explain it."""
    at_home, refused_at_home = tally[False, True], tally[False, False]
    if tally[True, True] or not at_home or refused_at_home > _RARELY * at_home:
        return 0
    return tally[True, False]
