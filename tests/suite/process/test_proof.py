"""A share of `kycgate prove` for every run of the tests; the whole of it is the command's."""

from functools import cache
from pathlib import Path

import pytest

from kycgate.check.prove import checked, prove, trial, trials_named
from kycgate.check.runner import run_contract_tests
from kycgate.check.trial import KEY_VARIANTS
from kycgate.check.under_load import FAITHFUL
from kycgate.contracts.clauses import CATALOGUE
from kycgate.contracts.flows import flow
from kycgate.errors import UsageError
from kycgate.runs.clause import Verdict
from kycgate.sandbox import FAULTS, LOAD_FAULTS, variants
from kycgate.sandbox.variants import LIBERTIES
from kycgate.settings.profile import Limits
from kycgate.specimens.forms import FORMS
from kycgate.tests.suite.shares import share

NINE_VARIANTS = (
    *("everything", "bearer-only", "dates-offset", "order-404", "bare-only", "dates-naive"),
    *("fixed-keys", "translation-off", "english-words"),
)


def committed() -> list[str]:
    """The lines of docs/prove.md."""
    return (Path(__file__).parents[3] / "docs" / "prove.md").read_text(encoding="utf-8").splitlines()


def test_there_are_enough_of_each() -> None:
    kinds = {fault.kind for fault in FAULTS.load().values()}
    assert kinds == {"shape", "status", "auth", "order", "semantics", "robustness", "state"}
    assert len(FAULTS.load()) >= 120
    assert len(variants() | KEY_VARIANTS) >= 30


def test_every_clause_is_broken_by_a_fault() -> None:
    assert {fault.clause for fault in FAULTS.load().values()} == {promise.id for promise in CATALOGUE}


def test_the_committed_proof_is_of_these_faults() -> None:
    """docs/prove.md is the whole of it: a new fault, or one that is not found, shows here."""
    found = {line.split("|")[1].strip() for line in committed() if "| yes |" in line}
    assert found == set(FAULTS.load())


def test_the_committed_proof_holds_what_only_a_load_meets_with() -> None:
    text = committed()
    assert f"| {FAITHFUL} |  | not accused |  |" in text
    for name, fault in LOAD_FAULTS.items():
        assert any(line.startswith(f"| {name} | {fault.clause} | found |") for line in text), name


def test_the_committed_proof_lists_every_liberty_and_accuses_no_variant() -> None:
    text = committed()
    for what, names in LIBERTIES.items():
        assert f"| {what} | {', '.join(names)} | none |" in text


FEW = 250
"""Requests: more than the tests of one clause send, less than the whole check does."""


@cache
def committed_requests() -> dict[str, int]:
    """By fault: what `kycgate prove --quick` sent until it was found, as docs/prove.md has it."""
    rows = [[cell.strip() for cell in line.split("|")] for line in committed()]
    return {row[1]: int(row[6]) for row in rows if len(row) > 6 and row[1] in FAULTS.load() and row[6].isdigit()}


def test_nine_of_ten_faults_are_found_by_the_tests_of_their_clause() -> None:
    """Others show rarely, or at one request of another clause's test, or in the readings of many sessions together."""
    sent = committed_requests()
    assert set(sent) == set(FAULTS.load())
    assert sum(requests < FEW for requests in sent.values()) > 0.9 * len(sent)


@pytest.mark.parametrize("name", share(FAULTS.load(), 40))
def test_a_fault_is_found_by_the_tests_of_its_clause(name: str) -> None:
    """A share; `--only` sends fewer requests than the whole check, where the committed table says so."""
    found = trial("fault", name, quick=True)
    assert found.passed, found
    assert found.requests < FEW or committed_requests()[name] >= FEW or name.startswith(("sometimes-", "race-")), found


@pytest.mark.parametrize("name", share(NINE_VARIANTS, 4))
def test_a_faithful_variant_is_not_accused(name: str) -> None:
    """By a whole check: credentials, words, dates, translation, order of refusals. `default` is the command's below."""
    judged = trial("variant", name)
    assert judged.passed, judged


def test_the_default_budget_has_room_for_all_but_what_is_said_to_need_more() -> None:
    """400 requests and 120 uploads by default: the most telling first, and only repetition is left out."""
    limits = Limits().within_flow(flow())
    assert (limits.requests, limits.uploads) == (400, 120)
    gate = checked().gate
    begun = {exchange.test.partition("[")[0] for exchange in gate.recorded}
    planned = {test.test.partition("[")[0] for test in run_contract_tests(None).plan}
    assert planned - begun <= {"test_open_repeats", "test_random_walks"}
    assert len(gate.recorded) <= limits.requests
    # Whatever was read is billed, also what was sent to be refused.
    known, others = (
        [found for found in gate.recorded if found.endpoint in flow().uploads and bool(found.picture) is wanted]
        for wanted in (True, False)
    )
    read = [
        found for found in others if isinstance(found.answer_body, dict) and found.answer_body.get("isSuccess") is True
    ]
    assert read
    assert gate.budget.uploads_sent == len(known) + len(read)
    # Every form of a picture is shown on each side.
    shown = {(exchange.endpoint, exchange.intent.removeprefix("the card as ")) for exchange in gate.recorded}
    assert shown >= {(step, form) for step in flow().uploads for form in FORMS}


@pytest.mark.whole
def test_who_keeps_no_order_takes_nothing_from_another_session() -> None:
    """That ApproveFront comes first is expected alone: sessions that are kept apart are documented."""
    judged = checked(faults=("loose-approve-front-approve-back",))
    results = judged.gate.ledger.results(judged.not_tried)
    roots = [r.id for r in results if r.verdict is Verdict.BROKEN and not r.cause]
    assert roots == ["order.approve-back-after-approve-front"]


@pytest.mark.whole
def test_the_command_writes_what_it_found(tmp_path: Path) -> None:
    """One fault by a whole check, one variant, in processes of their own."""
    results = prove(tmp_path, ["approved-as-object", "default"], resume=False, say=lambda line: None)
    assert [(t.kind, t.name, t.passed) for t in results] == [
        ("fault", "approved-as-object", True),
        ("variant", "default", True),
    ]
    assert (tmp_path / "prove.md").read_text(encoding="utf-8").count("| yes |") == 1


def test_unknown_names_are_refused() -> None:
    with pytest.raises(UsageError, match="no fault or variant"):
        trials_named(["no-such-fault"])
