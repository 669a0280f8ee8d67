"""The daily commands as their users meet them: in a process of their own, on a terminal of 80 columns, and in a pipe.

Each has a file in terminal/: what stood on the terminal at the end, what its live part showed last, and what came out
of the pipe. `KYCGATE_UPDATE=1 pytest tests/suite/golden/test_terminal.py` writes them anew, and the change is read
before it is committed. What differs from run to run is written as <…>.

A load takes seconds, so one is sent on the terminal (`load`) and one in a pipe (`verify`, which checks as well).
"""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from kycgate.rehearsal import StandIn
from kycgate.tests.suite.command_line import kycgate, voided
from tests.suite.recorded import write_load
from tests.suite.terminal import on_terminal

GOLDEN = Path(__file__).parent / "terminal"
RECORDED = Path(__file__).parents[1] / "recorded"
POLICY = '[[objective]]\nid = "up"\nkind = "availability"\nat_least = 0.5\nbursts_s = 0\n'
MEDIAN = """
[[objective]]
id = "median"
kind = "latency"
step = "upload_front"
percentile = 50
limit_ms = 5000
bursts_s = 0
"""
FAULTS = ("approved-as-object", "put-performs")
VOLATILE = (
    (r"127\.0\.0\.1:\d+", "127.0.0.1:<port>"),
    (r"\d{4}-\d\d-\d\d", "<day>"),
    (r"\d+:\d\d:\d\d", "<elapsed>"),
    (r"(answers in|uploads,) \d+ ms\b", r"\1 <time> ms"),
    (r"\b\d+ a second\b", "<rate> a second"),
    (r"within \d+ s of ours", "within <time> s of ours"),
    (r"p50 \d+ p95 \d+ p99 \d+ ms", "p50 <ms> p95 <ms> p99 <ms> ms"),
    (r"\d+ in flight", "<n> in flight"),
    (r"for what \d s of load", "for what <s> s of load"),
    # The plan has further tests and clauses each month; how many requests a load sends hangs on its moments.
    (r"test \d+ of \d+: \S+", "test <n> of <n>: <test>"),
    (r"\d+ clauses", "<n> clauses"),
    (r"room for it: .*", "room for it: <clauses>"),
    (r"\d+ not tried; no verdict on .*: the", "<n> not tried; no verdict on <clauses>: the"),
    (r"\d+ requests, \d+ uploads", "<n> requests, <n> uploads"),
)
LIVE = ((r" +\d+ +\d+ +\d+\.\d +\d+\.\d +\d+\.\d +(\d+)", r" <n> <n> <ms> <ms> <ms> \1"), (r" {2,}", "  "))
"""Columns are as wide as their figures."""


def stable(text: str, folder: Path, rules: tuple[tuple[str, str], ...] = VOLATILE) -> str:
    text = text.replace(f"{folder}/", "").replace(f"{RECORDED}/", "")
    for pattern, instead in rules:
        text = re.sub(pattern, instead, text)
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


class Screens:
    """What one command showed in each place, to be held against its golden file."""

    def __init__(self, name: str, folder: Path, env: Mapping[str, str] | None = None) -> None:
        self.name, self.folder, self.env = name, folder, env
        self.shown: list[str] = []

    def terminal(self, *arguments: str, typed: Mapping[str, str] | None = None) -> None:
        drawn = on_terminal(self.name, *arguments, cwd=self.folder, env=self.env, typed=typed)
        self._show("terminal", drawn.text, drawn.code)
        if drawn.live:
            self.shown.append(f"=== live\n{stable(stable(drawn.live, self.folder), self.folder, LIVE)}")

    def pipe(self, *arguments: str) -> None:
        done = kycgate(self.name, *arguments, cwd=self.folder, env=self.env)
        self._show("pipe", done.stderr + done.stdout, done.returncode)

    def _show(self, place: str, text: str, code: int) -> None:
        self.shown.append(f"=== {place}\n{stable(text, self.folder)}exit code {code}\n")

    def hold(self) -> None:
        path, text = GOLDEN / f"{self.name}.txt", "\n".join(self.shown)
        if os.environ.get("KYCGATE_UPDATE"):
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def running() -> Iterator[StandIn]:
    with StandIn() as vendor:
        yield vendor


@pytest.fixture
def vendor(running: StandIn) -> StandIn:
    running.reset()
    return running


def test_init(vendor: StandIn, tmp_path: Path) -> None:
    tenant = {name: value for name, value in vendor.environment.items() if name != "KYCGATE_BASE_URL"}
    screens = Screens("init", tmp_path, tenant)
    typed = {"URL": vendor.base_url, "reports": "the bank's gate", "tokens": "tenant", "cards": "", "start there": "5"}
    screens.terminal("--out", "asked.toml", typed=typed)
    screens.pipe("--base-url", vendor.base_url)
    screens.hold()


def test_doctor(vendor: StandIn, tmp_path: Path) -> None:
    screens = Screens("doctor", tmp_path, vendor.environment)
    screens.terminal()
    screens.pipe()
    screens.hold()


def test_report(tmp_path: Path) -> None:
    shutil.copytree(RECORDED / "v1-check-broken", tmp_path / "run")
    screens = Screens("report", tmp_path)
    screens.terminal("run")
    screens.pipe("run")
    screens.hold()


def test_sla(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text(POLICY + MEDIAN)
    seconds = [[100.0 + (7 * second + place) % 13 for place in range(20)] for second in range(60)]
    write_load(tmp_path / "run", {"upload_front": seconds, "onboarding": seconds})
    screens = Screens("sla", tmp_path)
    screens.terminal("--policy", "policy.toml", "run")
    screens.pipe("--policy", "policy.toml", "run")
    screens.hold()


def test_check(vendor: StandIn, tmp_path: Path) -> None:
    for fault in FAULTS:
        vendor.use("fault", fault)
    screens = Screens("check", tmp_path, vendor.environment)
    part = ("--only", "route", "--only", "approve.true", "--seed", "7", "--jobs", "1", "--out")
    screens.terminal(*part, "one")
    screens.pipe(*part, "two")
    screens.hold()


LOAD = ("--duration", "2", "--policy", "policy.toml", "--seed", "7", "--out", "run")


def sent_once_quiet(screens: Screens, send: Callable[[], None]) -> None:
    """A load that a busy machine voids is sent again, three times at most."""
    (screens.folder / "policy.toml").write_text(POLICY)
    for _ in range(4):
        shutil.rmtree(screens.folder / "run", ignore_errors=True)
        screens.shown.clear()
        send()
        run = (screens.folder / "run" / "run.json").read_text(encoding="utf-8")
        if not voided(json.loads(run)["exit_code"], run):
            return


def test_load(vendor: StandIn, tmp_path: Path) -> None:
    screens = Screens("load", tmp_path, vendor.environment)
    sent_once_quiet(screens, lambda: screens.terminal("--rate", "10", *LOAD))
    screens.hold()


def test_verify(vendor: StandIn, tmp_path: Path) -> None:
    screens = Screens("verify", tmp_path, vendor.environment)
    few = ("--load-rate", "10", "--budget", "20", "--uploads", "8")
    sent_once_quiet(screens, lambda: screens.pipe(*few, *LOAD))
    screens.hold()
