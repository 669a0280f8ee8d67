"""Before and after a release: what is called slower, what is not, and what cannot be told."""

import json
import math
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from kycgate.cli.main import app
from kycgate.errors import UsageError
from kycgate.runs.load_model import GeneratorHealth
from kycgate.sla.bootstrap import Sample, estimate
from kycgate.sla.compare import Change, Comparison, as_markdown, compare, lengths
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


def test_faster_is_not_slower(tmp_path: Path) -> None:
    base = a_run(tmp_path / "base", lognormal(100), seed=1)
    found = compare(base, a_run(tmp_path / "new", lognormal(70), seed=2))
    assert (found.verdict, found.exit_code) == ("not slower", 0)
    assert "faster" in verdicts(found)["upload_front"]


def test_a_change_that_does_not_matter_is_none(tmp_path: Path) -> None:
    """4% slower at a million samples a percentile would be shown, but 5% is the smallest that matters."""
    base = a_run(tmp_path / "base", lognormal(100), seed=1, rate=200)
    new = a_run(tmp_path / "new", lognormal(102), seed=2, rate=200)
    found = compare(base, new, percentiles=(50, 90))
    assert (found.verdict, found.exit_code) == ("not slower", 0)
    assert verdicts(found) == {"upload_front": {"not slower"}, "approve_front": {"not slower"}}
    assert compare(base, new, min_effect=0.0).verdict == "slower"


@pytest.mark.parametrize("seed", range(8))
def test_two_stalls_that_met_one_run_alone_are_no_change(seed: int) -> None:
    """They may as well have met the other: as few decide nothing, while a change of all answers still shows."""
    rng = np.random.default_rng(seed)

    def sample(stalls: tuple[int, ...], slower: float = 0.0) -> Sample:
        values = 4 + slower + rng.normal(0, 0.1, (300, 5))
        for begin in stalls:
            values[begin : begin + 30] += 2
        cells, place = np.unique(np.round(values * 200), return_inverse=True)
        counts = np.zeros((300, len(cells)))
        np.add.at(counts, (np.repeat(np.arange(300), 5), place.ravel()), 1)
        return Sample(counts, cells / 200)

    asked = [(0, share) for share in (0.5, 0.9, 0.95, 0.99)]
    found = estimate([sample((44, 237))], [sample(())], asked, 0.95, seed)
    assert not (found.high < -0.05).any()
    assert (estimate([sample(())], [sample((), slower=0.2)], asked, 0.95, seed).low > 0.05).all()


def test_what_was_not_shown_is_not_green(tmp_path: Path) -> None:
    """10% slower, in runs too short to see it: neither slower nor not slower, exit 3, and how long it would take."""
    slower = green = 0
    for seed in range(8):
        base = a_run(tmp_path / f"base{seed}", lognormal(100), seed=seed, rate=4)
        new = a_run(tmp_path / f"new{seed}", lognormal(110), seed=100 + seed, rate=4)
        found = compare(base, new, percentiles=(50, 90, 95))
        slower, green = slower + (found.exit_code == 1), green + (found.exit_code == 0)
        if found.exit_code == 3:
            assert found.verdict == "not enough evidence"
            assert "is possible)" in found.reason
            assert "runs of about" in found.reason
            assert "each would do" in found.reason
    assert green == 0
    assert slower < 8


def test_runs_as_long_as_planned_show_it(tmp_path: Path) -> None:
    run = a_run(tmp_path / "pilot", lognormal(100), seed=1)
    (need,) = [one for one in lengths(run, percentiles=(90,)) if one.step == "upload_front"]
    assert need.seconds is not None
    assert need.seconds > 60
    seconds = int(need.seconds)
    shown = {"same": 0, "slower": 0}
    for seed in range(6):
        base = a_run(tmp_path / f"base{seed}", lognormal(100), seed=10 + seed, seconds=seconds)
        same = a_run(tmp_path / f"same{seed}", lognormal(100), seed=20 + seed, seconds=seconds)
        slower = a_run(tmp_path / f"slower{seed}", lognormal(110.25), seed=30 + seed, seconds=seconds)
        shown["same"] += compare(base, same, percentiles=(90,)).exit_code == 0
        shown["slower"] += compare(base, slower, percentiles=(90,)).exit_code == 1
    # Planned for 80%: three of six or fewer come with a chance of 10%, one or none with one of 0.2%.
    assert min(shown.values()) >= 2


def test_a_memory_longer_than_the_runs_is_noticed(tmp_path: Path) -> None:
    """Latencies that drift slowly: of runs of the same target none is called slower, and why is said."""

    def drifting(path: Path, seed: int) -> Recording:
        rng = random.Random(seed)
        level, by_second = rng.gauss(0, 1), []
        for _ in range(90):
            level = 0.985 * level + 0.17 * rng.gauss(0, 1)
            by_second.append([100 * math.exp(0.4 * level + rng.gauss(0, 0.1)) for _ in range(10)])
        return Recording.read(write_load(path, {"upload_front": by_second}))

    pairs = [
        compare(drifting(tmp_path / f"base{n}", n), drifting(tmp_path / f"new{n}", 50 + n), percentiles=(50,))
        for n in range(8)
    ]
    assert sum(found.exit_code == 1 for found in pairs) <= 1
    assert sum(any("drift" in note for note in found.notes) for found in pairs) >= 6


def test_the_same_run_is_no_change_and_repeats(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", lognormal(100), seed=1)
    found = compare(run, run)
    assert {c.change for c in found.changes if c.change is not None} == {0.0}
    assert found == compare(run, run)


def test_too_little_says_what_is_needed(tmp_path: Path) -> None:
    base, new = (a_run(tmp_path / name, lognormal(100), seed=1, rate=5) for name in ("base", "new"))
    found = compare(base, new)
    last = next(c for c in found.changes if c.percentile == 99)
    assert (last.verdict, last.needed, last.needed_s) == ("not enough evidence", 1_000, 200)
    assert found.exit_code == 3
    assert compare(base, new, percentiles=(99,)).exit_code == 3
    short = a_run(tmp_path / "short", lognormal(100), seed=1, seconds=10)
    assert compare(base, short).exit_code == 3
    assert "lasted 10 s" in compare(base, short).notes[0]


def test_void_and_missing_steps_are_unclear(tmp_path: Path) -> None:
    base = a_run(tmp_path / "base", lognormal(100), seed=1)
    void = a_run(tmp_path / "void", lognormal(200), seed=2, health=GeneratorHealth(void="the generator was late"))
    assert (compare(base, void).exit_code, compare(base, void).verdict) == (3, "void")
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
    assert "not slower" in done.stdout
    assert "approve_front  p50" in done.stdout
    done = CliRunner().invoke(app, [*call, "--markdown"])
    assert "| approve\\_front | p50 | slower |" in done.stdout


def test_names_of_others_stay_text() -> None:
    change = Change(step="a|b", percentile=50, verdict="not enough evidence", needed=1)
    page = as_markdown(
        Comparison(base="<script>", new="x", verdict="void", exit_code=3, reason="@all", clock="response",
                   confidence=0.95, min_effect=0.05, changes=[change], notes=["# x"], block_s=0)
    )  # fmt: skip
    assert "<script" not in page
    assert "@all" not in page


def test_the_plan_by_command(tmp_path: Path) -> None:
    a_run(tmp_path / "base", lognormal(100), seed=1)
    done = CliRunner().invoke(app, ["compare", "--plan", str(tmp_path / "base"), "--percentile", "90"])
    assert done.exit_code == 0, done.output
    assert "upload_front" in done.stdout
    assert "80% of the time, that nothing got slower by more than 5.0%" in done.stdout
    base = str(tmp_path / "base")
    for wrong in ([base], ["--plan", base, base], ["--plan", base, "--min-effect", "0"]):
        assert isinstance(CliRunner().invoke(app, ["compare", *wrong]).exception, UsageError), wrong
