"""The incomplete beta function and what is made of it, for floats and arrays alike, to about twelve digits.

    I_x(a, b) = x**a (1 - x)**b / B(a, b) / (b0 + a1 / (b1 + a2 / (b2 + …)))

The factor before the fraction spans hundreds of orders of magnitude. It is taken by its saddle point, whose exponents
are small where the chances are not (Loader, Fast and accurate computation of binomial probabilities, 2000). The
fraction is that of DiDonato and Morris (ACM Transactions on Mathematical Software 18, 1992, algorithm 708, BFRAC),
evaluated forwards (Lentz, Applied Optics 15, 1976) on the side of the mean where it converges and where what is left
of 1 is no difference of two numbers that are nearly equal.

Each formula is written once: `xp` is numpy for arrays, and `_FLOATS` for floats, which numpy would take ten times as
long for.
"""

import math
from functools import lru_cache
from statistics import NormalDist
from types import SimpleNamespace
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

_FLOATS: Final = SimpleNamespace(
    exp=math.exp, log=math.log, log1p=math.log1p, sqrt=math.sqrt, abs=abs, maximum=max, minimum=min, any=bool,
    where=lambda chosen, one, other: one if chosen else other,
)  # fmt: skip
_STIRLING: Final = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156, -3617 / 122400)
_STEPS: Final = 15
_HYPERBOLIC: Final = tuple(1 / odd for odd in range(25, 1, -2))
_SPLIT: Final = 2.0**27 + 1
_AT_ONCE: Final = 16_384
_MOST: Final = 200_000
"""Terms of the fraction: for a and b of 1e8 each, at their mean, it takes some 30,000."""


def betainc(a: ArrayLike, b: ArrayLike, x: ArrayLike) -> Any:
    """I_x(a, b): the chance that a beta variable of these parameters is at most x; a over 0, b of 0.5 or more.

    A float of three floats, else an array of the shape that they broadcast to. The relative error is below 1e-11 for a
    and b up to 1e7, also where the result is 1e-300.
    """
    return _of(a, b, x, upper=False)


def betaincc(a: ArrayLike, b: ArrayLike, x: ArrayLike) -> Any:
    """1 - I_x(a, b), without the difference where it is small; a of 0.5 or more, else as `betainc`."""
    return _of(a, b, x, upper=True)


def betaln(a: Any, b: Any) -> Any:
    """The logarithm of B(a, b), a and b over 0: a float of two floats, else an array; error 1e-13 of it or of 1."""
    if plain(a, b):
        return _betaln(float(a), float(b), _FLOATS)
    return _betaln(np.asarray(a, float), np.asarray(b, float), np)


def ndtri(p: float) -> float:
    """The normal quantile, p over 0 and below 1 (Wichura, Applied Statistics 37, 1988); relative error 1e-15."""
    return NormalDist().inv_cdf(p)


@lru_cache(maxsize=1024)
def stdtrit(freedom: float, p: float) -> float:
    """Student's quantile of p from 1e-100 to 1 - 1e-16; freedom of 1 to 1e7.

    The relative error is below 1e-12, save within a tenth of one half, where the quantile comes to nothing.

    Newton's method for the logarithm of the tail over that of the quantile, which is concave: once beyond the quantile
    it comes nearer from that side alone.
    """
    if p >= 0.5:
        return -stdtrit(freedom, 1 - p) if p > 0.5 else 0.0
    t, half = -ndtri(p), freedom / 2
    beta = _betaln(half, 0.5, _FLOATS)
    for _ in range(400):
        square = t * t
        share = square / (freedom + square)
        # The smaller of the two shares is the one without a rounded difference.
        tail = betaincc(0.5, half, share) if share < 0.5 else betainc(half, 0.5, freedom / (freedom + square))
        slope = 2 * math.sqrt(share) * math.exp(-half * math.log1p(square / freedom) - beta) / tail
        step = min(math.log(tail / 2 / p) / slope, 1.0)
        t *= math.exp(step)
        if abs(step) < 1e-14:
            break
    return -t


def plain(*values: ArrayLike) -> bool:
    """Whether these are numbers, not arrays."""
    return all(isinstance(value, int | float) for value in values)


def _of(a: Any, b: Any, x: Any, *, upper: bool) -> Any:
    if plain(a, b, x):
        if not 0 < x < 1:
            return float((x >= 1) != upper)
        return _inside(float(a), float(b), float(x), upper, _FLOATS)
    a, b, x = np.broadcast_arrays(np.asarray(a, float), np.asarray(b, float), np.asarray(x, float))
    found: NDArray[np.float64] = np.asarray((x >= 1) != upper, dtype=float)
    inside = np.flatnonzero((x > 0) & (x < 1))
    # Pieces that the processor's cache holds; each ends with the slowest of its own.
    for begin in range(0, len(inside), _AT_ONCE):
        places = np.unravel_index(inside[begin : begin + _AT_ONCE], x.shape)
        found[places] = _inside(a[places], b[places], x[places], upper, np)
    return found


def _inside(a: Any, b: Any, x: Any, upper: bool, xp: Any) -> Any:
    # The fraction is no good where a is next to nothing: I_x(a, b) = I_x(a + 1, b) + x**a (1 - x)**b / (a B(a, b)).
    few, first, y = a < 0.5, 0.0, 1 - x
    if xp.any(few):
        first = xp.where(few, xp.exp(_log_factor(a, b, x, y, _away(a, b, x), xp)) / a, 0.0)
        a = xp.where(few, a + 1, a)
    away = _away(a, b, x)
    swapped = away + 1 < 2 * x
    pairs = ((a, b), (b, a), (x, y), (y, x), (away, -away))
    a, b, x, y, away = (xp.where(swapped, two, one) for one, two in pairs)
    tail = xp.exp(_log_factor(a, b, x, y, away, xp)) / _fraction(a, b, x, away, xp)
    if upper:
        return xp.where(swapped, tail, 1 - tail) - first
    return xp.where(swapped, 1 - tail, tail) + first


def _away(a: Any, b: Any, x: Any) -> Any:
    """a - (a + b) x, how far the mean lies from x, by exact products (Dekker, Numerische Mathematik 18, 1971)."""
    one, one_less = _product(a, x)
    two, two_less = _product(b, x)
    left, left_less = _difference(a, one)
    right, right_less = _difference(left, two)
    return right + (left_less + right_less - one_less - two_less)


def _product(one: Any, two: Any) -> tuple[Any, Any]:
    """The product, and what its rounding took away."""
    product = one * two
    high, other = one * _SPLIT, two * _SPLIT
    high, other = high - (high - one), other - (other - two)
    low, other_low = one - high, two - other
    return product, ((high * other - product) + high * other_low + low * other) + low * other_low


def _difference(one: Any, two: Any) -> tuple[Any, Any]:
    difference = one - two
    back = difference - one
    return difference, (one - (difference - back)) - (two + back)


def _log_factor(a: Any, b: Any, x: Any, y: Any, away: Any, xp: Any) -> Any:
    """The logarithm of x**a y**b / B(a, b), where y is 1 - x, by how far the mean lies from x."""
    n = a + b
    known = _stirling(n, xp) - _stirling(a, xp) - _stirling(b, xp)
    known += xp.log(a * (b / n) / math.tau) / 2
    return known + a * _log_less(n / a * x, -away / a, xp) + b * _log_less(n / b * y, away / b, xp)


def _betaln(a: Any, b: Any, xp: Any) -> Any:
    n = a + b
    known = _stirling(a, xp) + _stirling(b, xp) - _stirling(n, xp)
    return known - a * xp.log1p(b / a) - b * xp.log1p(a / b) - xp.log(a * (b / n) / math.tau) / 2


def _log_less(ratio: Any, d: Any, xp: Any) -> Any:
    """log(ratio) - d, d being ratio - 1, by the series of the inverse hyperbolic tangent where it would be small."""
    near = xp.where(xp.abs(d) < 0.4, d, 0.0)
    r = near / (2 + near)
    square, total = r * r, 0.0
    for term in _HYPERBOLIC:
        total = (total + term) * square
    return xp.where(near == d, r * (2 * total - near), xp.log(ratio) - d)


def _stirling(n: Any, xp: Any) -> Any:
    """What Stirling's formula for log n! leaves out, n over 0: its series, for small n from 15 steps further on."""
    small = n < _STEPS
    at = xp.where(small, n + _STEPS, n)
    square, total = 1 / (at * at), 0.0
    for term in reversed(_STIRLING):
        total = total * square + term
    series = total / at
    if not xp.any(small):
        return series
    n = xp.where(small, n, 1.0)
    # log n! is that of (n + 15)! without the logarithm of the factors between.
    more = (n + _STEPS + 0.5) * xp.log(n + _STEPS) - (n + 0.5) * xp.log(n) - _STEPS - xp.log(_factors(n))
    return xp.where(small, series + more, series)


def _factors(n: Any) -> Any:
    """(n + 1) (n + 2) … of all steps."""
    product = n + 1
    for step in range(2, _STEPS + 1):
        product = product * (n + step)
    return product


def _fraction(a: Any, b: Any, x: Any, away: Any, xp: Any) -> Any:
    """b0 + a1 / (b1 + …); x is at most the mean."""
    value = c = a * (away + 1) / (a + 1)
    d = 0.0 * value
    for m in range(1, _MOST):
        odd = a + 2 * m - 1
        share = m * (b - m) * x / odd
        over = share * x * (a + m - 1) * (a + b + m - 1) / odd
        under = m + share + (a + m) * (away + 1 + m * (2 - x)) / (a + 2 * m + 1)
        d = 1 / (under + over * d)
        c = under + over / c
        change = c * d
        value = value * change
        if not xp.any(xp.abs(change - 1) > 1e-15):
            break
    return value
