"""Writes a run's reports for a command, and says which are missing."""

import sys

from kycgate.errors import ExitCode
from kycgate.runs.folder import RunFolder
from kycgate.runs.model import Run


def write_reports(folder: RunFolder, run: Run, code: ExitCode) -> ExitCode:
    """Write the reports, with a line on standard error for each that fails.

    Returns the exit code to end with: `code`, or UNCLEAR instead of KEPT when a report is missing.
    """
    # Imported here: the reports weigh more than the rest of a command.
    from kycgate.reports import write_all

    problems = write_all(folder, run)
    for problem in problems:
        print(f"kycgate: {problem}", file=sys.stderr)
    return ExitCode.UNCLEAR if problems and code is ExitCode.KEPT else code
