"""A step's figures from its histogram: each of them can be made again from the histogram alone."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogWriter

from kycgate.files import no_links
from kycgate.runs.load_model import DIGITS, HIGHEST_US, LOWEST_US, StepLatency
from kycgate.runs.percentile import PERCENTILES, rank_of
from kycgate.sla.histograms import Counts, counts_of, edges


def histogram_of(values_us: Iterable[int]) -> HdrHistogram:
    """On the grid that all runs are recorded on; what lies beyond its ends counts at them."""
    histogram = HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS)
    for value in values_us:
        histogram.record_value(min(max(value, LOWEST_US), HIGHEST_US))
    return histogram


def figures_of(counts: Counts) -> dict[str, float]:
    """Count, mean, percentiles and maximum; milliseconds.

    As `percentiles_us` gives them.
    """
    total = int(counts.sum())
    if not total:
        return {"count": 0, "mean": 0.0, "max": 0.0, **dict.fromkeys(PERCENTILES, 0.0)}
    low, high = edges()
    places = counts.nonzero()[0]
    upto = counts[places].cumsum()
    found = {
        name: float(high[places[upto.searchsorted(rank_of(at / 100, total))]]) / 1e3 for name, at in PERCENTILES.items()
    }
    mean = float(((low[places] + high[places]) / 2) @ counts[places]) / total / 1e3
    return {"count": total, "mean": mean, "max": float(high[places[-1]]) / 1e3, **found}


def step_latency(name: str, clock: Any, histogram: HdrHistogram) -> StepLatency:
    """One row of run.json."""
    text = histogram.encode().decode("ascii")
    return StepLatency.model_validate(
        {"name": name, "clock": clock, "histogram": text, **figures_of(counts_of(histogram))}
    )


class TaggedInterval(NamedTuple):
    """One line of `latency.hlog`; seconds since the log's base time."""

    second: int
    length_s: int
    tag: str
    histogram: HdrHistogram


def write_log(path: Path, base_s: float, intervals: Iterable[TaggedInterval]) -> None:
    """A standard HdrHistogram log."""
    with open(path, "w", encoding="ascii", opener=no_links) as file:
        writer = HistogramLogWriter(file)
        writer.output_log_format_version()
        # The library's own start line does not work in 0.10.8 (it calls datetime.iso_format).
        writer.output_comment(f"[StartTime: {base_s:.3f} (seconds since epoch)]")
        writer.output_base_time(base_s * 1e3)
        writer.output_legend()
        for one in intervals:
            # The library reads tags and does not write them.
            file.write(f"Tag={one.tag},")
            writer.output_interval_histogram(
                one.histogram, start_time_stamp_sec=one.second, end_time_stamp_sec=one.second + one.length_s
            )
