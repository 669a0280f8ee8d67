"""The product's own incomplete beta function, Student's quantiles and fits, against fifty digits and known answers."""

import math
import random
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp

from kycgate.load.capacity import _fit_pairs, _Law
from kycgate.load.sizes import theil_sen
from kycgate.sla.changes import _row
from kycgate.sla.needs import chances_of
from kycgate.sla.objectives import first
from kycgate.sla.special import betainc, betaincc, betaln, ndtri, stdtrit
from kycgate.tests.suite.distributions import beta_tails, student_quantile

ERROR = 1e-11
SMALLEST = 1e-300


def arguments(seed: int, count: int) -> list[tuple[float, float, float]]:
    """Of n up to 1e7, what tests of a share ask: counts, fractions, halves (Jeffreys), next to nothing good."""
    drawn = random.Random(seed)
    found: list[tuple[float, float, float]] = []
    while len(found) < count:
        n = 10 ** drawn.uniform(0, 7)
        x = drawn.choice([drawn.random(), 10 ** drawn.uniform(-9, -0.3), 1 - 10 ** drawn.uniform(-9, -0.3)])
        wide = drawn.choice([3, 37])
        good = min(max(n * x + drawn.uniform(-wide, wide) * math.sqrt(n * x * (1 - x)), 0.0), n)
        a, b = drawn.choice([
            (float(max(round(good), 1)), float(round(n - good)) + 1),
            (max(good, 1e-12), n - good + 1),
            (round(good) + 0.5, max(round(n - good), 0) + 0.5),
            (10 ** drawn.uniform(-12, 0), n + 1),
        ])  # fmt: skip
        found.append((a, b, x))
    return found


@pytest.mark.parametrize("seed", range(6))
def test_both_tails_at_fifty_digits(seed: int) -> None:
    for a, b, x in arguments(seed, 60):
        low, high = beta_tails(a, b, x)
        if low >= SMALLEST:
            assert abs(betainc(a, b, x) / low - 1) < ERROR, (a, b, x)
        if high >= SMALLEST and a >= 0.5:
            assert abs(betaincc(a, b, x) / high - 1) < ERROR, (a, b, x)


def test_arrays_are_as_their_elements() -> None:
    asked = arguments(9, 300)
    a, b, x = (np.array(column) for column in zip(*asked, strict=True))
    for function, least in ((betainc, 0.0), (betaincc, 0.5)):
        one_by_one = [function(max(each[0], least), *each[1:]) for each in asked]
        assert function(np.maximum(a, least), b, x) == pytest.approx(one_by_one, rel=1e-11, abs=SMALLEST)
    assert betainc(a[:3, None], b[:2], 0.5).shape == (3, 2)
    assert betaln(a, b) == pytest.approx([betaln(*each[:2]) for each in asked], rel=1e-12, abs=1e-12)


def test_ends() -> None:
    assert (betainc(2.0, 3.0, 0.0), betainc(2.0, 3.0, 1.0)) == (0.0, 1.0)
    assert (betaincc(2.0, 3.0, 0.0), betaincc(2.0, 3.0, 1.0)) == (1.0, 0.0)
    assert betainc(2.0, 3.0, np.array([0.0, 1.0])).tolist() == [0.0, 1.0]
    # None of n, and all of n.
    for n in (1, 60, 10**7):
        assert betainc(1.0, float(n), 1e-9) == pytest.approx(-math.expm1(n * math.log1p(-1e-9)), rel=1e-12)
        assert betainc(float(n), 1.0, 1 - 1e-9) == pytest.approx((1 - 1e-9) ** n, rel=1e-8)
    assert betainc(1e-12, 5.0, 0.3) == pytest.approx(1.0)
    # Nothing is left, and no error is raised.
    assert betainc(1e7, 1.0, 1e-9) == 0.0
    assert betainc(1e8, 1e8, 0.5) == pytest.approx(0.5, rel=1e-12)


SHARES = st.floats(1e-9, 1 - 1e-9)
COUNTS = st.floats(0.5, 1e5)


@given(COUNTS, COUNTS, SHARES)
def test_identities(a: float, b: float, x: float) -> None:
    """Both tails are 1; the sides may be exchanged; one step of a (DLMF 8.17.20)."""
    low = betainc(a, b, x)
    assert 0 <= low <= 1
    assert low + betaincc(a, b, x) == pytest.approx(1, rel=1e-12)
    if 0.001 < x < 0.999:
        assert low + betainc(b, a, 1 - x) == pytest.approx(1, abs=1e-9)
    step = math.exp(a * math.log(x) + b * math.log1p(-x) - betaln(a, b) - math.log(a))
    assert low == pytest.approx(betainc(a + 1, b, x) + step, rel=1e-9, abs=1e-12)


@given(COUNTS, COUNTS, SHARES, st.floats(1e-6, 0.5))
def test_it_grows_with_x_and_falls_with_a(a: float, b: float, x: float, more: float) -> None:
    low = betainc(a, b, x)
    assert betainc(a, b, min(x * (1 + more), 1.0)) >= low * (1 - 1e-12)
    assert betainc(a * (1 + more), b, x) <= low * (1 + 1e-12)


def test_the_logarithm_of_the_beta_function() -> None:
    for a, b, _ in arguments(11, 200):
        with mp.workdps(40):
            known = float(mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(mp.mpf(a) + mp.mpf(b)))
        assert betaln(a, b) == pytest.approx(known, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("freedom", [1, 2, 9, 14, 59, 1_000])
@pytest.mark.parametrize("p", [0.4, 0.05, 0.05 / 3, 1e-4, 1e-9])
def test_students_quantiles(freedom: int, p: float) -> None:
    known = student_quantile(p, freedom)
    assert stdtrit(freedom, p) == pytest.approx(known, rel=1e-12)
    assert stdtrit(freedom, 1 - p) == pytest.approx(-known, rel=1e-6)
    assert stdtrit(freedom, 0.5) == 0.0


def test_quantiles_of_tables() -> None:
    assert stdtrit(1, 0.25) == pytest.approx(-1, rel=1e-13)
    assert stdtrit(9, 0.975) == pytest.approx(2.2621571627982053, rel=1e-12)
    assert stdtrit(10_000_000, 0.01) == pytest.approx(ndtri(0.01), rel=1e-6)
    assert ndtri(0.95) == NormalDist().inv_cdf(0.95) == pytest.approx(1.6448536269514722, rel=1e-15)


@pytest.mark.parametrize("n", [1, 7, 400])
def test_chances_are_the_binomial_distribution(n: int) -> None:
    known = [math.comb(n, k) * 0.03**k * 0.97 ** (n - k) for k in range(n + 1)]
    assert chances_of(n, n, 0.03) == pytest.approx(known, rel=1e-11)


@given(st.integers(0, 300), st.integers(0, 302), st.floats(-50, 400))
def test_the_first_that_holds_is_found_from_anywhere(most: int, border: int, near: float) -> None:
    assert first(most, lambda number: number >= border, near) == min(border, most + 1)
    least = most // 2
    assert first(most, lambda number: number >= border, near, least) == min(max(border, least), most + 1)


def test_equal_values_share_their_rank() -> None:
    assert _row([3.0, None, 1.0, 3.0, 2.0]).scores.tolist() == [1.0, -1.5, 1.0, -0.5]
    assert _row([]).scores.tolist() == []


def test_a_line_through_points() -> None:
    """Sen's own example (JASA 63, 1968, section 5): x 1 2 3 4 10 12 18, y 9 15 19 20 45 55 78; 93% there."""
    line = theil_sen([1, 2, 3, 4, 10, 12, 18], [9, 15, 19, 20, 45, 55, 78])
    assert line.slope == pytest.approx(4.0)
    assert line.low == pytest.approx(26 / 7, abs=0.3)
    assert line.low < 4 < line.high
    exact = theil_sen([1, 1, 2, 5], [3, 3, 5, 11])
    assert (exact.slope, exact.low, exact.high, exact.intercept) == (2, 2, 2, 1)


@pytest.mark.parametrize("law", [_Law(5, 0.02, 1e-3), _Law(0.8, 0.3, 1e-4), _Law(12, 0.0, 0.01)])
def test_the_law_is_found_again(law: _Law) -> None:
    concurrency = [0.5, 1, 2, 5, 9, 16, 30, 50]
    found = _fit_pairs([(n, law.throughput(n)) for n in concurrency])
    assert found is not None
    assert tuple(found) == pytest.approx(tuple(law), rel=1e-6, abs=1e-9)


def test_the_law_stays_within_its_bounds() -> None:
    """More than proportional throughput would take a negative share that waits; noise, a negative kappa."""
    growing = _fit_pairs([(1, 1), (2, 2.2), (4, 5.0), (8, 11.0)])
    assert growing is not None
    assert (growing.sigma, growing.kappa, growing.knee) == (0, 0, None)
    # The best of sigma = kappa = 0 is lambda with the least sum of (lambda n / x - 1) squared.
    ratios = [1 / 1, 2 / 2.2, 4 / 5.0, 8 / 11.0]
    assert growing.lam == pytest.approx(sum(ratios) / sum(r * r for r in ratios))
    flat = _fit_pairs([(1, 1.0), (1, 1.1), (1, 0.9)])
    assert flat is not None
    assert flat.lam == pytest.approx(1, rel=0.05)
