"""Writes a run's reports into its folder."""

from kycgate.reports.html import render_html
from kycgate.reports.junit import render_junit
from kycgate.reports.markdown import render_markdown
from kycgate.reports.sarif import render_sarif
from kycgate.runs.folder import RunFolder, write_atomically
from kycgate.runs.model import Run


def write_all(folder: RunFolder, run: Run) -> None:
    """junit.xml, summary.md, results.sarif and report.html, from what was recorded alone."""
    write_atomically(folder.path / "junit.xml", render_junit(run))
    write_atomically(folder.path / "summary.md", render_markdown(run))
    write_atomically(folder.path / "results.sarif", render_sarif(run))
    write_atomically(folder.path / "report.html", render_html(run, folder.read_exchanges()))
