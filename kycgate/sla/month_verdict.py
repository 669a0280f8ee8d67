"""The verdict on an objective that is a share of a period's probes, and on the longest time that any of them took.

The period is fixed: at each of its moments the vendor either was there or was not, and how outages hang together is a
part of what is measured, no disturbance of it. What is random is at which moments the probes came (`--jitter`). Probes
at moments drawn independently are trials with a chance each of their own, and exact binomial bounds of their sum are on
the safe side whatever those chances are (Hoeffding, Annals of Mathematical Statistics 27, 1956). That is a statement
about this period alone, which is what a service credit is owed for.

Time without probes counts as unknown, not as up: with a share g of it, a share s of the rest may be as low as
s(1 - g) and as high as s(1 - g) + g (Manski, Partial Identification of Probability Distributions, 2003). A period that
is not over has all that is to come unknown.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeGuard

import numpy as np
from numpy.typing import NDArray

from kycgate.probing.probe import Probe
from kycgate.runs.flow_model import before_it_was_recorded
from kycgate.runs.model import ObjectiveResult
from kycgate.sla.figures import (
    MONTH_DIGITS,
    Figures,
    VerdictWord,
    bounds,
    fewest,
    ms_figures,
    sentence,
    share_figures,
)
from kycgate.sla.objectives import EXACT, first
from kycgate.sla.policy import Availability, Latency, MaxLatency, Policy, Sampled, share_of
from kycgate.sla.probe_latency import latency_us
from kycgate.sla.watch import View

METHOD = f"{EXACT.words}, of a fixed {{noun}} looked at in moments drawn at random; unwatched time is unknown"
_BY_SPACING = "; at the lower end by the time between good probes"
_STATED = "if no outage is shorter than the policy states (outage_from_s)"
LONGEST_METHOD = "the longest of all that were measured; no chance has a part in it"
SOURCE = f"{EXACT.source}; Hoeffding 1956; Manski 2003"


@dataclass(frozen=True)
class Evidence:
    """What objectives are judged from: a view of the period, and what each verdict is to say of it."""

    view: View
    note: str
    noun: str
    """Month, quarter or year."""
    most_down_s: float | None = None
    """The most that the vendor was down by what the policy states of its outages; None where it states nothing."""

    @cached_property
    def _weights(self) -> dict[int, float]:
        return dict(zip(map(id, self.view.clear), self.view.weights.tolist(), strict=True))

    @property
    def down(self) -> float:
        """The share of the time that counts in which the vendor was down for certain."""
        return self.view.down_s / self.view.total_s if self.view.total_s else 0.0

    @property
    def least_up(self) -> float:
        """The least share of the time in which the vendor was up, by the time between good probes; 0 if unknown."""
        if self.most_down_s is None or not self.view.total_s:
            return 0.0
        return 1 - (self.most_down_s + self.view.to_come_s) / self.view.total_s

    def weigh(self, probes: Sequence[Probe]) -> NDArray[np.float64]:
        """Weights that sum up to the number of independent probes that these are worth."""
        weights = np.array([self._weights[id(probe)] for probe in probes])
        return weights * (weights.sum() / (weights**2).sum()) if len(weights) else weights


def judge_share(objective: Sampled, policy: Policy, month: Evidence) -> ObjectiveResult:
    """Whether the share is as promised."""
    there = [probe for probe in month.view.clear if probe.verdict != "unavailable"]
    # All uploads of one probe are one moment: its answers count as one sample.
    alike = 1.0
    values: list[int] = []
    stated = False
    counted: Sequence[Probe]
    if isinstance(objective, Latency):
        taken = _taken(objective, month.view.clear)
        values, counted = [value for value, _ in taken], [probe for _, probe in taken]
        alike = float(len(_steps(objective, month.view.clear)))
        good = np.array(values) <= objective.limit_ms * 1e3
    elif isinstance(objective, Availability) and objective.step is not None:
        answered = [
            (taken.status is not None and taken.status < 500, probe)
            for probe in month.view.clear
            for taken in probe.steps
            if taken.step == objective.step
        ]
        counted, good = [probe for _, probe in answered], np.array([was for was, _ in answered], dtype=bool)
    elif objective.kind == "availability":
        counted, good = month.view.clear, np.array([probe.verdict != "unavailable" for probe in month.view.clear])
    else:
        counted, good = there, np.array([probe.verdict == "kept" for probe in there])
    weights = month.weigh(counted)
    n, worth = len(counted), float(weights.sum())
    limit, each, unknown = share_of(objective), policy.each, month.view.unknown
    within = float(weights[good].sum()) if n else 0.0
    low, high = bounds(within, worth, alike, each, unknown=unknown)
    if is_of_all(objective):
        # From the first to the last failed probe of an outage it was down, whatever chance did.
        high = max(min(high, 1 - month.down), low)
        by_spacing = month.least_up
        stated = by_spacing > low
        low = min(max(low, by_spacing), high)
    verdict = verdict_of(low, high, limit)
    undecided = verdict == "not enough evidence"
    needed = _needed(within, worth, alike, each, unknown, limit) if undecided and not month.view.over else None
    return ObjectiveResult(
        id=objective.id,
        sentence=sentence(objective, of_probes=True),
        verdict=verdict,
        confidence=each,
        samples=n,
        needed=needed,
        lacks=_lacks(month, needed) if undecided else "",
        stands_on="" if undecided else f"for this {month.noun}, {_STATED if stated else 'as far as it was watched'}",
        method=METHOD.format(noun=month.noun) + (_BY_SPACING if stated else ""),
        source=SOURCE,
        correction=policy.correction,
        effective=round(worth / alike, 6),
        note=month.note,
        **(
            _in_ms(objective, values, weights, alike, each, unknown)
            if isinstance(objective, Latency)
            else share_figures(within / worth if worth else None, low, high, limit, digits=MONTH_DIGITS)
        ),
    )  # fmt: skip


def _lacks(month: Evidence, needed: int | None) -> str:
    """Why it is undecided; of a month that is over nothing can be measured any more."""
    if month.view.over:
        gap = f", and {month.view.unknown:.2%} of the time was not watched" if month.view.unknown else ""
        open_ = f"the {month.noun} is over, and its probes leave both sides possible{gap}"
        return f"{open_}: probe more often next {month.noun}"
    if needed:
        return f"the {month.noun} is not over: {needed:,} probes more would do if all goes on like this"
    return f"the {month.noun} is not over: too much is unknown until it ends"


def _needed(good: float, n: float, alike: float, confidence: float, unknown: float, limit: float) -> int | None:
    """Probes still lacking if all goes on as it did; None where no number of them would do, as too much is unknown."""
    share = good / n if n else 1.0

    def decided(total: int) -> bool:
        low, high = bounds(total * share, total, alike, confidence, unknown=unknown)
        return verdict_of(low, high, limit) != "not enough evidence"

    enough = fewest(decided, math.ceil(n))
    return None if enough is None else max(enough - math.ceil(n), 1)


def _in_ms(
    objective: Latency,
    values: Sequence[int],
    weights: NDArray[np.float64],
    alike: float,
    confidence: float,
    unknown: float,
) -> Figures:
    """The percentile's bounds, exact to the microsecond: what is unknown may all have been slower, or all faster."""
    q = share_of(objective)
    low = high = value = None
    if values:
        order = np.argsort(values, kind="stable")
        ordered = np.asarray(values, dtype=float)[order] / 1e3
        reached = np.concatenate([[0.0], np.cumsum(weights[order])])
        worth = float(reached[-1])
        value = float(ordered[np.searchsorted(reached[1:], q * worth - 1e-9)])
        if unknown < 1:
            upper, lower = q / (1 - unknown), (q - unknown) / (1 - unknown)
            miss, most = 1 - confidence, len(values)

            def seen(place: int) -> tuple[float, float]:
                return float(reached[place]) / alike, (worth - float(reached[place])) / alike

            # Both tests are monotone in the good ones.
            enough = most + 1
            if upper < 1:
                enough = first(most, lambda place: EXACT.above(*seen(place), upper) <= miss, most * upper)
            high = float(ordered[enough - 1]) if enough <= most else None
            above = first(most, lambda place: EXACT.below(*seen(place), lower) > miss, most * lower) if lower > 0 else 0
            low = float(ordered[above - 1]) if above else 0.0
    return ms_figures(value, low, high, objective.limit_ms)


def verdict_of(low: float, high: float, limit: float) -> VerdictWord:
    """By the bounds of a share that is to be at least `limit`."""
    return "holds" if low >= limit else "broken" if high < limit else "not enough evidence"


def _steps(objective: Latency | MaxLatency, probes: Sequence[Probe]) -> tuple[str, ...]:
    """The steps that it is about; a period in which no probe came to its second upload is judged as any other."""
    seen = (step.step for probe in probes for step in probe.steps)
    return objective.steps_among((*before_it_was_recorded().uploads, *seen))


def _taken(objective: Latency | MaxLatency, probes: Sequence[Probe]) -> list[tuple[int, Probe]]:
    """Microseconds of each of its steps, and of which probe."""
    steps = _steps(objective, probes)
    return [
        (value, probe)
        for probe in probes
        for step in steps
        if (value := latency_us(probe, step, objective.clock)) is not None
    ]


def is_of_all(objective: object) -> TypeGuard[Availability]:
    """Whether it is the availability of the whole: an outage is one of that, and not of each step."""
    return isinstance(objective, Availability) and objective.step is None


def judge_longest_time(objective: MaxLatency, month: Evidence) -> ObjectiveResult:
    """Whether any probe took longer. That none did shows nothing of the requests that were no probes."""
    values = [value for value, _ in _taken(objective, month.view.clear)]
    longest = max(values) / 1e3 if values else None
    broken = longest is not None and longest * 1e3 > objective.limit_us
    return ObjectiveResult(
        id=objective.id,
        sentence=sentence(objective, of_probes=True),
        verdict="broken" if broken else "not enough evidence",
        confidence=1.0,
        samples=len(values),
        lacks=""
        if broken
        else "no probe took longer, and probes are few of all requests: no number of them shows a "
        "maximum to hold, so promise a percentile, or judge a load run by it",
        stands_on=f"for this {month.noun}, by the slowest probe" if broken else "",
        method=LONGEST_METHOD,
        **ms_figures(longest, longest, None, objective.limit_ms),
    )
