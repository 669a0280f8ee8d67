"""Where a row of values changed: found where it was planted, and no more often than stated where nothing was."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from kycgate.sla import changes
from kycgate.sla.changes import FEWEST, LEVEL, splits
from kycgate.tests.suite.distributions import binomial_quantile

Rows = NDArray[np.float64]
LOW, HIGH = [3.0, 1.0, 5.0, 2.0, 4.0], [8.0, 6.0, 10.0, 7.0, 9.0]


def alike(rng: np.random.Generator, rows: int, runs: int) -> Rows:
    """Series that hang together, as the steps of one run do."""
    return 0.7 * rng.standard_normal((1, runs)) + 0.7 * rng.standard_normal((rows, runs))


def shown(rows: Rows, seed: int = 0) -> set[str]:
    return {split.verdict for split in splits(rows.tolist(), seed=seed)}


@pytest.fixture
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """The level holds with any number of draws."""
    monkeypatch.setattr(changes, "DRAWS", 499)


def test_ten_values_of_which_the_last_five_are_the_largest() -> None:
    """Of the 252 ways to choose which five come last, two divide the small from the large: p is 2 / 252."""
    (split,) = splits([LOW + HIGH])
    assert (split.verdict, split.at, split.before, split.after) == ("changed", 5, 3.0, 8.0)
    assert split.p == pytest.approx(2 / 252, abs=4 * math.sqrt(2 / 252 / 9_999))


def test_fewer_runs_than_it_takes_show_nothing() -> None:
    row = (LOW + HIGH)[: FEWEST - 1]
    (split,) = splits([row])
    assert (split.verdict, split.p) == ("too few runs", 1.0)
    assert splits([]) == []


def test_values_that_are_all_the_same_did_not_change() -> None:
    (split,) = splits([[1.0] * 20])
    assert (split.verdict, split.p) == ("no change shown", 1.0)


def test_a_run_without_a_value_keeps_its_place() -> None:
    row: list[float | None] = [None, *LOW, None, None, *HIGH, None]
    (split,) = splits([row])
    assert (split.verdict, split.before, split.after) == ("changed", 3.0, 8.0)
    # Between the sixth run and the ninth nothing was measured.
    assert 6 <= split.at <= 8


def test_more_series_take_more_to_show_a_change() -> None:
    alone = splits([LOW + HIGH])[0].p
    noise = alike(np.random.default_rng(1), 12, 10).tolist()
    among = splits([LOW + HIGH, *noise])[0]
    assert alone < LEVEL < among.p
    assert among.verdict == "no change shown"
    # The same series given again is not a further chance to err.
    assert splits([LOW + HIGH] * 5)[0].p == pytest.approx(alone)


def test_series_whose_places_cannot_be_told_apart_changed_together() -> None:
    rng = np.random.default_rng(2)
    rows = alike(rng, 8, 30)
    rows[:6, 15:] += 3
    found = splits(rows.tolist())
    assert [split.verdict for split in found[:6]] == ["changed"] * 6
    assert len({split.at for split in found[:6]}) == 1
    assert abs(found[0].at - 15) <= 1
    rows[3:6, :] = alike(rng, 3, 30)
    rows[3:6, 22:] += 4
    places = [split.at for split in splits(rows.tolist())[:6]]
    assert len(set(places[:3])) == len(set(places[3:])) == 1
    assert places[0] != places[3]


@pytest.mark.usefixtures("few_draws")
@pytest.mark.parametrize(
    "draw",
    [
        alike,
        lambda rng, rows, runs: np.round(np.exp(alike(rng, rows, runs)), 1),
        lambda rng, rows, runs: rng.standard_cauchy((rows, runs)),
        lambda rng, rows, runs: np.minimum(rng.binomial(300, 0.997, (rows, runs)) / 300, 1.0),
    ],
    ids=["normal", "skewed with ties", "heavy tails", "shares near 1"],
)
@pytest.mark.parametrize("runs", [10, 25])
def test_where_nothing_changed_at_most_the_stated_share_shows_a_change(
    draw: Callable[[np.random.Generator, int, int], Rows], runs: int
) -> None:
    rng, histories = np.random.default_rng(runs), 120
    wrong = sum(bool(shown(draw(rng, 6, runs), n) & {"changed", "drifts"}) for n in range(histories))
    assert wrong <= binomial_quantile(0.9999, histories, LEVEL)


@pytest.mark.usefixtures("few_draws")
def test_each_series_by_itself_would_err_more_often() -> None:
    """What the correction is for: this test fails where the one above could not."""
    rng, histories = np.random.default_rng(3), 100
    rows = [rng.standard_normal((8, 20)) for _ in range(histories)]
    wrong = sum(any(splits([row])[0].p <= LEVEL for row in history.tolist()) for history in rows)
    assert wrong > binomial_quantile(0.9999, histories, LEVEL)


@pytest.mark.usefixtures("few_draws")
@pytest.mark.parametrize(("runs", "times"), [(12, 4.0), (16, 2.5), (40, 1.5)])
def test_a_planted_change_is_found_where_it_was_planted(runs: int, times: float) -> None:
    """Of four series out of eight, by `times` their spread."""
    rng, histories, near = np.random.default_rng(4), 50, 0
    for n in range(histories):
        rows = alike(rng, 8, runs)
        rows[:4, runs // 2 :] += times
        found = [split.at for split in splits(rows.tolist(), seed=n) if split.verdict == "changed"]
        near += bool(found) and abs(found[0] - runs // 2) <= 2
    assert near >= 40


@pytest.mark.usefixtures("few_draws")
def test_what_goes_on_changing_drifts() -> None:
    rng, seen = np.random.default_rng(5), []
    for n in range(50):
        rows = alike(rng, 8, 24) + np.linspace(0, 5, 24)
        seen.append("changed" if "changed" in shown(rows, n) else "drifts" if "drifts" in shown(rows, n) else "")
    assert seen.count("drifts") >= 40
    # A season, or a walk: neighbours are alike beside any split.
    season = np.sin(np.arange(48) / 48 * 6 * math.pi) + np.linspace(0, 1.5, 48)
    assert splits([season.tolist()])[0].verdict in ("drifts", "no change shown")
