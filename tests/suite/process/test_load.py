"""Load: what is counted, and a generator that tells the truth about itself."""

import base64
import http.server
import json
import random
import threading
import time
from array import array
from collections import Counter
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hdrh.histogram import HdrHistogram
from pydantic import SecretStr

from kycgate.check.embedded import embedded_sandbox
from kycgate.cli.load_part import capacity_words
from kycgate.errors import CannotJudge, UsageError
from kycgate.load import LoadOutcome, LoadPlan, Topology, run_load
from kycgate.load.capacity import CapacitySearch, find_capacity
from kycgate.load.clocks import Recorder
from kycgate.load.collect import Collector, Second
from kycgate.load.interval import Interval, pack, unpack
from kycgate.load.self_check import MAX_SLIP_MS
from kycgate.load.sizes import fit, parse_sizes, size_points
from kycgate.load.think import Think
from kycgate.runs.load_model import WHOLE
from kycgate.sandbox import LatencyModel, SandboxSettings
from kycgate.settings.profile import Profile, Secrets
from kycgate.specimens import parse_degradations
from kycgate.target.exchange import Clocks

MS = 1_000_000
NOWHERE = "http://127.0.0.1:1"


@pytest.fixture
def any_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of something else than the generator's pace: other tests may keep the machine busy meanwhile."""
    for name in ("MAX_SLIP_MS", "MAX_LAG_MS", "MAX_GC_MS"):
        monkeypatch.setattr(f"kycgate.load.collect.{name}", 10_000)


def test_the_fit_finds_the_slope_in_spite_of_stalls() -> None:
    measured = [(size, 40 + 25 * size / 1e6) for size in (300_000, 1_000_000, 3_000_000) for _ in range(50)]
    measured[::10] = [(size, ms + 2_000) for size, ms in measured[::10]]
    found = fit(measured)
    assert found["slope_ms_per_mb"] == pytest.approx(25)
    assert found["intercept_ms"] == pytest.approx(40)
    assert fit([(300_000, 1.0), (300_000, 2.0)]) == {}
    points = size_points([(size, ms, ms / 2 if size > 500_000 else None) for size, ms in measured])
    assert [(point.count, point.p50) for point in points] == [(50, 47.5), (50, 65), (50, 115)]
    assert [point.thinking_p50 for point in points] == [None, 32.5, 57.5]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("300,1000", (300_000, 1_000_000)),
        # The middle of nine equal shares is the median; sigma 0 is refused, so a small one stands for none.
        ("lognormal:900,0.0001", (900_000,) * 9),
    ],
)
def test_sizes(text: str, expected: tuple[int, ...]) -> None:
    assert parse_sizes(text) == pytest.approx(expected, rel=0.001)


def test_a_mix_of_sizes_has_its_median_and_spread() -> None:
    mix = parse_sizes("lognormal:900,0.5")
    assert (mix[4], len(mix)) == (900_000, 9)
    # The 1/18 quantile lies 1.593 deviations below: exp(-0.797) of the median.
    assert mix[0] == pytest.approx(900_000 * 0.4508, rel=0.001)
    assert mix[8] * mix[0] == pytest.approx(900_000**2, rel=0.001)


@pytest.mark.parametrize("text", ["x", "50", "300,99999", "lognormal:900", "normal:900,1", "lognormal:900,0", "nan"])
def test_impossible_sizes(text: str) -> None:
    with pytest.raises(ValueError, match="kB|kilobytes"):
        parse_sizes(text)


def test_degradations() -> None:
    assert parse_degradations("blur:0.2, none") == (("blur", 0.2), ("blur", 0.0))
    for wrong in ("blur", "blur:2", "fog:0.1", "blur:x"):
        with pytest.raises(ValueError, match="degradation|strength"):
            parse_degradations(wrong)


def _run(tmp_path: Path, **plan: Any) -> LoadOutcome:
    with embedded_sandbox(Profile()) as sandbox:
        return run_load(LoadPlan(base_url=str(sandbox.profile.base_url), seed=1, **plan), sandbox.secrets, tmp_path)


def test_closed_people_think_between_steps(tmp_path: Path) -> None:
    """Four people with half a second's pauses in 3 s cannot do more than a certain number of steps."""
    outcome = _run(tmp_path, rate=1, duration_s=3, people=4, think=Think("constant", 0.5))
    assert outcome.result.recorded == outcome.result.scheduled > 0
    assert outcome.requests <= 4 * 3 / 0.5 + 4 * 4
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
    # A token is a request too.
    uploads = outcome.uploads + outcome.result.other_uploads
    assert (uploads if "max_uploads" in stop else outcome.result.requests_sent) == most
    assert "limit of" in outcome.result.stopped


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


def clocks_of(due: int) -> Clocks:
    return Clocks(due, due + 5 * MS, due + 25 * MS, due + 8 * MS, due + 24 * MS, due + 6 * MS)


def test_response_counts_from_due_and_service_from_sent(tmp_path: Path) -> None:
    recorder = Recorder()
    for n in range(1, 101):
        recorder.start("upload_front")
        recorder.add("upload_front", clocks_of(n * MS), failed=n == 1, unavailable=n == 1)
    seconds: list[Second] = []
    collector = Collector(LoadPlan(base_url=NOWHERE, rate=1, duration_s=1), 1, tmp_path / "x.hlog", seconds.append)
    recorder.counts.update(requests=100, due=100, begun=100, ended=100)
    collector.add(recorder.cut(0).model_copy(update={"last": True}))
    collector.close()
    result = collector.outcome().result
    found = {str(latency.clock): latency for latency in result.latencies}
    expected = {
        "response": 25,
        "service": 20,
        "waiting": 5,
        "connecting": 1,
        "sending": 2,
        "thinking": 16,
        "reading": 1,
    }
    assert set(found) == set(expected)
    for clock, milliseconds in expected.items():
        assert found[clock].p50 == pytest.approx(milliseconds, rel=0.001), clock
        assert found[clock].mean == milliseconds
        assert HdrHistogram.decode(found[clock].histogram.encode()).get_total_count() == found[clock].count == 100
    assert (found["response"].failures, collector.outcome().unavailable) == (1, 1)
    assert [(point.started, point.finished, point.failures) for point in result.series] == [(100, 100, 1)]
    assert {"Tag=upload_front", "Tag=upload_front.thinking"} <= {
        line.partition(",")[0] for line in (tmp_path / "x.hlog").read_text().splitlines()
    }


def test_a_whole_onboarding_is_the_sum_of_its_steps_without_its_persons_pauses() -> None:
    recorder, whole = Recorder(), Counter[str]()
    for due in (0, 1_000 * MS):  # between them a second to think
        whole.update(recorder.add("upload_front", clocks_of(due), failed=False))
    recorder.add_whole(whole, failed=False)
    found = {clock: list(values) for step, clock, values in recorder.cut(0).each() if step == WHOLE}
    expected = {
        "response": 50,
        "service": 40,
        "waiting": 10,
        "connecting": 2,
        "sending": 4,
        "thinking": 32,
        "reading": 2,
    }
    assert found == {clock: [milliseconds * 1_000] for clock, milliseconds in expected.items()}
    assert sum(expected[phase] for phase in ("connecting", "sending", "thinking", "reading")) == expected["service"]


def test_a_cut_leaves_nothing_behind_and_loses_nothing() -> None:
    recorder = Recorder()
    recorder.start("upload_front")
    first = recorder.cut(0)
    assert (first.started, first.in_flight, first.values) == ({"upload_front": 1}, {"upload_front": 1}, {})
    recorder.add("upload_front", clocks_of(0), failed=False)
    second = recorder.cut(1)
    assert (second.started, second.in_flight) == ({}, {})
    assert {clock: list(values) for _, clock, values in second.each()}["response"] == [25_000]
    assert recorder.cut(2).values == {}


def test_values_beyond_the_range_count_at_its_edge() -> None:
    recorder = Recorder()
    for nanoseconds in (-5, 0, 10**15):
        recorder.put("a", "response", nanoseconds)
    (_, _, values) = next(recorder.cut(0).each())
    assert list(values) == [1, 1, 120_000_000]


def test_packing_is_little_endian_whatever_the_machine() -> None:
    assert base64.b64decode(pack(array("I", [1, 256]))) == b"\x01\0\0\0\0\x01\0\0"
    assert list(unpack(pack(array("I", range(1_000))))) == list(range(1_000))


def _interval(worker: int, second: int, values: list[int], *, last: bool = False) -> Interval:
    count = len(values)
    return Interval(
        worker=worker, second=second, values={"onboarding response": pack(array("I", values))}, last=last,
        started={"onboarding": count}, due=count, begun=count, ended=count, requests=count,
    )  # fmt: skip


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_workers_add_up_exactly_in_whatever_order_they_report(workers: int, tmp_path: Path) -> None:
    """The same values dealt out to any number of workers give the same histogram, second by second."""
    rng = random.Random(workers)
    values = [[int(rng.lognormvariate(10, 1)) for _ in range(300)] for _ in range(4)]
    whole = HdrHistogram(1, 120_000_000, 3)
    for value in chain.from_iterable(values):
        whole.record_value(value)
    seconds: list[Second] = []
    collector = Collector(LoadPlan(base_url=NOWHERE, rate=1, duration_s=4), workers, tmp_path / "l", seconds.append)
    for second in range(4):
        for worker in rng.sample(range(workers), workers):
            collector.add(_interval(worker, second, values[second][worker::workers], last=second == 3))
    collector.close()
    (latency,) = collector.outcome().result.latencies
    assert latency.histogram == whole.encode().decode()
    assert [second.number for second in seconds] == [0, 1, 2, 3]
    assert [second.histograms[WHOLE, "response"].get_total_count() for second in seconds] == [300] * 4
    lines = [line for line in (tmp_path / "l").read_text().splitlines() if line.startswith("Tag=")]
    assert len(lines) == 4


def test_a_slow_worker_delays_no_other_and_is_counted(tmp_path: Path) -> None:
    seconds: list[Second] = []
    collector = Collector(LoadPlan(base_url=NOWHERE, rate=1, duration_s=9), 2, tmp_path / "l", seconds.append)
    for second in range(8):
        collector.add(_interval(0, second, [1_000]))
    assert [second.number for second in seconds] == [0, 1, 2]
    collector.add(_interval(1, 0, [5_000], last=True))
    collector.close()
    assert collector.outcome().result.latencies[0].count == 9
    assert collector.outcome().result.scheduled == 9


def test_a_lost_worker_makes_the_run_void(tmp_path: Path) -> None:
    collector = Collector(LoadPlan(base_url=NOWHERE, rate=1, duration_s=1), 2, tmp_path / "l", lambda second: None)
    collector.add(_interval(0, 0, [1_000], last=True))
    collector.add(Interval(second=0, worker=1, void="worker 2 was lost, and with it its part of the load", last=True))
    collector.close()
    assert "worker 2 was lost" in collector.outcome().void


@pytest.mark.parametrize(
    ("clock", "milliseconds", "says"),
    [
        ("slip", MAX_SLIP_MS + 1, "late at p99"),
        ("slip", MAX_SLIP_MS - 1, ""),
        ("lag", 60, "loop lagged"),
        ("gc", 250, "garbage collection"),
    ],
)
def test_past_its_limits_the_generator_voids_the_run(
    clock: str, milliseconds: float, says: str, tmp_path: Path
) -> None:
    collector = Collector(LoadPlan(base_url=NOWHERE, rate=1, duration_s=1), 1, tmp_path / "l", lambda second: None)
    values = {f"generator {clock}": pack(array("I", [int(milliseconds * 1e3)] * 100))}
    collector.add(Interval(second=0, values=values, due=1, begun=1, last=True))
    collector.close()
    assert says in collector.outcome().void
    assert bool(collector.outcome().void) == bool(says)


def test_a_busy_generator_voids_the_run(tmp_path: Path) -> None:
    collector = Collector(LoadPlan(base_url=NOWHERE, rate=1, duration_s=1), 1, tmp_path / "l", lambda second: None)
    collector.add(Interval(second=0, cpu_share=0.99, start_wall=1.0, last=True))
    collector.close()
    assert "99% of a core" in collector.outcome().void


@pytest.mark.whole
@pytest.mark.usefixtures("any_pace")
def test_two_workers_do_the_work_of_one(tmp_path: Path) -> None:
    """The same seed gives the same onboardings, whether one process does them all or two share them."""
    outcomes = []
    with embedded_sandbox(Profile()) as sandbox:
        plan = LoadPlan(
            base_url=str(sandbox.profile.base_url), rate=12, duration_s=3, seed=5, poisson=True, retry_share=0.4,
            client_order_share=0.5,
        )  # fmt: skip
        for processes in (1, 2):
            folder = tmp_path / str(processes)
            folder.mkdir()
            outcomes.append(run_load(plan, sandbox.secrets, folder, topology=Topology(processes=processes)))
    one, two = outcomes
    assert one.void == two.void == ""
    assert two.result.workers == 2
    assert two.result.scheduled == two.result.recorded == one.result.recorded > 20
    assert two.requests == one.requests
    counts = [{(s.name, s.clock): s.count for s in o.result.latencies if s.clock == "response"} for o in outcomes]
    assert counts[0] == counts[1]
    due = [{point.second: point.started for point in o.result.series if point.step == WHOLE} for o in outcomes]
    assert [sum(each.values()) for each in due] == [one.result.scheduled] * 2


def test_limits_hold_for_all_workers_together(tmp_path: Path) -> None:
    with embedded_sandbox(Profile()) as sandbox:
        plan = LoadPlan(base_url=str(sandbox.profile.base_url), rate=30, duration_s=3, max_uploads=7)
        outcome = run_load(plan, sandbox.secrets, tmp_path, topology=Topology(processes=2))
    assert outcome.uploads + outcome.result.other_uploads == 7
    assert "limit of uploads" in outcome.result.stopped


def test_degraded_photos_may_be_refused_and_what_is_read_is_compared(tmp_path: Path) -> None:
    """Blurred beyond reading, the code is not read: a refusal, no failure. As drawn, each field is read."""
    outcome = _run(tmp_path, rate=6, duration_s=2, degradations=(("blur", 1.0), ("blur", 0.0)))
    assert outcome.result.wrong_answers == outcome.unavailable == 0
    assert outcome.result.extra["refused_photos"] == 6
    assert outcome.result.recorded == 12
    by_degradation = {reading.degradation for reading in outcome.result.readings}
    assert by_degradation == {"none", "blur:1"}
    for reading in outcome.result.readings:
        assert (reading.right == reading.total) == (reading.degradation == "none")
        assert reading.total == 6
        assert reading.cards > 1


def test_the_capacity_of_a_queue_is_found(tmp_path: Path) -> None:
    """Two readings at once of 120 ms: 16.7 uploads a second, 8.3 onboardings; a busy machine does half of that."""
    with embedded_sandbox(Profile(), SandboxSettings(latency=LatencyModel(base_ms=120, readers=2))) as sandbox:
        plan = LoadPlan(base_url=str(sandbox.profile.base_url), rate=1, duration_s=1, seed=1)
        search = CapacitySearch(start_rate=4, max_rate=12, growth=3, plateau_s=5, limit_ms=500)
        outcome = find_capacity(search, plan, sandbox.secrets, tmp_path)
    found = outcome.result.capacity
    assert found is not None
    assert found.highest_kept is not None
    assert found.lowest_broken is not None
    assert 4 <= found.highest_kept <= 9.3
    assert found.highest_kept < found.lowest_broken <= 12
    assert all(point.throughput < 9.3 for point in found.points)
    assert set(found.usl) == {"lambda", "sigma", "kappa"}
    # Four requests an onboarding, and those of the other plateaus apart.
    assert outcome.result.requests == outcome.requests == 4 * outcome.result.recorded
    assert outcome.result.other_requests > 0
    assert outcome.result.other_uploads > 0
    assert (tmp_path / "latency.hlog").read_text() != ""
    words = capacity_words(found)
    assert f"Capacity: {found.highest_kept:.3g} onboardings/s were kept, {found.lowest_broken:.3g} were not (" in words


def test_a_load_ends_at_its_duration_and_the_grace(tmp_path: Path) -> None:
    """60 onboardings a second, of which the target serves 8: what is under way a second later is cut off, and told."""
    with embedded_sandbox(Profile(), SandboxSettings(latency=LatencyModel(base_ms=120, readers=2))) as sandbox:
        plan = LoadPlan(base_url=str(sandbox.profile.base_url), rate=60, duration_s=3, grace_s=1, seed=1)
        begun = time.monotonic()
        result = run_load(plan, sandbox.secrets, tmp_path).result
    # Its start takes seconds; without the grace the target would work on it for 20 s and more.
    assert time.monotonic() - begun < 18
    assert max(point.second for point in result.series) <= 5
    assert result.scheduled == 180
    assert result.in_flight + result.not_started > 60
    assert result.recorded + result.in_flight + result.not_started == 180
    assert result.stopped == ""


def test_what_was_due_and_never_started_voids_the_load_for_that_reason(tmp_path: Path) -> None:
    plan = LoadPlan(base_url=NOWHERE, rate=10, duration_s=10, grace_s=5)
    collector = Collector(plan, 1, tmp_path / "l", lambda second: None)
    slips = {
        "generator credential": pack(array("I", [40_000_000] * 60)),
        "generator slip": pack(array("I", [40_000_000] * 60)),
    }
    collector.add(Interval(second=0, due=100, begun=60, ended=60, values=slips, last=True))
    collector.close()
    said = collector.outcome().void
    assert said.startswith("40 of 100 onboardings were due and had not started 5 s after the load's end")
    assert collector.outcome().result.not_started == 40


@pytest.mark.usefixtures("any_pace")
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


class _Odd(http.server.BaseHTTPRequestHandler):
    """Gives tokens after one 429, and then turns people away in one way."""

    protocol_version = "HTTP/1.1"
    turned_away: tuple[int, dict[str, Any]] = (200, {})
    asked: ClassVar[list[float]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if "Token" in self.path:
            self.asked.append(time.monotonic())
            first = len(self.asked) == 1
            token = {"token": f"t{len(self.asked)}", "expirationDate": "2100-01-01T00:00:00Z"}
            body = {"message": "wait"} if first else token
            self.answer(429 if first else 200, body)
        else:
            self.answer(*self.turned_away)

    def answer(self, status: int, value: dict[str, Any]) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Retry-After", "1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


KNOWN = {"isSuccess": False, "message": "known", "errorCode": "10103", "customerData": None}


@pytest.mark.usefixtures("any_pace")
@pytest.mark.parametrize(
    ("turned_away", "says"),
    [
        ((200, KNOWN), "already registered (10103): show more people (--cards)"),
        ((400, {"message": None, "errorCode": 10103}), "already registered"),
        ((429, {"message": "slow down", "errorCode": None}), "were throttled (429): lower the rate"),
    ],
)
def test_lawful_refusals_void_the_load_and_break_no_clause(
    turned_away: tuple[int, dict[str, Any]], says: str, tmp_path: Path
) -> None:
    handler = type("Handler", (_Odd,), {"turned_away": turned_away, "asked": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        plan = LoadPlan(base_url=f"http://127.0.0.1:{server.server_port}", rate=10, duration_s=1)
        outcome = run_load(plan, Secrets(tenant_id="t", tenant_secret=SecretStr("s")), tmp_path)
        server.shutdown()
    asked = handler.asked  # type: ignore[attr-defined]
    assert says in outcome.void
    assert (outcome.result.wrong_answers, outcome.unavailable, outcome.requests) == (0, 0, 10)
    # One 429 for a token, after which everybody waits as long as was asked: then one for each onboarding.
    assert outcome.result.tokens == len(asked) >= 11
    assert asked[-1] - asked[0] >= 1


def test_a_generator_that_cannot_keep_up_is_void_soon(tmp_path: Path) -> None:
    """Beyond any machine: it is said, and the run ended, long before its time is over."""
    begun = time.monotonic()
    outcome = _run(tmp_path, rate=3_000, duration_s=60, grace_s=5)
    # Which of its parts gives in first is the machine's.
    assert any(words in outcome.void for words in ("late at p99", "lagged", "for a credential"))
    assert time.monotonic() - begun < 60, "cards, the load and its end included"
    assert outcome.result.scheduled < 3_000 * 45


def test_void_is_only_said_when_it_is_sure(tmp_path: Path) -> None:
    plan = LoadPlan(base_url=NOWHERE, rate=100, duration_s=60)
    collector = Collector(plan, 1, tmp_path / "latency.hlog", lambda second: None)
    for second, late in enumerate((30, 30, 30)):
        assert collector.sure_to_be_void() == ""
        slips = [1_000] * (100 - late) + [60_000] * late
        collector.add(Interval(second=second, values={"generator slip": pack(array("I", slips))}, due=100, begun=100))
    collector.close()
    assert "late at p99" in collector.sure_to_be_void()
