"""Runs the planned contract tests, several at once, against one gate: one budget, one rate, one ledger."""

import inspect
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kycgate.errors import BudgetExhausted, CannotJudge
from kycgate.gate.gate import Gate
from kycgate.gate.plan import PlannedTest, planned
from kycgate.text import one_line

MAX_AGAIN = 6
"""Tests that are run again by themselves, to learn whether a breach needs several requests at once."""
_GLANCE_S = 0.2
"""Seconds after which a wait looks for signals again."""


class Attempt:
    """One test's run: why it could not judge its clauses; empty when it could."""

    def __init__(self) -> None:
        self.reason = ""


@contextmanager
def attempt(gate: Gate, plan: PlannedTest, not_tried: dict[str, str]) -> Iterator[Attempt]:
    """A test runs inside: its requests carry its name, and what stops it is the reason of its clauses."""
    tried = Attempt()
    gate.target.test = plan.test
    try:
        yield tried
    except CannotJudge as error:
        tried.reason = str(error)
        give_up(gate, plan, error, not_tried)
    else:
        for clause_id in plan.clauses:
            if not gate.ledger.judged(clause_id):
                gate.ledger.unclear(clause_id, "tried, but no answer could be used as evidence")
    finally:
        gate.target.test = ""


def give_up(gate: Gate, plan: PlannedTest, error: CannotJudge, not_tried: dict[str, str]) -> None:
    """The test's clauses were not tried, or are unclear, for this reason."""
    for clause_id in plan.clauses:
        if isinstance(error, BudgetExhausted):
            not_tried.setdefault(clause_id, str(error))
        else:
            gate.ledger.unclear(clause_id, str(error))


class SideBySide:
    """A pytest plugin that takes over the running of the tests which pytest has collected.

    With fixed keys, a test that opens sessions itself runs by itself: it needs more than one key.
    """

    def __init__(
        self,
        gate: Gate,
        *,
        jobs: int,
        thorough: bool,
        not_tried: dict[str, str],
        begins: Callable[[int, PlannedTest], None],
    ) -> None:
        """`begins` is called, one call at a time, as a test begins: with how many have ended, and its plan."""
        self._gate = gate
        self._jobs = jobs
        self._thorough = thorough
        self._not_tried = not_tried
        self._begins = begins
        self._changed = threading.Condition()
        self._running: dict[str, PlannedTest] = {}
        self._waiting: list[pytest.Function] = []
        self._sure = 0
        """How many, from the first of the plan on, the budget surely pays."""
        self._plans: dict[str, PlannedTest] = {}
        self._place: dict[str, int] = {}
        """By test: its place in the plan."""
        self._done = 0
        self._alone = False
        """Whether the test that runs wants no other beside it."""
        self.crashed: list[str] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run them all, the first ones first, and those again that may need several at once to fail."""
        items = [item for item in session.items if isinstance(item, pytest.Function)]
        if self._jobs == 1:
            for item in items:
                self._begin(item)
                self._run(item)
            return True
        self._waiting = sorted(items, key=lambda item: (not self._plan(item).slow, -self._plan(item).requests))
        self._sure = self._surely_paid(items)
        self._place = {item.nodeid: place for place, item in enumerate(items)}
        while self._waiting:
            item = self._next()
            self._waiting.remove(item)
            self._begin(item)
            threading.Thread(target=self._run, args=[item], daemon=True).start()
        self._wait_until(lambda: not self._running)
        wanted = self._gate.ledger.to_be_tried_alone()
        for item in [item for item in items if item.name in wanted][:MAX_AGAIN]:
            if self._has_room(self._plan(item)) and not self.crashed:
                self._begin(item)
                self._run(item)
        return True

    def _surely_paid(self, items: list[pytest.Function]) -> int:
        """How many the budget has room for, the most telling first. The others may have what these do not use."""
        requests = uploads = 0
        for number, item in enumerate(items):
            requests, uploads = requests + self._plan(item).requests, uploads + self._plan(item).uploads
            if not self._gate.budget.has_room(requests=requests, uploads=uploads):
                return number
        return len(items)

    def _next(self) -> pytest.Function:
        """The longest that may begin, so that none is still at it when the others have ended; waits for it."""
        found: list[pytest.Function] = []

        def look() -> bool:
            found[:] = [item for item in self._waiting if self._may_begin(item)][:1]
            return bool(found) or not self._running

        self._wait_until(look)
        # Where the budget has room for none, the next one of the plan says so.
        return found[0] if found else min(self._waiting, key=lambda item: self._place[item.nodeid])

    def _wait_until(self, holds: Callable[[], bool]) -> None:
        with self._changed:
            while not holds():
                self._changed.wait(_GLANCE_S)

    def _may_begin(self, item: pytest.Function) -> bool:
        """Whether it may run beside those that do. What they may still send is kept for them."""
        if self._running and (len(self._running) >= self._jobs or self._alone or self._wants_to_be_alone(item)):
            return False
        requests, uploads = self._plan(item).requests, self._plan(item).uploads
        for other in self._running.values():
            sent = self._gate.target.sent_by(other.test)
            requests += max(other.requests - sent[0], 0)
            uploads += max(other.uploads - sent[1], 0)
        place = self._place[item.nodeid]
        if place >= self._sure:
            # What comes before it in the plan is more telling.
            kept = [self._plan(other) for other in self._waiting if self._place[other.nodeid] < place]
            requests += sum(plan.requests for plan in kept)
            uploads += sum(plan.uploads for plan in kept)
        return self._gate.budget.has_room(requests=requests, uploads=uploads)

    def _plan(self, item: pytest.Function) -> PlannedTest:
        if item.nodeid not in self._plans:
            plan = planned(item)
            assert plan is not None  # noqa: S101 - only contract tests are collected
            self._plans[item.nodeid] = plan
        return self._plans[item.nodeid]

    def _wants_to_be_alone(self, item: pytest.Function) -> bool:
        return not self._gate.mints_tokens and "gate" in inspect.signature(item.obj).parameters

    def _has_room(self, plan: PlannedTest) -> bool:
        return self._gate.budget.has_room(requests=plan.requests, uploads=plan.uploads)

    def _begin(self, item: pytest.Function) -> None:
        self._begins(self._done, self._plan(item))
        with self._changed:
            self._running[item.nodeid] = self._plan(item)
            self._alone = self._wants_to_be_alone(item)

    def _run(self, item: pytest.Function) -> None:
        plan = self._plan(item)
        try:
            with attempt(self._gate, plan, self._not_tried):
                self._gate.budget.demand(requests=plan.requests, uploads=plan.uploads)
                self._call(item)
        except Exception as error:  # noqa: BLE001 - a test of ours that crashes must not pass for a verdict
            at = traceback.extract_tb(error.__traceback__)[-1]
            said = one_line(f"{type(error).__name__}: {error}", 300)
            self.crashed.append(f"{item.nodeid}: {said} ({Path(at.filename).name}:{at.lineno})")
        finally:
            with self._changed:
                self._running.pop(item.nodeid, None)
                self._done += 1
                self._changed.notify_all()

    def _call(self, item: pytest.Function) -> None:
        """Call it with what it names: the gate, a session of its own, its parameters."""
        callspec = getattr(item, "callspec", None)
        given = dict(callspec.params) if callspec is not None else {}
        names = inspect.signature(item.obj).parameters
        offered = {"gate": self._gate, "thorough": self._thorough}
        given |= {name: value for name, value in offered.items() if name in names}
        if "session" not in names:
            item.obj(**given)
            return
        opened = self._gate.session(wait=self._jobs > 1 and "gate" not in names)
        try:
            item.obj(session=opened, **given)
        finally:
            self._gate.release(opened)
