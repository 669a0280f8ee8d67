"""Calls of the command line: in this process where that shows the same, for a new one takes seconds to begin."""

import contextlib
import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from unittest.mock import patch

from kycgate.cli.main import main

_PROCESSES = frozenset({"sandbox", "prove"})
"""Commands that serve until they are stopped, or share their work among a pool of processes."""


def voided(code: int, said: str) -> bool:
    """Whether a load is void as this machine was too busy for it."""
    return code == 3 and any(words in said for words in ("loop lagged", "late at p99", "for a credential"))


def went_well(code: int, said: str) -> bool:
    """Of a load: what is judged is right. A busy machine may void it; what was sent went the way that is tested."""
    return code == 0 or voided(code, said)


def load_once_quiet(
    run: Callable[[], "subprocess.CompletedProcess[str]"], out: Path
) -> "subprocess.CompletedProcess[str]":
    """A load that writes to `out`; one that a busy machine voids is sent again, four times at most."""
    for _ in range(4):
        done = run()
        if not voided(done.returncode, done.stdout):
            return done
        shutil.rmtree(out)
    return run()


def kycgate(
    *arguments: str, cwd: Path, env: Mapping[str, str] | None = None, new_process: bool = False
) -> "subprocess.CompletedProcess[str]":
    """Call `kycgate` in the folder `cwd` with none of this process's own KYCGATE_ variables, but those of `env`."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("KYCGATE_", "PYTEST_"))}
    command = [sys.executable, "-m", "kycgate", *arguments]
    if new_process or not _PROCESSES.isdisjoint(arguments[:1]):
        return subprocess.run(
            command, cwd=cwd, env=clean | dict(env or {}), capture_output=True, text=True, timeout=120, check=False
        )
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with (
        patch.dict(os.environ, clean | dict(env or {}), clear=True),
        patch.object(sys, "argv", ["kycgate", *arguments]),
        contextlib.chdir(cwd),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
    return subprocess.CompletedProcess(command, code, out.getvalue(), err.getvalue())
