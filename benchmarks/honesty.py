"""Who tells the truth about latency? kycgate, stock Locust closed loop, and `constant_throughput`, beside the truth.

    python benchmarks/honesty.py --out docs/honesty.md

The target answers after a seeded time (lognormal, bimodal, or lognormal with a stall of 1 s in every 5 s), so the truth
needs no measuring: an upload that arrives at t and takes s is over at t + s, or at the end of the stall it is in.
It is computed for the moments at which our uploads arrived and counted from when they were due; the others get the
same target and the same rate.
"""

import argparse
import asyncio
import csv
import importlib.metadata
import json
import math
import multiprocessing
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from kycgate.contracts.flows.national_id import PAGE_ORDER, TOKEN, UPLOAD_FRONT
from kycgate.load import LoadPlan, Topology, run_load
from kycgate.load.pacing import arrivals
from kycgate.sandbox import SandboxSettings
from kycgate.sandbox.vendor import Onboarding, Vendor
from kycgate.settings.profile import Secrets
from kycgate.specimens import make_person

STALL_EVERY_S, STALL_S = 5.0, 1.0
MEDIAN_S = 0.4
"""What reading a card takes; the generator and the network of this machine add about 3 ms to each figure."""
PERCENTILES = (50.0, 90.0, 95.0, 99.0, 99.9, 100.0)
MODELS: dict[str, Callable[[random.Random], float]] = {
    "lognormal": lambda rng: MEDIAN_S * rng.lognormvariate(0, 0.4),
    "bimodal": lambda rng: rng.gauss(0.3, 0.02) if rng.random() < 0.9 else rng.gauss(1.5, 0.05),
    "stalling": lambda rng: MEDIAN_S * rng.lognormvariate(0, 0.4),
    "fast": lambda rng: 0.0,
    "slow": lambda rng: 4.0 * rng.lognormvariate(0, 0.2),
}
TABLE = ("lognormal", "bimodal", "stalling")
# What a person who uses Locust as its documentation shows would write; the rate is that of our onboardings.
STOCK = """
from pathlib import Path
from locust import FastHttpUser, {pause}, task
BODY = Path({body!r}).read_bytes()
class Person(FastHttpUser):
    wait_time = {pause}({value})
    @task
    def upload(self):
        self.client.post({path!r}, data=BODY, headers={{"Content-Type": "application/json"}})
"""


def over_at(due: float, service: float, stalls_from: float | None) -> float:
    """When an upload that is due at `due` is over; seconds on one clock. Stalls end at each whole `STALL_EVERY_S`."""
    end = due + service
    if stalls_from is not None:
        into = (end - stalls_from) % STALL_EVERY_S
        if into >= STALL_EVERY_S - STALL_S:
            end += STALL_EVERY_S - into
    return end


def _answers() -> dict[str, bytes]:
    """One right answer for each path, from the sandbox's own vendor."""
    vendor = Vendor(SandboxSettings())
    person = make_person(1)
    found = {TOKEN.path: json.dumps({"token": vendor.mint(3_600), "expirationDate": "2100-01-01T00:00:00Z"}).encode()}
    for step in PAGE_ORDER:
        body = b"true"
        if step.is_upload:
            side = step.shows
            data = vendor.customer_data(Onboarding(vendor.new_customer(), fixed_key=False), step, person.truth(side))
            body = json.dumps(vendor.result(True, None, None, data)).encode()
        found[step.path] = body
    return found


def serve(name: str, seed: int, told: Any) -> None:
    """The target: reads the request, and answers when the model says so; only the front's upload takes time."""
    answers, rng = _answers(), random.Random(seed)
    front = UPLOAD_FRONT.path
    stalls_from = time.perf_counter() if name == "stalling" else None
    arrived_at: list[float] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                path = head.split(" ", 2)[1]
                length = next(
                    (int(line[15:]) for line in head.split("\r\n") if line.lower().startswith("content-length:")), 0
                )
                await reader.readexactly(length)
                if path == "/arrivals":
                    answers[path] = json.dumps(arrived_at).encode()
                if path == front:
                    arrived = time.perf_counter()
                    arrived_at.append(arrived)
                    service = MODELS[name](rng)
                    await asyncio.sleep(over_at(arrived, service, stalls_from) - time.perf_counter())
                body = answers[path]
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
                    % (len(body), body)
                )
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def main() -> None:
        server = await asyncio.start_server(connected, "127.0.0.1", 0, limit=8_000_000)
        told.send((server.sockets[0].getsockname()[1], stalls_from))
        await server.serve_forever()

    asyncio.run(main())


class Target:
    """The target in a process of its own."""

    def __init__(self, name: str, seed: int) -> None:
        context = multiprocessing.get_context("spawn")
        here, there = context.Pipe()
        self._process = context.Process(target=serve, args=(name, seed, there), daemon=True)
        self._process.start()
        port, self.stalls_from = here.recv()
        self.url = f"http://127.0.0.1:{port}"

    def __enter__(self) -> "Target":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.join()


def nearest_rank(values: list[float], percentile: float) -> float:
    """The value at `percentile`, as HdrHistogram defines it."""
    ordered = sorted(values)
    return ordered[max(math.ceil(percentile / 100 * len(ordered)), 1) - 1]


def ours(
    name: str, rate: float, seconds: float, seed: int, folder: Path, processes: int
) -> tuple[list[float], list[float], str]:
    """Our figures and the truth for the same arrivals, in ms at each of PERCENTILES."""
    with Target(name, seed) as target:
        # A session out of turn would be an arrival that the truth knows nothing of.
        plan = LoadPlan(base_url=target.url, rate=rate, duration_s=seconds, poisson=True, seed=seed, out_of_turn=0)
        secrets, topology = Secrets(tenant_id="t", tenant_secret=SecretStr("s")), Topology(processes=processes)
        outcome = run_load(plan, secrets, folder, topology=topology)
        arrived = httpx.get(f"{target.url}/arrivals").json()
    start = outcome.result.extra["start_monotonic_ns"] / 1e9
    rng = random.Random(seed)
    due = [start + offset for offset in arrivals(rate, seconds, poisson=True, seed=seed)]
    truth = [
        (over_at(at, MODELS[name](rng), target.stalls_from) - was_due) * 1e3
        for at, was_due in zip(arrived, due, strict=True)
    ]
    got = next(s for s in outcome.result.latencies if (s.name, s.clock) == ("upload_front", "response"))
    said = [got.p50, got.p90, got.p95, got.p99, got.p999, got.max]
    return said, [nearest_rank(truth, p) for p in PERCENTILES], outcome.void


def stock(name: str, rate: float, seconds: float, seed: int, folder: Path, *, throughput: bool) -> list[float]:
    """What stock Locust says of the same target: as many closed users as keep the rate at the median, or
    `constant_throughput` of one a second from as many users as the rate."""
    body = folder / "body.json"
    body.write_bytes(b'{"image":"' + b"A" * 100_000 + b'"}')
    users, pause, value = (
        (round(rate), "constant_throughput", 1) if throughput else (max(round(rate * MEDIAN_S), 2), "constant", 0)
    )
    script = folder / "stock.py"
    path = UPLOAD_FRONT.path
    script.write_text(STOCK.format(pause=pause, value=value, body=str(body), path=path), encoding="utf-8")
    with Target(name, seed) as target:
        command = [sys.executable, "-m", "locust", "-f", str(script), "--headless", "--host", target.url]
        command += [
            "-u",
            str(users),
            "-r",
            str(users),
            "-t",
            f"{seconds:g}s",
            "--csv",
            str(folder / "stock"),
            "--only-summary",
        ]
        subprocess.run(command, check=True, capture_output=True, timeout=seconds + 60, cwd=folder)
    with (folder / "stock_stats.csv").open() as file:
        row = next(row for row in csv.DictReader(file) if row["Name"] == "Aggregated")
    return [float(row[key]) for key in ("50%", "90%", "95%", "99%", "99.9%", "Max Response Time")]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("kycgate-out/honesty.md"))
    parser.add_argument("--rate", type=float, default=40.0, help="onboardings a second")
    parser.add_argument("--seconds", type=float, default=25.0, help="of each run")
    parser.add_argument("--seed", type=int, default=7)
    chosen = parser.parse_args()
    lines = [
        "# Honest percentiles",
        "",
        f"Printed by `benchmarks/honesty.py` on {datetime.now(UTC):%Y-%m-%d}:",
        f"{chosen.rate:g} onboardings/s (Poisson) for {chosen.seconds:g} s each;",
        f"kycgate {importlib.metadata.version('kycgate')},",
        f"Locust {importlib.metadata.version('locust')}, Python {platform.python_version()}.",
        "Response time of UploadFrontImage in ms, from when it was due; the truth is computed from the target's model.",
        "",
        "| target | who | p50 | p90 | p95 | p99 | p99.9 | max | farthest from the truth |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    worst_of_ours = workers_apart = 0.0
    for name in TABLE:
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made)
            rows = {}
            for processes, who in ((1, "kycgate"), (2, "kycgate, 2 workers")):
                said, truth, void = ours(name, chosen.rate, chosen.seconds, chosen.seed, folder, processes)
                if void:
                    raise SystemExit(f"the run is void: {void}")
                # The truth is that of the same moments of arrival.
                rows[f"truth for {who}"], rows[who] = truth, said
            between = [abs(two / one - 1) for one, two in zip(rows["kycgate"], rows["kycgate, 2 workers"], strict=True)]
            workers_apart = max(workers_apart, *between)
            for throughput, who in ((False, "Locust closed"), (True, "Locust constant_throughput")):
                rows[who] = stock(name, chosen.rate, chosen.seconds, chosen.seed, folder, throughput=throughput)
        for who, values in rows.items():
            beside = values if who.startswith("truth") else rows.get(f"truth for {who}", rows["truth for kycgate"])
            off = max(abs(value / true - 1) for value, true in zip(values, beside, strict=True))
            worst_of_ours = max(worst_of_ours, off) if who.startswith("kycgate") else worst_of_ours
            figures = " | ".join(f"{value:.1f}" for value in values)
            lines.append(f"| {name} | {who} | {figures} | {f'{off:.1%}' if not who.startswith('truth') else ''} |")
            print(lines[-1], flush=True)
    lines += [
        "",
        f"kycgate is at most {worst_of_ours:.2%} off; one worker and two, whose requests never arrive at quite",
        f"the same moments, differ by at most {workers_apart:.2%} (a histogram of three digits by up to 0.1%).",
    ]
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines[-2:]))


if __name__ == "__main__":
    main()
