"""Reads a chart's picture back: where its words stand, and which values its lines show."""

import io
import math
import re
from collections.abc import Iterator
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree as ET

from PIL import ImageFont

ROOT = Path(__file__).resolve().parents[2]
VARIABLE = re.compile(r"var\(--([\w-]+)\)")
_PLACES = re.compile(r"([ML])(-?[\d.]+) (-?[\d.]+)")
_SLACK = 0.6


@cache
def _font() -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(io.BytesIO((ROOT / "reports" / "fonts" / "inter.woff2").read_bytes()), 900)


def font_width(words: str) -> float:
    """How wide the report's own font writes it, at size 1."""
    return _font().getlength(words) / 900


class Words(NamedTuple):
    """A text and the box about it."""

    said: str
    left: float
    top: float
    right: float
    bottom: float


class Picture:
    """A chart as it is drawn."""

    def __init__(self, svg: str) -> None:
        self.svg = str(svg)  # Markup would escape what it is changed with
        self.root = ET.fromstring(self.svg.replace("<svg ", '<svg xmlns="x" ', 1))  # noqa: S314 - ours
        self.width, self.height = map(float, self.root.attrib["viewBox"].split()[2:])

    def words(self) -> list[Words]:
        """All of its texts."""
        size, found = float(self.root.attrib["font-size"]), []
        for element in self.root.iter("{x}text"):
            said = element.text or ""
            width = size * font_width(said)
            before = {"start": 0.0, "middle": 0.5, "end": 1.0}[element.attrib["text-anchor"]] * width
            if turned := element.attrib.get("transform"):
                x, y = map(float, re.findall(r"-?[\d.]+", turned)[1:])
                found.append(Words(said, x - 0.75 * size, y - before, x, y - before + width))
            else:
                x, y = float(element.attrib["x"]), float(element.attrib["y"])
                found.append(Words(said, x - before, y - 0.75 * size, x - before + width, y))
        return found

    def misplaced(self) -> Iterator[str]:
        """Words that are cut at an edge, or run into others."""
        words = self.words()
        for one in words:
            if one.left < -_SLACK or one.right > self.width + _SLACK or one.top < 0 or one.bottom > self.height:
                yield f"{one} is cut"
        for one, other in combinations(words, 2):
            across = min(one.right, other.right) - max(one.left, other.left)
            if across > 0 and min(one.bottom, other.bottom) - max(one.top, other.top) > 0:
                yield f"{one} runs into {other}"

    def series(self, step: str) -> str:
        """The first path of a step."""
        (group,) = (one for one in self.root.iter("{x}g") if one.attrib.get("class") == f"series {step}")
        return next(group.iter("{x}path")).attrib["d"]

    def titles(self, within: str = "") -> list[str]:
        """What is said where the pointer rests; `within` the groups of this class."""
        return [
            title.text or ""
            for group in self.root.iter("{x}g")
            if group.attrib.get("class", "").startswith(within) and "class" in group.attrib
            for title in group.iter("{x}title")
        ]


def places(path: str) -> list[tuple[float, float]]:
    """The places of a path."""
    return [(float(x), float(y)) for _, x, y in _PLACES.findall(path)]


def value_at(y: float, ticks: list[Words], *, log: bool = False) -> float:
    """What stands at this height, by two of the axis' own ticks."""

    def middle(words: Words) -> float:
        # A tick's words stand 3.2 below its line.
        return words.bottom - 3.2

    low, high = sorted((float(tick.said.replace(",", "")), middle(tick)) for tick in ticks)[:: len(ticks) - 1]
    bottom, top = (math.log(low[0]), math.log(high[0])) if log else (low[0], high[0])
    share = (y - low[1]) / (high[1] - low[1])
    found = bottom + share * (top - bottom)
    return math.exp(found) if log else found
