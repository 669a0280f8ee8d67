"""The target: sends one request, measures it, and bounds what comes back.

Redirects are never followed, proxies of the environment never used, and no host but the target's is ever contacted.
"""

import email.utils
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx

from kycgate.budget import Budget
from kycgate.errors import CannotJudge, UsageError
from kycgate.exchange import Clocks, Exchange, Picture
from kycgate.profile import Profile

MAX_ANSWER = 8_000_000
"""Bytes of an answer that are read; no answer of this API is that long."""
MAX_RETRY_AFTER_S = 30.0
THROTTLED_TRIES = 4
MAX_TIMEOUTS = 3
"""Time-outs that a run waits for; a minute each, they would make it endless."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One request to be sent."""

    endpoint: str
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""
    session: str = ""
    intent: str = "legal"
    picture: Picture | None = None
    call_in_session: int = 0
    upload: bool = False
    turn: str | None = None


class Target:
    """Sends requests to one base URL within a budget. Thread-safe."""

    def __init__(self, profile: Profile, budget: Budget, on_exchange: Callable[[Exchange, str], None]) -> None:
        if profile.base_url is None:
            raise UsageError("no target: give --base-url")
        self.base_url = profile.base_url
        self.budget = budget
        self.test = ""
        self._on_exchange = on_exchange
        self._number = 0
        self._timeouts = 0
        self._lock = threading.Lock()
        self._timeout = profile.timeout_s
        self._client = httpx.Client(
            base_url=profile.base_url,
            timeout=httpx.Timeout(profile.timeout_s, connect=min(profile.timeout_s, 10.0)),
            follow_redirects=False,
            trust_env=False,
            verify=_tls(profile),
            headers={"User-Agent": "kycgate", "Accept-Encoding": "identity"},
            limits=httpx.Limits(max_connections=32, max_keepalive_connections=32),
        )

    def close(self) -> None:
        self._client.close()

    def send(self, wanted: Wanted) -> Exchange:
        """Send it, wait for the answer, record both.

        A 429 is honoured: the request is sent again after Retry-After, some times; each of them is recorded.

        Raises:
            BudgetExhausted: nothing was sent.
        """
        for attempt in range(1, THROTTLED_TRIES + 1):
            if self._timeouts >= MAX_TIMEOUTS:
                raise CannotJudge(f"{self._timeouts} requests got no answer in time: the rest is not waited for")
            exchange = self._send_once(wanted)
            if exchange.status != 429 or attempt == THROTTLED_TRIES:
                return exchange
            time.sleep(retry_after_s(exchange.answer_header("Retry-After"), attempt))
        raise AssertionError("unreachable")

    def _send_once(self, wanted: Wanted) -> Exchange:
        self.budget.take(upload=wanted.upload)
        with self._lock:
            self._number += 1
            number = self._number
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
        )
        try:
            self._receive(wanted, exchange, trace)
        except (httpx.HTTPError, ssl.SSLError) as error:
            exchange.failure = describe_failure(error)
            self._timeouts += isinstance(error, httpx.TimeoutException)
            exchange.status = None
        end = time.perf_counter_ns()
        exchange.clocks = Clocks(
            due, moments.get("sent", due), end, moments.get("body_sent"), moments.get("first_byte")
        )
        self._on_exchange(exchange, at)
        return exchange

    def _receive(self, wanted: Wanted, exchange: Exchange, trace: Callable[[str, Mapping[str, Any]], None]) -> None:
        deadline = time.monotonic() + self._timeout
        content = wanted.body if wanted.body or wanted.method == "POST" else None
        with self._client.stream(
            wanted.method,
            wanted.path,
            # Bytes, not text: an ill-formed header must leave as it was meant.
            headers=[(name.encode(), value.encode("latin-1", "replace")) for name, value in wanted.headers.items()],
            content=content,
            extensions={"trace": trace},
        ) as response:
            exchange.answer_headers = response.headers.multi_items()
            received = bytearray()
            for chunk in response.iter_bytes():
                received += chunk
                if len(received) > MAX_ANSWER:
                    raise httpx.ReadError(f"the answer is longer than {MAX_ANSWER} bytes")
                if time.monotonic() > deadline:
                    raise httpx.ReadTimeout(f"the answer took longer than {self._timeout:g} s")
            exchange.answer_body = bytes(received)
            exchange.status = response.status_code


def _tls(profile: Profile) -> ssl.SSLContext | bool:
    if not profile.verify_tls:
        return False
    if profile.ca_file is None:
        return True
    try:
        return ssl.create_default_context(cafile=str(profile.ca_file))
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"cannot use the CA file {profile.ca_file}: {error}") from None


def retry_after_s(value: str | None, attempt: int) -> float:
    """Seconds to wait after a 429: Retry-After in seconds or as a date (RFC 9110, 10.2.3), else 1, 2, 4 …; bounded."""
    fallback = float(2 ** (attempt - 1))
    if value is None:
        return fallback
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:6]), MAX_RETRY_AFTER_S)
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return fallback
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max((moment - datetime.now(UTC)).total_seconds(), 0.0), MAX_RETRY_AFTER_S)


def describe_failure(error: Exception) -> str:
    """Why no answer came, in a few words without addresses."""
    kinds: tuple[tuple[type[Exception], str], ...] = (
        (httpx.ConnectTimeout, "no connection within the time limit"),
        (httpx.ConnectError, "no connection"),
        (httpx.WriteTimeout, "the request was not taken within the time limit"),
        (httpx.ReadTimeout, "no whole answer within the time limit"),
        (httpx.TimeoutException, "time limit reached"),
        (httpx.RemoteProtocolError, "the answer is no well-formed HTTP"),
        (httpx.DecodingError, "the answer's Content-Encoding does not fit its body"),
        (httpx.NetworkError, "the connection broke"),
        (ssl.SSLError, "TLS failed"),
    )
    words = next((words for kind, words in kinds if isinstance(error, kind)), type(error).__name__)
    detail = str(error).splitlines()[0][:160] if str(error) else ""
    return f"{words}: {detail}" if detail else words


def unreachable(base_url: str, failure: str | None) -> CannotJudge:
    return CannotJudge(f"{base_url} cannot be reached ({failure}): check the URL, the network and that it is up")
