"""Whether a load run was steady."""

import random
from collections.abc import Callable

import pytest

from kycgate.runs.load_model import LoadPoint, LoadResult
from kycgate.sla.steady import trends, words

STEPS = ("approve_back", "approve_front", "onboarding", "upload_back", "upload_front")


def load(
    course: Callable[[int], float], seconds: int = 30, shape: str = "steady", steps: tuple[str, ...] = STEPS
) -> LoadResult:
    """A run whose steps' medians (ms) follow `course` by the second."""
    series = [
        LoadPoint(second=second, step=step, started=9, finished=9, failures=0, p50=course(second), p95=0, max=0)
        for second in range(seconds)
        for step in steps
    ]
    return LoadResult(
        workload="", seed=1, duration_s=seconds, scheduled=1, recorded=1, latencies=[], series=series, shape=shape
    )


def alarms(load: LoadResult) -> list[str]:
    return [trend.step for trend in trends(load) if not trend.steady]


def noise(seed: int, memory: float, spread: float = 0.1) -> Callable[[int], float]:
    rng, level = random.Random(seed), [0.0]

    def course(_: int) -> float:
        level[0] = memory * level[0] + rng.gauss(0, spread) * (1 - memory**2) ** 0.5
        return float(100 * 2.718281828 ** level[0])

    return course


def test_a_climb_is_found_with_its_slope() -> None:
    """Each upload 2 ms slower than the one before, 40 a second: from 0.3 to 1.9 s in 20 s."""
    rng = random.Random(1)
    climbing = load(lambda second: 300 + 80 * second + rng.gauss(0, 30), seconds=20, steps=("upload_front",))
    (trend,) = trends(climbing)
    assert not trend.steady
    assert trend.slope_low < 80 < trend.slope_high
    assert trend.change_ms == pytest.approx(80 * 19, rel=0.1)
    assert "climbed by 1" in words(trend)


def test_a_fall_is_found_too() -> None:
    assert alarms(load(lambda second: 900 - 20 * second)) == list(STEPS)


def test_what_is_sure_and_does_not_matter_is_no_alarm() -> None:
    assert alarms(load(lambda second: 1_000 + second)) == []
    # A millisecond of a loopback target.
    assert alarms(load(lambda second: 3 + second / 30)) == []


def test_a_slow_start_and_a_stall_are_no_trend() -> None:
    assert alarms(load(lambda second: 900 if second < 2 else 100 + second % 3)) == []
    assert alarms(load(lambda second: 900 if second == 20 else 100 + second % 3)) == []


@pytest.mark.parametrize(("memory", "most"), [(0.0, 2), (0.5, 6)])
def test_wrong_alarms_are_rare_even_where_seconds_hang_together(memory: float, most: int) -> None:
    """Of 100 steady runs whose medians lie 30% apart."""
    wrong = 0
    for seed in range(100):
        course = noise(seed, memory, spread=0.3)
        wrong += bool(alarms(load(course, seconds=60, steps=("upload_front",))))
    assert wrong <= most


@pytest.mark.parametrize("shape", ["ramp", "step", "spike"])
def test_a_load_that_is_meant_to_change_is_not_tested(shape: str) -> None:
    assert trends(load(lambda second: 10.0 + 50 * second, shape=shape)) == []


def test_a_short_run_shows_no_trend() -> None:
    assert trends(load(lambda second: 10.0 + 50 * second, seconds=9)) == []


def test_long_runs_are_looked_at_in_few_intervals() -> None:
    (trend,) = trends(load(lambda second: 100.0 + second % 7, seconds=3_600, steps=("upload_front",)))
    assert trend.intervals == 60
    assert trend.steady
