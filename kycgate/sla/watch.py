"""What of a calendar period counts, what of it was watched, and which of its probes speak for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from kycgate.probing.probe import Probe
from kycgate.runs.period import Outage, Stretch
from kycgate.sla.hours import outside, united
from kycgate.sla.outages import SLACK, at_borders, began_in, gaps, outages, without
from kycgate.sla.period import Interval, exclusions
from kycgate.sla.policy import Policy
from kycgate.sla.weighing import Line, cut_lines, weights_of


@dataclass(frozen=True)
class View:
    """The period as those see it who count all hours, or the support hours of one id alone."""

    whole: Interval
    windows: list[Interval]
    """Maintenance."""
    closed: list[Interval]
    """Outside the hours that count."""
    left_out: list[Interval]
    """Both of them, in order, without overlap."""
    counts: list[Interval]
    """What is past of what counts."""
    to_come: list[Interval]
    holes: list[Stretch]
    watched: list[Interval]
    outside: list[Probe]
    """The probes in the time that counts, also those that tell nothing."""
    told: list[Probe]
    """Those of them that are clear."""
    lines: list[Line]
    clear: list[Probe]
    """Those of them that met no cut line of their own prober."""
    seen: list[Probe]
    """The clear ones of the whole period, also of the time that is left out."""
    weights: NDArray[np.float64]
    """Of the clear ones, in order."""
    outages: list[Outage]
    unknown: float
    """The share of the time that counts of which nothing is known."""
    over: bool

    @cached_property
    def aside(self) -> set[int]:
        """The probes that are set aside, by id()."""
        return {id(probe) for probe in self.told} - {id(probe) for probe in self.clear}

    @property
    def gap_s(self) -> float:
        return sum(hole.seconds for hole in self.holes)

    @property
    def to_come_s(self) -> float:
        return sum(stretch.seconds for stretch in self.to_come)

    @property
    def past_s(self) -> float:
        return sum(stretch.seconds for stretch in self.counts)

    @property
    def total_s(self) -> float:
        return self.past_s + self.to_come_s

    @property
    def down_s(self) -> float:
        """Certainly down."""
        return sum(outage.at_least_s for outage in self.outages)


def view_of(
    policy: Policy, hours: str | None, whole: Interval, ordered: Sequence[Probe], *, every_s: float, now: datetime
) -> View:
    """The period in the hours of this id, all of them for None.

    `ordered` are all probes near the period, in order; what begins after `now` is to come.

    Raises:
        UsageError: two maintenance windows overlap in it.
    """
    until = min(max(now, whole.start), whole.end)
    inside = began_in(ordered, Interval(whole.start, until))
    windows = exclusions(policy.window, whole.start, whole.end)
    closed = outside(policy.hours_named(hours), whole.start, whole.end)
    left_out = united(windows, closed) if closed else windows
    all_that_counts = without(whole.start, whole.end, left_out)
    within = [*chain.from_iterable(began_in(inside, stretch) for stretch in all_that_counts)]
    told = clear_of(within)
    lines = cut_lines(told, policy.period.outage_after, policy.period.quorum)
    aside = {id(probe) for probe in told for line in lines if _of_line(probe, line)}
    clear = [probe for probe in told if id(probe) not in aside]
    seen = [probe for probe in clear_of(inside) if id(probe) not in aside]
    past = [Interval(a, min(b, until)) for a, b, _ in all_that_counts if a < until]
    to_come = [Interval(max(a, until), b) for a, b, _ in all_that_counts if b > until]
    # What the last probe speaks for is watched, also when the period goes on.
    holes = [hole for one in past for hole in gaps(one, began_in(clear, one), every_s)]
    watched = [piece for one in past for piece in without(one.start, one.end, [h for h in holes if meets(one, h)])]
    found = list(outages(watched, left_out, clear, policy.period.outage_after, seen))
    at_borders(found, whole, *_neighbours(ordered, whole, every_s))
    past_s, to_come_s = (sum(stretch.seconds for stretch in stretches) for stretches in (past, to_come))
    gap_s = sum(hole.seconds for hole in holes)
    gap_s = 0.0 if gap_s <= policy.period.tolerated_gap_share * past_s else gap_s
    return View(
        whole, windows, closed, left_out, past, to_come, holes, watched, within, told, lines, clear, seen,
        weights_of(clear, watched, every_s), found,
        unknown=(gap_s + to_come_s) / (past_s + to_come_s) if past_s + to_come_s else 1.0,
        over=now >= whole.end,
    )  # fmt: skip


def clear_of(probes: Sequence[Probe]) -> list[Probe]:
    """Those that say something of the vendor."""
    return [probe for probe in probes if probe.verdict != "unclear"]


def count(probes: Sequence[Probe], verdict: str) -> int:
    return sum(probe.verdict == verdict for probe in probes)


def meets(stretch: Interval, other: Interval | Stretch) -> bool:
    return stretch.start < other.end and other.start < stretch.end


def overlap_s(stretch: Interval, pieces: Sequence[Interval | Stretch]) -> float:
    """How much of a stretch these cover, none of which overlap; seconds."""
    met = (min(stretch.end, one.end) - max(stretch.start, one.start) for one in pieces if meets(stretch, one))
    return sum(met, timedelta()).total_seconds()


def _of_line(probe: Probe, line: Line) -> bool:
    return probe.prober == line.prober and line.first.started_at <= probe.started_at <= line.last.started_at


def _neighbours(ordered: Sequence[Probe], whole: Interval, every_s: float) -> tuple[Probe | None, Probe | None]:
    """The clear probes next to the period, before and after it; None where none is near enough."""
    reach = timedelta(seconds=SLACK * every_s)
    before = clear_of(began_in(ordered, Interval(whole.start - reach, whole.start)))
    after = clear_of(began_in(ordered, Interval(whole.end, whole.end + reach)))
    return before[-1] if before else None, after[0] if after else None
