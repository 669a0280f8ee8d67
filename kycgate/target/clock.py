"""How far the target's clock is from ours, by the Date headers of its answers.

A Date header has whole seconds (RFC 9110, 6.6.1) and was made between our sending and our receiving, or up to a second
earlier where a server renews it once a second, so each answer bounds the offset to an interval; the offset lies in all
of them. No answer is asked for it.
"""

import email.utils
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple


class Offset(NamedTuple):
    """Seconds by which the target's clock is ahead of ours: at least and at most."""

    low: float
    high: float


def offset_of(date_header: str | None, sent: datetime, received: datetime) -> Offset | None:
    """What one answer says of the offset; None when it has no readable Date."""
    try:
        moment = email.utils.parsedate_to_datetime((date_header or "").strip())
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return Offset((moment - received).total_seconds(), (moment - sent).total_seconds() + 2)


def now_of(date_header: str | None) -> datetime:
    """The moment by the target's own clock, as its answer says it; by ours where it does not."""
    try:
        moment = email.utils.parsedate_to_datetime((date_header or "").strip())
    except (ValueError, TypeError, IndexError, OverflowError):
        return datetime.now(UTC)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def common_offset(offsets: Iterable[Offset | None]) -> Offset | None:
    """What all answers together say; where they contradict one another (a clock was set, or there are several), all
    that any of them allows. None without any."""
    known = [offset for offset in offsets if offset is not None]
    if not known:
        return None
    low, high = max(one.low for one in known), min(one.high for one in known)
    if low <= high:
        return Offset(low, high)
    return Offset(min(one.low for one in known), max(one.high for one in known))
