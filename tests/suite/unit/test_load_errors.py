"""Errors under load: counted by step and kind, in a bounded number of counters, and shown in the report."""

from pathlib import Path

import pytest

from kycgate.judging.ledger import Observation
from kycgate.load.clocks import MOST_KINDS, OTHER, Errors, Recorder
from kycgate.load.collect import Collector
from kycgate.load.journey import Answered
from kycgate.load.plan import LoadPlan
from kycgate.reports.html import render_html
from kycgate.runs.flow_model import before_it_was_recorded
from kycgate.runs.load_model import ErrorCount, LoadResult
from kycgate.runs.model import Run
from kycgate.target.exchange import Clocks, Exchange
from tests.suite.recorded import step_latency

CLOCKS = Clocks(0, 0, 1_000_000)


def answered(status: int | None, breach: Observation | None, failure: str | None = None) -> Answered:
    exchange = Exchange(1, "upload_front", "POST", "/", {}, b"", "s", CLOCKS, status=status, failure=failure or "")
    return Answered(before_it_was_recorded().steps[0], exchange, breach)  # type: ignore[arg-type]


def test_an_error_is_its_status_or_why_there_is_none() -> None:
    silent = Observation("answer.in-time", False, "a whole answer", "the connection broke")
    assert answered(200, None).error == ""
    assert answered(503, Observation("status.no-5xx", False, "no 5xx", "status 503")).error == "status 503"
    assert answered(None, silent, "the connection broke: a word of the vendor's").error == "the connection broke"
    assert answered(200, Observation("body.json", False, "JSON", "no JSON")).error == "status 200, body.json"


def test_kinds_of_errors_are_bounded_and_none_is_lost() -> None:
    errors = Errors()
    for number in range(1_000):
        errors.add("upload_front", f"status {number}")
    errors.add("upload_back", "status 500", 3)
    rows = errors.rows()
    kinds = [row for row in rows if row[0] == "upload_front"]
    assert rows[0] == ("upload_back", "status 500", 3)
    assert len(kinds) == MOST_KINDS + 1
    assert kinds[0] == ("upload_front", OTHER, 1_000 - MOST_KINDS)
    assert sum(count for *_, count in kinds) == 1_000


def test_the_generators_errors_are_added_up(tmp_path: Path) -> None:
    collector = Collector(
        LoadPlan(base_url="http://127.0.0.1", rate=1, duration_s=1), 2, tmp_path / "x.hlog", lambda _: None
    )
    for worker in range(2):
        recorder = Recorder()
        for error in ("", "status 503", "status 500", "status 503"):
            recorder.add("upload_front", CLOCKS, failed=bool(error), error=error)
        interval = recorder.cut(0)
        assert recorder.cut(1).errors == []
        collector.add(interval.model_copy(update={"worker": worker, "last": True}))
    collector.close()
    found = [(error.kind, error.count) for error in collector.outcome().result.errors]
    assert found == [("status 503", 4), ("status 500", 2)]


@pytest.mark.parametrize("counted", [True, False])
def test_the_report_has_a_table_of_errors_where_they_were_counted(counted: bool) -> None:
    rows = [ErrorCount(step="upload_front", kind="status <503>", count=2)] if counted else []
    load = LoadResult(
        workload="", seed=0, duration_s=1, scheduled=1, recorded=1, requests=8, errors=rows,
        latencies=[step_latency("upload_front", [1.0] * 8)],
    )  # fmt: skip
    page = render_html(Run(command="load", verdict="kept", exit_code=0, load=load))
    assert ("Errors by status" in page) == counted
    assert page.count("status &lt;503&gt;") == page.count("25.0%") == counted
