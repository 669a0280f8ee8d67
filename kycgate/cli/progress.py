"""Runs what sends requests, with progress shown, and ends with the verdict's exit code."""

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import typer
from rich.console import Console

from kycgate.cli.options import Format
from kycgate.cli.output import Output
from kycgate.cli.streams import SteadyConsole
from kycgate.errors import UsageError
from kycgate.runs.folder import RunFolder
from kycgate.runs.model import Run
from kycgate.settings.profile import Profile


def run_with_progress(command: str, profile: Profile, *, quiet: bool = False, **options: Any) -> tuple[Run, RunFolder]:
    """Run with progress shown on standard error, unless `quiet`."""
    # Imported here: a wrong call is answered before pytest, Locust and the charts are loaded.
    from kycgate.cli.execute import execute
    from kycgate.cli.screen import screen_for

    outcome: tuple[Run, RunFolder] | None = None
    try:
        with screen_for(Console(), quiet=quiet).shown() as screen:
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
    output: Output | None = None,
    **options: Any,
) -> NoReturn:
    """Run with progress shown, print the verdict, and end with its exit code.

    Raises:
        UsageError: two forms of output are asked for, or what `execute` says.
    """
    output = output or Output()
    if output.json and output_format is Format.GITHUB:
        raise UsageError("--json and --format github contradict each other: both write to standard output")
    from kycgate.reports.since import read_baseline

    options["baseline"] = read_baseline(since) if since is not None else None
    run, folder = run_with_progress(command, profile, quiet=output.quiet, **options)
    with suppress(BrokenPipeError):
        print_outcome(run, folder, SteadyConsole(highlight=False), output_format, output)
    raise typer.Exit(run.exit_code)


def print_outcome(
    run: Run, folder: RunFolder, console: Console, output_format: Format, output: Output | None = None
) -> None:
    """Print the verdict, or the run as JSON, and what GitHub wants to read."""
    from kycgate.reports import github
    from kycgate.reports.terminal import print_verdict, verdict_line

    output = output or Output()
    output.document(lambda: run)
    report = folder.path / "report.html"
    if output.json:
        if report.exists():
            output.note(f"report: {report}")
        return

    stop = github.stop_token()
    if output_format is Format.GITHUB:
        # Until its own word comes, the runner takes nothing that is printed for a command: a target's text is in it.
        print(f"::stop-commands::{stop}")
    if output.quiet:
        console.print(verdict_line(run), soft_wrap=True)
    else:
        print_verdict(run, console)
        if report.exists():
            console.print(f"report: {report}", soft_wrap=True)
    if output_format is Format.GITHUB:
        print(f"::{stop}::")
        for line in github.annotations(run):
            print(line)
        summary = os.environ.get("GITHUB_STEP_SUMMARY")
        if summary:
            wrong = github.append_summary(Path(summary), (folder.path / "summary.md").read_text(encoding="utf-8"))
            if wrong:
                print(f"kycgate: {wrong}", file=sys.stderr)
