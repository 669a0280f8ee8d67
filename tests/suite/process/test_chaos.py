"""Targets that misbehave: each exchange ends, no other host is contacted, and the command says why in one line."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from pydantic import SecretStr

from kycgate.chaos import BEHAVIOURS, ChaosTarget
from kycgate.chaos.registry import Mode
from kycgate.check.runner import run_contract_tests
from kycgate.contracts.flows.national_id import TOKEN
from kycgate.errors import BudgetExhausted, CannotJudge, NotTheTarget
from kycgate.gate.gate import Gate
from kycgate.gate.minting import token_of
from kycgate.load.client import Connection, NoAnswer
from kycgate.runs.clause import Verdict
from kycgate.sandbox import RunningSandbox, SandboxSettings
from kycgate.settings.profile import Limits, Profile, Secrets
from kycgate.target.budget import Budget
from kycgate.target.client import MAX_THROTTLED, STALE, Target, Wanted
from kycgate.target.exchange import Exchange
from kycgate.target.requests import CLIENT_HEADERS, to_json
from kycgate.tests.suite.chaos_trial import SECRET, TENANT, run_trial
from kycgate.tests.suite.conftest import Call

TIMEOUT_S = 0.4
UNUSUAL = {"closed-when-idle", "interim", "answer-behind-the-answer", "http-1.0", "gzip-unasked", "tls-good"}
"""Lawful, or repaired by what any client does."""
NOT_THE_TARGETS = {"no-such-host", "tls-unknown-ca", "tls-expired", "tls-wrong-host", "tls-self-signed", "tls-is-plain"}
"""What is not known to be the target's doing: the run ends, and no clause is broken."""


@pytest.fixture(scope="module")
def upstream() -> Iterator[str]:
    with RunningSandbox(SandboxSettings(tenants={TENANT: SECRET})) as sandbox:
        yield sandbox.base_url


def _profile(target: ChaosTarget, folder: Path, **more: object) -> Profile:
    ca_file = None
    if target.behaviour.trusts:
        ca_file = folder / "ca.pem"
        ca_file.write_bytes(target.ca_pem)
    return Profile(base_url=target.base_url, timeout_s=TIMEOUT_S, ca_file=ca_file, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_each_exchange_ends_and_is_recorded(
    name: str, upstream: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice on one connection where it is kept: the second must not be given what was left of the first."""
    recorded: list[Exchange] = []
    behaviour = BEHAVIOURS[name]
    body = to_json({"tenantId": TENANT, "tenantSecret": SECRET, "kycRequestTypeId": "1"})
    wanted = Wanted("token", "POST", TOKEN.path, {**CLIENT_HEADERS, "Content-Type": "application/json"}, body)
    with ChaosTarget(behaviour, upstream) as chaos:
        for variable in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(variable, chaos.canary.url)
        # So little time is left that no 429 is waited for.
        target = Target(_profile(chaos, tmp_path), Budget(time_s=3), lambda exchange, _: recorded.append(exchange))
        if name in NOT_THE_TARGETS:
            with pytest.raises(NotTheTarget, match="cannot be reached"):
                target.send(wanted)
        else:
            with suppress(BudgetExhausted):  # a 429 slows the run down, here beyond its time
                for _ in range(2 if name in UNUSUAL else 1):
                    assert target.send(wanted) in recorded
        target.close()
        assert chaos.canary.contacts == 0
    if name in UNUSUAL:
        # Whether a closing is seen before the next request goes out is a matter of microseconds; either is right.
        recorded = [exchange for exchange in recorded if exchange.failure != STALE]
        tokens = {json.loads(exchange.answer_body)["token"] for exchange in recorded}
        assert [exchange.status for exchange in recorded] == [200, 200]
        assert len(tokens) == 2
    else:
        assert recorded
        assert {token_of(exchange) for exchange in recorded} == {None}
    assert "\n" not in "".join(exchange.failure or "" for exchange in recorded)


@pytest.mark.parametrize(
    ("name", "command", "mode"),
    [
        ("no-such-host", "check", Mode.ALWAYS),
        ("gzip-bomb", "load", Mode.ALWAYS),
        ("redirect-to-another-host", "verify", Mode.ALWAYS),
        ("says-gzip", "probe", Mode.LATER),
    ],
)
def test_a_command_against_a_misbehaving_target(name: str, command: str, mode: Mode, tmp_path: Path) -> None:
    """A share of docs/chaos.md; what must come of it is declared beside the behaviour."""
    trial = run_trial(BEHAVIOURS[name], command, mode, tmp_path)
    assert not trial.problems, trial


def test_all_of_a_run_ends_at_the_time_limit(upstream: str) -> None:
    """What the limit cuts off is not tried, with the reason, and breaks no clause."""
    secrets = Secrets(tenant_id=TENANT, tenant_secret=SecretStr(SECRET))
    with ChaosTarget(BEHAVIOURS["read-silent"], upstream, after=12) as chaos:
        profile = Profile(base_url=chaos.base_url, limits=Limits(time_s=2.0))
        gate = Gate(profile, secrets, seed=1)
        gate.preflight()
        outcome = run_contract_tests(gate)
        gate.close()
        results = gate.ledger.results(outcome.not_tried)
    assert not [result.id for result in results if result.verdict is Verdict.BROKEN]
    cut_off = [result for result in results if result.verdict is Verdict.NOT_TRIED]
    assert len(cut_off) > 20
    assert {result.reason for result in cut_off} == {"the time limit of 2 s is reached"}


def test_a_target_that_comes_back_is_judged_on(upstream: str) -> None:
    """A second away in the middle: what was asked meanwhile is not answered, all else is judged."""
    secrets = Secrets(tenant_id=TENANT, tenant_secret=SecretStr(SECRET))
    away = replace(BEHAVIOURS["dies-and-returns"], lasts_s=1.0)
    with ChaosTarget(away, upstream, after=20) as chaos:
        gate = Gate(Profile(base_url=chaos.base_url, limits=Limits(requests=110, uploads=40)), secrets, seed=1)
        gate.preflight()
        outcome = run_contract_tests(gate)
        gate.close()
        results = {result.id: result.verdict for result in gate.ledger.results(outcome.not_tried)}
    assert results.pop("answer.in-time") is Verdict.BROKEN
    assert Verdict.BROKEN not in results.values()
    assert sum(verdict is Verdict.KEPT for verdict in results.values()) > 40


def test_unverified_tls_is_loud_everywhere(
    upstream: str, tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KYCGATE_TENANT_ID", TENANT)
    monkeypatch.setenv("KYCGATE_TENANT_SECRET", SECRET)
    with ChaosTarget(BEHAVIOURS["tls-unknown-ca"], upstream) as chaos:
        profile = f'base_url = "{chaos.base_url}"\nverify_tls = false\n[limits]\nrequests = 6\nuploads = 2\n'
        (tmp_path / "kycgate.toml").write_text(profile)
        _, out, err = call("check", "--profile", "kycgate.toml", "--out", "run")
    words = "NOT verified"
    assert words in out
    assert words in err
    for name in ("run.json", "report.html", "summary.md"):
        assert words in (tmp_path / "run" / name).read_text(encoding="utf-8"), name
    suite = ET.parse(tmp_path / "run" / "junit.xml").getroot()  # noqa: S314 - we wrote it
    assert any(words in str(note.get("value")) for note in suite.iter("property"))


def test_a_name_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's resolver has no time limit; ours has."""
    never = threading.Event()
    monkeypatch.setattr("kycgate.target.transport.socket.getaddrinfo", lambda *_, **__: never.wait(30) and [])
    recorded: list[Exchange] = []
    profile = Profile(base_url="http://vendor.example", timeout_s=0.3)
    target = Target(profile, Budget(), lambda exchange, _: recorded.append(exchange))
    with pytest.raises(NotTheTarget, match="was not resolved in time"):
        target.send(Wanted("token", "POST", "/", {}))
    never.set()
    target.close()
    assert len(recorded) == 1


def test_a_kept_connection_that_was_closed_is_no_answer_of_the_targets(upstream: str) -> None:
    """It is tried again once, on a new one; when no server is reached, that is said."""
    recorded: list[Exchange] = []
    body = to_json({"tenantId": TENANT, "tenantSecret": SECRET, "kycRequestTypeId": "1"})
    wanted = Wanted("token", "POST", TOKEN.path, {"Content-Type": "application/json"}, body)
    with ChaosTarget(BEHAVIOURS["reset-after"], upstream, after=1) as chaos:
        target = Target(Profile(base_url=chaos.base_url), Budget(), lambda exchange, _: recorded.append(exchange))
        assert target.send(wanted).status == 200
        assert "the connection broke" in (target.send(wanted).failure or "")
        target.close()
    assert [exchange.failure == STALE for exchange in recorded] == [False, True, False]


@pytest.mark.parametrize(
    "name", ["closed-when-idle", "answer-behind-the-answer", "interim", "gzip-unasked", "http-1.0"]
)
def test_what_is_unusual_is_no_failure_under_load(name: str, upstream: str) -> None:
    """The generator's own client: each answer is whole, and its own."""
    body = to_json({"tenantId": TENANT, "tenantSecret": SECRET, "kycRequestTypeId": "1"})
    headers = {"Content-Type": "application/json"}
    with ChaosTarget(BEHAVIOURS[name], upstream) as chaos:
        connection = Connection(chaos.base_url, 5, None)
        answers = [connection.post(TOKEN.path, headers, body, time.perf_counter_ns()) for _ in range(3)]
        connection.close()
    assert [status for status, *_ in answers] == [200] * 3
    assert len({json.loads(content)["token"] for _, _, content, _ in answers}) == 3


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("reset-after", "Reset"),
        ("body-short", "ended before the answer was whole"),
        ("gzip-bomb", "decode to more than"),
        ("endless-body", "answer is over 2 MB"),
        ("interim-flood", "header is over 100 kB"),
        ("endless-headers", "header is over 100 kB"),
        ("header-a-byte-a-second", "no whole answer within 0.5 s"),
        ("read-silent", "no whole answer within 0.5 s"),
        ("http-9.9", r"not complete, well-formed HTTP: its version is HTTP/9\.9"),
    ],
)
def test_no_answer_under_load_is_said(name: str, says: str, upstream: str) -> None:
    """The first request is answered, so the connection is a kept one: nothing is sent a third time."""
    body = to_json({"tenantId": TENANT, "tenantSecret": SECRET, "kycRequestTypeId": "1"})
    headers = {"Content-Type": "application/json"}
    with ChaosTarget(BEHAVIOURS[name], upstream, after=1) as chaos:
        connection = Connection(chaos.base_url, 0.5, None)
        assert connection.post(TOKEN.path, headers, body, time.perf_counter_ns())[0] == 200
        with pytest.raises(NoAnswer, match=says):
            connection.post(TOKEN.path, headers, body, time.perf_counter_ns())
        assert chaos.requests <= 3


def test_a_target_that_always_says_soon_is_not_asked_for_ever(upstream: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Retry-After in the past is now: once it was not so, the waits grow, and then the run is over."""
    monotonic, perf_counter_ns, slept = time.monotonic, time.perf_counter_ns, [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: monotonic() + sum(slept))
    monkeypatch.setattr(time, "perf_counter_ns", lambda: perf_counter_ns() + round(sum(slept) * 1e9))
    monkeypatch.setattr(time, "sleep", slept.append)
    recorded: list[Exchange] = []
    with ChaosTarget(BEHAVIOURS["429-in-the-past"], upstream) as chaos:
        target = Target(Profile(base_url=chaos.base_url), Budget(), lambda exchange, _: recorded.append(exchange))
        while not target.gave_up:
            assert target.send(Wanted("token", "POST", "/", {})).status == 429
        with pytest.raises(CannotJudge, match="429"):
            target.send(Wanted("token", "POST", "/", {}))
        target.close()
    assert sum(slept) > MAX_THROTTLED
    assert len(recorded) == MAX_THROTTLED


def test_time_outs_end_a_run(upstream: str) -> None:
    with ChaosTarget(BEHAVIOURS["read-silent"], upstream) as chaos:
        target = Target(Profile(base_url=chaos.base_url, timeout_s=0.1), Budget(), lambda *_: None)
        for _ in range(3):
            assert "time limit" in (target.send(Wanted("token", "POST", "/", {})).failure or "")
        with pytest.raises(CannotJudge, match="3 requests got no answer in time"):
            target.send(Wanted("token", "POST", "/", {}))
        target.close()
