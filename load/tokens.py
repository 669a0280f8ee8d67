"""Credentials of the virtual people: fixed keys, or a pool of tokens minted outside the timed part."""

import ssl
import time
from collections import deque
from collections.abc import Callable, Mapping

import gevent

from kycgate.contracts.flows import flow
from kycgate.errors import NotTheTarget
from kycgate.gate.minting import Minted, mint, optional_refused, seconds_to_expiry
from kycgate.judging.answers import json_or_none
from kycgate.judging.ledger import Observation
from kycgate.load.client import Connection, NoAnswer, OwnFault
from kycgate.load.plan import LoadPlan
from kycgate.load.verdicts import AnswerJudge
from kycgate.target.client import THROTTLED_TRIES, retry_after_s
from kycgate.target.exchange import Exchange
from kycgate.target.requests import headers_of, token_body
from kycgate.target.token_command import SAME_AGAIN, ask_command

MINTERS = 8
SPARE_LIFE_S = 30.0
"""A token that would die sooner than this is not handed out: an onboarding takes some seconds."""
AHEAD = 200
MOST_FAILURES = MINTERS
"""Requests for tokens that may fail before the first one succeeds."""
PAUSE_S = 0.5
"""After a request for a token that failed."""
MOST_KNOWN = 100_000
"""Tokens that are remembered to see that no two are the same."""


def ask_for_token(
    connection: Connection, plan: LoadPlan, properties: Mapping[str, object], sent: Callable[[Exchange], None]
) -> Minted:
    """Mint as the check does; each exchange is handed to `sent`."""

    def ask(more: Mapping[str, object]) -> Exchange:
        body = token_body(plan.tenant_id, plan.tenant_secret, more)
        exchange = connection.ask(flow().token.id, flow().token.path, headers_of(body), body, time.perf_counter_ns())
        sent(exchange)
        return exchange

    return mint(ask, properties)


def token_by_command(plan: LoadPlan) -> str:
    """A token by the plan's command.

    Raises:
        OwnFault: it gives none.
    """
    try:
        return ask_command(plan.token_command, plan.token_command_s)
    except NotTheTarget as error:
        raise OwnFault(str(error)) from None


def why_no_token(exchange: Exchange) -> str:
    """In words, of a request for a token that brought none."""
    if exchange.status is None:
        # Its kind alone: the rest is what the target wrote.
        return (exchange.failure or "no answer").partition(":")[0]
    return f"the target gave no token (status {exchange.status})"


def _refused(exchange: Exchange) -> Observation:
    return Observation("token.issued", False, "a token for tenant id and secret", f"status {exchange.status}")


class Credentials:
    """One for each session: a fixed key goes from person to person, a token serves once."""

    def __init__(self, plan: LoadPlan, tls: ssl.SSLContext | None, judge: AnswerJudge) -> None:
        self._plan, self._tls, self._judge = plan, tls, judge
        self._properties: Mapping[str, object] = plan.token_properties
        self._known: dict[str, None] = {}
        self.shared: set[str] = set()
        """Tokens that came more than once: whose sessions cannot be told apart."""
        self.failed = 0
        """Requests for tokens that brought none."""
        self.fixed = plan.tenant_id is None and not plan.token_command
        self._keys = deque(plan.api_keys)
        self._tokens: deque[tuple[str, float]] = deque()
        self._kept = self._wanted = 0
        self._next_at = 0.0
        """Before this moment the token endpoint is left alone: it asked for it."""
        self.asked = 0
        """Requests for tokens that were sent."""
        self.may_ask: Callable[[], bool] = lambda: True
        self.closed = False
        self.own_fault = ""
        """Why this machine can mint no more; empty while it can."""

    def fill(self, count: int) -> None:
        """Mint `count` tokens now, at most `AHEAD` of them; the rest follow while the run goes on.

        Raises:
            NoAnswer: the target gives none.
            OwnFault: this machine cannot ask for them.
        """
        if self.fixed:
            return
        first = min(count, AHEAD)
        self._wanted = count - first
        left = deque(range(first))
        give_up = time.monotonic() + self._plan.timeout_s

        def some() -> None:
            connection = self._connection()
            while left and self.may_ask():
                left.pop()
                failed = self._add(connection)
                if failed is None:
                    continue
                hopeless = failed.status == 429 or self.failed >= MOST_FAILURES or time.monotonic() > give_up
                if not self._tokens:
                    if hopeless:
                        raise NoAnswer(why_no_token(failed))
                    left.append(0)
                gevent.sleep(PAUSE_S / 10)
            connection.close()

        gevent.joinall([gevent.spawn(some) for _ in range(min(MINTERS, first))], raise_error=True)
        # What failed is asked for again while the run goes on.
        self._wanted += first - len(self._tokens)
        self._kept = first

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
                failed = self._add(connection)
            except OwnFault as error:
                self.own_fault = str(error)
                return
            if failed is not None:
                self._wanted += 1
                gevent.sleep(PAUSE_S)
        connection.close()

    def _connection(self) -> Connection:
        return Connection(self._plan.base_url, self._plan.timeout_s, self._tls, self._plan.route)

    def _add(self, connection: Connection) -> Exchange | None:
        """Mint one; None when that succeeded, else the exchange that brought no token.

        Raises:
            OwnFault: this machine, or the command that prints tokens, gives none.
        """
        if self._plan.token_command:
            printed = token_by_command(self._plan)
            if not self._distinct(printed).ok:
                raise OwnFault(SAME_AGAIN)
            self._tokens.append((printed, float("inf")))
            return None
        for attempt in range(1, THROTTLED_TRIES + 1):
            while (wait := self._next_at - time.monotonic()) > 0 and not self.closed:
                gevent.sleep(min(wait, 0.5))
            minted = ask_for_token(connection, self._plan, self._properties, self._sent)
            exchange = minted.exchange
            if exchange.status != 429 or self.closed:
                break
            # All who mint wait, not this one alone.
            pause = retry_after_s(exchange.answer_header("Retry-After"), attempt)
            self._next_at = max(self._next_at, time.monotonic() + pause)
        self._properties = minted.properties
        if minted.refused is not None:
            self._judge.judge(minted.refused, further=[optional_refused(minted.refused)])
        token, status = minted.token, exchange.status
        if token is None:
            self.failed += 1
            refused = status is not None and 400 <= status < 500 and status != 429
            self._judge.judge(exchange, further=[_refused(exchange)] if refused else [])
            return exchange
        self._judge.judge(exchange, further=[self._distinct(token)])
        life = seconds_to_expiry(json_or_none(exchange), exchange.answer_header("Date")) or float("inf")
        # Naive or skewed clocks may make a good token look dead: only a plausible life counts.
        self._tokens.append((token, time.monotonic() + (life if life > 2 * SPARE_LIFE_S else float("inf"))))
        return None

    def _sent(self, exchange: Exchange) -> None:
        self.asked += 1

    def _distinct(self, token: str) -> Observation:
        new = token not in self._known
        self._known[token] = None
        if not new:
            self.shared.add(token)
        if len(self._known) > MOST_KNOWN:
            del self._known[next(iter(self._known))]
        return Observation("token.distinct", new, "a token of its own for each call", "the same token again")

    def take(self) -> str:
        """A credential that is not in use; waits for one (the wait is part of a response time)."""
        while True:
            if self.fixed and self._keys:
                return self._keys.popleft()
            if not self.fixed and self._tokens:
                return self._tokens.popleft()[0]
            gevent.sleep(0.005)

    def give_back(self, credential: str) -> None:
        if self.fixed:
            self._keys.append(credential)
