"""Fixed keys: who uses which, and what a key does after a completed flow."""

import threading
from collections.abc import Sequence
from typing import Protocol

from kycgate.contracts.flows import flow
from kycgate.errors import CannotJudge
from kycgate.gate.session import Credential, Session
from kycgate.judging.answers import accepted
from kycgate.specimens.deck import Card, Cards
from kycgate.target.exchange import EARLIER_FLOW, Exchange
from kycgate.target.requests import Outcome, Variation


class Sessions(Protocol):
    """What fixed keys need of the gate."""

    cards: Cards

    @property
    def written(self) -> str: ...

    def new_session(self, credential: Credential, card: Card | None) -> Session: ...

    def observe(self, clause: str, exchange: Exchange, ok: bool, required: str, actual: str) -> None: ...

    def note(self, point: str, choice: str) -> None: ...


class FixedKeys:
    """The keys that a profile gives, each used by one session at a time. Thread-safe."""

    def __init__(self, sessions: Sessions, keys: Sequence[str]) -> None:
        self._sessions = sessions
        self._keys = keys
        self._freed = threading.Condition()
        """Of the keys: who holds one, and that one has become free."""
        self._learning = threading.RLock()
        """Held while it is learned what a key does after a completed flow."""
        self._last: dict[str, Session] = {}
        """The session that each key served last."""
        self._spent: set[str] = set()
        self._busy: set[str] = set()
        self._open_again: bool | None = None
        """Whether UploadFront opens a new flow after a key's completed one; None until it was seen."""

    @property
    def first(self) -> str:
        return self._keys[0]

    @property
    def usable(self) -> int:
        """How many may still begin a flow."""
        return len(self._keys) - len(self._spent)

    def release(self, key: str) -> None:
        """The key is free again."""
        with self._freed:
            self._busy.discard(key)
            self._freed.notify_all()

    def session(self, card: Card | None, *, wait: bool) -> Session:
        """A fixed key in a state that is known.

        Where a key opens a new flow after a completed one, its earlier flow is brought to its end first, so that
        nothing is left of it. Where it does not, each key serves one flow.
        """
        while (key := self._claim(wait=wait)) is not None:
            credential = Credential(key, self._sessions.written, fixed=True)
            last = self._last.get(key)
            session: Session | None = None
            try:
                if self._open_again is not False:
                    clean = (last is not None and last.state.complete) or self.complete(credential)
                    if clean and self._reopens(credential):
                        session = self._sessions.new_session(credential, card)
                elif last is None:
                    session = self._first_flow(credential, card)
            except BaseException:
                self.release(key)
                raise
            if session is not None:
                self._last[key] = session
                return session
            with self._freed:
                self._spent.add(key)
            self.release(key)
        spent = f"{len(self._spent)} of {len(self._keys)} fixed keys take no new flow, and the rest are busy"
        raise CannotJudge(f"{spent}: give more keys, or a tenant that mints tokens")

    def _claim(self, *, wait: bool) -> str | None:
        """A key that no session uses, which is busy from now on; None when there is none (or, waiting, will be)."""
        with self._freed:
            while True:
                usable = [key for key in self._keys if key not in self._spent]
                free = next((key for key in usable if key not in self._busy), None)
                if free is not None:
                    self._busy.add(free)
                if free is not None or not usable or not wait:
                    return free
                self._freed.wait()

    def _first_flow(self, credential: Credential, card: Card | None) -> Session | None:
        """The session of a key that takes one flow alone, its front uploaded; None when it was used before.

        A step that is taken before the front shows a flow that was left halfway: nothing is known of its
        state. One that is refused, where the front then is taken, was refused for its order.
        """
        anyhow = Variation(EARLIER_FLOW, Outcome.ANY, by_chance=True)
        session = self._sessions.new_session(credential, card)
        # Now and then an approval too: all that such keys can show of its order.
        first = flow().first
        early = [edge for edge in flow().edges if edge.first == first][: 1 + len(self._last) % 2]
        refused: list[tuple[str, Exchange]] = []
        for edge in early:
            exchange = session.do(edge.then, anyhow)
            if accepted(exchange):
                return None
            refused.append((edge.clause, exchange))
        if not accepted(session.do(flow().first, anyhow)):
            return None
        for clause, exchange in refused:
            self._sessions.observe(clause, exchange, True, "refused before the front", f"status {exchange.status}")
        session.state = flow().state_after([flow().first])
        return session

    def complete(self, credential: Credential) -> bool:
        """Bring a key's unknown or unfinished flow to its end; False when it takes no new flow."""
        session = self._sessions.new_session(credential, None)
        anyhow = Variation(EARLIER_FLOW, Outcome.ANY, by_chance=True)
        if not accepted(session.do(flow().first, anyhow)):
            for step in flow().steps[1:]:
                session.do(step, anyhow)
            # This person is registered now: use a new card.
            session.card = self._sessions.cards.take()
            if not accepted(session.do(flow().first, anyhow)):
                return False
        session.state = flow().state_after([flow().first])
        return all(accepted(session.do(step, anyhow)) for step in flow().steps[1:])

    def _reopens(self, credential: Credential) -> bool:
        """Whether a new flow can begin after the completed one of this key; learned once, and recorded."""
        with self._learning:
            if self._open_again is not None:
                return self._open_again
            anyhow = Variation(EARLIER_FLOW, Outcome.ANY, by_chance=True)
            self._open_again = accepted(self._sessions.new_session(credential, None).do(flow().first, anyhow))
            self._sessions.note("key-after-completion", "opens a new flow" if self._open_again else "refused")
            if self._open_again:
                return self.complete(credential)
        return self._open_again
