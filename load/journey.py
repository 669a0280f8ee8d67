"""One virtual person's onboarding: four steps, each answer judged by the judge of the check."""

import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import gevent

from kycgate.contracts.flow import Step
from kycgate.contracts.flows import flow
from kycgate.judging.answers import accepted, already_registered, customer_data
from kycgate.judging.ledger import Observation
from kycgate.judging.order import judge_order
from kycgate.load.client import Connection
from kycgate.load.out_of_turn import Walk
from kycgate.load.plan import LoadPlan
from kycgate.load.verdicts import AnswerJudge
from kycgate.specimens import degrade_jpeg, pad_jpeg
from kycgate.specimens.deck import Card
from kycgate.target.exchange import Clocks, Exchange, Picture
from kycgate.target.requests import authorization_of, body_of, headers_of, upload_body


@dataclass(frozen=True, slots=True)
class Prepared:
    """A card whose bodies are encoded once and shared by all who show it."""

    card: Card
    bodies: Mapping[str, bytes]
    """By the side shown."""
    unreadable: bytes
    size: int
    degradation: str = "none"

    @classmethod
    def of(cls, card: Card, size: int = 0, degradation: tuple[str, float] | None = None) -> "Prepared":
        """With `size`, smaller pictures are padded to this number of bytes."""
        images = {step.shows: card.image(step.shows) for step in flow().uploads}
        if degradation is not None and degradation[1]:
            images = {side: degrade_jpeg(image, *degradation) for side, image in images.items()}
        images = {side: pad_jpeg(image, size) if size > len(image) + 4 else image for side, image in images.items()}
        first = flow().first.shows
        return cls(
            card,
            {side: upload_body(image, "lf") for side, image in images.items()},
            # A truncated JPEG, to be refused as unreadable.
            upload_body(card.image(first)[:2_000], "lf"),
            len(images[first]),
            "{}:{:g}".format(*degradation) if degradation and degradation[1] else "none",
        )


UNREADABLE = "an unreadable photo"
"""The intent of a request that shows one."""
OUT_OF_TURN = "out of turn"
"""The intent of a request whose step must be refused."""


class Ended(Enum):
    """How an onboarding ended."""

    WELL = "well"
    BADLY = "badly"
    PHOTO_REFUSED = "a degraded photo was refused, as it may be"
    REGISTERED = "the target knows the card's person already (10103)"
    THROTTLED = "the target asked for patience (429)"
    CUT_OFF = "it was not allowed to go on"


def _why_not(exchange: Exchange) -> Ended:
    """Of an answer that is right, and yet no acceptance."""
    if exchange.status == 429:
        return Ended.THROTTLED
    return Ended.REGISTERED if already_registered(exchange) else Ended.PHOTO_REFUSED


def name_of(step: Step, retry: bool) -> str:
    """Under which name a request is counted."""
    return f"{step}_unreadable" if retry else str(step)


@dataclass(frozen=True, slots=True)
class Answered:
    """One step's end: its clocks, and what was wrong with the answer."""

    step: Step
    exchange: Exchange
    breach: Observation | None
    """The first thing that was wrong with it."""
    retry: bool = False

    @property
    def clocks(self) -> Clocks:
        return self.exchange.clocks

    @property
    def unavailable(self) -> bool:
        """No whole answer, or a 5xx."""
        return self.exchange.status is None or self.exchange.status >= 500

    @property
    def kind(self) -> str:
        """What was wrong, without a word of the vendor's; empty when nothing was."""
        if self.breach is None:
            return ""
        if self.exchange.status is None:
            return (self.exchange.failure or "no answer").partition(":")[0]
        return self.breach.actual if self.unavailable else self.breach.clause

    @property
    def error(self) -> str:
        """As what it is counted: its status or why there is none, and the clause of an answer that is wrong."""
        if self.breach is None or self.unavailable:
            return self.kind
        return f"status {self.exchange.status}, {self.kind}"

    @property
    def name(self) -> str:
        return name_of(self.step, self.retry)


class Onboarding:
    """One session from its due time to its last answer."""

    def __init__(
        self,
        plan: LoadPlan,
        credential: str,
        prepared: Prepared,
        tls: ssl.SSLContext | None,
        judge: AnswerJudge,
        session: str,
        shared: Callable[[], bool] = lambda: False,
        gzip: bool = False,
    ) -> None:
        """`shared` tells whether the credential came to others, too: then theirs is what happens in its session.

        With `gzip` compressed answers are accepted, as the installed client does.
        """
        self._gzip = gzip
        self._shared = shared
        self._plan = plan
        self._prepared = prepared
        self._judge = judge
        self._session = session
        self._connection = Connection(plan.base_url, plan.timeout_s, tls, plan.route)
        self._authorization = authorization_of(credential, plan.scheme)

    def run(
        self,
        due_ns: int,
        report: Callable[[Answered], None],
        *,
        order: Sequence[Step] | None = None,
        retry: bool = False,
        think: Callable[[], float] | None = None,
        may_send: Callable[[Step, bool], bool] = lambda step, retry: True,
    ) -> Ended:
        """Take the steps of `order`; the first is due at `due_ns`, each other when the one before has ended.

        With `retry` an unreadable photo comes first. `think` gives the seconds before each later step; they are the
        person's own, so the step is due after them. Before each step `may_send` is asked.
        """
        order = order or flow().steps
        first = flow().first
        reading: dict[str, object] = {}
        try:
            if retry:
                if not may_send(first, True):
                    return Ended.CUT_OFF
                photo = Picture("unreadable", first.shows, len(self._prepared.unreadable), wrapping="lf")
                answered = self._take(first, self._prepared.unreadable, photo, due_ns, retry=True)
                report(answered)
                if answered.breach is not None:
                    return Ended.BADLY
                if answered.exchange.status == 429:
                    return Ended.THROTTLED
                due_ns = self._after(answered, think)
            for step in order:
                if not may_send(step, False):
                    return Ended.CUT_OFF
                body, picture = self._legal(step, reading)
                answered = self._take(step, body, picture, due_ns)
                report(answered)
                if answered.breach is not None:
                    return Ended.BADLY
                if not accepted(answered.exchange):
                    return Ended.BADLY if self._shared() else _why_not(answered.exchange)
                if step == first:
                    reading = customer_data(answered.exchange) or {}
                due_ns = self._after(answered, think if step != order[-1] else None)
        finally:
            self._judge.ended(self._session)
            self._connection.close()
        return Ended.WELL

    def go_out_of_turn(self, walk: Walk, may_send: Callable[[Step], bool]) -> None:
        """Take the steps of `walk`, each as soon as it may be, and judge whether the last of them is refused.

        What is not accepted in its turn is judged as in every onboarding, and ends the session.
        """
        reading: dict[str, object] = {}
        try:
            for step in walk.before:
                if not may_send(step):
                    return
                answered = self._take(step, *self._legal(step, reading), time.perf_counter_ns())
                if answered.breach is not None or not accepted(answered.exchange):
                    return
                reading = reading or customer_data(answered.exchange) or {}
            if may_send(walk.step) and not self._shared():
                body, picture = self._legal(walk.step, reading)
                exchange = self._ask(walk.step, body, picture, time.perf_counter_ns(), OUT_OF_TURN)
                self._judge.judge(exchange, further=self._of_order(walk, exchange))
        finally:
            self._judge.ended(self._session)
            self._connection.close()

    def _of_order(self, walk: Walk, exchange: Exchange) -> list[Observation]:
        # A target may ask for patience, and end a token when it has given out newer ones.
        if exchange.status in (401, 429) or self._shared():
            return []
        return [*judge_order(flow().state_after(walk.before), walk.step, exchange)]

    def _legal(self, step: Step, reading: Mapping[str, object]) -> tuple[bytes, Picture | None]:
        """Body and picture of a step."""
        card = self._prepared.card
        if not step.is_upload:
            return body_of(step, None, reading, card.truth, translation=self._plan.translation) or b"", None
        body = self._prepared.bodies[step.shows]
        return body, Picture(card.id, step.shows, len(body), wrapping="lf")

    @staticmethod
    def _after(answered: Answered, think: Callable[[], float] | None) -> int:
        """When the next step is due; waits until then."""
        if think is None:
            return answered.clocks.last_byte
        seconds = think()
        gevent.sleep(seconds)
        return answered.clocks.last_byte + int(seconds * 1e9)

    def _ask(self, step: Step, body: bytes, picture: Picture | None, due_ns: int, intent: str) -> Exchange:
        headers = {**headers_of(body or None, self._authorization), "User-Agent": "kycgate"}
        if self._gzip:
            headers["Accept-Encoding"] = "gzip"
        return self._connection.ask(
            *(step, step.path, headers, body, due_ns),
            session=self._session,
            picture=picture,
            card=self._prepared.card.id,
            intent=intent,
        )

    def _take(self, step: Step, body: bytes, picture: Picture | None, due_ns: int, *, retry: bool = False) -> Answered:
        exchange = self._ask(step, body, picture, due_ns, UNREADABLE if retry else "legal")
        degraded = step.is_upload and self._prepared.degradation != "none"
        # A degraded photo may be refused, a person known already, and a target ask for patience; all else must be
        # accepted in its turn.
        shared = self._shared()
        may_refuse = (
            shared or retry or degraded or exchange.status == 429 or (step.is_upload and already_registered(exchange))
        )
        further = []
        if not may_refuse:
            clause = "upload.accepted" if step.is_upload else "approve.accepted"
            came = f"status {exchange.status}"
            required = "accepted in its turn"
            if exchange.resent and exchange.status is not None and not accepted(exchange):
                # What a closed connection left without an answer was performed, as far as can be told.
                clause, required = "answer.in-time", "an answer to the request before its connection is closed"
                came += " to the same request sent again"
            further = [Observation(clause, accepted(exchange), required, came)]
        breach = self._judge.judge(exchange, degraded=degraded, shared=shared, further=further)
        return Answered(step, exchange, breach, retry)
