"""Runs what sends requests, with progress shown, and ends with the verdict's exit code."""

import os
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import typer
from rich.console import Console

from kycgate.cli.options import Format, ReportOptions
from kycgate.cli.output import Output
from kycgate.cli.spec import RunSpec
from kycgate.cli.streams import SteadyConsole
from kycgate.errors import UsageError
from kycgate.runs.folder import RunFolder
from kycgate.runs.model import Run


def run_with_progress(spec: RunSpec, *, quiet: bool = False) -> tuple[Run, RunFolder]:
    """Carry out `spec` with progress shown on standard error, unless `quiet`."""
    # Imported here: a wrong call is answered before pytest and Locust are loaded.
    from kycgate.cli.execute import execute
    from kycgate.cli.screen import screen_for

    outcome: tuple[Run, RunFolder] | None = None
    try:
        with screen_for(Console(), quiet=quiet).shown() as screen:
            outcome = execute(spec, say=screen.say, progress=screen.progress, screen=screen)
    except OSError:
        # A terminal that has gone away can no longer be tidied up; the run is on disk.
        if outcome is None:
            raise
    assert outcome is not None  # noqa: S101 - it returned, or raised
    return outcome


def refuse_two_forms(report: ReportOptions, output: Output) -> None:
    """Let one form of output alone be asked for.

    Raises:
        UsageError: two are.
    """
    if output.json and report.output_format is Format.GITHUB:
        raise UsageError("--json and --format github contradict each other: both write to standard output")


def run_and_exit(spec: RunSpec, report: ReportOptions, output: Output) -> NoReturn:
    """Carry out `spec` with progress shown, print the verdict, and end with its exit code.

    Raises:
        UsageError: two forms of output are asked for, or what `execute` says.
    """
    refuse_two_forms(report, output)
    from kycgate.reports.since import read_baseline

    if report.since is not None:
        spec = replace(spec, baseline=read_baseline(report.since))
    run, folder = run_with_progress(spec, quiet=output.quiet)
    with suppress(BrokenPipeError):
        print_outcome(run, folder, SteadyConsole(highlight=False), report.output_format, output)
    raise typer.Exit(run.exit_code)


def print_outcome(
    run: Run, folder: RunFolder, console: Console, output_format: Format, output: Output | None = None
) -> None:
    """Print the verdict, or the run as JSON, and what GitHub wants to read."""
    from kycgate.reports import github
    from kycgate.reports.terminal import print_line, print_verdict, verdict_line

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
        print_line(console, verdict_line(run))
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
