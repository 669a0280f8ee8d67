"""One series, or the two percentiles of a step, over the runs of a group: values, intervals, limit, releases, change.

Drawn small, as all charts are, so that its text can be read at the width of a phone. A run is a point: full where it
counts, hollow where it does not, a diamond where the objective was broken. Its title says what was measured.
"""

import math
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from markupsafe import Markup

from kycgate.reports.axes import Axis, decimals, multiples, nice
from kycgate.reports.drawing import Panel, framed, path, rule, shortened, symbol, text, titled, upright, width_of
from kycgate.sla.history import value_words
from kycgate.sla.history_model import HistoryGroup, HistorySeries, HistoryValue
from kycgate.text import visible

_WIDTH, _HEIGHT = 360.0, 202.0
_RIGHT, _TOP, _BOTTOM = 352.0, 26.0, 168.0
_INSET = 8.0
"""From the picture's edge to the first point."""
_COLOURS = ("c1", "c2")
_MOST_X = 4
"""Dates along the axis."""


class _Scale(NamedTuple):
    """From values to places: x by moments, y by values."""

    first: datetime
    seconds: float
    panel: Panel

    def x(self, moment: datetime) -> float:
        return self.panel.x((moment - self.first).total_seconds())

    def y(self, value: float) -> float:
        """Within the picture, whatever the value."""
        return self.panel.y(min(max(value, self.panel.up.low), self.panel.up.high))


def trend(group: HistoryGroup, drawn: Sequence[HistorySeries], title: str) -> Markup:
    """The picture; `drawn` are of one unit."""
    scale = _scale(group, drawn)
    parts = [*upright(scale.panel, _HEIGHT), *_dates(scale, group), *_releases(scale, group)]
    for series, colour in zip(drawn, _COLOURS, strict=False):
        parts += [*_change(scale, group, series), *_points(scale, group, series, colour)]
    # Last, so that its words stand on what is beneath.
    parts += [part for series in drawn for part in _limit(scale, group, series)]
    if len(drawn) > 1:
        parts += _names(scale.panel.left, drawn)
    label = f"{title}: {'; '.join(said(group, series) for series in drawn)}"
    return framed(visible(label, 600), _WIDTH, _HEIGHT, parts)


def said(group: HistoryGroup, series: HistorySeries) -> str:
    """From the first to the last value that counts, in words."""
    shown = _counting(group, series) or series.values
    first, last = (value_words(value.value, series.unit) for value in (shown[0], shown[-1]))
    return f"{series.label} {first}" if len(shown) == 1 else f"{series.label} {first} first, {last} last"


def middle(group: HistoryGroup, place: int) -> datetime:
    """Where a point stands in time: a month or a week in its middle, a run where it began."""
    point = group.points[place]
    return point.began + (point.ends - point.began) / 2 if point.ends is not None else point.began


def _counting(group: HistoryGroup, series: HistorySeries) -> list[HistoryValue]:
    return [value for value in series.values if not group.points[value.point].left_out]


def _scale(group: HistoryGroup, drawn: Sequence[HistorySeries]) -> _Scale:
    moments = [middle(group, place) for place in range(len(group.points))]
    seconds = (max(moments) - min(moments)).total_seconds()
    first = min(moments) if seconds else min(moments) - timedelta(seconds=0.5)
    up = _values_axis(drawn)
    left = max(width_of(words) for _, words in up.ticks) + 6
    # The first and the last point stand off the edges.
    inset = (seconds or 1.0) * _INSET / (_RIGHT - left - 2 * _INSET)
    across = Axis(-inset, (seconds or 1.0) + inset, ())
    return _Scale(first, seconds or 1.0, Panel(across, up, left, _TOP, _RIGHT, _BOTTOM))


def _values_axis(drawn: Sequence[HistorySeries]) -> Axis:
    """Over the values, and over their intervals and limits as far as these leave the values to be seen."""
    values = [value for series in drawn for value in series.values]
    highest = max(value.value for value in values)
    bounds = [value.bound for value in values if value.bound is not None]
    if drawn[0].unit == "share":
        reach = max([1 - min(v.value for v in values), *(1 - b for b in bounds), 1e-3])
        # An interval of a few samples would make a line of all the rest.
        reach = max(reach, min(max((1 - v.low for v in values if v.low is not None), default=0.0), 3 * reach))
        return _axis(max(1 - 1.1 * reach, 0.0), 1.0, "share")
    ends = [v.high for v in values if v.high is not None] + [b for b in bounds if b <= 3 * highest]
    top = max(highest, min(max(ends, default=0.0), 2.5 * highest))
    return _axis(min(0.0, *(v.value for v in values)), 1.08 * top or 1.0, drawn[0].unit)


def _axis(low: float, high: float, unit: str) -> Axis:
    step = nice((high - low) / 4)
    ticks = [(value, _tick(value, step, unit)) for value in multiples(step, low, high)]
    return Axis(low, high, ticks, grid=True)


def _tick(value: float, step: float, unit: str) -> str:
    if unit == "share":
        return f"{value * 100:.{decimals(step * 100)}f}%"
    if unit == "ms" and step >= 1_000:
        return f"{value / 1e3:g} s"
    return f"{value:,.{decimals(step)}f}{' ms' if unit == 'ms' else ''}"


def _dates(scale: _Scale, group: HistoryGroup) -> Iterator[str]:
    yield rule(scale.panel.left, _BOTTOM, _RIGHT, _BOTTOM, "soft")
    moments = [middle(group, place) for place in range(len(group.points))]
    days = scale.seconds / 86_400
    form = "%b %Y" if group.kind == "month" or days > 200 else "%d %b" if days >= 2 else "%d %b %H:%M"
    places = sorted({round(n * (len(moments) - 1) / (_MOST_X - 1)) for n in range(_MOST_X)})
    last = -math.inf
    for place in places:
        words = f"{moments[place]:{form}}"
        x, half = scale.x(moments[place]), width_of(words) / 2
        x = min(max(x, scale.panel.left + half - 20), _RIGHT + 6 - half)
        if x - half > last + 6:
            yield text(x, _BOTTOM + 14, words, "soft", "middle")
            last = x + half


def _releases(scale: _Scale, group: HistoryGroup) -> Iterator[str]:
    free = -math.inf
    for mark in group.releases:
        x = scale.x(mark.at)
        name = visible(mark.label, 60)
        line = (
            f'<line x1="{x:.1f}" y1="14" x2="{x:.1f}" y2="{_BOTTOM}" stroke="var(--c4)" stroke-width="1.1" '
            'stroke-dasharray="1.5 2.5"/>'
        )
        yield titled(f"release {name}, {mark.at:%Y-%m-%d}", line)
        short = shortened(name, 70)
        half = width_of(short) / 2
        place = min(max(x, scale.panel.left + half), _RIGHT - half)
        if place - half > free + 4:
            yield text(place, 10, short, "c4", "middle")
            free = place + half


def _limit(scale: _Scale, group: HistoryGroup, series: HistorySeries) -> Iterator[str]:
    """The limit as it was at each run."""
    known = [(scale.x(middle(group, v.point)), v.bound) for v in series.values if v.bound is not None]
    if not known:
        return
    bound = known[-1][1]
    words = f"limit {value_words(bound, series.unit)}"
    up = scale.panel.up
    if not up.low <= bound <= up.high:
        yield text(_RIGHT, _TOP - 3, f"{words}, {'above' if bound > up.high else 'below'}", "ink", "end")
        return
    # From the picture's left to its right, with a step where the limit changed.
    corners = [(scale.panel.left, known[0][1])]
    for x, value in known:
        corners += [(x, corners[-1][1]), (x, value)] if value != corners[-1][1] else []
    corners.append((_RIGHT, bound))
    yield path([(x, scale.y(value)) for x, value in corners], "ink", 1.1, dashed=True)
    above = scale.y(bound) - 4 > _TOP
    yield text(_RIGHT, scale.y(bound) + (-4 if above else 11), words, "ink", "end")


def _change(scale: _Scale, group: HistoryGroup, series: HistorySeries) -> Iterator[str]:
    """The medians before and after, and between which runs it lies."""
    if series.verdict != "changed" or series.before is None or series.after is None:
        return
    number = group.series.index(series)
    change = next(change for change in group.changes if number in change.series)
    first, last = (scale.x(middle(group, place)) for place in (change.last_before, change.first_after))
    colour = "broken" if series.worse else "kept"
    yield (
        f'<rect x="{first:.1f}" y="{_TOP}" width="{max(last - first, 1):.1f}" height="{_BOTTOM - _TOP}" '
        f'fill="var(--{colour})" fill-opacity="0.09"/>'
    )
    for x1, x2, value, when in (
        (scale.panel.left, first, series.before, "before"),
        (last, _RIGHT, series.after, "after"),
    ):
        y = scale.y(value)
        line = path([(x1, y), (x2, y)], colour, 1.6)
        yield titled(f"median {when}: {value_words(value, series.unit)}", line)


def _points(scale: _Scale, group: HistoryGroup, series: HistorySeries, colour: str) -> Iterator[str]:
    counting = _counting(group, series)
    line = " ".join(f"{scale.x(middle(group, v.point)):.1f},{scale.y(v.value):.1f}" for v in counting)
    if len(counting) > 1 and series.verdict != "changed":
        yield (
            f'<polyline points="{line}" fill="none" stroke="var(--{colour})" stroke-width="1" stroke-opacity="0.45"/>'
        )
    for value in series.values:
        point = group.points[value.point]
        x, y = scale.x(middle(group, value.point)), scale.y(value.value)
        bars = ""
        if value.low is not None or value.high is not None:
            high = scale.y(math.inf if value.high is None else value.high)
            low = scale.y(-math.inf if value.low is None else value.low)
            # An end that nothing bounds is drawn fainter than one that was measured.
            opacity = 0.5 if value.low is not None and value.high is not None else 0.2
            bars = (
                f'<line x1="{x:.1f}" y1="{high:.1f}" x2="{x:.1f}" y2="{low:.1f}" stroke="var(--{colour})" '
                f'stroke-width="1.2" stroke-opacity="{opacity}"/>'
            )
        shapes = bars + _mark(x, y, value, colour, hollow=bool(point.left_out))
        yield titled(visible(point_words(group, series, value), 400), shapes)


def _mark(x: float, y: float, value: HistoryValue, colour: str, *, hollow: bool) -> str:
    paint = "broken" if value.verdict == "broken" else colour
    fill = "var(--paper)" if hollow else f"var(--{paint})"
    style = f'fill="{fill}" stroke="var(--{paint})" stroke-width="1.1"'
    if value.verdict == "broken":
        corners = f"{x:.1f},{y - 4.2:.1f} {x + 4.2:.1f},{y:.1f} {x:.1f},{y + 4.2:.1f} {x - 4.2:.1f},{y:.1f}"
        return f'<polygon points="{corners}" {style}/>'
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6" {style}/>'


def point_words(group: HistoryGroup, series: HistorySeries, value: HistoryValue) -> str:
    """A value with its run, its interval and its samples."""
    point = group.points[value.point]
    ends = [
        unbounded if end is None else value_words(end, series.unit)
        for end, unbounded in ((value.low, "no lower bound"), (value.high, "no upper bound"))
    ]
    interval = f" ({ends[0]} to {ends[1]})" if (value.low, value.high) != (None, None) else ""
    more = [f"release {point.release}"] if point.release else []
    more += [f"n = {value.samples:,}"]
    more += [value.verdict] if value.verdict else []
    more += [f"left out: {point.left_out}"] if point.left_out else []
    when = "" if point.ends is not None else f", {point.began:%Y-%m-%d %H:%M} UTC"
    return f"{point.name}{when}: {series.label} {value_words(value.value, series.unit)}{interval}, {', '.join(more)}"


def _names(left: float, drawn: Sequence[HistorySeries]) -> Iterator[str]:
    """Which line is which, in a line below the dates."""
    x = left
    for series, colour in zip(drawn, _COLOURS, strict=False):
        name = f"p{series.percentile:g}" if series.percentile is not None else series.label
        yield symbol(x + 3, _HEIGHT - 5, colour)
        yield text(x + 9, _HEIGHT - 2, name)
        x += 20 + width_of(name)
