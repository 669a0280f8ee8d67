"""From the ledger to the run's verdict and exit code."""

from collections.abc import Collection, Sequence

from kycgate.errors import ExitCode
from kycgate.runs.clause import ClauseResult, Verdict
from kycgate.runs.model import DriftItem, ObjectiveResult, WaiverResult
from kycgate.settings.severity import Effect, Rules, Waiver, severity_by_level
from kycgate.text import counted

MAX_NAMED = 8
"""Broken clauses, objectives or drifts that the headline names at most, of each."""
_NO_VERDICT = (Verdict.UNCLEAR, Verdict.NOT_TRIED)


def decide(clauses: list[ClauseResult], rules: Rules) -> list[WaiverResult]:
    """Enter into each clause what its breach comes to today; returns the state of each waiver."""
    for clause in clauses:
        if clause.verdict is Verdict.BROKEN:
            decision = rules.decide(clause.id, clause.level)
            clause.effect, clause.severity = decision.effect, decision.severity
            clause.rule, clause.waived = decision.rule, decision.waived
    _accuse_apart(clauses)
    return [_state(waiver, clauses, rules) for waiver in rules.waivers] if clauses else []


_HARDNESS = {Effect.NONE: 0, Effect.WAIVED: 1, Effect.WARNS: 2, Effect.FAILS: 3}


def _accuse_apart(clauses: list[ClauseResult]) -> None:
    """A breach that comes to more than its cause does (by a rule, or a waiver of the cause) is not listed under it."""
    known = {clause.id: clause for clause in clauses}
    for clause in clauses:
        cause = known.get(clause.cause)
        if cause is not None and _HARDNESS[cause.effect] < _HARDNESS[clause.effect]:
            clause.cause = ""
            cause.touches = [name for name in cause.touches if name != clause.id]


def _state(waiver: Waiver, clauses: list[ClauseResult], rules: Rules) -> WaiverResult:
    clause = next((c for c in clauses if c.id == waiver.clause), None)
    result = WaiverResult(
        clause=waiver.clause,
        reason=waiver.reason,
        owner=waiver.owner,
        expires=waiver.expires.isoformat(),
        state="unused",
    )
    if waiver.expires < rules.today:
        result.state = "expired"
    elif clause is None or clause.verdict in _NO_VERDICT:
        result.state = "not judged"
    elif clause.effect is Effect.WAIVED:
        result.state = "used"
    return result


def waiver_notes(waivers: list[WaiverResult]) -> list[str]:
    """What the owner of the profile should know about its waivers."""
    said = {
        "unused": "is not needed: its clause was kept or only warns; take it out",
        "expired": "has expired: its clause fails the gate when it is broken",
    }
    return [
        f"The waiver of {w.clause} ({w.owner}, until {w.expires}) {said[w.state]}." for w in waivers if w.state in said
    ]


def effect_of(clause: ClauseResult, *, strict: bool) -> Effect:
    """What the clause's breach came to: as recorded, or by its level where a run was recorded without it."""
    if clause.verdict is not Verdict.BROKEN or clause.effect is not Effect.NONE:
        return clause.effect
    if clause.waived:
        return Effect.WAIVED
    return Effect.FAILS if severity_by_level(clause.level, strict=strict) == "fail" else Effect.WARNS


def exit_code_of(
    clauses: list[ClauseResult],
    objectives: list[ObjectiveResult],
    *,
    strict: bool,
    cannot_judge: str = "",
    drift: Sequence[DriftItem] = (),
    demanded: Collection[str] = (),
    promised: bool = True,
) -> tuple[ExitCode, str]:
    """The exit code and one line of why, with how much was not judged.

    `strict` counts only for clauses of which nothing was decided; `drift` is what has changed, where that fails.
    Without a verdict on each of the clauses that are `demanded` there is too little evidence for one on the whole;
    without one on each objective neither, where a policy was `promised`. Of the default one it is only told.
    """
    by_effect = {effect: [c for c in clauses if effect_of(c, strict=strict) is effect] for effect in Effect}
    failing = [c for c in by_effect[Effect.FAILS] if not c.cause]
    failing.sort(key=lambda c: c.level.rank)
    broken = [o for o in objectives if o.verdict == "broken"]
    not_judged = _not_judged(clauses)
    if failing or broken or drift:
        parts = [_causes(failing)] if failing else []
        parts += [f"{counted(len(broken), 'objective')} broken"] if broken else []
        drifted = [d.subject for d in drift]
        parts += [f"{counted(len(drift), 'pinned answer')} changed"] if drift else []
        said = f"{' and '.join(parts)}: {_named([c.id for c in failing] + [o.id for o in broken] + drifted)}"
        return ExitCode.BROKEN, f"{said}; {', '.join(not_judged)}" if not_judged else said
    kept = [c for c in clauses if c.verdict is Verdict.KEPT]
    # Of one that only warns there is a verdict too: `--only` may have asked for no other.
    judged = [*kept, *by_effect[Effect.WARNS], *by_effect[Effect.WAIVED]]
    counts = [*([f"{counted(len(kept), 'clause')} kept"] if judged else []), *not_judged]
    if cannot_judge:
        # Where nothing was judged the counts would only hide why.
        return ExitCode.UNCLEAR, f"{cannot_judge}; {', '.join(counts)}" if judged else cannot_judge
    if clauses and not judged:
        return ExitCode.UNCLEAR, "no clause could be judged"
    lacking = [c for c in clauses if c.id in demanded and c.verdict in _NO_VERDICT]
    if lacking:
        said = f"too little evidence: {', '.join(counts)}; no verdict on {', '.join(c.id for c in lacking)}"
        return ExitCode.UNCLEAR, f"{said}: {lacking[0].reason}"
    open_objectives = [o for o in objectives if o.verdict == "not enough evidence"]
    if open_objectives and promised:
        return ExitCode.UNCLEAR, f"not enough evidence for {', '.join(_lacking(o) for o in open_objectives)}"
    held = len(objectives) - len(open_objectives)
    said = (
        ", ".join(counts + ([f"{counted(held, 'objective')} {'holds' if held == 1 else 'hold'}"] if held else []))
        or "nothing was to be judged"
    )
    if open_objectives:
        names = ", ".join(o.id for o in open_objectives)
        said += f"; no policy was given, and the default one is not decided: not enough evidence for {names}"
    for word, effect in (("waived", Effect.WAIVED), ("warnings", Effect.WARNS)):
        names = ", ".join(c.id for c in by_effect[effect])
        said += f"; {word}: {names}" if names else ""
    return ExitCode.KEPT, said


def _causes(failing: Sequence[ClauseResult]) -> str:
    """`2 clauses broken`, or `2 causes, 7 clauses broken` where one answer speaks to several."""
    all_touched = {name for clause in failing for name in clause.touches} | {clause.id for clause in failing}
    if len(all_touched) == len(failing):
        return f"{counted(len(failing), 'clause')} broken"
    return f"{counted(len(failing), 'cause')}, {counted(len(all_touched), 'clause')} touched"


def _named(names: Sequence[str]) -> str:
    """All of them, or the first and how many more."""
    if len(names) <= MAX_NAMED + 1:
        return ", ".join(names)
    return f"{', '.join(names[:MAX_NAMED])} and {len(names) - MAX_NAMED} more"


def _lacking(objective: ObjectiveResult) -> str:
    """An objective, why it is not decided, and what it takes."""
    if objective.lacks:
        return f"{objective.id} ({objective.lacks})"
    if not objective.needed:
        return objective.id
    more = f"{objective.id} ({counted(objective.needed, 'sample')} more"
    if not objective.samples:
        return f"{more})"
    return f"{more}: a run {1 + objective.needed / objective.samples:.2g} times as long)"


def _not_judged(clauses: Sequence[ClauseResult]) -> list[str]:
    """How many of them were not tried, and how many are unclear."""
    counts = {verdict: sum(c.verdict is verdict for c in clauses) for verdict in (Verdict.NOT_TRIED, Verdict.UNCLEAR)}
    return [f"{count} {verdict}" for verdict, count in counts.items() if count]
