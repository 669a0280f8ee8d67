"""The journey's picture: the partial order of the steps as inline SVG.

Colours are the page's CSS variables. Coordinates are points, and y grows downwards.
"""

import math
from typing import Final, NamedTuple

from markupsafe import Markup, escape

from kycgate.reports.status import status
from kycgate.runs.flow_model import RecordedFlow
from kycgate.runs.model import Run
from kycgate.text import spaced

_WIDTH: Final = 331
_ROW: Final = 88
"""From the middle of one row of steps to that of the next."""
_TALL: Final = 28
_MARGIN: Final = 24
_LETTER: Final = 5.6
"""The width of a letter of a step's name, about."""
_HEAD: Final = 9
_GAP: Final = 4
"""Between an arrow and the boxes that it joins."""


_AS: Final = {"waived": "warning", "touched": "unclear"}
"""States that share another's colour."""


class _Box(NamedTuple):
    """A step's box: its middle and its size."""

    x: float
    y: float
    width: float

    def border(self, dx: float, dy: float) -> float:
        """How far from the middle the border lies in the direction (dx, dy), of length 1."""
        across = self.width / 2 / abs(dx) if dx else math.inf
        return min(across, _TALL / 2 / abs(dy) if dy else math.inf)


def _boxes(flow: RecordedFlow) -> dict[str, _Box]:
    """Where each step is drawn: what needs more steps stands lower, what needs as many stands beside it."""
    ranks: dict[int, list[str]] = {}
    for step in flow.steps:
        ranks.setdefault(flow.rank(step.id), []).append(step.id)
    return {
        step: _Box(
            _WIDTH * (0.5 if len(steps) == 1 else 0.22 + 0.56 * place / (len(steps) - 1)),
            _MARGIN + rank * _ROW,
            _LETTER * len(step) + 18,
        )
        for rank, steps in ranks.items()
        for place, step in enumerate(steps)
    }


def _edge(start: _Box, end: _Box, name: str) -> str:
    """An arrow from box to box in the colour of the verdict `name`, which stands beside it on the outer side."""
    dx, dy = end.x - start.x, end.y - start.y
    length = math.hypot(dx, dy) or 1.0
    dx, dy = dx / length, dy / length
    begins, ends = start.border(dx, dy) + _GAP, length - end.border(dx, dy) - _GAP
    x1, y1 = start.x + begins * dx, start.y + begins * dy
    x2, y2 = start.x + ends * dx, start.y + ends * dy
    colour = f"var(--{_AS.get(name, name).replace(' ', '-')})"
    foot = x2 - _HEAD * dx, y2 - _HEAD * dy
    head = [(x2, y2), *((foot[0] + side * dy * _HEAD / 2.4, foot[1] - side * dx * _HEAD / 2.4) for side in (1, -1))]
    dashes = "" if name == "kept" else ' stroke-dasharray="7 4.5"'
    outward = 14 if (start.x + end.x) / 2 > _WIDTH / 2 else -14
    return (
        f'<path d="M{x1:.1f} {y1:.1f}L{foot[0]:.1f} {foot[1]:.1f}" stroke="{colour}" stroke-width="1.8"{dashes}/>'
        f'<polygon points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in head)}" fill="{colour}"/>'
        f'<text x="{(x1 + x2) / 2 + outward:.1f}" y="{(y1 + y2) / 2 + 3:.1f}" fill="{colour}" font-size="9"'
        f' text-anchor="{"start" if outward > 0 else "end"}">{escape(name)}</text>'
    )


def journey(run: Run) -> Markup:
    """The partial order of the steps, each edge coloured, and named, by the verdict of the clause it stands for."""
    states = {clause.id: status(run, clause) for clause in run.clauses}
    boxes = _boxes(run.flow)
    edges = [
        _edge(boxes[edge.first], boxes[edge.then], states.get(edge.clause, "not tried")) for edge in run.flow.edges
    ]
    steps = [
        f'<rect x="{box.x - box.width / 2:.1f}" y="{box.y - _TALL / 2:.1f}" width="{box.width:.1f}" height="{_TALL}"'
        f' rx="6" fill="var(--card)" stroke="var(--line)"/>'
        f'<text x="{box.x:.1f}" y="{box.y + 3.5:.1f}" fill="var(--ink)" font-size="10" text-anchor="middle">'
        f"{escape(spaced(step))}</text>"
        for step, box in boxes.items()
    ]
    height = max((box.y for box in boxes.values()), default=0) + _MARGIN
    return Markup(  # noqa: S704 - names are escaped, all else is numbers and words of ours
        f'<svg role="img" aria-label="The journey as a partial order" viewBox="0 0 {_WIDTH} {height:g}">'
        f"{''.join(edges)}{''.join(steps)}</svg>"
    )
