"""Inputs that crash, are refused though they are legal, or are taken though they are not."""

import contextlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from kycgate.contracts.flow import Step
from kycgate.contracts.flows.national_id import APPROVE_BACK, APPROVE_FRONT, UPLOAD_BACK, UPLOAD_FRONT
from kycgate.contracts.models import CUSTOMER_PROPERTIES, ENGLISH_NAMES
from kycgate.sandbox.faults.bodies import first_value
from kycgate.sandbox.faults.registry import fault
from kycgate.sandbox.vendor import Incoming, Onboarding, Refused, Reply, Vendor


def _refuse(
    name: str, clause: str, sentence: str, when: Callable[[Step, Incoming], bool],
    status: int = 400, message: str = "The body is not as expected",
) -> None:  # fmt: skip
    """A fault that refuses a step's request of some kind, which is legal or to be answered in another way."""

    class Refusing(Vendor):
        def perform(self, session: Onboarding, step: Step, request: Incoming) -> Reply:
            if when(step, request):
                raise Refused(status, message)
            return super().perform(session, step, request)

    Refusing.__doc__ = sentence
    fault(name, clause, "robustness")(Refusing)


def _crash(name: str, sentence: str, when: Callable[[Step, Incoming], bool]) -> None:
    """A fault that answers 500 to a step's request of some kind."""
    _refuse(name, "status.no-5xx", sentence, when, 500, "Something went wrong")


def _names_twice(body: bytes) -> bool:
    try:
        json.loads(body, object_pairs_hook=_no_double)
    except KeyError:
        return True
    except (ValueError, RecursionError):
        return False
    return False


def _no_double(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise KeyError
    return dict(pairs)


def _field(name: str, pattern: str) -> Callable[[Step, Incoming], bool]:
    def when(step: Step, request: Incoming) -> bool:
        try:
            value = json.loads(request.body).get(name)
        except (ValueError, AttributeError, RecursionError):
            return False
        return step == APPROVE_FRONT and isinstance(value, str) and re.search(pattern, value) is not None

    return when


_crash("crash-on-nesting", "Deep nesting is a 500.", lambda _, request: request.body.count(b"[") > 500)
_crash(
    "crash-on-nul", "A NUL in an upload is a 500.", lambda step, request: step.is_upload and b"\\u0000" in request.body
)
_crash("crash-on-property-twice", "A property given twice is a 500.", lambda _, request: _names_twice(request.body))
_crash("crash-on-empty-body", "An upload without a body is a 500.", lambda step, r: step.is_upload and not r.body)
_crash("crash-on-letters-in-two-parts", "A letter with a combining mark is a 500.", lambda _, r: b"\xcc\x83" in r.body)
_crash("crash-on-array", "A JSON array for an upload is a 500.", lambda step, r: step.is_upload and r.body[:1] == b"[")
_crash("crash-on-arabic-digits", "Arabic-Indic digits in idNumber are a 500.", _field("idNumber", "[\u0660-\u0669]"))
_crash("crash-on-quote", "A quote in address is a 500.", _field("address", "'"))
_crash("crash-on-impossible-date", "31 February is a 500.", _field("birthdate", "^31/02"))
_crash("crash-beyond-64-bits", "A number of twenty digits or more is a 500.", _field("idNumber", "^[0-9]{20}"))
_crash("crash-on-another-number", "A number whose month is above 12 is a 500.", _field("idNumber", "^...(?!0|1[012])"))
_crash("crash-on-right-to-left-mark", "A right-to-left mark in state is a 500.", _field("state", "\u200f"))
_crash("crash-on-emoji", "An emoji in state is a 500.", _field("state", "[\U0001f300-\U0001faff]"))
_crash("crash-on-vast-integer", "An integer of 400 digits is a 500.",
       lambda _, r: re.search(rb"(?<![.\d])\d{400}", r.body) is not None)  # fmt: skip
_crash("crash-on-leading-blank", "An image that begins with a blank is a 500.",
       lambda step, r: step.is_upload and re.search(rb'"image"\s*:\s*" ', r.body) is not None)  # fmt: skip
_crash("crash-on-short-lines", "A short image with a line feed is a 500.",
       lambda step, r: step.is_upload and len(r.body) < 1_000 and b"\\n" in r.body)  # fmt: skip
_crash("crash-on-long-name", "A name over 4,000 characters is a 500.", _field("fullName", "(?s)^.{4000}"))
_crash("crash-on-not-utf8", "A body that is not UTF-8 is a 500.", lambda _, request: b"\xff\xfe" in request.body)
_crash("crash-on-a-byte-order-mark", "A body that begins with a byte order mark is a 500.",
       lambda _, request: request.body.startswith(b"\xef\xbb\xbf"))  # fmt: skip
_crash("crash-on-a-form-approval", "An approval that says to be a web form is a 500.",
       lambda step, r: step == APPROVE_FRONT and "form" in r.headers.get("content-type", ""))  # fmt: skip
_crash("crash-without-a-media-type-on-back", "A back without a Content-Type is a 500.",
       lambda step, r: step == UPLOAD_BACK and not r.headers.get("content-type"))  # fmt: skip
_crash("crash-on-a-null-approval", "An approval that is null is a 500.",
       lambda step, r: step == APPROVE_FRONT and r.body.strip() == b"null")  # fmt: skip
_crash("crash-on-an-approval-without-a-body", "An approval of the front without a body is a 500.",
       lambda step, r: step == APPROVE_FRONT and not r.body)  # fmt: skip
_crash("crash-on-an-array-approval", "An approval that is an array is a 500.",
       lambda step, r: step == APPROVE_FRONT and r.body[:1] == b"[")  # fmt: skip
_crash("crash-on-bare-values", "An upload that is a text or a number by itself is a 500.",
       lambda step, r: step.is_upload and re.fullmatch(rb'\s*("[^"]*"|[-\d.]+)\s*', r.body) is not None)  # fmt: skip
_crash("crash-on-a-compressed-request", "A request with a Content-Encoding is a 500.",
       lambda _, r: "content-encoding" in r.headers)  # fmt: skip
_crash("crash-on-another-charset", "A request that names another charset than UTF-8 is a 500.",
       lambda _, r: "windows" in r.headers.get("content-type", ""))  # fmt: skip
_crash("crash-on-last-broken-body", "A broken body on ApproveBackImage is a 500.",
       lambda step, r: step == APPROVE_BACK and r.body[:1] == b"{" and r.body[-1:] != b"}")  # fmt: skip


class _Pictures(Vendor):
    """Answers 500 to pictures that begin with something."""

    marks: tuple[bytes, ...] = ()

    def read(self, picture: bytes, step: Step) -> Mapping[str, str] | None:
        if any(mark in picture[:64] for mark in self.marks):
            raise Refused(500, "Something went wrong")
        return super().read(picture, step)


@fault("crash-on-bomb", "status.no-5xx", "robustness")
class CrashOnBomb(_Pictures):
    """A picture that declares far more pixels than it holds is a 500."""

    marks = (b"IHDR\x00\x00\xc3\x50",)


@fault("crash-on-no-size", "status.no-5xx", "robustness")
class CrashOnNoSize(_Pictures):
    """A picture of no size is a 500."""

    marks = (b"IHDR\x00\x00\x00\x00",)


@fault("crash-on-pdf", "status.no-5xx", "robustness")
class CrashOnPdf(_Pictures):
    """A PDF is a 500."""

    marks = (b"%PDF",)


@fault("crash-on-text", "status.no-5xx", "robustness")
class CrashOnText(Vendor):
    """Text that is not base64 is a 500."""

    def decode(self, image: str) -> bytes:
        try:
            return super().decode(image)
        except ValueError:
            raise Refused(500, "Something went wrong") from None


@fault("anything-is-read", "refusal.unreadable", "semantics")
class AnythingIsRead(Vendor):
    """A file that is not an image is read, as a card without fields."""

    def read(self, picture: bytes, step: Step) -> Mapping[str, str] | None:
        found = super().read(picture, step)
        return {} if found is None and picture and not picture.startswith((b"\xff\xd8", b"\x89PNG")) else found


@fault("unreadable-is-404", "refusal.unreadable", "status")
class UnreadableIs404(Vendor):
    """An unreadable back is a 404."""

    def unreadable(self, session: Onboarding, step: Step) -> Reply:
        if step == UPLOAD_BACK:
            raise Refused(404, "No card was found in the picture", "10001")
        return super().unreadable(session, step)


@fault("unreadable-is-422", "status.documented", "status")
class UnreadableIs422(Vendor):
    """An unreadable front is a 422."""

    def unreadable(self, session: Onboarding, step: Step) -> Reply:
        if step == UPLOAD_FRONT:
            raise Refused(422, "No card was found in the picture", "10001")
        return super().unreadable(session, step)


@fault("broken-json-is-a-result", "refusal.broken-json", "status")
class BrokenJsonIsAResult(Vendor):
    """Broken JSON for an upload is answered 200 with isSuccess false."""

    def perform(self, session: Onboarding, step: Step, request: Incoming) -> Reply:
        try:
            return super().perform(session, step, request)
        except Refused as refused:
            if step.is_upload and refused.message == "The body is not JSON":
                return Reply.json(200, self.result(False, refused.message, "10003", None))
            raise


def _reads(name: str, clause: str, sentence: str, step: Step, as_what: Callable[[bytes], bytes]) -> None:
    class Reads(Vendor):
        def perform(self, session: Onboarding, performed: Step, request: Incoming) -> Reply:
            if performed == step:
                request = replace(request, body=as_what(request.body))
            return super().perform(session, performed, request)

    Reads.__doc__ = sentence
    fault(name, clause, "robustness")(Reads)


def _only_item(body: bytes) -> bytes:
    """The object of a list of one; any other body as it is."""
    with contextlib.suppress(ValueError, RecursionError):
        match json.loads(body):
            case [dict(inner)]:
                return json.dumps(inner).encode()
    return body


_reads(
    "text-behind-an-approval", "refusal.broken-json", "What follows an approval's object is not read.",
    APPROVE_FRONT, first_value,
)  # fmt: skip
_reads(
    "text-behind-a-back", "refusal.broken-json", "What follows the object of the back is not read.",
    UPLOAD_BACK, first_value,
)  # fmt: skip
_reads(
    "list-of-one-uploads", "refusal.image-missing", "A list of one object is taken for it.",
    UPLOAD_FRONT, _only_item,
)  # fmt: skip
_reads(
    "list-of-one-approves", "approve.names-mandatory", "A list of one approval approves.",
    APPROVE_FRONT, _only_item,
)  # fmt: skip


@fault("broken-approval-approves", "refusal.broken-json", "state")
class BrokenApprovalApproves(Vendor):
    """An approval whose JSON is broken approves."""

    def perform(self, session: Onboarding, step: Step, request: Incoming) -> Reply:
        try:
            return super().perform(session, step, request)
        except Refused as refused:
            if step == APPROVE_FRONT and refused.message == "The body is not JSON" and UPLOAD_FRONT in session.done:
                self.mark(session, step)
                return Reply.json(200, True)
            raise


_reads(
    "trailing-comma-approves", "refusal.broken-json", "A comma after the last property of an approval is overlooked.",
    APPROVE_FRONT, lambda body: re.sub(rb",\s*}\s*$", b"}", body),
)  # fmt: skip


_reads(
    "comment-in-an-approval", "refusal.broken-json", "A comment in an approval, which JSON has none of, is skipped.",
    APPROVE_FRONT, lambda body: re.sub(rb"/\*.*?\*/", b"", body),
)  # fmt: skip
_reads(
    "single-quotes-approve", "refusal.broken-json", "Names in single quotes are read in an approval.",
    APPROVE_FRONT, lambda body: re.sub(rb"'(\w+)'\s*:", rb'"\1":', body),
)  # fmt: skip


def _has_image_behind(body: bytes) -> bool:
    with contextlib.suppress(ValueError, RecursionError):
        match json.loads(body):
            case {"image": str()} as value:
                return bool(next(iter(value)) != "image")
    return False


_refuse(
    "image-must-come-first", "request.unknown-properties", "A front is refused where image is not its first property.",
    lambda step, request: step == UPLOAD_FRONT and _has_image_behind(request.body),
)  # fmt: skip
_refuse(
    "escaped-slash-on-the-back", "upload.accepted", "An image in which a slash is escaped, as JSON allows, is refused.",
    lambda step, request: step == UPLOAD_BACK and b"\\/" in request.body,
)  # fmt: skip
_refuse(
    "escapes-left-in-the-front", "upload.accepted", "The front's base64 is taken from the body as it stands.",
    lambda step, request: step == UPLOAD_FRONT and b"\\u00" in request.body,
)  # fmt: skip


@fault("line-end-within-a-text", "refusal.broken-json", "status")
class LineEndWithinAText(Vendor):
    """A line end within a JSON text, which JSON does not allow, is taken."""

    def parse(self, body: bytes) -> dict[str, Any]:
        with contextlib.suppress(ValueError, RecursionError):
            match json.loads(body, strict=False):
                case dict(value):
                    return value
        return super().parse(body)


@fault("no-image-answers-the-last-back", "refusal.image-missing", "status")
class NoImageAnswersTheLastBack(Vendor):
    """A back without an image is answered with what was read last."""

    def perform(self, session: Onboarding, step: Step, request: Incoming) -> Reply:
        try:
            return super().perform(session, step, request)
        except Refused as refused:
            missing = refused.why == "image" and "image" not in self.parse(request.body)
            if step == UPLOAD_BACK and UPLOAD_BACK in session.done and missing:
                data = self.customer_data(session, step, session.back)
                return self.personal(Reply.json(200, self.result(True, None, None, data)))
            raise


@fault("number-becomes-text", "refusal.image-type", "status")
class NumberBecomesText(Vendor):
    """An image that is a number is taken for its digits."""

    def judge_upload(self, body: dict[str, Any]) -> str:
        image = body.get("image")
        return "" if isinstance(image, int) else super().judge_upload(body)


@fault("array-of-images", "refusal.image-type", "status")
class ArrayOfImages(Vendor):
    """Of an array of images the first is taken."""

    def judge_upload(self, body: dict[str, Any]) -> str:
        image = body.get("image")
        if isinstance(image, list) and image:
            return "!"
        return super().judge_upload(body)

    def decode(self, image: str) -> bytes:
        return b"" if image == "!" else super().decode(image)


@fault("null-image-is-unreadable", "refusal.image-missing", "status")
class NullImage(Vendor):
    """A null image is answered like an unreadable one."""

    def judge_upload(self, body: dict[str, Any]) -> str:
        return "" if "image" in body and body["image"] is None else super().judge_upload(body)


@fault("crlf-refused", "image.crlf", "robustness")
class CrlfRefused(Vendor):
    """Base64 with MIME's CRLF is refused."""

    def decode(self, image: str) -> bytes:
        if "\r" in image:
            raise ValueError("carriage returns")
        return super().decode(image)


class _StepAware(Vendor):
    """Knows in `decode` which step it decodes for."""

    def upload(self, session: Onboarding, step: Step, image: str) -> Reply:
        return super().upload(session, step, f"{step}:{image}")

    def decode(self, image: str) -> bytes:
        step, _, text = image.partition(":")
        return self.decode_for(self.flow[step], text)

    def decode_for(self, step: Step, text: str) -> bytes:
        return super().decode(text)


@fault("line-feeds-refused-on-back", "image.line-feeds", "robustness")
class LineFeedsRefusedOnBack(_StepAware):
    """The back refuses base64 with line feeds."""

    def decode_for(self, step: Step, text: str) -> bytes:
        if step == UPLOAD_BACK and "\n" in text and "\r" not in text:
            raise ValueError("line feeds")
        return super().decode_for(step, text)


@fault("large-back-refused", "image.full-size", "robustness")
class LargeBackRefused(Vendor):
    """A back over 2 MB is refused as unreadable."""

    def read(self, picture: bytes, step: Step) -> Mapping[str, str] | None:
        return None if len(picture) > 2_000_000 and step == UPLOAD_BACK else super().read(picture, step)


@fault("captures-are-413", "image.full-size", "robustness")
class CapturesAre413(Vendor):
    """A picture over 300 kB is a 413."""

    def upload(self, session: Onboarding, step: Step, image: str) -> Reply:
        if len(image) > 400_000:
            raise Refused(413, "Too large")
        return super().upload(session, step, image)


@fault("unknown-refused-on-approval", "request.unknown-properties", "robustness")
class UnknownRefusedOnApproval(Vendor):
    """An unknown property of an approval is a 400."""

    def judge_approval(self, body: dict[str, Any]) -> None:
        if set(body) - set(CUSTOMER_PROPERTIES):
            raise Refused(400, "Unknown property")
        super().judge_approval(body)


@fault("nested-unknown-refused", "request.unknown-properties", "robustness")
class NestedUnknownRefused(Vendor):
    """An unknown property that is an object is a 400 on the back."""

    def perform(self, session: Onboarding, step: Step, request: Incoming) -> Reply:
        if step == UPLOAD_BACK and re.search(rb'"nested"\s*:\s*\{', request.body):
            raise Refused(400, "Objects are not supported")
        return super().perform(session, step, request)


@fault("arabic-not-supported", "request.client-headers", "robustness")
class ArabicNotSupported(Vendor):
    """Accept-Language: ar is a 400."""

    def perform(self, session: Onboarding, step: Step, request: Incoming) -> Reply:
        if request.headers.get("accept-language") == "ar":
            raise Refused(400, "The language is not supported")
        return super().perform(session, step, request)


@fault("accept-is-406", "request.client-headers", "robustness")
class AcceptIs406(Vendor):
    """Accept: application/json is a 406 where a result is a JSON literal."""

    def perform(self, session: Onboarding, step: Step, request: Incoming) -> Reply:
        reply = super().perform(session, step, request)
        if step == UPLOAD_FRONT and request.headers.get("accept") != "application/json":
            raise Refused(406, "Not acceptable")
        return reply


@fault("arabic-completion-refused", "request.client-headers", "robustness")
class ArabicCompletionRefused(Vendor):
    """Accept-Language: ar is a 400 at the last step alone."""

    def perform(self, session: Onboarding, step: Step, request: Incoming) -> Reply:
        if step == APPROVE_BACK and request.headers.get("accept-language") == "ar":
            raise Refused(400, "The language is not supported")
        return super().perform(session, step, request)


@fault("accept-needed-to-approve", "request.client-headers", "robustness")
class AcceptNeededToApprove(Vendor):
    """ApproveFrontImages is a 404 unless Accept names application/json."""

    def perform(self, session: Onboarding, step: Step, request: Incoming) -> Reply:
        if step == APPROVE_FRONT and "application/json" not in request.headers.get("accept", ""):
            raise Refused(404, "Not found")
        return super().perform(session, step, request)


@fault("document-number-required", "approve.optional", "robustness")
class DocumentNumberRequired(Vendor):
    """An approval without documentNumber is a 400."""

    def judge_approval(self, body: dict[str, Any]) -> None:
        super().judge_approval(body)
        if "documentNumber" not in body:
            raise Refused(400, "documentNumber is required")


@fault("null-refused", "approve.optional", "robustness")
class NullRefused(Vendor):
    """A null address is a 400."""

    def judge_approval(self, body: dict[str, Any]) -> None:
        super().judge_approval(body)
        if "address" in body and body["address"] is None:
            raise Refused(400, "address is a string")


def _refuses_value(name: str, sentence: str, field: str, pattern: str) -> None:
    """A fault that refuses a value as if it were ill-formed."""
    matches = _field(field, pattern)

    class Picky(Vendor):
        def perform(self, session: Onboarding, step: Step, request: Incoming) -> Reply:
            if matches(step, request):
                raise Refused(400, f"{field} is not valid")
            return super().perform(session, step, request)

    Picky.__doc__ = sentence
    fault(name, "approve.accepted", "robustness")(Picky)


_refuses_value("leap-day-refused", "29 February is refused as birth date.", "birthdate", "^29/02/")
_refuses_value("last-of-month-refused", "A 31st is refused as birth date.", "birthdate", "^31/")


@fault("iso-birthdate-only", "approve.accepted", "robustness")
class IsoBirthdateOnly(Vendor):
    """An approval's birthdate is taken as yyyy-MM-dd alone."""

    def judge_approval(self, body: dict[str, Any]) -> None:
        born = body.get("birthdate")
        if isinstance(born, str) and "/" in born:
            raise Refused(400, "birthdate is written yyyy-MM-dd")
        super().judge_approval(body)


@fault("unchanged-names-refused", "approve.value-as-read", "semantics")
class UnchangedNamesRefused(Vendor):
    """An English name that was not changed is refused."""

    def perform(self, session: Onboarding, step: Step, request: Incoming) -> Reply:
        name = session.front.get("fullNameEn")
        if step == APPROVE_FRONT and name and name.encode() in request.body:
            raise Refused(400, "Confirm the name")
        return super().perform(session, step, request)


@fault("null-names-approve", "approve.names-mandatory", "semantics")
class NullNamesApprove(Vendor):
    """A null familyNameEn approves though translation is on; leaving it out does not."""

    def judge_approval(self, body: dict[str, Any]) -> None:
        family = ENGLISH_NAMES[2]
        super().judge_approval(body | {family: "SPECIMEN"} if family in body and body[family] is None else body)


@fault("no-object-approves", "approve.names-mandatory", "semantics")
class NoObjectApproves(Vendor):
    """JSON that is no object has nothing to judge, and approves."""

    def perform(self, session: Onboarding, step: Step, request: Incoming) -> Reply:
        with contextlib.suppress(ValueError, RecursionError):
            if step == APPROVE_FRONT and not isinstance(json.loads(request.body), dict):
                self.demand_order(session, step)
                self.mark(session, step)
                return Reply.json(200, True)
        return super().perform(session, step, request)


@fault("last-step-demands-body", "request.approve-back-without-body", "robustness")
class LastStepDemandsBody(Vendor):
    """ApproveBackImage without a body is a 400."""

    def judge_last_body(self, request: Incoming) -> None:
        if not request.body:
            raise Refused(400, "A body is required")


@fault("last-step-refuses-body", "request.approve-back-with-body", "robustness")
class LastStepRefusesBody(Vendor):
    """ApproveBackImage with a body is a 400."""

    def judge_last_body(self, request: Incoming) -> None:
        if request.body:
            raise Refused(400, "No body is expected")


@fault("put-performs", "route.only-post", "robustness")
class PutPerforms(Vendor):
    """PUT performs what POST performs."""

    def allows(self, method: str) -> bool:
        return method in ("POST", "PUT")


@fault("delete-ends-the-session", "refusal.changes-nothing", "robustness")
class DeleteEndsTheSession(Vendor):
    """DELETE on a step is answered 405, and what the session has done is gone."""

    def dispatch(self, request: Incoming) -> Reply:
        step = next((step for step in self.flow.steps if step.path == request.path), None)
        session = self.authenticate(request, step) if step is not None and request.method == "DELETE" else None
        if session is not None:
            session.done.clear()
        return super().dispatch(request)


@fault("get-approves", "route.only-post", "robustness")
class GetApproves(Vendor):
    """GET performs ApproveBackImage."""

    def allows(self, method: str) -> bool:
        return method in ("POST", "GET")


@fault("approval-moved", "route.post", "status")
class ApprovalMoved(Vendor):
    """ApproveFrontImage is not found on its path."""

    def perform(self, session: Onboarding, step: Step, request: Incoming) -> Reply:
        if step == APPROVE_FRONT:
            raise Refused(404, "Not found")
        return super().perform(session, step, request)


@fault("approved-before-the-back-alone", "order.page", "order")
class ApprovedBeforeTheBackAlone(Vendor):
    """ApproveFrontImage is a 404 once the back is uploaded."""

    def perform(self, session: Onboarding, step: Step, request: Incoming) -> Reply:
        if step == APPROVE_FRONT and UPLOAD_BACK in session.done:
            raise Refused(404, "The front cannot be approved now")
        return super().perform(session, step, request)


@fault("back-shown-once", "order.retry", "order")
class BackShownOnce(Vendor):
    """A back that is shown again is a 404, whatever it shows."""

    def perform(self, session: Onboarding, step: Step, request: Incoming) -> Reply:
        if step in session.done and step == UPLOAD_BACK:
            raise Refused(404, "The back is uploaded already")
        return super().perform(session, step, request)


@fault("refusals-are-200", "refusal.order-status", "status")
class RefusalsAre200(Vendor):
    """Whatever is refused is a 200 that says isSuccess false."""

    def refusal(self, request: Incoming, refused: Refused) -> Reply:
        super().refusal(request, refused)
        return Reply.json(200, self.result(False, refused.message, "10100", None))


@fault("put-instead", "route.post", "status")
class PutInstead(Vendor):
    """UploadBackImage answers 405 to POST."""

    def perform(self, session: Onboarding, step: Step, request: Incoming) -> Reply:
        if step == UPLOAD_BACK:
            raise Refused(405, "Method not allowed")
        return super().perform(session, step, request)


@fault("picky-reader", "upload.accepted", "semantics")
class PickyReader(Vendor):
    """Every fourth readable card is refused as unreadable."""

    def read(self, picture: bytes, step: Step) -> Mapping[str, str] | None:
        found = super().read(picture, step)
        return None if self.uploads % 4 == 0 else found


_crash(
    "languages-by-quality-are-500", "A list of languages with their qualities is a 500.",
    lambda _, request: ";q=" in request.headers.get("accept-language", ""),
)  # fmt: skip
