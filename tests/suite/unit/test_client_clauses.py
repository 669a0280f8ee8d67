"""What a client must do, judged from what the stand-in received: naive clients break each clause, careful ones none."""

import base64
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from kycgate.contracts.flows import flow
from kycgate.contracts.flows.national_id import TOKEN
from kycgate.rehearsal.client_clauses import CLIENT_CATALOGUE, Attempt, Base64Form, Seen, judge_client, settle
from kycgate.rehearsal.received import Received

MINTED = "eyJhbGciOiJIUzI1NiJ9.eyJqdGkiOiIxIn0.c2lnbmF0dXJl"
PATHS = {str(step): step.path for step in flow().steps}
PICTURE = base64.b64encode(bytes(300)).decode()
WRAPPED = "\r\n".join(PICTURE[at : at + 76] for at in range(0, len(PICTURE), 76))
BODIES: dict[str, Any] = {
    "upload_front": {"image": PICTURE},
    "upload_back": {"image": PICTURE},
    "approve_front": {"idNumber": "29874532145698", "birthdate": "19/09/1998"},
    "approve_back": None,
}
READ = {"isSuccess": True, "customerData": {}}


def asked(step: str, at: float, status: int = 200, answer: Any = READ, **changed: Any) -> Received:
    """A step that arrived at `at` and was answered a tenth of a second later."""
    given: dict[str, Any] = {
        "headers": {"authorization": f"Bearer {MINTED}", "content-type": "application/json"}, "body": BODIES[step],
        "answer_headers": {}, "took": 0.1,
    } | changed  # fmt: skip
    body = b"" if given["body"] is None else json.dumps(given["body"]).encode()
    answered = json.dumps(answer).encode()
    return Received(
        "POST", PATHS[step], given["headers"], body, status, answered, given["answer_headers"], at, at + given["took"]
    )


def minted(at: float, ends: timedelta = timedelta(minutes=30)) -> Received:
    value = {"token": MINTED, "expirationDate": (datetime.now(UTC) + ends).isoformat()}
    return Received("POST", TOKEN.path, {}, b"{}", 200, json.dumps(value).encode(), {}, at, at)


def now() -> float:
    return time.monotonic()


def judged(*received: Received, output: str = "", base64_form: Base64Form = "either") -> dict[str, list[Seen]]:
    found: dict[str, list[Seen]] = {}
    attempt = Attempt(received, output, ("sandbox-secret",), base64_form=base64_form)
    for one in settle(list(judge_client(attempt))):
        found.setdefault(one.clause.removeprefix("client."), []).append(one)
    return found


def broken(*received: Received, **given: Any) -> set[str]:
    return {name for name, seen in judged(*received, **given).items() if any(one.kept is False for one in seen)}


def careful(begun: float) -> list[Received]:
    return [
        minted(begun), asked("upload_front", begun + 1), asked("upload_back", begun + 2),
        asked("approve_front", begun + 3, answer=True), asked("approve_back", begun + 4, answer=True),
    ]  # fmt: skip


def naive() -> Iterator[tuple[str, str, list[Received], dict[str, Any]]]:
    """The clause, how the client breaks it, what came, and what else is known."""
    begun = now() - 60
    fine = careful(begun)
    front, back = fine[1:3]
    slow_down = {"answer_headers": {"Retry-After": "3"}}
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=-60 + 2.1 + 4), usegmt=True)
    yield "credential", "without a header", [asked("upload_front", begun, headers={})], {}
    yield "json-body", "as a form", [asked("upload_front", begun, headers={"authorization": MINTED})], {}
    yield "order", "the back first", [asked("upload_back", begun, 400, {"message": None}), front], {}
    yield "order", "both sides at once", [asked("upload_front", begun, took=1), asked("upload_back", begun + 0.5)], {}
    prefixed = {"image": f"data:image/jpeg;base64,{PICTURE}"}
    yield "image-base64", "with a prefix", [asked("upload_front", begun, body=prefixed)], {}
    yield "image-base64", "URL-safe", [asked("upload_front", begun, body={"image": "_-_-"})], {}
    wrapped = asked("upload_front", begun, body={"image": WRAPPED})
    yield "image-base64", "wrapped, where it may not be", [wrapped], {"base64_form": "unbroken"}
    yield "image-base64", "unbroken, where it must be wrapped", [front], {"base64_form": "wrapped"}
    iso = {"birthdate": "1998-09-19"}
    yield "approval-values", "an ISO date", [front, asked("approve_front", begun + 2, answer=True, body=iso)], {}
    yield "one-token-a-session", "a second person", [*fine, asked("upload_front", begun + 5)], {}
    refused = asked("upload_front", begun + 1, answer={"isSuccess": False, "message": "Blurred"})
    yield "stops-when-refused", "goes on", [refused, back], {"output": "Blurred"}
    yield (
        "backs-off",
        "at once",
        [asked("upload_front", begun, 429, {}, **slow_down), asked("upload_front", begun + 1)],
        {},
    )
    dated = asked("upload_front", begun + 2, 429, {}, answer_headers={"Retry-After": until})
    yield "backs-off", "before the date", [dated, asked("upload_front", begun + 3.5)], {}
    yield "token-life", "again after a 401", [fine[0], front, asked("upload_back", begun + 1.5, 401, {}), back], {}
    old = minted(begun, ends=timedelta(seconds=-60 + 5))
    yield "token-life", "after its end", [old, front, asked("upload_back", begun + 9)], {}
    failed = asked("approve_back", begun + 4, 500, {"message": "sorry"})
    yield "no-blind-approval", "after a 500", [*fine[:4], failed, asked("approve_back", begun + 4.2, answer=True)], {}
    yield "no-blind-approval", "twice at once", [*fine, asked("approve_back", begun + 4.05, answer=True)], {}
    yield "no-secret-printed", "the token", fine, {"output": f"using {MINTED}"}
    yield "no-secret-printed", "the secret", fine, {"output": "tenantSecret=sandbox-secret"}


NAIVE = list(naive())


@pytest.mark.parametrize(("clause", "how", "came", "more"), NAIVE, ids=[f"{case[0]}, {case[1]}" for case in NAIVE])
def test_a_naive_client_breaks_its_clause(clause: str, how: str, came: list[Received], more: dict[str, Any]) -> None:
    assert clause in broken(*came, **more), how


def test_a_careful_client_breaks_none() -> None:
    begun = now() - 60
    fine = careful(begun)
    assert broken(*fine, output="onboarded") == set()
    front = fine[1]
    # It waits, begins anew with another token, retries an upload, and sends steps at once that may be.
    waited = asked("upload_front", begun + 1.1, 429, {}, answer_headers={"Retry-After": "2"})
    assert broken(fine[0], waited, asked("upload_front", begun + 3.3)) == set()
    both = [asked("upload_back", begun + 2, took=1), asked("approve_front", begun + 2.1, answer=True)]
    assert broken(fine[0], front, *reversed(both)) == set()
    tapped = [
        asked("upload_front", begun + 1, took=3),
        asked("upload_front", begun + 1.5),
        asked("upload_back", begun + 2),
    ]
    assert broken(*sorted(tapped, key=lambda one: one.at)) == set()
    late = [*fine[:4], asked("approve_back", begun + 4, 500, {}), asked("approve_back", begun + 9, answer=True)]
    assert broken(*late) == set()
    assert broken(asked("upload_front", begun, body={"image": WRAPPED}), base64_form="wrapped") == set()
    created = [fine[0], asked("upload_front", begun + 1, 201), fine[2]]
    assert broken(*created) == set()


def test_a_vendor_that_gives_out_ended_tokens_is_at_fault_itself() -> None:
    begun = now() - 60
    old = minted(begun, ends=timedelta(days=-1))
    assert "token-life" not in broken(old, asked("upload_front", begun + 1))


def test_a_message_that_is_shown_elsewhere_accuses_nobody() -> None:
    begun = now() - 60
    refused = asked("upload_front", begun, answer={"isSuccess": False, "message": "Blurred"})
    assert [one.kept for one in judged(refused)["shows-message"]] == [None]
    assert [one.kept for one in judged(refused, output="Blurred")["shows-message"]] == [True]
    shown = Seen("client.shows-message", True)
    assert [one.kept for one in settle([shown, Seen("client.shows-message", None)])] == [True, False]
    for status in (401, 429, 500):
        # What a client gets over by itself, and a server's own trouble, is not for its user.
        assert "shows-message" not in judged(asked("upload_front", begun, status, {"message": "words"}))


def test_of_output_that_was_let_go_nothing_is_called_kept() -> None:
    attempt = Attempt(careful(now() - 60), "the end of it", (), whole=False)
    assert not [one for one in judge_client(attempt) if one.clause == "client.no-secret-printed"]


def test_giving_up_is_judged_where_no_answer_came() -> None:
    received = careful(now() - 60)
    of = [Attempt(received, "", ()), Attempt(received, "", (), silent=True), Attempt(received, "", (), hung=True)]
    seen = [[one.kept for one in judge_client(attempt) if one.clause == "client.gives-up"] for attempt in of]
    assert seen == [[], [True], [False]]


def test_each_clause_of_a_client_is_broken_above() -> None:
    elsewhere = {"client.gives-up", "client.shows-message"}
    assert {promise.id for promise in CLIENT_CATALOGUE} == {f"client.{case[0]}" for case in NAIVE} | elsewhere
