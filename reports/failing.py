"""What each breach came to, as it was decided in the run, and in which order results are shown."""

from kycgate.run import ClauseResult, Run, Verdict
from kycgate.severity import Effect
from kycgate.verdict import effect_of

_ORDER = {Verdict.BROKEN: 0, Verdict.UNCLEAR: 1, Verdict.NOT_TRIED: 2, Verdict.KEPT: 3}
_EFFECTS = {Effect.FAILS: 0, Effect.WAIVED: 1, Effect.WARNS: 2, Effect.NONE: 3}
_WORDS = {Effect.FAILS: "broken", Effect.WARNS: "warning", Effect.WAIVED: "waived"}


def fails(run: Run, clause: ClauseResult) -> bool:
    """Whether this clause's breach fails the gate (else it warns, or is waived)."""
    return effect_of(clause, strict=run.strict) is Effect.FAILS


def status(run: Run, clause: ClauseResult) -> str:
    """One word for what is shown: broken, waived, warning, or the verdict."""
    return _WORDS.get(effect_of(clause, strict=run.strict), str(clause.verdict))


def decided_by(clause: ClauseResult) -> str:
    """Which rule made this breach harder or softer than its level, or waived it; empty when none did."""
    if clause.waived:
        return f"waived: {clause.waived}"
    return f"{clause.severity} by {clause.rule}" if clause.rule not in ("", "level") else ""


def worst_first(run: Run) -> list[ClauseResult]:
    """Breaches that fail, waived ones, warnings, unclear, not tried, kept."""

    def rank(clause: ClauseResult) -> tuple[int, int]:
        return _ORDER[clause.verdict], _EFFECTS[effect_of(clause, strict=run.strict)]

    return sorted(run.clauses, key=rank)
