"""How long a check takes where an upload takes its time, by how many tests run at once; plain schemathesis beside it.

    python benchmarks/check_time.py [--upload 0 0.3 2] [--jobs 1 4 8] > docs/check-time.md

Each check meets a sandbox in a process of its own that answers an upload, right or refused, after the stated seconds,
and mints tokens. schemathesis sends what it makes of the OpenAPI with one token and as many workers; it is stopped
after `MOST_S`.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import httpx

from kycgate.contracts.flows.national_id import TOKEN
from kycgate.contracts.openapi import text as openapi_text
from kycgate.sandbox import TENANT, TENANT_SECRET

MOST_S = 60.0
"""What schemathesis is given; it ends by itself where an upload takes no time."""
_SERVES = """
import sys, time
from kycgate.sandbox import RunningSandbox, SandboxSettings
from kycgate.sandbox.settings import LatencyModel
settings = SandboxSettings(tenants={sys.argv[1]: sys.argv[2]}, latency=LatencyModel(base_ms=float(sys.argv[3]) * 1e3))
with RunningSandbox(settings) as sandbox:
    print(sandbox.base_url, flush=True)
    sys.stdin.read()
"""


class Took(NamedTuple):
    """Seconds, requests, and those of them that took an upload's time."""

    seconds: float
    requests: int
    uploads: int
    code: int


@contextmanager
def sandbox(upload_s: float) -> Iterator[str]:
    """Its base URL; it ends when its standard input does."""
    command = [sys.executable, "-c", _SERVES, TENANT, TENANT_SECRET, str(upload_s)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        yield process.stdout.readline().strip()
        process.communicate()


def check(upload_s: float, jobs: int) -> Took:
    """One check."""
    with sandbox(upload_s) as url, tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "kycgate", "check", "--base-url", url, "--jobs", str(jobs), "--out", "run"],
            cwd=folder, capture_output=True, check=False, timeout=1_800,
            env={**os.environ, "KYCGATE_TENANT_ID": TENANT, "KYCGATE_TENANT_SECRET": TENANT_SECRET},
        )  # fmt: skip
        seconds = time.perf_counter() - begun
        lines = (Path(folder) / "run" / "exchanges.ndjson").read_text(encoding="utf-8").strip().split("\n")
        slow = sum(json.loads(line)["clocks"]["service_ms"] >= 900 * upload_s for line in lines) if upload_s else 0
        return Took(seconds, len(lines), slow, done.returncode)


def plain(upload_s: float, workers: int) -> tuple[float, int | None]:
    """Seconds of schemathesis, and the requests that it sent; None where it was stopped."""
    with sandbox(upload_s) as url, tempfile.TemporaryDirectory() as folder:
        schema = Path(folder) / "openapi.json"
        schema.write_text(openapi_text(), encoding="utf-8")
        body = {"tenantId": TENANT, "tenantSecret": TENANT_SECRET, "deviceId": "a", "userId": "b", "userName": "c"}
        token = httpx.post(url + TOKEN.path, json=body).json()["token"]
        command = [sys.executable, "-m", "schemathesis.cli", "run", str(schema), "--url", url, "--no-color"]
        command += ["--seed", "7", "--workers", str(workers), "-H", f"Authorization: Bearer {token}"]
        begun = time.perf_counter()
        try:
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=MOST_S)
        except subprocess.TimeoutExpired:
            return MOST_S, None
        sent = re.search(r"(\d+) generated", done.stdout)
        return time.perf_counter() - begun, int(sent[1]) if sent else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--upload", type=float, nargs="+", default=[0.0, 0.3, 2.0], help="Seconds an upload takes.")
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 4, 8])
    parser.add_argument("--without-schemathesis", action="store_true")
    chosen = parser.parse_args()
    print("# How long a check takes\n")
    print(
        f"Printed by `benchmarks/check_time.py`, Python {platform.python_version()}, {os.cpu_count()} cores, "
        f"schemathesis {importlib.metadata.version('schemathesis')}, {datetime.now().astimezone():%Y-%m-%d}. The "
        "target answers an upload, right or refused, after the stated seconds, and mints a token for each session; one "
        "run each. With fixed keys no more tests run at once than there are keys.\n"
    )
    print("| an upload takes | tests at once | `kycgate check` | its requests | of them uploads | plain schemathesis |")
    print("| --- | --- | --- | --- | --- | --- |")
    for upload_s in chosen.upload:
        for jobs in chosen.jobs:
            ours = check(upload_s, jobs)
            if ours.code != 0:
                raise SystemExit(f"{upload_s:g} s, {jobs} jobs: exit code {ours.code}")
            beside = "" if chosen.without_schemathesis else _words(*plain(upload_s, jobs))
            uploads = ours.uploads if upload_s else ""
            print(
                f"| {upload_s:g} s | {jobs} | {ours.seconds:.0f} s | {ours.requests} | {uploads} | {beside} |",
                flush=True,
            )
    print(
        "\nThe two do not do the same work: schemathesis sends what one schema allows, in no session's order and with "
        f"no card that is read; it is stopped after {MOST_S:.0f} s. No check can be shorter than its uploads times "
        "their seconds, divided by the tests at once."
    )


def _words(seconds: float, sent: int | None) -> str:
    return f"over {seconds:.0f} s" if sent is None else f"{seconds:.0f} s, {sent} requests"


if __name__ == "__main__":
    main()
