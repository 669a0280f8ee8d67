"""The measuring period of an SLA, a run or a calendar period, and the maintenance that is left out of it.

Times of windows are local times of an IANA time zone. A local time that the clocks pass twice means the earlier one;
one that they skip means the moment it would have been without the change (PEP 495). A start or an end may be written
with an offset instead, which leaves no such question.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import combinations, pairwise
from typing import Annotated, Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from kycgate.errors import UsageError
from kycgate.runs.base import Zone

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_REFERENCE = date(2026, 1, 1)
"""From here on, weekly windows without a first day are compared: clocks change by a rule that repeats each year."""
_YEAR = timedelta(weeks=54)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Period(_Part):
    """What is measured, and how its probes are read."""

    measure: Literal["run", "calendar month", "calendar quarter", "calendar year"] | None = Field(
        default=None,
        description="What the objectives are promised for; any, without it. Credits are owed for calendar periods.",
    )
    zone: Zone = Field(default="UTC", description="Whose midnight begins the period and each day of it.")
    hours: str | None = Field(
        default=None,
        description="The id of the [[hours]] that count, for each objective that names none; all, without it.",
    )
    every_s: float | None = Field(
        default=None, ge=1, le=86_400, description="Seconds from one probe to the next; learned when left out."
    )
    outage_after: int = Field(
        default=2,
        ge=1,
        le=100,
        description="This many failed probes in a row are an outage; fewer are single failures.",
    )
    outage_from_s: float | None = Field(
        default=None, gt=0, le=86_400,
        description="The vendor is never down for a shorter time, or the contract counts none: good probes at most so "
        "far apart then hide no downtime, and bound the availability whatever chance did. Unstated, chance alone does.",
    )  # fmt: skip
    quorum: float = Field(
        default=0.5, ge=0, lt=1,
        description="Of several probers: the vendor was down only where more than this share of those that looked then "
        "met no answer; else the line of those that did not is taken to be cut, and their probes are set aside.",
    )  # fmt: skip
    tolerated_gap_share: float = Field(
        default=0.0, ge=0, le=0.2,
        description="Up to this share of the period may lack probes and be taken to be as the rest was. Beyond it, and "
        "by default, what was not watched counts as unknown: it may have been all good or all bad.",
    )  # fmt: skip
    credit_cap: float = Field(default=100.0, gt=0, le=100, description="Percent of the fee: all credits together.")


class Interval(NamedTuple):
    """A stretch of time in UTC, its start in it and its end not; `name` says what it is."""

    start: datetime
    end: datetime
    name: str = ""

    @property
    def seconds(self) -> float:
        return (self.end - self.start).total_seconds()


class Once(_Part):
    """A maintenance window that was announced for one time."""

    id: str = Field(min_length=1, max_length=80)
    zone: Zone
    start: datetime
    end: datetime

    @model_validator(mode="after")
    def _ends_after_its_start(self) -> "Once":
        if self.interval.seconds <= 0:
            raise ValueError(f"the window {self.id!r} ends before it starts")
        return self

    @property
    def interval(self) -> Interval:
        return Interval(_moment(self.start, self.zone), _moment(self.end, self.zone), self.id)

    def occurrences(self, start: datetime, end: datetime) -> Iterator[Interval]:
        """The window, when it touches this stretch."""
        if self.interval.start < end and start < self.interval.end:
            yield self.interval


class Weekly(_Part):
    """A maintenance window that comes each week."""

    id: str = Field(min_length=1, max_length=80)
    zone: Zone
    weekday: Weekday
    start: time
    end: time
    end_weekday: Weekday | None = Field(default=None, description="When it ends on another day than it starts.")
    first: date | None = Field(default=None, description="The first day on which it may start.")
    last: date | None = Field(default=None, description="The last day on which it may start.")

    @model_validator(mode="after")
    def _ends_after_its_start(self) -> "Weekly":
        if self.start.tzinfo or self.end.tzinfo:
            raise ValueError(f"the window {self.id!r} has an offset in a time of day: its zone says the offset")
        if self._days == 0 and self.end <= self.start:
            raise ValueError(
                f"the window {self.id!r} ends before it starts: one that passes midnight says its end_weekday"
            )
        if self.first and self.last and self.last < self.first:
            raise ValueError(f"the window {self.id!r} has its last day before its first")
        return self

    @property
    def _days(self) -> int:
        return (WEEKDAYS.index(self.end_weekday or self.weekday) - WEEKDAYS.index(self.weekday)) % 7

    def occurrences(self, start: datetime, end: datetime) -> Iterator[Interval]:
        """Each time it comes within this stretch; it falls out where a change of clocks leaves nothing of it."""
        zone = ZoneInfo(self.zone)
        day = start.astimezone(zone).date() - timedelta(days=8)
        day += timedelta(days=(WEEKDAYS.index(self.weekday) - day.weekday()) % 7)
        while day <= end.astimezone(zone).date():
            begins = datetime.combine(day, self.start, zone).astimezone(UTC)
            ends = datetime.combine(day + timedelta(days=self._days), self.end, zone).astimezone(UTC)
            runs = (self.first is None or self.first <= day) and (self.last is None or day <= self.last)
            if runs and begins < ends and begins < end and start < ends:
                yield Interval(begins, ends, self.id)
            day += timedelta(days=7)


def _kind_of(raw: Any) -> str:
    weekly = isinstance(raw, Weekly) or (isinstance(raw, Mapping) and "weekday" in raw)
    return "weekly" if weekly else "once"


Window = Annotated[
    Annotated[Once, Tag("once")] | Annotated[Weekly, Tag("weekly")],
    Discriminator(_kind_of),
]


def check_windows(windows: Sequence[Once | Weekly]) -> None:
    """Windows have names of their own and never overlap: no second is left out twice.

    Raises:
        ValueError: two do, and which.
    """
    for a, b in combinations(windows, 2):
        if a.id == b.id:
            raise ValueError(f"two windows are named {a.id!r}")
        start, end = _where_compared(a, b)
        both = sorted([*a.occurrences(start, end), *b.occurrences(start, end)])
        for one, next_one in pairwise(both):
            if next_one.start < one.end:
                raise ValueError(
                    f"the windows {one.name!r} and {next_one.name!r} overlap at {next_one.start:%Y-%m-%d %H:%M} UTC"
                )


def _where_compared(a: Once | Weekly, b: Once | Weekly) -> tuple[datetime, datetime]:
    for window in (a, b):
        if isinstance(window, Once):
            return window.interval.start, window.interval.end
    assert isinstance(a, Weekly) and isinstance(b, Weekly)  # noqa: S101, PT018 - the other kind has returned
    start = max(window.first or _REFERENCE for window in (a, b))
    begins = datetime.combine(start, time(), UTC) - timedelta(days=8)
    return begins, begins + _YEAR


def exclusions(windows: Sequence[Once | Weekly], start: datetime, end: datetime) -> list[Interval]:
    """What the windows leave out of this stretch, in order, cut to it.

    Raises:
        UsageError: two windows overlap here.
    """
    found = sorted(interval for window in windows for interval in window.occurrences(start, end))
    for one, next_one in pairwise(found):
        if next_one.start < one.end:
            raise UsageError(
                f"the windows {one.name!r} and {next_one.name!r} overlap at {next_one.start:%Y-%m-%d %H:%M} UTC"
            )
    return [Interval(max(one.start, start), min(one.end, end), one.name) for one in found]


def _moment(moment: datetime, zone: str) -> datetime:
    return (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)
