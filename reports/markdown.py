"""summary.md: the verdict in a form that fits a pull request's comment."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from kycgate.reports.sla_page import month_of
from kycgate.reports.status import LINE, STATES, accused, alike, decided_by, named, status, touched, worst_first
from kycgate.runs.clause import ClauseResult, Verdict
from kycgate.runs.model import Run
from kycgate.text import counted, markdown

MAX_ROWS = 40
MAX_CHARACTERS: Final = 60_000
"""GitHub refuses a comment of more than 65,536 characters; what a caller puts around ours needs some."""

MAX_OUTAGES: Final = 20


def render_markdown(run: Run) -> str:
    """Verdict, breaches, what changed, objectives, latency: as much of it as fits, whole lines only."""
    lines = [
        f"## kycgate {markdown(run.command)}: {run.verdict}, of {markdown(run.target_words, 300)}",
        "",
        markdown(run.reason, 1_000),
        "",
        " · ".join(
            (
                counted(run.requests_sent, "request"),
                counted(run.uploads_sent, "upload"),
                *([] if run.rehearsal else [f"seed {run.seed}"]),
                f"kycgate {markdown(run.kycgate_version, 40)}",
            )
        ),
        *_since(run),
        *_clauses(run),
        *_rehearsal(run),
        *_objectives(run),
        *_period(run),
        *_latencies(run),
        *_drift(run),
        *(f"\n> {markdown(note, 600)}" for note in run.notes),
    ]
    return _fitting(lines)


def _fitting(lines: list[str]) -> str:
    kept: list[str] = []
    length = 0
    for line in lines:
        length += len(line) + 1
        if length > MAX_CHARACTERS:
            return "\n".join([*kept, "", "The rest is in report.html: it would not fit into a comment."]) + "\n"
        kept.append(line)
    return "\n".join(kept) + "\n"


def _since(run: Run) -> list[str]:
    if run.since is None:
        return []
    changes = Counter(clause.change for clause in run.clauses) + Counter(o.change for o in run.objectives)
    said = f"{changes['new']} new, {changes['known']} known, {len(run.since.gone)} gone"
    lines = ["", f"Against {markdown(run.since.name, 200)} ({run.since.started_at}): {said}."]
    lines += [
        f"- gone: `{gone.id}` {markdown(f'{gone.endpoint} {gone.where}'.strip(), 200)} (was {markdown(gone.was, 200)})"
        for gone in run.since.gone[:MAX_ROWS]
    ]
    lines += [f"- not judged this time: `{id}`" for id in run.since.not_judged[:MAX_ROWS]]  # noqa: A001
    lines += [f"- {markdown(said, 300)}" for said in run.since.differs]
    return lines


def _clauses(run: Run) -> list[str]:
    if not run.clauses:
        return []
    counts = Counter(status(run, clause) for clause in run.clauses)
    lines = ["", ", ".join(f"{counts[name]} {name}" for name in STATES if counts[name])]
    shown = alike(run, (clause for clause in accused(worst_first(run)) if clause.verdict is not Verdict.KEPT))
    if shown:
        lines += ["", "| clause | level | verdict | answer |", "| --- | --- | --- | --- |"]
    lines += [_row(run, group) for group in shown[:MAX_ROWS]]
    if len(shown) > MAX_ROWS:
        lines += ["", f"… and {len(shown) - MAX_ROWS} more in report.html"]
    return lines


def _rehearsal(run: Run) -> list[str]:
    """How many cases ended how, and those that the command did not survive or that took longest."""
    if not run.rehearsal:
        return []
    first, *cases = run.rehearsal
    counts = Counter(trial.outcome for trial in cases)
    said = ", ".join(f"{count} {outcome}" for outcome, count in counts.most_common()) or "none"
    lines = ["", f"Cases: {said}. Against the faithful stand-in the command took {first.seconds:.1f} s."]
    ran = sorted((trial for trial in cases if trial.outcome != "not exercised"), key=lambda trial: -trial.seconds)
    ran.sort(key=lambda trial: trial.outcome == "survived")
    if ran:
        lines += ["", "| case | outcome | seconds | onboarding |", "| --- | --- | --- | --- |"]
    lines += [
        f"| `{trial.case}` | {trial.outcome} | {trial.seconds:.1f} | {'' if trial.completed else 'not '}completed |"
        for trial in ran[:MAX_ROWS]
    ]
    if len(ran) > MAX_ROWS:
        lines += ["", f"… and {len(ran) - MAX_ROWS} more in report.html"]
    return lines


def _row(run: Run, group: Sequence[ClauseResult]) -> str:
    clause, state = group[0], status(run, group[0])
    verdict = " ".join(filter(None, (f"**{state}**" if state == "broken" else state, clause.change)))
    name, came = named(run, group)
    if clause.findings:
        first, why = clause.findings[0], decided_by(clause)
        came = f"{clause.how_often}: {first.actual} (required: {first.required})"
        came = f"({why}) {came}" if why else came
        came = f"{came}; {touched(clause)}" if clause.touches else came
    name, level = (f"`{name}`", str(clause.level)) if len(group) == 1 else (name, "")
    return f"| {name} | {level} | {verdict} | {markdown(came, 2 * LINE)} |"


def _objectives(run: Run) -> list[str]:
    if not run.objectives:
        return []
    lines = ["", "| objective | verdict | measured | limit | samples |", "| --- | --- | --- | --- | --- |"]
    lines += [
        f"| {o.id} | {' '.join(filter(None, (o.verdict, o.change)))} | {markdown(f'{o.measured} ({o.interval})')} | "
        f"{markdown(o.limit)} | {o.samples} |"
        for o in run.objectives
    ]
    said = [
        f"- {o.id} {o.verdict}: " + markdown("; ".join(filter(None, (o.sentence.rstrip("."), o.condition))), 600)
        for o in run.objectives
    ]
    return [*lines, "", *said]


def _period(run: Run) -> list[str]:
    if run.period is None:
        return []
    month = month_of(run.period)
    lines = [
        "",
        f"**{month.title}** ({run.period.zone}): " + "; ".join(f"{value} {name}" for value, name, _ in month.figures),
    ]
    if month.outages:
        lines += ["", "| began between | ended between | lasted | what was met |", "| --- | --- | --- | --- |"]
        shown = month.outages[:MAX_OUTAGES]
        lines += [f"| {row.start} | {row.end} | {row.lasted} | {markdown(row.what, 200)} |" for row in shown]
    if len(month.outages) > MAX_OUTAGES:
        lines += ["", f"and {len(month.outages) - MAX_OUTAGES} more outages in report.html"]
    if run.period.credits_owed:
        lines += ["", "| credit | proven | by what was measured |", "| --- | --- | --- |"]
        lines += [
            f"| {c.objective} | {c.shown:g}% | {c.percent:g}% ({markdown(c.measured)}) |"
            for c in run.period.credits_owed
        ]
    return lines


def _latencies(run: Run) -> list[str]:
    if run.load is None:
        return []
    lines = ["", f"{markdown(run.load.workload)}; response times in ms, counted from when each request was due:", ""]
    lines += ["| step | n | p50 | p95 | p99 | max | failures |", "| --- | --- | --- | --- | --- | --- | --- |"]
    return lines + [
        f"| {s.name} | {s.count} | {s.p50:.1f} | {s.p95:.1f} | {s.p99:.1f} | {s.max:.1f} | {s.failures} |"
        for s in run.load.latencies
        if s.clock == "response"
    ]


def _drift(run: Run) -> list[str]:
    if not run.drift:
        return []
    lines = ["", "| changed since the pins | how | pinned | now |", "| --- | --- | --- | --- |"]
    return lines + [
        f"| {markdown(d.subject, 200)} | {d.kind} | {markdown(', '.join(d.before), 200)} | "
        f"{markdown(', '.join(d.now), 200)} |"
        for d in run.drift[:MAX_ROWS]
    ]
