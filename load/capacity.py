"""How much does the target carry? The rate is raised, plateau by plateau, until an objective breaks or throughput no
longer follows; then the Universal Scalability Law is fitted (Gunther, Guerrilla Capacity Planning, 2007, chapter 4).

The law speaks of throughput against concurrency: X(N) = λN / (1 + σ(N-1) + κN(N-1)). Arrivals are open, so N is what
Little's law says of each plateau: throughput times mean response time (Little, Operations Research 9, 1961). The knee
is the concurrency sqrt((1-σ)/κ) behind which more people mean less throughput; its interval is a bootstrap over the
plateaus' seconds, in blocks, since seconds that follow one another are alike (Künsch, Annals of Statistics 17, 1989).
"""

import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from kycgate.contracts.flows import flow
from kycgate.errors import CannotJudge
from kycgate.load.collect import Collector, Second
from kycgate.load.interval import Breach
from kycgate.load.plan import LoadOutcome, LoadPlan, Topology
from kycgate.load.start import run_load
from kycgate.runs.load_model import DIGITS, HIGHEST_US, LOWEST_US, WHOLE, CapacityPoint, CapacityResult
from kycgate.runs.percentile import percentile_us
from kycgate.settings.profile import Secrets

SETTLING = 0.3
"""Of each plateau, what is left out: queues need time to become what they are at this rate."""
FOLLOWS = 0.9
"""Throughput follows while it is at least this share of the rate."""
MARGIN = 2
"""Onboardings that may be under way at a plateau's end more than at its beginning without saying anything."""
REFINEMENTS = 2
"""Plateaus between the highest rate kept and the lowest broken."""
RESAMPLES, BLOCK_S = 300, 3
MOST_STEPS, MOST_DAMPING = 500, 1e12


@dataclass(frozen=True, slots=True)
class CapacitySearch:
    """From `start_rate` up to `max_rate` onboardings a second, each `growth` times the one before, for `plateau_s`."""

    start_rate: float = 2.0
    max_rate: float = 200.0
    growth: float = 1.5
    plateau_s: float = 15.0
    limit_ms: float = 5_000.0
    """The uploads' p95 response time must stay within it."""
    max_failed_share: float = 0.01

    @property
    def words(self) -> str:
        return (
            f"capacity: from {self.start_rate:g} to at most {self.max_rate:g} onboardings/s, {self.plateau_s:g} s each"
        )

    @property
    def objective(self) -> str:
        return (
            f"95% of uploads within {self.limit_ms:g} ms from when they were due, at most {self.max_failed_share:.1%} "
            f"failed answers, throughput at least {FOLLOWS:.0%} of the rate"
        )

    def rates(self) -> list[float]:
        """The rates on the way up."""
        found = [self.start_rate]
        while found[-1] * self.growth < self.max_rate:
            found.append(found[-1] * self.growth)
        return [*found, self.max_rate] if found[-1] < self.max_rate else found

    @property
    def longest_s(self) -> float:
        """Seconds of all plateaus, should none break."""
        return (len(self.rates()) + REFINEMENTS) * self.plateau_s


class _SecondSums(NamedTuple):
    """One second of a plateau: onboardings due, those that ended, and the sum of their response times in seconds."""

    due: int
    ended: int
    response_s: float


@dataclass(slots=True)
class _Plateau:
    rate: float
    seconds: list[_SecondSums] = field(default_factory=list)

    def enter(self, second: Second) -> None:
        key = (WHOLE, "response")
        count = second.histograms[key].get_total_count() if key in second.histograms else 0
        self.seconds.append(_SecondSums(second.due, count, second.sums[key] / 1e6))

    def settled(self, plateau_s: float) -> list[_SecondSums]:
        """Without its beginning, and without what ended after the last arrival."""
        return self.seconds[int(plateau_s * SETTLING) : int(plateau_s)]


OVERLOADED = ("status.no-5xx", "answer.in-time", "answer.http")
"""Clauses that a target breaks when it gets more than it can carry."""


class _Law(NamedTuple):
    """The fitted law; `lam` in onboardings a second."""

    lam: float
    sigma: float
    kappa: float

    def throughput(self, n: Any) -> Any:
        return self.lam * n / (1 + self.sigma * (n - 1) + self.kappa * n * (n - 1))

    @property
    def knee(self) -> float | None:
        """The concurrency of the greatest throughput; None when the fitted curve has none."""
        return float(((1 - self.sigma) / self.kappa) ** 0.5) if self.kappa > 1e-9 and self.sigma < 1 else None


def find_capacity(
    search: CapacitySearch,
    plan: LoadPlan,
    secrets: Secrets,
    out: Path,
    *,
    topology: Topology | None = None,
    within_s: Callable[[], float] = lambda: float("inf"),
    on_second: Callable[[Collector, Second], None] | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> LoadOutcome:
    """Search, and return the outcome of the highest rate that was kept (of the last, when none was), with
    `result.capacity`; what the other plateaus sent is told apart. Each plateau's `latency.hlog` stays in
    `out/plateaus`, and the returned one's is `out/latency.hlog`.

    Raises:
        CannotJudge: a generator died.
    """
    plateaus: list[_Plateau] = []
    points: list[CapacityPoint] = []
    outcomes: list[LoadOutcome] = []
    ended_early = ""

    def measure(rate: float) -> CapacityPoint | None:
        nonlocal ended_early
        if within_s() < search.plateau_s:
            ended_early = "there was no time left for more plateaus"
            return None
        say(f"capacity: {rate:.3g} onboardings/s")
        plateau = _Plateau(rate)
        folder = out / "plateaus" / f"{len(plateaus) + 1:02}"
        folder.mkdir(parents=True, exist_ok=True)

        def closed(collector: Collector, second: Second) -> None:
            plateau.enter(second)
            if on_second is not None:
                on_second(collector, second)

        chosen = plan.model_copy(
            update={"rate": rate, "duration_s": search.plateau_s, "people": 0, "seed": plan.seed + len(plateaus)}
        )
        outcome = run_load(chosen, secrets, folder, within_s=within_s(), topology=topology, on_second=closed, say=say)
        plateaus.append(plateau)
        outcomes.append(outcome)
        points.append(_point(search, plateau, outcome))
        if outcome.void or outcome.result.stopped:
            ended_early = outcome.void or outcome.result.stopped
            return None
        return points[-1]

    kept: float | None = None
    broken: float | None = None
    for rate in search.rates():
        point = measure(rate)
        if point is None:
            break
        if point.broke:
            broken = rate
            break
        kept = rate
    for _ in range(REFINEMENTS if kept is not None and broken is not None and not ended_early else 0):
        assert kept is not None and broken is not None  # noqa: S101, PT018 - the loop is empty otherwise
        point = measure((kept * broken) ** 0.5)
        if point is None:
            break
        kept, broken = (kept, point.rate) if point.broke else (point.rate, broken)
    if not outcomes:
        raise CannotJudge(f"no plateau was measured: {ended_early}")
    law = _fit(points)
    chosen = next((n for n, point in enumerate(points) if point.rate == kept), len(points) - 1)
    outcome = outcomes[chosen].model_copy(deep=True)
    shutil.copyfile(out / "plateaus" / f"{chosen + 1:02}" / "latency.hlog", out / "latency.hlog")
    outcome.result.capacity = CapacityResult(
        points=sorted(points, key=lambda point: point.rate),
        objective=search.objective,
        highest_kept=kept,
        lowest_broken=broken,
        usl={"lambda": law.lam, "sigma": law.sigma, "kappa": law.kappa} if law else {},
        knee=_knee(law, plateaus, points, search, plan.seed) if law else {},
        note=_note(law, kept, broken, ended_early),
    )
    others = [each for number, each in enumerate(outcomes) if number != chosen]
    outcome.result.other_requests += sum(each.result.requests_sent for each in others)
    outcome.result.other_uploads += sum(each.uploads + each.result.other_uploads for each in others)
    outcome.judged, outcome.breaches = _judged(outcomes, points)
    # That the generator gave out at a rate above says nothing of the rate that was kept.
    outcome.void = "" if kept is not None else outcome.void
    return outcome


def _judged(
    outcomes: Sequence[LoadOutcome], points: Sequence[CapacityPoint]
) -> tuple[dict[str, tuple[int, int]], list[Breach]]:
    """What the answers of all plateaus say of each clause; that a rate which is too much brings 5xx or silence is what
    is looked for, and breaks none."""
    judged: dict[str, tuple[int, int]] = {}
    breaches: list[Breach] = []
    for outcome, point in zip(outcomes, points, strict=True):
        left_out = OVERLOADED if point.broke else ()
        for clause, (broken, observed) in outcome.judged.items():
            if clause not in left_out:
                before = judged.get(clause, (0, 0))
                judged[clause] = before[0] + broken, before[1] + observed
        breaches += [breach for breach in outcome.breaches if breach.clause not in left_out]
    return judged, breaches


def _point(search: CapacitySearch, plateau: _Plateau, outcome: LoadOutcome) -> CapacityPoint:
    seconds = plateau.settled(search.plateau_s)
    throughput, concurrency = _of(seconds)
    # Both uploads together, from their raw histograms.
    p95 = _p95(outcome)
    failed = (outcome.unavailable + outcome.result.wrong_answers) / max(outcome.requests, 1)
    broke = (
        f"p95 {p95:.0f} ms"
        if p95 > search.limit_ms
        else f"{failed:.1%} of the answers failed"
        if failed > search.max_failed_share
        else f"throughput {throughput:.1f} of {plateau.rate:.1f}/s"
        if sum(second.ended for second in seconds) < FOLLOWS * sum(second.due for second in seconds) - MARGIN
        else ""
    )
    return CapacityPoint(
        rate=plateau.rate,
        throughput=throughput,
        concurrency=concurrency,
        p95_ms=p95,
        failed_share=failed,
        broke=broke,
    )


def _p95(outcome: LoadOutcome) -> float:
    from hdrh.histogram import HdrHistogram

    whole = HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS)
    for latency in outcome.result.latencies:
        if latency.clock == "response" and latency.name in flow().uploads:
            whole.decode_and_add(latency.histogram.encode())
    return percentile_us(whole, 95) / 1e3


def _of(seconds: Sequence[_SecondSums]) -> tuple[float, float]:
    """Throughput and, by Little's law, concurrency: the response times that ended in a second add up to it."""
    length = max(len(seconds), 1)
    return sum(second.ended for second in seconds) / length, sum(second.response_s for second in seconds) / length


def _fit(points: Sequence[CapacityPoint]) -> _Law | None:
    """Least squares of the relative error; None for fewer than three plateaus or where nothing fits."""
    return _fit_pairs([(point.concurrency, point.throughput) for point in points if point.throughput > 0])


def _fit_pairs(pairs: Sequence[tuple[float, float]]) -> _Law | None:
    """By Levenberg and Marquardt, within the parameters' bounds (Marquardt, SIAM Journal 11, 1963; projected steps with
    the active bounds set aside: Bertsekas, SIAM Journal on Control and Optimization 20, 1982).
    """
    if len(pairs) < 3:
        return None
    # Imported here: it weighs more than all the rest, and few runs need it.
    import numpy as np

    n, x = (np.array(column) for column in zip(*pairs, strict=True))
    least, most = np.zeros(3), np.array([np.inf, 1.0, np.inf])

    def off(found: Any) -> Any:
        return _Law(*found).throughput(n) / x - 1

    found, damping = np.array([max(x / n), 0.05, 1e-4]), 1e-3
    for _ in range(MOST_STEPS):
        error = off(found)
        share = (error + 1) / (1 + found[1] * (n - 1) + found[2] * n * (n - 1))
        slopes = np.stack([(error + 1) / found[0], -share * (n - 1), -share * n * (n - 1)], axis=1)
        downhill = -slopes.T @ error
        # What lies at a bound and would go beyond it stays.
        free = ~((found <= least) & (downhill < 0) | (found >= most) & (downhill > 0))
        curved = slopes[:, free].T @ slopes[:, free]
        scale = np.diag(np.diag(curved))
        while damping < MOST_DAMPING:
            step = np.zeros(3)
            step[free] = np.linalg.lstsq(curved + damping * scale, downhill[free], rcond=None)[0]
            tried = np.clip(found + step, least, most)
            if tried[0] > 0 and (off(tried) ** 2).sum() <= (error**2).sum():
                break
            damping *= 4
        else:
            break
        moved, found, damping = np.abs(tried - found), tried, damping / 10
        if (moved <= 1e-10 * np.maximum(found, (found[0], 1e-4, 1e-7))).all():
            break
    else:
        return None
    return _Law(*map(float, found))


def _knee(
    law: _Law, plateaus: Sequence[_Plateau], points: Sequence[CapacityPoint], search: CapacitySearch, seed: int
) -> dict[str, float]:
    """The knee and the throughput there, each with a 95% percentile interval; empty when the curve has none."""
    if law.knee is None:
        return {}
    rng = random.Random(seed)
    drawn: list[tuple[float, float]] = []
    for _ in range(RESAMPLES):
        pairs = [_of(_resampled(plateau.settled(search.plateau_s), rng)) for plateau in plateaus]
        again = _fit_pairs([(concurrency, throughput) for throughput, concurrency in pairs if throughput > 0])
        if again is not None and again.knee is not None:
            drawn.append((again.knee, float(again.throughput(again.knee))))
    found = {"concurrency": law.knee, "throughput": float(law.throughput(law.knee))}
    for position, name in enumerate(("concurrency", "throughput")):
        values = sorted(each[position] for each in drawn)
        if len(values) >= RESAMPLES / 2:
            found[f"{name}_low"] = values[int(0.025 * len(values))]
            found[f"{name}_high"] = values[int(0.975 * (len(values) - 1))]
    return found


def _resampled(seconds: Sequence[_SecondSums], rng: random.Random) -> list[_SecondSums]:
    """As many seconds, drawn in blocks that may begin anywhere."""
    drawn: list[_SecondSums] = []
    while seconds and len(drawn) < len(seconds):
        start = rng.randrange(max(len(seconds) - BLOCK_S, 0) + 1)
        drawn += seconds[start : start + BLOCK_S]
    return drawn[: len(seconds)]


def _note(law: _Law | None, kept: float | None, broken: float | None, ended_early: str) -> str:
    parts = []
    if ended_early:
        parts.append(f"The search ended early: {ended_early}.")
    if broken is None and kept is not None:
        parts.append("No rate broke the objective: the capacity is at least the highest one.")
    if kept is None:
        parts.append("Not even the lowest rate kept the objective.")
    if law is None:
        parts.append("The law was not fitted: it takes three plateaus.")
    elif law.knee is None:
        limit = f"flattens towards {law.lam / law.sigma:.1f} onboardings/s" if law.sigma > 1e-9 else "rises without end"
        parts.append(f"The fitted curve has no knee (kappa is 0): it {limit}.")
    return " ".join(parts)
