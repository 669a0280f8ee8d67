"""Judge and published OpenAPI say the same: dates and numbers, from tables that this repository makes itself."""

import json
from typing import Any

import jsonschema
import pytest

from kycgate.contracts.models import CustomerData, parse_date_time
from kycgate.contracts.openapi import build
from kycgate.judging.answers import parse_json
from kycgate.judging.contradictions import Memory
from kycgate.judging.shape import judge_answer
from kycgate.target.exchange import RecordedExchange
from kycgate.target.redaction import Redactor
from kycgate.tests.suite.json_texts import TEXTS, Text
from kycgate.tests.suite.unit.test_judge import answered, result

DATE_TIMES = {
    "2025-10-27T12:35:55Z": True,
    "2025-10-27T12:35:55": True,
    "2025-10-27T12:35:55.1234567+02:00": True,
    "2024-02-29T00:00:00-23:59": True,
    "1963-06-19t08:30:06.283185z": True,
    "1998-12-31T23:59:60Z": True,
    "1998-12-31T15:59:60.123-08:00": True,
    "1990-12-31T10:00:00+10:60": False,
    "1990-12-31T10:00:00+24:00": False,
    "1990-12-31T24:00:00Z": False,
    "1990-12-31T10:60:00Z": False,
    "1990-12-31T10:00:61Z": False,
    "1990-13-01T10:00:00Z": False,
    "1990-00-01T10:00:00Z": False,
    "1990-01-32T10:00:00Z": False,
    "1990-01-01 10:00:00Z": False,
    "1990-01-01": False,
    "19/09/1998": False,
    "1990-01-01T10:00:00.Z": False,
    "1990-01-01T10:00:00+0200": False,
    "١٩٩٠-01-01T10:00:00Z": False,
    "": False,
}
AGES: list[tuple[Any, bool]] = [
    (31, True), (31.0, True), (0, True), (None, True), (31.5, False), ("31", False), (True, False), ([31], False),
]  # fmt: skip


def schema_says(name: str, value: Any) -> bool:
    document = build()
    validator = jsonschema.Draft202012Validator(
        {"$ref": "#/components/schemas/CustomerData", "components": document["components"]}
    )
    data = dict.fromkeys(CustomerData.model_fields) | {name: value}
    return validator.is_valid(data)


def judge_says(name: str, value: Any) -> bool:
    shapes = {"result.properties", "result.date-times"}
    return not any(not seen.ok and seen.clause in shapes for seen in judge_answer(answered(result(**{name: value}))))


@pytest.mark.parametrize(("text", "legal"), DATE_TIMES.items())
def test_date_times(text: str, legal: bool) -> None:
    for name in ("birthdate", "issueDate", "expirationDate"):
        assert (judge_says(name, text), schema_says(name, text)) == (legal, legal)


def test_a_day_that_no_month_has_is_refused_by_the_judge() -> None:
    """The one thing that a pattern cannot say."""
    with pytest.raises(ValueError, match="day"):
        parse_date_time("1990-02-30T10:00:00Z")


@pytest.mark.parametrize(("age", "legal"), AGES)
def test_ages(age: Any, legal: bool) -> None:
    assert (judge_says("detectedAge", age), schema_says("detectedAge", age)) == (legal, legal)


@pytest.mark.parametrize("digits", [1, 4_000, 4_301, 5_000, 50_000])
def test_an_integer_of_any_length_is_json(digits: int) -> None:
    assert parse_json(b"[" + b"1" * digits + b"]")
    assert parse_json(b"[-" + b"1" * digits + b"]")


def test_the_last_step_may_have_a_body() -> None:
    operations = [operation for path in build()["paths"].values() for operation in path.values()]
    (last,) = (operation for operation in operations if operation["operationId"].endswith("ApproveBackImage"))
    assert last["requestBody"]["required"] is False


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text.name)
def test_json_texts(text: Text) -> None:
    """The whole table of what is one JSON text and what is none; why not is said in our words."""
    seen = {one.clause: one for one in judge_answer(answered(text.body))}
    assert seen["body.json"].ok is text.legal
    if not text.legal:
        with pytest.raises(ValueError, match=r"^[-a-zA-Z]") as refused:
            parse_json(text.body)
        assert "sys." not in str(refused.value)
        return
    assert parse_json(text.body) == json.loads(text.body, parse_int=_any_integer)


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text.name)
def test_no_text_costs_a_run(text: Text) -> None:
    """As a body, and as a further property of an upload's answer: judged, recorded, written and read back."""
    whole = json.dumps(result(idNumber="29901010123413")).encode()
    memory = Memory("auto")
    for body in (text.body, whole[:-1] + b', "x": ' + text.body + b"}"):
        exchange = answered(body)
        list(judge_answer(exchange))
        list(memory.judge(exchange))
        line = Redactor().record(exchange, "2026-01-01T00:00:00.000+00:00").model_dump_json()
        assert RecordedExchange.model_validate_json(line).status == 200


def _any_integer(text: str) -> int | float:
    return int(text) if len(text) < 4_000 else float(text)
