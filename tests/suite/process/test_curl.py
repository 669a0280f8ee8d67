"""Each curl runs as it is printed: the request reaches the target and is answered as it was."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from kycgate.contracts.flows import flow
from kycgate.gate.gate import Gate
from kycgate.reports.repeat import lines_before
from kycgate.runs.model import Run
from kycgate.sandbox import RunningSandbox, SandboxSettings
from kycgate.settings.profile import Profile, Secrets
from kycgate.target.curl import curl_for, lines_to_fill
from kycgate.target.exchange import Clocks, Exchange
from kycgate.target.requests import ESCAPED, LINES, Outcome, Variation
from kycgate.tests.suite.chaos_trial import SECRET, TENANT

SEED = 4


def sent_by(base_url: str) -> tuple[Gate, dict[str, Exchange]]:
    """One exchange of each kind that a curl is made of."""
    secrets = Secrets(tenant_id=TENANT, tenant_secret=SecretStr(SECRET))
    gate = Gate(Profile(base_url=base_url), secrets, seed=SEED)
    gate.preflight()
    session = gate.session()
    front, *_ = flow().steps
    raw = {"broken": b'{"image": ', "no UTF-8": b'{"image": "\xff\xfe"}', "a quote": b"it's $HOME `x`"}
    found = {
        name: session.do(front, Variation(name, Outcome.BAD_REQUEST, body=body), demand=False)
        for name, body in raw.items()
    }
    found["a picture"] = session.do(front)
    for wrapping in (*LINES, ESCAPED):
        more = {"scanType": 1, "a": {"note": "it's 100% \\"}, "userName": "SPECIMEN"}
        found[f"a picture with more ({wrapping})"] = gate.session().do(
            front, Variation("more properties", wrapping=wrapping, more=more)
        )
    found["no Authorization"] = session.do(
        front, Variation("no Authorization", Outcome.UNAUTHORIZED, authorization=None), demand=False
    )
    found["an empty Authorization"] = session.do(
        front, Variation("empty", Outcome.UNAUTHORIZED, authorization=""), demand=False
    )
    found["a wrong credential"] = session.do(
        front, Variation("an unknown key", Outcome.UNAUTHORIZED, authorization="Bearer x"), demand=False
    )
    found["a token"] = gate.tokens.request()
    found["a wrong secret"] = gate.tokens.request(
        intent="the secret with a letter more", properties={"tenantSecret": f"{SECRET}x"}
    )
    found["no tenant"] = gate.tokens.request(intent="no tenant", properties={"tenantId": ...})
    gate.close()
    return gate, found


@pytest.mark.skipif(shutil.which("curl") is None, reason="lacks curl, which sends what is printed")
def test_each_curl_runs_as_printed(tmp_path: Path) -> None:
    with RunningSandbox(SandboxSettings(tenants={TENANT: SECRET})) as sandbox:
        gate, exchanges = sent_by(sandbox.base_url)
        run = Run(command="check", verdict="kept", exit_code=0, target=sandbox.base_url, seed=SEED)
        target, draw, token = lines_before(run, gate.recorded)
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        env = {"PATH": path, "KYCGATE_TENANT_ID": TENANT, "KYCGATE_TENANT_SECRET": SECRET, "HOME": str(tmp_path)}
        subprocess.run(["bash", "-c", draw], cwd=tmp_path, env=env, check=True, timeout=60)
        for name, exchange in exchanges.items():
            printed = gate.redactor.sentence(curl_for(exchange))
            filled = "\n".join(lines_to_fill(printed, exchange.intent))
            lines = f"set -e\n{target}\n{token}\n{filled}\n{printed}"
            ran = subprocess.run(
                ["bash", "-c", lines], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False
            )
            assert f"HTTP/1.1 {exchange.status} " in ran.stdout, (name, printed, ran.stdout[:500], ran.stderr[-500:])
            assert SECRET not in printed


def test_a_body_that_is_filled_in_is_the_body_that_was_sent() -> None:
    """Personal values are variables of the shell, each with a line on how it is filled; the rest stands as it was."""
    body = {
        "fullNameEn": 'Mona\'s "$HOME"',
        "idNumber": "29901010123413",
        "address": None,
        "state": "",
        "x": ["$PATH"],
        "role": "r",
    }
    exchange = Exchange(
        1, "approve_front", "POST", "/approve", {"Authorization": "Bearer secret"}, json.dumps(body).encode(), "s1",
        Clocks(0, 0, 1), intent="a name with quotes",
    )  # fmt: skip
    printed = curl_for(exchange)
    differs = "as the answers to the uploads gave it; this request differs: a name with quotes"
    assert lines_to_fill(printed, exchange.intent) == [
        f"export FULL_NAME_EN='…' ID_NUMBER='…' # {differs}",
        "export ROLE='…' # as the request shows: a name with quotes",
    ]
    assert "Mona" not in printed
    assert "secret" not in printed
    last = 'curl() { printf %s "${@: -1}"; }; '
    given = {
        "FULL_NAME_EN": r"Mona's \"$HOME\"",
        "ID_NUMBER": "29901010123413",
        "ROLE": "r",
        "PATH": os.environ["PATH"],
    }
    ran = subprocess.run(["bash", "-c", last + printed], env=given, capture_output=True, text=True, check=True)
    assert json.loads(ran.stdout) == body


@pytest.mark.parametrize(
    ("value", "own", "shown"),
    [
        ("Bearer secret", True, '"Authorization: Bearer $KYCGATE_TOKEN"'),
        ("secret", True, '"Authorization: $KYCGATE_TOKEN"'),
        ("Bearer secre", False, '"Authorization: $WRONG_CREDENTIAL"'),
        ("Bearer", False, '"Authorization: $WRONG_CREDENTIAL"'),
        ("", False, '"Authorization;"'),
    ],
)
def test_a_wrong_credential_is_no_token_of_a_session(value: str, own: bool, shown: str) -> None:
    exchange = Exchange(
        1, "approve_back", "POST", "/a", {"Authorization": value}, b"", "s1", Clocks(0, 0, 1), own_credential=own
    )
    printed = curl_for(exchange)
    assert f"-H {shown}" in printed
    expected = ["export WRONG_CREDENTIAL='…' # the header's whole value, wrong on purpose: an unknown key"]
    assert lines_to_fill(printed, "an unknown key") == (expected if "WRONG" in shown else [])
