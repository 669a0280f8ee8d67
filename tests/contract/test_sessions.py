"""vendor-api.md: the session, and with it the order of the steps, hangs on the token. Two people need two tokens."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

from kycgate.contracts.flow import Step
from kycgate.contracts.flows import flow
from kycgate.contracts.flows.national_id import APPROVE_BACK, APPROVE_FRONT, UPLOAD_BACK, UPLOAD_FRONT
from kycgate.errors import CannotJudge
from kycgate.gate.gate import Gate
from kycgate.gate.plan import judges
from kycgate.gate.session import Interrupted, Session
from kycgate.judging.answers import accepted
from kycgate.judging.ledger import Observation
from kycgate.target.exchange import Exchange
from kycgate.target.requests import Outcome, Variation

ROUNDS = 1
PEOPLE = 4


def _with_sessions(gate: Gate, count: int, use: Callable[[list[Session]], None]) -> None:
    gate.demand_sessions(count)
    sessions: list[Session] = []
    try:
        sessions.extend(gate.session() for _ in range(count))
        use(sessions)
    finally:
        for session in sessions:
            gate.release(session)


def _naming(gate: Gate, other: Session, session: Session, step: Step) -> Variation:
    """A legal request that names the other session's customer, as the client's unlisted property does, and its cookie.

    A server that calls for many people may keep cookies for all of them. Both show the same card meanwhile, so that
    neither what is named nor what is shown may stand in for the token.
    """
    named = {"customerId": other.reading.get("customerId")}
    own = gate.profile.sets("Cookie")
    what, body = "naming another session's customer", session.body_with(step, **named)
    if own or not other.cookie:
        return Variation(what, body=body)
    # Who binds a cookie to its token may refuse the two together as it likes.
    return Variation(f"{what}, with its cookie", Outcome.ANY, body=body, headers={"Cookie": other.cookie})


@judges("session.own-order", "session.own-customer", "reading.number-birthdate", "reading.number-gender",
        requests=16, uploads=6, telling=8)  # fmt: skip
def test_interleaved_sessions(gate: Gate) -> None:
    """What one session has done counts for no other, at each point of the journey."""

    def interleave(sessions: list[Session]) -> None:
        ahead, behind = sessions
        # One and the same picture in both: who keeps answers by picture gives the one's to the other.
        ahead.dress.forms = behind.dress.forms = []
        own, behind.card = behind.card, ahead.card
        try:
            apart = follow(ahead, behind)
        finally:
            behind.card = own
        if apart and not behind.state.done:
            behind.finish()

    def follow(ahead: Session, behind: Session) -> bool:
        for step in flow().steps:
            ahead.do(step)
            following = flow().steps[flow().steps.index(step) + 1 :]
            if following == (flow().final,) and gate.mints_tokens:
                begin(behind)
                # What the other has shown and approved since takes nothing from this one.
                ahead.because = "session.own-order"
            # A fixed key that takes one flow alone has begun it with its front.
            if following and flow().predecessors(following[0]) - behind.state.done:
                variation = _naming(gate, ahead, behind, following[0])
                exchange = behind.do(following[0], variation, demand=False)
                refused = not accepted(exchange)
                required = f"refused: only the other session has done {step}"
                gate.observe("session.own-order", exchange, refused, required, f"status {exchange.status}")
                if not refused:
                    return False
        return True

    def begin(behind: Session) -> None:
        """The same person's front in a session of its own: it may be refused, and where it is read it is shown."""
        shown = behind.do(UPLOAD_FRONT, Variation("the front of a person who has begun", Outcome.ANY), demand=False)
        if accepted(shown):
            behind.because = "session.own-order"
            behind.do(APPROVE_FRONT, demand=False)

    _with_sessions(gate, 2, interleave)


@judges("session.own-order", requests=11, uploads=4, telling=7)
def test_completion_is_ones_own(gate: Gate) -> None:
    """One session's completion completes no other."""

    def complete(sessions: list[Session]) -> None:
        first, second = sessions
        second.do(UPLOAD_FRONT)
        second.do(UPLOAD_BACK)
        first.finish()
        exchange = second.do(APPROVE_BACK, demand=False)
        alone = not accepted(exchange)
        gate.observe("session.own-order", exchange, alone, "refused: only the other has approved", "accepted")
        if not alone:
            return
        try:
            second.finish()
        except Interrupted as error:
            required = "accepted: this session's flow is its own"
            if not error.excused:
                gate.observe(
                    "session.own-order", error.exchange, False, required, str(error), because="approve.accepted"
                )
            raise
        gate.ledger.add([Observation("session.own-order", True)], None, None)

    _with_sessions(gate, 2, complete)


@judges("session.own-customer", "session.own-order", "order.closed", requests=21, uploads=8, telling=8)
def test_concurrent_sessions(gate: Gate) -> None:
    """People who take the same step at the same moment never get each other's customer, order or result."""

    def together(sessions: list[Session]) -> None:
        barrier = threading.Barrier(len(sessions))

        def take(session: Session, step: Step) -> Exchange:
            barrier.wait(timeout=30)
            return session.do(step, demand=False)

        with ThreadPoolExecutor(len(sessions)) as pool:
            for step in flow().steps[:-1]:
                for future in [pool.submit(copy_context().run, take, session, step) for session in sessions]:
                    exchange = future.result(timeout=120)
                    kept = exchange.status not in (400, 404) or step is flow().steps[0]
                    required = f"{step} taken, as what it needs was"
                    gate.observe("session.own-order", exchange, kept, required, "refused", plainly=step.acceptance)
                    if not accepted(exchange):
                        raise CannotJudge(f"{step} was not accepted in its turn: status {exchange.status}")
            # The last step comes twice at the same moment for one of them: it is performed once.
            twice = Variation("the last step twice at the same moment", Outcome.ANY, by_chance=True)

            def last(session: Session) -> Exchange:
                barrier.wait(timeout=30)
                return session.do(flow().final, twice)

            answers = [pool.submit(copy_context().run, last, session) for session in (*sessions[1:], sessions[1])]
            taken = [future.result(timeout=120) for future in answers]
        again = [exchange for exchange in taken if exchange.session == sessions[1].label]
        once = sum(map(accepted, again)) < len(again)
        gate.observe("order.closed", again[-1], once, "performed once", "performed twice at the same moment")
        sessions[0].do(flow().final)

    people = min(PEOPLE, gate.concurrent_sessions)
    for _ in range(ROUNDS):
        _with_sessions(gate, max(people, 2), together)
