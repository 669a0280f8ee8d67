"""The stand-in vendor for a client's own tests, and `kycgate rehearse` on a naive and a careful client."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

import kycgate
from kycgate.contracts.flows.national_id import TOKEN
from kycgate.errors import UsageError
from kycgate.rehearsal.rehearse import cases
from kycgate.rehearsal.vendor import StandIn, lines
from kycgate.specimens import save
from kycgate.tests.suite.command_line import kycgate as run

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "examples" / "client" / "onboarding.py"
CAREFUL = (
    ("{data['gender'].strip()}", "{data.get('gender') or 'unknown'}"),
    ("attempt == ATTEMPTS - 1:", "attempt == ATTEMPTS - 1 or 'image' not in (body or {}):"),
)
"""The example's two mistakes, mended."""
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


def test_a_careful_client_passes(cards: Path, tmp_path: Path) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    for mistake, mended in CAREFUL:
        assert mistake in text
        text = text.replace(mistake, mended)
    careful = tmp_path / "careful.py"
    careful.write_text(text, encoding="utf-8")
    found = rehearse(careful, cards, tmp_path)
    assert {name: verdict for name, verdict in found.items() if verdict == "broken"} == {}
    assert found["fault.no-gender-on-back"] == "kept"


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
        (["--only", "no-such"], "no fault or line is named"),
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
    assert {case.kind for case in every} == {"fault", "line"}
