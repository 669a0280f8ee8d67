"""The Egyptian national ID number: `C YYMMDD GG SSSS K`, 14 digits.

Source: vendor-api.md, "The Egyptian national ID number". The formula of the check digit `K` is not
published, so it is carried but never judged.
"""

import random
import re
from dataclasses import dataclass
from datetime import date
from typing import Literal, Self

Gender = Literal["male", "female"]

GOVERNORATES: dict[str, str] = {
    "01": "Cairo",
    "02": "Alexandria",
    "03": "Port Said",
    "04": "Suez",
    "11": "Damietta",
    "12": "Dakahlia",
    "13": "Sharqia",
    "14": "Qalyubia",
    "15": "Kafr El Sheikh",
    "16": "Gharbia",
    "17": "Monufia",
    "18": "Beheira",
    "19": "Ismailia",
    "21": "Giza",
    "22": "Beni Suef",
    "23": "Fayoum",
    "24": "Minya",
    "25": "Asyut",
    "26": "Sohag",
    "27": "Qena",
    "28": "Aswan",
    "29": "Luxor",
    "31": "Red Sea",
    "32": "New Valley",
    "33": "Matrouh",
    "34": "North Sinai",
    "35": "South Sinai",
    "88": "born abroad",
}

_CENTURIES = {"2": 1900, "3": 2000}
_PATTERN = re.compile(r"[0-9]{14}")
_ARABIC_INDIC = str.maketrans("٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹", "01234567890123456789")


def to_ascii_digits(text: str) -> str:
    """`text` with Arabic-Indic (and Persian) digits written as 0 to 9."""
    return text.translate(_ARABIC_INDIC)


@dataclass(frozen=True, slots=True)
class NationalId:
    """One number and what it says about its holder."""

    digits: str
    birthdate: date
    governorate: str
    gender: Gender

    def __str__(self) -> str:
        return self.digits

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a number of 14 ASCII digits.

        Raises:
            ValueError: it is not 14 digits, or its century, birth date or governorate cannot be.
        """
        if not _PATTERN.fullmatch(text):
            raise ValueError("not 14 digits")
        century = _CENTURIES.get(text[0])
        if century is None:
            raise ValueError(f"century digit {text[0]} is neither 2 nor 3")
        try:
            birthdate = date(century + int(text[1:3]), int(text[3:5]), int(text[5:7]))
        except ValueError:
            raise ValueError(f"{text[1:7]} is not a date (YYMMDD)") from None
        if text[7:9] not in GOVERNORATES:
            raise ValueError(f"no governorate has the code {text[7:9]}")
        return cls(text, birthdate, text[7:9], "male" if int(text[12]) % 2 else "female")

    @classmethod
    def make(
        cls,
        rng: random.Random,
        *,
        birthdate: date | None = None,
        gender: Gender | None = None,
        governorate: str | None = None,
    ) -> Self:
        """Draw a synthetic number; what is not given is drawn from `rng`.

        Raises:
            ValueError: the birth date lies outside 1900 to 2099, or the governorate's code is unknown.
        """
        if birthdate is None:
            birthdate = date.fromordinal(rng.randint(date(1950, 1, 1).toordinal(), date(2006, 12, 31).toordinal()))
        if gender is None:
            gender = rng.choice(("male", "female"))
        if governorate is None:
            governorate = rng.choice(sorted(GOVERNORATES))
        century = next((digit for digit, first in _CENTURIES.items() if first <= birthdate.year < first + 100), None)
        if century is None:
            raise ValueError(f"no century digit is known for {birthdate.year}")
        last = rng.choice("13579" if gender == "male" else "02468")
        serial = f"{rng.randrange(1000):03d}{last}"
        return cls.parse(f"{century}{birthdate:%y%m%d}{governorate}{serial}{rng.randrange(10)}")
