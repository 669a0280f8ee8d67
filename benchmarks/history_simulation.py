"""How often `kycgate history` shows a change where none is, and finds one that is: docs/history-simulation.md.

    uv run python benchmarks/history_simulation.py --out docs/history-simulation.md

Each history has twelve series that hang together, as the steps of one run do. Exits 1 when a scenario without a change
shows one more often than promised, beyond what chance does in that number of histories.
"""

import argparse
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kycgate.sla import changes
from kycgate.sla.changes import LEVEL, splits
from kycgate.sla.objectives import share_bounds
from kycgate.tests.suite.distributions import binomial_quantile

Rows = NDArray[np.float64]
SERIES, RUNS = 12, (10, 20, 40)
DRAWS = 499
"""The level holds with any number of draws; fewer are faster, and find a little less."""


class Scenario(NamedTuple):
    """What the runs of a history are drawn from, and whether the promise is about it."""

    words: str
    draw: Callable[[np.random.Generator, int], Rows]
    promised: bool = False


def alike(rng: np.random.Generator, runs: int) -> Rows:
    """Independent runs, whose series have a correlation of one half; their spread is about 1."""
    return 0.7 * rng.standard_normal((1, runs)) + 0.7 * rng.standard_normal((SERIES, runs))


def walking(correlation: float) -> Callable[[np.random.Generator, int], Rows]:
    """Runs whose neighbours hang together: a first-order autoregression that all series share in part."""

    def draw(rng: np.random.Generator, runs: int) -> Rows:
        common = rng.standard_normal(runs)
        for place in range(1, runs):
            common[place] = correlation * common[place - 1] + (1 - correlation**2) ** 0.5 * common[place]
        return common + 0.5 * rng.standard_normal((SERIES, runs))

    return draw


def stepping(size: float, series: int) -> Callable[[np.random.Generator, int], Rows]:
    """A change in the middle, of `size` times the spread, in that number of the series."""

    def draw(rng: np.random.Generator, runs: int) -> Rows:
        rows = alike(rng, runs)
        rows[:series, runs // 2 :] += size
        return rows

    return draw


SCENARIOS = (
    Scenario("nothing changed: normal", alike, promised=True),
    Scenario(
        "nothing changed: skewed, with ties", lambda rng, runs: np.round(np.exp(alike(rng, runs)), 1), promised=True
    ),
    Scenario("nothing changed: heavy tails", lambda rng, runs: rng.standard_cauchy((SERIES, runs)), promised=True),
    Scenario(
        "nothing changed: shares near 1", lambda rng, runs: rng.binomial(300, 0.997, (SERIES, runs)) / 300.0,
        promised=True,
    ),
    Scenario("neighbours hang together by 0.3", walking(0.3)),
    Scenario("neighbours hang together by 0.6", walking(0.6)),
    Scenario(
        "all series go on growing, by 4 times their spread",
        lambda rng, runs: alike(rng, runs) + np.linspace(0, 4, runs),
    ),
    Scenario("all series change by 1.5 times their spread", stepping(1.5, SERIES)),
    Scenario("all series change by 3 times their spread", stepping(3, SERIES)),
    Scenario("one series changes by 3 times its spread", stepping(3, 1)),
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("docs/history-simulation.md"))
    parser.add_argument("--histories", type=int, default=400, help="Of each scenario and length.")
    chosen = parser.parse_args()
    changes.DRAWS = DRAWS
    lines = [
        "# Changes in a history: the simulation",
        "",
        f"What [`kycgate history`](how-to/history.md) says of {chosen.histories:,} histories each, of {SERIES} series.",
        f"Promised is: where nothing changed and runs are alike in any order, at most {LEVEL:.0%} show a change.",
        "",
        "| history | runs | a change is shown (95% interval) | drifts | promised |",
        "| --- | --- | --- | --- | --- |",
    ]
    over = False
    for number, scenario in enumerate(SCENARIOS):
        for runs in RUNS:
            rng = np.random.default_rng([number, runs])
            said = Counter(_word(scenario.draw(rng, runs), seed) for seed in range(chosen.histories))
            shown, drifts = said["changed"], said["drifts"]
            over |= scenario.promised and shown + drifts > binomial_quantile(0.9999, chosen.histories, LEVEL)
            promised = f"at most {LEVEL:.0%}" if scenario.promised else ""
            lines.append(
                f"| {scenario.words} | {runs} | {_share(shown, chosen.histories)} | {drifts / chosen.histories:.1%} | "
                f"{promised} |"
            )
    lines += ["", f"Made by `benchmarks/history_simulation.py`, with {DRAWS} drawn orders instead of 9,999.", ""]
    chosen.out.write_text("\n".join(lines), encoding="utf-8")
    raise SystemExit(int(over))


def _word(rows: Rows, seed: int) -> str:
    verdicts = {split.verdict for split in splits(rows.tolist(), seed=seed)}
    return next((word for word in ("changed", "drifts") if word in verdicts), "")


def _share(count: int, of: int) -> str:
    low, high = share_bounds(count, of, 0.975)
    return f"{count / of:.1%} ({low:.1%} to {high:.1%})"


if __name__ == "__main__":
    main()
