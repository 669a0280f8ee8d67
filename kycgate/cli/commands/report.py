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
) -> None:
    """Make a run's reports again from what was recorded; run.json stays as it is."""
    from kycgate.reports import write_all
    from kycgate.reports.since import mark, read_baseline
    from kycgate.runs.folder import RunFolder

    folder = RunFolder(run)
    recorded = folder.recover()
    if since is not None:
        mark(recorded, *read_baseline(since))
    write_all(folder, recorded)
    print(folder.path / "report.html")
