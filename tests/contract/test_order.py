"""vendor-api.md, "Order": the steps are a partial order; each of its orderings is legal, everything else is refused.

No test here compares an answer by itself: `Session.do` holds each against the model of the journey.
"""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from kycgate.contracts.flow import Step
from kycgate.contracts.flows import flow
from kycgate.contracts.flows.national_id import APPROVE_BACK, APPROVE_FRONT, UPLOAD_BACK, UPLOAD_FRONT
from kycgate.errors import CannotJudge
from kycgate.gate.gate import Gate
from kycgate.gate.plan import judges
from kycgate.gate.session import REGISTERED, Interrupted, Session
from kycgate.judging.answers import accepted, already_registered
from kycgate.judging.ledger import Observation
from kycgate.target.requests import Outcome, Variation

NAMES = {order: clause for clause, order in flow().orders.items()}


def _named(steps: tuple[Step, ...]) -> str:
    """The clause of an ordering; one without a clause of its own speaks to the first."""
    return NAMES.get(steps, next(iter(flow().orders)))


@judges(
    *(
        *flow().orders,
        "route.post",
        "request.approve-back-without-body",
        "upload.accepted",
        "approve.accepted",
        "approve.true",
    ),
    *("result.envelope", "result.properties", "result.customer-id", "result.scans", "result.date-times"),
    *("result.photo", "result.photo-path", "reading.as-printed", "reading.letters", "reading.no-date"),
    *("reading.time-zone", "reading.own-fields", "safety.no-store"),
    *("result.data-on-success", "result.back-fields", "result.translation", "reading.number", "reading.names-agree"),
    *(
        "reading.number-birthdate",
        "reading.number-gender",
        "reading.numbers-agree",
        "reading.dates-in-order",
        "reading.age",
    ),
    *("status.documented", "status.no-5xx", "body.json", "body.media-type", "answer.in-time", "answer.http"),
    *("order.closed", "refusal.order-status"),
    requests=len(flow().steps) + 4,
    uploads=len(flow().uploads) + 1,
    telling=9,
)
@pytest.mark.parametrize("steps", list(flow().legal_orderings()), ids="-".join)
def test_legal_ordering(gate: Gate, session: Session, steps: tuple[Step, ...]) -> None:
    """Each linear extension of the partial order runs through, and is closed then."""
    try:
        for step in steps:
            exchange = session.do(step, demand=False)
            # Nothing was refused before, so a path that is not found, or not for POST, is not what is documented.
            there = exchange.status not in (404, 405)
            gate.observe("route.post", exchange, there, "an answer to POST", f"status {exchange.status}")
            if already_registered(exchange):
                raise CannotJudge(REGISTERED)
            if not accepted(exchange):
                raise Interrupted(f"{step} was not accepted in its turn: status {exchange.status}", exchange)
    except Interrupted as error:
        because = (error.exchange.step or step).acceptance
        gate.observe(_named(steps), error.exchange, False, "accepted step by step", str(error), because=because)
        raise
    gate.ledger.add([Observation(_named(steps), True)], None, None)
    if gate.translation == "on":
        # The approval has handed back what was read.
        gate.ledger.add([Observation("approve.value-as-read", True)], None, None)
    if session.credential.fixed:
        gate.ledger.unclear("order.closed", "a fixed key may open a new flow after a completed one")
        return
    for step in _after_the_last(steps):
        gate.ledger.open_point("after-completion", str(session.do(step).status))


def _after_the_last(steps: tuple[Step, ...]) -> Iterator[Step]:
    """What is tried once an ordering is complete: each is to be refused. As requests are few, orderings take turns.

    A refused first step has not begun a new flow either: what leans on it alone would show that.
    """
    orderings = list(flow().legal_orderings())
    for step in flow().steps[::-1][orderings.index(steps) :: len(orderings)]:
        yield step
        if step == flow().first:
            yield from (other for other in flow().steps if other.body and flow().predecessors(other) == {step})


@judges(
    *(edge.clause for edge in flow().edges),
    *("refusal.order-status", "refusal.changes-nothing", "refusal.error-body", "refusal.no-leak"),
    requests=len(list(flow().violations())) + len(flow().steps) + 1,
    uploads=len(flow().uploads) + 2,
    telling=8,
)
@pytest.mark.parametrize("steps", list(flow().legal_orderings()), ids="-".join)
def test_step_out_of_order(session: Session, steps: tuple[Step, ...]) -> None:
    """At each point of an ordering every step whose predecessors are not done is refused, and leaves no trace.

    A refused step that was stored, or counted, would let through what leans on it: that is tried before the step itself
    is done rightly.
    """
    for legal in steps:
        for step in reversed(flow().steps):
            if flow().predecessors(step) - session.state.done:
                session.do(step)
        session.do(legal)


@judges("refusal.changes-nothing", "refusal.unreadable", "session.own-customer", requests=14, uploads=3, telling=8)
def test_unreadable_retry_keeps_what_was_read(session: Session) -> None:
    """A refused retry of a side must not lose the reading that stands, nor stand for one that never was."""
    garbage = Variation(
        "a file that is no image", Outcome.UNREADABLE, "refusal.unreadable", body=b'{"image":"bm90IGFuIGltYWdl"}'
    )
    broken = Variation("broken JSON", Outcome.BAD_REQUEST, "refusal.broken-json", body=b"{")
    session.do(UPLOAD_FRONT, variation=garbage)
    session.do(APPROVE_FRONT)
    session.do(UPLOAD_BACK)
    session.do(UPLOAD_FRONT)
    session.do(UPLOAD_FRONT, variation=broken)
    session.do(APPROVE_FRONT)
    session.do(UPLOAD_FRONT, variation=garbage)
    session.do(UPLOAD_BACK, variation=garbage)
    session.do(APPROVE_BACK)
    session.do(UPLOAD_BACK)
    session.do(UPLOAD_BACK, variation=garbage)
    session.do(UPLOAD_FRONT, variation=garbage)
    session.do(APPROVE_BACK)


@judges("order.retry", "session.own-customer", "result.back-fields", requests=10, uploads=5, telling=2)
def test_open_repeats(gate: Gate, session: Session) -> None:
    """A side may be shown again; what other repeated steps come to is recorded."""
    session.do(UPLOAD_FRONT)
    session.do(UPLOAD_BACK)
    session.do(UPLOAD_BACK)
    session.do(UPLOAD_FRONT)
    session.do(APPROVE_FRONT)
    again = session.do(APPROVE_FRONT)
    gate.ledger.open_point("approve-front-again", "accepted" if accepted(again) else "refused")
    kept = accepted(session.do(APPROVE_BACK))
    gate.ledger.open_point("front-again-after-back", "the back is kept" if kept else "the back must be uploaded again")
    if not kept:
        session.do(UPLOAD_BACK)
        session.do(APPROVE_BACK)


@judges(*(edge.clause for edge in flow().edges), "order.closed", "order.retry", requests=10, uploads=8, telling=0)
def test_random_walks(gate: Gate, thorough: bool) -> None:
    """Random walks over the steps; the model says at each what must come.

    A breach is entered in the ledger and ends the walk without an error, so Hypothesis sends nothing again to shrink
    it: the smallest exchange is chosen from what was recorded, and every upload is billed.
    """

    stopped: list[CannotJudge] = []
    """Kept from hypothesis, which would try the walk again and find that it does not fail twice alike."""

    class Walk(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.session: Session | None = None
            self.over = bool(stopped)

        def _take(self, step: Step) -> None:
            try:
                self.session = self.session or gate.session()
                self.session.do(step)
            except Interrupted:
                self.over = True
            except CannotJudge as error:
                stopped.append(error)
                self.over = True

        @precondition(lambda self: not self.over)
        @rule(step=st.sampled_from(flow().steps))
        def take(self, step: Step) -> None:
            self._take(step)

        @precondition(lambda self: self.over)
        @rule()
        def stand_still(self) -> None:
            """Hypothesis wants some rule to be possible."""

        def teardown(self) -> None:
            if self.session is not None:
                gate.release(self.session)

    run_state_machine_as_test(
        seed(gate.seed)(Walk),
        settings=settings(
            max_examples=60 if thorough else 1,
            stateful_step_count=10 if thorough else 8,
            phases=[Phase.generate],
            deadline=None,
            database=None,
            derandomize=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
    if stopped:
        raise stopped[0]
