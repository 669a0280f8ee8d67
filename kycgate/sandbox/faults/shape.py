"""Answers whose shape, status or meaning is wrong."""

import json
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, ClassVar

from kycgate.contracts.flow import Step
from kycgate.contracts.flows.national_id import APPROVE_BACK, APPROVE_FRONT, UPLOAD_BACK
from kycgate.contracts.models import ENGLISH_NAMES
from kycgate.sandbox.faults.registry import fault
from kycgate.sandbox.vendor import Incoming, Onboarding, Refused, Reply, Vendor


class ChangedData(Vendor):
    """Changes customerData once it is made."""

    def change(self, data: dict[str, Any], step: Step) -> None:
        raise NotImplementedError

    def customer_data(self, session: Onboarding, step: Step, fields: Mapping[str, str]) -> dict[str, Any]:
        data = super().customer_data(session, step, fields)
        self.change(data, step)
        return data


@fault("success-as-text", "result.envelope", "shape")
class SuccessAsText(Vendor):
    """isSuccess is the string "true"."""

    def result(self, success: Any, message: Any, code: Any, data: Any) -> dict[str, Any]:
        return super().result(str(success).lower(), message, code, data)


@fault("property-dropped", "result.properties", "shape")
class PropertyDropped(ChangedData):
    """customerData lacks documentNumber."""

    def change(self, data: dict[str, Any], step: Step) -> None:
        del data["documentNumber"]


@fault("age-as-text", "result.properties", "shape")
class AgeAsText(ChangedData):
    """detectedAge is a string."""

    def change(self, data: dict[str, Any], step: Step) -> None:
        data["detectedAge"] = str(data["detectedAge"])


@fault("customer-id-no-uuid", "result.customer-id", "shape")
class CustomerIdNoUuid(ChangedData):
    """customerId is a number in a string."""

    def change(self, data: dict[str, Any], step: Step) -> None:
        data["customerId"] = "4711"


@fault("numbers-are-no-texts", "result.properties", "shape")
class NumbersAreNoTexts(ChangedData):
    """Properties that hold digits alone are written as numbers, which no approval may hand back."""

    def change(self, data: dict[str, Any], step: Step) -> None:
        data |= {name: int(value) for name, value in data.items() if str(value).isdecimal()}


@fault("thirteen-digits", "result.scans", "shape")
class ThirteenDigits(ChangedData):
    """The back's scan loses its last digit."""

    def change(self, data: dict[str, Any], step: Step) -> None:
        if step == UPLOAD_BACK:
            data["idBackScan"] = data["idBackScan"][:-1]


@fault("local-date", "result.date-times", "shape")
class LocalDate(ChangedData):
    """issueDate is written dd/MM/yyyy."""

    def change(self, data: dict[str, Any], step: Step) -> None:
        if data["issueDate"]:
            data["issueDate"] = f"{date.fromisoformat(data['issueDate'][:10]):%d/%m/%Y}"


@fault("data-on-failure", "result.no-data-on-failure", "shape")
class DataOnFailure(Vendor):
    """A refused reading still carries customerData."""

    def result(self, success: Any, message: Any, code: Any, data: Any) -> dict[str, Any]:
        return super().result(success, message, code, data if success else {"customerId": None})


@fault("no-message-on-failure", "result.message-on-failure", "shape")
class NoMessageOnFailure(Vendor):
    """A refused reading has a null message."""

    def result(self, success: Any, message: Any, code: Any, data: Any) -> dict[str, Any]:
        return super().result(success, None, code, data)


@fault("error-code-word", "result.error-code-number", "shape")
class ErrorCodeWord(Vendor):
    """errorCode is a word."""

    def result(self, success: Any, message: Any, code: Any, data: Any) -> dict[str, Any]:
        return super().result(success, message, code and "NOT_READ", data)


@fault("error-code-empty-on-failure", "result.error-code-number", "shape")
class ErrorCodeEmptyOnFailure(Vendor):
    """errorCode is empty, not null, when the picture was not read."""

    def result(self, success: Any, message: Any, code: Any, data: Any) -> dict[str, Any]:
        return super().result(success, message, code if success else "", data)


@fault("no-gender-on-back", "result.back-fields", "shape")
class NoGenderOnBack(ChangedData):
    """The back's gender is null."""

    def change(self, data: dict[str, Any], step: Step) -> None:
        if step == UPLOAD_BACK:
            data["gender"] = None


@fault("approved-as-object", "approve.true", "shape")
class ApprovedAsObject(Vendor):
    """ApproveBackImage answers an object instead of true."""

    def perform(self, session: Onboarding, step: Step, request: Incoming) -> Reply:
        reply = super().perform(session, step, request)
        return Reply.json(200, {"isSuccess": True}) if step == APPROVE_BACK else reply


@fault("byte-order-mark", "body.json", "shape")
class ByteOrderMark(Vendor):
    """Upload answers begin with a byte order mark."""

    def upload(self, session: Onboarding, step: Step, image: str) -> Reply:
        reply = super().upload(session, step, image)
        reply.body = b"\xef\xbb\xbf" + reply.body
        return reply


@fault("html-answers", "body.media-type", "shape")
class HtmlAnswers(Vendor):
    """Answers say text/html."""

    def handle(self, request: Incoming) -> Reply:
        reply = super().handle(request)
        reply.headers["Content-Type"] = "text/html"
        return reply


@fault("refusal-without-code", "refusal.error-body", "shape")
class RefusalWithoutCode(Vendor):
    """Refusals lack errorCode."""

    def refusal(self, request: Incoming, refused: Refused) -> Reply:
        return Reply.json(refused.status, {"message": refused.message})


@fault("script-error-text", "refusal.no-leak", "robustness")
class ScriptErrorText(Vendor):
    """A wrongly typed image is refused with what the server's own script says of it."""

    def refusal(self, request: Incoming, refused: Refused) -> Reply:
        said = "Cannot read properties of undefined (reading 'length')" if refused.why == "image" else refused.message
        return super().refusal(request, Refused(refused.status, said, refused.code, why=refused.why))


@fault("decoders-own-words", "refusal.no-leak", "robustness")
class DecodersOwnWords(Vendor):
    """What is neither JSON nor base64 is refused with the words of the library that reads it."""

    SAID: ClassVar[Mapping[str, str]] = {
        "not-json": "invalid character 'i' after top-level value",
        "not-base64": "illegal base64 data at input byte 4",
    }

    def refusal(self, request: Incoming, refused: Refused) -> Reply:
        said = self.SAID.get(refused.why or "", refused.message)
        return super().refusal(request, Refused(refused.status, said, refused.code, why=refused.why))


@fault("stack-trace", "refusal.no-leak", "robustness")
class StackTrace(Vendor):
    """Refusals of broken JSON show an internal exception."""

    def refusal(self, request: Incoming, refused: Refused) -> Reply:
        text = "Object reference not set to an instance of an object." if "JSON" in refused.message else refused.message
        return Reply.json(refused.status, {"message": text, "errorCode": refused.code})


@fault("one-name-untranslated", "result.translation", "semantics")
class OneNameUntranslated(ChangedData):
    """familyNameEn is null though translation is on."""

    def change(self, data: dict[str, Any], step: Step) -> None:
        data[ENGLISH_NAMES[2]] = None


@fault("birthdate-a-day-off", "reading.number-birthdate", "semantics")
class BirthdateADayOff(ChangedData):
    """birthdate is the day after the number's."""

    def change(self, data: dict[str, Any], step: Step) -> None:
        if data["birthdate"]:
            moved = date.fromisoformat(data["birthdate"][:10]) + timedelta(days=1)
            data["birthdate"] = f"{moved}{data['birthdate'][10:]}"


@fault("gender-swapped", "reading.number-gender", "semantics")
class GenderSwapped(ChangedData):
    """gender contradicts the number, on the back."""

    def change(self, data: dict[str, Any], step: Step) -> None:
        if data["gender"]:
            data["gender"] = "أنثى" if data["gender"] == "ذكر" else "ذكر"
            data["idNumberBack"] = data["idNumberBack"] or data["idNumber"]


@fault("another-number-on-back", "reading.numbers-agree", "semantics")
class AnotherNumberOnBack(ChangedData):
    """The back's number differs from the front's in its serial."""

    def change(self, data: dict[str, Any], step: Step) -> None:
        for name in ("idNumberBack", "idBackScan"):
            if data[name]:
                data[name] = f"{data[name][:9]}{(int(data[name][9]) + 1) % 10}{data[name][10:]}"


@fault("expired-before-issued", "reading.dates-in-order", "semantics")
class ExpiredBeforeIssued(ChangedData):
    """expirationDate and issueDate change places."""

    def change(self, data: dict[str, Any], step: Step) -> None:
        data["issueDate"], data["expirationDate"] = data["expirationDate"], data["issueDate"]


@fault("created", "status.documented", "status")
class Created(Vendor):
    """ApproveFrontImage answers 201."""

    def perform(self, session: Onboarding, step: Step, request: Incoming) -> Reply:
        reply = super().perform(session, step, request)
        reply.status = 201 if step == APPROVE_FRONT else reply.status
        return reply


@fault("crash-on-surrogate", "status.no-5xx", "robustness")
class CrashOnSurrogate(Vendor):
    """A lone surrogate anywhere in the body is a 500."""

    def parse(self, body: bytes) -> dict[str, Any]:
        value = super().parse(body)
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise Refused(500, "Internal error") from None
        return value
