"""A chart's axes: where values stand, and which ticks are written."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kycgate.reports.axes import Axis, decimals, linear, log_ticks, logarithmic, multiples, nice


def words(axis: Axis) -> list[str]:
    return [said for _, said in axis.ticks]


@pytest.mark.parametrize(
    ("step", "wanted"),
    [(1, 1), (1.01, 2), (2, 2), (3, 5), (5.1, 10), (0.3, 0.5), (0.02, 0.02), (7e11, 1e12), (1e-6, 1e-6)],
)
def test_a_nice_step_is_1_2_or_5_times_a_power_of_ten(step: float, wanted: float) -> None:
    assert nice(step) == pytest.approx(wanted)


def test_multiples_reach_both_ends() -> None:
    assert multiples(0.1, 0, 0.3) == pytest.approx([0, 0.1, 0.2, 0.3])
    assert multiples(5, -12, 6) == [-10, -5, 0, 5]
    assert multiples(5, 1, 4) == []
    assert [decimals(step) for step in (50, 1, 0.5, 0.02)] == [0, 0, 1, 2]


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [
        (0, 10, ["0", "2", "4", "6", "8", "10"]),
        (0, 3.15, ["0", "1", "2", "3"]),
        (0, 1, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        # Nothing but zeros, and one value alone.
        (0, 0, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (7, 7, ["7.0", "7.2", "7.4", "7.6", "7.8", "8.0"]),
        (-0.3, 0.3, ["-0.2", "0.0", "0.2"]),
        (0, 4.2e12, ["0", "1,000,000,000,000", "2,000,000,000,000", "3,000,000,000,000", "4,000,000,000,000"]),
    ],
)
def test_ticks_of_a_linear_axis(low: float, high: float, wanted: list[str]) -> None:
    assert words(linear(low, high)) == wanted


def test_ticks_at_whole_numbers_alone() -> None:
    assert words(linear(0, 1.1, whole=True)) == ["0", "1"]
    assert words(linear(0, 2, whole=True, most=8)) == ["0", "1", "2"]
    assert words(linear(0, 20, whole=True, most=8)) == ["0", "5", "10", "15", "20"]


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [
        (45, 1_100, ["50", "100", "200", "500", "1,000"]),
        # Too many for 2 and 5, and too many for each power.
        (3, 45_000, ["10", "100", "1,000", "10,000"]),
        (0.0008, 150_000, ["0.01", "1", "100", "10,000"]),
        # Between two powers a step does.
        (3, 4, ["3", "3.2", "3.4", "3.6", "3.8", "4"]),
        (100_000, 100_001, ["100,000", "100,000.2", "100,000.4", "100,000.6", "100,000.8", "100,001"]),
        (10, 10, ["5", "10", "20"]),
    ],
)
def test_ticks_of_a_logarithmic_axis(low: float, high: float, wanted: list[str]) -> None:
    assert words(logarithmic(low, high)) == wanted


_SIZE = st.floats(1e-6, 1e12)


@given(low=st.floats(-1e9, 1e9), size=_SIZE, most=st.integers(3, 9))
def test_linear_ticks_are_few_and_each_has_its_own_words(low: float, size: float, most: int) -> None:
    axis = linear(low, low + max(size, abs(low) * 1e-6), most=most)
    slack = (axis.high - axis.low) * 1e-6
    assert 1 <= len(axis.ticks) <= most + 1
    assert all(axis.low - slack <= value <= axis.high + slack for value, _ in axis.ticks)
    assert len({*words(axis)}) == len(axis.ticks)
    steps = {round((after - before) / (axis.ticks[1][0] - axis.ticks[0][0]), 6) for before, after in pairwise(
        value for value, _ in axis.ticks)}  # fmt: skip
    assert steps <= {1.0}


@given(low=_SIZE, times=st.floats(1.1, 1e15), most=st.integers(4, 9))
def test_logarithmic_ticks_are_few_and_within(low: float, times: float, most: int) -> None:
    found = log_ticks(low, low * times, most)
    assert (2 if times > 10 else 1) <= len(found) <= most + 1
    assert found == sorted({*found})
    assert all(low * (1 - 1e-6) <= value <= low * times * (1 + 1e-6) for value in found)


def test_values_stand_where_the_scale_says() -> None:
    assert [linear(-10, 10).share(value) for value in (-10, 0, 5, 10)] == [0, 0.5, 0.75, 1]
    log = logarithmic(1, 10_000)
    assert [log.share(value) for value in (1, 10, 100, 10_000)] == pytest.approx([0, 0.25, 0.5, 1])
    # What has no logarithm, or lies below, stands at the foot.
    assert [log.share(value) for value in (0, -5, 0.5)] == [0, 0, 0]
    assert math.isnan(linear(0, 1).share(math.nan))
