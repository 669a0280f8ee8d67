"""How often is an SLA verdict wrong? And how much evidence does it save to stop early?

    uv run --with matplotlib python benchmarks/sla_simulation.py --out docs/sla-simulation.md

Thousands of runs are drawn from vendors just outside and just inside an objective, judged by the functions that
`kycgate sla`, `kycgate load --until-decided` and `kycgate compare` use, and the share of wrong verdicts is put beside
the promised one. A row fails, and the exit code is 1, when the observed share is too high to be chance: when even the
lower end of its own exact 99% interval lies above the promise.
"""

import argparse
import importlib.metadata
import math
import platform
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kycgate.probing.probe import Probe
from kycgate.sla import bootstrap
from kycgate.sla.blocks import Seconds
from kycgate.sla.bootstrap import Sample, estimate
from kycgate.sla.martingale import ANYTIME
from kycgate.sla.month import judge_month
from kycgate.sla.needs import POWER, chances_of
from kycgate.sla.objective_verdict import BROKEN, HOLDS, UNDECIDED, look
from kycgate.sla.objectives import EXACT, ranks, share_bounds
from kycgate.sla.policy import DEFAULT_BURSTS_S, Policy
from kycgate.sla.run_verdict import bounds_of_mean
from kycgate.sla.sequential import next_look
from kycgate.sla.spans import parse_span
from kycgate.sla.special import ndtri

MISS = 0.05
OFF = 0.01
"""How far from the limit the vendors are, as a share of the failures that the objective allows."""
CHUNK = 250
SEED = 20261125
PLANNED_FOR = 0.75
"""The vendor that a fixed sample is planned for: one with this share of the allowed failures."""

Draw = Callable[[np.random.Generator, int, int, int], NDArray[np.float64]]


def independent(rng: np.random.Generator, runs: int, seconds: int, rate: int) -> NDArray[np.float64]:
    """Log latencies, standard normal, (runs, seconds, rate)."""
    return rng.standard_normal((runs, seconds, rate))


def _ar1(rng: np.random.Generator, runs: int, steps: int, correlation: float) -> NDArray[np.float64]:
    noise = rng.standard_normal((runs, steps))
    noise[:, 1:] *= np.sqrt(1 - correlation**2)
    for step in range(1, steps):
        noise[:, step] += correlation * noise[:, step - 1]
    return noise


def _wandering(rng: np.random.Generator, runs: int, seconds: int, rate: int, *, memory_s: float) -> NDArray[np.float64]:
    """An AR(1) level of the log latency, which each second's requests share; half the variance is their own."""
    level = _ar1(rng, runs, seconds, np.exp(-1 / memory_s))
    return np.sqrt(0.5) * level[:, :, None] + np.sqrt(0.5) * rng.standard_normal((runs, seconds, rate))


def wandering(memory_s: float) -> Draw:
    return partial(_wandering, memory_s=memory_s)


def request_by_request(rng: np.random.Generator, runs: int, seconds: int, rate: int) -> NDArray[np.float64]:
    """AR(1) from one request to the next; it remembers 0.3 s."""
    return _ar1(rng, runs, seconds * rate, np.exp(-1 / (0.3 * rate))).reshape(runs, seconds, rate)


def _cycling(rng: np.random.Generator, runs: int, seconds: int, rate: int, *, period_s: float) -> NDArray[np.float64]:
    """A level that goes up and down like a sine, from a phase of its own in each run; half the variance is noise."""
    phase = rng.uniform(0, 2 * np.pi, (runs, 1))
    level = np.sin(2 * np.pi * np.arange(seconds) / period_s + phase)
    return level[:, :, None] + np.sqrt(0.5) * rng.standard_normal((runs, seconds, rate))


def cycling(period_s: float) -> Draw:
    return partial(_cycling, period_s=period_s)


def cycle_quantile(share: float) -> float:
    """Of a cycle's latencies over whole periods."""
    levels = np.sin(np.linspace(0, 2 * np.pi, 2_000, endpoint=False)).tolist()
    low, high = -6.0, 6.0
    for _ in range(50):
        x = (low + high) / 2
        below = fmean(math.erfc((level - x) / math.sqrt(0.5) / math.sqrt(2)) / 2 for level in levels)
        low, high = (x, high) if below < share else (low, x)
    return (low + high) / 2


PARETO = 1.1


def pareto(rng: np.random.Generator, runs: int, seconds: int, rate: int) -> NDArray[np.float64]:
    """Logarithms of latencies with a Pareto tail that has no variance."""
    return rng.exponential(1 / PARETO, (runs, seconds, rate))


def pareto_quantile(share: float) -> float:
    return float(-np.log(1 - share) / PARETO)


@dataclass(frozen=True)
class Stalls:
    """How long disturbances last: whole seconds from `shortest` to `longest`, as likely as their power `-tail`."""

    shortest: int
    longest: int
    tail: float = 0.0

    @property
    def lengths(self) -> NDArray[np.int64]:
        return np.arange(self.shortest, self.longest + 1)

    @property
    def chances(self) -> NDArray[np.float64]:
        weights = self.lengths.astype(float) ** -self.tail
        return np.asarray(weights / weights.sum())

    def draw(self, rng: np.random.Generator, runs: int, seconds: int, bad_share: float) -> NDArray[np.bool_]:
        """Seconds in which everything is slow, or fails: a share `bad_share` of all, (runs, seconds)."""
        mean, warm_up = float(self.lengths @ self.chances), min(20 * self.longest, 4_000)
        begins = 1 / (1 + mean * (1 - bad_share) / bad_share)
        left = np.zeros(runs, dtype=int)
        stalled = np.zeros((runs, seconds), dtype=bool)
        for second in range(-warm_up, seconds):
            fresh = np.flatnonzero((left == 0) & (rng.random(runs) < begins))
            if len(fresh):
                left[fresh] = rng.choice(self.lengths, len(fresh), p=self.chances)
            if second >= 0:
                stalled[:, second] = left > 0
            left = np.maximum(left - 1, 0)
        return stalled


@dataclass(frozen=True)
class Vendor:
    """One kind of vendor; `share` of its samples are good."""

    words: str
    draw: Draw | None = None
    stalls: Stalls | None = None
    latency: bool = True
    quantile: Callable[[float], float] = ndtri

    def values(self, rng: np.random.Generator, runs: int, length: int, rate: int, share: float) -> NDArray[np.float64]:
        """Log latencies, (runs, seconds, rate); those of a stall are over 2.5."""
        if self.stalls is None:
            return (self.draw or independent)(rng, runs, length, rate)
        stalled = self.stalls.draw(rng, runs, length, 1 - share)[:, :, None]
        return rng.standard_normal((runs, length, rate)) * 0.3 + np.where(stalled, 5.0, 0.0)

    def seconds(self, rng: np.random.Generator, runs: int, length: int, rate: int, share: float) -> Seconds:
        """What a number of runs of it show."""
        total = np.full((runs, length), float(rate))
        values = self.values(rng, runs, length, rate, share)
        good = (values <= (2.5 if self.stalls else self.quantile(share))).sum(-1).astype(float)
        if not self.latency:
            return Seconds(total, good, np.zeros_like(good))
        return Seconds(total, good, np.zeros_like(good), values.sum(-1), (values**2).sum(-1))


INDEPENDENT = Vendor("independent", independent)
FAILING_ALONE = Vendor("failures one by one", independent, latency=False)
WITHIN = Vendor("AR(1), remembers 0.3 s", request_by_request)
BRIEF = Vendor("AR(1), remembers 2 s", wandering(2))
LONG = Vendor("AR(1), remembers 10 s", wandering(10))
STALLS = Vendor("stalls of 1 to 10 s", stalls=Stalls(1, 10))
FORGETFUL = Vendor("AR(1), remembers 60 s", wandering(60))
OUTAGES = Vendor("outages of 1 to 10 s", stalls=Stalls(1, 10), latency=False)


def bursts(seconds: int) -> Vendor:
    return Vendor(f"outages of {seconds} s", stalls=Stalls(seconds, seconds), latency=False)


HEAVY = Vendor("outages of 2 to 600 s, heavy-tailed", stalls=Stalls(2, 600, tail=2.0), latency=False)
STALL_30 = Vendor("stalls of 30 s", stalls=Stalls(30, 30))
TAIL = Vendor("Pareto tail 1.1", pareto, quantile=pareto_quantile)
CYCLE_60, CYCLE_300, DAY = (
    Vendor(f"a cycle of {words}", cycling(period_s), quantile=cycle_quantile)
    for words, period_s in (("60 s", 60), ("300 s", 300), ("a day", 86_400))
)


def remembers(memory_s: float) -> Vendor:
    return Vendor(f"AR(1), remembers {memory_s:g} s", wandering(memory_s))


@dataclass(frozen=True)
class Row:
    """One method against one kind of vendor, in runs of at most `length` seconds with `rate` samples in each."""

    method: str
    vendor: Vendor
    share: float
    length: int
    rate: int
    early: bool = False
    bursts_s: float | None = None
    runs: int = 1_000
    promised: bool = True


class Judged(NamedTuple):
    """Of many runs: the verdicts, and the seconds after which they fell."""

    verdicts: NDArray[np.int64]
    seconds: NDArray[np.int64]


def judged(row: Row, seconds: Seconds) -> Judged:
    """As `kycgate sla` does it, or, when `row` is early, as --until-decided."""
    runs, length = seconds.total.shape
    if not row.early:
        return Judged(look(seconds, row.bursts_s, row.share, MISS, EXACT).verdict, np.full(runs, length))
    found = Judged(np.full(runs, UNDECIDED), np.full(runs, length))
    if row.bursts_s is None:
        # Such a run may not end early: the whole of it is looked at, once.
        return Judged(look(seconds, None, row.share, MISS, ANYTIME).verdict, np.full(runs, length))
    going, second = np.arange(runs), 1
    while second <= length and len(going):
        part = Seconds(*(None if column is None else column[going] for column in seconds.until(second)))  # type: ignore[arg-type]
        verdicts = look(part, row.bursts_s, row.share, MISS, ANYTIME).verdict
        done = verdicts != UNDECIDED
        found.verdicts[going[done]], found.seconds[going[done]] = verdicts[done], second
        going, second = going[~done], next_look(second)
    return found


def run_row(row: Row, number: int) -> dict[str, float]:
    """The wrong verdicts about vendors just outside and just inside, and what becomes of one well inside."""
    rng = np.random.default_rng([SEED, number])
    allowed = 1 - row.share
    found: dict[str, float] = {}
    for name, bad, wrong in (
        ("outside", allowed * (1 + OFF), HOLDS),
        ("inside", allowed * (1 - OFF), BROKEN),
        ("good", allowed / 4, HOLDS),
    ):
        runs = row.runs if name != "good" else CHUNK
        parts = [
            judged(row, row.vendor.seconds(rng, CHUNK, row.length, row.rate, 1 - bad)) for _ in range(runs // CHUNK)
        ]
        verdicts = np.concatenate([part.verdicts for part in parts])
        found[name] = float((verdicts == wrong).sum())
        found[f"{name}_s"] = float(np.concatenate([part.seconds for part in parts]).mean())
    return found


STATED = (
    # Vendor, share, seconds, rate, and the longest disturbance as the policy states it.
    (remembers(0.5), 0.95, 120, 10, 1),
    (BRIEF, 0.95, 300, 10, 4),
    (LONG, 0.90, 600, 5, 20),
    (TAIL, 0.95, 120, 10, 0.5),
    (bursts(1), 0.95, 300, 5, 1),
    (bursts(5), 0.95, 600, 5, 5),
    (bursts(10), 0.95, 900, 5, 10),
    (OUTAGES, 0.95, 900, 5, 10),
    (STALLS, 0.95, 900, 5, 10),
    (bursts(30), 0.95, 2_700, 2, 30),
    (STALL_30, 0.95, 2_700, 2, 30),
    (remembers(30), 0.90, 1_800, 2, 60),
    (remembers(120), 0.80, 7_200, 1, 240),
    (CYCLE_60, 0.95, 1_200, 5, 60),
    (CYCLE_300, 0.90, 3_600, 2, 300),
    (HEAVY, 0.75, 14_400, 1, 600),
)
UNSTATED = (
    (FAILING_ALONE, 0.95, 300, 10),
    (WITHIN, 0.95, 120, 10),
    (remembers(0.5), 0.95, 120, 10),
    (BRIEF, 0.95, 120, 10),
    (LONG, 0.95, 300, 5),
    (remembers(30), 0.95, 600, 5),
    (FORGETFUL, 0.95, 300, 5),
    (remembers(120), 0.95, 600, 5),
    (TAIL, 0.95, 120, 10),
    (bursts(1), 0.95, 300, 5),
    (bursts(5), 0.95, 300, 5),
    (bursts(10), 0.95, 60, 10),
    (bursts(30), 0.95, 900, 5),
    (HEAVY, 0.95, 900, 5),
    (STALL_30, 0.95, 900, 5),
    (CYCLE_60, 0.95, 300, 5),
    (CYCLE_300, 0.95, 900, 5),
    (DAY, 0.95, 3_600, 2),
    # At a share that a run can show without a statement.
    (INDEPENDENT, 0.75, 120, 10),
    (BRIEF, 0.75, 120, 10),
    (LONG, 0.75, 300, 5),
    (FORGETFUL, 0.75, 300, 5),
    (remembers(120), 0.75, 600, 5),
    (bursts(10), 0.75, 300, 5),
    (STALL_30, 0.75, 900, 5),
    (HEAVY, 0.75, 900, 5),
    (CYCLE_300, 0.75, 900, 5),
)
ROWS = (
    Row("exact bounds, fixed", FAILING_ALONE, 0.99, 120, 20, bursts_s=0, runs=10_000),
    Row("exact bounds, fixed", INDEPENDENT, 0.95, 60, 10, bursts_s=0, runs=10_000),
    Row("stopped early", FAILING_ALONE, 0.99, 600, 20, early=True, bursts_s=0, runs=4_000),
    Row("stopped early", INDEPENDENT, 0.95, 600, 10, early=True, bursts_s=0, runs=4_000),
    # The default policy, in the run of a minute.
    Row("the default policy, fixed", bursts(10), 0.95, 60, 10, bursts_s=DEFAULT_BURSTS_S),
    Row("the default policy, fixed", LONG, 0.95, 60, 10, bursts_s=DEFAULT_BURSTS_S),
    *(
        Row("blocks, stopped early" if early else "blocks, fixed", *given, early=early, bursts_s=bursts_s)
        for early in (False, True)
        for *given, bursts_s in STATED
    ),
    *(
        Row("blocks, until decided" if early else "blocks, fixed", *given, early=early)
        for early in (False, True)
        for given in UNSTATED
    ),
    # What a policy states is believed: a statement that is not true is not promised for.
    Row("exact bounds, fixed", BRIEF, 0.95, 60, 10, bursts_s=0, promised=False),
    Row("stopped early", BRIEF, 0.95, 300, 10, early=True, bursts_s=0, promised=False),
    Row("exact bounds, fixed", bursts(10), 0.95, 60, 10, bursts_s=0, promised=False),
    Row("blocks, fixed", bursts(30), 0.95, 900, 5, bursts_s=10, promised=False),
    Row("blocks, fixed", DAY, 0.95, 3_600, 2, bursts_s=10, promised=False),
    Row("blocks, fixed", DAY, 0.75, 3_600, 2, promised=False),
)


def run_order_statistics(runs: int, n: int, q: float) -> tuple[int, int]:
    """In how many runs the true quantile lies above its upper bound, and below its lower one."""
    rng = np.random.default_rng([SEED, 1_000])
    lower, upper = ranks(n, q, 1.0, 1 - MISS)
    ordered = np.sort(rng.standard_normal((runs, n)), axis=1)
    true = float(ndtri(q))
    return int((ordered[:, upper - 1] < true).sum()), int((ordered[:, lower - 1] > true).sum())


def run_family(vendor: Vendor, runs: int, length: int, rate: int) -> int:
    """Runs in which any of four percentiles of the same latencies, each just outside or inside, is judged wrongly."""
    rng = np.random.default_rng([SEED, 2_000])
    draw, shares, wrong = vendor.draw or independent, (0.5, 0.9, 0.95, 0.99), 0
    for _ in range(runs // CHUNK):
        values = draw(rng, CHUNK, length, rate)
        total, score, squares = np.full(values.shape[:2], float(rate)), values.sum(-1), (values**2).sum(-1)
        any_wrong = np.zeros(CHUNK, dtype=bool)
        for place, share in enumerate(shares):
            # Every other one is just outside: its verdict is wrong when it holds.
            outside = place % 2 == 0
            good = (values <= ndtri(share - OFF * (1 - share) * (1 if outside else -1))).sum(-1).astype(float)
            seconds = Seconds(total, good, np.zeros_like(good), score, squares)
            verdicts = look(seconds, None, share, MISS / len(shares), EXACT).verdict
            any_wrong |= verdicts == (HOLDS if outside else BROKEN)
        wrong += int(any_wrong.sum())
    return wrong


@dataclass(frozen=True)
class Pair:
    """Two runs of the same target, or of one that got slower by `slower`, compared."""

    vendor: Vendor
    length: int
    rate: int
    min_effect: float
    slower: float = 0.0
    runs: int = 200


PAIRS = (
    Pair(INDEPENDENT, 60, 10, 0.0),
    Pair(INDEPENDENT, 60, 10, 0.05),
    Pair(INDEPENDENT, 60, 10, 0.05, slower=0.05),
    Pair(BRIEF, 120, 10, 0.0),
    Pair(BRIEF, 120, 10, 0.05),
    Pair(BRIEF, 120, 10, 0.05, slower=0.05),
    Pair(LONG, 300, 5, 0.0),
    Pair(LONG, 300, 5, 0.05),
    Pair(LONG, 300, 5, 0.05, slower=0.05),
    # Truly slower than what matters: wrong is to call it not slower.
    Pair(INDEPENDENT, 60, 10, 0.05, slower=0.06),
    Pair(INDEPENDENT, 300, 50, 0.05, slower=0.06, runs=100),
    Pair(INDEPENDENT, 300, 50, 0.05, slower=0.10, runs=100),
    Pair(LONG, 120, 10, 0.05, slower=0.50),
    Pair(TAIL, 120, 10, 0.0),
    Pair(FORGETFUL, 120, 10, 0.0),
    Pair(FORGETFUL, 120, 10, 0.05),
    Pair(remembers(120), 120, 10, 0.05),
    Pair(STALL_30, 300, 5, 0.05),
    Pair(CYCLE_300, 300, 5, 0.05),
)
_SPREAD = 0.4
"""Of the log latencies in the comparisons."""


class Compared(NamedTuple):
    """Of many pairs: how many verdicts are wrong, and how many lack evidence."""

    wrong: int
    undecided: int


def run_pair(pair: Pair, number: int) -> Compared:
    """Wrong is any change that matters where there is none, and "not slower" where there is one."""
    rng = np.random.default_rng([SEED, 3_000, number])
    asked = [(0, share) for share in (0.5, 0.9, 0.95, 0.99) if pair.length * pair.rate * (1 - share) >= 10]
    limit = np.log1p(pair.min_effect)
    changed = shown = undecided = 0
    bootstrap.DRAWS = 500
    for run in range(pair.runs):
        base, new = (pair.vendor.values(rng, 1, pair.length, pair.rate, 0.95)[0] * _SPREAD for _ in range(2))
        found = estimate([_sample(base)], [_sample(new + np.log1p(pair.slower))], asked, 1 - MISS, run)
        slower = bool((found.low > limit).any())
        changed += slower or bool((found.high < np.log1p(-pair.min_effect)).any())
        not_slower = bool((found.high <= limit).all())
        shown += not_slower
        undecided += not (slower or not_slower)
    return Compared(shown if pair.slower > pair.min_effect else changed, undecided)


def _sample(values: NDArray[np.float64]) -> Sample:
    """In cells of half a percent."""
    cells, place = np.unique(np.round(values * 200), return_inverse=True)
    counts = np.zeros((len(values), len(cells)))
    np.add.at(counts, (np.repeat(np.arange(len(values)), values.shape[1]), place.ravel()), 1)
    return Sample(counts, cells / 200)


@dataclass(frozen=True)
class MonthRow:
    """February 2026 under probes at moments drawn in their slots, and outages that were planted in it."""

    words: str
    outage_s: float
    """How long each outage lasts; the last one takes what is left."""
    probers: tuple[tuple[int, int], ...] = ((1_200, 1_200),)
    """Of each, the seconds from one probe to the next in the first and in the second half of the month."""
    half: int | None = None
    """The half that all outages are in."""
    runs: int = 200


_MONTH = parse_span("2026-02")
_START = datetime(2026, 2, 1, tzinfo=UTC)
_LENGTH_S = 28 * 86_400.0
_ALLOWED = 0.01
_APART_S = 3_600.0
"""Planted outages are at least so far apart, so that no two look like one."""
MONTHS = (
    MonthRow("outages of 4 min", 240),
    MonthRow("outages of 20 min", 1_200),
    MonthRow("outages of 2 h", 7_200),
    MonthRow("one outage", 30_000),
    MonthRow("probes twice as often in the half with the outages", 3_600, ((600, 1_200),), half=0),
    MonthRow("probes twice as often in the other half", 3_600, ((600, 1_200),), half=1),
    MonthRow("two probers", 3_600, ((1_200, 1_200), (1_200, 1_200))),
    MonthRow("a second prober in the half with the outages", 3_600, ((1_200, 1_200), (0, 1_200)), half=1),
    MonthRow("a second prober in the other half", 3_600, ((1_200, 1_200), (1_200, 0)), half=1),
)


def planted(rng: np.random.Generator, row: MonthRow, share: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """When the vendor is down for this share of the month: begins and ends, in seconds."""
    down = share * _LENGTH_S
    lengths = np.full(max(int(down // row.outage_s), 1), min(row.outage_s, down))
    if len(lengths) * row.outage_s < down:
        lengths = np.append(lengths, down - lengths.sum())
    begin, length = (0.0, _LENGTH_S) if row.half is None else (row.half * _LENGTH_S / 2, _LENGTH_S / 2)
    apart = min(_APART_S, (length - down) / len(lengths) / 2)
    free = np.sort(rng.random(len(lengths))) * (length - down - apart * len(lengths))
    starts = begin + free + np.concatenate([[0.0], np.cumsum(lengths + apart)[:-1]])
    return starts, starts + lengths


def met_by(
    rng: np.random.Generator, row: MonthRow, starts: NDArray[np.float64], ends: NDArray[np.float64]
) -> list[Probe]:
    """What each prober met."""
    found = []
    for name, rates in enumerate(row.probers):
        for half, every in enumerate(rates):
            slots = np.arange(int(_LENGTH_S / 2 // every)) if every else np.zeros(0)
            moments = half * _LENGTH_S / 2 + (slots + rng.random(len(slots))) * every
            place = np.searchsorted(starts, moments, side="right") - 1
            down = (place >= 0) & (moments < ends[np.maximum(place, 0)])
            found += [
                Probe.model_construct(
                    id=f"{name}.{half}.{n}", started_at=_START + timedelta(seconds=float(moment)), target="x",
                    prober=str(name), verdict="unavailable" if failed else "kept", jitter_s=float(every), timeout_s=60,
                    failure="no connection" if failed else "", failed_step="", steps=(), requests=1, uploads=1,
                )
                for n, (moment, failed) in enumerate(zip(moments, down, strict=True))
            ]  # fmt: skip
    return found


def run_month(row: MonthRow, number: int) -> dict[str, float]:
    """Wrong verdicts on the month's availability and its longest outage, and how often a good vendor is shown."""
    rng = np.random.default_rng([SEED, 5_000, number])
    found: dict[str, float] = defaultdict(float)
    for side, share, wrong in (
        ("outside", _ALLOWED * (1 + OFF), "holds"),
        ("inside", _ALLOWED * (1 - OFF), "broken"),
        ("good", _ALLOWED / 4, "holds"),
    ):
        for _ in range(row.runs):
            starts, ends = planted(rng, row, share)
            limit_s = float((ends - starts).max()) * (1 - OFF if side == "outside" else 1 + OFF)
            policy = Policy.model_validate({"objective": [
                {"id": "up", "kind": "availability", "at_least": 1 - _ALLOWED},
                {"id": "longest", "kind": "longest-outage", "at_most_s": limit_s},
            ]})  # fmt: skip
            probes = met_by(rng, row, starts, ends)
            now = _START + timedelta(days=40)
            up, longest = judge_month(policy, _MONTH, probes, target="x", now=now, every_s=1_200).objectives
            found[side] += up.verdict == wrong
            found["longest"] += side != "good" and longest.verdict == wrong
    return dict(found)


def months_as_table(rows: Sequence[tuple[MonthRow, dict[str, float]]]) -> Iterator[str]:
    yield "| month | runs | wrong: holds, just outside | wrong: broken, just inside | a good vendor: shown to hold | wrong: longest outage |"  # noqa: E501
    yield "| --- | --- | --- | --- | --- | --- |"
    for row, found in rows:
        yield (
            f"| {row.words} | {row.runs:,} | {_share(found['outside'], row.runs)} | "
            f"{_share(found['inside'], row.runs)} | {found['good'] / row.runs:.0%} | "
            f"{_share(found['longest'], 2 * row.runs)} |"
        )


@dataclass(frozen=True)
class ThroughputRow:
    """A vendor that serves as fast as it can, at a speed that wanders and remembers itself for a while."""

    words: str
    length: int
    memory_s: float = 0.0
    runs: int = 2_000


THROUGHPUTS = (
    ThroughputRow("served one by one", 60),
    ThroughputRow("a speed that remembers 1 s", 120, 1),
    ThroughputRow("a speed that remembers 3 s", 300, 3),
    ThroughputRow("a speed that remembers 10 s", 1_000, 10),
)


def run_throughput(row: ThroughputRow, number: int) -> tuple[int, int]:
    """Runs wrongly said to hold of a vendor just too slow, and to be broken of one just fast enough."""
    rng, limit, wrong = np.random.default_rng([SEED, 6_000, number]), 20.0, [0, 0]
    for side, speed in enumerate((limit * (1 - OFF), limit * (1 + OFF))):
        level = np.ones((row.runs, row.length))
        if row.memory_s:
            level += 0.2 * _ar1(rng, row.runs, row.length, np.exp(-1 / row.memory_s))
        for values in rng.poisson(speed * np.maximum(level, 0.0)):
            low, high = bounds_of_mean(values.astype(float), 1 - MISS)
            wrong[side] += low >= limit if side == 0 else high < limit
    return wrong[0], wrong[1]


def interval(wrong: float, runs: int) -> tuple[float, float]:
    """The exact two-sided 99% interval of the share of wrong verdicts."""
    return share_bounds(wrong, runs, 0.995)


def too_many(wrong: float, runs: int) -> bool:
    """Whether chance does not explain that number."""
    return interval(wrong, runs)[0] > MISS


def _share(wrong: float, runs: int) -> str:
    low, high = interval(wrong, runs)
    return f"{wrong / runs:.2%} ({low:.2%} to {high:.2%})"


def rows_as_table(rows: Sequence[tuple[Row, dict[str, float]]]) -> Iterator[str]:
    yield "| method | vendor | objective | at most | runs | wrong: holds, just outside | wrong: broken, just inside | a good vendor: shown to hold, after |"  # noqa: E501
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for row, found in rows:
        what = f"{row.share:.0%} " + ("in time" if row.vendor.latency else "answered")
        bursts = "" if row.bursts_s is None else f", bursts_s = {row.bursts_s:g}"
        yield (
            f"| {row.method}{bursts} | {row.vendor.words} | {what} | {row.length:,} s of {row.rate} | {row.runs:,} | "
            f"{_share(found['outside'], row.runs)} | {_share(found['inside'], row.runs)} | "
            f"{found['good'] / CHUNK:.0%}, {found['good_s']:,.0f} s |"
        )


def savings(share: float, runs: int) -> tuple[list[float], NDArray[np.float64], NDArray[np.float64]]:
    """Multiples of the allowed failures; samples until decided (mean, 10%, 90%); the share decided at all."""
    rng = np.random.default_rng([SEED, 4_000])
    multiples = [0.0, 0.1, 0.25, 0.5, 0.75, 1.33, 1.5, 2.0, 3.0, 5.0]
    most, most_bad, figures, decided = 4_000, 600, [], []
    n, bad = np.arange(1, most + 1)[:, None], np.arange(most_bad + 1)
    good = np.maximum(n - bad, 0)
    settled = (ANYTIME.above(good, bad, share) <= MISS) | (ANYTIME.below(good, bad, share) <= MISS)
    for multiple in multiples:
        seen = np.cumsum(rng.random((runs, most)) < multiple * (1 - share), axis=1)
        # With more failures than the table holds it has long been decided.
        ended = settled[np.arange(most), np.minimum(seen, most_bad)]
        samples = np.where(ended.any(1), ended.argmax(1) + 1, most)
        figures.append([samples.mean(), *np.quantile(samples, (0.1, 0.9))])
        decided.append(ended.any(1).mean())
    return multiples, np.array(figures), np.array(decided)


def fixed_sample(share: float, multiple: float) -> int:
    """The samples of a run of fixed length that decides with 80% probability, had one known the share of failures."""

    def decides(n: int) -> bool:
        bad = np.arange(n + 1)
        decided = (EXACT.above(n - bad, bad, share) <= MISS) | (EXACT.below(n - bad, bad, share) <= MISS)
        return bool(chances_of(n, n, multiple * (1 - share))[decided].sum() >= POWER)

    n = 1
    while not decides(n):
        # Near the limit it takes thousands: there to a percent.
        n += max(n // 100, 1)
    return n


def draw_savings(path: Path, runs: int) -> list[str]:
    """The plot, and its figures as a table."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    share = 0.95
    multiples, figures, decided = savings(share, runs)
    known = [fixed_sample(share, multiple) for multiple in multiples]
    planned = known[multiples.index(PLANNED_FOR)]
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "kycgate", "font.size": 9})
    figure = Figure(figsize=(7.2, 3.8), layout="constrained")
    axes = figure.add_subplot()
    axes.fill_between(multiples, figures[:, 1], figures[:, 2], alpha=0.2, label="stopped early, 10% to 90% of the runs")
    axes.plot(multiples, figures[:, 0], marker="o", markersize=3, label="stopped early, on average")
    axes.plot(multiples, known, marker="x", markersize=4, linestyle=":", label="fixed, had one known the vendor")
    axes.axhline(planned, color="black", linestyle="--", label=f"fixed, planned for {PLANNED_FOR:g}: {planned:,}")
    axes.axvline(1, color="grey", linewidth=0.8)
    axes.set_yscale("log")
    axes.set_ylim(1, 50_000)
    axes.set_xlabel(
        "failures, as a multiple of what the objective allows (left of 1 it holds, right of 1 it is broken)"
    )
    axes.set_ylabel("samples until decided")
    axes.set_title("Evidence to decide 'at least 95%' at 95% confidence", loc="left", fontsize=10)
    axes.legend(frameon=False, fontsize=8)
    figure.savefig(path, format="svg", metadata={"Date": None})
    # matplotlib leaves blanks at the ends of lines.
    path.write_text("\n".join(line.rstrip() for line in path.read_text().splitlines()) + "\n")
    return [
        "| failures, times the allowed | early, on average | 10% to 90% | decided | fixed, had one known | saved |",
        "| --- | --- | --- | --- | --- | --- |",
        *(
            f"| {multiple:g} | {mean:,.0f} | {low:,.0f} to {high:,.0f} | {sure:.0%} | {fixed:,} | "
            f"{1 - mean / planned:.0%} |"
            for multiple, (mean, low, high), sure, fixed in zip(multiples, figures, decided, known, strict=True)
        ),
    ]


_PROMISE = f"""
Promised: at most {MISS:.0%} wrong verdicts of each kind. Observed shares stand with their exact 99% interval. Just
outside means {OFF:.0%} more failures than the objective allows, just inside {OFF:.0%} fewer; a good vendor fails a
quarter as often as it may. Latencies are lognormal; one that remembers t seconds forgets all but 1/e of its level in
them. Blocks are judged by effective samples (Kish; Korn and Graubard).
"""
_NOT_PROMISED = """
What a policy states is believed: `bursts_s = 0` for answers that hang together, or `bursts_s = 10` for outages of 30 s.
Each verdict says beside it for how long a disturbance may last for it to stand. And a run speaks of the time in which
it ran: an hour shows nothing of the rest of a day.
"""
_SAVED = f"""
A sample fixed beforehand must be planned for a vendor: here one with {PLANNED_FOR:g} of the allowed failures, to be
shown to hold with {POWER:.0%} probability. Saved is what a run that stops when it is decided takes less than that
sample, without knowing the vendor. Runs that were not decided within 4,000 samples count as 4,000.
"""
_MONTHS_SAID = f"""
February 2026 at {1 - _ALLOWED:.0%}, one probe in 20 min unless said otherwise, outages planted at random places. Just
outside is a month that was down for {OFF:.0%} more than allowed, of which no chance has a part but the probes' moments.
The longest outage is held to {OFF:.0%} less than it lasted, and to {OFF:.0%} more.
"""
_SERVED_SAID = f"""
20 a second promised; the vendor serves {OFF:.0%} less, or {OFF:.0%} more, while more is asked for.
"""
_COMPARED = """
`kycgate compare`, 500 bootstrap draws where the product takes 2,000. Wrong is a pair in which anything is called slower
or faster that is not, by more than the smallest effect; for a target that truly got slower by more than that, a pair
that is called not slower.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("docs/sla-simulation.md"))
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--most", type=int, default=10_000, help=f"runs of a row at most, in chunks of {CHUNK}")
    parser.add_argument("--only", choices=("months",), help="only the months of probes and throughput; writes nothing")
    options = parser.parse_args()
    chosen_rows = [replace(row, runs=min(row.runs, max(options.most // CHUNK, 1) * CHUNK)) for row in ROWS]
    chosen_pairs = [replace(pair, runs=min(pair.runs, max(options.most // 5, 20))) for pair in PAIRS]
    chosen_months = [replace(row, runs=min(row.runs, options.most)) for row in MONTHS]
    chosen_throughputs = [replace(row, runs=min(row.runs, options.most)) for row in THROUGHPUTS]
    if options.only:
        chosen_rows, chosen_pairs = [], []
    begun = time.perf_counter()
    with ProcessPoolExecutor(options.processes) as pool:
        pending = [pool.submit(run_row, row, number) for number, row in enumerate(chosen_rows)]
        pending_pairs = [pool.submit(run_pair, pair, number) for number, pair in enumerate(chosen_pairs)]
        families = [] if options.only else [(vendor, length, pool.submit(run_family, vendor, 2_000, length, 10))
                    for vendor, length in ((INDEPENDENT, 120), (BRIEF, 300))]  # fmt: skip
        pending_months = [pool.submit(run_month, row, number) for number, row in enumerate(chosen_months)]
        pending_throughputs = [pool.submit(run_throughput, row, n) for n, row in enumerate(chosen_throughputs)]
        months = [(row, future.result()) for row, future in zip(chosen_months, pending_months, strict=True)]
        served = [(row, future.result()) for row, future in zip(chosen_throughputs, pending_throughputs, strict=True)]
        rows = [(row, future.result()) for row, future in zip(chosen_rows, pending, strict=True)]
        pairs = [(pair, future.result()) for pair, future in zip(chosen_pairs, pending_pairs, strict=True)]
        family = [(vendor, length, future.result()) for vendor, length, future in families]
    period_lines = [
        "## A month of probes",
        _MONTHS_SAID.strip(),
        "",
        *months_as_table(months),
        "",
        "## Throughput",
        _SERVED_SAID.strip(),
        "",
        "| vendor | load | runs | wrong: holds, just too slow | wrong: broken, just fast enough |",
        "| --- | --- | --- | --- | --- |",
        *(
            f"| {row.words} | {row.length:,} s | {row.runs:,} | {_share(outside, row.runs)} | "
            f"{_share(inside, row.runs)} |"
            for row, (outside, inside) in served
        ),
        "",
    ]
    period_counts = [
        *((found[side], row.runs) for row, found in months for side in ("outside", "inside")),
        *((found["longest"], 2 * row.runs) for row, found in months),
        *((wrong, row.runs) for row, both in served for wrong in both),
    ]
    if options.only:
        failed = sum(too_many(wrong, runs) for wrong, runs in period_counts)
        print("\n".join(period_lines), f"{failed} of {len(period_counts)} shares are higher than promised.", sep="\n")
        sys.exit(1 if failed else 0)
    above, below = run_order_statistics(10_000, 600, 0.95)
    saved = draw_savings(options.out.with_suffix(".svg"), 1_000)
    counts = [
        *((found[side], row.runs) for row, found in rows if row.promised for side in ("outside", "inside")),
        *((found.wrong, pair.runs) for pair, found in pairs),
        *((wrong, 2_000) for _, _, wrong in family),
        *period_counts,
        (above, 10_000),
        (below, 10_000),
    ]
    failed = sum(too_many(wrong, runs) for wrong, runs in counts)
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("kycgate", "numpy"))
    lines = [
        "# How often is an SLA verdict wrong?",
        "",
        f"Printed by `benchmarks/sla_simulation.py` on {datetime.now(UTC):%Y-%m-%d}, after",
        f"{time.perf_counter() - begun:.0f} s: {versions}, Python {platform.python_version()}.",
        "",
        _PROMISE.strip(),
        "",
        f"**{failed} of {len(counts)} shares are higher than promised by more than chance.**",
        "",
        *rows_as_table([(row, found) for row, found in rows if row.promised]),
        "",
        f"- Order statistics: the upper bound of the 95th percentile of 600 samples misses it {_share(above, 10_000)}",
        f"  of the time, the lower one {_share(below, 10_000)}.",
        *(
            f"- Four percentiles (50, 90, 95, 99) of the same latencies judged together, {vendor.words}, {length} s of "
            f"10: any verdict is wrong in {_share(wrong, 2_000)} of 2,000 runs."
            for vendor, length, wrong in family
        ),
        "",
        "## What is not promised",
        _NOT_PROMISED.strip(),
        "",
        *rows_as_table([(row, found) for row, found in rows if not row.promised]),
        "",
        "## Two runs of the same target",
        _COMPARED.strip(),
        "",
        "| target | each run | truly slower by | smallest effect | pairs | wrong | not enough evidence |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        *(
            f"| {pair.vendor.words} | {pair.length} s of {pair.rate} | {pair.slower:.0%} | {pair.min_effect:.0%} | "
            f"{pair.runs:,} | {_share(found.wrong, pair.runs)} | {found.undecided / pair.runs:.0%} |"
            for pair, found in pairs
        ),
        "",
        *period_lines,
        "## What stopping early saves",
        _SAVED.strip(),
        "",
        f"![samples until decided against the vendor's failures]({options.out.with_suffix('.svg').name})",
        "",
        *saved,
        "",
    ]
    options.out.write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
