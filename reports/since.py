"""What is new, known or gone against an earlier run.

A breach is one way in which a clause was broken: its endpoint and the part of the answer at fault. A run lists at most
`MAX_FINDINGS` of them for each clause, so a full list proves nothing about what is not on it: where it was full then, a
breach is not called new, and where it is full now, none is called gone. Nor is a clause that this run did not judge.
"""

from pathlib import Path

from kycgate.reports.status import worst_first
from kycgate.runs.clause import MAX_FINDINGS, ClauseResult, Finding, Verdict
from kycgate.runs.folder import RunFolder
from kycgate.runs.model import Baseline, GoneFinding, Run


def read_baseline(path: Path) -> tuple[str, Run]:
    """The earlier run in the folder `path` (or its run.json), and the folder's name.

    Raises:
        UsageError: there is none, or it is damaged.
    """
    folder = RunFolder(path.parent if path.name == "run.json" else path)
    return folder.path.resolve().name, folder.read_run()


def mark(run: Run, name: str, earlier: Run) -> None:
    """Enter into `run` what is new, known or gone against `earlier`. The verdict stays as it is."""
    before = {clause.id: clause for clause in earlier.clauses}
    gone: list[GoneFinding] = []
    for clause in run.clauses:
        _mark_clause(clause, before.get(clause.id), run, earlier)
    now = {clause.id: clause for clause in run.clauses}
    not_judged: list[str] = []
    for old in worst_first(earlier):
        if old.verdict is Verdict.BROKEN:
            new = now.get(old.id)
            if new is None or new.verdict in (Verdict.UNCLEAR, Verdict.NOT_TRIED):
                not_judged.append(old.id)
            else:
                gone += _gone(old, new)
    gone += _mark_objectives(run, earlier)
    run.since = Baseline(
        name=name,
        command=earlier.command,
        verdict=earlier.verdict,
        started_at=earlier.started_at,
        kycgate_version=earlier.kycgate_version,
        differs=_differs(run, earlier),
        gone=gone,
        not_judged=not_judged if run.clauses else [],
    )


def _way(finding: Finding) -> tuple[str, str]:
    return (finding.exchange.endpoint if finding.exchange else "", finding.where)


def _mark_clause(clause: ClauseResult, old: ClauseResult | None, run: Run, earlier: Run) -> None:
    clause.before = str(old.verdict) if old else ""
    if clause.verdict is not Verdict.BROKEN:
        return
    if old is None or old.verdict is not Verdict.BROKEN:
        clause.change, clause.broken_since = "new", run.started_at
        for finding in clause.findings:
            finding.change = "new"
        return
    clause.change = "known"
    clause.broken_since = old.broken_since or earlier.started_at
    listed = {_way(finding) for finding in old.findings}
    for finding in clause.findings:
        seen = _way(finding) in listed or len(old.findings) >= MAX_FINDINGS
        finding.change = "known" if seen else "new"


def _gone(old: ClauseResult, new: ClauseResult) -> list[GoneFinding]:
    if new.verdict is Verdict.BROKEN and len(new.findings) >= MAX_FINDINGS:
        return []
    still = {_way(finding) for finding in new.findings}
    said = f"kept ({new.observed} observations)" if new.verdict is Verdict.KEPT else "broken in another way"
    ways = [finding for finding in old.findings if _way(finding) not in still]
    if not old.findings and new.verdict is Verdict.KEPT:
        return [GoneFinding(id=old.id, was=old.frequency, now=said)]
    return [
        GoneFinding(
            id=old.id, endpoint=_way(finding)[0], where=finding.where, required=finding.required,
            was=old.frequency, now=said,
        )
        for finding in ways
    ]  # fmt: skip


def _mark_objectives(run: Run, earlier: Run) -> list[GoneFinding]:
    before = {objective.id: objective for objective in earlier.objectives}
    gone = []
    for objective in run.objectives:
        old = before.get(objective.id)
        was_broken = old is not None and old.verdict == "broken"
        if objective.verdict == "broken":
            objective.change = "known" if was_broken else "new"
        elif objective.verdict == "holds" and old is not None and was_broken:
            gone.append(GoneFinding(id=objective.id, was=old.measured, now=f"holds, {objective.measured}"))
    return gone


def _differs(run: Run, earlier: Run) -> list[str]:
    """What else than the target's conduct may explain a change."""
    pairs = [
        ("target", earlier.target, run.target),
        ("profile", earlier.profile, run.profile),
        ("release", earlier.release, run.release),
        ("strict", earlier.strict, run.strict),
        ("kycgate", earlier.kycgate_version, run.kycgate_version),
        ("thorough", earlier.options.get("thorough", False), run.options.get("thorough", False)),
        ("only", ", ".join(earlier.options.get("only", ())), ", ".join(run.options.get("only", ()))),
    ]
    if run.embedded_sandbox and earlier.embedded_sandbox:
        pairs.pop(0)  # its port is another each time
    found = [f"{what}: {then or 'none'} then, {now or 'none'} now" for what, then, now in pairs if then != now]
    return found if earlier.complete else [*found, "the earlier run was stopped before its end"]
