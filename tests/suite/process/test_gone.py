"""A target that goes away in mid-check could not be judged; one that fails now and then breaks its promise."""

import itertools
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import httpx
import pytest

from kycgate.check.embedded import embedded_sandbox
from kycgate.check.runner import run_contract_tests
from kycgate.contracts.clauses import CORE
from kycgate.contracts.flows.national_id import APPROVE_BACK
from kycgate.gate.gate import GONE_AFTER, Gate
from kycgate.gate.session import Credential, Interrupted, Session
from kycgate.runs.clause import Verdict
from kycgate.runs.verdict import exit_code_of
from kycgate.settings.profile import Profile
from kycgate.target.client import Target
from kycgate.target.requests import Outcome, Variation

REFUSED = httpx.ConnectError("[Errno 111] Connection refused")
HUNG_UP = httpx.RemoteProtocolError("Server disconnected without sending a response.")
TRIES = 14


def fail(monkeypatch: pytest.MonkeyPatch, error_of: Callable[[int], Exception | None]) -> None:
    """Requests may meet an error, by their number, instead of the target; its return is not waited for."""
    numbers, receive = itertools.count(1), Target._receive

    def failing(self: Target, *arguments: Any) -> None:
        if error := error_of(next(numbers)):
            with self._transport.within(1):
                raise error
        receive(self, *arguments)

    monkeypatch.setattr(Target, "_receive", failing)
    monkeypatch.setattr("kycgate.target.client.PAUSES_S", (0.0,) * TRIES)


def judged(faults: tuple[str, ...] = ()) -> tuple[int, str, dict[str, Verdict]]:
    """A whole check of the sandbox: exit code, the line, the verdicts."""
    with embedded_sandbox(Profile(), faults=faults) as sandbox:
        gate = Gate(sandbox.profile, sandbox.secrets, seed=1)
        gate.preflight()
        not_tried = run_contract_tests(gate).not_tried
        cannot = gate.settle() or gate.gave_up
        gate.close()
    results = gate.ledger.results(not_tried)
    code, reason = exit_code_of(results, [], strict=False, cannot_judge=cannot, demanded=CORE)
    return int(code), reason, {result.id: result.verdict for result in results}


@pytest.mark.parametrize("error", [REFUSED, httpx.ReadError("Connection reset by peer"), httpx.ConnectTimeout("")])
def test_a_target_that_goes_away_could_not_be_judged(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was judged before stands, and the moment it went away is said."""
    fail(monkeypatch, lambda number: error if number > 30 else None)
    code, reason, verdicts = judged()
    assert re.match(r"no answer since \d\d:\d\d:\d\d UTC \(request 31, \w+\): ", reason)
    assert re.search(r" requests in a row; \d+ clauses kept, \d+ (not tried|unclear)", reason)
    assert (code, Verdict.BROKEN in verdicts.values()) == (3, False)
    assert verdicts["upload.accepted"] is verdicts["answer.in-time"] is Verdict.KEPT


@pytest.mark.parametrize(("hangs_up", "code"), [(31, 3), (29, 1)])
def test_whom_it_hung_up_on_as_it_went_is_no_breach(hangs_up: int, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one request that was under way; not those before it."""
    fail(monkeypatch, lambda number: None if number < hangs_up else HUNG_UP if number <= 31 else REFUSED)
    assert judged()[0] == code


def test_a_breach_from_before_it_went_away_stays_one(monkeypatch: pytest.MonkeyPatch) -> None:
    fail(monkeypatch, lambda number: REFUSED if number > 30 else None)
    code, reason, verdicts = judged(("approved-as-object",))
    assert (code, reason.startswith("1 clause broken: approve.true; ")) == (1, True)
    assert verdicts["answer.in-time"] is Verdict.KEPT


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (lambda number: number > 20 and number % 5 == 0, REFUSED),
        (lambda number: 20 < number <= 20 + TRIES - 1, REFUSED),
        (lambda number: number > 30, HUNG_UP),
        (lambda number: number > 30, httpx.ReadTimeout("")),
    ],
    ids=["now and then", "away and back", "one hang-up", "silence"],
)
def test_one_that_fails_while_somebody_is_there_breaks_its_promise(
    wrong: Callable[[int], bool], error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(monkeypatch, lambda number: error if wrong(number) else None)
    code, reason, verdicts = judged()
    assert (code, verdicts["answer.in-time"]) == (1, Verdict.BROKEN), reason


@pytest.mark.parametrize(("last", "broken"), [(1, True), (GONE_AFTER - 1, True), (GONE_AFTER, False)])
def test_a_failure_at_the_very_end_is_no_going_away(last: int, broken: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    fail(monkeypatch, lambda number: REFUSED if number > 2 else None)
    with embedded_sandbox(Profile()) as sandbox:
        gate = Gate(sandbox.profile, sandbox.secrets, seed=1)
        session = Session(gate, "s1", Credential("none", "bare"), gate.cards.take())
        for _ in range(2 + last):
            with suppress(Interrupted):
                session.do(APPROVE_BACK, variation=Variation("of no clause", Outcome.ANY))
        assert gate.ledger.breaches()["answer.in-time"] == 0
        assert bool(gate.settle()) is not broken
        assert gate.ledger.breaches()["answer.in-time"] == (last if broken else 0)
        gate.close()
