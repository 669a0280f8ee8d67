"""The second stand-in vendor: faithful, apart from the sandbox, and each of its faults breaks a clause that exists."""

import ast
from pathlib import Path

from kycgate.contracts.clauses import CATALOGUE
from kycgate.tests.suite.checks import benchmark

ROOT = Path(__file__).resolve().parents[3]


def test_a_faithful_vendor_of_another_hand_is_accused_of_nothing() -> None:
    said = benchmark("standin").check("")
    assert (said.exit_code, said.broken) == (0, frozenset()), said.reason


def test_a_fault_of_that_vendor_is_named() -> None:
    said = benchmark("standin").check("idle-two-seconds", frozenset({"session.idle"}))
    assert said.broken == {"session.idle"}


def test_it_shares_nothing_with_the_sandbox_and_stays_small() -> None:
    for path in (ROOT / "tests" / "standin").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        names = [n.module or "" for n in ast.walk(ast.parse(text)) if isinstance(n, ast.ImportFrom)]
        assert not [name for name in names if name.startswith("kycgate.sandbox")], path
        assert len(text.splitlines()) < 500


def test_its_faults_name_clauses_of_the_catalogue() -> None:
    faults = benchmark("standin").FAULTS
    assert len(faults) >= 40
    assert {fault.clause for fault in faults.values()} <= {promise.id for promise in CATALOGUE}
