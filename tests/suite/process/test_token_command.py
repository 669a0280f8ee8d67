"""`[credentials] command`: tokens by a command of the user's, as git's and docker's credential helpers give them."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kycgate.contracts.flows import flow
from kycgate.errors import NotTheTarget
from kycgate.sandbox import TENANT, TENANT_SECRET, RunningSandbox, SandboxSettings
from kycgate.target.token_command import ask_command
from kycgate.tests.suite.command_line import went_well
from kycgate.tests.suite.conftest import Call

LOCUSTFILE = Path(__file__).resolve().parents[3] / "load" / "locustfile.py"
MINTS = f"""
import http.client, json, sys, pathlib
host, log = sys.argv[1:]
asked = http.client.HTTPConnection(host, timeout=20)
body = json.dumps({{"tenantId": {TENANT!r}, "tenantSecret": {TENANT_SECRET!r}, "kycRequestTypeId": "1"}})
asked.request("POST", {flow().token.path!r}, body, {{"Content-Type": "application/json"}})
token = json.load(asked.getresponse())["token"]
with open(log, "a") as kept:
    kept.write(token + "\\n")
sys.stderr.write("debug: the token is " + token)
print(token)
"""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    with RunningSandbox(SandboxSettings(tenants={TENANT: TENANT_SECRET})) as running:
        yield running


@pytest.fixture
def log(sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A profile whose command mints tokens lies beside; the file that is returned has them, one a line."""
    (tmp_path / "mints.py").write_text(MINTS)
    host, log = sandbox.base_url.removeprefix("http://"), tmp_path / "tokens.log"
    (tmp_path / "kycgate.toml").write_text(
        f'base_url = "{sandbox.base_url}"\n[credentials]\n'
        f"command = \"'{sys.executable}' -S '{tmp_path}/mints.py' {host} '{log}'\"\n"
    )
    log.touch()
    monkeypatch.setenv("KYCGATE_ALLOW_COMMAND", "yes")
    return log


def test_check_asks_it_once_for_each_session_and_keeps_no_token(log: Path, tmp_path: Path, call: Call) -> None:
    out = tmp_path / "run"
    code, said, wrong = call("check", "--only", "upload.accepted", "--only", "order.closed", "--out", str(out))
    assert code == 0, said + wrong
    tokens = log.read_text().split()
    assert len(tokens) > 2
    assert len(set(tokens)) == len(tokens)
    kept = "".join(file.read_text(errors="replace") for file in out.iterdir() if file.is_file()) + said + wrong
    assert '"Authorization":"Bearer ' in kept
    assert not [token for token in tokens if token in kept]


def test_what_takes_a_tenant_is_left_unjudged(log: Path, tmp_path: Path, call: Call) -> None:
    """No request for a token goes to the target: there is nothing to send in one."""
    code, _, _ = call("check", "--only", "token.issued", "--only", "token.refused", "--out", str(tmp_path / "run"))
    assert code == 3
    assert '"endpoint":"token' not in (tmp_path / "run" / "exchanges.ndjson").read_text()


@pytest.mark.parametrize("processes", ["1", "2"])
def test_load_asks_it_for_each_onboarding(log: Path, tmp_path: Path, call: Call, processes: str) -> None:
    workload = ("--rate", "3", "--duration", "2", "--processes", processes)
    code, said, wrong = call("load", *workload, "--out", str(tmp_path / "run"))
    assert went_well(code, said), said + wrong
    tokens = log.read_text().split()
    # One for the first look, and at least one for each onboarding.
    assert len(set(tokens)) == len(tokens) >= 7


def test_probe_and_doctor_ask_it(log: Path, tmp_path: Path, call: Call) -> None:
    code, said, wrong = call("probe", "--store", str(tmp_path / "probes.sqlite"))
    assert code == 0, said + wrong
    assert len(log.read_text().split()) == 1
    code, said, wrong = call("doctor")
    assert code == 0, said + wrong
    assert "a token comes by credentials.command for each session" in said
    assert len(log.read_text().split()) == 2


def test_locust_asks_it_for_each_onboarding(log: Path, tmp_path: Path, sandbox: RunningSandbox) -> None:
    command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--host", sandbox.base_url, "--headless"]
    done = subprocess.run(
        [*command, "-u", "2", "-r", "2", "-t", "3s"], cwd=tmp_path, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    tokens = log.read_text().split()
    assert len(set(tokens)) == len(tokens) >= 2
    assert not [token for token in tokens if token in done.stdout + done.stderr]


def test_a_file_runs_no_command_unasked(log: Path, tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of a profile runs nothing with what the environment holds; the environment's own command is run."""
    monkeypatch.delenv("KYCGATE_ALLOW_COMMAND")
    for command in (("check",), ("load", "--rate", "1", "--duration", "1"), ("doctor",), ("probe", "--store", "s")):
        code, _, wrong = call(*command)
        assert code == 2
        assert "is not run unasked" in wrong
    assert not log.read_text()
    text = (tmp_path / "kycgate.toml").read_text()
    monkeypatch.setenv("KYCGATE_CREDENTIALS__COMMAND", text.partition('command = "')[2].rpartition('"')[0])
    (tmp_path / "kycgate.toml").write_text(text.replace("mints.py", "another.py"))
    code, said, wrong = call("doctor")
    assert code == 0, said + wrong
    assert log.read_text()


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import sys; sys.stderr.write('secret-word'); sys.exit(7)", "failed (exit code 7)"),
        ("", "printed nothing"),
        ("print('one'); print('two')", "something else than one token"),
        ("print('two words')", "something else than one token"),
        ("print('é')", "something else than one token"),
        ("while True: print('y' * 9999)", "something else than one token"),
        ("import time; time.sleep(60)", "did not end within 0.5 s"),
        ("import os, time; os.close(1); time.sleep(60)", "did not end within 0.5 s"),
    ],
)
def test_a_command_that_gives_no_token_is_one_line(code: str, said: str) -> None:
    began = time.monotonic()
    with pytest.raises(NotTheTarget) as wrong:
        ask_command([sys.executable, "-S", "-c", code], 0.5 if "within" in said else 20.0)
    assert said in str(wrong.value)
    assert "secret-word" not in str(wrong.value)
    assert time.monotonic() - began < 15


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ("no-such-program --for kyc", 2, "there is no program 'no-such-program'"),
        ("false --for kyc", 3, "credentials.command failed (exit code 1)"),
        ("echo no-token-that-it-knows", 3, "refuses the credentials (401)"),
        ("'unclosed", 2, "No closing quotation"),
        ("", 2, "set but empty"),
    ],
)
def test_commands_end_with_that_line(
    sandbox: RunningSandbox, tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch, command: str, code: int,
    said: str,
) -> None:  # fmt: skip
    (tmp_path / "kycgate.toml").write_text(f'base_url = "{sandbox.base_url}"\n')
    monkeypatch.setenv("KYCGATE_CREDENTIALS__COMMAND", command)
    ended, out, wrong = call("check", "--out", str(tmp_path / "run"))
    assert ended == code
    assert said in out + wrong


def test_a_list_is_run_as_it_is(log: Path, tmp_path: Path, call: Call) -> None:
    host = (tmp_path / "kycgate.toml").read_text().partition('base_url = "http://')[2].partition('"')[0]
    words = [sys.executable, "-S", f"{tmp_path}/mints.py", host, str(log)]
    (tmp_path / "kycgate.toml").write_text(f'base_url = "http://{host}"\n[credentials]\ncommand = {words!r}\n')
    code, said, wrong = call("doctor")
    assert code == 0, said + wrong


def test_the_same_token_twice_is_said(sandbox: RunningSandbox, tmp_path: Path, call: Call, log: Path) -> None:
    """A command that prints a fixed key would have one session stand in another's way: it is not a finding."""
    script = tmp_path / "mints.py"
    script.write_text(
        f"import pathlib, sys\nif (kept := pathlib.Path(sys.argv[2])).read_text():\n"
        f"    print(kept.read_text().split()[0]); sys.exit()\n{MINTS}"
    )
    for command in (("check",), ("load", "--rate", "2", "--duration", "1")):
        log.write_text("")
        code, said, wrong = call(*command, "--out", str(tmp_path / command[0]))
        assert code == 3
        assert "printed the same token again" in said + wrong
