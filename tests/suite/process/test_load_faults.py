"""What only a load meets with: each such fault is found, and breaks its own clause alone."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kycgate.check.embedded import embedded_sandbox
from kycgate.errors import UsageError
from kycgate.gate.gate import Gate
from kycgate.load import LoadOutcome, LoadPlan, Topology, run_load
from kycgate.load.files import demand_files
from kycgate.reports.crosscheck import Evidence, contradictions
from kycgate.runs.folder import RunFolder
from kycgate.runs.load_model import WHOLE
from kycgate.sandbox import TENANT, TENANT_SECRET, LatencyModel, SandboxSettings
from kycgate.sandbox.faults import LOAD_FAULTS
from kycgate.sandbox.faults.under_load import STEADY
from kycgate.settings.profile import Profile
from kycgate.tests.suite.shares import share


def load_of(tmp_path: Path, *faults: str, **plan: Any) -> LoadOutcome:
    """A load of 4 s against the sandbox with these faults."""
    with embedded_sandbox(Profile(), faults=faults) as sandbox:
        chosen = LoadPlan(base_url=str(sandbox.profile.base_url), seed=1, **({"rate": 25, "duration_s": 4} | plan))
        return run_load(chosen, sandbox.secrets, tmp_path)


def broken(outcome: LoadOutcome) -> set[str]:
    return {clause for clause, (bad, _) in outcome.judged.items() if bad}


@pytest.mark.parametrize("name", share((name for name, fault in LOAD_FAULTS.items() if fault.clause != STEADY), 3))
def test_a_fault_under_load_is_found_and_accuses_its_own_clause_alone(name: str, tmp_path: Path) -> None:
    outcome = load_of(tmp_path, name)
    clause = LOAD_FAULTS[name].clause
    assert broken(outcome) == {clause}
    bad, observed = outcome.judged[clause]
    # Out of turn a load goes a few times, and each way once.
    assert 0 < bad <= observed
    assert bad < observed or clause.startswith("order.")
    finding = next(breach.finding for breach in outcome.breaches if breach.clause == clause)
    assert finding.exchange is not None
    assert finding.curl.startswith(("curl", "printf"))


def test_one_bad_token_answer_ends_no_preflight() -> None:
    with embedded_sandbox(Profile(), faults=("bad-token",)) as sandbox:
        gate = Gate(sandbox.profile, sandbox.secrets, seed=1)
        gate.preflight()
        gate.close()
    assert +gate.ledger.breaches() == {"status.no-5xx": 1}


def test_a_faithful_vendor_is_not_accused_under_load(tmp_path: Path) -> None:
    outcome = load_of(tmp_path, client_order_share=0.3, retry_share=0.3)
    assert broken(outcome) == set()
    assert outcome.judged["session.own-customer"][1] == 200 + outcome.result.other_uploads
    # Three sessions beside 100 onboardings, then a fourth: the last step at once, the third, and the last after one
    # and after two steps.
    assert {
        clause: seen for clause, seen in outcome.judged.items() if clause.startswith(("order.", "refusal.order"))
    } == {
        "order.approve-front-after-upload-front": (0, 1),
        "order.approve-back-after-upload-back": (0, 1),
        "refusal.order-status": (0, 4),
    }
    assert (outcome.result.other_requests, outcome.result.other_uploads) == (7, 2)
    # They are not measured.
    answers = {step.name: step.count for step in outcome.result.latencies if step.clock == "response"}
    assert sum(count for name, count in answers.items() if name != WHOLE) == outcome.requests
    assert outcome.result.scheduled == outcome.result.recorded == answers[WHOLE] == 100
    assert outcome.result.tokens == 104


def test_the_order_is_left_alone_where_it_must_be(tmp_path: Path) -> None:
    """A fixed key serves one person at a time, and an option switches it off."""
    outcome = load_of(tmp_path, out_of_turn=0, duration_s=2)
    assert (outcome.result.other_requests, outcome.result.tokens) == (0, 50)
    with embedded_sandbox(Profile(), keys=60) as sandbox:
        chosen = LoadPlan(base_url=str(sandbox.profile.base_url), seed=1, rate=15, duration_s=2)
        outcome = run_load(chosen, sandbox.secrets, tmp_path)
    assert outcome.result.other_requests == 0
    assert outcome.requests == 120


def test_what_is_only_expected_is_counted_and_makes_no_answer_wrong(tmp_path: Path) -> None:
    outcome = load_of(tmp_path, "nothing-said-of-caches", duration_s=2)
    assert broken(outcome) == {"safety.no-store"}
    assert outcome.result.wrong_answers == 0
    assert outcome.result.recorded == 50


def test_too_few_open_files_here_break_no_clause(tmp_path: Path) -> None:
    """A slow vendor and few files: the run is void, and nothing of it is the vendor's."""
    script = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))\n"
        "from kycgate.cli.main import main; main()"
    )
    slow = SandboxSettings(latency=LatencyModel(base_ms=1_500))
    with embedded_sandbox(Profile(), slow) as sandbox:
        done = subprocess.run(
            [sys.executable, "-P", "-c", script, "load", "--base-url", str(sandbox.profile.base_url), "--rate", "25",
             "--duration", "5", "--out", "run"],
            cwd=tmp_path, env={**os.environ, "KYCGATE_TENANT_ID": TENANT, "KYCGATE_TENANT_SECRET": TENANT_SECRET},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 3, done.stdout + done.stderr
    run = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    assert "ulimit -n" in run["load"]["health"]["void"]
    assert [objective for objective in run["objectives"] if objective["verdict"] == "broken"] == []
    assert [clause["id"] for clause in run["clauses"] if clause["verdict"] == "broken"] == []


def test_a_load_that_takes_more_files_than_there_are_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kycgate.load.files.most_connections", lambda: 100)
    many = LoadPlan(base_url="http://127.0.0.1", rate=1, duration_s=1, people=300)
    with pytest.raises(UsageError, match="300 connections"):
        demand_files(many, Topology())
    demand_files(many, Topology(processes=3))
    demand_files(many, Topology(remote_workers=1))


@pytest.mark.whole
def test_a_climb_is_said_and_fails_where_the_policy_says_so(tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(
        'unsteady = "fail"\n[[objective]]\nid = "p95"\nkind = "latency"\nstep = "upload"\npercentile = 50\n'
        "limit_ms = 30000\nbursts_s = 0\n"
    )
    with embedded_sandbox(Profile(), faults=("climb",)) as sandbox:
        done = subprocess.run(
            [sys.executable, "-m", "kycgate", "load", "--base-url", str(sandbox.profile.base_url), "--rate", "6",
             "--duration", "13", "--policy", str(policy), "--out", "run"],
            cwd=tmp_path, env={**os.environ, "KYCGATE_TENANT_ID": TENANT, "KYCGATE_TENANT_SECRET": TENANT_SECRET},
            capture_output=True, text=True, timeout=90, check=False,
        )  # fmt: skip
    run = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    verdicts = {objective["id"]: objective["verdict"] for objective in run["objectives"]}
    assert verdicts["steady"] == "broken", done.stdout
    assert done.returncode == 1
    assert "describe no steady state" in next(o for o in run["objectives"] if o["id"] == "p95")["note"]
    assert any("no steady state" in note and "climbed" in note for note in run["notes"])
    assert [*contradictions(Evidence(RunFolder(tmp_path / "run")))] == []
