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

from kycgate.contracts.models import (
    ApproveFrontRequest,
    CustomerData,
    ErrorBody,
    TokenAnswer,
    TokenRequest,
    UploadRequest,
    UploadResult,
)
from kycgate.target.exchange import Exchange, RecordedClocks, RecordedExchange
from kycgate.target.known_values import BLOCK, LEAST, LEAST_NAME, PART, Needles, letters
from kycgate.text import fragments, unmarked

MAX_TEXT = 2_000
"""Characters of a free text that are kept."""

MAX_DEPTH = 40
"""Levels of a recorded JSON value: any reader takes them."""
MAX_VALUE, MAX_WORDS, MAX_LEARNED = 200, 20, 50_000
"""Characters of a personal value, its words, and values and words in all that are learned."""
PERSONAL = frozenset(CustomerData.model_fields) - {
    "gender", "detectedGender", "nationality", "documentTypeId", "documentTypeCode", "detectedAge", "photo",
}  # fmt: skip
"""The properties that say something about a person by themselves."""
SCHEMA_NAMES = frozenset(
    name
    for model in (UploadResult, CustomerData, TokenAnswer, TokenRequest, ErrorBody, UploadRequest, ApproveFrontRequest)
    for name in model.model_fields
)
HEADER_NAMES = frozenset(
    """
    accept accept-encoding accept-language accept-ranges age allow authorization cache-control connection
    content-encoding content-language content-length content-location content-security-policy content-type cookie
    date etag expires host keep-alive last-modified link location pragma referrer-policy retry-after server
    set-cookie strict-transport-security trailer transfer-encoding upgrade user-agent vary via warning
    www-authenticate x-content-type-options x-correlation-id x-frame-options x-powered-by x-request-id
    x-xss-protection
    """.split()  # noqa: SIM905 - a table in five lines
)
"""Names that the schemas and HTTP know: they belong to no person, and are never redacted."""
_SCANNED = 10
"""How many times more of a free text is looked at than kept: what lies behind that is not kept either."""
_KEPT_AS_TEXT = frozenset({"message", "errorCode", "documentTypeId", "documentTypeCode", "title"})
_LONG_DIGITS = re.compile(r"\d{6,}")
_DATES = re.compile(r"(?<!\d)(?:\d{4}([-/.])\d{1,2}\1\d{1,2}|\d{1,2}([-/.])\d{1,2}\2\d{4})(?!\d)")
# Looks ahead for the two dots first: a long text of beginnings without an end is not searched from each of them.
_BEARER = re.compile(r"(?<![\w-])(?=[\w-]++\.[\w-]++\.)([\w-]*?)\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*")


_TURNS = {code: f"\u27e8U+{code:04X}\u27e9" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}
"""Characters that turn a line's direction: a reader of a recorded file sees them instead of their effect."""


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
        self._plain: list[tuple[re.Pattern[str], str]] = []
        self._needles = Needles()
        self._strong = Needles()
        """Secrets that no sentence of ours holds by chance."""
        self._learned = 0
        self.too_short: list[str] = []
        """The names of secrets that cannot be told from text, so that only whole words of them are taken out."""
        self._known: set[str] = set()
        self._lock = threading.Lock()

    def add_secret(self, value: str, name: str) -> None:
        """From now on `value`, however it is written, is shown as `$name`."""
        if not value or value in self._known:
            return
        with self._lock:
            self._known.add(value)
            self._needles.add(value, name)
            plain = letters(value)[0]
            if len(plain) >= PART and any(one.isdigit() for one in plain):
                self._strong.add(value, name)
            if len(plain) < LEAST and name not in self.too_short:
                self.too_short.append(name)
            # A secret of few letters, or of none, is found as it is, as a whole word.
            if len(plain) < BLOCK:
                forms = {value, quote(value, safe="", errors="replace"), json.dumps(value)[1:-1]}
                forms |= {base64.b64encode(value.encode("utf-8", "surrogatepass")).decode()}
                self._plain += [(_whole(form), f"${name}") for form in sorted(forms, key=len, reverse=True)]

    @property
    def short_words(self) -> str:
        """Which credentials are too short to be told from text, in a sentence; empty where none is."""
        if not self.too_short:
            return ""
        return (
            f"{', '.join(self.too_short)}: fewer than {LEAST} letters and digits cannot be told from text, so what a "
            "target writes of it is taken out as a whole word alone"
        )

    def add_personal(self, values: Iterable[str | None], *, names: bool = False) -> None:
        """From now on these values, and the words that they are made of, are masked in foreign text too.

        What is learned is bounded: values of 200 characters, 20 words of each, 50,000 in all. Of `names`, words of
        three letters count too.
        """
        new = {value for value in values if value and len(value) <= MAX_VALUE and value not in self._known}
        least = LEAST_NAME if names else LEAST
        with self._lock:
            for value in sorted(new):
                if self._learned >= MAX_LEARNED:
                    return
                self._known.add(value)
                self._needles.add(value, "", least)
                parts = (*value.split()[:MAX_WORDS], *_as_dates(value))
                self._learned += 1 + len(parts)
                for part in parts:
                    self._needles.add(part, "", least)

    def add_reading(self, data: Mapping[str, Any]) -> None:
        """From now on the values of a reading's personal properties are masked in foreign text too."""
        for name in PERSONAL & data.keys():
            if isinstance(data[name], str):
                self.add_personal([data[name]], names="name" in name.lower())

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
        """Foreign text without secrets, personal values, tokens, dates and long numbers; `limit` characters of it."""
        # A lone surrogate cannot be written as UTF-8.
        text = unmarked(text).encode("utf-8", "replace").decode()
        length, text = len(text), text[: _SCANNED * limit]
        with self._lock:
            found, plain = self._needles.find(text), list(self._plain)
        parts, done = [], 0
        for one in found:
            shown = f"${one.name}" if one.name else self.mask(text[one.start : one.end])
            parts += [text[done : one.start], shown]
            done = one.end
        text = "".join([*parts, text[done:]])
        for pattern, name in plain:
            text = pattern.sub(lambda _, name=name: name, text)  # type: ignore[misc]
        text = _BEARER.sub(r"\1$TOKEN", text)
        for personal in (_LONG_DIGITS, _DATES):
            text = personal.sub(lambda match: "".join(map(_shape_of, match[0])), text)
        text = text.translate(_TURNS)
        return text if max(length, len(text)) <= limit else f"{text[:limit]}… ({length} characters)"

    def sentence(self, sentence: str) -> str:
        """A sentence of ours, of which the parts that a target wrote (`kycgate.text.theirs`) are redacted."""
        return "".join(self.text(part) if foreign else self._ours(part) for part, foreign in fragments(sentence))

    def _ours(self, text: str) -> str:
        text = text.encode("utf-8", "replace").decode()
        with self._lock:
            found = self._strong.find(text, PART)
        for one in reversed(found):
            text = f"{text[: one.start]}${one.name}{text[one.end :]}"
        return _BEARER.sub(r"\1$TOKEN", text).translate(_TURNS)

    def name(self, name: str) -> str:
        """A property's or a header's name: one that the schemas know stays as it is."""
        return name if name in SCHEMA_NAMES or name.lower() in HEADER_NAMES else self.text(name)[:80]

    def tree(self, value: Any, key: str = "", depth: int = 0) -> Any:
        """A JSON value with each personal string masked; what is nested deeper than `MAX_DEPTH` is not kept."""
        if isinstance(value, dict | list) and depth >= MAX_DEPTH:
            return "<nested deeper>"
        if isinstance(value, dict):
            items = list(value.items())[:100]
            return {self.name(str(name)): self.tree(item, str(name), depth + 1) for name, item in items}
        if isinstance(value, list):
            return [self.tree(item, key, depth + 1) for item in value[:20]]
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
        """A request's or answer's body: a masked JSON tree, or a few words about bytes that are not JSON."""
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
            name, lowered = self.name(written), written.lower()
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


def _whole(form: str) -> re.Pattern[str]:
    """`form` where no letter or digit goes on from it."""
    before, after = (r"(?<!\w)" if form[0].isalnum() else ""), (r"(?!\w)" if form[-1].isalnum() else "")
    return re.compile(f"{before}{re.escape(form)}{after}")


_MONTHS = (
    ("january", "يناير"), ("february", "فبراير"), ("march", "مارس"), ("april", "أبريل"), ("may", "مايو"),
    ("june", "يونيو"), ("july", "يوليو"), ("august", "أغسطس"), ("september", "سبتمبر"), ("october", "أكتوبر"),
    ("november", "نوفمبر"), ("december", "ديسمبر"),
)  # fmt: skip


def _as_dates(value: str) -> Iterator[str]:
    """A date, or a moment's, in the orders and with the separators in which people write it."""
    found = re.match(r"(\d{4})-(\d{2})-(\d{2})(?:T|$)", value)
    if found:
        year, month, day = found.groups()
        for parts in ((year, month, day), (day, month, year), (month, day, year), (day, month, year[2:])):
            yield from (separator.join(parts) for separator in ("-", "/", ".", ""))
        if 1 <= int(month) <= 12:
            english, arabic = _MONTHS[int(month) - 1]
            short_day = day.lstrip("0")
            for name in (english, english[:3], arabic):
                for written in {day, short_day}:
                    yield from (f"{written} {name} {year}", f"{name} {written} {year}", f"{written} {name} {year[2:]}")


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
