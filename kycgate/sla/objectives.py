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
from scipy.special import betainc

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
    low = _last(lambda share: method.above(good, bad, share) <= miss, 0.0, good / n)
    high = _last(lambda share: method.below(good, bad, share) <= miss, 1.0, good / n)
    return low, high


def _last(excluded: Callable[[float], object], end: float, middle: float) -> float:
    """The border between what is excluded at `end` and what is not at `middle`."""
    for _ in range(60):
        half = (end + middle) / 2
        if half in (end, middle):  # no number lies between them; at 0 or 1 itself nothing can be tested
            break
        end, middle = (half, middle) if excluded(half) else (end, half)
    return end


def ranks(n: int, q: float, effect: float, confidence: float, method: Method = EXACT) -> tuple[int, int]:
    """The order statistics that bound the `q` quantile of `n` samples, counted from 1; 0 and n + 1 where none does.

    `effect` is the design effect: that many samples are worth one independent one.
    """
    miss = 1 - confidence
    # Both tests are monotone in the good ones: bisection by the key does it in log n steps.
    upper = bisect_left(range(n + 1), True, key=lambda good: bool(
        method.above(good / effect, (n - good) / effect, q) <= miss))  # fmt: skip
    lower = bisect_left(range(n + 1), True, key=lambda good: bool(
        method.below(good / effect, (n - good) / effect, q) > miss))  # fmt: skip
    return lower, upper


def share_samples_needed(share: float, confidence: float) -> int:
    """Samples without a failure from which `share` is shown: n with share**n <= 1 - confidence (Wilks 1941)."""
    return math.ceil(math.log(1 - confidence) / math.log(share))
