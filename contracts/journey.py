"""The order of the steps, as a partial order, and a model that says what a session may do next.

Source: API.md, "Order". The legal orderings are derived from the edges, never listed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from kycgate.contracts.clauses import Level


class Step(StrEnum):
    """The four steps; the value is the name in paths, files and reports."""

    UPLOAD_FRONT = "upload_front"
    UPLOAD_BACK = "upload_back"
    APPROVE_FRONT = "approve_front"
    APPROVE_BACK = "approve_back"

    @property
    def is_upload(self) -> bool:
        return self in (Step.UPLOAD_FRONT, Step.UPLOAD_BACK)


@dataclass(frozen=True, slots=True)
class Edge:
    """`first` must be done before `then`; `clause` is the promise it stands for."""

    first: Step
    then: Step
    level: Level
    clause: str


EDGES: tuple[Edge, ...] = (
    Edge(Step.UPLOAD_FRONT, Step.UPLOAD_BACK, Level.DOCUMENTED, "order.upload-back-after-upload-front"),
    Edge(Step.UPLOAD_FRONT, Step.APPROVE_FRONT, Level.DOCUMENTED, "order.approve-front-after-upload-front"),
    Edge(Step.UPLOAD_BACK, Step.APPROVE_BACK, Level.DOCUMENTED, "order.approve-back-after-upload-back"),
    Edge(Step.APPROVE_FRONT, Step.APPROVE_BACK, Level.EXPECTED, "order.approve-back-after-approve-front"),
)


def predecessors(step: Step) -> frozenset[Step]:
    """The steps that must come before `step`, however far back."""
    direct = {edge.first for edge in EDGES if edge.then is step}
    return frozenset(direct.union(*(predecessors(first) for first in direct)))


def legal_orderings() -> Iterator[tuple[Step, ...]]:
    """Every ordering of the four steps that keeps all edges (the linear extensions of the order)."""

    def extend(done: tuple[Step, ...]) -> Iterator[tuple[Step, ...]]:
        if len(done) == len(Step):
            yield done
        for step in Step:
            if step not in done and predecessors(step) <= set(done):
                yield from extend((*done, step))

    return extend(())


PAGE_ORDER: tuple[Step, ...] = (Step.UPLOAD_FRONT, Step.UPLOAD_BACK, Step.APPROVE_FRONT, Step.APPROVE_BACK)
CLIENT_ORDER: tuple[Step, ...] = (Step.UPLOAD_FRONT, Step.APPROVE_FRONT, Step.UPLOAD_BACK, Step.APPROVE_BACK)


class Expected(StrEnum):
    """What the contract says of a step taken now."""

    ACCEPT = "accept"
    REFUSE = "refuse"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class State:
    """What one session has done. Immutable: `after` gives the next state.

    `uncertain` holds the steps of which the contract leaves open whether they still count: a front uploaded again may
    drop the back or the front's approval.
    """

    done: frozenset[Step] = frozenset()
    uncertain: frozenset[Step] = frozenset()

    @property
    def complete(self) -> bool:
        return Step.APPROVE_BACK in self.done

    def expect(self, step: Step) -> Expected:
        """Accept, refuse, or open, for a well-formed request of `step` in this state."""
        if self.complete:
            return Expected.REFUSE
        needed = predecessors(step)
        if not needed <= self.done | self.uncertain:
            return Expected.REFUSE
        if needed & self.uncertain:
            return Expected.OPEN
        if step is Step.UPLOAD_FRONT and Step.APPROVE_FRONT in self.done | self.uncertain:
            return Expected.OPEN
        if step is Step.APPROVE_FRONT and Step.APPROVE_FRONT in self.done | self.uncertain:
            return Expected.OPEN
        return Expected.ACCEPT

    def missing(self, step: Step) -> tuple[Edge, ...]:
        """The edges that `step` would break now; empty when none, or when the flow is complete."""
        return tuple(edge for edge in EDGES if edge.then is step and edge.first not in self.done | self.uncertain)

    def after(self, step: Step, *, accepted: bool) -> "State":
        """The state once `step` was answered. A refusal changes nothing (API.md, "What a refusal looks like")."""
        if not accepted:
            return self
        done, uncertain = self.done | {step}, self.uncertain - {step}
        if step is Step.UPLOAD_FRONT:
            shaken = (self.done | self.uncertain) & {Step.UPLOAD_BACK, Step.APPROVE_FRONT}
            done, uncertain = done - shaken, uncertain | shaken
        elif step is Step.APPROVE_BACK:
            # Accepted, so whatever it needed did still count.
            done, uncertain = done | predecessors(step), frozenset()
        return replace(self, done=frozenset(done), uncertain=frozenset(uncertain))


def violations() -> Iterator[tuple[tuple[Step, ...], Step]]:
    """Every way to break the order short of completion: the steps done before, and the step out of turn."""

    def reachable(done: tuple[Step, ...]) -> Iterator[tuple[Step, ...]]:
        if Step.APPROVE_BACK in done:
            return
        yield done
        for step in Step:
            if step not in done and predecessors(step) <= set(done):
                yield from reachable((*done, step))

    seen: set[tuple[frozenset[Step], Step]] = set()
    for done in reachable(()):
        for step in Step:
            if not predecessors(step) <= set(done) and (frozenset(done), step) not in seen:
                seen.add((frozenset(done), step))
                yield done, step


def state_after(steps: Sequence[Step]) -> State:
    """The state after `steps`, all of them accepted."""
    state = State()
    for step in steps:
        state = state.after(step, accepted=True)
    return state
