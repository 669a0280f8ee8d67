"""Plain `schemathesis run` beside `kycgate check`: the same faults, the same OpenAPI, a good token.

    kycgate prove --out DIR && python benchmarks/plain_schemathesis.py DIR/prove.json --out docs/comparison.md

Each run of schemathesis gets a sandbox of its own and a fresh token. On a faithful sandbox every failure is a false
alarm. With a fault, it counts as found when a failure appears that no run against the default sandbox showed: another
kind of failure, or one at another operation. So it is not asked to name the broken promise; kycgate is (its column is
prove's, where a fault counts as found only at its own clause).
"""

import argparse
import importlib.metadata
import json
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import httpx

from kycgate.check.embedded import embedded_sandbox
from kycgate.contracts.flows.national_id import TOKEN
from kycgate.contracts.openapi import text as openapi_text
from kycgate.sandbox import FAULTS, variants
from kycgate.settings.profile import Profile

SEED = 7
_OPERATION = re.compile(r"^_{3,} ((?:GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS|TRACE|QUERY)? ?\S.*?) _{3,}$")
_FAILURE = re.compile(r"^- ((?:ST\d+ )?.+)$")


class Plain(NamedTuple):
    """One run: its failures as (operation, kind), how much it sent, how long it took."""

    failures: frozenset[tuple[str, str]]
    requests: int
    seconds: float


def run(name: str) -> Plain:
    """Run schemathesis against one fault or faithful variant of the sandbox."""
    faults = (name,) if name in FAULTS.load() else ()
    with embedded_sandbox(Profile(), variants().get(name), faults) as sandbox:
        secret = sandbox.secrets.tenant_secret
        asked = {"tenantId": sandbox.secrets.tenant_id, "tenantSecret": secret.get_secret_value() if secret else ""}
        full = {**dict.fromkeys(("deviceId", "userId", "userName"), "kycgate"), **asked}
        url = sandbox.profile.base_url or ""
        return run_against(url, httpx.post(url + TOKEN.path, json=full).json()["token"], name)


def run_against(url: str, token: str, name: str) -> Plain:
    """Run schemathesis against the target at `url`, with a good token.

    Raises:
        SystemExit: it gave no result.
    """
    with tempfile.TemporaryDirectory() as folder:
        schema = Path(folder) / "openapi.json"
        schema.write_text(openapi_text(), encoding="utf-8")
        begun = time.perf_counter()
        command = [sys.executable, "-m", "schemathesis.cli", "run", str(schema), "--url", url, "--no-color"]
        command += ["--seed", str(SEED), "-H", f"Authorization: Bearer {token}"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=300, check=False)
    found, operation = set(), ""
    for line in done.stdout.splitlines():
        if header := _OPERATION.match(line):
            operation = header[1]
        elif operation and (failure := _FAILURE.match(line)):
            found.add((operation, failure[1]))
    sent = re.search(r"(\d+) generated", done.stdout)
    if sent is None:
        raise SystemExit(f"{name}: schemathesis gave no result: {(done.stdout + done.stderr)[-300:]}")
    return Plain(frozenset(found), int(sent[1]), time.perf_counter() - begun)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("prove", type=Path, help="prove.json of `kycgate prove`")
    parser.add_argument("--out", type=Path, default=Path("kycgate-out/comparison.md"))
    parser.add_argument("--every", type=int, default=1, help="take every n-th fault and variant")
    parser.add_argument("--jobs", type=int, default=2)
    chosen = parser.parse_args()
    trials = json.loads(chosen.prove.read_text(encoding="utf-8"))
    ours = {trial["name"]: trial for trial in trials}
    faults = [trial for trial in trials if trial["kind"] == "fault"][:: chosen.every]
    faithful = [trial for trial in trials if trial["kind"] == "variant" and trial["name"] in variants()][
        :: chosen.every
    ]
    usual = frozenset().union(*(run("default").failures for _ in range(3)))
    with ThreadPoolExecutor(chosen.jobs) as pool:
        plain = dict(zip((t["name"] for t in faults + faithful),
                         pool.map(_said, [t["name"] for t in faults + faithful]), strict=True))  # fmt: skip
    lines = [
        "# Beside plain schemathesis",
        "",
        f"Printed by `benchmarks/plain_schemathesis.py` on {datetime.now(UTC):%Y-%m-%d};",
        f"schemathesis {importlib.metadata.version('schemathesis')}, kycgate {importlib.metadata.version('kycgate')},",
        f"Python {platform.python_version()}.",
        "Both get the same OpenAPI and credentials. A fault counts as found by schemathesis when any failure",
        "appears that three runs against the default sandbox did not show; by kycgate only when its own clause is",
        "broken. On a stand-in that others wrote: [standin.md](standin.md).",
        "",
        "| | plain schemathesis | kycgate check |",
        "| --- | --- | --- |",
    ]
    theirs = sum(bool(plain[t["name"]].failures - usual) for t in faults)
    found = sum(t["exit_code"] == 1 and t["clause"] in t["broken"] for t in faults)
    alarms = sum(bool(plain[t["name"]].failures) for t in faithful)
    ours_alarms = sum(t["exit_code"] != 0 for t in faithful)
    everything = faults + faithful
    requests = statistics.median(plain[t["name"]].requests for t in everything)
    seconds = statistics.median(plain[t["name"]].seconds for t in everything)
    lines += [
        f"| faults found, of {len(faults)} | {theirs} | {found} |",
        f"| faithful variants accused, of {len(faithful)} | {alarms} | {ours_alarms} |",
        f"| requests, median | {requests:g} | {statistics.median(t['requests'] for t in everything):g} |",
        f"| seconds, median | {seconds:.1f} | {statistics.median(t['seconds'] for t in everything):.1f} |",
        "",
        f"On the default sandbox plain schemathesis reports {len(usual)} failures, all of them false:",
        "",
        *(f"- {operation}: {kind}" for operation, kind in sorted(usual)),
        "",
        "| fault | clause | plain schemathesis | its requests | kycgate | its requests |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for trial in faults:
        name, said = trial["name"], plain[trial["name"]]
        mark = "yes" if said.failures - usual else "no"
        own = "yes" if trial["clause"] in ours[name]["broken"] else "no"
        lines.append(f"| {name} | {trial['clause']} | {mark} | {said.requests} | {own} | {trial['requests']} |")
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines[6:13]))


def _said(name: str) -> Plain:
    said = run(name)
    print(f"{name}: {len(said.failures)} failures in {said.requests} requests", file=sys.stderr, flush=True)
    return said


if __name__ == "__main__":
    main()
