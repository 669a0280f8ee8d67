"""Outages against a promise: how long the longest was, and how many there were. Decided by what is certain alone.

An outage lasted at least from its first to its last failed probe, and at most from the last good probe before it to the
next good one after it. Between two good probes an outage can have come and gone unseen, so a promise can only be shown
to be kept where good probes came closer together than the outage that it is about. An outage counts, whole, in the
period in which it began.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate, pairwise

from kycgate.probing.probe import Probe
from kycgate.runs.model import ObjectiveResult
from kycgate.runs.period import Outage
from kycgate.sla.figures import Figures, VerdictWord, count_figures, outage_figures, sentence
from kycgate.sla.policy import LongestOutage, OutageCount
from kycgate.sla.watch import View
from kycgate.text import lasting

METHOD = (
    "by the first and the last failed probe of each outage, and by the time between good probes, in which one may have "
    "come and gone unseen; no chance has a part in it"
)


@dataclass(frozen=True)
class _Spell:
    """The time from one good probe to the next, in which the vendor may have been down."""

    start: datetime
    end: datetime
    seconds: float
    """Of the time that counts."""
    outage: Outage | None
    failed: bool
    """Whether any probe in it met no answer."""


class Outages:
    """What the probes of a period leave open about its outages.

    `view` reaches beyond the period's end at `border`, so that an outage that goes on is seen to its end.
    """

    def __init__(self, view: View, border: datetime) -> None:
        self._view, self._border = view, border
        starts = [stretch.start for stretch in view.counts]
        upto = [0.0, *accumulate(stretch.seconds for stretch in view.counts)]

        def counted_until(moment: datetime) -> float:
            place = bisect_right(starts, moment)
            if not place:
                return 0.0
            last = view.counts[place - 1]
            return upto[place - 1] + (min(moment, last.end) - last.start).total_seconds()

        self._counted_until = counted_until
        self._spells = list(self._all_spells())

    @property
    def begun(self) -> list[Outage]:
        """Those that began in the period."""
        return [o for o in self._view.outages if o.last_good < self._border and not o.began_before]

    def certain(self, lasting_s: float) -> int:
        """How many lasted at least so long, whatever was not seen."""
        return sum(outage.at_least_s >= lasting_s for outage in self.begun)

    def possible(self, lasting_s: float) -> int | None:
        """How many of this length there may have been; None where nothing bounds it."""
        if self._unfinished:
            return None
        return sum(_fitting(spell, lasting_s) for spell in self._spells)

    def most_down_s(self, outage_from_s: float) -> float:
        """The most time that the vendor was down if it was never down for less than `outage_from_s` at a time."""
        return sum(spell.seconds for spell in self._spells if spell.failed or spell.seconds > outage_from_s)

    @property
    def longest(self) -> Outage | None:
        return max(self.begun, key=lambda outage: outage.at_least_s, default=None)

    @property
    def widest(self) -> _Spell | None:
        """The longest time without a good probe."""
        return max(self._spells, key=lambda spell: spell.seconds, default=None)

    @property
    def longest_possible_s(self) -> float | None:
        """The longest outage that there may have been; None where nothing bounds it."""
        return None if self._unfinished or self.widest is None else self.widest.seconds

    @property
    def _unfinished(self) -> bool:
        """Whether the period goes on, or the vendor was last seen down and began to be so in it."""
        if not self._view.over:
            return True
        since = next((p for p in reversed(self._view.seen) if p.verdict != "unavailable"), None)
        ended = since.started_at if since is not None else self._view.whole.start
        return ended < self._border and self._view.seen[-1:] != [since]

    def _all_spells(self) -> Iterator[_Spell]:
        good = [probe.started_at for probe in self._view.seen if probe.verdict != "unavailable"]
        # Where nothing is seen to go on, what is beyond the border is of the next period.
        last = self._border if not good or good[-1] < self._border else good[-1]
        bad = [probe.started_at for probe in self._view.seen if probe.verdict == "unavailable"]
        began = [outage.first_bad for outage in self._view.outages]
        for start, end in pairwise([self._view.whole.start, *good, last]):
            place = bisect_left(began, start)
            outage = self._view.outages[place] if place < len(began) and began[place] < end else None
            seconds = self._counted_until(end) - self._counted_until(start)
            if start < self._border and seconds > 0 and not (outage is not None and outage.began_before):
                yield _Spell(start, end, seconds, outage, bisect_left(bad, start) < bisect_left(bad, end))


def _fitting(spell: _Spell, lasting_s: float) -> int:
    """How many outages of this length fit between two good probes; one that was seen is one to its last probe."""

    def fit(seconds: float) -> int:
        return max(math.ceil(seconds / lasting_s) - 1, 0)

    if spell.outage is None:
        return fit(spell.seconds)
    core, margins = spell.outage.at_least_s, spell.seconds - spell.outage.at_least_s
    return int(core + margins >= lasting_s) + fit(margins)


def judge_longest(objective: LongestOutage, found: Outages, probes: Sequence[Probe], noun: str) -> ObjectiveResult:
    """Whether any outage that began in the period lasted longer."""
    longest, high = found.longest, found.longest_possible_s
    low = longest.at_least_s if longest is not None else 0.0
    verdict: VerdictWord = (
        "broken" if low > objective.at_most_s
        else "holds" if high is not None and high <= objective.at_most_s
        else "not enough evidence"
    )  # fmt: skip
    seen = (low, min(longest.at_most_s, high or math.inf)) if longest is not None else None
    figures = outage_figures(seen, low, high, objective.at_most_s)
    return _result(objective, verdict, figures, found, probes, noun, objective.at_most_s)


def judge_number(objective: OutageCount, found: Outages, probes: Sequence[Probe], noun: str) -> ObjectiveResult:
    """Whether more outages of the length began in the period than may."""
    low, high = found.certain(objective.lasting_s), found.possible(objective.lasting_s)
    verdict: VerdictWord = (
        "broken" if low > objective.at_most
        else "holds" if high is not None and high <= objective.at_most
        else "not enough evidence"
    )  # fmt: skip
    seen = sum((o.at_least_s + o.at_most_s) / 2 >= objective.lasting_s for o in found.begun)
    figures = count_figures(seen, low, high, objective.at_most, objective.lasting_s)
    return _result(objective, verdict, figures, found, probes, noun, objective.lasting_s)


def _result(
    objective: LongestOutage | OutageCount,
    verdict: VerdictWord,
    figures: Figures,
    found: Outages,
    probes: Sequence[Probe],
    noun: str,
    length_s: float,
) -> ObjectiveResult:
    widest = found.widest
    apart = lasting(widest.seconds) if widest is not None else "0 s"
    none_missed = (
        f"good probes came at most {apart} apart, so no longer outage was missed"
        if isinstance(objective, LongestOutage)
        else f"no further outage of {lasting(length_s)} fits between its good probes"
    )
    return ObjectiveResult(
        id=objective.id,
        sentence=sentence(objective, of_probes=True),
        verdict=verdict,
        confidence=1.0,
        samples=len(probes),
        lacks=_lacks(found, noun, length_s) if verdict == "not enough evidence" else "",
        stands_on={
            "holds": f"for this {noun}: {none_missed}",
            "broken": f"for this {noun}, taken to be down from the first to the last of an outage's failed probes",
        }.get(verdict, ""),
        method=METHOD,
        **figures,
    )


def _lacks(found: Outages, noun: str, length_s: float) -> str:
    """What keeps it open, and which distance of probes would do."""
    widest, high = found.widest, found.longest_possible_s
    if high is None:
        return f"the {noun} is not over, or an outage goes on at its end: it can be broken by now, and not yet hold"
    assert widest is not None  # noqa: S101 - what bounds an outage is the widest spell
    when = f"{widest.start:%d %b %H:%M} to {widest.end:%d %b %H:%M} UTC"
    if widest.outage is not None:
        least, most = lasting(widest.outage.at_least_s), lasting(widest.seconds)
        why = f"the outage of {when} lasted from {least} to {most}, and its probes do not say on which side it is"
    else:
        why = f"no probe was answered for {lasting(widest.seconds)} ({when}), which may hide one"
    return f"{why}: probes at most {lasting(length_s / 2)} apart, jitter included, would tell"
