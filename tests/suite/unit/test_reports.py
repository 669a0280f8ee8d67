"""Reports: hostile text stays text, a run survives its folder."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from kycgate.contracts.clauses import Level
from kycgate.errors import UsageError
from kycgate.judging.ledger import Ledger, Observation
from kycgate.reports.html import render_html
from kycgate.reports.junit import render_junit
from kycgate.reports.markdown import render_markdown
from kycgate.reports.terminal import print_verdict
from kycgate.runs.clause import ClauseResult, Finding, Verdict
from kycgate.runs.folder import RunFolder
from kycgate.runs.model import Run
from kycgate.runs.verdict import exit_code_of
from kycgate.target.exchange import Clocks, Exchange, RecordedClocks, RecordedExchange

HOSTILE = "<script>alert(1)</script> ]]> \x1b[31m ::set-output name=x::y | `code` \u202e @everyone \x00 =1+1"


def hostile_run() -> Run:
    exchange = RecordedExchange(
        number=1, at="", test=HOSTILE, session="s1", endpoint="upload_front", method="POST", path="/", intent=HOSTILE,
        request_headers={}, request_body=HOSTILE, status=200, answer_headers={}, answer_body={"message": HOSTILE},
        clocks=RecordedClocks(waiting_ms=0, service_ms=1),
    )  # fmt: skip
    clause = ClauseResult(
        id="body.json", level=Level.RELIED_ON, endpoints=["upload_front"], verdict=Verdict.BROKEN, sentence="s",
        source="x", frequency="always", broken=1, observed=1,
        findings=[Finding(required=HOSTILE, actual=HOSTILE, where=HOSTILE, exchange=exchange, curl=HOSTILE)],
    )  # fmt: skip
    return Run(command="check", verdict="broken", exit_code=1, clauses=[clause], reason=HOSTILE, target=HOSTILE)


def test_hostile_text_stays_text() -> None:
    run = hostile_run()
    page = render_html(run)
    assert "<script>alert" not in page
    assert page.count("<script") == 1  # our own
    assert "\u202e" not in page
    assert "\x1b" not in page
    junit = render_junit(run)
    failure = ET.fromstring(junit).find(".//failure")  # noqa: S314 - we wrote it
    assert failure is not None
    markdown = render_markdown(run)
    assert "<script" not in markdown
    assert "\x1b" not in markdown
    console = Console(record=True, width=200, force_terminal=False)
    print_verdict(run, console)
    assert "\x1b" not in console.export_text()


def test_ten_megabytes_are_cut() -> None:
    run = hostile_run()
    run.clauses[0].findings[0].actual = "x" * 10_000_000
    assert len(render_html(run)) < 150_000
    assert len(render_markdown(run)) < 60_000


def test_verdicts_and_exit_codes() -> None:
    def result(level: Level, verdict: Verdict) -> ClauseResult:
        return ClauseResult(id="x", level=level, endpoints=["token"], verdict=verdict, sentence="", source="")

    kept, warned = result(Level.DOCUMENTED, Verdict.KEPT), result(Level.EXPECTED, Verdict.BROKEN)
    assert exit_code_of([kept], [], strict=False)[0] == 0
    assert exit_code_of([kept, warned], [], strict=False)[0] == 0
    assert exit_code_of([kept, warned], [], strict=True)[0] == 1
    assert exit_code_of([result(Level.RELIED_ON, Verdict.BROKEN)], [], strict=False, cannot_judge="x")[0] == 1
    assert exit_code_of([kept], [], strict=False, cannot_judge="x")[0] == 3
    not_tried = result(Level.DOCUMENTED, Verdict.NOT_TRIED)
    assert exit_code_of([not_tried], [], strict=False)[0] == 3
    # As `--only` with one expected clause.
    code, said = exit_code_of([warned], [], strict=False)
    assert (code, said) == (0, f"0 clauses kept; warnings: {warned.id}")
    assert exit_code_of([warned, not_tried], [], strict=False, demanded=[not_tried.id])[0] == 3


def _exchange(number: int, size: int = 10, endpoint: str = "upload_front") -> Exchange:
    return Exchange(number, endpoint, "POST", "/", {}, b"x" * size, "s1", Clocks(0, 0, 1), status=200)


@pytest.mark.parametrize(
    ("seen", "frequency"),
    [
        ([(False, 10, "upload_front")] * 3, "always"),
        ([(True, 10, "upload_front")] * 9 + [(False, 10, "upload_front")] * 3, "sometimes (3 of 12)"),
        ([(True, 10, "upload_front")] * 3 + [(False, 10, "upload_back")] * 2, "only when endpoint is upload_back"),
        (
            [(True, 10, "upload_front")] * 3 + [(False, 900, "upload_front")] * 2,
            "only when request size is over 10 bytes",
        ),
    ],
)
def test_frequency_is_said_as_what_it_is(seen: list[tuple[bool, int, str]], frequency: str) -> None:
    ledger = Ledger()
    for number, (ok, size, endpoint) in enumerate(seen):
        ledger.add([Observation("body.json", ok, "r", "a")], _exchange(number, size, endpoint), None)
    result = next(result for result in ledger.results() if result.id == "body.json")
    assert result.verdict is Verdict.BROKEN
    assert result.frequency == frequency


def test_run_folder_round_trip(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run", "check")
    run = hostile_run()
    folder.write_run(run)
    assert folder.read_run() == run
    with pytest.raises(UsageError, match="already holds a run"):
        RunFolder.create(tmp_path / "run", "check")


@given(st.text(max_size=60))
def test_damaged_runs_are_one_line(text: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        folder = RunFolder(Path(name))
        (folder.path / "run.json").write_text(text, encoding="utf-8", errors="replace")
        with pytest.raises(UsageError):
            folder.read_run()
