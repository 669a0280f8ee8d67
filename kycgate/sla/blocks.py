"""How many independent samples answers that hang together are worth.

A slow second is slow for all who come in it, so answers close in time are alike and a thousand of them may say no
more than fifty independent ones. The seconds are put together to blocks of time. How much more the blocks' sums
vary than those of independent samples would is the design effect (Kish, Survey Sampling, 1965); n samples are worth
n divided by it, and exact bounds are taken of these effective samples, with Student's t for the few blocks that the
effect was learned from (Korn and Graubard, Survey Methodology 24, 1998, the rule of the US National Center for
Health Statistics).

The effect is the greatest over blocks of 1, 2, 4, ... seconds while there are at least `MIN_BLOCKS`, each continued to
longer ones where neighbouring blocks are still alike. Of latencies
it is also measured on their logarithms: what is over a limit hangs together no more than they do (for a Gaussian
process that is Gebelein's inequality), and where next to nothing was over the limit it could not be measured
otherwise.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kycgate.sla.special import ndtri, stdtrit

Array = NDArray[np.float64]

MIN_SECONDS = 60
"""Fewer seconds do not show whether answers depend on each other: the simulation needs these for a memory of 10 s."""
MIN_BLOCKS = 15
_MOST_ALIKE = 0.7


class Seconds(NamedTuple):
    """One objective's samples second by second; the last axis is time, axes before it are further runs.

    `unclear` are those in the histogram's cell that the limit cuts. `score` and `squares` are the sums of the samples'
    log latencies and of their squares; None for what has no latency.
    """

    total: Array
    good: Array
    unclear: Array
    score: Array | None = None
    squares: Array | None = None

    def until(self, second: int) -> "Seconds":
        """The first seconds alone."""
        return self._replace(
            **{name: column[..., :second] for name, column in self._asdict().items() if column is not None}
        )


def design_effect(seconds: Seconds, miss: float) -> NDArray[np.float64]:
    """The design effect, at least 1, with the allowance for few blocks at the one-sided error `miss`."""
    n = np.maximum(seconds.total.sum(-1), 1)
    bad = seconds.total - seconds.good
    share = bad.sum(-1) / n
    effect = _effect(bad, seconds.total, share, share * (1 - share), miss)
    if seconds.score is not None and seconds.squares is not None:
        mean = seconds.score.sum(-1) / n
        variance = seconds.squares.sum(-1) / n - mean**2
        effect = np.maximum(effect, _effect(seconds.score, seconds.total, mean, variance, miss))
    return effect


def _effect(sums: Array, total: Array, mean: Array, variance: Array, miss: float) -> NDArray[np.float64]:
    away = sums - mean[..., None] * total
    found = np.ones(sums.shape[:-1])
    # A spread that is nothing but rounding shows nothing.
    spread = np.where(variance > 1e-9, variance, np.inf)
    for seconds in block_lengths(sums.shape[-1]):
        of_block = put_together(away, seconds)
        blocks = of_block.shape[-1]
        n = np.maximum(total[..., : blocks * seconds].sum(-1), 1)
        ratio = blocks / (blocks - 1) * (of_block**2).sum(-1) / (n * spread)
        allowance = (stdtrit(blocks - 1, miss) / ndtri(miss)) ** 2
        found = np.maximum(found, ratio * allowance * beyond(of_block))
    return found


def memory_s(bursts_s: float | None, length_s: int) -> float:
    """For how long answers are taken to hang together, at least; seconds.

    As the policy states it. Unstated, for as long as a run of this length can show at all: its longest blocks. Failures
    that did not come, or that come seldom, show nothing of how long they last.
    """
    return length_s / MIN_BLOCKS if bursts_s is None else bursts_s


def drifts(seconds: Seconds) -> NDArray[np.bool_]:
    """Whether a run is shorter than what it shows of itself: a trend, a cycle, a memory at the cap of `beyond`."""
    n = np.maximum(seconds.total.sum(-1), 1)[..., None]
    columns = [seconds.total - seconds.good, *([] if seconds.score is None else [seconds.score])]
    found: NDArray[np.bool_] = np.any(
        [outlasts(column - column.sum(-1)[..., None] / n * seconds.total) for column in columns], axis=0
    )
    return found


def block_lengths(length_s: int) -> Iterator[int]:
    """1, 2, 4, ... seconds, while there are at least `MIN_BLOCKS`."""
    seconds = 1
    while length_s // seconds >= MIN_BLOCKS:
        yield seconds
        seconds *= 2


def put_together(column: Array, seconds: int) -> Array:
    """The sums over blocks of these seconds; a last block that is not whole is left out."""
    blocks = column.shape[-1] // seconds
    sums: Array = column[..., : blocks * seconds].reshape(*column.shape[:-1], blocks, seconds).sum(-1)
    return sums


def beyond(of_block: Array) -> Array:
    """How much more longer blocks would vary, where neighbouring ones are alike: as in a first-order autoregression.

    `of_block` are sums over blocks, (…, blocks); the result, (…), is a factor of their variance, at least 1.
    """
    alike, corrected = _alike(of_block)
    corrected = np.minimum(corrected, _MOST_ALIKE)
    factor: Array = np.where(alike > ndtri(0.95) / np.sqrt(of_block.shape[-1]), (1 + corrected) / (1 - corrected), 1.0)
    return factor


def outlasts(away: Array) -> NDArray[np.bool_]:
    """Whether a run shows a memory, trend or cycle that is too long for it: its longest blocks are still alike.

    `away` is how far each second's sum is from the mean, (…, seconds). `beyond` stops at its cap then.
    """
    lengths = list(block_lengths(away.shape[-1]))
    if not lengths:
        return np.zeros(away.shape[:-1], dtype=bool)
    found: NDArray[np.bool_] = _alike(put_together(away, lengths[-1]))[1] >= _MOST_ALIKE
    return found


def _alike(of_block: Array) -> tuple[Array, Array]:
    """The correlation of neighbouring blocks, as it is and corrected."""
    squares = np.maximum((of_block**2).sum(-1), 1e-300)
    alike = (of_block[..., 1:] * of_block[..., :-1]).sum(-1) / squares
    # The estimate is too small by (1 + 3 r) / n (Kendall, Biometrika 41, 1954).
    return alike, alike + (1 + 3 * alike) / of_block.shape[-1]
