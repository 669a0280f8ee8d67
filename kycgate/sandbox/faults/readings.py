"""Readings that look right and contradict themselves, the other side, or the translation setting."""

import html
import json
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

from kycgate.contracts.flow import Step
from kycgate.contracts.flows.national_id import UPLOAD_BACK, UPLOAD_FRONT
from kycgate.contracts.models import ENGLISH_NAMES
from kycgate.sandbox.faults.registry import fault
from kycgate.sandbox.faults.shape import ChangedData
from kycgate.sandbox.vendor import Incoming, Onboarding, Reply, Vendor

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


@fault("religion-and-marital-status-exchanged", "reading.own-fields", "semantics")
class ReligionAndMaritalStatusExchanged(ChangedData):
    """religion and maritalStatus stand in each other's place."""

    def change(self, data: dict[str, Any], step: Step) -> None:
        data["religion"], data["maritalStatus"] = data["maritalStatus"], data["religion"]


@fault("full-name-cut-off", "reading.own-fields", "semantics")
class FullNameCutOff(ChangedData):
    """Of fullName the first twelve characters alone are kept."""

    def change(self, data: dict[str, Any], step: Step) -> None:
        if data["fullName"]:
            data["fullName"] = data["fullName"][:12]


@fault("number-of-32-bits", "reading.own-fields", "semantics")
class NumberOf32Bits(ChangedData):
    """idNumber is what 32 bits hold of it, and no approval may hand that back."""

    def change(self, data: dict[str, Any], step: Step) -> None:
        if data["idNumber"]:
            data["idNumber"] = str((int(data["idNumber"]) + 2**31) % 2**32 - 2**31)


@fault("number-in-february-30", "reading.number", "semantics")
class NumberInFebruary30(ChangedData):
    """The back's number was born on 30 February."""

    def change(self, data: dict[str, Any], step: Step) -> None:
        if step == UPLOAD_BACK:
            _renumber(data, 3, "0230")


@fault("century-4", "reading.number", "semantics")
class Century4(ChangedData):
    """The front's number begins with century 4."""

    def change(self, data: dict[str, Any], step: Step) -> None:
        if step == UPLOAD_FRONT:
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


@fault("back-number-from-the-front", "reading.as-printed", "semantics")
class BackNumberFromTheFront(Vendor):
    """idNumberBack is the number of the session's front, whatever the back shows."""

    def customer_data(self, session: Onboarding, step: Step, fields: Mapping[str, str]) -> dict[str, Any]:
        data = super().customer_data(session, step, fields)
        if data["idNumberBack"]:
            data["idNumberBack"] = session.front["idNumber"]
        return data


@fault("family-name-missing", "reading.names-agree", "semantics")
class FamilyNameMissing(ChangedData):
    """fullName is the first name alone."""

    def change(self, data: dict[str, Any], step: Step) -> None:
        if data["fullName"]:
            data["fullName"] = data["firstName"]


@fault("question-marks", "reading.letters", "semantics")
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


def _changes(name: str, clause: str, sentence: str, names: tuple[str, ...], change: Callable[[str], str]) -> None:
    """A fault that changes some texts of what was read."""

    class Changed(ChangedData):
        def change(self, data: dict[str, Any], step: Step) -> None:
            data |= {name: change(data[name]) for name in names if data[name]}

    Changed.__doc__ = sentence
    fault(name, clause, "semantics")(Changed)


_PRINTED = ("fullName", "firstName", "familyName", "address", "state")
_changes("utf8-read-as-latin1", "reading.as-printed", "Arabic letters are UTF-8 that was read as Latin-1.", _PRINTED,
         lambda text: text.encode().decode("latin-1"))  # fmt: skip
_changes("letters-escaped-for-html", "reading.as-printed", "Arabic letters are written as HTML's references.", _PRINTED,
         lambda text: html.escape(text).encode("ascii", "xmlcharrefreplace").decode())  # fmt: skip
_changes("expiry-a-day-early", "reading.as-printed", "expirationDate is the day before, at midnight UTC.",
         ("expirationDate",),
         lambda text: f"{date.fromisoformat(text[:10]) - timedelta(days=1)}{text[10:]}")  # fmt: skip
_changes("issue-month-first", "reading.as-printed", "issueDate has day and month in each other's place.",
         ("issueDate",), lambda text: f"{text[:4]}-{text[8:10]}-{text[5:7]}{text[10:]}")  # fmt: skip
_changes("photo-inline", "result.photo", "photo is the picture itself.", ("photo",), lambda _: "/9j/" + "A" * 2_000)
_changes("photo-as-data-url", "result.photo", "photo is a data: URL.", ("photo",), lambda _: "data:image/jpeg;base64,")
_changes("photo-of-everybody", "result.photo-path", "photo is the same path for everybody.", ("photo",),
         lambda _: "photos/current.jpg")  # fmt: skip
_changes("photo-on-the-servers-disk", "result.photo-path", "photo is a path on the server's disk.", ("photo",),
         lambda text: f"C:\\inetpub\\{text}")  # fmt: skip


def _swaps(name: str, sentence: str, first: str, second: str) -> None:
    class Swapped(ChangedData):
        def change(self, data: dict[str, Any], step: Step) -> None:
            data[first], data[second] = data[second], data[first]

    Swapped.__doc__ = sentence
    fault(name, "reading.as-printed", "semantics")(Swapped)


_swaps("address-lines-swapped", "The address's two lines stand in each other's place.", "address", "state")
_swaps(
    "religion-is-marital-status", "religion and maritalStatus stand in each other's place.", "religion", "maritalStatus"
)


@fault("english-name-on-an-english-phone", "reading.letters", "semantics")
class EnglishNameOnAnEnglishPhone(Vendor):
    """With Accept-Language: en fullName is the translation, too."""

    def perform(self, session: Onboarding, step: Step, request: Incoming) -> Reply:
        reply = super().perform(session, step, request)
        if step == UPLOAD_FRONT and request.headers.get("accept-language", "").startswith("en"):
            value = json.loads(reply.body)
            data = value["customerData"]
            if data and data["fullNameEn"]:
                data["fullName"] = data["fullNameEn"]
                return self.personal(Reply.json(200, value))
        return reply


@fault("family-name-is-first", "reading.as-printed", "semantics")
class FamilyNameIsFirst(ChangedData):
    """familyNameEn is the first name."""

    def change(self, data: dict[str, Any], step: Step) -> None:
        data["familyNameEn"] = data["firstNameEn"]


def _stale(name: str, sentence: str, side: Step) -> None:
    """A fault that answers with the first reading of a side, whatever is shown later."""

    class Stale(Vendor):
        def customer_data(self, session: Onboarding, step: Step, fields: Mapping[str, str]) -> dict[str, Any]:
            read = self.__dict__.setdefault("first_readings", {}).setdefault((session.customer_id, step), fields)
            return super().customer_data(session, step, read if step is side else fields)

    Stale.__doc__ = sentence
    fault(name, "session.own-customer", "state")(Stale)


_stale("first-front-stays", "A front shown again is answered with the first one's reading.", UPLOAD_FRONT)
_stale("first-back-stays", "A back shown again is answered with the first one's reading.", UPLOAD_BACK)
