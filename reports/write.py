"""Writes a run's reports into its folder."""

from collections.abc import Callable
from typing import Final

from kycgate.extras import lacking
from kycgate.files import write_atomically
from kycgate.reports.html import render_html
from kycgate.reports.junit import render_junit
from kycgate.reports.markdown import render_markdown
from kycgate.reports.sarif import render_sarif
from kycgate.runs.folder import RunFolder
from kycgate.runs.model import Run
from kycgate.text import one_line

Writer = Callable[[RunFolder, Run], str | bytes]

WRITERS: Final[dict[str, Writer]] = {
    "junit.xml": lambda folder, run: render_junit(run),
    "summary.md": lambda folder, run: render_markdown(run),
    "results.sarif": lambda folder, run: render_sarif(run),
    "report.html": lambda folder, run: render_html(run, folder.read_exchanges()),
}
"""The name of each report's file, and what renders it from what was recorded alone. A further format is one entry."""


def write_all(folder: RunFolder, run: Run) -> list[str]:
    """Write each of `WRITERS` into the run's folder; one that fails costs its own file.

    Returns a line for each file that could not be written: its name and why.
    """
    problems = []
    for name, render in WRITERS.items():
        try:
            write_atomically(folder.path / name, render(folder, run))
        except OSError as error:
            problems.append(f"cannot write {folder.path / name}: {error.strerror}")
        except Exception as error:  # noqa: BLE001 - one report's fault must not cost the others
            said = one_line(f"{type(error).__name__}: {error}", 300)
            why = lacking(error) or f"a bug of kycgate, please report it: {said}"
            problems.append(f"{name} is not written: {why}")
    return problems
