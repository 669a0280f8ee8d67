"""Whether a stand-in made from a recorded run answers as the vendor of that run did.

    python benchmarks/like.py [--every N] [--only NAME] [--jobs N] [--out docs/like.md]
    python benchmarks/like.py --latency [--seconds 40]

Each faithful variant is checked with two seeds. From the first run alone a stand-in is made, as `sandbox --like` makes
it, and checked with the second seed against pins of the first: nothing may have changed but what changed between
the two runs of the variant itself. `--latency` puts a load on a slow sandbox, and on the stand-in that is like it, and
compares the two both ways.
"""

import argparse
import os
import platform
import tempfile
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import kycgate
from kycgate.judging.drift import drift_since, pins_of
from kycgate.rehearsal.like import learn, settings_like
from kycgate.runs.model import Observed, Run
from kycgate.sandbox import TENANT, TENANT_SECRET, RunningSandbox, SandboxSettings, parse_latency, variants
from kycgate.target.exchange import RecordedExchange
from kycgate.tests.suite.checks import checked as after_check

SLOW = "base_ms=120,sigma=0.25"
MIN_EFFECT = 0.1


def checked(settings: SandboxSettings, seed: int) -> tuple[Run, list[RecordedExchange]]:
    """One check of a vendor with these settings: what it showed, and its exchanges."""
    gate = after_check(settings, seed)
    seen = gate.behaviour.observed(gate.ledger.open_points())
    return Run(command="check", verdict="kept", exit_code=0, embedded_sandbox=True, behaviour=seen), gate.recorded


def drifted(before: Run, now: list[Observed]) -> set[str]:
    """The subjects that changed."""
    pins = pins_of([before], pinned=datetime.now(UTC).date())
    return {item.subject for item in drift_since(pins, now)[0]}


def judged(settings: SandboxSettings) -> tuple[int, set[str], set[str]]:
    """Pinned answers; what the stand-in answers otherwise; what the variant itself does when it is checked again."""
    first, exchanges = checked(settings, 1)
    alike = drifted(first, checked(learn([first], [exchanges]), 2)[0].behaviour)
    if not alike:
        return len(first.behaviour), alike, set()
    return len(first.behaviour), alike, drifted(first, checked(settings, 2)[0].behaviour)


def latency(seconds: int) -> int:
    """Compare a load on a slow sandbox with one on the stand-in like it, both ways; 0 when nothing got slower."""
    from kycgate.tests.suite.command_line import kycgate

    with tempfile.TemporaryDirectory() as folder:
        for name in ("theirs", "ours"):
            settings = (
                SandboxSettings(tenants={TENANT: TENANT_SECRET}, latency=parse_latency(SLOW))
                if name == "theirs"
                else settings_like([Path(folder) / "theirs"])
            )
            with RunningSandbox(settings) as running:
                done = kycgate(
                    "load", "--base-url", running.base_url, "--rate", "6", "--duration", str(seconds), "--seed", "1",
                    "--out", name, cwd=Path(folder),
                    env={"KYCGATE_TENANT_ID": TENANT, "KYCGATE_TENANT_SECRET": TENANT_SECRET},
                )  # fmt: skip
                print(name, done.returncode, done.stdout[-400:], done.stderr[-400:])
        code = 0
        for pair in (("theirs", "ours"), ("ours", "theirs")):
            done = kycgate(
                "compare",
                *pair,
                "--min-effect",
                str(MIN_EFFECT),
                "--percentile",
                "50",
                "--percentile",
                "90",
                cwd=Path(folder),
            )
            print(done.stdout, done.stderr)
            code = max(code, done.returncode)
    return code


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=1, help="take every Nth variant")
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--jobs", type=int, default=1, help="variants at once")
    parser.add_argument("--latency", action="store_true")
    parser.add_argument("--seconds", type=int, default=40)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    os.environ.pop("KYCGATE_BASE_URL", None)
    if options.latency:
        return latency(options.seconds)
    names = options.only or list(variants())[:: options.every]
    rows, wrong = [], 0
    with ProcessPoolExecutor(options.jobs) as pool:
        found = zip(names, pool.map(judged, (variants()[name] for name in names)), strict=True)
        for name, (pinned, alike, itself) in found:
            wrong += bool(alike - itself)
            rows.append(f"| {name} | {pinned} | {len(alike - itself)} | {len(alike & itself)} |")
            print(rows[-1], *sorted(alike), flush=True)
    head = "| variant | pinned answers | drift of the stand-in | drift that the variant itself shows |"
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    versions = f"kycgate {kycgate.__version__}, Python {platform.python_version()}"
    said = f"Printed by `python benchmarks/like.py` on {today} ({versions}): {wrong} wrong in {len(names)} variants."
    text = "\n".join(["# A stand-in like a recorded run", "", said, "", head, "| --- | --- | --- | --- |", *rows, ""])
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    print(said)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
