"""Whether one reading of a card agrees with itself: numbers, birth date, gender, names, photo."""

import contextlib
import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

from kycgate.contracts.id_number import Gender, NationalId, to_ascii_digits
from kycgate.contracts.models import (
    parse_date_time,
)
from kycgate.judging.ledger import Observation
from kycgate.judging.letters import is_no_date, judge_dates, judge_letters, what_is_wrong
from kycgate.text import theirs

OLDEST = 130
"""Greatest plausible age, in years."""

MAX_PATH = 512
"""Characters; what is longer and has base64's letters alone is a picture, not the path of one."""

MAX_APART_S = 60.0
"""Between a token's own expiry and the one said beside it."""

NO_MOMENT = 1e15
"""Seconds."""

_DISK = re.compile(r"[A-Za-z]:[\\/]|\\\\\w|file:|/(?:var|usr|srv|opt|etc|root|mnt|tmp|proc|dev/shm)/", re.ASCII)
"""How an absolute path on a server's disk begins."""

_PICTURE = re.compile(rf"data:|[A-Za-z0-9+/=_\s-]{{{MAX_PATH},}}\Z", re.ASCII)

_EGYPT = (timezone(timedelta(hours=2)), timezone(timedelta(hours=3)))

_MALE = frozenset({"male", "m", "man", "ذكر"})

_FEMALE = frozenset({"female", "f", "woman", "أنثى", "انثى", "انثي", "أنثي"})


def judge_photo(photo: Any) -> Iterator[Observation]:
    if not isinstance(photo, str) or not photo:
        return
    inline = _PICTURE.match(photo) is not None
    yield Observation("result.photo", not inline, "a path", f"a picture in {len(photo)} characters", "photo")
    if not inline:
        yield Observation(
            "result.photo-path",
            _DISK.match(photo) is None,
            "a path that says nothing of the server's disk",
            "an absolute path on the server's disk",
            "customerData.photo",
        )


def gender_of(word: Any) -> Gender | None:
    """Which gender a vendor's word means, or None when it is none that is known here."""
    if not isinstance(word, str):
        return None
    plain = word.strip().lower()
    return "male" if plain in _MALE else "female" if plain in _FEMALE else None


def moment_of(value: Any) -> datetime | None:
    """The moment as it is written, its offset apart; None where it is not a date-time."""
    try:
        return parse_date_time(value).replace(tzinfo=None) if isinstance(value, str) else None
    except ValueError:
        return None


def numbers_in(data: dict[str, Any]) -> dict[str, str]:
    """The national ID numbers that a reading gives, in ASCII digits, by property."""
    names = ("idNumber", "idFrontScan", "idNumberBack", "idBackScan")
    return {
        name: to_ascii_digits(data[name]).strip() for name in names if isinstance(data.get(name), str) and data[name]
    }


def judge_reading(data: dict[str, Any]) -> Iterator[Observation]:
    """Whether one reading contradicts itself."""
    numbers = numbers_in(data)
    known: NationalId | None = None
    for name, digits in numbers.items():
        try:
            known = NationalId.parse(digits)
        except ValueError as error:
            yield Observation(
                "reading.number", False, "a possible national ID number", f"{name}: {theirs(str(error))}", name
            )
        else:
            yield Observation("reading.number", True)
    born, issued, expires = (moment_of(data.get(name)) for name in ("birthdate", "issueDate", "expirationDate"))
    if known is not None:
        if born is not None:
            # Midnight in Egypt may be written as the evening before in UTC: an offset does not contradict it.
            away = _days_away(data["birthdate"], known)
            yield Observation(
                "reading.number-birthdate",
                away == 0,
                "the number's birth date",
                f"birthdate {away} days off",
                "birthdate",
            )
            if away == 0:
                yield Observation(
                    "reading.time-zone",
                    born.date() == known.birthdate,
                    "the day that the card prints, as it is written",
                    "the same moment, written as another day",
                    "birthdate",
                )
        gender = gender_of(data.get("gender"))
        if gender is not None:
            yield Observation(
                "reading.number-gender",
                gender == known.gender,
                "the gender that the number says",
                f"gender is {gender}, the number says {known.gender}",
                "gender",
            )
    yield from judge_letters(data)
    yield from judge_dates(data)
    dated = {"birthdate": born, "issueDate": issued, "expirationDate": expires}
    # That a date is none of the card's is another clause's breach.
    moments = [moment for name, moment in dated.items() if moment is not None and not is_no_date(name, data[name])]
    if len(moments) > 1:
        ordered = all(earlier < later for earlier, later in pairwise(moments))
        yield Observation(
            "reading.dates-in-order", ordered, "birth before issue before expiry", "they follow in another order"
        )
    age = data.get("detectedAge")
    if isinstance(age, int) and not isinstance(age, bool):
        yield Observation(
            "reading.age", 0 <= age <= OLDEST, f"0 to {OLDEST}", f"detectedAge {theirs(str(age))}", "detectedAge"
        )
    yield from judge_names(data)


def _days_away(text: str, number: NationalId) -> int:
    return min(((day - number.birthdate).days for day in days_of(parse_date_time(text))), key=abs)


def days_of(moment: datetime) -> tuple[date, ...]:
    """The days that a date-time may mean: its own, and that of the same instant in Egypt (UTC+2, +3 in summer)."""
    days = [moment.date()]
    if moment.tzinfo is not None:
        for zone in _EGYPT:
            with contextlib.suppress(OverflowError):  # before the year 1, after 9999
                days.append(moment.astimezone(zone).date())
    return tuple(days)


def judge_names(data: dict[str, Any]) -> Iterator[Observation]:
    for suffix in ("", "En"):
        full, first, family = (data.get(f"{name}{suffix}") for name in ("fullName", "firstName", "familyName"))
        if not isinstance(full, str) or not full.strip():
            continue
        parts = [part for part in (first, family) if isinstance(part, str) and part.strip()]
        # Where a card's own letters are lost the names cannot agree: one cause, one finding.
        lost = not suffix and any(what_is_wrong(name) for name in (full, *parts))
        if parts and not lost:
            words = full.casefold().split()
            lacking = [part for part in parts if not set(part.casefold().split()) <= set(words)]
            given = str(first or "").casefold().split(), str(family or "").casefold().split()
            if len(parts) == 2 and words == [*given[1], *given[0]] and words != [*given[0], *given[1]]:
                # The card has the first name on its own line, before the others.
                yield Observation(
                    "reading.names-agree",
                    False,
                    "the first name first",
                    f"firstName{suffix} and familyName{suffix} stand in each other's place",
                    f"firstName{suffix}",
                )
                continue
            yield Observation(
                "reading.names-agree",
                not lacking,
                "a full name that holds the first and the family name",
                f"fullName{suffix} lacks one of them",
                f"fullName{suffix}",
            )
