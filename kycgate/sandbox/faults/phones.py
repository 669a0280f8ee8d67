"""What phones, networks and ordinary web servers meet: connections, pauses, double taps, pictures, letters, caches."""

import gzip
import html
import io
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Container, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import quote

from PIL import Image

from kycgate.contracts.flow import Step
from kycgate.contracts.flows.national_id import APPROVE_BACK, APPROVE_FRONT, PAGE_ORDER, UPLOAD_BACK, UPLOAD_FRONT
from kycgate.sandbox.faults.registry import fault
from kycgate.sandbox.settings import SandboxSettings
from kycgate.sandbox.vendor import Incoming, Onboarding, Refused, Reply, Vendor


def _header(request: Incoming, name: str) -> str:
    return next((value for key, value in request.headers.items() if key.lower() == name), "")


# Connections and time


@fault("bound-to-its-connection", "session.any-connection", "state")
class BoundToItsConnection(Vendor):
    """A session that ends its connection is forgotten with it."""

    def perform(self, session: Onboarding, step: Step, request: Incoming) -> Reply:
        reply = super().perform(session, step, request)
        if _header(request, "connection") == "close" and step != APPROVE_BACK:
            session.done.clear()
        return reply


@fault("new-connection-unauthorized", "session.any-connection", "auth")
class NewConnectionUnauthorized(Vendor):
    """A step on another connection than the one before is a 401."""

    def authenticate(self, request: Incoming, step: Step) -> Onboarding | None:
        session = super().authenticate(request, step)
        alone = _header(request, "connection") == "close"
        return None if session is not None and alone and session.done else session


@fault("session-by-its-writing", "session.any-connection", "state")
class SessionByItsWriting(Vendor):
    """A token written bare and the same token written as Bearer have two sessions."""

    def authenticate(self, request: Incoming, step: Step) -> Onboarding | None:
        session = super().authenticate(request, step)
        bare = not _header(request, "authorization").startswith("Bearer ")
        return self.session_of(f"bare {session.customer_id}", fixed=False) if session and bare else session


@fault("bound-to-its-agent", "session.any-connection", "auth")
class BoundToItsAgent(Vendor):
    """A token that comes with another User-Agent than the first time is a 401."""

    def authenticate(self, request: Incoming, step: Step) -> Onboarding | None:
        session = super().authenticate(request, step)
        if session is None:
            return None
        agent = _header(request, "user-agent")
        return session if session.__dict__.setdefault("agent", agent) == agent else None


def _forgets(name: str, after_s: float, sentence: str, before: Step | None = None) -> None:
    class Forgets(Vendor):
        def perform(self, session: Onboarding, step: Step, request: Incoming) -> Reply:
            now = time.monotonic()
            idle = now - getattr(session, "seen_at", now)
            if idle > after_s and (before is None or step == before):
                session.done.clear()
            session.seen_at = now  # type: ignore[attr-defined]
            return super().perform(session, step, request)

    Forgets.__doc__ = sentence
    fault(name, "session.idle", "state")(Forgets)


_forgets("forgets-after-three-seconds", 3.0, "A session that rests for three seconds is forgotten.")
_forgets("forgets-before-approval", 2.0, "The front's upload is forgotten two seconds later.", APPROVE_FRONT)
_forgets("forgets-before-the-back", 3.0, "After three seconds the back is refused.", UPLOAD_BACK)
_forgets("forgets-before-the-end", 3.0, "After three seconds the last approval is refused.", APPROVE_BACK)


@fault("sessions-live-for-seconds", "session.idle", "state")
class SessionsLiveForSeconds(Vendor):
    """A session is forgotten 3.7 s after its first upload, however busy it is."""

    def perform(self, session: Onboarding, step: Step, request: Incoming) -> Reply:
        now = time.monotonic()
        if now - session.__dict__.setdefault("began_at", now) > 3.7:
            session.done.clear()
        return super().perform(session, step, request)


@fault("second-token-opens-anew", "session.resumed", "state")
class SecondTokenOpensAnew(Vendor):
    """A second token for one requestId begins a session of its own."""

    def resume(self, request: Any, token: str) -> None:
        pass


@fault("known-request-is-closed", "session.resumed", "state")
class KnownRequestIsClosed(Vendor):
    """A second token for one requestId is not given: 404."""

    def resume(self, request: Any, token: str) -> None:
        if isinstance(request, str) and request in self._requests:
            raise Refused(404, "The request is closed")
        super().resume(request, token)


@fault("second-token-loses-the-back", "session.resumed", "state")
class SecondTokenLosesTheBack(Vendor):
    """A second token for one requestId resumes it without its back."""

    def resume(self, request: Any, token: str) -> None:
        if isinstance(request, str) and (known := self._requests.get(request)):
            known.done.discard(UPLOAD_BACK)
        super().resume(request, token)


def _twice(body: bytes) -> tuple[bytes, str]:
    return gzip.compress(gzip.compress(body)), "gzip"


def _compressed(name: str, sentence: str, spoil: Callable[[bytes], tuple[bytes, str]]) -> None:
    class Compresses(Vendor):
        def handle(self, request: Incoming) -> Reply:
            reply = super().handle(request)
            if "gzip" in _header(request, "accept-encoding") and len(reply.body) > 300:
                reply.body, coding = spoil(reply.body)
                if coding:
                    reply.headers["Content-Encoding"] = coding
            return reply

    Compresses.__doc__ = sentence
    fault(name, "answer.compressed", "robustness")(Compresses)


_compressed("gzip-cut-short", "A compressed answer lacks its end.", lambda body: (gzip.compress(body)[:-20], "gzip"))
_compressed(
    "gzip-twice", "A compressed answer is compressed twice.", lambda b: (gzip.compress(gzip.compress(b)), "gzip")
)
_compressed("gzip-unnamed", "A compressed answer does not say so.", lambda body: (gzip.compress(body), ""))
_compressed("gzip-but-plain", "An answer says that it is compressed, and is not.", lambda body: (body, "gzip"))


# Two at once


def _busy(name: str, step: Step) -> None:
    class Busy(Vendor):
        def dispatch(self, request: Incoming) -> Reply:
            if request.path != step.path:
                return super().dispatch(request)
            key = _header(request, "authorization")
            with self._lock:
                self.busy[key] += 1
                alone = self.busy[key] == 1
            try:
                time.sleep(0.05)
                if not alone:
                    raise Refused(500, "Deadlock")
                return super().dispatch(request)
            finally:
                with self._lock:
                    self.busy[key] -= 1

        def __init__(self, settings: SandboxSettings) -> None:
            super().__init__(settings)
            self.busy: Counter[str] = Counter()

    Busy.__doc__ = f"Of two equal {step} at once one is a 500."
    fault(name, "status.no-5xx", "state")(Busy)


for _step in PAGE_ORDER:
    _busy(f"{str(_step).replace('_', '-')}-twice-is-500", _step)


@fault("two-at-once-end-the-session", "request.twice-at-once", "state")
class TwoAtOnceEndTheSession(Vendor):
    """Two equal uploads at once are both refused, and the session with them."""

    def __init__(self, settings: SandboxSettings) -> None:
        super().__init__(settings)
        self.inside: Counter[str] = Counter()
        self.ended: set[str] = set()

    def dispatch(self, request: Incoming) -> Reply:
        key = _header(request, "authorization")
        if request.path not in (UPLOAD_BACK.path, APPROVE_FRONT.path):
            return super().dispatch(request)
        with self._lock:
            self.inside[key] += 1
        time.sleep(0.03)
        with self._lock:
            if self.inside[key] > 1:
                self.ended.add(key)
        try:
            if key in self.ended:
                raise Refused(400, "Try again")
            return super().dispatch(request)
        finally:
            time.sleep(0.03)
            with self._lock:
                self.inside[key] -= 1


# Pictures


@fault("heic-is-500", "status.no-5xx", "robustness")
class HeicIs500(Vendor):
    """A HEIC is a 500."""

    def read(self, picture: bytes, step: Step) -> Mapping[str, str] | None:
        if picture[4:12] == b"ftypheic":
            raise Refused(500, "Something went wrong")
        return super().read(picture, step)


def _picture_crash(name: str, sentence: str, odd: Callable[[Image.Image], bool], side: str = "") -> None:
    class Crashes(Vendor):
        def read(self, picture: bytes, step: Step) -> Mapping[str, str] | None:
            try:
                with Image.open(io.BytesIO(picture)) as found:
                    wrong = odd(found) and side in ("", step.shows)
            except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
                wrong = False
            if wrong:
                raise Refused(500, "Something went wrong")
            return super().read(picture, step)

    Crashes.__doc__ = sentence
    fault(name, "status.no-5xx", "robustness")(Crashes)


_picture_crash("progressive-is-500", "A progressive JPEG is a 500.", lambda p: bool(p.info.get("progressive")))
_picture_crash("grey-jpeg-is-500", "A grey JPEG is a 500.", lambda p: (p.format, p.mode) == ("JPEG", "L"))
_picture_crash("cmyk-is-500", "A CMYK back is a 500.", lambda p: p.mode == "CMYK", "back")
_picture_crash("profile-is-500", "A colour profile in a picture is a 500.", lambda p: "icc_profile" in p.info)
_picture_crash("palette-is-500", "A palette PNG as the front is a 500.", lambda p: p.mode == "P", "front")
_picture_crash("deep-png-is-500", "A PNG of 16 bits is a 500.", lambda p: p.mode.startswith("I"))
_picture_crash("transparency-is-500", "A PNG with transparency is a 500.", lambda p: p.mode == "RGBA")
_picture_crash("gif-is-500", "A GIF is a 500.", lambda p: p.format == "GIF")
_picture_crash("png-back-is-500", "Any PNG as the back is a 500.", lambda p: p.format == "PNG", "back")


def _turn_unread(name: str, sentence: str, tags: Container[int], side: str = "") -> None:
    class Unread(Vendor):
        def read(self, picture: bytes, step: Step) -> Mapping[str, str] | None:
            try:
                with Image.open(io.BytesIO(picture)) as found:
                    if found.getexif().get(0x0112, 1) in tags and side in ("", step.shows):
                        return None
            except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
                return None
            return super().read(picture, step)

    Unread.__doc__ = sentence
    fault(name, "image.turned", "robustness")(Unread)


_turn_unread("turned-unread", "A capture that its EXIF tag says to turn cannot be read.", range(2, 9))
_turn_unread("turned-left-unread", "A capture that its EXIF tag says to turn left cannot be read.", (8,))
_turn_unread("turned-about-unread", "A front that its EXIF tag says to turn about cannot be read.", (3,), "front")


# Letters, dates and fields


def _written(name: str, clause: str, sentence: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    class Writes(Vendor):
        def customer_data(self, session: Onboarding, step: Step, fields: Mapping[str, str]) -> dict[str, Any]:
            data = super().customer_data(session, step, fields)
            return {**data, **change({key: value for key, value in data.items() if value})}

    Writes.__doc__ = sentence
    fault(name, clause, "semantics")(Writes)


def _each(names: tuple[str, ...], write: Callable[[str], str]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda data: {name: write(data[name]) for name in names if isinstance(data.get(name), str)}


_ARABIC = re.compile("[\u0621-\u064a]")
_FORM_OF = str.maketrans(
    {
        "\u0627": "\ufe8d",
        "\u062d": "\ufea3",
        "\u0645": "\ufee3",
        "\u062f": "\ufea9",
        "\u0644": "\ufedf",
        "\u0631": "\ufead",
    }
)
_NAMES = ("fullName", "firstName", "familyName")
_written("names-in-question-marks", "reading.letters", "Arabic names come as question marks.",
         _each(_NAMES, lambda text: _ARABIC.sub("?", text)))  # fmt: skip
_written("address-in-question-marks", "reading.letters", "The address loses its letters.",
         _each(("address",), lambda text: _ARABIC.sub("?", text)))  # fmt: skip
_written("profession-in-question-marks", "reading.letters", "The profession is a row of question marks.",
         _each(("profession",), lambda text: _ARABIC.sub("?", text)))  # fmt: skip
_written("state-in-code", "reading.letters", "The state's letters come as HTML's numbers.",
         _each(("state",), lambda text: html.unescape(text).encode("ascii", "xmlcharrefreplace").decode()))  # fmt: skip
_written("names-escaped-twice", "reading.letters", "Names come with a backslash and a number for each letter.",
         _each(_NAMES, lambda text: json.dumps(text)[1:-1]))  # fmt: skip
_written("religion-percent-coded", "reading.letters", "The religion is written as in a URL.",
         _each(("religion",), quote))  # fmt: skip
_written("names-as-latin-1", "reading.letters", "UTF-8 is read as Latin-1.",
         _each(_NAMES, lambda text: text.encode().decode("latin-1")))  # fmt: skip
_written("address-as-windows-1256", "reading.letters", "Windows-1256 is read as Latin-1.",
         _each(("address",), lambda text: text.encode("cp1256", "replace").decode("latin-1")))  # fmt: skip
_written("names-in-presentation-forms", "reading.letters", "Names come in the shapes of their letters.",
         _each(_NAMES, lambda text: text.translate(_FORM_OF)))  # fmt: skip
_written("marital-status-lost", "reading.letters", "The marital status holds replacement characters.",
         _each(("maritalStatus",), lambda text: _ARABIC.sub("\ufffd", text)))  # fmt: skip
_written("marital-status-the-word-null", "reading.letters", "The front's marital status is the word null.",
         lambda data: {"maritalStatus": "null"} if "fullName" in data else {})  # fmt: skip
_written("profession-as-an-object", "reading.letters", "The profession is how a program writes an object.",
         lambda data: {"profession": "com.vendor.Profession@1b2c3d"} if "profession" in data else {})  # fmt: skip
_written("issue-date-year-one", "reading.no-date", "An issue date that was not read is in the year 1.",
         lambda data: {"issueDate": "0001-01-01T00:00:00Z"} if "profession" in data else {})  # fmt: skip
_written("front-expires-in-year-one", "reading.no-date", "The front expires in the year 1.",
         lambda data: {"expirationDate": "0001-01-01T00:00:00"} if "fullName" in data else {})  # fmt: skip
_written("issued-at-the-epoch", "reading.no-date", "The front was issued in 1970.",
         lambda data: {"issueDate": "1970-01-01T00:00:00Z"} if "fullName" in data else {})  # fmt: skip
_written("back-born-in-1900", "reading.no-date", "The back was born on 30 December 1899.",
         lambda data: {"birthdate": "1899-12-30T00:00:00Z"} if "profession" in data else {})  # fmt: skip
_written("back-born-in-1900-too", "reading.no-date", "The back was born on 1 January 1900.",
         lambda data: {"birthdate": "1900-01-01T00:00:00Z"} if "profession" in data else {})  # fmt: skip
_written("front-issued-today", "reading.no-date", "An issue date that was not read is today's.",
         lambda data: {"issueDate": f"{datetime.now(UTC).date()}T00:00:00Z"} if "fullName" in data else {})  # fmt: skip
_written("front-expires-in-2000", "reading.no-date", "An expiry that was not read is in the year 2000.",
         lambda data: {"expirationDate": "2000-01-01T00:00:00"} if "fullName" in data else {})  # fmt: skip
_written("expires-the-evening-before", "reading.time-zone", "Expiry at midnight in Cairo is the evening before.",
         _each(("expirationDate",), lambda text: _evening_before(text)))  # fmt: skip
_written("alef-without-hamza", "reading.letters", "Names lose the hamza of their alef.",
         _each(_NAMES, lambda text: re.sub("[أإآ]", "ا", text)))  # fmt: skip
_written("address-without-hamza", "reading.letters", "The address loses the hamza of its alef; names keep theirs.",
         _each(("address",), lambda text: re.sub("[أإآ]", "ا", text)))  # fmt: skip
_written("names-with-persian-letters", "reading.letters", "Names come in letters of a Persian keyboard.",
         _each(_NAMES, lambda text: text.translate({0x64A: 0x6CC, 0x643: 0x6A9})))  # fmt: skip
_written("state-with-persian-yeh", "reading.letters", "The state alone has another yeh.",
         _each(("state",), lambda text: text.translate({0x64A: 0x6CC})))  # fmt: skip
_written("factory-number-in-arabic-digits", "reading.as-printed", "The factory number's digits are Arabic-Indic.",
         _each(("documentNumber",), lambda text: text.translate({48 + n: 0x660 + n for n in range(10)})))  # fmt: skip
_written("teh-marbuta-as-heh", "reading.letters", "Words end with another letter of the same shape.",
         _each((*_NAMES, "address", "state"), lambda text: text.replace("ة", "ه")))  # fmt: skip
_written("religion-backwards", "reading.as-printed", "The religion's letters stand in reverse order.",
         _each(("religion",), lambda text: text[::-1]))  # fmt: skip
_written("address-cut-off", "reading.as-printed", "A column of 14 characters holds the address.",
         _each(("address",), lambda text: text[:14]))  # fmt: skip
_written("state-cut-off", "reading.as-printed", "A column of 22 characters holds the state.",
         _each(("state",), lambda text: text[:22]))  # fmt: skip
_written("first-name-ends-at-a-space", "reading.as-printed", "firstName is the first word of the full name.",
         lambda data: dict(zip(("firstName", "familyName"), data["fullName"].split(maxsplit=1), strict=True))
         if "fullName" in data else {})  # fmt: skip
_written("first-name-is-one-word", "reading.as-printed", "Of a first name of two words firstName has one.",
         _each(("firstName",), lambda text: text.split()[0]))  # fmt: skip
_written("english-first-name-ends-at-a-space", "reading.as-printed", "firstNameEn is the first word of fullNameEn.",
         lambda data: dict(zip(("firstNameEn", "familyNameEn"), data["fullNameEn"].split(maxsplit=1), strict=True))
         if "fullNameEn" in data else {})  # fmt: skip
_written("issued-a-year-later", "reading.own-fields", "Every card was issued a year later.",
         _each(("issueDate",), lambda text: f"{int(text[:4]) + 1}{text[4:]}"))  # fmt: skip
_written("born-the-evening-before", "reading.time-zone", "Midnight in Cairo is written as the evening before.",
         _each(("birthdate",), lambda text: _evening_before(text)))  # fmt: skip
_written("address-and-state-swapped", "reading.own-fields", "Address and state change places.",
         lambda data: {"address": data["state"], "state": data["address"]} if "state" in data else {})  # fmt: skip
_written("document-number-of-another-kind", "reading.own-fields", "documentNumber is always the last one's.",
         lambda data: {"documentNumber": "AB7654321"} if "documentNumber" in data else {})  # fmt: skip
_written("family-name-always-first", "reading.own-fields", "familyName holds the first name.",
         lambda data: {"familyName": data["firstName"]} if "firstName" in data else {})  # fmt: skip


def _evening_before(moment: str) -> str:
    before = date.fromisoformat(moment[:10]) - timedelta(days=1)
    return f"{before.isoformat()}T22:00:00.000Z"


# Free text, safety


def _text_crash(name: str, sentence: str, field: str, odd: str) -> None:
    class Crashes(Vendor):
        def judge_approval(self, body: dict[str, Any]) -> None:
            if re.search(odd, str(body.get(field) or "")):
                raise Refused(500, "Something went wrong")
            super().judge_approval(body)

    Crashes.__doc__ = sentence
    fault(name, "status.no-5xx", "robustness")(Crashes)


_text_crash("apostrophe-in-english-name-is-500", "An apostrophe in fullNameEn is a 500.", "fullNameEn", "'")
_text_crash("line-break-in-state-is-500", "A line break in state is a 500.", "state", "\n")
_text_crash("percent-in-address-is-500", "A format character in address is a 500.", "address", "%s")
_text_crash(
    "other-script-in-name-is-500", "Another script in familyNameEn is a 500.", "familyNameEn", "[\u3040-\u9fff]"
)
_text_crash("vowel-marks-are-500", "Vowel marks in fullName are a 500.", "fullName", "[\u064b-\u0652]")
_text_crash("long-first-name-is-500", "A long firstNameEn is a 500.", "firstNameEn", "^.{300}")


@fault("answers-may-be-cached", "safety.no-store", "semantics")
class AnswersMayBeCached(Vendor):
    """Answers with personal data may be kept for an hour."""

    def personal(self, reply: Reply) -> Reply:
        reply.headers["Cache-Control"] = "public, max-age=3600"
        return reply


@fault("nothing-said-of-caches", "safety.no-store", "semantics")
class NothingSaidOfCaches(Vendor):
    """Answers with personal data say nothing of caches."""

    def personal(self, reply: Reply) -> Reply:
        return reply


@fault("open-to-every-page", "safety.no-cors", "semantics")
class OpenToEveryPage(Vendor):
    """Every web page may read answers with personal data."""

    def personal(self, reply: Reply) -> Reply:
        reply = super().personal(reply)
        reply.headers["Access-Control-Allow-Origin"] = "*"
        return reply


@fault("open-to-any-origin", "safety.no-cors", "semantics")
class OpenToAnyOrigin(Vendor):
    """Any origin that asks is allowed to read the answer."""

    def handle(self, request: Incoming) -> Reply:
        reply = super().handle(request)
        if origin := _header(request, "origin"):
            reply.headers["Access-Control-Allow-Origin"] = origin
        return reply


@fault("open-to-sandboxed-frames", "safety.no-cors", "semantics")
class OpenToSandboxedFrames(Vendor):
    """A page without an origin, which every page may show in a frame, may read answers."""

    def handle(self, request: Incoming) -> Reply:
        reply = super().handle(request)
        if _header(request, "origin") == "null":
            reply.headers["Access-Control-Allow-Origin"] = "null"
        return reply


@fault("refusal-repeats-the-value", "safety.no-echo", "semantics")
class RefusalRepeatsTheValue(Vendor):
    """A refused approval repeats the value that it refuses."""

    def judge_approval(self, body: dict[str, Any]) -> None:
        try:
            super().judge_approval(body)
        except Refused as refused:
            raise Refused(
                refused.status, f"{refused.message}: {body.get('idNumber')} {body.get('birthdate')}"
            ) from None


@fault("unreadable-repeats-the-picture", "safety.no-echo", "semantics")
class UnreadableRepeatsThePicture(Vendor):
    """A picture that cannot be read is answered with its first characters in the message."""

    def perform(self, session: Onboarding, step: Step, request: Incoming) -> Reply:
        reply = super().perform(session, step, request)
        said = json.loads(reply.body) if step.is_upload and reply.status == 200 else {}
        if said.get("isSuccess") is not False:
            return reply
        shown = re.search(rb'"image": ?"([A-Za-z0-9+/]{1,60})', request.body)
        return Reply.json(200, said | {"message": f"{said['message']}: {shown[1].decode() if shown else ''}"})


@fault("refusal-repeats-the-body", "safety.no-echo", "semantics")
class RefusalRepeatsTheBody(Vendor):
    """Broken JSON is shown again."""

    def parse(self, body: bytes) -> dict[str, Any]:
        try:
            return super().parse(body)
        except Refused as refused:
            raise Refused(refused.status, f"cannot parse {body[:200].decode('utf-8', 'replace')}") from None


def _assigns(name: str, sentence: str, key: str, steps: tuple[Step, ...]) -> None:
    class Assigns(Vendor):
        def perform(self, session: Onboarding, step: Step, request: Incoming) -> Reply:
            reply = super().perform(session, step, request)
            try:
                sent = json.loads(request.body) if request.body else {}
            except (ValueError, RecursionError):
                sent = {}
            if step in steps and reply.status == 200 and isinstance(sent, dict) and sent.get(key):
                session.done.update((UPLOAD_FRONT, UPLOAD_BACK, APPROVE_FRONT))
            return reply

    Assigns.__doc__ = sentence
    fault(name, "safety.no-mass-assignment", "order")(Assigns)


_assigns("approved-by-saying-so", "isApproved in an upload approves.", "isApproved", (UPLOAD_FRONT,))
_assigns("approved-by-the-backs-saying-so", "status in a back's upload approves the front.", "status", (UPLOAD_BACK,))
_assigns("status-by-saying-so", "status in an approval completes what is missing.", "status", (APPROVE_FRONT,))


@fault("customer-by-saying-so", "safety.no-mass-assignment", "state")
class CustomerBySayingSo(Vendor):
    """The customerId that an upload sends becomes the session's own."""

    def perform(self, session: Onboarding, step: Step, request: Incoming) -> Reply:
        found = re.search(rb'"customerId":\s*"([0-9a-f-]{36})"', request.body) if step.is_upload else None
        if found:
            session.customer_id = found[1].decode()
        return super().perform(session, step, request)


@fault("reading-by-saying-so", "safety.no-mass-assignment", "semantics")
class ReadingBySayingSo(Vendor):
    """What an upload's customerData says is answered in place of what was read."""

    def perform(self, session: Onboarding, step: Step, request: Incoming) -> Reply:
        reply = super().perform(session, step, request)
        try:
            answer, sent = json.loads(reply.body), json.loads(request.body)
        except (ValueError, RecursionError):
            return reply
        told = sent.get("customerData") if step.is_upload and isinstance(sent, dict) else None
        if isinstance(told, dict) and answer.get("customerData"):
            reply.body = json.dumps(answer | {"customerData": answer["customerData"] | told}).encode()
        return reply


# Symmetry and values


def _null_crash(name: str, step: Step) -> None:
    class Crashes(Vendor):
        def perform(self, session: Onboarding, taken: Step, request: Incoming) -> Reply:
            if taken == step and re.search(rb'"image":\s*null', request.body):
                raise Refused(500, "Something went wrong")
            return super().perform(session, taken, request)

    Crashes.__doc__ = f"A null image on {step} is a 500."
    fault(name, "status.no-5xx", "robustness")(Crashes)


_null_crash("null-front-is-500", UPLOAD_FRONT)
_null_crash("null-back-is-500", UPLOAD_BACK)


@fault("ill-formed-accepted", "optional.ill-formed", "semantics")
class IllFormedAccepted(Vendor):
    """Any value of an optional property will do."""

    def __init__(self, settings: SandboxSettings) -> None:
        super().__init__(settings.model_copy(update={"ill_formed_optional": "accepted"}))


@fault("impossible-day-accepted", "optional.ill-formed", "semantics")
class ImpossibleDayAccepted(Vendor):
    """31 February is a birth date."""

    def judge_approval(self, body: dict[str, Any]) -> None:
        born = str(body.get("birthdate") or "")
        super().judge_approval({**body, "birthdate": None} if born.startswith("31/02") else body)


@fault("number-with-more-accepted", "optional.ill-formed", "semantics")
class NumberWithMoreAccepted(Vendor):
    """Of a number the first fourteen digits are looked at."""

    def judge_approval(self, body: dict[str, Any]) -> None:
        number = body.get("idNumber")
        super().judge_approval({**body, "idNumber": number[:14]} if isinstance(number, str) else body)


@fault("page-example-refused", "approve.page-example", "semantics")
class PageExampleRefused(Vendor):
    """A number whose month is above 12 is refused: so is the page's own example."""

    def judge_approval(self, body: dict[str, Any]) -> None:
        number = str(body.get("idNumber") or "")
        if re.fullmatch(r"\d{14}", number) and int(number[3:5]) > 12:
            raise Refused(400, "idNumber is not a possible number")
        super().judge_approval(body)
