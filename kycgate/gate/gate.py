"""The gate: one target, its sessions, and the ledger of what was learned.

Each exchange goes through `Gate.send`: it is recorded, judged by itself, judged with what came before, and judged for
the promise behind its request. No test judges an answer by itself.
"""

import math
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import takewhile

from kycgate.contracts.flows import flow
from kycgate.errors import CannotJudge
from kycgate.gate.fixed_keys import FixedKeys
from kycgate.gate.forms import FormsLeft
from kycgate.gate.minting import seconds_to_expiry
from kycgate.gate.preflight import learn
from kycgate.gate.recorder import Recorder
from kycgate.gate.session import REGISTERED, Credential, Dress, Session
from kycgate.gate.tokens import Tokens
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
from kycgate.judging.one_cause import EXPLAINS, with_causes
from kycgate.judging.repeats import MADE_ONCE, Repeats, explained_by_repeats
from kycgate.judging.shape import judge_answer, jwt_expiry
from kycgate.runs.folder import RunFolder
from kycgate.settings.profile import Profile, Secrets
from kycgate.specimens.deck import Card, Cards
from kycgate.specimens.forms import TURNED
from kycgate.target.budget import Budget
from kycgate.target.client import Target, Wanted
from kycgate.target.clock import now_of
from kycgate.target.curl import curl_for
from kycgate.target.exchange import Exchange, RecordedExchange
from kycgate.target.oauth import TOKEN_NAME
from kycgate.target.redaction import Redactor

_FIRST_DRESSED = 8
"""The number of the first session that goes about its steps in another way: those before it are as plain as can be."""
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
        self._recorder = Recorder(self.redactor, self._give_up)
        self.target = Target(profile, self.budget, self._recorder.take)
        self.scheme = profile.auth_scheme
        self.expired_token = expired_token
        self._secrets = secrets
        self._lock = threading.Lock()
        self._made_at = time.monotonic()
        self.first_session: Session | None = None
        """The preflight's: its token is the run's oldest."""
        self._held: list[tuple[list[Observation], Exchange]] | None = None
        """While it is unknown whether the vendor answers at all: what is not yet counted."""
        self._unanswered: list[tuple[list[Observation], Exchange]] = []
        """Unanswered exchanges: breaches of answer.in-time once a later request is answered, else it is gone."""
        self._went_away = ""
        self._sessions = 0
        self._forms = FormsLeft(step.shows for step in flow().uploads)
        self._suspected: list[tuple[str, str, Exchange, str]] = []
        self._taken_early: list[tuple[str, Exchange, str]] = []
        self._first_shown: dict[str, str] = {}
        """The first session that showed a card, by the card's id."""
        self._shown_again: set[str] = set()
        """Sessions with a card that another one had shown before."""
        self._connections = Connections()
        self._repeats = Repeats()
        keys = [key.get_secret_value() for key in secrets.api_keys]
        self._keys = FixedKeys(self, keys)
        self.tokens = Tokens(self, profile, secrets, self.redactor)
        if folder is not None:
            self._recorder.keep_in(folder)
        for name, value in self.target.route.secrets().items():
            self.redactor.add_secret(value, name)
        if self.target.route.gateway is not None:
            self.target.route.gateway.on_token = lambda token: self.redactor.add_secret(token, TOKEN_NAME)
        for number, key in enumerate(keys, 1):
            self.redactor.add_secret(key, f"KYCGATE_API_KEY_{number}")
        if secrets.tenant_secret is not None and secrets.tenant_id is not None:
            self.redactor.add_secret(secrets.tenant_secret.get_secret_value(), profile.environment.tenant_secret)
            self.redactor.add_secret(secrets.tenant_id, profile.environment.tenant_id)
        if expired_token:
            self.redactor.add_secret(expired_token, "EXPIRED_TOKEN")

    def close(self) -> None:
        self.target.close()
        self._recorder.close()

    @property
    def recorded(self) -> list[RecordedExchange]:
        """Every exchange until now, redacted."""
        return self._recorder.exchanges

    def keep(self, recorded: RecordedExchange) -> RecordedExchange:
        """Record an exchange that was sent and redacted elsewhere, under the run's next number."""
        return self._recorder.keep(recorded)

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

    def _give_up(self, reason: str) -> None:
        self.gave_up = reason

    @property
    def written(self) -> str:
        """How credentials are written: bearer until something else was learned."""
        return "bearer" if self.scheme == "auto" else self.scheme

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
        return 1_000 if self.mints_tokens else self._keys.usable

    @property
    def jobs(self) -> int:
        """How many tests may run at once: what the profile says, and not more than there are fixed keys."""
        wanted = self.profile.limits.jobs or DEFAULT_JOBS
        return wanted if self.mints_tokens else min(wanted, max(self.concurrent_sessions, 1))

    def send(self, wanted: Wanted, judge: Callable[[Exchange], Iterator[Observation]] | None = None) -> Exchange:
        """Send, record, judge."""
        exchange = self.target.send(wanted)
        recorded = self._recorder[exchange.number]
        observations = [*judge_answer(exchange), *self.memory.judge(exchange)]
        promised = [*judge(exchange)] if judge else []
        if is_evidence(exchange):
            observations += promised
        else:
            self._touch(exchange, (seen.clause for seen in promised))
        observations = with_causes(observations)
        if exchange.status is not None:
            self._enter_unanswered(before=exchange.clocks.sent)
        if self._held is not None and (exchange.status in _EXPLAINED_OTHERWISE or is_page(exchange)):
            self._held.append((observations, exchange))
        elif exchange.unreached or exchange.hung_up:
            with self._lock:
                self._unanswered.append((observations, exchange))
        else:
            self.ledger.add(observations, exchange, recorded)
        self._note_choices(exchange)
        with self._lock:
            went_on = self._connections.note(exchange)
            self._repeats.note(exchange)
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
            self.ledger.add(observations, exchange, self._recorder[exchange.number])

    def judge_whole_run(self) -> None:
        """Enter what only the whole run shows: once, when the tests are over."""
        self.ledger.add([*self.memory.always_wrong(), *self.memory.always_replaced()], None, None)
        sessions = {own: self.ledger.sessions_that_broke(own) for _, own, _, _ in self._suspected}
        for clause, own, exchange, came in self._suspected:
            # A card that another session has shown before is what is suspected there.
            plain = sessions[own] - self._shown_again if clause == "session.own-order" else sessions[own]
            # A session that another one was mixed up with may have been taken further by it.
            accused = own if plain or exchange.session in self.memory.mixed else clause
            self.observe(accused, exchange, False, "accepted in its turn, as in other sessions", came)
        refused = self._connections.refused_elsewhere({exchange.number for _, _, exchange, _ in self._suspected})
        self.ledger.put_down_to(ANY_CONNECTION, refused, "accepted over another connection, as over the first")
        self._suspected = []
        self._judge_taken_early()
        for cause, explained in EXPLAINS.items():
            self.ledger.put_along(cause, explained)
        self._put_down_to_repeats()

    def _put_down_to_repeats(self) -> None:
        """What was answered again in place of being done is one cause, whatever was asked."""
        broken = {name: self.ledger.numbers_that_broke(name) for name in MADE_ONCE}
        again = self._repeats.explained(set().union(*broken.values()))
        cause = next((name for name in MADE_ONCE if broken[name] & again), "")
        if cause:
            self.ledger.put_along(cause, explained_by_repeats, again)

    def suspect(self, clause: str, own: str, exchange: Exchange, came: str) -> None:
        """A step was refused in a session that went about it in another way: `clause` says what may not matter."""
        with self._lock:
            self._suspected.append((clause, own, exchange, came))

    def judge_apart(self, clause: str, exchange: Exchange, done: str) -> None:
        """`clause` of a step for which only another session has done what it needs: it is refused."""
        if not accepted(exchange):
            self.observe(clause, exchange, True, f"refused: {done}", "refused")
            return
        # Decided at the end of the run: who keeps no such order in any session has taken nothing from another one.
        with self._lock:
            self._taken_early.append((clause, exchange, f"refused: {done}"))

    def _judge_taken_early(self) -> None:
        disordered = self.ledger.never_kept("order.", {exchange.number for _, exchange, _ in self._taken_early})
        for clause, exchange, required in self._taken_early:
            if exchange.number not in disordered:
                self.observe(clause, exchange, False, required, f"accepted: status {exchange.status}")
        self._taken_early = []

    def settle(self) -> str:
        """Nothing more is sent for now: since when there was no answer, in one line; empty when there was one.

        A target that fails now and then breaks its promise. One that has gone away could not be judged to the end.
        """
        with self._lock:
            held = sorted((exchange for _, exchange in self._unanswered), key=lambda exchange: exchange.clocks.sent)
        hung_up = [*takewhile(lambda exchange: not exchange.unreached, held)]
        gone = held[len(hung_up) :]
        if len(gone) >= GONE_AFTER and all(exchange.unreached for exchange in gone):
            first = self._recorder[gone[0].number]
            self._went_away = (
                f"no answer since {first.at[11:19]} UTC (request {first.number}, {first.endpoint}): "
                f"{first.failure}, {len(gone)} requests in a row"
            )
            self.ledger.unclear("answer.in-time", self._went_away)
            # Requests in flight during a shutdown were dropped by it; they are not a breach.
            since = hung_up[-1].clocks.sent if hung_up else gone[0].clocks.sent
            self._enter_unanswered(before=since)
            self._unanswered = []
        self._enter_unanswered()
        return self._went_away

    def observe(
        self,
        clause: str,
        exchange: Exchange,
        ok: bool,
        required: str,
        actual: str,
        *,
        because: str = "",
        plainly: str = "",
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
        recorded = self._recorder.get(exchange.number)
        self.ledger.add(
            [Observation(clause, ok, required, actual, because=because, plainly=plainly)], exchange, recorded
        )

    def _touch(self, exchange: Exchange, clauses: Iterable[str]) -> None:
        """A failed answer is listed under what it breaks, and judges nothing else."""
        if exchange.status != 429:
            self.ledger.touch(failed(exchange), clauses)

    def show(self, card: Card, session: str = "") -> None:
        """`card` is about to be shown, in this session: what is printed on it is personal from now on."""
        with self._lock:
            if self._first_shown.setdefault(card.id, session) != session:
                self._shown_again.add(session)
        self.memory.show(card.id, card.truth)
        self.redactor.add_reading(card.truth)

    def next_form(self, side: str) -> str:
        """In which form a session shows this side next; empty for none."""
        return self._forms.take(side)

    def note_form(self, form: str, exchange: Exchange) -> None:
        """Record what became of a picture in another form; where none is read at first, no more are shown."""
        read = accepted(exchange)
        self.ledger.open_point("picture-forms", f"{form}: {'read' if read else 'refused'}")
        if form in TURNED and read:
            self.observe("image.turned", exchange, True, "read, as its tag says how to turn it", "read")
        elif form in TURNED and exchange.status in (200, 400):
            # What no picture explains, such as a 401, says nothing of how it lies.
            # Decided at the end of the run: a step that is refused whatever is shown is another cause.
            self.suspect("image.turned", "upload.accepted", exchange, "refused, though its tag says how to turn it")
        self._forms.note(read=read)

    def _dress(self) -> Dress:
        """What the next session wears: the first ones nothing."""
        number = self._sessions
        if not self.mints_tokens or number < _FIRST_DRESSED:
            return Dress()
        return Dress(fresh=number % 3 == 1, gzip=number % 2 == 1, other_forms=True)

    def note(self, point: str, choice: str) -> None:
        """What the target chose where the sources leave room."""
        self.ledger.open_point(point, choice)

    def bill(self) -> None:
        """What was sent to be refused was read: it counts as an upload, too."""
        self.target.bill()

    def enter(self, exchange: Exchange, observations: Iterable[Observation]) -> None:
        """Enter what is known of an exchange only now, as later ones have shown it."""
        exchange.excused = ""
        self.ledger.add([*observations], exchange, self._recorder[exchange.number])

    # Sessions

    def session_with(self, token: str) -> Session:
        """A session of a token that was minted apart."""
        return self.new_session(Credential(token, self.written), None)

    def session(self, card: Card | None = None, *, wait: bool = False) -> Session:
        """A session in which nothing was done yet; with `wait`, a fixed key that another test uses is waited for.

        Raises:
            CannotJudge: no token could be minted, or the fixed keys are used up.
        """
        if self.mints_tokens:
            credential = Credential(self.tokens.mint(), self.written)
            return self.new_session(credential, card)
        return self._keys.session(card, wait=wait)

    def release(self, session: Session) -> None:
        """The test is over: its key is free, and its card may be shown again unless the target knows its person now."""
        self._keys.release(session.credential.value)
        if not session.completed_once and not session.registered:
            self.cards.give_back(session.card)

    def has_newer(self, token: str, since: int = 0) -> bool:
        """Whether another token was given out after this one, and after `since` (ns): a vendor may end the oldest."""
        return self.tokens.has_newer(token, since)

    def new_session(self, credential: Credential, card: Card | None) -> Session:
        """A session of this credential, whatever was done with it before."""
        with self._lock:
            self._sessions += 1
            label = f"s{self._sessions}"
        return Session(self, label, credential, card or self.cards.take(), self._dress())

    # Learning

    def preflight(self) -> None:
        """Learn whether the target can be judged at all, and how it wants credentials written.

        Raises:
            CannotJudge: it is unreachable, refuses the credentials, or refuses our cards.
        """
        self._held = []
        fixed = not self.mints_tokens
        credential = Credential(self._keys.first if fixed else self.tokens.mint(), "bearer", fixed=fixed)
        self.scheme, self.first_session = learn(
            self, credential, self.scheme, self.target.base_url, self._keys.complete
        )
        held, self._held = self._held, None
        for observations, exchange in held:
            self.ledger.add(observations, exchange, self._recorder[exchange.number])

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
        elif data.get("profession"):
            note("front-carries-back", "yes")

    def demand_sessions(self, count: int) -> None:
        """Raises CannotJudge when this number of sessions cannot run at once."""
        if self.concurrent_sessions < count:
            raise CannotJudge(
                f"it takes {count} sessions at once: give {count} fixed keys, or a tenant that mints tokens"
            )

    def wait_for_expiry(self, exchange: Exchange, at_most_s: float) -> bool:
        """Wait until the token of `exchange` has expired; False when that would take longer than `at_most_s`.

        Where its own `exp` is later than what is said beside it, it has not expired before: that they disagree is
        another breach.
        """
        value = json_or_none(exchange)
        left = seconds_to_expiry(value, exchange.answer_header("Date")) if isinstance(value, dict) else None
        if left is None:
            return False
        own = jwt_expiry(str(value.get("token")))
        if own is not None:
            left = max(left, own - now_of(exchange.answer_header("Date")).timestamp())
        wait = max(left, 0) + 1
        if not -at_most_s <= left <= at_most_s or wait > self.budget.left_s:
            return False
        time.sleep(wait)
        return True
