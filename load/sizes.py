"""Pictures of several sizes, and latency against them."""

import math
import statistics
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from kycgate.runs.load_model import SizePoint
from kycgate.runs.percentile import rank_of

MAX_POINTS = 2_000
"""For the fit, which looks at all pairs."""


def size_points(measured: Sequence[tuple[int, float, float | None]]) -> list[SizePoint]:
    """One point for each size of `measured`: bytes, service time and thinking time in ms (None where unknown)."""
    by_size: dict[int, list[tuple[float, float | None]]] = defaultdict(list)
    for size, service, thinking in measured:
        by_size[size].append((service, thinking))
    points = []
    for size, values in sorted(by_size.items()):
        services = sorted(service for service, _ in values)
        thoughts = sorted(thinking for _, thinking in values if thinking is not None)
        points.append(
            SizePoint(
                size_bytes=size,
                count=len(values),
                p50=services[rank_of(0.5, len(services)) - 1],
                p95=services[rank_of(0.95, len(services)) - 1],
                thinking_p50=thoughts[rank_of(0.5, len(thoughts)) - 1] if thoughts else None,
            )
        )
    return points


def fit(measured: Sequence[tuple[int, float]]) -> dict[str, float]:
    """Slope (ms per MB, with its 95% interval) and intercept (ms) by Theil and Sen, which stalls do not bend.

    Sen, "Estimates of the regression coefficient based on Kendall's tau", JASA 63, 1968. Empty for fewer than two
    sizes.
    """
    if len({size for size, _ in measured}) < 2:
        return {}
    step = -(-len(measured) // MAX_POINTS)
    taken = measured[::step]
    line = theil_sen([size / 1e6 for size, _ in taken], [ms for _, ms in taken])
    return {
        "slope_ms_per_mb": line.slope,
        "slope_low": line.low,
        "slope_high": line.high,
        "intercept_ms": line.intercept,
    }


class Line(NamedTuple):
    """A line through points, with the 95% interval of its slope."""

    slope: float
    low: float
    high: float
    intercept: float


def theil_sen(x: Sequence[float], y: Sequence[float]) -> Line:
    """The median slope of all pairs, and its interval by Kendall's tau, whose variance allows for equal values.

    Two different x at least.
    """
    # Imported here: it weighs more than the whole generator, and few runs need it.
    import numpy as np

    across, up = np.asarray(x, float), np.asarray(y, float)
    width = across[:, None] - across
    slopes = np.sort((up[:, None] - up)[width > 0] / width[width > 0])

    def kendall(n: Any) -> float:
        return float((n * (n - 1) * (2 * n + 5)).sum())

    ties = sum(kendall(np.unique(values, return_counts=True)[1]) for values in (across, up))
    reach = statistics.NormalDist().inv_cdf(0.975) * math.sqrt((kendall(np.array([len(across)])) - ties) / 18)
    low = max(round((len(slopes) - reach) / 2) - 1, 0)
    high = min(round((len(slopes) + reach) / 2), len(slopes) - 1)
    slope = float(np.median(slopes))
    return Line(slope, float(slopes[low]), float(slopes[high]), float(np.median(up)) - slope * float(np.median(across)))


LOGNORMAL_SIZES = 9
SMALLEST, LARGEST = 100_000, 16_000_000


def parse_sizes(text: str) -> tuple[int, ...]:
    """Bytes of the pictures for --sizes: kB, comma separated (a sweep), or `lognormal:MEDIAN_KB,SIGMA` (a mix).

    A mix is the distribution's quantiles at the middles of nine equal shares; sizes are kept between 100 and 16000 kB.

    Raises:
        ValueError: it is neither.
    """
    kind, colon, rest = text.partition(":")
    try:
        numbers = [float(part) for part in (rest if colon else text).split(",") if part.strip()]
    except ValueError:
        numbers = [math.nan]
    if (colon and (kind != "lognormal" or len(numbers) != 2)) or not all(map(math.isfinite, numbers)):
        raise ValueError(f"{text!r} is not a list of kilobytes: write 300,1000,3000 or lognormal:900,0.5")
    if not colon:
        sizes = tuple(int(number * 1e3) for number in numbers)
        if any(not SMALLEST <= size <= LARGEST for size in sizes):
            raise ValueError("picture sizes lie between 100 and 16000 kB")
        return sizes
    median, sigma = numbers
    if not (100 <= median <= 16_000 and 0 < sigma <= 2):
        raise ValueError("a lognormal mix has a median of 100 to 16000 kB and a sigma of up to 2")
    shares = [(number + 0.5) / LOGNORMAL_SIZES for number in range(LOGNORMAL_SIZES)]
    drawn = (median * 1e3 * math.exp(sigma * statistics.NormalDist().inv_cdf(share)) for share in shares)
    return tuple(int(min(max(size, SMALLEST), LARGEST)) for size in drawn)
