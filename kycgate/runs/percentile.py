"""A percentile: the smallest recorded value with at least that share of the samples at or below it (nearest rank).

The one definition of this package. HdrHistogram's Python port rounds the rank to the nearest whole number; the Java and
JavaScript ones round it up, as this does.
"""

import math

from hdrh.histogram import HdrHistogram

_ROUNDING = 1e-9
"""0.95 * 20 is 19.000000000000004 in floating point, and its rank is 19."""


def rank_of(share: float, samples: int) -> int:
    """The rank of the `share` quantile (0 to 1) of that many samples, counted from 1."""
    return min(max(math.ceil(share * samples - _ROUNDING), 1), max(samples, 1))


def percentile_us(histogram: HdrHistogram, percentile: float) -> int:
    """The highest value of the cell that holds the percentile (0 to 100), microseconds; 0 where there is no sample."""
    samples = histogram.get_total_count()
    if not samples:
        return 0
    # The library's own walk; it takes this percentile to be exactly the rank that is meant.
    return int(histogram.get_value_at_percentile(100 * rank_of(percentile / 100, samples) / samples))
