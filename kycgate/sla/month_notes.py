"""What is to be said of a period's probes beside the verdicts: gaps, changed rates, cut lines, clocks that were set."""

from collections.abc import Sequence

from kycgate.probing.probe import Probe
from kycgate.runs.period import PeriodResult, ProberResult
from kycgate.sla.policy import Objective, Policy
from kycgate.sla.watch import View, count

CLOCK_SLACK_S = 5.0
"""Dates of the target that contradict each other by more than this show that the prober's clock was set."""


def note_of(view: View, jitter_s: float, every_s: float) -> str:
    """What each verdict is to say of how the period was watched."""
    said = [] if jitter_s >= every_s * 0.5 else [
        "The probes did not come at random moments (--jitter): what fails between theirs alone is not seen."
    ]  # fmt: skip
    if view.gap_s and not view.unknown:
        said.append("The gaps are within what the policy tolerates, and are taken to be as the rest.")
    elif view.unknown:
        said.append(f"{view.unknown:.2%} of the time was not watched, and counts as unknown.")
    return " ".join(said)


def notes_of(policy: Policy, probed: Sequence[Objective], period: PeriodResult) -> list[str]:
    """What readers should know of the period."""
    notes = []
    if not period.over:
        notes.append(f"{period.name} is not over: what is to come counts as unknown.")
    if period.gap_s:
        notes.append(
            f"No probe for {period.gap_s / 3600:.1f} h ({period.gap_s / period.total_s:.2%}): this is not uptime."
        )
    if period.unclear:
        why = "refused credentials or cards, put off, or not watched"
        notes.append(f"{period.unclear} probes say nothing of the vendor ({why}).")
    notes += [
        f"The outage of {outage.first_bad:%d %b %H:%M} to {outage.last_bad:%d %b %H:%M} UTC: {outage.words}."
        for outage in [outage for outage in period.outages if outage.words][:20]
    ]
    left = [objective.id for objective in policy.objective if objective not in probed]
    if left:
        notes.append(f"Not judged here, as probes do not measure it: {', '.join(left)}. Judge load runs for it.")
    return notes


def notes_of_probers(inside: Sequence[Probe], view: View, every_s: float) -> list[str]:
    """What is to be said of the probers: a changed rate, a cut line, a clock that was set."""
    notes = []
    if (view.weights != 1).any():
        notes.append(
            f"The rate of the probes changed: {(view.weights != 1).sum():,} of them came more or less often than one "
            f"in {every_s:g} s, and each is weighed by the time that it speaks for."
        )
    notes += [
        f"{line.probes} probes of {line.prober or 'one prober'} in a row met no answer "
        f"({line.first.started_at:%d %b %H:%M} to {line.last.started_at:%d %b %H:%M} UTC) while the others did: its "
        "own line was cut, and they are set aside."
        for line in view.lines[:20]
    ]
    return notes + [note for name in sorted({p.prober for p in inside}) if (note := _clock_note(inside, name))]


def _clock_note(inside: Sequence[Probe], name: str) -> str:
    """Of a clock that was set: the target's own dates contradict each other by more than they are unsure."""
    dated = [p for p in inside if p.prober == name and p.clock_low_s is not None and p.clock_high_s is not None]
    if not dated:
        return ""
    highest, lowest = max(p.clock_low_s or 0.0 for p in dated), min(p.clock_high_s or 0.0 for p in dated)
    if highest - lowest <= CLOCK_SLACK_S:
        return ""
    return (
        f"The clock of {name or 'the prober'} was set, or drifted, by {highest - lowest:.0f} s or more: times around "
        "it are as unsure, and outages may be longer or shorter by it."
    )


def by_prober(view: View) -> list[ProberResult]:
    """What each of several probers saw."""
    told, aside = view.told, view.aside
    names = sorted({probe.prober for probe in told})
    if len(names) < 2:
        return []
    own = {name: [probe for probe in told if probe.prober == name] for name in names}
    return [
        ProberResult(
            name=name, probes=len(probes), unavailable=count(probes, "unavailable"),
            set_aside=sum(id(probe) in aside for probe in probes),
        )
        for name, probes in own.items()
    ]  # fmt: skip
