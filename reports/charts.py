"""Charts as inline SVG by matplotlib: text stays text, colours are CSS variables, nothing runs."""

import io
import re
from typing import Any

from hdrh.histogram import HdrHistogram

from kycgate.run import LoadResult

# Drawn in colours nobody would choose, then renamed to the page's variables, so that dark mode reaches the charts.
_COLOURS = {"#010101": "var(--ink)", "#020202": "var(--line)"} | {
    f"#0{n}0{n}0{n}": f"var(--c{n - 2})" for n in range(3, 9)
}
_SERIES = [colour for colour in _COLOURS if colour > "#020202"]


def _figure(title: str) -> tuple[Any, Any]:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": title, "font.family": "sans-serif", "font.size": 9})
    figure = Figure(figsize=(7.2, 3.0), layout="constrained")
    axes = figure.add_subplot()
    figure.patch.set_alpha(0)
    axes.patch.set_alpha(0)
    axes.set_title(title, loc="left", color="#010101", fontsize=10)
    axes.tick_params(colors="#010101")
    axes.grid(visible=True, color="#020202", linewidth=0.6)
    for spine in axes.spines.values():
        spine.set_color("#020202")
    axes.xaxis.label.set_color("#010101")
    axes.yaxis.label.set_color("#010101")
    return figure, axes


def _svg(figure: Any, axes: Any, label: str) -> str:
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, labelcolor="#010101", fontsize=8)
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    for drawn, variable in _COLOURS.items():
        text = text.replace(drawn, variable)
    text = re.sub(
        r'<svg [^>]*?viewBox="([^"]*)"[^>]*>', rf'<svg role="img" aria-label="{label}" viewBox="\1">', text, count=1
    )
    # Ids are unique in each figure alone; the page has several.
    prefix = re.sub(r"\W+", "-", label)
    text = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', text)
    return re.sub(r'(url\(#|href="#)', rf"\1{prefix}-", text)


def _decode(histogram: str) -> HdrHistogram:
    return HdrHistogram.decode(histogram.encode("ascii"))


def percentile_curves(load: LoadResult) -> str:
    """Response time against percentile, log-scaled towards the tail."""
    figure, axes = _figure("Response time by percentile (ms, from due)")
    points = [0, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 99.99]
    for latency, colour in zip([s for s in load.latencies if s.clock == "response"], _SERIES, strict=False):
        histogram = _decode(latency.histogram)
        shown = [p for p in points if latency.count * (100 - p) / 100 >= 1 or p <= 50]
        axes.plot(
            [1 / (1 - p / 100) for p in shown],
            [histogram.get_value_at_percentile(p) / 1e3 for p in shown],
            label=latency.name,
            color=colour,
            marker="o",
            markersize=2.5,
        )
    axes.set_xscale("log")
    ticks = [1, 2, 10, 20, 100, 1000]
    axes.set_xticks(ticks, ["0", "50", "90", "95", "99", "99.9"])
    axes.minorticks_off()
    axes.set_xlabel("percentile")
    axes.set_ylim(bottom=0)
    return _svg(figure, axes, "Response time by percentile")


def over_time(load: LoadResult) -> str:
    """p95 of each second."""
    figure, axes = _figure("p95 of each second (ms, from due)")
    steps = [s.name for s in load.latencies if s.clock == "response"]
    for step, colour in zip(steps, _SERIES, strict=False):
        points = [point for point in load.series if point.step == step and point.finished]
        axes.plot([p.second for p in points], [p.p95 for p in points], label=step, color=colour)
    axes.set_xlabel("seconds since the start")
    axes.set_ylim(bottom=0)
    return _svg(figure, axes, "Latency over time")


def phases(load: LoadResult) -> str:
    """The mean of each step's phases, stacked."""
    figure, axes = _figure("Where the time goes (mean ms)")
    steps = sorted({s.name for s in load.latencies if s.clock == "sending"}, reverse=True)
    left = [0.0] * len(steps)
    for clock, colour in zip(("waiting", "sending", "thinking", "reading"), _SERIES, strict=False):
        means = {s.name: s.mean for s in load.latencies if s.clock == clock}
        widths = [means.get(step, 0.0) for step in steps]
        axes.barh(steps, widths, left=left, label=clock, color=colour, height=0.55)
        left = [before + width for before, width in zip(left, widths, strict=True)]
    return _svg(figure, axes, "Sending, thinking and reading")


def by_size(load: LoadResult) -> str:
    """Service time of uploads against picture size, with the fitted line."""
    figure, axes = _figure("Service time against picture size (ms)")
    megabytes = [point.size_bytes / 1e6 for point in load.sizes]
    axes.plot(megabytes, [point.p50 for point in load.sizes], "o", color=_SERIES[0], label="median")
    axes.plot(megabytes, [point.p95 for point in load.sizes], "^", color=_SERIES[1], label="p95")
    if load.size_fit:
        slope, intercept = load.size_fit["slope_ms_per_mb"], load.size_fit["intercept_ms"]
        ends = [min(megabytes), max(megabytes)]
        axes.plot(ends, [intercept + slope * size for size in ends], color=_SERIES[2], label=f"{slope:.1f} ms per MB")
    axes.set_xlabel("MB")
    axes.set_ylim(bottom=0)
    return _svg(figure, axes, "Service time against picture size")
