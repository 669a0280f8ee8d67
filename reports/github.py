"""GitHub's workflow commands: one annotation a breach, escaped as the runner's own toolkit does.

Source: actions/toolkit, packages/core/src/command.ts (escapeData, escapeProperty). GitHub shows ten errors and ten
warnings of one step, so no more are printed.
"""

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from kycgate.errors import ExitCode
from kycgate.reports.status import decided_by, status, touched, worst_first
from kycgate.runs.model import Run
from kycgate.text import one_line

MAX_OF_A_KIND: Final = 10
_COMMANDS = {"broken": "error", "warning": "warning", "waived": "notice"}


def _data(text: str) -> str:
    return one_line(text, 1_000).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _command(name: str, title: str, message: str, file: str) -> str:
    where = f"file={_property(file)}," if file else ""
    return f"::{name} {where}title={_property(title)}::{_data(message)}"


def annotations(run: Run) -> Iterator[str]:
    """The lines to print, worst first; those that would not be shown are counted in a last one."""
    found: list[tuple[str, str, str]] = []
    if run.exit_code == ExitCode.UNCLEAR:
        found.append(("error", "kycgate could not judge", run.reason))
    for clause in worst_first(run):
        kind = _COMMANDS.get(status(run, clause))
        if kind is not None:
            first = clause.findings[0] if clause.findings else None
            came = f" Came: {first.actual}; required: {first.required}." if first else ""
            title = " ".join(filter(None, (clause.id, status(run, clause), clause.change)))
            why, also = decided_by(clause), f" {touched(clause).capitalize()}." if clause.touches else ""
            said = f"({why}) " if why else ""
            found.append((kind, title, f"{said}{clause.sentence} Broken {clause.how_often}.{came}{also}"))
    for o in run.objectives:
        if o.verdict == "broken":
            said = f"{o.sentence} Measured {o.measured} ({o.interval}), limit {o.limit}."
            found.append(("error", " ".join(filter(None, (o.id, "broken", o.change))), said))
    for kind in ("error", "warning", "notice"):
        of_kind = [entry for entry in found if entry[0] == kind]
        room = MAX_OF_A_KIND - (kind == "notice")
        for _, title, message in of_kind[:room]:
            yield _command(kind, title, message, run.profile_file)
    left = sum(max(0, sum(k == kind for k, _, _ in found) - MAX_OF_A_KIND) for kind in ("error", "warning"))
    if left:
        yield _command("notice", "kycgate", f"{left} more breaches stand in the job summary and in report.html", "")


def append_summary(path: Path, text: str) -> str:
    """Append to the job's summary; returns what went wrong, in words, or nothing: the verdict stands all the same."""
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        return f"cannot append to GITHUB_STEP_SUMMARY: {error.strerror}"
    return ""


def stop_token() -> str:
    """A word that cannot be guessed: between `::stop-commands::WORD` and `::WORD::` no line of output is a command."""
    return secrets.token_hex(16)
