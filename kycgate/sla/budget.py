"""The error budget of a period, and how fast it burns: by windows of two lengths, so that alerts are in time and end.

Beyer and others, The Site Reliability Workbook, 2018, chapter 5: a burn rate of 1 spends the whole budget in the whole
period. An alert takes a long window, which says that it matters, and a short one, which says that it goes on.
"""

from bisect import bisect_left
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from kycgate.probing.probe import Probe
from kycgate.runs.period import BudgetResult, BurnResult
from kycgate.sla.period import Interval
from kycgate.sla.policy import Availability

HOUR_S = 3_600.0
WINDOWS = ((HOUR_S, HOUR_S / 12, 14.4), (6 * HOUR_S, HOUR_S / 2, 6.0), (72 * HOUR_S, 6 * HOUR_S, 1.0))
"""Seconds of the long and of the short window, and the burn rate that alerts when both reach it."""
FEWEST_FAILED = 2
"""Fewest failed probes in a window that raise an alert."""


class Burn(NamedTuple):
    """One pair of windows: burn rates, and whether they alert."""

    long_s: float
    short_s: float
    rate: float
    short_rate: float
    limit: float
    failed: int

    @property
    def alerts(self) -> bool:
        return self.failed >= FEWEST_FAILED and min(self.rate, self.short_rate) >= self.limit


class Budget(NamedTuple):
    """Of one availability objective; seconds of the whole period."""

    objective: str
    allowed_s: float
    used_s: float
    ends_at: datetime | None
    burns: tuple[Burn, ...]

    @property
    def left(self) -> float:
        """The share of the budget that is left; below 0 when more was used than there is."""
        return 1 - self.used_s / self.allowed_s

    def result(self) -> BudgetResult:
        """As run.json keeps it."""
        burns = [BurnResult(**burn._asdict(), alerts=burn.alerts) for burn in self.burns]
        return BudgetResult(**self._asdict() | {"burns": burns})


def budget_of(
    objective: Availability,
    probes: Sequence[Probe],
    *,
    counts: Sequence[Interval],
    to_come: Sequence[Interval],
    every_s: float,
    now: datetime,
) -> Budget:
    """What `probes` (clear ones of the period so far, in order) leave of the budget of the time that counts.

    Used is the failed share of `counts`, the time so far; at the burn rate of the last three days the rest ends at
    `ends_at`, None when it does not burn. It burns in the time that counts alone, which goes on as `to_come`.
    """
    may_fail = 1 - objective.at_least
    watched_s = sum(stretch.seconds for stretch in counts)
    whole_s = watched_s + sum(stretch.seconds for stretch in to_come)
    failed = sum(probe.verdict == "unavailable" for probe in probes) / max(len(probes), 1)
    allowed, used = may_fail * whole_s, failed * watched_s
    moments = [probe.started_at for probe in probes]

    def within(seconds: float) -> Sequence[Probe]:
        # A window shorter than two distances may hold no probe at all.
        return probes[bisect_left(moments, now - timedelta(seconds=max(seconds, 2 * every_s))) :]

    def share(seen: Sequence[Probe]) -> float:
        return sum(probe.verdict == "unavailable" for probe in seen) / max(len(seen), 1)

    burns = tuple(
        Burn(
            long_s, short_s, share(within(long_s)) / may_fail, share(within(short_s)) / may_fail, limit,
            sum(probe.verdict == "unavailable" for probe in within(long_s)),
        )
        for long_s, short_s, limit in WINDOWS
    )  # fmt: skip
    recent = burns[-1].rate * may_fail
    ends = _after((allowed - used) / recent, now, to_come) if recent > 0 and used < allowed else None
    return Budget(objective.id, allowed, used, now if used >= allowed else ends, burns)


def _after(seconds: float, now: datetime, to_come: Sequence[Interval]) -> datetime:
    """The moment when so much of the time that counts has passed; beyond the period all of it counts."""
    left, end = timedelta(seconds=seconds), now
    for stretch in to_come:
        if left <= stretch.end - stretch.start:
            return stretch.start + left
        left, end = left - (stretch.end - stretch.start), stretch.end
    return end + left
