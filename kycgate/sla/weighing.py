"""What each probe of a month speaks for: its time, not its number; and whose line was cut, prober's or vendor's.

Probes that come twice as often for a while do not count twice as much: each is weighed by how many came around it.
Weighted shares are bounded as those of effective samples, (sum w)^2 / sum w^2 of them (Kish, Survey Sampling, 1965).
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from itertools import groupby
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kycgate.probing.probe import Probe
from kycgate.sla.period import Interval

AROUND = 10
"""A probe's neighbours are counted within this many usual distances before and after it."""
REGULAR = 0.15
"""Chance alone (`--jitter`) takes the count no further from the expected one than this share."""


def weights_of(probes: Sequence[Probe], watched: Sequence[Interval], every_s: float) -> NDArray[np.float64]:
    """The weight of each probe, (probes,): 1 at the usual rate, one half at twice the rate.

    `probes` are in order; `watched` are the stretches of time that count, in order.
    """
    moments = [probe.started_at for probe in probes]
    reach = timedelta(seconds=AROUND * every_s)
    starts = [stretch.start for stretch in watched]
    weights = np.ones(len(probes))
    for place, moment in enumerate(moments):
        at = bisect_right(starts, moment) - 1
        if at < 0:
            continue
        start, end = max(watched[at].start, moment - reach), min(watched[at].end, moment + reach)
        company = bisect_left(moments, end) - bisect_left(moments, start)
        density = company * every_s / max((end - start).total_seconds(), every_s)
        few = company < AROUND
        weights[place] = 1.0 if few or abs(density - 1) <= REGULAR else 1 / density
    return weights


class Line(NamedTuple):
    """A stretch in which one prober met no answer while the others were answered: its own line was cut."""

    prober: str
    first: Probe
    last: Probe
    probes: int


def cut_lines(probes: Sequence[Probe], at_least: int, quorum: float) -> list[Line]:
    """Rows of `at_least` failed probes of one prober, in the time of which others saw the vendor up.

    The vendor was down only where more than a share `quorum` of the probers that looked then met it so. `probes` are
    clear ones, in order.
    """
    by_prober: dict[str, list[Probe]] = defaultdict(list)
    for probe in probes:
        by_prober[probe.prober].append(probe)
    if len(by_prober) < 2:
        return []
    found = []
    for prober, own in by_prober.items():
        for down, group in groupby(own, key=lambda probe: probe.verdict == "unavailable"):
            row = list(group)
            if down and len(row) >= at_least and _share_down(row, prober, by_prober) <= quorum:
                found.append(Line(prober, row[0], row[-1], len(row)))
    return sorted(found, key=lambda line: line.first.started_at)


def _share_down(row: Sequence[Probe], prober: str, by_prober: dict[str, list[Probe]]) -> float:
    """Of the probers that looked in this time, this one among them, the share that mostly met no answer; 1 if alone."""
    looked = down = 1
    for other, probes in by_prober.items():
        seen = [p for p in probes if row[0].started_at <= p.started_at <= row[-1].started_at] if other != prober else []
        if seen:
            looked += 1
            down += sum(p.verdict == "unavailable" for p in seen) * 2 > len(seen)
    return down / looked if looked > 1 else 1.0
