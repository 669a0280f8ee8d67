"""A calendar period as its probes show it, a month mostly: availability, outages, gaps, budgets, credits."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from kycgate.errors import CannotJudge
from kycgate.probing.probe import Probe, write_probes
from kycgate.runs.flow_model import is_upload
from kycgate.runs.model import ObjectiveResult
from kycgate.runs.percentile import rank_of
from kycgate.runs.period import Day, DayState, PeriodResult, Stretch
from kycgate.sla.budget import Budget, budget_of
from kycgate.sla.latency import TaggedInterval, histogram_of, write_log
from kycgate.sla.month_notes import by_prober, note_of, notes_of, notes_of_probers
from kycgate.sla.month_verdict import Evidence, is_of_all, judge_longest_time, judge_share
from kycgate.sla.outage_verdict import Outages, judge_longest, judge_number
from kycgate.sla.outages import began_in, usual_distance_s
from kycgate.sla.period import Interval
from kycgate.sla.policy import LongestOutage, MaxLatency, Objective, OutageCount, Policy, Reading, Throughput
from kycgate.sla.probe_latency import latencies_of, values_of
from kycgate.sla.recording import tag_of
from kycgate.sla.spans import Span, days_of, parse_span
from kycgate.sla.watch import View, clear_of, count, overlap_s, view_of
from kycgate.target.clock import Offset, common_offset

BEYOND = timedelta(days=2)
"""So far beyond the period its probes are looked at: for an outage that goes on at its end, or began before it."""


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


class _Seen(NamedTuple):
    """The probes of a period and how it is looked at."""

    policy: Policy
    whole: Interval
    ordered: Sequence[Probe]
    every_s: float
    now: datetime

    def view(self, hours: str | None, beyond: timedelta = timedelta()) -> View:
        whole = self.whole._replace(end=max(self.whole.end, min(self.whole.end + beyond, self.now)))
        return view_of(self.policy, hours, whole, self.ordered, every_s=self.every_s, now=self.now)


def judge_month(
    policy: Policy, span: Span, probes: Sequence[Probe], *, target: str, now: datetime, every_s: float | None = None
) -> Judged:
    """What `probes` say of this month, quarter or year, as it looks at `now`.

    Those of `BEYOND` around it say how an outage at its border goes on.

    Raises:
        CannotJudge: there are too few probes.
        UsageError: two maintenance windows overlap in this period.
    """
    days = days_of(span, policy.period.zone)
    whole = Interval(days[0].start, days[-1].end, span.name)
    until = min(max(now, whole.start), whole.end)
    ordered = sorted(probes, key=lambda probe: (probe.started_at, probe.id))
    inside = began_in(ordered, Interval(whole.start, until))
    if not inside:
        raise CannotJudge(f"no probe of {whole.name} is there: nothing is known of this {span.noun}")
    given = every_s or policy.period.every_s
    every = given or usual_distance_s(inside)
    seen = _Seen(policy, whole, ordered, every, now)
    probed = [objective for objective in policy.objective if _is_probed(objective)]
    views = {hours: seen.view(hours) for hours in {policy.period.hours, *map(policy.hours_of, probed)}}
    view = views[policy.period.hours]
    clear, found = view.clear, view.outages
    by_day = {day.name: values_of(began_in(clear, day)) for day in days}
    jitter = min(probe.jitter_s for probe in clear) if clear else 0.0
    objectives = [_judge(objective, seen, views[policy.hours_of(objective)], span, jitter) for objective in probed]
    offset = common_offset(
        Offset(probe.clock_low_s, probe.clock_high_s)
        for probe in inside
        if probe.clock_low_s is not None and probe.clock_high_s is not None
    )
    of_all = [(objective, views[policy.hours_of(objective)]) for objective in probed if is_of_all(objective)]
    budgets = [
        budget_of(objective, its.clear, counts=its.counts, to_come=its.to_come, every_s=every, now=until)
        for objective, its in of_all
    ]
    counted = [probe for probe in view.outside if id(probe) not in view.aside]
    period = PeriodResult(
        name=whole.name,
        zone=policy.period.zone,
        start=whole.start,
        end=whole.end,
        judged_at=now,
        over=now >= whole.end,
        target=target,
        probers=sorted({probe.prober for probe in inside if probe.prober}),
        by_prober=by_prober(view),
        down_s=view.down_s,
        allowed_down_s=min(((1 - one.at_least) * its.total_s for one, its in of_all), default=None),
        every_s=every,
        every_learned=given is None,
        jitter_s=jitter,
        probes=len(inside),
        counted=len(clear),
        unavailable=count(clear, "unavailable"),
        broken=count(clear, "broken"),
        unclear=len(view.outside) - len(clear),
        single_failures=count(clear, "unavailable") - sum(outage.probes for outage in found),
        failures=dict(Counter(probe.failure for probe in clear if probe.failure)),
        total_s=view.total_s,
        excluded_s=whole.seconds - view.total_s - sum(stretch.seconds for stretch in view.closed),
        closed_s=sum(stretch.seconds for stretch in view.closed),
        hours="; ".join(hours.words for hours in policy.hours_named(policy.period.hours)),
        gap_s=view.gap_s,
        to_come_s=view.to_come_s,
        unknown_share=view.unknown,
        outage_after=policy.period.outage_after,
        outages=found,
        gaps=view.holes,
        windows=[Stretch(start=window.start, end=window.end, name=window.name) for window in view.windows],
        days=[_day(day, counted, view, by_day[day.name], now) for day in days],
        credits_owed=[
            credit.result(result) for credit in policy.credit for result in objectives if result.id == credit.objective
        ],
        credit_cap=policy.period.credit_cap,
        latencies=latencies_of(by_day.values()),
        clock_low_s=offset.low if offset else None,
        clock_high_s=offset.high if offset else None,
        budgets=[budget.result() for budget in budgets],
    )
    sent = (sum(probe.requests for probe in inside), sum(probe.uploads for probe in inside))
    notes = [*notes_of(policy, probed, period), *notes_of_probers(inside, view, every)]
    return Judged(period, objectives, by_day, notes, sent, budgets)


def _judge(objective: Objective, seen: _Seen, view: View, span: Span, jitter_s: float) -> ObjectiveResult:
    policy = seen.policy
    if isinstance(objective, LongestOutage | OutageCount):
        found = Outages(seen.view(policy.hours_of(objective), BEYOND), seen.whole.end)
        if isinstance(objective, LongestOutage):
            return judge_longest(objective, found, view.clear, span.noun)
        return judge_number(objective, found, view.clear, span.noun)
    shortest = policy.period.outage_from_s
    most_down_s = None if shortest is None else Outages(view, seen.whole.end).most_down_s(shortest)
    evidence = Evidence(view, note_of(view, jitter_s, seen.every_s), span.noun, most_down_s)
    if isinstance(objective, MaxLatency):
        return judge_longest_time(objective, evidence)
    assert not isinstance(objective, Throughput)  # noqa: S101 - no probe measures it, see `_is_probed`
    return judge_share(objective, policy, evidence)


def write_evidence(folder: Path, judged: Judged, probes: Sequence[Probe]) -> None:
    """What the period was judged from: each probe in probes.ndjson, each day's histograms in latency.hlog."""
    write_probes(folder / "probes.ndjson", probes)
    period = judged.period
    days = days_of(parse_span(period.name), period.zone)
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


def _is_probed(objective: Objective) -> bool:
    """Probes read no known fields that count, and come under no stated load."""
    if isinstance(objective, Reading | Throughput):
        return False
    return isinstance(objective, MaxLatency | LongestOutage | OutageCount) or objective.at_rate is None


def _day(
    day: Interval,
    outside: Sequence[Probe],
    view: View,
    values: dict[tuple[str, str], list[int]],
    now: datetime,
) -> Day:
    probes = began_in(outside, day)
    clear = clear_of(probes)
    left_out_s = overlap_s(day, view.left_out)
    counted_s = overlap_s(day, view.counts)
    uploads = [
        value
        for (step, clock), measured in values.items()
        if clock == "response" and is_upload(step)
        for value in measured
    ]
    failed = count(clear, "unavailable") + count(clear, "broken")
    down = any(p.verdict == "unavailable" for p in clear) and any(
        day.start <= outage.last_bad and outage.first_bad < day.end for outage in view.outages
    )
    state: DayState = (
        "to come" if day.start >= now
        else "excluded" if not counted_s and left_out_s
        else "outage" if down
        else "no data" if not clear
        else "failures" if failed
        else "good"
    )  # fmt: skip
    return Day(
        date=day.name,
        state=state,
        probes=len(clear),
        unavailable=count(clear, "unavailable"),
        broken=count(clear, "broken"),
        unclear=len(probes) - len(clear),
        counted_s=counted_s,
        gap_s=overlap_s(day, view.holes),
        excluded_s=left_out_s - overlap_s(day, view.closed),
        p95_upload_ms=sorted(uploads)[rank_of(0.95, len(uploads)) - 1] / 1e3 if uploads else None,
    )
