"""What `--only` names, and which contract tests it leaves."""

from collections import Counter

import pytest

from kycgate.check.runner import run_contract_tests
from kycgate.errors import UsageError
from kycgate.settings.selection import clauses_named


@pytest.mark.parametrize(
    ("names", "some", "count"),
    [
        ((), set(), 0),
        (("auth.expired",), {"auth.expired"}, 1),
        (("auth",), {"auth.missing", "auth.unknown", "auth.expired"}, 5),
        (("auth", "order.closed", "auth.expired"), {"auth.missing", "order.closed"}, 6),
    ],
)
def test_a_name_is_a_clause_or_a_family(names: tuple[str, ...], some: set[str], count: int) -> None:
    found = clauses_named(names)
    assert some <= found
    assert len(found) == count


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("auth.expird", "did you mean 'auth.expired'"),
        ("ordr", "did you mean 'order'"),
        ("auth.", "did you mean 'auth'"),
        ("", "`kycgate clauses` lists them"),
        ("AUTH.EXPIRED", "`kycgate clauses` lists them"),
    ],
)
def test_an_unknown_name_is_a_wrong_call(name: str, hint: str) -> None:
    with pytest.raises(UsageError, match="no clause or family is named") as said:
        clauses_named(["auth", name])
    assert hint in str(said.value)


def test_the_tests_that_name_a_clause_are_run_and_no_others() -> None:
    whole = run_contract_tests(None).plan
    for names in ({"auth.expired"}, {"order.closed", "token.sibling"}):
        chosen = run_contract_tests(None, only=names).plan
        assert set(chosen) == {test for test in whole if names & {*test.clauses}}


def test_the_plan_of_one_clause_is_short() -> None:
    """No clause takes half of the whole plan, but for that of 5xx, which odd requests of every kind may bring out."""
    costs: Counter[str] = Counter()
    whole = run_contract_tests(None).plan
    for test in whole:
        costs.update(dict.fromkeys(test.clauses, test.requests))
    half = sum(test.requests for test in whole) / 2
    assert [name for name, cost in costs.items() if cost >= half and name != "status.no-5xx"] == []
    assert sorted(costs.values())[len(costs) // 2] <= 24
