"""Latency against picture size."""

import statistics
from collections import defaultdict
from collections.abc import Sequence

from kycgate.run import SizePoint

MAX_POINTS = 2_000
"""For the fit, which looks at all pairs."""


def size_points(measured: Sequence[tuple[int, float]]) -> list[SizePoint]:
    """One point for each size of `measured`, pairs of (bytes, service time in ms)."""
    by_size: dict[int, list[float]] = defaultdict(list)
    for size, milliseconds in measured:
        by_size[size].append(milliseconds)
    return [
        SizePoint(
            size_bytes=size,
            count=len(values),
            p50=statistics.median(values),
            p95=sorted(values)[min(len(values) - 1, int(0.95 * len(values)))],
        )
        for size, values in sorted(by_size.items())
    ]


def fit(measured: Sequence[tuple[int, float]]) -> dict[str, float]:
    """Slope (ms per MB, with its 95% interval) and intercept (ms) by Theil and Sen, which stalls do not bend.

    Sen, "Estimates of the regression coefficient based on Kendall's tau", JASA 63, 1968. Empty for fewer than two
    sizes.
    """
    if len({size for size, _ in measured}) < 2:
        return {}
    # Imported here: it weighs more than the whole generator, and few runs need it.
    from scipy.stats import theilslopes

    step = -(-len(measured) // MAX_POINTS)
    taken = measured[::step]
    slope, intercept, low, high = theilslopes([ms for _, ms in taken], [size / 1e6 for size, _ in taken], 0.95)
    return {
        "slope_ms_per_mb": float(slope),
        "slope_low": float(low),
        "slope_high": float(high),
        "intercept_ms": float(intercept),
    }
