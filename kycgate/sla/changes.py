"""Where a row of values changed: one change point in each of several series, with one error for all of them.

The statistic of a series is the largest standardized rank sum over all splits with at least `SIDE` values on either
side (Pettitt, Applied Statistics 28, 1979). Where nothing changed every order of the runs is as likely as any other, so
orders that are drawn at random say how large the largest statistic of all splits and all series would be: a series
changed only where its own is larger (Westfall and Young, Resampling-Based Multiple Testing, 1993). A drawn order is the
same for all series, so that series which depend on each other are taken as they do. With the observed order among the
drawn ones the p-values keep their level (Phipson and Smyth, Statistical Applications in Genetics and Molecular Biology
9, 2010).

Where a series changed is not known to the run: series whose places cannot be told apart are taken to have changed
together, at the place that suits them best (Worsley, Biometrika 73, 1986, for sets of places).

Neighbouring runs that are alike (a slow drift, a season) break this condition. Where a straight line explains the
values better than the splits do, or neighbours are still alike on both sides of them, the series drift: that is said,
and no change is.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kycgate.sla.special import ndtri

Array = NDArray[np.float64]

FEWEST = 10
"""Fewer runs show no change of level 5%: at 10, one by which every value after lies beyond every value before does."""
SIDE = 3
"""Runs on either side of a split, at least."""
LEVEL = 0.05
"""Chance that a history in which nothing changed shows a change, anywhere on its page."""
DRAWS = 9_999
_AT_ONCE = 1_000
_ROUNDING = 1e-9
_TELL_APART = 3.84
"""A split of a row is set apart from its best one where its squared statistic is less by this: chi-squared, 95%."""

METHOD = (
    "largest standardized rank sum over all splits, against drawn orders of the runs; the largest over all series is "
    "what each is held against"
)
SOURCE = "Pettitt 1979; Westfall and Young 1993; Phipson and Smyth 2010"


Verdict = Literal["changed", "drifts", "no change shown", "too few runs"]


class Split(NamedTuple):
    """What one series shows."""

    verdict: Verdict
    p: float
    at: int
    """The place of the first run after the change; series that changed together have one."""
    before: float
    """The median before it; NaN where there are too few values."""
    after: float


@dataclass(frozen=True)
class _Row:
    """The values of a series that are there, and their places among the runs."""

    values: Array
    places: NDArray[np.int64]
    scores: Array
    """Ranks about their mean; equal values share one."""

    @property
    def tested(self) -> bool:
        return len(self.values) >= FEWEST

    def before(self, at: int) -> int:
        """How many values lie before a place."""
        return int(np.searchsorted(self.places, at))

    def squares(self, runs: int) -> Array:
        """The squared statistic of a split before each place, (runs,); -1 where there can be none."""
        sizes = np.searchsorted(self.places, np.arange(runs))
        found = np.full(runs, -1.0)
        possible = (sizes >= SIDE) & (sizes <= len(self.values) - SIDE)
        found[possible] = _statistics(self.scores[None])[0][sizes[possible] - SIDE] ** 2
        return found


def splits(rows: Sequence[Sequence[float | None]], *, level: float = LEVEL, seed: int = 0) -> list[Split]:
    """The split of each row; the rows are of the same runs in their order, None where a run has no value.

    The chance that any row is called changed where nothing changed is at most `level`.
    """
    taken = [_row(row) for row in rows]
    runs = max(map(len, rows), default=0)
    p = _p_values(taken, runs, seed)
    shown = [number for number, row in enumerate(taken) if row.tested and p[number] <= level]
    where = _together({number: taken[number].squares(runs) for number in shown})
    drifts = _drifts([(taken[number].scores, taken[number].before(where[number])) for number in shown])
    found = []
    for number, row in enumerate(taken):
        if not row.tested:
            found.append(Split("too few runs", 1.0, runs, math.nan, math.nan))
            continue
        at = where[number] if number in where else int(row.squares(runs).argmax())
        medians = (float(np.median(part)) for part in np.split(row.values, [row.before(at)]))
        verdict: Verdict = "no change shown" if number not in where else "drifts" if drifts else "changed"
        found.append(Split(verdict, float(p[number]), at, *medians))
    return found


def _row(row: Sequence[float | None]) -> _Row:
    places = np.array([place for place, value in enumerate(row) if value is not None], dtype=np.int64)
    values = np.array([value for value in row if value is not None], dtype=float)
    # Equal values share the mean of their ranks.
    _, same, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[same]
    return _Row(values, places, ranks - (len(values) + 1) / 2)


def _p_values(rows: Sequence[_Row], runs: int, seed: int) -> Array:
    """Of each row, (rows,): how often the largest statistic of all rows reaches its own, by drawn orders."""
    tested = [row for row in rows if row.tested]
    observed = np.array([_statistics(row.scores[None]).max() if row.tested else math.inf for row in rows])
    reached = np.ones(len(rows))
    rng = np.random.default_rng(seed)
    for begin in range(0, DRAWS if tested else 0, _AT_ONCE):
        drawn = rng.random((min(_AT_ONCE, DRAWS - begin), runs))
        largest = np.zeros(len(drawn))
        orders: dict[bytes, NDArray[np.int64]] = {}
        for row in tested:
            # The order of all runs, as far as this row has them.
            key = row.places.tobytes()
            if key not in orders:
                orders[key] = np.argsort(drawn[:, row.places], axis=1)
            largest = np.maximum(largest, _statistics(row.scores[orders[key]]).max(1))
        reached += (largest[:, None] >= observed[None] - _ROUNDING).sum(0)
    p: Array = reached / (DRAWS + 1)
    return p


def _statistics(scores: Array) -> Array:
    """The statistic of each order, (orders, values), at each split with `SIDE` values on either side or more."""
    n = scores.shape[1]
    sizes = np.arange(SIDE, n - SIDE + 1)
    spread = (scores[0] ** 2).sum() / (n * (n - 1)) * sizes * (n - sizes)
    # Where all values are the same nothing deviates.
    found: Array = np.abs(np.cumsum(scores, axis=1)[:, sizes - 1]) / np.sqrt(np.where(spread > 0, spread, np.inf))
    return found


def _together(squares: Mapping[int, Array]) -> dict[int, int]:
    """Where each of these rows changed; rows whose places cannot be told apart have one."""
    clusters: list[tuple[list[int], NDArray[np.bool_], Array]] = []
    for number in sorted(squares, key=lambda number: -float(squares[number].max())):
        own = squares[number]
        likely = own >= own.max() - _TELL_APART
        for place, (members, common, total) in enumerate(clusters):
            if (common & likely).any():
                clusters[place] = ([*members, number], common & likely, total + np.maximum(own, 0))
                break
        else:
            clusters.append(([number], likely, np.maximum(own, 0)))
    return {
        number: int(np.where(common, total, -1.0).argmax()) for members, common, total in clusters for number in members
    }


def _drifts(shown: Sequence[tuple[Array, int]]) -> bool:
    """Whether the rows that are not alike before and after, taken together, go on changing.

    A straight line explains more of their ranks than the splits do, or neighbours are alike beside the splits (at an
    error of 5%). `shown` are scores, with how many lie before the split.
    """
    line_explains = split_explains = alike = 0.0
    for score, before in shown:
        n, whole = len(score), float((score**2).sum())
        line = np.arange(n) - (n - 1) / 2
        line_explains += float(score @ line) ** 2 / float(line @ line) / whole
        split_explains += float(score[:before].sum()) ** 2 * (1 / before + 1 / (n - before)) / whole
        left = np.concatenate([score[:before] - score[:before].mean(), score[before:] - score[before:].mean()])
        squares = float((left**2).sum())
        # Neighbours within two parts whose means were taken out are expected to be apart by about 2 / n.
        together = float((left[1:] * left[:-1]).sum()) / squares + 2 / n if squares else 0.0
        alike += together * math.sqrt(n) / len(shown)
    return line_explains > split_explains or alike > ndtri(0.95)
