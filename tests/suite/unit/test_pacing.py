"""The pacers, as one table of happy and sad cases: when onboardings are due, and how long people think."""

import random
from itertools import pairwise

import pytest

from kycgate.load.pacing import arrivals
from kycgate.load.think import Think, parse_think


@pytest.mark.parametrize(
    ("shape", "rate", "duration", "expected"),
    [
        # Even arrivals: the first at once, the end excluded.
        ("steady", 1, 3, [0, 1, 2]),
        ("steady", 4, 1, [0, 0.25, 0.5, 0.75]),
        ("steady", 0.5, 3, [0, 2]),  # slower than one a second
        ("steady", 1, 0.5, [0]),  # shorter than one gap
        ("soak", 2, 1, [0, 0.5]),
        # A ramp from 1 to 10 a second in 1 s: the integral t + 4.5t² reaches 0, 1, …, 5.
        ("ramp", 10, 1, [0, 0.3732, 0.5648, 0.7129, 0.8382, 0.9488]),
        # A stair of 1 and 2 to 5 a second, 1 s each: 0; 1, 1.5; 2, 2.33, …
        ("step", 5, 5, [0, 1, 1.5, 2, 2.3333, 2.6667, 3, 3.25, 3.5, 3.75, 4, 4.2, 4.4, 4.6, 4.8]),
        # A spike: 1 a second, but 5 in the middle second of ten.
        ("spike", 5, 10, [0, 1, 2, 3, 4, 4.6, 4.8, 5, 5.2, 5.4, 6, 7, 8, 9]),
    ],
)
def test_due_moments(shape: str, rate: float, duration: float, expected: list[float]) -> None:
    assert list(arrivals(rate, duration, shape=shape)) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("shape", "rate", "duration", "expected"),
    [
        ("steady", 10, 10, 100),
        ("soak", 2, 50, 100),
        ("ramp", 10, 10, 55),  # from 1 to 10 a second: 5.5 on average
        ("step", 10, 10, 60),  # 2, 4, 6, 8, 10 a second for 2 s each
        ("spike", 10, 10, 28),  # 2 a second for 9 s, 10 for 1 s
        ("steady", 0.01, 50, 1),  # slower than the run is long
    ],
)
@pytest.mark.parametrize("poisson", [False, True])
def test_shapes_have_the_area_under_their_rate(
    shape: str, rate: float, duration: float, expected: int, poisson: bool
) -> None:
    runs = [list(arrivals(rate, duration, shape=shape, poisson=poisson, seed=seed)) for seed in range(200)]
    for due in runs:
        assert all(a < b for a, b in pairwise(due))
        assert all(0 <= moment < duration for moment in due)
    mean = sum(map(len, runs)) / 200
    if poisson:
        area = expected if rate * duration > 1 else rate * duration
        # A Poisson count's variance is its mean: 200 runs know the mean to 1/14 of its deviation.
        assert abs(mean - area) < 5 * (area / 200) ** 0.5
    else:
        assert mean == expected


def test_poisson_arrivals_repeat_with_their_seed() -> None:
    due = list(arrivals(50, 100, poisson=True, seed=3))
    assert due == list(arrivals(50, 100, poisson=True, seed=3))
    assert due != list(arrivals(50, 100, poisson=True, seed=4))
    gaps = [later - earlier for earlier, later in pairwise(due)]
    # Exponential gaps: their deviation is their mean, 20 ms.
    mean = sum(gaps) / len(gaps)
    assert (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5 == pytest.approx(mean, rel=0.1)


@pytest.mark.parametrize(
    ("rate", "duration", "shape", "says"),
    [
        (0, 1, "steady", "positive"),
        (1, 0, "steady", "positive"),
        (-1, 1, "ramp", "positive"),
        (1, -1, "spike", "positive"),
        (1, 1, "zigzag", "no shape"),
    ],
)
def test_impossible_arrivals(rate: float, duration: float, shape: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        list(arrivals(rate, duration, shape=shape))


@pytest.mark.parametrize(
    ("text", "expected", "mean"),
    [
        ("3", Think("exponential", 3), 3),
        ("0", Think("exponential", 0), 0),
        ("constant:2", Think("constant", 2), 2),
        ("uniform:1,5", Think("uniform", 1, 5), 3),
        ("lognormal:2,0.5", Think("lognormal", 2, 0.5), 2 * 2.718281828 ** (0.125)),
    ],
)
def test_pauses(text: str, expected: Think, mean: float) -> None:
    assert parse_think(text) == expected
    rng = random.Random(5)
    drawn = [expected.draw(rng) for _ in range(20_000)]
    assert min(drawn) >= 0
    assert sum(drawn) / len(drawn) == pytest.approx(mean, rel=0.05, abs=1e-9)


@pytest.mark.parametrize("text", ["", "x", "-1", "601", "nan", "uniform:5,1", "uniform:1", "gamma:1", "constant:1,2"])
def test_impossible_pauses(text: str) -> None:
    with pytest.raises(ValueError, match="not a pause"):
        parse_think(text)
