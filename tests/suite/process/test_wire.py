"""The connection: what counts as sending, TLS, and answers that are none. gevent patches whole processes, so each
script runs in one of its own."""

import base64
import json
import math
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from kycgate.settings.profile import Profile
from kycgate.target.budget import Budget
from kycgate.target.client import Target, Wanted
from kycgate.target.exchange import HUNG_UP, NOT_HTTP
from kycgate.tests.suite.framings import BODY, FRAMINGS

TRUE = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ntrue"
PREAMBLE = (
    "from gevent import monkey; monkey.patch_all()\nimport gevent, sys, time\n"
    "from kycgate.load.client import Connection, NoAnswer, OwnFault, tls_context\n"
)


@contextmanager
def server(
    serve: Callable[[socket.socket], None], context: ssl.SSLContext | None = None, buffer: int = 0
) -> Iterator[int]:
    """A server that takes one connection after the other; yields its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        if buffer:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)

        def run() -> None:
            while True:
                try:
                    taken, _ = listening.accept()
                    with context.wrap_socket(taken, server_side=True) if context else taken as connection:
                        serve(connection)
                except ssl.SSLError:
                    continue
                except OSError:
                    return

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(timeout=5)


def receive(connection: socket.socket, size: int, pause_s: float = 0.0) -> None:
    """Read a request with a body of `size` bytes, slowly if asked; or what comes of it before the other side ends."""
    head = b""
    while b"\r\n\r\n" not in head:
        got = connection.recv(1)
        if not got:
            return
        head += got
    while size > 0:
        got = connection.recv(min(size, 40_000))
        if not got:
            return
        size -= len(got)
        time.sleep(pause_s)


def run(script: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", PREAMBLE + script], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[trustme.CA, Path]:
    ca = trustme.CA()
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(path)
    return ca, path


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_a_slow_uplink_is_not_the_vendors_thinking(secure: bool, authority: tuple[trustme.CA, Path]) -> None:
    """The target reads 2 MB at some 4 MB/s, then thinks for 0.1 s: the one is sending, the other is not."""
    ca, path = authority
    context = None
    if secure:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ca.issue_cert("127.0.0.1").configure_cert(context)

    def serve(connection: socket.socket) -> None:
        receive(connection, 2_000_000, 0.01)
        time.sleep(0.1)
        connection.sendall(TRUE)

    with server(serve, context, buffer=65_536) as port:
        tls = f"tls_context(verify=True, ca_file={str(path)!r})" if secure else "None"
        status, body, sending, thinking = run(
            f"connection = Connection('http{'s' * secure}://127.0.0.1:{port}', 30, {tls})\n"
            "status, _, body, c = connection.post('/', {}, b'x' * 2_000_000, time.perf_counter_ns())\n"
            "print(status, body.decode(), (c.body_sent - c.connected) / 1e6, (c.first_byte - c.body_sent) / 1e6)"
        )
    assert (status, body) == ("200", "true")
    assert float(sending) > 300
    assert 100 <= float(thinking) < float(sending)


def test_sending_is_told_from_thinking_again_and_again_on_one_connection() -> None:
    def serve(connection: socket.socket) -> None:
        for _ in range(20):
            receive(connection, 900_000)
            time.sleep(0.02)
            connection.sendall(TRUE)

    with server(serve) as port:
        thoughts = run(
            f"connection = Connection('http://127.0.0.1:{port}', 30, None)\n"
            "for _ in range(20):\n"
            "    status, _, body, c = connection.post('/', {}, b'x' * 900_000, time.perf_counter_ns())\n"
            "    assert status == 200 and c.sent <= c.connected <= c.body_sent <= c.first_byte <= c.last_byte\n"
            "    print((c.first_byte - c.body_sent) / 1e6)"
        )
    assert len(thoughts) == 20
    # What lay in the send buffer is not thinking, and what was thought is not sending.
    assert min(map(float, thoughts)) >= 20


def test_small_bodies_whose_acknowledgement_waits_for_the_answer_are_not_slow_to_send() -> None:
    def serve(connection: socket.socket) -> None:
        receive(connection, 200)
        time.sleep(0.05)
        connection.sendall(TRUE)

    with server(serve) as port:
        sending, thinking = run(
            f"connection = Connection('http://127.0.0.1:{port}', 30, None)\n"
            "_, _, _, c = connection.post('/', {}, b'x' * 200, time.perf_counter_ns())\n"
            "print((c.body_sent - c.connected) / 1e6, (c.first_byte - c.body_sent) / 1e6)"
        )
    assert float(thinking) >= 50 > float(sending)


def test_an_answer_before_the_body_was_taken_ends_the_sending() -> None:
    def serve(connection: socket.socket) -> None:
        connection.recv(1_000)
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        time.sleep(0.2)

    with server(serve) as port:
        status, order = run(
            f"connection = Connection('http://127.0.0.1:{port}', 5, None)\n"
            "status, _, _, c = connection.post('/', {}, b'x' * 100_000, time.perf_counter_ns())\n"
            "print(status, c.connected <= c.body_sent <= c.first_byte)"
        )
    assert (status, order) == ("413", "True")


def test_tls_certificates_are_verified(authority: tuple[trustme.CA, Path]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with server(lambda connection: None, context) as port:
        said = run(
            f"connection = Connection('https://127.0.0.1:{port}', 5, tls_context(verify=True, ca_file="
            f"{str(authority[1])!r}))\n"
            "try: connection.post('/', {}, b'x', time.perf_counter_ns())\n"
            "except OwnFault as error: print('signed by no CA known here' in str(error))"
        )
    assert said == ["True"]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"", HUNG_UP),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ntrue", "ended before"),
        (b"SMTP ready\r\n\r\n", NOT_HTTP),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", NOT_HTTP),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n" + b"x" * 9_000_000, "over"),
    ],
    ids=["nothing", "too short", "no http", "bad chunk", "endless"],
)
def test_no_answer_is_said_as_such(answer: bytes, says: str) -> None:
    def serve(connection: socket.socket) -> None:
        receive(connection, 4)
        connection.sendall(answer)

    with server(serve) as port:
        said = run(
            f"connection = Connection('http://127.0.0.1:{port}', 10, None)\n"
            "try: print(connection.post('/', {}, b'body', time.perf_counter_ns()))\n"
            "except NoAnswer as error: print(str(error))"
        )
    assert says in " ".join(said)


def test_load_and_check_read_http_the_same() -> None:
    """Of each odd framing both read the answer, or both refuse it with the same words."""

    def serve(connection: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(1_000)
        connection.sendall(FRAMINGS[int(head.split(b" ")[1][1:])].bytes)

    with server(serve) as port:
        url = f"http://127.0.0.1:{port}"
        lines = run(
            f"import base64, json\nfor number in range({len(FRAMINGS)}):\n"
            f"    connection = Connection({url!r}, 10, None)\n"
            "    exchange = connection.ask('elsewhere', f'/{number}', {}, b'', 0)\n"
            "    connection.close()\n"
            "    body = exchange.answer_body.decode('latin-1')\n"
            "    print(base64.b64encode(json.dumps([exchange.status, body, exchange.failure]).encode()).decode())"
        )
        for framing, line in zip(FRAMINGS, lines, strict=True):
            status, text, failure = json.loads(base64.b64decode(line))
            target = Target(Profile(base_url=url), Budget(1, 1, 1_000, math.inf), lambda exchange, at: None)
            checked = target.send(Wanted("elsewhere", "POST", f"/{FRAMINGS.index(framing)}", {}))
            target.close()
            answers = {(status, text.encode("latin-1")), (checked.status, checked.answer_body)}
            assert answers == {(200, BODY) if framing.reads else (None, b"")}, framing.name
            for said in (failure, checked.failure):
                assert (said is None) == framing.reads, framing.name
                assert str(said or NOT_HTTP).startswith(NOT_HTTP if framing.bytes else HUNG_UP), framing.name


def test_silence_ends_with_the_time_limit_of_the_whole_exchange() -> None:
    def serve(connection: socket.socket) -> None:
        receive(connection, 4)
        for byte in TRUE:
            connection.sendall(bytes([byte]))
            time.sleep(0.1)

    with server(serve) as port:
        said = run(
            f"connection = Connection('http://127.0.0.1:{port}', 0.5, None)\n"
            "try: connection.post('/', {}, b'body', time.perf_counter_ns())\n"
            "except NoAnswer as error: print(str(error))"
        )
    assert " ".join(said) == "no whole answer within 0.5 s"


def test_interim_answers_are_passed_over_and_the_connection_is_kept() -> None:
    connections = []

    def serve(connection: socket.socket) -> None:
        connections.append(connection)
        for _ in range(2):
            receive(connection, 4)
            connection.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + TRUE)

    with server(serve) as port:
        said = run(
            f"connection = Connection('http://127.0.0.1:{port}', 5, None)\n"
            "for _ in range(2):\n"
            "    status, headers, body, c = connection.post('/', {}, b'body', time.perf_counter_ns())\n"
            "    print(status, len(headers), body.decode())"
        )
    assert said == ["200", "1", "true"] * 2
    assert len(connections) == 1
