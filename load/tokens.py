"""Credentials of the virtual people: fixed keys, or a pool of tokens minted outside the timed part."""

import json
import ssl
import time
from collections import deque
from collections.abc import Callable

import gevent

from kycgate.contracts.endpoints import TOKEN
from kycgate.gate.gate import seconds_to_expiry
from kycgate.load.client import Connection, NoAnswer
from kycgate.load.plan import LoadPlan
from kycgate.target.client import retry_after_s
from kycgate.target.exchange import header_of
from kycgate.target.requests import CLIENT_HEADERS, to_json

MINTERS = 8
SPARE_LIFE_S = 30.0
"""A token that would die sooner than this is not handed out: an onboarding takes some seconds."""
AHEAD = 200
THROTTLED_TRIES = 5


class Throttled(NoAnswer):
    """The token endpoint asks for patience (429)."""

    def __init__(self, wait_s: float) -> None:
        super().__init__("the target gave no token (status 429)")
        self.wait_s = wait_s


def mint(connection: Connection, plan: LoadPlan) -> tuple[str, float]:
    """A token for one session, and the seconds it lives (infinite when its expiry cannot be read).

    Raises:
        Throttled: the target said 429.
        NoAnswer: none came.
    """
    body = to_json({"tenantId": plan.tenant_id, "tenantSecret": plan.tenant_secret, "kycRequestTypeId": "1"})
    headers = {**CLIENT_HEADERS, "Content-Type": "application/json"}
    status, answered, answer, _ = connection.post(TOKEN.path, headers, body, time.perf_counter_ns())
    if status == 429:
        raise Throttled(retry_after_s(header_of(answered, "Retry-After"), 1))
    try:
        value = json.loads(answer)
        return str(value["token"]), seconds_to_expiry(value) or float("inf")
    except (ValueError, KeyError, TypeError):
        raise NoAnswer(f"the target gave no token (status {status})") from None


class Credentials:
    """One for each session: a fixed key goes from person to person, a token serves once."""

    def __init__(self, plan: LoadPlan, tls: ssl.SSLContext | None) -> None:
        self._plan, self._tls = plan, tls
        self.fixed = plan.tenant_id is None
        self._keys = deque(plan.api_keys)
        self._tokens: deque[tuple[str, float]] = deque()
        self._kept = self._wanted = 0
        self._next_at = 0.0
        """Before this moment the token endpoint is left alone: it asked for it."""
        self.asked = 0
        """Requests for tokens that were sent."""
        self.may_ask: Callable[[], bool] = lambda: True
        self.closed = False

    def fill(self, count: int) -> None:
        """Mint `count` tokens now, at most `AHEAD` of them; the rest follow while the run goes on.

        Raises:
            NoAnswer: the target gives none.
        """
        if self.fixed:
            return
        first = min(count, AHEAD)
        self._wanted = count - first
        left = deque(range(first))

        def some() -> None:
            connection = self._connection()
            while left and self.may_ask():
                left.pop()
                self._add(connection)
            connection.close()

        gevent.joinall([gevent.spawn(some) for _ in range(MINTERS)], raise_error=True)
        self._kept = len(self._tokens)

    def refill(self) -> None:
        """Keep as many in store as there were at the start, young enough, until no more are wanted."""
        if not self.fixed:
            gevent.joinall([gevent.spawn(self._refill) for _ in range(MINTERS)])

    def _refill(self) -> None:
        connection = self._connection()
        while not self.closed:
            while self._tokens and self._tokens[0][1] < time.monotonic() + SPARE_LIFE_S:
                self._tokens.popleft()
                self._wanted += 1
            if len(self._tokens) >= self._kept or self._wanted <= 0 or not self.may_ask():
                gevent.sleep(0.05)
                continue
            self._wanted -= 1
            try:
                self._add(connection)
            except NoAnswer:
                self._wanted += 1
                gevent.sleep(0.5)
        connection.close()

    def _connection(self) -> Connection:
        return Connection(self._plan.base_url, self._plan.timeout_s, self._tls)

    def _add(self, connection: Connection) -> None:
        for attempt in range(1, THROTTLED_TRIES + 1):
            while (wait := self._next_at - time.monotonic()) > 0 and not self.closed:
                gevent.sleep(min(wait, 0.5))
            self.asked += 1
            try:
                token, life = mint(connection, self._plan)
                break
            except Throttled as error:
                # All who mint wait, not this one alone.
                self._next_at = max(self._next_at, time.monotonic() + error.wait_s)
                if attempt == THROTTLED_TRIES or self.closed:
                    raise
        # Naive or skewed clocks may make a good token look dead: only a plausible life counts.
        self._tokens.append((token, time.monotonic() + (life if life > 2 * SPARE_LIFE_S else float("inf"))))

    def take(self) -> str:
        """A credential that nobody uses; waits for one (the wait is part of a response time)."""
        while True:
            if self.fixed and self._keys:
                return self._keys.popleft()
            if not self.fixed and self._tokens:
                return self._tokens.popleft()[0]
            gevent.sleep(0.005)

    def give_back(self, credential: str) -> None:
        if self.fixed:
            self._keys.append(credential)
