"""Whether what a card prints in Arabic came as a person types it, and whether a date is one of the card's."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from kycgate.judging.ledger import Observation

ARABIC_PROPERTIES: Final = (
    "fullName", "firstName", "familyName", "address", "state", "profession", "maritalStatus", "religion", "gender",
    "nationality",
)  # fmt: skip
"""What a card has in Arabic."""
DATES: Final = ("birthdate", "issueDate", "expirationDate")

_LOST: Final = re.compile(r"\?{2,}|\ufffd|^[\s?]*\?[\s?]*$|\u25a1")
_CODE: Final = re.compile(
    r"&(?:#\d{2,7}|#x[0-9a-fA-F]{2,6}|[a-zA-Z]{2,8});|\\u[0-9a-fA-F]{4}|(?:%[dD][89aAbB]%[0-9a-fA-F]{2})"
)
_MISREAD: Final = re.compile("[\u00d8\u00d9\u00da\u00db][\u0080-\u00bf\u0152-\u2122]")
"""Arabic in UTF-8 read as Latin-1 or Windows-1252: each letter begins with Ø or Ù."""
_CODE_PAGE: Final = re.compile("[\u00c0-\u00ff]{3,}")
"""Arabic in Windows-1256 read as Latin-1: a row of accented letters."""
_FORMS: Final = re.compile("[\ufb50-\ufbb1\ufbd3-\ufd3d\ufe70-\ufefc]")
"""Presentation forms: the shape of a letter in its place, which no keyboard types; ligatures of whole words apart."""
_PERSIAN: Final = re.compile("[\u06a9\u06be\u06c1\u06cc\u06d5]")
"""Letters of Persian and Urdu keyboards that look like Arabic ones; no Egyptian keyboard has them."""
_NO_TEXT: Final = re.compile(
    r"null|NULL|\(null\)|<null>|undefined|Optional(?:\.empty|\[.{0,200}\])|\[object [A-Z]\w{1,40}\]"
    r"|(?:\w{1,60}\.){1,9}\w[\w$]{0,80}@[0-9a-f]{1,16}|System\.[A-Z][\w.`\[\],]{1,80}"
)
"""What programs write for a value that is not there, or for one that they do not know how to write."""
_NO_DATE: Final = re.compile(r"(?:0001-01-0[12]|1601-01-01|1753-01-01|1899-12-3[01]|9999-12-31)")
_NO_DATE_OF_A_CARD: Final = re.compile(r"(?:1900-01-01|1970-01-01|0000-|1969-12-31)")


def judge_letters(data: Mapping[str, Any]) -> Iterator[Observation]:
    """Letters lost, replaced or written in code are not the card's (API.md, "What the field adds")."""
    for name in ARABIC_PROPERTIES:
        value = data.get(name)
        if not isinstance(value, str) or not value.strip():
            continue
        how = what_is_wrong(value)
        yield Observation(
            "reading.letters", not how, "Arabic letters as a person types them", f"{name} {how}", f"customerData.{name}"
        )


def what_is_wrong(value: str) -> str:
    """In words; empty when the letters are such as a person types."""
    if _LOST.search(value):
        return "holds question marks or replacement characters"
    if _CODE.search(value):
        return "holds letters written in code"
    if _MISREAD.search(value) or _CODE_PAGE.search(value):
        return "holds Arabic read in another encoding"
    if _FORMS.search(value):
        return "holds presentation forms of letters"
    if _PERSIAN.search(value):
        return "holds Persian or Urdu letters for Arabic ones"
    if _NO_TEXT.fullmatch(value.strip()):
        return "is what a program writes for no value, or for one that it cannot write"
    return ""


def is_no_date(name: str, value: str) -> bool:
    """Whether a runtime writes so that it has no date for this property."""
    return bool(_NO_DATE.match(value) or (name != "birthdate" and _NO_DATE_OF_A_CARD.match(value)))


def judge_dates(data: Mapping[str, Any]) -> Iterator[Observation]:
    """A date that was not read is null; a runtime's "no date" is not a date of the card."""
    for name in DATES:
        value = data.get(name)
        if isinstance(value, str) and value:
            none = is_no_date(name, value)
            yield Observation(
                "reading.no-date", not none, "a date of the card, or null", f"{name} is a runtime's empty date",
                f"customerData.{name}",
            )  # fmt: skip
