"""What each breach came to, as it was decided in the run, and in which order results are shown."""

from collections.abc import Iterable, Sequence
from typing import Final

from kycgate.runs.clause import ClauseResult
from kycgate.runs.model import Run
from kycgate.runs.verdict import effect_of
from kycgate.settings.severity import Effect
from kycgate.text import whole_parts

TOUCHED: Final = "touched"
"""Broken by answers that break another clause first, and listed there."""
STATES: Final = ("broken", "waived", "warning", TOUCHED, "unclear", "not tried", "kept")
"""What a clause can be shown as, worst first."""

LINE: Final = 160
"""Characters in which a table says why a clause was not judged."""

_WORDS = {Effect.FAILS: "broken", Effect.WARNS: "warning", Effect.WAIVED: "waived"}


def fails(run: Run, clause: ClauseResult) -> bool:
    """Whether this clause's breach fails the gate (else it warns, or is waived)."""
    return not clause.cause and effect_of(clause, strict=run.strict) is Effect.FAILS


def touched(clause: ClauseResult) -> str:
    """The clauses that are listed under this one, in words; empty when there are none."""
    return f"also touches {', '.join(clause.touches)}" if clause.touches else ""


def under(run: Run, clause: ClauseResult) -> list[tuple[str, ClauseResult | None]]:
    """The clauses that are listed under this one, the broken ones first; None for one that the run does not know."""
    known = {other.id: other for other in run.clauses}
    found = [(name, known.get(name)) for name in clause.touches]
    return sorted(found, key=lambda pair: (pair[1] is None, not (pair[1] and pair[1].cause), pair[0]))


def accused(clauses: Iterable[ClauseResult]) -> list[ClauseResult]:
    """Without those that are listed under their cause."""
    return [clause for clause in clauses if not clause.cause]


def status(run: Run, clause: ClauseResult) -> str:
    """One of `STATES`: what a breach came to, or the verdict."""
    if clause.cause:
        return TOUCHED
    return _WORDS.get(effect_of(clause, strict=run.strict), str(clause.verdict))


def decided_by(clause: ClauseResult) -> str:
    """Which rule made this breach harder or softer than its level, or waived it; empty when none did."""
    if clause.waived:
        return f"waived: {clause.waived}"
    return f"{clause.severity} by {clause.rule}" if clause.rule not in ("", "level") else ""


def alike(run: Run, clauses: Iterable[ClauseResult]) -> list[list[ClauseResult]]:
    """In their order, but those that were not judged for one reason together: one cause is one line."""
    groups: dict[tuple[str, ...], list[ClauseResult]] = {}
    for clause in clauses:
        key = (status(run, clause), clause.change, clause.reason) if not clause.findings else (clause.id,)
        groups.setdefault(key, []).append(clause)
    return list(groups.values())


def named(run: Run, group: Sequence[ClauseResult]) -> tuple[str, str]:
    """What a group is called, and why it was not judged; which clauses it has is left out when it has them all."""
    clause = group[0]
    if len(group) == 1:
        return clause.id, whole_parts(clause.reason, LINE)
    ids = "" if len(group) == len(run.clauses) else f": {whole_parts(', '.join(c.id for c in group), LINE, ', ')}"
    return f"{len(group)} clauses", f"{whole_parts(clause.reason, LINE)}{ids}"


def worst_first(run: Run) -> list[ClauseResult]:
    """In the order of `STATES`; within one, what is new comes first, then what is documented."""
    return sorted(
        run.clauses,
        key=lambda clause: (STATES.index(status(run, clause)), clause.change == "known", clause.level.rank),
    )
