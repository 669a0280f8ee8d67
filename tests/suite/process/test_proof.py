"""A share of `kycgate prove` for every run of the tests; the whole of it is the command's."""

from pathlib import Path

import pytest

from kycgate.check.prove import KEY_VARIANTS, prove, trials_named
from kycgate.contracts.clauses import CATALOGUE
from kycgate.errors import UsageError
from kycgate.sandbox import FAULTS, variants

TEN_VARIANTS = (
    *("default", "translation-off", "bearer-only", "bare-only", "dates-offset", "dates-naive", "english-words"),
    *("order-404", "everything", "fixed-keys"),
)


def test_there_are_enough_of_each() -> None:
    kinds = {fault.kind for fault in FAULTS.load().values()}
    assert kinds == {"shape", "status", "auth", "order", "semantics", "robustness", "state"}
    assert len(FAULTS.load()) >= 120
    assert len(variants() | KEY_VARIANTS) >= 30


def test_every_clause_is_broken_by_a_fault() -> None:
    assert {fault.clause for fault in FAULTS.load().values()} == {promise.id for promise in CATALOGUE}


def test_the_committed_proof_is_of_these_faults() -> None:
    """docs/prove.md is the whole of it: a new fault, or one that is not found, shows here."""
    text = (Path(__file__).parents[3] / "docs" / "prove.md").read_text(encoding="utf-8")
    found = {line.split("|")[1].strip() for line in text.splitlines() if "| yes |" in line}
    assert found == set(FAULTS.load())


def test_faults_are_found_and_the_faithful_are_not_accused(tmp_path: Path) -> None:
    """Every eighth fault, and ten variants: credentials, words, dates, translation, order of refusals."""
    chosen = [*list(FAULTS.load())[::8], *TEN_VARIANTS]
    results = prove(tmp_path, chosen, resume=False, say=lambda line: None)
    failed = [trial for trial in results if not trial.passed]
    assert not failed, [(t.name, t.exit_code, t.broken, t.not_tried, t.reason) for t in failed]
    assert (tmp_path / "prove.md").read_text(encoding="utf-8").count("| yes |") == len(list(FAULTS)[::8])


def test_unknown_names_are_refused() -> None:
    with pytest.raises(UsageError, match="no fault or variant"):
        trials_named(["no-such-fault"])
