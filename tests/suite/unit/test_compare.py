"""Before and after a release: what is called slower, what is not, and what cannot be told."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kycgate.cli.main import app
from kycgate.errors import UsageError
from kycgate.runs.load_model import GeneratorHealth
from kycgate.sla.compare import Change, Comparison, as_markdown, compare
from kycgate.sla.recording import Recording
from kycgate.tests.suite.recorded import write_load

Draw = Callable[[random.Random], float]


def lognormal(median_ms: float) -> Draw:
    return lambda rng: rng.lognormvariate(0, 0.2) * median_ms


def a_run(path: Path, draw: Draw, *, seed: int, seconds: int = 60, rate: int = 20, **load: object) -> Recording:
    rng = random.Random(seed)
    drawn = {
        step: [[draw(rng) for _ in range(rate)] for _ in range(seconds)] for step in ("upload_front", "approve_front")
    }
    return Recording.read(write_load(path, drawn, **load))  # type: ignore[arg-type]


def verdicts(found: Comparison) -> dict[str, set[str]]:
    return {step: {c.verdict for c in found.changes if c.step == step} for step in {c.step for c in found.changes}}


def test_what_got_slower_is_said_with_its_size(tmp_path: Path) -> None:
    base = a_run(tmp_path / "base", lognormal(100), seed=1)
    found = compare(base, a_run(tmp_path / "new", lognormal(125), seed=2))
    assert (found.verdict, found.exit_code) == ("slower", 1)
    median = next(c for c in found.changes if (c.step, c.percentile) == ("upload_front", 50))
    assert median.verdict == "slower"
    assert median.low is not None
    assert median.high is not None
    assert median.change == pytest.approx(0.25, abs=0.03)
    assert 0.05 < median.low < 0.25 < median.high
    assert median.base_ms == pytest.approx(100, rel=0.03)


def test_faster_is_no_regression(tmp_path: Path) -> None:
    base = a_run(tmp_path / "base", lognormal(100), seed=1)
    found = compare(base, a_run(tmp_path / "new", lognormal(70), seed=2))
    assert (found.verdict, found.exit_code) == ("no regression", 0)
    assert "faster" in verdicts(found)["upload_front"]


def test_a_change_that_does_not_matter_is_none(tmp_path: Path) -> None:
    """4% slower at a million samples a percentile would be shown, but 5% is the smallest that matters."""
    base = a_run(tmp_path / "base", lognormal(100), seed=1, rate=200)
    new = a_run(tmp_path / "new", lognormal(104), seed=2, rate=200)
    assert verdicts(compare(base, new)) == {"upload_front": {"no change"}, "approve_front": {"no change"}}
    assert compare(base, new, min_effect=0.0).verdict == "slower"


def test_the_same_run_is_no_change_and_repeats(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", lognormal(100), seed=1)
    found = compare(run, run)
    assert {c.change for c in found.changes if c.change is not None} == {0.0}
    assert found == compare(run, run)


def test_too_little_says_what_is_needed(tmp_path: Path) -> None:
    base, new = (a_run(tmp_path / name, lognormal(100), seed=1, rate=5) for name in ("base", "new"))
    found = compare(base, new)
    last = next(c for c in found.changes if c.percentile == 99)
    assert (last.verdict, last.needed) == ("too little", 1_000)
    assert found.exit_code == 0
    assert compare(base, new, percentiles=(99,), demanded=True).exit_code == 3
    short = a_run(tmp_path / "short", lognormal(100), seed=1, seconds=10)
    assert compare(base, short).exit_code == 3
    assert "lasted 10 s" in compare(base, short).notes[0]


def test_void_and_missing_steps_are_unclear(tmp_path: Path) -> None:
    base = a_run(tmp_path / "base", lognormal(100), seed=1)
    void = a_run(tmp_path / "void", lognormal(200), seed=2, health=GeneratorHealth(void="the generator was late"))
    assert (compare(base, void).exit_code, compare(base, void).verdict) == (3, "unclear")
    half = Recording.read(write_load(tmp_path / "half", {"upload_front": [[100.0] * 20] * 60}))
    found = compare(base, half)
    assert found.exit_code == 3
    assert "approve_front" in found.reason


def test_damaged_histograms_are_one_line(tmp_path: Path) -> None:
    base = a_run(tmp_path / "base", lognormal(100), seed=1)
    damages: dict[str, Callable[[str], str]] = {
        "cut": lambda text: text[: len(text) // 2],
        "torn": lambda text: text.replace("HISTFAAA", "HISTFAAB", 1),
        "garbled": lambda text: text.replace("Tag=upload_front,3.", "Tag=upload_front,x.", 1),
    }
    for name, damage in damages.items():
        new = a_run(tmp_path / name, lognormal(100), seed=2)
        log = tmp_path / name / "latency.hlog"
        log.write_text(damage(log.read_text()))
        with pytest.raises(UsageError, match="damaged"):
            compare(base, new)


def test_the_command(tmp_path: Path) -> None:
    a_run(tmp_path / "base", lognormal(100), seed=1)
    a_run(tmp_path / "new", lognormal(130), seed=2)
    call = ["compare", str(tmp_path / "base"), str(tmp_path / "new")]
    done = CliRunner().invoke(app, [*call, "--json"])
    assert done.exit_code == 1
    assert Comparison.model_validate(json.loads(done.stdout)).verdict == "slower"
    done = CliRunner().invoke(app, [*call, "--min-effect", "50"])
    assert done.exit_code == 0
    assert "no change" in done.stdout
    assert "approve_front  p50" in done.stdout
    done = CliRunner().invoke(app, [*call, "--markdown"])
    assert "| approve\\_front | p50 | slower |" in done.stdout


def test_names_of_others_stay_text() -> None:
    change = Change(step="a|b", percentile=50, verdict="too little", needed=1)
    page = as_markdown(
        Comparison(base="<script>", new="x", verdict="unclear", exit_code=3, reason="@all", clock="response",
                   confidence=0.95, min_effect=0.05, changes=[change], notes=["# x"], block_s=0)
    )  # fmt: skip
    assert "<script" not in page
    assert "@all" not in page
