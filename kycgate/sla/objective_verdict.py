"""From samples to a verdict.

Each objective is a share: "the q quantile is at most the limit" is "at least a share q is at most the limit",
counted from the raw histograms. Two hypotheses stand against each other: the share is less than promised, or it is
not. "Holds" rejects the first, "broken" the second; what rejects neither is not enough evidence.

The error is shared out over the objectives by Bonferroni, which holds however they depend on each other; Holm's
step-down is proven for verdicts in two directions only where they are independent (Shaffer, Annals of Statistics 8,
1980).
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kycgate.runs.model import ObjectiveResult
from kycgate.runs.percentile import rank_of
from kycgate.sla.blocks import MIN_BLOCKS, MIN_SECONDS, Seconds, design_effect, drifts, memory_s
from kycgate.sla.figures import LOAD_DIGITS, Figures, VerdictWord, bounds, fewest, ms_figures, sentence, share_figures
from kycgate.sla.histograms import edges, rank_us
from kycgate.sla.needs import unstated
from kycgate.sla.objectives import Method, Values, ranks, share_samples_needed
from kycgate.sla.policy import Latency, Policy, Reading, Sampled, share_of
from kycgate.sla.samples import Samples
from kycgate.text import counted

HOLDS, UNDECIDED, BROKEN = 1, 0, -1
_WORDS: dict[int, VerdictWord] = {
    HOLDS: "holds",
    BROKEN: "broken",
    UNDECIDED: "not enough evidence",
}


class Look(NamedTuple):
    """What a look at the samples gives; arrays when many runs are looked at together."""

    verdict: int | NDArray[np.int64]
    effect: Values


def decide(
    good: Values, unclear: Values, total: Values, effect: Values, share: float, miss: float, method: Method
) -> NDArray[np.int64]:
    """1 where the share is shown to be at least `share`, -1 where shown to be less, else 0.

    What is unclear is taken as bad for the first and as good for the second.
    """
    good, bad, unclear = np.asarray(good) / effect, np.asarray(total - good - unclear) / effect, unclear / effect
    holds = method.above(good, bad + unclear, share) <= miss
    broken = method.below(good + unclear, bad, share) <= miss
    return np.where(holds, HOLDS, np.where(broken, BROKEN, UNDECIDED))


def look(seconds: Seconds, bursts_s: float | None, share: float, miss: float, method: Method) -> Look:
    """The verdict from samples in time.

    `bursts_s` is the policy's word on how long answers hang together (see `memory_s`). Unless it is 0, that is also
    measured, and nothing is decided in fewer than `MIN_SECONDS`; where it is unstated, no run that drifts holds.
    """
    total, good, unclear = (column.sum(-1) for column in seconds[:3])
    length = seconds.total.shape[-1]
    effect = np.ones(np.shape(total))
    if bursts_s != 0:
        effect = np.maximum(effect, total / max(length, 1) * memory_s(bursts_s, length))
        if length < MIN_SECONDS:
            return Look(np.full(np.shape(total), UNDECIDED), effect)
        effect = np.maximum(design_effect(seconds, miss), effect)
    verdict = decide(good, unclear, total, effect, share, miss, method)
    if bursts_s is None:
        verdict = np.where((verdict == HOLDS) & drifts(seconds), UNDECIDED, verdict)
    return Look(verdict, effect)


def look_at(samples: Samples, policy: Policy, method: Method, *, until: int | None = None) -> Look:
    """The verdict on one objective, from the first `until` seconds or all."""
    objective, share, miss = samples.objective, share_of(samples.objective), 1 - policy.each
    if samples.timed:
        seconds = samples.seconds()
        return look(seconds if until is None else seconds.until(until), _bursts_s(objective), share, miss, method)
    effect = samples.alike
    verdict = decide(samples.good, samples.unclear, samples.total, effect, share, miss, method)
    if not isinstance(objective, Reading) and objective.bursts_s != 0:
        # Without its seconds a run cannot show how its answers hang together.
        verdict = np.where(verdict == HOLDS, UNDECIDED, verdict)
    return Look(verdict, effect)


def _bursts_s(objective: Sampled) -> float | None:
    return None if isinstance(objective, Reading) else objective.bursts_s


def result_of(samples: Samples, seen: Look, policy: Policy, method: Method) -> ObjectiveResult:
    """The verdict with its figures and what it rests on."""
    objective, n, effect = samples.objective, samples.total, float(seen.effect)
    verdict = _WORDS[int(seen.verdict)]
    figures = _latency_figures if isinstance(objective, Latency) else _share_figures
    undecided = verdict == "not enough evidence"
    needed = _needed(samples, effect, policy, method) if undecided else None
    return ObjectiveResult(
        id=objective.id,
        sentence=sentence(objective),
        verdict=verdict,
        confidence=policy.each,
        samples=n,
        needed=needed,
        lacks=_lacks(samples, effect, policy, method, needed) if undecided else "",
        stands_on="" if undecided else _stands_on(samples),
        method=method.words + (_ORDER if isinstance(objective, Latency) else "") + (_EFFECT if effect > 1 else ""),
        source=method.source + (_ORDER_SOURCE if isinstance(objective, Latency) else "")
        + (_EFFECT_SOURCE if effect > 1 else ""),
        correction=policy.correction,
        effective=round(n / effect, 1),
        stands_s=None if undecided else _stands_s(samples, seen, policy, method),
        note=_note(samples, effect),
        **figures(samples, effect, policy.each, method),
    )  # fmt: skip


_ORDER, _ORDER_SOURCE = "; order statistics", "; David and Nagaraja 2003, 7.1"
_EFFECT, _EFFECT_SOURCE = "; of effective samples by blocks of time", "; Kish 1965; Korn and Graubard 1998"


def _share_figures(samples: Samples, effect: float, confidence: float, method: Method) -> Figures:
    n = samples.total
    low, high = bounds(samples.good, n, effect, confidence, method)
    value = samples.good / n if n else None
    return share_figures(value, low, high, share_of(samples.objective), digits=LOAD_DIGITS)


def _latency_figures(samples: Samples, effect: float, confidence: float, method: Method) -> Figures:
    objective, n = samples.objective, samples.total
    assert isinstance(objective, Latency)  # noqa: S101 - its only caller has looked
    lower, upper = ranks(n, share_of(objective), effect, confidence, method)
    low, high = rank_ms(samples, lower, highest=False), rank_ms(samples, upper, highest=True)
    value = rank_ms(samples, rank_of(share_of(objective), n), highest=True) if n else None
    figures = ms_figures(value, low, high if math.isfinite(high) else None, objective.limit_ms)
    if not n:
        # Without a sample nothing bounds it, though no time is below 0.
        figures["low"] = None
    return figures


def rank_ms(samples: Samples, rank: int, *, highest: bool) -> float:
    """An edge of the `rank`-th smallest sample's cell, cut at the limit where its side of it is known."""
    assert isinstance(samples.objective, Latency)  # noqa: S101 - its only caller has looked
    value, limit_us = rank_us(samples.counts, rank, highest=highest), samples.objective.limit_us
    if samples.unclear or not 1 <= rank <= samples.total:
        return value / 1e3
    return (min(value, limit_us) if rank <= samples.good else max(value, limit_us + 1)) / 1e3


def _needed(samples: Samples, effect: float, policy: Policy, method: Method) -> int | None:
    """Samples still lacking if the share stays as it is; None where no number of them would decide."""
    objective = samples.objective
    share, miss, n = share_of(objective), 1 - policy.each, samples.total
    good, unclear = (samples.good / n, samples.unclear / n) if n else (1.0, 0.0)

    def decided(total: int) -> bool:
        worth = effect
        if _measured(samples) and not isinstance(objective, Reading) and objective.bursts_s is None:
            # What a run of any length is worth at most where the policy does not state how answers hang together.
            worth = max(effect, total / MIN_BLOCKS)
        return bool(decide(total * good, total * unclear, total, worth, share, miss, method) != UNDECIDED)

    if not samples.timed and not isinstance(objective, Reading) and objective.bursts_s != 0:
        return None
    enough = fewest(decided, n)
    if enough is None:
        return None
    seconds_lacking = MIN_SECONDS - samples.length_s if _measured(samples) else 0
    more = max(enough - n, math.ceil(seconds_lacking * n / max(samples.length_s, 1)))
    # Enough of them that nevertheless decide nothing: the run drifts.
    return more or None


def _lacks(samples: Samples, effect: float, policy: Policy, method: Method, needed: int | None) -> str:
    """Why it is not decided, the reason first, and what it takes."""
    objective, n, length = samples.objective, samples.total, samples.length_s
    if not n:
        return "nothing was measured"
    if isinstance(objective, Reading):
        return f"{n:,} readings are worth {n / effect:,.0f} independent ones: {needed:,} more" if needed else ""
    if not samples.timed and objective.bursts_s != 0:
        return (
            "the run does not hold its seconds, so it cannot show how long answers hang together (bursts_s = 0 in the "
            "policy takes each answer as independent)"
        )
    if samples.unclear > 0 and needed is None and objective.kind == "latency":
        return cut_words(samples)
    rate = n / max(length, 1)
    if samples.timed and objective.bursts_s is None and (needed is None or length < MIN_SECONDS):
        at_best = share_samples_needed(share_of(objective), policy.each)
        return unstated(at_best)
    if needed is None:
        return "no run that goes on like this one decides it"
    if not samples.timed or not _measured(samples):
        return f"{n:,} samples are too few: {counted(needed, 'sample')} more"
    seconds = length + math.ceil(needed / rate)
    why = f"{length} s are worth {n / effect:,.1f} independent answers"
    if objective.bursts_s and effect <= rate * objective.bursts_s * 1.001:
        why += f" when answers may hang together for {objective.bursts_s:g} s, as the policy states"
    elif effect > 1:
        why += ", as they hang together"
    return f"{why}: a run of about {seconds:,} s would do"


def cut_words(samples: Samples) -> str:
    """That the limit lies within a cell of the histogram, and the limits that do not."""
    assert isinstance(samples.objective, Latency)  # noqa: S101 - its only caller has looked
    limit_us = samples.objective.limit_ms * 1e3
    low, high = edges()
    place = int(np.searchsorted(high, limit_us))
    if place >= len(high):
        return f"{samples.unclear:,} samples lie at the histogram's end: set a limit below {high[-1] / 1e3:g} ms"
    return (
        f"{samples.unclear:,} samples lie in the histogram's cell around the limit ({low[place] / 1e3:g} to "
        f"{high[place] / 1e3:g} ms), and the run did not count them by this limit: set it to "
        f"{(low[place] - 1) / 1e3:g} or {high[place] / 1e3:g} ms, or measure with this policy"
    )


def _stands_on(samples: Samples) -> str:
    """What the verdict takes for granted, for readers who know no statistics."""
    objective, length = samples.objective, samples.length_s
    if isinstance(objective, Reading):
        return "for cards like those that were shown"
    when = f"for what {length:,} s of load showed" if samples.timed else "for this load"
    if objective.bursts_s is None:
        return f"{when}, if a disturbance lasts at most {length / MIN_BLOCKS:.2g} s"
    if objective.bursts_s == 0:
        return f"{when}, if each answer fails or is slow by itself alone, as the policy states: outages are not covered"
    return f"{when}, if a disturbance lasts at most {objective.bursts_s:g} s, as the policy states"


def _measured(samples: Samples) -> bool:
    return samples.timed and _bursts_s(samples.objective) != 0


def _stands_s(samples: Samples, seen: Look, policy: Policy, method: Method) -> float | None:
    """How long answers may hang together until the verdict falls: as if each such time held one sample."""
    if not samples.timed or not samples.length_s:
        return None
    share, miss = share_of(samples.objective), 1 - policy.each

    def stands(effect: float) -> bool:
        verdict = decide(samples.good, samples.unclear, samples.total, effect, share, miss, method)
        return bool(verdict == seen.verdict)

    low, high = float(seen.effect), float(samples.total)
    if not stands(low):  # decided at an earlier look
        return None
    for _ in range(50):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if stands(middle) else (low, middle)
    return float(f"{low * samples.length_s / samples.total:.2g}")


def _note(samples: Samples, effect: float) -> str:
    objective = samples.objective
    if isinstance(objective, Reading):
        alike = "The fields of one card count as one sample, and each different picture once."
        return f"{alike} {samples.total:,} readings are worth {samples.total / effect:,.0f}." if effect > 1 else ""
    if objective.at_rate is not None and not samples.total:
        return f"No second is recorded in which {objective.at_rate:g} onboardings/s were due."
    if not samples.timed:
        return "Not every run holds its seconds: whether answers hang together could not be checked."
    if objective.bursts_s == 0:
        return "Each answer is taken as independent, as the policy says."
    if samples.length_s < MIN_SECONDS:
        return f"{samples.length_s} s are too few to see whether answers hang together: it takes {MIN_SECONDS}."
    if bool(drifts(samples.seconds())):
        return "The run is shorter than what it shows of itself: it drifts, or comes and goes, over longer times."
    return f"{samples.total:,} samples are worth {samples.total / effect:,.0f} independent ones." if effect > 1 else ""
