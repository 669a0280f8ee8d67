"""No verdict on the wrong target: without one nothing is sent, and every output names what was judged first."""

import json
import os
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from subprocess import run

import pytest

from kycgate.errors import UsageError
from kycgate.reports.write import write_all
from kycgate.runs.folder import RunFolder
from kycgate.runs.model import Run
from kycgate.sandbox import TENANT, TENANT_SECRET
from kycgate.settings.profile import Environment, find_profile, load_profile, load_secrets
from kycgate.tests.suite.conftest import Call
from kycgate.text import markdown

SENDING = (["check"], ["load"], ["probe", "--store", "s.db"], ["pin"], ["doctor"])
SECRETS = {"KYCGATE_TENANT_ID": TENANT, "KYCGATE_TENANT_SECRET": TENANT_SECRET}
NOWHERE = "http://127.0.0.1:1"
EMPTY = ("BASE_URL", "TRANSLATION", "LIMITS__RATE", "STRICT", "SPECIMENS", "CA_FILE", "PINS", "NAME", "TIMEOUT_S")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("KYCGATE_")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize("command", SENDING, ids=lambda words: words[0])
def test_without_a_target_nothing_is_sent(command: list[str], call: Call, tmp_path: Path) -> None:
    code, out, said = call(*command)
    assert (code, out, "no target" in said, said.count("\n")) == (2, "", True, 1)
    (tmp_path / "kycgate.toml").write_text('name = "a vendor without an address"\n')
    assert call(*command)[0] == 2
    assert call("verify")[0] == 2
    assert {path.name for path in tmp_path.iterdir()} == {"kycgate.toml"}


@pytest.mark.parametrize("command", [*SENDING, ["verify"]], ids=lambda words: words[0])
def test_an_empty_base_url_is_no_wish_for_the_sandbox(
    command: list[str], call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    for empty in ("", " "):
        monkeypatch.setenv("KYCGATE_BASE_URL", empty)
        for more in ([], ["--sandbox"]):
            code, _, said = call(*command, *more)
            assert (code, "KYCGATE_BASE_URL is set but empty" in said) == (2, True)


@pytest.mark.parametrize("name", [f"KYCGATE_{name}" for name in EMPTY])
def test_any_variable_that_is_empty_is_an_error(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "")
    with pytest.raises(UsageError, match=f"{name} is set but empty"):
        load_profile(None)


@pytest.mark.parametrize("field", Environment.model_fields)
def test_an_empty_credential_is_an_error_by_whatever_name(field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VENDOR_VALUE", "")
    with pytest.raises(UsageError, match="VENDOR_VALUE is set but empty"):
        load_secrets(Environment(**{field: "VENDOR_VALUE"}))


def test_a_profile_is_found_where_the_call_is_made(tmp_path: Path) -> None:
    assert find_profile(None, tmp_path) is None
    project = tmp_path / "pyproject.toml"
    project.write_text('[project]\nname = "theirs"\n')
    assert find_profile(None, tmp_path) is None
    project.write_text(f'[tool.kycgate]\nbase_url = "{NOWHERE}"\nspecimens = "cards"\n')
    found = find_profile(None, tmp_path)
    assert found == project
    assert (load_profile(found).base_url, load_profile(found).specimens) == (NOWHERE, tmp_path / "cards")
    (tmp_path / "kycgate.toml").write_text("")
    assert find_profile(None, tmp_path) == tmp_path / "kycgate.toml"
    named = tmp_path / "other.toml"
    assert find_profile(named, tmp_path) == named
    for wrong in ("[tool", "[tool.kycgate]\nno_such_key = 1\n", "[tool]\nkycgate = 7\n"):
        project.write_text(wrong)
        with pytest.raises(UsageError, match="pyproject.toml"):
            load_profile(project)


def test_the_vendor_of_a_found_profile_is_judged(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kycgate.toml").write_text(f'base_url = "{NOWHERE}"\n')
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    code, out, _ = call("check", "--out", "run")
    assert (code, out.splitlines()[0]) == (3, f"target: {NOWHERE}")
    recorded = json.loads((tmp_path / "run" / "run.json").read_text())
    assert (recorded["target"], recorded["profile_file"]) == (NOWHERE, "kycgate.toml")
    assert call("check", "--sandbox", "--base-url", NOWHERE)[0] == 2


@pytest.mark.parametrize("embedded", [True, False])
def test_each_output_names_the_target_first(embedded: bool, tmp_path: Path) -> None:
    words = "the embedded sandbox, no vendor" if embedded else "https://vendor.example"
    target = "http://127.0.0.1:4711" if embedded else words
    judged = Run(command="check", verdict="kept", exit_code=0, target=target, embedded_sandbox=embedded)
    folder = RunFolder.create(tmp_path / "run", "check")
    assert write_all(folder, judged) == []
    shown = {path.name: path.read_text(encoding="utf-8") for path in folder.path.iterdir()}
    assert markdown(words) in shown["summary.md"].splitlines()[0]
    assert words in (ET.fromstring(shown["junit.xml"]).get("name") or "")  # noqa: S314 - we wrote it
    (logged,) = json.loads(shown["results.sarif"])["runs"]
    assert words in logged["automationDetails"]["description"]["text"]
    page = shown["report.html"]
    assert words in page[page.index("<title>") : page.index("</title>")]
    assert page.index(words, page.index("<header>")) < page.index("<h1")


@pytest.mark.parametrize(("options", "code"), [((), 2), (("--base-url", ""), 2)])
def test_plain_pytest_without_a_target_sends_nothing(options: tuple[str, ...], code: int) -> None:
    root = Path(__file__).resolve().parents[3]
    done = run(
        [sys.executable, "-m", "pytest", "-q", "-n", "0", "tests/contract/test_client.py", *options],
        cwd=root, capture_output=True, text=True, timeout=60, check=False,
        env={name: value for name, value in os.environ.items() if not name.startswith("KYCGATE_")},
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    assert "passed" not in done.stdout


def test_the_embedded_sandbox_says_so_in_its_first_line(call: Call, tmp_path: Path) -> None:
    code, out, _ = call("check", "--sandbox", "--budget", "12", "--uploads", "4", "--out", "run")
    assert (code, out.splitlines()[0]) == (3, "target: the embedded sandbox, no vendor")
    assert (tmp_path / "run" / "summary.md").read_text().startswith("## kycgate check: unclear, of the embedded")
