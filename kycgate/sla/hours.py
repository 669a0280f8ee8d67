"""Support hours: the time of the week that a promise is about, such as Sunday to Thursday from 8 to 18.

Times are local to an IANA zone, so that a day of 23 or 25 hours changes no opening: 8 o'clock is 8 o'clock. An end that
is not after its start is one on the following day; midnight itself is the end of the day.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, model_validator

from kycgate.runs.base import Zone
from kycgate.sla.period import WEEKDAYS, Interval, Weekday
from kycgate.text import counted


class Hours(BaseModel):
    """Hours of some weekdays; several with one id add up."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(min_length=1, max_length=60, pattern=r"^[a-z0-9][a-z0-9.-]*$")
    zone: Zone
    weekdays: tuple[Weekday, ...] = Field(min_length=1, max_length=7)
    start: time
    end: time = Field(description="On the following day when it is not after the start; 00:00:00 ends the day.")
    holidays: tuple[date, ...] = Field(
        default=(), max_length=400, description="Days on which they do not begin, local to the zone."
    )

    @model_validator(mode="after")
    def _has_no_offset(self) -> "Hours":
        if self.start.tzinfo or self.end.tzinfo:
            raise ValueError(f"the hours {self.id!r} have an offset in a time of day: their zone says the offset")
        return self

    def within(self, start: datetime, end: datetime) -> Iterable[Interval]:
        """Each time that they come within this stretch, cut to it."""
        zone, next_day = ZoneInfo(self.zone), timedelta(days=self.end <= self.start)
        day = start.astimezone(zone).date() - timedelta(days=2)
        while day <= end.astimezone(zone).date():
            begins = max(datetime.combine(day, self.start, zone).astimezone(UTC), start)
            ends = min(datetime.combine(day + next_day, self.end, zone).astimezone(UTC), end)
            if WEEKDAYS[day.weekday()] in self.weekdays and day not in self.holidays and begins < ends:
                yield Interval(begins, ends, self.id)
            day += timedelta(days=1)

    @property
    def words(self) -> str:
        """For readers: Sunday to Thursday 08:00 to 18:00 (Africa/Cairo), without 3 holidays."""
        without_gaps = [day for day in WEEKDAYS if day in self.weekdays]
        # A week may begin on any day: Sunday to Thursday is one row.
        first = next(
            (n for n, day in enumerate(WEEKDAYS) if day in self.weekdays and WEEKDAYS[n - 1] not in self.weekdays), 0
        )
        row = [WEEKDAYS[(first + n) % 7] for n in range(len(without_gaps))]
        in_a_row = len(row) > 2 and set(row) == set(without_gaps)
        days = f"{row[0]} to {row[-1]}" if in_a_row else ", ".join(without_gaps)
        without = f", without {counted(len(self.holidays), 'holiday')}" if self.holidays else ""
        return f"{days.title().replace(' To ', ' to ')} {self.start:%H:%M} to {self.end:%H:%M} ({self.zone}){without}"


def outside(hours: Sequence[Hours], start: datetime, end: datetime) -> list[Interval]:
    """What of this stretch lies outside all of these hours, in order; nothing where there are none."""
    if not hours:
        return []
    found, reached = [], start
    for one in sorted(piece for each in hours for piece in each.within(start, end)):
        if reached < one.start:
            found.append(Interval(reached, one.start, f"outside {one.name}"))
        reached = max(reached, one.end)
    return [*found, Interval(reached, end, f"outside {hours[0].id}")] if reached < end else found


def united(one: Iterable[Interval], other: Iterable[Interval]) -> list[Interval]:
    """The time that either covers, in order and without overlap."""
    found: list[Interval] = []
    for piece in sorted([*one, *other]):
        if found and piece.start <= found[-1].end:
            found[-1] = found[-1]._replace(end=max(found[-1].end, piece.end))
        else:
            found.append(piece)
    return found
