"""What the report says of an SLA, in rows that its template can show: from the recorded run alone."""

import calendar
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape
from pydantic import ValidationError

from kycgate.reports.axes import log_ticks
from kycgate.reports.drawing import framed, path, rule, text, width_of
from kycgate.runs.model import ObjectiveResult, Run
from kycgate.runs.period import BudgetResult, Day, Outage, PeriodResult, Stretch
from kycgate.sla.policy import Latency, share_of
from kycgate.sla.spans import parse_span
from kycgate.text import counted, spaced

if TYPE_CHECKING:
    from kycgate.sla.histograms import Counts

REFERENCES = {
    "Clopper and Pearson 1934": "C. J. Clopper and E. S. Pearson, The use of confidence or fiducial limits illustrated "
    "in the case of the binomial, Biometrika 26, 1934.",
    "David and Nagaraja 2003": "H. A. David and H. N. Nagaraja, Order Statistics, third edition, section 7.1, 2003.",
    "Hoeffding 1956": "W. Hoeffding, On the distribution of the number of successes in independent trials, Annals of "
    "Mathematical Statistics 27, 1956.",
    "Manski 2003": "C. F. Manski, Partial Identification of Probability Distributions, 2003.",
    "Kish 1965": "L. Kish, Survey Sampling, 1965.",
    "Korn and Graubard 1998": "E. L. Korn and B. I. Graubard, Confidence intervals for proportions with small expected "
    "number of positive counts estimated from survey data, Survey Methodology 24, 1998.",
    "Law and Kelton 2000": "A. M. Law and W. D. Kelton, Simulation Modeling and Analysis, third edition, section "
    "9.5.3, 2000.",
    "Robbins 1970": "H. Robbins, Statistical methods related to the law of the iterated logarithm, Annals of "
    "Mathematical Statistics 41, 1970.",
    "Howard et al. 2021": "S. R. Howard, A. Ramdas, J. McAuliffe and J. Sekhon, Time-uniform, nonparametric, "
    "nonasymptotic confidence sequences, Annals of Statistics 49, 2021.",
}  # fmt: skip
"""The short names that objectives give as their source, in full."""

_STATES = {
    "good": "kept", "failures": "warning", "outage": "broken", "excluded": "unclear", "no data": "not-tried",
    "to come": "soft",
}  # fmt: skip
_WIDTH, _HEIGHT, _TOP, _BOTTOM, _SIDE = 360, 170, 34, 24, 10
_BINS = 44


class LimitChart(NamedTuple):
    """One latency objective: how its samples lie to the limit."""

    title: str
    said: str
    chart: Markup


class Cell(NamedTuple):
    """One day of the calendar."""

    day: int
    state: str
    colour: str
    share: str
    more: str
    unwatched: bool


class Row(NamedTuple):
    """A stretch of time in the period's zone, in words."""

    name: str
    start: str
    end: str
    lasted: str
    what: str = ""


class BudgetRow(NamedTuple):
    """One error budget in words; each burn: its windows, its two rates, the rate that alerts, whether it does."""

    objective: str
    allowed: str
    used: str
    left: str
    colour: str
    ends: str
    burns: list[tuple[str, str, str, str, bool]]


class Sheet(NamedTuple):
    """One month of the calendar."""

    title: str
    weeks: list[list[Cell | None]]


class Month(NamedTuple):
    """A period's rows: those of a month, a quarter or a year, which `noun` says."""

    title: str
    noun: str
    weekdays: list[str]
    sheets: list[Sheet]
    legend: list[tuple[str, str]]
    figures: list[tuple[str, str, str]]
    outages: list[Row]
    gaps: list[Row]
    windows: list[Row]
    failures: str
    budgets: list[BudgetRow]


class SlaPage(NamedTuple):
    """All that the template shows."""

    charts: list[LimitChart]
    month: Month | None
    methods: list[tuple[str, list[str]]]
    references: list[str]
    confidence: float | None


def sla_page(run: Run) -> SlaPage:
    """The page of this run; empty where it has no objectives."""
    policy = run.policy or {}
    return SlaPage(
        charts=list(_charts(run, policy)),
        month=month_of(run.period) if run.period is not None else None,
        methods=_methods(run.objectives),
        references=[
            text
            for name, text in REFERENCES.items()
            if any(name.split()[0] in o.source and name.split()[-1] in o.source for o in run.objectives)
        ],
        confidence=policy.get("confidence"),
    )


def _methods(objectives: Sequence[ObjectiveResult]) -> list[tuple[str, list[str]]]:
    """Each method with its source and note, and the objectives that were judged so."""
    by_method: dict[str, list[str]] = {}
    for o in objectives:
        text = f"{o.method} ({o.source})" if o.source else o.method
        said = f"{text[:1].upper()}{text[1:]}. {o.note}".strip()
        by_method.setdefault(said, []).append(o.id)
    return list(by_method.items())


# Charts


def _charts(run: Run, policy: Mapping[str, Any]) -> Iterator[LimitChart]:
    if not policy:
        return
    # numpy is of the extra load, and the page of a check has no histogram.
    from kycgate.sla.histograms import decode, empty

    latencies = run.period.latencies if run.period is not None else run.load.latencies if run.load is not None else []
    judged = {result.id for result in run.objectives}
    for raw in policy.get("objective", []):
        try:
            objective = Latency.model_validate(raw)
        except ValidationError:
            continue
        counts, wanted = empty(), objective.steps_among(latency.name for latency in latencies)
        for latency in latencies:
            if latency.name in wanted and latency.clock == objective.clock and latency.histogram:
                counts += decode(latency.histogram, f"{latency.name} ({latency.clock})")
        if objective.id in judged and counts.any():
            exact = next(r.value for r in run.objectives if r.id == objective.id)
            yield _chart(objective, counts, exact if run.period is not None else None)


def _chart(objective: Latency, counts: "Counts", exact_ms: float | None = None) -> LimitChart:
    from kycgate.sla.histograms import edges, quantile_us

    limit_us = objective.limit_ms * 1e3
    places = counts.nonzero()[0]
    cells = [(float(edges()[1][place]), int(counts[place])) for place in places]
    total = int(counts.sum())
    within = sum(count for value, count in cells if value <= limit_us) / total
    at = quantile_us(counts, share_of(objective)) if exact_ms is None else exact_ms * 1e3
    low = math.log(max(min(cells[0][0], limit_us) * 0.8, 1))
    high = math.log(max(cells[-1][0], limit_us) * 1.25)
    kept, name = at <= limit_us, f"p{objective.percentile:g} {_seconds(at)}"
    if not kept:
        # Its words have room on the right, away from the limit.
        high = max(high, low + (math.log(at) - low) * (_WIDTH - 2 * _SIDE) / (_WIDTH - _SIDE - _room(name)))
    step = spaced(objective.step)
    said = f"{objective.percentile:g}% must take at most {_seconds(limit_us)}; {_share(within, 2)} do, of {total:,}"

    def x(value_us: float) -> float:
        return _SIDE + (math.log(max(value_us, 1)) - low) / (high - low) * (_WIDTH - 2 * _SIDE)

    # A bin's border lies on the limit, so that no bar is of both sides.
    border = x(limit_us)
    width = (_WIDTH - 2 * _SIDE) / _BINS
    heights: dict[int, int] = {}
    for value, count in cells:
        place = math.floor((x(value) - border) / width)
        place = min(place, -1) if value <= limit_us else max(place, 0)
        heights[place] = heights.get(place, 0) + count
    tallest = max(heights.values())
    base = _HEIGHT - _BOTTOM

    def value_at(place: int) -> float:
        return math.exp(low + (border + place * width - _SIDE) / (_WIDTH - 2 * _SIDE) * (high - low))

    parts = [
        _bar(
            border + place * width, width, (base - _TOP) * count / tallest, base, over=place >= 0,
            title=f"{_seconds(value_at(place))} to {_seconds(value_at(place + 1))}: {count:,} of {total:,}",
        )
        for place, count in sorted(heights.items())
    ]  # fmt: skip
    ticks = log_ticks(1.05 * math.exp(low), math.exp(high) / 1.05, most=7)
    parts += [_tick(x(value), base, _seconds(value)) for value in ticks]
    # Each is written away from the other, as far as the picture has room.
    parts.append(_line(border, base, 12, f"limit {_seconds(limit_us)}", "ink", right=kept, dashed=True))
    parts.append(_line(x(at), base, 26, name, "kept" if kept else "broken", right=not kept))
    label = f"{objective.id}: {step}, {objective.clock} time. {said}; {name}"
    title = f"{objective.id}: {step}, {objective.clock} time"
    return LimitChart(title, said, framed(label, _WIDTH, _HEIGHT, parts))


def _bar(x: float, width: float, height: float, base: float, *, over: bool, title: str) -> str:
    # What was counted is seen, however little.
    height = max(height, 1.0)
    colour = "broken" if over else "c1"
    shape = f'x="{x + 0.4:.1f}" y="{base - height:.1f}" width="{width - 0.8:.1f}" height="{height:.1f}"'
    return f'<rect {shape} fill="var(--{colour})"><title>{escape(title)}</title></rect>'


def _tick(x: float, base: float, words: str) -> str:
    return rule(x, base, x, base + 4, "soft") + text(x, base + 15, words, "soft", "middle")


def _room(words: str) -> float:
    """What words beside a line take."""
    return width_of(words) + 6


def _line(x: float, base: float, y: float, words: str, colour: str, *, right: bool, dashed: bool = False) -> str:
    right = (right and x + _room(words) <= _WIDTH + 1e-6) or x < _room(words)
    line = path([(x, y - 7), (x, base)], colour, 1.2, dashed=dashed)
    return line + text(x + (4 if right else -4), y, words, colour, "start" if right else "end")


def _seconds(us: float) -> str:
    if us >= 1e6:
        return f"{us / 1e6:.3g} s"
    return f"{us / 1e3:.3g} ms" if us >= 1e3 else f"{us:.3g} µs"


# The month


def month_of(period: PeriodResult) -> Month:
    """The rows of a period."""
    zone, span = ZoneInfo(period.zone), parse_span(period.name)
    days = {day.date: day for day in period.days}
    firsts = [date.fromisoformat(name) for name in days if name.endswith("-01")]
    seen = {day.state for day in period.days}
    quarter = f"{(span.first.month + 2) // 3}{('st', 'nd', 'rd', 'th')[(span.first.month - 1) // 3]}"
    titles = {
        "month": f"{span.first:%B %Y}",
        "quarter": f"{quarter} quarter of {span.first.year}",
        "year": f"The year {span.first.year}",
    }
    return Month(
        title=titles[span.noun],
        noun=span.noun,
        weekdays=list(calendar.day_abbr),
        sheets=[Sheet(f"{first:%B %Y}", _weeks(first, days)) for first in firsts],
        legend=[(state, colour) for state, colour in _STATES.items() if state in seen],
        figures=_figures(period),
        outages=[_outage(outage, zone) for outage in period.outages],
        gaps=[_stretch(gap, zone) for gap in period.gaps],
        windows=[_stretch(window, zone) for window in period.windows],
        failures=", ".join(f"{kind} ({count:,})" for kind, count in sorted(period.failures.items())),
        budgets=[_budget(budget, period, zone, span.noun) for budget in period.budgets],
    )


def _weeks(first: date, days: Mapping[str, Day]) -> list[list[Cell | None]]:
    """The weeks of a month, which begin on Monday (ISO 8601)."""
    return [
        [
            _cell(days[day.isoformat()], day.day) if day.month == first.month and day.isoformat() in days else None
            for day in week
        ]
        for week in calendar.Calendar(firstweekday=0).monthdatescalendar(first.year, first.month)
    ]


def _budget(budget: BudgetResult, period: PeriodResult, zone: ZoneInfo, noun: str) -> BudgetRow:
    ends = "not at the rate of the last three days" if budget.ends_at is None else _moment(budget.ends_at, zone)
    if budget.ends_at is not None and (period.over or budget.ends_at >= period.end):
        ends = f"not in this {noun}"
    spent = budget.left <= 0
    if spent:
        ends = "spent"
    return BudgetRow(
        objective=budget.objective,
        allowed=_span(budget.allowed_s),
        used=_span(budget.used_s),
        left="none" if spent else f"{budget.left:.0%}",
        colour="broken" if spent else "warning" if any(burn.alerts for burn in budget.burns) else "kept",
        ends=ends,
        burns=[
            (
                f"{_window(burn.long_s)} and {_window(burn.short_s)}", f"{burn.rate:.3g}", f"{burn.short_rate:.3g}",
                f"{burn.limit:g}", burn.alerts,
            )
            for burn in budget.burns
        ],
    )  # fmt: skip


def _window(seconds: float) -> str:
    return f"{seconds / 3600:g} h" if seconds >= 3600 else f"{seconds / 60:g} min"


def _cell(day: Day, number: int) -> Cell:
    more = []
    if day.gap_s:
        more.append(f"{_hours(day.gap_s)} unwatched")
    if day.excluded_s:
        more.append(f"{_hours(day.excluded_s)} left out")
    if day.broken:
        more.append(f"{day.broken} broken")
    share = "" if day.availability is None else _share(day.availability, 1)
    return Cell(number, day.state, _STATES[day.state], share, ", ".join(more), day.gap_s > 0)


def _figures(period: PeriodResult) -> list[tuple[str, str, str]]:
    """What is large on the page: value, name, and the colour of its verdict."""
    share = 1 - period.unavailable / period.counted if period.counted else None
    least, most = (sum(getattr(o, name) for o in period.outages) for name in ("at_least_s", "at_most_s"))
    down = f"{_hours(least)} to {_hours(most)}" if period.outages else "none"
    found = [
        ("nothing measured" if share is None else _share(share, 3), "of the probes were answered", ""),
        (down, f"down, in {counted(len(period.outages), 'outage')}", ""),
        (f"{period.single_failures:,}", "single failures", ""),
        (_hours(period.gap_s), "not watched", "warning" if period.gap_s else ""),
        (_hours(period.excluded_s), "of maintenance left out", ""),
        (f"{period.counted:,}", "probes count", ""),
    ]
    if period.closed_s:
        found.append((_hours(period.closed_s), "outside the hours that count", ""))
    if period.to_come_s:
        found.append((_hours(period.to_come_s), "still to come", "warning"))
    if period.allowed_down_s is not None:
        found.insert(0, (_span(period.allowed_down_s), "of downtime allowed by the policy", ""))
    if period.credits_owed:
        proven, measured = period.credit_shown, period.credit_percent
        soon = "" if period.over else " so far"
        found.insert(0, (f"{proven:g}%", f"of the fee is owed{soon}, as proven", "broken" if proven else ""))
        if measured != proven:
            found.insert(1, (f"{measured:g}%", "by what was measured, not proven", ""))
    return found


def _share(share: float, digits: int) -> str:
    """In percent; what is not all is not shown as all."""
    return (
        f"{share:.{digits}%}"
        if share == 1 or round(share, digits + 2) < 1
        else f"over {1 - 10 ** -(digits + 2):.{digits}%}"
    )


def _outage(outage: Outage, zone: ZoneInfo) -> Row:
    kinds = ", ".join(f"{kind} ({count:,})" for kind, count in sorted(outage.failures.items()))
    where = ", ".join(spaced(step) for step in outage.steps)
    return Row(
        name="",
        start=_between(outage.last_good, outage.first_bad, zone),
        end=_between(outage.last_bad, outage.next_good, zone),
        lasted=f"{_span(outage.at_least_s)} to {_span(outage.at_most_s)}",
        what=f"{outage.probes} probes: {kinds}"
        + (f", at {where}" if where else "")
        + (f"; {outage.words}" if outage.words else ""),
    )


def _stretch(stretch: Stretch, zone: ZoneInfo) -> Row:
    return Row(stretch.name, _moment(stretch.start, zone), _moment(stretch.end, zone), _span(stretch.seconds))


def _between(one: datetime, other: datetime, zone: ZoneInfo) -> str:
    if one == other:
        return _moment(one, zone)
    first, second = one.astimezone(zone), other.astimezone(zone)
    same_day = first.date() == second.date() and first.utcoffset() == second.utcoffset()
    return f"{_moment(one, zone)} to {f'{second:%H:%M:%S}' if same_day else _moment(other, zone)}"


def _moment(moment: datetime, zone: ZoneInfo) -> str:
    local = moment.astimezone(zone)
    return f"{local.day} {local:%b %H:%M:%S}"


def _span(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.0f} min"
