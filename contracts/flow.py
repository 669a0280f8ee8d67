"""A flow as a value: its steps, what must come before what, and what a session may do next. No vendor stands in here.

A `Flow` is a partial order of steps. Legal orderings, violations and the state after any walk are derived from its
edges, never listed. Everything that sends, judges, measures or shows asks the flow and names no step.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import Any

from kycgate.contracts.clauses import Clause, Level, add_clauses

DOCUMENTED_STATUSES = frozenset({200, 400, 401, 404})
INFRASTRUCTURE_STATUSES = frozenset({405, 413, 415, 429, 431})

Body = Callable[[Mapping[str, Any], Mapping[str, str], str], dict[str, Any]]
"""The legal body of a step that shows no picture: from the first reading, the card's truth, and on/off/auto."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What a step's 200 must say, beyond its shape: `wrong` gives what is wrong with the JSON value, or nothing."""

    clause: str
    required: str
    wrong: Callable[[Any], str]


class Step(str):
    """One step: its id, a string that can be compared with what was recorded, and what the flow says of it.

    `shows` is the side of a card (or another picture) that the step uploads; empty for a step that uploads nothing.
    `resets` are the steps that doing this one again may undo; `open_after` those after which the contract leaves open
    whether this one is accepted. `may_lack` are properties of the answer that may be absent all together, `demands`
    those that an accepted answer holds, by the clause `demands_clause`. `no_body_clause` is the promise that the step
    needs no body.

    A step whose answer is of a form of its own names the clause of that form, `shape_clause`: `answer` is then the
    Pydantic model, `rules` what else an answer must say, and `sample` the answer that the stand-in vendor gives to a
    customer's id.
    """

    operation_id: str
    path: str
    summary: str
    shows: str
    request: type[Any] | None
    answer: Any
    body: Body | None
    resets: frozenset[str]
    open_after: frozenset[str]
    may_lack: frozenset[str]
    demands: tuple[str, ...]
    demands_clause: str
    no_body_clause: str
    shape_clause: str
    rules: tuple[Rule, ...]
    sample: Callable[[str], Any] | None

    def __new__(
        cls,
        id: str,  # noqa: A002
        *,
        operation_id: str,
        path: str,
        summary: str,
        answer: Any,
        shows: str = "",
        request: type[Any] | None = None,
        body: Body | None = None,
        resets: Sequence[str] = (),
        open_after: Sequence[str] = (),
        may_lack: Sequence[str] | frozenset[str] = (),
        demands: Sequence[str] = (),
        demands_clause: str = "",
        no_body_clause: str = "",
        shape_clause: str = "",
        rules: Sequence[Rule] = (),
        sample: Callable[[str], Any] | None = None,
    ) -> "Step":
        step = super().__new__(cls, id)
        step.operation_id, step.path, step.summary = operation_id, path, summary
        step.answer, step.shows, step.request, step.body = answer, shows, request, body
        step.resets, step.open_after = frozenset(resets), frozenset(open_after)
        step.may_lack, step.demands, step.demands_clause = frozenset(may_lack), tuple(demands), demands_clause
        step.no_body_clause, step.shape_clause = no_body_clause, shape_clause
        step.rules, step.sample = tuple(rules), sample
        return step

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        # What another process is told is the id; it looks the step up in its own flow.
        return str, (str(self),)

    @property
    def acceptance(self) -> str:
        """The clause that this step is accepted in its turn."""
        return "upload.accepted" if self.is_upload else "approve.accepted"

    @property
    def is_upload(self) -> bool:
        return bool(self.shows)

    def at(self, path: str) -> "Step":
        """The same step under another path."""
        return Step(str(self), **{**vars(self), "path": path})


@dataclass(frozen=True, slots=True)
class Edge:
    """`first` must be done before `then`; `clause` is the promise it stands for."""

    first: Step
    then: Step
    level: Level
    clause: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation. `answer` is the type of its 200; `error` that of its other documented statuses."""

    id: str
    operation_id: str
    path: str
    summary: str
    request: type[Any] | None
    answer: Any
    error: type[Any]
    step: Step | None = None
    method: str = "POST"
    statuses: frozenset[int] = DOCUMENTED_STATUSES


class Expected(StrEnum):
    """What the contract says of a step taken now."""

    ACCEPT = "accept"
    REFUSE = "refuse"
    OPEN = "open"


@dataclass(frozen=True)
class Flow:
    """A vendor's flow. `steps` are in the order of its documentation.

    `orders` maps the clause of an ordering to its steps; `groups` names sets of endpoints for reports; `clauses` are
    promises beyond the catalogue that this flow brings with it; `tokens` are the endpoints that mint a session's token.
    """

    id: str
    base_path: str
    steps: tuple[Step, ...]
    edges: tuple[Edge, ...]
    orders: Mapping[str, tuple[Step, ...]]
    tokens: tuple[Endpoint, ...]
    error: type[Any]
    groups: tuple[tuple[str, frozenset[str]], ...] = ()
    clauses: tuple[Clause, ...] = ()
    pictures: Mapping[str, Callable[[int], bytes]] = field(default_factory=dict)
    """What draws a picture that is not a side of a card, from a seed, by what a step `shows`."""
    models: tuple[type[Any], ...] = field(default=())
    """Models that OpenAPI shows beside those of the steps."""

    def __post_init__(self) -> None:
        add_clauses(self.clauses)

    def __getitem__(self, id: str) -> Step:  # noqa: A002
        """The step of this id.

        Raises:
            KeyError: the flow has none.
        """
        return self._by_id[id]

    def get(self, id: str) -> Step | None:  # noqa: A002
        """The step of this id, or None."""
        return self._by_id.get(id)

    @cached_property
    def _by_id(self) -> dict[str, Step]:
        return {str(step): step for step in self.steps}

    @cached_property
    def first(self) -> Step:
        """The step that opens a session: the one that needs no other."""
        return next(step for step in self.steps if not self.predecessors(step))

    @cached_property
    def last(self) -> frozenset[Step]:
        """The steps that no other needs: with all of them done the flow is complete."""
        return frozenset(self.steps) - {edge.first for edge in self.edges}

    @cached_property
    def final(self) -> Step:
        """The last of the steps, in the documentation's order, that completes the flow."""
        return next(step for step in reversed(self.steps) if step in self.last)

    @cached_property
    def uploads(self) -> tuple[Step, ...]:
        """The steps that show a picture."""
        return tuple(step for step in self.steps if step.is_upload)

    @cached_property
    def client_order(self) -> tuple[Step, ...]:
        """The order of the installed client, where it is another than the documentation's."""
        return next((order for order in self.orders.values() if order != self.steps), self.steps)

    @cached_property
    def start(self) -> "State":
        """The state of a session in which nothing is done."""
        return State(self)

    @cached_property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """The steps' operations, then those that mint tokens."""
        return (
            *(
                Endpoint(
                    str(step), step.operation_id, step.path, step.summary, step.request, step.answer, self.error, step
                )
                for step in self.steps
            ),
            *self.tokens,
        )

    @property
    def token(self) -> Endpoint:
        """The endpoint that mints tokens."""
        return self.tokens[0]

    def predecessors(self, step: str) -> frozenset[Step]:
        """The steps that must come before `step`, however far back."""
        direct = {edge.first for edge in self.edges if edge.then == step}
        return frozenset(direct.union(*(self.predecessors(first) for first in direct)))

    def legal_orderings(self) -> Iterator[tuple[Step, ...]]:
        """Every ordering of all steps that keeps all edges (the linear extensions of the order)."""

        def extend(done: tuple[Step, ...]) -> Iterator[tuple[Step, ...]]:
            if len(done) == len(self.steps):
                yield done
            for step in self.steps:
                if step not in done and self.predecessors(step) <= set(done):
                    yield from extend((*done, step))

        return extend(())

    def violations(self) -> Iterator[tuple[tuple[Step, ...], Step]]:
        """Every way to break the order short of completion: the steps done before, and the step out of turn."""

        def reachable(done: tuple[Step, ...]) -> Iterator[tuple[Step, ...]]:
            if self.last <= set(done):
                return
            yield done
            for step in self.steps:
                if step not in done and self.predecessors(step) <= set(done):
                    yield from reachable((*done, step))

        seen: set[tuple[frozenset[Step], Step]] = set()
        for done in reachable(()):
            for step in self.steps:
                if not self.predecessors(step) <= set(done) and (frozenset(done), step) not in seen:
                    seen.add((frozenset(done), step))
                    yield done, step

    def state_after(self, steps: Sequence[str]) -> "State":
        """The state after `steps`, all of them accepted."""
        state = self.start
        for step in steps:
            state = state.after(self[step], accepted=True)
        return state

    def relocated(self, base_path: str | None = None, paths: Mapping[str, str] | None = None) -> "Flow":
        """The same flow behind a gateway that gives other paths: another base path, or a path for single endpoints.

        Raises:
            KeyError: `paths` names no endpoint of this flow.
        """
        paths = paths or {}
        unknown = set(paths) - {endpoint.id for endpoint in self.endpoints}
        if unknown:
            raise KeyError(min(unknown))
        base = self.base_path if base_path is None else base_path.rstrip("/")

        def moved(id: str, path: str) -> str:  # noqa: A002
            return paths.get(id, base + path.removeprefix(self.base_path))

        steps = {str(step): step.at(moved(str(step), step.path)) for step in self.steps}
        return replace(
            self,
            base_path=base,
            steps=tuple(steps.values()),
            edges=tuple(replace(edge, first=steps[edge.first], then=steps[edge.then]) for edge in self.edges),
            orders={clause: tuple(steps[step] for step in order) for clause, order in self.orders.items()},
            tokens=tuple(replace(token, path=moved(token.id, token.path)) for token in self.tokens),
        )


@dataclass(frozen=True, slots=True)
class State:
    """What one session has done. Immutable: `after` gives the next state.

    `uncertain` holds the steps of which the contract leaves open whether they still count: a step taken again may have
    undone them.
    """

    flow: Flow = field(repr=False, compare=False)
    done: frozenset[Step] = frozenset()
    uncertain: frozenset[Step] = frozenset()

    @property
    def complete(self) -> bool:
        return self.flow.last <= self.done

    def expect(self, step: Step) -> Expected:
        """Accept, refuse, or open, for a well-formed request of `step` in this state."""
        if self.complete:
            return Expected.REFUSE
        needed, begun = self.flow.predecessors(step), self.done | self.uncertain
        if not needed <= begun:
            return Expected.REFUSE
        if needed & self.uncertain or step.open_after & begun:
            return Expected.OPEN
        return Expected.ACCEPT

    def missing(self, step: Step) -> tuple[Edge, ...]:
        """The edges that `step` would break now; empty when none, or when the flow is complete."""
        begun = self.done | self.uncertain
        return tuple(edge for edge in self.flow.edges if edge.then == step and edge.first not in begun)

    def after(self, step: Step, *, accepted: bool) -> "State":
        """The state once `step` was answered. A refusal changes nothing."""
        if not accepted:
            return self
        shaken = frozenset(other for other in self.done | self.uncertain if other in step.resets)
        done, uncertain = (self.done | {step}) - shaken, (self.uncertain - {step}) | shaken
        if step in self.flow.last:
            # Accepted, so whatever it needed did still count.
            needed = self.flow.predecessors(step)
            done, uncertain = done | needed, uncertain - needed
        return State(self.flow, done, uncertain)
