"""A percentile: the smallest recorded value with at least that share of the samples at or below it (nearest rank).

The one definition of this package. HdrHistogram's Python port rounds the rank to the nearest whole number; the Java and
JavaScript ones round it up, as this does.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

from hdrh.histogram import HdrHistogram

PERCENTILES: Final = {"p50": 50.0, "p90": 90.0, "p95": 95.0, "p99": 99.0, "p999": 99.9}
"""Those of run.json, by name."""
_ROUNDING = 1e-9
"""0.95 * 20 is 19.000000000000004 in floating point, and its rank is 19."""


def rank_of(share: float, samples: int) -> int:
    """The rank of the `share` quantile (0 to 1) of that many samples, counted from 1."""
    return min(max(math.ceil(share * samples - _ROUNDING), 1), max(samples, 1))


def percentiles_us(histogram: HdrHistogram, percentiles: Sequence[float]) -> list[int]:
    """The highest value of the cell that holds each percentile (0 to 100), microseconds; 0 where there is no sample.

    One pass for all of them: the library's own walk asks a method for each of 20,000 cells.
    """
    samples = histogram.get_total_count()
    if not samples:
        return [0] * len(percentiles)
    upto = list(accumulate(histogram.counts[:]))
    cells = (bisect_left(upto, rank_of(percentile / 100, samples)) for percentile in percentiles)
    return [int(histogram.get_highest_equivalent_value(histogram.get_value_from_index(cell))) for cell in cells]


def percentile_us(histogram: HdrHistogram, percentile: float) -> int:
    """As `percentiles_us` has it."""
    return percentiles_us(histogram, [percentile])[0]
