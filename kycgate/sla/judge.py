"""Recorded runs against a policy.

A run of fixed length is judged by exact bounds, one that its own outcome may have stopped by bounds valid at any time.
"""

import hashlib
from collections.abc import Sequence
from typing import Literal

from kycgate.errors import UsageError
from kycgate.runs.load_model import Trend
from kycgate.runs.model import ObjectiveResult
from kycgate.sla.martingale import ANYTIME
from kycgate.sla.objective_verdict import look_at, result_of
from kycgate.sla.objectives import EXACT
from kycgate.sla.policy import LongestOutage, MaxLatency, OutageCount, Policy, Sampled, Throughput
from kycgate.sla.recording import Recording
from kycgate.sla.run_verdict import judge_longest_of_run, judge_throughput
from kycgate.sla.samples import Samples
from kycgate.sla.sequential import first_decided
from kycgate.sla.steady import ERROR, trends, words


def judge(policy: Policy, recordings: Sequence[Recording], *, anytime: bool = False) -> list[ObjectiveResult]:
    """What these runs together say of each objective.

    With `anytime` the verdicts hold however often one looks while runs are added. It is taken so by itself when a run
    was stopped by its outcome. Objectives on outages are of calendar periods, and left out (`not_of_runs`).

    Raises:
        UsageError: a run holds no load, is damaged, or is given twice.
    """
    refuse_twins(recordings)
    anytime = anytime or any(recording.stopped_by_its_outcome for recording in recordings)
    method = ANYTIME if anytime else EXACT
    results = []
    for objective in policy.objective:
        if isinstance(objective, Sampled):
            samples = Samples(objective)
            for recording in recordings:
                samples.add_run(recording)
            look = (first_decided(samples, policy) if anytime else None) or look_at(samples, policy, method)
            results.append(result_of(samples, look, policy, method))
        elif isinstance(objective, Throughput):
            results.append(judge_throughput(objective, recordings, policy))
        elif isinstance(objective, MaxLatency):
            results.append(judge_longest_of_run(objective, recordings))
    return _with_steadiness(results, policy, recordings)


def not_of_runs(policy: Policy) -> list[str]:
    """A note on the objectives that no load run is judged by; empty where there are none."""
    names = [one.id for one in policy.objective if isinstance(one, LongestOutage | OutageCount)]
    said = "Not judged here, as outages are of calendar periods: {}. Judge probes for it (kycgate sla --period)."
    return [said.format(", ".join(names))] if names else []


STEADY = "steady"
"""The objective that a policy with `unsteady = "fail"` adds."""
NO_STATE = "this run was not steady: its percentiles describe no steady state"


def _with_steadiness(
    results: list[ObjectiveResult], policy: Policy, recordings: Sequence[Recording]
) -> list[ObjectiveResult]:
    """A word at each percentile of an unsteady run; and whether it was steady, where the policy demands it."""
    found = [trend for recording in recordings for trend in trends(recording.load)]
    climbing = [trend for trend in found if not trend.steady]
    kinds = {objective.id: objective.kind for objective in policy.objective}
    for result in results if climbing else ():
        if kinds.get(result.id) == "latency":
            result.note = f"{result.note} {NO_STATE}".strip()
    if policy.unsteady == "fail":
        results.append(_steadiness(found, climbing))
    return results


def _steadiness(found: Sequence[Trend], climbing: Sequence[Trend]) -> ObjectiveResult:
    verdict: Literal["holds", "broken", "not enough evidence"]
    verdict = "broken" if climbing else "holds" if found else "not enough evidence"
    worst = max(found, key=lambda trend: (not trend.steady, abs(trend.change_ms)), default=None)
    return ObjectiveResult(
        id=STEADY,
        sentence="Response times neither climb nor fall through the run.",
        verdict=verdict,
        measured=f"{worst.change_ms:+.1f} ms through the run" if worst else "too few intervals",
        limit="no change that is sure and matters",
        interval=f"{worst.slope_low:+.3g} to {worst.slope_high:+.3g} ms a second" if worst else "unknown",
        confidence=1 - ERROR,
        samples=sum(trend.intervals for trend in found),
        method="Mann and Kendall on the medians of intervals, corrected for autocorrelation; Theil and Sen's slope",
        note="; ".join(words(trend) for trend in climbing),
    )


def refuse_twins(recordings: Sequence[Recording]) -> None:
    """The same run, or a copy of it, does not count as a second sample.

    Raises:
        UsageError: two of them measured the very same.
    """
    known: dict[str, Recording] = {}
    for recording in recordings:
        digest = hashlib.sha256(recording.load.model_dump_json().encode()).hexdigest()
        if digest in known:
            raise UsageError(f"{known[digest].name} and {recording.name} are the same run: it counts once")
        known[digest] = recording
