"""What the statistics cost: seconds of CPU of each command's verdicts, and of what they import.

    python benchmarks/numerics.py [--runs N]

Runs, months and histories are made up in memory or in a folder that is removed; the least of the runs is printed.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from kycgate.probing.probe import Probe, ProbeStep
from kycgate.sla import needs
from kycgate.sla.changes import splits
from kycgate.sla.compare import compare
from kycgate.sla.judge import judge
from kycgate.sla.month import judge_month
from kycgate.sla.policy import DEFAULT_POLICY, Policy
from kycgate.sla.recording import Recording
from kycgate.sla.sequential import Decider
from kycgate.sla.spans import parse_span
from kycgate.tests.suite.recorded import write_load

POLICY = Policy.model_validate({"objective": [
    {"id": "up", "kind": "availability", "at_least": 0.99, "bursts_s": 10},
    {"id": "p95", "kind": "latency", "step": "upload", "percentile": 95, "limit_ms": 1_500, "bursts_s": 10},
]})  # fmt: skip
SECONDS = 300
START = datetime(2026, 10, 1, tzinfo=UTC)


def cpu(of: Callable[[], object], runs: int) -> float:
    """The least seconds of CPU."""
    found = []
    for _ in range(runs):
        begun = time.process_time()
        of()
        found.append(time.process_time() - begun)
    return min(found)


def imported() -> float:
    """Of a process that loads the statistics, without what starting Python takes."""
    code = "import time; begun = time.process_time(); import kycgate.sla.judge; print(time.process_time() - begun)"
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


def a_month(rng: random.Random) -> list[Probe]:
    """A probe in five minutes; one in 200 meets no answer."""
    found = []
    for number in range(31 * 288):
        common = {
            "id": f"p{number}", "started_at": START + timedelta(minutes=5 * number), "target": "x", "timeout_s": 60.0,
            "jitter_s": 300.0, "requests": 5, "uploads": 2,
        }  # fmt: skip
        if rng.random() < 0.005:
            found.append(Probe(verdict="unavailable", failure="no connection", failed_step="token", **common))
            continue
        times = {step: int(rng.lognormvariate(13, 0.4)) for step in ("upload_front", "upload_back")}
        steps = tuple(ProbeStep(step=step, status=200, response_us=us, service_us=us) for step, us in times.items())
        found.append(Probe(verdict="kept", onboarding_us=sum(times.values()), steps=steps, **common))
    return found


def until_decided() -> None:
    decider = Decider(Policy(objective=POLICY.objective[:1]))
    for _ in range(3_600):
        decider.add({}, 40, 0, 0)
    decider.results()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs
    drawn, rng = random.Random(1), np.random.default_rng(1)
    probes = a_month(drawn)
    month = parse_span("2026-10")
    rows = rng.standard_normal((12, 40)).tolist()
    with tempfile.TemporaryDirectory() as folder:
        recorded = [
            Recording.read(write_load(Path(folder) / name, {
                step: [rng.lognormal(6, 0.4, 10).tolist() for _ in range(SECONDS)]
                for step in ("upload_front", "upload_back")
            }))
            for name in ("base", "new")
        ]  # fmt: skip
        parts: dict[str, Callable[[], object]] = {
            "a load's verdict": lambda: judge(POLICY, recorded[:1]),
            "until decided, an hour of looks": until_decided,
            "a month's verdict": lambda: judge_month(
                POLICY, month, probes, target="x", now=START + timedelta(days=40), every_s=300
            ),
            "the plan": lambda: needs.plan(DEFAULT_POLICY),
            "compare": lambda: compare(*recorded),
            "changes in a history": lambda: splits(rows),
        }
        print("| part | s of CPU |\n| --- | --- |")
        print(f"| imports | {min(imported() for _ in range(runs)):.3f} |")
        for name, of in parts.items():
            print(f"| {name} | {cpu(of, runs):.3f} |", flush=True)


if __name__ == "__main__":
    main()
