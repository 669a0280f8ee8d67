"""The report's SLA page: the rows and pictures that a manager reads, from the recorded run alone."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from kycgate.errors import UsageError
from kycgate.reports.html import render_html
from kycgate.reports.sla_page import REFERENCES, _share, month_of, sla_page
from kycgate.runs.folder import RunFolder
from kycgate.runs.load_model import LoadResult
from kycgate.runs.model import ObjectiveResult, Run
from kycgate.sla.latency import histogram_of, step_latency
from tests.suite.pictures import Picture

MONTH = Path(__file__).parents[3] / "docs" / "month"


def a_run(limit_ms: float = 1_000, percentile: float = 90) -> Run:
    """95 uploads of 10 to 950 ms, 5 of 2 s."""
    latency = step_latency(
        "upload_front", "response", histogram_of([*range(10_000, 960_000, 10_000), *[2_000_000] * 5])
    )
    objective = {"id": "p90", "kind": "latency", "step": "upload", "percentile": percentile, "limit_ms": limit_ms}
    result = ObjectiveResult(
        id="p90", sentence="s", verdict="holds", measured="", limit="", interval="", confidence=0.95, samples=100,
        method="exact", source="Clopper and Pearson 1934; David and Nagaraja 2003, 7.1",
    )  # fmt: skip
    load = LoadResult(
        workload="", seed=0, duration_s=1, scheduled=1, recorded=1, requests=100, latencies=[latency]
    )  # fmt: skip
    return Run(
        command="load", verdict="kept", exit_code=0, load=load, objectives=[result],
        policy={"confidence": 0.95, "objective": [objective, {"id": "up", "kind": "availability", "at_least": 0.9}]},
    )  # fmt: skip


@pytest.mark.parametrize("limit_ms", [1_000, 500, 5_000, 1])
def test_no_bar_is_of_both_sides_of_the_limit(limit_ms: float) -> None:
    (chart,) = sla_page(a_run(limit_ms)).charts
    rect = re.compile(r'<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)" fill="var\(--(\w+)\)"')
    bars = [(float(x), float(x) + float(width), colour) for x, _, width, _, colour in rect.findall(chart.chart)]
    limit = float(re.findall(r'<path d="M([\d.]+) [^>]*stroke-dasharray', chart.chart)[0])
    assert bars
    assert [*Picture(chart.chart).misplaced()] == []
    for left, right, colour in bars:
        assert right <= limit + 0.1 if colour == "c1" else left >= limit - 0.1
        assert 0 <= left < right <= 360
    assert ("broken" in {colour for *_, colour in bars}) == (limit_ms < 2_000)


@pytest.mark.parametrize("limit_ms", [1_700, 500, 5_000])
def test_the_words_of_the_percentile_do_not_cross_the_limit(limit_ms: float) -> None:
    (chart,) = sla_page(a_run(limit_ms, percentile=99)).charts
    limit = float(re.findall(r'<path d="M([\d.]+) [^>]*stroke-dasharray', chart.chart)[0])
    value = next(words for words in Picture(chart.chart).words() if words.said == "p99 2 s")
    assert not value.left < limit < value.right


def test_the_picture_says_in_words_what_it_shows() -> None:
    (chart,) = sla_page(a_run()).charts
    assert chart.said == "90% must take at most 1 s; 95.00% do, of 100"
    assert 'aria-label="p90: upload, response time.' in chart.chart
    assert "p90 900 ms" in chart.chart
    said = re.findall(r"<rect [^>]*><title>(.*?): (\d+) of 100</title></rect>", chart.chart)
    assert sum(int(count) for _, count in said) == 100
    assert all(re.fullmatch(r"[\d.e+]+ (ms|s|µs) to [\d.e+]+ (ms|s|µs)", span) for span, _ in said)


def test_a_months_rows_are_those_of_its_plan() -> None:
    run = RunFolder(MONTH).read_run()
    page = sla_page(run)
    assert page.month is not None
    (sheet,) = page.month.sheets
    days = [cell for week in sheet.weeks for cell in week if cell is not None]
    assert [cell.day for cell in days] == list(range(1, 32))
    assert sheet.weeks[0].index(days[0]) == 3  # 1 October 2026 is a Thursday
    assert [day.day for day in days if day.state == "outage"] == [6, 16, 29, 30]
    assert [day.day for day in days if day.unwatched] == [22]
    assert page.month.figures[0] == ("15%", "of the fee is owed, as proven", "broken")
    assert page.month.outages[1].end.startswith("16 Oct 04:35:02 to 04:41:46")
    assert page.month.outages[1].what.endswith("cut by a window, counted once")
    assert [row.name for row in page.month.windows].count("weekly maintenance") == 5
    assert len(page.charts) == 2
    assert any(text.startswith("W. Hoeffding") for text in page.references)
    html = render_html(run)
    for id_ in ("month", "credits", "limits", "method"):
        assert html.count(f' id="{id_}"') == html.count(f'href="#{id_}"') == 1


def test_the_error_budget_of_a_month_is_on_the_page() -> None:
    run = RunFolder(MONTH).read_run()
    page = sla_page(run)
    assert page.month is not None
    (row,) = page.month.budgets
    assert (row.objective, row.left, row.colour, row.ends) == ("availability", "none", "broken", "spent")
    assert (row.used, row.allowed) == ("14:23:33", "3:39:09")
    assert row.burns == [
        ("1 h and 5 min", "0", "0", "14.4", False),
        ("6 h and 30 min", "2.78", "0", "6", False),
        ("72 h and 6 h", "8.81", "2.78", "1", True),
    ]
    html = render_html(run)
    assert html.count('id="error-budget"') == html.count('href="#error-budget"') == 1
    assert "Burn rate at the month&#39;s end" in html or "Burn rate at the month's end" in html


def test_a_month_under_way_says_when_its_budget_ends() -> None:
    period = RunFolder(MONTH).read_run().period
    assert period is not None
    budget = period.budgets[0]
    period.over, budget.used_s = False, budget.allowed_s / 4
    for ends_at, said in (
        (period.start + timedelta(days=9, hours=3), "10 Oct 03:00:00"),
        (period.end + timedelta(days=1), "not in this month"),
        (None, "not at the rate of the last three days"),
    ):
        budget.ends_at = ends_at
        (row,) = month_of(period).budgets
        assert (row.left, row.colour, row.ends) == ("75%", "warning", said)
    budget.burns = []
    assert month_of(period).budgets[0].colour == "kept"


def test_a_month_that_was_judged_before_budgets_were_kept_shows_none() -> None:
    run = RunFolder(MONTH).read_run()
    assert run.period is not None
    run.period.budgets = []
    assert "rror budget" not in render_html(run)


def test_methods_are_said_once_and_their_sources_in_full() -> None:
    run = a_run()
    other = run.objectives[0].model_copy(update={"id": "p50"})
    run.objectives.append(other)
    page = sla_page(run)
    assert [ids for _, ids in page.methods] == [["p90", "p50"]]
    assert [text.split(",")[0] for text in page.references] == [
        "C. J. Clopper and E. S. Pearson",
        "H. A. David and H. N. Nagaraja",
    ]
    for objective in RunFolder(MONTH).read_run().objectives:
        for source in objective.source.split("; "):
            assert any(source.startswith(name) for name in REFERENCES), source


def test_runs_without_a_policy_have_neither_pictures_nor_month() -> None:
    run = a_run()
    run.policy = None
    page = sla_page(run)
    assert (page.charts, page.month) == ([], None)
    assert "How the objectives were judged" in render_html(run)
    assert "How the objectives were judged" not in render_html(Run(command="check", verdict="kept", exit_code=0))


def test_damaged_histograms_are_one_line() -> None:
    run = a_run()
    assert run.load is not None
    run.load.latencies[0].histogram = "bm90IGEgaGlzdG9ncmFt"
    with pytest.raises(UsageError, match="damaged"):
        sla_page(run)


def test_what_is_not_all_is_not_shown_as_all() -> None:
    assert [_share(share, 1) for share in (1.0, 0.99996, 0.9994, 0.5)] == ["100.0%", "over 99.9%", "99.9%", "50.0%"]
