"""Response times by the second in which they were due: a stall shows as those met it who came during it."""

import re
from pathlib import Path

import pytest

from kycgate.load.clocks import Recorder
from kycgate.load.collect import OPEN_S, Collector
from kycgate.load.interval import Interval
from kycgate.load.plan import LoadPlan
from kycgate.reports import charts
from kycgate.reports.crosscheck import Evidence, contradictions
from kycgate.reports.html import render_html
from kycgate.runs.flow_model import before_it_was_recorded
from kycgate.runs.folder import RunFolder
from kycgate.runs.load_model import WHOLE
from kycgate.runs.model import Run
from kycgate.target.exchange import Clocks
from tests.suite.recorded import SECOND, stalled


def test_a_stall_is_seen_in_the_seconds_in_which_it_was_met(tmp_path: Path) -> None:
    load = stalled(tmp_path)
    ended = {point.second: point.finished for point in load.series if point.step == "upload_front"}
    assert [ended[second] for second in range(5, 15)] == [0] * 10
    due = {point.second: point for point in load.by_due if point.step == "upload_front"}
    assert [(second, point.finished) for second, point in due.items()] == [(second, 2) for second in range(20)]
    for second, point in due.items():
        wanted = (15 - second) * 1e3 if 5 <= second < 15 else 50
        assert point.p99 == pytest.approx(wanted, rel=0.001)
        assert point.p50 <= point.p95 <= point.p99
    assert [second for second, point in due.items() if point.failures] == [5]
    assert {point.second for point in load.by_due if point.step == WHOLE} == set(due)


def test_what_is_recorded_by_due_follows_from_the_raw_intervals(tmp_path: Path) -> None:
    load = stalled(tmp_path)
    folder = RunFolder(tmp_path)
    run = Run(command="load", verdict="unclear", exit_code=3, requests_sent=40, uploads_sent=40, load=load)

    def said() -> list[str]:
        folder.write_run(run)
        return list(contradictions(Evidence(folder)))

    assert said() == []
    load.by_due[3].p99 *= 1.01
    (line,) = said()
    assert line.startswith(("onboarding due in second 1", "upload_front due in second 1"))
    load.by_due[3].p99 /= 1.01
    load.by_due[3].failures += 1
    assert any("by the seconds in which they were due" in line for line in said())
    load.by_due[3].failures -= 1
    load.errors[0].count += 1
    assert said() == ["2 errors of upload_front; the seconds have 1 failures"]


def test_the_chart_draws_what_was_due_in_each_second(tmp_path: Path) -> None:
    load, flow = stalled(tmp_path), before_it_was_recorded()
    drawn = str(charts.over_time(flow, load))
    load_ended = load.model_copy(update={"by_due": []})
    ended = str(charts.over_time(flow, load_ended))

    def line(svg: str) -> str:
        found = re.search(r'class="series upload_front"><title>.*?<path d="([^"]+)"', svg)
        assert found is not None
        return found[1]

    # By due there is a point in each second; by end there is a hole of ten seconds, and no line across it.
    assert line(drawn).count("M") == 1
    assert line(ended).count("M") == 2
    assert "a stall shows as people met it" in render_html(Run(command="load", verdict="kept", exit_code=0, load=load))
    assert "by when answers ended" in render_html(Run(command="load", verdict="kept", exit_code=0, load=load_ended))


def test_what_ends_after_its_second_was_closed_counts_in_the_oldest_open_one(tmp_path: Path) -> None:
    collector = Collector(
        LoadPlan(base_url="http://127.0.0.1", rate=1, duration_s=1), 1, tmp_path / "x.hlog", lambda _: None
    )
    recorder = Recorder()
    recorder.start_ns = 0
    for second in (0, OPEN_S + 10, OPEN_S + 11):
        recorder.add("upload_front", Clocks(0, 0, SECOND), failed=True)
        collector.add(recorder.cut(second))
    collector.close()
    points = collector.outcome().result.by_due
    assert [(point.second, point.finished, point.failures) for point in points] == [(0, 2, 2), (11, 1, 1)]


def test_a_second_that_stays_open_loses_nothing_when_intervals_are_empty(tmp_path: Path) -> None:
    collector = Collector(
        LoadPlan(base_url="http://127.0.0.1", rate=1, duration_s=1), 1, tmp_path / "x.hlog", lambda _: None
    )
    collector.add(Interval(second=0, last=True))
    collector.close()
    assert collector.outcome().result.by_due == []
