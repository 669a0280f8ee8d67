"""When a load goes out of turn, and in which way."""

from collections import Counter

import pytest

from kycgate.contracts.flow import Expected
from kycgate.contracts.flows import flow
from kycgate.load.out_of_turn import EVERY, OutOfTurn, walks
from kycgate.load.plan import LoadPlan


def plan(**more: float) -> LoadPlan:
    return LoadPlan.model_validate({"base_url": "http://127.0.0.1", "rate": 10, "duration_s": 100, **more})


def test_each_walk_is_legal_up_to_its_last_step_which_must_be_refused() -> None:
    for walk in walks():
        state = flow().start
        for step in walk.before:
            assert state.expect(step) is Expected.ACCEPT
            state = state.after(step, accepted=True)
        assert state.expect(walk.step) is Expected.REFUSE


def test_every_edge_is_broken_and_every_repeatable_step_is_repeated() -> None:
    broken = {edge for walk in walks() for edge in flow().state_after(walk.before).missing(walk.step)}
    assert broken == set(flow().edges)
    closed = {walk.step for walk in walks() if flow().state_after(walk.before).complete}
    assert closed == set(flow().steps) - {flow().first}


@pytest.mark.parametrize(("rate", "sessions"), [(1, 4), (10, 40), (100, 40)])
def test_they_are_few_and_spread_over_the_whole_load(rate: int, sessions: int) -> None:
    due = OutOfTurn(plan(rate=rate), fixed=False)
    at = [number for number in range(rate * 100) if due.due(number) is not None]
    assert len(at) == sessions
    assert at[-1] > 0.8 * rate * 100
    assert len(at) * EVERY <= rate * 100


def test_they_take_turns() -> None:
    due = OutOfTurn(plan(), fixed=False)
    found = Counter(walk for number in range(1_000) if (walk := due.due(number)) is not None)
    assert set(found) == set(walks())
    assert max(found.values()) - min(found.values()) <= 1


def test_there_are_none_of_fixed_keys_nor_where_they_are_switched_off() -> None:
    assert not any(OutOfTurn(plan(), fixed=True).due(number) for number in range(1_000))
    assert not any(OutOfTurn(plan(out_of_turn=0), fixed=False).due(number) for number in range(1_000))
