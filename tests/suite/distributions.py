"""Distributions at fifty digits, and the binomial in fractions: what the product's own numerics are held against.

The incomplete beta function is summed up by another fraction than the product's (DLMF 8.17.22), after a factor from
mpmath's own gamma function.
"""

import math
from fractions import Fraction
from functools import cache
from typing import Any

from mpmath import mp, mpf

DIGITS = 50
NEAR = mpf(10) ** -28


def beta_tails(a: float, b: float, x: float) -> tuple[Any, Any]:
    """I_x(a, b) and 1 - I_x(a, b), for 0 < x < 1; the greater of them is a difference from 1."""
    with mp.workdps(DIGITS):
        first, second, share = mpf(a), mpf(b), mpf(x)
        if share * (first + second + 2) <= first + 1:
            tail = _tail(first, second, share)
            return tail, 1 - tail
        tail = _tail(second, first, 1 - share)
        return 1 - tail, tail


def _tail(a: Any, b: Any, x: Any) -> Any:
    factor = mp.exp(
        a * mp.log(x) + b * mp.log1p(-x) + mp.loggamma(a + b) - mp.loggamma(a + 1) - mp.loggamma(b)
    )  # fmt: skip
    c, d = mpf(1), 1 / (1 - (a + b) * x / (a + 1))
    value, m = d, 0
    while True:
        m += 1
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            c, d = 1 + term / c, 1 / (1 + term * d)
            value *= c * d
        if abs(c * d - 1) < NEAR:
            return factor * value


@cache
def student_quantile(p: float, freedom: float) -> float:
    """Of p below one half."""
    with mp.workdps(30):

        def off(log_t: Any) -> Any:
            square = mp.exp(2 * log_t)
            low = mp.betainc(mpf(freedom) / 2, mpf(1) / 2, 0, freedom / (freedom + square), regularized=True)
            return mp.log(low / 2 / mpf(p))

        return float(-mp.exp(mp.findroot(off, (mpf(0), mpf(1)), solver="secant", tol=1e-40)))


def binomial_at_most(most: int, n: int, p: float) -> float:
    """P(at most `most` of `n`), each with the chance `p`."""
    share = Fraction(p)
    return float(sum(math.comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(most + 1)))


def binomial_quantile(q: float, n: int, p: float) -> int:
    """The least number with at least `q` at or below it."""
    total = 0.0
    for k in range(n + 1):
        total += math.comb(n, k) * p**k * (1 - p) ** (n - k)
        if total >= q:
            return k
    return n
