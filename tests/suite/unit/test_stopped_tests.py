"""A contract test that is stopped in mid-course, as the budget is spent or the target gone, is none that crashed."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from kycgate.check import side_by_side
from kycgate.errors import BudgetExhausted
from kycgate.gate.gate import Gate
from kycgate.gate.plan import PlannedTest
from kycgate.gate.session import Session
from kycgate.target.budget import Budget
from kycgate.tests.contract.test_order import test_random_walks as random_walks
from kycgate.tests.contract.test_schema import test_drawn_bodies as drawn_bodies


class Stopped:
    """A session of which one request finds the budget spent: the one after it would be paid again."""

    def __init__(self, at: int) -> None:
        self.at, self.asked = at, 0

    def do(self, *_: Any, **__: Any) -> None:
        self.asked += 1
        if self.asked == self.at:
            raise BudgetExhausted("the budget of 400 requests is spent")


def drawn(session: Stopped) -> None:
    drawn_bodies(cast("Gate", SimpleNamespace(seed=1)), cast("Session", session), False)


def walked(session: Stopped) -> None:
    gate = SimpleNamespace(seed=1, session=lambda: session, release=lambda _: None)
    random_walks(cast("Gate", gate), False)


@pytest.mark.parametrize(("run", "at"), [(drawn, at) for at in range(1, 5)] + [(walked, at) for at in range(1, 6)])
def test_what_hypothesis_drives_stops_where_the_budget_is_spent(run: Callable[[Stopped], None], at: int) -> None:
    session = Stopped(at)
    with pytest.raises(BudgetExhausted, match="spent"):
        run(session)
    assert session.asked == at, "Hypothesis sent it again"


def test_a_test_of_ours_that_crashes_is_named_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> None:
        raise RuntimeError("the first\nand the second line")

    plan = PlannedTest("test_it", ("route.post",), requests=1, uploads=0, telling=0, asked="")
    monkeypatch.setattr(side_by_side, "planned", lambda _: plan)
    monkeypatch.setattr(side_by_side.SideBySide, "_call", crash)
    gate = SimpleNamespace(target=SimpleNamespace(test=""), budget=Budget())
    tests = side_by_side.SideBySide(
        cast("Gate", gate), jobs=1, thorough=False, not_tried={}, begins=lambda done, plan: None
    )
    tests._run(cast("pytest.Function", SimpleNamespace(nodeid="test_order.py::test_it")))
    (said,) = tests.crashed
    assert said.startswith(
        "test_order.py::test_it: RuntimeError: the first\u240aand the second line (test_stopped_tests.py:"
    )
