"""When the vendor was there, as far as probes can tell: outages between known moments, and gaps without probes.

A probe speaks for the time from its beginning to the next one's, as long as that comes within twice the usual time.
What lies beyond is a gap: it is neither up nor down. Windows and gaps cut: what was before them and what comes after
are looked at apart, and an outage is as long as it was watched. Moments are when probes began.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from kycgate.errors import CannotJudge
from kycgate.probing.probe import Probe
from kycgate.runs.period import Cut, Outage, Stretch
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


class _Part(NamedTuple):
    """Failed probes in a row within one watched stretch, and between which moments the vendor was down."""

    last_good: datetime
    row: Sequence[Probe]
    next_good: datetime
    from_start: bool
    """No good probe came before it in its stretch."""
    to_end: bool


def outages(
    watched: Sequence[Interval],
    windows: Sequence[Interval],
    probes: Sequence[Probe],
    at_least: int,
    seen: Sequence[Probe] = (),
) -> Iterator[Outage]:
    """At least `at_least` failed probes in a row; a window or a gap that cuts such a row does not make two of it.

    Probes on both sides of a window count together. A gap may hide that the vendor was up: there, `at_least` must have
    failed without it. `probes` are those that count, and `seen` those in windows too; all clear and in order.
    """
    rows: list[tuple[list[_Part], list[Cut]]] = []
    for place, stretch in enumerate(watched):
        for part in _parts(stretch, began_in(probes, stretch)):
            cut = _cut(watched[place - 1], stretch, windows) if place else None
            joined = (
                cut and part.from_start and rows and rows[-1][0][-1].to_end
                and rows[-1][0][-1].next_good == watched[place - 1].end
                and all(
                    probe.verdict == "unavailable"
                    for probe in began_in(seen, Interval(watched[place - 1].end, stretch.start))
                )
            )  # fmt: skip
            if joined and cut:
                rows[-1][0].append(part)
                rows[-1][1].append(cut)
            else:
                rows.append(([part], []))
    for parts, cuts in rows:
        together, most = 0, 0
        for part, cut in zip(parts, [None, *cuts], strict=True):
            together = len(part.row) + (together if cut == "window" else 0)
            most = max(most, together)
        if most >= at_least:
            yield _outage(parts, cuts, windows)


def at_borders(found: Sequence[Outage], whole: Interval, before: Probe | None, after: Probe | None) -> None:
    """Enter of the first and the last outage whether it goes on beyond the period.

    `before` and `after` are the clear probes next to the period, None where none was near enough to tell.
    """
    if found and found[0].last_good == whole.start:
        found[0].began_before = before is not None and before.verdict == "unavailable"
    if found and found[-1].next_good == whole.end:
        found[-1].goes_on = after is not None and after.verdict == "unavailable"


def began_in(probes: Sequence[Probe], stretch: Interval) -> Sequence[Probe]:
    """Those that began in this stretch; `probes` are in order."""
    first, after = (bisect_left(probes, moment, key=lambda probe: probe.started_at) for moment in stretch[:2])
    return probes[first:after]


def _cut(one: Interval, following: Interval, windows: Sequence[Interval]) -> Cut:
    """What lies between two watched stretches: nothing but windows, or time that was not watched too."""
    between = Interval(one.end, following.start)
    return "window" if _shared_s(between, windows) >= between.seconds else "gap"


def _shared_s(stretch: Interval, windows: Sequence[Interval]) -> float:
    met = ((min(stretch.end, w.end) - max(stretch.start, w.start)).total_seconds() for w in windows)
    return sum(max(seconds, 0.0) for seconds in met)


def _parts(stretch: Interval, probes: Sequence[Probe]) -> Iterator[_Part]:
    row: list[Probe] = []
    last_good, from_start = stretch.start, True
    for probe in probes:
        if probe.verdict == "unavailable":
            row.append(probe)
            continue
        if row:
            yield _Part(last_good, row, probe.started_at, from_start, to_end=False)
        row, last_good, from_start = [], probe.started_at, False
    if row:
        yield _Part(last_good, row, stretch.end, from_start, to_end=True)


def _outage(parts: Sequence[_Part], cuts: Sequence[Cut], windows: Sequence[Interval]) -> Outage:
    row = [probe for part in parts for probe in part.row]
    whole = Interval(parts[0].last_good, parts[-1].next_good)
    return Outage(
        last_good=whole.start,
        first_bad=row[0].started_at,
        last_bad=row[-1].started_at,
        next_good=whole.end,
        probes=len(row),
        failures=dict(Counter(probe.failure for probe in row)),
        steps=sorted({probe.failed_step for probe in row}),
        cuts=list(cuts),
        unsure_s=sum((b.row[0].started_at - a.row[-1].started_at).total_seconds() for a, b in pairwise(parts)),
        excluded_s=_shared_s(whole, windows),
    )
