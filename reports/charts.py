"""Charts as inline SVG by matplotlib: text stays text, colours are CSS variables, nothing runs.

Each is drawn small (331 points wide), so that its text can still be read at the width of a phone. What belongs to one
step carries the classes `series` and the step's name, by which the page's filter dims the others.
"""

import io
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, Final, NamedTuple, TypeVar

from hdrh.histogram import HdrHistogram
from markupsafe import Markup, escape

from kycgate.runs.flow_model import RecordedFlow
from kycgate.runs.load_model import CapacityResult, DuePoint, LoadPoint, LoadResult, StepLatency
from kycgate.runs.percentile import percentiles_us
from kycgate.text import spaced

# Drawn in colours that occur nowhere else, then renamed to the page's variables, so that dark mode reaches the charts.
_INK, _SOFT, _LINE = "#010101", "#010102", "#010103"
_SERIES = tuple(f"#0200{n:02x}" for n in range(1, 7))
_BROKEN = "#030002"
_VARIABLES = (
    {_INK: "ink", _SOFT: "soft", _LINE: "line"}
    | {colour: f"c{n}" for n, colour in enumerate(_SERIES, 1)}
    | {_BROKEN: "broken"}
)
_WIDTH_IN, _HEIGHT_IN = 4.6, 3.0
MAX_BINS: Final = 150
"""Points along the time axis; a longer run's seconds are put together."""
PHASES: Final = ("waiting", "connecting", "sending", "thinking", "reading")


_WHOLE: Final = "onboarding"


def _colour(flow: RecordedFlow, name: str) -> str:
    """Of a step by its place in the flow, of the whole onboarding after them; anything else has the last one."""
    names = [*(step.id for step in flow.steps), _WHOLE]
    return _SERIES[names.index(name) % len(_SERIES)] if name in names else _SERIES[-1]


def _figure(rows: Sequence[float] = (1.0,), height_in: float = _HEIGHT_IN) -> tuple[Any, list[Any]]:
    """A figure with panels of these relative heights, sharing their x axis."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "kycgate", "font.size": 9})
    figure = Figure(figsize=(_WIDTH_IN, height_in), layout="constrained")
    figure.patch.set_alpha(0)
    panels = figure.subplots(len(rows), 1, sharex=True, squeeze=False, height_ratios=rows)[:, 0]
    for axes in panels:
        axes.patch.set_alpha(0)
        axes.tick_params(colors=_SOFT, length=0, labelsize=9)
        axes.grid(visible=True, axis="y", color=_LINE, linewidth=0.7)
        axes.set_axisbelow(True)
        for side, spine in axes.spines.items():
            spine.set_visible(side == "bottom")
            spine.set_color(_LINE)
        axes.xaxis.label.set_color(_SOFT)
        axes.yaxis.label.set_color(_SOFT)
    return figure, list(panels)


def _legend(figure: Any, axes: Any, columns: int = 3) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper left", ncols=columns, frameon=False, labelcolor=_INK, fontsize=9,
        handlelength=1.2, handletextpad=0.5, columnspacing=1.2, borderaxespad=0.2,
    )  # fmt: skip


class _Spot(NamedTuple):
    """Where the pointer may rest, and what is said there: in `axes` all from `x0` to `x1`, or about a point at `y`."""

    axes: Any
    x0: float
    x1: float
    said: str
    y: float | None = None


def _spots(figure: Any, spots: Iterable[_Spot]) -> str:
    """Shapes that cannot be seen, above the drawing, once its layout is done. Coordinates are those of the SVG."""
    width, height = (72 * inches for inches in figure.get_size_inches())
    drawn = []

    def place(axes: Any, x: float, y: float) -> tuple[float, float]:
        across, up = figure.transFigure.inverted().transform(axes.transData.transform((x, y)))
        return across * width, (1 - up) * height

    for spot in spots:
        title = f"<title>{escape(spot.said)}</title>"
        if spot.y is not None:
            x, y = place(spot.axes, spot.x0, spot.y)
            drawn.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="7" fill="transparent">{title}</circle>')
            continue
        box, low = spot.axes.get_position(), spot.axes.get_ylim()[0]
        left, right = (
            min(max(place(spot.axes, x, low)[0], box.x0 * width), box.x1 * width) for x in (spot.x0, spot.x1)
        )
        shape = f'x="{left:.1f}" y="{(1 - box.y1) * height:.1f}" width="{right - left:.1f}"'
        drawn.append(f'<rect {shape} height="{box.height * height:.1f}" fill="transparent">{title}</rect>')
    return f'<g class="hover">{"".join(drawn)}</g>' if drawn else ""


def _svg(figure: Any, label: str, spots: Iterable[_Spot] = ()) -> Markup:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    for drawn, variable in _VARIABLES.items():
        text = text.replace(drawn, f"var(--{variable})")
    text = re.sub(
        r'<svg [^>]*?viewBox="([^"]*)"[^>]*>',
        rf'<svg role="img" aria-label="{escape(label)}" viewBox="\1">',
        text,
        count=1,
    )
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    # The page's own font, at the size that was drawn.
    text = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font-size: \1", text)
    text = re.sub(r"font-family: [^;\"]*;?", "", text)
    # Class names instead of ids for what the filter dims: an id may stand on a page once.
    text = re.sub(r'<g id="series-([a-z_]+)-([0-9a-f]*)">', _hover, text)
    # Other ids are unique in each figure alone; the page has several.
    prefix = re.sub(r"\W+", "-", label)
    text = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', text)
    text = re.sub(r'(url\(#|href="#)', rf"\1{prefix}-", text)
    # Markup: our own SVG; the only text of a run's own in it are numbers and the names of steps.
    text = re.sub(r">\s+<", "><", text)
    return Markup(text.replace("</svg>", f"{_spots(figure, spots)}</svg>"))  # noqa: S704


def _mark(artist: Any, step: str, said: str) -> None:
    """`said` is shown when the pointer rests on it; it travels in the drawing's id."""
    artist.set_gid(f"series-{re.sub(r'[^a-z_]', '', step)}-{said.encode().hex()}")


def _hover(found: re.Match[str]) -> str:
    return f'<g class="series {found[1]}"><title>{escape(bytes.fromhex(found[2]).decode())}</title>'


def _in_ms(latency: StepLatency) -> str:
    """A step's percentiles in one line, as far as its samples reach."""
    reached = ((2, "p50", latency.p50), (20, "p95", latency.p95), (100, "p99", latency.p99), (1, "max", latency.max))
    values = ", ".join(f"{name} {value:,.1f} ms" for least, name, value in reached if latency.count >= least)
    return f"{spaced(latency.name)}: {values}, n = {latency.count:,}"


def in_order(flow: RecordedFlow, latencies: Iterable[StepLatency]) -> list[StepLatency]:
    """In the order of the flow, the whole of it last."""
    names = [*(step.id for step in flow.steps), _WHOLE]
    return sorted(latencies, key=lambda latency: names.index(latency.name) if latency.name in names else len(names))


def _response(flow: RecordedFlow, load: LoadResult) -> list[StepLatency]:
    return in_order(flow, (latency for latency in load.latencies if latency.clock == "response" and latency.count))


_TICKS: Final = {"0": 1.0, "50": 2.0, "90": 10.0, "99": 100.0, "99.9": 1e3, "99.99": 1e4, "99.999": 1e5}
"""Percentiles and their place on the axis: one sample in this many is slower."""


def _values_ms(histogram: HdrHistogram, places: Sequence[float]) -> list[float]:
    """What one sample in so many is slower than, for each of `places`."""
    return [us / 1e3 for us in percentiles_us(histogram, [100 * (1 - 1 / place) for place in places])]


def percentile_curves(flow: RecordedFlow, load: LoadResult) -> Markup:
    """Response time against percentile, log-scaled towards the tail, as far as each step's samples reach."""
    figure, (axes,) = _figure()
    longest, highest, lowest = 1, 0.0, math.inf
    reached: dict[str, list[str]] = {}
    for latency in _response(flow, load):
        if not latency.histogram:
            continue
        histogram = HdrHistogram.decode(latency.histogram.encode("ascii"))
        places = [latency.count ** (n / 80) for n in range(81)]
        values = _values_ms(histogram, places)
        colour = _colour(flow, latency.name)
        (line,) = axes.plot(places, values, label=spaced(latency.name), color=colour, linewidth=1.6)
        _mark(line, latency.name, _in_ms(latency))
        longest, highest, lowest = max(longest, latency.count), max(highest, values[-1]), min(lowest, values[0])
        within = {name: place for name, place in _TICKS.items() if place <= latency.count}
        for name, value in zip(within, _values_ms(histogram, [*within.values()]), strict=True):
            reached.setdefault(name, []).append(f"{spaced(latency.name)} {value:,.1f} ms")
    axes.set_xscale("log")
    ticks = _TICKS
    shown = {name: place for name, place in ticks.items() if place <= longest * 1.5}
    axes.set_xticks(list(shown.values()), list(shown))
    axes.minorticks_off()
    axes.set_xlabel("percentile, log-scaled towards the tail")
    _time_axis(axes, lowest, highest)
    _legend(figure, axes)
    # About each tick a fifth of the way to the next.
    spots = [
        _Spot(axes, ticks[name] / 1.4, ticks[name] * 1.4, f"p{name}: {', '.join(said)}")
        for name, said in reached.items()
    ]
    return _svg(figure, "Response time by percentile", spots)


def _time_axis(axes: Any, lowest: float, highest: float) -> None:
    """Milliseconds from zero; logarithmic where one panel must hold both 5 ms and 5 s."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    if highest > 60 * max(lowest, 0.1):
        axes.set_yscale("log")
        axes.minorticks_off()
    else:
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}"))
    axes.set_ylabel("ms")


_Point = TypeVar("_Point", bound=LoadPoint | DuePoint)


def _bins(points: Iterable[_Point], width: int) -> list[tuple[float, list[_Point]]]:
    """The seconds put together by `width`, each with its middle."""
    ordered = sorted(points, key=lambda point: point.second)
    return [
        (number * width + width / 2, list(group))
        for number, group in groupby(ordered, key=lambda point: int(point.second // width))
    ]


def _seconds_of(load: LoadResult) -> Sequence[LoadPoint] | Sequence[DuePoint]:
    """By the second in which requests were due; of a run that did not record that, by the one in which they ended."""
    return load.by_due or load.series


def _width(load: LoadResult) -> int:
    """Seconds that are put together on the time axis."""
    last = max((point.second for point in load.series), default=0.0)
    return max(1, math.ceil((last + 1) / MAX_BINS))


def over_time(flow: RecordedFlow, load: LoadResult) -> Markup:
    """Each step's p95 above, the onboardings that were due and that ended below: slow, and under which rate.

    Above, a second holds what was due in it: a stall shows as those met it who came during it.
    """
    figure, (above, below) = _figure((2.2, 1.0), height_in=3.6)
    width, measured = _width(load), _seconds_of(load)
    seen: list[float] = []
    said: dict[float, list[str]] = {}
    for latency in _response(flow, load):
        bins = _bins((p for p in measured if p.step == latency.name and p.finished), width)
        values = [max(point.p95 for point in points) for _, points in bins]
        line_of = _broken_where_nothing_is([middle for middle, _ in bins], values, width)
        (line,) = above.plot(*line_of, label=spaced(latency.name), color=_colour(flow, latency.name), linewidth=1.4)
        _mark(line, latency.name, _in_ms(latency))
        seen += values
        for (middle, points), value in zip(bins, values, strict=True):
            n = sum(point.finished for point in points)
            said.setdefault(middle, []).append(f"{spaced(latency.name)} {value:,.1f} ms (n = {n:,})")
    _time_axis(above, min(seen, default=0.0), max(seen, default=1.0))
    above.set_ylabel("p95, ms")
    whole = [p for p in load.series if p.step == "onboarding"] or list(load.series)
    whole_bins = _bins(whole, width)
    middles = [middle for middle, _ in whole_bins]
    rates: dict[str, Callable[[LoadPoint], int]] = {
        "due": lambda point: point.started,
        "ended": lambda point: point.finished,
        "failed": lambda point: point.failures,
    }
    for (name, count), colour, style in zip(rates.items(), (_SOFT, _INK, _BROKEN), ("--", "-", "-"), strict=True):
        values = [sum(map(count, points)) / width for _, points in whole_bins]
        if name != "failed" or any(values):
            below.plot(middles, values, style, label=f"{name}/s", color=colour, linewidth=1.2, drawstyle="steps-mid")
    # Room above the lines for their legend.
    below.set_ylim(0, 1.7 * max((v for line in below.lines for v in line.get_ydata()), default=1.0) or 1.0)
    below.set_ylabel("onboardings/s")
    below.set_xlabel("seconds since the start")
    _whole_seconds(below)
    below.legend(frameon=False, labelcolor=_INK, fontsize=8, ncols=3, loc="upper left", handlelength=1.2)
    _legend(figure, above)
    of_rates = {
        middle: ", ".join(f"{sum(map(count, points)):,} {name}" for name, count in rates.items())
        for middle, points in whole_bins
    }
    spots = [*_columns(above, said, width, "p95 "), *_columns(below, {at: [of] for at, of in of_rates.items()}, width)]
    return _svg(figure, "Latency over time with the rate", spots)


def failures_over_time(flow: RecordedFlow, load: LoadResult) -> Markup:
    """How many answers of each step failed, by the second in which their requests were due; one bar on another."""
    figure, (axes,) = _figure()
    width = _width(load)
    heights: Counter[float] = Counter()
    said: dict[float, list[str]] = {}
    for latency in _response(flow, load):
        failed = [point for point in _seconds_of(load) if point.step == latency.name and point.failures]
        if latency.name == _WHOLE or not failed:
            continue
        bins = [(middle, sum(point.failures for point in points)) for middle, points in _bins(failed, width)]
        middles, counts = [middle for middle, _ in bins], [count for _, count in bins]
        bars = axes.bar(
            middles, counts, width=0.85 * width, bottom=[heights[middle] for middle in middles],
            label=spaced(latency.name), color=_colour(flow, latency.name),
        )  # fmt: skip
        for bar, (middle, count) in zip(bars, bins, strict=True):
            words = f"{spaced(latency.name)} {count:,} failed"
            _mark(bar, latency.name, f"{_span(middle, width)}: {words}")
            heights[middle] += count
            said.setdefault(middle, []).append(words)
    axes.set_xlim(0, max(max((point.second for point in load.series), default=0.0) + 1, width))
    axes.set_ylim(0, 1.1 * max(heights.values(), default=1))
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.set_xlabel("seconds since the start")
    _whole_seconds(axes)
    axes.set_ylabel("failed" if width == 1 else f"failed in {width} s")
    _legend(figure, axes)
    return _svg(figure, "Failures over time", _columns(axes, said, width))


def _span(middle: float, width: int) -> str:
    first = middle - width / 2
    return f"second {first:,.0f}" if width == 1 else f"seconds {first:,.0f} to {first + width - 1:,.0f}"


def _whole_seconds(axes: Any) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))


def _columns(axes: Any, said: Mapping[float, Sequence[str]], width: int, what: str = "") -> list[_Spot]:
    return [
        _Spot(axes, middle - width / 2, middle + width / 2, f"{_span(middle, width)}: {what}{', '.join(parts)}")
        for middle, parts in sorted(said.items())
    ]


def _broken_where_nothing_is(
    middles: Sequence[float], values: Sequence[float], width: int
) -> tuple[list[float], list[float]]:
    """The line with a hole where nothing was due (in an old run: ended): no line is drawn across a gap."""
    places, heights = list(middles[:1]), list(values[:1])
    for before, middle, value in zip(middles, middles[1:], values[1:], strict=False):
        if middle - before > 1.5 * width:
            places.append(before + width)
            heights.append(math.nan)
        places.append(middle)
        heights.append(value)
    return places, heights


def phases(flow: RecordedFlow, load: LoadResult) -> Markup:
    """The mean of each step's phases, stacked: means add up, percentiles do not."""
    figure, (axes,) = _figure()
    means: dict[tuple[str, str], float] = {(s.name, s.clock): s.mean for s in load.latencies}
    steps = [step.id for step in reversed(flow.steps) if (step.id, "sending") in means]
    left = dict.fromkeys(steps, 0.0)
    for clock, colour in zip(PHASES, (_LINE, _SERIES[5], _SERIES[0], _SERIES[1], _SERIES[2]), strict=True):
        widths = {step: means.get((step, clock), 0.0) for step in steps}
        if not any(widths.values()):
            continue
        bars = axes.barh(
            [spaced(step) for step in steps], list(widths.values()), left=list(left.values()), label=clock,
            color=colour, height=0.5,
        )  # fmt: skip
        for bar, step in zip(bars, steps, strict=True):
            _mark(bar, step, f"{spaced(step)}: {clock} {widths[step]:,.1f} ms in the mean")
        left = {step: left[step] + widths[step] for step in steps}
    for step, total in left.items():
        axes.annotate(
            f"{total:,.1f}", (total, spaced(step)), (5, 0), textcoords="offset points", va="center", color=_INK
        )  # fmt: skip
    axes.set_xlim(right=max(left.values(), default=1.0) * 1.12 or 1.0)
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x", color=_LINE, linewidth=0.7)
    axes.set_xlabel("mean ms")
    _legend(figure, axes)
    return _svg(figure, "Where the time goes")


def by_size(load: LoadResult) -> Markup:
    """Service time of uploads against picture size, with the fitted line and its 95% interval."""
    figure, (axes,) = _figure()
    megabytes = [point.size_bytes / 1e6 for point in load.sizes]
    axes.plot(megabytes, [point.p95 for point in load.sizes], "^", color=_SERIES[1], label="p95", markersize=5)
    axes.plot(megabytes, [point.p50 for point in load.sizes], "o", color=_SERIES[0], label="median", markersize=5)
    if load.size_fit:
        fit = load.size_fit
        slope, intercept = fit["slope_ms_per_mb"], fit["intercept_ms"]
        ends = [0.0, max(megabytes)]
        label = f"{slope:.1f} ms per MB"
        axes.plot(ends, [intercept + slope * size for size in ends], color=_SERIES[2], linewidth=1.4, label=label)
        if "slope_low" in fit and "slope_high" in fit:
            # The interval is the slope's: it opens from the middle of what was measured.
            pivot = sorted(megabytes)[len(megabytes) // 2]
            middle = intercept + slope * pivot
            edges = [[middle + fit[side] * (size - pivot) for size in ends] for side in ("slope_low", "slope_high")]
            axes.fill_between(ends, *edges, color=_SERIES[2], alpha=0.15, linewidth=0)
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("picture, MB")
    axes.set_ylabel("service time, ms")
    _legend(figure, axes)
    spots = [
        _Spot(axes, size, size, f"{size:,.2f} MB: {name} {value:,.1f} ms, n = {point.count:,}", value)
        for size, point in zip(megabytes, load.sizes, strict=True)
        for name, value in (("p95", point.p95), ("median", point.p50))
    ]
    return _svg(figure, "Service time against picture size", spots)


def capacity(found: CapacityResult) -> Markup:
    """Throughput against concurrency: what each rate gave, the fitted law, and where it bends (Gunther 1993)."""
    figure, (axes,) = _figure()
    for label, points, marker, colour in (
        ("kept the objective", [p for p in found.points if not p.broke], "o", _SERIES[0]),
        ("did not", [p for p in found.points if p.broke], "x", _BROKEN),
    ):
        if points:
            axes.plot(
                [p.concurrency for p in points], [p.throughput for p in points], marker, color=colour, markersize=5,
                label=label,
            )  # fmt: skip
    last = max((point.concurrency for point in found.points), default=1.0)
    if found.knee:
        last = max(last, found.knee["concurrency"])
        low, high = found.knee["throughput_low"], found.knee["throughput_high"]
        axes.axhspan(low, high, color=_SERIES[2], alpha=0.12, linewidth=0, label="its knee, with its interval")
    if found.usl:
        law = found.usl
        steps = [last * 1.15 * n / 100 for n in range(1, 101)]
        curve = [
            law["lambda"] * n / (1 + law["sigma"] * max(n - 1, 0) + law["kappa"] * n * max(n - 1, 0)) for n in steps
        ]
        axes.plot(steps, curve, color=_SERIES[2], linewidth=1.4, label="the fitted law")
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("onboardings under way")
    axes.set_ylabel("onboardings/s")
    _legend(figure, axes, columns=2)
    spots = [
        _Spot(
            axes, p.concurrency, p.concurrency,
            f"{p.rate:,.3g}/s asked for: {p.throughput:,.3g}/s ended, {p.concurrency:,.3g} under way, uploads' p95 "
            f"{p.p95_ms:,.1f} ms", p.throughput,
        )
        for p in found.points
    ]  # fmt: skip
    return _svg(figure, "Throughput against concurrency", spots)
