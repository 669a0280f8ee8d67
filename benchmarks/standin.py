"""The check against the second stand-in vendor (tests/standin/): what it finds there, and what it misses.

    python benchmarks/standin.py --schemathesis --out docs/standin.md

The stand-in was written from the vendor's facts without a look at the contract tests. A fault counts as named when its
own clause is broken in a strict check, and as seen when only other clauses are. The faithful stand-in must be accused
of nothing: a clause that it breaks counts for no fault either.

With `--schemathesis` plain `schemathesis run` meets the same stand-in, with the same OpenAPI and a good token: a fault
counts as found by it when a failure appears that three runs against the faithful stand-in did not show.
"""

import argparse
import importlib.metadata
import socket
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import uvicorn
from pydantic import SecretStr

from kycgate.check.runner import run_contract_tests
from kycgate.contracts.clauses import CORE
from kycgate.contracts.flows import flow
from kycgate.gate.gate import Gate
from kycgate.runs.clause import Verdict
from kycgate.runs.verdict import exit_code_of
from kycgate.settings.profile import Limits, Profile, Secrets

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.plain_schemathesis import Plain, run_against
from tests.standin.faults import FAULTS
from tests.standin.vendor import SECRET, TENANT, Vendor

SEED = 7


class Said(NamedTuple):
    """One check: its exit code, the broken clauses, what it sent and how long it took."""

    exit_code: int
    broken: frozenset[str]
    requests: int
    uploads: int
    seconds: float
    reason: str


@contextmanager
def served(vendor: Vendor) -> Iterator[str]:
    """The stand-in on a free loopback port."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(vendor, log_config=None, access_log=False, lifespan="off"))
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(5)


def check(fault: str, only: frozenset[str] = frozenset()) -> Said:
    """A strict check of the stand-in with `fault`; an empty name is the faithful one."""
    vendor = Vendor(fault)
    with served(vendor) as url:
        profile = Profile(base_url=url, limits=Limits().within_flow(flow()))
        secrets = Secrets(tenant_id=TENANT, tenant_secret=SecretStr(SECRET))
        gate = Gate(profile, secrets, seed=SEED, expired_token=vendor.token("expired", -60)[0])
        begun, cannot, not_tried = time.monotonic(), "", dict[str, str]()
        try:
            gate.preflight()
            not_tried = run_contract_tests(gate, strict=True, only=only, jobs=4).not_tried
        except Exception as error:  # noqa: BLE001 - one check that ends early is one line of the table
            cannot = str(error) or type(error).__name__
        finally:
            cannot = gate.settle() or cannot
            gate.close()
        results = gate.ledger.results(not_tried)
        code, reason = exit_code_of(results, [], strict=True, cannot_judge=cannot, demanded=CORE)
        broken = frozenset(result.id for result in results if result.verdict is Verdict.BROKEN)
        if not fault:
            for result in results:
                for finding in result.findings:
                    print(result.id, finding, file=sys.stderr)
        spent = gate.budget.requests_sent, gate.budget.uploads_sent
        return Said(int(code), broken, *spent, time.monotonic() - begun, reason)


def plain(fault: str) -> Plain:
    """What schemathesis says of the stand-in with `fault`; an empty name is the faithful one."""
    vendor = Vendor(fault)
    with served(vendor) as url:
        return run_against(url, vendor.token("schemathesis", 1_800)[0], fault or "faithful")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--out", type=Path, default=Path("kycgate-out/standin.md"))
    parser.add_argument("--quick", action="store_true", help="the tests of the fault's own clause alone")
    parser.add_argument("--schemathesis", action="store_true", help="plain schemathesis beside it")
    parser.add_argument("names", nargs="*", choices=[[], *FAULTS], help="these faults alone")
    parser.add_argument("--until", type=float, default=1e9, help="begin no check after this number of seconds")
    chosen = parser.parse_args()
    begun = time.monotonic()
    faithful = check("")
    print(
        f"faithful: exit {faithful.exit_code}, {sorted(faithful.broken)}, {faithful.reason}, {faithful.seconds:.1f} s"
    )
    usual = frozenset().union(*(plain("").failures for _ in range(3))) if chosen.schemathesis else frozenset()
    rows, named, seen, judged, theirs = [], 0, 0, 0, 0
    for name in chosen.names or FAULTS:
        if time.monotonic() - begun > chosen.until:
            rows.append(f"| {name} | {FAULTS[name].clause} | not judged | | |")
            continue
        with ThreadPoolExecutor(1) as pool:
            beside = pool.submit(plain, name) if chosen.schemathesis else None
            said = check(name, frozenset({FAULTS[name].clause}) if chosen.quick else frozenset())
            other = bool(beside.result().failures - usual) if beside else None
        theirs += bool(other)
        fresh = said.broken - faithful.broken
        how = "named" if FAULTS[name].clause in fresh else "seen" if fresh else "missed"
        judged, named, seen = judged + 1, named + (how == "named"), seen + (how == "seen")
        by = ", ".join(sorted(fresh)[:4]) + (" …" if len(fresh) > 4 else "")
        found = "" if other is None else f" {'yes' if other else 'no'} |"
        rows.append(f"| {name} | {FAULTS[name].clause} | {how} | {by} | {said.requests} |{found}")
        print(rows[-1], said.reason[:100] if how == "missed" else "", flush=True)
    lines = [
        "# On a second stand-in vendor",
        "",
        f"Printed by `benchmarks/standin.py{' --quick' if chosen.quick else ''}` on {datetime.now(UTC):%Y-%m-%d}.",
        "The stand-in of tests/standin was written from the vendor's facts, without a look at the contract tests, and",
        "imports nothing of the sandbox. **named**: the fault's own clause is broken in a strict check; **seen**: only",
        "other clauses are. A clause of which the faithful stand-in is accused counts for no fault.",
        *(
            [
                "Plain schemathesis met the same stand-in with the same OpenAPI and a good token; a fault counts as",
                "found by it when any failure appears that three runs against the faithful stand-in did not show.",
            ]
            * chosen.schemathesis
        ),
        *(["With `--quick` each fault met the tests that name its own clause, not the whole check."] * chosen.quick),
        "",
        "| | |",
        "| --- | --- |",
        f"| faults judged, of {len(FAULTS)} | {judged} |",
        f"| named at their own clause | {named} |",
        f"| seen at other clauses alone | {seen} |",
        f"| missed | {judged - named - seen} |",
        *(
            [
                f"| found by plain schemathesis {importlib.metadata.version('schemathesis')} | {theirs} |",
                f"| failures that it reports of the faithful stand-in | {len(usual)} |",
            ]
            * chosen.schemathesis
        ),
        f"| the faithful stand-in is accused of | {', '.join(sorted(faithful.broken)) or 'nothing'} |",
        f"| its check: exit code, requests, uploads | {faithful.exit_code}, {faithful.requests}, {faithful.uploads} |",
        "",
        f"| fault | clause | | broken clauses | requests |{' plain schemathesis |' * chosen.schemathesis}",
        f"| --- | --- | --- | --- | --- |{' --- |' * chosen.schemathesis}",
        *rows,
    ]
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines[9:17]))


if __name__ == "__main__":
    main()
