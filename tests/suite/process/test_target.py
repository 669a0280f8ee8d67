"""The target's side of a request: bounded in time and size, whatever comes back."""

import gzip
import random
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from kycgate.check.embedded import embedded_sandbox
from kycgate.contracts.flows.national_id import APPROVE_BACK
from kycgate.errors import BudgetExhausted
from kycgate.gate.minting import seconds_to_expiry
from kycgate.gate.preflight import why_not
from kycgate.judging.answers import is_page
from kycgate.judging.leaks import INTERNALS
from kycgate.settings.profile import Profile
from kycgate.target.budget import Budget
from kycgate.target.client import MAX_RETRY_AFTER_S, Target, Wanted, retry_after_s
from kycgate.target.decoding import MAX_ANSWER, decoded
from kycgate.target.exchange import Clocks, Exchange
from kycgate.target.redaction import Redactor
from kycgate.target.transport import _behind_the_answer


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, 2),
        ("0", 0),
        ("7", 7),
        ("-5", 2),
        ("1.5", 2),
        ("999999999999999999999999", MAX_RETRY_AFTER_S),
        ("1000000000", MAX_RETRY_AFTER_S),
        ("٣", 2),
        ("soon", 2),
        ("", 2),
        ("Fri, 31 Dec 1999 23:59:59 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", MAX_RETRY_AFTER_S),
        ("Fri, 31 Dec 9999 23:59:59 -2300", MAX_RETRY_AFTER_S),
        ("Fri, 31 Dec 99999 23:59:59 GMT", 2),
        ("Fri, 31 Feb 2030 23:59:59 GMT", 2),
    ],
)
def test_retry_after(value: str | None, seconds: float) -> None:
    assert retry_after_s(value, 2) == pytest.approx(seconds)


def test_retry_after_as_a_date() -> None:
    soon = datetime.now(UTC) + timedelta(seconds=10)
    assert 7 <= retry_after_s(format_datetime(soon, usegmt=True), 1) <= 10


def test_retry_after_takes_any_text() -> None:
    rng = random.Random(1)
    letters = "0123456789-+.,: GMTJanMon\x00é٣\r\n"
    for _ in range(3_000):
        text = "".join(rng.choices(letters, k=rng.randrange(30)))
        assert 0 <= retry_after_s(text, 1) <= MAX_RETRY_AFTER_S, repr(text)


def test_content_codings() -> None:
    plain = b'{"isSuccess": true}'
    deflated = zlib.compress(plain)
    assert decoded(plain, []) == decoded(plain, ["identity", ""]) == plain
    assert decoded(gzip.compress(plain), ["GZIP "]) == plain
    assert decoded(deflated, ["deflate"]) == decoded(deflated[2:-4], ["deflate"]) == plain
    assert decoded(gzip.compress(deflated), ["deflate", "gzip"]) == plain
    assert decoded(b"", ["gzip"]) == b""


@pytest.mark.parametrize(
    ("body", "codings", "says"),
    [
        (gzip.compress(bytes(MAX_ANSWER + 1)), ["gzip"], "decode to more than"),
        (gzip.compress(gzip.compress(bytes(10 * MAX_ANSWER))), ["gzip", "gzip"], "decode to more than"),
        (gzip.compress(b"short")[:-9], ["gzip"], "ends too early"),
        (b'{"a": 1}', ["gzip"], "is not what"),
        (b'{"a": 1}', ["br"], "was not asked for"),
        (b"x" * 99, ["deflate"], "is not what"),
    ],
    ids=["a bomb", "a bomb in a bomb", "cut off", "no gzip", "br", "no deflate"],
)
def test_content_codings_that_do_not_fit(body: bytes, codings: list[str], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        decoded(body, codings)


@pytest.mark.parametrize(
    ("came", "more"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ntrue", False),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ntrue", False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ntrue\r\n0\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\n\r\ntrue", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ntrue\n", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\ntrueHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", True),
    ],
)
def test_what_comes_behind_an_answer_is_noticed(came: bytes, more: bool) -> None:
    assert _behind_the_answer(came, "POST") is more


def test_a_run_ends_at_its_time_limit() -> None:
    budget = Budget(rate=0.01, time_s=60)
    budget.take(upload=False)
    begun = time.monotonic()
    # The next slot is 100 s away: waiting for it would end after the limit.
    with pytest.raises(BudgetExhausted, match="time limit of 60 s"):
        budget.take(upload=False)
    assert time.monotonic() - begun < 5
    assert budget.requests_sent == 1
    with pytest.raises(BudgetExhausted, match="time limit"):
        Budget(time_s=0).take(upload=False)


def _answer(status: int | None, headers: list[tuple[str, str]], body: bytes) -> Exchange:
    clocks = Clocks(0, 0, 0)
    return Exchange(
        1, "token", "POST", "/", {}, b"", "", clocks, status, headers, body, None if status else "no connection"
    )


HTML = [("Content-Type", "text/html; charset=utf-8")]


@pytest.mark.parametrize(
    ("exchange", "says"),
    [
        (_answer(None, [], b""), "cannot be reached (no connection)"),
        (_answer(404, HTML, b"<html>"), "knows no such path (404 and a web page, as"),
        (_answer(429, [], b""), "lower --rate"),
        (_answer(503, HTML, b" <html>"), "with 503 and a web page, as a proxy or a login does: is it up?"),
        (_answer(302, [], b""), "is not followed"),
        (_answer(200, HTML, b"<!doctype html>"), "a request for a token with 200 and a web page"),
        (_answer(200, [], b"{}"), "with 200 and no token"),
    ],
)  # fmt: skip
def test_one_line_says_why_nothing_can_be_judged(exchange: Exchange, says: str) -> None:
    said = str(why_not(exchange, "http://vendor.example", "a request for a token"))
    assert says in said
    assert "\n" not in said


def test_json_under_the_name_of_html_is_no_page() -> None:
    assert not is_page(_answer(200, HTML, b'{"token": "x"}'))
    assert not is_page(_answer(200, [("Content-Type", "application/json")], b"<html>"))


@pytest.mark.parametrize("unit", ["at a(", "SELECT ", 'File "', "A" * 50, "System.", "System.System.", "at <<<"])
def test_hostile_text_does_not_hold_up_the_search_for_internals(unit: str) -> None:
    """Each unit makes a careless pattern look at the rest of the text again and again: for hours, at this length."""
    assert INTERNALS.search(unit * (500_000 // len(unit))) is None


@pytest.mark.parametrize("unit", ["eyJaaaaaaaa-", "eyJaaaaaaaa.", "eyJaaaaaaaa-.a", "1234567 "])
def test_hostile_text_does_not_hold_up_the_redaction(unit: str) -> None:
    assert len(Redactor().text(unit * (250_000 // len(unit)))) < 3_000


def test_a_token_is_taken_out_wherever_it_stands() -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIi.c2ln-_"
    for before in ("", " ", "Bearer ", "-", "x-", '"', ".", "a.b."):
        assert Redactor().text(f"{before}{token} end") == f"{before}$TOKEN end"
    assert Redactor().text(f"x{token}") == f"x{token}"


def test_threads_that_share_connections_do_not_close_them_under_each_other() -> None:
    """What came behind an answer is looked for while the connection is idle."""
    seen: list[Exchange] = []
    with embedded_sandbox(Profile()) as sandbox:
        target = Target(sandbox.profile, Budget(), lambda exchange, at: seen.append(exchange))
        wanted = Wanted("approve_back", "POST", APPROVE_BACK.path, {"Authorization": "Bearer x"})
        with ThreadPoolExecutor(8) as pool:
            for exchange in pool.map(lambda _: target.send(wanted), range(600)):
                assert exchange.status == 401, exchange.failure
        target.close()
    assert len(seen) == 600


def test_a_token_is_judged_by_the_clock_of_who_gave_it() -> None:
    """Ours may be days off: what is left of a token's life counts from the answer's own Date."""
    answer = {"expirationDate": "2031-05-01T12:30:00Z"}
    assert seconds_to_expiry(answer, "Thu, 01 May 2031 12:00:00 GMT") == 1_800
    ours = (datetime(2031, 5, 1, 12, 30, tzinfo=UTC) - datetime.now(UTC)).total_seconds()
    for unreadable in (None, "", "yesterday", "Thu, 99 May 2031 12:00:00 GMT"):
        assert seconds_to_expiry(answer, unreadable) == pytest.approx(ours, abs=5)
    assert seconds_to_expiry({}, None) is None
