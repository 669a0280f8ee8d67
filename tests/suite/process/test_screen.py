"""What is seen while a load runs, how it is stopped by hand, and how it stops itself once the policy is decided."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from array import array
from pathlib import Path

import pytest
from rich.console import Console

from kycgate.cli.screen import LiveScreen, PlainScreen, screen_for
from kycgate.load import LoadPlan
from kycgate.load.collect import Collector
from kycgate.load.interval import Interval, pack
from kycgate.tests.suite.command_line import load_once_quiet

CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("KYCGATE_")}
EASY = '[[objective]]\nid="up"\nkind="availability"\nat_least=0.9\nbursts_s=0\n'


def feed(screen: LiveScreen | PlainScreen, seconds: int, folder: Path) -> None:
    """The first seconds of a load of 3 onboardings/s, with one failure each."""
    plan = LoadPlan(base_url="http://127.0.0.1:1", rate=3, duration_s=20)
    collector = Collector(plan, 1, folder / "l", lambda second: screen.second(collector, second))
    for second in range(seconds):
        collector.add(
            Interval(
                second=second, started={"upload_front": 3, "onboarding": 3}, in_flight={"upload_front": 2},
                values={"upload_front response": pack(array("I", [40_000, 50_000, 60_000]))},
                failures={"upload_front": 1}, wrong=1, requests=3,
            )
        )  # fmt: skip
    collector.close()


def test_the_live_screen_shows_each_step(tmp_path: Path) -> None:
    out = io.StringIO()
    screen = LiveScreen(Console(file=out, force_terminal=True, width=110, highlight=False))
    with screen.shown():
        screen.say("load: open")
        feed(screen, 4, tmp_path)
        console = Console(file=io.StringIO(), width=110, record=True)
        console.print(screen)
    lines = console.export_text().splitlines()
    row = next(line.split() for line in lines if line.startswith("upload_front"))
    assert row == ["upload_front", "3", "2", "50.0", "60.0", "60.0", "4"]
    assert any("16 s left" in line for line in lines)
    assert any("4/20" in line for line in lines)


def test_plain_lines_come_at_each_quarter_of_the_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    feed(PlainScreen(), 20, tmp_path)
    said = capsys.readouterr().err.splitlines()
    assert said == [
        f"kycgate: {count} of 20 s: 3 onboardings/s, 0 in flight, uploads p50 50 p95 60 p99 60 ms, {count} failed"
        for count in (5, 10, 15, 20)
    ]


def test_a_check_says_each_quarter_of_its_plan(capsys: pytest.CaptureFixture[str]) -> None:
    screen = PlainScreen()
    for done in range(40):
        screen.progress(done, 40, f"test_{done}")
    said = capsys.readouterr().err.splitlines()
    assert said == [f"kycgate: test {done + 1} of 40: test_{done}" for done in (0, 10, 20, 30)]


def test_without_a_terminal_lines_are_plain() -> None:
    assert isinstance(screen_for(Console(file=io.StringIO())), PlainScreen)


def stopped_by_hand(cwd: Path) -> "subprocess.CompletedProcess[str]":
    """A load of 100 s that gets a Ctrl-C once some seconds of it have been written."""
    process = subprocess.Popen(
        [sys.executable, "-m", "kycgate", "load", "--sandbox", "--rate", "20", "--duration", "100",
         "--policy", "easy.toml", "--out", "run"],
        cwd=cwd, env=CLEAN, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    log = cwd / "run" / "latency.hlog"
    while not log.exists() or log.read_text().count("Tag=onboarding") < 4:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    said, errors = process.communicate(timeout=60)
    return subprocess.CompletedProcess(process.args, process.returncode, said, errors)


def test_stopped_by_hand_what_was_measured_is_kept_and_judged(tmp_path: Path) -> None:
    (tmp_path / "easy.toml").write_text(EASY)
    done = load_once_quiet(lambda: stopped_by_hand(tmp_path), tmp_path / "run")
    assert done.returncode == 0, done.stdout + done.stderr
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    assert "stopped by hand" in run["load"]["stopped"]
    assert run["load"]["recorded"] + run["load"]["in_flight"] + run["load"]["not_started"] == run["load"]["scheduled"]
    assert [objective["verdict"] for objective in run["objectives"]] == ["holds"]
    assert (tmp_path / "run" / "report.html").exists()


def test_a_run_ends_once_its_policy_is_decided(tmp_path: Path) -> None:
    (tmp_path / "easy.toml").write_text(EASY)
    done = load_once_quiet(
        lambda: subprocess.run(
            [sys.executable, "-m", "kycgate", "load", "--sandbox", "--rate", "20", "--duration", "100",
             "--until-decided", "--policy", "easy.toml", "--out", "run"],
            cwd=tmp_path, env=CLEAN, capture_output=True, text=True, timeout=90, check=False,
        ),
        tmp_path / "run",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    assert run["load"]["stopped"] == "every objective is decided"
    assert run["load"]["scheduled"] < 20 * 50
    assert [objective["verdict"] for objective in run["objectives"]] == ["holds"]
