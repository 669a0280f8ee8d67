"""What several tests of this suite use."""

import fcntl
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest
from hypothesis import settings

from kycgate.processes import collect_seldom
from kycgate.tests.suite.shares import WHOLE

# Whether a machine is busy is nothing that a drawn example could show.
settings.register_profile("kycgate", deadline=None)
settings.load_profile("kycgate")


class Shared(Protocol):
    """Gives a folder that `make` has filled, once for all workers of this run of the tests; no test may change it."""

    def __call__(self, name: str, make: Callable[[Path], None]) -> Path: ...


class Call(Protocol):
    """Calls the command line in this process: its exit code, and what it printed and complained."""

    def __call__(self, *arguments: str) -> tuple[int, str, str]: ...


# Whole checks run in this process too, as in a command's.
collect_seldom()

# The commands that tests start keep their compiled bytecode, as a user's do: compiling is a third of a command's time.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A runner that was itself started in the background ignores these, and so would all that the tests start and then stop.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What is marked `whole` is left out, but of the whole."""
    left_out = [] if WHOLE else [item for item in items if item.get_closest_marker("whole")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    """With KYCGATE_NO_SKIP set, as in CI, a skipped test is a failed one: CI has all that a test needs."""
    report: pytest.TestReport = yield  # type: ignore[assignment]
    if os.environ.get("KYCGATE_NO_SKIP") and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[-1] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome, report.longrepr = "failed", f"{reason} (no test may be skipped where KYCGATE_NO_SKIP is set)"
    return report  # type: ignore[return-value]


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Shared:
    """What several tests only read is made by the first that asks for it, whichever worker runs it; the others wait."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent

    def give(name: str, make: Callable[[Path], None]) -> Path:
        folder, done = root / f"shared-{name}", root / f"shared-{name}.done"
        with (root / f"shared-{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                # What an attempt that failed has left says nothing to the next one.
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                make(folder)
                done.touch()
        return folder

    return give


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Within the test's own folder. For calls that end before anything heavy: a new process takes seconds to begin."""
    from kycgate.cli.main import main

    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["kycgate", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run
