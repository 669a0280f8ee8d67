"""Makes an exchange safe to keep: no credentials, no pictures, no personal data.

Personal values become their shape and a keyed fingerprint (`9999-99-99T99:99:99Z #3f2a`): enough to see what is wrong
with a value, or that two are equal, and nothing about the person. The key is drawn for each run and never written.
"""

import base64
import hashlib
import hmac
import json
import re
import secrets
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from kycgate.target.exchange import Exchange, RecordedClocks, RecordedExchange
from kycgate.target.known_values import BLOCK, Needles, letters

MAX_TEXT = 2_000
"""Characters of a free text that are kept."""

_SCANNED = 10
"""How many times more of a free text is looked at than kept: what lies behind that is not kept either."""
_KEPT_AS_TEXT = frozenset({"message", "errorCode", "documentTypeId", "documentTypeCode", "title"})
_LONG_DIGITS = re.compile(r"\d{6,}")
_DATES = re.compile(r"(?<!\d)(?:\d{4}([-/.])\d{1,2}\1\d{1,2}|\d{1,2}([-/.])\d{1,2}\2\d{4})(?!\d)")
# Looks ahead for the two dots first: a long text of beginnings without an end is not searched from each of them.
_BEARER = re.compile(r"(?<![\w-])(?=[\w-]++\.[\w-]++\.)([\w-]*?)\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*")


_TURNS = {code: f"\u27e8U+{code:04X}\u27e9" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}
"""Characters that turn a line's direction: whoever looks into a recorded file shall see them, not their work."""


def _shape_of(character: str) -> str:
    if character.isdigit():
        return "9" if character.isascii() else "٩"
    if character.isalpha():
        return "x" if character.isascii() else "ع"
    return character


class Redactor:
    """Knows the run's secrets and personal values, and takes them out of whatever is to be kept. Thread-safe."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._plain: list[tuple[str, str]] = []
        self._needles = Needles()
        self._known: set[str] = set()
        self._lock = threading.Lock()

    def add_secret(self, value: str, name: str) -> None:
        """From now on `value`, however it is written, is shown as `$name`."""
        if not value or value in self._known:
            return
        with self._lock:
            self._known.add(value)
            self._needles.add(value, name)
            # A secret of few letters, or of none, is found as it is.
            if len(letters(value)[0]) < BLOCK:
                forms = {value, quote(value, safe="", errors="replace"), json.dumps(value)[1:-1]}
                forms |= {base64.b64encode(value.encode("utf-8", "surrogatepass")).decode()}
                self._plain += [(form, f"${name}") for form in sorted(forms, key=len, reverse=True)]

    def add_personal(self, values: Iterable[str | None]) -> None:
        """From now on these values, and the words that they are made of, are masked in free text too."""
        new = {value for value in values if value and value not in self._known}
        if not new:
            return
        with self._lock:
            for value in new:
                self._known.add(value)
                self._needles.add(value, "")
                for part in (*value.split(), *_as_dates(value)):
                    self._needles.add(part, "")

    def fingerprint(self, value: str) -> str:
        """Four hex digits that tell equal values within this run, and nothing outside it."""
        return hmac.new(self._key, value.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:4]

    def mask(self, value: str) -> str:
        """The shape of a personal value with its fingerprint."""
        if not value:
            return ""
        # A lone surrogate cannot be written as UTF-8.
        shown = value[:80].encode("utf-8", "replace").decode()
        shape = "".join(map(_shape_of, shown)).translate(_TURNS)
        return f"{shape}{'…' if len(value) > 80 else ''} #{self.fingerprint(value)}"

    def text(self, text: str, limit: int = MAX_TEXT) -> str:
        """Free text without secrets, known personal values, tokens, dates or long numbers; `limit` characters of it."""
        # A lone surrogate cannot be written as UTF-8.
        text = text.encode("utf-8", "replace").decode()
        length, text = len(text), text[: _SCANNED * limit]
        with self._lock:
            found, plain = self._needles.find(text), list(self._plain)
        parts, done = [], 0
        for one in found:
            shown = f"${one.name}" if one.name else self.mask(text[one.start : one.end])
            parts += [text[done : one.start], shown]
            done = one.end
        text = "".join([*parts, text[done:]])
        for value, name in plain:
            text = text.replace(value, name)
        text = _BEARER.sub(r"\1$TOKEN", text)
        for personal in (_LONG_DIGITS, _DATES):
            text = personal.sub(lambda match: "".join(map(_shape_of, match[0])), text)
        text = text.translate(_TURNS)
        return text if max(length, len(text)) <= limit else f"{text[:limit]}… ({length} characters)"

    def tree(self, value: Any, key: str = "") -> Any:
        """A JSON value with each personal string masked."""
        if isinstance(value, dict):
            return {self.text(str(name))[:80]: self.tree(item, str(name)) for name, item in list(value.items())[:100]}
        if isinstance(value, list):
            return [self.tree(item, key) for item in value[:20]]
        if isinstance(value, str):
            if key == "token":
                return "$TOKEN"
            if key == "image":
                return _describe_image(value)
            return self.text(value) if key in _KEPT_AS_TEXT else self.mask(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            if key in _KEPT_AS_TEXT and self.text(str(value)) == str(value):
                return value
            return f"<{'integer' if isinstance(value, int) else 'number'}>"
        return value

    def body(self, body: bytes) -> Any:
        """A request's or answer's body: a masked JSON tree, or a few words about bytes that are no JSON."""
        if not body:
            return ""
        if len(body) > 256_000:
            return _describe_large(body)
        try:
            return self.tree(json.loads(body))
        except (ValueError, RecursionError):
            text = body[: 4 * MAX_TEXT].decode("utf-8", "replace")
            return self.text(re.sub(r"[A-Za-z0-9+/=_-]{80,}", lambda found: f"<{len(found[0])} characters>", text))

    def headers(self, headers: Iterable[tuple[str, str]]) -> dict[str, str]:
        kept = {}
        for written, value in headers:
            name, lowered = self.text(written)[:80], written.lower()
            if lowered == "authorization":
                kept[name] = "Bearer $TOKEN" if value.lower().startswith("bearer ") else "$TOKEN" if value else ""
            elif lowered in ("set-cookie", "cookie", "proxy-authorization", "x-api-key"):
                kept[name] = "(hidden)"
            elif lowered == "content-length" and re.fullmatch(r"[0-9]{1,7}", value):
                kept[name] = value
            else:
                kept[name] = self.text(value)
        return kept

    def record(self, exchange: Exchange, at: str) -> RecordedExchange:
        """The exchange as it may be written to disk; `at` is the UTC wall clock when sending began."""
        clocks = exchange.clocks
        picture = exchange.picture
        return RecordedExchange(
            number=exchange.number,
            at=at,
            test=exchange.test,
            session=exchange.session,
            endpoint=exchange.endpoint,
            method=exchange.method,
            path=self.text(exchange.path),
            intent=exchange.intent,
            request_headers=self.headers(exchange.request_headers.items()),
            request_body=self.body(exchange.request_body),
            status=exchange.status,
            answer_headers=self.headers(exchange.answer_headers),
            answer_body=self.body(exchange.answer_body),
            failure=self.text(exchange.failure) if exchange.failure else None,
            clocks=RecordedClocks(
                waiting_ms=_ms(clocks.due, clocks.sent),
                service_ms=_ms(clocks.sent, clocks.last_byte),
                sending_ms=None if clocks.body_sent is None else _ms(clocks.sent, clocks.body_sent),
                thinking_ms=None
                if clocks.body_sent is None or clocks.first_byte is None
                else _ms(clocks.body_sent, clocks.first_byte),
                reading_ms=None if clocks.first_byte is None else _ms(clocks.first_byte, clocks.last_byte),
            ),
            picture=None
            if picture is None
            else {
                "side": picture.side,
                "bytes": picture.size,
                "media_type": picture.media_type,
                "wrapping": picture.wrapping,
            },
        )


def _as_dates(value: str) -> Iterator[str]:
    """A date, or a moment's, in the orders and with the separators in which people write it."""
    found = re.match(r"(\d{4})-(\d{2})-(\d{2})(?:T|$)", value)
    if found:
        year, month, day = found.groups()
        for parts in ((year, month, day), (day, month, year), (month, day, year)):
            yield from (separator.join(parts) for separator in ("-", "/", ".", ""))


def redacted(text: str, secrets: Mapping[str, str], personal: Iterable[str]) -> str:
    """`text` without `secrets` (by name) and `personal` values, where there is no run whose redactor knows them."""
    redactor = Redactor()
    for name, value in secrets.items():
        redactor.add_secret(value, name)
    redactor.add_personal(personal)
    return redactor.text(text)


def _ms(start: int, end: int) -> float:
    return round((end - start) / 1e6, 3)


def _describe_image(value: str) -> str:
    digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    breaks = "CRLF" if "\r\n" in value else "LF" if "\n" in value else "no"
    return f"<{len(value)} characters of base64, {breaks} line breaks, sha256 {digest}>"


def _describe_large(body: bytes) -> str:
    return f"<{len(body)} bytes, sha256 {hashlib.sha256(body).hexdigest()[:12]}>"
