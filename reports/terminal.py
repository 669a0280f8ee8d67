"""A short verdict table for the terminal; plain lines where there is none."""

from collections import Counter

from rich.console import Console
from rich.table import Table
from rich.text import Text

from kycgate.reports.status import LINE, accused, alike, decided_by, named, status, touched, worst_first
from kycgate.runs.clause import Verdict
from kycgate.runs.model import Baseline, Run
from kycgate.text import counted, one_line

MAX_ROWS = 25
_STYLES = {"kept": "green", "broken": "bold red", "unclear": "yellow"}


def print_verdict(run: Run, console: Console) -> None:
    """The target, the verdict, what was broken or is unclear, the objectives, and what changed."""
    print_line(console, Text(f"target: {one_line(run.target_words, 300)}"))
    shown = alike(run, (clause for clause in accused(worst_first(run)) if clause.verdict is not Verdict.KEPT))
    rows: list[tuple[str, str, str]] = []
    for group in shown[:MAX_ROWS]:
        clause = group[0]
        name, said = named(run, group)
        if clause.findings:
            first, why = clause.findings[0], decided_by(clause)
            said = f"{clause.how_often}: {first.actual}; required: {first.required}"
            said = f"({why}) {said}" if why else said
            said = f"{said}; {touched(clause)}" if clause.touches else said
        rows.append((_with(clause.change, status(run, clause)), name, one_line(said, 2 * LINE)))
    rows += [
        (
            _with(o.change, o.verdict),
            o.id,
            "; ".join(filter(None, (o.condition, f"{o.measured} ({o.interval}), limit {o.limit}, n = {o.samples}"))),
        )
        for o in run.objectives
    ]
    if console.is_terminal and rows:
        table = Table("verdict", "clause or objective", "answer", box=None, pad_edge=False)
        for row in rows:
            table.add_row(*map(Text, row))
        console.print(table)
    else:
        for row in rows:
            print_line(console, Text("  ".join(row)))
    if len(shown) > MAX_ROWS:
        console.print(f"… and {len(shown) - MAX_ROWS} more in the report")
    for item in run.drift:
        said = one_line(f"{', '.join(item.before)} → {', '.join(item.now)}", 300)
        print_line(console, Text(f"drift  {one_line(item.subject, 200)}  {item.kind}: {said}"))
    if run.since is not None:
        _print_since(run, run.since, console)
    for note in run.notes:
        print_line(console, Text(f"note: {one_line(note, 300)}"))
    print_line(console, verdict_line(run))
    sent = f"{counted(run.requests_sent, 'request')}, {counted(run.uploads_sent, 'upload')}"
    seed = "" if run.command == "rehearse" else f"seed {run.seed}, "
    print_line(console, f"{sent}, {seed}exit code {run.exit_code}")


def print_line(console: Console, line: Text | str) -> None:
    """One line: whole where a program may read it, broken between words on a screen."""
    console.print(line, soft_wrap=not console.is_terminal)


def verdict_line(run: Run) -> Text:
    """How it came out, and why."""
    line = Text(f"{run.verdict}", style=_STYLES[run.verdict])
    line.append(f": {one_line(run.reason, 800)}", style="default")
    return line


def _with(change: str, verdict: str) -> str:
    return f"{verdict} ({change})" if change else verdict


def _print_since(run: Run, since: Baseline, console: Console) -> None:
    changes = Counter(clause.change for clause in run.clauses) + Counter(o.change for o in run.objectives)
    for gone in since.gone[:MAX_ROWS]:
        said = f"gone  {gone.id}  {gone.endpoint} {gone.where}; was {gone.was}; {gone.now}"
        print_line(console, Text(one_line(said, 300)))
    if since.not_judged:
        print_line(console, Text(f"broken before, not judged now: {', '.join(since.not_judged)}"))
    for said in since.differs:
        print_line(console, Text(f"note: {one_line(said, 300)}"))
    counts = f"{changes['new']} new, {changes['known']} known, {len(since.gone)} gone"
    print_line(console, Text(f"against {one_line(since.name, 200)}: {counts}"))
