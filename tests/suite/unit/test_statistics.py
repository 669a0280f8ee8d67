"""The statistics by themselves, against sums done by hand (in fractions) and published tables."""

import math
from fractions import Fraction

import pytest

from kycgate.sla.objectives import EXACT, ranks, share_bounds, share_samples_needed


def at_least(good: int, n: int, share: Fraction) -> Fraction:
    """P(at least `good` of `n` are good), summed up in fractions."""
    return sum((Fraction(math.comb(n, k)) * share**k * (1 - share) ** (n - k) for k in range(good, n + 1)), Fraction(0))


@pytest.mark.parametrize(("good", "n"), [(0, 1), (1, 1), (1, 2), (3, 7), (7, 7), (0, 9), (59, 60), (12, 40)])
@pytest.mark.parametrize("share", [Fraction(1, 10), Fraction(1, 2), Fraction(19, 20)])
def test_exact_tests_are_the_binomial_sums(good: int, n: int, share: Fraction) -> None:
    above = float(EXACT.above(good, n - good, float(share)))
    below = float(EXACT.below(good, n - good, float(share)))
    assert above == pytest.approx(float(at_least(good, n, share)), abs=1e-12)
    # P(at most good) = 1 - P(at least good + 1).
    assert below == pytest.approx(float(1 - at_least(good + 1, n, share)), abs=1e-12)


@pytest.mark.parametrize(("good", "n"), [(1, 1), (3, 7), (6, 7), (59, 60), (12, 40)])
@pytest.mark.parametrize("confidence", [0.9, 0.975])
def test_bounds_are_where_the_tests_turn(good: int, n: int, confidence: float) -> None:
    low, high = share_bounds(good, n, confidence)
    miss = 1 - confidence
    assert float(at_least(good, n, Fraction(low).limit_denominator(10**9))) == pytest.approx(miss, abs=1e-6)
    if good < n:
        at_most = 1 - at_least(good + 1, n, Fraction(high).limit_denominator(10**9))
        assert float(at_most) == pytest.approx(miss, abs=1e-6)
    assert 0 < low < good / n <= high <= 1


def test_bounds_at_the_ends() -> None:
    assert share_bounds(0, 0, 0.95) == (0.0, 1.0)
    assert share_bounds(0, 10, 0.95)[0] == 0.0
    assert share_bounds(10, 10, 0.95)[1] == 1.0
    assert share_bounds(0, 10, 0.95)[1] == pytest.approx(1 - 0.05**0.1, abs=1e-9)
    assert share_bounds(10, 10, 0.95)[0] == pytest.approx(0.05**0.1, abs=1e-9)
    assert share_bounds(1, 1, 0.95)[0] == pytest.approx(0.05, abs=1e-9)


def test_effective_samples_may_be_fractions() -> None:
    """Of less than one good sample, too: the beta distribution goes on between the integers."""
    low, high = share_bounds(0.5, 2.5, 0.95)
    assert 0 < low < share_bounds(1, 3, 0.95)[0] < 0.2 < high < 1
    assert float(EXACT.above(0.5, 1.5, 0.2)) > float(EXACT.above(1.0, 1.5, 0.2))


def test_the_words_of_the_method() -> None:
    assert (EXACT.words, EXACT.source) == ("exact binomial bounds, one-sided", "Clopper and Pearson 1934")


@pytest.mark.parametrize(
    ("n", "q", "confidence", "expected"),
    [
        (20, 0.5, 0.975, (6, 15)),  # David and Nagaraja 2003, 7.1
        (59, 0.95, 0.95, (53, 59)),  # Wilks 1941: the largest of 59 bounds the 95th percentile
        (58, 0.95, 0.95, (52, 59)),
        (1, 0.5, 0.95, (0, 2)),
        (0, 0.5, 0.95, (0, 1)),
    ],
)
def test_order_statistics(n: int, q: float, confidence: float, expected: tuple[int, int]) -> None:
    lower, upper = ranks(n, q, 1.0, confidence)
    assert (lower, upper) == expected
    share, miss = Fraction(q).limit_denominator(1000), 1 - confidence
    if 1 <= upper <= n:
        # The value of this rank lies above the quantile unless as many fall below it.
        assert at_least(upper, n, share) <= miss < at_least(upper - 1, n, share)
    if lower:
        assert 1 - at_least(lower, n, share) <= miss < 1 - at_least(lower + 1, n, share)


def test_a_design_effect_widens() -> None:
    narrow, wide = ranks(200, 0.9, 1.0, 0.95), ranks(200, 0.9, 4.0, 0.95)
    assert wide[0] < narrow[0] <= narrow[1] < wide[1]
    assert ranks(200, 0.9, 1.0, 0.99)[0] < narrow[0]
    # 200 samples that are worth 50: the ranks of 50, four times.
    few = ranks(50, 0.9, 1.0, 0.95)
    assert (wide[0] // 4, -(-wide[1] // 4)) == (few[0], few[1])
    assert ranks(100, 0.99, 1.0, 0.5)[0] <= 100
    assert ranks(3, 0.01, 1.0, 0.9) == (0, 1)
    assert ranks(3, 0.999, 1.0, 0.9) == (3, 4)


@pytest.mark.parametrize(
    ("share", "confidence", "n"),
    [(0.95, 0.95, 59), (0.99, 0.95, 299), (0.999, 0.99, 4603), (0.5, 0.5, 1), (0.9, 0.999, 66)],
)
def test_samples_needed(share: float, confidence: float, n: int) -> None:
    assert share_samples_needed(share, confidence) == n
    assert share**n <= 1 - confidence + 1e-12 < share ** (n - 1) + 1e-9
