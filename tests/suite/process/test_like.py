"""A stand-in like a recorded run; and the control endpoint, by which apps in other languages switch a stand-in."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from kycgate.contracts.flows.national_id import TOKEN
from kycgate.errors import UsageError
from kycgate.rehearsal.control import Control
from kycgate.rehearsal.like import learn
from kycgate.rehearsal.vendor import StandIn
from kycgate.runs.load_model import LoadResult, StepLatency
from kycgate.runs.model import Observed, Run
from kycgate.sandbox import SandboxSettings, variants
from kycgate.sandbox.faults import vendor_with
from kycgate.sandbox.manner import Actor, Manner, quantile
from kycgate.sandbox.vendor import Incoming
from kycgate.tests.suite.checks import benchmark
from kycgate.tests.suite.command_line import kycgate as run
from kycgate.tests.suite.shares import share

ROOT = Path(__file__).resolve().parents[3]
SHARE = share(("order-404", "extra-properties"), 2)
"""Of the faithful variants; `python benchmarks/like.py` takes all."""


@pytest.mark.parametrize("name", SHARE)
def test_a_stand_in_like_a_run_of_a_variant_shows_no_drift_against_it(name: str) -> None:
    pinned, alike, itself = benchmark("like").judged(variants()[name])
    assert pinned > 100
    assert alike - itself == set()


def recorded(*seen: tuple[str, str, dict[str, int]]) -> Run:
    behaviour = [Observed(section=section, subject=subject, counts=counts) for section, subject, counts in seen]
    return Run(command="check", verdict="kept", exit_code=0, behaviour=behaviour)


VENDOR = recorded(
    ("answers", "upload_front no Authorization header, in its turn", {"403, code E7": 2}),
    ("answers", "token an unknown tenant", {"401, no JSON object": 1}),
    ("order", "step 403", {"code status errorCode": 2}),
    ("order", "token", {"expirationDate token": 3}),
    ("headers", "step-403 x-trace", {"present": 2}),
    ("headers", "step-403 date", {"present": 2}),
    ("token", "token life", {"600 s": 3}),
)


def _ask(settings: SandboxSettings, path: str, body: bytes = b"{}", faults: tuple[str, ...] = ()) -> httpx.Response:
    vendor = vendor_with(settings, faults)
    request = Incoming("POST", path, {}, body)
    reply = vendor.handle(request)
    headers = {**vendor.server_headers(request, reply.status), **reply.headers}
    return httpx.Response(reply.status, content=reply.body, headers=headers)


FRONT = "/Onboarding/api/v1/onboarding/NationalIdKyc/UploadFrontImage"


def test_a_refusal_is_said_as_it_was_recorded() -> None:
    answer = _ask(learn([VENDOR], [[]]), FRONT)
    assert (answer.status_code, answer.json()) == (403, {"code": "E7", "status": 403, "errorCode": "E7"})
    assert answer.headers["x-trace"] == "stand-in"
    assert "date" in answer.headers
    assert "server" not in answer.headers


def test_a_body_that_was_no_json_stays_none() -> None:
    body = json.dumps({"tenantId": "x", "tenantSecret": "y"}).encode()
    answer = _ask(learn([VENDOR], [[]]), TOKEN.path, body)
    assert (answer.status_code, answer.content) == (401, b"")


def test_a_token_lives_as_long_and_its_properties_come_in_that_order() -> None:
    settings = learn([VENDOR], [[]])
    body = json.dumps({"tenantId": "tenant-1", "tenantSecret": "sandbox-secret"}).encode()
    assert (settings.token_life_s, list(_ask(settings, TOKEN.path, body).json())) == (600, ["expirationDate", "token"])


def test_a_fault_is_not_undone_by_what_was_learnt() -> None:
    body = json.dumps({"tenantId": "tenant-1", "tenantSecret": "sandbox-secret"}).encode()
    answer = _ask(learn([VENDOR], [[]]), TOKEN.path, body, ("expiry-missing",))
    assert "expirationDate" not in answer.json()


def test_what_only_some_variants_show_is_learnt() -> None:
    """Each was once drift: a success's code, empty English names, a picture that only a vendor of no OCR reads."""
    seen = recorded(
        ("answers", "upload_front legal, in its turn", {"200, isSuccess true, code OK7": 3}),
        ("answers", "upload_back a picture of one pixel, in its turn", {"200, isSuccess true, code OK7": 1}),
        ("choices", "empty-english-names", {"400": 1}),
    )
    settings = learn([seen], [[]])
    assert settings.manner is not None
    assert (settings.manner.success_code, settings.foreign_photos, settings.empty_text) == ("OK7", True, "refused")
    plain = learn([recorded(("answers", "upload_front legal, in its turn", {"200, isSuccess true": 3}))], [[]])
    assert plain.manner is not None
    assert (plain.manner.success_code, plain.foreign_photos) == (None, False)


def test_what_is_no_base64_is_told_from_an_unreadable_picture_where_both_are_400() -> None:
    unread = ("answers", "upload_front a PDF, in its turn", {"400, code 10001": 2})
    for code, meant in (("10001", "result"), ("400", "400")):
        prefixed = ("answers", "upload_front a data: prefix, in its turn", {f"400, code {code}": 1})
        settings = learn([recorded(unread, prefixed, ("choices", "not-base64", {"400": 2}))], [[]])
        assert (settings.unreadable, settings.not_base64) == ("400", meant)


@pytest.mark.parametrize(
    ("url_safe", "meant"),
    [("400, code 10001", "result"), ("400, code 400", "400"), ("200, isSuccess true", "result")],
)
def test_one_form_that_met_the_limit_of_tries_does_not_tell(url_safe: str, meant: str) -> None:
    """The limit's refusal is the same for what cannot be read and for what is no base64; what is read says nothing."""
    seen = {"a PDF": "400, code 10001", "a data: prefix": "400, code 10001", "URL-safe base64": url_safe}
    answers = [("answers", f"upload_front {form}, in its turn", {answer: 1}) for form, answer in seen.items()]
    assert learn([recorded(*answers, ("choices", "not-base64", {"400": 2}))], [[]]).not_base64 == meant


def test_whether_an_approval_may_have_another_number_is_learnt() -> None:
    for answer, meant in (("400", "refused"), ("accepted", "accepted")):
        assert (
            learn([recorded(("choices", "edited-values, another number", {answer: 1}))], [[]]).another_number == meant
        )


def test_a_body_that_is_nested_too_deep_is_refused_in_that_manner() -> None:
    refused = recorded(("answers", "upload_front JSON cut short, in its turn", {"403, code E9": 2}))
    learnt = learn([refused], [[]]).model_copy(update={"deep_nesting": "refused"})
    body = b'{"image": "", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    vendor = vendor_with(learnt, ())
    token = vendor.mint(60)
    answer = vendor.handle(Incoming("POST", FRONT, {"authorization": f"Bearer {token}"}, body))
    assert (answer.status, json.loads(answer.body)["errorCode"]) == (403, "E9")


def test_a_run_that_shows_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="nothing was observed"):
        learn([recorded()], [[]])


def test_a_damaged_histogram_is_refused() -> None:
    times = {"mean": 1, "p50": 1, "p90": 1, "p95": 1, "p99": 1, "p999": 1, "max": 1}
    latency = StepLatency(name="upload_front", clock="thinking", count=9, histogram="HISTF", **times)
    load = LoadResult(workload="", seed=0, duration_s=1, scheduled=9, recorded=9, latencies=[latency])
    run = Run(command="load", verdict="kept", exit_code=0, load=load)
    with pytest.raises(UsageError, match="histogram of upload_front is damaged"):
        learn([run], [[]])


def test_latencies_are_drawn_between_the_recorded_quantiles() -> None:
    assert [quantile((10.0, 20.0, 40.0), q) for q in (0, 0.25, 0.5, 0.75, 1)] == [10, 15, 20, 30, 40]
    actor = Actor(Manner(latency_ms={"upload_front 200": (100.0, 200.0), "upload_front": (5.0,)}))
    drawn = [actor.latency_s("upload_front", 200) or 0 for _ in range(400)]
    assert 0.1 <= min(drawn) < 0.11 < 0.19 < max(drawn) <= 0.2
    assert (actor.latency_s("upload_front", 400), actor.latency_s("token", 200)) == (0.005, None)


def test_a_folder_without_a_run_ends_2(tmp_path: Path) -> None:
    done = run("sandbox", "--like", str(tmp_path), cwd=tmp_path)
    assert (done.returncode, "holds no run.json" in done.stderr) == (2, True), done.stderr


@pytest.fixture(scope="module")
def vendor() -> Iterator[StandIn]:
    with StandIn(keep=3) as running:
        yield running


@pytest.fixture
def control(vendor: StandIn) -> Iterator[httpx.Client]:
    vendor.reset()
    with Control(vendor) as running:
        headers = {"Authorization": f"Bearer {running.token}"}
        with httpx.Client(base_url=running.url, headers=headers, timeout=5, trust_env=False) as client:
            yield client


def mint(vendor: StandIn) -> httpx.Response:
    body = {"tenantId": vendor.tenant_id, "tenantSecret": vendor.tenant_secret, "padding": "x" * 3_000}
    return httpx.post(vendor.base_url + TOKEN.path, json=body, timeout=5)


def test_the_control_endpoint_does_what_the_fixture_does(vendor: StandIn, control: httpx.Client) -> None:
    state = control.post("/use", json={"kind": "fault", "name": "expiry-missing"})
    assert (state.status_code, state.json()["faults"]) == (200, ["expiry-missing"])
    assert "expirationDate" not in mint(vendor).json()
    assert control.post("/latency", json={"model": "base_ms=7"}).json()["latency"]["base_ms"] == 7
    assert control.post("/line", json={"name": "reset-in-answer", "after": 0}).json()["line"] == "reset-in-answer"
    with pytest.raises(httpx.HTTPError):
        mint(vendor)
    assert control.get("/state").json()["mistreated"] == 1
    found = control.get("/received").json()
    assert [(one["step"], one["status"]) for one in found] == [("token", 200)] * 2
    assert found[0]["json"]["padding"] == "<3000 characters>"
    after = control.post("/reset").json()
    assert (after["faults"], after["line"], after["latency"]["base_ms"], after["received"]) == ([], "", 0, 0)
    assert "expirationDate" in mint(vendor).json()


def test_it_keeps_the_latest_requests_alone(vendor: StandIn, control: httpx.Client) -> None:
    for _ in range(5):
        mint(vendor)
    assert control.get("/state").json()["received"] == 3


@pytest.mark.parametrize("given", [{}, {"Authorization": "Bearer no"}, {"Authorization": "Bearer é".encode()}])
def test_it_is_not_controlled_without_the_token(vendor: StandIn, given: dict[str, str]) -> None:
    with Control(vendor) as running:
        answer = httpx.post(running.url + "/use", json={"kind": "fault", "name": "expiry-missing"}, headers=given)
    assert (answer.status_code, vendor.faults) == (401, ())


@pytest.mark.parametrize("host", ["rebound.example", "127.0.0.1.rebound.example", "rebound.example:80", "0.0.0.0", ""])
def test_a_page_whose_name_is_bound_to_loopback_does_not_reach_it(control: httpx.Client, host: str) -> None:
    """Even with the token: nothing of ours sends such a Host."""
    assert control.get("/received", headers={"Host": host}).status_code == 400
    assert control.post("/reset", headers={"Host": host}).status_code == 400


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "localhost:4711"])
def test_loopback_by_either_name_reaches_it(control: httpx.Client, host: str) -> None:
    assert control.get("/state", headers={"Host": host}).status_code == 200


def test_it_listens_on_loopback_alone(vendor: StandIn) -> None:
    with Control(vendor) as running:
        port = urlsplit(running.url).port
        listening = [one.laddr for one in psutil.Process().net_connections("inet") if one.status == psutil.CONN_LISTEN]
    assert [address.ip for address in listening if address.port == port] == ["127.0.0.1"]


def test_without_the_option_there_is_no_control_endpoint() -> None:
    command = [sys.executable, "-m", "kycgate", "sandbox"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            said = json.loads(process.stdout.readline())
            ports = {
                one.laddr.port
                for one in psutil.Process(process.pid).net_connections("inet")
                if one.status == psutil.CONN_LISTEN
            }
        finally:
            process.kill()
    assert set(said) == {"url"}
    assert ports == {urlsplit(said["url"]).port}


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [
        ("POST", "/use", b'{"kind": "fault", "name": "no-such"}', 400, "no fault is named"),
        ("POST", "/use", b'{"kind": "luck", "name": "x"}', 400, "kind"),
        ("POST", "/use", b"{", 400, "JSON"),
        ("POST", "/line", b'{"name": "tls-expired"}', 400, "address of its own"),
        ("POST", "/line", b'{"name": "closed", "share": 2}', 400, "share"),
        ("POST", "/latency", b'{"model": "speed=1"}', 400, "--latency"),
        ("POST", "/reset", b'{"x": "' + b"a" * 70_000 + b'"}', 413, "at most"),
        ("GET", "/use", b"", 405, "POST"),
        ("POST", "/state", b"", 405, "GET"),
        ("GET", "/elsewhere", b"", 404, "/received"),
    ],
)
def test_a_wrong_control_request_is_refused(
    control: httpx.Client, method: str, path: str, body: bytes, status: int, says: str
) -> None:
    answer = control.request(method, path, content=body)
    assert (answer.status_code, says in answer.json()["error"]) == (status, True), answer.text


def test_the_command_prints_where_the_control_endpoint_is() -> None:
    command = [sys.executable, "-m", "kycgate", "sandbox", "--control", "--fault", "expiry-missing"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            said = json.loads(process.stdout.readline())
            headers = {"Authorization": f"Bearer {said['control_token']}"}
            state = httpx.get(said["control"] + "/state", headers=headers, timeout=5).json()
        finally:
            process.kill()
    assert (state["base_url"], state["faults"]) == (said["url"], ["expiry-missing"])


def test_control_is_for_loopback_alone(tmp_path: Path) -> None:
    done = run("sandbox", "--control", "--host", "0.0.0.0", "--allow-remote", cwd=tmp_path)
    assert (done.returncode, "--control serves 127.0.0.1 alone" in done.stderr) == (2, True), done.stderr
