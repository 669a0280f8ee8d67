"""Latencies as counts of cells: what a recorded HdrHistogram says, in numpy, and the intervals of `latency.hlog`.

All histograms of a run share one grid, HdrHistogram(1 µs, 120 s, 3 digits), so adding them is adding arrays.
"""

import io
import math
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader
from numpy.typing import NDArray

from kycgate.errors import UsageError
from kycgate.files import MOST_RECORD, read
from kycgate.runs.load_model import DIGITS, HIGHEST_US, LOWEST_US
from kycgate.runs.percentile import rank_of

Counts = NDArray[np.int64]
Values = NDArray[np.float64]
_GRID = (LOWEST_US, HIGHEST_US, DIGITS)


class Cells(NamedTuple):
    """The cells of one histogram that hold something: their places on the grid, and how many samples each."""

    places: Counts
    counts: Counts


@cache
def edges() -> tuple[Values, Values]:
    """The lowest and the highest value of each cell, microseconds."""
    grid = HdrHistogram(*_GRID)
    place = np.arange(grid.counts_len)
    bucket = (place >> grid.sub_bucket_half_count_magnitude) - 1
    below = np.where(bucket < 0, grid.sub_bucket_half_count, 0)
    sub = (place & (grid.sub_bucket_half_count - 1)) + grid.sub_bucket_half_count - below
    width = 1 << (np.maximum(bucket, 0) + grid.unit_magnitude)
    low = sub * width
    return low.astype(float), (low + width - 1).astype(float)


def empty() -> Counts:
    """No sample anywhere."""
    return np.zeros(len(edges()[0]), dtype=np.int64)


def cells_of(histogram: HdrHistogram) -> Cells:
    """The filled cells of `histogram`.

    Raises:
        ValueError: it is not on the grid that runs are recorded on.
    """
    grid = (histogram.lowest_trackable_value, histogram.highest_trackable_value, histogram.significant_figures)
    if grid != _GRID:
        raise ValueError(f"it counts on the grid {grid}")
    counts = np.ctypeslib.as_array(histogram.counts)
    places = np.flatnonzero(counts)
    return Cells(places, counts[places].astype(np.int64))


def counts_of(histogram: HdrHistogram) -> Counts:
    """The counts of a histogram.

    Raises:
        ValueError: it is not on the grid that runs are recorded on.
    """
    counts = empty()
    cells = cells_of(histogram)
    counts[cells.places] = cells.counts
    return counts


def decode(text: str, what: str) -> Counts:
    """The counts of a histogram as run.json holds it.

    Raises:
        UsageError: it is damaged.
    """
    try:
        return counts_of(HdrHistogram.decode(text.encode()))
    except Exception as error:  # noqa: BLE001 - the library raises whatever its parts raise
        raise UsageError(f"the histogram of {what} is damaged: {type(error).__name__}") from None


def quantile_us(counts: Counts, q: float) -> float:
    """The `q` quantile: the highest value of the cell in which the ceil(q n)-th smallest sample lies; microseconds."""
    total = int(counts.sum())
    return rank_us(counts, rank_of(q, total), highest=True)


def rank_us(counts: Counts, rank: int, *, highest: bool) -> float:
    """An edge of the cell that holds the `rank`-th smallest sample; infinite beyond the samples."""
    if not 1 <= rank <= int(counts.sum()):
        return math.inf if rank > 0 else 0.0
    place = int(np.searchsorted(np.cumsum(counts), rank))
    return float(edges()[1 if highest else 0][place])


class IntervalLog:
    """`latency.hlog`: the intervals of a run, decoded tag by tag as they are asked for (an hour holds 100,000).

    Raises:
        UsageError: the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._head: list[str] = []
        self._lines: dict[str, list[str]] = defaultdict(list)
        try:
            with io.StringIO(read(path, MOST_RECORD, links=False).decode("ascii", "replace")) as lines:
                for line in lines:
                    if line.startswith(("#", '"')):
                        self._head.append(line)
                    elif line.strip():
                        self._lines[line.split(",", 1)[0].removeprefix("Tag=")].append(line)
        except OSError as error:
            raise UsageError(f"cannot read {path}: {error.strerror}") from None

    @property
    def tags(self) -> list[str]:
        return sorted(self._lines)

    def seconds(self, tag: str) -> dict[int, Cells] | None:
        """The filled cells of each second under `tag`; None when it has none.

        Raises:
            UsageError: they are damaged.
        """
        lines = self._lines.get(tag)
        if lines is None:
            return None
        found: dict[int, Cells] = {}
        try:
            reader = HistogramLogReader(str(self._path), HdrHistogram(*_GRID))
            reader.close()
            reader.input_file = io.StringIO("".join([*self._head, *lines]))
            # Absolute: relative to the rounded start time the first second would begin before it, and be passed over.
            while (histogram := reader.get_next_interval_histogram(absolute=True)) is not None:
                found[round(histogram.get_start_time_stamp() / 1e3 - reader.base_time_sec)] = cells_of(histogram)
        except Exception as error:  # noqa: BLE001 - the library raises whatever its parts raise
            raise UsageError(f"{self._path} is damaged: {type(error).__name__}") from None
        # The library passes over lines that it does not understand; a second that comes twice is one too few.
        if len(found) != len(lines) or min(found) < 0:
            raise UsageError(
                f"{self._path} is damaged: {len(lines) - len(found)} of {len(lines)} seconds of {tag!r} lost"
            )
        return found
