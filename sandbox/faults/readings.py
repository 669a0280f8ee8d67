"""Readings that look right and contradict themselves, the other side, or the translation setting."""

from datetime import date
from typing import Any

from kycgate.contracts.journey import Step
from kycgate.contracts.models import ENGLISH_NAMES
from kycgate.sandbox.faults.registry import fault
from kycgate.sandbox.faults.shape import ChangedData

_NUMBERS = ("idNumber", "idFrontScan", "idNumberBack", "idBackScan")


def _renumber(data: dict[str, Any], start: int, digits: str) -> None:
    for name in _NUMBERS:
        if data[name]:
            data[name] = data[name][:start] + digits + data[name][start + len(digits) :]


@fault("governorate-99", "reading.number", "semantics")
class Governorate99(ChangedData):
    """Every number's governorate is 99."""

    def change(self, data: dict[str, Any], step: Step) -> None:
        _renumber(data, 7, "99")


@fault("number-in-february-30", "reading.number", "semantics")
class NumberInFebruary30(ChangedData):
    """The back's number was born on 30 February."""

    def change(self, data: dict[str, Any], step: Step) -> None:
        if step is Step.UPLOAD_BACK:
            _renumber(data, 3, "0230")


@fault("century-4", "reading.number", "semantics")
class Century4(ChangedData):
    """The front's number begins with century 4."""

    def change(self, data: dict[str, Any], step: Step) -> None:
        if step is Step.UPLOAD_FRONT:
            _renumber(data, 0, "4")


@fault("day-and-month-swapped", "reading.number-birthdate", "semantics")
class DayAndMonthSwapped(ChangedData):
    """birthdate has day and month in each other's place, where that is a date."""

    def change(self, data: dict[str, Any], step: Step) -> None:
        if data["birthdate"]:
            year, month, day = data["birthdate"][:10].split("-")
            if int(day) <= 12:
                data["birthdate"] = f"{year}-{day}-{month}{data['birthdate'][10:]}"


@fault("a-century-older", "reading.number-birthdate", "semantics")
class ACenturyOlder(ChangedData):
    """birthdate of those born in the 2000s is a century early."""

    def change(self, data: dict[str, Any], step: Step) -> None:
        if data["birthdate"] and data["birthdate"].startswith("20"):
            data["birthdate"] = f"19{data['birthdate'][2:]}"


@fault("all-men", "reading.number-gender", "semantics")
class AllMen(ChangedData):
    """gender is male for everybody."""

    def change(self, data: dict[str, Any], step: Step) -> None:
        if data["gender"]:
            data["gender"] = "ذكر"


@fault("scan-not-number", "reading.numbers-agree", "semantics")
class ScanNotNumber(ChangedData):
    """The front's scan and idNumber differ in two digits of the serial."""

    def change(self, data: dict[str, Any], step: Step) -> None:
        if data["idFrontScan"]:
            scan = data["idFrontScan"]
            data["idFrontScan"] = scan[:10] + scan[11] + str((int(scan[10]) + 1) % 10) + scan[12:]


@fault("sometimes-another-number", "reading.numbers-agree", "semantics")
class SometimesAnotherNumber(ChangedData):
    """Every sixth upload gives a back number with a wrong check digit."""

    def change(self, data: dict[str, Any], step: Step) -> None:
        if self.uploads % 6 == 0 and data["idNumberBack"]:
            number = data["idNumberBack"]
            data["idNumberBack"] = number[:-1] + str((int(number[-1]) + 1) % 10)


@fault("family-name-missing", "reading.names-agree", "semantics")
class FamilyNameMissing(ChangedData):
    """fullName is the first name alone."""

    def change(self, data: dict[str, Any], step: Step) -> None:
        if data["fullName"]:
            data["fullName"] = data["firstName"]


@fault("question-marks", "reading.names-agree", "semantics")
class QuestionMarks(ChangedData):
    """The Arabic names lost their letters to a code page."""

    def change(self, data: dict[str, Any], step: Step) -> None:
        for name in ("fullName", "firstName", "familyName"):
            if data[name]:
                data[name] = "".join("?" if letter.isalpha() else letter for letter in data[name])


@fault("names-in-each-others-place", "reading.names-agree", "semantics")
class NamesSwapped(ChangedData):
    """firstName and familyName stand in each other's place."""

    def change(self, data: dict[str, Any], step: Step) -> None:
        data["firstName"], data["familyName"] = data["familyName"], data["firstName"]


@fault("age-below-zero", "reading.age", "semantics")
class AgeBelowZero(ChangedData):
    """detectedAge counts backwards."""

    def change(self, data: dict[str, Any], step: Step) -> None:
        if data["detectedAge"] is not None:
            data["detectedAge"] = -data["detectedAge"]


@fault("expires-before-birth", "reading.dates-in-order", "semantics")
class ExpiresBeforeBirth(ChangedData):
    """expirationDate lies a century back."""

    def change(self, data: dict[str, Any], step: Step) -> None:
        if data["expirationDate"]:
            moment = date.fromisoformat(data["expirationDate"][:10])
            data["expirationDate"] = f"{moment.year - 100}{data['expirationDate'][4:]}"


@fault("arabic-as-english", "result.translation", "semantics")
class ArabicAsEnglish(ChangedData):
    """familyNameEn is the Arabic name."""

    def change(self, data: dict[str, Any], step: Step) -> None:
        if data["familyName"]:
            data["familyNameEn"] = data["familyName"]


@fault("sometimes-untranslated", "result.translation", "semantics")
class SometimesUntranslated(ChangedData):
    """Every fifth upload lacks the translation."""

    def change(self, data: dict[str, Any], step: Step) -> None:
        if self.uploads % 5 == 0:
            data |= dict.fromkeys(ENGLISH_NAMES)
