"""Two recorded runs of the same load, before and after a release: what got slower, what faster, and by how much.

A change is one only when its whole interval lies beyond the smallest effect that matters, and nothing got slower only
when the whole interval ends below it: either is wrong no more often than promised. What two runs cannot tell is
how much the target varies from one run to the next: run the same twice and compare to learn it.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Literal, NamedTuple

from pydantic import BaseModel, Field

from kycgate import text
from kycgate.errors import ExitCode, UsageError
from kycgate.runs.load_model import WHOLE
from kycgate.sla.bootstrap import DRIFTING, Estimate, Sample, estimate, quantiles, sample_of
from kycgate.sla.needs import POWER
from kycgate.sla.recording import Recording
from kycgate.sla.special import ndtri

PERCENTILES = (50.0, 90.0, 95.0, 99.0)
FEWEST_SECONDS = 30
FEWEST_BEYOND = 10
"""Samples that must lie on the far side of a percentile: fewer do not show how it varies."""


class Change(BaseModel):
    """One percentile of one step; milliseconds, and the change as a share of base (0.1 is 10% slower).

    Shown is what the whole interval says: `slower` lies beyond the smallest change that matters, `not slower` ends
    below it, `faster` lies beyond it on the other side.
    """

    step: str
    percentile: float
    verdict: Literal["slower", "not slower", "faster", "not enough evidence"]
    base_ms: float | None = None
    new_ms: float | None = None
    change: float | None = None
    low: float | None = None
    high: float | None = None
    base_samples: int = 0
    new_samples: int = 0
    needed: int | None = Field(default=None, description="Samples that each run needs at least.")
    needed_s: float | None = Field(default=None, description="Seconds that would do for each run, most likely.")


class Comparison(BaseModel):
    """What two runs say of each other."""

    base: str
    new: str
    verdict: Literal["slower", "not slower", "not enough evidence", "void"]
    exit_code: int
    reason: str
    clock: str
    confidence: float = Field(description="Of all comparisons together.")
    min_effect: float = Field(description="The smallest change that matters, as a share.")
    changes: list[Change]
    notes: list[str]
    block_s: int = Field(description="Seconds that were drawn together; 0 when nothing was compared.")
    method: str = "circular block bootstrap of seconds; studentized maximum over all comparisons"
    source: str = "Politis and Romano 1992; Romano and Wolf 2005"


class Length(NamedTuple):
    """How long two runs must be to compare one percentile of one step; None: no length would do."""

    step: str
    percentile: float
    seconds: float | None


def compare(
    base: Recording,
    new: Recording,
    *,
    clock: str = "response",
    percentiles: Sequence[float] = PERCENTILES,
    min_effect: float = 0.05,
    confidence: float = 0.95,
    seed: int = 0,
) -> Comparison:
    """What changed from `base` to `new`: slower, not slower by more than `min_effect`, or not enough evidence.

    Raises:
        UsageError: a run holds no load, or is damaged.
    """
    runs = (base, new)
    changes, found = _estimated(runs, clock, percentiles, min_effect, confidence, seed)
    of = _by_verdict(changes)
    void = next((run.load.health.void for run in runs if run.load.health.void), "")
    most = _percent(min_effect)
    if void:
        word, code, reason = "void", ExitCode.UNCLEAR, f"a run is void: {void}"
    elif of["slower"]:
        word, code, reason = "slower", ExitCode.BROKEN, f"slower by more than {most}: {_names(of['slower'])}"
    elif short := [run for run in runs if run.length_s < FEWEST_SECONDS]:
        word, code, reason = "not enough evidence", ExitCode.UNCLEAR, " ".join(map(_too_short, short))
    elif not changes:
        word, code, reason = "not enough evidence", ExitCode.UNCLEAR, "no step was measured in both runs"
    elif of["not enough evidence"]:
        word, code = "not enough evidence", ExitCode.UNCLEAR
        reason = _what_lacks(of["not enough evidence"], most)
    else:
        word, code, reason = "not slower", ExitCode.KEPT, f"nothing got slower by more than {most}"
    return Comparison.model_validate(
        {
            "base": base.name, "new": new.name, "verdict": word, "exit_code": int(code), "reason": reason,
            "clock": clock, "confidence": confidence, "min_effect": min_effect, "changes": changes,
            "notes": [*_doubts(base, new), *_drifts(found)], "block_s": found.block_s if found else 0,
        }
    )  # fmt: skip


def lengths(
    run: Recording,
    *,
    clock: str = "response",
    percentiles: Sequence[float] = PERCENTILES,
    min_effect: float = 0.05,
    confidence: float = 0.95,
    seed: int = 0,
) -> list[Length]:
    """How long two runs like `run` must each be, for each step and percentile.

    So long, they show with probability `POWER` that nothing got slower by more than `min_effect` when nothing changed,
    and that something did when it got slower by twice as much.

    Raises:
        UsageError: the run holds no load, is damaged, or is too short to learn from.
    """
    if run.length_s < FEWEST_SECONDS:
        raise UsageError(_too_short(run))
    changes, _ = _estimated((run, run), clock, percentiles, min_effect, confidence, seed)
    return [Length(c.step, c.percentile, c.needed_s) for c in changes]


def _estimated(
    runs: tuple[Recording, Recording],
    clock: str,
    percentiles: Sequence[float],
    min_effect: float,
    confidence: float,
    seed: int,
) -> tuple[list[Change], Estimate | None]:
    """Each percentile of each step that either run measured, and the estimate of those that can be compared."""
    changes: list[Change] = []
    samples: tuple[list[Sample], list[Sample]] = ([], [])
    asked: dict[tuple[int, float], Change] = {}
    shortest = min(run.length_s for run in runs)
    for step in (*(step.id for step in runs[-1].run.flow.steps), WHOLE):
        found = [run.seconds(step, clock) or {} for run in runs]
        counts = [sum(int(cells.counts.sum()) for cells in seconds.values()) for seconds in found]
        if not any(counts):
            continue
        of_step = [_not_yet(step, percentile, counts, shortest) for percentile in percentiles]
        enough = [c for c in of_step if min(counts) >= (c.needed or 0)] if shortest >= FEWEST_SECONDS else []
        if enough:
            for taken, seconds, run in zip(samples, found, runs, strict=True):
                taken.append(sample_of(seconds, run.length_s))
            asked |= {(len(samples[0]) - 1, change.percentile / 100): change for change in enough}
        changes += of_step
    if not asked:
        return changes, None
    result = estimate(*samples, list(asked), confidence, seed)
    limit = math.log1p(min_effect)
    for place, ((number, share), change) in enumerate(asked.items()):
        size, low, high = (float(column[place]) for column in result[:3])
        change.base_ms, change.new_ms = (_percentile_ms(side[number], share) for side in samples)
        change.change, change.low, change.high = math.expm1(size), math.expm1(low), math.expm1(high)
        change.needed = None
        # The interval narrows with the root of the length. What is judged is at least the smallest change that matters
        # away from its limit when nothing changed, or when twice as much did.
        gap = max(limit, abs(size) - limit)
        reach = (high - low) / 2 + ndtri(POWER) * float(result.spread[place])
        change.needed_s = max(shortest * (reach / gap) ** 2, change.needed_s or 0) if gap > 0 else None
        if change.low > min_effect:
            change.verdict = "slower"
        elif change.high < -min_effect:
            change.verdict = "faster"
        elif change.high <= min_effect:
            change.verdict = "not slower"
    return changes, result


def _not_yet(step: str, percentile: float, counts: Sequence[int], length_s: int) -> Change:
    needed = math.ceil(FEWEST_BEYOND / (1 - percentile / 100) - 1e-9)
    rate = min(counts) / length_s
    return Change(
        step=step, percentile=percentile, verdict="not enough evidence", base_samples=counts[0],
        new_samples=counts[1], needed=needed, needed_s=max(needed / rate, FEWEST_SECONDS) if rate else None,
    )  # fmt: skip


def _by_verdict(changes: Sequence[Change]) -> dict[str, list[Change]]:
    found: dict[str, list[Change]] = defaultdict(list)
    for change in changes:
        found[change.verdict].append(change)
    return found


def _names(changes: Sequence[Change]) -> str:
    return ", ".join(f"{change.step} p{change.percentile:g}" for change in changes)


def _what_lacks(changes: Sequence[Change], most: str) -> str:
    """What was not shown, how much slower it may have got, and the length of run that would do."""
    missed = [change for change in changes if not min(change.base_samples, change.new_samples)]
    if missed:
        return f"too little was measured of {', '.join(dict.fromkeys(change.step for change in missed))}"
    highs = [change.high for change in changes if change.high is not None]
    by = f" (up to {_signed(max(highs))} is possible)" if highs else ""
    said = f"it was not shown that {_names(changes)} got no slower by more than {most}{by}"
    needs = [change.needed_s for change in changes]
    longest = max((need for need in needs if need is not None), default=None)
    return said if longest is None or None in needs else f"{said}; runs of about {seconds_words(longest)} each would do"


def seconds_words(seconds: float) -> str:
    """A length of run, rounded up to two digits."""
    step = 10 ** max(math.floor(math.log10(max(seconds, 1))) - 1, 0)
    return f"{math.ceil(seconds / step) * step:,} s"


def _drifts(found: Estimate | None) -> list[str]:
    if found is None or not found.outlasted:
        return []
    said = (
        "The latencies drift: neighbouring parts of a run are still alike over its longest blocks, so it is shorter "
        f"than what it shows of itself. All intervals are {DRIFTING:g} times as wide for it."
    )
    return [said]


def _percentile_ms(sample: Sample, share: float) -> float:
    return float(math.exp(quantiles(sample.counts.sum(0)[None], sample.values, [share])[0, 0]) / 1e3)


def _too_short(run: Recording) -> str:
    return f"{run.name} lasted {run.length_s} s: it takes {FEWEST_SECONDS} to see how its seconds vary."


def _doubts(base: Recording, new: Recording) -> list[str]:
    """What makes the two hard to compare."""
    notes = [_too_short(run) for run in (base, new) if run.length_s < FEWEST_SECONDS]
    if base.load.workload != new.load.workload:
        notes.append(f"The loads differ: {base.load.workload}; {new.load.workload}.")
    failed = [(run.load.unavailable + run.load.wrong_answers) / max(run.load.requests, 1) for run in (base, new)]
    if max(failed) > 0.01:
        notes.append(
            f"{failed[0]:.1%} and {failed[1]:.1%} of the answers failed: failing may be faster than answering."
        )
    return notes


def as_lines(comparison: Comparison) -> list[str]:
    """For the terminal."""
    lines = [
        f"{change.verdict:<19}  {change.step:<14} p{change.percentile:<5g} {_size(change)}"
        for change in comparison.changes
    ]
    return [*lines, *comparison.notes, _small_print(comparison), f"{comparison.verdict}: {comparison.reason}"]


def _size(change: Change) -> str:
    if change.change is None or change.low is None or change.high is None:
        needed = f", {change.needed:,} needed" if change.needed else ""
        return f"{change.base_samples:,} and {change.new_samples:,} samples{needed}"
    interval = f"{_signed(change.change)} ({_signed(change.low)} to {_signed(change.high)})"
    return f"{change.base_ms:.1f} to {change.new_ms:.1f} ms, {interval}"


def _signed(share: float) -> str:
    return f"{share * 100:+.1f}%"


def _percent(share: float) -> str:
    return f"{share * 100:g}%"


def _small_print(comparison: Comparison) -> str:
    return (
        f"{comparison.clock} time; all intervals together hold with {_percent(comparison.confidence)}; changes under "
        f"{_percent(comparison.min_effect)} do not matter; {comparison.method}, blocks of {comparison.block_s} s "
        f"({comparison.source})"
    )


def as_markdown(comparison: Comparison) -> str:
    """For a pull request."""
    said = text.markdown
    rows = [
        f"| {said(change.step)} | p{change.percentile:g} | {change.verdict} | {said(_size(change))} |"
        for change in comparison.changes
    ]
    return "\n".join(
        [
            f"## {comparison.verdict}: {said(comparison.reason)}",
            "",
            f"{said(comparison.base)} against {said(comparison.new)}",
            "",
            "| step | percentile | verdict | change |",
            "| --- | --- | --- | --- |",
            *rows,
            "",
            *(f"- {said(note)}" for note in comparison.notes),
            said(_small_print(comparison)),
            "",
        ]
    )
