"""The SLA: policies, exact bounds from raw histograms, and what cannot be judged."""

import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from hdrh.histogram import HdrHistogram

from kycgate.errors import UsageError
from kycgate.runs.folder import RunFolder
from kycgate.runs.load_model import LoadPoint, LoadResult, StepLatency
from kycgate.runs.model import Run
from kycgate.sla.judge import judge
from kycgate.sla.needs import plan
from kycgate.sla.objectives import ranks, share_bounds, share_samples_needed
from kycgate.sla.policy import Policy, load_policy
from kycgate.sla.recording import Recording
from kycgate.sla.sequential import Decider
from kycgate.tests.suite.command_line import kycgate
from kycgate.tests.suite.distributions import binomial_quantile

EXAMPLE = Path(__file__).parents[3] / "docs" / "policy.example.toml"


def a_run(latencies_ms: list[float], *, unavailable: int = 0, wrong: int = 0, requests: int | None = None) -> Recording:
    """A run that does not hold its seconds."""
    histogram = HdrHistogram(1, 120_000_000, 3)
    for value in latencies_ms:
        histogram.record_value(int(value * 1e3))
    figures = dict.fromkeys(("mean", "p50", "p90", "p95", "p99", "p999", "max"), 0.0)
    latency = StepLatency(
        name="upload_front", clock="response", count=len(latencies_ms), histogram=histogram.encode().decode(), **figures
    )
    load = LoadResult(
        workload="", seed=0, duration_s=1, scheduled=0, recorded=0, wrong_answers=wrong, unavailable=unavailable,
        requests=len(latencies_ms) if requests is None else requests, latencies=[latency],
    )  # fmt: skip
    return Recording(Run(command="load", verdict="kept", exit_code=0, load=load))


def a_policy(**objective: Any) -> Policy:
    return Policy.model_validate({"objective": [{"id": "o", **objective}]})


P95 = {"kind": "latency", "step": "upload_front", "percentile": 95, "limit_ms": 100, "bursts_s": 0}


@pytest.mark.parametrize(
    ("good", "n", "confidence", "low", "high"),
    [
        # Two-sided 95% intervals from the tables of Diem (1962) are one-sided ones at 97.5%.
        (5, 10, 0.975, 0.187, 0.813),
        (0, 10, 0.975, 0.000, 0.308),
        (1, 20, 0.975, 0.001, 0.249),
        # The rule of three: with no failure in 300, 95% sure of at least 99%.
        (300, 300, 0.95, 0.990, 1.000),
    ],
)
def test_exact_bounds_are_those_of_the_tables(good: int, n: int, confidence: float, low: float, high: float) -> None:
    assert share_bounds(good, n, confidence) == pytest.approx((low, high), abs=5e-4)


def test_percentile_bounds_are_those_of_the_tables() -> None:
    """The 95% interval of a median of 20 ends at the 6th and 15th value (David and Nagaraja, 7.1)."""
    assert ranks(20, 0.5, 1, 0.975) == (6, 15)


def test_samples_for_a_percentile_are_wilks() -> None:
    """Wilks 1941: 59 samples for the 95th percentile at 95%, 299 for the 99th; with one fewer nothing bounds it."""
    assert (share_samples_needed(0.95, 0.95), share_samples_needed(0.99, 0.95)) == (59, 299)
    assert ranks(59, 0.95, 1, 0.95)[1] == 59
    assert ranks(58, 0.95, 1, 0.95)[1] == 59  # one more than there are


def test_clopper_pearson_of_a_textbook() -> None:
    """Two-sided 95% for 7 of 20 is 0.1539 to 0.5922 (each side at 97.5%)."""
    low, high = share_bounds(7, 20, 0.975)
    assert (round(low, 4), round(high, 4)) == (0.1539, 0.5922)


def test_59_samples_show_a_95th_percentile_and_58_do_not() -> None:
    """0.95**59 is the first power under 0.05 (Wilks 1941)."""
    assert judge(a_policy(**P95), [a_run([50.0] * 59)])[0].verdict == "holds"
    short = judge(a_policy(**P95), [a_run([50.0] * 58)])[0]
    assert (short.verdict, short.needed) == ("not enough evidence", 1)
    assert plan(a_policy(**P95))[0].at_best == 59


def test_over_the_limit_is_broken_and_runs_add_up() -> None:
    assert judge(a_policy(**P95), [a_run([50.0] * 80 + [500.0] * 20)])[0].verdict == "broken"
    half = a_run([50.0] * 30)
    assert judge(a_policy(**P95), [half])[0].verdict == "not enough evidence"
    assert judge(a_policy(**P95), [half, a_run([51.0] * 30)])[0].verdict == "holds"


def test_the_same_run_counts_once(tmp_path: Path) -> None:
    """Given twice, or as a copy, it would turn too little evidence into enough."""
    half = a_run([50.0] * 30)
    with pytest.raises(UsageError, match="the same run: it counts once"):
        judge(a_policy(**P95), [half, half])
    folder = RunFolder.create(tmp_path / "a", "load")
    folder.write_run(half.run)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    with pytest.raises(UsageError, match="a and .*b are the same run"):
        judge(a_policy(**P95), [Recording.read(RunFolder(tmp_path / name)) for name in "ab"])


def test_a_cell_that_the_limit_cuts_speaks_for_neither_side() -> None:
    """At 3 digits 100.02 ms lies in a cell of 100.032 ms: the histogram cannot tell."""
    result = judge(a_policy(**{**P95, "limit_ms": 100.01}), [a_run([100.02] * 1_000)])[0]
    assert result.verdict == "not enough evidence"


def test_shares() -> None:
    run = a_run([1.0], requests=1_000, unavailable=10, wrong=0)
    assert judge(a_policy(kind="availability", at_least=0.98, bursts_s=0), [run])[0].verdict == "holds"
    assert judge(a_policy(kind="availability", at_least=0.999, bursts_s=0), [run])[0].verdict == "broken"
    assert judge(a_policy(kind="correctness", at_least=0.99, bursts_s=0), [run])[0].verdict == "holds"


def test_wrong_verdicts_are_as_rare_as_promised() -> None:
    """Vendors just outside and just inside: in 150 runs each no more wrong verdicts than 5% can explain."""
    rng = random.Random(5)
    for true_share, wrong in ((0.949, "holds"), (0.951, "broken")):
        seen = 0
        for _ in range(150):
            within = sum(rng.random() < true_share for _ in range(300))
            run = a_run([50.0] * within + [500.0] * (300 - within))
            seen += judge(a_policy(**P95), [run])[0].verdict == wrong
        assert seen <= binomial_quantile(0.9999, 150, 0.05)


def test_needs_are_enough_as_often_as_said() -> None:
    need = plan(a_policy(kind="availability", at_least=0.95))[0]
    assert need.usually is not None
    rng = random.Random(3)
    shown = 0
    for _ in range(300):
        failures = sum(rng.random() < 0.025 for _ in range(need.usually))
        shown += share_bounds(need.usually - failures, need.usually, 0.95)[0] >= 0.95
    assert shown >= binomial_quantile(0.0001, 300, 0.8)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[objective", "not TOML"),
        ("", "objective"),
        ('[[objective]]\nid="a"\nkind="availability"\nat_least=1.5', "at_least"),
        ('[[objective]]\nid="a"\nkind="latency"\nstep="upload_front"\npercentile=101\nlimit_ms=5', "percentile"),
        ('[[objective]]\nid="a"\nkind="latency"\nstep="upload_front"\npercentile=95\nlimit_ms=-1', "limit_ms"),
        ('[[objective]]\nid="a"\nkind="speed"', "objective"),
        ('[[objective]]\nid="a"\nkind="correctness"\nat_least=0.9\nwhat=1', "what"),
        ('colour="red"\n[[objective]]\nid="a"\nkind="correctness"\nat_least=0.9', "colour"),
        ('[[objective]]\nid="a"\nkind="correctness"\nat_least=0.9\n' * 2, "two objectives are named"),
    ],
)
def test_wrong_policies_get_one_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "policy.toml").write_text(text)
    with pytest.raises(UsageError, match=said) as caught:
        load_policy(tmp_path / "policy.toml")
    assert "\n" not in str(caught.value)


def test_damaged_runs_are_refused() -> None:
    with pytest.raises(UsageError, match="contradict"):
        judge(a_policy(**P95), [a_run([1.0], wrong=2)])
    run = a_run([1.0])
    run.load.latencies[0].histogram = "bm90IGEgaGlzdG9ncmFt"
    with pytest.raises(UsageError, match="damaged"):
        judge(a_policy(**P95), [run])
    with pytest.raises(UsageError, match="without load"):
        judge(a_policy(**P95), [Recording(Run(command="check", verdict="kept", exit_code=0))])


@pytest.mark.parametrize(
    ("samples", "code"), [([50.0] * 100, 0), ([9_000.0] * 100, 1), ([50.0] * 5, 3)], ids=["holds", "broken", "too few"]
)
def test_the_command_ends_with_its_code(tmp_path: Path, samples: list[float], code: int) -> None:
    folder = RunFolder.create(tmp_path / "run", "load")
    folder.write_run(a_run(samples).run)
    (tmp_path / "policy.toml").write_text(
        '[[objective]]\nid="p95"\nkind="latency"\nstep="upload_front"\npercentile=95\nlimit_ms=5000\nbursts_s=0\n'
    )
    done = kycgate("sla", "run", "--policy", "policy.toml", cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert "p95" in done.stdout
    done = kycgate("sla", "nowhere", "--policy", str(EXAMPLE), cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_the_example_policy_is_valid() -> None:
    assert len(load_policy(EXAMPLE).objective) == 4


def a_run_by_the_second(seconds: int) -> Recording:
    """Each second one request to each upload; every fourth to upload_back meets a 503, and one third step comes."""
    figures = {"started": 1, "finished": 1, "p50": 0.0, "p95": 0.0, "max": 0.0}
    series = [
        LoadPoint(second=second, step=step, failures=int(failed), unavailable=int(failed), **figures)
        for second in range(seconds)
        for step, failed in (("upload_front", False), ("upload_back", second % 4 == 0))
    ]
    series.append(LoadPoint(second=0, step="approve_front", failures=0, **figures))
    load = LoadResult(
        workload="", seed=0, duration_s=seconds, scheduled=0, recorded=0, wrong_answers=0, unavailable=seconds // 4,
        requests=2 * seconds + 1, latencies=[], series=series,
    )  # fmt: skip
    return Recording(Run(command="load", verdict="kept", exit_code=0, load=load))


@pytest.mark.parametrize(
    ("step", "verdict", "samples", "value"),
    [
        ("upload_front", "holds", 100, 1.0),
        ("upload_back", "broken", 100, 0.75),
        ("approve_front", "not enough evidence", 1, 1.0),
        ("approve_back", "not enough evidence", 0, None),
    ],
)
def test_the_availability_of_one_step_of_a_load(step: str, verdict: str, samples: int, value: float | None) -> None:
    """100 of 100 show 95% (0.05 ** (1 / 100) = 97.0%), 75 of 100 break it; one request shows nothing."""
    policy = a_policy(kind="availability", step=step, at_least=0.95, bursts_s=0)
    (found,) = judge(policy, [a_run_by_the_second(100)])
    assert (found.verdict, found.samples, found.value) == (verdict, samples, value)
    if step == "upload_front":
        assert found.low == pytest.approx(0.05 ** (1 / 100))


def test_a_run_without_its_seconds_says_nothing_of_one_steps_availability() -> None:
    (found,) = judge(a_policy(kind="availability", step="upload_front", at_least=0.9), [a_run([1.0] * 500)])
    assert (found.verdict, found.samples) == ("not enough evidence", 0)


def test_no_run_stops_by_the_availability_of_one_step() -> None:
    with pytest.raises(UsageError, match="leave out --until-decided"):
        Decider(a_policy(kind="availability", step="upload_front", at_least=0.9))


@pytest.mark.parametrize("step", ["upload", "onboarding"])
def test_availability_of_several_steps_is_refused_in_one_line(step: str, tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text(
        f'[[objective]]\nid = "up"\nkind = "availability"\nstep = "{step}"\nat_least = 0.9\n', encoding="utf-8"
    )
    with pytest.raises(UsageError, match=f"'up' is the availability of one step, which '{step}' is not") as refused:
        load_policy(tmp_path / "p.toml")
    assert "\n" not in str(refused.value)
