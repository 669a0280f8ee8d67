"""Waivers and severities: what fails is decided in one place, recorded, and said in every report."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from kycgate.cli.options import profile_of
from kycgate.contracts.clauses import Level
from kycgate.errors import UsageError
from kycgate.reports.html import render_html
from kycgate.reports.junit import render_junit
from kycgate.reports.markdown import render_markdown
from kycgate.reports.status import status
from kycgate.reports.terminal import print_verdict
from kycgate.runs.clause import ClauseResult, Finding, Verdict
from kycgate.runs.model import Run
from kycgate.runs.verdict import decide, effect_of, exit_code_of, waiver_notes
from kycgate.settings.profile import Profile, load_profile
from kycgate.settings.severity import Effect, FailLevel, Rules, Waiver
from kycgate.tests.suite.command_line import kycgate

TODAY = date(2026, 11, 25)
BROKEN = "order.closed"  # expected
RELIED_ON = "body.json"
DOCUMENTED = "approve.true"


def waiver(clause: str, expires: date = TODAY) -> Waiver:
    return Waiver(clause=clause, reason="their ticket 17", owner="payments", expires=expires)


def result(clause: str, level: Level, verdict: Verdict = Verdict.BROKEN) -> ClauseResult:
    found = [Finding(required="true", actual="an object")] if verdict is Verdict.BROKEN else []
    return ClauseResult(
        id=clause, level=level, endpoints=["approve_front"], verdict=verdict, sentence="A sentence.", source="a page",
        frequency="always" if found else "", findings=found,
    )  # fmt: skip


def run_with(clauses: list[ClauseResult], rules: Rules) -> Run:
    waivers = decide(clauses, rules)
    code, reason = exit_code_of(clauses, [], strict=rules.strict)
    return Run(
        command="check", verdict="broken" if code else "kept", exit_code=int(code), reason=reason, clauses=clauses,
        waivers=waivers, notes=waiver_notes(waivers), strict=rules.strict,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("expires", "effect", "state", "code"),
    [
        (TODAY + timedelta(days=1), Effect.WAIVED, "used", 0),
        (TODAY, Effect.WAIVED, "used", 0),
        (TODAY - timedelta(days=1), Effect.FAILS, "expired", 1),
    ],
)
def test_a_waiver_holds_until_its_day_and_not_after(expires: date, effect: Effect, state: str, code: int) -> None:
    kept = result("status.no-5xx", Level.DOCUMENTED, Verdict.KEPT)
    run = run_with(
        [kept, result(DOCUMENTED, Level.DOCUMENTED)], Rules(waivers=[waiver(DOCUMENTED, expires)], today=TODAY)
    )
    assert (run.clauses[1].effect, run.waivers[0].state, run.exit_code) == (effect, state, code)
    assert bool(run.clauses[1].waived) == (effect is Effect.WAIVED)


@pytest.mark.parametrize(
    ("verdict", "level", "state"),
    [
        (Verdict.KEPT, Level.DOCUMENTED, "unused"),
        (Verdict.BROKEN, Level.EXPECTED, "unused"),
        (Verdict.UNCLEAR, Level.DOCUMENTED, "not judged"),
        (Verdict.NOT_TRIED, Level.DOCUMENTED, "not judged"),
    ],
)
def test_a_waiver_that_is_not_needed_is_reported(verdict: Verdict, level: Level, state: str) -> None:
    """What the budget cut off says nothing of whether the waiver is needed."""
    run = run_with([result(DOCUMENTED, level, verdict)], Rules(waivers=[waiver(DOCUMENTED)], today=TODAY))
    assert run.waivers[0].state == state
    assert [DOCUMENTED in note for note in run.notes] == ([True] if state == "unused" else [])


@pytest.mark.parametrize(
    ("severities", "strict", "clause", "level", "effect", "rule"),
    [
        ({}, False, DOCUMENTED, Level.DOCUMENTED, Effect.FAILS, "level"),
        ({}, False, RELIED_ON, Level.RELIED_ON, Effect.FAILS, "level"),
        ({}, False, BROKEN, Level.EXPECTED, Effect.WARNS, "level"),
        ({}, True, BROKEN, Level.EXPECTED, Effect.FAILS, "strict"),
        ({"expected": "fail"}, False, BROKEN, Level.EXPECTED, Effect.FAILS, "severity of expected"),
        ({"expected": "fail", BROKEN: "warn"}, True, BROKEN, Level.EXPECTED, Effect.WARNS, f"severity of {BROKEN}"),
        ({"expected": "warn"}, True, BROKEN, Level.EXPECTED, Effect.FAILS, "strict"),
        ({"relied-on": "warn"}, False, RELIED_ON, Level.RELIED_ON, Effect.WARNS, "severity of relied-on"),
        (
            {RELIED_ON: "fail", "relied-on": "warn"}, False, RELIED_ON, Level.RELIED_ON,
            Effect.FAILS, f"severity of {RELIED_ON}",
        ),
    ],
)  # fmt: skip
def test_the_nearer_rule_wins(severities, strict, clause, level, effect, rule) -> None:  # type: ignore[no-untyped-def]
    decision = Rules(strict=strict, severities=severities).decide(clause, level)
    assert (decision.effect, decision.rule) == (effect, rule)


def test_fail_levels_are_cumulative() -> None:
    failing = {level: [name for name, s in level.severities.items() if s == "fail"] for level in FailLevel}
    assert failing == {
        FailLevel.DOCUMENTED: ["documented"],
        FailLevel.RELIED_ON: ["documented", "relied-on"],
        FailLevel.EXPECTED: ["documented", "relied-on", "expected"],
        FailLevel.NOTHING: [],
    }


def test_a_fail_level_leaves_single_clauses_their_rule(tmp_path: Path) -> None:
    path = tmp_path / "kycgate.toml"
    path.write_text(f'strict = true\n[severity]\nexpected = "fail"\n"{BROKEN}" = "fail"\n', encoding="utf-8")
    rules = profile_of(path, fail_level=FailLevel.DOCUMENTED).rules()
    assert rules.decide("reading.age", Level.EXPECTED).effect is Effect.WARNS
    assert rules.decide(RELIED_ON, Level.RELIED_ON).effect is Effect.WARNS
    assert rules.decide(BROKEN, Level.EXPECTED).effect is Effect.FAILS
    with pytest.raises(UsageError, match="contradict"):
        profile_of(None, fail_level=FailLevel.NOTHING, strict=True)


def test_old_runs_are_read_by_their_level() -> None:
    """A run recorded before decisions were: strict and waived say what was decided."""
    assert effect_of(result(DOCUMENTED, Level.DOCUMENTED), strict=False) is Effect.FAILS
    assert effect_of(result(BROKEN, Level.EXPECTED), strict=False) is Effect.WARNS
    assert effect_of(result(BROKEN, Level.EXPECTED), strict=True) is Effect.FAILS
    waived = result(DOCUMENTED, Level.DOCUMENTED).model_copy(update={"waived": "a reason"})
    assert effect_of(waived, strict=True) is Effect.WAIVED


def test_every_report_says_what_was_decided_and_by_which_rule() -> None:
    clauses = [
        result(DOCUMENTED, Level.DOCUMENTED),
        result(RELIED_ON, Level.RELIED_ON),
        result(BROKEN, Level.EXPECTED),
        result("status.no-5xx", Level.DOCUMENTED, Verdict.KEPT),
    ]
    rules = Rules(severities={RELIED_ON: "warn", "expected": "fail"}, waivers=[waiver(DOCUMENTED)], today=TODAY)
    run = run_with(clauses, rules)
    assert [status(run, clause) for clause in clauses] == ["waived", "warning", "broken", "kept"]
    assert run.reason == f"1 clause broken: {BROKEN}"
    console = Console(record=True, width=200, force_terminal=False)
    print_verdict(run, console)
    for page in (render_html(run), render_markdown(run), render_junit(run), console.export_text()):
        plain = page.replace("\\", "")
        assert "their ticket 17" in plain
        assert f"warn by severity of {RELIED_ON}" in plain
        assert "fail by severity of expected" in plain
    suite = ET.fromstring(render_junit(run))  # noqa: S314 - we wrote it
    assert suite.get("failures") == "1"
    assert [case.get("name") for case in suite.findall("testcase") if case.find("failure") is not None] == [BROKEN]


def test_a_recorded_decision_outlives_rules_and_dates() -> None:
    """The report reads what was decided that day."""
    run = run_with([result(DOCUMENTED, Level.DOCUMENTED)], Rules(waivers=[waiver(DOCUMENTED)], today=TODAY))
    again = Run.model_validate_json(run.model_dump_json())
    assert status(again, again.clauses[0]) == "waived"
    assert "their ticket 17" in render_html(again)


WAIVER = '[[waiver]]\nclause = "order.closed"\nreason = "r"\nowner = "o"\nexpires = 2026-12-31\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (WAIVER.replace("order.closed", "no.such"), "no clause is named 'no.such'"),
        (WAIVER.replace("order.closed", "order.close"), "did you mean 'order.closed'?"),
        (WAIVER.replace('owner = "o"\n', ""), "line 1: owner (waiver 1) is missing"),
        (WAIVER.replace('owner = "o"', 'owner = " "'), "owner (waiver 1): it is empty"),
        (WAIVER.replace('reason = "r"\n', ""), "reason (waiver 1) is missing"),
        (WAIVER.replace('"r"', '""'), "reason (waiver 1): it is empty"),
        (WAIVER.replace("2026-12-31", "1926-12-31"), "another century"),
        (WAIVER.replace("2026-12-31", "2126-12-31"), "another century"),
        (WAIVER.replace("2026-12-31", "20261231"), "is not a date"),
        (WAIVER.replace("2026-12-31", '"soon"'), "expires"),
        (WAIVER.replace("expires = 2026-12-31\n", ""), "expires (waiver 1) is missing"),
        (WAIVER + WAIVER, "two waivers are for order.closed"),
        (WAIVER + 'ticket = "7"\n', "unknown key ticket (waiver 1)"),
        ('[severity]\nsometimes = "fail"\n', "no clause is named 'sometimes'"),
        ('[severity]\nexpected = "ignore"\n', "severity.expected"),
    ],
)
def test_wrong_waivers_are_one_line(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "kycgate.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match="profile") as caught:
        load_profile(path)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_waivers_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KYCGATE_SEVERITY__EXPECTED", "fail")
    monkeypatch.setenv(
        "KYCGATE_WAIVER", json.dumps([{"clause": BROKEN, "reason": "r", "owner": "o", "expires": "2026-12-31"}])
    )
    profile = Profile()
    assert (profile.severity, profile.waiver[0].clause) == ({"expected": "fail"}, BROKEN)


def test_a_gate_with_a_waiver_from_profile_to_report(tmp_path: Path) -> None:
    """A vendor that breaks one clause: red; amber today; red again the day after; an unused waiver is noted."""
    from kycgate.check.embedded import embedded_sandbox

    secrets = {"KYCGATE_TENANT_ID": "tenant-1", "KYCGATE_TENANT_SECRET": "sandbox-secret"}
    today = datetime.now(UTC).date()
    unused = f'[[waiver]]\nclause = "token.lives"\nreason = "slow"\nowner = "me"\nexpires = {today.isoformat()}\n'
    with embedded_sandbox(Profile(), faults=("approved-as-object",)) as sandbox:
        for name, expires, code in (("red", today - timedelta(days=1), 1), ("amber", today, 0)):
            (tmp_path / f"{name}.toml").write_text(
                f'[[waiver]]\nclause = "approve.true"\nreason = "17"\nowner = "me"\nexpires = {expires}\n{unused}',
                encoding="utf-8",
            )
            done = kycgate(
                *("check", "--base-url", str(sandbox.profile.base_url), "--profile", f"{name}.toml", "--out", name),
                *("--only", "approve.true", "--only", "token.lives", "--seed", "3"), cwd=tmp_path, env=secrets,
            )  # fmt: skip
            run = json.loads((tmp_path / name / "run.json").read_text(encoding="utf-8"))
            found = next(clause for clause in run["clauses"] if clause["id"] == "approve.true")
            assert done.returncode == code, done.stdout + done.stderr
            assert (found["verdict"], found["effect"]) == ("broken", "fails" if code else "waived")
            states = {w["clause"]: w["state"] for w in run["waivers"]}
            assert states["approve.true"] == ("expired" if code else "used")
            assert states["token.lives"] in ("unused", "not judged")
            assert ("waived: approve.true" in done.stdout) == (code == 0)
