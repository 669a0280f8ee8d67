"""Each curl runs as it is printed: the request reaches the target and is answered as it was."""

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
from kycgate.target.curl import curl_for
from kycgate.target.exchange import Exchange
from kycgate.target.requests import Outcome, Variation
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
    found["a picture in lines"] = gate.session().do(front, wrapping="lf")
    found["no Authorization"] = session.do(
        front, Variation("no Authorization", Outcome.UNAUTHORIZED, authorization=None), demand=False
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
            lines = f"set -e\n{target}\n{token}\n{printed}"
            ran = subprocess.run(
                ["bash", "-c", lines], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False
            )
            assert f"HTTP/1.1 {exchange.status} " in ran.stdout, (name, printed, ran.stdout[:500], ran.stderr[-500:])
            assert SECRET not in printed
