"""Many runs and months: what is compared with what, which values are drawn, and what is said of a change."""

import random
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kycgate.reports.history_page import render_history
from kycgate.runs.load_model import GeneratorHealth, SizePoint
from kycgate.runs.percentile import rank_of
from kycgate.sla.histograms import edges
from kycgate.sla.history import Release, as_lines, change_words, history, value_words
from kycgate.sla.history_model import HistoryPoint, HistoryValue
from kycgate.sla.history_points import (
    Likeness,
    MonthOfProbes,
    SeriesId,
    Taken,
    _of_values,
    began,
    months_of_store,
    of_load,
    of_month,
    plain_policy,
    weeks_of,
)
from kycgate.sla.judge import judge
from kycgate.sla.month import judge_month
from kycgate.sla.recording import Recording
from kycgate.sla.spans import parse_span
from tests.suite.histories import FIRST, POLICY, TARGET, a_load, a_probe
from tests.suite.pictures import Picture

P95 = SeriesId("latency", "upload_front", "p95 of upload_front", "ms", False, 95.0)
UP = SeriesId("availability", "availability", "", "share", True)
NOTHING: dict[str, Any] = {}
VALUES = [30.0, 10.0, 50.0, 20.0, 40.0, 80.0, 60.0, 100.0, 70.0, 90.0]
"""The last five are the largest: 2 of 252 orders divide them so."""


def a_point(day: int, value: float, *, of: SeriesId = P95, release: str = "", left_out: str = "", **like: Any) -> Taken:
    words = {"kind": "load", "target": TARGET, "flow": "", "load": "3 a second", "pictures": "", "onboardings": ""}
    point = HistoryPoint(name=f"run-{day}", began=FIRST + timedelta(days=day), release=release, left_out=left_out)
    return Taken(point, Likeness(**words | like), {of: HistoryValue(value=value)})


def taken_of(path: Path, *, policy: Any = None, **given: Any) -> Taken:
    recording = Recording.read(a_load(path, FIRST, **given))
    return of_load(recording, began(recording.run) or FIRST, policy)


# What is said of a change


def test_a_change_is_said_with_its_runs_its_release_and_its_evidence() -> None:
    # Given in another order than they began.
    taken = [a_point(day, value, release="4.2" if day >= 5 else "4.1") for day, value in enumerate(VALUES)][::-1]
    found = history(taken)
    (group,) = found.groups
    assert [point.name for point in group.points] == [f"run-{day}" for day in range(10)]
    (change,) = group.changes
    assert (change.verdict, change.last_before, change.first_after, change.release) == ("worse", 4, 5, "4.2")
    (series,) = group.series
    assert (series.verdict, series.before, series.after) == ("changed", 30.0, 80.0)
    assert series.p == pytest.approx(2 / 252, abs=0.004)
    assert [(mark.label, mark.at) for mark in group.releases] == [("4.2", FIRST + timedelta(days=5))]
    assert (found.verdict, found.exit_code) == ("changed", 0)
    said = (
        "worse since the run of 2026-06-06 02:00 UTC, with release 4.2: upload_front p95 30.0 ms to 80.0 ms (p = 0.00"
    )
    assert change_words(group, change).startswith(said)
    assert as_lines(found)[-1].startswith(f"changed: {said}")


def test_more_of_what_is_better_is_better() -> None:
    found = history([a_point(day, value / 100, of=UP) for day, value in enumerate(VALUES)])
    assert found.groups[0].changes[0].verdict == "better"
    assert found.groups[0].changes[0].release == ""


def test_nothing_shown_proves_nothing_and_too_few_are_too_few() -> None:
    same = history([a_point(day, value) for day, value in enumerate([3.0, 5.0, 4.0] * 4)])
    assert same.verdict == "no change shown"
    assert "does not prove that nothing did" in same.reason
    few = history([a_point(day, value) for day, value in enumerate(VALUES[:9])])
    assert (few.verdict, few.reason) == ("too few runs", "9 comparable runs cannot show a change: it takes 10")


def test_releases_that_no_run_records_are_marked_by_the_day_that_is_given() -> None:
    at = FIRST + timedelta(days=4, hours=10)
    taken = [a_point(day, value) for day, value in enumerate(VALUES)]
    (group,) = history(taken, released=[Release(at, "5.0"), Release(FIRST - timedelta(days=9), "4.9")]).groups
    assert [point.release for point in group.points] == ["4.9"] * 5 + ["5.0"] * 5
    assert [(mark.label, mark.at) for mark in group.releases] == [("5.0", at)]
    assert group.changes[0].release == "5.0"


# What is compared


@pytest.mark.parametrize(
    ("like", "words"),
    [
        ({"target": "https://other.example"}, "another target: https://other.example, not https://vendor.example"),
        ({"flow": "passport"}, "another flow: passport, not none"),
        ({"load": "6 a second"}, "another load: 6 a second, not 3 a second"),
        ({"pictures": "3 MB"}, "other pictures: 3 MB, not none"),
        ({"onboardings": "10% retried"}, "onboardings in other ways: 10% retried, not none"),
    ],
)
def test_runs_that_differ_have_no_trend_in_common(like: dict[str, Any], words: str) -> None:
    """Ten runs of which the last five are others: together they would show a change, apart they are too few."""
    taken = [a_point(day, value, **(like if day >= 5 else NOTHING)) for day, value in enumerate(VALUES)]
    found = history([*taken, a_point(20, 1.0)])
    assert [len(group.points) for group in found.groups] == [6, 5]
    assert [group.differs for group in found.groups] == [[], [words]]
    assert found.verdict == "too few runs"
    assert any(words in line for line in as_lines(found))


def test_the_error_is_shared_out_over_the_groups_that_can_show_a_change() -> None:
    alone = history([a_point(day, value) for day, value in enumerate(VALUES)])
    others = [a_point(day, 5.0, target="https://other.example") for day in range(10)]
    both = history([*(a_point(day, value) for day, value in enumerate(VALUES)), *others])
    assert both.groups[0].series[0].p == pytest.approx(2 * (alone.groups[0].series[0].p or 0))


def test_what_is_left_out_is_shown_and_does_not_count() -> None:
    void = [a_point(day, 1e6, left_out="void: the generator was late") for day in (2, 11, 12)]
    found = history([*(a_point(day, value) for day, value in enumerate(VALUES)), *void])
    (group,) = found.groups
    assert (len(group.points), group.counted) == (13, 10)
    assert (group.series[0].before, group.series[0].after) == (30.0, 80.0)
    assert sum("left out: run-" in line for line in as_lines(found)) == 3


def test_what_two_loads_must_share_is_read_from_the_run(tmp_path: Path) -> None:
    plain = taken_of(tmp_path / "a", seed=1)
    longer = taken_of(tmp_path / "b", seed=2, seconds=25)
    assert plain.like == longer.like
    assert plain.like.load == "open: 3 onboardings/s, even arrivals"
    assert taken_of(tmp_path / "c", seed=3, rate=4).like.load != plain.like.load
    mixed = {"workload": {"sizes": [900_000, 300_000], "degradations": [["blur", 0.2]], "retry_share": 0.1}}
    like = taken_of(tmp_path / "d", options=mixed).like
    assert (like.pictures, like.onboardings) == (
        "pictures of 300, 900 kB, blur 0.2", "10% beginning with an unreadable photo",
    )  # fmt: skip
    # A run from before the workload was recorded shows the sizes that it measured.
    old = Recording.read(a_load(tmp_path / "e", FIRST))
    old.load.sizes = [SizePoint(size_bytes=300_000, count=1, p50=1, p95=1)]
    assert of_load(old, FIRST).like.pictures == "pictures of 300 kB"


# One number, one truth


def test_a_loads_values_are_those_of_its_verdict_and_of_its_report(tmp_path: Path) -> None:
    recording = Recording.read(a_load(tmp_path / "run", FIRST, seconds=60, rate=5))
    taken = of_load(recording, FIRST)
    for result in judge(POLICY, [recording]):
        (value,) = [value for series, value in taken.values.items() if series.name == result.id]
        assert (value.value, value.low, value.high, value.bound) == (
            result.value, result.low, result.high, result.bound,
        )  # fmt: skip
    drawn = [ms for second in range(60) for ms in seconds_of(recording, second)]
    assert len(drawn) == 300
    for percentile in (50.0, 95.0):
        series = SeriesId("latency", "upload_front", f"p{percentile:g} of upload_front", "ms", False, percentile)
        value = taken.values[series]
        exact = sorted(drawn)[rank_of(percentile / 100, 300) - 1]
        assert value.value == pytest.approx(exact, rel=2e-3)
        assert value.low is not None
        assert value.low < value.value
    # The policy has the availability of all requests: it is not drawn twice.
    assert not any(series.kind == "availability" for series in taken.values)
    other = POLICY.model_copy(update={"objective": POLICY.objective[1:]})
    by_other = of_load(recording, FIRST, other)
    (up,) = [value for series, value in by_other.values.items() if series.kind == "availability"]
    assert up.value == 1 - recording.load.unavailable / recording.load.requests


def seconds_of(recording: Recording, second: int) -> list[float]:
    """What was recorded in a second, by the middles of the cells."""
    cells = (recording.seconds("upload_front", "response") or {})[second]
    high = edges()[1]
    return [high[place] / 1e3 for place, count in zip(cells.places, cells.counts, strict=True) for _ in range(count)]


def test_a_void_load_is_left_out_and_an_unsteady_one_noted(tmp_path: Path) -> None:
    recording = Recording.read(a_load(tmp_path / "run", FIRST))
    recording.load.health = GeneratorHealth(void="the generator was late")
    assert of_load(recording, FIRST).point.left_out == "void: the generator was late"


JUNE = parse_span("2026-06")


def probes(days: int, *, every_h: float = 1.0, down: range = range(0)) -> list[Any]:
    """One at half past each hour from the first of June on; unavailable are those in `down`, by their number."""
    start = datetime(2026, 6, 1, tzinfo=UTC)
    return [
        a_probe(start + timedelta(hours=(n + 0.5) * every_h), n, random.Random(n), down=n in down)
        for n in range(int(days * 24 / every_h))
    ]


def a_month(days: int = 30, **given: Any) -> MonthOfProbes:
    seen, now = probes(days, **given), datetime(2026, 7, 9, tzinfo=UTC)
    judged = judge_month(plain_policy(), JUNE, seen, target=TARGET, now=now, every_s=3_600)
    return MonthOfProbes(judged, seen, plain_policy(), now)


def test_a_months_values_are_those_of_its_verdict() -> None:
    month = a_month(down=range(100, 106))
    taken = of_month(month, by_policy=False)
    (up,) = [value for series, value in taken.values.items() if series.kind == "availability"]
    assert up.value == pytest.approx(714 / 720)
    (judged,) = month.judged.objectives
    assert judged.confidence == pytest.approx(0.95)
    # Sided at 97.5% instead of 95%: a little wider, and of the same share.
    assert up.low is not None
    assert judged.low is not None
    assert up.low < judged.low < up.value == judged.value
    assert (taken.point.outages, taken.point.down_low_s, taken.point.down_high_s) == (1, 5 * 3_600, 7 * 3_600)
    assert (taken.point.verdict, taken.point.left_out) == ("", "")
    p95 = taken.values[SeriesId("latency", "upload_front", "p95 of upload_front", "ms", False, 95.0)]
    front = sorted(step.response_us for probe in month.probes for step in probe.steps if step.step == "upload_front")
    assert p95.value == front[rank_of(0.95, len(front)) - 1] / 1e3
    assert p95.low is not None
    assert p95.high is not None
    assert p95.low < p95.value < p95.high


def test_weeks_are_whole_and_counted_from_the_days_of_the_month() -> None:
    """1 June 2026 is a Monday: four whole weeks, and two days of a fifth that is not drawn."""
    weeks = weeks_of([a_month(down=range(170, 178))])
    assert [week.point.name for week in weeks] == ["2026-W23", "2026-W24", "2026-W25", "2026-W26"]
    up = [value for week in weeks for series, value in week.values.items() if series.kind == "availability"]
    assert [value.value for value in up] == [1, pytest.approx(160 / 168), 1, 1]
    assert up[0].low == pytest.approx(0.025 ** (1 / 168))


def test_a_weeks_percentile_has_the_bounds_of_its_order_statistics() -> None:
    """The median of 100 lies between the 40th and the 61st with 95% (David and Nagaraja, 7.1)."""
    found = _of_values([n * 1_000 for n in range(1, 101)], 0.5)
    assert (found.value, found.low, found.high) == (50.0, 40.0, 61.0)
    assert _of_values([1_000] * 20, 0.95).high is None


def test_months_of_a_store_are_judged_one_by_one_and_the_last_is_not_over() -> None:
    seen = probes(45)
    now = datetime(2026, 7, 16, tzinfo=UTC)
    found = list(months_of_store(seen, TARGET, plain_policy(), now=now, every_s=None))
    months = [of_month(month, by_policy=False) for month in found if isinstance(month, MonthOfProbes)]
    assert [(month.point.name, month.point.left_out) for month in months] == [("2026-06", ""), ("2026-07", "not over")]
    # One probe does not show how often they come.
    lone = list(months_of_store([*seen, a_probe(now + timedelta(days=40), 9_999, random.Random(0))],
                                TARGET, plain_policy(), now=now + timedelta(days=60), every_s=None))  # fmt: skip
    assert isinstance(lone[-1], str)
    assert lone[-1].startswith("2026-08: ")


# The page


def test_the_page_loads_nothing_and_takes_no_markup(tmp_path: Path) -> None:
    hostile = "</svg><script>alert(1)</script>"
    taken = [
        a_point(day, value, release=hostile if day >= 5 else "4.1", target=hostile) for day, value in enumerate(VALUES)
    ]
    taken[3].point.name = hostile
    taken[4].point.left_out = hostile
    page = render_history(history(taken, notes=[hostile]), made=FIRST)
    assert "<script" not in page
    assert "default-src 'none'" in page
    assert "script-src" not in page
    assert page.count("&lt;script&gt;") > 5
    assert "http://" not in page.replace("http://www.w3.org", "")
    pictures = [Picture(svg) for svg in re.findall(r"<svg .*?</svg>", page)]
    assert pictures
    assert [misplaced for picture in pictures for misplaced in picture.misplaced()] == []


def test_values_are_said_with_their_units() -> None:
    assert [value_words(*one) for one in ((0.9951, "share"), (99.44, "ms"), (1_234.5, "ms"), (12.0, "h"))] == [
        "99.51%", "99.4 ms", "1,234 ms", "12 h",
    ]  # fmt: skip
