"""vendor-api.md, "What a refusal looks like": broken JSON, a missing or wrongly typed required property is a 400.

Refusals change nothing, so one session takes many of them in a row; each step is then taken rightly.
"""

import codecs
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from typing import Any

import pytest

from kycgate.contracts.flow import Expected, Step
from kycgate.contracts.flows import flow
from kycgate.contracts.flows.national_id import APPROVE_BACK, APPROVE_FRONT, UPLOAD_BACK, UPLOAD_FRONT
from kycgate.contracts.models import ENGLISH_NAMES
from kycgate.gate.gate import Gate
from kycgate.gate.plan import judges
from kycgate.gate.session import Interrupted, Session
from kycgate.judging.answers import accepted, customer_data
from kycgate.judging.card import numbers_in
from kycgate.specimens.forms import TURNED
from kycgate.target.exchange import Exchange
from kycgate.target.requests import LEGAL, UNLISTED, WITH_ESCAPES, Outcome, Variation, to_json, upload_body

BROKEN_JSON: dict[str, bytes] = {
    "JSON cut short": b'{"image": "AAAA"',
    "text behind an object": b'{"image": "AAAA"}image=AAAA',
    "a trailing comma": b'{"image": "AAAA",}',
    # Outside a text: many servers replace such bytes before they parse, and within a text JSON then remains.
    "bytes that are no UTF-8": b'{"image": "AAAA"\xff\xfe}',
}


def _ill_formed_uploads(place: int) -> Iterator[Variation]:
    """Those of the upload in this place of the flow."""
    for name, body in BROKEN_JSON.items():
        # As requests are few, most of them go to every second side.
        if place % 2 == 0 or name == "text behind an object":
            yield Variation(name, Outcome.BAD_REQUEST, "refusal.broken-json", body)
    if place % 2:
        # Some programs write a mark before JSON (RFC 8259, 8.1): it makes none of what is none, and crashes nobody.
        marked = codecs.BOM_UTF8 + BROKEN_JSON["a trailing comma"]
        name = "a trailing comma behind a byte order mark"
        yield Variation(name, Outcome.BAD_REQUEST, "refusal.broken-json", marked)
        # Between its quotes JSON has no line end, but how one is written (RFC 8259, 7).
        raw = b'{"image": "AA\nAA"}'
        yield Variation("a line end within a JSON text", Outcome.BAD_REQUEST, "refusal.broken-json", raw)
    other = ("another property", b'{"picture": "AAAA"}') if place % 2 == 0 else ("a JSON text", b'"AAAA"')
    for name, body in (("no body", b""), ("an empty object", b"{}"), other):
        yield Variation(name, Outcome.BAD_REQUEST, "refusal.image-missing", body)
    values: tuple[object, ...] = (None, 7, True, {}, ["AAAA"])
    for value in values:
        kind = "refusal.image-missing" if value is None else "refusal.image-type"
        yield Variation(f"image {json.dumps(value)}", Outcome.BAD_REQUEST, kind, to_json({"image": value}))
    # Who unwraps a list of one takes it for what stands in it; who looks into an empty one may find nothing, and crash.
    listed = b'[{"image": "AAAA"}]' if place % 2 == 0 else b"[]"
    for name, body in (("a JSON array", listed), ("a JSON null", b"null")):
        yield Variation(name, Outcome.BAD_REQUEST, "refusal.image-missing", body)


def _odd_uploads() -> Iterator[Variation]:
    """Well-formed or nearly so: any documented answer will do, never a 5xx."""
    deep = b'{"image": "AAAA", "x": ' + b"[" * 2_000 + b"]" * 2_000 + b"}"
    yield Variation("deep nesting in an unknown property", Outcome.ANY, body=deep)
    yield Variation("a lone surrogate", Outcome.ANY, body=b'{"image": "AAAA", "x": "\\ud800"}')
    yield Variation("NUL characters", Outcome.ANY, body=b'{"image": "AA\\u0000AA", "x\\u0000": "\\u0000"}')
    yield Variation("a property given twice", Outcome.ANY, body=b'{"image": "AAAA", "image": 7}')
    vast = b'{"image": "AAAA", "x": 1e999999, "y": 1' + b"0" * 5_000 + b"}"
    yield Variation("a number beyond any size", Outcome.ANY, body=vast)
    long = {"image": "AAAA", "x" * 20_000: "\u202eDEFG\u200f"}
    yield Variation("a very long property name, direction marks", Outcome.ANY, body=to_json(long))


@judges(
    *("refusal.broken-json", "refusal.image-missing", "refusal.image-type", "refusal.error-body", "refusal.no-leak"),
    *("refusal.changes-nothing", "status.no-5xx", "safety.no-echo"),
    requests=22,
    uploads=2,
    telling=8,
    slow=True,
)
@pytest.mark.parametrize("step", flow().uploads)
def test_ill_formed_upload(gate: Gate, session: Session, step: Step) -> None:
    if step != flow().first and not gate.profile.sets("Accept-Language"):
        # Refusals too come in the phone's language.
        session.dress.language = "ar"
    session.reach(step)
    # Each side gets all that is ill-formed; what is merely odd is dealt out over the sides, as requests are few.
    session.dress.other_forms = False
    place = flow().uploads.index(step)
    tries = (*_ill_formed_uploads(place), *list(_odd_uploads())[place :: len(flow().uploads)])
    # What has no image is sent after the side was read, too: a vendor may answer what it read last.
    first = (tries[0], next(variation for variation in tries if variation.clause == "refusal.image-missing"))
    for variation in first:
        session.do(step, variation, demand=False)
    # Taken rightly now: after three tries of a side a vendor may refuse it, and what that hides is not a breach.
    session.do(step)
    after = [variation for variation in tries if variation not in first]
    for variation in after:
        session.do(step, variation, demand=False)
    if not _approved(session):
        _try_each_kind(gate, step, after)


def _due(session: Session) -> Iterator[Step]:
    """The approvals that may be taken now, each once those before it are."""
    return (step for step in flow().steps if not step.is_upload and session.expect(step) is Expected.ACCEPT)


def _approved(session: Session) -> bool:
    """Whether each approval that is due is accepted: it leans on what was uploaded before."""
    after = Variation("after ill-formed uploads", Outcome.ANY)
    return all(accepted(session.do(step, after, demand=False)) for step in _due(session))


def _try_each_kind(gate: Gate, step: Step, variations: Iterable[Variation]) -> None:
    """Many tries may have closed the side: in sessions of their own, one of each kind shows what it changes."""
    for variation in {variation.clause: variation for variation in variations}.values():
        session = gate.session()
        try:
            session.reach(step)
            session.do(step)
            for due in _due(session):
                if step not in flow().predecessors(due):
                    session.do(due)
            session.do(step, variation, demand=False)
            for due in _due(session):
                session.do(due)
        except Interrupted:
            return
        finally:
            gate.release(session)


FREE_TEXT = (*ENGLISH_NAMES, "fullName", "address", "state")
MILD_TEXTS = (
    "O'Specimen-D’Arc",
    "شقة ٣، عمارة ١٢\nشارع SPECIMEN",
    'Spécimen "the Łong" N\u0303ame & Søn',
    "عبد الرَّحمٰن ـ SPECIMEN",
    "SPECIMEN 50% #7; c:\\home {0} %s ${x}",
    "样本 サンプル ตัวอย่าง 👩‍👩‍👧",
    "SPECIMEN " * 40,
    "\tSPECIMEN\r\n\u200fآخر\u200e",
)
"""Apostrophes, line breaks, marks, letters in two parts, other scripts, format characters, long and turned texts."""
SHORT_NUMBER, IMPOSSIBLE_DATE = "a 13-digit number", "31/02 as birth date"
ODD_APPROVALS: dict[str, dict[str, object]] = {
    SHORT_NUMBER: {"idNumber": "2990101123456"},
    # Longer than 64 bits hold.
    "a 20-digit number": {"idNumber": "29901011234567123456"},
    IMPOSSIBLE_DATE: {"birthdate": "31/02/1990"},
    "yyyy-MM-dd as birth date": {"birthdate": "1990-02-03"},
    "a number that is a number": {"idNumber": 29901011234567, "documentNumber": 10**400},
    "an array for a name": {"fullName": ["SPECIMEN"]},
    "Arabic-Indic digits": {"idNumber": "٢٩٩٠١٠١١٢٣٤٥٦٧"},
    "NUL and a lone surrogate": {"address": "\u0000\ud800"},
    "quotes, markup, a mark and a picture": {
        "address": "O'Specimen \"; DROP TABLE specimen; -- <b>",
        "state": "\u200fSPECIMEN \U0001f3e0",
    },
    "a very long name": {"fullName": "SPECIMEN " * 2_000},
    "empty and blank strings": {
        "fullName": "",
        "idNumber": "",
        "documentNumber": "",
        "address": "",
        "state": " ",
        "birthdate": "",
    },
}


@judges("optional.ill-formed", "status.no-5xx", "status.documented", "session.own-customer", "reading.as-printed",
        requests=24, uploads=3, telling=6)  # fmt: skip
def test_odd_approvals(gate: Gate, session: Session) -> None:
    """Values that are wrong in themselves: 400 is expected, acceptance is recorded, a 5xx never fits.

    ApproveFrontImage again before the flow completes is open, so that one session serves: once a value was accepted,
    what a later one is answered no longer tells why, and only the judge of answers looks at it.
    """
    session.do(UPLOAD_FRONT)
    told = True
    for name, values in ODD_APPROVALS.items():
        body = json.dumps({**session.approval(), **values}).encode()
        exchange = session.do(APPROVE_FRONT, variation=Variation(name, Outcome.ANY, body=body), demand=False)
        took = accepted(exchange)
        if told and name == "Arabic-Indic digits":
            gate.ledger.open_point("arabic-indic-digits", "accepted" if took else str(exchange.status))
        elif told and ("number" in name or "date" in name or "array" in name):
            gate.ledger.open_point("ill-formed-optional", f"{name}: {'accepted' if took else exchange.status}")
            gate.observe("optional.ill-formed", exchange, not took, f"400 for {name}", "accepted")
        told = told and not took
    # What people's names and addresses hold, each text in each free-text property: none of it is a 5xx, nor does it
    # break the answer that may carry it next.
    for shift in range(len(MILD_TEXTS)):
        texts = {name: MILD_TEXTS[(place + shift) % len(MILD_TEXTS)] for place, name in enumerate(FREE_TEXT)}
        body = to_json({**session.approval(), **texts})
        variation = Variation(f"free text as people write it ({shift + 1})", Outcome.ANY, body=body)
        session.do(APPROVE_FRONT, variation=variation, demand=False)
    # Who has shown another person's back first is read anew.
    _show_another_back(gate, session)
    session.do(UPLOAD_BACK, variation=Variation("after free text", Outcome.ANY), demand=False)


def _show_another_back(gate: Gate, session: Session) -> None:
    """Show another person's back: it may be refused; where it is read, it is read as what it shows."""
    other = gate.cards.take()
    gate.show(other)
    try:
        variation = Variation("another person's back", Outcome.ANY, body=upload_body(other.back))
        exchange = session.do(UPLOAD_BACK, variation, demand=False)
    finally:
        gate.cards.give_back(other)
    own, printed = session.card.truth.get("idNumber"), other.truth.get("idNumber")
    came = numbers_in(customer_data(exchange) or {}).get("idNumberBack")
    if came and own != printed:
        required = "the number on the back that is shown"
        gate.observe("reading.as-printed", exchange, came != own, required, "the front's number")


@judges(
    *("approve.names-mandatory", "approve.value-as-read", "safety.no-mass-assignment"),
    *("refusal.broken-json", "refusal.changes-nothing", "refusal.error-body", "safety.no-echo", "status.no-5xx"),
    requests=24,
    uploads=3,
    telling=8,
)
def test_refused_approvals(gate: Gate, session: Session) -> None:
    """Broken JSON is refused; so is, with translation on, to leave one of the English names out; that approves nothing.

    What was read may be passed back.
    """
    session.do(UPLOAD_FRONT)
    # Each is a whole approval but for one place: who reads no further, or is lenient, would take it.
    whole = to_json(session.approval()).removesuffix(b"}")
    broken = {
        "a trailing comma": whole + b",}",
        "text behind an object": whole + b"}image=AAAA",
        "bytes that are no UTF-8": whole + b"\xff\xfe}",
        "a comment": whole + b"/* SPECIMEN */}",
        "a name in single quotes": b"{'scanType': 1, " + whole[1:] + b"}",
    }
    for name, body in broken.items():
        variation = Variation(name, Outcome.BAD_REQUEST, "refusal.broken-json", body)
        session.do(APPROVE_FRONT, variation=variation, demand=False)
    translated = gate.translation == "on"
    if translated:
        translated = _judge_mandatory_names(gate, session)
    else:
        for name in ("approve.names-mandatory", "approve.value-as-read"):
            gate.ledger.unclear(name, "translation is off at this target")
    # What is no object has no names either, not even a list of one that has them.
    listed = b"[" + to_json(session.approval()) + b"]"
    outcome, clause = (Outcome.BAD_REQUEST, "approve.names-mandatory") if translated else (Outcome.ANY, None)
    for name, body in (("a JSON null", b"null"), ("a JSON array", listed), ("no body", b"")):
        session.do(APPROVE_FRONT, variation=Variation(name, outcome, clause, body))
    # What the page does not list approves nothing, on this side either.
    unlisted = Variation("unlisted properties that would set something", Outcome.ANY, more=UNLISTED)
    if not accepted(session.do(UPLOAD_BACK, unlisted, demand=False)):
        session.do(UPLOAD_BACK)
    lacking = APPROVE_FRONT not in session.state.done
    early = session.do(APPROVE_BACK, demand=False)
    if lacking:
        gate.observe(
            "safety.no-mass-assignment", early, not accepted(early), f"refused: {APPROVE_FRONT} is not done",
            "performed", because="order.approve-back-after-approve-front",
        )  # fmt: skip
        if accepted(early):
            return
        # Nor does a value that is refused.
        wrong = (to_json(session.approval() | ODD_APPROVALS[name]) for name in (SHORT_NUMBER, IMPOSSIBLE_DATE))
        ill_formed = [session.do(APPROVE_FRONT, Variation("a wrong value", Outcome.ANY, body=body)) for body in wrong]
        if not any(map(accepted, ill_formed)):
            session.do(APPROVE_BACK)
    if APPROVE_FRONT not in session.state.done and translated:
        session.do(APPROVE_FRONT, variation=Variation("the names as read", clause="approve.value-as-read"))
    if APPROVE_FRONT in session.state.done:
        # The last step wants no body: what becomes of a broken one is open, but for a 5xx.
        exchange = session.do(APPROVE_BACK, Variation("a broken body", Outcome.ANY, body=b'{"scanType":'))
        gate.ledger.open_point("approve-back-broken-body", "ignored" if accepted(exchange) else str(exchange.status))
    session.finish()


def _judge_mandatory_names(gate: Gate, session: Session) -> bool:
    """Whether they are mandatory, as far as this target shows; nothing is approved then."""
    nameless = {name: value for name, value in session.approval().items() if name not in ENGLISH_NAMES}
    sure = gate.profile.translation == "on"
    outcome, clause = (Outcome.BAD_REQUEST, "approve.names-mandatory") if sure else (Outcome.ANY, None)
    everything = Variation("all English names left out", outcome, clause, to_json(nameless))
    if accepted(session.do(APPROVE_FRONT, variation=everything)):
        # The page makes the names mandatory by a setting that only the vendor's panel shows: a reading with English
        # names and an approval that demands none leave open which way it is set.
        for name in ("approve.names-mandatory", "approve.value-as-read"):
            gate.ledger.unclear(
                name, "readings carry English names, approvals demand none: say --translation on to judge it"
            )
        return False
    for name in ENGLISH_NAMES:
        for how in ("left out", "null"):
            approval = session.approval() | {name: None}
            if how == "left out":
                del approval[name]
            body = to_json(approval)
            session.do(
                APPROVE_FRONT,
                variation=Variation(f"{name} {how}", Outcome.BAD_REQUEST, "approve.names-mandatory", body),
            )
    return True


PAGE_EXAMPLE = {
    "fullNameEn": "Ahmed Mohamed Ali",
    "firstNameEn": "Ahmed",
    "familyNameEn": "Mohamed Ali",
    "fullName": "Ahmed Mohamed Ali",
    "idNumber": "29874532145698",
    "documentNumber": "Gm2134524",
    "address": "15 st elgnainy",
    "state": "hadaek el koba - Cairo",
    "birthdate": "19/09/1998",
}
"""The body as the vendor's page shows it."""


def _born(read: dict[str, Any], day: date, *, number: bool) -> dict[str, Any]:
    """Another birth date, with the number that fits it or with none: a vendor may forbid a change of the number."""
    fitting = f"{'2' if day.year < 2000 else '3'}{day:%y%m%d}{str(read['idNumber'])[7:]}" if number else None
    return {"birthdate": f"{day:%d/%m/%Y}", "idNumber": fitting}


@judges("approve.accepted", "approve.page-example", "status.no-5xx", requests=17, uploads=6, telling=6)
def test_edited_approvals(gate: Gate, session: Session) -> None:
    """The client may edit what was read: where it may at all, one well-formed value is as good as another.

    Free text is none of that: what names hold may be a 400.
    """
    session.do(UPLOAD_FRONT, WITH_ESCAPES)

    def approve(name: str, edit: Callable[[dict[str, Any]], dict[str, Any]]) -> Exchange:
        """What a front that is shown and not approved is answered: a second approval's refusal tells nothing."""

        def send(to: Session) -> Exchange:
            read = to.approval()
            variation = Variation(name, Outcome.ANY, body=to_json({**read, **edit(read)}))
            return to.do(APPROVE_FRONT, variation=variation, demand=False)

        approved = APPROVE_FRONT in session.state.done
        exchange = send(session)
        if accepted(exchange) or not approved:
            return exchange
        another = gate.session()
        try:
            another.do(UPLOAD_FRONT)
            return send(another)
        finally:
            gate.release(another)

    example = approve("the page's example", lambda _: PAGE_EXAMPLE)
    warning = "" if accepted(example) else "it is the vendor's own example"
    gate.ledger.open_point("page-example", _choice(example), warning=warning)

    last_of_month = date(1999, 12, 31)
    edited = {"another number": approve("another number", lambda read: _born(read, last_of_month, number=True))}
    numbered = accepted(edited["another number"])
    if not numbered:
        edited["a 31st"] = approve("a 31st", lambda read: _born(read, last_of_month, number=False))
    edited["a leap day"] = approve("a leap day", lambda read: _born(read, date(2000, 2, 29), number=numbered))
    for name, exchange in edited.items():
        gate.ledger.open_point("edited-values", f"{name}: {_choice(exchange)}")
    # That a property may be null does not say that it may be an empty text.
    empty = approve("empty English names", lambda _: dict.fromkeys(ENGLISH_NAMES, ""))
    gate.ledger.open_point("empty-english-names", _choice(empty))
    # The example has another number: where the target takes none but the one that was read, it says nothing.
    if numbered or accepted(example):
        ok = accepted(example)
        gate.observe("approve.page-example", example, ok, "the page's own example accepted", f"status {example.status}")
    else:
        gate.ledger.unclear("approve.page-example", "the target accepts no number that differs from the reading")
    if any(accepted(exchange) for exchange in (example, *edited.values())):
        for exchange in list(edited.values())[-2:]:
            required = "accepted, as other values are that differ from the reading"
            gate.observe("approve.accepted", exchange, accepted(exchange), required, f"status {exchange.status}")
    if APPROVE_FRONT not in session.state.done:
        session.do(APPROVE_FRONT)
    again = session.do(UPLOAD_FRONT)
    gate.ledger.open_point("front-again-after-approval", "starts over" if accepted(again) else "refused")


def _choice(exchange: Exchange) -> str:
    return "accepted" if accepted(exchange) else str(exchange.status)


@judges("approve.optional", "image.turned", requests=8, uploads=4, telling=6)
def test_optional_properties(gate: Gate) -> None:
    """Each property may be null or left out; the English names only when translation is off.

    Each session is another phone's, held in another way.
    """
    for how, turned in zip(("null", "left out"), list(TURNED)[1:], strict=True):
        session = gate.session()
        session.dress.forms = {UPLOAD_FRONT.shows: turned}
        try:
            session.do(UPLOAD_FRONT)
            kept = ENGLISH_NAMES if gate.translation == "on" else ()
            approval = {
                name: value if name in kept else None
                for name, value in session.approval().items()
                if name in kept or how == "null"
            }
            body = to_json(approval)
            session.do(
                APPROVE_FRONT, variation=Variation(f"optional properties {how}", clause="approve.optional", body=body)
            )
        finally:
            gate.release(session)


def _other_methods(step: Step) -> Iterator[tuple[str, bytes | None]]:
    """Each with its body; None for the one that a POST has."""
    if step.is_upload and step != flow().first:
        # It may take away what was done, and say that it is not allowed.
        yield "DELETE", b""
    # A GET with a body has no defined meaning (RFC 9110, 9.3.1).
    yield ("GET", b"{}") if step.request is None else ("PUT", None)


@judges("route.only-post", "status.no-5xx", "refusal.changes-nothing", requests=10, uploads=4, telling=5)
def test_other_methods(gate: Gate, session: Session) -> None:
    """Only POST performs a step, also where it could be taken as it is sent; no other method changes what was done."""
    for step in flow().steps:
        performed = False
        for method, body in _other_methods(step):
            variation = Variation(f"{method} instead of POST", Outcome.ANY, body=body, method=method)
            exchange = session.do(step, variation)
            gate.ledger.open_point("other-methods", f"{method}: {exchange.status}")
            performed = accepted(exchange)
            gate.observe("route.only-post", exchange, not performed, "refused", f"status {exchange.status}")
        # What was performed already may be refused now.
        session.do(step, Variation("after another method", Outcome.ANY) if performed else LEGAL, demand=not performed)
