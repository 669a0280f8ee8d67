"""What each breach came to, as it was decided in the run, and in which order results are shown."""

from typing import Final

from kycgate.run import ClauseResult, Run
from kycgate.severity import Effect
from kycgate.verdict import effect_of

STATES: Final = ("broken", "waived", "warning", "unclear", "not tried", "kept")
"""What a clause can be shown as, worst first."""

_WORDS = {Effect.FAILS: "broken", Effect.WARNS: "warning", Effect.WAIVED: "waived"}


def fails(run: Run, clause: ClauseResult) -> bool:
    """Whether this clause's breach fails the gate (else it warns, or is waived)."""
    return effect_of(clause, strict=run.strict) is Effect.FAILS


def status(run: Run, clause: ClauseResult) -> str:
    """One of `STATES`: what a breach came to, or the verdict."""
    return _WORDS.get(effect_of(clause, strict=run.strict), str(clause.verdict))


def decided_by(clause: ClauseResult) -> str:
    """Which rule made this breach harder or softer than its level, or waived it; empty when none did."""
    if clause.waived:
        return f"waived: {clause.waived}"
    return f"{clause.severity} by {clause.rule}" if clause.rule not in ("", "level") else ""


def worst_first(run: Run) -> list[ClauseResult]:
    """In the order of `STATES`; within one, what is new comes first."""
    return sorted(run.clauses, key=lambda clause: (STATES.index(status(run, clause)), clause.change == "known"))
