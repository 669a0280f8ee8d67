"""How many samples each objective of a policy needs, before anything is sent."""

import math
from bisect import bisect_left
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kycgate.sla.blocks import MIN_BLOCKS, MIN_SECONDS
from kycgate.sla.martingale import ANYTIME
from kycgate.sla.objectives import EXACT, MOST_SAMPLES, Method, first, share_samples_needed
from kycgate.sla.policy import (
    Availability,
    LongestOutage,
    MaxLatency,
    OutageCount,
    Policy,
    Reading,
    Sampled,
    Throughput,
    share_of,
)
from kycgate.text import lasting

POWER = 0.8
_NEGLIGIBLE = 1e-9


class Need(NamedTuple):
    """Independent samples that show one objective: of a fixed number, and where the run stops as soon as it may.

    `at_best` when none fails; `usually` and `early` when half as many fail as may: with probability `POWER` in a run of
    fixed length, and on average in one that stops early. None is more than `MOST_SAMPLES`.

    `seconds` is the shortest run that shows it, whatever its rate, when none fails: 0 where the policy takes answers as
    independent, infinite where it states no `bursts_s` and a run is worth too few independent answers without it.
    """

    objective: str
    what: str
    per_onboarding: int
    at_best: int
    usually: int | None
    early_at_best: int
    early: int | None
    seconds: float = 0.0
    stops: bool = True
    """Whether a run may stop by it: the availability of one step is counted after the run."""

    def lasts_s(self, rate: float) -> float:
        """The shortest run that shows it at this many onboardings a second, when none fails; seconds."""
        return max(self.seconds, self.at_best / (self.per_onboarding * rate))


def plan(policy: Policy) -> list[Need]:
    """What it takes to decide each objective."""
    needs = []
    for objective in policy.sampled:
        share, miss = share_of(objective), 1 - policy.each
        at_best = share_samples_needed(share, policy.each)
        needs.append(
            Need(
                objective.id,
                *_counted(objective),
                at_best,
                _usually(share, miss, at_best),
                _needed_with(0, share, miss, ANYTIME),
                _early(share, miss),
                _seconds(objective, miss),
                stops=not (isinstance(objective, Availability) and objective.step is not None),
            )
        )
    return needs


def beside(policy: Policy) -> dict[str, str]:
    """What it takes to decide the objectives that are not shares of samples, by id, in words."""
    said = {}
    for one in policy.objective:
        if isinstance(one, Throughput):
            more = f"more than {one.at_least_per_s:g} {one.of} a second, a tenth more at best"
            said[one.id] = f"a load of fixed length that asks for {more}, for {MIN_SECONDS} s or longer"
        elif isinstance(one, MaxLatency):
            said[one.id] = "one load run shows it for its own requests; no number of probes shows it for a month"
        elif isinstance(one, LongestOutage | OutageCount):
            apart = one.at_most_s if isinstance(one, LongestOutage) else one.lasting_s
            said[one.id] = f"probes at most {lasting(apart / 2)} apart, jitter included, through the whole period"
    return said


def too_short(policy: Policy, rate: float, duration_s: float) -> list[str]:
    """The objectives that a load of this rate (onboardings/s) and length cannot show to hold, and why; a line each."""
    said = [
        f"{one.id} cannot be shown to hold by {rate:g} onboardings a second: it takes more than {one.at_least_per_s:g}"
        for one in policy.objective
        if isinstance(one, Throughput) and one.of == "onboardings" and rate < one.at_least_per_s
    ]
    for objective in policy.sampled:
        share = share_of(objective)
        at_best = share_samples_needed(share, policy.each)
        what, per_onboarding = _counted(objective)
        seconds = _seconds(objective, 1 - policy.each)
        samples = rate * duration_s * per_onboarding
        if math.isinf(seconds):
            said.append(f"{objective.id} cannot be shown to hold: {unstated(at_best)}")
        elif duration_s < seconds:
            said.append(f"{objective.id} cannot be shown to hold in {duration_s:g} s: it takes {seconds:,.0f} s")
        elif samples < at_best and not isinstance(objective, Reading):
            said.append(f"{objective.id} cannot be shown to hold by {samples:,.0f} {what}: it takes {at_best:,}")
    return said


def unstated(at_best: int) -> str:
    """Why no run shows an objective without a stated `bursts_s`, and what would do."""
    return (
        f"the policy does not state bursts_s (for how long a disturbance may last), so a run is worth at most "
        f"{MIN_BLOCKS} independent answers, and it takes {at_best:,}; with bursts_s = 10 a run of "
        f"{max(at_best * 10, MIN_SECONDS):,} s would do"
    )


def _seconds(objective: Sampled, miss: float) -> float:
    worth = math.log(miss) / math.log(share_of(objective))  # effective samples may be fractions
    if isinstance(objective, Reading) or objective.bursts_s == 0:
        return 0.0
    if objective.bursts_s is None:
        return MIN_SECONDS if worth <= MIN_BLOCKS else math.inf
    return max(MIN_SECONDS, math.ceil(worth * objective.bursts_s))


def _counted(objective: Sampled) -> tuple[str, int]:
    """What a sample is, and how many an onboarding gives."""
    if objective.kind == "latency":
        return ("uploads", 2) if objective.step == "upload" else (objective.step, 1)
    if objective.kind == "availability" and objective.step is not None:
        return (objective.step, 1)
    # The fields of one card count as one.
    return ("cards", 1) if objective.kind == "reading" else ("requests", 4)


def _needed_with(bad: int, share: float, miss: float, method: Method, near: int = 0) -> int:
    """The fewest samples, `bad` of them bad, that show `share`; at most `MOST_SAMPLES`. The search begins at `near`."""
    shown = first(MOST_SAMPLES, lambda n: method.above(n - bad, bad, share) <= miss, near or 2 * max(bad, 1), bad)
    return min(shown, MOST_SAMPLES)


def _usually(share: float, miss: float, at_best: int) -> int | None:
    """Samples that show `share` with probability `POWER` when half as many fail as may."""
    most = 0

    def shown(n: int) -> bool:
        nonlocal most
        # It is near to what it was for the number of samples that was asked before.
        most = first(n - 1, lambda bad: EXACT.above(n - bad, bad, share) > miss, most) - 1
        return bool(EXACT.below(most, n - most, (1 - share) / 2) >= POWER) if most >= 0 else False

    n = at_best
    while not shown(n):
        n *= 2
        if n > MOST_SAMPLES:
            return None
    return bisect_left(range(n), True, lo=max(n // 2, at_best), key=shown)


def _early(share: float, miss: float) -> int | None:
    """Samples on average until `share` is shown when half as many fail as may, looking after each one.

    Exact: with k failures it is shown at a known number of samples, so it is enough to follow how many failed at those.
    """
    bad_share, at, before, samples = (1 - share) / 2, 0, 0, 0.0
    left = np.ones(1)
    for bad in range(100_000):
        shown_at, before = _needed_with(bad, share, miss, ANYTIME, 2 * at - before), at
        if shown_at >= MOST_SAMPLES:
            return None
        # `left` is the probability of bad, bad + 1, … failures; those with fewer have been shown.
        left = np.convolve(left, chances_of(_most(shown_at - at, bad_share), shown_at - at, bad_share))
        samples += shown_at * float(left[0])
        left, at = left[1:], shown_at
        if left.sum() < _NEGLIGIBLE:
            return math.ceil(samples)
    return None


def _most(n: int, share: float) -> int:
    """More of `n` than this are next to never bad."""
    near = n * share + 7 * math.sqrt(n * share)
    return first(n - 1, lambda bad: EXACT.above(bad + 1, n - bad - 1, share) <= _NEGLIGIBLE / 1e3, near)


def chances_of(most: int, n: int, share: float) -> NDArray[np.float64]:
    """That 0, 1, … `most` of `n` are bad, (most + 1,): the binomial distribution."""
    bad = np.arange(most + 1)
    odds = np.log((n - bad[:-1]) / bad[1:] * (share / (1 - share)))
    chances: NDArray[np.float64] = np.exp(np.concatenate([[0.0], np.cumsum(odds)]) + n * math.log1p(-share))
    return chances
