"""Trials of what only a load meets with: `kycgate load` itself against a sandbox with one such fault."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kycgate.check.embedded import embedded_sandbox
from kycgate.check.trial import Trial
from kycgate.contracts.flows import Choice, choice
from kycgate.runs.clause import Verdict
from kycgate.runs.folder import RunFolder
from kycgate.sandbox import LOAD_FAULTS, TENANT, TENANT_SECRET
from kycgate.sandbox.faults.under_load import STEADY
from kycgate.settings.profile import Profile

FAITHFUL = "no fault"
"""Names the load of a faithful sandbox."""
_POLICY = """unsteady = "fail"
[[objective]]
id = "availability"
kind = "availability"
at_least = 0.01
bursts_s = 0
"""
_SHORT, _LONG = ("--rate", "25", "--duration", "4"), ("--rate", "6", "--duration", "13")
"""What a fault needs to show; a trend takes longer than a breach."""


def _variables_of(chosen: Choice) -> dict[str, str]:
    """By which another process, in another folder, judges by the same flow."""
    name = str(Path(chosen.name).resolve()) if chosen.name.endswith(".py") else chosen.name
    variables = {"KYCGATE_FLOW": name}
    if chosen.base_path is not None:
        variables["KYCGATE_BASE_PATH"] = chosen.base_path
    if chosen.paths:
        variables["KYCGATE_PATHS"] = json.dumps(chosen.paths)
    return variables


def trial_under_load(name: str) -> Trial:
    """Let a load of some seconds meet the sandbox with this fault, or with none; bounded to two minutes."""
    clause = LOAD_FAULTS[name].clause if name != FAITHFUL else ""
    begun = time.monotonic()
    with (
        tempfile.TemporaryDirectory() as folder,
        embedded_sandbox(Profile(), faults=() if name == FAITHFUL else (name,)) as embedded,
    ):
        (Path(folder) / "policy.toml").write_text(_POLICY, encoding="utf-8")
        workload = _LONG if clause == STEADY else _SHORT
        command = ["load", "--base-url", str(embedded.profile.base_url), *workload, "--policy", "policy.toml"]
        clean = {key: value for key, value in os.environ.items() if not key.startswith("KYCGATE_")}
        clean |= _variables_of(choice())
        done = subprocess.run(  # noqa: S603 - this command itself
            [sys.executable, "-P", "-m", "kycgate", *command, "--out", "run"],
            cwd=folder, env=clean | {"KYCGATE_TENANT_ID": TENANT, "KYCGATE_TENANT_SECRET": TENANT_SECRET},
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        run = RunFolder(Path(folder) / "run").read_run()
    broken = [result.id for result in run.clauses if result.verdict is Verdict.BROKEN]
    broken += [objective.id for objective in run.objectives if objective.verdict == "broken"]
    return Trial(
        kind="load",
        name=name,
        clause=clause,
        exit_code=done.returncode,
        broken=broken,
        not_tried=[],
        requests=run.requests_sent,
        uploads=run.uploads_sent,
        seconds=round(time.monotonic() - begun, 2),
        reason=run.reason,
    )
