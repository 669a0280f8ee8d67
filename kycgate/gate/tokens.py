"""The run's tokens: asked for, told apart, and known by when they were given out."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from kycgate.contracts.flow import Endpoint
from kycgate.contracts.flows import flow
from kycgate.errors import CannotJudge, NotTheTarget
from kycgate.gate.minting import mint, optional_refused, seconds_to_expiry
from kycgate.gate.preflight import why_not
from kycgate.judging.answers import is_page, json_or_none
from kycgate.judging.ledger import Observation
from kycgate.settings.profile import Profile, Secrets
from kycgate.target.client import Wanted
from kycgate.target.exchange import Exchange
from kycgate.target.redaction import Redactor
from kycgate.target.requests import headers_of, token_body
from kycgate.target.token_command import KIND, SAME_AGAIN, ask_command


class Sender(Protocol):
    """What asking for a token needs of the gate."""

    gave_up: str

    def send(self, wanted: Wanted, judge: Callable[[Exchange], Iterator[Observation]] | None = None) -> Exchange: ...

    def observe(self, clause: str, exchange: Exchange, ok: bool, required: str, actual: str) -> None: ...

    def note(self, point: str, choice: str) -> None: ...


class Tokens:
    """All tokens of a run, from the target's own endpoint or by the profile's command. Thread-safe."""

    def __init__(self, sender: Sender, profile: Profile, secrets: Secrets, redactor: Redactor) -> None:
        self._sender = sender
        self._names = profile.environment
        self._base_url = profile.base_url or ""
        self._secrets = secrets
        self._redactor = redactor
        self._lock = threading.Lock()
        self.life_s = 0.0
        """How long the last token lives, by its own expiry."""
        self.properties: Mapping[str, object] = {}
        """What the target demands in a request for a token besides the tenant's own, as far as it was learned."""
        self._given: dict[str, tuple[int, int]] = {}
        """All that were given out, the oldest first: when each was asked for and when it came (ns)."""
        self._asked = 0
        """Requests for a token that are under way."""
        self._requests: dict[str, object] = {}
        """The requestId that a token was asked for with, by token."""

    def has_newer(self, token: str, since: int = 0) -> bool:
        """Whether another token was given out after this one, and after `since` (ns): a vendor may end the oldest."""
        with self._lock:
            if token not in self._given:
                return False
            since = max(since, self._given[token][0])
            # One that is asked for now may have ended it already, before its answer is read.
            return self._asked > 0 or any(came > since for other, (_, came) in self._given.items() if other != token)

    def mint(self) -> str:
        """A fresh token, from the target or by the profile's command.

        Raises:
            CannotJudge: none came.
        """
        if self._secrets.command:
            return self._by_command()
        minted = mint(lambda properties: self.request(properties=properties), self.properties)
        if minted.exchange.status is not None and minted.exchange.status >= 500:
            # It is counted as what it is. That the target is not up, a second one says.
            minted = mint(lambda properties: self.request(properties=properties), self.properties)
        self.properties, exchange = minted.properties, minted.exchange
        if minted.refused is not None:
            refusal = optional_refused(minted.refused)
            self._sender.observe(refusal.clause, minted.refused, refusal.ok, refusal.required, refusal.actual)
        if minted.token is not None:
            return minted.token
        if exchange.status in (400, 401, 403) and not is_page(exchange):
            names = self._names
            raise CannotJudge(
                f"the target gave no token (status {exchange.status}): check {names.tenant_id} and "
                f"{names.tenant_secret}"
            )
        raise why_not(exchange, self._base_url, "a request for a token")

    def _by_command(self) -> str:
        if self._sender.gave_up:
            raise CannotJudge(self._sender.gave_up)
        asked = time.perf_counter_ns()
        try:
            token = ask_command(self._secrets.command, self._secrets.command_timeout_s)
        except NotTheTarget as error:
            # Each later session would wait for it as long.
            self._sender.gave_up = str(error)
            raise
        self._redactor.add_secret(token, "KYCGATE_TOKEN")
        with self._lock:
            again = token in self._given
            self._given.setdefault(token, (asked, time.perf_counter_ns()))
        if again:
            self._sender.gave_up = SAME_AGAIN
            raise NotTheTarget(SAME_AGAIN, KIND)
        return token

    def body(self, properties: Mapping[str, object]) -> bytes:
        """The body of a request for a token; `properties` replace those of the legal one."""
        secret = self._secrets.tenant_secret
        return token_body(self._secrets.tenant_id, secret.get_secret_value() if secret else None, properties)

    def request(
        self,
        endpoint: Endpoint | None = None,
        judge: Callable[[Exchange], Iterator[Observation]] | None = None,
        intent: str = "legal",
        properties: Mapping[str, object] | None = None,
        raw: bytes | None = None,
        odd: bool = False,
        language: str = "",
    ) -> Exchange:
        """Ask for a token; `properties` replace those of the legal request, and `...` leaves one out.

        With `odd` it is a request that earns none. A phone may have a `language`.
        """
        endpoint = endpoint or flow().token
        body = self.body(properties or {}) if raw is None else raw
        headers = headers_of(body) | ({"Accept-Language": language} if language else {})
        wanted = Wanted(endpoint.id, "POST", endpoint.path, headers, body, intent=intent, turn="", odd=odd)
        with self._lock:
            self._asked += 1
        try:
            exchange = self._sender.send(wanted, judge)
            self._note(exchange, (properties or {}).get("requestId"))
        finally:
            with self._lock:
                self._asked -= 1
        return exchange

    def _note(self, exchange: Exchange, request: object) -> None:
        value = json_or_none(exchange)
        if isinstance(value, dict) and isinstance(value.get("token"), str):
            self.life_s = seconds_to_expiry(value, exchange.answer_header("Date")) or self.life_s
            with self._lock:
                new = value["token"] not in self._given
                # A request that is resumed is one session, and may have one token.
                resumed = isinstance(request, str) and request != "" and self._requests.get(value["token"]) == request
                self._requests.setdefault(value["token"], request)
                self._given.setdefault(value["token"], (exchange.clocks.sent, exchange.clocks.last_byte))
            self._sender.observe(
                "token.distinct", exchange, new or resumed, "a token of its own for each call", "the same token again"
            )
            jwt = value["token"].count(".") == 2 and value["token"].startswith("eyJ")
            self._sender.note("token-form", "a JWT" if jwt else "opaque")
