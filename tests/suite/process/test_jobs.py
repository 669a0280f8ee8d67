"""Several contract tests at once give the verdicts that one after another gives."""

import json
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kycgate.check.embedded import embedded_sandbox
from kycgate.check.runner import run_contract_tests
from kycgate.errors import CannotJudge
from kycgate.gate.gate import Gate
from kycgate.judging.ledger import Ledger, Observation
from kycgate.runs.clause import Verdict
from kycgate.sandbox import FAULTS, TENANT, TENANT_SECRET, RunningSandbox, SandboxSettings, variants
from kycgate.settings.profile import Profile
from kycgate.target.budget import Budget
from kycgate.target.exchange import Clocks, Exchange
from kycgate.tests.suite.conftest import Call
from kycgate.tests.suite.shares import share

NAMES = share(random.Random(20).sample(sorted(FAULTS.load()), 20), 20)
VARIANTS = share(sorted(variants()), 40)


def broken(fault: str = "", variant: str = "", *, jobs: int, keys: int = 0) -> set[str]:
    """The clauses that a check finds broken."""
    settings = variants()[variant] if variant else None
    with embedded_sandbox(Profile(), settings, (fault,) if fault else (), keys=keys) as sandbox:
        gate = Gate(sandbox.profile, sandbox.secrets, seed=7, expired_token=sandbox.expired_token)
        try:
            gate.preflight()
            run_contract_tests(gate, strict=True, jobs=jobs)
        except CannotJudge:
            pass
        finally:
            gate.settle()
            gate.close()
        results = gate.ledger.results()
    if not fault:
        assert [result.id for result in results if result.verdict is Verdict.KEPT]
    return {result.id for result in results if result.verdict is Verdict.BROKEN}


@pytest.mark.parametrize("fault", NAMES)
def test_the_same_clauses_are_broken(fault: str) -> None:
    found, at_once = broken(fault, jobs=1), broken(fault, jobs=8)
    own = FAULTS.load()[fault].clause
    if own.startswith(("session.", "token.")):
        # Where sessions disturb each other, those that run side by side are disturbed in more ways.
        assert own in found & at_once
    else:
        assert found
        assert at_once == found


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_faithful_variant_is_accused(variant: str) -> None:
    assert not broken(variant=variant, jobs=8)


def test_fixed_keys_are_shared_out() -> None:
    assert not broken(jobs=3, keys=3)


def _exchange(*, at_once: bool) -> Exchange:
    clocks = Clocks(0, 0, 1)
    return Exchange(1, "upload_front", "POST", "/", {}, b"", "s1", clocks, status=200, at_once=at_once)


@pytest.mark.parametrize(
    ("alone", "at_once", "said"),
    [(9, 6, "only when several at once"), (2, 20, "sometimes (6 of 28)"), (0, 6, "sometimes (6 of 12)")],
)
def test_what_breaks_beside_others_alone_is_said_to(alone: int, at_once: int, said: str) -> None:
    """Good answers to requests that had none beside them show it, where they are too many for luck."""
    ledger = Ledger()
    for ok, count, beside in ((False, 6, True), (True, at_once, True), (True, alone, False)):
        for _ in range(count):
            ledger.add([Observation("status.no-5xx", ok, "no 5xx", "500")], _exchange(at_once=beside), None)
    (result,) = [result for result in ledger.results() if result.id == "status.no-5xx"]
    assert result.frequency == said


def test_a_breach_that_others_were_beside_is_tried_alone() -> None:
    ledger = Ledger()
    beside, by_itself = _exchange(at_once=True), _exchange(at_once=False)
    beside.test, by_itself.test = "test_beside", "test_by_itself"
    ledger.add([Observation("status.no-5xx", False)], beside, None)
    ledger.add([Observation("status.documented", False)], beside, None)
    ledger.add([Observation("status.documented", False)], by_itself, None)
    assert ledger.to_be_tried_alone() == ["test_beside"]


def test_requests_keep_under_a_rate_limit_that_was_met() -> None:
    """However many threads send: a 429 puts off all of them, and from then on they keep to what was answered."""
    budget = Budget()
    for _ in range(10):
        budget.take(upload=False)
        budget.answered()
    assert budget.put_off(time.monotonic(), 0.5) == pytest.approx(0.5, abs=0.1)
    assert budget.put_off(time.monotonic() - 1, 0.5) < 0.1, "what was put off together waits together"
    assert budget.held_to == budget.slowest == pytest.approx(8.0)
    assert budget.put_offs == 2
    begun = time.monotonic()
    threads = [threading.Thread(target=budget.take, kwargs={"upload": False}) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - begun >= 0.45 + 3 / 8


def test_a_run_says_that_its_pace_was_lowered(tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """In run.json, and in one line on the terminal; where no limit was met, in neither."""
    monkeypatch.setenv("KYCGATE_TENANT_ID", TENANT)
    monkeypatch.setenv("KYCGATE_TENANT_SECRET", TENANT_SECRET)
    for limit in (0, 1):
        settings = SandboxSettings(tenants={TENANT: TENANT_SECRET}, tokens_a_second=limit)
        out = tmp_path / str(limit)
        with RunningSandbox(settings) as sandbox:
            wanted = ("--only", "token.issued", "--only", "token.refused", "--jobs", "8", "--out", str(out))
            code, said, wrong = call("check", "--base-url", sandbox.base_url, *wanted)
        assert code == 0, said + wrong
        held_to = json.loads((out / "run.json").read_text())["held_to"]
        lines = [line for line in said.splitlines() if "limits its rate" in line]
        if limit:
            assert 0 < held_to < 50
            assert len(lines) == 1
            assert f"to {held_to:.3g} requests a second" in lines[0]
        else:
            assert held_to is None
            assert not lines


def test_a_fixed_key_runs_one_test_at_a_time(sandbox_with_key: Gate) -> None:
    assert sandbox_with_key.jobs == 1


@pytest.fixture
def sandbox_with_key() -> Iterator[Gate]:
    with embedded_sandbox(Profile(), SandboxSettings(), keys=1) as sandbox:
        gate = Gate(sandbox.profile, sandbox.secrets, seed=1)
        yield gate
        gate.close()
