"""vendor-api.md: the session, and with it the order of the steps, hangs on the token. Two people need two tokens."""

from collections.abc import Callable
from functools import partial

from kycgate.contracts.flow import Step
from kycgate.contracts.flows import flow
from kycgate.contracts.flows.national_id import APPROVE_FRONT, UPLOAD_FRONT
from kycgate.errors import CannotJudge
from kycgate.gate.gate import Gate
from kycgate.gate.plan import judges
from kycgate.gate.session import Interrupted, Session
from kycgate.gate.together import at_once
from kycgate.judging.answers import accepted
from kycgate.judging.ledger import Observation
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


def _naming(gate: Gate, other: Session) -> Variation:
    """A legal request that names the other session's customer, as the client's unlisted property does, and its cookie.

    A server that calls for many people may keep cookies for all of them. Both show the same card meanwhile, so that
    neither what is named nor what is shown may stand in for the token.
    """
    named = {"customerId": other.reading.get("customerId")}
    own = gate.profile.sets("Cookie")
    what = "naming another session's customer"
    if own or not other.cookie:
        return Variation(what, more=named)
    # Who binds a cookie to its token may refuse the two together as it likes.
    return Variation(f"{what}, with its cookie", Outcome.ANY, more=named, headers={"Cookie": other.cookie})


@judges("session.own-order", "session.own-customer", "reading.number-birthdate", "reading.number-gender",
        requests=16, uploads=6, telling=8)  # fmt: skip
def test_interleaved_sessions(gate: Gate) -> None:
    """What one session has done counts for no other, at each point of the journey."""

    def interleave(sessions: list[Session]) -> None:
        ahead, behind = sessions
        # One and the same picture in both: who keeps answers by picture gives the one's to the other.
        ahead.dress.other_forms = behind.dress.other_forms = False
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
                variation = _naming(gate, ahead)
                exchange = behind.do(following[0], variation, demand=False)
                gate.judge_apart("session.own-order", exchange, f"only the other session has done {step}")
                if accepted(exchange):
                    return False
        return True

    def begin(behind: Session) -> None:
        """The same person's front in a session of its own: it may be refused, and where it is read it is shown."""
        shown = behind.do(UPLOAD_FRONT, Variation("the front of a person who has begun", Outcome.ANY), demand=False)
        if accepted(shown):
            behind.because = "session.own-order"
            behind.do(APPROVE_FRONT, demand=False)

    _with_sessions(gate, 2, interleave)


@judges("session.own-customer", "session.own-order", "order.closed", requests=22, uploads=8, telling=8)
def test_concurrent_sessions(gate: Gate) -> None:
    """People who take the same step at the same moment never get each other's customer, order or result.

    One of them stays behind: what the others approve and complete meanwhile is theirs alone.
    """
    held = max(flow().predecessors(flow().final), key=flow().steps.index)

    def together(sessions: list[Session]) -> None:
        behind, *others = sessions
        for place, step in enumerate(flow().steps[:-1]):
            taking = others if place >= flow().steps.index(held) else sessions
            for exchange in at_once([partial(session.do, step, demand=False) for session in taking]):
                kept = exchange.status not in (400, 404) or step is flow().steps[0]
                required = f"{step} taken, as what it needs was"
                gate.observe("session.own-order", exchange, kept, required, "refused", plainly=step.acceptance)
                if not accepted(exchange):
                    raise CannotJudge(f"{step} was not accepted in its turn: status {exchange.status}")
        # The last step comes twice at the same moment for one of them: it is performed once.
        twice = Variation("the last step twice at the same moment", Outcome.ANY, by_chance=True)
        tapping = others[0]
        taken = at_once([partial(session.do, flow().final, twice) for session in [*others, tapping]])
        again = [exchange for exchange in taken if exchange.session == tapping.label]
        once = sum(map(accepted, again)) < len(again)
        gate.observe("order.closed", again[-1], once, "performed once", "performed twice at the same moment")
        _judge_own_completion(gate, behind, held)

    people = min(PEOPLE, gate.concurrent_sessions)
    for _ in range(ROUNDS):
        _with_sessions(gate, max(people, 2), together)


def _judge_own_completion(gate: Gate, behind: Session, held: Step) -> None:
    """Others have completed; the session that has not done `held` is as far as it was, and goes on."""
    early = behind.do(flow().final, demand=False)
    gate.judge_apart("session.own-order", early, f"only other sessions have done {held}")
    if accepted(early):
        return
    try:
        behind.finish()
    except Interrupted as error:
        required = "accepted: this session's flow is its own"
        if not error.excused:
            gate.observe("session.own-order", error.exchange, False, required, str(error), because="approve.accepted")
        raise
    gate.ledger.add([Observation("session.own-order", True)], None, None)
