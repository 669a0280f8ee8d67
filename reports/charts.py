"""The charts of a load, from what it recorded.

What belongs to one step carries the classes `series` and the step's name, by which the page's filter dims the others.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby, pairwise
from typing import Final, TypeVar

from hdrh.histogram import HdrHistogram
from markupsafe import Markup

from kycgate.reports.axes import Axis, linear, logarithmic
from kycgate.reports.drawing import HEIGHT, Chart, Key, Panel, Row, Shape, shortened, text, titled, width_of
from kycgate.runs.flow_model import RecordedFlow
from kycgate.runs.load_model import CapacityResult, DuePoint, LoadPoint, LoadResult, StepLatency
from kycgate.runs.percentile import percentiles_us
from kycgate.text import spaced

MAX_BINS: Final = 150
"""Points along the time axis; a longer run's seconds are put together."""
PHASES: Final = ("waiting", "connecting", "sending", "thinking", "reading")
_PAINTS: Final = ("line", "c6", "c1", "c2", "c3")
"""Of the phases, in their order."""
_SERIES: Final = tuple(f"c{n}" for n in range(1, 7))
_WHOLE: Final = "onboarding"


def _colour(flow: RecordedFlow, name: str) -> str:
    """Of a step by its place in the flow, of the whole onboarding after them; anything else has the last one."""
    names = [*(step.id for step in flow.steps), _WHOLE]
    return _SERIES[names.index(name) % len(_SERIES)] if name in names else _SERIES[-1]


def _keys(flow: RecordedFlow, latencies: Iterable[StepLatency], shape: Shape = "line") -> list[Key]:
    return [Key(spaced(latency.name), _colour(flow, latency.name), shape) for latency in latencies]


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
    latencies = [latency for latency in _response(flow, load) if latency.histogram]
    curves: list[list[tuple[float, float]]] = []
    reached: dict[str, list[str]] = {}
    for latency in latencies:
        histogram = HdrHistogram.decode(latency.histogram.encode("ascii"))
        places = [latency.count ** (n / 80) for n in range(81)]
        curves.append([*zip(places, _values_ms(histogram, places), strict=True)])
        within = {name: place for name, place in _TICKS.items() if place <= latency.count}
        for name, value in zip(within, _values_ms(histogram, [*within.values()]), strict=True):
            reached.setdefault(name, []).append(f"{spaced(latency.name)} {value:,.1f} ms")
    longest = max((latency.count for latency in latencies), default=1)
    shown = [(place, name) for name, place in _TICKS.items() if place <= longest * 1.5]
    across = Axis(1.0, max(longest, shown[-1][0], 2.0), shown, "percentile, log-scaled towards the tail", log=True)
    up = _time_axis([value for curve in curves for _, value in curve], "ms")
    chart = Chart("Response time by percentile", across, [Row(up, _keys(flow, latencies))])
    (panel,) = chart.panels
    for latency, curve in zip(latencies, curves, strict=True):
        line = panel.line(curve, _colour(flow, latency.name), 1.6)
        panel.parts.append(titled(_in_ms(latency), line, latency.name))
    # About each tick a fifth of the way to the next.
    for name, said in reached.items():
        panel.say_between(_TICKS[name] / 1.4, _TICKS[name] * 1.4, f"p{name}: {', '.join(said)}")
    return chart.svg()


def _time_axis(values: Sequence[float], label: str) -> Axis:
    """Milliseconds from zero; logarithmic where one panel must hold both 5 ms and 5 s."""
    lowest, highest = min(values, default=0.0), max(values, default=0.0)
    if highest > 60 * max(lowest, 0.1):
        above_zero = min(value for value in values if value > 0)
        return logarithmic(above_zero / 1.3, highest * 1.3, label)
    return linear(0, 1.05 * highest, label, grid=True)


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


def _seconds_axis(load: LoadResult) -> tuple[Axis, int]:
    """The time axis, and how many seconds are put together on it."""
    last = max((*(point.second for point in load.series), *(point.second for point in load.by_due)), default=0.0)
    width = max(1, math.ceil((last + 1) / MAX_BINS))
    end = max(last + 1, width)
    most = min(8, int(240 / (width_of(f"{end:,.0f}") + 6)))
    return linear(0, end, "seconds since the start", most=most, whole=True), width


def over_time(flow: RecordedFlow, load: LoadResult) -> Markup:
    """Each step's p95 above, the onboardings that were due and that ended below: slow, and under which rate.

    Above, a second holds what was due in it: a stall shows as those met it who came during it.
    """
    across, width = _seconds_axis(load)
    latencies, measured = _response(flow, load), _seconds_of(load)
    lines: list[list[tuple[float, float]]] = []
    said: dict[float, list[str]] = {}
    for latency in latencies:
        bins = _bins((p for p in measured if p.step == latency.name and p.finished), width)
        lines.append([(middle, max(point.p95 for point in points)) for middle, points in bins])
        for (middle, value), (_, points) in zip(lines[-1], bins, strict=True):
            n = sum(point.finished for point in points)
            said.setdefault(middle, []).append(f"{spaced(latency.name)} {value:,.1f} ms (n = {n:,})")
    whole = _bins([p for p in load.series if p.step == _WHOLE] or load.series, width)
    counts: dict[str, Callable[[LoadPoint], int]] = {
        "due": lambda point: point.started,
        "ended": lambda point: point.finished,
        "failed": lambda point: point.failures,
    }
    rates = {
        name: [(middle, sum(map(count, points)) / width) for middle, points in whole] for name, count in counts.items()
    }
    if not any(rate for _, rate in rates["failed"]):
        del rates["failed"]
    keys = [Key("due/s", "soft", "dashes"), Key("ended/s", "ink"), Key("failed/s", "broken")][: len(rates)]
    highest = max((rate for line in rates.values() for _, rate in line), default=0.0)
    chart = Chart(
        "Latency over time with the rate",
        across,
        [
            Row(_time_axis([value for line in lines for _, value in line], "p95, ms"), _keys(flow, latencies), 2.2),
            Row(linear(0, 1.05 * highest, "onboardings/s", most=4, grid=True), keys),
        ],
        height=HEIGHT + 43,
    )
    above, below = chart.panels
    for latency, line in zip(latencies, lines, strict=True):
        drawn = above.line(_with_holes(line, width), _colour(flow, latency.name))
        above.parts.append(titled(_in_ms(latency), drawn, latency.name))
    for key, line in zip(keys, rates.values(), strict=True):
        below.parts.append(below.line(_steps(line, width), key.colour, 1.2, dashed=key.shape == "dashes"))
    _say(above, said, width, "p95 ")
    of_rates = {
        middle: [f"{sum(map(count, points)):,} {name}" for name, count in counts.items()] for middle, points in whole
    }
    _say(below, of_rates, width)
    return chart.svg()


def failures_over_time(flow: RecordedFlow, load: LoadResult) -> Markup:
    """How many answers of each step failed, by the second in which their requests were due; one bar on another."""
    across, width = _seconds_axis(load)
    known = {latency.name for latency in _response(flow, load)} - {_WHOLE}
    failed = [point for point in _seconds_of(load) if point.failures and point.step in known]
    seen = {point.step for point in failed}
    latencies = [latency for latency in _response(flow, load) if latency.name in seen]
    heights: Counter[float] = Counter()
    for point in failed:
        heights[point.second // width] += point.failures
    up = linear(
        0, 1.1 * max(heights.values(), default=1), "failed" if width == 1 else f"failed in {width} s",
        whole=True, grid=True,
    )  # fmt: skip
    chart = Chart("Failures over time", across, [Row(up, _keys(flow, latencies, "box"))])
    (panel,) = chart.panels
    base: Counter[float] = Counter()
    said: dict[float, list[str]] = {}
    for latency in latencies:
        for middle, points in _bins([point for point in failed if point.step == latency.name], width):
            count = sum(point.failures for point in points)
            words = f"{spaced(latency.name)} {count:,} failed"
            ends = middle - 0.425 * width, middle + 0.425 * width
            bar = panel.bar(ends, (base[middle], base[middle] + count), _colour(flow, latency.name))
            panel.parts.append(titled(f"{_span(middle, width)}: {words}", bar, latency.name))
            base[middle] += count
            said.setdefault(middle, []).append(words)
    _say(panel, said, width)
    return chart.svg()


def _span(middle: float, width: int) -> str:
    first = middle - width / 2
    return f"second {first:,.0f}" if width == 1 else f"seconds {first:,.0f} to {first + width - 1:,.0f}"


def _say(panel: Panel, said: Mapping[float, Sequence[str]], width: int, what: str = "") -> None:
    for middle, parts in sorted(said.items()):
        words = f"{_span(middle, width)}: {what}{', '.join(parts)}"
        panel.say_between(middle - width / 2, middle + width / 2, words)


def _with_holes(line: Sequence[tuple[float, float]], width: int) -> list[tuple[float, float]]:
    """The line with a hole where nothing was due (in an old run: ended): no line is drawn across a gap."""
    found = list(line[:1])
    for (before, _), (middle, value) in pairwise(line):
        found += [(before, math.nan)] if middle - before > 1.5 * width else []
        found.append((middle, value))
    return found


def _steps(line: Sequence[tuple[float, float]], width: int) -> list[tuple[float, float]]:
    """Each value for as long as it stands for."""
    return [(middle + side * width / 2, value) for middle, value in _with_holes(line, width) for side in (-1, 1)]


def phases(flow: RecordedFlow, load: LoadResult) -> Markup:
    """The mean of each step's phases, stacked: means add up, percentiles do not."""
    means: dict[tuple[str, str], float] = {(s.name, s.clock): s.mean for s in load.latencies}
    steps = [step.id for step in reversed(flow.steps) if (step.id, "sending") in means]
    shown = [
        (clock, colour)
        for clock, colour in zip(PHASES, _PAINTS, strict=True)
        if any(means.get((step, clock)) for step in steps)
    ]
    totals = {step: sum(means.get((step, clock), 0.0) for clock, _ in shown) for step in steps}
    # Room on the right for the longest bar's value.
    across = linear(0, 1.22 * max(totals.values(), default=0.0), "mean ms", grid=True)
    names = Axis(-0.5, max(len(steps), 1) - 0.5, [(n, shortened(spaced(step), 110)) for n, step in enumerate(steps)])
    rows = [Row(names, [Key(clock, colour, "box") for clock, colour in shown])]
    chart = Chart("Where the time goes", across, rows, max(HEIGHT, 60 + 30.0 * len(steps)))
    (panel,) = chart.panels
    for place, step in enumerate(steps):
        left = 0.0
        for clock, colour in shown:
            mean = means.get((step, clock), 0.0)
            bar = panel.bar((left, left + mean), (place - 0.25, place + 0.25), colour)
            panel.parts.append(titled(f"{spaced(step)}: {clock} {mean:,.1f} ms in the mean", bar, step))
            left += mean
        panel.parts.append(text(panel.x(left) + 5, panel.y(place) + 3.2, f"{left:,.1f}"))
    return chart.svg()


def by_size(load: LoadResult) -> Markup:
    """Service time of uploads against picture size, with the fitted line and its 95% interval."""
    points = [(point.size_bytes / 1e6, point) for point in load.sizes]
    largest = max(size for size, _ in points)
    keys = [Key("p95", "c2", "triangle"), Key("median", "c1", "circle")]
    if load.size_fit:
        keys.append(Key(f"{load.size_fit['slope_ms_per_mb']:.1f} ms per MB", "c3"))
    chart = Chart(
        "Service time against picture size",
        linear(0, 1.05 * largest, "picture, MB", most=7),
        [Row(linear(0, 1.05 * max(point.p95 for _, point in points), "service time, ms", grid=True), keys)],
    )
    (panel,) = chart.panels
    if load.size_fit:
        fit, ends = load.size_fit, (0.0, largest)
        slope, intercept = fit["slope_ms_per_mb"], fit["intercept_ms"]
        if "slope_low" in fit and "slope_high" in fit:
            # The interval is the slope's: it opens from the middle of what was measured.
            pivot = sorted(size for size, _ in points)[len(points) // 2]
            middle = intercept + slope * pivot
            low, high = (
                [(size, middle + fit[side] * (size - pivot)) for size in ends] for side in ("slope_low", "slope_high")
            )
            panel.parts.append(panel.area([*low, *reversed(high)], "c3"))
        panel.parts.append(panel.line([(size, intercept + slope * size) for size in ends], "c3"))
    for key in keys[:2]:
        for size, point in points:
            value = point.p95 if key.words == "p95" else point.p50
            panel.parts.append(panel.mark(size, value, key.colour, key.shape))
            panel.say_at(size, value, f"{size:,.2f} MB: {key.words} {value:,.1f} ms, n = {point.count:,}")
    return chart.svg()


def capacity(found: CapacityResult) -> Markup:
    """Throughput against concurrency: what each rate gave, the fitted law, and where it bends (Gunther 1993)."""
    last = max((point.concurrency for point in found.points), default=1.0)
    knee, law = found.knee, found.usl
    last = max(last, knee["concurrency"]) if knee else last
    curve = []
    if law:
        for n in (last * 1.15 * place / 100 for place in range(1, 101)):
            shared = law["sigma"] * max(n - 1, 0) + law["kappa"] * n * max(n - 1, 0)
            curve.append((n, law["lambda"] * n / (1 + shared)))
    bounds = [knee[end] for end in ("throughput_low", "throughput_high") if end in knee]
    keys = {
        Key("kept the objective", "c1", "circle"): any(not p.broke for p in found.points),
        Key("did not", "broken", "cross"): any(p.broke for p in found.points),
        Key("its knee, with its interval", "c3", "band"): bool(bounds),
        Key("the fitted law", "c3"): bool(curve),
    }
    seen = [*(point.throughput for point in found.points), *(rate for _, rate in curve), *bounds]
    chart = Chart(
        "Throughput against concurrency",
        linear(0, last * 1.15, "onboardings under way", most=6),
        [Row(linear(0, 1.05 * max(seen), "onboardings/s", grid=True), [key for key in keys if keys[key]], columns=2)],
    )
    (panel,) = chart.panels
    # Too few of the resamples may have had a knee: then it has no interval.
    if bounds:
        (low, high), end = bounds, panel.across.high
        panel.parts.append(panel.area([(0, low), (0, high), (end, high), (end, low)], "c3"))
    if curve:
        panel.parts.append(panel.line(curve, "c3"))
    for p in found.points:
        shape: tuple[str, Shape] = ("broken", "cross") if p.broke else ("c1", "circle")
        panel.parts.append(panel.mark(p.concurrency, p.throughput, *shape))
        panel.say_at(
            p.concurrency, p.throughput,
            f"{p.rate:,.3g}/s asked for: {p.throughput:,.3g}/s ended, {p.concurrency:,.3g} under way, uploads' p95 "
            f"{p.p95_ms:,.1f} ms",
        )  # fmt: skip
    return chart.svg()
