"""The gate: one target, its sessions, and the ledger of what was learned.

Each exchange goes through `Gate.send`: it is recorded, judged by itself, judged with what came before, and judged for
the promise behind its request. No test judges an answer by itself.
"""

import contextlib
import math
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import takewhile

from kycgate.contracts.flow import Endpoint
from kycgate.contracts.flows import flow
from kycgate.errors import CannotJudge, NotTheTarget
from kycgate.files import no_links
from kycgate.gate.minting import mint, optional_refused, seconds_to_expiry
from kycgate.gate.session import REGISTERED, Credential, Dress, Session
from kycgate.judging.answers import (
    accepted,
    already_registered,
    customer_data,
    failed,
    is_evidence,
    is_firewall,
    is_page,
    json_or_none,
)
from kycgate.judging.behaviour import Behaviour
from kycgate.judging.connections import ANY_CONNECTION, Connections
from kycgate.judging.contradictions import Memory
from kycgate.judging.ledger import Ledger, Observation
from kycgate.judging.shape import judge_answer
from kycgate.runs.clause import Verdict
from kycgate.runs.folder import RunFolder
from kycgate.settings.profile import Profile, Secrets
from kycgate.specimens.deck import Card, Cards
from kycgate.specimens.forms import FORMS, TURNED
from kycgate.target.budget import Budget
from kycgate.target.client import Target, Wanted, unreachable
from kycgate.target.curl import curl_for
from kycgate.target.exchange import EARLIER_FLOW, Exchange, RecordedExchange
from kycgate.target.oauth import TOKEN_NAME
from kycgate.target.redaction import Redactor
from kycgate.target.requests import CLIENT_HEADERS, Outcome, Variation, token_body
from kycgate.target.token_command import KIND, SAME_AGAIN, ask_command

_FIRST_DRESSED = 8
"""The number of the first session that goes about its steps in another way: those before it are as plain as can be."""
_FORMS_TRIED = 3
"""Pictures in other forms that may be refused before the target counts as one that reads only the cards it knows."""
GONE_AFTER = 3
"""Unanswered requests in a row at the end of a run from which the target counts as gone, not as flaky."""
DEFAULT_JOBS = 4
"""Tests that a check runs at once, where nothing else is said and the credentials allow it."""
_EXPLAINED_OTHERWISE = frozenset({None, *range(300, 400), 400, 401, 403, 404, 407, 429, 502, 503, 504})
"""Statuses of a first answer that a proxy, a wrong URL, wrong credentials or cards explain as well."""


class Gate:
    """Everything a contract test needs. Thread-safe where tests send from several threads."""

    def __init__(
        self,
        profile: Profile,
        secrets: Secrets,
        *,
        seed: int,
        folder: RunFolder | None = None,
        expired_token: str | None = None,
        time_s: float | None = None,
    ) -> None:
        self.profile = profile
        self.seed = seed
        self.rng = random.Random(seed)
        self.redactor = Redactor()
        self.ledger = Ledger(self.redactor.sentence, lambda exchange: curl_for(exchange, self.target.route))
        self.behaviour = Behaviour(self.redactor)
        self.memory = Memory(profile.translation)
        self.cards = Cards(seed, profile.specimens)
        limits = profile.limits
        self.budget = Budget(limits.requests, limits.uploads, limits.rate, time_s or limits.time_s or math.inf)
        self.target = Target(profile, self.budget, self._on_exchange)
        self.scheme = profile.auth_scheme
        self.expired_token = expired_token
        self._secrets = secrets
        self._folder = folder
        self._lock = threading.Lock()
        self._freed = threading.Condition()
        """Of the fixed keys: who holds one, and that one has become free."""
        self._learning = threading.RLock()
        """Held while it is learned what a fixed key does after a completed flow."""
        self._made_at = time.monotonic()
        self.token_life_s = 0.0
        """How long the last token lives, by its own expiry."""
        self.token_properties: Mapping[str, object] = {}
        """What the target demands in a request for a token besides the tenant's own, as far as it was learned."""
        self._tokens: dict[str, tuple[int, int]] = {}
        """All that were given out, the oldest first: when each was asked for and when it came (ns)."""
        self._asked = 0
        """Requests for a token that are under way."""
        self.first_session: Session | None = None
        """The preflight's: its token is the run's oldest."""
        self._held: list[tuple[list[Observation], Exchange]] | None = None
        """While it is unknown whether the vendor answers at all: what is not yet counted."""
        self._unanswered: list[tuple[list[Observation], Exchange]] = []
        """Unanswered exchanges: breaches of answer.in-time once a later request is answered, else it is gone."""
        self._went_away = ""
        self._by_number: dict[int, RecordedExchange] = {}
        self._sessions = 0
        self._forms_read = self._forms_refused = 0
        self._suspected: list[tuple[str, str, Exchange, str]] = []
        self._connections = Connections()
        self._keys = [key.get_secret_value() for key in secrets.api_keys]
        self._key_sessions: dict[str, Session] = {}
        self._spent_keys: set[str] = set()
        self._busy_keys: set[str] = set()
        self._keys_reopen: bool | None = None
        """Whether UploadFront opens a new flow after a fixed key's completed one; None until it was seen."""
        # Open as long as the gate is.
        sink = folder and open(folder.exchanges_path, "a", encoding="utf-8", opener=no_links)  # noqa: SIM115
        self._sink = sink or None
        for name, value in self.target.route.secrets().items():
            self.redactor.add_secret(value, name)
        if self.target.route.gateway is not None:
            self.target.route.gateway.on_token = lambda token: self.redactor.add_secret(token, TOKEN_NAME)
        for number, key in enumerate(self._keys, 1):
            self.redactor.add_secret(key, f"KYCGATE_API_KEY_{number}")
        if secrets.tenant_secret is not None and secrets.tenant_id is not None:
            self.redactor.add_secret(secrets.tenant_secret.get_secret_value(), profile.environment.tenant_secret)
            self.redactor.add_secret(secrets.tenant_id, profile.environment.tenant_id)
        if expired_token:
            self.redactor.add_secret(expired_token, "EXPIRED_TOKEN")

    def close(self) -> None:
        self.target.close()
        if self._sink is not None:
            with contextlib.suppress(OSError):
                self._sink.close()

    @property
    def recorded(self) -> list[RecordedExchange]:
        """Every exchange until now, redacted."""
        with self._lock:
            return list(self._by_number.values())

    @property
    def translation(self) -> str:
        """on, off, or auto while nothing has been read yet."""
        return self.memory.translation

    @property
    def gave_up(self) -> str:
        """Why nothing more is sent to this target, whatever the budget; empty while something is."""
        return self.target.gave_up

    @gave_up.setter
    def gave_up(self, reason: str) -> None:
        self.target.gave_up = reason

    @property
    def mints_tokens(self) -> bool:
        return self._secrets.mints

    @property
    def has_tenant(self) -> bool:
        """Whether tokens come from the target's own endpoint."""
        return self._secrets.tenant_id is not None

    @property
    def tenant_secret(self) -> str:
        """Empty when fixed keys are used."""
        return self._secrets.tenant_secret.get_secret_value() if self._secrets.tenant_secret else ""

    @property
    def age_s(self) -> float:
        """Seconds since the gate was made."""
        return time.monotonic() - self._made_at

    @property
    def concurrent_sessions(self) -> int:
        """How many sessions can be had at once."""
        return 1_000 if self.mints_tokens else len(self._keys) - len(self._spent_keys)

    @property
    def jobs(self) -> int:
        """How many tests may run at once: what the profile says, and not more than there are fixed keys."""
        wanted = self.profile.limits.jobs or DEFAULT_JOBS
        return wanted if self.mints_tokens else min(wanted, max(self.concurrent_sessions, 1))

    def send(self, wanted: Wanted, judge: Callable[[Exchange], Iterator[Observation]] | None = None) -> Exchange:
        """Send, record, judge."""
        exchange = self.target.send(wanted)
        recorded = self._by_number[exchange.number]
        observations = [*judge_answer(exchange), *self.memory.judge(exchange)]
        promised = [*judge(exchange)] if judge else []
        if is_evidence(exchange):
            observations += promised
        else:
            self._touch(exchange, (seen.clause for seen in promised))
        if exchange.status is not None:
            self._enter_unanswered(before=exchange.clocks.sent)
        if self._held is not None and (exchange.status in _EXPLAINED_OTHERWISE or is_page(exchange)):
            self._held.append((observations, exchange))
        elif exchange.nobody or exchange.hung_up:
            with self._lock:
                self._unanswered.append((observations, exchange))
        else:
            self.ledger.add(observations, exchange, recorded)
        self._note_choices(exchange)
        with self._lock:
            went_on = self._connections.note(exchange)
        if went_on:
            self.ledger.add([Observation(ANY_CONNECTION, True)], exchange, recorded)
        self.behaviour.note(exchange, self.memory.truth(exchange.picture.card) if exchange.picture else {})
        return exchange

    def _enter_unanswered(self, *, before: float = math.inf) -> None:
        """Enter the unanswered exchanges from before that moment, on the monotonic clock."""
        with self._lock:
            entered = [held for held in self._unanswered if held[1].clocks.last_byte <= before]
            self._unanswered = [held for held in self._unanswered if held[1].clocks.last_byte > before]
        for observations, exchange in entered:
            self.ledger.add(observations, exchange, self._by_number[exchange.number])

    def judge_whole_run(self) -> None:
        """Enter what only the whole run shows: once, when the tests are over."""
        self.ledger.add([*self.memory.always_wrong()], None, None)
        broken = {result.id for result in self.ledger.results() if result.verdict is Verdict.BROKEN}
        for clause, own, exchange, came in self._suspected:
            accused = own if own in broken else clause
            self.observe(accused, exchange, False, "accepted in its turn, as in other sessions", came)
        refused = self._connections.refused_elsewhere({exchange.number for _, _, exchange, _ in self._suspected})
        self.ledger.put_down_to(ANY_CONNECTION, refused, "accepted over another connection, as over the first")
        self._suspected = []

    def suspect(self, clause: str, own: str, exchange: Exchange, came: str) -> None:
        """A step was refused in a session that went about it in another way: `clause` says what may not matter."""
        with self._lock:
            self._suspected.append((clause, own, exchange, came))

    def settle(self) -> str:
        """Nothing more is sent for now: since when there was no answer, in one line; empty when there was one.

        A target that fails now and then breaks its promise. One that has gone away could not be judged to the end.
        """
        with self._lock:
            held = sorted((exchange for _, exchange in self._unanswered), key=lambda exchange: exchange.clocks.sent)
        hung_up = [*takewhile(lambda exchange: not exchange.nobody, held)]
        gone = held[len(hung_up) :]
        if len(gone) >= GONE_AFTER and all(exchange.nobody for exchange in gone):
            first = self._by_number[gone[0].number]
            self._went_away = (
                f"no answer since {first.at[11:19]} UTC (request {first.number}, {first.endpoint}): "
                f"{first.failure}, {len(gone)} requests in a row"
            )
            self.ledger.unclear("answer.in-time", self._went_away)
            # Requests in flight during a shutdown were dropped by it; they are no breach.
            since = hung_up[-1].clocks.sent if hung_up else gone[0].clocks.sent
            self._enter_unanswered(before=since)
            self._unanswered = []
        self._enter_unanswered()
        return self._went_away

    def observe(
        self, clause: str, exchange: Exchange, ok: bool, required: str, actual: str, *, because: str = ""
    ) -> None:
        """Enter what a test alone can see of an exchange."""
        if not is_evidence(exchange):
            self._touch(exchange, [clause])
            return
        if exchange.excused:
            self.ledger.unclear(clause, exchange.excused)
            return
        if not ok and already_registered(exchange):
            self.ledger.unclear(clause, REGISTERED)
            return
        recorded = self._by_number.get(exchange.number)
        self.ledger.add([Observation(clause, ok, required, actual, because=because)], exchange, recorded)

    def _touch(self, exchange: Exchange, clauses: Iterable[str]) -> None:
        """A failed answer is listed under what it breaks, and judges nothing else."""
        if exchange.status != 429:
            self.ledger.touch(failed(exchange), clauses)

    def show(self, card: Card) -> None:
        """`card` is about to be shown: what is printed on it is personal from now on."""
        self.memory.show(card.id, card.truth)
        self.redactor.add_reading(card.truth)

    def note_form(self, form: str, exchange: Exchange) -> None:
        """Record what became of a picture in another form; where none is read at first, no more are shown."""
        read = accepted(exchange)
        self.ledger.open_point("picture-forms", f"{form}: {'read' if read else 'refused'}")
        if form == TURNED and read:
            self.observe("image.turned", exchange, True, "read, as its tag says how to turn it", "read")
        elif form == TURNED:
            # Decided at the end of the run: a step that is refused whatever is shown is another cause.
            self.suspect("image.turned", "upload.accepted", exchange, "refused, though its tag says how to turn it")
        with self._lock:
            self._forms_read += read
            self._forms_refused += not read

    def _dress(self) -> Dress:
        """What the next session wears: from the sixth on, each second and third one something, forms in turn."""
        number = self._sessions
        if not self.mints_tokens or number < _FIRST_DRESSED:
            return Dress()
        names = list(FORMS)
        shows = self._forms_read or self._forms_refused < _FORMS_TRIED
        forms = [names[number % len(names)], names[(5 * number + 3) % len(names)]] if shows else []
        return Dress(fresh=number % 3 == 1, gzip=number % 2 == 1, forms=forms)

    def note(self, point: str, choice: str) -> None:
        """What the target chose where the sources leave room."""
        self.ledger.open_point(point, choice)

    def has_newer(self, token: str, since: int = 0) -> bool:
        """Whether another token was given out after this one, and after `since` (ns): a vendor may end the oldest."""
        with self._lock:
            if token not in self._tokens:
                return False
            since = max(since, self._tokens[token][0])
            # One that is asked for now may have ended it already, before its answer is read.
            return self._asked > 0 or any(came > since for other, (_, came) in self._tokens.items() if other != token)

    def enter(self, exchange: Exchange, observations: Iterable[Observation]) -> None:
        """Enter what is known of an exchange only now, as later ones have shown it."""
        exchange.excused = ""
        self.ledger.add([*observations], exchange, self._by_number[exchange.number])

    # Sessions

    def session_with(self, token: str) -> Session:
        """A session of a token that was minted apart."""
        return self._new_session(Credential(token, "bearer" if self.scheme == "auto" else self.scheme), None)

    def session(self, card: Card | None = None, *, wait: bool = False) -> Session:
        """A session in which nothing was done yet; with `wait`, a fixed key that another test uses is waited for.

        Raises:
            CannotJudge: no token could be minted, or the fixed keys are used up.
        """
        if self.mints_tokens:
            credential = Credential(self.mint(), "bearer" if self.scheme == "auto" else self.scheme)
            return self._new_session(credential, card)
        return self._session_of_key(card, wait=wait)

    def release(self, session: Session) -> None:
        """The test is over: its key is free, and its card may be shown again unless the target knows its person now."""
        with self._freed:
            self._busy_keys.discard(session.credential.value)
            self._freed.notify_all()
        if not session.completed_once and not session.registered:
            self.cards.give_back(session.card)

    def mint(self) -> str:
        """A fresh token, from the target or by the profile's command.

        Raises:
            CannotJudge: none came.
        """
        if self._secrets.command:
            return self._by_command()
        minted = mint(lambda properties: self.request_token(properties=properties), self.token_properties)
        if minted.exchange.status is not None and minted.exchange.status >= 500:
            # It is counted as what it is. That the target is not up, a second one says.
            minted = mint(lambda properties: self.request_token(properties=properties), self.token_properties)
        self.token_properties, exchange = minted.properties, minted.exchange
        if minted.refused is not None:
            refusal = optional_refused(minted.refused)
            self.observe(refusal.clause, minted.refused, refusal.ok, refusal.required, refusal.actual)
        if minted.token is not None:
            return minted.token
        if exchange.status in (400, 401, 403) and not is_page(exchange):
            names = self.profile.environment
            raise CannotJudge(
                f"the target gave no token (status {exchange.status}): check {names.tenant_id} and "
                f"{names.tenant_secret}"
            )
        raise why_not(exchange, self.target.base_url, "a request for a token")

    def _by_command(self) -> str:
        if self.gave_up:
            raise CannotJudge(self.gave_up)
        asked = time.perf_counter_ns()
        try:
            token = ask_command(self._secrets.command, self._secrets.command_timeout_s)
        except NotTheTarget as error:
            # Each later session would wait for it as long.
            self.gave_up = str(error)
            raise
        self.redactor.add_secret(token, "KYCGATE_TOKEN")
        with self._lock:
            again = token in self._tokens
            self._tokens.setdefault(token, (asked, time.perf_counter_ns()))
        if again:
            self.gave_up = SAME_AGAIN
            raise NotTheTarget(SAME_AGAIN, KIND)
        return token

    def request_token(
        self,
        endpoint: Endpoint | None = None,
        judge: Callable[[Exchange], Iterator[Observation]] | None = None,
        intent: str = "legal",
        properties: Mapping[str, object] | None = None,
        raw: bytes | None = None,
    ) -> Exchange:
        """Ask for a token; `properties` replace those of the legal request, and `...` leaves one out."""
        endpoint = endpoint or flow().token
        secret = self._secrets.tenant_secret
        body = token_body(self._secrets.tenant_id, secret.get_secret_value() if secret else None, properties or {})
        headers = {**CLIENT_HEADERS, "Content-Type": "application/json"}
        wanted = Wanted(
            endpoint.id, "POST", endpoint.path, headers, body if raw is None else raw, intent=intent, turn=""
        )
        with self._lock:
            self._asked += 1
        try:
            exchange = self.send(wanted, judge)
            self._note_token(exchange)
        finally:
            with self._lock:
                self._asked -= 1
        return exchange

    def _note_token(self, exchange: Exchange) -> None:
        value = json_or_none(exchange)
        if isinstance(value, dict) and isinstance(value.get("token"), str):
            self.token_life_s = seconds_to_expiry(value, exchange.answer_header("Date")) or self.token_life_s
            with self._lock:
                new = value["token"] not in self._tokens
                self._tokens.setdefault(value["token"], (exchange.clocks.sent, exchange.clocks.last_byte))
            self.observe("token.distinct", exchange, new, "a token of its own for each call", "the same token again")
            jwt = value["token"].count(".") == 2 and value["token"].startswith("eyJ")
            self.ledger.open_point("token-form", "a JWT" if jwt else "opaque")

    def _new_session(self, credential: Credential, card: Card | None) -> Session:
        with self._lock:
            self._sessions += 1
            label = f"s{self._sessions}"
        return Session(self, label, credential, card or self.cards.take(), self._dress())

    def _session_of_key(self, card: Card | None, *, wait: bool) -> Session:
        """A fixed key in a state that is known.

        Where a key opens a new flow after a completed one, its earlier flow is brought to its end first, so that
        nothing is left of it. Where it does not, each key serves one flow.
        """
        while (key := self._claim(wait=wait)) is not None:
            credential = Credential(key, "bearer" if self.scheme == "auto" else self.scheme, fixed=True)
            last = self._key_sessions.get(key)
            session: Session | None = None
            try:
                if self._keys_reopen is not False:
                    clean = (last is not None and last.state.complete) or self._complete_key(credential)
                    if clean and self._reopens(credential):
                        session = self._new_session(credential, card)
                elif last is None:
                    session = self._first_flow(credential, card)
            except BaseException:
                with self._freed:
                    self._busy_keys.discard(key)
                    self._freed.notify_all()
                raise
            if session is not None:
                self._key_sessions[key] = session
                return session
            with self._freed:
                self._busy_keys.discard(key)
                self._spent_keys.add(key)
                self._freed.notify_all()
        spent = f"{len(self._spent_keys)} of {len(self._keys)} fixed keys take no new flow, and the rest are busy"
        raise CannotJudge(f"{spent}: give more keys, or a tenant that mints tokens")

    def _claim(self, *, wait: bool) -> str | None:
        """A key that no session uses, which is busy from now on; None when there is none (or, waiting, will be)."""
        with self._freed:
            while True:
                usable = [key for key in self._keys if key not in self._spent_keys]
                free = next((key for key in usable if key not in self._busy_keys), None)
                if free is not None:
                    self._busy_keys.add(free)
                if free is not None or not usable or not wait:
                    return free
                self._freed.wait()

    def _first_flow(self, credential: Credential, card: Card | None) -> Session | None:
        """The session of a key that takes one flow alone, its front uploaded; None when it was used before.

        A step that is taken before the front shows a flow that was left halfway: nothing is known of its
        state. One that is refused, where the front then is taken, was refused for its order.
        """
        anyhow = Variation(EARLIER_FLOW, Outcome.ANY, by_chance=True)
        session = self._new_session(credential, card)
        # Now and then an approval too: all that such keys can show of its order.
        first = flow().first
        early = [edge for edge in flow().edges if edge.first == first][: 1 + len(self._key_sessions) % 2]
        refused: list[tuple[str, Exchange]] = []
        for edge in early:
            exchange = session.do(edge.then, anyhow)
            if accepted(exchange):
                return None
            refused.append((edge.clause, exchange))
        if not accepted(session.do(flow().first, anyhow)):
            return None
        for clause, exchange in refused:
            self.observe(clause, exchange, True, "refused before the front", f"status {exchange.status}")
        session.state = flow().state_after([flow().first])
        return session

    def _complete_key(self, credential: Credential) -> bool:
        """Bring a key's unknown or unfinished flow to its end; False when it takes no new flow."""
        session = self._new_session(credential, None)
        anyhow = Variation(EARLIER_FLOW, Outcome.ANY, by_chance=True)
        if not accepted(session.do(flow().first, anyhow)):
            for step in flow().steps[1:]:
                session.do(step, anyhow)
            # This person is registered now: use a new card.
            session.card = self.cards.take()
            if not accepted(session.do(flow().first, anyhow)):
                return False
        session.state = flow().state_after([flow().first])
        return all(accepted(session.do(step, anyhow)) for step in flow().steps[1:])

    def _reopens(self, credential: Credential) -> bool:
        """Whether a new flow can begin after the completed one of this key; learned once, and recorded."""
        with self._learning:
            if self._keys_reopen is not None:
                return self._keys_reopen
            anyhow = Variation(EARLIER_FLOW, Outcome.ANY, by_chance=True)
            self._keys_reopen = accepted(self._new_session(credential, None).do(flow().first, anyhow))
            self.ledger.open_point("key-after-completion", "opens a new flow" if self._keys_reopen else "refused")
            if self._keys_reopen:
                return self._complete_key(credential)
        return self._keys_reopen

    # Learning

    def preflight(self) -> None:
        """Learn whether the target can be judged at all, and how it wants credentials written.

        Raises:
            CannotJudge: it is unreachable, refuses the credentials, or refuses our cards.
        """
        self._held = []
        self._learn()
        held, self._held = self._held, None
        for observations, exchange in held:
            self.ledger.add(observations, exchange, self._by_number[exchange.number])

    def _learn(self) -> None:
        scheme = self.scheme
        credential = (
            Credential(self.mint(), "bearer") if self.mints_tokens else Credential(self._keys[0], "bearer", fixed=True)
        )
        schemes = ("bearer", "bare") if scheme == "auto" else (scheme,)
        probe = Variation("a first upload", Outcome.ANY, by_chance=True)
        refusals: list[Exchange] = []
        for written in schemes:
            session = self._new_session(Credential(credential.value, written, credential.fixed), None)
            for wrapping in ("none", "lf", "none", "none"):
                exchange = session.do(flow().first, probe, wrapping=wrapping)
                if exchange.status is None:
                    raise why_not(exchange, self.target.base_url, "a first upload")
                if accepted(exchange):
                    self.scheme = "bearer" if written == "bearer" else "bare"
                    self.first_session = session
                    session.credential = Credential(credential.value, written, credential.fixed)
                    return
                refusals.append(exchange)
                if exchange.status == 401:
                    break
                if exchange.status == 404 and len(refusals) == 1 and not self._has_path(session):
                    raise why_not(exchange, self.target.base_url, "a first upload")
                if credential.fixed and exchange.status in (400, 404):
                    # The key's earlier flow may stand in the way.
                    self.scheme = "bearer" if written == "bearer" else "bare"
                    if self._complete_key(session.credential):
                        return
                session.card = self.cards.take()
        raise _why_refused(refusals, self.target.base_url)

    @staticmethod
    def _has_path(session: Session) -> bool:
        """Whether the steps lie below the base URL: a 404 may also be an order that an earlier flow stands in."""
        no_credentials = Variation("no Authorization header", Outcome.ANY, authorization=None, by_chance=True)
        return session.do(flow().final, no_credentials).status != 404

    def _note_choices(self, exchange: Exchange) -> None:
        """Record what the target does where the sources leave room."""
        if is_firewall(exchange):
            self.note("firewall", "403 and a page of its own for what looks like an attack")
        data = customer_data(exchange)
        if data is None or exchange.step is None:
            return
        note = self.ledger.open_point
        for name in ("birthdate", "issueDate", "expirationDate"):
            value = data.get(name)
            if isinstance(value, str) and value:
                form = "Z" if value.endswith("Z") else "offset" if "+" in value or value.count("-") > 2 else "naive"
                note("date-times", form)
        for name in ("gender", "religion", "maritalStatus", "nationality"):
            value = data.get(name)
            if isinstance(value, str) and value.strip():
                note("words", "English" if value.isascii() else "Arabic")
        if exchange.step.may_lack:
            note("back-carries-front", "yes" if data.get("idNumber") or data.get("fullName") else "no")

    def _on_exchange(self, exchange: Exchange, at: str) -> None:
        data = customer_data(exchange)
        if data is not None:
            self.redactor.add_reading(data)
        if exchange.endpoint.startswith("token"):
            # Before it is recorded: the answer that brings a token may show it in more than one place.
            given = json_or_none(exchange)
            if isinstance(given, dict) and isinstance(given.get("token"), str):
                self.redactor.add_secret(given["token"], "KYCGATE_TOKEN")
        recorded = self.redactor.record(exchange, at)
        self._write(recorded)

    def keep(self, recorded: RecordedExchange) -> RecordedExchange:
        """Record an exchange that was sent and redacted elsewhere, under the run's next number."""
        numbered = recorded.model_copy(update={"number": max(self._by_number, default=0) + 1})
        self._write(numbered)
        return numbered

    def _write(self, recorded: RecordedExchange) -> None:
        with self._lock:
            self._by_number[recorded.number] = recorded
        if self._sink is not None:
            try:
                with self._lock:
                    self._sink.write(recorded.model_dump_json() + "\n")
                    self._sink.flush()
            except OSError as error:
                # What cannot be recorded is not worth sending.
                self.gave_up = f"cannot record what is sent: {error.strerror}"

    def demand_sessions(self, count: int) -> None:
        """Raises CannotJudge when this number of sessions cannot run at once."""
        if self.concurrent_sessions < count:
            raise CannotJudge(
                f"it takes {count} sessions at once: give {count} fixed keys, or a tenant that mints tokens"
            )

    def wait_for_expiry(self, exchange: Exchange, at_most_s: float) -> bool:
        """Wait until the token of `exchange` has expired; False when that would take longer than `at_most_s`."""
        value = json_or_none(exchange)
        left = seconds_to_expiry(value, exchange.answer_header("Date")) if isinstance(value, dict) else None
        if left is None:
            return False
        wait = max(left, 0) + 1
        if not -at_most_s <= left <= at_most_s or wait > self.budget.left_s:
            return False
        time.sleep(wait)
        return True


def certificate_words(exchange: Exchange) -> str:
    """What a server in front says of our client certificate, by a page instead of TLS (nginx does); else empty."""
    if not is_page(exchange) or b"ssl certificate" not in exchange.answer_body.lower():
        return ""
    if b"no required" in exchange.answer_body.lower():
        return f"wants a client certificate ({exchange.status}): give client_cert and client_key in the profile"
    return f"refuses our client certificate ({exchange.status}): is it expired, or of a CA that it does not know?"


def why_not(exchange: Exchange, base_url: str, asked: str) -> CannotJudge:
    """The one line for a target that cannot be judged, from its answer to `asked`."""
    status = exchange.status
    if status is None:
        return unreachable(base_url, exchange.failure)
    if asks := certificate_words(exchange):
        return CannotJudge(f"{base_url} {asks}")
    page = " and a web page, as a proxy or a login does" if is_page(exchange) else ""
    if status == 404:
        return CannotJudge(f"{base_url} knows no such path (404{page}): check the base URL")
    if status == 429:
        return CannotJudge(f"{base_url} answers 429 to everything: wait, or lower --rate")
    if status >= 500:
        return CannotJudge(f"{base_url} answers {asked} with {status}{page}: is it up?")
    if 300 <= status < 400:
        return CannotJudge(
            f"{base_url} redirects (status {status}), which is not followed: give the URL it redirects to"
        )
    if page or not asked.endswith("upload"):
        return CannotJudge(f"{base_url} answers {asked} with {status}{page or ' and no token'}: check the base URL")
    return CannotJudge(
        f"{base_url} refuses our cards (status {status}): bring the vendor's own test cards with --specimens DIR"
    )


def _why_refused(refusals: list[Exchange], base_url: str) -> CannotJudge:
    """The one line for a target that accepted no first upload."""
    if all(exchange.status == 401 for exchange in refusals):
        return CannotJudge(f"{base_url} refuses the credentials (401): check the keys, or the tenant and its secret")
    return why_not(next(e for e in reversed(refusals) if e.status != 401), base_url, "a first upload")
