"""summary.md: the verdict in a form that fits a pull request's comment."""

from kycgate.reports.failing import decided_by, status, worst_first
from kycgate.reports.text import markdown
from kycgate.run import Run, Verdict

MAX_ROWS = 40


def render_markdown(run: Run) -> str:
    """Verdict, breaches, objectives, latency."""
    counts = {verdict: sum(clause.verdict is verdict for clause in run.clauses) for verdict in Verdict}
    lines = [
        f"## kycgate {run.command}: {run.verdict}",
        "",
        f"{markdown(run.reason)}",
        "",
        " · ".join(
            (
                f"Target {markdown(run.target)}",
                f"{run.requests_sent} requests",
                f"{run.uploads_sent} uploads",
                f"seed {run.seed}",
                f"kycgate {markdown(run.kycgate_version)}",
            )
        ),
    ]
    if run.clauses:
        lines += ["", ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)]
        shown = [clause for clause in worst_first(run) if clause.verdict is not Verdict.KEPT][:MAX_ROWS]
        if shown:
            lines += ["", "| clause | level | verdict | what came |", "| --- | --- | --- | --- |"]
        for clause in shown:
            verdict = status(run, clause)
            verdict = f"**{verdict}**" if verdict == "broken" else verdict
            why = decided_by(clause)
            first = clause.findings[0] if clause.findings else None
            came = f"{clause.frequency}: {first.actual} (required: {first.required})" if first else clause.reason
            came = f"({why}) {came}" if why else came
            lines.append(f"| `{clause.id}` | {clause.level} | {verdict} | {markdown(came, 300)} |")
    if run.objectives:
        lines += ["", "| objective | verdict | measured | limit | samples |", "| --- | --- | --- | --- | --- |"]
        lines += [
            f"| {o.id} | {o.verdict} | {markdown(f'{o.measured} ({o.interval})')} | {markdown(o.limit)} | {o.samples} |"
            for o in run.objectives
        ]
    if run.load:
        lines += [
            "",
            f"{markdown(run.load.workload)}; response times in ms, counted from when each request was due:",
            "",
        ]
        lines += ["| step | n | p50 | p95 | p99 | max | failures |", "| --- | --- | --- | --- | --- | --- | --- |"]
        lines += [
            f"| {s.name} | {s.count} | {s.p50:.1f} | {s.p95:.1f} | {s.p99:.1f} | {s.max:.1f} | {s.failures} |"
            for s in run.load.latencies
            if s.clock == "response"
        ]
    if run.drift:
        lines += ["", "| changed since the pins | how | pinned | now |", "| --- | --- | --- | --- |"]
        lines += [
            f"| {markdown(d.subject, 200)} | {d.kind} | {markdown(', '.join(d.before), 200)} | "
            f"{markdown(', '.join(d.now), 200)} |"
            for d in run.drift[:MAX_ROWS]
        ]
    lines += [f"\n> {markdown(note)}" for note in run.notes]
    return "\n".join(lines) + "\n"
