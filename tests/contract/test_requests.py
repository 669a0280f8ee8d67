"""API.md, "What a refusal looks like": broken JSON, a missing or wrongly typed required property is a 400.

Refusals change nothing, so one session takes many of them in a row; each step is then taken rightly.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from kycgate.contracts.endpoints import BASE_PATH
from kycgate.contracts.journey import PAGE_ORDER, Step
from kycgate.contracts.models import ENGLISH_NAMES
from kycgate.gate import Gate
from kycgate.judge import accepted
from kycgate.plan import judges
from kycgate.requests import Outcome, Variation, to_json, upload_body
from kycgate.session import Session
from kycgate.target import Wanted

BROKEN_JSON: dict[str, bytes] = {
    "JSON cut short": b'{"image": "AAAA"',
    "no JSON at all": b"image=AAAA",
    "a trailing comma": b'{"image": "AAAA",}',
    "bytes that are no UTF-8": b'{"image": "\xff\xfe"}',
}


def _ill_formed_uploads() -> Iterator[Variation]:
    for name, body in BROKEN_JSON.items():
        yield Variation(name, Outcome.BAD_REQUEST, "refusal.broken-json", body)
    for name, body in (("an empty object", b"{}"), ("no body", b""), ("another property", b'{"picture": "AAAA"}')):
        yield Variation(name, Outcome.BAD_REQUEST, "refusal.image-missing", body)
    values: tuple[object, ...] = (None, 7, True, {}, ["AAAA"])
    for value in values:
        kind = "refusal.image-missing" if value is None else "refusal.image-type"
        yield Variation(f"image {json.dumps(value)}", Outcome.BAD_REQUEST, kind, to_json({"image": value}))
    for name, body in (("a JSON array", b"[]"), ("a JSON null", b"null")):
        yield Variation(name, Outcome.BAD_REQUEST, "refusal.image-missing", body)


def _odd_uploads() -> Iterator[Variation]:
    """Well-formed or nearly so: any documented answer will do, never a 5xx."""
    deep = b'{"image": "AAAA", "x": ' + b"[" * 2_000 + b"]" * 2_000 + b"}"
    yield Variation("deep nesting in an unknown property", Outcome.ANY, body=deep)
    yield Variation("a lone surrogate", Outcome.ANY, body=b'{"image": "AAAA", "x": "\\ud800"}')
    yield Variation("NUL characters", Outcome.ANY, body=b'{"image": "AA\\u0000AA", "x\\u0000": "\\u0000"}')
    yield Variation("right-to-left marks", Outcome.ANY, body=to_json({"image": "AAAA", "x": "\u202eDEFG\u200f"}))
    yield Variation("a property given twice", Outcome.ANY, body=b'{"image": "AAAA", "image": 7}')
    yield Variation("a number beyond any size", Outcome.ANY, body=b'{"image": "AAAA", "x": 1e999999}')
    yield Variation("a very long property name", Outcome.ANY, body=to_json({"image": "AAAA", "x" * 20_000: 1}))


@judges(
    *("refusal.broken-json", "refusal.image-missing", "refusal.image-type", "refusal.error-body", "refusal.no-leak"),
    *("refusal.changes-nothing", "status.no-5xx"),
    requests=24,
    uploads=2,
    telling=7,
)
@pytest.mark.parametrize("step", [Step.UPLOAD_FRONT, Step.UPLOAD_BACK])
def test_ill_formed_upload(session: Session, step: Step) -> None:
    if step is Step.UPLOAD_BACK:
        session.upload_front()
    # The front gets all of them, the back every other one, as requests are few.
    tries = (*_ill_formed_uploads(), *_odd_uploads())
    for variation in tries if step is Step.UPLOAD_FRONT else tries[::2]:
        session.do(step, variation, demand=False)
    session.do(step)


@judges("refusal.broken-json", "refusal.changes-nothing", "refusal.error-body", requests=9, uploads=2, telling=7)
def test_ill_formed_approval(session: Session) -> None:
    """A refused approval approves nothing: the last step is still refused."""
    session.upload_front()
    session.upload_back()
    for name in ("JSON cut short", "no JSON at all", "bytes that are no UTF-8"):
        variation = Variation(name, Outcome.BAD_REQUEST, "refusal.broken-json", BROKEN_JSON[name])
        session.approve_front(variation=variation, demand=False)
    session.approve_back()
    session.finish()


ODD_APPROVALS: dict[str, dict[str, object]] = {
    "a 13-digit number": {"idNumber": "2990101123456"},
    "31/02 as birth date": {"birthdate": "31/02/1990"},
    "yyyy-MM-dd as birth date": {"birthdate": "1990-02-03"},
    "a number that is a number": {"idNumber": 29901011234567},
    "an array for a name": {"fullName": ["SPECIMEN"]},
    "Arabic-Indic digits": {"idNumber": "٢٩٩٠١٠١١٢٣٤٥٦٧"},
    "NUL and a lone surrogate": {"address": "\u0000\ud800"},
    "quotes and markup": {"address": "O'Specimen \"; DROP TABLE specimen; -- <b>"},
    "a very long name": {"fullName": "SPECIMEN " * 2_000},
    "empty strings": {
        "fullName": "",
        "idNumber": "",
        "documentNumber": "",
        "address": "",
        "state": "",
        "birthdate": "",
    },
}


@judges("status.no-5xx", "status.documented", requests=14, uploads=2, telling=6)
def test_odd_approvals(gate: Gate, session: Session) -> None:
    """Values that are wrong in themselves: 400 is expected, acceptance is recorded, a 5xx never fits.

    ApproveFrontImage again before the flow completes is open, so that one session serves: once a value was accepted,
    what a later one is answered no longer tells why, and only the judge of answers looks at it.
    """
    session.upload_front()
    told = True
    for name, values in ODD_APPROVALS.items():
        body = json.dumps({**session.approval(), **values}).encode()
        exchange = session.approve_front(variation=Variation(name, Outcome.ANY, body=body), demand=False)
        took = accepted(exchange)
        if told and name == "Arabic-Indic digits":
            gate.ledger.open_point("arabic-indic-digits", "accepted" if took else str(exchange.status))
        elif told and ("number" in name or "date" in name or "array" in name):
            gate.ledger.open_point(
                "ill-formed-optional",
                f"{name}: {'accepted' if took else exchange.status}",
                warning="accepted, where a 400 is expected" if took else "",
            )
        told = told and not took
    # The flow is not finished: the back's answer may carry what was approved last, however odd.


@judges("approve.names-mandatory", "approve.value-as-read", requests=12, uploads=2, telling=8)
def test_english_names(gate: Gate, session: Session) -> None:
    """With translation on each of the three names is mandatory, and what was read may be passed back."""
    session.upload_front()
    if gate.translation != "on":
        for name in ("approve.names-mandatory", "approve.value-as-read"):
            gate.ledger.unclear(name, "translation is off at this target")
        session.finish()
        return
    nameless = {name: value for name, value in session.approval().items() if name not in ENGLISH_NAMES}
    sure = gate.profile.translation == "on"
    outcome, clause = (Outcome.BAD_REQUEST, "approve.names-mandatory") if sure else (Outcome.ANY, None)
    everything = Variation("all English names left out", outcome, clause, to_json(nameless))
    if accepted(session.approve_front(variation=everything)):
        # The page makes the names mandatory by a setting that only the vendor's panel shows: a reading with English
        # names and an approval that demands none leave open which way it is set.
        for name in ("approve.names-mandatory", "approve.value-as-read"):
            gate.ledger.unclear(
                name, "readings carry English names, approvals demand none: say --translation on to judge it"
            )
        session.finish()
        return
    for name in ENGLISH_NAMES:
        for how in ("left out", "null"):
            approval = session.approval() | {name: None}
            if how == "left out":
                del approval[name]
            body = to_json(approval)
            session.approve_front(
                variation=Variation(f"{name} {how}", Outcome.BAD_REQUEST, "approve.names-mandatory", body)
            )
    # A refused approval has approved nothing.
    session.upload_back()
    session.approve_back()
    session.approve_front(variation=Variation("the names as read", clause="approve.value-as-read"))
    session.finish()


@judges("approve.optional", requests=9, uploads=3, telling=6)
def test_optional_properties(gate: Gate) -> None:
    """Each property may be null or left out; the English names only when translation is off."""
    for how in ("null", "left out", "empty English names"):
        session = gate.session()
        try:
            session.upload_front()
            approval = session.approval()
            if how == "empty English names":
                approval |= dict.fromkeys(ENGLISH_NAMES, "")
            else:
                kept = ENGLISH_NAMES if gate.translation == "on" else ()
                approval = {
                    name: value if name in kept else None
                    for name, value in approval.items()
                    if name in kept or how == "null"
                }
            body = to_json(approval)
            if how == "empty English names" and gate.translation == "on":
                exchange = session.approve_front(variation=Variation(how, Outcome.ANY, body=body))
                gate.ledger.open_point(
                    "empty-english-names", "accepted" if accepted(exchange) else str(exchange.status)
                )
            else:
                session.approve_front(
                    variation=Variation(f"optional properties {how}", clause="approve.optional", body=body)
                )
        finally:
            gate.release(session)


@judges("request.unknown-properties", requests=5, uploads=2, telling=7)
def test_unknown_properties(session: Session) -> None:
    """Servers ignore what they do not know, whatever its type."""
    more: dict[str, Any] = {"scanType": 1, "customerId": "SPECIMEN", "fullNameAr": None, "nested": {"a": [1, {}]}}
    for step, side in ((Step.UPLOAD_FRONT, "front"), (Step.UPLOAD_BACK, "back")):
        body = upload_body(session.card.image(side), **more)
        session.do(step, Variation("unknown properties", clause="request.unknown-properties", body=body))
    body = to_json({**session.approval(), **more})
    session.approve_front(variation=Variation("unknown properties", clause="request.unknown-properties", body=body))
    session.finish()


@judges("route.only-post", "status.no-5xx", requests=10, uploads=2, telling=5)
def test_other_methods(gate: Gate, session: Session) -> None:
    """Only POST performs a step, also where the step could be taken; an unknown path is no 5xx either."""
    for step in PAGE_ORDER:
        method = "PUT" if step is Step.UPLOAD_BACK else "GET"
        variation = Variation(f"{method} instead of POST", Outcome.ANY, body=b"{}", method=method)
        exchange = session.do(step, variation)
        gate.ledger.open_point("other-methods", f"{method}: {exchange.status}")
        gate.observe("route.only-post", exchange, not accepted(exchange), "refused", f"status {exchange.status}")
        session.do(step)
    headers = {"Authorization": session.credential.header(), "Content-Type": "application/json"}
    path = f"{BASE_PATH}/onboarding/NationalIdKyc/NoSuchStep"
    gate.send(Wanted("elsewhere", "POST", path, headers, b"{}", session.label, "an unknown path"))
