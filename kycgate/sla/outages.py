"""When the vendor was there, as far as probes can tell: outages between known moments, and gaps without probes.

A probe speaks for the time from its beginning to the next one's, as long as that comes within twice the usual time.
What lies beyond is a gap: it is neither up nor down. Windows and gaps cut: what was before them and what comes after
are looked at apart, and an outage is as long as it was watched. Moments are when probes began.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

from kycgate.errors import CannotJudge
from kycgate.probing.probe import Probe
from kycgate.runs.period import Outage, Stretch
from kycgate.sla.period import Interval

SLACK = 2.0
"""Times the usual distance of two probes, after which the time between them was not watched."""


def usual_distance_s(probes: Sequence[Probe]) -> float:
    """The median distance of two probes in a row; seconds.

    Raises:
        CannotJudge: there are too few to tell.
    """
    distances = [(b.started_at - a.started_at).total_seconds() for a, b in pairwise(probes)]
    usual = median(distances) if len(distances) >= 2 else 0.0
    if usual <= 0:
        raise CannotJudge("too few probes to learn how often they come: say --every SECONDS")
    return usual


def without(start: datetime, end: datetime, left_out: Sequence[Interval | Stretch]) -> list[Interval]:
    """The stretches that remain; `left_out` is in order and does not overlap."""
    borders = [start, *(moment for window in left_out for moment in (window.start, window.end)), end]
    return [Interval(a, b) for a, b in zip(borders[::2], borders[1::2], strict=True) if a < b]


def gaps(stretch: Interval, probes: Sequence[Probe], every_s: float) -> list[Stretch]:
    """Gaps without probes within this stretch; `probes` are those in it that tell anything, in order."""
    every = timedelta(seconds=every_s)
    moments = [probe.started_at for probe in probes]
    if not moments:
        return [Stretch(start=stretch.start, end=stretch.end)] if stretch.seconds > 0 else []
    found = []
    if moments[0] - stretch.start > SLACK * every:
        found.append(Stretch(start=stretch.start, end=moments[0]))
    found += [
        Stretch(start=moment + every, end=following)
        for moment, following in pairwise([*moments, stretch.end])
        if following - moment > SLACK * every
    ]
    return found


def outages(watched: Interval, probes: Sequence[Probe], at_least: int) -> Iterator[Outage]:
    """At least `at_least` failed probes in a row; `probes` are those in this watched stretch that tell anything."""
    row: list[Probe] = []
    last_good = watched.start
    for probe in probes:
        if probe.verdict == "unavailable":
            row.append(probe)
            continue
        if len(row) >= at_least:
            yield _outage(last_good, row, probe.started_at)
        row, last_good = [], probe.started_at
    if len(row) >= at_least:
        yield _outage(last_good, row, watched.end)


def _outage(last_good: datetime, row: Sequence[Probe], next_good: datetime) -> Outage:
    return Outage(
        last_good=last_good,
        first_bad=row[0].started_at,
        last_bad=row[-1].started_at,
        next_good=next_good,
        probes=len(row),
        failures=dict(Counter(probe.failure for probe in row)),
        steps=sorted({probe.failed_step for probe in row}),
    )
