"""A target inside a bank's network: a real nginx that wants a client certificate, behind a real proxy, tinyproxy."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates
from cryptography.x509 import load_pem_x509_certificate

from kycgate.sandbox import TENANT, TENANT_SECRET, RunningSandbox, SandboxSettings
from kycgate.tests.suite.command_line import went_well
from kycgate.tests.suite.conftest import Call

NGINX_HTTP = """
daemon off;
{user}
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  access_log {folder}/access.log;
  client_max_body_size 8m;
"""
"""How nginx runs in a folder of its own; a server and a brace follow."""
NGINX = (
    NGINX_HTTP
    + """
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {folder}/server.pem; ssl_certificate_key {folder}/server.key;
    ssl_client_certificate {folder}/ca.pem; ssl_verify_client on;
    location /bank/kyc/ {{
      if ($http_x_subscription != "subscribed-42") {{ return 403; }}
      proxy_pass {upstream}/;
    }}
  }}
}}
"""
)
TINYPROXY = """
Port {port}
Listen 127.0.0.1
Allow 127.0.0.1
PidFile "{folder}/tinyproxy.pid"
LogFile "{folder}/tinyproxy.log"
BasicAuth teller proxy-word
ConnectPort {allowed}
"""
WORD = "key-word"
ROOT = Path(__file__).resolve().parents[3]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def running(command: list[str], port: int) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert process.poll() is None, f"{command[0]} did not start"
                assert time.monotonic() < until, f"{command[0]} did not start in time"
                time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(20)


@dataclass(frozen=True)
class Bank:
    """Where everything is."""

    folder: Path
    target: str
    proxy: str
    upstream: str


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bank]:
    for program, package in (("nginx", "nginx-light"), ("tinyproxy", "tinyproxy")):
        if shutil.which(program, path="/usr/sbin:/usr/bin:/usr/local/bin") is None:
            pytest.skip(f"lacks {program}: install Debian's {package}")
    folder = tmp_path_factory.mktemp("bank")
    ca, now = trustme.CA(), datetime.now(UTC)
    ca.cert_pem.write_to_path(str(folder / "ca.pem"))
    trustme.CA().cert_pem.write_to_path(str(folder / "other-ca.pem"))
    server = ca.issue_cert("127.0.0.1", "localhost")
    server.private_key_pem.write_to_path(str(folder / "server.key"))
    (folder / "server.pem").write_bytes(b"".join(part.bytes() for part in server.cert_chain_pems))
    old = ca.issue_cert("old.bank", not_before=now - timedelta(days=9), not_after=now - timedelta(days=2))
    old.private_key_and_cert_chain_pem.write_to_path(str(folder / "old.pem"))
    ours = ca.issue_cert("gateway.bank")
    (folder / "ours.pem").write_bytes(b"".join(part.bytes() for part in ours.cert_chain_pems))
    key = load_pem_private_key(ours.private_key_pem.bytes(), None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(WORD.encode()))
    (folder / "ours.key").write_bytes(locked)
    chain = [load_pem_x509_certificate(part.bytes()) for part in ours.cert_chain_pems]
    assert isinstance(key, RSAPrivateKey | EllipticCurvePrivateKey)
    packed = serialize_key_and_certificates(b"ours", key, chain[0], chain[1:], BestAvailableEncryption(WORD.encode()))
    (folder / "ours.p12").write_bytes(packed)
    (folder / "broken.pfx").write_bytes(packed[:200])
    port, proxy = free_port(), free_port()
    settings = SandboxSettings(tenants={TENANT: TENANT_SECRET})
    # As another user its workers could not write into this folder.
    user = "user root;" if os.geteuid() == 0 else ""
    with RunningSandbox(settings) as sandbox:
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port, upstream=sandbox.base_url, user=user))
        (folder / "tinyproxy.conf").write_text(TINYPROXY.format(folder=folder, port=proxy, allowed=port))
        nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin") or "nginx"
        with (
            running([nginx, "-p", str(folder), "-c", str(folder / "nginx.conf")], port),
            running(["tinyproxy", "-d", "-c", str(folder / "tinyproxy.conf")], proxy),
        ):
            target = f"https://localhost:{port}/bank/kyc"
            yield Bank(folder, target, f"http://127.0.0.1:{proxy}", sandbox.base_url)


@pytest.fixture
def profile(bank: Bank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The keys of a profile that works; a test changes them, and calls `written`."""
    for name, value in (
        ("KYCGATE_TENANT_ID", TENANT),
        ("KYCGATE_TENANT_SECRET", TENANT_SECRET),
        ("KYCGATE_PROXY_USER", "teller"),
        ("KYCGATE_PROXY_PASSWORD", "proxy-word"),
        ("KYCGATE_CLIENT_KEY_PASSWORD", WORD),
        ("KYCGATE_SUBSCRIPTION", "subscribed-42"),
    ):
        monkeypatch.setenv(name, value)
    return {
        "base_url": bank.target,
        "ca_file": str(bank.folder / "ca.pem"),
        "client_cert": str(bank.folder / "ours.pem"),
        "client_key": str(bank.folder / "ours.key"),
        "proxy": bank.proxy,
    }


def written(folder: Path, keys: dict[str, str]) -> Path:
    path = folder / "kycgate.toml"
    lines = [f'{key} = "{value}"' for key, value in keys.items()]
    headers = '[headers]\nX-Subscription = "env:KYCGATE_SUBSCRIPTION"\nuser-agent = "bank/1"\n'
    path.write_text("\n".join([*lines, headers]))
    return path


@pytest.mark.parametrize("through", ["proxy", "environment", "no proxy"])
def test_check_goes_through_the_proxy_with_a_client_certificate(
    bank: Bank, profile: dict[str, str], through: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Call
) -> None:
    if through == "environment":
        monkeypatch.setenv("HTTPS_PROXY", bank.proxy)
        monkeypatch.setenv("NO_PROXY", "elsewhere.bank")
        profile["proxy"] = "environment"
    elif through == "no proxy":
        del profile["proxy"]
    log = bank.folder / "tinyproxy.log"
    before = log.stat().st_size
    out = tmp_path / "run"
    path = written(tmp_path, profile)
    code, said, wrong = call("check", "--profile", str(path), "--only", "upload.accepted", "--out", str(out))
    assert code == 0, said + wrong
    assert (log.stat().st_size > before) == (through != "no proxy")
    recorded = (out / "exchanges.ndjson").read_text()
    assert '"X-Subscription":"$KYCGATE_SUBSCRIPTION"' in recorded
    assert "bank/1" in recorded
    for secret in ("subscribed-42", "proxy-word", WORD):
        assert secret not in "".join(f.read_text(errors="replace") for f in out.iterdir() if f.is_file())


def test_load_goes_the_same_way(bank: Bank, profile: dict[str, str], tmp_path: Path, call: Call) -> None:
    path = written(tmp_path, profile)
    log = bank.folder / "tinyproxy.log"
    before = log.read_text().count("CONNECT")
    code, said, wrong = call(
        "load", "--profile", str(path), "--rate", "2", "--duration", "2", "--out", str(tmp_path / "r")
    )
    assert went_well(code, said), said + wrong
    assert log.read_text().count("CONNECT") > before + 3


def with_pkcs12(bank: Bank, profile: dict[str, str], name: str = "ours.p12") -> dict[str, str]:
    return {key: value for key, value in profile.items() if key != "client_key"} | {
        "client_cert": str(bank.folder / name)
    }


def test_a_pkcs12_file_holds_certificate_and_key(
    bank: Bank, profile: dict[str, str], tmp_path: Path, call: Call
) -> None:
    """For check and load; its key never lies on the disk in the clear, nor longer than it takes to read it."""
    path = written(tmp_path, with_pkcs12(bank, profile))
    code, said, wrong = call("check", "--profile", str(path), "--only", "upload.accepted", "--out", str(tmp_path / "a"))
    assert code == 0, said + wrong
    code, said, wrong = call(
        "load", "--profile", str(path), "--rate", "2", "--duration", "2", "--out", str(tmp_path / "b")
    )
    assert went_well(code, said), said + wrong


@pytest.mark.parametrize(
    ("name", "word", "said"),
    [
        ("ours.p12", "another-word", "cannot use the client certificate"),
        ("broken.pfx", WORD, "cannot use the client certificate"),
        ("gone.p12", WORD, "No such file or directory"),
    ],
)
def test_a_pkcs12_file_that_cannot_be_used_is_one_line(
    bank: Bank, profile: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Call, name: str,
    word: str, said: str,
) -> None:  # fmt: skip
    monkeypatch.setenv("KYCGATE_CLIENT_KEY_PASSWORD", word)
    path = written(tmp_path, with_pkcs12(bank, profile, name))
    code, _, wrong = call("check", "--profile", str(path), "--out", str(tmp_path / "a"))
    assert code == 2
    assert said in wrong
    assert wrong.count("\n") == 1
    assert "another-word" not in wrong


def test_without_the_extra_a_pkcs12_file_is_refused_with_the_way_out(
    bank: Bank, profile: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Call
) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.serialization", None)
    path = written(tmp_path, with_pkcs12(bank, profile))
    code, _, wrong = call("check", "--profile", str(path), "--out", str(tmp_path / "a"))
    assert code == 2
    assert "install kycgate[pkcs12]" in wrong
    assert "openssl pkcs12 -in ours.p12" in wrong


def test_init_and_probe_go_the_same_way(
    bank: Bank, profile: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Call
) -> None:
    """What init probes by stands in the profile that it writes."""
    log = bank.folder / "tinyproxy.log"
    before = log.read_text().count("CONNECT")
    for key in ("ca_file", "client_cert", "client_key", "proxy"):
        monkeypatch.setenv(f"KYCGATE_{key.upper()}", profile[key])
    monkeypatch.setenv("KYCGATE_HEADERS", '{"X-Subscription": "env:KYCGATE_SUBSCRIPTION"}')
    code, said, wrong = call("init", "--base-url", bank.target, "--out", "made.toml")
    assert code == 0, said + wrong
    assert "probed with" in said
    assert log.read_text().count("CONNECT") > before
    for key in ("ca_file", "client_cert", "client_key", "proxy"):
        monkeypatch.delenv(f"KYCGATE_{key.upper()}")
    before = log.read_text().count("CONNECT")
    code, said, wrong = call("probe", "--profile", "made.toml", "--store", "probes.sqlite")
    assert code == 0, said + wrong
    assert log.read_text().count("CONNECT") > before


@pytest.mark.whole
def test_workers_and_locust_go_the_same_way(bank: Bank, profile: dict[str, str], tmp_path: Path, call: Call) -> None:
    path = written(tmp_path, profile)
    log = bank.folder / "tinyproxy.log"
    before = log.read_text().count("CONNECT")
    workload = ("--rate", "3", "--duration", "2", "--processes", "2")
    code, said, wrong = call("load", "--profile", str(path), *workload, "--out", str(tmp_path / "r"))
    assert went_well(code, said), said + wrong
    assert log.read_text().count("CONNECT") > before + 4
    before = log.read_text().count("CONNECT")
    done = locust(bank, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "kycgate: upload_front  n " in done.stdout
    assert log.read_text().count("CONNECT") > before + 2


def test_locust_ends_where_the_proxy_refuses(
    bank: Bank, profile: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KYCGATE_PROXY_PASSWORD", "wrong")
    written(tmp_path, profile)
    done = locust(bank, tmp_path)
    assert done.returncode == 3
    assert "kycgate: the proxy refuses" in done.stdout
    assert "Traceback" not in done.stderr


def locust(bank: Bank, folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "locust", "-f", str(ROOT / "load" / "locustfile.py"), "--host", bank.target,
         "--headless", "-u", "2", "-r", "2", "-t", "3s"],
        cwd=folder, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_plain_http_goes_through_the_proxy(bank: Bank, profile: dict[str, str], tmp_path: Path, call: Call) -> None:
    """Without TLS the proxy itself is asked, with the target's whole URL, by check and load alike."""
    profile["base_url"] = bank.upstream
    path = written(tmp_path, profile)
    log = bank.folder / "tinyproxy.log"
    before = log.stat().st_size
    assert call("check", "--profile", str(path), "--only", "upload.accepted", "--out", str(tmp_path / "a"))[0] == 0
    code, said, _ = call("load", "--profile", str(path), "--rate", "2", "--duration", "2", "--out", str(tmp_path / "b"))
    assert went_well(code, said), said
    assert log.stat().st_size > before


@pytest.mark.parametrize("credentials", ["none", "wrong"])
def test_a_proxy_that_refuses_in_the_clear_is_not_the_target(
    bank: Bank, profile: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Call, credentials: str
) -> None:
    """It answers and resets the connection, on which an upload is under way; wrong ones tinyproxy meets by a 401."""
    profile["base_url"] = bank.upstream
    path = written(tmp_path, profile)
    if credentials == "none":
        monkeypatch.delenv("KYCGATE_PROXY_USER")
        monkeypatch.delenv("KYCGATE_PROXY_PASSWORD")
    else:
        monkeypatch.setenv("KYCGATE_PROXY_PASSWORD", "wrong")
    for variable in ("KYCGATE_TENANT_ID", "KYCGATE_TENANT_SECRET"):
        monkeypatch.delenv(variable)
    monkeypatch.setenv("KYCGATE_API_KEYS", "one-key,another-key")
    # A 401 that comes whole cannot be told from the target's own.
    expected = (
        ("the proxy refuses",) if credentials == "none" else ("the proxy refuses", "refuses the credentials (401)")
    )
    for number, command in enumerate((("check",), ("load", "--rate", "1", "--duration", "1"))):
        out = tmp_path / str(number)
        code, said, wrong = call(*command, "--profile", str(path), "--out", str(out))
        assert code == 3
        assert any(words in said + wrong for words in expected), said + wrong
    code, said, _ = call("probe", "--profile", str(path), "--store", str(tmp_path / "probes.sqlite"))
    assert code == 3
    assert "refuse" in said


@pytest.mark.parametrize(
    ("changed", "variables", "what", "said"),
    [
        ({}, {}, "ok       specimens", "a first upload is read"),
        ({"ca_file": "other-ca.pem"}, {}, "failed   TLS", "ca_file names another CA"),
        ({"client_cert": "", "client_key": ""}, {}, "failed   TLS", "wants a client certificate"),
        ({"client_cert": "old.pem", "client_key": ""}, {}, "failed   TLS", "is it expired"),
        ({}, {"KYCGATE_PROXY_PASSWORD": "wrong"}, "failed   proxy", "it refuses (40"),
        ({"base_url": "https://localhost:1"}, {}, "failed   proxy", "it refuses (403"),
        ({"proxy": "http://127.0.0.1:9"}, {}, "failed   proxy", "cannot be reached"),
        ({"proxy": "http://no-such-proxy.invalid:9"}, {}, "failed   proxy", "cannot be reached"),
    ],
)
def test_doctor_says_what_is_wrong(
    bank: Bank,
    profile: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: Call,
    changed: dict[str, str],
    variables: dict[str, str],
    what: str,
    said: str,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for key, value in changed.items():
        if value:
            profile[key] = str(bank.folder / value) if value.endswith(".pem") else value
        else:
            del profile[key]
    if "KYCGATE_CLIENT_KEY_PASSWORD" not in variables and not profile.get("client_key"):
        monkeypatch.delenv("KYCGATE_CLIENT_KEY_PASSWORD")
    code, out, wrong = call("doctor", "--profile", str(written(tmp_path, profile)))
    (line,) = [line for line in out.splitlines() if line.startswith(what)]
    assert said in line, out + wrong
    assert code == (0 if what.startswith("ok") else 3)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"proxy": "http://127.0.0.1:9"}, "the proxy cannot be reached"),
        ({"client_cert": "", "client_key": ""}, "wants a client certificate"),
        ({"base_url": "https://localhost:1"}, "the proxy refuses"),
    ],
)
def test_what_stands_between_is_not_the_target(
    bank: Bank, profile: dict[str, str], tmp_path: Path, call: Call, changed: dict[str, str], said: str
) -> None:
    """Check and load end unclear, with one line that says who refused; no clause is broken."""
    for key, value in changed.items():
        profile[key] = value
        if not value:
            del profile[key]
    path = written(tmp_path, profile)
    for command in (("check",), ("load", "--rate", "2", "--duration", "2")):
        code, out, wrong = call(*command, "--profile", str(path), "--out", str(tmp_path / command[0]))
        assert code == 3
        assert said in out + wrong


def test_the_curl_line_goes_the_same_way(bank: Bank, profile: dict[str, str], tmp_path: Path) -> None:
    """It is run as it stands."""
    code = (
        "from pathlib import Path; from kycgate.settings.profile import load_profile; "
        "from kycgate.target.route import route_of; from kycgate.target.curl import curl_for; "
        "from kycgate.target.budget import Budget; from kycgate.target.client import Target, Wanted; "
        f"p = load_profile(Path({str(written(tmp_path, profile))!r})); seen = []; "
        "t = Target(p, Budget(), lambda e, at: seen.append(e)); "
        "t.send(Wanted('approve_back', 'POST', '/approve', {'Accept': 'application/json'})); "
        "print(seen[0].status); print(curl_for(seen[0], t.route))"
    )
    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    status, curl = asked.stdout.strip().split("\n", 1)
    assert "subscribed-42" not in curl
    assert "proxy-word" not in curl
    again = subprocess.run(
        ["sh", "-c", f"KYCGATE_BASE_URL={bank.target} && export KYCGATE_BASE_URL && {curl}"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert f" {status} " in again.stdout.rpartition("HTTP/1.1")[2].splitlines()[0] + " ", again.stderr
