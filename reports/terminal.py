"""A short verdict table for the terminal; plain lines where there is none."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from kycgate.reports.failing import decided_by, status, worst_first
from kycgate.reports.text import one_line
from kycgate.run import Run, Verdict

MAX_ROWS = 25
_STYLES = {"kept": "green", "broken": "bold red", "unclear": "yellow"}


def print_verdict(run: Run, console: Console) -> None:
    """The verdict, what was broken or is unclear, and the objectives."""
    shown = [clause for clause in worst_first(run) if clause.verdict is not Verdict.KEPT]
    rows: list[tuple[str, str, str]] = []
    for clause in shown[:MAX_ROWS]:
        first = clause.findings[0] if clause.findings else None
        said = f"{clause.frequency}: {first.actual}; required: {first.required}" if first else clause.reason
        why = decided_by(clause)
        rows.append((status(run, clause), clause.id, one_line(f"({why}) {said}" if why else said, 160)))
    rows += [
        (o.verdict, o.id, f"{o.measured} ({o.interval}), limit {o.limit}, n = {o.samples}") for o in run.objectives
    ]
    if console.is_terminal and rows:
        table = Table("verdict", "clause or objective", "what came", box=None, pad_edge=False)
        for row in rows:
            table.add_row(*map(Text, row))
        console.print(table)
    else:
        for row in rows:
            console.print(Text("  ".join(row)), soft_wrap=True)
    if len(shown) > MAX_ROWS:
        console.print(f"… and {len(shown) - MAX_ROWS} more in the report")
    for item in run.drift:
        said = one_line(f"{', '.join(item.before)} → {', '.join(item.now)}", 300)
        console.print(Text(f"drift  {one_line(item.subject, 200)}  {item.kind}: {said}"), soft_wrap=True)
    for note in run.notes:
        console.print(Text(f"note: {one_line(note, 300)}"), soft_wrap=True)
    head = Text(f"{run.verdict}", style=_STYLES[run.verdict])
    head.append(f": {one_line(run.reason, 400)}", style="default")
    console.print(head, soft_wrap=True)
    console.print(
        f"{run.requests_sent} requests, {run.uploads_sent} uploads, seed {run.seed}, exit code {run.exit_code}",
        soft_wrap=True,
    )
