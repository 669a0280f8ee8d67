"""Calendar periods: a month, a quarter or a year, and the days in it."""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from kycgate.errors import UsageError
from kycgate.sla.period import Interval

Measure = Literal["calendar month", "calendar quarter", "calendar year"]


_NOUNS: dict[Measure, str] = {"calendar month": "month", "calendar quarter": "quarter", "calendar year": "year"}


class Span(NamedTuple):
    """A calendar period: its name as `--period` takes it, its first day, and the first day after it."""

    name: str
    first: date
    after: date

    @property
    def measure(self) -> Measure:
        """What a policy calls a period of this length."""
        months = (self.after.year - self.first.year) * 12 + self.after.month - self.first.month
        return "calendar month" if months == 1 else "calendar quarter" if months == 3 else "calendar year"

    @property
    def noun(self) -> str:
        """Month, quarter or year."""
        return _NOUNS[self.measure]


def parse_span(text: str) -> Span:
    """The period that is written as 2026-11 (a month), 2026-Q4 (a quarter) or 2026 (a year).

    Raises:
        UsageError: it is none.
    """
    found = re.fullmatch(r"(2\d{3})(?:-(?:(0[1-9]|1[0-2])|Q([1-4])))?", text, re.ASCII)
    if found is None:
        raise UsageError(
            f"--period {text!r} is not a calendar period: write a month like 2026-11, a quarter like 2026-Q4, or a year"
        )
    year, month, quarter = (int(part) if part else None for part in found.groups())
    first = month or (quarter * 3 - 2 if quarter else 1)
    last = first + (0 if month else 2 if quarter else 11)
    assert year is not None  # noqa: S101 - the pattern holds one
    return Span(text, date(year, first, 1), date(year + last // 12, last % 12 + 1, 1))


def days_of(span: Span, zone: str) -> list[Interval]:
    """The days of a period from local midnight to local midnight: 23, 24 or 25 hours each; `name` is the date."""
    dates = [span.first + timedelta(days=n) for n in range((span.after - span.first).days + 1)]
    midnights = [datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC) for day in dates]
    return [Interval(a, b, f"{day:%Y-%m-%d}") for day, a, b in zip(dates, midnights, midnights[1:], strict=False)]
