"""Histories with changes of our choice: recorded loads, and a store of probes."""

import math
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from kycgate.probing import open_store
from kycgate.probing.probe import Probe, ProbeStep
from kycgate.runs.folder import RunFolder
from kycgate.runs.load_model import WHOLE
from kycgate.sla.judge import judge
from kycgate.sla.policy import Policy
from kycgate.sla.recording import Recording
from tests.suite.recorded import write_load

TARGET = "https://vendor.example"
FIRST = datetime(2026, 6, 1, 2, tzinfo=UTC)
STEPS = {"upload_front": 400.0, "upload_back": 300.0, "approve_front": 60.0, "approve_back": 50.0}
"""Median milliseconds."""
POLICY = Policy.model_validate(
    {
        "name": "ours",
        "objective": [
            {"id": "up", "kind": "availability", "at_least": 0.99, "bursts_s": 0},
            {"id": "front-p90", "kind": "latency", "step": "upload_front", "percentile": 90, "limit_ms": 800,
             "bursts_s": 0},
        ],
    }
)  # fmt: skip


def a_load(
    path: Path, began: datetime, *, times: float = 1.0, seed: int = 0, seconds: int = 20, rate: int = 3, **given: Any
) -> RunFolder:
    """A recorded load whose uploads take `times` as long as usual; `given` are keys of run.json."""
    rng = random.Random(seed)
    level = rng.gauss(0, 0.05)
    drawn: dict[str, list[list[float]]] = {
        step: [
            [usual * math.exp(level + rng.gauss(0, 0.3)) for _ in range(rate)]
            for _ in range(seconds)
        ]
        for step, ms in STEPS.items()
        for usual in [ms * (times if step.startswith("upload") else 1)]
    }  # fmt: skip
    drawn[WHOLE] = [
        [sum(drawn[step][second][one] for step in STEPS) for one in range(rate)] for second in range(seconds)
    ]
    down = [int(rng.random() < 0.02) for _ in range(seconds)]
    folder = write_load(path, drawn, unavailable=down)
    run = folder.read_run()
    run.started_at, run.target, run.policy = began.isoformat(), TARGET, POLICY.model_dump(mode="json")
    assert run.load is not None
    run.load.workload = f"open: {rate} onboardings/s, even arrivals, {seconds} s"
    for key, value in given.items():
        setattr(run, key, value)
    run.objectives = judge(POLICY, [Recording(run, folder)])
    broken = any(objective.verdict == "broken" for objective in run.objectives)
    run.verdict, run.exit_code = ("broken", 1) if broken else ("kept", 0)
    folder.write_run(run)
    return folder


def nightly(
    folder: Path, count: int, *, slower_from: int | None = None, times: float = 1.6, **given: Any
) -> list[Path]:
    """A load each night; from one night on uploads take `times` as long, and release 4.2 is there."""
    paths = []
    for night in range(count):
        late = slower_from is not None and night >= slower_from
        path = folder / f"night-{night:02}"
        a_load(
            path, FIRST + timedelta(days=night), times=times if late else 1.0, seed=night,
            release="4.2" if late else "4.1", **given,
        )  # fmt: skip
        paths.append(path)
    return paths


def a_probe(moment: datetime, number: int, rng: random.Random, *, times: float = 1.0, down: bool = False) -> Probe:
    common = {"id": f"p{number}", "started_at": moment, "target": TARGET, "timeout_s": 60.0, "jitter_s": 3_600.0}
    if down:
        return Probe(verdict="unavailable", failure="no connection", failed_step="token", **common)
    us = [int(ms * 1e3 * times * math.exp(rng.gauss(0, 0.3))) for ms in STEPS.values()]
    steps = tuple(
        ProbeStep(step=step, status=200, response_us=one, service_us=one) for step, one in zip(STEPS, us, strict=True)
    )
    return Probe(verdict="kept", requests=5, uploads=2, onboarding_us=sum(us), steps=steps, **common)


def a_store(
    path: Path, *, months: Sequence[int] = (6, 7, 8), slower_from: datetime | None = None, every_h: float = 2.0
) -> Path:
    """Probes at random moments, one in `every_h` hours, of these months of 2026; down for a day in the second one."""
    rng = random.Random(7)
    moment, end = datetime(2026, months[0], 1, tzinfo=UTC), datetime(2026, months[-1] + 1, 1, tzinfo=UTC)
    bad = datetime(2026, months[min(1, len(months) - 1)], 9, tzinfo=UTC)
    probes: list[Probe] = []
    while moment < end:
        at = moment + timedelta(hours=rng.random() * every_h)
        late = slower_from is not None and at >= slower_from
        down = bad <= at < bad + timedelta(days=1) or rng.random() < 0.004
        probes.append(a_probe(at, len(probes), rng, times=1.5 if late else 1.0, down=down))
        moment += timedelta(hours=every_h)
    with open_store(str(path), create=True) as store:
        store.append(*probes)
    return path
