"""Runs what sends requests, with progress shown, and ends with the verdict's exit code."""

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import typer
from rich.console import Console

from kycgate.cli.options import Format
from kycgate.cli.streams import SteadyConsole
from kycgate.runs.folder import RunFolder
from kycgate.runs.model import Run
from kycgate.settings.profile import Profile


def run_with_progress(command: str, profile: Profile, **options: Any) -> tuple[Run, RunFolder]:
    """Run with progress shown on standard error."""
    # Imported here: a wrong call is answered before pytest, Locust and the charts are loaded.
    from kycgate.cli.execute import execute
    from kycgate.cli.screen import screen_for

    outcome: tuple[Run, RunFolder] | None = None
    try:
        with screen_for(Console()).shown() as screen:
            outcome = execute(command, profile, say=screen.say, progress=screen.progress, screen=screen, **options)
    except OSError:
        # A terminal that has gone away can no longer be tidied up; the run is on disk.
        if outcome is None:
            raise
    assert outcome is not None  # noqa: S101 - it returned, or raised
    return outcome


def run_and_exit(
    command: str,
    profile: Profile,
    *,
    since: Path | None = None,
    output_format: Format = Format.TEXT,
    **options: Any,
) -> NoReturn:
    """Run with progress shown, print the verdict, and end with its exit code."""
    from kycgate.reports.since import read_baseline

    options["baseline"] = read_baseline(since) if since is not None else None
    run, folder = run_with_progress(command, profile, **options)
    with suppress(BrokenPipeError):
        print_outcome(run, folder, SteadyConsole(highlight=False), output_format)
    raise typer.Exit(run.exit_code)


def print_outcome(run: Run, folder: RunFolder, console: Console, output_format: Format) -> None:
    """Print the verdict, and what GitHub wants to read."""
    from kycgate.reports import github
    from kycgate.reports.terminal import print_verdict

    stop = github.stop_token()
    if output_format is Format.GITHUB:
        # Until its own word comes, the runner takes nothing that is printed for a command: a target's text is in it.
        print(f"::stop-commands::{stop}")
    print_verdict(run, console)
    if (folder.path / "report.html").exists():
        console.print(f"report: {folder.path / 'report.html'}", soft_wrap=True)
    if output_format is Format.GITHUB:
        print(f"::{stop}::")
        for line in github.annotations(run):
            print(line)
        summary = os.environ.get("GITHUB_STEP_SUMMARY")
        if summary:
            wrong = github.append_summary(Path(summary), (folder.path / "summary.md").read_text(encoding="utf-8"))
            if wrong:
                print(f"kycgate: {wrong}", file=sys.stderr)
