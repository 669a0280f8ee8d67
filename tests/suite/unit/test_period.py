"""The measuring period: months with changes of clocks, windows that are left out, credits."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kycgate.errors import UsageError
from kycgate.sla.period import Once, Weekly, exclusions
from kycgate.sla.policy import Policy, load_policy
from kycgate.sla.spans import days_of, parse_span

EXAMPLE = Path(__file__).parents[3] / "docs" / "policy.example.toml"
AVAILABILITY = '[[objective]]\nid="up"\nkind="availability"\nat_least=0.99\n'
LATENCY = '[[objective]]\nid="p95"\nkind="latency"\nstep="upload_front"\npercentile=95\nlimit_ms=5000\n'


def weekly(**given: object) -> Weekly:
    return Weekly.model_validate(
        {"id": "w", "zone": "Africa/Cairo", "weekday": "friday", "start": "02:00:00", "end": "04:00:00", **given}
    )


def test_a_month_has_its_zones_days() -> None:
    """Egypt puts its clocks back at the end of 29 October 2026, a Thursday: that day has 25 hours."""
    days = days_of(parse_span("2026-10"), "Africa/Cairo")
    hours = {day.name: day.seconds / 3600 for day in days}
    assert len(days) == 31
    assert {name: length for name, length in hours.items() if length != 24} == {"2026-10-29": 25.0}
    assert days[0].start == datetime(2026, 9, 30, 21, tzinfo=UTC)
    assert days[-1].end == datetime(2026, 10, 31, 22, tzinfo=UTC)
    assert all(one.end == after.start for one, after in pairwise(days))
    spring = {day.name: day.seconds / 3600 for day in days_of(parse_span("2026-04"), "Africa/Cairo")}
    assert spring["2026-04-24"] == 23.0  # the last Friday, at midnight
    assert len(days_of(parse_span("2028-02"), "UTC")) == 29


@given(
    st.integers(2001, 2100), st.integers(1, 12), st.sampled_from(["UTC", "Africa/Cairo", "Pacific/Apia", "Asia/Gaza"])
)
def test_every_months_days_follow_on_one_another(year: int, month: int, zone: str) -> None:
    days = days_of(parse_span(f"{year}-{month:02}"), zone)
    assert all(one.end == after.start for one, after in pairwise(days))
    assert all(day.seconds in {0, 23 * 3600, 24 * 3600, 25 * 3600} for day in days)


def test_a_weekly_window_keeps_its_local_time_across_a_change_of_clocks() -> None:
    found = exclusions([weekly()], datetime(2026, 10, 20, tzinfo=UTC), datetime(2026, 11, 8, tzinfo=UTC))
    assert [(one.start.day, one.start.hour, one.seconds / 3600) for one in found] == [
        (22, 23, 2.0),  # 02:00 at UTC+3
        (30, 0, 2.0),  # 02:00 at UTC+2
        (6, 0, 2.0),
    ]


def test_a_window_in_the_skipped_hour_is_as_long_as_it_was_on_the_wall() -> None:
    """On 24 April 2026 00:00 to 01:00 does not exist in Cairo: 00:30 to 02:00 lasts half an hour."""
    start, end = datetime(2026, 4, 23, tzinfo=UTC), datetime(2026, 4, 25, tzinfo=UTC)
    assert [one.seconds for one in exclusions([weekly(start="00:30:00", end="02:00:00")], start, end)] == [1800]
    assert exclusions([weekly(start="00:30:00", end="01:15:00")], start, end) == []


def test_windows_pass_midnight_and_are_cut_to_the_period() -> None:
    over = weekly(zone="UTC", start="23:00:00", end="01:00:00", end_weekday="saturday")
    friday = datetime(2026, 11, 6, tzinfo=UTC)
    found = exclusions([over], friday, friday + timedelta(days=1))
    assert [(one.start.hour, one.seconds) for one in found] == [(23, 3600)]
    bounded = weekly(first="2026-11-10", last="2026-11-13")
    assert len(exclusions([bounded], friday, friday + timedelta(days=30))) == 1


def test_an_offset_settles_which_of_two_equal_local_times_is_meant() -> None:
    night = {"id": "w", "zone": "Africa/Cairo", "end": "2026-10-30T02:00:00"}
    earlier = Once.model_validate(night | {"start": "2026-10-29T23:30:00"})
    later = Once.model_validate(night | {"start": "2026-10-29T23:30:00+02:00"})
    assert (earlier.interval.seconds, later.interval.seconds) == (3.5 * 3600, 2.5 * 3600)


def window(start: str, end: str, more: str = "", name: str = "w") -> str:
    return f'[[window]]\nid="{name}"\nzone="UTC"\nstart={start}\nend={end}\n{more}\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[period]\nlength=5", "length"),
        ('[period]\nzone="Cairo"', "no time zone 'Cairo'"),
        ('[period]\nzone="../../etc/passwd"', "no time zone"),
        ('[period]\nzone="Africa"', "no time zone"),
        ('[period]\nmeasure="year"', "measure"),
        ("[period]\nevery_s=0", "every_s"),
        (window("2026-11-02T00:00:00", "2026-11-01T00:00:00"), "ends before it starts"),
        (window("2026-11-02T00:00:00", "2026-11-02T00:00:00"), "ends before it starts"),
        (window("23:00:00", "01:00:00", 'weekday="friday"'), "end_weekday"),
        (window("01:00:00", "02:00:00", 'weekday="caturday"'), "weekday"),
        (window("01:00:00", "02:00:00", 'weekday="friday"\nfirst=2026-02-01\nlast=2026-01-01'), "last day before"),
        (window("01:00:00", "02:00:00", 'weekday="friday"\ncolour="red"'), "colour"),
        ('[[window]]\nid="w"\nstart=2026-11-01T00:00:00\nend=2026-11-02T00:00:00', "zone"),
        (window("2026-11-01T00:00:00", "2026-11-02T00:00:00") * 2, "two windows are named"),
        (
            window("2026-11-01T00:00:00", "2026-11-03T00:00:00")
            + window("2026-11-02T00:00:00", "2026-11-04T00:00:00", name="v"),
            "'w' and 'v' overlap at 2026-11-02 00:00",
        ),
        (
            window("01:00:00", "03:00:00", 'weekday="friday"')
            + window("2026-11-06T02:30:00", "2026-11-06T05:00:00", name="v"),
            "overlap at 2026-11-06 02:30",
        ),
        (
            # The two zones' clocks change on different days: these meet in some weeks alone.
            window("04:00:00", "05:00:00", 'weekday="friday"').replace("UTC", "Africa/Cairo")
            + window("03:00:00", "03:30:00", 'weekday="friday"', name="v").replace("UTC", "Europe/London"),
            "overlap at 2026-04-03 02:00",
        ),
        ('[[credit]]\nobjective="down"\ntiers=[{below=0.9, percent=5}]', "not an objective of this policy"),
        ('[[credit]]\nobjective="up"\ntiers=[]', "tiers"),
        ('[[credit]]\nobjective="up"\ntiers=[{below=0.995, percent=5}]', "still holds"),
        ('[[credit]]\nobjective="up"\ntiers=[{above_ms=5, percent=5}]', "say below and percent"),
        ('[[credit]]\nobjective="p95"\ntiers=[{below=0.9, percent=5}]', "say above_ms and percent"),
        ('[[credit]]\nobjective="p95"\ntiers=[{above_ms=4000, percent=5}]', "still holds"),
        ('[[credit]]\nobjective="up"\ntiers=[{below=0.9, percent=5}, {below=0.95, percent=10}]', "out of order"),
        ('[[credit]]\nobjective="up"\ntiers=[{below=0.9, percent=9}, {below=0.8, percent=5}]', "out of order"),
        ('[[credit]]\nobjective="up"\ntiers=[{below=0.9, percent=101}]', "percent"),
        ('[[credit]]\nobjective="up"\ntiers=[{below=0.9, percent=5}]\n' * 2, "two credits are about"),
    ],
)
def test_wrong_periods_get_one_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "policy.toml").write_text(f"{AVAILABILITY}{LATENCY}{text}")
    with pytest.raises(UsageError, match=said) as caught:
        load_policy(tmp_path / "policy.toml")
    assert "\n" not in str(caught.value)
    assert "Value error" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["2026-13", "2026-1", "26-11", "november", "2026-11-01", "2026-Q5", "2026-q1", "0000-01", "９９９９-01", ""]
)
def test_wrong_months_get_one_line(text: str) -> None:
    with pytest.raises(UsageError, match="write a month like 2026-11"):
        parse_span(text)


def test_credits_grow_with_the_breach() -> None:
    policy = load_policy(EXAMPLE)
    availability, latency = policy.credit
    shares = (0.999, 0.995, 0.9949, 0.99, 0.9899, 0.95, 0.5)
    assert [availability.owed(share) for share in shares] == [0, 0, 5, 5, 10, 10, 25]
    assert [latency.owed(ms) for ms in (4_000, 5_000, 5_001, 8_001)] == [0, 0, 5, 10]


def test_the_example_survives_json() -> None:
    policy = load_policy(EXAMPLE)
    assert Policy.model_validate_json(policy.model_dump_json()) == policy
    assert (len(policy.window), policy.period.zone) == (2, "Africa/Cairo")
