"""Charts as inline SVG: panels with lines, bars and points between their axes, a legend above each.

Text stays text in the page's font, colours are the page's CSS variables, and nothing runs. A chart is drawn small (331
points wide), so that its text can still be read at the width of a phone. Coordinates are points with one decimal, and y
grows downwards.
"""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final, Literal, NamedTuple

from markupsafe import Markup, escape

from kycgate.reports.axes import Axis

WIDTH: Final = 331.0
HEIGHT: Final = 216.0
SIZE: Final = 9.0
"""Of a letter."""
_LINE: Final = 13.0
"""From one line of text to the next."""
_EDGE: Final = 6.0
_SAMPLE: Final = 14.0
"""How wide a legend shows a line."""
_WIDTHS: Final = {
    letter: width
    for letters, width in (
        ("ijlI !,.:;'", 0.27), ("t|()/[]fr1", 0.36), ("-_\"^*?s", 0.48), ("4BTKXYAV+<=>&PRS$", 0.66),
        ("DCHUGNOQ…", 0.75), ("wmMW@%", 0.91),
    )
    for letter in letters
}  # fmt: skip
_OTHER: Final = 0.6

Shape = Literal["line", "dashes", "box", "band", "circle", "triangle", "cross"]


def width_of(words: str, size: float = SIZE) -> float:
    """How wide the page's font writes it, rather more than less: some screens round each letter up."""
    return 1.05 * size * sum(_WIDTHS.get(letter, _OTHER) for letter in words)


def shortened(words: str, room: float) -> str:
    """As much of it as there is room for."""
    if width_of(words) <= room:
        return words
    while words and width_of(f"{words}…") > room:
        words = words[:-1]
    return f"{words}…"


def text(x: float, y: float, words: str, colour: str = "ink", anchor: str = "start", more: str = "") -> str:
    """Words whose foot is at `y`; `more` is added to its attributes."""
    return f'<text x="{x:z.1f}" y="{y:z.1f}" text-anchor="{anchor}" fill="var(--{colour})"{more}>{escape(words)}</text>'


def titled(said: str, shapes: str, of: str = "") -> str:
    """Shapes that say something where the pointer rests; those of a step are dimmed by the page's filter."""
    name = f' class="series {re.sub(r"[^a-z0-9_]", "", of)}"' if of else ""
    return f"<g{name}><title>{escape(said)}</title>{shapes}</g>"


def framed(label: str, width: float, height: float, parts: Iterable[str]) -> Markup:
    """The picture. The parts are our own shapes, in which names that others may have written are escaped."""
    head = f'<svg role="img" aria-label="{escape(label)}" viewBox="0 0 {width:g} {height:g}" font-size="{SIZE:g}">'
    return Markup(f"{head}{''.join(parts)}</svg>")  # noqa: S704


# A legend


class Key(NamedTuple):
    """A line of the legend."""

    words: str
    colour: str
    shape: Shape = "line"


def _columns(keys: Sequence[Key], most: int) -> list[tuple[float, Sequence[Key]]]:
    """The legend's columns and where each begins: as many as the chart has room for."""
    for columns in range(most, 0, -1):
        rows = max(math.ceil(len(keys) / columns), 1)
        parts = [keys[at : at + rows] for at in range(0, len(keys), rows)]
        widths = [_SAMPLE + 16 + max(width_of(key.words) for key in part) for part in parts]
        if sum(widths) <= WIDTH + 10:
            break
    return [(sum(widths[:n]), part) for n, part in enumerate(parts)]


def _legend(columns: Sequence[tuple[float, Sequence[Key]]], top: float) -> Iterator[str]:
    for x, keys in columns:
        for row, key in enumerate(keys):
            y = top + _LINE * (row + 0.5)
            left, right = x + 1, x + 1 + _SAMPLE
            if key.shape in ("line", "dashes"):
                yield path([(left, y), (right, y)], key.colour, 1.6, dashed=key.shape == "dashes")
            elif key.shape in ("box", "band"):
                faint = ' fill-opacity="0.15"' if key.shape == "band" else ""
                yield (
                    f'<rect x="{left:.1f}" y="{y - 3.2:.1f}" width="{_SAMPLE - 2:.1f}" height="6.4" '
                    f'fill="var(--{key.colour})"{faint}/>'
                )
            else:
                yield symbol((left + right) / 2 - 1, y, key.colour, key.shape)
            yield text(right + 4, y + 3.2, key.words)


# Shapes


def path(points: Iterable[tuple[float, float]], colour: str, width: float, *, dashed: bool = False) -> str:
    """A line through places; where one is missing (nan) there is a hole, and a place between two holes is a dash."""
    drawn = ""
    for missing, part in groupby(points, key=lambda point: math.isnan(point[1])):
        places = [f"{x:z.1f} {y:z.1f}" for x, y in part]
        if not missing:
            drawn += f"M{'L'.join(places)}" if len({*places}) > 1 else f"M{places[0]}m-1.5 0h3"
    ends = 'stroke-dasharray="4 2.5"' if dashed else 'stroke-linecap="round"'
    shape = f'd="{drawn}" fill="none" stroke="var(--{colour})" stroke-width="{width:g}"'
    return f'<path {shape} stroke-linejoin="round" {ends}/>'


def symbol(x: float, y: float, colour: str, shape: Shape = "circle") -> str:
    """A point's mark, about (x, y)."""
    if shape == "circle":
        return f'<circle cx="{x:z.1f}" cy="{y:z.1f}" r="2.6" fill="var(--{colour})"/>'
    if shape == "triangle":
        return f'<path d="M{x:z.1f} {y - 2.9:z.1f}l2.9 5.3h-5.8z" fill="var(--{colour})"/>'
    cross = f"M{x - 2.3:z.1f} {y - 2.3:z.1f}l4.6 4.6m0 -4.6l-4.6 4.6"
    return f'<path d="{cross}" fill="none" stroke="var(--{colour})" stroke-width="1.2"/>'


@dataclass(slots=True)
class Panel:
    """A pair of axes, where it lies, and what is drawn in it."""

    across: Axis
    up: Axis
    left: float
    top: float
    right: float
    bottom: float
    parts: list[str] = field(default_factory=list)
    spots: list[str] = field(default_factory=list)
    """What is not seen, and says something where the pointer rests."""

    def x(self, value: float) -> float:
        """Its place."""
        return self.left + self.across.share(value) * (self.right - self.left)

    def y(self, value: float) -> float:
        """Its place."""
        return self.bottom - self.up.share(value) * (self.bottom - self.top)

    def line(
        self, points: Iterable[tuple[float, float]], colour: str, width: float = 1.4, *, dashed: bool = False
    ) -> str:
        """A line through values; where one is missing (nan) there is a hole."""
        return path(((self.x(x), self.y(y)) for x, y in points), colour, width, dashed=dashed)

    def area(self, corners: Iterable[tuple[float, float]], colour: str) -> str:
        """What lies within the corners, faintly."""
        places = " ".join(f"{self.x(x):z.1f},{self.y(y):z.1f}" for x, y in corners)
        return f'<polygon points="{places}" fill="var(--{colour})" fill-opacity="0.15"/>'

    def bar(self, x: tuple[float, float], y: tuple[float, float], colour: str) -> str:
        """A bar from value to value."""
        return f'<rect {self._box(x, y)} fill="var(--{colour})"/>'

    def mark(self, x: float, y: float, colour: str, shape: Shape = "circle") -> str:
        """A point."""
        return symbol(self.x(x), self.y(y), colour, shape)

    def say_at(self, x: float, y: float, said: str) -> None:
        """Of a point."""
        shape = f'<circle cx="{self.x(x):.1f}" cy="{self.y(y):.1f}" r="7" fill="transparent">'
        self.spots.append(f"{shape}<title>{escape(said)}</title></circle>")

    def say_between(self, first: float, last: float, said: str) -> None:
        """Of all that stands above a part of the axis."""
        ends = max(first, self.across.low), min(last, self.across.high)
        shape = f'<rect {self._box(ends, (self.up.low, self.up.high))} fill="transparent">'
        self.spots.append(f"{shape}<title>{escape(said)}</title></rect>")

    def _box(self, x: tuple[float, float], y: tuple[float, float]) -> str:
        left, right, top, bottom = self.x(x[0]), self.x(x[1]), self.y(y[1]), self.y(y[0])
        return f'x="{left:z.1f}" y="{top:z.1f}" width="{right - left:z.1f}" height="{bottom - top:z.1f}"'


class Row(NamedTuple):
    """A panel as it is asked for: its own axis, the legend above it, its share of the height."""

    up: Axis
    keys: Sequence[Key] = ()
    share: float = 1.0
    columns: int = 3
    """Of its legend, at most."""


class Chart:
    """Panels, one below the other, that share the axis along their foot."""

    def __init__(self, label: str, across: Axis, rows: Sequence[Row], height: float = HEIGHT) -> None:
        self.panels: list[Panel] = []
        self._label, self._height, self._frame = label, height, list[str]()
        ticks = [words for row in rows for _, words in row.up.ticks]
        left = max(map(width_of, ticks), default=0.0) + _EDGE + (_LINE if any(row.up.label for row in rows) else 0)
        legends = [_columns([key._replace(words=shortened(key.words, WIDTH - 40)) for key in row.keys], row.columns)
                   for row in rows]  # fmt: skip
        heads = [_LINE * max((len(keys) for _, keys in columns), default=0) + 9 for columns in legends]
        foot = height - _LINE * (2 if across.label else 1) - 5
        room, top = foot - sum(heads) - _EDGE * (len(rows) - 1), 0.0
        for row, head, columns in zip(rows, heads, legends, strict=True):
            bottom = top + head + room * row.share / sum(row.share for row in rows)
            self._frame += _legend(columns, top)
            self.panels.append(Panel(across, row.up, left, top + head, WIDTH - _EDGE, bottom))
            self._frame += upright(self.panels[-1], height)
            top = bottom + _EDGE
        self._frame += _along(self.panels, height)

    def svg(self) -> Markup:
        """The picture: what is drawn is cut at its panel's edges, where a point may reach over by its half."""
        parts, name = [*self._frame], re.sub(r"\W+", "-", self._label)
        for n, panel in enumerate(self.panels, 1):
            box = (
                f'x="{panel.left - 3:.1f}" y="{panel.top - 3:.1f}" width="{panel.right - panel.left + 6:.1f}" '
                f'height="{panel.bottom - panel.top + 6:.1f}"'
            )
            parts += [f'<clipPath id="{name}-{n}"><rect {box}/></clipPath><g clip-path="url(#{name}-{n})">']
            parts += [*panel.parts, "</g>"]
        spots = "".join(spot for panel in self.panels for spot in panel.spots)
        return framed(self._label, WIDTH, self._height, [*parts, f'<g class="hover">{spots}</g>' if spots else ""])


def rule(x1: float, y1: float, x2: float, y2: float, colour: str = "line") -> str:
    """A thin straight line."""
    ends = f'x1="{x1:z.1f}" y1="{y1:z.1f}" x2="{x2:z.1f}" y2="{y2:z.1f}"'
    return f'<line {ends} stroke="var(--{colour})" stroke-width="0.7"/>'


def upright(panel: Panel, height: float) -> Iterator[str]:
    """The axis on the left."""
    for value, words in panel.up.ticks:
        y = panel.y(value)
        if panel.up.grid:
            yield rule(panel.left, y, panel.right, y)
        yield text(panel.left - 5, y + 3.2, words, "soft", "end")
    if panel.up.label:
        half = width_of(panel.up.label) / 2
        y = min(max((panel.top + panel.bottom) / 2, half), height - half)
        yield text(8, y, panel.up.label, "soft", "middle", f' transform="rotate(-90 8 {y:.1f})"')


def _along(panels: Sequence[Panel], height: float) -> Iterator[str]:
    """The axis along the foot; of ticks that would run into one another the first is written."""
    last = panels[-1]
    yield from (rule(panel.left, panel.bottom, panel.right, panel.bottom) for panel in panels)
    free = -math.inf
    for value, words in last.across.ticks:
        half = width_of(words) / 2
        x = min(max(last.x(value), half), WIDTH - half)
        if x - half < free:
            continue
        free = x + half + 4
        if last.across.grid:
            yield from (rule(last.x(value), panel.top, last.x(value), panel.bottom) for panel in panels)
        yield text(x, last.bottom + _LINE, words, "soft", "middle")
    if last.across.label:
        yield text((last.left + last.right) / 2, height - 3, last.across.label, "soft", "middle")
