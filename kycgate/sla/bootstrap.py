"""How far chance takes the percentiles of two runs from each other, as their seconds show it.

Blocks of consecutive seconds are drawn again and again, whole, for all steps together (circular block bootstrap:
Politis and Romano, in Exploring the Limits of Bootstrap, 1992), so that answers that hang together stay together.
The intervals hold for all comparisons at once: each is as wide as the largest of all studentized deviations demands
(Romano and Wolf, Econometrica 73, 2005), with Student's t for the few blocks. None is narrower than the difference of
two runs whose blocks are exchanged at random (a permutation test: Lehmann and Romano, Testing Statistical Hypotheses,
2005, 15.2).
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kycgate.sla.blocks import beyond, block_lengths, outlasts, put_together
from kycgate.sla.histograms import Cells, edges
from kycgate.sla.special import ndtri, stdtrit

Array = NDArray[np.float64]

DRAWS = 2_000
EXCHANGES = 500
DRIFTING = 4.0
"""Factor by which intervals widen for runs too short to show how long answers depend on each other."""


class Sample(NamedTuple):
    """One step of one run: how many samples each second has in each cell, and the cells' middles in log µs."""

    counts: Array
    values: Array


class Estimate(NamedTuple):
    """Log changes with their simultaneous intervals and standard errors, (asked,).

    `block_s` seconds were drawn together; `outlasted` says that a run drifts over longer times than it can show, for
    which the intervals are `DRIFTING` times as wide.
    """

    change: Array
    low: Array
    high: Array
    block_s: int
    spread: Array
    outlasted: bool


class _Side(NamedTuple):
    point: Array
    deviations: Array
    blocks: int
    block_s: int
    outlasted: bool


def sample_of(seconds: Mapping[int, Cells], length_s: int) -> Sample:
    """From the cells of each second."""
    places = np.unique(np.concatenate([cells.places for cells in seconds.values()]))
    counts = np.zeros((length_s, len(places)))
    for second, cells in seconds.items():
        counts[second, np.searchsorted(places, cells.places)] = cells.counts
    low, high = edges()
    return Sample(counts, np.log(np.maximum((low[places] + high[places]) / 2, 0.5)))


def estimate(
    base: Sequence[Sample], new: Sequence[Sample], asked: Sequence[tuple[int, float]], confidence: float, seed: int
) -> Estimate:
    """The change of each (number of the sample, share) in `asked`: new over base, in logarithms."""
    rng = np.random.default_rng(seed)
    before, after = (_side(rng, samples, asked) for samples in (base, new))
    change = after.point - before.point
    deviation = after.deviations - before.deviations
    # Cells are a thousandth wide: what varies less is not seen to vary.
    spread = np.maximum(np.sqrt((deviation**2).mean(0)), 1e-3)
    largest = np.abs(deviation / spread).max(1)
    miss, blocks = (1 - confidence) / 2, min(before.blocks, after.blocks)
    allowance = stdtrit(blocks - 1, miss) / ndtri(miss)
    outlasted = before.outlasted or after.outlasted
    # Twice as long, as what lasts for a block may lie across the ends of two.
    exchanged = _exchanged(rng, base, new, asked, change, 2 * max(before.block_s, after.block_s))
    by_exchange = np.quantile(np.abs(exchanged / spread).max(1), confidence)
    reach = spread * max(np.quantile(largest, confidence) * allowance, by_exchange) * (DRIFTING if outlasted else 1.0)
    return Estimate(change, change - reach, change + reach, max(before.block_s, after.block_s), spread, outlasted)


def _side(rng: np.random.Generator, samples: Sequence[Sample], asked: Sequence[tuple[int, float]]) -> _Side:
    length = len(samples[0].counts)
    block_s = max(_block_s(_away(sample)) for sample in samples)
    weights = _weights(rng, length, block_s)
    point, deviations = np.zeros(len(asked)), np.zeros((DRAWS, len(asked)))
    for number, sample in enumerate(samples):
        places = [place for place, (wanted, _) in enumerate(asked) if wanted == number]
        shares = [asked[place][1] for place in places]
        point[places] = quantiles(sample.counts.sum(0)[None], sample.values, shares)[0]
        # What such blocks are too short to show, the deviations are widened by.
        wider = math.sqrt(float(beyond(put_together(_away(sample), block_s))))
        drawn = quantiles(weights @ sample.counts, sample.values, shares)
        deviations[:, places] = wider * (drawn - point[places])
    outlasted = any(bool(outlasts(_away(sample))) for sample in samples)
    return _Side(point, deviations, length // block_s, block_s, outlasted)


def _exchanged(
    rng: np.random.Generator,
    base: Sequence[Sample],
    new: Sequence[Sample],
    asked: Sequence[tuple[int, float]],
    change: Array,
    block_s: int,
) -> Array:
    """The changes between two runs made of both runs' blocks in a drawn order, (`EXCHANGES`, asked).

    What few blocks hold, such as a stall, may have met one run alone by chance, whose own blocks cannot show that. A
    change of all answers alike is taken out first, as the least of the asked shares has it.
    """
    found = np.zeros((EXCHANGES, len(asked)))
    picked: Array | None = None
    for number, (one, other) in enumerate(zip(base, new, strict=True)):
        places = [place for place, (wanted, _) in enumerate(asked) if wanted == number]
        if not places:
            continue
        shares = [asked[place][1] for place in places]
        shift = change[places[int(np.argmin(shares))]]
        first, second = (_of_blocks(sample.counts, block_s) for sample in (one, other))
        values = np.concatenate([one.values, other.values - shift])
        order = values.argsort()
        pooled = np.zeros((len(first) + len(second), len(values)))
        pooled[: len(first), : len(one.values)], pooled[len(first) :, len(one.values) :] = first, second
        pooled = pooled[:, order]
        if picked is None:
            places_drawn = rng.permuted(np.tile(np.arange(len(pooled)), (EXCHANGES, 1)), axis=1)
            picked = (places_drawn < len(first)).astype(float)
        before, after = (quantiles(chosen @ pooled, values[order], shares) for chosen in (picked, 1 - picked))
        found[:, places] = after - before
    return found


def _of_blocks(counts: Array, block_s: int) -> Array:
    """The counts of consecutive seconds together; the last block may be shorter."""
    summed: Array = np.add.reduceat(counts, np.arange(0, len(counts), block_s), axis=0)
    return summed


def _away(sample: Sample) -> Array:
    """How far each second's log latencies are from the mean, summed."""
    total = sample.counts.sum(1)
    sums = sample.counts @ sample.values
    away: Array = sums - sums.sum() / total.sum() * total
    return away


def _block_s(away: Array) -> int:
    """The blocks that, with what they cannot show, say that the run varies most."""

    def variance(seconds: int) -> float:
        of_block = put_together(away, seconds)
        return float((of_block**2).mean() / seconds * beyond(of_block))

    return max(block_lengths(len(away)), key=variance)


def _weights(rng: np.random.Generator, length: int, block_s: int) -> Array:
    """How often each second is drawn, `DRAWS` times: blocks of consecutive seconds, round the end to the begin."""
    begins = rng.integers(0, length, (DRAWS, math.ceil(length / block_s)))
    drawn = ((begins[:, :, None] + np.arange(block_s)) % length).reshape(DRAWS, -1)[:, :length]
    places = drawn + length * np.arange(DRAWS)[:, None]
    return np.bincount(places.ravel(), minlength=DRAWS * length).reshape(DRAWS, length).astype(float)


def quantiles(counts: Array, values: Array, shares: Sequence[float]) -> Array:
    """The quantiles of each row, in log µs."""
    reached = np.cumsum(counts, axis=1)
    total = reached[:, -1:]
    found = [(reached >= np.maximum(np.ceil(share * total - 1e-9), 1)).argmax(1) for share in shares]
    drawn: Array = values[np.stack(found, axis=1)]
    return drawn
