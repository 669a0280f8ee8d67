"""The vendor itself, without HTTP: credentials, sessions, order, reading, answers.

Its methods are the seams at which faults (`kycgate.sandbox.faults`) break one promise each.
"""

import base64
import binascii
import contextlib
import hashlib
import json
import re
import secrets
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from email.utils import formatdate
from typing import Any

import jwt
from pydantic import TypeAdapter, ValidationError

from kycgate import specimens
from kycgate.contracts.flow import Step
from kycgate.contracts.flows import flow
from kycgate.contracts.flows.national_id import APPROVE_BACK, APPROVE_FRONT, UPLOAD_BACK, UPLOAD_FRONT
from kycgate.contracts.id_number import to_ascii_digits
from kycgate.contracts.models import CUSTOMER_PROPERTIES, ENGLISH_NAMES, FOURTEEN_DIGITS
from kycgate.sandbox.manner import Actor, Why
from kycgate.sandbox.reader import OcrReader
from kycgate.sandbox.settings import SandboxSettings

_ENGLISH_WORDS = {
    "ذكر": "Male",
    "أنثى": "Female",
    "مسلم": "Muslim",
    "مسيحي": "Christian",
    "أعزب": "Single",
    "متزوج": "Married",
    "مصري": "Egyptian",
    "مهندس": "Engineer",
    "طبيب": "Doctor",
    "محاسب": "Accountant",
    "مدرس": "Teacher",
}
_DATES = ("birthdate", "issueDate", "expirationDate")
_ATTACK = re.compile(rb"DROP TABLE|<b>|\\u0000|\[{100}|x{4000}|[\x80-\xff]token")
"""What a firewall that knows nothing of the vendor takes for an attack."""
_SUCCESS: dict[str, tuple[str | None, str | None]] = {
    "null": (None, None),
    "empty": ("", ""),
    "words": ("Read", "SUCCESS"),
    "as the suite's": ("status accepted, refused, required: isSuccess, customerData, message before with", "kept"),
}
"""message and errorCode of a success."""
NOT_READ, NO_TENANT = "10001", "10002"
KNOWN = "10103"
"""The one code that the sources name: the national ID is already registered."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """One request."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    arrived: float = field(default_factory=time.monotonic)
    """When its head came, in seconds of the monotonic clock."""


@dataclass(slots=True)
class Reply:
    """One answer."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json; charset=utf-8"})

    @classmethod
    def json(cls, status: int, value: Any) -> "Reply":
        return cls(status, json.dumps(value, ensure_ascii=False).encode())


class Refused(Exception):  # noqa: N818 - it is an answer, not a mishap
    """The request is refused with this status."""

    def __init__(self, status: int, message: str, code: str | None = None, *, why: Why | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.code = status, message, code
        self.why = why
        """Which refusal of the contract it is; None where a fault refuses."""


@dataclass
class Onboarding:
    """One session's state."""

    customer_id: str
    fixed_key: bool
    done: set[Step] = field(default_factory=set)
    front: Mapping[str, str] = field(default_factory=dict)
    back: Mapping[str, str] = field(default_factory=dict)
    calls: int = 0
    tries: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Vendor:
    """A faithful vendor. Thread-safe; holds at most `max_sessions` sessions, the longest unused leaving first.

    Raises:
        UsageError: it is to read with OCR, and that is not installed.
    """

    def __init__(self, settings: SandboxSettings) -> None:
        self.settings = settings
        self.flow = flow()
        self.uploads = 0
        self._key = secrets.token_hex(32)
        self._sessions: OrderedDict[str, Onboarding] = OrderedDict()
        self._known: set[str] = set()
        self._by_cookie: dict[str, str] = {}
        """Credentials by what a gateway in front remembers them by."""
        self._requests: OrderedDict[str, Onboarding] = OrderedDict()
        """Sessions by the requestId that a token was asked for with."""
        self._asked: list[float] = []
        self._given: list[str] = []
        """The names of the valid tokens, where their number is limited."""
        self._lock = threading.Lock()
        self._reader = OcrReader() if settings.reading == "ocr" else None
        self._actor = Actor(settings.manner) if settings.manner is not None else None
        self._endpoints = {endpoint.path: endpoint.id for endpoint in self.flow.endpoints}

    def close(self) -> None:
        """End what reads in processes of its own."""
        if self._reader is not None:
            self._reader.close()

    # One request

    def handle(self, request: Incoming) -> Reply:
        """The answer to one request; never raises."""
        reply = self._answer(request)
        if self.settings.cookie and (credential := request.headers.get("authorization")):
            known = hashlib.sha256(credential.encode("utf-8", "replace")).hexdigest()
            self._by_cookie[known] = credential
            reply.headers["Set-Cookie"] = f"gateway={known}; Path=/; HttpOnly"
        if self._actor is not None:
            reply.headers = self._actor.headers(self.endpoint_of(request), reply.status, reply.headers)
        return reply

    def endpoint_of(self, request: Incoming) -> str:
        """The endpoint as the flow names it; empty for a path that it does not know."""
        return self._endpoints.get(request.path, "")

    def server_headers(self, request: Incoming, status: int) -> dict[str, str]:
        """The headers that an HTTP server adds by itself, as far as this vendor's server does."""
        headers = {"date": formatdate(usegmt=True), "server": "uvicorn"}
        if self._actor is None:
            return headers
        endpoint = self.endpoint_of(request)
        return {name: value for name, value in headers.items() if self._actor.sends(endpoint, status, name)}

    def latency_s(self, request: Incoming, status: int) -> float | None:
        """Seconds that this answer takes in all; None: as long as it takes."""
        return None if self._actor is None else self._actor.latency_s(self.endpoint_of(request), status)

    def _answer(self, request: Incoming) -> Reply:
        if self.settings.firewall and _ATTACK.search(
            b"\n".join((*(value.encode("latin-1", "replace") for value in request.headers.values()), request.body))
        ):
            return Reply(403, b"<html><body>Request blocked</body></html>", {"Content-Type": "text/html"})
        try:
            return self.dispatch(request)
        except Refused as refused:
            return self.refusal(request, refused)

    def dispatch(self, request: Incoming) -> Reply:
        if any(token.path == request.path for token in self.flow.tokens):
            if request.method != "POST":
                raise Refused(405, "Method not allowed", why="method")
            return self.issue(request)
        step = next((step for step in self.flow.steps if step.path == request.path), None)
        if step is None:
            raise Refused(404, "Not found")
        if self.settings.credentials_before_method and self.authenticate(request, step) is None:
            raise Refused(401, "Unauthorized", why="credential")
        if not self.allows(request.method):
            raise Refused(405, "Method not allowed", why="method")
        session = self.authenticate(request, step)
        if session is None:
            raise Refused(401, "Unauthorized", why="credential")
        with self.turn(session):
            session.calls += 1
            self.count_try(session, step)
            return self.perform(session, step, request)

    def count_try(self, session: Onboarding, step: Step) -> None:
        """Whatever comes of it: a side that was tried so often is refused until a new session."""
        tries, most = session.tries.get(step, 0), self.settings.tries_of_a_side
        if most and step.is_upload and tries >= most:
            raise Refused(self.settings.tries_status, "Too many tries: begin a new session", "10020", why="tries")
        session.tries[step] = tries + 1

    def allows(self, method: str) -> bool:
        return method == "POST"

    def turn(self, session: Onboarding) -> Any:
        """What makes one session's steps happen one after the other."""
        return session.lock

    def refusal(self, request: Incoming, refused: Refused) -> Reply:
        said = {"message": refused.message, "errorCode": refused.code or str(refused.status)}
        reply = Reply.json(refused.status, said)
        if self.settings.problem_details:
            details = {"title": refused.message, "status": refused.status, "errors": {"image": ["Is required."]}}
            reply.body = json.dumps(details | said, separators=(",", ":")).encode()
            reply.headers["Content-Type"] = "application/problem+json"
        if self._actor is not None and refused.why is not None:
            learnt = self._actor.refusal(self.endpoint_of(request), refused.why, refused.message)
            reply.status, reply.body = learnt or (reply.status, reply.body)
        if reply.status == 429:
            reply.headers["Retry-After"] = "1"
        if reply.status == 405:
            reply.headers["Allow"] = "POST"  # RFC 9110, 15.5.6
        if reply.status == 401:
            reply.headers["WWW-Authenticate"] = "Bearer"  # RFC 9110, 15.5.2
        return reply

    # Credentials

    def authenticate(self, request: Incoming, step: Step) -> Onboarding | None:
        """The session that the Authorization header names, or None."""
        header, cookie = request.headers.get("authorization"), request.headers.get("cookie", "")
        named = self._by_cookie.get(cookie.removeprefix("gateway="), "")
        if self.settings.cookie == "bound" and cookie and named != header:
            return None
        header = header or named
        scheme = "bearer" if header.startswith("Bearer ") else "bare"
        if scheme not in self.settings.schemes:
            return None
        credential = header.removeprefix("Bearer ") if scheme == "bearer" else header
        if credential in self.settings.api_keys:
            return self.session_of(credential, fixed=True)
        claims = self.claims(credential)
        return None if claims is None else self.session_of(str(claims["jti"]), fixed=False)

    def claims(self, token: str) -> dict[str, Any] | None:
        """What a token says, when it is one of ours and has not expired."""
        try:
            claims = jwt.decode(token, self._key, algorithms=["HS256"], options={"require": ["exp", "jti"]})
        except (jwt.InvalidTokenError, UnicodeError, ValueError):
            return None
        ended = self.settings.tokens_at_once and claims["jti"] not in self._given
        return None if ended else claims

    def session_of(self, name: str, *, fixed: bool) -> Onboarding:
        with self._lock:
            session = self._sessions.get(name)
            if session is None:
                session = self._sessions[name] = Onboarding(self.new_customer(), fixed)
            self._sessions.move_to_end(name)
            while len(self._sessions) > self.settings.max_sessions:
                self._sessions.popitem(last=False)
            return session

    def new_customer(self) -> str:
        return str(uuid.uuid4())

    def mint(self, life_s: float) -> str:
        name = uuid.uuid4().hex
        if self.settings.tokens_at_once:
            with self._lock:
                self._given = [*self._given, name][-self.settings.tokens_at_once :]
        return jwt.encode({"jti": name, "exp": time.time() + life_s}, self._key, algorithm="HS256")

    def issue(self, request: Incoming) -> Reply:
        """The token endpoints."""
        body = self.parse(request.body)
        tenant, secret = body.get("tenantId"), body.get("tenantSecret")
        if tenant is None or secret is None:
            raise Refused(
                self.settings.missing_tenant_status,
                "tenantId and tenantSecret are required",
                NO_TENANT,
                why="tenant-missing",
            )
        if not isinstance(tenant, str) or not isinstance(secret, str):
            raise Refused(400, "tenantId and tenantSecret are strings", NO_TENANT, why="tenant-type")
        if self.settings.tenants.get(tenant) != secret:
            raise Refused(401, "Unknown tenant", NO_TENANT, why="tenant-unknown")
        self.allow_token()
        token = self.mint(self.settings.token_life_s)
        self.resume(body.get("requestId"), token)
        return self.token_reply(token, time.time() + self.settings.token_life_s)

    def resume(self, request: Any, token: str) -> None:
        """A token for a requestId that is known goes on with its session; a new one is remembered with this token's."""
        claims = self.claims(token)
        if not isinstance(request, str) or not request or claims is None:
            return
        session = self.session_of(str(claims["jti"]), fixed=False)
        with self._lock:
            self._sessions[str(claims["jti"])] = self._requests.setdefault(request, session)
            while len(self._requests) > self.settings.max_sessions:
                self._requests.popitem(last=False)

    def allow_token(self) -> None:
        """No more of them in a second than the settings say."""
        most = self.settings.tokens_a_second
        with self._lock:
            now = time.monotonic()
            self._asked = [moment for moment in self._asked if now - moment < 1]
            if most and len(self._asked) >= most:
                raise Refused(429, "Too many tokens", "10021")
            self._asked.append(now)

    def token_reply(self, token: str, expires: float) -> Reply:
        moment = datetime.fromtimestamp(expires, UTC).isoformat(timespec="milliseconds")
        value = {"token": token, "expirationDate": moment.replace("+00:00", "Z")}
        return Reply.json(200, value if self._actor is None else self._actor.ordered("token", value))

    # Order

    def order_allows(self, session: Onboarding, step: Step) -> bool:
        """Whether `step` may be taken now."""
        if self.flow.last <= session.done:
            return session.fixed_key and step == UPLOAD_FRONT and self.settings.key_after_completion == "opens"
        if not self.flow.predecessors(step) <= session.done:
            return False
        if APPROVE_FRONT in session.done:
            if step == UPLOAD_FRONT:
                return self.settings.front_after_approval == "starts over"
            if step == APPROVE_FRONT:
                return self.settings.approve_front_again == "accepted"
        return True

    def mark(self, session: Onboarding, step: Step) -> None:
        """`step` was taken."""
        if step == UPLOAD_FRONT:
            if self.flow.last <= session.done:
                session.customer_id = self.new_customer()
                session.done.clear()
            session.done.discard(APPROVE_FRONT)
            if self.settings.back_after_front_again == "dropped":
                session.done.discard(UPLOAD_BACK)
        session.done.add(step)
        if self.flow.last <= session.done and "idNumber" in session.front:
            self._known.add(session.front["idNumber"])

    # The steps

    def perform(self, session: Onboarding, step: Step, request: Incoming) -> Reply:
        if step == APPROVE_BACK:
            self.judge_last_body(request)
            self.demand_order(session, step)
            self.mark(session, step)
            return Reply.json(200, True)
        if step.request is None:
            self.demand_order(session, step)
            return self.taken(session, step)
        body = self.parse(request.body)
        if step == APPROVE_FRONT:
            self.judge_approval(body)
            self.demand_order(session, step)
            self.judge_edits(session, body)
            self.mark(session, step)
            return Reply.json(200, True)
        if not step.is_upload:
            self.judge_body(step, body)
            self.demand_order(session, step)
            return self.taken(session, step)
        image = self.judge_upload(body)
        if self.settings.known_person == "refused first" and self.is_known(image, step):
            return self.known()
        self.demand_order(session, step)
        return self.upload(session, step, image)

    def is_known(self, image: str, step: Step) -> bool:
        """Whether the picture shows a person who has completed a flow."""
        with contextlib.suppress(binascii.Error, ValueError):
            return (self.read(self.decode(image), step) or {}).get("idNumber") in self._known
        return False

    def taken(self, session: Onboarding, step: Step) -> Reply:
        """`step` is taken: the answer that the flow gives as a sample, or `true`."""
        self.mark(session, step)
        return Reply.json(200, step.sample(session.customer_id) if step.sample else True)

    def judge_body(self, step: Step, body: dict[str, Any]) -> None:
        """Refuse a body that the step's model does not allow."""
        try:
            TypeAdapter[Any](step.request or dict).validate_python(body)
        except ValidationError as error:
            raise Refused(400, f"{error.errors()[0]['loc']}: {error.errors()[0]['msg']}") from None

    def demand_order(self, session: Onboarding, step: Step) -> None:
        if not self.order_allows(session, step):
            raise Refused(self.settings.order_status, "This step is not possible now", "10010", why="order")

    def parse(self, body: bytes) -> dict[str, Any]:
        """The JSON object in `body`; Refused otherwise."""
        try:
            value = json.loads(body.decode("utf-8", "replace" if self.settings.not_utf8 == "replaced" else "strict"))
        except RecursionError:
            if self.settings.deep_nesting == "refused":
                raise Refused(400, "The body is nested too deep", why="not-json") from None
            # What is deep is unknown: look at the known alone.
            found = re.search(rb'"image"\s*:\s*"([^"\\]*)"', body)
            return {"image": found[1].decode("ascii", "replace")} if found else {}
        except ValueError:
            raise Refused(400, "The body is not JSON", why="not-json") from None
        if not isinstance(value, dict):
            raise Refused(400, "The body is not a JSON object", why="not-json")
        return value

    def judge_last_body(self, request: Incoming) -> None:
        if request.body and self.settings.last_step_broken_body == "refused":
            self.parse(request.body)

    def judge_upload(self, body: dict[str, Any]) -> str:
        image = body.get("image")
        if not isinstance(image, str):
            raise Refused(400, "image is required and is a string", why="image")
        return image

    def judge_approval(self, body: dict[str, Any]) -> None:
        if self.settings.translation and any(body.get(name) is None for name in ENGLISH_NAMES):
            raise Refused(400, "fullNameEn, firstNameEn and familyNameEn are mandatory", why="names")
        if self.settings.empty_text == "refused" and "" in body.values():
            raise Refused(400, "an empty text is not a value", why="ill-formed")
        if self.settings.ill_formed_optional == "accepted":
            return
        for name in (*ENGLISH_NAMES, "fullName", "idNumber", "documentNumber", "address", "state", "birthdate"):
            if body.get(name) is not None and not isinstance(body[name], str):
                raise Refused(400, f"{name} is a string", why="ill-formed")
        number, born = body.get("idNumber"), body.get("birthdate")
        if number and self.settings.arabic_indic_digits == "accepted":
            number = to_ascii_digits(number)
        if number and not re.fullmatch(FOURTEEN_DIGITS, number):
            raise Refused(400, "idNumber has 14 digits", why="ill-formed")
        if born:
            try:
                datetime.strptime(born, "%d/%m/%Y")  # noqa: DTZ007 - a birth date has no zone
            except ValueError:
                raise Refused(400, "birthdate is written dd/MM/yyyy", why="ill-formed") from None

    def judge_edits(self, session: Onboarding, body: dict[str, Any]) -> None:
        """Refuse what an approval may not change of what was read."""
        edited = {name: value for name, value in body.items() if value and value != session.front.get(name)}
        if self.settings.another_number == "refused" and "idNumber" in edited:
            raise Refused(400, "idNumber is not the card's", why="ill-formed")
        names = [edited[name] for name in ENGLISH_NAMES if name in edited]
        if self.settings.english_names == "letters" and not all(re.fullmatch("[A-Za-z ]*", str(n)) for n in names):
            raise Refused(400, "English names hold letters and spaces", why="ill-formed")

    def upload(self, session: Onboarding, step: Step, image: str) -> Reply:
        with self._lock:
            self.uploads += 1
        try:
            picture = self.decode(image)
        except (binascii.Error, ValueError):
            if self.settings.not_base64 == "400":
                raise Refused(400, "image is not base64", why="not-base64") from None
            picture = b""
        fields = self.read(picture, step)
        if fields is None:
            return self.unreadable(session, step)
        if self.settings.known_person != "accepted" and fields.get("idNumber") in self._known:
            return self.known()
        if step == UPLOAD_FRONT:
            session.front = fields
        elif step == UPLOAD_BACK:
            session.back = fields
        if step.sample:
            return self.taken(session, step)
        self.mark(session, step)
        data = self.customer_data(session, step, fields)
        message, code = _SUCCESS[self.settings.success_words]
        if code and self.settings.manner is not None and self.settings.manner.success_code is not None:
            code = self.settings.manner.success_code
        return self.personal(Reply.json(200, self.result(True, message, code, data)))

    def personal(self, reply: Reply) -> Reply:
        """An answer with personal data: no cache on its way may keep it."""
        reply.headers["Cache-Control"] = "no-store"
        return reply

    def decode(self, image: str) -> bytes:
        """The bytes behind base64 with or without line breaks and padding.

        Raises:
            ValueError: it is not base64.
        """
        text = image.replace("\r", "").replace("\n", "")
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)

    def read(self, picture: bytes, step: Step) -> Mapping[str, str] | None:
        """What the picture says; None when it cannot be read as this step's side."""
        side = step.shows
        if side in self.flow.pictures:
            return {} if specimens.is_picture(picture) else None
        if self._reader is not None:
            return self._reader.read(picture, side)
        reading = specimens.read(picture)
        if reading is not None:
            return reading.fields if reading.side == side or (side, reading.side) == ("front", "passport") else None
        if self.settings.foreign_photos and specimens.is_picture(picture):
            seed = int.from_bytes(hashlib.sha256(picture).digest()[:4])
            return specimens.make_person(seed).truth(side)
        return None

    def unreadable(self, session: Onboarding, step: Step) -> Reply:
        if self.settings.unreadable == "400":
            raise Refused(400, "The picture cannot be read", NOT_READ, why="unreadable")
        code = NOT_READ if self._actor is None else self._actor.code_of(step, "unreadable", NOT_READ)
        return Reply.json(200, self.result(False, "The picture cannot be read", code, None))

    def known(self) -> Reply:
        message = "The national ID is already registered"
        if self.settings.unreadable == "400":
            raise Refused(400, message, KNOWN, why="known")
        return Reply.json(200, self.result(False, message, KNOWN, None))

    def result(self, success: Any, message: Any, code: Any, data: Any) -> dict[str, Any]:
        more = {"requestId": uuid.uuid4().hex} if self.settings.extra_properties else {}
        value = {"isSuccess": success, "message": message, "errorCode": code, "customerData": data, **more}
        if self._actor is None:
            return value
        return self._actor.ordered(f"{UPLOAD_FRONT}, isSuccess {str(success).lower()}", value)

    def customer_data(self, session: Onboarding, step: Step, fields: Mapping[str, str]) -> dict[str, Any]:
        """The 27 properties for what was read; null for what the side does not carry."""
        carried = {**session.front, **fields} if self.settings.back_carries_front else fields
        if step == UPLOAD_FRONT and self.settings.front_carries_kept_back and UPLOAD_BACK in session.done:
            carried = {**session.back, **carried}
        data: dict[str, Any] = {name: carried.get(name) for name in CUSTOMER_PROPERTIES}
        data["customerId"] = session.customer_id
        data["documentTypeId"], data["documentTypeCode"] = "1", "NID"
        if step == UPLOAD_FRONT:
            data["photo"] = f"photos/{session.customer_id}.jpg"
        for name in _DATES:
            data[name] = self.date_time(data[name])
        if not self.settings.translation:
            data |= dict.fromkeys(ENGLISH_NAMES)
        if self.settings.words == "English":
            for name in ("gender", "religion", "maritalStatus", "nationality", "profession"):
                data[name] = _ENGLISH_WORDS.get(data[name], data[name])
        if carried.get("birthdate"):
            born = date.fromisoformat(carried["birthdate"])
            data["detectedAge"] = (datetime.now(UTC).date() - born).days // 365
            data["detectedGender"] = "Male" if int(carried["idNumber"][12]) % 2 else "Female"
        if self._actor is None:
            return data
        number = session.front.get("idNumber", "")
        gender = "" if not number else "male" if int(number[12]) % 2 else "female"
        return self._actor.customer_data(step, data, gender)

    def date_time(self, iso: str | None) -> str | None:
        endings = {"Z": "T00:00:00.000Z", "offset": "T00:00:00+02:00", "naive": "T00:00:00"}
        return f"{iso}{endings[self.settings.date_times]}" if iso else None
