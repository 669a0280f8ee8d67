"""Two recorded runs of the same load, before and after a release: what got slower, what faster, and by how much.

A change is one only when its whole interval lies beyond the smallest effect that matters, so that a smaller change
is called one no more often than promised. What two runs cannot tell is how much the target varies from one run to
the next: run the same twice and compare to learn it.
"""

import math
from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, Field

from kycgate import text
from kycgate.errors import ExitCode
from kycgate.sla.bootstrap import Sample, estimate, quantiles, sample_of
from kycgate.sla.recording import Recording

STEPS = ("upload_front", "upload_back", "approve_front", "approve_back", "onboarding")
PERCENTILES = (50.0, 90.0, 95.0, 99.0)
FEWEST_SECONDS = 30
FEWEST_BEYOND = 10
"""So many samples must lie on the far side of a percentile: fewer do not show how it varies."""


class Change(BaseModel):
    """One percentile of one step; milliseconds, and the change as a share of base (0.1 is 10% slower)."""

    step: str
    percentile: float
    verdict: Literal["slower", "faster", "no change", "too little"]
    base_ms: float | None = None
    new_ms: float | None = None
    change: float | None = None
    low: float | None = None
    high: float | None = None
    base_samples: int = 0
    new_samples: int = 0
    needed: int | None = Field(default=None, description="Samples that each run needs at least.")


class Comparison(BaseModel):
    """What two runs say of each other."""

    base: str
    new: str
    verdict: Literal["slower", "no regression", "unclear"]
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


def compare(
    base: Recording,
    new: Recording,
    *,
    clock: str = "response",
    percentiles: Sequence[float] = PERCENTILES,
    demanded: bool = False,
    min_effect: float = 0.05,
    confidence: float = 0.95,
    seed: int = 0,
) -> Comparison:
    """What changed from `base` to `new`. With `demanded` each of `percentiles` must be comparable, else one of a step.

    Raises:
        UsageError: a run holds no load, or is damaged.
    """
    runs = (base, new)
    changes: list[Change] = []
    samples: tuple[list[Sample], list[Sample]] = ([], [])
    asked: dict[tuple[int, float], Change] = {}
    lacking = []
    long_enough = min(run.length_s for run in runs) >= FEWEST_SECONDS
    for step in STEPS:
        found = [run.seconds(step, clock) or {} for run in runs]
        counts = [sum(int(cells.counts.sum()) for cells in seconds.values()) for seconds in found]
        if not any(counts):
            continue
        of_step = [
            Change(step=step, percentile=percentile, verdict="too little", base_samples=counts[0],
                   new_samples=counts[1], needed=math.ceil(FEWEST_BEYOND / (1 - percentile / 100) - 1e-9))
            for percentile in percentiles
        ]  # fmt: skip
        enough = [c for c in of_step if min(counts) >= (c.needed or 0)] if long_enough else []
        if len(enough) < (len(of_step) if demanded else 1):
            lacking.append(step)
        if enough:
            for taken, seconds, run in zip(samples, found, runs, strict=True):
                taken.append(sample_of(seconds, run.length_s))
            asked |= {(len(samples[0]) - 1, change.percentile / 100): change for change in enough}
        changes += of_step
    block_s = 0
    if asked:
        result = estimate(*samples, list(asked), confidence, seed)
        block_s = result.block_s
        for place, ((number, share), change) in enumerate(asked.items()):
            size, low, high = (math.expm1(float(column[place])) for column in result[:3])
            change.base_ms, change.new_ms = (_percentile_ms(side[number], share) for side in samples)
            change.change, change.low, change.high, change.needed = size, low, high, None
            change.verdict = "slower" if low > min_effect else "faster" if high < -min_effect else "no change"
    slower = [f"{change.step} p{change.percentile:g}" for change in changes if change.verdict == "slower"]
    void = next((run.load.health.void for run in runs if run.load.health.void), "")
    code, reason = ExitCode.KEPT, f"nothing got slower by more than {_percent(min_effect)}"
    if void:
        code, reason = ExitCode.UNCLEAR, f"a run is void: {void}"
    elif slower:
        code, reason = ExitCode.BROKEN, f"slower by more than {_percent(min_effect)}: {', '.join(slower)}"
    elif short := [run for run in runs if run.length_s < FEWEST_SECONDS]:
        code, reason = ExitCode.UNCLEAR, " ".join(map(_too_short, short))
    elif lacking or not changes:
        code, reason = ExitCode.UNCLEAR, f"too little was measured of {', '.join(lacking) or 'any step'}"
    return Comparison(
        base=base.name, new=new.name, verdict=_WORDS[code], exit_code=int(code), reason=reason, clock=clock,
        confidence=confidence, min_effect=min_effect, changes=changes, notes=_doubts(base, new), block_s=block_s,
    )  # fmt: skip


_WORDS: dict[ExitCode, Literal["slower", "no regression", "unclear"]] = {
    ExitCode.KEPT: "no regression",
    ExitCode.BROKEN: "slower",
    ExitCode.UNCLEAR: "unclear",
}


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
        f"{change.verdict:<10}  {change.step:<14} p{change.percentile:<5g} {_size(change)}"
        for change in comparison.changes
    ]
    return [*lines, *comparison.notes, _small_print(comparison), f"{comparison.verdict}: {comparison.reason}"]


def _size(change: Change) -> str:
    if change.change is None or change.low is None or change.high is None:
        return f"{change.base_samples:,} and {change.new_samples:,} samples, {change.needed:,} needed"
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
