"""Reading an answer: its JSON, its customer data, and whether it says that the step was performed."""

import functools
import json
from typing import Any

from kycgate.target.exchange import NOT_HTTP, Exchange


class _DuplicateKeyError(ValueError):
    pass


ALREADY_REGISTERED = "10103"
A_REFUSING_200 = "status 200, isSuccess false"
"""What `status_words` says of a refusal in a 200."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _DuplicateKeyError("a property stands twice in one object")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


KEPT_BODY = 65_536
"""Bytes of a body whose value is kept for those who ask next: several look at each answer."""


MAX_DIGITS = 4_000
"""Python turns no longer text into an integer; one that is longer is a number beyond any use."""


def _integer(text: str) -> int | float:
    return int(text) if len(text) <= MAX_DIGITS else float(text)


def parse_json(body: bytes) -> Any:
    """The one JSON text that `body` is; its value is to be read and not changed, as others may get the same.

    Raises:
        ValueError: it is not UTF-8, has a byte order mark, is not JSON, or names a property twice.
    """
    if body.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise ValueError("it begins with a byte order mark")
    return _kept(body) if len(body) <= KEPT_BODY else _parsed(body)


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(
            body.decode("utf-8"), object_pairs_hook=_object, parse_constant=_no_constant, parse_int=_integer
        )
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{error.msg} at character {error.pos}" if body else "it is empty") from None


_kept = functools.lru_cache(maxsize=16)(_parsed)


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
    return dict(data) if isinstance(data, dict) else None


def is_evidence(exchange: Exchange) -> bool:
    """Whether the answer speaks to more than its own failure: no answer, a 429 and a 5xx judge nothing else."""
    return exchange.status is not None and exchange.status != 429 and exchange.status < 500


def is_undecided(exchange: Exchange) -> bool:
    """Whether an answer that is no refusal does not say either that its step was performed."""
    if exchange.status is None or not 200 <= exchange.status < 300 or accepted(exchange):
        return False
    return json_or_none(exchange) is not False and success_of(exchange) is not False


def failed(exchange: Exchange) -> str:
    """The clause that is broken by an answer that tells nothing of the others: a 5xx, or one that cannot be read."""
    if exchange.status is not None:
        return "status.no-5xx"
    return "answer.http" if (exchange.failure or "").startswith(NOT_HTTP) else "answer.in-time"


def is_page(exchange: Exchange) -> bool:
    """Whether a web page came where JSON was due: a proxy's, a login's, a captive portal's."""
    kind = (exchange.answer_header("Content-Type") or "").partition(";")[0].strip().lower()
    return kind in ("text/html", "application/xhtml+xml") and exchange.answer_body.lstrip()[:1] == b"<"


def is_firewall(exchange: Exchange) -> bool:
    """Whether something before the target took an odd request for an attack: 403 with a page of its own."""
    return exchange.status == 403 and exchange.odd and is_page(exchange)


def already_registered(exchange: Exchange) -> bool:
    """Whether the target says that it knows this person: the one code that the sources name."""
    value = json_or_none(exchange)
    return isinstance(value, dict) and str(value.get("errorCode")) == ALREADY_REGISTERED


def success_of(exchange: Exchange) -> Any:
    """What the answer says as `isSuccess`; None where it has none."""
    value = json_or_none(exchange)
    return value.get("isSuccess") if isinstance(value, dict) else None


def accepted(exchange: Exchange) -> bool:
    """Whether the step was performed, as far as the answer tells."""
    if exchange.status is None or not 200 <= exchange.status < 300:
        return False
    if exchange.step is not None and exchange.step.is_upload:
        return success_of(exchange) is True
    # An approval that says of itself that it is no success is a refusal, in the form that uploads have.
    return json_or_none(exchange) is not False and success_of(exchange) is not False
