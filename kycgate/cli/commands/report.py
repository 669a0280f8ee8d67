"""`kycgate report RUN`: makes a run's reports again from what was recorded, also of a run that was killed."""

from pathlib import Path
from typing import Annotated

import typer

from kycgate.cli.options import SinceOption


def register(app: typer.Typer) -> None:
    app.command()(report)


def report(
    run: Annotated[Path, typer.Argument(help="The folder of a run, also of one that was killed.")],
    since: SinceOption = None,
    for_vendor: Annotated[
        bool,
        typer.Option(
            "--for-vendor",
            help="Write vendor.html alone: the findings, numbered, without our profile, waivers and test names.",
        ),
    ] = False,
) -> None:
    """Make a run's reports again from what was recorded; run.json stays as it is."""
    from kycgate.cli.reporting import write_reports
    from kycgate.errors import ExitCode, UsageError
    from kycgate.reports.since import mark, read_baseline
    from kycgate.runs.folder import RunFolder

    folder = RunFolder(run)
    recorded = folder.recover()
    if since is not None:
        mark(recorded, *read_baseline(since))
    if for_vendor:
        from kycgate.files import write_atomically
        from kycgate.reports.html import render_for_vendor

        try:
            write_atomically(folder.path / "vendor.html", render_for_vendor(recorded, folder.read_exchanges()))
        except OSError as error:
            raise UsageError(f"cannot write to {folder.path}: {error.strerror}") from None
        print(folder.path / "vendor.html")
        return
    code = write_reports(folder, recorded, ExitCode.KEPT)
    print(folder.path / "report.html")
    if code is not ExitCode.KEPT:
        raise typer.Exit(int(code))
