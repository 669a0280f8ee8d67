"""Megabytes and requests a client core-second: wrk, kycgate's connection, k6 and stock Locust, on one sink in one run.

    uv run --with k6 python benchmarks/speed.py --out docs/speed.md        (wrk: apt-get install wrk)

The sink only reads and answers. Each client runs on one core and the sink on the other (taskset); what counts is the
client's own CPU time, so neither the sink nor a busy machine changes who is ahead. Eight connections each.
"""

import argparse
import contextlib
import importlib.metadata
import json
import multiprocessing
import os
import platform
import re
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

SIZES = {"200 B": 200, "400 kB": 400_000, "2 MB": 2_000_000}
CONNECTIONS = 8
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\ntrue"

OURS = """
from gevent import monkey; monkey.patch_all()
import gevent, json, sys, time
from kycgate.load.client import Connection
url, size, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
body = b'{"image":"' + b"A" * (size - 12) + b'"}'
headers = {"Content-Type": "application/json", "Authorization": "Bearer x"}
done = 0
def one():
    global done
    connection = Connection(url, 60, None)
    while time.perf_counter() < end:
        connection.post("/x", headers, body, time.perf_counter_ns())
        done += 1
cpu = time.process_time(); end = time.perf_counter() + seconds
gevent.joinall([gevent.spawn(one) for _ in range(8)], raise_error=True)
print(json.dumps([done, time.process_time() - cpu]))
"""
LOCUST = """
import json, time
from locust import {user}, constant, events, task
TEXT = "A" * ({size} - 12)
BODY = ('{{"image":"' + TEXT + '"}}').encode()
@events.test_start.add_listener
def begin(environment, **_): environment.cpu = time.process_time()
@events.test_stop.add_listener
def end(environment, **_):
    with open({out!r}, "w") as file:
        json.dump([environment.stats.total.num_requests, time.process_time() - environment.cpu], file)
class Person({user}):
    wait_time = constant(0)
    @task
    def upload(self): self.client.post("/x", {how})
"""


def serve(told: Any) -> None:
    """Reads requests and answers each with `true`; a thread a connection."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    listening = socket.create_server(("127.0.0.1", 0), backlog=64)
    told.send(listening.getsockname()[1])
    while True:
        threading.Thread(target=_answer, args=(listening.accept()[0],), daemon=True).start()


def _answer(taken: socket.socket) -> None:
    with contextlib.suppress(ConnectionError):
        _answer_all(taken)


def _answer_all(taken: socket.socket) -> None:
    taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    buffer = bytearray(1 << 20)
    kept = b""
    while True:
        while b"\r\n\r\n" not in kept:
            count = taken.recv_into(buffer)
            if not count:
                return
            kept += buffer[:count]
        head, _, rest = kept.partition(b"\r\n\r\n")
        found = re.search(rb"(?i)content-length:\s*(\d+)", head)
        left = int(found[1]) - len(rest) if found else 0
        while left > 0:
            left -= taken.recv_into(buffer, min(left, len(buffer)))
        kept = b""
        taken.sendall(ANSWER)


def _pinned(command: list[str]) -> list[str]:
    return ["taskset", "-c", str(min(os.sched_getaffinity(0))), *command]


def by_wrk(url: str, size: int, seconds: float, folder: Path) -> tuple[int, float]:
    script = folder / "post.lua"
    script.write_text(
        'wrk.method="POST"; wrk.headers["Content-Type"]="application/json"; '
        f"wrk.body='{{\"image\":\"' .. string.rep('A', {size - 12}) .. '\"}}'"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s", "-s", str(script), f"{url}/x"]
    done = subprocess.run(_pinned(command), capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    count = re.search(r"(\d+) requests in", done.stdout)
    return int(count[1]) if count else 0, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def by_kycgate(url: str, size: int, seconds: float, folder: Path) -> tuple[int, float]:
    script = folder / "ours.py"
    script.write_text(OURS)
    command = _pinned([sys.executable, str(script), url, str(size), str(seconds)])
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    count, cpu = json.loads(done.stdout)
    return count, cpu


K6 = """
import http from "k6/http";
const body = open({file!r}, "b");
export const options = {{ vus: {vus}, duration: "{seconds:g}s", discardResponseBodies: true }};
export default function () {{
    http.post("{url}/x", body, {{ headers: {{ "Content-Type": "application/json" }} }});
}}
"""


def by_k6(url: str, size: int, seconds: float, folder: Path) -> tuple[int, float]:
    """A body read once, as bytes: the way that costs k6 least."""
    body = folder / "body.json"
    body.write_bytes(b'{"image":"' + b"A" * (size - 12) + b'"}')
    script, summary = folder / "post.js", folder / "summary.json"
    script.write_text(K6.format(file=str(body), vus=CONNECTIONS, seconds=seconds, url=url))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = ["k6", "run", "--quiet", "--no-usage-report", "--summary-export", str(summary), str(script)]
    subprocess.run(_pinned(command), capture_output=True, check=True, env={**os.environ, "GOMAXPROCS": "1"})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    count = json.loads(summary.read_text())["metrics"]["http_reqs"]["count"]
    return count, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def by_locust(user: str, how: str) -> Any:
    def run(url: str, size: int, seconds: float, folder: Path) -> tuple[int, float]:
        out = folder / "locust.json"
        script = folder / "stock.py"
        script.write_text(LOCUST.format(user=user, how=how, size=size, out=str(out)))
        command = [
            sys.executable,
            "-m",
            "locust",
            "-f",
            str(script),
            "--headless",
            "--host",
            url,
            "-u",
            str(CONNECTIONS),
        ]
        command += ["-r", str(CONNECTIONS), "-t", f"{seconds:g}s", "--only-summary"]
        subprocess.run(_pinned(command), capture_output=True, check=False, timeout=seconds + 60)
        count, cpu = json.loads(out.read_text())
        return count, cpu

    return run


CLIENTS = {
    "wrk": by_wrk,
    "kycgate": by_kycgate,
    "k6, ready bytes": by_k6,
    "FastHttpUser, ready bytes": by_locust("FastHttpUser", 'data=BODY, headers={"Content-Type": "application/json"}'),
    "HttpUser, json=": by_locust("HttpUser", 'json={"image": TEXT}'),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("kycgate-out/speed.md"))
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3, help="rounds, of which the median counts")
    chosen = parser.parse_args()
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is the yardstick and is not installed: apt-get install wrk")
    if shutil.which("k6") is None:
        raise SystemExit("k6 is compared too and is not installed: run with `uv run --with k6 python …`")
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    sink = context.Process(target=serve, args=(there,), daemon=True)
    sink.start()
    url = f"http://127.0.0.1:{here.recv()}"
    rates: dict[tuple[str, str], list[float]] = {}
    with tempfile.TemporaryDirectory() as made:
        for _ in range(chosen.rounds):
            for label, size in SIZES.items():
                for name, run in CLIENTS.items():
                    count, cpu = run(url, size, chosen.seconds, Path(made))
                    rates.setdefault((label, name), []).append(count / cpu)
    sink.terminate()
    lines = [
        "# Work per client core-second",
        "",
        f"Printed by `benchmarks/speed.py` on {datetime.now(UTC):%Y-%m-%d}: the median of {chosen.rounds} rounds",
        f"of {chosen.seconds:g} s, eight connections; kycgate {importlib.metadata.version('kycgate')},",
        f"Locust {importlib.metadata.version('locust')}, Python {platform.python_version()}.",
        "",
        "| body | client | requests per core-second | MB per core-second | beside wrk |",
        "| --- | --- | --- | --- | --- |",
    ]
    for label, size in SIZES.items():
        middle = {name: sorted(rates[label, name])[chosen.rounds // 2] for name in CLIENTS}
        for name, rate in middle.items():
            lines.append(f"| {label} | {name} | {rate:,.0f} | {rate * size / 1e6:,.1f} | {rate / middle['wrk']:.2f} |")
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines[6:]))


if __name__ == "__main__":
    main()
