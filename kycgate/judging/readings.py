"""Was each field read as it is printed? A vendor's reading beside a card's known truth.

Counted as the same: Arabic-Indic, Persian and ASCII digits; code points that draw the same letter (presentation forms,
Persian yeh and kaf); tatweel and vowel marks; direction marks; runs of white space; kinds of dash; the case of Latin
letters; a moment and the day that it is in Egypt. A hamza, a dot or a letter more or less is an error: the name on a
contract then is another one. Words that a vendor gives in English where the card has Arabic are not comparable, and so
are English names while the translation is off; both are left out.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from typing import Any

from kycgate.contracts.id_number import to_ascii_digits
from kycgate.contracts.models import ENGLISH_NAMES, parse_date_time
from kycgate.judging.card import days_of, gender_of
from kycgate.judging.letters import DATES
from kycgate.runs.load_model import FieldReading

_WORDS = frozenset({"gender", "religion", "maritalStatus", "nationality", "profession"})
_SAME_LETTER = str.maketrans({"\u06cc": "\u064a", "\u06a9": "\u0643", "\u2010": "-", "\u2011": "-", "\u2013": "-"})
# Cf holds the direction marks, Mn the vowel marks; tatweel (U+0640) only stretches a line.
_UNSEEN = frozenset({"Cf", "Mn", "Cc"})


def compare(reading: Mapping[str, Any], truth: Mapping[str, str]) -> dict[str, bool]:
    """For each field of `truth` that can be compared: whether `reading` (a customerData) has it as it is printed.

    `truth` is what the side shown prints, by the vendor's property names, dates in ISO 8601. A field that came as null,
    not at all, or as something other than text counts as read wrong.
    """
    compared = ((name, _same(name, reading.get(name), printed)) for name, printed in truth.items())
    return {name: right for name, right in compared if right is not None}


def _same(name: str, came: Any, printed: str) -> bool | None:
    """None when the two cannot be compared."""
    if name in ENGLISH_NAMES and came is None:
        return None
    if not isinstance(came, str):
        return False
    if name in DATES:
        return printed in {day.isoformat() for day in _days(came)}
    if name == "gender" and gender_of(printed) is not None:
        return gender_of(came) == gender_of(printed)
    if name in _WORDS and came.strip() and came.isascii() and not printed.isascii():
        return None
    return plain(came) == plain(printed)


@lru_cache(8_192)
def plain(text: str) -> str:
    """`text` as it is compared: see the module's description."""
    # Composed first: a hamza over its letter is then one character with it, and no mark to be dropped.
    composed = unicodedata.normalize("NFKC", text)
    kept = "".join(c for c in composed if c != "\u0640" and (c.isspace() or unicodedata.category(c) not in _UNSEEN))
    return re.sub(r"\s+", " ", to_ascii_digits(kept.translate(_SAME_LETTER))).strip().casefold()


def _days(text: str) -> tuple[date, ...]:
    """The days that a date or date-time may mean; none when it is neither."""
    try:
        return days_of(parse_date_time(text if "T" in text else f"{text}T00:00:00"))
    except ValueError:
        return ()


class Readings:
    """Counts comparisons, by degradation and field."""

    def __init__(self) -> None:
        self._right: Counter[tuple[str, str]] = Counter()
        self._total: Counter[tuple[str, str]] = Counter()

    def add(self, reading: Mapping[str, Any], truth: Mapping[str, str], degradation: str = "none") -> None:
        """One picture's reading."""
        for name, right in compare(reading, truth).items():
            self._total[degradation, name] += 1
            self._right[degradation, name] += right

    def results(self) -> list[FieldReading]:
        """As they are recorded in a run."""
        return [
            FieldReading(field=field, degradation=degradation, right=self._right[degradation, field], total=total)
            for (degradation, field), total in sorted(self._total.items())
        ]
