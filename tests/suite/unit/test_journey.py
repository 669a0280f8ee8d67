"""The order of the steps, state by state: what is accepted, refused or open, and what a step leaves behind."""

from dataclasses import replace

import pytest

from kycgate.contracts.clauses import Level
from kycgate.contracts.flow import Expected, Flow, State, Step
from kycgate.contracts.flows import flow
from kycgate.contracts.flows.national_id import (
    APPROVE_BACK,
    APPROVE_FRONT,
    CLIENT_ORDER,
    PAGE_ORDER,
    UPLOAD_BACK,
    UPLOAD_FRONT,
)

UF, UB, AF, AB = UPLOAD_FRONT, UPLOAD_BACK, APPROVE_FRONT, APPROVE_BACK


def expected(*done: Step) -> str:
    """A letter for each step in the page's order: accept, refuse, open."""
    return "".join(flow().state_after(done).expect(step)[0] for step in (UF, UB, AF, AB))


@pytest.mark.parametrize(
    ("done", "letters"),
    [
        ((), "arrr"),
        ((UF,), "aaar"),
        ((UF, UB), "aaar"),
        ((UF, AF), "oaor"),
        ((UF, UB, AF), "oaoa"),
        ((UF, AF, UB), "oaoa"),
        ((UF, UB, AF, AB), "rrrr"),
        ((UF, UF), "aaar"),
        ((UF, UB, UF), "aaar"),
        ((UF, AF, UF), "oaor"),
        ((UF, UB, AF, UF), "oaoo"),
        ((UF, UB, UF, AF), "oaoo"),
        ((UF, UB, AF, UF, AF), "oaoo"),
        ((UF, UB, AF, UF, UB), "oaoo"),
        ((UF, UB, AF, UF, AF, UB), "oaoa"),
        ((UF, UB, AF, UF, AB), "rrrr"),
    ],
)
def test_what_each_step_is_now(done: tuple[Step, ...], letters: str) -> None:
    assert expected(*done) == letters


def test_what_a_front_again_leaves_uncertain() -> None:
    state = flow().state_after((UF, UB, AF, UF))
    assert (state.done, state.uncertain) == (frozenset({UF}), frozenset({UB, AF}))
    assert state.after(UB, accepted=True) == State(flow(), frozenset({UF, UB}), frozenset({AF}))
    assert state.after(AB, accepted=True) == State(flow(), frozenset(flow().steps), frozenset())
    assert state.after(UF, accepted=True) == state
    assert flow().state_after((UF, UF)).uncertain == frozenset()


def test_a_refusal_changes_nothing() -> None:
    state = flow().state_after((UF, UB, AF, UF))
    for step in PAGE_ORDER:
        assert state.after(step, accepted=False) is state


@pytest.mark.parametrize(
    ("done", "step", "missing"),
    [
        ((), UF, []),
        ((), UB, [UF]),
        ((), AF, [UF]),
        ((), AB, [UB, AF]),
        ((UF, UB), AB, [AF]),
        ((UF, AF), AB, [UB]),
        ((UF, UB, AF), AB, []),
        ((UF, UB, AF, UF), AB, []),
        ((UF, UB, AF, AB), UB, []),
    ],
)
def test_the_edges_that_a_step_would_break(done: tuple[Step, ...], step: Step, missing: list[Step]) -> None:
    edges = flow().state_after(done).missing(step)
    assert [edge.first for edge in edges] == missing
    assert all(edge.then is step for edge in edges)


def test_predecessors_reach_all_the_way_back() -> None:
    assert [flow().predecessors(step) for step in (UF, UB, AF, AB)] == [set(), {UF}, {UF}, {UF, UB, AF}]


def test_orderings() -> None:
    assert list(flow().legal_orderings()) == [PAGE_ORDER, CLIENT_ORDER]
    assert PAGE_ORDER == (UF, UB, AF, AB)
    assert CLIENT_ORDER == (UF, AF, UB, AB)


def test_violations_in_their_order() -> None:
    assert list(flow().violations()) == [
        ((), UB), ((), AF), ((), AB), ((UF,), AB), ((UF, UB), AB), ((UF, AF), AB),
    ]  # fmt: skip


def test_a_step_is_found_by_its_id() -> None:
    assert [flow().get(step) for step in ("upload_back", "token", "sign")] == [UB, None, None]


def test_edges_levels_and_names() -> None:
    assert [(edge.first, edge.then, edge.level) for edge in flow().edges] == [
        (UF, UB, Level.DOCUMENTED), (UF, AF, Level.DOCUMENTED), (UB, AB, Level.DOCUMENTED), (AF, AB, Level.EXPECTED),
    ]  # fmt: skip
    assert [step.is_upload for step in (UF, UB, AF, AB)] == [True, True, False, False]
    assert [str(word) for word in Expected] == ["accept", "refuse", "open"]
    assert flow().state_after((UF, UB, AF, AB)).complete
    assert not flow().state_after((UF, UB, AF)).complete


def paths_of(moved: Flow) -> dict[str, str]:
    return {endpoint.id: endpoint.path for endpoint in moved.endpoints}


def test_a_gateway_gives_other_paths() -> None:
    before, here = paths_of(flow()), flow().base_path
    moved = flow().relocated("/ekyc/v2/", {"upload_front": "/scan"})
    elsewhere = {name: path.replace(here, "/ekyc/v2", 1) for name, path in before.items()}
    assert paths_of(moved) == elsewhere | {"upload_front": "/scan"}
    assert (moved.base_path, moved.steps, tuple(map(str, moved.tokens))) == (
        *("/ekyc/v2", flow().steps),
        tuple(map(str, [replace(token, path=elsewhere[token.id]) for token in flow().tokens])),
    )
    for clause, order in moved.orders.items():
        assert [step.path for step in order] == [paths_of(moved)[step] for step in flow().orders[clause]]
    assert [(str(edge.first), str(edge.then), edge.clause) for edge in moved.edges] == [
        (str(edge.first), str(edge.then), edge.clause) for edge in flow().edges
    ]
    for edge in moved.edges:
        both = (edge.first, edge.then)
        assert [step.path for step in both] == [paths_of(moved)[step] for step in both]
    for step, old in zip(moved.steps, flow().steps, strict=True):
        assert vars(step) == vars(old) | {"path": paths_of(moved)[step]}


def test_single_paths_may_be_given_others() -> None:
    moved = flow().relocated(None, {"token": "/oauth/token"})
    assert paths_of(moved) == paths_of(flow()) | {"token": "/oauth/token"}
    assert paths_of(flow().relocated()) == paths_of(flow())
    assert flow().relocated("/gateway/X/").first.path.startswith("/gateway/X/")
    with pytest.raises(KeyError, match="upload_side"):
        flow().relocated(None, {"upload_side": "/x", "upload_front": "/y"})
