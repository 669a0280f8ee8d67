"""A calendar month as its probes show it: availability, percentiles, outages, gaps, credits.

The month is fixed: at each of its moments the vendor either was there or was not, and how outages hang together is a
part of what is measured, no disturbance of it. What is random is at which moments the probes came (`--jitter`). Probes
at moments drawn independently are trials with a chance each of their own, and exact binomial bounds of their sum are on
the safe side whatever those chances are (Hoeffding, Annals of Mathematical Statistics 27, 1956). That is a statement
about this month alone, which is what a service credit is owed for.

Time that nobody watched counts as unknown, not as up: with a share g of it, a share s of the rest may be as low as
s(1 - g) and as high as s(1 - g) + g (Manski, Partial Identification of Probability Distributions, 2003). A month that
is not over has all that is to come unknown.
"""

import math
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from kycgate.errors import CannotJudge
from kycgate.probing.probe import Probe, write_probes
from kycgate.runs.flow_model import is_upload
from kycgate.runs.load_model import StepLatency
from kycgate.runs.model import ObjectiveResult
from kycgate.runs.period import CreditResult, Day, DayState, Outage, PeriodResult, Stretch
from kycgate.sla.histograms import Counts, edges, empty, quantile_us, rank_us
from kycgate.sla.latency import HIGHEST_US, LOWEST_US, TaggedInterval, histogram_of, step_latency, write_log
from kycgate.sla.objectives import EXACT, ranks, share_bounds
from kycgate.sla.outages import gaps, outages, usual_distance_s, without
from kycgate.sla.period import Credit, Interval, Tier, days_of, exclusions
from kycgate.sla.policy import Latency, Objective, Policy, Reading, share_of
from kycgate.sla.recording import WHOLE, tag_of
from kycgate.target.clock import Offset, common_offset

CLOCKS = ("response", "service", "sending", "thinking", "reading")
WAITED = 0.9
"""Of the time-out: whoever got no answer for so long has waited in vain, and did not just meet a closed door."""
MOST_SAMPLES = 10_000_000
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
    inside = _in(ordered, Interval(whole.start, min(max(now, whole.start), whole.end)))
    if not inside:
        raise CannotJudge(f"no probe of {whole.name} is there: nothing is known of this month")
    given = every_s or policy.period.every_s
    every = given or usual_distance_s(inside)
    windows = exclusions(policy.window, whole.start, whole.end)
    outside = [*chain.from_iterable(_in(inside, stretch) for stretch in without(whole.start, whole.end, windows))]
    clear = [probe for probe in outside if probe.verdict != "unclear"]
    watch = _watch(whole, windows, clear, every, now)
    unknown = _unknown_share(watch, policy.period.tolerated_gap_share)
    found = list(
        chain.from_iterable(
            outages(stretch, _in(clear, stretch), policy.period.outage_after) for stretch in watch.watched
        )
    )
    by_day = {day.name: _values(_in(clear, day)) for day in days}
    probed = [objective for objective in policy.objective if _is_probed(objective)]
    jitter = min(probe.jitter_s for probe in clear) if clear else 0.0
    note = _note(watch, unknown, jitter, every)
    objectives = [_judge(objective, policy, clear, unknown, note) for objective in probed]
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
        days=[_day(day, outside, watch, found, by_day[day.name], now) for day in days],
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
    return Judged(period, objectives, by_day, _notes(policy, probed, period), sent)


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


def _in(probes: Sequence[Probe], stretch: Interval) -> Sequence[Probe]:
    """Those that began in this stretch; `probes` are in order."""
    first, after = (bisect_left(probes, moment, key=lambda probe: probe.started_at) for moment in stretch[:2])
    return probes[first:after]


def _count(probes: Sequence[Probe], verdict: str) -> int:
    return sum(probe.verdict == verdict for probe in probes)


def _watch(whole: Interval, windows: list[Interval], clear: Sequence[Probe], every_s: float, now: datetime) -> _Watch:
    all_that_counts = without(whole.start, whole.end, windows)
    until = min(max(now, whole.start), whole.end)
    past = [Interval(a, min(b, until)) for a, b, _ in all_that_counts if a < until]
    # What the last probe speaks for is watched, also when the month goes on.
    holes = [hole for one in past for hole in gaps(one, _in(clear, one), every_s)]
    watched = [piece for one in past for piece in without(one.start, one.end, [h for h in holes if _meets(one, h)])]
    to_come = sum(one.seconds for one in all_that_counts) - sum(one.seconds for one in past)
    return _Watch(windows, past, holes, watched, to_come)


def _meets(stretch: Interval, other: Interval | Stretch) -> bool:
    return stretch.start < other.end and other.start < stretch.end


def _unknown_share(watch: _Watch, tolerated: float) -> float:
    past = sum(stretch.seconds for stretch in watch.counts)
    gap_s = 0.0 if watch.gap_s <= tolerated * past else watch.gap_s
    return (gap_s + watch.to_come_s) / (past + watch.to_come_s) if past + watch.to_come_s else 1.0


def _is_probed(objective: Objective) -> bool:
    """Probes read no known fields that count, and come under no stated load."""
    return not isinstance(objective, Reading) and objective.at_rate is None


def latency_us(probe: Probe, step: str, clock: str) -> int | None:
    """How long a step took in this probe; None when it was not taken, or nobody was there to take it.

    What was waited for in vain took the whole wait: to leave it out would make a vendor look faster the slower it is.
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


def _judge(objective: Objective, policy: Policy, clear: Sequence[Probe], unknown: float, note: str) -> ObjectiveResult:
    there = [probe for probe in clear if probe.verdict != "unavailable"]
    # Both uploads of one probe are one moment: two answers count as one sample.
    alike = 1.0
    counts = empty()
    if isinstance(objective, Latency):
        values = [
            value
            for probe in clear
            for step in objective.steps
            if (value := latency_us(probe, step, objective.clock)) is not None
        ]
        counts = counts_of_values(values)
        alike = float(len(objective.steps))
        n, good = len(values), sum(value <= objective.limit_ms * 1e3 for value in values)
    elif objective.kind == "availability":
        n, good = len(clear), len(there)
    else:
        n, good = len(there), _count(there, "kept")
    limit, each = share_of(objective), policy.each
    low, high = _bounds(good, n, alike, each, unknown)
    verdict = _verdict(low, high, limit)
    return ObjectiveResult(
        id=objective.id,
        sentence=_sentence(objective),
        verdict=verdict,
        confidence=each,
        samples=n,
        needed=_needed(good, n, alike, each, unknown, limit) if verdict == "not enough evidence" else None,
        method=METHOD,
        source=SOURCE,
        correction=f"Bonferroni over {len(policy.objective)} objectives",
        effective=n / alike,
        note=note,
        **(
            _in_ms(objective, counts, n, alike, each, unknown)
            if isinstance(objective, Latency)
            else _in_shares(good, n, low, high, limit)
        ),
    )  # fmt: skip


def _bounds(good: float, n: float, alike: float, confidence: float, unknown: float) -> tuple[float, float]:
    low, high = share_bounds(good / alike, n / alike, confidence)
    return low * (1 - unknown), high * (1 - unknown) + unknown


def _verdict(low: float, high: float, limit: float) -> Any:
    return "holds" if low >= limit else "broken" if high < limit else "not enough evidence"


def _needed(good: int, n: int, alike: float, confidence: float, unknown: float, limit: float) -> int | None:
    """Probes still lacking if all goes on as it did; None where no number of them would do, as too much is unknown."""
    share = good / n if n else 1.0

    def decided(total: int) -> bool:
        verdict: str = _verdict(*_bounds(total * share, total, alike, confidence, unknown), limit)
        return verdict != "not enough evidence"

    if not decided(MOST_SAMPLES):
        return None
    low, high = n, MOST_SAMPLES
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if decided(middle) else (middle + 1, high)
    return max(low - n, 1)


def counts_of_values(values: Sequence[int]) -> Counts:
    """As a histogram of these microseconds would count them."""
    counts = empty()
    places = np.searchsorted(edges()[1], np.clip(np.asarray(values, dtype=float), LOWEST_US, HIGHEST_US))
    np.add.at(counts, places, 1)
    return counts


def _sentence(objective: Objective) -> str:
    if objective.kind == "availability":
        return "An onboarding meets no 5xx, no time-out and no broken connection."
    if isinstance(objective, Latency):
        step = "uploads" if objective.step == "upload" else objective.step
        return f"{objective.percentile:g}% of {step} ({objective.clock} time) take at most the limit."
    return "An onboarding's answers keep the contract."


def _in_shares(good: int, n: int, low: float, high: float, limit: float) -> dict[str, Any]:
    value = good / n if n else None
    return {
        "measured": "nothing measured" if value is None else f"{value:.3%}",
        "limit": f"at least {limit * 100:.10g}%",
        "interval": f"{low:.3%} to {high:.3%}",
        "unit": "share", "value": value, "low": low, "high": high, "bound": limit,
    }  # fmt: skip


def _in_ms(
    objective: Latency, counts: Counts, n: int, alike: float, confidence: float, unknown: float
) -> dict[str, Any]:
    """The percentile's bounds: what is unknown may all have been slower, or all have been faster."""
    q = share_of(objective)
    low = high = None
    if n and unknown < 1:
        upper, lower = q / (1 - unknown), (q - unknown) / (1 - unknown)
        if upper < 1:
            found = rank_us(counts, ranks(n, upper, alike, confidence)[1], highest=True) / 1e3
            high = found if math.isfinite(found) else None
        low = rank_us(counts, ranks(n, lower, alike, confidence)[0], highest=False) / 1e3 if lower > 0 else 0.0
    value = quantile_us(counts, q) / 1e3 if n else None
    shown = ("unknown" if bound is None else f"{bound:.1f}" for bound in (low, high))
    return {
        "measured": "nothing measured" if value is None else f"{value:.1f} ms",
        "limit": f"at most {objective.limit_ms:g} ms",
        "interval": f"{' to '.join(shown)} ms",
        "unit": "ms", "value": value, "low": low, "high": high, "bound": objective.limit_ms,
    }  # fmt: skip


def _credit(credit: Credit, result: ObjectiveResult) -> CreditResult:
    """By the measured value, and by the bound that is kindest to the vendor."""
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
    probes = _in(outside, day)
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
    down = any(day.start <= outage.last_bad and outage.first_bad < day.end for outage in found)
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
        p95_upload_ms=quantile_us(counts_of_values(uploads), 0.95) / 1e3 if uploads else None,
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
            f"For {period.gap_s / 3600:.1f} h ({period.gap_s / period.total_s:.2%}) nobody probed: that is no uptime."
        )
    if period.unclear:
        why = "refused credentials or cards, put off, or not watched"
        notes.append(f"{period.unclear} probes say nothing of the vendor ({why}).")
    left = [objective.id for objective in policy.objective if objective not in probed]
    if left:
        notes.append(f"Not judged here, as probes do not measure it: {', '.join(left)}. Judge load runs for it.")
    return notes
