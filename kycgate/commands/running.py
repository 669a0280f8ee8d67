"""Runs what sends requests, with progress shown, and ends with the verdict's exit code."""

from typing import Any, NoReturn

import typer
from rich.console import Console

from kycgate.profile import Profile
from kycgate.run import Run, RunFolder


def run_with_progress(command: str, profile: Profile, **options: Any) -> tuple[Run, RunFolder]:
    """Run with progress shown on standard error."""
    # Imported here: a wrong call is answered before pytest, Locust and the charts are loaded.
    from kycgate.commands.screen import screen_for
    from kycgate.runner import execute

    with screen_for(Console()).shown() as screen:
        return execute(command, profile, say=screen.say, progress=screen.progress, screen=screen, **options)


def run_and_exit(command: str, profile: Profile, **options: Any) -> NoReturn:
    """Run with progress shown, print the verdict, and end with its exit code."""
    from kycgate.reports.terminal import print_verdict

    run, folder = run_with_progress(command, profile, **options)
    console = Console(highlight=False)
    print_verdict(run, console)
    console.print(f"report: {folder.path / 'report.html'}", soft_wrap=True)
    raise typer.Exit(run.exit_code)
