"""One cause is one finding: what an answer touches besides is listed under it, and a failure tells no more."""

import dataclasses
import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from rich.console import Console

from kycgate.check.embedded import embedded_sandbox
from kycgate.cli.execute import execute
from kycgate.cli.spec import RunSpec
from kycgate.contracts.clauses import CATALOGUE
from kycgate.judging.ledger import Ledger, Observation
from kycgate.reports.terminal import print_verdict
from kycgate.reports.write import write_all
from kycgate.runs.clause import ClauseResult, Verdict
from kycgate.runs.folder import RunFolder
from kycgate.runs.model import Run
from kycgate.runs.verdict import decide, exit_code_of
from kycgate.settings.profile import Limits, Profile
from kycgate.settings.severity import Effect
from kycgate.target.redaction import Redactor
from kycgate.tests.suite.unit.test_judge import answered


def checked(out: Path, *faults: str, only: tuple[str, ...] = (), jobs: int | None = None) -> tuple[Run, RunFolder]:
    profile = Profile(limits=Limits(jobs=jobs))
    with embedded_sandbox(profile, faults=faults) as sandbox, pytest.MonkeyPatch.context() as patch:
        assert sandbox.secrets.tenant_id is not None
        assert sandbox.secrets.tenant_secret is not None
        patch.setenv("KYCGATE_TENANT_ID", sandbox.secrets.tenant_id)
        patch.setenv("KYCGATE_TENANT_SECRET", sandbox.secrets.tenant_secret.get_secret_value())
        return execute(
            RunSpec(command="check", profile=sandbox.profile, out=out, seed=3, check=True, only=only),
            say=lambda _: None,
        )


def test_a_500_accuses_its_own_clause_alone_and_hides_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One upload in fifteen fails, also where a refusal was due: the step that is never closed shows all the same."""
    # One after another: which requests meet it is the same each time.
    run, folder = checked(tmp_path / "run", "one-in-fifteen", "never-closed", jobs=1)
    by_id = {clause.id: clause for clause in run.clauses}
    broken = {name for name, clause in by_id.items() if clause.verdict is Verdict.BROKEN}
    assert broken == {"status.no-5xx", "order.closed"}
    cause = by_id["status.no-5xx"]
    assert cause.touches
    assert run.reason.startswith(f"1 cause, {1 + len(cause.touches)} clauses touched: status.no-5xx")
    print_verdict(run, Console(width=300))
    said = capsys.readouterr().out
    read = {path.name: path.read_text(encoding="utf-8") for path in folder.path.iterdir() if path.suffix != ".ndjson"}
    for text in (said, read["summary.md"].replace("\\", ""), read["junit.xml"], read["results.sarif"]):
        assert f"lso touches {', '.join(cause.touches)}" in text
    assert all(f"<code>{name}</code>" in read["report.html"] for name in cause.touches)


def test_a_header_with_another_customer_s_data_is_one_finding_in_answers_and_refusals(tmp_path: Path) -> None:
    both = ("session.own-customer", "refusal.no-leak")
    run, _ = checked(tmp_path / "run", "header-of-last-customer", only=both)
    assert {clause.id: clause.cause for clause in run.clauses if clause.verdict is Verdict.BROKEN} == {
        "session.own-customer": "",
        "refusal.no-leak": "session.own-customer",
    }


def ledger_of(*answers: tuple[int, list[Observation]]) -> dict[str, ClauseResult]:
    ledger = Ledger()
    for number, observations in answers:
        exchange = dataclasses.replace(answered({}, 400), number=number)
        ledger.add(observations, exchange, Redactor().record(exchange, "2026-01-01T00:00:00Z"))
    return {result.id: result for result in ledger.results()}


def refused(clause: str, because: str = "") -> Observation:
    return Observation(clause, False, "accepted", "status 400", because=because)


RETRY_TOO = (
    (1, [refused("upload.accepted"), refused("order.retry", "upload.accepted")]),
    (2, [refused("upload.accepted")]),
)


def test_what_a_refusal_touches_is_listed_under_the_clause_it_breaks() -> None:
    found = ledger_of(*RETRY_TOO)
    assert (found["order.retry"].cause, found["upload.accepted"].touches) == ("upload.accepted", ["order.retry"])


def test_of_two_that_the_same_answers_break_the_one_that_says_more_is_the_cause() -> None:
    level = {clause.id: clause.level for clause in CATALOGUE}
    assert level["upload.accepted"] is level["session.own-order"]
    both = [refused("upload.accepted"), refused("session.own-order", "upload.accepted")]
    found = ledger_of((1, both), (2, both))
    assert (found["upload.accepted"].cause, found["session.own-order"].cause) == ("session.own-order", "")
    assert found["session.own-order"].touches == ["upload.accepted"]


def test_a_breach_of_its_own_besides_is_accused() -> None:
    both = [refused("upload.accepted"), refused("order.retry", "upload.accepted")]
    found = ledger_of((1, both), (2, [refused("order.retry")]))
    assert (found["order.retry"].cause, found["upload.accepted"].touches) == ("", [])


def test_a_waived_cause_hides_nothing() -> None:
    """What is listed under a cause never comes to less than it would alone."""
    found = ledger_of(*RETRY_TOO)
    rules = Profile.model_validate({"severity": {"upload.accepted": "warn"}}).rules()
    clauses = [*found.values()]
    decide(clauses, rules)
    assert (found["upload.accepted"].effect, found["order.retry"].effect) == (Effect.WARNS, Effect.FAILS)
    assert (found["order.retry"].cause, found["upload.accepted"].touches) == ("", [])
    code, reason = exit_code_of(clauses, [], strict=False)
    assert (code, reason.startswith("1 clause broken: order.retry")) == (1, True)


def test_the_headline_names_what_is_broken_or_how_many_more() -> None:
    promises = [clause for clause in CATALOGUE if clause.level.fails_gate][:12]
    clauses = [
        ClauseResult(id=promise.id, level=promise.level, endpoints=[], verdict=Verdict.BROKEN) for promise in promises
    ]
    for count in (1, 5, 9):
        assert all(clause.id in exit_code_of(clauses[:count], [], strict=False)[1] for clause in clauses[:count])
    assert exit_code_of(clauses, [], strict=False)[1].endswith(" and 4 more")


def test_a_touched_clause_is_no_failure_of_junit_and_no_result_of_sarif(tmp_path: Path) -> None:
    found = ledger_of(*RETRY_TOO)
    run = Run(command="check", verdict="broken", exit_code=1, clauses=[*found.values()])
    folder = RunFolder.create(tmp_path / "run", "check")
    assert write_all(folder, run) == []
    suite = ET.parse(folder.path / "junit.xml").getroot()  # noqa: S314 - we wrote it
    assert suite.get("failures") == "1"
    (results,) = [part["results"] for part in json.loads((folder.path / "results.sarif").read_text())["runs"]]
    assert [result["ruleId"] for result in results] == ["upload.accepted"]
