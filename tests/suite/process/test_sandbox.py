"""The sandbox: keeps the contract over HTTP, takes each liberty, and outlives what it should."""

import random
import socket
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from kycgate.contracts.clauses import clause
from kycgate.contracts.flow import Step
from kycgate.contracts.flows.national_id import (
    APPROVE_BACK,
    APPROVE_FRONT,
    PAGE_ORDER,
    TOKEN,
    UPLOAD_BACK,
    UPLOAD_FRONT,
)
from kycgate.errors import UsageError
from kycgate.sandbox import FAULTS, LatencyModel, RunningSandbox, SandboxSettings, create_app, serve
from kycgate.sandbox.app import Delay
from kycgate.sandbox.vendor import Vendor
from kycgate.specimens import card_set
from kycgate.target.requests import to_base64

SETTINGS = SandboxSettings(tenants={"t": "s"}, api_keys=("key-1",))
CARD = card_set(77)


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with RunningSandbox(SETTINGS) as sandbox, httpx.Client(base_url=sandbox.base_url, trust_env=False) as opened:
        yield opened


def path(step: Step) -> str:
    return step.path


def token(client: httpx.Client) -> dict[str, str]:
    answer = client.post(TOKEN.path, json={"tenantId": "t", "tenantSecret": "s"})
    return {"Authorization": f"Bearer {answer.json()['token']}"}


def test_whole_flow(client: httpx.Client) -> None:
    headers = token(client)
    front = client.post(path(UPLOAD_FRONT), json={"image": to_base64(CARD.front.image, "lf")}, headers=headers).json()
    assert front["customerData"]["idNumber"] == CARD.front.truth["idNumber"]
    back = client.post(path(UPLOAD_BACK), json={"image": to_base64(CARD.back.image, "crlf")}, headers=headers).json()
    assert back["customerData"]["customerId"] == front["customerData"]["customerId"]
    names = {name: front["customerData"][name] for name in ("fullNameEn", "firstNameEn", "familyNameEn")}
    assert client.post(path(APPROVE_FRONT), json=names, headers=headers).json() is True
    assert client.post(path(APPROVE_BACK), headers=headers).json() is True
    assert client.post(path(APPROVE_BACK), headers=headers).status_code == 400


def test_keys_open_a_new_flow_and_tokens_do_not(client: httpx.Client) -> None:
    headers = {"Authorization": "key-1"}
    body = {"image": to_base64(CARD.front.image)}
    first = client.post(path(UPLOAD_FRONT), json=body, headers=headers).json()["customerData"]["customerId"]
    client.post(path(UPLOAD_BACK), json={"image": to_base64(CARD.back.image)}, headers=headers)
    client.post(
        path(APPROVE_FRONT),
        json=dict.fromkeys(("fullNameEn", "firstNameEn", "familyNameEn"), "x"),
        headers=headers,
    )
    assert client.post(path(APPROVE_BACK), headers=headers).json() is True
    again = client.post(path(UPLOAD_FRONT), json=body, headers=headers).json()["customerData"]["customerId"]
    assert again != first


@pytest.mark.parametrize(
    "raw",
    [
        b"\x00\x01\x02\x03\r\n\r\n",
        b"POST / HTTP/9.9\r\n\r\n",
        b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n",
        b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nshort",
        b"GET /" + b"x" * 200_000 + b" HTTP/1.1\r\n\r\n",
    ],
)
def test_malformed_traffic_is_survived(client: httpx.Client, raw: bytes) -> None:
    parts = urlsplit(str(client.base_url))
    with socket.create_connection((parts.hostname, parts.port or 0), timeout=5) as connection:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
    assert token(client)


def test_sessions_are_bounded() -> None:
    vendor = Vendor(SandboxSettings(max_sessions=10))
    for number in range(100):
        vendor.session_of(str(number), fixed=False)
    assert len(vendor._sessions) == 10


def test_large_bodies_are_413() -> None:
    with RunningSandbox(SandboxSettings(max_body=1_000)) as sandbox:
        assert httpx.post(f"{sandbox.base_url}{path(UPLOAD_FRONT)}", content=b"x" * 2_000).status_code == 413


def test_latency_model_is_what_it_says() -> None:
    model = LatencyModel(base_ms=20, ms_per_mb=10, sigma=0.5, seed=1)
    delay = Delay(model)
    drawn = sorted(delay.service_s(2_000_000) * 1e3 for _ in range(20_000))
    for q in (0.5, 0.9, 0.99):
        assert drawn[int(q * len(drawn))] == pytest.approx(model.quantile_ms(q, 2_000_000), rel=0.05)


def test_never_on_another_interface_unless_asked() -> None:
    with pytest.raises(UsageError, match="allow-remote"):
        serve(SandboxSettings(), host="0.0.0.0")


def test_faults_name_clauses_and_say_what_they_do() -> None:
    for fault in FAULTS.load().values():
        assert clause(fault.clause).id == fault.clause
        assert fault.sentence.endswith(".")
    with pytest.raises(UsageError, match="no fault"):
        create_app(SandboxSettings(), ["none-such"])


def test_ends_with_its_parent() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "kycgate.sandbox"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdin is not None
    assert "127.0.0.1" in process.stdout.readline()
    process.stdin.close()
    assert process.wait(timeout=20) == 0
    process.stdout.close()


def test_random_bodies_never_crash() -> None:
    rng = random.Random(5)
    with RunningSandbox(SETTINGS) as sandbox, httpx.Client(base_url=sandbox.base_url, trust_env=False) as opened:
        headers = token(opened)
        for _ in range(60):
            body = (
                rng.randbytes(rng.randrange(200))
                if rng.random() < 0.5
                else b'{"image": "' + rng.randbytes(20).hex().encode()
            )
            for step in PAGE_ORDER:
                assert opened.post(path(step), content=body, headers=headers).status_code in (200, 400)
