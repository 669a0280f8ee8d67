"""The target: sends one request, measures it, and bounds what comes back.

Redirects are never followed, proxies of the environment never used, and no host but the target's is ever contacted.
"""

import email.utils
import logging
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx

from kycgate.errors import BudgetExhausted, CannotJudge, NotTheTarget, UsageError
from kycgate.settings.profile import Profile
from kycgate.target.blame import PROXY_REFUSES, Blame, blame_of
from kycgate.target.budget import Budget
from kycgate.target.decoding import MAX_ANSWER, decoded
from kycgate.target.exchange import HUNG_UP, NOT_HTTP, Clocks, Exchange, Picture
from kycgate.target.oauth import Gateway
from kycgate.target.proxy import CUT_SHORT, PROXY_DEMANDS
from kycgate.target.route import route_of, with_ours
from kycgate.target.transport import BoundedTransport, TooMuch

CONNECTIONS = 32
CONNECT_S = 10.0
MAX_RETRY_AFTER_S = 30.0
MAX_THROTTLED_S = 120.0
"""Seconds that a run waits in all because of 429."""
THROTTLED_TRIES = 4
MAX_THROTTLED = 20
"""Answers of 429 in a row, after which nothing more is sent."""
MAX_TIMEOUTS = 3
"""Time-outs that a run waits for; a minute each, they would make it endless."""
PAUSES_S = (0.0, 0.1, 0.2, 0.5, 1.0, 2.0, *(4.0,) * 8)
"""Pause before a request, by the number of unanswered ones in a row: a restart takes half a minute."""
_AWAY = frozenset({502, 503, 504})
STOPPED = "the run was stopped before its end"
_HUNG_UP = "disconnected without sending a response"
"""In httpcore's words."""
STALE = "the kept connection had been closed: sent again on a new one"
_VERSIONS = ("HTTP/1.0", "HTTP/1.1")
_TALKATIVE = ("httpx", "httpcore", "h11", "urllib3", "hypothesis", "schemathesis")


@dataclass(frozen=True, slots=True)
class Wanted:
    """One request to be sent."""

    endpoint: str
    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    session: str = ""
    intent: str = "legal"
    picture: Picture | None = None
    call_in_session: int = 0
    upload: bool = False
    turn: str | None = None
    tries: int = 0
    odd: bool = False
    own_credential: bool = True


class Target:
    """Sends requests to one base URL within a budget. Thread-safe."""

    def __init__(self, profile: Profile, budget: Budget, on_exchange: Callable[[Exchange, str], None]) -> None:
        if profile.base_url is None:
            raise UsageError("no target: give --base-url")
        self.base_url = profile.base_url
        self.budget = budget
        self._test: ContextVar[str] = ContextVar("test", default="")
        self._on_exchange = on_exchange
        self._number = 0
        self._sent_by: dict[str, tuple[int, int]] = {}
        self._timeouts = 0
        self._in_a_row = 0
        """Requests without a usable answer since the last that had one."""
        self._away = False
        """Whether the last of them met no listener at all, so that waiting may help."""
        self._throttled_s = 0.0
        self._throttled_in_a_row = 0
        self.asked_to_stop: Callable[[], bool] = lambda: False
        self.gave_up = ""
        """Why nothing more is sent; empty while something is."""
        self._lock = threading.Lock()
        self._under_way: list[Exchange] = []
        self._failed_at = self._timed_out_at = 0
        """When the last request without an answer, or without one in time, was counted; those beside it are not."""
        self._patience = threading.Lock()
        """Held by the one request that asks a target that is away whether it is back."""
        self._timeout = profile.timeout_s
        for name in _TALKATIVE:
            # Whatever level the user chose: at DEBUG they print headers, and so what a target echoes.
            logging.getLogger(name).setLevel(logging.WARNING)
        self.route = route_of(profile)
        self._transport = BoundedTransport(self.route.tls(), CONNECTIONS, self.route.proxy)
        self._client = httpx.Client(
            base_url=profile.base_url,
            timeout=httpx.Timeout(profile.timeout_s, connect=min(profile.timeout_s, CONNECT_S)),
            follow_redirects=False,
            trust_env=False,
            transport=self._transport,
            # Two phones never share a jar, and a request "without credentials" carries none: no cookie is kept.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            headers=with_ours({"User-Agent": "kycgate", "Accept-Encoding": "identity"}, self.route.headers),
        )

    @property
    def test(self) -> str:
        """The test that this thread's requests belong to."""
        return self._test.get()

    @test.setter
    def test(self, name: str) -> None:
        self._test.set(name)

    def sent_by(self, test: str) -> tuple[int, int]:
        """Requests and uploads that a test has sent."""
        return self._sent_by.get(test, (0, 0))

    def close(self) -> None:
        self._client.close()

    def send(self, wanted: Wanted) -> Exchange:
        """Send it, wait for the answer, record both.

        A 429 is honoured: the request is sent again after Retry-After, some times; each of them is recorded. So is one
        that met a kept connection which had been closed in between. While there is no answer, or a gateway says so,
        pauses grow before each request, so that a restart is waited for.

        Raises:
            BudgetExhausted: nothing was sent.
            NotTheTarget: it failed, and the target is not known to be why; nothing more is sent.
            CannotJudge: no answer has come for so long that nothing more is sent.
        """
        for attempt in range(1, THROTTLED_TRIES + 1):
            with self._one_at_a_time_while_away():
                self._demand_answers()
                exchange = self._send_once(wanted)
                if exchange.failure == STALE:
                    exchange = self._send_once(wanted)
                    exchange.resent = True
                with self._lock:
                    if exchange.status is not None and exchange.status not in _AWAY:
                        self._in_a_row = 0
                    elif exchange.clocks.due >= self._failed_at:
                        self._in_a_row += 1
                        self._failed_at = exchange.clocks.last_byte
            if exchange.status != 429 or exchange.may_be_limited:
                if exchange.status is not None:
                    self.budget.answered()
                    self._throttled_in_a_row = 0
                return exchange
            with self._lock:
                self._throttled_in_a_row += 1
                if self._throttled_in_a_row >= MAX_THROTTLED:
                    self.gave_up = f"the target answers 429, {MAX_THROTTLED} times in a row: lower --rate, or try later"
            if attempt == THROTTLED_TRIES or self.gave_up:
                return exchange
            wait = retry_after_s(exchange.answer_header("Retry-After"), attempt)
            if attempt > 1:
                # It said that it would be well by now, and was not.
                wait = max(wait, float(2 ** (attempt - 1)))
            with self._lock:
                self._throttled_s += self.budget.put_off(exchange.clocks.due / 1e9, wait)
            if self._throttled_s > MAX_THROTTLED_S or wait >= self.budget.left_s:
                self.gave_up = "the target answers 429, and there is no time left to wait for it: lower --rate"
                return exchange
            time.sleep(wait)
        raise AssertionError("unreachable")

    @contextmanager
    def _one_at_a_time_while_away(self) -> Iterator[None]:
        """Where the target is away, one request at a time asks whether it is back, however many wait for it."""
        with self._patience if self._away else nullcontext():
            yield

    def _demand_answers(self) -> None:
        if self.asked_to_stop():
            self.gave_up = STOPPED
        if not self.gave_up and self._timeouts >= MAX_TIMEOUTS:
            self.gave_up = f"{self._timeouts} requests got no answer in time: the rest is not waited for"
        if not self.gave_up and self._in_a_row >= len(PAUSES_S):
            self.gave_up = f"{self._in_a_row} requests in a row got no answer that could be used: the rest is not sent"
        if self.gave_up:
            raise CannotJudge(self.gave_up)
        if self._away:
            time.sleep(min(PAUSES_S[self._in_a_row], max(self.budget.left_s, 0.0)))

    @contextmanager
    def _gateway(self) -> Iterator[Gateway | None]:
        """Who holds the token of a gateway in front.

        Raises:
            NotTheTarget: its token is not to be had; nothing more is sent.
        """
        try:
            yield self.route.gateway
        except NotTheTarget as error:
            self.gave_up = str(error)
            raise

    def bill(self) -> None:
        """An upload that was sent to be refused was read: it counts like the others."""
        self.budget.bill()
        with self._lock:
            requests, uploads = self.sent_by(self.test)
            self._sent_by[self.test] = (requests, uploads + 1)

    def _send_once(self, wanted: Wanted) -> Exchange:
        with self._gateway() as gateway:
            in_front = gateway.headers() if gateway is not None else {}
        self.budget.take(upload=wanted.upload)
        with self._lock:
            self._number += 1
            number = self._number
            requests, uploads = self.sent_by(self.test)
            self._sent_by[self.test] = (requests + 1, uploads + wanted.upload)
        moments: dict[str, int] = {}

        def trace(event: str, _: Mapping[str, Any]) -> None:
            if event.endswith("send_request_headers.started"):
                moments["sent"] = time.perf_counter_ns()
            elif event.endswith("send_request_body.complete"):
                moments["body_sent"] = time.perf_counter_ns()
            elif event.endswith("receive_response_headers.complete"):
                moments["first_byte"] = time.perf_counter_ns()

        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        due = time.perf_counter_ns()
        exchange = Exchange(
            number=number,
            endpoint=wanted.endpoint,
            method=wanted.method,
            path=wanted.path,
            request_headers=dict(wanted.headers),
            request_body=wanted.body,
            session=wanted.session,
            clocks=Clocks(due, due, due),
            test=self.test,
            picture=wanted.picture,
            call_in_session=wanted.call_in_session,
            intent=wanted.intent,
            turn=wanted.turn,
            tries=wanted.tries,
            odd=wanted.odd,
            own_credential=wanted.own_credential,
        )
        blame: Blame | None = None
        with self._lock:
            for other in (*self._under_way, *([exchange] if self._under_way else [])):
                other.at_once = True
            self._under_way.append(exchange)
        try:
            self._receive(wanted, exchange, in_front, trace)
        except (httpx.HTTPError, OSError, MemoryError) as error:
            exchange.failure = describe_failure(error)
            if exchange.failure == HUNG_UP and self._transport.began():
                exchange.failure = f"{NOT_HTTP}: the connection ended before the answer was whole"
            blame = blame_of(error)
            in_the_clear = self.route.proxy is not None and self.base_url.startswith("http:")
            if in_the_clear and exchange.status in CUT_SHORT:
                blame, exchange.failure = PROXY_REFUSES, f"{exchange.status}, and the connection was reset"
            self._away = isinstance(error, httpx.NetworkError)
            if isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError) and self._transport.found_closed():
                exchange.failure = STALE
            if isinstance(error, httpx.TimeoutException):
                with self._lock:
                    self._timeouts += due >= self._timed_out_at
                    self._timed_out_at = time.perf_counter_ns()
            if "first_byte" not in moments:
                exchange.unreached, exchange.hung_up = _no_listener(error), exchange.failure == HUNG_UP
            exchange.status = None
        else:
            self._away = exchange.status in _AWAY
        finally:
            with self._lock:
                self._under_way = [other for other in self._under_way if other is not exchange]
        end = time.perf_counter_ns()
        exchange.clocks = Clocks(
            due, moments.get("sent", due), end, moments.get("body_sent"), moments.get("first_byte")
        )
        exchange.request_headers = self._transport.sent_headers() or exchange.request_headers
        exchange.connection = self._transport.connection()
        self._on_exchange(exchange, at)
        if exchange.failure and self.budget.left_s <= 0:
            # It was we who did not wait: the target is not to blame.
            raise BudgetExhausted(self.budget.time_is_up)
        if self.route.proxy is not None and exchange.status == PROXY_DEMANDS:
            blame = PROXY_REFUSES
            exchange.failure = "407 of the proxy: it demands credentials, or refuses ours"
        with self._gateway() as gateway:
            if gateway is not None:
                gateway.demand_not_expired(exchange)
        if blame is not None and blame.whose != "theirs":
            self.gave_up = f"{self.base_url} cannot be reached: {blame.kind} ({exchange.failure}): {blame.advice}"
            raise NotTheTarget(self.gave_up, blame.kind)
        return exchange

    def _receive(
        self,
        wanted: Wanted,
        exchange: Exchange,
        in_front: Mapping[str, str],
        trace: Callable[[str, Mapping[str, Any]], None],
    ) -> None:
        seconds = min(self._timeout, max(self.budget.left_s, 0.001))
        content = wanted.body if wanted.body or wanted.method == "POST" else None
        with (
            self._transport.within(seconds),
            self._client.stream(
                wanted.method,
                wanted.path,
                # Bytes, not text: an ill-formed header must leave as it was meant.
                headers=[
                    (name.encode(), value.encode("latin-1", "replace"))
                    for name, value in (*wanted.headers.items(), *in_front.items())
                ],
                content=content,
                extensions={"trace": trace},
            ) as response,
        ):
            if response.http_version not in _VERSIONS:
                raise httpx.RemoteProtocolError(f"its version is {response.http_version}")
            exchange.answer_headers = response.headers.multi_items()
            exchange.status = response.status_code
            if self.route.proxy is not None and exchange.status == PROXY_DEMANDS:
                # Its page may not come whole, see CUT_SHORT.
                return
            received = bytearray()
            for part in response.iter_raw():
                received += part
                if len(received) > MAX_ANSWER:
                    raise TooMuch(f"over {MAX_ANSWER / 1e6:g} MB")
            try:
                exchange.answer_body = decoded(
                    bytes(received), response.headers.get_list("Content-Encoding", split_commas=True)
                )
            except ValueError as error:
                raise httpx.DecodingError(str(error)) from None


def retry_after_s(value: str | None, attempt: int) -> float:
    """Seconds to wait after a 429: Retry-After in seconds or as a date (RFC 9110, 10.2.3), else 1, 2, 4 …; bounded."""
    fallback = float(2 ** (attempt - 1))
    if value is None:
        return fallback
    text = value.strip()
    if text.isascii() and text.isdigit():
        return MAX_RETRY_AFTER_S if len(text) > 6 else min(float(text), MAX_RETRY_AFTER_S)
    try:
        moment = email.utils.parsedate_to_datetime(text)
        moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        left = (moment - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError, OverflowError, IndexError):
        return fallback
    return min(max(left, 0.0), MAX_RETRY_AFTER_S)


def describe_failure(error: Exception) -> str:
    """Why no answer came, in a few words without addresses."""
    kinds: tuple[tuple[type[Exception], str], ...] = (
        (httpx.ConnectTimeout, "no connection within the time limit"),
        (httpx.ConnectError, "no connection"),
        (httpx.WriteTimeout, "the request was not taken within the time limit"),
        (httpx.ReadTimeout, "no whole answer within the time limit"),
        (httpx.TimeoutException, "time limit reached"),
        (httpx.RemoteProtocolError, NOT_HTTP),
        (httpx.DecodingError, "the answer cannot be decoded"),
        (TooMuch, "the answer is too long"),
        (httpx.NetworkError, "the connection broke"),
        (ssl.SSLError, "TLS failed"),
    )
    if isinstance(error, httpx.RemoteProtocolError) and _HUNG_UP in str(error):
        return HUNG_UP
    words = next((words for kind, words in kinds if isinstance(error, kind)), type(error).__name__)
    detail = str(error).splitlines()[0][:160] if str(error) else ""
    return f"{words}: {detail}" if detail else words


def _no_listener(error: Exception) -> bool:
    """Whether there was no connection, or it broke; a refused certificate comes from a listener."""
    causes: list[BaseException] = [error]
    while cause := causes[-1].__cause__ or causes[-1].__context__:
        causes.append(cause)
    by_tls = any(isinstance(cause, ssl.SSLError) for cause in causes)
    return isinstance(error, httpx.NetworkError | httpx.ConnectTimeout) and not by_tls


def unreachable(base_url: str, failure: str | None) -> CannotJudge:
    """The one line for a target whose first answer never came."""
    if (failure or "").startswith("no connection"):
        return CannotJudge(f"{base_url} cannot be reached ({failure}): check the URL, the network and that it is up")
    return CannotJudge(f"{base_url} gives no usable answer ({failure}): check that it is this API, and that it is up")
