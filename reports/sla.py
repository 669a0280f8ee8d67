"""Recorded runs against a policy.

"The q quantile is at most the limit" is "at least a share q of the samples is at most the limit": counted from the raw
histograms and judged by exact binomial bounds, it assumes no distribution and is what order statistics would say.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from hdrh.histogram import HdrHistogram
from scipy.stats import binom

from kycgate.errors import UsageError
from kycgate.reports.objectives import judge_share, share_bounds, share_samples_needed
from kycgate.reports.policy import Latency, Objective, Policy
from kycgate.run import LoadResult, ObjectiveResult, Run

POWER = 0.8
MOST_SAMPLES = 10_000_000


def judge(policy: Policy, runs: Sequence[Run]) -> list[ObjectiveResult]:
    """What these runs together say of each objective.

    Raises:
        UsageError: a run holds no load, or its histograms are damaged.
    """
    loads = [run.load for run in runs if run.load is not None]
    if len(loads) != len(runs):
        raise UsageError("a run without load has nothing to say of an SLA: make one with `kycgate load`")
    for load in loads:
        if not 0 <= load.unavailable + load.wrong_answers <= load.requests:
            raise UsageError("a run's counts contradict each other: more answers failed than requests were sent")
    return [_judge(objective, loads, policy.each) for objective in policy.objective]


def _judge(objective: Objective, loads: Sequence[LoadResult], confidence: float) -> ObjectiveResult:
    requests = sum(load.requests for load in loads)
    answered = requests - sum(load.unavailable for load in loads)
    if objective.kind == "availability":
        sentence = "Requests are answered without 5xx, time-out or broken connection."
        return judge_share(objective.id, sentence, answered, requests, objective.at_least, confidence)
    if objective.kind == "correctness":
        kept = answered - sum(load.wrong_answers for load in loads)
        return judge_share(objective.id, "Answers keep the contract.", kept, answered, objective.at_least, confidence)
    return _judge_latency(objective, loads, confidence)


def _judge_latency(objective: Latency, loads: Sequence[LoadResult], confidence: float) -> ObjectiveResult:
    within, over, between, values = _count(objective, loads)
    n, share = within + over + between, objective.percentile / 100
    # A histogram's cell that the limit cuts speaks for neither side.
    low = share_bounds(within, n, confidence)[0] if n else 0.0
    high = share_bounds(within + between, n, confidence)[1] if n else 1.0
    verdict = "holds" if low >= share else "broken" if high < share else "not enough evidence"
    measured = f"{values.get_value_at_percentile(objective.percentile) / 1e3:.1f} ms" if n else "nothing measured"
    return ObjectiveResult(
        id=objective.id,
        sentence=f"{objective.percentile:g}% of {objective.step} ({objective.clock} time) take at most the limit.",
        verdict=verdict,
        measured=measured,
        limit=f"at most {objective.limit_ms:g} ms",
        interval=f"{low:.2%} to {high:.2%} within the limit",
        confidence=confidence,
        samples=n,
        needed=max(share_samples_needed(share, confidence) - n, 1) if verdict == "not enough evidence" else None,
        method="exact binomial bounds of the share within the limit, one-sided",
        source="Clopper and Pearson 1934; David and Nagaraja 2003, 7.1",
    )


def _count(objective: Latency, loads: Sequence[LoadResult]) -> tuple[int, int, int, HdrHistogram]:
    """Samples within the limit, over it, and in the cell that it cuts; and all of them."""
    merged = HdrHistogram(1, 120_000_000, 3)
    for load in loads:
        for latency in load.latencies:
            if (latency.name, latency.clock) == (objective.step, objective.clock):
                try:
                    merged.decode_and_add(latency.histogram.encode())
                except Exception as error:  # noqa: BLE001 - the library raises whatever its parts raise
                    raise UsageError(f"the histogram of {latency.name} is damaged: {type(error).__name__}") from None
    limit_us = objective.limit_ms * 1e3
    counted: Counter[str] = Counter()
    for cell in merged.get_recorded_iterator():
        highest = cell.value_iterated_to
        lowest = merged.get_lowest_equivalent_value(highest)
        place = "within" if highest <= limit_us else "over" if lowest > limit_us else "between"
        counted[place] += cell.count_added_in_this_iter_step
    return counted["within"], counted["over"], counted["between"], merged


class Need(NamedTuple):
    """How many samples an objective needs: at best (none fails), and when half of the allowed failures happen."""

    objective: str
    what: str
    at_best: int
    usually: int | None


def plan(policy: Policy) -> list[Need]:
    """What it takes to decide each objective, before anything is sent."""
    needs = []
    for objective in policy.objective:
        share = objective.percentile / 100 if objective.kind == "latency" else objective.at_least
        what = f"of {objective.step}" if objective.kind == "latency" else "requests"
        at_best = share_samples_needed(share, policy.each)
        needs.append(Need(objective.id, what, at_best, _usually(share, policy.each, at_best)))
    return needs


def _usually(share: float, confidence: float, at_best: int) -> int | None:
    """Samples that show a share with probability `POWER` when only half of the allowed failures happen."""

    def shown(n: int) -> bool:
        low, high = 0, n
        while low < high:  # the most failures with which the share is still shown
            middle = (low + high + 1) // 2
            low, high = (middle, high) if share_bounds(n - middle, n, confidence)[0] >= share else (low, middle - 1)
        return bool(binom.cdf(low, n, (1 - share) / 2) >= POWER)

    n = at_best
    while not shown(n):
        n *= 2
        if n > MOST_SAMPLES:
            return None
    low, high = max(n // 2, at_best), n
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if shown(middle) else (middle + 1, high)
    return low
