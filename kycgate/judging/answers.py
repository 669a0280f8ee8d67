"""The judge of answers: looks at every exchange, whoever sent it, and says which clauses it kept or broke.

`judge_answer` needs the exchange alone. What takes a memory of other exchanges (one customer per session, numbers that
agree, the translation setting) is in `kycgate.judging.contradictions`; what takes the order of steps is in
`kycgate.gate.session`.
"""

import base64
import contextlib
import json
import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

from pydantic import ValidationError

from kycgate.contracts.endpoints import DOCUMENTED_STATUSES, INFRASTRUCTURE_STATUSES
from kycgate.contracts.journey import Step
from kycgate.contracts.models import (
    FRONT_PROPERTIES,
    WHOLE_NUMBER,
    ErrorBody,
    TokenAnswer,
    UploadResult,
    parse_date_time,
)
from kycgate.contracts.national_id import Gender, NationalId, to_ascii_digits
from kycgate.judging.ledger import Observation
from kycgate.target.exchange import Exchange

OLDEST = 130
"""Years: nobody was ever older."""

LARGE_BODY = 256_000
"""Bytes from which a 413 fits."""

LARGE_HEADER = 4_000
"""Characters of a request's header from which a 431 fits (RFC 6585)."""

MAX_PATH = 512
"""Characters; what is longer and has base64's letters alone is a picture, not the path of one."""

MAX_APART_S = 60.0
"""Between a token's own expiry and the one said beside it."""

_NO_MOMENT = 1e15
"""Seconds."""

# Each repetition is bounded: a hostile answer must not make the search look at all of it again and again.
INTERNALS = re.compile(
    r"""Traceback\ \(most\ recent\ call\ last\)
    | Object\ reference\ not\ set
    | \bat\ [\w.<>`+\[\]]{1,300}\([^)]{0,300}\)(\ in\ |\s{0,9}$|\s{1,9}at\ )
    | \.(?:cs|java|py|go|rb|php|ts|js):(?:line\ )?\d+
    | \bFile\ "[^"]{1,300}",\ line\ \d+
    | \b(?:System|Microsoft|Newtonsoft|java|javax|org|com)(?:\.\w{1,60}){1,9}(?:Exception|Error)\b
    | \b[A-Z]\w*Exception\b
    | \b(?:ValueError|TypeError|KeyError|IndexError|AttributeError|RuntimeError|NameError|ZeroDivisionError)\b
    | \bgoroutine\ \d+
    | \bORA-\d{5}\b | \bSQLSTATE\b | \bSqlClient\b | \bpsycopg | \bNpgsql
    | \bViolation\ of\ [A-Z ]{1,40}\ constraint\b | \bduplicate\ key\ value\ violates\b | \bdbo\.\w
    | \bString\ or\ binary\ data\ would\ be\ truncated\b | \bdeadlock\ victim\b
    | \b(?:SELECT|INSERT\ INTO|UPDATE|DELETE\ FROM)\b.{1,200}\b(?:FROM|VALUES|SET|WHERE)\b
    | \b(?:Password|Pwd|User\ Id|Data\ Source|Initial\ Catalog)\s*=
    | (?:[A-Za-z]:\\|/(?:app|usr|var|home|opt|srv)/)[\w./\\-]+
    """,
    re.VERBOSE | re.MULTILINE,
)

_DISK = re.compile(r"[A-Za-z]:[\\/]|\\\\\w|file:|/(?:var|usr|srv|opt|etc|root|mnt)/", re.ASCII)
"""How an absolute path on a server's disk begins."""
_PICTURE = re.compile(rf"data:|[A-Za-z0-9+/=_\s-]{{{MAX_PATH},}}\Z", re.ASCII)
_EGYPT = (timezone(timedelta(hours=2)), timezone(timedelta(hours=3)))
_MALE = frozenset({"male", "m", "man", "ذكر"})
_FEMALE = frozenset({"female", "f", "woman", "أنثى", "انثى", "انثي", "أنثي"})


class _DuplicateKeyError(ValueError):
    pass


ALREADY_REGISTERED = "10103"
_SCHEME = re.compile(r"^\s*(?:bearer|basic|token)\b", re.IGNORECASE)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _DuplicateKeyError("a property stands twice in one object")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def parse_json(body: bytes) -> Any:
    """The one JSON text that `body` is.

    Raises:
        ValueError: it is not UTF-8, has a byte order mark, is no JSON, or names a property twice.
    """
    if body.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise ValueError("it begins with a byte order mark")
    try:
        return json.loads(body.decode("utf-8"), object_pairs_hook=_object, parse_constant=_no_constant)
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{error.msg} at character {error.pos}" if body else "it is empty") from None


def json_or_none(exchange: Exchange) -> Any:
    """The answer's JSON value; None when it is none (judged elsewhere)."""
    try:
        return parse_json(exchange.answer_body)
    except ValueError:
        return None


def customer_data(exchange: Exchange) -> dict[str, Any] | None:
    """The customerData of a successful upload, or None."""
    if exchange.status != 200 or exchange.step is None or not exchange.step.is_upload:
        return None
    value = json_or_none(exchange)
    data = value.get("customerData") if isinstance(value, dict) and value.get("isSuccess") is True else None
    return data if isinstance(data, dict) else None


def already_registered(exchange: Exchange) -> bool:
    """Whether the target says that it knows this person: the one code that API.md names."""
    value = json_or_none(exchange)
    return isinstance(value, dict) and str(value.get("errorCode")) == ALREADY_REGISTERED


def accepted(exchange: Exchange) -> bool:
    """Whether the step was performed, as far as the answer tells."""
    if exchange.status is None or not 200 <= exchange.status < 300:
        return False
    value = json_or_none(exchange)
    if exchange.step is not None and exchange.step.is_upload:
        return isinstance(value, dict) and value.get("isSuccess") is True
    return value is not False


def judge_answer(exchange: Exchange) -> Iterator[Observation]:
    """What this exchange alone says of the clauses about answers."""
    if exchange.status is None:
        yield Observation("answer.in-time", False, "a whole answer within 60 s", exchange.failure or "no answer")
        return
    yield Observation("answer.in-time", True)
    yield from _judge_status(exchange)
    known = exchange.step is not None or exchange.endpoint.startswith("token")
    if exchange.method != "POST" or exchange.status not in DOCUMENTED_STATUSES or not known:
        if exchange.status >= 400:
            yield from judge_leak(exchange)
        return
    yield _judge_media_type(exchange)
    try:
        value = parse_json(exchange.answer_body)
    except ValueError as error:
        yield Observation("body.json", False, "one well-formed JSON text in UTF-8", f"a body of which {error}")
        if exchange.status != 200:
            yield Observation(
                "refusal.error-body", False, "a JSON object with message and errorCode", f"a body of which {error}"
            )
            yield from judge_leak(exchange)
        return
    yield Observation("body.json", True)
    if exchange.status != 200:
        yield _judge_error_body(value)
        yield from judge_leak(exchange)
    elif exchange.endpoint.startswith("token"):
        yield from _judge_token(value)
    elif exchange.step is not None and exchange.step.is_upload:
        # What stands in a picture that is no card of the session may contradict what the session has shown.
        yield from _judge_result(exchange.step, value, of_own_card=exchange.picture is not None)
        if isinstance(value, dict) and value.get("isSuccess") is False:
            yield from judge_leak(exchange)
    elif exchange.step is not None:
        yield Observation("approve.true", value is True, "the JSON literal true", _brief(value))


def _judge_status(exchange: Exchange) -> Iterator[Observation]:
    status = exchange.status or 0
    if 500 <= status < 600:
        yield Observation("status.no-5xx", False, "no 5xx, whatever was sent", f"status {status}", "status")
        return
    yield Observation("status.no-5xx", True)
    fits = status in DOCUMENTED_STATUSES or (
        status in INFRASTRUCTURE_STATUSES
        and {
            405: exchange.method != "POST",
            413: len(exchange.request_body) >= LARGE_BODY,
            415: not _sent_json(exchange),
            429: True,
            431: any(len(value) >= LARGE_HEADER for value in exchange.request_headers.values()),
        }[status]
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
    content_type = next((v for k, v in exchange.request_headers.items() if k.lower() == "content-type"), "")
    # The page documents ApproveBackImage without a body and so without a media type.
    return content_type.partition(";")[0].strip().lower() == "application/json" or not exchange.request_body


def _judge_media_type(exchange: Exchange) -> Observation:
    written = exchange.answer_header("Content-Type") or ""
    kind, _, parameters = written.partition(";")
    kind = kind.strip().lower()
    charset = re.search(r'charset\s*=\s*"?([\w-]+)', parameters, re.IGNORECASE)
    ok = (
        kind in ("application/json", "text/json") or (kind.startswith("application/") and kind.endswith("+json"))
    ) and (charset is None or charset[1].lower() in ("utf-8", "utf8"))
    return Observation("body.media-type", ok, "application/json in UTF-8", written or "no Content-Type", "Content-Type")


def _judge_error_body(value: Any) -> Observation:
    try:
        ErrorBody.model_validate(value)
    except ValidationError as error:
        where = _where(error.errors()[0]["loc"])
        return Observation(
            "refusal.error-body",
            False,
            "a JSON object with message (string or null) and errorCode (string, number or null)",
            f"{where}: {error.errors()[0]['msg']}" if where else _brief(value),
            where,
        )
    return Observation("refusal.error-body", True)


def _credentials_sent(exchange: Exchange) -> Iterator[str]:
    for name, value in exchange.request_headers.items():
        # The scheme's name is no secret.
        credential = _SCHEME.sub("", value).strip()
        if name.lower() == "authorization" and len(credential) >= 5:
            yield credential
    if exchange.endpoint.startswith("token"):
        try:
            secret = json.loads(exchange.request_body).get("tenantSecret")
        except (ValueError, AttributeError):
            return
        if isinstance(secret, str) and len(secret) >= 3:
            yield secret


def judge_leak(exchange: Exchange) -> Iterator[Observation]:
    """Nothing of the server's inside, nor the credentials sent, may stand in a refusal."""
    text = exchange.answer_body.decode("utf-8", "replace")
    # An escaped text is searched as it reads, too.
    text = f"{text}\n{text.replace(chr(92) + 'n', chr(10)).replace(chr(92) + chr(34), chr(34))}"
    required = "a refusal without stack trace, internal exception, or the credentials sent"
    found = INTERNALS.search(text)
    if found:
        yield Observation("refusal.no-leak", False, required, f"it shows {found[0].strip()[:80]!r}", "body")
        return
    for credential in _credentials_sent(exchange):
        header = next((name for name, value in exchange.answer_headers if credential in value), None)
        if credential in text or header is not None:
            where = "body" if credential in text else str(header)
            yield Observation("refusal.no-leak", False, required, "it repeats the credentials sent", where)
            return
    yield Observation("refusal.no-leak", True)


def _judge_token(value: Any) -> Iterator[Observation]:
    required = '{"token": string, "expirationDate": date-time}'
    try:
        TokenAnswer.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        yield Observation(
            "token.issued", False, required, f"{_where(first['loc'])}: {first['msg']}", _where(first["loc"])
        )
    else:
        token = str(value["token"])
        ok = not any(character.isspace() for character in token)
        yield Observation("token.issued", ok, "a token that a header can carry", "a token with white space", "token")
        expires, own = parse_date_time(value["expirationDate"]), jwt_claims(token).get("exp")
        # A naive date-time may be local time anywhere; what is no moment at all is the vendor's own.
        if expires.tzinfo is not None and isinstance(own, int | float) and 0 < own < _NO_MOMENT:
            apart = abs(own - expires.timestamp())
            yield Observation(
                "token.expiry-agrees",
                apart <= MAX_APART_S,
                f"within {MAX_APART_S:g} s of the token's own exp",
                f"{apart:.0f} s apart",
                "expirationDate",
            )


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
        # "The back's answer carries the back's fields alone": then all of the front's are missing, not some.
        alone = step is Step.UPLOAD_BACK and missing == FRONT_PROPERTIES
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
                    clause_id, False, "as the page documents it", f"{_where(loc)}: {problem['msg']}", _where(loc)
                ),
            )
    yield problems.get("result.envelope", Observation("result.envelope", True))
    if not isinstance(value, dict):
        return
    success, message, code = value.get("isSuccess"), value.get("message"), value.get("errorCode")
    if isinstance(data, dict):
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
            if step is Step.UPLOAD_BACK:
                lacking = [name for name in ("gender", "profession") if not data.get(name)]
                yield Observation(
                    "result.back-fields",
                    not lacking,
                    "gender and profession given",
                    f"null: {', '.join(lacking)}",
                    *lacking[:1],
                )
            if of_own_card:
                yield from judge_reading(data)
            yield from _judge_photo(data.get("photo"))
    if isinstance(code, str):
        ok = re.fullmatch(WHOLE_NUMBER, code, re.ASCII) is not None
        yield Observation("result.error-code-number", ok, "digits in a string", f"errorCode {code[:40]!r}", "errorCode")
    elif code is None:
        yield Observation("result.error-code-number", True)


def _judge_photo(photo: Any) -> Iterator[Observation]:
    if not isinstance(photo, str) or not photo:
        return
    inline = _PICTURE.match(photo) is not None
    yield Observation("result.photo", not inline, "a path", f"a picture in {len(photo)} characters", "photo")
    if not inline:
        yield Observation(
            "result.photo-path",
            _DISK.match(photo) is None,
            "a path that says nothing of the server's disk",
            "an absolute path on the server's disk",
            "customerData.photo",
        )


def gender_of(word: Any) -> Gender | None:
    """Which gender a vendor's word means, or None when it is none that is known here."""
    if not isinstance(word, str):
        return None
    plain = word.strip().lower()
    return "male" if plain in _MALE else "female" if plain in _FEMALE else None


def _moment(value: Any) -> datetime | None:
    try:
        return parse_date_time(value).replace(tzinfo=None) if isinstance(value, str) else None
    except ValueError:
        return None


def numbers_in(data: dict[str, Any]) -> dict[str, str]:
    """The national ID numbers that a reading gives, in ASCII digits, by property."""
    names = ("idNumber", "idFrontScan", "idNumberBack", "idBackScan")
    return {
        name: to_ascii_digits(data[name]).strip() for name in names if isinstance(data.get(name), str) and data[name]
    }


def judge_reading(data: dict[str, Any]) -> Iterator[Observation]:
    """Whether one reading contradicts itself."""
    numbers = numbers_in(data)
    known: NationalId | None = None
    for name, digits in numbers.items():
        try:
            known = NationalId.parse(digits)
        except ValueError as error:
            yield Observation("reading.number", False, "a possible national ID number", f"{name}: {error}", name)
        else:
            yield Observation("reading.number", True)
    born, issued, expires = (_moment(data.get(name)) for name in ("birthdate", "issueDate", "expirationDate"))
    if known is not None:
        if born is not None:
            # Midnight in Egypt may be written as the evening before in UTC: an offset is no contradiction.
            away = _days_away(data["birthdate"], known)
            yield Observation(
                "reading.number-birthdate",
                away == 0,
                "the number's birth date",
                f"birthdate {away} days off",
                "birthdate",
            )
        gender = gender_of(data.get("gender"))
        if gender is not None:
            yield Observation(
                "reading.number-gender",
                gender == known.gender,
                "the gender that the number says",
                f"gender is {gender}, the number says {known.gender}",
                "gender",
            )
    moments = [moment for moment in (born, issued, expires) if moment is not None]
    if len(moments) > 1:
        ordered = all(earlier < later for earlier, later in pairwise(moments))
        yield Observation(
            "reading.dates-in-order", ordered, "birth before issue before expiry", "they follow in another order"
        )
    age = data.get("detectedAge")
    if isinstance(age, int) and not isinstance(age, bool):
        yield Observation("reading.age", 0 <= age <= OLDEST, f"0 to {OLDEST}", f"detectedAge {age}", "detectedAge")
    yield from _judge_names(data)


def _days_away(text: str, number: NationalId) -> int:
    return min(((day - number.birthdate).days for day in days_of(parse_date_time(text))), key=abs)


def days_of(moment: datetime) -> tuple[date, ...]:
    """The days that a date-time may mean: its own, and that of the same instant in Egypt (UTC+2, +3 in summer)."""
    days = [moment.date()]
    if moment.tzinfo is not None:
        for zone in _EGYPT:
            with contextlib.suppress(OverflowError):  # before the year 1, after 9999
                days.append(moment.astimezone(zone).date())
    return tuple(days)


def _judge_names(data: dict[str, Any]) -> Iterator[Observation]:
    for name in ("fullName", "firstName", "familyName", "fullNameEn", "firstNameEn", "familyNameEn"):
        value = data.get(name)
        if isinstance(value, str) and ("??" in value or "\ufffd" in value):
            yield Observation("reading.names-agree", False, "a name in letters", f"{name} holds question marks", name)
            return
    for suffix in ("", "En"):
        full, first, family = (data.get(f"{name}{suffix}") for name in ("fullName", "firstName", "familyName"))
        if not isinstance(full, str) or not full.strip():
            continue
        parts = [part for part in (first, family) if isinstance(part, str) and part.strip()]
        if parts:
            words = full.casefold().split()
            lacking = [part for part in parts if not set(part.casefold().split()) <= set(words)]
            given = str(first or "").casefold().split(), str(family or "").casefold().split()
            if len(parts) == 2 and words == [*given[1], *given[0]] and words != [*given[0], *given[1]]:
                # The card has the first name on its own line, before the others.
                yield Observation(
                    "reading.names-agree",
                    False,
                    "the first name first",
                    f"firstName{suffix} and familyName{suffix} stand in each other's place",
                    f"firstName{suffix}",
                )
                continue
            yield Observation(
                "reading.names-agree",
                not lacking,
                "a full name that holds the first and the family name",
                f"fullName{suffix} lacks one of them",
                f"fullName{suffix}",
            )


def _where(loc: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in loc)


def _brief(value: Any) -> str:
    kind = {dict: "an object", list: "an array", str: "a string", bool: str(value).lower(), type(None): "null"}
    return kind.get(type(value), "a number")
