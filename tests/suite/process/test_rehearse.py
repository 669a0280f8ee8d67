"""The stand-in vendor for a client's own tests, and `kycgate rehearse` on a naive and a careful client."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

import kycgate
from kycgate.cli.answers import CaseList
from kycgate.contracts.flows.national_id import TOKEN
from kycgate.errors import UsageError
from kycgate.rehearsal.client_clauses import Attempt, judge_client
from kycgate.rehearsal.habits import HARD
from kycgate.rehearsal.rehearse import cases
from kycgate.rehearsal.vendor import StandIn, lines
from kycgate.runs.folder import RunFolder
from kycgate.runs.model import Observed, Run
from kycgate.sandbox import variants
from kycgate.specimens import save
from kycgate.tests.suite.command_line import kycgate as run
from kycgate.tests.suite.shares import share
from tests.suite.conftest import Call

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "examples" / "client" / "onboarding.py"
CAREFUL = (
    ("{data['gender'].strip()}", "{data.get('gender') or 'unknown'}"),
    ("attempt == ATTEMPTS - 1:", "attempt == ATTEMPTS - 1 or 'image' not in (body or {}):"),
    ("timeout=5.0", "timeout=float(os.environ.get('PATIENCE_S', '5'))"),
)
"""The example's two mistakes, mended; and it can be told to wait as long as the vendor's own client does."""
CASES = ("no-gender-on-back", "approval-answered-500", "true-as-text", "reset-in-answer", "read-silent")


@pytest.fixture(scope="module")
def cards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cards")
    save(folder, 1, seed=3)
    return folder


@pytest.fixture(scope="module")
def vendor() -> Iterator[StandIn]:
    with kycgate.stand_in() as running:
        yield running


def mint(vendor: StandIn) -> httpx.Response:
    body = {"tenantId": vendor.tenant_id, "tenantSecret": vendor.tenant_secret}
    return httpx.post(vendor.base_url + TOKEN.path, json=body, timeout=5)


def test_it_is_switched_in_place_and_reset(vendor: StandIn) -> None:
    where = vendor.base_url
    assert mint(vendor).status_code == 200
    assert [(r.step, r.status) for r in vendor.received] == [("token", 200)]
    vendor.line("reset-in-answer", after=1)
    assert mint(vendor).status_code == 200
    with pytest.raises(httpx.HTTPError):
        mint(vendor)
    assert vendor.mistreated == 1
    vendor.reset()
    assert mint(vendor).status_code == 200
    assert (len(vendor.received), vendor.base_url) == (1, where)


def test_a_fault_and_a_latency_add_up_until_the_reset(vendor: StandIn) -> None:
    vendor.use("fault", "expiry-missing")
    vendor.latency("base_ms=1")
    assert "expirationDate" not in mint(vendor).json()
    vendor.reset()
    assert "expirationDate" in mint(vendor).json()


@pytest.mark.parametrize(
    ("kind", "name", "says"),
    [("fault", "no-such", "no fault is named"), ("variant", "no-such", "no faithful variant"), ("luck", "x", "luck")],
)
def test_an_unknown_switch_is_refused(vendor: StandIn, kind: str, name: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        vendor.use(kind, name)  # type: ignore[arg-type]
    assert mint(vendor).status_code == 200


def test_a_line_of_tls_takes_an_address_of_its_own(vendor: StandIn) -> None:
    with pytest.raises(UsageError, match="address of its own"):
        vendor.line("tls-expired")
    assert "tls-expired" not in lines()


def test_the_installed_plugin_gives_the_fixture(pytester_folder: Path) -> None:
    test = pytester_folder / "test_theirs.py"
    test.write_text(
        "import httpx\n"
        "def test_one(kycgate_vendor):\n"
        "    httpx.post(kycgate_vendor.base_url + '/elsewhere')\n"
        "    assert len(kycgate_vendor.received) == 1\n"
        "def test_two(kycgate_vendor):\n"
        "    assert kycgate_vendor.received == []\n",
        encoding="utf-8",
    )
    done = _run([sys.executable, "-m", "pytest", "-q", "-c", "/dev/null", str(test)], pytester_folder)
    assert (done.returncode, "2 passed" in done.stdout) == (0, True), done.stdout


@pytest.fixture
def pytester_folder(tmp_path: Path) -> Path:
    return tmp_path


def _run(command: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)


def rehearse(client: Path, cards: Path, tmp_path: Path, *options: str) -> dict[str, str]:
    """The verdict of each clause of one rehearsal."""
    given = [option for name in CASES for option in ("--only", name)]
    command = ["rehearse", "--strict", "--time-limit", "15", "--out", "run", *given, *options, "--"]
    done = run(*command, sys.executable, str(client), str(cards), cwd=tmp_path)
    recorded = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    assert done.returncode == recorded["exit_code"], done.stderr
    assert all(
        (tmp_path / "run" / name).exists() for name in ("report.html", "junit.xml", "summary.md", "results.sarif")
    )
    return {clause["id"]: clause["verdict"] for clause in recorded["clauses"]}


def test_the_example_has_two_mistakes_and_both_are_found(cards: Path, tmp_path: Path) -> None:
    found = rehearse(EXAMPLE, cards, tmp_path)
    broken = {name for name, verdict in found.items() if verdict == "broken"}
    assert broken == {"fault.no-gender-on-back", "client.no-blind-approval"}


def changed(tmp_path: Path, *changes: tuple[str, str]) -> Path:
    """The example, changed in these places."""
    text = EXAMPLE.read_text(encoding="utf-8")
    for was, now in changes:
        assert was in text
        text = text.replace(was, now)
    client = tmp_path / "client.py"
    client.write_text(text, encoding="utf-8")
    return client


def test_a_careful_client_passes(cards: Path, tmp_path: Path) -> None:
    found = rehearse(changed(tmp_path, *CAREFUL), cards, tmp_path)
    assert {name: verdict for name, verdict in found.items() if verdict == "broken"} == {}
    assert found["fault.no-gender-on-back"] == "kept"


def test_a_careful_client_is_accused_in_no_faithful_variant(
    cards: Path, vendor: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = importlib.util.spec_from_file_location("careful_client", changed(tmp_path, *CAREFUL))
    assert spec is not None
    assert spec.loader is not None
    client = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(client)
    for variable, value in vendor.environment.items():
        monkeypatch.setenv(variable, value)
    for name in variants():
        vendor.reset()
        vendor.use("variant", name)
        assert client.main(cards) == 0
        said = capsys.readouterr().out
        # The client writes Bearer.
        assert ("onboarded" in said) is ("bare-only" not in name), (name, said)
        seen = judge_client(Attempt(vendor.received, said, (vendor.tenant_secret,)))
        assert [one for one in seen if one.kept is False] == [], name
    vendor.reset()


EARLY = """\
    from threading import Thread
    early = Thread(target=client.upload, args=('UploadBackImage', back))
    early.start()
    data = client.upload("UploadFrontImage", front)
    early.join()
"""
NAIVE: dict[str, tuple[str, tuple[str, str], tuple[str, ...]]] = {
    "ignores Retry-After": ("client.backs-off", ("time.sleep(_wait(answer))", "pass"), ("busy",)),
    "keeps a token that ended": (
        "client.token-life", ("            raise TokenEndedError", "            self.call(step, body)"), ("token-ends",)
    ),
    "logs the token to a file": (
        "client.no-secret-printed",
        ("        self._http.headers[", "        Path('app.log').write_text(token)\n        self._http.headers["),
        ("dates-naive",),
    ),
    "sends both sides at once": (
        "client.order",
        (
            '    data = client.upload("UploadFrontImage", front)\n',
            EARLY,
        ),
        ("dates-naive",),
    ),
    "wraps base64 against its rule": (
        "client.image-base64", ("base64.b64encode(picture)", "base64.encodebytes(picture)"), ("dates-naive",)
    ),
}  # fmt: skip
"""By what a client does: the clause that it breaks, the change of the careful client, and the cases that show it."""


@pytest.mark.parametrize("name", share(NAIVE, 3))
def test_a_naive_client_is_found_out(name: str, cards: Path, tmp_path: Path) -> None:
    clause, change, shown_by = NAIVE[name]
    client = changed(tmp_path, *CAREFUL, change)
    options = [option for case in shown_by for option in ("--only", f"habit.{case}")]
    command = ["rehearse", "--out", "run", "--base64", "unbroken", *options, "--", sys.executable, str(client)]
    done = run(*command, str(cards), cwd=tmp_path)
    clauses = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))["clauses"]
    assert {one["id"] for one in clauses if one["verdict"] == "broken" and one["id"].startswith("client.")} == {
        clause
    }, done.stdout


def test_the_hard_habits_are_survived_by_a_careful_client(cards: Path, tmp_path: Path) -> None:
    """Among them a reading of 20 s, which takes this test as long."""
    client = changed(tmp_path, *CAREFUL)
    options = [option for name in HARD for option in ("--only", f"habit.{name}")]
    command = ["rehearse", "--out", "run", "--env", "PATIENCE_S=60", "-j", "3", *options, "--", sys.executable]
    done = run(*command, str(client), str(cards), cwd=tmp_path)
    recorded = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    assert done.returncode == 0, done.stdout
    assert [(one["outcome"], one["completed"]) for one in recorded["rehearsal"]] == [("survived", True)] * 4
    verdicts = {clause["id"]: clause["verdict"] for clause in recorded["clauses"]}
    assert (verdicts["client.backs-off"], verdicts["client.token-life"]) == ("kept", "kept")


def odd(tmp_path: Path, cards: Path, script: str, *options: str) -> tuple[int, dict[str, Any]]:
    """One case, rehearsed by a shell script in which `client` is the example: the exit code, and run.json."""
    call = f'client() {{ "{sys.executable}" "{EXAMPLE}" "{cards}"; }}; {script}'
    command = ["rehearse", "--out", "run", "--time-limit", "20", "--only", "dates-naive", *options, "--", "bash", "-c"]
    done = run(*command, call, cwd=tmp_path)
    return done.returncode, json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))


def test_a_secret_behind_megabytes_of_output_is_found(cards: Path, tmp_path: Path) -> None:
    _, recorded = odd(tmp_path, cards, 'client; yes hello | head -c 3000000; echo "$KYCGATE_TENANT_SECRET"')
    assert next(one for one in recorded["clauses"] if one["id"] == "client.no-secret-printed")["verdict"] == "broken"


def test_a_command_that_fails_by_itself_accuses_no_case(cards: Path, tmp_path: Path) -> None:
    code, recorded = odd(tmp_path, cards, "[ -e mark ] && kill -SEGV $$; touch mark; client")
    found = next(one for one in recorded["clauses"] if one["id"] == "habit.dates-naive")
    assert (code, found["verdict"], "SIGSEGV" in found["reason"]) == (0, "unclear", True)


def test_what_a_failing_command_wrote_is_shown_without_secrets(cards: Path, tmp_path: Path) -> None:
    script = """[ -e mark ] && { client; echo "no: $KYCGATE_TENANT_SECRET"; exit 4; }; touch mark; client"""
    code, recorded = odd(tmp_path, cards, script)
    trial = recorded["rehearsal"][1]
    assert (code, trial["outcome"], trial["ended"]) == (1, "failed", "exit code 4")
    assert "no: $KYCGATE_TENANT_SECRET" in trial["output"]
    found = next(one for one in recorded["clauses"] if one["id"] == "habit.dates-naive")["findings"][0]
    assert "it wrote last: no: $KYCGATE_TENANT_SECRET" in found["actual"]
    assert found["curl"].startswith("kycgate rehearse --only habit.dates-naive --time-limit 20 -- bash")
    assert "sandbox-secret" not in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")


def test_exit_code_0_without_an_onboarding_is_noted(cards: Path, tmp_path: Path) -> None:
    code, recorded = odd(tmp_path, cards, "client || true", "--only", "reset-in-answer")
    assert code == 0
    assert "In 1 of 2 cases that it survived" in recorded["notes"][0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_rehearsal_keeps_what_it_knows_and_leaves_nothing_behind(
    number: signal.Signals, cards: Path, tmp_path: Path
) -> None:
    script = (
        f'[ -e mark ] && {{ sleep 97.{os.getpid()} & wait; }}; touch mark; "{sys.executable}" "{EXAMPLE}" "{cards}"'
    )
    command = [sys.executable, "-m", "kycgate", "rehearse", "--out", "run", "--only", "dates-naive", "--", "bash", "-c"]
    with subprocess.Popen([*command, script], cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "faithful" in process.stdout.readline()
        time.sleep(1)
        begun = time.monotonic()
        process.send_signal(number)
        said = process.stdout.read()
    assert (process.returncode, time.monotonic() - begun < 30) == (3, True)
    assert "the run was stopped before its end, after 0 of 1 cases" in said
    recorded = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    assert (recorded["complete"], recorded["rehearsal"][0]["outcome"]) == (False, "survived")
    left = [one.info["cmdline"] for one in psutil.process_iter(["cmdline"])]
    assert not [command for command in left if command and f"97.{os.getpid()}" in command]


def test_a_reader_that_leaves_changes_no_verdict(cards: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "kycgate", "rehearse", "--out", "run", "--only", "dates-naive", "--"]
    with subprocess.Popen([*command, sys.executable, EXAMPLE, cards], cwd=tmp_path, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
    assert (process.returncode, (tmp_path / "run" / "report.html").exists()) == (0, True)


def test_waivers_and_since_work_as_for_check(cards: Path, tmp_path: Path) -> None:
    options = ["--only", "no-gender-on-back", "--", sys.executable, str(EXAMPLE), str(cards)]
    assert run("rehearse", "--out", "first", *options, cwd=tmp_path).returncode == 1
    until = datetime.now(UTC).date() + timedelta(days=30)
    waiver = f'[[waiver]]\nclause = "fault.no-gender-on-back"\nreason = "known"\nowner = "app"\nexpires = {until}\n'
    (tmp_path / "kycgate.toml").write_text(waiver, encoding="utf-8")
    done = run("rehearse", "--out", "second", "--since", "first", *options, cwd=tmp_path)
    assert (done.returncode, "0 new, 1 known, 0 gone" in done.stdout) == (0, True), done.stdout + done.stderr
    assert "waived" in done.stdout


MINT = (
    "import os, httpx; vendor = httpx.Client(base_url=os.environ['KYCGATE_BASE_URL']); names = ('tenantId', "
    "'KYCGATE_TENANT_ID'), ('tenantSecret', 'KYCGATE_TENANT_SECRET'); "
    f"answer = vendor.post('{TOKEN.path}', json={{key: os.environ[name] for key, name in names}}).json(); "
)
"""A client that mints a token; what it does then follows."""


def test_json_and_quiet_are_as_of_the_other_commands(tmp_path: Path) -> None:
    client = ["--only", "expiry-missing", sys.executable, "-c", MINT]
    done = run("rehearse", "--json", "--out", "run", *client, cwd=tmp_path)
    recorded = Run.model_validate(json.loads(done.stdout))
    assert recorded == Run.model_validate_json((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    assert (recorded.exit_code, done.returncode) == (0, 0), done.stderr
    told = [line.split()[:3] for line in done.stderr.splitlines()]
    assert told[:2] == [["kycgate:", "0/1", "survived"], ["kycgate:", "1/1", "survived"]]
    assert done.stderr.endswith("kycgate: report: run/report.html\n")
    quiet = run("rehearse", "--quiet", *client, cwd=tmp_path)
    assert (quiet.stdout, quiet.stderr) == (f"kept: {recorded.reason}\n", "")


def test_a_list_is_a_document_too(call: Call) -> None:
    options = ("rehearse", "--list", "--only", "expiry-missing", "--only", "busy")
    code, said, complained = call(*options, "--json", "x")
    document = CaseList.model_validate(json.loads(said))
    assert [case.id for case in document.cases] == ["fault.expiry-missing", "habit.busy"]
    assert (code, complained) == (0, "")
    assert call(*options, "--quiet", "x") == (0, "2 cases\n", "")


def test_two_forms_at_once_are_refused(call: Call) -> None:
    code, said, complained = call("rehearse", "--json", "--format", "github", "--", "true")
    assert (code, said, "contradict each other" in complained) == (2, "", True)


def test_a_client_meets_the_vendor_of_a_recorded_run(tmp_path: Path) -> None:
    """This one goes on with a vendor alone that answers an unknown tenant as the recorded one did."""
    seen = Observed(section="answers", subject="token an unknown tenant", counts={"404, code E4": 2})
    theirs = Run(command="check", verdict="kept", exit_code=0, behaviour=[seen])
    RunFolder.create(tmp_path / "theirs", "check").write_run(theirs)
    unknown = f"assert vendor.post('{TOKEN.path}', json={{'tenantId': 'x', 'tenantSecret': 'x'}}).status_code == 404"
    client = ["--only", "expiry-missing", "--", sys.executable, "-c", MINT + unknown]
    alone = run("rehearse", "--out", "alone", *client, cwd=tmp_path)
    assert (alone.returncode, "against the faithful stand-in" in alone.stdout) == (3, True), alone.stdout
    done = run("rehearse", "--like", "theirs", "--out", "run", *client, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    clauses = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))["clauses"]
    assert next(one for one in clauses if one["id"] == "fault.expiry-missing")["verdict"] == "kept"


def test_a_client_that_sends_nothing_is_never_green(tmp_path: Path) -> None:
    done = run("rehearse", "--only", "true-as-text", "--", sys.executable, "-c", "pass", cwd=tmp_path)
    assert (done.returncode, "sent the stand-in no request" in done.stdout) == (3, True), done.stdout


def test_a_fault_that_is_not_met_is_not_exercised(tmp_path: Path) -> None:
    """The client mints a token and stops: no fault of an approval can show."""
    code = (
        "import os, httpx; httpx.post(os.environ['VENDOR'] + '" + TOKEN.path + "', "
        "json={'tenantId': os.environ['KYCGATE_TENANT_ID'], 'tenantSecret': os.environ['KYCGATE_TENANT_SECRET']})"
    )
    options = ("--only", "true-as-text", "--env", "VENDOR={base_url}", "--out", "run")
    done = run("rehearse", *options, "--", sys.executable, "-c", code, cwd=tmp_path)
    verdicts = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))["clauses"]
    assert next(c for c in verdicts if c["id"] == "fault.true-as-text")["verdict"] == "not tried"
    assert (done.returncode, "no chosen case was exercised" in done.stdout) == (3, True), done.stdout


def test_a_client_that_hangs_is_ended(tmp_path: Path) -> None:
    begun = time.monotonic()
    code = "import time; time.sleep(60)"
    done = run("rehearse", "--time-limit", "1", "--only", "read-silent", "--", sys.executable, "-c", code, cwd=tmp_path)
    assert done.returncode == 3
    assert "does not end in time" in done.stdout
    assert time.monotonic() - begun < 30


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--only", "no-such"], "no fault, habit or line is named"),
        (["--kind", "no-such"], "no kind is named"),
        (["--level", "no-such"], "no level is named"),
        (["--kind", "line", "--only", "true-as-text"], "no case is left"),
        (["--env", "X"], "--env takes NAME=VALUE"),
        (["--env", "X={nothing}"], "may hold"),
    ],
)
def test_a_wrong_call_ends_2(arguments: list[str], says: str, tmp_path: Path) -> None:
    done = run("rehearse", *arguments, "--", "true", cwd=tmp_path)
    assert (done.returncode, says in done.stderr) == (2, True), done.stderr


def test_waivers_and_severities_may_name_cases(tmp_path: Path) -> None:
    (tmp_path / "kycgate.toml").write_text('[severity]\n"fault.no-such" = "warn"\n', encoding="utf-8")
    done = run("rehearse", "--profile", "kycgate.toml", "--", "true", cwd=tmp_path)
    assert (done.returncode, "there is no such case" in done.stderr) == (2, True), done.stderr


def test_every_case_is_a_fault_or_a_line() -> None:
    every = cases()
    assert len({case.id for case in every}) == len(every)
    assert {case.kind for case in every} == {"fault", "habit", "line"}
