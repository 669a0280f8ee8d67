"""How many independent samples answers that hang together are worth.

A slow second is slow for all who come in it, so answers close in time are alike and a thousand of them may say no
more than fifty independent ones. The seconds are put together to blocks of time. How much more the blocks' sums
vary than those of independent samples would is the design effect (Kish, Survey Sampling, 1965); n samples are worth
n divided by it, and exact bounds are taken of these effective samples, with Student's t for the few blocks that the
effect was learned from (Korn and Graubard, Survey Methodology 24, 1998, the rule of the US National Center for
Health Statistics).

The effect is the greatest over blocks of 1, 2, 4, ... seconds while there are at least `MIN_BLOCKS`. Of latencies
it is also measured on their logarithms: what is over a limit hangs together no more than they do (for a Gaussian
process that is Gebelein's inequality), and where next to nothing was over the limit it could not be measured
otherwise.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm
from scipy.stats import t as student

Array = NDArray[np.float64]

MIN_SECONDS = 30
"""Fewer seconds do not show whether answers hang together."""
MIN_BLOCKS = 15


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


def design_effect(seconds: Seconds, miss: float) -> Any:
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


def _effect(sums: Array, total: Array, mean: Array, variance: Array, miss: float) -> Any:
    length = sums.shape[-1]
    away = sums - mean[..., None] * total
    found = np.ones(sums.shape[:-1])
    # A spread that is nothing but rounding shows nothing.
    spread = np.where(variance > 1e-9, variance, np.inf)
    seconds = 1
    while (blocks := length // seconds) >= MIN_BLOCKS:
        shape = (*sums.shape[:-1], blocks, seconds)
        of_block = away[..., : blocks * seconds].reshape(shape).sum(-1)
        n = np.maximum(total[..., : blocks * seconds].sum(-1), 1)
        variance_ratio = blocks / (blocks - 1) * (of_block**2).sum(-1) / (n * spread)
        allowance = (student.ppf(miss, blocks - 1) / norm.ppf(miss)) ** 2
        found = np.maximum(found, variance_ratio * allowance)
        seconds *= 2
    return found
