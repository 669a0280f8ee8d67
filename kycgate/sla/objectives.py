"""Bounds of a share from a fixed number of samples.

Clopper and Pearson (1934): exact binomial bounds. A percentile's bounds are order statistics (David and Nagaraja,
Order Statistics, 2003, section 7.1), found by the same tests: "the q quantile is at most x" is "at least a share q
is at most x", which assumes no distribution. Numbers of samples may be fractions: those of effective samples are
(Korn and Graubard, Survey Methodology 24, 1998).
"""

import math
from bisect import bisect_left
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kycgate.sla.special import betainc, ndtri, plain

Values = float | NDArray[np.float64] | NDArray[np.int64]
"""One run's number, or those of many runs: shape (runs,), or any shape that broadcasts with the others."""
Evidence = Callable[[Values, Values, float], NDArray[np.float64]]
"""p-values of good, bad and a share; shaped as good and bad are."""

MOST_SAMPLES = 10_000_000
"""More than these no run is asked for."""


class Method(NamedTuple):
    """Two tests of a share, as p-values of (good, bad, share); arrays are taken elementwise.

    `above` is the evidence against "the share is at most `share`", `below` against "it is at least `share`". Of the two
    hypotheses one is true, so that one verdict of the two can be wrong, and each test may spend the whole error.
    """

    above: Evidence
    below: Evidence
    words: str
    source: str


def _exact_above(good: Values, bad: Values, share: float) -> NDArray[np.float64]:
    """P(at least `good` of all are good) when a share `share` is."""
    if plain(good, bad):
        return np.asarray(betainc(max(good, 1e-12), bad + 1, share) if good > 0 else 1.0)
    good, bad = np.asarray(good, float), np.asarray(bad, float)
    return np.where(good > 0, betainc(np.maximum(good, 1e-12), bad + 1, share), 1.0)


def _exact_below(good: Values, bad: Values, share: float) -> NDArray[np.float64]:
    """P(at most `good` of all are good) when a share `share` is."""
    return _exact_above(bad, good, 1 - share)


EXACT = Method(_exact_above, _exact_below, "exact binomial bounds, one-sided", "Clopper and Pearson 1934")


def share_bounds(good: float, n: float, confidence: float, method: Method = EXACT) -> tuple[float, float]:
    """One-sided lower and upper confidence bounds of a share, each at `confidence`."""
    if not n:
        return 0.0, 1.0
    miss, bad = 1 - confidence, n - good
    low = _last(lambda share: method.above(good, bad, share), miss, 0.0, good / n)
    high = _last(lambda share: method.below(good, bad, share), miss, 1.0, good / n)
    return low, high


def _last(p_value: Callable[[float], object], miss: float, end: float, middle: float) -> float:
    """The border between what is excluded at `end` (its p-value is at most `miss`) and what is not at `middle`.

    By secants of the logarithm, with a bisection after each two, so that it comes to an end with any p-values (the
    Illinois method: Dowell and Jarratt, BIT 11, 1971).
    """
    at_end, at_middle, side = -math.inf, math.inf, 0
    for step in range(200):
        half = (end + middle) / 2
        apart = max(1e-12 * min(half, 1 - half), 2.5e-16)
        # No number lies between them, or none that matters; at 0 or 1 itself nothing can be tested.
        if half in (end, middle) or abs(middle - end) <= apart:
            break
        if step % 3 and math.isfinite(at_end) and math.isfinite(at_middle):
            secant = end + (middle - end) * at_end / (at_end - at_middle)
            # Just inside, so that what is found lies between the two soon.
            half = min(max(secant, min(end, middle) + apart * 0.9), max(end, middle) - apart * 0.9)
        p = float(p_value(half))  # type: ignore[arg-type]
        at = math.log(p / miss) if p > 0 else -math.inf
        if p <= miss:
            end, at_end, at_middle, side = half, at, at_middle / 2 if side < 0 else at_middle, -1
        else:
            middle, at_middle, at_end, side = half, at, at_end / 2 if side > 0 else at_end, 1
    return end


def first(most: int, holds: Callable[[int], object], near: float, least: int = 0) -> int:
    """The first number of `least` to `most` for which it holds, where it holds for all after it; most + 1 for none.

    It is looked for from `near` onwards in growing steps, and then between the last two.
    """
    low, high, step = least, most + 1, 1
    at = min(max(int(near), least), most)
    down = low < high and bool(holds(at))
    while low < high:
        if down:
            high, at = at, at - step
        else:
            low, at = at + 1, at + step
        if not low <= at < high or bool(holds(at)) != down:
            break
        step *= 2
    if low <= at < high:
        low, high = (at + 1, high) if down else (low, at)
    return bisect_left(range(most + 1), True, lo=low, hi=high, key=lambda number: bool(holds(number)))


def ranks(n: int, q: float, effect: float, confidence: float, method: Method = EXACT) -> tuple[int, int]:
    """The order statistics that bound the `q` quantile of `n` samples, counted from 1; 0 and n + 1 where none does.

    `effect` is the design effect: that many samples are worth one independent one.
    """
    miss = 1 - confidence
    reach = -ndtri(miss) * math.sqrt(n * q * (1 - q) * effect)
    # Both tests are monotone in the good ones.
    upper = first(n, lambda good: method.above(good / effect, (n - good) / effect, q) <= miss, n * q + reach)
    lower = first(n, lambda good: method.below(good / effect, (n - good) / effect, q) > miss, n * q - reach)
    return lower, upper


def share_samples_needed(share: float, confidence: float) -> int:
    """Samples without a failure from which `share` is shown: n with share**n <= 1 - confidence (Wilks 1941)."""
    return math.ceil(math.log(1 - confidence) / math.log(share))
