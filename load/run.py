"""Starts the generator's process and takes in what it measured."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

from kycgate.errors import CannotJudge, UsageError
from kycgate.load.plan import LoadOutcome, LoadPlan
from kycgate.profile import Secrets

_GRACE_S = 30.0


def run_load(plan: LoadPlan, secrets: Secrets, out: Path, within_s: float | None = None) -> LoadOutcome:
    """Run `plan`; `latency.hlog` is written into `out`.

    Stopped by Ctrl-C, or after `within_s` seconds, it ends the generator and returns what was measured until then.

    Raises:
        UsageError: there are fewer fixed keys than people at once, as far as can be known beforehand.
        CannotJudge: the generator died.
    """
    if secrets.api_keys and len(secrets.api_keys) < plan.people:
        raise UsageError(
            f"{len(secrets.api_keys)} fixed keys are too few for {plan.people} people: each key serves one person at "
            "a time; give more keys, a tenant, or fewer people"
        )
    if secrets.api_keys and not plan.people and len(secrets.api_keys) < plan.rate * 0.2:
        raise UsageError(
            f"{len(secrets.api_keys)} fixed keys are too few for {plan.rate:g} onboardings/s: "
            "each key serves one person at a time; give more keys, a tenant, or a lower rate"
        )
    filled = plan.model_copy(
        update={
            "api_keys": tuple(key.get_secret_value() for key in secrets.api_keys),
            "tenant_id": secrets.tenant_id,
            "tenant_secret": secrets.tenant_secret.get_secret_value() if secrets.tenant_secret else None,
        }
    )
    result = out / ".load.json"
    # -P keeps the caller's own folders off the path; secrets go through the pipe, never the command line.
    process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-P", "-m", "kycgate.load.worker", str(result), str(out / "latency.hlog")],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, "LOCUST_SKIP_MONKEY_PATCH": "1"},
        text=True,
    )
    said = ""
    try:
        assert process.stdin is not None  # noqa: S101 - it is a pipe
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(filled.model_dump_json() + "\n")
            process.stdin.flush()
        with contextlib.suppress(KeyboardInterrupt, subprocess.TimeoutExpired):
            process.wait(within_s)
        said = process.communicate(timeout=_GRACE_S)[1]
    except subprocess.TimeoutExpired:
        raise CannotJudge("the load generator did not end in time") from None
    finally:
        process.kill()
        process.wait()
    try:
        return LoadOutcome.model_validate_json(result.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        last = said.strip().splitlines()[-1] if said.strip() else f"exit code {process.returncode}"
        raise CannotJudge(f"the load generator ended without a result: {last}") from None
    finally:
        result.unlink(missing_ok=True)
