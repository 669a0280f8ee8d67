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
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from kycgate.exchange import Exchange, RecordedClocks, RecordedExchange

MAX_TEXT = 2_000
"""Characters of a free text that are kept."""

_KEPT_AS_TEXT = frozenset({"message", "errorCode", "documentTypeId", "documentTypeCode", "expirationDate", "title"})
_LONG_DIGITS = re.compile(r"\d{6,}")
# Looks ahead for the two dots first: a long text of beginnings without an end is not searched from each of them.
_BEARER = re.compile(r"(?<![\w-])(?=[\w-]++\.[\w-]++\.)([\w-]*?)\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*")


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
        self._secrets: dict[str, str] = {}
        self._personal: set[str] = set()
        self._longest_first: tuple[list[tuple[str, str]], list[str]] | None = None
        self._lock = threading.Lock()

    def add_secret(self, value: str, name: str) -> None:
        """From now on `value`, plain or encoded, is shown as `$name`."""
        if not value:
            return
        forms = {
            value,
            quote(value, safe=""),
            json.dumps(value)[1:-1],
            base64.b64encode(value.encode()).decode(),
            base64.urlsafe_b64encode(value.encode()).decode().rstrip("="),
        }
        with self._lock:
            self._secrets |= dict.fromkeys(forms, f"${name}")
            self._longest_first = None

    def add_personal(self, values: Iterable[str | None]) -> None:
        """From now on these values are masked in free text too."""
        with self._lock:
            self._personal |= {value for value in values if value and len(value) >= 4}
            self._longest_first = None

    def fingerprint(self, value: str) -> str:
        """Four hex digits that tell equal values within this run, and nothing outside it."""
        return hmac.new(self._key, value.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:4]

    def mask(self, value: str) -> str:
        """The shape of a personal value with its fingerprint."""
        if not value:
            return ""
        # A lone surrogate cannot be written as UTF-8.
        shown = value[:80].encode("utf-8", "replace").decode()
        return f"{''.join(map(_shape_of, shown))}{'…' if len(value) > 80 else ''} #{self.fingerprint(value)}"

    def text(self, text: str) -> str:
        """Free text without secrets, known personal values, tokens or long numbers."""
        # A lone surrogate cannot be written as UTF-8.
        text = text.encode("utf-8", "replace").decode()
        with self._lock:
            if self._longest_first is None:
                self._longest_first = (
                    sorted(self._secrets.items(), key=lambda item: -len(item[0])),
                    sorted(self._personal, key=len, reverse=True),
                )
            hidden, personal = self._longest_first
        for value, name in hidden:
            if len(value) <= len(text):
                text = text.replace(value, name)
        for value in personal:
            if len(value) <= len(text) and value in text:
                text = text.replace(value, self.mask(value))
        text = _BEARER.sub(r"\1$TOKEN", text)
        text = _LONG_DIGITS.sub(lambda found: "9" * len(found[0]), text)
        return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}… ({len(text)} characters)"

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
        if isinstance(value, int | float) and not isinstance(value, bool) and key not in _KEPT_AS_TEXT:
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
        for name, value in headers:
            lowered = name.lower()
            if lowered == "authorization":
                kept[name] = "Bearer $TOKEN" if value.lower().startswith("bearer ") else "$TOKEN" if value else ""
            elif lowered in ("set-cookie", "cookie", "proxy-authorization", "x-api-key"):
                kept[name] = "(hidden)"
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


def _ms(start: int, end: int) -> float:
    return round((end - start) / 1e6, 3)


def _describe_image(value: str) -> str:
    digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    breaks = "CRLF" if "\r\n" in value else "LF" if "\n" in value else "no"
    return f"<{len(value)} characters of base64, {breaks} line breaks, sha256 {digest}>"


def _describe_large(body: bytes) -> str:
    return f"<{len(body)} bytes, sha256 {hashlib.sha256(body).hexdigest()[:12]}>"
