"""How a target answers, counted: the raw material of pins and drift.

Each `Observed` is one question about the target (which status a request of a kind gets in its turn, whether a property
is null, in which order properties come, which headers are set, which words are used) with how often each answer was
seen. Nothing of a person enters: statuses, codes, names of properties and headers, and words of a closed list.
"""

import re
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

from kycgate.contracts.id_number import NationalId
from kycgate.contracts.models import parse_date_time
from kycgate.judging.answers import accepted, customer_data, json_or_none
from kycgate.judging.card import gender_of, numbers_in
from kycgate.runs.model import Observed, OpenPointResult
from kycgate.target.exchange import Exchange
from kycgate.target.redaction import Redactor

SECTIONS: dict[str, str] = {
    "choices": "What it does where the contract leaves room.",
    "answers": "Status, isSuccess and errorCode by endpoint, request and turn.",
    "fields": "customerData of an accepted upload: what each property holds.",
    "order": "The properties of each kind of answer, in their order.",
    "headers": "Which headers answers carry, by status; steps and token endpoints apart.",
    "words": "The words for what cards print.",
    "token": "Tokens.",
}
"""The sections of a pins file, in its order, each with its comment."""

GROUPED = frozenset({"fields", "headers"})
"""Sections in which a subject's first word names a group, and a subject that is not there means `absent`."""

ABSENT = "absent"
NOT_SHOWN = "(not shown)"
"""Of a word that would have to be redacted: the marks of two runs differ."""
MAX_NAMES = 80
_AS_ASKED = frozenset({"connection", "keep-alive", "content-encoding", "vary", "transfer-encoding", "content-length"})
"""Headers that follow from how the request was sent: over which connection, with which codings accepted."""
_NO_ANSWER = frozenset({None, 429})
_ARABIC = re.compile("[\u0600-\u06ff]")
_PRINTED = ("religion", "maritalStatus", "nationality", "profession")


class Behaviour:
    """What was seen of one target in one run. Thread-safe."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._seen: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        self._answers: Counter[tuple[str, str]] = Counter()
        """Of each group: how many answers could have held its subjects."""
        self._lock = threading.Lock()

    def note(self, exchange: Exchange, truth: Mapping[str, str]) -> None:
        """Count what one answer shows; `truth` is what the card shown prints, as far as it is known."""
        if exchange.status in _NO_ANSWER or exchange.turn is None:
            return
        value = json_or_none(exchange)
        with self._lock:
            self._note_answer(exchange, value)
            self._note_headers(exchange)
            self._note_order(exchange, value)
            data = customer_data(exchange)
            if data is not None and exchange.picture is not None and accepted(exchange):
                self._note_fields(exchange.endpoint, data)
                self._note_words(data, truth)
            if exchange.endpoint.startswith("token") and isinstance(value, dict):
                self._note_token(exchange, value)

    def observed(self, open_points: Iterable[OpenPointResult]) -> list[Observed]:
        """Everything counted until now, with the open points, in a stable order."""
        with self._lock:
            seen = {key: Counter(counts) for key, counts in self._seen.items()}
            for (section, subject), counts in seen.items():
                if section in GROUPED:
                    missing = self._answers[section, subject.partition(" ")[0]] - counts.total()
                    if missing > 0:
                        counts[ABSENT] = missing
        for point in open_points:
            if point.id == "picture-forms":
                # Which forms a run shows is chance: what one was met by stands in the report.
                continue
            for choice, count in point.counts.items():
                # "GET: 405" answers a question of its own.
                about, _, answer = choice.rpartition(": ")
                seen.setdefault(("choices", f"{point.id}, {about}" if about else point.id), Counter())[answer] += count
        order = list(SECTIONS)
        return [
            Observed(section=section, subject=subject, counts=dict(sorted(counts.items())))
            for (section, subject), counts in sorted(
                seen.items(), key=lambda item: (order.index(item[0][0]), item[0][1])
            )
        ]

    def _count(self, section: str, subject: str, answer: str) -> None:
        self._seen[section, subject][answer] += 1

    def _note_answer(self, exchange: Exchange, value: Any) -> None:
        said = str(exchange.status)
        if not isinstance(value, dict | bool):
            said += ", no JSON object" if exchange.status != 200 else ""
        elif isinstance(value, dict):
            success, code = value.get("isSuccess"), value.get("errorCode")
            said += f", isSuccess {str(success).lower()}" if isinstance(success, bool) else ""
            said += f", code {self._safe(str(code))}" if isinstance(code, str | int) and code != "" else ""
        turn = f", {exchange.turn}" if exchange.turn else ""
        self._count("answers", f"{exchange.endpoint} {exchange.intent}{turn}", said)

    def _note_headers(self, exchange: Exchange) -> None:
        group = f"{_whose(exchange)}-{exchange.status}"
        self._answers["headers", group] += 1
        for name in {name.lower() for name, _ in exchange.answer_headers} - _AS_ASKED:
            self._count("headers", f"{group} {self._safe(name)}", "present")
        media_type = exchange.answer_header("Content-Type")
        if media_type is not None and exchange.status == 200:
            self._count("order", "media type of 200", self._safe(media_type))

    def _note_order(self, exchange: Exchange, value: Any) -> None:
        if not isinstance(value, dict):
            return
        kind = exchange.endpoint if exchange.status == 200 else f"{_whose(exchange)} {exchange.status}"
        if isinstance(value.get("isSuccess"), bool):
            kind += f", isSuccess {str(value['isSuccess']).lower()}"
        self._count("order", kind, self._names(value))
        data = customer_data(exchange)
        if data is not None:
            self._count("order", f"{exchange.endpoint} customerData", self._names(data))

    def _note_fields(self, endpoint: str, data: Mapping[str, Any]) -> None:
        self._answers["fields", endpoint] += 1
        for name in list(data)[:MAX_NAMES]:
            self._count("fields", f"{endpoint} {self._safe(name)}", _kind(data[name]))

    def _note_words(self, data: Mapping[str, Any], truth: Mapping[str, str]) -> None:
        numbers = numbers_in(dict(data))
        try:
            gender = NationalId.parse(next(iter(numbers.values()), "")).gender
        except ValueError:
            gender = None
        for name in ("gender", "detectedGender"):
            word = data.get(name)
            if isinstance(word, str) and word.strip() and gender is not None:
                # A word that is not known to mean a gender may be anything, a name too.
                self._count("words", f"{name}, {gender}", word if gender_of(word) else f"another word, {_script(word)}")
        for name in _PRINTED:
            word = data.get(name)
            if isinstance(word, str) and word.strip():
                printed = truth.get(name)
                self._count("words", name, "as printed" if word == printed else f"{_script(word)} letters")

    def _note_token(self, exchange: Exchange, value: Mapping[str, Any]) -> None:
        try:
            expires = parse_date_time(str(value["expirationDate"]))
            now = parsedate_to_datetime(exchange.answer_header("Date") or "")
        except (KeyError, ValueError):
            return
        life = (expires if expires.tzinfo else expires.replace(tzinfo=UTC)).timestamp() - now.timestamp()
        # The Date header counts whole seconds; lives are round numbers.
        self._count("token", f"{exchange.endpoint} life", f"{round(life / 15) * 15} s")

    def _names(self, value: Mapping[str, Any]) -> str:
        return " ".join(self._safe(name) for name in list(value)[:MAX_NAMES])

    def _safe(self, text: str) -> str:
        """A foreign word that may be kept; two runs cannot be compared by what would be redacted."""
        plain = " ".join(text.split())[:80]
        return plain if self._redactor.name(plain) == plain else NOT_SHOWN


def _whose(exchange: Exchange) -> str:
    """Token endpoints and steps may well be different servers, with headers of their own."""
    return "token" if exchange.endpoint.startswith("token") else "step"


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, str):
        return "text" if value.strip() else "empty text"
    kinds = {bool: "boolean", int: "number", float: "number", dict: "object", list: "array"}
    return kinds[type(value)]


def _script(word: str) -> str:
    return "Arabic" if _ARABIC.search(word) else "Latin"
