"""Locust's own faces: its page with our percentiles, its workers, its export; and machines that share a load."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from kycgate.chaos.target import Canary
from kycgate.check.embedded import embedded_sandbox
from kycgate.load.plan import Job, LoadPlan
from kycgate.sandbox import TENANT, TENANT_SECRET
from kycgate.settings.profile import Profile

ROOT = Path(__file__).resolve().parents[3]
SECRETS = {"KYCGATE_TENANT_ID": TENANT, "KYCGATE_TENANT_SECRET": TENANT_SECRET}
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("KYCGATE_", "OTEL_"))}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def locust(url: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "locust", "-f", str(ROOT / "load" / "locustfile.py"), "--host", url, *arguments]


def test_the_locustfile_prints_our_percentiles(tmp_path: Path) -> None:
    """And it talks to the target alone: a proxy that the environment names is a canary."""
    with embedded_sandbox(Profile()) as sandbox, Canary() as canary:
        names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
        done = subprocess.run(
            locust(str(sandbox.profile.base_url), "--headless", "-u", "2", "-r", "2", "-t", "4s"),
            cwd=tmp_path, env=CLEAN | SECRETS | dict.fromkeys(names, canary.url), capture_output=True, text=True,
            timeout=120, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert canary.contacts == 0
    ours = re.search(r"kycgate: upload_front  n (\d+)  p50 ([\d.]+)", done.stdout)
    assert ours is not None, done.stdout
    # Locust prints interim tables too: the last one counts.
    theirs = re.findall(r"POST\s+upload_front\s+(\d+)\s+0\(", done.stderr)
    assert ours[1] == theirs[-1]
    assert float(ours[2]) > 0


def test_locusts_page_shows_our_percentiles_of_all_workers(tmp_path: Path) -> None:
    web, master = free_port(), free_port()
    with embedded_sandbox(Profile()) as sandbox:
        process = subprocess.Popen(
            locust(
                str(sandbox.profile.base_url), "-u", "4", "-r", "4", "-t", "5s", "--autostart", "--autoquit", "3",
                "--web-host", "127.0.0.1", "--web-port", str(web), "--processes", "2",
                "--master-bind-host", "127.0.0.1", "--master-bind-port", str(master),
                "--master-host", "127.0.0.1", "--master-port", str(master),
            ),
            cwd=tmp_path, env=CLEAN | SECRETS, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True,
        )  # fmt: skip
        rows: list[dict[str, object]] = []
        page = ""
        deadline = time.monotonic() + 90
        try:
            while process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.3)
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{web}/kycgate.json", timeout=2) as answer:
                        rows = json.load(answer) or rows
                    with urllib.request.urlopen(f"http://127.0.0.1:{web}/kycgate", timeout=2) as answer:
                        page = answer.read().decode()
                except OSError:
                    continue
            assert process.wait(timeout=20) == 0
            said = process.stdout.read() if process.stdout else ""
        finally:
            if process.poll() is None:
                os.killpg(process.pid, 9)
                process.wait()
            if process.stdout:
                process.stdout.close()
    whole = next(row for row in rows if (row["step"], row["clock"]) == ("onboarding", "response"))
    assert int(str(whole["count"])) > 0
    assert float(str(whole["p99.9"])) >= float(str(whole["p50"])) > 0
    assert "<td>upload_front</td><td>thinking</td>" in page
    # What Locust's table at the end counts over all workers, we count too.
    ours = re.search(r"kycgate: approve_back  n (\d+)", said)
    theirs = re.findall(r"POST\s+approve_back\s+(\d+)\s+0\(", said)
    assert ours is not None, said
    assert ours[1] == theirs[-1]


def test_more_users_than_keys_are_refused(tmp_path: Path) -> None:
    with embedded_sandbox(Profile(), keys=2) as sandbox:
        keys = ",".join(key.get_secret_value() for key in sandbox.secrets.api_keys)
        done = subprocess.run(
            locust(str(sandbox.profile.base_url), "--headless", "-u", "3", "-r", "3", "-t", "5s"),
            cwd=tmp_path, env=CLEAN | {"KYCGATE_API_KEYS": keys}, capture_output=True, text=True, timeout=60,
            check=False,
        )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "2 fixed keys serve no more than 2 users" in done.stdout


def test_a_host_that_is_not_allowed_is_not_called(tmp_path: Path) -> None:
    with Canary() as canary:
        done = subprocess.run(
            locust(canary.url, "--headless", "-u", "1", "-r", "1", "-t", "5s"), cwd=tmp_path,
            env=CLEAN | SECRETS | {"KYCGATE_ALLOWED_HOSTS": "vendor.example"}, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "its host is not among those of KYCGATE_ALLOWED_HOSTS" in done.stdout
    assert canary.contacts == 0


def test_a_master_deals_out_to_workers_with_secrets_of_their_own(tmp_path: Path) -> None:
    """Two machines' worth of workers on one: the plan comes from the master, credentials from each environment."""
    port = free_port()
    with embedded_sandbox(Profile()) as sandbox:
        url = str(sandbox.profile.base_url)
        command = [sys.executable, "-m", "kycgate", "load", "--base-url", url]
        workers = [
            subprocess.Popen(
                [*command, "--worker", "--master-host", "127.0.0.1", "--master-port", str(port)],
                cwd=tmp_path, env=CLEAN | SECRETS, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            )
            for _ in range(2)
        ]  # fmt: skip
        done = subprocess.run(
            [*command, "--master", "--expect-workers", "2", "--bind-host", "127.0.0.1", "--bind-port", str(port),
             "--rate", "15", "--duration", "3", "--out", "run"],
            cwd=tmp_path, env=CLEAN | SECRETS, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        said = [worker.communicate(timeout=30)[0] for worker in workers]
    # What is looked at is who works, not how fast: other tests may keep the machine too busy for a verdict.
    assert done.returncode == (3 if "the generator" in done.stdout else 0), done.stdout + done.stderr
    assert [worker.returncode for worker in workers] == [0, 0], said
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    assert (run["load"]["workers"], run["load"]["recorded"]) == (2, 45)
    assert "waiting for 2 workers" in done.stderr


def test_a_worker_sends_its_credentials_nowhere_else(tmp_path: Path) -> None:
    port = free_port()
    with embedded_sandbox(Profile()) as sandbox:
        url = str(sandbox.profile.base_url)
        command = [sys.executable, "-m", "kycgate", "load", "--base-url"]
        worker = subprocess.Popen(
            [*command, "http://127.0.0.1:9", "--worker", "--master-host", "127.0.0.1", "--master-port", str(port)],
            cwd=tmp_path, env=CLEAN | SECRETS, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        done = subprocess.run(
            [*command, url, "--master", "--expect-workers", "1", "--bind-host", "127.0.0.1", "--bind-port", str(port),
             "--duration", "2", "--out", "run"],
            cwd=tmp_path, env=CLEAN | SECRETS, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        worker.communicate(timeout=30)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "a worker's target is http://127.0.0.1:9" in done.stdout


class Collector(BaseHTTPRequestHandler):
    """Takes what an exporter sends over HTTP, and keeps it."""

    taken: ClassVar[list[tuple[str, bytes]]] = []

    def do_POST(self) -> None:
        self.taken.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()


def test_locusts_export_arrives_at_a_collector(tmp_path: Path) -> None:
    """Locust's own histogram leaves by its own exporter: over HTTP, unless the environment names another protocol."""
    with embedded_sandbox(Profile()) as sandbox, HTTPServer(("127.0.0.1", 0), Collector) as collector:
        threading.Thread(target=collector.serve_forever, daemon=True).start()
        variables = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}",
            "OTEL_TRACES_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
        }
        plan = LoadPlan(
            base_url=str(sandbox.profile.base_url), rate=5, duration_s=1, tenant_id=TENANT, tenant_secret=TENANT_SECRET
        )
        process = subprocess.Popen(
            [sys.executable, "-m", "kycgate.load.worker"], cwd=tmp_path, env=CLEAN | variables, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdin is not None
        # Left open: when it closes, the run is over.
        process.stdin.write(Job(role="local", plan=plan, otel=True).model_dump_json() + "\n")
        process.stdin.flush()
        process.wait(timeout=60)
        measured, errors = process.communicate()
        collector.shutdown()
    assert "upload_front response" in measured
    assert Collector.taken, errors
    path, sent = Collector.taken[-1]
    assert path == "/v1/metrics"
    assert b"locust.client.duration" in sent
    assert b"upload_front" in sent


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--worker"], "--master-host"),
        (["--worker", "--master-host", "127.0.0.1"], "sends its credentials nowhere else"),
        (["--think", "gamma:1"], "is not a pause"),
        (["--sizes", "5"], "between 100 and 16000 kB"),
        (["--degrade", "fog:1"], "is not a degradation"),
        (["--find-capacity", "--people", "3"], "leave out --people"),
        (["--find-capacity", "--rate", "300"], "lies below --rate"),
        (["--until-decided", "--policy", "missing.toml"], "cannot read the policy"),
    ],
)
def test_wrong_load_calls_end_2_with_one_line(arguments: list[str], says: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kycgate", "load", "--sandbox", *arguments],
        cwd=tmp_path, env=CLEAN, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert says in done.stderr
