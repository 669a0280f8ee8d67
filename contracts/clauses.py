"""The catalogue: every promise of docs/reference/vendor-api.md as a clause, and what was left out with the reason.

A clause's level follows its source's tag: `doc` and `pub` are documented, `client` is relied on, `inferred` is
expected.
Where a sentence rests on two sources the harder one decides.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How hard the suite may press on a clause."""

    DOCUMENTED = "documented"
    RELIED_ON = "relied-on"
    EXPECTED = "expected"

    @property
    def fails_gate(self) -> bool:
        """Whether a breach fails the gate without `--strict`."""
        return self is not Level.EXPECTED

    @property
    def rank(self) -> int:
        """0 for what is documented, and upwards."""
        return list(Level).index(self)


FRONT = ("upload_front",)
BACK = ("upload_back",)
UPLOADS = ("upload_front", "upload_back")
APPROVE_FRONT = ("approve_front",)
APPROVE_BACK = ("approve_back",)
APPROVALS = ("approve_front", "approve_back")
STEPS = UPLOADS + APPROVALS
WITH_BODY = (*UPLOADS, "approve_front")
TOKEN = ("token",)


@dataclass(frozen=True, slots=True)
class Clause:
    """One promise: `id`, how binding it is, the endpoints it is about, one sentence, and where it is written."""

    id: str
    level: Level
    endpoints: tuple[str, ...]
    sentence: str
    source: str

    @property
    def family(self) -> str:
        return self.id.partition(".")[0]


def _doc(id: str, endpoints: tuple[str, ...], sentence: str, source: str) -> Clause:  # noqa: A002
    return Clause(id, Level.DOCUMENTED, endpoints, sentence, source)


def _client(id: str, endpoints: tuple[str, ...], sentence: str, source: str) -> Clause:  # noqa: A002
    return Clause(id, Level.RELIED_ON, endpoints, sentence, source)


def _expected(id: str, endpoints: tuple[str, ...], sentence: str, source: str) -> Clause:  # noqa: A002
    return Clause(id, Level.EXPECTED, endpoints, sentence, source)


FACTS = "docs/reference/vendor-api.md"
"""Where this repository states the vendor's documentation; each source names a section of it."""
_PAGE = "vendor's page, National Id"
_WHERE = f"{FACTS}#where-and-how"
_STEPS = f"{FACTS}#the-four-steps"
_ORDER = f"{FACTS}#order"
_REFUSAL = f"{FACTS}#what-a-refusal-looks-like"
_RESULT = f"{FACTS}#the-uploads-result-object"
_APPROVE = f"{FACTS}#approvefrontimages-object"
_IMAGES = f"{FACTS}#images"
_NUMBER = f"{FACTS}#the-egyptian-national-id-number"
_FIELD = f"{FACTS}#what-the-field-adds"

CATALOGUE: tuple[Clause, ...] = (
    # Where and how
    _doc("route.post", STEPS, "Each step answers POST on its documented path.", f"{_PAGE}; {_WHERE}"),
    _expected("route.only-post", STEPS, "No other method performs a step.", f"{_WHERE}: only POST is documented"),
    _doc("request.approve-back-without-body", APPROVE_BACK, "ApproveBackImage needs no body.", f"{_PAGE}; {_WHERE}"),
    _client(
        "request.approve-back-with-body",
        APPROVE_BACK,
        "ApproveBackImage takes the small JSON object that the Android client posts.",
        _WHERE,
    ),
    _client("request.unknown-properties", WITH_BODY, "Properties that the page does not list are ignored.", _WHERE),
    _client(
        "request.client-headers",
        STEPS,
        "Accept: application/json and Accept-Language ar or en change no verdict.",
        _WHERE,
    ),
    _client("answer.in-time", STEPS, "Each answer comes within the client's 60 s.", _WHERE),
    _client(
        "answer.http",
        STEPS,
        "Each answer is complete, well-formed HTTP/1.1, as the installed client reads it.",
        f"{_WHERE}; RFC 9112",
    ),
    # Statuses and bodies
    _doc(
        "status.documented",
        STEPS,
        "Answers carry 200, 400, 401 or 404; 405, 413, 415 and 429 only where they fit.",
        f"{_PAGE}; {_STEPS}",
    ),
    _doc("status.no-5xx", STEPS, "No answer is a 5xx.", f"{_PAGE}; {_STEPS}: 5xx is always a failure"),
    _client("body.json", STEPS, "Answers are one well-formed JSON text in UTF-8, without a byte order mark.", _WHERE),
    _client(
        "body.media-type", STEPS, "Answers say Content-Type: application/json.", f"{_WHERE}: what the client accepts"
    ),
    _doc("approve.true", APPROVALS, "An approval's 200 is the JSON literal true.", f"{_PAGE}; {_STEPS}"),
    # The upload's result
    _doc(
        "result.envelope",
        UPLOADS,
        "isSuccess is a boolean, message and errorCode are strings or null, customerData is an object or null.",
        f"{_PAGE}; {_RESULT}",
    ),
    _doc(
        "result.properties",
        UPLOADS,
        "customerData has its 27 properties, each null or of the documented type.",
        f"{_PAGE}; {_RESULT}",
    ),
    _doc("result.customer-id", UPLOADS, "customerId is a UUID.", f"{_PAGE}; {_RESULT}"),
    _doc("result.scans", UPLOADS, "idFrontScan and idBackScan have 14 digits.", f"{_PAGE}; {_RESULT}"),
    _doc(
        "result.date-times", UPLOADS, "birthdate, issueDate and expirationDate are date-times.", f"{_PAGE}; {_RESULT}"
    ),
    _doc("result.photo", UPLOADS, "photo is a path, not the picture itself.", f"{_PAGE}; {_RESULT}"),
    _expected(
        "result.photo-path",
        UPLOADS,
        "photo's path is one customer's alone, and shows nothing of the server's disk.",
        f"{_RESULT}: a path; {_REFUSAL}: no other customer's data, nothing internal",
    ),
    _doc("result.no-data-on-failure", UPLOADS, "customerData is null when isSuccess is false.", _RESULT),
    _client("result.data-on-success", UPLOADS, "customerData is an object when isSuccess is true.", _RESULT),
    _client("result.message-on-failure", UPLOADS, "message is a string when isSuccess is false.", _RESULT),
    _client("result.error-code-number", UPLOADS, "errorCode, where given, is a whole number in a string.", _RESULT),
    _client("result.back-fields", BACK, "After a successful back upload gender and profession are not null.", _RESULT),
    _doc(
        "result.translation",
        UPLOADS,
        "English names are the translation: given when the feature is on, null when it is off.",
        _RESULT,
    ),
    # What must work
    _doc("upload.accepted", UPLOADS, "A readable card, shown in its turn, is read.", f"{_PAGE}; {_STEPS}"),
    _doc("approve.accepted", APPROVALS, "An approval in its turn is accepted.", f"{_PAGE}; {_STEPS}"),
    _doc(
        "approve.optional",
        APPROVE_FRONT,
        "Every property of ApproveFrontImage may be null or left out; the English names only when translation is off.",
        f"{_STEPS}; {_APPROVE}",
    ),
    _doc(
        "approve.names-mandatory",
        APPROVE_FRONT,
        "With translation on, approving without one of the three English names is a 400.",
        f"{_PAGE}; {_APPROVE}",
    ),
    _doc(
        "approve.value-as-read",
        APPROVE_FRONT,
        "The English names may be passed back as they were read.",
        f"{_PAGE}; {_APPROVE}",
    ),
    _client("image.line-feeds", UPLOADS, "Base64 with a line feed every 76 characters is read.", _IMAGES),
    _client("image.crlf", UPLOADS, "Base64 with MIME's CRLF is read.", _IMAGES),
    _client(
        "image.full-size",
        UPLOADS,
        "Phone captures are read: from a few hundred kB to several MB, where a 413 may come instead from 1 MB.",
        _IMAGES,
    ),
    # Order
    _doc(
        "order.page",
        STEPS,
        "Upload front, upload back, approve front, approve back is a legal order.",
        f"{_PAGE}; {_ORDER}",
    ),
    _client("order.client", STEPS, "Upload front, approve front, upload back, approve back is a legal order.", _ORDER),
    _doc("order.upload-back-after-upload-front", BACK, "The back is refused before the front.", f"{_PAGE}; {_ORDER}"),
    _doc(
        "order.approve-front-after-upload-front", APPROVE_FRONT, "The front is approved only after its upload.", _ORDER
    ),
    _doc("order.approve-back-after-upload-back", APPROVE_BACK, "The back is approved only after its upload.", _ORDER),
    _expected(
        "order.approve-back-after-approve-front", APPROVE_BACK, "The back is approved only after the front is.", _ORDER
    ),
    _client("order.retry", UPLOADS, "A side may be uploaded again before it is approved.", _ORDER),
    _expected("order.closed", STEPS, "After the flow is complete each step is refused.", _ORDER),
    # Refusals
    _doc("refusal.broken-json", WITH_BODY, "Broken JSON is a 400.", f"{_PAGE}; {_REFUSAL}"),
    _doc("refusal.image-missing", UPLOADS, "An upload without an image is a 400.", f"{_PAGE}; {_REFUSAL}"),
    _doc("refusal.image-type", UPLOADS, "An image that is not a string is a 400.", f"{_PAGE}; {_REFUSAL}"),
    _doc("refusal.order-status", STEPS, "A step out of order is answered 400 or 404.", f"{_PAGE}; {_REFUSAL}"),
    _client(
        "refusal.unreadable",
        UPLOADS,
        "An image that cannot be read is a 400, or a 200 with isSuccess false.",
        _REFUSAL,
    ),
    _expected("refusal.changes-nothing", STEPS, "A refusal changes nothing: the step can be tried again.", _REFUSAL),
    _client(
        "refusal.error-body",
        STEPS,
        "400, 401 and 404 carry a JSON object with message (string or null) and errorCode (string, number or null).",
        _REFUSAL,
    ),
    _expected(
        "refusal.no-leak",
        STEPS,
        "A refusal shows no stack trace, internal exception, other customer's data, or the credentials sent.",
        _REFUSAL,
    ),
    # Credentials
    _doc("auth.missing", STEPS, "Without credentials the answer is 401.", f"{_PAGE}; {_REFUSAL}"),
    _doc("auth.malformed", STEPS, "Malformed credentials are answered 401.", f"{_PAGE}; {_REFUSAL}"),
    _doc("auth.unknown", STEPS, "Unknown or tampered credentials are answered 401.", f"{_PAGE}; {_REFUSAL}"),
    _doc("auth.expired", STEPS, "An expired token is answered 401.", f"{_PAGE}; {_REFUSAL}"),
    _doc("auth.before-body", STEPS, "Credentials are judged before the body: 401 whatever the body.", f"{_REFUSAL}"),
    # Sessions and tokens
    _doc(
        "session.own-order",
        STEPS,
        "The order of the steps hangs on the token: one session's steps count for no other.",
        _WHERE,
    ),
    _doc(
        "session.own-customer", UPLOADS, "A session's answers are about its own customer, and about no other's.", _WHERE
    ),
    _doc("token.issued", TOKEN, "Tenant id and secret earn a token and its expiry as a date-time.", _WHERE),
    _doc("token.distinct", TOKEN, "Each session gets a token of its own.", _WHERE),
    _doc("token.optional", TOKEN, "The other properties may be null or left out.", _WHERE),
    _doc("token.refused", TOKEN, "Wrong or missing tenant credentials are answered 400, 401 or 404.", _WHERE),
    _doc("token.own-session", TOKEN, "Two tokens are two sessions, whatever device or user they name.", _WHERE),
    _expected("token.lives", TOKEN, "A token works until it expires.", _WHERE),
    _doc("token.sibling", TOKEN, "GenerateOnboardingSessionToken takes the same body.", _WHERE),
    _expected("token.expiry-ahead", TOKEN, "A fresh token's expiry lies ahead.", _WHERE),
    _expected("token.expiry-agrees", TOKEN, "A JWT's own expiry (exp) and expirationDate are the same moment.", _WHERE),
    # What was read must not contradict itself
    _expected("reading.number", UPLOADS, "The number is a possible one: century, date and governorate exist.", _NUMBER),
    _expected("reading.number-birthdate", UPLOADS, "The number and birthdate agree.", _NUMBER),
    _expected("reading.number-gender", UPLOADS, "The number and gender agree.", _NUMBER),
    _expected("reading.numbers-agree", UPLOADS, "All numbers that one session's answers give are the same.", _NUMBER),
    _expected("reading.names-agree", UPLOADS, "The full name is made of the first and the family name.", _NUMBER),
    _expected(
        "reading.as-printed",
        UPLOADS,
        "What is read right stands in its own property, in its own letters, on its own day.",
        f"{_PAGE}; {_RESULT}: what each property holds",
    ),
    _expected("reading.age", UPLOADS, "detectedAge is a possible age.", f"{_NUMBER}; {_RESULT}"),
    _expected("reading.dates-in-order", UPLOADS, "Birth, issue and expiry follow each other in time.", _NUMBER),
    _doc(
        "reading.letters",
        UPLOADS,
        "What the card has in Arabic comes in letters as a person types them: none lost, replaced or written in code.",
        _FIELD,
    ),
    _doc("reading.no-date", UPLOADS, "A date that was not read is null, not a runtime's empty date.", _FIELD),
    _expected("reading.time-zone", UPLOADS, "No time zone moves a date's written day.", f"{_NUMBER}; {_FIELD}"),
    _doc(
        "reading.own-fields",
        UPLOADS,
        "Each property holds its own value of the card: none is wrong in every reading, no two change places.",
        f"{_PAGE}; {_RESULT}: what each property holds",
    ),
    # What phones, networks and web servers bring
    _doc(
        "session.any-connection",
        STEPS,
        "The session hangs on the token, not on the connection or the headers that it began with.",
        f"{_FIELD}; {_WHERE}",
    ),
    _doc(
        "session.idle",
        STEPS,
        "A pause of some seconds between two steps ends no session while its token lives.",
        f"{_FIELD}; {_WHERE}",
    ),
    _expected("session.resumed", TOKEN, "A second token for one requestId resumes what the first began.", _WHERE),
    _expected(
        "request.twice-at-once",
        STEPS,
        "Of two equal requests at the same moment at least one is performed, and the flow goes on.",
        f"{_FIELD}: answered like a retry or a refusal",
    ),
    _client("answer.compressed", STEPS, "What comes back compressed is whole.", f"{_FIELD}: the client accepts gzip"),
    _expected("image.turned", UPLOADS, "A capture that its EXIF tag says to turn is read.", _FIELD),
    _expected(
        "optional.ill-formed",
        APPROVE_FRONT,
        "An ill-formed optional value (13 digits, letters, 31/02, another date format) is a 400.",
        f"{FACTS}#where-the-sources-leave-room",
    ),
    _doc(
        "approve.page-example",
        APPROVE_FRONT,
        "The page's own example is accepted where values that differ from the reading are.",
        f"{_PAGE}; {_APPROVE}",
    ),
    _expected("safety.no-store", UPLOADS, "Answers with personal data are not stored on the way.", _FIELD),
    _expected("safety.no-cors", UPLOADS, "No web page of any origin may read answers with personal data.", _FIELD),
    _expected("safety.no-echo", STEPS, "A refusal does not repeat what was sent.", _FIELD),
    _expected(
        "safety.no-mass-assignment",
        STEPS,
        "What the page does not list (an approval, another customer, a status) cannot be set by sending it.",
        _FIELD,
    ),
)


CORE: tuple[str, ...] = (
    "upload.accepted",
    "approve.accepted",
    "order.page",
    "order.upload-back-after-upload-front",
    "order.approve-front-after-upload-front",
    "order.approve-back-after-upload-back",
    "auth.missing",
    "auth.unknown",
)
"""A check that can say nothing of one of these is too little evidence to call a vendor's contract kept.

They are what the page itself says of the flow: it can be gone through, only in its order, only with credentials. All
are documented; each takes requests of its own, so that a budget can cut them off; and every target can be asked them,
whichever way credentials are given (the token's clauses are not asked of a fixed key), given keys enough.
"""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A statement of the sources that is not a clause, and why."""

    statement: str
    reason: str


LEFT_OUT: tuple[LeftOut, ...] = (
    LeftOut("The base URL is the customer's own.", "It is the run's input."),
    LeftOut(
        "A token is a JWT.", "Clients pass it on unread; what is inside is the vendor's own. Its form is recorded."
    ),
    LeftOut("Credentials are written `Bearer <token>`.", "Bare or Bearer are both fine; which one works is recorded."),
    LeftOut("A fixed key works for one flow at a time.", "It is how the suite uses keys, not what it judges."),
    LeftOut('kycRequestTypeId "1" is OCR.', "The suite sends it; other kinds are other products."),
    LeftOut("The page describes fullName with the text of fullNameEn.", "A slip of the page that promises nothing."),
    LeftOut("image may be a passport's.", "Whether a drawn passport is read only a real OCR can tell; it is recorded."),
    LeftOut("A data: prefix is not documented.", "Either answer is fine; it is recorded."),
    LeftOut("The check digit of the national number.", "Its formula is not published."),
    LeftOut(
        "What the card's two sides carry.", "A fact about cards: reading accuracy is an SLA objective, not a clause."
    ),
    LeftOut("Everything in 'Where the sources leave room'.", "Open points: recorded, never judged."),
)


_KNOWN: dict[str, Clause] = {promise.id: promise for promise in CATALOGUE}


def add_clauses(brought: Iterable[Clause]) -> None:
    """Make the clauses known that a flow brings with it.

    Raises:
        ValueError: another clause has the same id.
    """
    for promise in brought:
        if _KNOWN.setdefault(promise.id, promise) != promise:
            raise ValueError(f"two clauses have the id {promise.id}")


def known_clauses() -> tuple[Clause, ...]:
    """The catalogue, and every clause that a flow of this process has brought."""
    return tuple(_KNOWN.values())


def clause(id: str) -> Clause:  # noqa: A002
    """The clause with this id.

    Raises:
        KeyError: neither the catalogue nor a flow has one.
    """
    return _KNOWN[id]


def clauses(ids: Iterable[str]) -> tuple[Clause, ...]:
    """The clauses with these ids, in the order given."""
    return tuple(clause(id) for id in ids)  # noqa: A001


@dataclass(frozen=True, slots=True)
class OpenPoint:
    """A question that the sources leave open: what the target chose is recorded, so that a change shows as drift."""

    id: str
    question: str


OPEN_POINTS: tuple[OpenPoint, ...] = (
    OpenPoint("credentials-form", "Are credentials written bare, as Bearer, or either way?"),
    OpenPoint("token-form", "Is the token a JWT?"),
    OpenPoint("key-after-completion", "Does UploadFront with a fixed key open a new flow after a completed one?"),
    OpenPoint("front-again-after-approval", "Is UploadFront after ApproveFront accepted (starting over) or refused?"),
    OpenPoint("approve-front-again", "Is ApproveFront accepted a second time before the flow completes?"),
    OpenPoint("front-again-after-back", "Does uploading the front again keep the back?"),
    OpenPoint("back-carries-front", "Does the back's answer carry the front's fields too?"),
    OpenPoint("front-carries-back", "Does the answer to a front that is shown after the back carry the back's fields?"),
    OpenPoint("ill-formed-optional", "Are ill-formed optional values of ApproveFrontImage refused (400 is expected)?"),
    OpenPoint("empty-english-names", "Are empty English names accepted?"),
    OpenPoint("arabic-indic-digits", "Are Arabic-Indic digits in idNumber accepted?"),
    OpenPoint("not-base64", "Is text that is not base64 a 400, or a 200 with isSuccess false?"),
    OpenPoint("base64-variants", "Are unpadded and URL-safe base64, and a data: prefix, read?"),
    OpenPoint("png", "Are PNG pictures read?"),
    OpenPoint("picture-forms", "Which common forms of JPEG and PNG are read?"),
    OpenPoint("passport", "Is a passport page read as the front?"),
    OpenPoint("blank-picture", "Is a blank picture, or a back shown as the front, read or refused?"),
    OpenPoint("approve-back-broken-body", "Is a broken body on ApproveBackImage ignored or a 400?"),
    OpenPoint("deep-nesting", "Is deep nesting in unknown properties ignored or a 400?"),
    OpenPoint("words", "Are gender, religion, marital status and nationality Arabic or English words?"),
    OpenPoint("date-times", "Are date-times written with Z, an offset, or none?"),
    OpenPoint("other-media-type", "What answers a request that is not application/json?"),
    OpenPoint("other-methods", "What answers a method other than POST?"),
    OpenPoint("missing-tenant", "Are missing tenant credentials a 400 or a 401?"),
    OpenPoint("edited-values", "Are well-formed values that differ from the reading accepted by ApproveFrontImage?"),
    OpenPoint("page-example", "Is the page's own example of ApproveFrontImage accepted?"),
    OpenPoint("image-limit", "How large may an image be?"),
    OpenPoint("side-tries", "How often may a side be tried in one session?"),
    OpenPoint("older-tokens", "Does a token end when newer ones are given out?"),
    OpenPoint("firewall", "Does a firewall answer what looks like an attack?"),
    OpenPoint("after-completion", "With which status is a completed session's token refused?"),
)
