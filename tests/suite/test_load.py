"""Load: when onboardings are due, what is counted, and a generator that tells the truth about itself."""

from itertools import pairwise
from pathlib import Path

import pytest
from hdrh.histogram import HdrHistogram
from pydantic import SecretStr

from kycgate.embedded import embedded_sandbox
from kycgate.errors import CannotJudge, UsageError
from kycgate.exchange import Clocks
from kycgate.load import LoadPlan, run_load
from kycgate.load.clocks import Recorder
from kycgate.load.pacing import arrivals
from kycgate.profile import Profile, Secrets
from kycgate.sandbox import LatencyModel, SandboxSettings

MS = 1_000_000


@pytest.mark.parametrize(
    ("rate", "duration", "expected"),
    [
        (1, 3, [0, 1, 2]),  # evenly, the end excluded
        (4, 1, [0, 0.25, 0.5, 0.75]),
        (0.5, 3, [0, 2]),  # slower than one a second
        (1, 0.5, [0]),  # shorter than one gap
    ],
)
def test_even_arrivals(rate: float, duration: float, expected: list[float]) -> None:
    assert list(arrivals(rate, duration)) == expected


def test_poisson_arrivals_repeat_and_keep_the_rate() -> None:
    due = list(arrivals(50, 100, poisson=True, seed=3))
    assert due == list(arrivals(50, 100, poisson=True, seed=3))
    assert due != list(arrivals(50, 100, poisson=True, seed=4))
    assert all(a < b for a, b in pairwise(due))
    # 5000 expected, standard deviation 71.
    assert abs(len(due) - 5_000) < 5 * 71


@pytest.mark.parametrize(("rate", "duration"), [(0, 1), (1, 0), (-1, 1)])
def test_impossible_arrivals(rate: float, duration: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        list(arrivals(rate, duration))


def test_response_counts_from_due_and_service_from_sent(tmp_path: Path) -> None:
    recorder = Recorder()
    for n in range(1, 101):
        due = n * MS
        clocks = Clocks(due, due + 5 * MS, due + 25 * MS, due + 8 * MS, due + 24 * MS)
        recorder.add("upload_front", clocks, 0, failed=n == 1, upload=True)
    found = {str(latency.clock): latency for latency in recorder.latencies()}
    for clock, expected in {
        "response": 25,
        "service": 20,
        "waiting": 5,
        "sending": 3,
        "thinking": 16,
        "reading": 1,
    }.items():
        assert found[clock].p50 == pytest.approx(expected, rel=0.001), clock
        decoded = HdrHistogram.decode(found[clock].histogram.encode())
        assert decoded.get_total_count() == found[clock].count == 100
    assert found["response"].failures == 1
    recorder.write_hlog(tmp_path / "latency.hlog", 0.0)
    assert "Tag=upload_front" in (tmp_path / "latency.hlog").read_text()


def test_a_stall_is_seen_by_those_who_were_due_in_it(tmp_path: Path) -> None:
    """The target stalls 0.6 s in every 1.2 s: an open workload must see about the stall's length at its tail."""
    stalling = SandboxSettings(latency=LatencyModel(base_ms=5, stall_every_s=1.2, stall_ms=600))
    with embedded_sandbox(Profile(), stalling) as sandbox:
        plan = LoadPlan(base_url=str(sandbox.profile.base_url), rate=10, duration_s=4, seed=1)
        outcome = run_load(plan, sandbox.secrets, tmp_path)
    assert not outcome.void
    front = next(s for s in outcome.result.latencies if (s.name, s.clock) == ("upload_front", "response"))
    assert 400 <= front.p95 <= 800
    assert outcome.result.scheduled == outcome.result.recorded + outcome.result.in_flight + outcome.result.not_started


def test_wrong_answers_are_failures_however_fast(tmp_path: Path) -> None:
    with embedded_sandbox(Profile(), faults=("age-as-text",)) as sandbox:
        plan = LoadPlan(base_url=str(sandbox.profile.base_url), rate=5, duration_s=2, seed=1)
        outcome = run_load(plan, sandbox.secrets, tmp_path)
    assert outcome.result.wrong_answers == 10
    assert "result.properties" in outcome.wrong_examples[0]


def test_load_without_tokens_cannot_be_judged(tmp_path: Path) -> None:
    with embedded_sandbox(Profile()) as sandbox:
        wrong = Secrets(tenant_id="tenant-1", tenant_secret=SecretStr("wrong"))
        outcome = run_load(LoadPlan(base_url=str(sandbox.profile.base_url), rate=1, duration_s=1), wrong, tmp_path)
    assert "no tokens could be minted" in outcome.void


def test_too_few_keys_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="too few"):
        run_load(
            LoadPlan(base_url="http://127.0.0.1:1", rate=50, duration_s=1),
            Secrets(api_keys=(SecretStr("k"),)),
            tmp_path,
        )


def test_a_dead_generator_is_said(tmp_path: Path) -> None:
    plan = LoadPlan(base_url="http://127.0.0.1:1", rate=1, duration_s=1, specimens=tmp_path / "missing")
    with pytest.raises(CannotJudge, match="without a result"):
        run_load(plan, Secrets(tenant_id="t", tenant_secret=SecretStr("s")), tmp_path)
