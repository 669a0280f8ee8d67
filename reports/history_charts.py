"""One series, or the two percentiles of a step, over the runs of a group: values, intervals, limit, releases, change.

Drawn small, as all charts are, so that its text can be read at the width of a phone. A run is a point: full where it
counts, hollow where it does not, a diamond where the objective was broken. Its title says what was measured.
"""

import math
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from markupsafe import Markup, escape

from kycgate.sla.history import value_words
from kycgate.sla.history_model import HistoryGroup, HistorySeries, HistoryValue
from kycgate.text import visible

_WIDTH, _HEIGHT = 360.0, 202.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 44.0, 352.0, 26.0, 168.0
_COLOURS = ("c1", "c2")
_MOST_X = 4
"""Dates along the axis."""
_LETTER = 4.9
"""The width of a character, about."""


class _Scale(NamedTuple):
    """From values to places: x by moments, y by values."""

    first: datetime
    seconds: float
    low: float
    high: float

    def x(self, moment: datetime) -> float:
        share = (moment - self.first).total_seconds() / self.seconds
        return _LEFT + 8 + share * (_RIGHT - _LEFT - 16)

    def y(self, value: float) -> float:
        """Within the picture, whatever the value."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return _BOTTOM - share * (_BOTTOM - _TOP)


def trend(group: HistoryGroup, drawn: Sequence[HistorySeries], title: str) -> Markup:
    """The picture; `drawn` are of one unit."""
    scale = _scale(group, drawn)
    parts = [*_grid(scale, drawn[0].unit), *_dates(scale, group), *_releases(scale, group)]
    for series, colour in zip(drawn, _COLOURS, strict=False):
        parts += [*_change(scale, group, series), *_points(scale, group, series, colour)]
    # Last, so that its words stand on what is beneath.
    parts += [part for series in drawn for part in _limit(scale, group, series)]
    if len(drawn) > 1:
        parts += _names(drawn)
    label = f"{title}: {'; '.join(said(group, series) for series in drawn)}"
    head = (
        f'<svg role="img" aria-label="{escape(visible(label, 600))}" viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" '
        'font-size="9">'
    )
    # Markup: our own shapes; names in them, which others may have written, are escaped.
    return Markup(f"{head}{''.join(parts)}</svg>")  # noqa: S704


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
    values = [value for series in drawn for value in series.values]
    highest = max(value.value for value in values)
    bounds = [value.bound for value in values if value.bound is not None]
    if drawn[0].unit == "share":
        reach = max([1 - min(v.value for v in values), *(1 - b for b in bounds), 1e-3])
        # An interval of a few samples would make a line of all the rest.
        reach = max(reach, min(max((1 - v.low for v in values if v.low is not None), default=0.0), 3 * reach))
        return _Scale(first, seconds or 1.0, max(1 - 1.1 * reach, 0.0), 1.0)
    ends = [v.high for v in values if v.high is not None] + [b for b in bounds if b <= 3 * highest]
    top = max(highest, min(max(ends, default=0.0), 2.5 * highest))
    return _Scale(first, seconds or 1.0, min(0.0, *(v.value for v in values)), 1.08 * top or 1.0)


def _grid(scale: _Scale, unit: str) -> Iterator[str]:
    step = _nice((scale.high - scale.low) / 4)
    value = math.ceil(scale.low / step - 1e-9) * step
    while value <= scale.high + 1e-12:
        y = scale.y(value)
        yield f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{_RIGHT}" y2="{y:.1f}" stroke="var(--line)" stroke-width="0.7"/>'
        yield _text(_LEFT - 5, y + 3, _tick(value, step, unit), "soft", "end")
        value += step


def _tick(value: float, step: float, unit: str) -> str:
    if unit == "share":
        return f"{value * 100:.{max(-math.floor(math.log10(step * 100) + 1e-9), 0)}f}%"
    if unit == "ms" and step >= 1_000:
        return f"{value / 1e3:g} s"
    return f"{value:,.{max(-math.floor(math.log10(step) + 1e-9), 0)}f}{' ms' if unit == 'ms' else ''}"


def _nice(step: float) -> float:
    """1, 2 or 5 times a power of ten, at least `step`."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(times * power for times in (1, 2, 5, 10) if times * power >= step * (1 - 1e-9))


def _dates(scale: _Scale, group: HistoryGroup) -> Iterator[str]:
    yield f'<line x1="{_LEFT}" y1="{_BOTTOM}" x2="{_RIGHT}" y2="{_BOTTOM}" stroke="var(--soft)" stroke-width="0.7"/>'
    moments = [middle(group, place) for place in range(len(group.points))]
    days = scale.seconds / 86_400
    form = "%b %Y" if group.kind == "month" or days > 200 else "%d %b" if days >= 2 else "%d %b %H:%M"
    places = sorted({round(n * (len(moments) - 1) / (_MOST_X - 1)) for n in range(_MOST_X)})
    last = -math.inf
    for place in places:
        text = f"{moments[place]:{form}}"
        x, half = scale.x(moments[place]), len(text) * _LETTER / 2
        x = min(max(x, _LEFT + half - 20), _RIGHT + 6 - half)
        if x - half > last + 6:
            yield _text(x, _BOTTOM + 14, text, "soft", "middle")
            last = x + half


def _releases(scale: _Scale, group: HistoryGroup) -> Iterator[str]:
    free = -math.inf
    for mark in group.releases:
        x = scale.x(mark.at)
        name = visible(mark.label, 60)
        title = f"<title>{escape(f'release {name}, {mark.at:%Y-%m-%d}')}</title>"
        yield (
            f'<g>{title}<line x1="{x:.1f}" y1="14" x2="{x:.1f}" y2="{_BOTTOM}" stroke="var(--c4)" stroke-width="1.1" '
            'stroke-dasharray="1.5 2.5"/></g>'
        )
        short = name if len(name) <= 14 else f"{name[:13]}…"
        half = len(short) * _LETTER / 2
        place = min(max(x, _LEFT + half), _RIGHT - half)
        if place - half > free + 4:
            yield _text(place, 10, short, "c4", "middle")
            free = place + half


def _limit(scale: _Scale, group: HistoryGroup, series: HistorySeries) -> Iterator[str]:
    """The limit as it was at each run."""
    known = [(scale.x(middle(group, v.point)), v.bound) for v in series.values if v.bound is not None]
    if not known:
        return
    bound = known[-1][1]
    words = f"limit {value_words(bound, series.unit)}"
    if not scale.low <= bound <= scale.high:
        yield _text(_RIGHT, _TOP - 3, f"{words}, {'above' if bound > scale.high else 'below'}", "ink", "end")
        return
    # From the picture's left to its right, with a step where the limit changed.
    corners = [(_LEFT, known[0][1])]
    for x, value in known:
        corners += [(x, corners[-1][1]), (x, value)] if value != corners[-1][1] else []
    corners.append((_RIGHT, bound))
    line = " ".join(f"{x:.1f},{scale.y(value):.1f}" for x, value in corners)
    yield (f'<polyline points="{line}" fill="none" stroke="var(--ink)" stroke-width="1.1" stroke-dasharray="4 2.5"/>')
    above = scale.y(bound) - 4 > _TOP
    yield _text(_RIGHT, scale.y(bound) + (-4 if above else 11), words, "ink", "end")


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
    for x1, x2, value, when in ((_LEFT, first, series.before, "before"), (last, _RIGHT, series.after, "after")):
        y = scale.y(value)
        title = f"<title>median {when}: {escape(value_words(value, series.unit))}</title>"
        yield (
            f'<g>{title}<line x1="{x1:.1f}" y1="{y:.1f}" x2="{x2:.1f}" y2="{y:.1f}" stroke="var(--{colour})" '
            'stroke-width="1.6"/></g>'
        )


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
        title = f"<title>{escape(visible(point_words(group, series, value), 400))}</title>"
        yield f"<g>{title}{bars}{_mark(x, y, value, colour, hollow=bool(point.left_out))}</g>"


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


def _names(drawn: Sequence[HistorySeries]) -> Iterator[str]:
    """Which line is which, in a line below the dates."""
    x = _LEFT
    for series, colour in zip(drawn, _COLOURS, strict=False):
        name = f"p{series.percentile:g}" if series.percentile is not None else series.label
        yield f'<circle cx="{x + 3:.1f}" cy="{_HEIGHT - 5:.1f}" r="2.6" fill="var(--{colour})"/>'
        yield _text(x + 9, _HEIGHT - 2, name, "ink", "start")
        x += 20 + len(name) * _LETTER


def _text(x: float, y: float, text: str, colour: str, anchor: str) -> str:
    # A rim of the paper's colour: what lies beneath does not run into the letters.
    rim = 'paint-order="stroke" stroke="var(--paper)" stroke-width="3" stroke-linejoin="round"'
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="var(--{colour})" {rim}>{escape(text)}</text>'
