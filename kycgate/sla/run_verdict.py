"""What a load run shows as a whole: how many it served a second, and the longest time of all.

Throughput is the mean over the seconds in which as many were asked for as are promised, bounded by the means of ten
blocks of time and Student's t (the method of batch means: Law and Kelton, Simulation Modeling and Analysis, 2000,
section 9.5.3). Who asked for less cannot say that less was served. The longest time is certain of what was measured.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kycgate.runs.load_model import WHOLE
from kycgate.runs.model import ObjectiveResult
from kycgate.sla.blocks import MIN_SECONDS
from kycgate.sla.figures import VerdictWord, ms_figures, rate_figures, sentence
from kycgate.sla.histograms import quantile_us
from kycgate.sla.month_verdict import LONGEST_METHOD
from kycgate.sla.objective_verdict import cut_words, rank_ms
from kycgate.sla.policy import Latency, MaxLatency, Policy, Throughput
from kycgate.sla.recording import Recording
from kycgate.sla.samples import Arrivals, Samples
from kycgate.sla.special import stdtrit

BLOCKS = 10
MEMORY = 10
"""How many times shorter than a block a disturbance must be for the bounds to hold, as the simulation shows."""
METHOD = f"batch means of {BLOCKS} blocks of time, Student's t, one-sided"
SOURCE = "Law and Kelton 2000"


class Served(NamedTuple):
    """By second in which the promised load was on: how many were served, and how many were asked for."""

    served: NDArray[np.float64]
    asked: NDArray[np.float64]


def served_in(recording: Recording, objective: Throughput) -> Served:
    """What one run served, without its beginning: what was asked for then had not come through yet."""
    load = recording.load
    due, done, requests, ended = (np.zeros(recording.length_s) for _ in range(4))
    for point in load.series:
        second = int(point.second)
        if point.step == WHOLE:
            due[second] += point.started
            done[second] += point.finished - point.failures
            ended[second] += point.finished
        else:
            requests[second] += point.finished - point.unavailable
    of_each = 1.0
    if objective.of == "requests":
        of_each, done = float(requests.sum() / max(ended.sum(), 1)), requests
    arrivals = Arrivals(objective.at_least_per_s / of_each if of_each else math.inf)
    on = []
    for number in due:
        arrivals.add(int(number))
        on.append(arrivals.now())
    last = int(np.flatnonzero(due)[-1]) if due.any() else -1
    counts = recording.histogram(WHOLE, "response")
    slow_s = math.ceil(quantile_us(counts, 0.99) / 1e6) if counts.any() else 0
    seconds = np.flatnonzero(np.array(on, dtype=bool)[: last + 1])
    seconds = seconds[min(slow_s, len(seconds) // 2) :]
    return Served(done[seconds], due[seconds] * of_each)


def bounds_of_mean(values: NDArray[np.float64], confidence: float) -> tuple[float, float]:
    """One-sided bounds of the mean of values that come one after the other, each at `confidence`."""
    size = len(values) // BLOCKS
    if not size:
        return 0.0, math.inf
    means = values[len(values) - size * BLOCKS :].reshape(BLOCKS, size).mean(axis=1)
    half = stdtrit(BLOCKS - 1, confidence) * float(means.std(ddof=1)) / math.sqrt(BLOCKS)
    return max(float(means.mean()) - half, 0.0), float(means.mean()) + half


def judge_throughput(objective: Throughput, recordings: Sequence[Recording], policy: Policy) -> ObjectiveResult:
    """Whether as many were served a second as promised, while they were asked for."""
    parts = [served_in(recording, objective) for recording in recordings]
    served, asked = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    n, limit = len(served), objective.at_least_per_s
    stopped = any(recording.stopped_by_its_outcome for recording in recordings)
    low, high = bounds_of_mean(served, policy.each)
    enough = n >= MIN_SECONDS and not stopped
    verdict: VerdictWord = (
        "holds" if enough and low >= limit
        else "broken" if enough and high < limit <= float(asked.mean())
        else "not enough evidence"
    )  # fmt: skip
    undecided = verdict == "not enough evidence"
    block_s = n // BLOCKS
    stands = f"for {n:,} s in which {asked.mean() if n else 0:.4g} a second were asked for"
    return ObjectiveResult(
        id=objective.id,
        sentence=sentence(objective),
        verdict=verdict,
        confidence=policy.each,
        samples=n,
        lacks=_lacks(objective, n, asked, stopped=stopped, low=low) if undecided else "",
        stands_on="" if undecided else f"{stands}, if a disturbance lasts at most {block_s / MEMORY:.2g} s",
        method=METHOD,
        source=SOURCE,
        correction=policy.correction,
        note="Seconds in which less was asked for than is promised do not count." if n else "",
        **rate_figures(float(served.mean()) if n else None, low, high, objective),
    )


def _lacks(objective: Throughput, n: int, asked: NDArray[np.float64], *, stopped: bool, low: float) -> str:
    limit = f"{objective.at_least_per_s:g} {objective.of} a second"
    if stopped:
        return "the run ended by its outcome, which may have been a moment of chance: send a load of fixed length"
    if not n:
        return f"the load never asked for {limit}: raise --rate"
    if n < MIN_SECONDS:
        return f"{n} s in which {limit} or more were asked for are too few: it takes {MIN_SECONDS}"
    if asked.mean() < objective.at_least_per_s * 1.1 and low < objective.at_least_per_s:
        return f"the load asked for {asked.mean():.4g} a second: ask for a tenth more than is to be shown, or longer"
    return f"what was served varied too much in {n:,} s: a longer load tells"


def judge_longest_of_run(objective: MaxLatency, recordings: Sequence[Recording]) -> ObjectiveResult:
    """Whether any sample took longer than the limit; all of them are counted."""
    asked = {"step": objective.step, "clock": objective.clock, "limit_ms": objective.limit_ms}
    samples = Samples(Latency.model_validate({"id": objective.id, "kind": "latency", "percentile": 50, **asked}))
    for recording in recordings:
        samples.add_run(recording)
    n, waiting = samples.total, sum(recording.load.in_flight for recording in recordings)
    over = n - samples.good - samples.unclear
    verdict: VerdictWord = (
        "broken" if over else "holds" if n and not samples.unclear and not waiting else "not enough evidence"
    )
    lacks = ""
    if verdict == "not enough evidence":
        lacks = (
            "nothing was measured" if not n
            else cut_words(samples) if samples.unclear
            else f"{waiting:,} onboardings had not ended when the load did, and may have taken longer"
        )  # fmt: skip
    longest = rank_ms(samples, n, highest=True) if n else None
    return ObjectiveResult(
        id=objective.id,
        sentence=sentence(objective),
        verdict=verdict,
        confidence=1.0,
        samples=n,
        lacks=lacks,
        stands_on={
            "holds": f"for the {n:,} samples of this load alone: others may take longer",
            "broken": f"for this load: {over:,} of {n:,} samples took longer",
        }.get(verdict, ""),
        method=LONGEST_METHOD,
        **ms_figures(longest, longest, longest if verdict == "holds" else None, objective.limit_ms),
    )
