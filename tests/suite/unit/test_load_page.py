"""A load's page: its worst seconds, its failures over time, what stands where the pointer rests, and nothing else."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

from kycgate.reports import charts
from kycgate.reports.html import render_html
from kycgate.reports.load_page import MOST_SECONDS, worst_seconds
from kycgate.runs.flow_model import before_it_was_recorded
from kycgate.runs.folder import RunFolder
from kycgate.runs.load_model import CapacityPoint, CapacityResult, DuePoint, LoadResult
from kycgate.runs.model import OpenPointResult, Run
from tests.suite.recorded import stalled, step_latency, write_load

RECORDED = Path(__file__).parents[1] / "recorded"
FLOW = before_it_was_recorded()


def page_of(load: LoadResult) -> str:
    return render_html(Run(command="load", verdict="kept", exit_code=0, load=load))


def titles(svg: str) -> list[str]:
    return re.findall(r"<title>(.*?)</title>", svg)


def seconds_of(*seconds: tuple[float, int]) -> LoadResult:
    """One point for each second, with its p99 and failures; beside it the whole onboarding, which is left out."""
    points = [
        DuePoint(second=n, step=step, finished=10, failures=failures, p50=1, p95=p99, p99=p99 * by, max=p99 * by)
        for n, (p99, failures) in enumerate(seconds)
        for step, by in (("upload_front", 1), ("onboarding", 100))
    ]
    return LoadResult(workload="", seed=0, duration_s=1, scheduled=0, recorded=0, latencies=[], by_due=points)


def test_the_worst_seconds_are_those_with_most_failures_and_the_slowest_in_turns() -> None:
    load = seconds_of((10, 0), (900, 0), (20, 1), (30, 9), (800, 0), (40, 5), (700, 2), (5, 0))
    found = worst_seconds(load)
    assert len(found) == MOST_SECONDS
    assert [(one.second, one.failures, one.slow_ms, one.why) for one in found] == [
        (1, 0, 900, "slow"),
        (3, 9, 30, "failures"),
        (4, 0, 800, "slow"),
        (5, 5, 40, "failures"),
        (6, 2, 700, "failures and slow"),
    ]
    assert all(one.finished == 10 for one in found)
    calm = worst_seconds(seconds_of((10, 0), (30, 0), (20, 0)))
    assert [(one.second, one.why) for one in calm] == [(0, "slow"), (1, "slow"), (2, "slow")]


def test_a_run_from_before_has_its_worst_seconds_by_when_answers_came(tmp_path: Path) -> None:
    run = write_load(tmp_path / "run", {"upload_front": [[5.0], [6.0] * 3]}, unavailable=[0, 2]).read_run()
    assert run.load is not None
    assert [(one.second, one.finished, one.failures) for one in worst_seconds(run.load)] == [(0, 1, 0), (1, 3, 2)]
    assert "ended in second" in render_html(run)


def test_the_seconds_of_a_stall_are_on_the_page(tmp_path: Path) -> None:
    page = page_of(stalled(tmp_path))
    table = page[page.index('aria-label="The worst seconds"') :]
    table = table[: table.index("</table>")]
    assert re.findall(r'<th scope="row">(\d+)</th>', table) == ["5", "6", "7", "8", "9"]
    assert "due in second" in table


def test_failures_over_time_are_drawn_where_something_failed(tmp_path: Path) -> None:
    load = stalled(tmp_path)
    drawn = charts.failures_over_time(FLOW, load)
    assert "second 5: upload front 1 failed" in titles(drawn)
    assert "Failures over time" in page_of(load)
    for latency in load.latencies:
        latency.failures = 0
    assert "Failures over time" not in page_of(load)


def test_each_second_says_its_values_where_the_pointer_rests(tmp_path: Path) -> None:
    drawn = charts.over_time(FLOW, stalled(tmp_path))
    said = titles(drawn)
    assert "second 6: p95 upload front 9,003.0 ms (n = 2), onboarding 9,003.0 ms (n = 2)" in said
    assert "second 15: 2 due, 22 ended, 1 failed" in said
    columns = [
        tuple(map(float, found))
        for found in re.findall(r'<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)" fill="tr', drawn)
    ]
    box = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', drawn)
    assert box is not None
    assert len(columns) == 20 + 20
    for x, y, width, height in columns:
        assert 0 <= x < x + width <= float(box[1])
        assert 0 <= y < y + height <= float(box[2])
        assert width > 5
    # The columns of one panel stand side by side.
    above = [(x, width) for x, y, width, _ in columns if y == columns[0][1]]
    assert all(x + width == pytest.approx(then, abs=0.21) for (x, width), (then, _) in pairwise(above))


def test_points_and_percentiles_say_their_values() -> None:
    load = LoadResult(
        workload="", seed=0, duration_s=1, scheduled=0, recorded=0,
        latencies=[step_latency("upload_front", [*range(1, 101)])],
    )  # fmt: skip
    assert any(said.startswith("p90: upload front 90.") for said in titles(charts.percentile_curves(FLOW, load)))
    found = CapacityResult(
        objective="", highest_kept=4, lowest_broken=9,
        points=[CapacityPoint(rate=4, throughput=3.9, concurrency=2, p95_ms=81, failed_share=0)],
    )  # fmt: skip
    said = "4/s asked for: 3.9/s ended, 2 under way, uploads' p95 81.0 ms"
    assert said.replace("'", "&#39;") in titles(charts.capacity(found))


def test_a_load_s_page_has_no_contract_noise() -> None:
    run = RunFolder(RECORDED / "v1-verify-kept").read_run()
    run.open_points = [OpenPointResult(id=str(n), question=f"question {n}?", observed=[]) for n in range(24)]
    noise = "24 questions that this run had no answer to"
    assert noise in render_html(run)
    run.command = "load"
    page = render_html(run)
    assert "questions that this run" not in page
    assert "question 3?" not in page
    assert 'href="#open"' not in page
