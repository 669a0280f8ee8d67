"""Which breaches fail the gate, and in which order results are shown."""

from kycgate.run import ClauseResult, Run, Verdict

_ORDER = {Verdict.BROKEN: 0, Verdict.UNCLEAR: 1, Verdict.NOT_TRIED: 2, Verdict.KEPT: 3}


def fails(run: Run, clause: ClauseResult) -> bool:
    """Whether this clause's breach fails the gate (else it warns)."""
    return clause.verdict is Verdict.BROKEN and not clause.waived and (run.strict or clause.level.fails_gate)


def worst_first(run: Run) -> list[ClauseResult]:
    """Breaches that fail, warnings, unclear, not tried, kept."""
    return sorted(run.clauses, key=lambda clause: (_ORDER[clause.verdict], not fails(run, clause)))
