"""Whether a load run was steady: response times that climb or fall through it have no percentiles of their own.

Each step's medians by interval are tested for a trend (Mann, Econometrica 13, 1945; Kendall), with the variance
corrected for neighbours that hang together (Hamed and Rao, Journal of Hydrology 204, 1998); its slope is Theil's and
Sen's, with Sen's interval (JASA 63, 1968).
"""

import math
import statistics
from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations

from kycgate.runs.load_model import LoadPoint, LoadResult, Trend

FEWEST, MOST = 10, 60
"""Intervals that are looked at: fewer show no trend, more take longer and show it no better."""
ERROR = 0.01
"""Of a wrong alarm, over all steps of a run together."""
MATTERS = 0.2
"""Share of the median below which a change over the run is ignored, even when it is certain."""
MATTERS_MS = 2.0
CHANGING = ("ramp", "step", "spike")
"""Loads that are meant to change; response times may change with them."""


def trends(load: LoadResult) -> list[Trend]:
    """Of each step with enough intervals; empty for a load that was meant to change."""
    if load.shape in CHANGING or load.capacity is not None:
        return []
    by_step: dict[str, list[LoadPoint]] = defaultdict(list)
    for point in load.series:
        # What ends after the last arrival belongs to a load that is over.
        if point.finished and point.second < load.duration_s:
            by_step[point.step].append(point)
    found = {step: medians(points) for step, points in sorted(by_step.items())}
    enough = {step: pairs for step, pairs in found.items() if len(pairs) >= FEWEST}
    return [_trend(step, pairs, ERROR / len(enough)) for step, pairs in enough.items()]


def medians(points: Sequence[LoadPoint]) -> list[tuple[float, float]]:
    """Moment (s) and median response time (ms) of at most `MOST` intervals; the median of a longer one is that of its
    seconds' medians."""
    width = math.ceil(len(points) / MOST)
    parts = [points[start : start + width] for start in range(0, len(points), width)]
    return [(statistics.fmean(p.second for p in part) + 0.5, statistics.median(p.p50 for p in part)) for part in parts]


def _trend(step: str, pairs: Sequence[tuple[float, float]], error: float) -> Trend:
    slopes = sorted((b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(pairs, 2))
    slope = statistics.median(slopes)
    values = [ms for _, ms in pairs]
    n = len(values)
    score = sum((b > a) - (b < a) for a, b in combinations(values, 2))
    deviation = math.sqrt(_variance(values) * _inflation(pairs, slope))
    z = max(abs(score) - 1, 0) / deviation if deviation else 0.0
    p = 2 * (1 - statistics.NormalDist().cdf(z))
    half = statistics.NormalDist().inv_cdf(0.975) * deviation / 2
    low, high = (min(max(round(len(slopes) / 2 + side * half), 0), len(slopes) - 1) for side in (-1, 1))
    median = statistics.median(values)
    change = slope * (pairs[-1][0] - pairs[0][0])
    matters = abs(change) >= max(MATTERS * median, MATTERS_MS)
    return Trend(
        step=step,
        intervals=n,
        median_ms=median,
        change_ms=change,
        slope_ms_per_s=slope,
        slope_low=slopes[low],
        slope_high=slopes[high],
        tau=score / (n * (n - 1) / 2),
        p=p,
        steady=not (p < error and matters),
    )


def _variance(values: Sequence[float]) -> float:
    """Of Mann and Kendall's score, with ties."""
    n = len(values)
    ties = [values.count(value) for value in set(values)]
    return (n * (n - 1) * (2 * n + 5) - sum(t * (t - 1) * (2 * t + 5) for t in ties)) / 18


def _inflation(pairs: Sequence[tuple[float, float]], slope: float) -> float:
    """How many times larger the variance is, as neighbours hang together beside the trend; 1 or more."""
    # Rounded: what a straight line leaves is nothing, not the last digits of its arithmetic.
    left = [round(ms - slope * moment, 6) for moment, ms in pairs]
    n = len(left)
    ordered = sorted(left)
    ranks = [ordered.index(value) + (ordered.count(value) - 1) / 2 for value in left]
    mean = (n - 1) / 2
    whole = sum((rank - mean) ** 2 for rank in ranks)
    if not whole:
        return 1.0
    total = 0.0
    for lag in range(1, n // 3):
        together = sum((ranks[i] - mean) * (ranks[i + lag] - mean) for i in range(n - lag)) / whole
        # What chance alone shows does not count.
        if together > 1.645 / math.sqrt(n):
            total += (n - lag) * (n - lag - 1) * (n - lag - 2) * together
    return 1 + 2 * total / (n * (n - 1) * (n - 2))


def words(trend: Trend) -> str:
    """What an unsteady step did, with the evidence, in one sentence."""
    verb = "climbed" if trend.change_ms > 0 else "fell"
    return (
        f"{trend.step}: response times {verb} by {abs(trend.change_ms):.0f} ms through the run, around a median of "
        f"{trend.median_ms:.0f} ms ({trend.slope_ms_per_s:+.3g} ms a second, 95%: {trend.slope_low:+.3g} to "
        f"{trend.slope_high:+.3g}; Theil and Sen; tau {trend.tau:+.2f}, {_chance(trend.p)}, Mann and Kendall)"
    )


def _chance(p: float) -> str:
    return "p < 0.0001" if p < 0.0001 else f"p = {p:.4f}"
