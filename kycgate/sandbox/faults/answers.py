"""Answers of the wrong form: always, on one endpoint, on the second call, now and then, or over a size."""

import json
from collections.abc import Callable
from typing import Any

from kycgate.contracts.flow import Step
from kycgate.contracts.flows.national_id import APPROVE_BACK, APPROVE_FRONT, UPLOAD_BACK, UPLOAD_FRONT
from kycgate.sandbox.faults.registry import fault
from kycgate.sandbox.faults.shape import ChangedData
from kycgate.sandbox.vendor import Incoming, Onboarding, Refused, Reply, Vendor

LARGE = 1_000_000


_Change = Callable[[Vendor, Step, Onboarding, Reply], None]


def _changed_reply(name: str, clause: str, sentence: str, change: _Change) -> None:
    """A fault that changes the finished reply of a step."""

    class Changed(Vendor):
        def perform(self, session: Onboarding, step: Step, request: Incoming) -> Reply:
            reply = super().perform(session, step, request)
            change(self, step, session, reply)
            return reply

    Changed.__doc__ = sentence
    fault(name, clause, "shape")(Changed)


def _body(value: Any) -> bytes:
    return Reply.json(200, value).body


def _on(step: Step, edit: Callable[[Reply], None]) -> Callable[[Vendor, Step, Onboarding, Reply], None]:
    def change(vendor: Vendor, taken: Step, session: Onboarding, reply: Reply) -> None:
        if taken is step and reply.status == 200:
            edit(reply)

    return change


def _every(n: int, edit: Callable[[Reply], None]) -> Callable[[Vendor, Step, Onboarding, Reply], None]:
    """Of the vendor's uploads every `n`-th."""

    def change(vendor: Vendor, taken: Step, session: Onboarding, reply: Reply) -> None:
        if taken.is_upload and vendor.uploads % n == 0:
            edit(reply)

    return change


def _rewrite(edit: Callable[[Any], Any]) -> Callable[[Reply], None]:
    def change(reply: Reply) -> None:
        reply.body = _body(edit(json.loads(reply.body)))

    return change


def _status(status: int) -> Callable[[Reply], None]:
    def change(reply: Reply) -> None:
        reply.status = status
        reply.body = b"" if status == 204 else reply.body

    return change


def _raw(edit: Callable[[bytes], bytes]) -> Callable[[Reply], None]:
    def change(reply: Reply) -> None:
        reply.body = edit(reply.body)

    return change


def _typed(media_type: str) -> Callable[[Reply], None]:
    def change(reply: Reply) -> None:
        reply.headers["Content-Type"] = media_type

    return change


_FRONT, _BACK = UPLOAD_FRONT, UPLOAD_BACK
_changed_reply("success-as-number", "result.envelope", "The back's isSuccess is 1.",
               _on(_BACK, _rewrite(lambda v: {**v, "isSuccess": int(v["isSuccess"])})))  # fmt: skip
_changed_reply("data-in-an-array", "result.envelope", "The front's customerData is an array of one.",
               _on(_FRONT, _rewrite(lambda v: {**v, "customerData": [v["customerData"]]})))  # fmt: skip
_changed_reply("result-wrapped", "result.envelope", "The back's result stands in a property `data`.",
               _on(_BACK, _rewrite(lambda v: {"data": v})))  # fmt: skip
_changed_reply("message-dropped", "result.envelope", "The back's result lacks message.",
               _on(_BACK, _rewrite(lambda v: {k: x for k, x in v.items() if k != "message"})))  # fmt: skip
_changed_reply("true-as-text", "approve.true", "ApproveFrontImage answers the string \"true\".",
               _on(APPROVE_FRONT, _raw(lambda _: b'"true"')))  # fmt: skip
_changed_reply("true-as-one", "approve.true", "ApproveBackImage answers 1.",
               _on(APPROVE_BACK, _raw(lambda _: b"1")))  # fmt: skip
_changed_reply("true-capital", "body.json", "ApproveBackImage answers True, as a language may print it.",
               _on(APPROVE_BACK, _raw(lambda _: b"True")))  # fmt: skip
_changed_reply("empty-approval", "body.json", "ApproveFrontImage answers 200 without a body.",
               _on(APPROVE_FRONT, _raw(lambda _: b"")))  # fmt: skip
_changed_reply("no-content", "status.documented", "ApproveBackImage answers 204.",
               _on(APPROVE_BACK, _status(204)))  # fmt: skip
_changed_reply("property-twice", "body.json", "The back's result names isSuccess twice.",
               _on(_BACK, _raw(lambda b: b'{"isSuccess":false,' + b[1:])))  # fmt: skip
_changed_reply("windows-1256", "body.json", "The back's answer is written in windows-1256.",
               _on(_BACK, _raw(lambda b: b.decode().encode("cp1256", "replace"))))  # fmt: skip
_changed_reply("two-texts", "body.json", "Every fifth upload's answer holds two JSON texts.",
               _every(5, _raw(lambda b: b + b"{}")))  # fmt: skip
_changed_reply(
    "cut-short", "body.json", "Every ninth upload's answer lacks its end.", _every(9, _raw(lambda b: b[:-3]))
)
_changed_reply("sometimes-plain", "body.media-type", "Every eighth upload's answer says text/plain.",
               _every(8, _typed("text/plain; charset=utf-8")))  # fmt: skip
_changed_reply("approval-as-html", "body.media-type", "ApproveFrontImage says text/html.",
               _on(APPROVE_FRONT, _typed("text/html; charset=utf-8")))  # fmt: skip
_changed_reply(
    "sometimes-503", "status.no-5xx", "Every eleventh upload is read and answered 503.", _every(11, _status(503))
)


def _age_as_words(reply: Reply) -> None:
    value = json.loads(reply.body)
    if value.get("customerData"):
        value["customerData"]["detectedAge"] = "about thirty"
    reply.body = _body(value)


_changed_reply("sometimes-age-in-words", "result.properties", "Every seventh upload gives detectedAge in words.",
               _every(7, _age_as_words))  # fmt: skip


@fault("cut-off-answer", "answer.http", "robustness")
class CutOffAnswer(Vendor):
    """Every twelfth upload's answer promises more bytes than come, and the connection ends."""

    def perform(self, session: Onboarding, step: Step, request: Incoming) -> Reply:
        reply = super().perform(session, step, request)
        if step.is_upload and self.uploads % 12 == 0:
            reply.headers["Content-Length"] = str(len(reply.body) + 9)
        return reply


@fault("approval-without-answer", "answer.in-time", "robustness")
class ApprovalWithoutAnswer(Vendor):
    """Every fifth approval is performed, and the connection closed without an answer."""

    approvals = 0

    def perform(self, session: Onboarding, step: Step, request: Incoming) -> Reply:
        reply = super().perform(session, step, request)
        if not step.is_upload:
            self.approvals += 1
            if self.approvals % 5 == 0:
                # The server refuses to write this header, and closes the connection: nothing has gone out yet.
                reply.headers["no answer"] = ""
        return reply


@fault("refusal-cut-off", "answer.http", "robustness")
class RefusalCutOff(Vendor):
    """A 401 promises three bytes more than come, and the connection ends."""

    def refusal(self, request: Incoming, refused: Refused) -> Reply:
        reply = super().refusal(request, refused)
        if reply.status == 401:
            reply.headers["Content-Length"] = str(len(reply.body) + 3)
        return reply


@fault("error-as-text", "refusal.error-body", "shape")
class ErrorAsText(Vendor):
    """401 carries a JSON string."""

    def refusal(self, request: Incoming, refused: Refused) -> Reply:
        return Reply.json(401, refused.message) if refused.status == 401 else super().refusal(request, refused)


@fault("error-message-object", "refusal.error-body", "shape")
class ErrorMessageObject(Vendor):
    """A refusal of a step out of order has an object for its message."""

    def refusal(self, request: Incoming, refused: Refused) -> Reply:
        if refused.code == "10010":
            return Reply.json(refused.status, {"message": {"en": refused.message}, "errorCode": refused.code})
        return super().refusal(request, refused)


@fault("arabic-refusals-in-parts", "refusal.error-body", "shape")
class ArabicRefusalsInParts(Vendor):
    """A body that is refused on a phone in Arabic is answered with a list of messages."""

    def refusal(self, request: Incoming, refused: Refused) -> Reply:
        if refused.status == 400 and request.headers.get("accept-language", "").startswith("ar"):
            return Reply.json(400, {"message": [refused.message], "errorCode": refused.code or "400"})
        return super().refusal(request, refused)


@fault("some-refusals-empty", "refusal.error-body", "shape")
class SomeRefusalsEmpty(Vendor):
    """Every tenth refusal has an empty object for its body."""

    def refusal(self, request: Incoming, refused: Refused) -> Reply:
        self.refusals = getattr(self, "refusals", 0) + 1
        return Reply.json(refused.status, {}) if self.refusals % 10 == 0 else super().refusal(request, refused)


@fault("refusal-as-html", "body.media-type", "shape")
class RefusalAsHtml(Vendor):
    """400s say text/html."""

    def refusal(self, request: Incoming, refused: Refused) -> Reply:
        reply = super().refusal(request, refused)
        if refused.status == 400:
            reply.headers["Content-Type"] = "text/html"
        return reply


@fault("code-as-number", "result.envelope", "shape")
class CodeAsNumber(Vendor):
    """An unreadable picture's errorCode is a number instead of a string."""

    def result(self, success: Any, message: Any, code: Any, data: Any) -> dict[str, Any]:
        return super().result(success, message, code and int(code), data)


@fault("success-without-data", "result.data-on-success", "shape")
class SuccessWithoutData(Vendor):
    """The second call of a session that succeeds has no customerData."""

    def upload(self, session: Onboarding, step: Step, image: str) -> Reply:
        reply = super().upload(session, step, image)
        if session.calls == 2 and b'"isSuccess": true' in reply.body:
            reply.body = _body(self.result(True, None, None, None))
        return reply


@fault("large-without-data", "result.data-on-success", "shape")
class LargeWithoutData(Vendor):
    """A picture over 1 MB succeeds without customerData."""

    def upload(self, session: Onboarding, step: Step, image: str) -> Reply:
        reply = super().upload(session, step, image)
        if len(image) > LARGE:
            reply.body = _body(self.result(True, None, None, None))
        return reply


@fault("large-is-503", "status.no-5xx", "robustness")
class LargeIs503(Vendor):
    """A back over 3 MB is a 503."""

    def upload(self, session: Onboarding, step: Step, image: str) -> Reply:
        if len(image) > 3 * LARGE and step is _BACK:
            raise Refused(503, "Busy")
        return super().upload(session, step, image)


@fault("back-property-renamed", "result.properties", "shape")
class BackPropertyRenamed(ChangedData):
    """On the back idNumberBack is written idnumberBack."""

    def change(self, data: dict[str, Any], step: Step) -> None:
        if step is _BACK:
            data["idnumberBack"] = data.pop("idNumberBack")


@fault("age-with-fraction", "result.properties", "shape")
class AgeWithFraction(ChangedData):
    """detectedAge is 31.5."""

    def change(self, data: dict[str, Any], step: Step) -> None:
        if data["detectedAge"] is not None:
            data["detectedAge"] += 0.5


@fault("nationality-as-object", "result.properties", "shape")
class NationalityAsObject(ChangedData):
    """nationality is an object of two languages."""

    def change(self, data: dict[str, Any], step: Step) -> None:
        data["nationality"] = {"ar": data["nationality"]}


@fault("customer-id-in-braces", "result.customer-id", "shape")
class CustomerIdInBraces(ChangedData):
    """On the back customerId stands without its hyphens."""

    def change(self, data: dict[str, Any], step: Step) -> None:
        if step is _BACK:
            data["customerId"] = data["customerId"].replace("-", "")


@fault("scan-in-arabic-digits", "result.scans", "shape")
class ScanInArabicDigits(ChangedData):
    """idFrontScan is in Arabic-Indic digits."""

    def change(self, data: dict[str, Any], step: Step) -> None:
        if data["idFrontScan"]:
            data["idFrontScan"] = data["idFrontScan"].translate({48 + n: 0x660 + n for n in range(10)})


@fault("scan-with-spaces", "result.scans", "shape")
class ScanWithSpaces(ChangedData):
    """idBackScan has a space after the century."""

    def change(self, data: dict[str, Any], step: Step) -> None:
        if data["idBackScan"]:
            data["idBackScan"] = f"{data['idBackScan'][0]} {data['idBackScan'][1:]}"


@fault("expiry-without-time", "result.date-times", "shape")
class ExpiryWithoutTime(ChangedData):
    """expirationDate is a date without a time."""

    def change(self, data: dict[str, Any], step: Step) -> None:
        if data["expirationDate"]:
            data["expirationDate"] = data["expirationDate"][:10]


@fault("birth-with-blank", "result.date-times", "shape")
class BirthWithBlank(ChangedData):
    """birthdate is written in US order with a clock time."""

    def change(self, data: dict[str, Any], step: Step) -> None:
        if data["birthdate"]:
            year, month, day = data["birthdate"][:10].split("-")
            data["birthdate"] = f"{month}/{day}/{year} 12:00:00 AM"


@fault("second-back-without-profession", "result.back-fields", "shape")
class SecondBackWithoutProfession(Vendor):
    """A back that is shown again has no profession."""

    def upload(self, session: Onboarding, step: Step, image: str) -> Reply:
        again = step in session.done
        reply = super().upload(session, step, image)
        value = json.loads(reply.body)
        if again and step is _BACK and value["customerData"]:
            value["customerData"]["profession"] = None
            reply.body = _body(value)
        return reply


@fault("second-code-in-words", "result.error-code-number", "shape")
class SecondCodeInWords(Vendor):
    """From a session's third call on, an unreadable picture's errorCode is a word."""

    def unreadable(self, session: Onboarding, step: Step) -> Reply:
        if session.calls < 3:
            return super().unreadable(session, step)
        return Reply.json(200, self.result(False, "The picture cannot be read", "UNREADABLE", None))


@fault("silent-back", "result.message-on-failure", "shape")
class SilentBack(Vendor):
    """An unreadable back has no message."""

    def unreadable(self, session: Onboarding, step: Step) -> Reply:
        if step is _BACK:
            return Reply.json(200, self.result(False, None, "10001", None))
        return super().unreadable(session, step)


@fault("stale-data-on-failure", "result.no-data-on-failure", "semantics")
class StaleDataOnFailure(Vendor):
    """An unreadable retry comes with what was read before."""

    def unreadable(self, session: Onboarding, step: Step) -> Reply:
        data = self.customer_data(session, step, session.front) if session.front else None
        return Reply.json(200, self.result(False, "The picture cannot be read", "10001", data))
