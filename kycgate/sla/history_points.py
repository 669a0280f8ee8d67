"""What one load run, one month or one week puts on the page of a history: its values, by the functions that judge it.

Objectives are as they were judged. The availability and each step's percentiles are judged like objectives too, for
their intervals: exact bounds of `SIDED` confidence on either side, of answers that are taken to hang together for
`DEFAULT_BURSTS_S` seconds or for as long as the run shows.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from kycgate.errors import CannotJudge, UsageError
from kycgate.files import MOST_RECORD, read_text
from kycgate.probing.probe import Probe, read_probes
from kycgate.runs.folder import RunFolder
from kycgate.runs.load_model import WHOLE
from kycgate.runs.model import ObjectiveResult, Run
from kycgate.runs.percentile import rank_of
from kycgate.runs.period import Day, PeriodResult
from kycgate.sla.histograms import Cells, quantile_us
from kycgate.sla.history_model import HistoryPoint, HistoryValue
from kycgate.sla.judge import judge
from kycgate.sla.month import BEYOND, Judged, judge_month
from kycgate.sla.objectives import ranks, share_bounds
from kycgate.sla.policy import DEFAULT_BURSTS_S, Availability, Latency, Objective, Policy
from kycgate.sla.recording import Recording
from kycgate.sla.spans import days_of, parse_span

SIDED = 0.975
"""Confidence of either side of an interval: both together hold 95% of the time."""
PERCENTILES = {50.0: 2, 95.0: 20}
"""What is drawn of each step, and the samples from which on it is."""
AVAILABILITY = "availability"
_STEP = re.compile(r"[a-z][a-z0-9_]*")
_DURATION = re.compile(r", [\d.e+]+ s$")


class SeriesId(NamedTuple):
    """Whose value it is: values under the same are drawn as one series."""

    kind: str
    """objective, availability or latency."""
    name: str
    """The objective's id, or the step's."""
    what: str
    unit: str
    higher_is_better: bool
    percentile: float | None = None


class Likeness(NamedTuple):
    """What two runs must share for one trend to be drawn over them; each part in words."""

    kind: str
    target: str
    flow: str
    load: str
    pictures: str
    onboardings: str


@dataclass
class Taken:
    """One run, month or week."""

    point: HistoryPoint
    like: Likeness
    values: dict[SeriesId, HistoryValue] = field(default_factory=dict)


def began(run: Run) -> datetime | None:
    """When a run began; None where it does not say. A time without a zone is taken as UTC."""
    try:
        moment = datetime.fromisoformat(run.started_at)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


# Load runs


class _Once(Recording):
    """A recording whose seconds are decoded once for all the percentiles of a step."""

    @cached_property
    def _decoded(self) -> dict[tuple[str, str], dict[int, Cells] | None]:
        return {}

    def seconds(self, step: str, clock: str) -> dict[int, Cells] | None:
        if (step, clock) not in self._decoded:
            self._decoded[step, clock] = super().seconds(step, clock)
        return self._decoded[step, clock]


def of_load(recording: Recording, moment: datetime, policy: Policy | None = None) -> Taken:
    """What a load run puts on the page; judged by `policy` where one is given, else as it was judged.

    Raises:
        UsageError: the run is damaged.
    """
    recording = _Once(recording.run, recording.folder)
    run, load = recording.run, recording.load
    objectives = judge(policy, [recording]) if policy is not None else run.objectives
    raw = policy.model_dump(mode="json") if policy is not None else run.policy or {}
    taken = Taken(
        HistoryPoint(
            name=recording.name, began=moment, release=run.release, verdict=run.verdict, samples=load.requests,
            left_out=f"void: {load.health.void}" if load.health.void else "",
            note="not steady" if any(not trend.steady for trend in load.trends) else "",
        ),
        Likeness(
            "load", "the embedded sandbox" if run.embedded_sandbox else run.target, _flow(run),
            _DURATION.sub("", load.workload), *_mix(run),
        ),
        dict(_of_objectives(objectives)),
    )  # fmt: skip
    asked: dict[SeriesId, Objective] = {}
    if load.requests and not _has_whole_availability(raw):
        asked[_availability("of requests")] = Availability(
            id="a", kind="availability", at_least=0.5, bursts_s=DEFAULT_BURSTS_S
        )
    for step in (*(step.id for step in run.flow.steps), WHOLE):
        counts = recording.histogram(step, "response")
        for percentile, fewest in PERCENTILES.items():
            if counts.sum() >= fewest and _STEP.fullmatch(step):
                # Held against itself: the answers over a percentile hang together as they do.
                limit_ms = min(quantile_us(counts, percentile / 100) / 1e3, 120_000.0)
                asked[_latency(step, percentile)] = _percentile(step, percentile, limit_ms)
    taken.values |= _judged(asked, lambda chosen: judge(chosen, [recording]))
    return taken


def _judged(
    asked: dict[SeriesId, Objective], how: Callable[[Policy], Sequence[ObjectiveResult]]
) -> dict[SeriesId, HistoryValue]:
    """The value and interval of each, as an objective of its own would be judged at `SIDED`."""
    if not asked:
        return {}
    chosen = tuple(objective.model_copy(update={"id": f"o{number}"}) for number, objective in enumerate(asked.values()))
    # Each at `SIDED`, however many there are: Policy shares its confidence out.
    policy = Policy.model_construct(objective=chosen, confidence=1 - (1 - SIDED) * len(chosen))
    by_id = {result.id: result for result in how(policy)}
    found = {}
    for number, series in enumerate(asked):
        result = by_id[f"o{number}"]
        if result.value is not None:
            found[series] = HistoryValue(value=result.value, low=result.low, high=result.high, samples=result.samples)
    return found


def _percentile(step: str, percentile: float, limit_ms: float) -> Latency:
    return Latency(
        id="p", kind="latency", step=step, percentile=percentile, limit_ms=limit_ms, bursts_s=DEFAULT_BURSTS_S
    )


def _of_objectives(objectives: Iterable[ObjectiveResult]) -> Iterator[tuple[SeriesId, HistoryValue]]:
    for o in objectives:
        if o.value is not None and o.unit:
            higher = o.limit.startswith("at least")
            yield (
                SeriesId("objective", o.id, o.sentence, o.unit, higher),
                HistoryValue(
                    value=o.value, low=o.low, high=o.high, bound=o.bound, samples=o.samples, verdict=o.verdict
                ),
            )  # fmt: skip


def _availability(of_what: str) -> SeriesId:
    return SeriesId(AVAILABILITY, AVAILABILITY, f"The share {of_what} that were answered.", "share", True)


def _latency(step: str, percentile: float) -> SeriesId:
    return SeriesId("latency", step, f"p{percentile:g} of {step}", "ms", False, percentile)


def _has_whole_availability(policy: dict[str, Any]) -> bool:
    """Whether an objective already is the availability of all requests."""
    return any(
        raw.get("kind") == "availability" and raw.get("step") is None and raw.get("at_rate") is None
        for raw in policy.get("objective") or ()
        if isinstance(raw, dict)
    )


def _flow(run: Run) -> str:
    return f"{run.flow.id} ({', '.join(step.id for step in run.flow.steps)})"


def _mix(run: Run) -> tuple[str, str]:
    """The pictures and the ways of onboarding, in words. A run from before they were recorded shows its sizes alone."""
    plan = run.options.get("workload")
    plan = plan if isinstance(plan, dict) else {}
    measured = [point.size_bytes for point in run.load.sizes] if run.load else []
    sizes = sorted(set(plan.get("sizes") or measured))
    said = f"pictures of {', '.join(f'{size / 1e3:g}' for size in sizes)} kB" if sizes else "pictures as drawn"
    done = [f"{name} {strength:g}" for name, strength in plan.get("degradations") or ()]
    said += f", {', '.join(done)}" if done else ""
    ways = [
        f"{share:.0%} {name}"
        for name, share in (
            ("in the Android client's order", plan.get("client_order_share") or 0.0),
            ("beginning with an unreadable photo", plan.get("retry_share") or 0.0),
        )
        if share
    ]
    return said, ", ".join(ways)


# Months and weeks


class MonthOfProbes(NamedTuple):
    """A judged month, and what it was judged from."""

    judged: Judged
    probes: Sequence[Probe]
    policy: Policy
    now: datetime


def of_month(month: MonthOfProbes, *, by_policy: bool) -> Taken:
    """What a month of probes puts on the page; its objectives where it was judged `by_policy`."""
    judged, period = month.judged, month.judged.period
    taken = _month(period, by_policy=by_policy, objectives=judged.objectives)
    raw = month.policy.model_dump(mode="json") if by_policy else {}
    steps = [latency.name for latency in period.latencies if latency.clock == "response" and latency.count]
    asked: dict[SeriesId, Objective] = {}
    if not _has_whole_availability(raw):
        asked[_availability("of probes")] = Availability(id="a", kind="availability", at_least=0.5)
    for latency in period.latencies:
        if latency.clock != "response" or latency.name not in steps or not _STEP.fullmatch(latency.name):
            continue
        for percentile, fewest in PERCENTILES.items():
            if latency.count >= fewest:
                asked[_latency(latency.name, percentile)] = _percentile(latency.name, percentile, 1.0)

    def judged_by(chosen: Policy) -> list[ObjectiveResult]:
        like = month.policy.model_copy(
            update={"objective": chosen.objective, "confidence": chosen.confidence, "credit": ()}
        )
        return judge_month(
            like, parse_span(period.name), month.probes, target=period.target, now=month.now, every_s=period.every_s
        ).objectives  # fmt: skip

    taken.values |= _judged(asked, judged_by)
    return taken


def _month(period: PeriodResult, *, by_policy: bool, objectives: Sequence[ObjectiveResult]) -> Taken:
    broken = any(o.verdict == "broken" for o in objectives)
    verdict = "broken" if broken else "kept" if all(o.verdict == "holds" for o in objectives) else "unclear"
    point = HistoryPoint(
        name=period.name, began=period.start, ends=period.end, verdict=verdict if by_policy else "",
        samples=period.counted, left_out="" if period.over else "not over",
        outages=period.begun, down_low_s=sum(outage.at_least_s for outage in period.outages),
        down_high_s=sum(outage.at_most_s for outage in period.outages), unwatched_s=period.gap_s,
    )  # fmt: skip
    like = Likeness("month", period.target, "", "", "", "")
    return Taken(point, like, dict(_of_objectives(objectives)) if by_policy else {})


def of_recorded_month(run: Run, folder: RunFolder) -> tuple[Taken, MonthOfProbes | None]:
    """What a month that `kycgate sla --period` judged puts on the page, and its probes where they lie beside it.

    Raises:
        UsageError: probes.ndjson is damaged, or is not what the month was judged from.
    """
    period = run.period
    assert period is not None  # noqa: S101 - its only caller has looked
    path = folder.path / "probes.ndjson"
    try:
        probes = read_probes(read_text(path, MOST_RECORD, links=False), str(path))
        policy = Policy.model_validate(run.policy)
        judged = judge_month(
            policy, parse_span(period.name), probes, target=period.target, now=period.judged_at,
            every_s=None if period.every_learned else period.every_s,
        )  # fmt: skip
    except FileNotFoundError:
        taken = _month(period, by_policy=True, objectives=run.objectives)
        taken.values |= {
            _latency(latency.name, percentile): HistoryValue(value=value, samples=latency.count)
            for latency in period.latencies
            if latency.clock == "response"
            for percentile, value in ((50.0, latency.p50), (95.0, latency.p95))
            if latency.count >= PERCENTILES[percentile]
        }
        return taken, None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    except (ValidationError, CannotJudge, UnicodeDecodeError):
        raise UsageError(f"{folder.path} is damaged: its probes and policy are not those of {period.name}") from None
    if (judged.period.counted, judged.period.unavailable) != (period.counted, period.unavailable):
        raise UsageError(f"{folder.path} is damaged: its probes are not those of {period.name}")
    month = MonthOfProbes(judged, probes, policy, period.judged_at)
    taken = of_month(month, by_policy=True)
    # As it was judged then.
    taken.values |= dict(_of_objectives(run.objectives))
    taken.point.verdict = run.verdict
    return taken, month


def months_of_store(
    probes: Sequence[Probe], target: str, policy: Policy, *, now: datetime, every_s: float | None
) -> Iterator[MonthOfProbes | str]:
    """Each month in which there are probes, judged; instead of one that tells nothing a line that says so.

    `probes` are all of the target's, in order.
    """
    zone = ZoneInfo(policy.period.zone)
    for month in sorted({probe.started_at.astimezone(zone).date().replace(day=1) for probe in probes}):
        span = parse_span(f"{month:%Y-%m}")
        days = days_of(span, policy.period.zone)
        # The neighbours say whether an outage at the border goes on in another month.
        near = [p for p in probes if days[0].start - BEYOND <= p.started_at < days[-1].end + BEYOND]
        try:
            judged = judge_month(policy, span, near, target=target, now=now, every_s=every_s)
        except CannotJudge as error:
            yield f"{month:%Y-%m}: {error}"
        else:
            yield MonthOfProbes(judged, near, policy, now)


def weeks_of(months: Sequence[MonthOfProbes]) -> list[Taken]:
    """The weeks that lie wholly within these months of one target, Monday to Sunday, from the days as they were judged.

    A week is long enough for percentiles and as good a day's mix as the next one.
    """
    days: dict[date, tuple[Day, dict[tuple[str, str], list[int]]]] = {}
    for month in months:
        for day in month.judged.period.days:
            days[date.fromisoformat(day.date)] = (day, month.judged.by_day[day.date])
    found = []
    for monday in sorted(day for day in days if day.weekday() == 0):
        week = [days[day] for day in (monday + timedelta(days=n) for n in range(7)) if day in days]
        if len(week) == 7 and all(day.state != "to come" for day, _ in week):
            found.append(_week(monday, week, months[0].judged.period))
    return [week for week in found if week.values]


def _week(monday: date, days: Sequence[tuple[Day, dict[tuple[str, str], list[int]]]], period: PeriodResult) -> Taken:
    probes, unavailable = (sum(getattr(day, name) for day, _ in days) for name in ("probes", "unavailable"))
    start, end = (
        datetime.combine(day, time(), ZoneInfo(period.zone)).astimezone(UTC)
        for day in (monday, monday + timedelta(days=7))
    )
    year, week, _ = monday.isocalendar()
    taken = Taken(
        HistoryPoint(
            name=f"{year}-W{week:02}", began=start, ends=end, samples=probes,
            unwatched_s=sum(day.gap_s for day, _ in days),
            left_out="not watched for half of it or more" if sum(d.gap_s for d, _ in days) * 2 > 7 * 86_400 else "",
        ),
        Likeness("week", period.target, "", "", "", ""),
    )  # fmt: skip
    if probes:
        low, high = share_bounds(probes - unavailable, probes, SIDED)
        taken.values[_availability("of probes")] = HistoryValue(
            value=1 - unavailable / probes, low=low, high=high, samples=probes
        )
    values: dict[str, list[int]] = defaultdict(list)
    for _, by_kind in days:
        for (step, clock), of_day in by_kind.items():
            if clock == "response":
                values[step] += of_day
    for step, of_week in values.items():
        ordered = sorted(of_week)
        for percentile, fewest in PERCENTILES.items():
            if len(ordered) >= fewest:
                taken.values[_latency(step, percentile)] = _of_values(ordered, percentile / 100)
    return taken


def _of_values(ordered: Sequence[int], share: float) -> HistoryValue:
    """A percentile of sorted microseconds, with its bounds by order statistics; each is a sample of its own."""
    n = len(ordered)
    lower, upper = ranks(n, share, 1.0, SIDED)
    return HistoryValue(
        value=ordered[rank_of(share, n) - 1] / 1e3,
        low=ordered[lower - 1] / 1e3 if lower else 0.0,
        high=ordered[upper - 1] / 1e3 if upper <= n else None,
        samples=n,
    )


def plain_policy() -> Policy:
    """By which months are read where no policy is given: days of UTC, no windows, and nothing promised."""
    return Policy(objective=(Availability(id="nothing-promised", kind="availability", at_least=0.5),))
