"""Load: when onboardings are due, what is counted, and a generator that tells the truth about itself."""

import socket
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hdrh.histogram import HdrHistogram
from pydantic import SecretStr

from kycgate.embedded import embedded_sandbox
from kycgate.errors import CannotJudge, UsageError
from kycgate.exchange import Clocks
from kycgate.load import LoadOutcome, LoadPlan, run_load
from kycgate.load.clocks import Recorder
from kycgate.load.pacing import arrivals
from kycgate.load.sizes import fit, size_points
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


@pytest.mark.parametrize(
    ("shape", "rate", "duration", "expected"),
    [
        ("steady", 10, 10, 100),
        ("soak", 2, 50, 100),
        ("ramp", 10, 10, 55),  # from 1 to 10 a second: 5.5 on average
        ("step", 10, 10, 60),  # 2, 4, 6, 8, 10 a second for 2 s each
        ("spike", 10, 10, 28),  # 2 a second for 9 s, 10 for 1 s
    ],
)
def test_shapes_have_the_area_under_their_rate(shape: str, rate: float, duration: float, expected: int) -> None:
    due = list(arrivals(rate, duration, shape=shape))
    assert len(due) == expected
    assert all(a < b for a, b in pairwise(due))
    assert 0 <= due[0] < due[-1] < duration
    many = [len(list(arrivals(rate, duration, shape=shape, poisson=True, seed=seed))) for seed in range(200)]
    # A Poisson count's variance is its mean: 200 runs know the mean to 1/14 of its deviation.
    assert abs(sum(many) / 200 - expected) < 5 * (expected / 200) ** 0.5


def test_a_spike_is_where_it_is_said_to_be() -> None:
    due = list(arrivals(10, 100, shape="spike"))
    assert sum(45 <= moment < 55 for moment in due) == pytest.approx(100, abs=1)


def test_an_unknown_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="no shape"):
        list(arrivals(1, 1, shape="zigzag"))


def test_the_fit_finds_the_slope_in_spite_of_stalls() -> None:
    measured = [(size, 40 + 25 * size / 1e6) for size in (300_000, 1_000_000, 3_000_000) for _ in range(50)]
    measured[::10] = [(size, ms + 2_000) for size, ms in measured[::10]]
    found = fit(measured)
    assert found["slope_ms_per_mb"] == pytest.approx(25)
    assert found["intercept_ms"] == pytest.approx(40)
    assert fit([(300_000, 1.0), (300_000, 2.0)]) == {}
    assert [point.count for point in size_points(measured)] == [50, 50, 50]


def _run(tmp_path: Path, **plan: Any) -> LoadOutcome:
    with embedded_sandbox(Profile()) as sandbox:
        return run_load(LoadPlan(base_url=str(sandbox.profile.base_url), seed=1, **plan), sandbox.secrets, tmp_path)


def test_closed_people_think_between_steps(tmp_path: Path) -> None:
    """Four people with half a second's mean pauses in 3 s cannot do more than about so many steps."""
    outcome = _run(tmp_path, rate=1, duration_s=3, people=4, think_s=0.5)
    assert outcome.result.recorded == outcome.result.scheduled > 0
    assert outcome.requests < 4 * 3 / 0.5 * 3
    assert outcome.result.wrong_answers == 0


def test_orders_retries_and_sizes_are_legal(tmp_path: Path) -> None:
    outcome = _run(tmp_path, rate=8, duration_s=3, client_order_share=0.5, retry_share=0.5, sizes=(300_000, 900_000))
    assert outcome.result.wrong_answers == outcome.unavailable == 0
    counts = {s.name: s.count for s in outcome.result.latencies if s.clock == "response"}
    assert counts["upload_front"] == counts["onboarding"] == 24
    assert 0 < counts["upload_front_unreadable"] < 24
    assert [point.size_bytes for point in outcome.result.sizes] == [300_000, 900_000]


@pytest.mark.parametrize(("stop", "most"), [({"max_uploads": 7}, 7), ({"max_requests": 9}, 9)])
def test_hard_stops_are_hard(tmp_path: Path, stop: dict[str, int], most: int) -> None:
    outcome = _run(tmp_path, rate=30, duration_s=3, **stop)
    assert (outcome.uploads if "max_uploads" in stop else outcome.requests) == most
    assert str(most) in outcome.result.stopped


def test_a_slow_uplink_is_not_the_vendors_thinking() -> None:
    """The target reads 2 MB at some 4 MB/s, then thinks for 0.1 s: the one is sending, the other is not."""
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)

    def answer() -> None:
        taken, _ = listening.accept()
        left = 2_000_000
        while left > 0:
            left -= len(taken.recv(40_000))
            time.sleep(0.01)
        time.sleep(0.1)
        taken.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ntrue")
        taken.close()

    thread = threading.Thread(target=answer)
    thread.start()
    script = (
        "from gevent import monkey; monkey.patch_all()\nimport time\nfrom kycgate.load.client import Connection\n"
        f"connection = Connection('http://127.0.0.1:{listening.getsockname()[1]}', 30, None)\n"
        "status, _, body, c = connection.post('/', {}, b'x' * 2_000_000, time.perf_counter_ns())\n"
        "print(status, body.decode(), (c.body_sent - c.connected) / 1e6, (c.first_byte - c.body_sent) / 1e6)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    thread.join()
    listening.close()
    status, body, sending, thinking = done.stdout.split()
    assert (status, body) == ("200", "true")
    assert float(sending) > 300
    assert 100 <= float(thinking) < float(sending)


def test_a_failing_target_is_left_alone(tmp_path: Path) -> None:
    with embedded_sandbox(Profile(), faults=("age-as-text",)) as sandbox:
        plan = LoadPlan(base_url=str(sandbox.profile.base_url), rate=40, duration_s=5, max_error_share=0.5)
        outcome = run_load(plan, sandbox.secrets, tmp_path)
    assert "answers failed" in outcome.result.stopped
    assert outcome.requests < 120


def test_fewer_keys_than_people_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="too few for 2 people"):
        run_load(
            LoadPlan(base_url="http://127.0.0.1:1", rate=1, duration_s=1, people=2),
            Secrets(api_keys=(SecretStr("k"),)),
            tmp_path,
        )


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
