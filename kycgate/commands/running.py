"""Runs what sends requests, with progress shown, and ends with the verdict's exit code."""

import sys
from collections import defaultdict
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from kycgate.profile import Profile


def run_and_exit(command: str, profile: Profile, **options: Any) -> NoReturn:
    """Run with progress shown, print the verdict, and end with its exit code."""
    # Imported here: a wrong call is answered before pytest, Locust and the charts are loaded.
    from kycgate.reports.terminal import print_verdict
    from kycgate.runner import execute

    console = Console(highlight=False)
    if console.is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
        errors = Console(stderr=True, highlight=False)
        with Progress(*columns, TimeElapsedColumn(), console=errors, transient=True) as bars:
            task = bars.add_task("starting", total=None)

            def progress(done: int, total: int, name: str) -> None:
                bars.update(task, completed=done, total=total, description=name[:40])

            run, folder = execute(
                command, profile, say=lambda text: bars.update(task, description=text), progress=progress, **options
            )
    else:
        seen: dict[str, int] = defaultdict(int)

        def tick(done: int, total: int, name: str) -> None:
            if done * 10 // max(total, 1) > seen["tenth"] or not done:
                seen["tenth"] = done * 10 // max(total, 1)
                print(f"kycgate: test {done + 1} of {total}: {name}", file=sys.stderr, flush=True)

        def tell(text: str) -> None:
            print(f"kycgate: {text}", file=sys.stderr, flush=True)

        run, folder = execute(command, profile, say=tell, progress=tick, **options)
    print_verdict(run, console)
    console.print(f"report: {folder.path / 'report.html'}", soft_wrap=True)
    raise typer.Exit(run.exit_code)
