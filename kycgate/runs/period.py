"""What run.json keeps of a period of probes."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from kycgate.runs.base import RunModel, Zone
from kycgate.runs.load_model import StepLatency


class Stretch(RunModel):
    """A stretch of time, UTC; `name` is the window's."""

    start: datetime
    end: datetime
    name: str = ""

    @property
    def seconds(self) -> float:
        return (self.end - self.start).total_seconds()


Cut = Literal["window", "gap"]


class Outage(RunModel):
    """Failed probes in a row. What is known are moments: it was up at the last good one, down at the first bad one."""

    last_good: datetime = Field(description="It began after this: the last good probe, or where watching began.")
    first_bad: datetime
    last_bad: datetime
    next_good: datetime = Field(description="It ended before this: the next good probe, or where watching ended.")
    probes: int
    failures: dict[str, int] = Field(default_factory=dict, description="Kinds of failure, and how often.")
    steps: list[str] = Field(default_factory=list, description="The steps at which it failed.")

    cuts: list[Cut] = Field(default_factory=list, description="What cut it; it is one outage nevertheless.")
    unsure_s: float = Field(default=0.0, description="Around its cuts, between two failed probes: not surely down.")
    excluded_s: float = Field(default=0.0, description="Of it in windows, which counts for nothing.")
    began_before: bool = Field(default=False, description="It began before the period, and counts in the one before.")
    goes_on: bool = Field(default=False, description="It goes on after the period.")

    @property
    def at_least_s(self) -> float:
        return (self.last_bad - self.first_bad).total_seconds() - self.unsure_s

    @property
    def at_most_s(self) -> float:
        return (self.next_good - self.last_good).total_seconds() - self.excluded_s

    @property
    def words(self) -> str:
        """What cut it and where it goes on; empty for most."""
        said = [f"cut by a {cut}, counted once" for cut in dict.fromkeys(self.cuts)]
        said += ["began before this period, and counts in the one before"] if self.began_before else []
        said += ["goes on after this period"] if self.goes_on else []
        return "; ".join(said)


DayState = Literal["good", "failures", "outage", "excluded", "no data", "to come"]


class Day(RunModel):
    """One day of the calendar, from local midnight to local midnight; seconds are of the time that counts."""

    date: str
    state: DayState
    probes: int = 0
    unavailable: int = 0
    broken: int = 0
    unclear: int = 0
    counted_s: float = 0.0
    gap_s: float = 0.0
    excluded_s: float = 0.0
    p95_upload_ms: float | None = None

    @property
    def availability(self) -> float | None:
        return 1 - self.unavailable / self.probes if self.probes else None


class CreditResult(RunModel):
    """What one objective's breach costs, in percent of the period's fee."""

    objective: str
    measured: str
    percent: float = Field(description="By the measured value, whatever was proven.")
    shown: float = Field(description="Owed even at the confidence bound, percent.")
    tiers: list[str] = Field(description="In words, from the mildest.")


class ProberResult(RunModel):
    """What one of several probers saw."""

    name: str
    probes: int = Field(description="Outside windows, and clear.")
    unavailable: int
    set_aside: int = Field(default=0, description="Failed ones while the others saw the vendor up: its own line.")


class BurnResult(RunModel):
    """How fast an error budget burns in a long and a short window; 1 spends all of it in the whole period."""

    long_s: float
    short_s: float
    rate: float = Field(description="In the long window.")
    short_rate: float
    limit: float = Field(description="Both at or above it: an alert, unless one failed probe alone made it.")
    failed: int = Field(description="Failed probes in the long window.")
    alerts: bool


class BudgetResult(RunModel):
    """The error budget of one availability objective; seconds of the whole period."""

    objective: str
    allowed_s: float
    used_s: float
    ends_at: datetime | None = Field(
        default=None, description="When it is spent at the rate of the last three days; null when it does not burn."
    )
    burns: list[BurnResult] = Field(default_factory=list)

    @property
    def left(self) -> float:
        """The share that is left; below 0 when more was used than there is."""
        return 1 - self.used_s / self.allowed_s if self.allowed_s else 0.0


class PeriodResult(RunModel):
    """A calendar month, quarter or year as its probes show it."""

    name: str = Field(
        pattern=r"^2\d{3}(-(0[1-9]|1[0-2]|Q[1-4]))?$", description="The period: 2026-11, 2026-Q4 or 2026."
    )
    zone: Zone
    start: datetime
    end: datetime
    judged_at: datetime
    over: bool = Field(description="Whether the period had ended when it was judged.")
    target: str
    store: str = Field(default="", description="Where the probes were kept, without any credentials.")
    probers: list[str] = Field(default_factory=list)
    by_prober: list[ProberResult] = Field(default_factory=list, description="Where there are several.")
    down_s: float = Field(default=0.0, description="Certainly down: from first to last failed probe of each outage.")
    allowed_down_s: float | None = Field(default=None, description="What the availability objective allows.")
    every_s: float = Field(description="Seconds from one probe to the next.")
    every_learned: bool = Field(default=False, description="Whether that was learned from the probes.")
    jitter_s: float = Field(default=0.0, description="The least that any probe's moment was drawn from.")
    probes: int = Field(description="In the whole period.")
    counted: int = Field(description="Outside windows, and clear.")
    unavailable: int
    broken: int
    unclear: int = Field(description="Outside windows; they say nothing of the vendor.")
    single_failures: int = Field(description="Failed probes that are part of no outage.")
    failures: dict[str, int] = Field(default_factory=dict, description="Kinds of failure, and how often.")
    total_s: float = Field(description="Of the period, without windows.")
    excluded_s: float = Field(description="Of it in maintenance windows.")
    closed_s: float = Field(default=0.0, description="Of it outside the hours that count.")
    hours: str = Field(default="", description="Which hours count; empty for all.")
    gap_s: float
    to_come_s: float
    unknown_share: float = Field(description="Of the time that counts: gaps, unless tolerated, and what is to come.")
    outage_after: int
    outages: list[Outage] = Field(default_factory=list)
    gaps: list[Stretch] = Field(default_factory=list)
    windows: list[Stretch] = Field(default_factory=list)
    days: list[Day] = Field(default_factory=list)
    budgets: list[BudgetResult] = Field(
        default_factory=list, description="Of the availability objectives; empty in a month that was judged before."
    )
    credits_owed: list[CreditResult] = Field(default_factory=list)
    credit_cap: float = 100.0
    latencies: list[StepLatency] = Field(default_factory=list, description="Of the days' histograms, merged.")
    clock_low_s: float | None = None
    clock_high_s: float | None = None

    @property
    def begun(self) -> int:
        """Outages that began in this period."""
        return sum(not outage.began_before for outage in self.outages)

    @property
    def credit_percent(self) -> float:
        """Of all objectives together, by the measured values."""
        return min(self.credit_cap, sum(credit.percent for credit in self.credits_owed))

    @property
    def credit_shown(self) -> float:
        """Of all objectives together, by the confidence bounds."""
        return min(self.credit_cap, sum(credit.shown for credit in self.credits_owed))
