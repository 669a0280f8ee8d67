"""A fifth step, a selfie, lives in one file of a user's own: every command works with it, without a line elsewhere."""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from kycgate.tests.suite.command_line import load_once_quiet

FLOW = Path(__file__).parents[1] / "flows" / "selfie.py"
HOW_TO = Path(__file__).resolve().parents[3] / "docs" / "how-to" / "add-a-step.md"
BIN = Path(sys.executable).parent


def kycgate(folder: Path, *arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("KYCGATE_", "PYTEST_"))}
    return subprocess.run(
        [BIN / "kycgate", *arguments], cwd=folder, env=clean | more, capture_output=True, text=True, timeout=300,
        check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of a user's own: the flow's file, and a profile that names it."""
    folder = tmp_path_factory.mktemp("ours")
    shutil.copy(FLOW, folder / "our_flow.py")
    (folder / "kycgate.toml").write_text('flow = "our_flow.py"\n', encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def checked(ours: Path) -> Path:
    done = kycgate(ours, "check", "--sandbox", "--strict", "--out", "check", "--seed", "3")
    assert done.returncode == 0, done.stdout + done.stderr
    return ours / "check"


def _read(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    return found


def test_the_file_is_short_and_the_how_to_says_how_short() -> None:
    lines = len(FLOW.read_text(encoding="utf-8").splitlines())
    assert lines < 120
    assert f"{lines} lines" in HOW_TO.read_text(encoding="utf-8")


def test_check_judges_the_step_and_every_clause(checked: Path) -> None:
    run = _read(checked)
    verdicts = {clause["id"]: clause["verdict"] for clause in run["clauses"]}
    assert set(verdicts.values()) == {"kept"}
    assert {"selfie.result", "selfie.match", "order.selfie-last"} <= set(verdicts)
    assert [step["id"] for step in run["flow"]["steps"]][-1] == "upload_selfie"
    every = next(clause for clause in run["clauses"] if clause["id"] == "auth.missing")
    assert "upload_selfie" in every["endpoints"]


def test_check_tries_the_step_in_every_way(checked: Path) -> None:
    """Orders, refusals out of turn, credentials, crossed sessions, unreadable pictures, other methods."""
    lines = (checked / "exchanges.ndjson").read_text(encoding="utf-8").strip("\n").split("\n")
    sent = [exchange for exchange in map(json.loads, lines) if exchange["endpoint"] == "upload_selfie"]
    met = Counter((exchange["intent"], exchange["status"]) for exchange in sent)
    assert met["legal", 200] > 2
    early = Counter(exchange["test"] for exchange in sent if (exchange["intent"], exchange["status"]) == ("legal", 400))
    names = ["upload_front", "upload_back", "approve_front", "approve_back", "upload_selfie"]
    page, client = "-".join(names), "-".join([names[0], names[2], names[1], *names[3:]])
    assert early[f"test_step_out_of_order[{page}]"] == 4, "before each of the four steps that it needs"
    assert early[f"test_step_out_of_order[{client}]"] == 4
    for intent, status in (
        ("no Authorization header", 401),
        ("an unknown key", 401),
        ("an expired token", 401),
        ("naming another session's customer", 400),
        ("JSON cut short", 400),
        ("a PDF", 200),
        ("PUT instead of POST", 405),
    ):
        assert met[intent, status], intent


def test_the_page_shows_five_steps_and_reads_the_run_alone(checked: Path) -> None:
    page = (checked / "report.html").read_text(encoding="utf-8")
    assert page.count('<input type="radio" name="step"') == 7, "all, five steps, the token"
    assert "All five steps" in page
    assert ">upload selfie</text>" in page
    again = checked.parent / "again"
    shutil.copytree(checked, again)
    done = kycgate(again, "report", ".", KYCGATE_FLOW="national-id")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (again / "report.html").read_text(encoding="utf-8") == page


@pytest.mark.whole
def test_prove_finds_its_faults(ours: Path) -> None:
    done = kycgate(ours, "prove", "--quick", "--only", "stranger-accepted", "--only", "selfie-first", "--out", "prove")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 of 2 faults found" in done.stdout


@pytest.mark.whole
def test_prove_lets_a_load_of_all_five_steps_meet_the_sandbox(ours: Path) -> None:
    done = kycgate(ours, "prove", "--only", "no fault", "--out", "prove-load")
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = json.loads((ours / "prove-load" / "prove.json").read_text(encoding="utf-8"))
    # Of 100 onboardings: three uploads each.
    assert found["uploads"] >= 300


def test_load_sla_and_compare_count_it(ours: Path) -> None:
    workload = ("--rate", "4", "--duration", "3", "--processes", "2")
    done = load_once_quiet(
        lambda: kycgate(ours, "load", "--sandbox", *workload, "--out", "load", "--seed", "1"), ours / "load"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    latencies = {(s["name"], s["clock"]): s["count"] for s in _read(ours / "load")["load"]["latencies"]}
    assert latencies["upload_selfie", "response"] == latencies["upload_front", "response"] == 12
    uploads = next(o for o in _read(ours / "load")["objectives"] if o["id"] == "upload-p95")
    assert uploads["samples"] == 36, "all three uploads"
    policy = 'name = "ours"\n[[objective]]\nid = "selfie"\nkind = "latency"\nstep = "upload_selfie"\npercentile = 90\n'
    (ours / "policy.toml").write_text(policy + "limit_ms = 5000\n", encoding="utf-8")
    judged = kycgate(ours, "sla", "load", "--policy", "policy.toml")
    assert judged.returncode == 3
    assert "n = 12" in judged.stdout
    assert "upload_selfie" in kycgate(ours, "compare", "load", "load").stdout


def test_probe_takes_it_and_pin_writes_it_down(ours: Path, checked: Path) -> None:
    done = kycgate(ours, "probe", "--sandbox", "--store", "probes.db", "--out", "probe")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 requests, 3 uploads" in done.stdout
    assert kycgate(ours, "pin", str(checked), "--out", "pins.toml").returncode == 0
    assert "upload_selfie" in (ours / "pins.toml").read_text(encoding="utf-8")


def test_openapi_clauses_and_faults_show_it(ours: Path) -> None:
    document = json.loads(kycgate(ours, "openapi").stdout)
    operations = {operation["operationId"] for path in document["paths"].values() for operation in path.values()}
    assert "UploadSelfie" in operations
    assert "SelfieResult" in document["components"]["schemas"]
    assert "selfie.match [expected]" in kycgate(ours, "clauses").stdout
    assert "stranger-accepted" in kycgate(ours, "sandbox", "--list-faults").stdout


def test_a_gateway_gives_other_paths(ours: Path) -> None:
    profile = 'flow = "our_flow.py"\nbase_path = "/ekyc/v2"\n[paths]\nupload_selfie = "/face"\n'
    (ours / "gateway.toml").write_text(profile, encoding="utf-8")
    done = kycgate(ours, "check", "--sandbox", "--profile", "gateway.toml", "--only", "order.page", "--out", "gateway")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = (ours / "gateway" / "exchanges.ndjson").read_text(encoding="utf-8").strip("\n").split("\n")
    paths = {exchange["endpoint"]: exchange["path"] for exchange in map(json.loads, lines)}
    assert paths["upload_selfie"] == "/face"
    assert paths["upload_front"] == "/ekyc/v2/onboarding/NationalIdKyc/UploadFrontImage"
    assert paths["token"].startswith("/ekyc/v2/")


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        ('flow = "passport"', "none is named 'passport'"),
        ('flow = "gone.py"', "there is no file"),
        ('flow = "empty.py"', "holds no FLOW"),
        ('flow = "broken.py"', "fails: ZeroDivisionError"),
        ('[paths]\nupload_side = "/x"', "no endpoint is named 'upload_side'"),
        ('base_path = "api"', "base_path"),
    ],
)
def test_a_flow_that_cannot_be_used_is_said_in_one_line(tmp_path: Path, profile: str, said: str) -> None:
    (tmp_path / "empty.py").write_text("", encoding="utf-8")
    (tmp_path / "broken.py").write_text("1 / 0", encoding="utf-8")
    (tmp_path / "kycgate.toml").write_text(profile, encoding="utf-8")
    done = kycgate(tmp_path, "check", "--sandbox")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert said in done.stderr
