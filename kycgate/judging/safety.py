"""What keeps personal data safe on its way: not stored, not readable by any web page, not repeated in a refusal."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from kycgate.judging.answers import customer_data, success_of
from kycgate.judging.ledger import Observation
from kycgate.target.exchange import Exchange, header_of

LEAST: Final = 8
"""Characters from which a text that was sent is told from chance when a refusal holds it."""
MOST: Final = 200
"""Texts of one request that are looked for."""
_NAMES_AND_SIGNS: Final = re.compile(r'"\w{1,40}"\s*:|[\s{}\[\],:"]')
"""What a cut JSON body holds beside values."""


def judge_safety(exchange: Exchange) -> Iterator[Observation]:
    """What one answer shows (API.md, "What the field adds")."""
    if customer_data(exchange) is not None:
        yield _stored(exchange)
        yield _shared(exchange)
    elif _refused(exchange):
        yield from _repeated(exchange)


def _refused(exchange: Exchange) -> bool:
    """In either form that a refusal has; the page of a firewall is none."""
    of_status = exchange.status is not None and 400 <= exchange.status < 500 and exchange.status != 403
    return of_status or success_of(exchange) is False


def _stored(exchange: Exchange) -> Observation:
    said = exchange.answer_header("Cache-Control") or ""
    directives = {part.partition("=")[0].strip().lower() for part in said.split(",")}
    kept = bool(directives & {"no-store", "private"})
    return Observation(
        "safety.no-store", kept, "Cache-Control: no-store or private", f"Cache-Control: {said or 'not given'}"
    )


def _shared(exchange: Exchange) -> Observation:
    allowed = exchange.answer_header("Access-Control-Allow-Origin")
    origin = header_of(exchange.request_headers.items(), "Origin")
    kept = allowed is None or (allowed.strip() != "*" and (origin is None or allowed.strip() != origin))
    return Observation(
        "safety.no-cors",
        kept,
        "no Access-Control-Allow-Origin for any origin",
        f"Access-Control-Allow-Origin: {'*' if allowed == '*' else 'an origin that was not allowed'}",
    )


def _repeated(exchange: Exchange) -> Iterator[Observation]:
    sent = texts_sent(exchange.request_body)
    if not sent:
        return
    answer = exchange.answer_body.decode("utf-8", "replace")
    readable = f"{answer}\n{_unescaped(answer)}"
    found = next((text for text in sent if text in readable), None)
    yield Observation(
        "safety.no-echo",
        found is None,
        "a refusal that does not repeat what was sent",
        f"it repeats {len(found or '')} characters that were sent",
        "body",
    )


def texts_sent(body: bytes) -> list[str]:
    """The texts of a request that are long enough to be told from chance; a picture by its first characters."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        text = body.decode("utf-8", "replace").strip()
        # A refusal that names the property, as RFC 9457's "errors" does, writes it as a cut body does.
        return [text] if len(_NAMES_AND_SIGNS.sub("", text)) >= LEAST else []
    found: list[str] = []
    waiting: list[Any] = [value]
    while waiting and len(found) < MOST:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one[:MOST]
        elif isinstance(one, str) and len(one) >= LEAST:
            found.append(one if len(one) <= MOST else one[:40])
    return found


def _unescaped(text: str) -> str:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    message = value.get("message") if isinstance(value, dict) else None
    return message if isinstance(message, str) else ""
