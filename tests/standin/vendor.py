"""A second stand-in vendor: a plain ASGI application, written from the vendor's facts alone.

It imports nothing of kycgate.sandbox. Its liberties: a picture that cannot be read is a 200 with isSuccess false, the
back's answer carries the back alone, a front uploaded again drops the back, an approved front is closed, words are
English, date-times have an offset, a success has a message and an empty code, and answers carry one property more.
"""

import asyncio
import base64
import binascii
import gzip
import hashlib
import hmac
import html
import io
import json
import re
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import zxingcpp
from PIL import Image, ImageOps

from kycgate.specimens.code import parse_payload
from kycgate.specimens.person import Person, make_person

TENANT, SECRET = "second-tenant", "second-secret"
ROOT = "/Onboarding/api/v1"
STEPS = {
    f"{ROOT}/onboarding/NationalIdKyc/{path}": step
    for path, step in (
        ("UploadFrontImage", "upload_front"),
        ("UploadBackImage", "upload_back"),
        ("ApproveFrontImage", "approve_front"),
        ("ApproveBackImage", "approve_back"),
    )
}
TOKENS = (f"{ROOT}/Auth/GenerateKycOnboardingSessionToken", f"{ROOT}/Auth/GenerateOnboardingSessionToken")
LIFE_S, MOST_BYTES = 1800, 20_000_000
ENGLISH = {"ذكر": "Male", "أنثى": "Female", "مسلم": "Muslim", "مسيحي": "Christian", "أعزب": "Single"}
ENGLISH |= {"متزوج": "Married", "مصري": "Egyptian"}
PROPERTIES = (
    *("customerId", "idFrontScan", "idBackScan", "photo", "fullName"),
    *("fullNameEn", "firstName", "firstNameEn", "familyName", "familyNameEn"),
    *("address", "state", "birthdate", "idNumber", "idNumberBack"),
    *("documentNumber", "documentTypeId", "documentTypeCode", "issueDate", "profession"),
    *("maritalStatus", "religion", "gender", "nationality", "detectedAge"),
    *("detectedGender", "expirationDate"),
)
NAMES = ("fullNameEn", "firstNameEn", "familyNameEn")
APPROVED = (*NAMES, "fullName", "idNumber", "documentNumber", "address", "state", "birthdate")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class No(Exception):  # noqa: N818 - an answer, not an error of ours
    """A refusal: the status and the words."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


@dataclass
class Session:
    """One person's onboarding."""

    customer: str = field(default_factory=lambda: str(uuid.uuid4()).upper())
    done: set[str] = field(default_factory=set)
    person: Person | None = None
    seen: float = field(default_factory=time.monotonic)
    connection: Any = None
    language: str | None = None
    busy: bool = False


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Vendor:
    """The application; `fault` names what it does wrong, if anything."""

    def __init__(self, fault: str = "") -> None:
        self.fault = fault
        self.key = uuid.uuid4().bytes
        self.sessions: dict[str, Session] = {}
        self.requests: dict[str, str] = {}

    # Tokens

    def token(self, session: str, life_s: float = LIFE_S) -> tuple[str, int]:
        """A signed JWT for `session`, and the second at which it ends."""
        ends = int(time.time() + life_s)
        parts = [{"alg": "HS256", "typ": "JWT"}, {"sid": session, "exp": ends, "jti": uuid.uuid4().hex}]
        text = ".".join(_b64(json.dumps(part).encode()) for part in parts)
        return f"{text}.{self._signed(text)}", ends

    def _signed(self, text: str) -> str:
        return _b64(hmac.digest(self.key, text.encode(), hashlib.sha256))

    def _issue(self, body: bytes, path: str) -> Any:
        asked = self._object(body)
        if self.fault == "sibling-gone" and path == TOKENS[1]:
            raise No(404, "no such resource")
        for name in ("deviceId", "correlationId", "requestId", "kycRequestTypeId", "userId", "userName"):
            value = asked.get(name)
            if value is not None and not isinstance(value, str):
                raise No(400, f"{name} must be text")
            if self.fault == "sibling-refuses-null" and path == TOKENS[1] and name in asked and value is None:
                raise No(400, f"{name} must be text")
        if asked.get("tenantId") != TENANT or asked.get("tenantSecret") != SECRET:
            raise No(401, "unknown tenant")
        request = asked.get("requestId")
        name = self.requests.get(request, "") if request and self.fault != "resume-opens-fresh" else ""
        if not name:
            name = uuid.uuid4().hex
            self.sessions[name] = Session()
            if request:
                self.requests[request] = name
        token, ends = self.token(name)
        return {"token": token, "expirationDate": datetime.fromtimestamp(ends, UTC).isoformat()}

    def _session(self, header: str | None, step: str) -> Session:
        if header is None and step == "approve_back" and self.fault == "last-step-missing-400":
            raise No(400, "credentials are missing")
        bare = re.sub(r"^bearer +", "", (header or "").strip(), flags=re.IGNORECASE)
        text, _, signature = bare.rpartition(".")
        if not text.isascii() or not hmac.compare_digest(self._signed(text).encode(), signature.encode()):
            raise No(401, "not signed in")
        claims = json.loads(base64.urlsafe_b64decode(text.partition(".")[2] + "=="))
        lenient = self.fault == "approve-takes-expired" and step == "approve_front"
        if claims["exp"] <= time.time() and not lenient:
            raise No(401, "not signed in")
        return self.sessions.setdefault(claims["sid"], Session())

    # Bodies

    def _object(self, body: bytes) -> dict[str, Any]:
        try:
            value = json.loads(body.decode("utf-8"))
        except (ValueError, RecursionError):
            raise No(400, "the body is not JSON") from None
        if not isinstance(value, dict):
            raise No(400, "the body is not an object")
        return value

    def _picture(self, body: dict[str, Any], step: str) -> bytes:
        image = body.get("image")
        back = step == "upload_back"
        if back and "image" in body and image is None and self.fault == "back-null-image-500":
            raise No(500, "something went wrong")
        if not back and isinstance(image, list) and self.fault == "front-list-image-401":
            raise No(401, "not signed in")
        if back and "image" not in body and self.fault == "back-without-image-200":
            return b""
        if not isinstance(image, str) or not image.strip():
            raise No(400, "image is required")
        if back and "\r" in image and self.fault == "back-refuses-crlf":
            raise No(400, "image is not base64")
        try:
            return base64.b64decode(re.sub(r"[\r\n]", "", image), validate=True)
        except (binascii.Error, ValueError):
            raise No(400, "image is not base64") from None

    def _read(self, raw: bytes) -> tuple[str, Person] | None:
        try:
            with Image.open(io.BytesIO(raw), formats=("JPEG", "PNG")) as opened:
                if opened.width * opened.height > 40_000_000:
                    return None
                self._break_on(opened, raw)
                opened.load()
                picture: Image.Image = ImageOps.exif_transpose(opened)
                if picture.mode.startswith("I"):
                    picture = picture.point(lambda value: value / 256).convert("L")
                if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
                    ground = Image.new("RGBA", picture.size, "white")
                    picture = Image.alpha_composite(ground, picture.convert("RGBA"))
                picture = picture.convert("L")
        except No:
            raise
        except Exception:  # noqa: BLE001 - decoders raise what hostile bytes make them raise
            return None
        picture.thumbnail((1_400, 1_400))
        for found in zxingcpp.read_barcodes(picture, formats=zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.PDF417])):
            if known := parse_payload(found.text):
                return known[0], make_person(known[1])
        return None

    def _break_on(self, picture: Image.Image, raw: bytes) -> None:
        turned = picture.getexif().get(0x0112, 1) != 1
        if self.fault == "turned-unread" and turned:
            raise ValueError
        meets = {
            "progressive-500": bool(picture.info.get("progressive")),
            "cmyk-500": picture.mode == "CMYK",
            "gray-500": picture.format == "JPEG" and picture.mode == "L",
            "sixteen-bit-500": picture.mode.startswith("I"),
            "palette-500": picture.mode == "P",
            "alpha-500": picture.mode in ("RGBA", "LA"),
            "interlaced-500": bool(picture.info.get("interlace")),
            "profile-500": "icc_profile" in picture.info,
            "two-megabytes-500": len(raw) > 2_000_000,
        }
        if meets.get(self.fault):
            raise No(500, "something went wrong")

    # Steps

    def _upload(self, session: Session, step: str, body: dict[str, Any]) -> Any:
        raw = self._picture(body, step)
        back = step == "upload_back"
        need = set() if not back else {"upload_front"}
        closed = {"approve_front"} if not back else {"approve_back"}
        if not need <= session.done or closed & session.done:
            raise No(400, "this side is not expected now")
        read = self._read(raw)
        wanted = ("back",) if back else ("front", "passport")
        if read is None or read[0] not in wanted or (back and session.person and read[1].seed != session.person.seed):
            return self._result("the picture cannot be read as this side", None)
        if not back:
            session.done.discard("upload_back")
            session.person = read[1]
        session.done.add(step)
        if self.fault == "customer-set-by-body" and isinstance(body.get("customerId"), str):
            session.customer = body["customerId"]
        if self.fault == "approved-set-by-body" and (body.get("isApproved") or body.get("status")):
            session.done.add("approve_front")
        return self._result("", self._data(session, read[1], back=back))

    @staticmethod
    def _result(failure: str, data: Any) -> Any:
        code = "20001" if failure else ""
        message = failure or "Success"
        return {"isSuccess": not failure, "message": message, "errorCode": code, "customerData": data, "version": 2}

    def _data(self, session: Session, person: Person, *, back: bool) -> dict[str, Any]:
        age = (date(2026, 1, 1) - person.birthdate).days // 365
        given: dict[str, Any] = {**person.truth("back" if back else "front")}
        for name in ("birthdate", "issueDate", "expirationDate"):
            if name in given:
                given[name] += "T00:00:00+02:00"
        for name in ("gender", "religion", "maritalStatus", "nationality"):
            if name in given:
                given[name] = ENGLISH[given[name]]
        given |= {"customerId": session.customer, "documentTypeId": "1", "documentTypeCode": "NID"}
        if not back:
            given |= {"photo": f"/photos/{session.customer}.jpg", "detectedAge": age}
            given |= {"detectedGender": ENGLISH[person.gender]}
        self._spoil(given, person, back=back)
        return {name: given.get(name) for name in PROPERTIES}

    def _spoil(self, given: dict[str, Any], person: Person, *, back: bool) -> None:
        if back:
            changed = {
                "profession-question-marks": {"profession": "?" * len(person.profession)},
                "religion-replaced": {"religion": "�" * len(person.religion)},
                "profession-of-another": {"profession": "نجار"},
            }
        else:
            forms = str.maketrans({"ي": "ﻳ", "ا": "ﺎ", "ن": "ﻧ", "م": "ﻣ", "ل": "ﻠ", "د": "ﺪ"})
            entities = person.address.encode("ascii", "xmlcharrefreplace").decode()
            day_before = person.birthdate - timedelta(days=1)
            changed = {
                "address-entities": {"address": html.escape(entities, quote=True).replace("&amp;", "&")},
                "name-mojibake": {"fullName": person.full_name.encode().decode("latin-1")},
                "state-presentation-forms": {"state": person.state.translate(forms)},
                "family-escaped": {"familyName": person.family_name.encode("unicode_escape").decode()},
                "issue-year-one": {"issueDate": "0001-01-01T00:00:00"},
                "expiry-1970": {"expirationDate": "1970-01-01T00:00:00Z"},
                "birth-day-before": {"birthdate": f"{day_before}T22:00:00Z"},
                "address-and-state-swapped": {"address": person.state, "state": person.address},
            }
        given.update(changed.get(self.fault, {}))

    def _approve_front(self, session: Session, body: dict[str, Any]) -> Any:
        if self.fault == "approve-refuses-unknown" and set(body) - set(APPROVED):
            raise No(400, "an unknown property")
        for name in APPROVED:
            value = body.get(name)
            if value is not None and not isinstance(value, str):
                raise No(400, f"{name} must be text")
            self._break_on_text(value or "")
            if name in NAMES and not (value or "").strip():
                raise No(400, f"{name} is required")
            if value and len(value) > 4_000:
                raise No(400, f"{name} is too long")
        number, born = body.get("idNumber"), body.get("birthdate")
        digits = r"[0-9]{13,14}" if self.fault == "thirteen-digits-taken" else r"[0-9]{14}"
        if number and not re.fullmatch(digits, number):
            raise No(400, "idNumber has 14 digits")
        if self.fault == "page-example-refused" and number and int(number[3:5]) > 12:
            raise No(400, "idNumber is not possible")
        if born:
            try:
                datetime.strptime(born, "%d/%m/%Y")  # noqa: DTZ007 - a day
            except ValueError:
                lenient = {"iso-birthdate-taken": r"\d{4}-\d\d-\d\d", "thirty-first-of-february-taken": r"31/02/\d{4}"}
                if not re.fullmatch(lenient.get(self.fault, r"\Z\A."), born):
                    raise No(400, "birthdate is written dd/MM/yyyy") from None
        if "upload_front" not in session.done or "approve_front" in session.done:
            raise No(404, "there is no front to approve")
        session.done.add("approve_front")
        return True

    def _break_on_text(self, value: str) -> None:
        meets = {
            "apostrophe-500": "'" in value,
            "line-break-500": "\n" in value,
            "emoji-500": any(ord(letter) > 0xFFFF for letter in value),
            "long-500": len(value) > 200,
            "right-to-left-mark-500": "‏" in value or "‫" in value,
        }
        if meets.get(self.fault):
            raise No(500, "something went wrong")

    def _approve_back(self, session: Session, body: bytes) -> Any:
        if self.fault == "last-step-refuses-object" and body.strip().startswith(b"{"):
            raise No(400, "no body is expected")
        if not {"upload_back", "approve_front"} <= session.done or "approve_back" in session.done:
            raise No(404, "there is no back to approve")
        session.done.add("approve_back")
        return True

    def _hold(self, session: Session, step: str, scope: Scope, headers: dict[str, str]) -> None:
        """What the faults tie a session to; a faithful vendor ties it to the token alone."""
        idle, session.seen = time.monotonic() - session.seen, time.monotonic()
        if self.fault == "idle-two-seconds" and idle > 2 and session.done:
            session.done.clear()
        if self.fault == "idle-before-last-step" and step == "approve_back" and idle > 2.5:
            session.done.discard("upload_back")
        language = headers.get("accept-language")
        if step == "upload_front" and not session.done:
            session.connection, session.language = scope.get("client"), language
        elsewhere = session.connection != scope.get("client")
        bound = self.fault == "connection-bound" or (
            self.fault == "connection-bound-approval" and step == "approve_front"
        )
        if session.done and (
            (bound and elsewhere) or (self.fault == "language-bound" and language != session.language)
        ):
            raise No(404, "the session is not known")

    # HTTP

    async def _answer(self, scope: Scope, headers: dict[str, str], body: bytes) -> Any:
        path = scope["path"]
        if path not in STEPS and path not in TOKENS:
            raise No(404, "no such resource")
        if scope["method"] != "POST":
            raise No(405, "only POST")
        if path in TOKENS:
            return self._issue(body, path)
        step = STEPS[path]
        session = self._session(headers.get("authorization"), step)
        if len(body) > MOST_BYTES:
            raise No(413, "too large")
        self._hold(session, step, scope, headers)
        if self.fault == f"tap-{step}":
            if session.busy:
                raise No(500, "something went wrong")
            session.busy = True
            try:
                await asyncio.sleep(0.03)
            finally:
                session.busy = False
        if step == "approve_back":
            return self._approve_back(session, body)
        try:
            asked = self._object(body)
        except No:
            if self.fault == "approve-broken-json-true" and step == "approve_front":
                return True
            raise
        if step == "approve_front":
            return self._approve_front(session, asked)
        return self._upload(session, step, asked)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        body = bytearray()
        while (message := await receive())["type"] == "http.request":
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        try:
            status, value = 200, await self._answer(scope, headers, bytes(body))
        except No as no:
            status, value = no.status, {"message": no.message, "errorCode": no.status}
            if self.fault == "refusal-echoes":
                value["received"] = bytes(body)[:400].decode("utf-8", "replace")
        out = [(b"content-type", b"application/json; charset=utf-8")]
        cached = self.fault == "back-may-be-cached" and scope["path"].endswith("UploadBackImage")
        out.append((b"cache-control", b"public, max-age=60" if cached else b"no-store"))
        if status == 405:
            out.append((b"allow", b"POST"))
        if self.fault == "any-origin":
            out.append((b"access-control-allow-origin", b"*"))
        data = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
        if "gzip" in headers.get("accept-encoding", "") and len(data) > 200:
            data = gzip.compress(data)
            if self.fault == "gzip-cut":
                data = data[: len(data) // 2]
            if self.fault != "gzip-unnamed":
                out.append((b"content-encoding", b"gzip"))
        out.append((b"content-length", str(len(data)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": out})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else data})
