"""A gateway in front that wants an OAuth token of its own: a real nginx asks the issuer about each request's token."""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from kycgate.sandbox import TENANT, TENANT_SECRET, RunningSandbox, SandboxSettings
from kycgate.tests.suite.command_line import went_well
from kycgate.tests.suite.conftest import Call
from kycgate.tests.suite.environment.test_reach import NGINX_HTTP, TINYPROXY, free_port, running

NGINX = (
    NGINX_HTTP
    + """
  server {{
    listen 127.0.0.1:{port};
    location / {{
      auth_request /asked;
      proxy_pass {upstream}/;
    }}
    location = /asked {{
      internal;
      proxy_pass {issuer}/asked;
      proxy_pass_request_body off;
      proxy_set_header Content-Length "";
    }}
  }}
}}
"""
)
CLIENT, SECRET = "bank gateway", "gateway:secret+word"
ROOT = Path(__file__).resolve().parents[3]


@dataclass
class Issuer:
    """A token endpoint (RFC 6749, 4.4), and the word on whether a token is good, which nginx asks for."""

    url: str = ""
    header: str = "X-Gateway-Authorization"
    life_s: float | None = 600.0
    looks_after_s: float = 0.0
    """From a request's arrival until its token is looked at."""
    answer: tuple[int, object] | None = None
    """What is said instead of a token."""
    given: dict[str, float] = field(default_factory=dict)
    """By token: when it expires."""
    asked: list[dict[str, list[str]]] = field(default_factory=list)
    refused: int = 0
    seen: list[str] = field(default_factory=list)

    def token(self, authorization: str, body: str) -> tuple[int, object]:
        fields = parse_qs(body)
        self.asked.append(fields)
        if self.answer is not None:
            return self.answer
        pair = base64.b64encode(b"bank+gateway:gateway%3Asecret%2Bword").decode()
        in_body = (fields.get("client_id"), fields.get("client_secret")) == ([CLIENT], [SECRET])
        if authorization != f"Basic {pair}" and not in_body:
            return 401, {"error": "invalid_client"}
        assert fields["grant_type"] == ["client_credentials"]
        token = f"gw-{len(self.given)}-{os.urandom(9).hex()}"
        self.given[token] = time.monotonic() + (self.life_s or 600.0)
        life = {"expires_in": self.life_s} if self.life_s is not None else {}
        return 200, {"access_token": token, "token_type": "bearer", **life}

    def is_good(self, value: str) -> bool:
        self.seen.append(value)
        time.sleep(self.looks_after_s)
        token = value.removeprefix("Bearer ")
        good = value.startswith("Bearer ") and self.given.get(token, 0.0) > time.monotonic()
        self.refused += not good
        return good


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    known = Issuer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            status, value = known.token(self.headers.get("Authorization", ""), body)
            content = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self) -> None:
            self.send_response(204 if known.is_good(self.headers.get(known.header, "")) else 401)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        known.url = f"http://127.0.0.1:{server.server_port}"
        yield known
        server.shutdown()


@pytest.fixture
def gateway(issuer: Issuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """nginx before the sandbox; a profile that works lies in the test's folder."""
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/bin")
    if nginx is None:
        pytest.skip("lacks nginx: install Debian's nginx-light")
    for name, value in (
        ("KYCGATE_TENANT_ID", TENANT),
        ("KYCGATE_TENANT_SECRET", TENANT_SECRET),
        ("KYCGATE_OAUTH_CLIENT_ID", CLIENT),
        ("KYCGATE_OAUTH_CLIENT_SECRET", SECRET),
    ):
        monkeypatch.setenv(name, value)
    folder, port = tmp_path / "nginx", free_port()
    folder.mkdir()
    user = "user root;" if os.geteuid() == 0 else ""
    with RunningSandbox(SandboxSettings(tenants={TENANT: TENANT_SECRET})) as sandbox:
        (folder / "nginx.conf").write_text(
            NGINX.format(folder=folder, port=port, upstream=sandbox.base_url, issuer=issuer.url, user=user)
        )
        with running([nginx, "-p", str(folder), "-c", str(folder / "nginx.conf")], port):
            (tmp_path / "kycgate.toml").write_text(
                f'base_url = "http://127.0.0.1:{port}"\n'
                f'[oauth]\ntoken_url = "{issuer.url}/token"\nscope = "kyc kyc:2"\n'
            )
            yield f"http://127.0.0.1:{port}"


def test_check_sends_one_token_in_a_header_of_its_own(gateway: str, issuer: Issuer, tmp_path: Path, call: Call) -> None:
    out = tmp_path / "run"
    code, said, wrong = call("check", "--only", "upload.accepted", "--jobs", "4", "--out", str(out))
    assert code == 0, said + wrong
    assert [asked["scope"] for asked in issuer.asked] == [["kyc kyc:2"]]
    assert issuer.refused == 0
    (token,) = issuer.given
    kept = "".join(file.read_text(errors="replace") for file in out.iterdir() if file.is_file()) + said + wrong
    assert '"X-Gateway-Authorization":"Bearer $KYCGATE_GATEWAY_TOKEN"' in kept
    assert token not in kept
    assert SECRET not in kept


def test_the_endpoint_is_asked_through_the_proxy_too(
    gateway: str, issuer: Issuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Call
) -> None:
    if shutil.which("tinyproxy") is None:
        pytest.skip("lacks tinyproxy: install Debian's tinyproxy")
    port, folder = free_port(), tmp_path / "nginx"
    (folder / "tinyproxy.conf").write_text(TINYPROXY.format(folder=folder, port=port, allowed=443))
    profile = tmp_path / "kycgate.toml"
    profile.write_text(f'proxy = "http://127.0.0.1:{port}"\n{profile.read_text()}')
    with running(["tinyproxy", "-d", "-c", str(folder / "tinyproxy.conf")], port):
        code, said, _ = call("doctor")
        (line,) = [line for line in said.splitlines() if line.startswith("failed")]
        assert "the gateway's OAuth endpoint" in line
        assert "the proxy refuses (407)" in line
        assert code == 3
        assert not issuer.asked
        monkeypatch.setenv("KYCGATE_PROXY_USER", "teller")
        monkeypatch.setenv("KYCGATE_PROXY_PASSWORD", "proxy-word")
        code, said, wrong = call("doctor")
    assert code == 0, said + wrong
    assert f"POST {issuer.url}/token" in (folder / "tinyproxy.log").read_text()


def test_the_header_and_the_clients_credentials_go_as_the_profile_says(
    gateway: str, issuer: Issuer, tmp_path: Path, call: Call
) -> None:
    issuer.header = "X-Bank-Token"
    with (tmp_path / "kycgate.toml").open("a") as profile:
        profile.write('header = "X-Bank-Token"\nclient_authentication = "body"\n')
    code, said, wrong = call("doctor")
    assert code == 0, said + wrong
    assert "ok       gateway: it gives a token that lives 600 s, sent as X-Bank-Token" in said
    assert issuer.asked[0]["client_secret"] == [SECRET]
    assert issuer.refused == 0


def test_a_token_is_renewed_before_it_expires(gateway: str, issuer: Issuer, tmp_path: Path, call: Call) -> None:
    """No request meets the gateway with an old one, in check and under load."""
    issuer.life_s = 4.0
    code, said, wrong = call("load", "--rate", "3", "--duration", "6", "--out", str(tmp_path / "load"))
    assert went_well(code, said), said + wrong
    assert len(issuer.given) >= 3
    code, said, wrong = call("check", "--only", "session.idle", "--out", str(tmp_path / "check"))
    assert "session.idle" in said + wrong
    assert issuer.refused == 0
    kept = "".join(file.read_text(errors="replace") for file in tmp_path.glob("*/*.ndjson"))
    assert not [token for token in issuer.given if token in kept]


def test_workers_of_a_load_share_the_token(gateway: str, issuer: Issuer, tmp_path: Path, call: Call) -> None:
    workload = ("--rate", "3", "--duration", "2", "--processes", "2")
    code, said, wrong = call("load", *workload, "--out", str(tmp_path / "run"))
    assert went_well(code, said), said + wrong
    assert len(issuer.given) == 1
    assert len(issuer.seen) > 20
    assert issuer.refused == 0


def test_probe_and_locust_send_it_too(gateway: str, issuer: Issuer, tmp_path: Path, call: Call) -> None:
    code, said, wrong = call("probe", "--store", str(tmp_path / "probes.sqlite"))
    assert code == 0, said + wrong
    assert len(issuer.given) == 1
    done = subprocess.run(
        [sys.executable, "-m", "locust", "-f", str(ROOT / "load" / "locustfile.py"), "--host", gateway,
         "--headless", "-u", "2", "-r", "2", "-t", "3s"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.search(r"kycgate: upload_front  n (\d+)", done.stdout)
    assert len(issuer.given) == 2
    assert issuer.refused == 0


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((401, {"error": "invalid_client"}), "it refuses (401, invalid_client): check the client id and secret"),
        ((400, {"error": "invalid_scope"}), "check oauth.scope"),
        ((403, {"error": "<script>"}), "status 403, and no token"),
        ((302, b""), "status 302, and no token"),
        ((500, b"<html>"), "status 500, and no token"),
        ((200, b"<html>"), "its answer holds no access_token"),
        ((200, {"access_token": "two words", "token_type": "bearer"}), "its answer holds no access_token"),
        ((200, {"access_token": "abc", "token_type": "mac"}), "its token is not of the type Bearer"),
        ((200, b"x" * 100_000), "its answer is over 64 KiB"),
    ],
)
def test_an_endpoint_that_gives_no_token_is_not_the_target(
    issuer: Issuer, gateway: str, tmp_path: Path, call: Call, answer: tuple[int, object], said: str
) -> None:
    issuer.answer = answer
    code, out, wrong = call("doctor")
    (line,) = [line for line in out.splitlines() if line.startswith("failed")]
    assert line.startswith("failed   gateway: the gateway's OAuth endpoint http://127.0.0.1:")
    assert said in line
    assert code == 3
    code, out, wrong = call("check", "--only", "upload.accepted", "--out", str(tmp_path / "run"))
    assert code == 3
    assert said in out + wrong
    assert json.loads((tmp_path / "run" / "run.json").read_text())["requests_sent"] == 0


def test_a_probe_without_the_gateways_token_has_not_watched(
    issuer: Issuer, gateway: str, tmp_path: Path, call: Call
) -> None:
    issuer.answer = (503, b"")
    code, out, _ = call("probe", "--store", str(tmp_path / "probes.sqlite"))
    assert code == 3
    assert "the gateway's OAuth endpoint" in out


def breaks_down(issuer: Issuer, tokens: int) -> None:
    """No token is given after the first `tokens`."""

    def break_down() -> None:
        while len(issuer.given) < tokens:
            time.sleep(0.05)
        issuer.answer = (503, b"")

    threading.Thread(target=break_down, daemon=True).start()


@pytest.mark.parametrize("looks_after_s", [0.0, 0.3])
def test_a_load_without_a_new_token_is_void(
    issuer: Issuer, gateway: str, tmp_path: Path, call: Call, looks_after_s: float
) -> None:
    """The endpoint goes away while the load runs: nothing is said of the target.

    Nor where the old token expires under way, and the gateway refuses it.
    """
    issuer.life_s, issuer.looks_after_s = 3.0, looks_after_s
    breaks_down(issuer, 1)
    code, out, wrong = call("load", "--rate", "2", "--duration", "8", "--out", str(tmp_path / "run"))
    assert code == 3
    assert "the gateway's OAuth endpoint" in out + wrong
    assert not [
        c for c in json.loads((tmp_path / "run" / "run.json").read_text())["clauses"] if c["verdict"] == "broken"
    ]


def test_a_check_whose_token_expires_under_way_accuses_nobody(
    issuer: Issuer, gateway: str, tmp_path: Path, call: Call
) -> None:
    """The gateway looks late, and refuses with a page of its own."""
    issuer.life_s, issuer.looks_after_s = 2.0, 0.3
    breaks_down(issuer, 1)
    code, out, wrong = call("check", "--only", "refusal.error-body", "--out", str(tmp_path / "run"))
    assert code == 3
    assert "the gateway's OAuth endpoint" in out + wrong
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    assert not [c for c in run["clauses"] if c["verdict"] == "broken"]


@pytest.mark.parametrize(
    ("lines", "variables", "said"),
    [
        ('[oauth]\ntoken_url = "http://login.bank/token"\n', {}, "write an https:// URL"),
        ('[oauth]\ntoken_url = "https://login.bank/t"\nheader = "Authorization"\n', {}, "Authorization cannot be set"),
        (
            '[headers]\nx-gateway-authorization = "mine"\n[oauth]\ntoken_url = "https://login.bank/t"\n',
            {"KYCGATE_OAUTH_CLIENT_ID": "a", "KYCGATE_OAUTH_CLIENT_SECRET": "b"},
            "take it out of [headers]",
        ),
        ('[oauth]\ntoken_url = "https://login.bank/t"\n', {}, "KYCGATE_OAUTH_CLIENT_ID is not set"),
        (
            '[oauth]\ntoken_url = "https://login.bank/t"\n',
            {"KYCGATE_ALLOWED_HOSTS": "127.0.0.1"},
            "its host is not among those of KYCGATE_ALLOWED_HOSTS",
        ),
        (
            '[environment]\noauth_client_secret = "AWS_SECRET_ACCESS_KEY"\n',
            {},
            "a file may name variables that begin with KYCGATE_ alone",
        ),
    ],
)
def test_a_profile_that_cannot_be_is_refused(
    tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch, lines: str, variables: dict[str, str], said: str
) -> None:
    (tmp_path / "kycgate.toml").write_text(f'base_url = "http://127.0.0.1:9"\n{lines}')
    for name, value in (variables | {"KYCGATE_API_KEYS": "key"}).items():
        monkeypatch.setenv(name, value)
    code, _, wrong = call("check", "--out", str(tmp_path / "run"))
    assert code == 2
    assert said in wrong
