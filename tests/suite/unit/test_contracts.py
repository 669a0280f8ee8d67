"""The catalogue, the journey, the models, the OpenAPI."""

import json
import random
import re
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openapi_spec_validator import validate
from pydantic import ValidationError

import kycgate.contracts
from kycgate.check.runner import run_contract_tests
from kycgate.contracts.clauses import CATALOGUE, clause
from kycgate.contracts.flow import Expected, Step
from kycgate.contracts.flows import flow
from kycgate.contracts.flows.national_id import (
    APPROVE_BACK,
    APPROVE_FRONT,
    CLIENT_ORDER,
    PAGE_ORDER,
    UPLOAD_BACK,
    UPLOAD_FRONT,
)
from kycgate.contracts.id_number import NationalId, to_ascii_digits
from kycgate.contracts.models import ApproveFrontRequest, CustomerData, UploadRequest, UploadResult, parse_date_time
from kycgate.contracts.openapi import build, text
from kycgate.gate.plan import PlannedTest, places
from kycgate.sandbox import FAULTS


def test_clause_ids_are_unique_and_edges_name_clauses() -> None:
    ids = [promise.id for promise in CATALOGUE]
    assert len(ids) == len(set(ids))
    for edge in flow().edges:
        assert clause(edge.clause).level is edge.level


def test_every_clause_has_a_test() -> None:
    judged = {name for test in run_contract_tests(None).plan for name in test.clauses}
    assert judged == {promise.id for promise in CATALOGUE}


def test_every_test_names_its_clauses() -> None:
    """A contract test without a mark would run outside the plan and judge nothing."""
    folder = Path(kycgate.contracts.__file__).parent.parent / "tests" / "contract"
    written = {
        name for path in folder.glob("*.py") for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    plan = run_contract_tests(None).plan
    marked = {test.test.partition("[")[0] for test in plan} | {"test_image_limit"}
    assert written == marked
    assert all(test.clauses for test in plan)


def test_contract_tests_know_no_fault() -> None:
    """A test of the rule never names a fault, nor looks at the sandbox."""
    folder = Path(kycgate.contracts.__file__).parent.parent / "tests" / "contract"
    for path in folder.glob("*.py"):
        source = path.read_text(encoding="utf-8")
        assert "kycgate.sandbox" not in source
        assert not [name for name in FAULTS.load() if f'"{name}"' in source], path


def test_legal_orderings_are_the_linear_extensions() -> None:
    assert set(flow().legal_orderings()) == {PAGE_ORDER, CLIENT_ORDER}


def test_violations_are_all_of_them() -> None:
    expected = {
        (frozenset(), UPLOAD_BACK),
        (frozenset(), APPROVE_FRONT),
        (frozenset(), APPROVE_BACK),
        (frozenset({UPLOAD_FRONT}), APPROVE_BACK),
        (frozenset({UPLOAD_FRONT, UPLOAD_BACK}), APPROVE_BACK),
        (frozenset({UPLOAD_FRONT, APPROVE_FRONT}), APPROVE_BACK),
    }
    assert {(frozenset(done), step) for done, step in flow().violations()} == expected


@given(st.lists(st.sampled_from(list(flow().steps)), max_size=12))
def test_model_never_counts_what_was_refused(steps: list[Step]) -> None:
    state = flow().start
    for step in steps:
        expected = state.expect(step)
        after = state.after(step, accepted=expected is Expected.ACCEPT)
        if expected is not Expected.ACCEPT:
            assert after == state
        state = after
        assert all(flow().predecessors(done) <= state.done | state.uncertain for done in state.done)


def test_front_again_leaves_open_what_it_shakes() -> None:
    state = flow().state_after([UPLOAD_FRONT, UPLOAD_BACK, UPLOAD_FRONT])
    assert state.expect(APPROVE_FRONT) is Expected.ACCEPT
    assert flow().state_after([*PAGE_ORDER[:2], UPLOAD_FRONT, APPROVE_FRONT]).expect(APPROVE_BACK) is Expected.OPEN
    assert flow().state_after(PAGE_ORDER).expect(UPLOAD_FRONT) is Expected.REFUSE


@pytest.mark.parametrize(
    ("number", "born", "gender"),
    [("29901011234567", date(1999, 1, 1), "female"), ("30002290101231", date(2000, 2, 29), "male")],
)
def test_number_is_read(number: str, born: date, gender: str) -> None:
    if number[7:9] not in ("01", "12"):
        pytest.fail("the examples use Cairo and Dakahlia")
    parsed = NationalId.parse(number)
    assert (parsed.birthdate, parsed.gender) == (born, gender)


@pytest.mark.parametrize(
    "number",
    ["2990101123456", "49901011234567", "29913011234567", "29901019934567", "29874532145698", "٢٩٩٠١٠١١٢٣٤٥٦٧"],
)
def test_impossible_numbers(number: str) -> None:
    with pytest.raises(ValueError, match="."):
        NationalId.parse(number)


@given(st.integers(), st.dates(date(1900, 1, 1), date(2099, 12, 31)), st.sampled_from(["male", "female"]))
def test_made_numbers_say_what_they_were_made_of(seed: int, born: date, gender: str) -> None:
    made = NationalId.make(random.Random(seed), birthdate=born, gender=gender)  # type: ignore[arg-type]
    assert NationalId.parse(made.digits) == made
    assert (made.birthdate, made.gender) == (born, gender)


def test_arabic_indic_digits() -> None:
    assert to_ascii_digits("٢٩٩٠") == "2990"


@pytest.mark.parametrize(
    "text", ["2025-10-27T12:35:55.351Z", "2025-10-27T12:35:55+02:00", "2025-10-27T12:35:55.1234567"]
)
def test_date_times_with_and_without_zone(text: str) -> None:
    assert parse_date_time(text).year == 2025


@pytest.mark.parametrize("text", ["2025-10-27", "27/10/2025", "2025-13-27T12:35:55Z", "2025-02-30T00:00:00", ""])
def test_what_is_no_date_time(text: str) -> None:
    with pytest.raises(ValueError, match="."):
        parse_date_time(text)


def test_answers_are_strict() -> None:
    whole = dict.fromkeys(CustomerData.model_fields)
    CustomerData.model_validate(whole)
    for change in ({"detectedAge": "27"}, {"idFrontScan": "123"}, {"customerId": "4711"}, {"birthdate": "1990-01-01"}):
        with pytest.raises(ValidationError):
            CustomerData.model_validate(whole | change)
    with pytest.raises(ValidationError):
        UploadResult.model_validate({"isSuccess": "true", "message": None, "errorCode": None, "customerData": None})


def test_openapi_is_valid_and_committed() -> None:
    validate(build())
    committed = (Path(kycgate.contracts.__file__).parent / "openapi.json").read_text(encoding="utf-8")
    assert committed == text(), "run: kycgate openapi > contracts/openapi.json"


def test_openapi_examples_validate() -> None:
    schemas = build()["components"]["schemas"]
    for model in (UploadRequest, ApproveFrontRequest, CustomerData, UploadResult):
        for example in schemas[model.__name__]["examples"]:
            model.model_validate_json(json.dumps(example))


def test_a_small_budget_costs_repetition_first() -> None:
    """The most telling tests, then those that alone judge a clause, then what repeats others."""

    def test_of(name: str, telling: int, *clauses: str) -> PlannedTest:
        return PlannedTest(name, clauses, 1, 0, telling, "")

    plan = [test_of("repeats", 7, "a", "b"), test_of("flow", 9, "a"), test_of("alone", 1, "c"), test_of("too", 2, "b")]
    place = places(plan)
    assert [test.test for test in sorted(plan, key=lambda test: place[test])] == ["flow", "alone", "repeats", "too"]
