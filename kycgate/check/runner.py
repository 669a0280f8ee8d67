"""Runs the contract tests against a gate, in this process, isolated from the caller's pytest set-up."""

import contextlib
import io
import os
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import pytest

import kycgate.tests.contract
from kycgate.check.pytest_plugin import GatePlugin
from kycgate.check.side_by_side import SideBySide
from kycgate.errors import CannotJudge
from kycgate.gate.gate import Gate
from kycgate.gate.plan import PlannedTest

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class CheckOutcome:
    """Outcome of the tests: reasons by clause for what the budget cut off, and tests of ours that crashed."""

    plan: list[PlannedTest]
    not_tried: dict[str, str]


def run_contract_tests(
    gate: Gate | None,
    *,
    strict: bool = False,
    thorough: bool = False,
    only: Collection[str] = (),
    jobs: int = 1,
    on_progress: Progress | None = None,
) -> CheckOutcome:
    """Run them, the most telling first. Without a gate they are only collected (the plan).

    With `only`, ids of clauses, no test runs that names none of them. `jobs` tests run at once; `on_progress` is told
    as each begins: how many have ended, of how many, and its name.

    Raises:
        CannotJudge: a test of ours crashed, or pytest could not run them.
    """
    plugin = GatePlugin(gate, strict=strict, thorough=thorough, only=only)
    folder = Path(kycgate.tests.contract.__file__).parent
    arguments = [
        str(folder),
        f"--rootdir={folder}",
        f"--confcutdir={folder}",
        "-c",
        os.devnull,
        "--import-mode=importlib",
        "-p",
        "no:cacheprovider",
        # It collects garbage five times at the end, for what no test of ours leaves behind.
        "-p",
        "no:unraisableexception",
        # Rewriting their asserts would compile the tests anew, and their verdicts come from the ledger.
        "--assert=plain",
        "-q",
        *(["--collect-only"] if gate is None else []),
    ]
    plugins: list[object] = [plugin]
    crashed: list[str] = []
    if gate is not None:

        def begins(done: int, plan: PlannedTest) -> None:
            if on_progress is not None:
                on_progress(done, len(plugin.plan), plan.test)

        tests = SideBySide(gate, jobs=jobs, thorough=thorough, not_tried=plugin.not_tried, begins=begins)
        plugins.append(tests)
        crashed = tests.crashed
    said = io.StringIO()
    # The caller's plugins and options are for the caller's tests.
    guarded = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": "", "PYTEST_PLUGINS": ""}
    before = {name: os.environ.get(name) for name in guarded}
    os.environ.update(guarded)
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = pytest.main(arguments, plugins=plugins)
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
    if gate is not None:
        gate.judge_whole_run()
    if crashed:
        raise CannotJudge(f"a contract test crashed, please report it: {crashed[0]}")
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        if code == pytest.ExitCode.INTERRUPTED:
            raise KeyboardInterrupt
        raise CannotJudge(f"pytest could not run the contract tests ({code!r}): {said.getvalue()[-2000:]}")
    return CheckOutcome(plugin.plan, plugin.not_tried)
