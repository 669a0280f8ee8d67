"""A calendar month as its probes show it: availability, percentiles, outages, gaps, credits.

The month is fixed: at each of its moments the vendor either was there or was not, and how outages hang together is a
part of what is measured, no disturbance of it. What is random is at which moments the probes came (`--jitter`). Probes
at moments drawn independently are trials with a chance each of their own, and exact binomial bounds of their sum are on
the safe side whatever those chances are (Hoeffding, Annals of Mathematical Statistics 27, 1956). That is a statement
about this month alone, which is what a service credit is owed for.

Time without probes counts as unknown, not as up: with a share g of it, a share s of the rest may be as low as
s(1 - g) and as high as s(1 - g) + g (Manski, Partial Identification of Probability Distributions, 2003). A month that
is not over has all that is to come unknown.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any, TypeGuard
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from kycgate.errors import CannotJudge
from kycgate.probing.probe import Probe, write_probes
from kycgate.runs.flow_model import before_it_was_recorded, is_upload
from kycgate.runs.load_model import HIGHEST_US, LOWEST_US, WHOLE, StepLatency
from kycgate.runs.model import ObjectiveResult
from kycgate.runs.percentile import rank_of
from kycgate.runs.period import CreditResult, Day, DayState, Outage, PeriodResult, ProberResult, Stretch
from kycgate.sla.budget import Budget, budget_of
from kycgate.sla.figures import MONTH_DIGITS, bounds, fewest, ms_figures, sentence, share_figures
from kycgate.sla.histograms import Counts, edges, empty
from kycgate.sla.latency import TaggedInterval, histogram_of, step_latency, write_log
from kycgate.sla.objectives import EXACT
from kycgate.sla.outages import SLACK, at_borders, began_in, gaps, outages, usual_distance_s, without
from kycgate.sla.period import Credit, Interval, Tier, days_of, exclusions
from kycgate.sla.policy import Availability, Latency, Objective, Policy, Reading, share_of
from kycgate.sla.recording import tag_of
from kycgate.sla.weighing import Line, cut_lines, weights_of
from kycgate.target.clock import Offset, common_offset

CLOCKS = ("response", "service", "sending", "thinking", "reading")
WAITED = 0.9
"""Share of the time-out from which a failed request counts as timed out (its wait is kept), not as refused."""
CLOCK_SLACK_S = 5.0
"""Dates of the target that contradict each other by more than this show that the prober's clock was set."""
METHOD = f"{EXACT.words}, of a fixed month looked at in moments drawn at random; unwatched time is unknown"
SOURCE = f"{EXACT.source}; Hoeffding 1956; Manski 2003"


@dataclass(frozen=True)
class Judged:
    """What is to be written of a month."""

    period: PeriodResult
    objectives: list[ObjectiveResult]
    by_day: dict[str, dict[tuple[str, str], list[int]]]
    """Microseconds by day, and by step and clock."""
    notes: list[str]
    sent: tuple[int, int]
    """Requests, and uploads among them, of all probes in the month."""
    budgets: list[Budget]
    """Of each availability objective."""


@dataclass(frozen=True)
class _Watch:
    """The month's time: what counts, what was watched, what was not."""

    windows: list[Interval]
    counts: list[Interval]
    holes: list[Stretch]
    watched: list[Interval]
    to_come_s: float

    @property
    def gap_s(self) -> float:
        return sum(hole.seconds for hole in self.holes)


def judge_month(
    policy: Policy, month: date, probes: Sequence[Probe], *, target: str, now: datetime, every_s: float | None = None
) -> Judged:
    """What `probes` say of this month, as it looks at `now`.

    Raises:
        CannotJudge: there are too few probes.
        UsageError: two maintenance windows overlap in this month.
    """
    days = days_of(month, policy.period.zone)
    whole = Interval(days[0].start, days[-1].end, f"{month:%Y-%m}")
    ordered = sorted(probes, key=lambda probe: (probe.started_at, probe.id))
    inside = began_in(ordered, Interval(whole.start, min(max(now, whole.start), whole.end)))
    if not inside:
        raise CannotJudge(f"no probe of {whole.name} is there: nothing is known of this month")
    given = every_s or policy.period.every_s
    every = given or usual_distance_s(inside)
    windows = exclusions(policy.window, whole.start, whole.end)
    outside = [*chain.from_iterable(began_in(inside, stretch) for stretch in without(whole.start, whole.end, windows))]
    told = [probe for probe in outside if probe.verdict != "unclear"]
    lines = cut_lines(told, policy.period.outage_after, policy.period.quorum)
    aside = {id(probe) for probe in told for line in lines if _of_line(probe, line)}
    clear = [probe for probe in told if id(probe) not in aside]
    watch = _watch(whole, windows, clear, every, now)
    unknown = _unknown_share(watch, policy.period.tolerated_gap_share)
    seen = [probe for probe in inside if probe.verdict != "unclear" and id(probe) not in aside]
    found = list(outages(watch.watched, windows, clear, policy.period.outage_after, seen))
    at_borders(found, whole, *_neighbours(ordered, whole, every))
    by_day = {day.name: _values(began_in(clear, day)) for day in days}
    probed = [objective for objective in policy.objective if _is_probed(objective)]
    jitter = min(probe.jitter_s for probe in clear) if clear else 0.0
    note = _note(watch, unknown, jitter, every)
    weights = weights_of(clear, watch.watched, every)
    counted = [probe for probe in outside if id(probe) not in aside]
    counted_s = sum(stretch.seconds for stretch in watch.counts) + watch.to_come_s
    down_s = sum(outage.at_least_s for outage in found)
    by_id = dict(zip(map(id, clear), weights.tolist(), strict=True))
    month_is = _Month(clear, by_id, unknown, down_s / counted_s if counted_s else 0.0, now >= whole.end, note)
    objectives = [_judge(objective, policy, month_is) for objective in probed]
    offset = common_offset(
        Offset(probe.clock_low_s, probe.clock_high_s)
        for probe in inside
        if probe.clock_low_s is not None and probe.clock_high_s is not None
    )
    period = PeriodResult(
        name=whole.name,
        zone=policy.period.zone,
        start=whole.start,
        end=whole.end,
        judged_at=now,
        over=now >= whole.end,
        target=target,
        probers=sorted({probe.prober for probe in inside if probe.prober}),
        by_prober=_by_prober(told, aside),
        down_s=down_s,
        allowed_down_s=min(((1 - o.at_least) * counted_s for o in probed if _is_of_all(o)), default=None),
        every_s=every,
        every_learned=given is None,
        jitter_s=jitter,
        probes=len(inside),
        counted=len(clear),
        unavailable=_count(clear, "unavailable"),
        broken=_count(clear, "broken"),
        unclear=len(outside) - len(clear),
        single_failures=_count(clear, "unavailable") - sum(outage.probes for outage in found),
        failures=dict(Counter(probe.failure for probe in clear if probe.failure)),
        total_s=sum(stretch.seconds for stretch in watch.counts) + watch.to_come_s,
        excluded_s=sum(window.seconds for window in windows),
        gap_s=watch.gap_s,
        to_come_s=watch.to_come_s,
        unknown_share=unknown,
        outage_after=policy.period.outage_after,
        outages=found,
        gaps=watch.holes,
        windows=[Stretch(start=window.start, end=window.end, name=window.name) for window in windows],
        days=[_day(day, counted, watch, found, by_day[day.name], now) for day in days],
        credits_owed=[
            _credit(credit, result)
            for credit in policy.credit
            for result in objectives
            if result.id == credit.objective
        ],
        credit_cap=policy.period.credit_cap,
        latencies=_latencies(by_day.values()),
        clock_low_s=offset.low if offset else None,
        clock_high_s=offset.high if offset else None,
    )
    sent = (sum(probe.requests for probe in inside), sum(probe.uploads for probe in inside))
    notes = [*_notes(policy, probed, period), *_of_probers(inside, lines, weights, jitter, every)]
    until = min(max(now, whole.start), whole.end)
    budgets = [
        budget_of(objective, clear, whole_s=counted_s, watched_s=counted_s - watch.to_come_s, every_s=every, now=until)
        for objective in probed
        if _is_of_all(objective)
    ]
    period.budgets = [budget.result() for budget in budgets]
    return Judged(period, objectives, by_day, notes, sent, budgets)


def write_evidence(folder: Path, judged: Judged, probes: Sequence[Probe]) -> None:
    """What the month was judged from: each probe in probes.ndjson, each day's histograms in latency.hlog."""
    write_probes(folder / "probes.ndjson", probes)
    period = judged.period
    days = days_of(period.start.astimezone(ZoneInfo(period.zone)).date(), period.zone)
    write_log(
        folder / "latency.hlog",
        period.start.timestamp(),
        (
            TaggedInterval(
                int((day.start - period.start).total_seconds()), int(day.seconds), tag_of(*kind), histogram_of(values)
            )
            for day in days
            for kind, values in judged.by_day[day.name].items()
        ),
    )


def _neighbours(ordered: Sequence[Probe], whole: Interval, every_s: float) -> tuple[Probe | None, Probe | None]:
    """The clear probes next to the period, before and after it; None where none is near enough."""
    reach = timedelta(seconds=SLACK * every_s)
    before = _clear(began_in(ordered, Interval(whole.start - reach, whole.start)))
    after = _clear(began_in(ordered, Interval(whole.end, whole.end + reach)))
    return before[-1] if before else None, after[0] if after else None


def _clear(probes: Sequence[Probe]) -> list[Probe]:
    return [probe for probe in probes if probe.verdict != "unclear"]


def _count(probes: Sequence[Probe], verdict: str) -> int:
    return sum(probe.verdict == verdict for probe in probes)


def _watch(whole: Interval, windows: list[Interval], clear: Sequence[Probe], every_s: float, now: datetime) -> _Watch:
    all_that_counts = without(whole.start, whole.end, windows)
    until = min(max(now, whole.start), whole.end)
    past = [Interval(a, min(b, until)) for a, b, _ in all_that_counts if a < until]
    # What the last probe speaks for is watched, also when the month goes on.
    holes = [hole for one in past for hole in gaps(one, began_in(clear, one), every_s)]
    watched = [piece for one in past for piece in without(one.start, one.end, [h for h in holes if _meets(one, h)])]
    to_come = sum(one.seconds for one in all_that_counts) - sum(one.seconds for one in past)
    return _Watch(windows, past, holes, watched, to_come)


def _meets(stretch: Interval, other: Interval | Stretch) -> bool:
    return stretch.start < other.end and other.start < stretch.end


def _unknown_share(watch: _Watch, tolerated: float) -> float:
    past = sum(stretch.seconds for stretch in watch.counts)
    gap_s = 0.0 if watch.gap_s <= tolerated * past else watch.gap_s
    return (gap_s + watch.to_come_s) / (past + watch.to_come_s) if past + watch.to_come_s else 1.0


def _is_of_all(objective: Objective) -> TypeGuard[Availability]:
    """Whether it is the availability of the whole: an outage is one of that, and not of each step."""
    return isinstance(objective, Availability) and objective.step is None


def _is_probed(objective: Objective) -> bool:
    """Probes read no known fields that count, and come under no stated load."""
    return not isinstance(objective, Reading) and objective.at_rate is None


def latency_us(probe: Probe, step: str, clock: str) -> int | None:
    """How long a step took in this probe; None when it was not taken, or there was no listener.

    A timed-out step counts with its whole wait: without it a vendor would look faster the slower it is.
    """
    if step == WHOLE:
        waited = probe.steps and _waited_in_vain(probe, len(probe.steps) - 1)
        spent = sum(taken.response_us for taken in probe.steps)
        return probe.onboarding_us if probe.onboarding_us is not None else spent if waited else None
    for place, taken in enumerate(probe.steps):
        if taken.step != step:
            continue
        answered = taken.status is not None and taken.status < 500
        if answered or (clock in ("response", "service") and _waited_in_vain(probe, place)):
            value: int | None = getattr(taken, f"{clock}_us")
            return value
    return None


def _waited_in_vain(probe: Probe, place: int) -> bool:
    step = probe.steps[place]
    return step.status is None and step.response_us >= WAITED * probe.timeout_s * 1e6


def _values(probes: Iterable[Probe]) -> dict[tuple[str, str], list[int]]:
    values: dict[tuple[str, str], list[int]] = defaultdict(list)
    for probe in probes:
        for kind in [*((taken.step, clock) for taken in probe.steps for clock in CLOCKS), (WHOLE, "response")]:
            value = latency_us(probe, *kind)
            if value is not None:
                values[kind].append(value)
    return {kind: values[kind] for kind in sorted(values, key=lambda kind: kind[0] == WHOLE)}


def _latencies(days: Iterable[dict[tuple[str, str], list[int]]]) -> list[StepLatency]:
    """The days' histograms, merged."""
    whole: dict[tuple[str, str], list[int]] = defaultdict(list)
    for values in days:
        for kind, found in values.items():
            whole[kind] += found
    return [step_latency(*kind, histogram_of(found)) for kind, found in whole.items()]


@dataclass(frozen=True)
class _Month:
    """What each objective is judged from: the clear probes in order with their weights by id, and what bounds them."""

    clear: Sequence[Probe]
    weights: dict[int, float]
    unknown: float
    down: float
    """The share of the time that counts in which the vendor was down for certain."""
    over: bool
    note: str

    def weigh(self, probes: Sequence[Probe]) -> NDArray[np.float64]:
        """Weights that sum up to the number of independent probes that these are worth."""
        weights = np.array([self.weights[id(probe)] for probe in probes])
        return weights * (weights.sum() / (weights**2).sum()) if len(weights) else weights


def _judge(objective: Objective, policy: Policy, month: _Month) -> ObjectiveResult:
    there = [probe for probe in month.clear if probe.verdict != "unavailable"]
    # All uploads of one probe are one moment: its answers count as one sample.
    alike = 1.0
    values: list[int] = []
    counted: Sequence[Probe]
    if isinstance(objective, Latency):
        # A month in which no probe came as far as its second upload is judged as any other.
        seen = (step.step for probe in month.clear for step in probe.steps)
        steps = objective.steps_among((*before_it_was_recorded().uploads, *seen))
        taken = [
            (value, probe)
            for probe in month.clear
            for step in steps
            if (value := latency_us(probe, step, objective.clock)) is not None
        ]
        values, counted = [value for value, _ in taken], [probe for _, probe in taken]
        alike = float(len(steps))
        good = np.array(values) <= objective.limit_ms * 1e3
    elif isinstance(objective, Availability) and objective.step is not None:
        answered = [
            (taken.status is not None and taken.status < 500, probe)
            for probe in month.clear
            for taken in probe.steps
            if taken.step == objective.step
        ]
        counted, good = [probe for _, probe in answered], np.array([was for was, _ in answered], dtype=bool)
    elif objective.kind == "availability":
        counted, good = month.clear, np.array([probe.verdict != "unavailable" for probe in month.clear])
    else:
        counted, good = there, np.array([probe.verdict == "kept" for probe in there])
    weights = month.weigh(counted)
    n, worth = len(counted), float(weights.sum())
    limit, each, unknown = share_of(objective), policy.each, month.unknown
    within = float(weights[good].sum()) if n else 0.0
    low, high = bounds(within, worth, alike, each, unknown=unknown)
    if _is_of_all(objective):
        # From the first to the last failed probe of an outage it was down, whatever chance did.
        high = max(min(high, 1 - month.down), low)
    verdict = _verdict(low, high, limit)
    undecided = verdict == "not enough evidence"
    needed = _needed(within, worth, alike, each, unknown, limit) if undecided and not month.over else None
    return ObjectiveResult(
        id=objective.id,
        sentence=sentence(objective, of_probes=True),
        verdict=verdict,
        confidence=each,
        samples=n,
        needed=needed,
        lacks=_lacks(month, needed) if undecided else "",
        stands_on="" if undecided else "for this month, as far as it was watched",
        method=METHOD,
        source=SOURCE,
        correction=f"Bonferroni over {len(policy.objective)} objectives",
        effective=round(worth / alike, 6),
        note=month.note,
        **(
            _in_ms(objective, values, weights, alike, each, unknown)
            if isinstance(objective, Latency)
            else share_figures(within / worth if worth else None, low, high, limit, digits=MONTH_DIGITS)
        ),
    )  # fmt: skip


def _lacks(month: _Month, needed: int | None) -> str:
    """Why it is undecided; of a month that is over nothing can be measured any more."""
    if month.over:
        gap = f", and {month.unknown:.2%} of the time was not watched" if month.unknown else ""
        return f"the month is over, and its probes leave both sides possible{gap}: probe more often next month"
    if needed:
        return f"the month is not over: {needed:,} probes more would do if all goes on like this"
    return "the month is not over: too much is unknown until it ends"


def _of_line(probe: Probe, line: Line) -> bool:
    return probe.prober == line.prober and line.first.started_at <= probe.started_at <= line.last.started_at


def _by_prober(told: Sequence[Probe], aside: set[int]) -> list[ProberResult]:
    names = sorted({probe.prober for probe in told})
    if len(names) < 2:
        return []
    own = {name: [probe for probe in told if probe.prober == name] for name in names}
    return [
        ProberResult(
            name=name, probes=len(probes), unavailable=_count(probes, "unavailable"),
            set_aside=sum(id(probe) in aside for probe in probes),
        )
        for name, probes in own.items()
    ]  # fmt: skip


def _of_probers(
    inside: Sequence[Probe], lines: Sequence[Line], weights: NDArray[np.float64], jitter_s: float, every_s: float
) -> list[str]:
    """What is to be said of the probers: a changed rate, a cut line, a clock that was set."""
    notes = []
    if (weights != 1).any():
        notes.append(
            f"The rate of the probes changed: {(weights != 1).sum():,} of them came more or less often than one in "
            f"{every_s:g} s, and each is weighed by the time that it speaks for."
        )
    notes += [
        f"{line.probes} probes of {line.prober or 'one prober'} in a row met no answer "
        f"({line.first.started_at:%d %b %H:%M} to {line.last.started_at:%d %b %H:%M} UTC) while the others did: its "
        "own line was cut, and they are set aside."
        for line in lines[:20]
    ]
    return notes + [note for name in sorted({p.prober for p in inside}) if (note := _clock_note(inside, name))]


def _clock_note(inside: Sequence[Probe], name: str) -> str:
    """Of a clock that was set: the target's own dates contradict each other by more than they are unsure."""
    dated = [p for p in inside if p.prober == name and p.clock_low_s is not None and p.clock_high_s is not None]
    if not dated:
        return ""
    highest, lowest = max(p.clock_low_s or 0.0 for p in dated), min(p.clock_high_s or 0.0 for p in dated)
    if highest - lowest <= CLOCK_SLACK_S:
        return ""
    return (
        f"The clock of {name or 'the prober'} was set, or drifted, by {highest - lowest:.0f} s or more: times around "
        "it are as unsure, and outages may be longer or shorter by it."
    )


def _verdict(low: float, high: float, limit: float) -> Any:
    return "holds" if low >= limit else "broken" if high < limit else "not enough evidence"


def _needed(good: float, n: float, alike: float, confidence: float, unknown: float, limit: float) -> int | None:
    """Probes still lacking if all goes on as it did; None where no number of them would do, as too much is unknown."""
    share = good / n if n else 1.0

    def decided(total: int) -> bool:
        low, high = bounds(total * share, total, alike, confidence, unknown=unknown)
        return bool(_verdict(low, high, limit) != "not enough evidence")

    enough = fewest(decided, math.ceil(n))
    return None if enough is None else max(enough - math.ceil(n), 1)


def counts_of_values(values: Sequence[int]) -> Counts:
    """As a histogram of these microseconds would count them."""
    counts = empty()
    places = np.searchsorted(edges()[1], np.clip(np.asarray(values, dtype=float), LOWEST_US, HIGHEST_US))
    np.add.at(counts, places, 1)
    return counts


def _in_ms(
    objective: Latency,
    values: Sequence[int],
    weights: NDArray[np.float64],
    alike: float,
    confidence: float,
    unknown: float,
) -> dict[str, Any]:
    """The percentile's bounds, exact to the microsecond: what is unknown may all have been slower, or all faster."""
    q = share_of(objective)
    low = high = value = None
    if values:
        order = np.argsort(values, kind="stable")
        ordered = np.asarray(values, dtype=float)[order] / 1e3
        reached = np.concatenate([[0.0], np.cumsum(weights[order])])
        worth = float(reached[-1])
        value = float(ordered[np.searchsorted(reached[1:], q * worth - 1e-9)])
        if unknown < 1:
            upper, lower = q / (1 - unknown), (q - unknown) / (1 - unknown)
            good, bad, miss = reached / alike, (worth - reached) / alike, 1 - confidence
            enough = EXACT.above(good, bad, upper) <= miss if upper < 1 else np.zeros(len(reached), dtype=bool)
            high = float(ordered[int(enough.argmax()) - 1]) if enough.any() else None
            first = int((EXACT.below(good, bad, lower) > miss).argmax()) if lower > 0 else 0
            low = float(ordered[first - 1]) if first else 0.0
    return ms_figures(value, low, high, objective.limit_ms)


def _credit(credit: Credit, result: ObjectiveResult) -> CreditResult:
    """What is proven, by the bound that is kindest to the vendor, and what the measured value comes to."""
    kindest = result.high if result.unit == "share" else result.low
    return CreditResult(
        objective=credit.objective,
        measured=result.measured,
        percent=0.0 if result.value is None else credit.owed(result.value),
        shown=0.0 if result.value is None or kindest is None else credit.owed(kindest),
        tiers=[_tier(tier) for tier in credit.tiers],
    )


def _tier(tier: Tier) -> str:
    border = f"below {tier.below * 100:.10g}%" if tier.below is not None else f"above {tier.above_ms:g} ms"
    return f"{border}: {tier.percent:g}%"


def _day(
    day: Interval,
    outside: Sequence[Probe],
    watch: _Watch,
    found: Sequence[Outage],
    values: dict[tuple[str, str], list[int]],
    now: datetime,
) -> Day:
    probes = began_in(outside, day)
    clear = [probe for probe in probes if probe.verdict != "unclear"]
    excluded_s = _overlap(day, watch.windows)
    counted_s = _overlap(day, watch.counts)
    uploads = [
        value
        for (step, clock), measured in values.items()
        if clock == "response" and is_upload(step)
        for value in measured
    ]
    failed = _count(clear, "unavailable") + _count(clear, "broken")
    down = any(p.verdict == "unavailable" for p in clear) and any(
        day.start <= outage.last_bad and outage.first_bad < day.end for outage in found
    )
    state: DayState = (
        "to come" if day.start >= now
        else "excluded" if not counted_s and excluded_s
        else "outage" if down
        else "no data" if not clear
        else "failures" if failed
        else "good"
    )  # fmt: skip
    return Day(
        date=day.name,
        state=state,
        probes=len(clear),
        unavailable=_count(clear, "unavailable"),
        broken=_count(clear, "broken"),
        unclear=len(probes) - len(clear),
        counted_s=counted_s,
        gap_s=_overlap(day, watch.holes),
        excluded_s=excluded_s,
        p95_upload_ms=sorted(uploads)[rank_of(0.95, len(uploads)) - 1] / 1e3 if uploads else None,
    )


def _overlap(day: Interval, pieces: Sequence[Interval | Stretch]) -> float:
    met = (min(day.end, piece.end) - max(day.start, piece.start) for piece in pieces if _meets(day, piece))
    return sum(met, timedelta()).total_seconds()


def _note(watch: _Watch, unknown: float, jitter_s: float, every_s: float) -> str:
    said = [] if jitter_s >= every_s * 0.5 else [
        "The probes did not come at random moments (--jitter): what fails between theirs alone is not seen."
    ]  # fmt: skip
    if watch.gap_s and not unknown:
        said.append("The gaps are within what the policy tolerates, and are taken to be as the rest.")
    elif unknown:
        said.append(f"{unknown:.2%} of the time was not watched, and counts as unknown.")
    return " ".join(said)


def _notes(policy: Policy, probed: Sequence[Objective], period: PeriodResult) -> list[str]:
    notes = []
    if not period.over:
        notes.append(f"{period.name} is not over: what is to come counts as unknown.")
    if period.gap_s:
        notes.append(
            f"No probe for {period.gap_s / 3600:.1f} h ({period.gap_s / period.total_s:.2%}): this is not uptime."
        )
    if period.unclear:
        why = "refused credentials or cards, put off, or not watched"
        notes.append(f"{period.unclear} probes say nothing of the vendor ({why}).")
    notes += [
        f"The outage of {outage.first_bad:%d %b %H:%M} to {outage.last_bad:%d %b %H:%M} UTC: {outage.words}."
        for outage in [outage for outage in period.outages if outage.words][:20]
    ]
    left = [objective.id for objective in policy.objective if objective not in probed]
    if left:
        notes.append(f"Not judged here, as probes do not measure it: {', '.join(left)}. Judge load runs for it.")
    return notes
