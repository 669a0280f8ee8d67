"""What a contract test promises: the clauses it judges and what it costs at most."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from kycgate.contracts.clauses import CORE, clauses

MARK = "judges"


def judges(
    *ids: str, requests: int, uploads: int = 0, telling: int = 5, asked: str = "", slow: bool = False
) -> pytest.MarkDecorator:
    """Marks a contract test with the clauses it judges, what it sends at most, and how telling it is.

    `telling` orders the plan: 9 goes first, 0 last. A test that the budget has no room for is not begun. `asked` names
    the profile's switch without which the test is not part of the plan. A `slow` one pauses, or uploads
    many times in a row: where several run at once it begins first.

    Raises:
        KeyError: the catalogue has no such clause.
    """
    clauses(ids)
    return getattr(pytest.mark, MARK)(*ids, requests=requests, uploads=uploads, telling=telling, asked=asked, slow=slow)  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class PlannedTest:
    """One line of the plan."""

    test: str
    clauses: tuple[str, ...]
    requests: int
    uploads: int
    telling: int
    asked: str
    slow: bool = False


def planned(item: pytest.Item) -> PlannedTest | None:
    """What the test's mark says; None when it is not a contract test."""
    mark = item.get_closest_marker(MARK)
    if mark is None:
        return None
    return PlannedTest(
        item.name,
        tuple(mark.args),
        mark.kwargs["requests"],
        mark.kwargs["uploads"],
        mark.kwargs["telling"],
        mark.kwargs["asked"],
        mark.kwargs["slow"],
    )


MOST_TELLING = 8
"""From here on a test goes first whatever others judge: the flow itself, its order, its credentials."""


def _function(test: PlannedTest) -> str:
    return test.test.partition("[")[0]


def places(plan: Sequence[PlannedTest]) -> dict[PlannedTest, tuple[int, int]]:
    """By which to sort a plan: what the core takes, the most telling, those that alone judge a clause, the others.

    So a budget that is too small for all costs repetition first, and the verdict on the whole last.
    """
    judged = Counter(name for test in plan for name in test.clauses)
    lacking = set(CORE)
    core: set[str] = set()
    """Functions: only all their cases together judge what they name."""
    for test in sorted(plan, key=lambda test: -test.telling):
        if lacking & {*test.clauses}:
            core.add(_function(test))
            lacking -= {*test.clauses}

    def rank(test: PlannedTest) -> int:
        if _function(test) in core:
            return 0
        if test.telling >= MOST_TELLING:
            return 1
        return 2 if any(judged[name] == 1 for name in test.clauses) else 3

    return {test: (rank(test), -test.telling) for test in plan}
