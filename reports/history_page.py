"""history.html: many runs and months on one page that opens offline, without a script; from `History` alone."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from markupsafe import Markup

import kycgate
from kycgate.reports.history_charts import trend
from kycgate.reports.html import environment
from kycgate.runs.load_model import WHOLE
from kycgate.sla.history import change_words, heading, p_words, value_words
from kycgate.sla.history_model import History, HistoryChange, HistoryGroup, HistoryPoint, HistorySeries
from kycgate.text import spaced

_STATES = {"worse": "broken", "better": "kept", "mixed": "warning"}


class Chart(NamedTuple):
    """A picture with what is over it."""

    title: str
    said: str
    verdict: str
    colour: str
    evidence: str
    chart: Markup


class Change(NamedTuple):
    """A change with all of its series; each: label, before, after, p."""

    colour: str
    verdict: str
    brief: str
    said: str
    series: list[tuple[str, str, str, str]]


class Row(NamedTuple):
    """One run, month or week in the table."""

    point: HistoryPoint
    began: str
    values: list[tuple[str, str]]
    """Each with its state's colour, or none."""


class GroupPage(NamedTuple):
    """One group's part of the page."""

    group: HistoryGroup
    title: str
    changes: list[Change]
    charts: list[Chart]
    columns: list[str]
    rows: list[Row]


def render_history(found: History, *, made: datetime) -> str:
    """The whole page."""
    directions = {change.verdict for group in found.groups for change in group.changes}
    colour = {"changed": "warning", "drifts": "warning", "too few runs": "unclear"}.get(found.verdict, "")
    word: str = found.verdict
    if len(directions) == 1:
        (direction,) = directions
        colour, word = _STATES[direction], direction if direction != "mixed" else word
    points = [point for group in found.groups for point in group.points]
    templates = environment()
    templates.filters["span"] = _span
    return templates.get_template("history.html.j2").render(
        found=found,
        lead=found.reason[0].upper() + found.reason[1:],
        made=made.isoformat(timespec="seconds"),
        version=kycgate.__version__,
        word=word.capitalize(),
        colour=colour,
        pages=[_page(group) for group in found.groups],
        sources=_sources(found.groups),
        first=min(point.began for point in points),
        last=max(point.ends or point.began for point in points),
        releases=list(dict.fromkeys(mark.label for group in found.groups for mark in group.releases)),
    )


def _sources(groups: Sequence[HistoryGroup]) -> str:
    counts = {noun: sum(len(group.points) for group in groups if group.noun == noun) for noun in ("run", "month")}
    return " and ".join(f"{count} {noun}{'s' * (count != 1)}" for noun, count in counts.items() if count)


def _page(group: HistoryGroup) -> GroupPage:
    columns = [series for series in group.series if series.kind != "latency"]
    of_steps = [series for series in group.series if series.percentile == 95.0]
    # The whole stands for its steps, which the pictures show.
    columns += [series for series in of_steps if series.name == WHOLE] or of_steps
    return GroupPage(
        group=group,
        title=heading(group),
        changes=[_change(group, change) for change in group.changes],
        # One point alone has no trend.
        charts=list(_charts(group)) if len(group.points) > 1 else [],
        columns=[spaced(series.label) for series in columns],
        rows=[_row(group, place, columns) for place in reversed(range(len(group.points)))],
    )


def _change(group: HistoryGroup, change: HistoryChange) -> Change:
    last, first = (group.points[place] for place in (change.last_before, change.first_after))
    if group.kind == "load":
        between = f"{last.name} ({last.began:%Y-%m-%d %H:%M}) and {first.name} ({first.began:%Y-%m-%d %H:%M} UTC)"
    else:
        between = f"{last.name} and {first.name}"
    release = f"; release {change.release} came then" if change.release else ""
    series = [group.series[number] for number in change.series]
    return Change(
        colour=_STATES[change.verdict],
        verdict=change.verdict,
        brief=change_words(group, change, most=3).removeprefix(f"{change.verdict} "),
        said=f"most likely between {between}{release}. Medians of the {group.noun}s before and after:",
        series=[
            (spaced(one.label), _words(one.before, one.unit), _words(one.after, one.unit), p_words(one.p or 0.0))
            for one in series
        ],
    )


def _words(value: float | None, unit: str) -> str:
    return "" if value is None else value_words(value, unit)


def _charts(group: HistoryGroup) -> Iterator[Chart]:
    for series in group.series:
        if series.kind != "latency":
            yield _chart(group, [series], series.name)
    steps = dict.fromkeys(series.name for series in group.series if series.kind == "latency")
    for step in steps:
        drawn = [series for series in group.series if series.kind == "latency" and series.name == step]
        yield _chart(group, drawn, spaced(step))


def _chart(group: HistoryGroup, drawn: Sequence[HistorySeries], title: str) -> Chart:
    order = ("changed", "drifts", "no change shown", "too few runs")
    worst = min(drawn, key=lambda series: order.index(series.verdict))
    colour, verdict = {"drifts": "warning", "changed": "broken" if worst.worse else "kept"}.get(worst.verdict, ""), ""
    verdict = ("worse" if worst.worse else "better") if worst.verdict == "changed" else worst.verdict
    verdict = verdict.replace("runs", f"{group.noun}s")
    evidence = ""
    if worst.verdict == "changed" and worst.before is not None and worst.after is not None and worst.p is not None:
        before, after = (value_words(value, worst.unit) for value in (worst.before, worst.after))
        which = f"p{worst.percentile:g} " if worst.percentile is not None else ""
        evidence = f"{which}{before} to {after}, {p_words(worst.p)}"
    elif worst.p is not None:
        evidence = p_words(worst.p)
    words = drawn[0].sentence if drawn[0].kind != "latency" else "Response time, counted from when it was due."
    if group.kind != "load" and drawn[0].kind == "latency":
        words = "Response time of the probes."
    return Chart(title, words, verdict, colour, evidence, trend(group, drawn, title))


def _row(group: HistoryGroup, place: int, columns: Sequence[HistorySeries]) -> Row:
    point = group.points[place]
    values = []
    for series in columns:
        found = next((value for value in series.values if value.point == place), None)
        words = "" if found is None else value_words(found.value, series.unit)
        values.append((words, "broken" if found is not None and found.verdict == "broken" else ""))
    return Row(point, f"{point.began:%Y-%m-%d %H:%M}", values)


def _span(seconds: float | None) -> str:
    """Hours, minutes and seconds."""
    return "" if seconds is None else str(timedelta(seconds=round(seconds)))
