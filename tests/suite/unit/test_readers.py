"""What each reader of a report gets: a page for the vendor, a report of load, and sources that lead somewhere."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kycgate.cli.main import app
from kycgate.contracts.clauses import CATALOGUE, FACTS
from kycgate.reports.html import render_for_vendor, render_html
from kycgate.runs.clause import Verdict
from kycgate.runs.folder import RunFolder
from kycgate.runs.model import Run, WaiverResult
from kycgate.settings.severity import Effect
from kycgate.target.exchange import RecordedExchange
from kycgate.text import html

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def run() -> Run:
    return RunFolder(ROOT / "tests" / "suite" / "recorded" / "v1-check-broken").read_run()


def test_each_finding_is_numbered_and_can_be_repeated(run: Run) -> None:
    """One broken clause is one finding, whatever number of exchanges shows it."""
    page = render_for_vendor(run)
    broken = [clause for clause in run.clauses if clause.verdict is Verdict.BROKEN and not clause.cause]
    assert any(len(clause.findings) > 1 for clause in broken)
    assert f"<h1>{len(broken)} findings</h1>" in page
    for number in range(1, len(broken) + 1):
        assert page.count(f'id="finding-{number}"') == 1
    for finding in (finding for clause in broken for finding in clause.findings):
        assert html(finding.curl) in page


def test_a_vendor_reads_what_came_before_how_to_mint_and_no_path_of_ours(run: Run) -> None:
    found = next(finding.exchange for clause in run.clauses for finding in clause.findings if finding.exchange)

    def sent(number: int, endpoint: str, status: int, session: str = "") -> RecordedExchange:
        changed = {"number": number, "endpoint": endpoint, "status": status, "session": session or found.session}
        return found.model_copy(update={**changed, "intent": "legal", "path": f"/{endpoint}"})

    exchanges = [
        sent(-5, "token", 200, "another"), sent(-4, "upload_front", 200), sent(-3, "upload_back", 200, "another"),
        sent(-2, "approve_front", 400), sent(-1, "upload_back", 200), sent(found.number + 1, "approve_back", 200),
    ]  # fmt: skip
    page = render_for_vendor(run, exchanges)
    said = "Accepted before it in this session: upload front, upload back; 1 other request failed."
    assert said in page
    assert "export KYCGATE_TOKEN=" in page
    assert "$KYCGATE_BASE_URL/token" in page
    assert FACTS not in page
    assert "kycgate specimens" not in page


def test_a_vendors_command_takes_no_way_of_ours_and_says_how_it_is_filled(run: Run) -> None:
    found = next(finding for clause in run.clauses for finding in clause.findings if finding.exchange)
    assert found.exchange is not None
    found.exchange = found.exchange.model_copy(update={"intent": "a long name"})
    way = "--proxy http://proxy.ours:1 "
    found.curl = f"""curl -sS -i {way}-X POST "$KYCGATE_BASE_URL/a" --data-binary '{{"a": "'"$FULL_NAME"'"}}'"""
    page = render_for_vendor(run)
    assert "proxy.ours" not in page
    line = "export FULL_NAME='…' # as the answers to the uploads gave it; this request differs: a long name"
    assert html(f"{line}\n{found.curl.replace(way, '')}") in page
    assert html(line) in render_html(run)


def test_what_is_ours_is_left_out(run: Run) -> None:
    run.profile, run.profile_file, run.notes = "our-profile", "our-profile.toml", ["our note"]
    broken = next(clause for clause in run.clauses if clause.verdict is Verdict.BROKEN)
    broken.effect, broken.waived = Effect.WAIVED, "our ticket 12 (our owner, until 2027-01-01)"
    run.waivers = [
        WaiverResult(clause=broken.id, reason="our ticket 12", owner="our owner", expires="2027-01-01", state="used")
    ]
    page = render_for_vendor(run).partition("</style>")[2]
    assert f": {html(broken.sentence)}</h2>" in page, "a waived breach is a breach all the same"
    tests = {test for clause in run.clauses for test in clause.tests}
    assert tests
    for said in ("our-profile", "our note", "our ticket", "our owner", "waive", *tests):
        assert said not in page, said


def test_the_command_writes_that_page_alone(tmp_path: Path, run: Run) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "run.json").write_text(run.model_dump_json(), encoding="utf-8")
    done = CliRunner().invoke(app, ["report", str(folder), "--for-vendor"])
    assert done.exit_code == 0, done.output
    assert {path.name for path in folder.iterdir()} == {"run.json", "vendor.html"}


def test_every_source_leads_to_a_section_of_the_facts() -> None:
    """A reader of a report finds what a clause cites in this repository."""
    headings = [line[3:] for line in (ROOT / FACTS).read_text(encoding="utf-8").splitlines() if line.startswith("## ")]
    known = {heading.lower().replace("'", "").replace(" ", "-") for heading in headings}
    for promise in CATALOGUE:
        cited = [part.partition(":")[0].partition("#")[2] for part in promise.source.split("; ") if FACTS in part]
        assert cited, promise.id
        assert set(cited) <= known, promise.id


def test_a_load_report_holds_no_noise_and_says_its_values_where_one_points() -> None:
    run = RunFolder(ROOT / "tests" / "suite" / "recorded" / "v1-verify-kept").read_run()
    assert "questions that this run had no answer to" in render_html(run)
    run.command = "load"
    page = render_html(run)
    assert "questions that this run had no answer to" not in page
    assert re.search(r'<g class="series upload_front"><title>upload front: p50 [\d.,]+ ms', page)
    assert re.search(r"<title>upload back: thinking [\d.,]+ ms in the mean</title>", page)
    assert 'id="series-' not in page
