"""`kycgate doctor` and `kycgate init`: few requests, one line for each thing, nothing overwritten."""

import http.server
import json
import os
import pty
import re
import ssl
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
import trustme

from kycgate.check.embedded import embedded_sandbox
from kycgate.cli.examine import BURST, MAX_REQUESTS, State, _clock, _connection, examine
from kycgate.cli.execute import CHECK_S
from kycgate.contracts.clauses import CATALOGUE
from kycgate.files import write_atomically
from kycgate.sandbox import TENANT, TENANT_SECRET, RunningSandbox, SandboxSettings
from kycgate.settings.profile import Profile, Secrets, load_profile
from kycgate.settings.severity import Effect, severity_by_level
from kycgate.settings.template import keys, profile_text
from kycgate.target.exchange import RecordedClocks, RecordedExchange
from kycgate.tests.suite.command_line import kycgate
from kycgate.tests.suite.conftest import Call
from kycgate.tests.suite.process.test_cli import SECRETS


class Counting(http.server.ThreadingHTTPServer):
    """Answers everything with one status, and counts."""

    def __init__(self, status: int, headers: dict[str, str], context: ssl.SSLContext | None = None) -> None:
        self.requests = 0
        counting = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                counting.requests += 1
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.send_response(status)
                for name, value in ({"Content-Length": "0"} | headers).items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_side=True)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that looks at a certificate and goes is none."""


@contextmanager
def serving(
    status: int = 401, headers: dict[str, str] | None = None, context: ssl.SSLContext | None = None
) -> Iterator[Counting]:
    with Counting(status, headers or {}, context) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def lines_of(text: str) -> dict[str, str]:
    """What was said, by what was looked at."""
    return {
        match[2]: match[1] + " " + match[3]
        for match in re.finditer(r"^(ok|warning|failed|skipped) +([\w ]+): (.*)$", text, re.MULTILINE)
    }


def secrets_of(*, fixed: bool) -> Secrets:
    """Fixed keys, or a tenant."""
    tenant = {"tenant_id": TENANT, "tenant_secret": TENANT_SECRET}
    return Secrets.model_validate({"api_keys": ["key-one-1", "key-two-2"]} if fixed else tenant)


def test_doctor_finds_a_sound_set_up_sound(tmp_path: Path) -> None:
    done = kycgate("doctor", "--sandbox", cwd=tmp_path)
    said = lines_of(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(said) == ["DNS", "connection", "credentials", "specimens", "clock", "rate limit", "sent"]
    assert all(line.startswith("ok") for line in said.values())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("status", "headers", "what", "says"),
    [
        (401, {}, "credentials", "gave no token"),
        (500, {}, "credentials", "500: is it up?"),
        (
            429,
            {"Retry-After": "0", "X-RateLimit-Limit": "5"},
            "rate limit",
            "429 at request 1, Retry-After 0; x-ratelimit-limit: 5",
        ),
    ],
)
@pytest.mark.parametrize("fixed", [False, True])
def test_doctor_never_sends_more_than_ten_requests(
    status: int, headers: dict[str, str], what: str, says: str, fixed: bool
) -> None:
    """Whatever comes back, whichever way credentials are given."""
    secrets = secrets_of(fixed=fixed)
    with serving(status, headers) as server:
        symptoms = list(examine(Profile(base_url=f"http://127.0.0.1:{server.server_port}"), secrets))
        assert server.requests <= MAX_REQUESTS
    assert State.FAILED in {symptom.state for symptom in symptoms}
    if not fixed:
        assert says in next(symptom.said for symptom in symptoms if symptom.what == what)


def test_doctor_of_a_target_that_refuses_ends_3(tmp_path: Path) -> None:
    with serving(401) as server:
        done = kycgate("doctor", "--base-url", f"http://127.0.0.1:{server.server_port}", cwd=tmp_path, env=SECRETS)
    assert done.returncode == 3, done.stdout
    assert lines_of(done.stdout)["credentials"].startswith("failed")


def test_doctor_stays_within_its_budget_where_all_is_well() -> None:
    for count in (0, 2):
        with embedded_sandbox(Profile(), keys=count) as embedded:
            symptoms = list(examine(embedded.profile, embedded.secrets))
        assert {symptom.state for symptom in symptoms} == {State.OK}
        assert int(symptoms[-1].said.split()[0]) <= MAX_REQUESTS
        assert BURST < MAX_REQUESTS


def test_a_credential_too_short_to_be_told_from_text_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Call
) -> None:
    """By doctor, and in the notes of a run."""
    monkeypatch.setenv("KYCGATE_TENANT_ID", "T")
    monkeypatch.setenv("KYCGATE_TENANT_SECRET", TENANT_SECRET)
    with RunningSandbox(SandboxSettings(tenants={"T": TENANT_SECRET})) as sandbox:
        _, doctor, _ = call("doctor", "--base-url", sandbox.base_url)
        out = tmp_path / "run"
        call("check", "--base-url", sandbox.base_url, "--only", "approve.true", "--out", str(out))
    assert lines_of(doctor)["redaction"].startswith("warning KYCGATE_TENANT_ID: fewer than 4 letters")
    notes = json.loads((out / "run.json").read_text())["notes"]
    (note,) = [note for note in notes if "fewer than 4 letters" in note]
    assert note.startswith("KYCGATE_TENANT_ID: ")
    assert note.endswith("is taken out as a whole word alone.")


def test_doctor_tells_refused_cards_from_refused_credentials() -> None:
    with embedded_sandbox(Profile(), SandboxSettings(), faults=("unwrapped-base64-only",)) as embedded:
        assert {s.what: s.state for s in examine(embedded.profile, embedded.secrets)}["specimens"] is State.OK
    with embedded_sandbox(Profile()) as embedded:
        wrong = Secrets(tenant_id="tenant-1", tenant_secret=embedded.secrets.tenant_id)
        states = {symptom.what: symptom.state for symptom in examine(embedded.profile, wrong)}
    assert (states["credentials"], states["specimens"]) == (State.FAILED, State.SKIPPED)
    with serving(400) as server:
        profile = Profile(base_url=f"http://127.0.0.1:{server.server_port}")
        fixed = Secrets.model_validate({"api_keys": ["key-one-1"]})
        states = {symptom.what: symptom.state for symptom in examine(profile, fixed)}
    assert (states["credentials"], states["specimens"]) == (State.OK, State.FAILED)


@pytest.mark.parametrize("fixed", [False, True])
def test_a_path_that_is_not_there_is_said_at_once(fixed: bool, tmp_path: Path) -> None:
    """With a fixed key a 404 may also come from an earlier flow: who names no key learns by 401 that the path is."""
    env = {"KYCGATE_API_KEYS": "key-one-1"} if fixed else SECRETS
    with serving(404) as server:
        url = f"http://127.0.0.1:{server.server_port}"
        symptoms = {symptom.what: symptom for symptom in examine(Profile(base_url=url), secrets_of(fixed=fixed))}
        assert (symptoms["path"].state, "knows no such path" in symptoms["path"].said) == (State.FAILED, True)
        assert (symptoms["credentials"].state, symptoms["specimens"].state) == (State.SKIPPED, State.SKIPPED)
        server.requests = 0
        done = kycgate("check", "--base-url", url, "--out", "run", cwd=tmp_path, env=env)
        assert (done.returncode, server.requests <= 2) == (3, True)
    assert "knows no such path (404): check the base URL" in done.stdout
    assert f"not tried  {len(CATALOGUE)} clauses" in done.stdout


def test_keys_beside_a_tenant_are_not_used_and_that_is_said(tmp_path: Path) -> None:
    with embedded_sandbox(Profile()) as embedded:
        env = {"KYCGATE_TENANT_ID": TENANT, "KYCGATE_TENANT_SECRET": TENANT_SECRET, "KYCGATE_API_KEYS": "key-one-1"}
        url = str(embedded.profile.base_url)
        done = kycgate("check", "--base-url", url, "--budget", "8", "--out", "run", cwd=tmp_path, env=env)
    said = "KYCGATE_API_KEYS is not used: KYCGATE_TENANT_ID is set too"
    assert said in done.stderr
    assert said in done.stdout
    assert "key-one-1" not in (tmp_path / "run" / "run.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("days", "trusted", "verified", "state", "says"),
    [
        (90, True, True, State.OK, "ends in 89 days"),
        (5, True, True, State.WARNING, "ends in 4 days"),
        (-1, True, True, State.FAILED, "expired"),
        (90, False, True, State.FAILED, "not accepted"),
        (90, False, False, State.WARNING, "NOT verified"),
    ],
)
def test_doctor_looks_at_the_certificate(
    days: int, trusted: bool, verified: bool, state: State, says: str, tmp_path: Path
) -> None:
    authority, other = trustme.CA(), trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", not_after=datetime.now(UTC) + timedelta(days=days)).configure_cert(context)
    (authority if trusted else other).cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with serving(context=context) as server:
        url = f"https://127.0.0.1:{server.server_port}"
        symptom = _connection(Profile(base_url=url, ca_file=tmp_path / "ca.pem", verify_tls=verified))
        assert server.requests == 0
    assert (symptom.state, symptom.what) == (state, "TLS")
    assert says in symptom.said


def exchange(at: datetime, date: datetime | None, service_ms: float) -> RecordedExchange:
    return RecordedExchange(
        number=1, at=at.isoformat(), test="", session="", endpoint="token", method="POST", path="/", intent="legal",
        request_headers={}, request_body="", status=200, answer_body="",
        answer_headers={"date": format_datetime(date, usegmt=True)} if date else {},
        clocks=RecordedClocks(waiting_ms=0, service_ms=service_ms),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("off_s", "state", "says"),
    [
        (0, State.OK, "within 1 s"),
        (-20, State.OK, "within 20 s"),
        (90, State.WARNING, "90 s ahead"),
        (-3_600, State.WARNING, "3600 s behind"),
    ],
)
def test_the_quickest_answer_tells_the_clocks_offset(off_s: float, state: State, says: str) -> None:
    now = datetime(2026, 11, 25, 12, 0, 0, 500_000, tzinfo=UTC)
    slow = exchange(now, now + timedelta(seconds=off_s + 30), 60_000)
    quick = exchange(now, now + timedelta(seconds=off_s), 2)
    symptom = _clock([slow, quick, exchange(now, None, 1)])
    assert (symptom.state, says in symptom.said) == (state, True), symptom.said


def test_a_profile_file_explains_every_key_and_is_right_about_the_defaults(tmp_path: Path) -> None:
    """Each key that is commented out can be commented in, and then says what was so before."""
    text = profile_text({"base_url": "https://vendor.example"})
    assert all(key.description for key in keys())
    assert all(key.sample is not None for key in keys() if key.section != "waiver")
    optional = {key.name for key in keys() if key.default is None}
    commented_in = "\n".join(
        line[2:] if (found := re.match(r"# ([a-z_]+) = ", line)) and found[1] not in optional else line
        for line in text.split("# Whether a breach fails")[0].splitlines()
    )
    (tmp_path / "a.toml").write_text(text, encoding="utf-8")
    (tmp_path / "b.toml").write_text(commented_in, encoding="utf-8")
    assert commented_in != text
    assert load_profile(tmp_path / "a.toml").model_dump() == load_profile(tmp_path / "b.toml").model_dump()
    rules = "\n".join(
        line[2:]
        for line in text.partition("# Whether a breach")[2].splitlines()
        if re.match(r'# ([\w"]|\[)', line) and "," not in line
    )
    assert len(tomllib.loads(rules)["waiver"]) == 1
    (tmp_path / "c.toml").write_text(rules, encoding="utf-8")
    sample = load_profile(tmp_path / "c.toml")
    assert sample.severity == {"relied-on": "fail", "order.closed": "fail"}
    # With every comment taken out nothing is softer.
    for strict in (False, True):
        rules_now = replace(sample.rules(strict=strict), today=date(2026, 1, 1))
        assert all(
            rules_now.decide(one.id, one.level).effect is Effect.FAILS
            for one in CATALOGUE
            if severity_by_level(one.level, strict=strict) == "fail"
        )


def test_no_sample_cuts_a_run_short(tmp_path: Path) -> None:
    """What stands for a key that has no default, commented in, asks for files or limits in reason."""
    numbers = {key.path: key.sample for key in keys() if key.default is None and isinstance(key.sample, float)}
    assert set(numbers) == {"limits.rate", "limits.max_load_rate", "limits.time_s"}
    assert numbers["limits.time_s"] == CHECK_S
    assert Profile().limits.requests / numbers["limits.rate"] < CHECK_S / 4


def test_init_learns_from_the_target(tmp_path: Path) -> None:
    with embedded_sandbox(Profile(), SandboxSettings(translation=False, schemes=frozenset({"bare"}))) as sandbox:
        url = str(sandbox.profile.base_url)
        done = kycgate("init", "--base-url", url, "--name", 'it\'s "theirs"', cwd=tmp_path, env=SECRETS)
    assert done.returncode == 0, done.stderr
    sent = re.search(r"probed with (\d+) requests", done.stdout)
    assert sent
    assert int(sent[1]) <= 10
    profile = load_profile(tmp_path / "kycgate.toml")
    assert (profile.base_url, profile.name) == (url, 'it\'s "theirs"')
    assert (profile.auth_scheme, profile.translation) == ("bare", "auto")
    text = (tmp_path / "kycgate.toml").read_text(encoding="utf-8")
    assert re.search(
        r'# A first reading on [\d-]+ showed it off; to demand that, write so\.\ntranslation = "auto"', text
    )
    assert SECRETS["KYCGATE_TENANT_SECRET"] not in text
    assert "kycgate doctor --profile kycgate.toml" in done.stdout


def test_init_overwrites_only_by_force(tmp_path: Path) -> None:
    path = tmp_path / "kycgate.toml"
    write_atomically(path, "# mine\n")
    call = ("init", "--base-url", "https://vendor.example", "--no-probe", "--api-keys", "KYCGATE_VENDOR_KEYS")
    done = kycgate(*call, cwd=tmp_path)
    assert (done.returncode, path.read_text(encoding="utf-8")) == (2, "# mine\n")
    assert "--force" in done.stderr
    done = kycgate(*call, "--force", cwd=tmp_path)
    assert (done.returncode, load_profile(path).environment.api_keys) == (0, "KYCGATE_VENDOR_KEYS")
    assert "export KYCGATE_VENDOR_KEYS=…" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "no terminal to ask on: give --base-url"),
        (["--base-url", "vendor"], "is not a URL"),
        (["--base-url", "https://v.example", "--credentials", "none"], "neither tenant nor keys"),
        (["--base-url", "https://v.example", "--max-load-rate", "-1"], "--max-load-rate"),
        (["--base-url", "https://v.example", "--out", "no/where.toml"], "no folder no"),
    ],
)
def test_init_refuses_what_is_wrong_and_writes_nothing(arguments: list[str], says: str, tmp_path: Path) -> None:
    done = kycgate("init", *arguments, cwd=tmp_path)
    assert (done.returncode, says in done.stderr) == (2, True), done.stderr
    assert not list(tmp_path.iterdir())


def test_init_writes_the_profile_of_a_target_that_is_down(tmp_path: Path) -> None:
    done = kycgate("init", "--base-url", "http://127.0.0.1:1", cwd=tmp_path, env=SECRETS)
    assert (done.returncode, "cannot be reached" in done.stdout) == (3, True)
    assert load_profile(tmp_path / "kycgate.toml").base_url == "http://127.0.0.1:1"


def test_init_asks_on_a_terminal(tmp_path: Path) -> None:
    """A URL that is none is asked for again; empty answers take the default."""
    ours, theirs = pty.openpty()
    clean = {name: value for name, value in os.environ.items() if not name.startswith("KYCGATE_")}
    asking = subprocess.Popen(
        [sys.executable, "-m", "kycgate", "init"], cwd=tmp_path, env=clean, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    os.write(ours, b"nonsense\nhttps://vendor.example/\nacceptance\nkeys\n\n2.5\n")
    said = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:
            # Linux reports the other end of a closed terminal so.
            break
        if not part:
            break
        said += part
    os.close(ours)
    assert asking.wait(timeout=60) == 0, said
    assert b"is not a URL" in said
    profile = load_profile(tmp_path / "kycgate.toml")
    assert (profile.base_url, profile.name, profile.limits.max_load_rate) == (
        "https://vendor.example",
        "acceptance",
        2.5,
    )
    assert b"export KYCGATE_API_KEYS=" in said
