"""What the commands print with --json and --quiet, whole."""

import json
from pathlib import Path

import pytest

from kycgate.cli.answers import CheckPlan, DoctorAnswer, ProbeAnswer
from kycgate.cli.measured_answers import SlaAnswer
from kycgate.runs.model import Run
from tests.suite.command_line import kycgate

POLICY = '[[objective]]\nid="up"\nkind="availability"\nat_least=0.5\nbursts_s=0\n'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("json")


def test_check_prints_its_run(folder: Path) -> None:
    done = kycgate("check", "--sandbox", "--only", "approve.true", "--json", "-o", "check", cwd=folder)
    run = Run.model_validate(json.loads(done.stdout))
    assert run == Run.model_validate_json((folder / "check" / "run.json").read_text())
    assert run.exit_code == done.returncode
    assert "kycgate: report: check/report.html" in done.stderr
    assert done.stderr.count("kycgate: test 1 of ") == 1


def test_check_quiet_prints_one_line(folder: Path) -> None:
    done = kycgate("check", "--sandbox", "--only", "approve.true", "--quiet", cwd=folder)
    assert done.stdout.startswith("kept: ")
    assert (done.returncode, done.stdout.count("\n"), done.stderr) == (0, 1, "")


def test_a_plan_is_a_document_too(folder: Path) -> None:
    done = kycgate("check", "--dry-run", "--json", cwd=folder)
    plan = CheckPlan.model_validate(json.loads(done.stdout))
    assert plan.requests == sum(test.requests for test in plan.tests) > 0
    assert all(test.clauses for test in plan.tests)


def test_load_and_sla_print_documents(folder: Path) -> None:
    (folder / "policy.toml").write_text(POLICY)
    done = kycgate(
        "load", "--sandbox", "-r", "20", "-d", "2", "--policy", "policy.toml", "-o", "load", "--json", cwd=folder
    )
    run = Run.model_validate(json.loads(done.stdout))
    assert (run.command, run.exit_code) == ("load", done.returncode)
    assert "kycgate: load: " in done.stderr
    assert "kycgate: preparing 40 cards at most" in done.stderr
    done = kycgate("sla", "--policy", "policy.toml", "load", "--json", cwd=folder)
    answer = SlaAnswer.model_validate(json.loads(done.stdout))
    assert [objective.id for objective in answer.objectives] == ["up"]
    assert answer.exit_code == done.returncode
    quiet = kycgate("sla", "--policy", "policy.toml", "load", "--quiet", cwd=folder)
    assert (quiet.stdout, quiet.stderr) == (f"{answer.reason}\n", "")


def test_probe_and_doctor_print_documents(folder: Path) -> None:
    done = kycgate("probe", "--sandbox", "--store", "probes.db", "--json", cwd=folder)
    probe = ProbeAnswer.model_validate(json.loads(done.stdout))
    assert (probe.verdict, probe.exit_code, done.returncode) == ("kept", 0, 0)
    assert len(probe.probe.steps) == 4
    quiet = kycgate("probe", "--sandbox", "--store", "probes.db", "-q", cwd=folder)
    assert (quiet.stdout.count("\n"), quiet.stderr) == (1, "")
    done = kycgate("doctor", "--sandbox", "--json", cwd=folder)
    doctor = DoctorAnswer.model_validate(json.loads(done.stdout))
    assert (doctor.verdict, doctor.exit_code, done.returncode) == ("ready", 0, 0)
    assert doctor.symptoms[-1].what
    quiet = kycgate("doctor", "--sandbox", "--quiet", cwd=folder)
    assert (quiet.stdout, quiet.stderr) == (f"ready: {doctor.reason}\n", "")


@pytest.mark.parametrize("command", ["check", "load", "doctor", "probe"])
def test_an_error_leaves_standard_output_empty(command: str, folder: Path) -> None:
    more = ["--store", "probes.db"] if command == "probe" else []
    done = kycgate(command, "--json", "--quiet", *more, cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("kycgate: no target")


def test_two_forms_at_once_are_refused(folder: Path) -> None:
    done = kycgate("check", "--sandbox", "--json", "--format", "github", cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--json and --format github contradict each other" in done.stderr
