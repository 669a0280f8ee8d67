"""What one exchange alone says of the clauses about answers: status, media type, JSON, envelope, properties.

What takes a memory of other exchanges (one customer per session, numbers that agree, the translation setting) is in
`kycgate.judging.contradictions`; what takes the order of steps is in `kycgate.gate.session`.
"""

import base64
import json
import re
from collections.abc import Iterator
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from kycgate.contracts.flow import DOCUMENTED_STATUSES, INFRASTRUCTURE_STATUSES, Step
from kycgate.contracts.models import (
    WHOLE_NUMBER,
    ErrorBody,
    TokenAnswer,
    UploadResult,
    parse_date_time,
)
from kycgate.judging.answers import failed, is_firewall, parse_json
from kycgate.judging.card import MAX_APART_S, NO_MOMENT, judge_photo, judge_reading
from kycgate.judging.leaks import judge_leak
from kycgate.judging.ledger import Observation
from kycgate.judging.safety import judge_safety
from kycgate.target.exchange import Exchange, header_of
from kycgate.text import theirs

CANNOT_DECODE = "the answer cannot be decoded"
GZIP = b"\x1f\x8b"
"""How a gzip stream begins (RFC 1952)."""
LARGE_BODY = 256_000
"""Bytes from which a 413 fits."""

LARGE_HEADER = 4_000
"""Characters of a request's header from which a 431 fits (RFC 6585)."""


def judge_answer(exchange: Exchange) -> Iterator[Observation]:
    """What this exchange alone says of the clauses about answers."""
    asked = "gzip" in (header_of(exchange.request_headers.items(), "Accept-Encoding") or "")
    whole = "a whole answer, as gzip was accepted"
    if exchange.status is None and asked and (exchange.failure or "").startswith(CANNOT_DECODE):
        yield Observation("answer.compressed", False, whole, exchange.why_not)
        return
    if exchange.status is None:
        broken = failed(exchange)
        required = "complete, well-formed HTTP/1.1" if broken == "answer.http" else "a whole answer within 60 s"
        yield Observation(broken, False, required, exchange.why_not)
        return
    yield Observation("answer.in-time", True)
    yield Observation("answer.http", True)
    yield from _judge_status(exchange)
    yield from judge_safety(exchange)
    known = exchange.step is not None or exchange.endpoint.startswith("token")
    if exchange.method != "POST" or exchange.status not in DOCUMENTED_STATUSES or not known:
        if exchange.status >= 400:
            yield from judge_leak(exchange)
        return
    media_type = _judge_media_type(exchange)
    yield media_type
    try:
        value = parse_json(exchange.answer_body)
    except ValueError as error:
        if asked and (exchange.answer_header("Content-Encoding") or exchange.answer_body[:2] == GZIP):
            # The same answers are well-formed where nothing is compressed: one cause, one finding.
            yield Observation("answer.compressed", False, whole, f"a compressed body of which {error}")
            return
        # A text that says to be one is no JSON for that alone, and no error body either.
        because = "" if media_type.ok else media_type.clause
        came = f"a body of which {error}"
        yield Observation("body.json", False, "one well-formed JSON text in UTF-8", came, because=because)
        if exchange.status != 200:
            required = "a JSON object with message and errorCode"
            yield Observation("refusal.error-body", False, required, came, because="body.json")
            yield from judge_leak(exchange)
        return
    yield Observation("body.json", True)
    if asked:
        yield Observation("answer.compressed", True)
    if exchange.status != 200:
        yield _judge_error_body(value)
        yield from judge_leak(exchange)
    elif exchange.endpoint.startswith("token"):
        # What wrong credentials are given is no token's answer: that they are is the breach.
        yield from () if exchange.odd else _judge_token(value)
    elif exchange.step is not None and exchange.step.shape_clause:
        yield from _judge_own_shape(exchange.step, value)
    elif exchange.step is not None and exchange.step.is_upload:
        # What stands in a picture that is not a card of the session may contradict what the session has shown.
        yield from _judge_result(exchange.step, value, of_own_card=exchange.picture is not None)
        if isinstance(value, dict) and value.get("isSuccess") is False:
            yield from judge_leak(exchange)
    elif exchange.step is not None:
        # Who refuses with a 200 does so elsewhere, too: the status is what is wrong.
        refused = "refusal.order-status" if isinstance(value, dict) and value.get("isSuccess") is False else ""
        yield Observation("approve.true", value is True, "the JSON literal true", _brief(value), plainly=refused)


def _judge_status(exchange: Exchange) -> Iterator[Observation]:
    status = exchange.status or 0
    if 500 <= status < 600:
        yield Observation("status.no-5xx", False, "no 5xx, whatever was sent", f"status {status}", "status")
        return
    yield Observation("status.no-5xx", True)
    fits = (
        status in DOCUMENTED_STATUSES
        or is_firewall(exchange)
        or exchange.may_be_limited
        or (
            status in INFRASTRUCTURE_STATUSES
            and {
                405: exchange.method != "POST",
                413: len(exchange.request_body) >= LARGE_BODY,
                415: not _sent_json(exchange),
                429: True,
                431: any(len(value) >= LARGE_HEADER for value in exchange.request_headers.values()),
            }[status]
        )
    )
    if (exchange.method == "POST" and exchange.endpoint != "elsewhere") or fits:
        yield Observation(
            "status.documented",
            fits,
            "200, 400, 401 or 404 (405, 413, 415, 429, 431 where they fit)",
            f"status {status}",
            "status",
        )


def _sent_json(exchange: Exchange) -> bool:
    """Plain JSON: a server that knows no other coding or charset may take it for another media type."""
    sent = exchange.request_headers.items()
    kind, _, parameters = (header_of(sent, "Content-Type") or "").lower().partition(";")
    coded = header_of(sent, "Content-Encoding") is not None
    plain = not coded and ("charset" not in parameters or "utf-8" in parameters)
    # The page documents ApproveBackImage without a body and so without a media type.
    return (kind.strip() == "application/json" and plain) or not exchange.request_body


def _judge_media_type(exchange: Exchange) -> Observation:
    written = exchange.answer_header("Content-Type") or ""
    kind, _, parameters = written.partition(";")
    kind = kind.strip().lower()
    charset = re.search(r'charset\s*=\s*"?([\w-]+)', parameters, re.IGNORECASE)
    ok = (
        kind in ("application/json", "text/json") or (kind.startswith("application/") and kind.endswith("+json"))
    ) and (charset is None or charset[1].lower() in ("utf-8", "utf8"))
    return Observation(
        "body.media-type",
        ok,
        "application/json in UTF-8",
        theirs(written) if written else "no Content-Type",
        "Content-Type",
    )


def _judge_error_body(value: Any) -> Observation:
    try:
        ErrorBody.model_validate(value)
    except ValidationError as error:
        where = _where(error.errors()[0]["loc"])
        return Observation(
            "refusal.error-body",
            False,
            "a JSON object with message (string or null) and errorCode (string, number or null)",
            _wrong(error.errors()[0]) if where else _brief(value),
            where,
        )
    return Observation("refusal.error-body", True)


def _judge_token(value: Any) -> Iterator[Observation]:
    required = '{"token": string, "expirationDate": date-time}'
    try:
        TokenAnswer.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        yield Observation("token.issued", False, required, _wrong(first), _where(first["loc"]))
    else:
        token = str(value["token"])
        ok = not any(character.isspace() for character in token)
        yield Observation("token.issued", ok, "a token that a header can carry", "a token with white space", "token")
        expires, own = parse_date_time(value["expirationDate"]), jwt_expiry(token)
        # A naive date-time may be local time anywhere.
        if expires.tzinfo is not None and own is not None:
            apart = abs(own - expires.timestamp())
            yield Observation(
                "token.expiry-agrees",
                apart <= MAX_APART_S,
                f"within {MAX_APART_S:g} s of the token's own exp",
                f"{apart:.0f} s apart",
                "expirationDate",
            )


def jwt_expiry(token: str) -> float | None:
    """A JWT's own `exp`, in seconds since 1970; None where it has none, or what is not a moment at all."""
    own = jwt_claims(token).get("exp")
    return own if isinstance(own, int | float) and 0 < own < NO_MOMENT else None


def jwt_claims(token: str) -> dict[str, Any]:
    """What a JWT says, unverified; empty when it is none."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}


_PROPERTY_CLAUSES = {
    "customerId": "result.customer-id",
    "idFrontScan": "result.scans",
    "idBackScan": "result.scans",
    "birthdate": "result.date-times",
    "issueDate": "result.date-times",
    "expirationDate": "result.date-times",
}


def _judge_result(step: Step, value: Any, *, of_own_card: bool) -> Iterator[Observation]:
    problems: dict[str, Observation] = {}
    data = value.get("customerData") if isinstance(value, dict) else None
    try:
        UploadResult.model_validate(value)
    except ValidationError as error:
        missing = {e["loc"][-1] for e in error.errors() if e["type"] == "missing" and len(e["loc"]) == 2}
        # An answer that carries its own side's fields alone lacks all of the other's, not some.
        alone = bool(step.may_lack) and missing == step.may_lack
        for problem in error.errors():
            loc = problem["loc"]
            if alone and problem["type"] == "missing":
                continue
            name = str(loc[1]) if len(loc) > 1 else ""
            clause_id = "result.envelope" if not name else _PROPERTY_CLAUSES.get(name, "result.properties")
            if problem["type"] == "missing" and name:
                clause_id = "result.properties"
            problems.setdefault(
                clause_id,
                Observation(
                    clause_id,
                    False,
                    "as the page documents it",
                    _wrong(problem),
                    _where(loc),
                ),
            )
    yield problems.get("result.envelope", Observation("result.envelope", True))
    if not isinstance(value, dict):
        return
    success, message, code = value.get("isSuccess"), value.get("message"), value.get("errorCode")
    if isinstance(data, dict) and success is not False:
        for clause_id in ("result.properties", *sorted(set(_PROPERTY_CLAUSES.values()))):
            yield problems.get(clause_id, Observation(clause_id, True))
    if success is False:
        yield Observation(
            "result.no-data-on-failure", data is None, "customerData null", "customerData is given", "customerData"
        )
        yield Observation("result.message-on-failure", message is not None, "a message", "message null", "message")
    elif success is True:
        yield Observation("result.data-on-success", isinstance(data, dict), "an object", _brief(data), "customerData")
        if isinstance(data, dict):
            if step.demands:
                lacking = [name for name in step.demands if not data.get(name)]
                yield Observation(
                    step.demands_clause,
                    not lacking,
                    f"{' and '.join(step.demands)} given",
                    f"null: {', '.join(lacking)}",
                    *lacking[:1],
                )
            if of_own_card:
                yield from judge_reading(data)
            yield from judge_photo(data.get("photo"))
    if isinstance(code, str) and success is not True:
        ok = re.fullmatch(WHOLE_NUMBER, code, re.ASCII) is not None
        yield Observation(
            "result.error-code-number", ok, "digits in a string", f"errorCode {theirs(repr(code[:40]))}", "errorCode"
        )
    elif code is None:
        yield Observation("result.error-code-number", True)


def _judge_own_shape(step: Step, value: Any) -> Iterator[Observation]:
    """An answer of a form of its own: by the step's model, then by its rules."""
    try:
        TypeAdapter(step.answer).validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = _where(first["loc"])
        yield Observation(step.shape_clause, False, "as documented", _wrong(first, whole=_brief(value)), where)
        return
    yield Observation(step.shape_clause, True)
    for rule in step.rules:
        wrong = rule.wrong(value)
        yield Observation(rule.clause, not wrong, rule.required, wrong)


_IN_OUR_WORDS = {
    "missing": "missing",
    "string_type": "no string",
    "int_type": "no integer",
    "int_parsing": "no integer",
    "int_from_float": "no integer",
    "float_type": "no number",
    "float_parsing": "no number",
    "bool_type": "no boolean",
    "bool_parsing": "no boolean",
    "list_type": "no array",
    "dict_type": "no object",
    "model_type": "no object",
    "model_attributes_type": "no object",
}
"""By pydantic's kinds of errors: in JSON's terms."""


def _wrong(problem: ErrorDetails, *, whole: str = "it") -> str:
    """Where a value is wrong, and what is wrong with it, in a few words; `whole` names the whole answer."""
    said = _IN_OUR_WORDS.get(problem["type"]) or problem["msg"].removeprefix("Value error, ")
    return f"{_where(problem['loc']) or whole}: {said}"


def _where(loc: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in loc)


def _brief(value: Any) -> str:
    kind = {dict: "an object", list: "an array", str: "a string", bool: str(value).lower(), type(None): "null"}
    return kind.get(type(value), "a number")
