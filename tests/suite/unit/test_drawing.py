"""What charts are drawn of: words with their widths, lines with holes, panels with legends."""

import math
import re

import pytest

from kycgate.reports.axes import Axis, linear
from kycgate.reports.drawing import SIZE, WIDTH, Chart, Key, Row, Shape, path, shortened, symbol, text, titled, width_of
from tests.suite.pictures import Picture, font_width, places

NAMES = ("upload front", "approve back", "onboarding", "kept the objective", "its knee, with its interval",
         "percentile, log-scaled towards the tail", "onboardings/s", "1,000,000", "11,902.8", "12.5%", "99.99",
         "WWW MMM", "illicit tilt")  # fmt: skip


@pytest.mark.parametrize("words", NAMES)
def test_widths_are_those_of_the_report_s_font_or_somewhat_more(words: str) -> None:
    assert 0.97 <= width_of(words) / (SIZE * font_width(words)) <= 1.2


def test_what_is_too_long_is_shortened() -> None:
    assert shortened("onboarding", 60) == "onboarding"
    short = shortened("a_very_long_name_of_a_step", 60)
    assert short.startswith("a_very")
    assert short.endswith("…")
    assert width_of(short) <= 60
    assert shortened("onboarding", 0) == "…"


def test_names_of_others_are_text() -> None:
    bad = '</text><script>&"'
    for drawn in (text(1, 2, bad), titled(bad, "", "x"), Chart(bad, linear(0, 1), [Row(linear(0, 1))]).svg()):
        assert "<script>" not in drawn
        assert "&lt;script&gt;&amp;" in drawn
    # The class, by which the page dims, can end neither the attribute nor the tag.
    assert titled("a", "b", 'up load"><x 2') == '<g class="series uploadx2"><title>a</title>b</g>'


def test_a_line_has_holes_where_values_are_missing() -> None:
    drawn = path([(0, 1), (1, 2), (2, math.nan), (3, 4), (4, math.nan), (5, 6), (6, 6.04)], "c1", 1)
    # A place between two holes is a dash, as long as one sees.
    assert re.findall(r'd="([^"]*)"', drawn) == ["M0.0 1.0L1.0 2.0M3.0 4.0m-1.5 0h3M5.0 6.0L6.0 6.0"]
    assert 'd=""' in path([], "c1", 1)
    assert 'd=""' in path([(0, math.nan)], "c1", 1)
    assert "stroke-dasharray" in path([(0, 0)], "c1", 1, dashed=True)
    assert "stroke-dasharray" not in path([(0, 0)], "c1", 1)


def test_no_number_is_minus_nothing() -> None:
    drawn = path([(-0.01, -0.04)], "c1", 1) + text(-0.01, -0.01, "a") + symbol(-0.01, -0.01, "c1")
    assert "-0.0" not in drawn


def test_each_shape_has_its_own_outline() -> None:
    assert len({symbol(5, 5, "c1", shape) for shape in ("circle", "triangle", "cross")}) == 3


def chart(keys: list[Key], columns: int = 3, up: Axis | None = None) -> Chart:
    return Chart("a chart", linear(0, 10, "seconds"), [Row(up or linear(0, 100, "ms", grid=True), keys, 1, columns)])


def test_values_stand_between_the_axes() -> None:
    panel = chart([]).panels[0]
    assert (panel.x(0), panel.x(10)) == (panel.left, panel.right)
    assert (panel.y(0), panel.y(100)) == (panel.bottom, panel.top)
    assert panel.y(25) == pytest.approx(panel.bottom - (panel.bottom - panel.top) / 4)
    assert places(panel.line([(5, 50)], "c1"))[0] == pytest.approx(
        ((panel.left + panel.right) / 2, (panel.top + panel.bottom) / 2), abs=0.06
    )


def test_a_panel_cuts_what_lies_beyond_it_and_says_nothing_there() -> None:
    drawn = chart([])
    panel = drawn.panels[0]
    panel.parts.append(panel.line([(-100, -100), (100, 1_000)], "c1"))
    panel.say_between(-5, 3, "a")
    panel.say_at(10, 100, "b")
    picture = Picture(drawn.svg())
    (clip,) = picture.root.iter("{x}clipPath")
    box = {name: float(value) for name, value in clip[0].attrib.items()}
    assert box["x"] == pytest.approx(panel.left - 3, abs=0.06)
    assert box["y"] + box["height"] == pytest.approx(panel.bottom + 3, abs=0.11)
    (group,) = (one for one in picture.root.iter("{x}g") if "clip-path" in one.attrib)
    assert group.attrib["clip-path"] == f"url(#{clip.attrib['id']})"
    assert [one.tag for one in group] == ["{x}path"]
    (spot,) = re.findall(r'<rect x="([\d.]+)" [^>]*width="([\d.]+)" [^>]*fill="transparent"><title>a<', drawn.svg())
    assert [*map(float, spot)] == pytest.approx([panel.left, 0.3 * (panel.right - panel.left)], abs=0.06)
    assert picture.titles("hover") == ["a", "b"]
    # Drawing once more adds nothing.
    assert drawn.svg() == drawn.svg()


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 9])
@pytest.mark.parametrize("name", ["p95", "upload front", "a step that has a very long name indeed, and goes on and on"])
def test_a_legend_wraps_where_there_is_no_room(count: int, name: str) -> None:
    shapes: tuple[Shape, ...] = ("line", "dashes", "box", "band", "circle", "triangle", "cross", "line", "line")
    keys = [Key(f"{n} {name}", "c1", shape) for n, shape in enumerate(shapes[:count])]
    drawn = chart(keys)
    picture = Picture(drawn.svg())
    assert [*picture.misplaced()] == []
    shown = [words for words in picture.words() if words.bottom < drawn.panels[0].top - 5 and words.left > 8]
    assert [words.said[0] for words in shown] == [str(n) for n in range(count)]
    assert all(words.right <= WIDTH for words in shown)


def test_ticks_that_would_run_into_one_another_are_thinned_out() -> None:
    across = Axis(0, 100, [(n, f"value {n}") for n in range(0, 101, 5)])
    picture = Picture(Chart("a", across, [Row(linear(0, 1))]).svg())
    assert [*picture.misplaced()] == []
    said = [words.said for words in picture.words() if words.said.startswith("value")]
    assert said[:2] == ["value 0", "value 15"]
    assert len(said) > 4


def test_panels_share_their_axis_and_do_not_touch() -> None:
    rows = [Row(linear(0, 12_345, "p95, ms"), [Key("a", "c1")], 2.2), Row(linear(0, 1, "per s"), [Key("b", "c2")])]
    drawn = Chart("two panels", linear(0, 10, "s"), rows, 259)
    above, below = drawn.panels
    assert (above.left, above.right) == (below.left, below.right)
    assert above.bottom < below.top
    assert (above.bottom - above.top) / (below.bottom - below.top) == pytest.approx(2.2)
    picture = Picture(drawn.svg())
    assert [*picture.misplaced()] == []
    assert len({one.attrib["id"] for one in picture.root.iter("{x}clipPath")}) == 2
