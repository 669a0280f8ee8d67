"""Puts what is known so far into run.json while a run goes on, so that a kill leaves a run to report."""

import time
from collections.abc import Callable

from kycgate.runs.folder import RunFolder
from kycgate.runs.model import Run

EVERY_S = 1.0
SHARE = 20
"""A long run's file takes longer to write: then it is written less often, for a twentieth of the time at most."""


class Checkpoint:
    """`problem` says why it could not be written; empty when it could."""

    def __init__(self, folder: RunFolder, run: Run) -> None:
        self._folder, self._run = folder, run
        self._next = time.monotonic() + EVERY_S
        self.problem = ""

    def take(self, enter: Callable[[Run], None]) -> None:
        """When it is time: `enter` puts what is known into a copy of the run, which stays one that was not ended."""
        if time.monotonic() < self._next:
            return
        begun = time.monotonic()
        copy = self._run.model_copy(deep=True)
        enter(copy)
        self.problem = write(self._folder, copy)
        now = time.monotonic()
        self._next = now + max(EVERY_S, SHARE * (now - begun))


def write(folder: RunFolder, run: Run) -> str:
    """Write run.json; why it could not be written, or nothing."""
    try:
        folder.write_run(run)
    except OSError as error:
        return f"cannot write to {folder.path}: {error.strerror}"
    return ""
