"""The recorded request is what went out: a tap on the wire beside exchanges.ndjson. And whose error it is."""

import json
import logging
import re
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme

from kycgate.check.embedded import embedded_sandbox
from kycgate.settings.profile import Profile
from kycgate.target.budget import Budget
from kycgate.target.client import Target, Wanted
from kycgate.tests.suite.command_line import kycgate
from kycgate.tests.suite.process.test_cli import SECRETS

_HEAD = re.compile(rb"(POST|GET|PUT|DELETE|HEAD|OPTIONS|PATCH) (/\S*) HTTP/1\.1\r\n(.*?)\r\n\r\n", re.DOTALL)


@contextmanager
def _tap(base_url: str) -> Iterator[tuple[str, list[bytes]]]:
    """A target that hands all on to `base_url`, sets a cookie in each answer, and keeps each connection's bytes."""
    parts = urlsplit(base_url)
    listening = socket.create_server(("127.0.0.1", 0))
    seen: list[bytes] = []

    def hand_on(source: socket.socket, to: socket.socket, number: int | None) -> None:
        try:
            while part := source.recv(65_536):
                if number is None:
                    part = re.sub(rb"^(HTTP/1\.1 \d+[^\r]*\r\n)", rb"\1Set-Cookie: sid=tapped; Path=/\r\n", part)
                else:
                    seen[number] += part
                to.sendall(part)
        except OSError:
            pass
        for end in (source, to):
            end.close()

    def serve() -> None:
        while True:
            try:
                client, _ = listening.accept()
            except OSError:
                return
            server = socket.create_connection((str(parts.hostname), int(parts.port or 80)))
            seen.append(b"")
            for ends in ((client, server, len(seen) - 1), (server, client, None)):
                threading.Thread(target=hand_on, args=ends, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", seen
    finally:
        listening.close()


def _sent(heads: list[tuple[str, str, dict[str, str]]]) -> Counter[str]:
    """Each request as one text; what is a secret is left out on both sides."""
    return Counter(
        json.dumps([method, path, {n.lower(): v for n, v in headers.items() if n.lower() != "authorization"}])
        for method, path, headers in heads
    )


@pytest.mark.parametrize(
    "command",
    [("check",), ("probe", "--store", "probes.sqlite"), ("doctor",)],
    ids=lambda command: command[0],
)
def test_the_recorded_request_is_what_went_out(command: tuple[str, ...], tmp_path: Path) -> None:
    with embedded_sandbox(Profile()) as sandbox, _tap(str(sandbox.profile.base_url)) as (base_url, seen):
        options = ("--out", "run") if command[0] == "check" else ()
        done = kycgate(*command, "--base-url", base_url, *options, cwd=tmp_path, env=SECRETS)
        assert done.returncode == 0, done.stdout + done.stderr
    wire = b"".join(seen)
    assert len(_HEAD.findall(wire)) >= 2
    cookies = len(re.findall(rb"(?i)\r\ncookie:", wire))
    if command[0] != "check":
        assert cookies == 0
        return
    went_out = []
    for method, path, head in _HEAD.findall(wire):
        lines = [line.decode("latin-1").partition(":") for line in head.split(b"\r\n")]
        went_out.append((method.decode(), path.decode(), {name: value.strip(" \t") for name, _, value in lines}))
    recorded = [
        json.loads(line)
        for line in (tmp_path / "run" / "exchanges.ndjson").read_text(encoding="utf-8").strip("\n").split("\n")
    ]
    # None goes back by itself: a test sends another session's, and says so.
    with_cookie = [one for one in recorded if "Cookie" in one["request_headers"]]
    assert {one["intent"] for one in with_cookie} == {"naming another session's customer, with its cookie"}
    assert len(with_cookie) == cookies
    ours = [(one["method"], one["path"], one["request_headers"]) for one in recorded]
    assert len(ours) == len(went_out)
    shown, sent = _sent(ours), _sent(went_out)
    # What looks like a person's or a secret is hidden in what is kept; names of headers never are.
    assert Counter(tuple(json.loads(one)[2]) for one in shown.elements()) == Counter(
        tuple(json.loads(one)[2]) for one in sent.elements()
    )
    assert (shown & sent).total() > 0.95 * sent.total()


def test_a_name_that_does_not_resolve_here_is_no_outage(tmp_path: Path) -> None:
    call = ("--base-url", "http://nosuchhost.invalid")
    done = kycgate("probe", *call, "--store", "probes.sqlite", cwd=tmp_path, env=SECRETS)
    assert done.returncode == 3, done.stdout
    assert "does not resolve here" in done.stdout
    assert "unavailable" not in done.stdout
    done = kycgate("check", *call, "--out", "run", cwd=tmp_path, env=SECRETS)
    assert done.returncode == 3
    assert "check the URL, and this machine's DNS" in done.stdout


def test_a_ca_that_is_not_known_here_is_no_outage(tmp_path: Path) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                client, _ = listening.accept()
                with client, context.wrap_socket(client, server_side=True):
                    pass
            except ssl.SSLError:
                continue
            except OSError:
                return

    threading.Thread(target=serve, daemon=True).start()
    base_url = f"https://127.0.0.1:{listening.getsockname()[1]}"
    done = kycgate("probe", "--base-url", base_url, "--store", "probes.sqlite", cwd=tmp_path, env=SECRETS)
    listening.close()
    assert done.returncode == 3, done.stdout
    assert "no CA known here" in done.stdout


def test_debug_logs_show_nothing_that_a_target_echoes(caplog: pytest.LogCaptureFixture) -> None:
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        client, _ = listening.accept()
        with client:
            client.recv(65_536)
            client.sendall(b"HTTP/1.1 401 No\r\nX-Echo: Zq7-secret-echoed\r\nContent-Length: 0\r\n\r\n")

    threading.Thread(target=serve, daemon=True).start()
    caplog.set_level(logging.DEBUG)
    target = Target(Profile(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}"), Budget(), lambda *_: None)
    exchange = target.send(Wanted("token", "POST", "/", {"Authorization": "Bearer Zq7-secret-echoed"}))
    target.close()
    listening.close()
    assert exchange.status == 401
    assert "secret" not in caplog.text
