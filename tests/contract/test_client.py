"""As clients do it, the vendor's own (vendor-api.md, tag `client`) and others: a failure breaks installed ones."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from kycgate.contracts.flow import Step
from kycgate.contracts.flows import flow
from kycgate.contracts.flows.national_id import APPROVE_BACK, APPROVE_FRONT, UPLOAD_BACK, UPLOAD_FRONT
from kycgate.gate.gate import Gate
from kycgate.gate.plan import judges
from kycgate.gate.session import Interrupted, Session
from kycgate.judging.answers import accepted
from kycgate.judging.order import status_words
from kycgate.target.exchange import Exchange
from kycgate.target.requests import LEGAL, Outcome, Variation

ANDROID = {"Content-Type": "application/json; charset=UTF-8"}
EXTRA = {"scanType": 1, "customerId": None, "fullNameAr": "SPECIMEN"}


@judges(
    *("request.unknown-properties", "request.approve-back-with-body", "image.line-feeds"),
    *("order.client", "result.back-fields", "result.error-code-number"),
    requests=6,
    uploads=2,
    telling=9,
)
def test_android_onboarding(session: Session) -> None:
    """The whole journey with the client's order, headers, line-wrapped base64, extra properties, and last body."""
    name = "the client's wrapped base64 and extra properties"
    upload = Variation(name, clause="image.line-feeds", more=EXTRA, wrapping="lf", headers=ANDROID)
    session.do(UPLOAD_FRONT, upload)
    name = "the client's extra properties"
    session.do(APPROVE_FRONT, Variation(name, clause="request.unknown-properties", more=EXTRA, headers=ANDROID))
    session.do(UPLOAD_BACK, upload)
    name, more = "the client's JSON body", {"scanType": 2, "customerId": None}
    session.do(APPROVE_BACK, Variation(name, clause="request.approve-back-with-body", more=more, headers=ANDROID))


UNKNOWN = {"scanType": 1, "customerId": "SPECIMEN", "fullNameAr": None, "nested": {"a": [1, {}]}}


def _liberties(step: Step) -> Sequence[Variation]:
    """What a client may do at this step, each with its clause: none of them changes a verdict."""
    accept = "*/*" if flow().steps.index(step) % 2 == 0 else "application/json"
    arabic = Variation(
        f"Accept-Language ar, Accept {accept}",
        clause="request.client-headers",
        headers={"Accept-Language": "ar", "Accept": accept},
    )
    if step.request is None:
        return Variation("an empty object", clause="request.approve-back-with-body", body=b"{}"), arabic
    # Servers ignore what they do not know, whatever its type.
    unknown = Variation("unknown properties", clause="request.unknown-properties", more=UNKNOWN)
    # As MIME writes it; as Android writes it, the client's own test has it.
    mime = Variation("base64 with CRLF line breaks", clause="image.crlf", wrapping="crlf")
    return (unknown, arabic, mime) if step.is_upload else (unknown, arabic)


def _at_once(liberties: Sequence[Variation]) -> Variation:
    """All of them in one request."""
    return Variation(
        "; ".join(each.name for each in liberties),
        Outcome.ANY,
        body=next((each.body for each in liberties if each.body is not None), None),
        more={name: value for each in liberties for name, value in each.more.items()},
        headers={name: value for each in liberties for name, value in each.headers.items()},
        wrapping=next((each.wrapping for each in liberties if each.wrapping != "none"), "none"),
    )


@judges("image.crlf", "request.unknown-properties", "request.approve-back-with-body", "request.client-headers",
        requests=24, uploads=8, telling=8)  # fmt: skip
def test_liberties_of_clients(gate: Gate) -> None:
    """As requests are few, all that a step allows comes at once; where that is refused, each by itself tells which."""
    refused: dict[Step, Exchange] = {}
    with _session(gate) as session:
        for step in flow().steps:
            liberties = _liberties(step)
            exchange = session.do(step, _at_once(liberties), demand=False)
            if accepted(exchange):
                for each in liberties:
                    gate.observe(str(each.clause), exchange, True, f"accepted: {each.name}", "accepted")
            else:
                refused[step] = exchange
                session.do(step)
    alone = {each.clause for step in refused for each in _liberties(step)}
    taken = [_is_taken(gate, clause) for clause in sorted(map(str, alone))]
    if all(taken):
        for step, exchange in refused.items():
            required = "accepted, as each of these is by itself"
            gate.observe(step.acceptance, exchange, False, required, status_words(exchange))


@contextmanager
def _session(gate: Gate) -> Iterator[Session]:
    session = gate.session(wait=True)
    try:
        yield session
    finally:
        gate.release(session)


def _is_taken(gate: Gate, clause: str) -> bool:
    """Whether one liberty is, at each step that it fits."""
    with _session(gate) as session:
        try:
            for step in flow().steps:
                session.do(step, next((each for each in _liberties(step) if each.clause == clause), LEGAL))
        except Interrupted:
            return False
    return True
