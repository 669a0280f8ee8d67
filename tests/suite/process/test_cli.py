"""The command line as a user meets it: one line for what is wrong, the right exit code, nothing leaked."""

import http.server
import json
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from pydantic import SecretStr

from kycgate.check.embedded import embedded_sandbox
from kycgate.check.runner import run_contract_tests
from kycgate.gate.gate import Gate
from kycgate.runs.clause import Verdict
from kycgate.runs.folder import RunFolder
from kycgate.sandbox import TENANT, TENANT_SECRET, RunningSandbox, SandboxSettings
from kycgate.settings.profile import Profile, Secrets
from kycgate.tests import contract
from kycgate.tests.suite.command_line import kycgate
from kycgate.tests.suite.conftest import Call

SECRETS = {"KYCGATE_TENANT_ID": "tenant-1", "KYCGATE_TENANT_SECRET": "sandbox-secret"}


@pytest.fixture
def always_401() -> Iterator[str]:
    """A target that answers 401 to everything."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(401)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["check", "--no-such-flag"], "kycgate check has no option --no-such-flag: see `kycgate check --help`"),
        (["nonsense"], "No such command"),
        (["check", "--base-url", "not a url"], "is not a URL"),
        (["check", "--base-url", "http://user:pw@127.0.0.1"], "carries credentials"),
        (["check", "--base-url", "http://127.0.0.1:1"], "no credentials"),
        (["check", "--profile", "missing.toml"], "cannot read the profile"),
        (["check", "--sandbox", "--budget", "0"], "--budget must be at least 1"),
        (["check", "--sandbox", "--specimens", "missing"], "no folder"),
        (["report", "missing"], "no run.json"),
        (["specimens", "--out", "cards", "--size", "5"], "sizes go from"),
        (["sandbox", "--host", "0.0.0.0"], "--allow-remote"),
        (["sandbox", "--fault", "none-such"], "no fault is named"),
        (["sandbox", "--fault", "approve-as-object"], "did you mean 'approved-as-object'?"),
        (["chaos", "bom"], "no behaviour is named"),
        (["load", "--base-url", "http://192.0.2.1", "--rate", "5"], "--yes-this-is-mine"),
    ],
)
def test_wrong_calls_end_2_with_one_line(arguments: list[str], says: str, tmp_path: Path) -> None:
    env = SECRETS if arguments[0] == "load" else None
    done = kycgate(*arguments, cwd=tmp_path, env=env)
    assert done.returncode == 2, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert len([line for line in done.stderr.splitlines() if line.startswith("kycgate: ")]) == 1


@pytest.mark.parametrize("text", ["not toml [", 'colour = "red"', 'base_url = "ftp://x"', "translation = 7"])
def test_wrong_profiles_end_2(text: str, tmp_path: Path) -> None:
    (tmp_path / "kycgate.toml").write_text(text)
    done = kycgate("check", "--profile", "kycgate.toml", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("kycgate: ")
    assert "Traceback" not in done.stderr


def test_a_misspelt_fault_is_answered_before_the_banner(tmp_path: Path) -> None:
    assert "export" not in kycgate("sandbox", "--fault", "none-such", cwd=tmp_path).stderr


def test_half_a_tenant_ends_2(tmp_path: Path) -> None:
    done = kycgate("check", "--base-url", "http://127.0.0.1:1", cwd=tmp_path, env={"KYCGATE_TENANT_ID": "x"})
    assert (done.returncode, "KYCGATE_TENANT_SECRET is not set" in done.stderr) == (2, True)


def test_unreachable_target_ends_3(tmp_path: Path) -> None:
    done = kycgate("check", "--base-url", "http://127.0.0.1:1", "--out", "run", cwd=tmp_path, env=SECRETS)
    assert done.returncode == 3
    assert "cannot be reached" in done.stdout
    assert json.loads((tmp_path / "run" / "run.json").read_text())["verdict"] == "unclear"


@pytest.mark.parametrize("env", [SECRETS, {"KYCGATE_API_KEYS": "some-key-1234"}])
def test_only_401_ends_3(always_401: str, env: dict[str, str], tmp_path: Path) -> None:
    done = kycgate("check", "--base-url", always_401, "--out", "run", cwd=tmp_path, env=env)
    assert done.returncode == 3
    assert "401" in done.stdout


def test_refused_credentials_end_3(tmp_path: Path) -> None:
    with embedded_sandbox(Profile()) as sandbox:
        wrong = SECRETS | {"KYCGATE_TENANT_SECRET": "wrong-secret-value"}
        done = kycgate("check", "--base-url", str(sandbox.profile.base_url), "--out", "run", cwd=tmp_path, env=wrong)
    assert done.returncode == 3
    assert "KYCGATE_TENANT_SECRET" in done.stdout
    assert "wrong-secret-value" not in done.stdout + done.stderr


def test_verify_from_nothing_to_a_verdict(tmp_path: Path) -> None:
    """The first command of the README, with less load; then its folder, looked at from all sides.

    Everything written and printed is searched for the credentials and for what the cards print.
    """
    from kycgate.specimens import card_set

    options = ("--duration", "5", "--load-rate", "12", "--seed", "11")
    for attempt in range(3):
        done = kycgate("verify", "--out", f"run{attempt}", *options, cwd=tmp_path)
        folder = tmp_path / f"run{attempt}"
        run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        void = run["load"]["health"]["void"]
        if not void:
            break
    # Where other tests keep the machine too busy for a load to mean anything, no verdict is the right one.
    assert (done.returncode, run["verdict"]) == ((3, "unclear") if void else (0, "kept")), done.stdout + done.stderr
    assert "the generator" in void or not void
    first = ["schema_version", "command", "verdict", "exit_code", "requests_sent", "uploads_sent", "clauses"]
    assert list(run)[:7] == first
    assert {clause["verdict"] for clause in run["clauses"]} == {"kept"}
    # Five seconds may show too little for the default objectives: that is told, and breaks nothing.
    assert {objective["verdict"] for objective in run["objectives"]} <= {"holds", "not enough evidence"}
    assert run["load"]["scheduled"] == run["load"]["recorded"] == 60
    assert run["load"]["wrong_answers"] == 0
    suite = ET.parse(folder / "junit.xml").getroot()  # noqa: S314 - we wrote it
    assert len(suite.findall("testcase")) == len(run["clauses"]) + len(run["objectives"])
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert page.count("<svg") >= 4
    assert page.count("<script") == 1
    assert len(page) < 1_500_000
    assert (folder / "latency.hlog").read_text().startswith("#[")
    said = done.stdout + done.stderr
    said += "".join(path.read_text(encoding="utf-8", errors="replace") for path in folder.rglob("*"))
    assert TENANT_SECRET not in said
    assert "eyJ" not in said
    for number in range(1, 12):
        shown = card_set(11 * 10_000 + number)
        for name, value in (*shown.front.truth.items(), *shown.back.truth.items()):
            assert len(value) <= 8 or value not in said, name
    before = page
    assert kycgate("report", folder.name, cwd=tmp_path).returncode == 0
    assert (folder / "report.html").read_text(encoding="utf-8") == before
    again = kycgate("check", "--sandbox", "--out", folder.name, cwd=tmp_path)
    assert (again.returncode, "already holds a run" in again.stderr) == (2, True)


def test_budget_is_kept_and_what_it_cuts_off_is_named(tmp_path: Path) -> None:
    done = kycgate("check", "--sandbox", "--budget", "20", "--uploads", "8", "--out", "run", cwd=tmp_path)
    run = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    assert run["requests_sent"] <= 20
    assert run["uploads_sent"] <= 8
    cut = [clause for clause in run["clauses"] if clause["verdict"] == "not tried"]
    assert cut
    assert all(clause["reason"] for clause in cut)
    # Kept is what could be judged, but nothing was seen of the order: green would be a guess.
    assert (done.returncode, run["verdict"]) == (3, "unclear")
    verdict = next(line for line in done.stdout.splitlines() if line.startswith("unclear: "))
    assert f"{len(cut)} not tried" in verdict
    assert "order.upload-back-after-upload-front" in verdict
    assert verdict.endswith(("the budget of 20 requests is spent", "the budget has no room for it"))


def test_dry_run_sends_nothing(tmp_path: Path) -> None:
    done = kycgate("check", "--dry-run", "--base-url", "http://127.0.0.1:1", cwd=tmp_path)
    assert done.returncode == 0
    assert "nothing was sent" in done.stdout
    assert not list(tmp_path.iterdir())


def test_plain_pytest_takes_a_base_url(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[3]
    with embedded_sandbox(Profile(), faults=("age-as-text",)) as sandbox:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "tests/contract/test_client.py",
             "--base-url", str(sandbox.profile.base_url), "--seed", "3", "--kycgate-out", str(tmp_path / "run")],
            cwd=root, env=os.environ | SECRETS, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
    assert done.returncode == 1, done.stdout
    assert "broken: result.properties" in done.stdout
    shown = ("endpoint: POST upload_", "exchange: ", "required: ", "came: customerData.detectedAge", "curl: ")
    assert all(f"\n  {part}" in done.stdout for part in shown), done.stdout
    summary = done.stdout[done.stdout.index("broken clauses, by cause") :]
    assert summary.count("\nresult.properties [documented]") == 1
    run = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    assert (run["verdict"], run["target"]) == ("broken", sandbox.profile.base_url)
    assert kycgate("report", "run", cwd=tmp_path).returncode == 0
    assert (tmp_path / "run" / "report.html").exists()


def test_a_target_is_tested_by_one_process(tmp_path: Path) -> None:
    """Each process would have a budget of its own."""
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "2", "tests/contract", "--base-url", "http://127.0.0.1:1"],
        cwd=root, env=os.environ | SECRETS, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 4
    assert "-n: each process would have a budget of its own" in done.stderr


def test_installed_wheel_among_namesakes(tmp_path: Path) -> None:
    """The wheel puts kycgate alone on the path, and never imports the caller's folders of the same names."""
    root = Path(__file__).resolve().parents[3]
    built = subprocess.run(
        ["uv", "build", "--wheel", "--out-dir", str(tmp_path / "dist"), str(root)],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    site = tmp_path / "site"
    with zipfile.ZipFile(next((tmp_path / "dist").glob("*.whl"))) as wheel:
        wheel.extractall(site)
    assert {path.name for path in site.iterdir() if not path.name.endswith(".dist-info")} == {"kycgate"}
    cwd = tmp_path / "theirs"
    for name in ("tests", "reports", "load", "contracts", "sandbox", "specimens"):
        (cwd / name).mkdir(parents=True)
        (cwd / name / "__init__.py").write_text("raise RuntimeError('this is somebody else\\'s')")
    (cwd / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    (cwd / "conftest.py").write_text("raise RuntimeError('not for us')")
    judged = kycgate(
        "check", "--sandbox", "--only", "auth.missing", "--out", "check",
        cwd=cwd, env={"PYTHONPATH": str(site)}, new_process=True,
    )  # fmt: skip
    assert judged.returncode == 0, judged.stdout + judged.stderr
    done = kycgate("load", "--sandbox", "--out", "run", "--duration", "2", cwd=cwd, env={"PYTHONPATH": str(site)})
    assert "somebody else" not in judged.stderr + done.stderr
    assert done.returncode in (0, 3), done.stdout + done.stderr
    where = subprocess.run(
        [sys.executable, "-c", "import kycgate.contracts as c; print(c.__file__)"],
        cwd=cwd, env=os.environ | {"PYTHONPATH": str(site)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert str(site) in where.stdout
    run = json.loads((cwd / "run" / "run.json").read_text(encoding="utf-8"))
    assert {clause["verdict"] for clause in run["clauses"]} == {"kept"}


@pytest.mark.parametrize(("budget", "code"), [("10", 3), ("90", 0)])
def test_plain_pytest_is_green_only_with_a_verdict_on_the_core(
    budget: str, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this process; of what was not asked for (the order of steps) nothing is demanded."""
    for name in list(os.environ):
        if name.startswith(("KYCGATE_", "PYTEST_ADDOPTS")):
            monkeypatch.delenv(name)
    folder = Path(contract.__file__).parent
    options = ["-c", os.devnull, f"--rootdir={folder}", "--import-mode=importlib", "-p", "no:cacheprovider", "-q"]
    options += ["-p", "kycgate.check.pytest_plugin"]
    ended = pytest.main([str(folder / "test_credentials.py"), *options, "--sandbox", "--budget", budget, "--seed", "3"])
    said = capsys.readouterr().out
    assert (int(ended), "kycgate: too little evidence: no verdict on" in said) == (code, code == 3)
    assert ("auth.missing, auth.unknown" in said) == (code == 3)


def test_a_target_that_dies_halfway_is_accused_of_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was never answered breaks no clause but that of answering in time."""
    monkeypatch.setattr("kycgate.target.client.PAUSES_S", (0.0,) * 14)
    with RunningSandbox(SandboxSettings(tenants={TENANT: TENANT_SECRET})) as sandbox:
        profile = Profile(base_url=sandbox.base_url)
        secrets = Secrets(tenant_id=TENANT, tenant_secret=SecretStr(TENANT_SECRET))
        gate = Gate(profile, secrets, seed=1)
        gate.preflight()
    try:
        outcome = run_contract_tests(gate, strict=True)
    finally:
        gate.close()
    broken = [result.id for result in gate.ledger.results(outcome.not_tried) if result.verdict is Verdict.BROKEN]
    assert set(broken) <= {"answer.in-time"}


def test_only_one_clause_is_judged(call: Call, tmp_path: Path) -> None:
    """A clause that was mended is judged again with few requests; what else is broken is said and fails nothing."""
    settings = SandboxSettings(tenants={TENANT: TENANT_SECRET})
    with RunningSandbox(settings, ("approved-as-object",)) as sandbox, pytest.MonkeyPatch.context() as patch:
        patch.setenv("KYCGATE_TENANT_ID", TENANT)
        patch.setenv("KYCGATE_TENANT_SECRET", TENANT_SECRET)
        target = ("check", "--base-url", sandbox.base_url, "--seed", "1")
        code, out, err = call(*target, "--only", "upload.accepted", "--only", "order.closed", "--out", "kept")
        assert (code, "2 clauses kept (only upload.accepted, order.closed judged)" in out) == (0, True), out + err
        run = RunFolder(tmp_path / "kept").read_run()
        assert {clause.id for clause in run.clauses} == {"upload.accepted", "order.closed"}
        # A whole check sends some 400; a test whose breach may need several requests at once is run once more.
        assert run.requests_sent <= 80, run.requests_sent
        assert "Broken as well, though not asked for: approve.true." in run.notes
        code, out, err = call(*target, "--only", "approve", "--out", "broken")
        assert (code, "1 clause broken: approve.true" in out) == (1, True), out + err
        code, out, err = call(*target, "--only", "aprove", "--out", "none")
    assert (code, out) == (2, "")
    assert err == "kycgate: no clause or family is named 'aprove': did you mean 'approve'?\n"
    assert not (tmp_path / "none").exists()
