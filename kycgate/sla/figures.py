"""What a verdict is said with, of a load run or a month: sentences, bounds, figures, samples still lacking."""

import math
from collections.abc import Callable
from typing import Literal, TypedDict

from kycgate.sla.objectives import EXACT, MOST_SAMPLES, Method, share_bounds
from kycgate.sla.policy import (
    LongestOutage,
    MaxLatency,
    Objective,
    OutageCount,
    Reading,
    Sampled,
    Throughput,
)
from kycgate.text import counted, lasting

LOAD_DIGITS, MONTH_DIGITS = 2, 3
"""After the point of a percentage: a month's shares lie nearer to 1."""


VerdictWord = Literal["holds", "broken", "not enough evidence"]


class Figures(TypedDict):
    """A verdict's numbers, in words and plain, as an ObjectiveResult has them."""

    measured: str
    limit: str
    interval: str
    unit: Literal["share", "ms", "s", "per s", "count"]
    value: float | None
    low: float | None
    high: float | None
    bound: float


def sentence(objective: Objective, *, of_probes: bool = False) -> str:
    """What the objective promises; probes count whole onboardings, where loads count requests and answers."""
    if isinstance(objective, LongestOutage):
        return f"No outage lasts longer than {lasting(objective.at_most_s)}."
    if isinstance(objective, OutageCount):
        most = f"are at most {counted(objective.at_most, 'outage')}" if objective.at_most else "is no outage"
        return f"There {most} of {lasting(objective.lasting_s)} or longer."
    if isinstance(objective, Throughput):
        limit = f"{objective.at_least_per_s:g} {objective.of}"
        return f"{limit} a second or more are served while as many are asked for."
    if isinstance(objective, MaxLatency):
        return f"None of the {_plural(objective.step)} ({objective.clock} time) takes longer than the limit."
    return _of_samples(objective, of_probes=of_probes)


def _plural(step: str) -> str:
    return {"upload": "uploads", "onboarding": "onboardings"}.get(step, f"{step} requests")


def _of_samples(objective: Sampled, *, of_probes: bool) -> str:
    at_rate = None if isinstance(objective, Reading) else objective.at_rate
    load = f" at {at_rate:g} onboardings/s or more" if at_rate is not None else ""
    if objective.kind == "availability":
        if objective.step is not None:
            return f"Requests to {objective.step} are answered without 5xx, time-out or broken connection{load}."
        if of_probes:
            return f"An onboarding meets no 5xx, no time-out and no broken connection{load}."
        return f"Requests are answered without 5xx, time-out or broken connection{load}."
    if objective.kind == "correctness":
        whose = "An onboarding's answers" if of_probes else "Answers"
        return f"{whose} keep the contract{load}."
    if objective.kind == "reading":
        what = objective.field or "Fields"
        which = "" if objective.degradation is None else f" with degradation {objective.degradation}"
        return f"{what} of known cards{which} are read as printed."
    step = "uploads" if objective.step == "upload" else objective.step
    return f"{objective.percentile:g}% of {step} ({objective.clock} time) take at most the limit{load}."


def bounds(
    good: float, n: float, effect: float, confidence: float, method: Method = EXACT, unknown: float = 0.0
) -> tuple[float, float]:
    """One-sided bounds of a share of `n` samples, `effect` of which are worth one; `unknown` of the time may be either.

    Of a share s of the known time the whole has from s(1 - unknown) to s(1 - unknown) + unknown (Manski 2003).
    """
    low, high = share_bounds(good / effect, n / effect, confidence, method)
    return low * (1 - unknown), high * (1 - unknown) + unknown


def _percent(share: float) -> str:
    """As many digits as the limit has, and no fewer than two."""
    return f"{share * 100:.10f}".rstrip("0").rstrip(".") + "%" if round(share, 4) != share else f"{share:.2%}"


def share_figures(value: float | None, low: float, high: float, limit: float, *, digits: int) -> Figures:
    """A share's figures, as an ObjectiveResult has them; `digits` after the point of its percentages.

    A load's limit has two digits or more, a month's as many as it takes.
    """
    said = _percent(limit) if digits == LOAD_DIGITS else f"{limit * 100:.10g}%"
    return {
        "measured": "nothing measured" if value is None else f"{value:.{digits}%}",
        "limit": f"at least {said}",
        "interval": f"{low:.{digits}%} to {high:.{digits}%}",
        "unit": "share",
        "value": value,
        "low": low,
        "high": high,
        "bound": limit,
    }


def ms_figures(value: float | None, low: float | None, high: float | None, limit_ms: float) -> Figures:
    """A percentile's figures in milliseconds, as an ObjectiveResult has them; None is unknown."""
    shown = ("unknown" if bound is None else f"{bound:.1f}" for bound in (low, high))
    return {
        "measured": "nothing measured" if value is None else f"{value:.1f} ms",
        "limit": f"at most {limit_ms:g} ms",
        "interval": f"{' to '.join(shown)} ms",
        "unit": "ms",
        "value": value,
        "low": low,
        "high": high,
        "bound": limit_ms,
    }


def rate_figures(value: float | None, low: float, high: float, objective: Throughput) -> Figures:
    """Of a throughput, a second; `high` is infinite where nothing bounds it."""
    return {
        "measured": "nothing measured" if value is None else f"{value:.4g} {objective.of} a second",
        "limit": f"at least {objective.at_least_per_s:g} a second",
        "interval": f"{low:.4g} to {f'{high:.4g}' if math.isfinite(high) else 'unknown'} a second",
        "unit": "per s",
        "value": value,
        "low": low,
        "high": high if math.isfinite(high) else None,
        "bound": objective.at_least_per_s,
    }


def outage_figures(longest: tuple[float, float] | None, low: float, high: float | None, limit_s: float) -> Figures:
    """Of the longest outage; seconds. `longest` is what it lasted at least and at most, None where none was seen.

    `high` is how long an outage may have been that was not seen whole, None where nothing bounds it.
    """
    seen = "no outage was seen" if longest is None else "lasted " + " to ".join(map(lasting, dict.fromkeys(longest)))
    return {
        "measured": seen,
        "limit": f"at most {lasting(limit_s)}",
        "interval": f"{lasting(low) if low else '0 s'} to {'unknown' if high is None else lasting(high)}",
        "unit": "s",
        "value": None if longest is None else sum(longest) / 2,
        "low": low,
        "high": high,
        "bound": limit_s,
    }


def count_figures(seen: int, low: int, high: int | None, limit: int, lasting_s: float) -> Figures:
    """Of a number of outages: `low` that were certainly long enough, and at most `high`; None is unbounded."""
    return {
        "measured": counted(seen, "outage") + f" of about {lasting(lasting_s)} or longer",
        "limit": f"at most {limit:,}",
        "interval": f"{low:,} to {'unknown' if high is None else f'{high:,}'}",
        "unit": "count",
        "value": float(seen),
        "low": float(low),
        "high": None if high is None else float(high),
        "bound": float(limit),
    }


def fewest(decided: Callable[[int], bool], at_least: int) -> int | None:
    """The fewest samples, `at_least` or more, that decide; None where `MOST_SAMPLES` do not."""
    total = max(at_least, 1)
    while not decided(total):
        if total >= MOST_SAMPLES:
            return None
        total = min(total * 2, MOST_SAMPLES)
    low, high = min(max(total // 2, at_least), total), total
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if decided(middle) else (middle + 1, high)
    return low
