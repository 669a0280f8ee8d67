"""`kycgate probe`: what each kind of target makes of it, and that it always ends."""

import contextlib
import http.server
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import SecretStr

from kycgate.check.embedded import Embedded, embedded_sandbox
from kycgate.contracts.flows.national_id import APPROVE_FRONT, UPLOAD_FRONT
from kycgate.gate.gate import Gate
from kycgate.probing import open_store
from kycgate.probing.probe import Probe
from kycgate.probing.prober import Prober, limits
from kycgate.sandbox import SandboxSettings
from kycgate.settings.profile import Profile, Secrets
from kycgate.target.clock import Offset, common_offset, offset_of
from kycgate.tests.suite.conftest import Call

EVER = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))
STEPS = ["upload_front", "upload_back", "approve_front", "approve_back"]
TENANT = Secrets(tenant_id="tenant-1", tenant_secret=SecretStr("sandbox-secret"))


def probe(profile: Profile, secrets: Secrets, limit_s: float = 60.0, seed: int = 3) -> Probe:
    gate = Gate(profile, secrets, seed=seed)
    gate.budget.requests = limits()[0]
    with contextlib.closing(gate):
        return Prober(gate, profile, secrets, target=str(profile.base_url)).run(limit_s)


def of(sandbox: Embedded) -> Probe:
    return probe(sandbox.profile, sandbox.secrets)


class Canned(http.server.BaseHTTPRequestHandler):
    """Gives a token and refuses the rest with `status`."""

    protocol_version = "HTTP/1.1"
    status: ClassVar[int] = 500
    seen: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.seen.append(self.path)
        token = self.path.endswith("SessionToken")
        body = b'{"token": "t-123456", "expirationDate": "2099-01-01T00:00:00Z"}' if token else b"{}"
        self.send_response(200 if token else self.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def canned(status: int) -> Iterator[tuple[str, list[str]]]:
    class Handler(Canned):
        seen: ClassVar[list[str]] = []

    Handler.status = status
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", Handler.seen
        server.shutdown()


def test_a_faithful_vendor_is_kept_and_timed() -> None:
    with embedded_sandbox(Profile()) as sandbox:
        found = of(sandbox)
    assert (found.verdict, found.requests, found.uploads, found.breaches) == ("kept", 5, 2, ())
    assert [step.step for step in found.steps] == STEPS
    for step in found.steps:
        assert None not in (step.sending_us, step.thinking_us, step.reading_us)
        assert step.response_us >= step.service_us >= (step.thinking_us or 0) > 0
    assert found.onboarding_us is not None
    assert sum(step.response_us for step in found.steps) <= found.onboarding_us <= found.duration_us
    # The sandbox has our clock: the bounds enclose nothing.
    assert found.clock_low_s is not None
    assert found.clock_high_s is not None
    assert found.clock_low_s <= 0 <= found.clock_high_s <= found.clock_low_s + 4


def test_what_a_probe_does_not_try_it_does_not_accuse() -> None:
    with embedded_sandbox(Profile(), faults=("unwrapped-base64-only",)) as sandbox:
        assert of(sandbox).verdict == "kept"


def test_a_breach_is_broken_and_the_target_was_there() -> None:
    from kycgate.sandbox import FAULTS

    name = next(known.name for known in FAULTS.load().values() if known.clause == "approve.true")
    with embedded_sandbox(Profile(), faults=(name,)) as sandbox:
        found = of(sandbox)
    assert (found.verdict, found.failure) == ("broken", "contract")
    assert "approve.true" in found.breaches


@pytest.mark.parametrize(
    ("status", "verdict", "failure"),
    [
        (500, "unavailable", "status 500"),
        (503, "unavailable", "status 503"),
        (401, "unclear", "credentials refused (401)"),
        (429, "unclear", "put off (429)"),
        (400, "unclear", "refused (status 400)"),
    ],
)
def test_each_refusal_is_what_it_is_and_costs_a_handful(status: int, verdict: str, failure: str) -> None:
    with canned(status) as (url, seen):
        found = probe(Profile(base_url=url), TENANT)
    assert (found.verdict, found.failure, found.failed_step) == (verdict, failure, "upload_front")
    assert len(seen) == found.requests <= limits()[0]
    assert [step.status for step in found.steps] == [status]


def test_a_target_that_is_not_reached_is_unavailable() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        found = probe(Profile(base_url=f"http://127.0.0.1:{free.getsockname()[1]}"), TENANT)
    assert (found.verdict, found.failure, found.failed_step) == ("unavailable", "no connection", "token")
    assert (found.requests, found.steps) == (1, ())


@pytest.fixture
def silent() -> Iterator[str]:
    """Takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def test_no_answer_in_time_is_unavailable(silent: str) -> None:
    keys = Secrets(api_keys=(SecretStr("a-fixed-key"),))
    found = probe(Profile(base_url=silent, timeout_s=0.3), keys)
    assert (found.verdict, found.failed_step, found.requests) == ("unavailable", "upload_front", 1)
    assert "time limit" in found.failure
    assert found.steps[0].status is None
    assert found.steps[0].response_us >= 300_000


def test_a_probe_that_does_not_end_is_cut_off(silent: str) -> None:
    """Whatever holds it up: here, a time-out far beyond the limit."""
    keys = Secrets(api_keys=(SecretStr("a-fixed-key"),))
    found = probe(Profile(base_url=silent, timeout_s=20), keys, limit_s=0.5)
    assert (found.verdict, found.failure) == ("unavailable", "no end within the time limit")
    assert [(step.step, step.status) for step in found.steps] == [("upload_front", None)]
    assert found.duration_us >= 500_000


def test_fixed_keys_and_bare_credentials_are_found_out() -> None:
    bare = SandboxSettings(schemes=frozenset({"bare"}))
    with embedded_sandbox(Profile(), bare) as sandbox:
        found = of(sandbox)
        assert (found.verdict, found.requests) == ("kept", 6)
    strict = SandboxSettings(front_after_approval="refused")
    with embedded_sandbox(Profile(), strict, keys=1) as sandbox:
        assert [of(sandbox).requests for _ in range(2)] == [4, 4]
        half = Gate(sandbox.profile, sandbox.secrets, seed=1)
        with contextlib.closing(half):
            session = half.session()
            session.do(UPLOAD_FRONT)
            session.do(APPROVE_FRONT)
        found = of(sandbox)
        assert (found.verdict, found.requests) == ("kept", 8)
        assert [step.step for step in found.steps] == STEPS


def kycgate(cwd: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kycgate", "probe", *arguments]
    environment = {"PATH": "/usr/bin:/bin", **env}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=90, check=False)


def test_the_command_appends_and_ends_with_its_code(tmp_path: Path) -> None:
    secrets = {"KYCGATE_TENANT_ID": "tenant-1", "KYCGATE_TENANT_SECRET": "sandbox-secret"}
    with embedded_sandbox(Profile()) as sandbox:
        url = str(sandbox.profile.base_url)
        done = kycgate(
            tmp_path, "--base-url", url, "--out", "run", "--from", "cairo", KYCGATE_STORE="probes.db", **secrets
        )
        assert (done.returncode, done.stdout.splitlines()[1]) == (0, "kept: all steps were accepted"), done.stderr
    down = kycgate(tmp_path, "--base-url", url, "--store", "probes.db", **secrets)
    assert (down.returncode, "unavailable: no connection at token" in down.stdout) == (3, True)
    with open_store(str(tmp_path / "probes.db")) as store:
        kept = store.probes(url, *EVER)
    assert [(one.verdict, one.prober) for one in kept] == [("kept", "cairo"), ("unavailable", "")]
    assert (tmp_path / "run" / "report.html").is_file()
    held = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"sandbox-secret" not in held
    from kycgate.specimens import card_set

    seed = int((tmp_path / "run" / "run.json").read_text().partition('"seed": ')[2].partition(",")[0])
    card = card_set(seed * 10_000 + 1)
    assert card.front.truth["idNumber"].encode() not in held


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "--store"),
        (["--store", "none/probes.db"], "cannot open the store"),
        (["--store", "mysql://me:hunter2@h/db"], "postgresql://"),
        (["--store", "probes.db", "--time-limit", "5"], "--time-limit"),
        (["--store", "probes.db", "--specimens", "none"], "none"),
    ],
)
def test_wrong_calls_end_2_and_send_nothing(
    call: Call, monkeypatch: pytest.MonkeyPatch, arguments: list[str], says: str
) -> None:
    monkeypatch.setenv("KYCGATE_API_KEYS", "some-key-1234")
    with canned(200) as (url, seen):
        code, _, said = call("probe", "--base-url", url, *arguments)
    assert (code, seen) == (2, [])
    assert says in said
    assert "hunter2" not in said
    assert said.count("\n") == 1


def test_an_unreachable_server_ends_3_and_sends_nothing(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KYCGATE_API_KEYS", "some-key-1234")
    with canned(200) as (url, seen):
        code, out, err = call("probe", "--base-url", url, "--store", "postgresql://me:hunter2@127.0.0.1:1/db")
    assert (code, seen) == (3, [])
    assert "hunter2" not in out + err


def test_offsets_are_bounded_by_each_answer_and_by_all() -> None:
    sent = datetime(2026, 11, 1, 12, 0, 0, 500_000, tzinfo=UTC)
    received = sent + timedelta(seconds=0.2)
    assert offset_of("Sun, 01 Nov 2026 12:00:00 GMT", sent, received) == Offset(-0.7, 1.5)
    assert offset_of("Sun, 01 Nov 2026 12:01:00 GMT", sent, received) == Offset(59.3, 61.5)
    assert offset_of("yesterday", sent, received) is None
    assert offset_of(None, sent, received) is None
    assert common_offset([Offset(-0.7, 0.5), None, Offset(-0.2, 1.0)]) == Offset(-0.2, 0.5)
    assert common_offset([Offset(-0.7, 0.5), Offset(59.3, 60.5)]) == Offset(-0.7, 60.5)
    assert common_offset([]) is None
