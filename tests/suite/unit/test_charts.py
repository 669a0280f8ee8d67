"""The charts of a load: what they show is what was recorded, and its words can be read."""

import math
import random
import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hdrh.histogram import HdrHistogram

from kycgate.reports import charts
from kycgate.reports.html import render_html
from kycgate.runs.flow_model import before_it_was_recorded
from kycgate.runs.load_model import CapacityPoint, CapacityResult, Clock, DuePoint, LoadPoint, LoadResult, SizePoint
from kycgate.runs.model import Run
from tests.suite.pictures import VARIABLE, Picture, Words, places, value_at
from tests.suite.recorded import step_latency

FLOW = before_it_was_recorded()
STEPS = (*(step.id for step in FLOW.steps), "onboarding")
STYLE = (Path(__file__).parents[3] / "reports" / "templates" / "style.html.j2").read_text(encoding="utf-8")


def a_load(
    seconds: int, *, rate: int = 5, base_ms: float = 20, spread: float = 0.4, fails: float = 0.0,
    gap: Sequence[int] = (),
) -> LoadResult:  # fmt: skip
    """Each step takes longer than the one before it; no request was due in the seconds of the `gap`."""
    draw = random.Random(7)
    load = LoadResult(workload="", seed=0, duration_s=seconds, scheduled=0, recorded=0, latencies=[])
    for place, step in enumerate(STEPS, 1):
        values: list[float] = []
        failed = 0
        for second in (second for second in range(seconds) if second not in gap):
            taken = sorted(base_ms * place * math.exp(draw.gauss(0, spread)) for _ in range(rate))
            bad = sum(draw.random() < fails for _ in taken)
            failed, values = failed + bad, values + taken
            times = {"p50": taken[rate // 2], "p95": taken[-1], "max": taken[-1]}
            load.by_due.append(
                DuePoint(second=second, step=step, finished=rate, failures=bad, p99=taken[-1], **times)
            )  # fmt: skip
            load.series.append(
                LoadPoint(second=second, step=step, started=rate, finished=rate, failures=bad, **times)
            )  # fmt: skip
        load.latencies.append(step_latency(step, values).model_copy(update={"failures": failed}))
        for clock, share in zip(charts.PHASES, (0.2, 0.05, 0.3, 0.4, 0.05), strict=True):
            of_phase = step_latency(step, [base_ms * place * share], clock)
            load.latencies.append(of_phase.model_copy(update={"mean": base_ms * place * share}))
    return load


def a_sweep(scale: float = 1.0, *, interval: bool = True) -> CapacityResult:
    knee = {"concurrency": 40.0 * scale, "throughput": 22.0 * scale}
    if interval:
        knee |= {"throughput_low": 20.0 * scale, "throughput_high": 24.0 * scale}
    points = [
        CapacityPoint(
            rate=rate * scale, throughput=rate * scale, concurrency=rate * scale * 2, p95_ms=9, failed_share=0,
            broke="p95 81 ms" if rate > 9 else "",
        )
        for rate in (1, 3, 9, 27)
    ]  # fmt: skip
    return CapacityResult(
        objective="", highest_kept=9 * scale, lowest_broken=27 * scale, points=points, knee=knee,
        usl={"lambda": 0.6, "sigma": 0.001, "kappa": 0.0},
    )  # fmt: skip


def sized(fit: dict[str, float], slowest: float = 90.0) -> LoadResult:
    load = a_load(2)
    load.sizes = [
        SizePoint(size_bytes=int(megabytes * 1e6), count=9, p50=slowest / 3, p95=slowest) for megabytes in (0.3, 1, 3)
    ]
    load.size_fit = fit
    return load


FIT = {"slope_ms_per_mb": 12.0, "intercept_ms": -3.0, "slope_low": 8.0, "slope_high": 15.0}
LOADS: dict[str, Callable[[], LoadResult]] = {
    "usual": lambda: a_load(20, fails=0.1),
    "one answer": lambda: a_load(1, rate=1, fails=1),
    "two seconds": lambda: a_load(2, fails=1),
    "an hour with a gap": lambda: a_load(3_600, rate=2, spread=1.5, fails=0.2, gap=range(900, 1_500)),
    "wide": lambda: a_load(60, rate=40, spread=3, fails=0.5),
    "quick": lambda: a_load(5, base_ms=0.04),
    "slow": lambda: a_load(5, base_ms=19_000, spread=0.1),
    "nothing": lambda: LoadResult(workload="", seed=0, duration_s=1, scheduled=0, recorded=0, latencies=[]),
}


def drawn(load: LoadResult) -> list[str]:
    made = [charts.percentile_curves, charts.over_time, charts.failures_over_time, charts.phases]
    return [make(FLOW, load) for make in made]


PICTURES = [
    *((name, lambda make=make: drawn(make())) for name, make in LOADS.items()),
    *((f"sweep {scale:g}", lambda scale=scale: [charts.capacity(a_sweep(scale))]) for scale in (0.1, 1, 900)),
    ("sizes", lambda: [charts.by_size(sized(FIT)), charts.by_size(sized({}, 0.0)), charts.by_size(sized(FIT, 9e4))]),
]


@pytest.mark.parametrize("make", [make for _, make in PICTURES], ids=[name for name, _ in PICTURES])
def test_words_are_neither_cut_nor_over_one_another(make: Callable[[], list[str]]) -> None:
    for svg in make():
        assert [*Picture(svg).misplaced()] == []


@pytest.mark.parametrize("make", [make for _, make in PICTURES], ids=[name for name, _ in PICTURES])
def test_pictures_are_the_same_each_time_and_take_the_page_s_colours(make: Callable[[], list[str]]) -> None:
    known = {*re.findall(r"--([\w-]+):", STYLE)}
    pictures = make()
    assert pictures == make()
    for svg in pictures:
        assert {*VARIABLE.findall(svg)} <= known
        assert {*re.findall(r'(?:fill|stroke)="([^"(]*)', svg)} <= {"var", "none", "transparent"}
        assert re.findall(r' (?:x|y|x1|x2|y1|y2|cx|cy|width|height|d|points)="[^"]*\d\.\d\d[^"]*"', svg) == []
        assert svg.startswith('<svg role="img" aria-label="')


def test_the_ids_of_a_page_are_unique() -> None:
    load = sized(FIT)
    load.capacity = a_sweep()
    load.latencies[0].failures = 1
    page = render_html(Run(command="load", verdict="kept", exit_code=0, load=load))
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len({*ids})
    assert {*re.findall(r"url\(#([^)]+)\)", page)} <= {*ids}
    assert page.count('<svg role="img"') == 6


def upright(picture: Picture, within: tuple[float, float] = (0, math.inf)) -> list[Words]:
    """The ticks on the left: numbers that end at one place."""
    found = [words for words in picture.words() if re.fullmatch(r"[\d,.]+", words.said)]
    edge = min(words.right for words in found)
    return [words for words in found if words.right < edge + 1.5 and within[0] < words.bottom < within[1]]


@pytest.mark.parametrize(("spread", "log"), [(0.4, False), (3, True)])
def test_a_curve_is_as_high_as_what_was_recorded(spread: float, log: bool) -> None:
    load = a_load(30, spread=spread)
    picture = Picture(charts.percentile_curves(FLOW, load))
    ticks = upright(picture)
    assert len(ticks) >= 3
    for step in STEPS:
        line = places(picture.series(step))
        (said,) = (title for title in picture.titles("series") if title.startswith(step.replace("_", " ")))
        latency = next(one for one in load.latencies if one.name == step and one.clock == "response")
        assert f"n = {latency.count}" in said
        lowest, highest = (value_at(y, ticks, log=log) for _, y in (line[0], line[-1]))
        cells = HdrHistogram.decode(latency.histogram.encode()).get_recorded_iterator()
        taken = [cell.value_iterated_to / 1e3 for cell in cells for _ in range(cell.count_at_value_iterated_to)]
        rough = {"rel": 0.1} if log else {"abs": 2}
        assert lowest == pytest.approx(taken[0], **rough)
        # One of all is slower than where the curve ends, or that one is its end.
        assert 0.9 * taken[-2] <= highest <= 1.1 * taken[-1]
    # The median stands at its tick.
    fifty = next(words for words in picture.words() if words.said == "50" and words.top > 180)
    at = min(line, key=lambda place: abs(place[0] - (fifty.left + fifty.right) / 2))
    assert value_at(at[1], ticks, log=log) == pytest.approx(taken[len(taken) // 2 - 1], rel=0.2)


def test_a_step_s_line_over_time_goes_through_its_values_and_holds_at_gaps() -> None:
    load = a_load(12, gap=range(4, 7))
    picture = Picture(charts.over_time(FLOW, load))
    found = places(picture.series("approve_back"))
    values = [point.p95 for point in load.by_due if point.step == "approve_back"]
    ticks = upright(picture, (0, 160))
    assert [value_at(y, ticks) for _, y in found] == pytest.approx(values, abs=2)
    assert picture.series("approve_back").count("M") == 2
    # A second is as wide as another, and the middle of the first stands half a second from the edge.
    across = [x for x, _ in found]
    step = (across[-1] - across[0]) / 11
    assert across == pytest.approx([across[0] + step * second for second in (0, 1, 2, 3, 7, 8, 9, 10, 11)], abs=0.2)


def test_a_rate_stands_for_the_whole_of_its_second() -> None:
    load = a_load(4, rate=3)
    for point in load.series:
        point.started = 2 + int(point.second)
    picture = Picture(charts.over_time(FLOW, load))
    (dashed,) = re.findall(r'<path d="([^"]+)" [^>]*stroke-width="1.2"[^>]*stroke-dasharray', picture.svg)
    ticks = upright(picture, (170, 240))
    found = [(x, value_at(y, ticks)) for x, y in places(dashed)]
    assert [value for _, value in found] == pytest.approx([2, 2, 3, 3, 4, 4, 5, 5], abs=0.1)
    edges = [x for x, _ in found]
    second = (edges[-1] - edges[0]) / 4
    assert edges == pytest.approx([edges[0] + second * n for n in (0, 1, 1, 2, 2, 3, 3, 4)], abs=0.11)


def test_failures_stand_on_one_another() -> None:
    load = a_load(10, rate=9, fails=0.4)
    picture = Picture(charts.failures_over_time(FLOW, load))
    ticks = upright(picture)
    bars = re.findall(
        r'<g class="series (\w+)"><title>second (\d+): [\w ]+ (\d+) failed</title>'
        r'<rect x="[\d.]+" y="([\d.]+)" width="[\d.]+" height="([\d.]+)" fill="var\(--(c\d)\)"', picture.svg
    )  # fmt: skip
    counts = {(p.step, int(p.second)): p.failures for p in load.by_due if p.failures and p.step != "onboarding"}
    assert {(step, int(second)): int(count) for step, second, count, *_ in bars} == counts
    heights = dict.fromkeys(range(10), 0)
    for _, second, count, top, height, _ in bars:
        heights[int(second)] += int(count)
        assert value_at(float(top), ticks) == pytest.approx(heights[int(second)], abs=0.2)
        assert value_at(float(top) + float(height), ticks) == pytest.approx(heights[int(second)] - int(count), abs=0.2)
    assert len({colour for *_, colour in bars}) == len(FLOW.steps)


def test_the_phases_of_a_step_stand_side_by_side() -> None:
    load = a_load(3)
    picture = Picture(charts.phases(FLOW, load))
    bars = re.findall(
        r'<g class="series (\w+)"><title>[\w ]+: (\w+) ([\d.]+) ms in the mean</title>'
        r'<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)"', picture.svg
    )  # fmt: skip
    assert [clock for step, clock, *_ in bars if step == STEPS[0]] == [*charts.PHASES]
    for step in STEPS[:-1]:
        ends = [(float(x), float(x) + float(width)) for one, _, _, x, _, width in bars if one == step]
        assert all(right == pytest.approx(left, abs=0.21) for (_, right), (left, _) in pairwise(ends))
    # The first step stands highest, and the last, which takes longest, has its sum beside it.
    tops = [float(next(y for one, _, _, _, y, _ in bars if one == step)) for step in STEPS[:-1]]
    assert tops == sorted(tops)
    assert "80.0" in [words.said for words in picture.words()]


def test_a_run_without_phases_has_no_chart_of_them() -> None:
    load = a_load(3)
    assert "Where the time goes" in render_html(Run(command="load", verdict="kept", exit_code=0, load=load))
    load.latencies = [latency for latency in load.latencies if latency.clock == "response"]
    assert "Where the time goes" not in render_html(Run(command="load", verdict="kept", exit_code=0, load=load))


def test_a_sweep_tells_kept_from_broken_by_more_than_the_colour() -> None:
    picture = Picture(charts.capacity(a_sweep()))
    said = [words.said for words in picture.words()]
    assert said[-0:4] == ["kept the objective", "did not", "its knee, with its interval", "the fitted law"]
    kept, broken = re.compile(r'<circle [^>]*fill="var\(--c1\)"'), re.compile(r'<path [^>]*stroke="var\(--broken\)"')
    # Three and one, and one of each in the legend.
    assert (len(kept.findall(picture.svg)), len(broken.findall(picture.svg))) == (3 + 1, 1 + 1)
    found = a_sweep()
    found.points = found.points[:-1]
    assert "did not" not in [words.said for words in Picture(charts.capacity(found)).words()]


def test_a_knee_without_an_interval_has_no_band() -> None:
    """Too few of the resamples had a knee: the report says where it is, and not how surely."""
    found = a_sweep(interval=False)
    said = [words.said for words in Picture(charts.capacity(found)).words()]
    assert said[:3] == ["kept the objective", "did not", "the fitted law"]
    load = a_load(3)
    load.capacity = found
    assert "bends at 22 onboardings/s, with 40 under way" in render_html(
        Run(command="load", verdict="kept", exit_code=0, load=load)
    )


def test_sizes_have_their_points_and_the_fitted_line() -> None:
    picture = Picture(charts.by_size(sized(FIT)))
    assert picture.titles("hover")[0] == "0.30 MB: p95 90.0 ms, n = 9"
    assert len(picture.titles("hover")) == 6
    assert [words.said for words in picture.words()][:3] == ["p95", "median", "12.0 ms per MB"]
    assert picture.svg.count("<polygon") == 1
    assert Picture(charts.by_size(sized({}))).svg.count("<polygon") == 0


def test_a_second_clock_changes_no_picture() -> None:
    """Only response times are drawn: from when a request was due."""
    load = a_load(3)
    before = charts.percentile_curves(FLOW, load)
    service: Clock = "service"
    load.latencies.append(step_latency(STEPS[0], [5e6], service))
    assert charts.percentile_curves(FLOW, load) == before
