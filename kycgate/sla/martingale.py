"""A test of a share that may be looked at as often as one likes.

The evidence against "at most a share p is good" is the likelihood of what was seen, averaged over the shares above
p (Jeffreys' prior, cut off at p), against its likelihood at p. While the hypothesis is true this ratio is a
nonnegative supermartingale that begins at 1, so that the probability that it EVER reaches 1/a is at most a (Ville
1939): it may be looked at as often as one likes, and the run may be stopped for what was seen (Robbins, Annals of
Mathematical Statistics 41, 1970; Howard, Ramdas, McAuliffe and Sekhon, Annals of Statistics 49, 2021). Its
reciprocal serves as the p-value.
"""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from kycgate.sla.objectives import Method, Values
from kycgate.sla.special import betaincc, betaln, plain

_PRIOR = 0.5


def log_evidence(good: Values, bad: Values, share: float) -> NDArray[np.float64]:
    """The logarithm of the evidence against "at most `share` is good"."""
    if not plain(good, bad):
        good, bad = np.asarray(good, float), np.asarray(bad, float)
    with np.errstate(divide="ignore"):
        seen = betaln(_PRIOR + good, _PRIOR + bad) + np.log(betaincc(_PRIOR + good, _PRIOR + bad, share))
    found: NDArray[np.float64] = seen - _prior(share) - good * math.log(share) - bad * math.log1p(-share)
    return found


@lru_cache(maxsize=1024)
def _prior(share: float) -> float:
    return float(betaln(_PRIOR, _PRIOR) + math.log(betaincc(_PRIOR, _PRIOR, share)))


def _anytime_above(good: Values, bad: Values, share: float) -> NDArray[np.float64]:
    return np.exp(-np.maximum(log_evidence(good, bad, share), 0.0))


def _anytime_below(good: Values, bad: Values, share: float) -> NDArray[np.float64]:
    return _anytime_above(bad, good, 1 - share)


ANYTIME = Method(
    _anytime_above,
    _anytime_below,
    "beta-binomial mixture martingale, valid at any stopping time, one-sided",
    "Robbins 1970; Howard et al. 2021",
)
