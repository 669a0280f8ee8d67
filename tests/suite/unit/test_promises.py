"""What contracts promise besides shares: outages, support hours, quarters, years, throughput, the longest time."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram

from kycgate.errors import UsageError
from kycgate.probing.probe import Probe, ProbeStep
from kycgate.reports.sla_page import month_of
from kycgate.runs.load_model import LoadPoint, LoadResult
from kycgate.runs.model import ObjectiveResult, Run
from kycgate.sla.hours import outside
from kycgate.sla.judge import judge, not_of_runs
from kycgate.sla.latency import step_latency
from kycgate.sla.month import Judged, judge_month
from kycgate.sla.needs import beside, plan, too_short
from kycgate.sla.openslo import to_openslo
from kycgate.sla.policy import Policy, load_policy
from kycgate.sla.recording import Recording
from kycgate.sla.spans import days_of, parse_span

START = datetime(2026, 2, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
AFTER = datetime(2026, 3, 3, tzinfo=UTC)


def probes_of(failed: Callable[[int], bool | None], count: int = 672, start: datetime = START) -> list[Probe]:
    """One at half past each hour; `failed` of its number is None where there is none."""
    return [
        Probe.model_validate(
            {"id": f"p{n}", "started_at": start + n * HOUR + HOUR / 2, "target": "x", "timeout_s": 60, "jitter_s": 3600,
             "verdict": "unavailable" if failed(n) else "kept", "failure": "no connection" if failed(n) else ""}
        )
        for n in range(count)
        if failed(n) is not None
    ]  # fmt: skip


def a_policy(*objectives: dict[str, Any], **given: Any) -> Policy:
    return Policy.model_validate({"objective": [{"id": f"o{n}", **one} for n, one in enumerate(objectives)], **given})


def judged(policy: Policy, probes: list[Probe], name: str = "2026-02", now: datetime = AFTER) -> Judged:
    return judge_month(policy, parse_span(name), probes, target="x", now=now, every_s=3600)


def longest(hours: float, failed: Callable[[int], bool | None], count: int = 672, **more: Any) -> ObjectiveResult:
    policy = a_policy({"kind": "longest-outage", "at_most_s": hours * 3600})
    return judged(policy, probes_of(failed, count), **more).objectives[0]


def number(at_most: int, hours: float, failed: Callable[[int], bool | None]) -> ObjectiveResult:
    policy = a_policy({"kind": "outage-count", "at_most": at_most, "lasting_s": hours * 3600})
    return judged(policy, probes_of(failed)).objectives[0]


@pytest.mark.parametrize(
    ("hours", "verdict"), [(2.9, "broken"), (3, "not enough evidence"), (4.9, "not enough evidence"), (5, "holds")]
)
def test_the_longest_outage_is_decided_by_its_first_and_last_failed_probe(hours: float, verdict: str) -> None:
    """Probes 100 to 103 failed: 3 h from the first to the last, 5 h from the good one before to the good one after."""
    found = longest(hours, lambda n: 100 <= n < 104)
    assert (found.verdict, found.low, found.high, found.unit) == (verdict, 3 * 3600, 5 * 3600, "s")
    assert (found.measured, found.interval, found.confidence) == ("lasted 3 h to 5 h", "3 h to 5 h", 1.0)


def test_good_probes_hide_outages_as_long_as_their_distance() -> None:
    assert longest(1, lambda _: False).verdict == "holds"
    hidden = longest(0.9, lambda _: False)
    assert (hidden.verdict, hidden.measured, hidden.interval) == (
        "not enough evidence", "no outage was seen", "0 s to 1 h"
    )  # fmt: skip
    assert hidden.lacks.endswith("which may hide one: probes at most 27 min apart, jitter included, would tell")
    # One failed probe alone is not an outage that was seen, and may have been one of 2 h.
    assert [longest(hours, lambda n: n == 100).verdict for hours in (1.9, 2)] == ["not enough evidence", "holds"]
    gap = [longest(hours, lambda n: None if 100 <= n < 110 else False).verdict for hours in (10.9, 11)]
    assert gap == ["not enough evidence", "holds"]
    # From the middle of the month to its end no probe ran.
    assert longest(24, lambda n: False if n < 300 else None).verdict == "not enough evidence"


def test_a_period_that_goes_on_can_be_broken_and_not_hold() -> None:
    now = START + 400 * HOUR
    assert longest(24, lambda n: False if n < 400 else None, now=now).verdict == "not enough evidence"
    assert longest(2, lambda n: 100 <= n < 104 if n < 400 else None, now=now).verdict == "broken"


def test_an_outage_counts_whole_in_the_period_in_which_it_began() -> None:
    """Probes 670 to 675 failed, the last four of them in March: 5 h at least, 7 h at most."""

    def failed(n: int) -> bool:
        return 670 <= n < 676

    assert [longest(hours, failed, 700).verdict for hours in (4.9, 5, 7)] == [
        "broken", "not enough evidence", "holds"
    ]  # fmt: skip
    march = a_policy(
        {"kind": "longest-outage", "at_most_s": 3 * 3600}, {"kind": "outage-count", "at_most": 0, "lasting_s": 3_700}
    )
    probes = probes_of(failed, 672 + 744)
    found = judged(march, probes, "2026-03", now=AFTER + timedelta(days=40)).objectives
    assert [one.verdict for one in found] == ["holds", "holds"]
    # No probe saw its end.
    cut = longest(30, failed, 672)
    assert (cut.verdict, cut.low, cut.high) == ("not enough evidence", 3600, None)


def test_the_number_of_outages_counts_those_that_were_long_enough() -> None:
    """Three times four failed probes: 3 to 5 h each."""

    def failed(n: int) -> bool:
        return n % 200 in (100, 101, 102, 103)

    two, three = number(2, 2, failed), number(3, 2, failed)
    assert (two.verdict, two.low, two.high, two.interval) == ("broken", 3, 3, "3 to 3")
    assert (three.verdict, three.sentence) == ("holds", "There are at most 3 outages of 2 h or longer.")
    # No probe saw whether they lasted 4 h.
    assert (number(2, 4, failed).verdict, number(3, 4, failed).verdict) == ("not enough evidence", "holds")
    # Between two good probes an outage of half an hour can have come and gone.
    assert number(50, 0.5, failed).verdict == "not enough evidence"
    assert number(0, 1, lambda _: False).verdict == "holds"


def test_good_probes_close_together_bound_the_downtime_where_outages_have_a_shortest_length() -> None:
    """Four failed probes: at most 5 h of 672 down, 99.256%; by chance alone 98.6%."""
    probes = probes_of(lambda n: 100 <= n < 104)

    def up(**period: Any) -> ObjectiveResult:
        return judged(a_policy(UP, period=period), probes).objectives[0]

    assert (up().verdict, up().method.count("good probes")) == ("not enough evidence", 0)
    stated = up(outage_from_s=3600)
    assert stated.verdict == "holds"
    assert stated.low == pytest.approx(1 - 5 / 672)
    assert stated.stands_on == "for this month, if no outage is shorter than the policy states (outage_from_s)"
    # An outage of 59 minutes fits between two good probes.
    assert up(outage_from_s=3540).verdict == "not enough evidence"
    # Half of the month is to come.
    half = judged(a_policy(UP, period={"outage_from_s": 3600}), probes[:336], now=START + 336 * HOUR).objectives[0]
    assert half.verdict == "not enough evidence"


def test_credits_follow_outages() -> None:
    tiers = [{"above_s": 7_200, "percent": 5}, {"above_s": 14_400, "percent": 20}]
    policy = a_policy(
        {"kind": "longest-outage", "at_most_s": 7_200},
        {"kind": "outage-count", "at_most": 0, "lasting_s": 7_200},
        credit=[
            {"objective": "o0", "tiers": tiers},
            {"objective": "o1", "tiers": [{"above": 0, "percent": 3}, {"above": 1, "percent": 9}]},
        ],
    )
    # 4 h at least, 6 h at most: beyond 2 h for sure, and 5 h as measured.
    first, second = judged(policy, probes_of(lambda n: 100 <= n < 105)).period.credits_owed
    assert (first.shown, first.percent, first.tiers) == (5, 20, ["above 2 h: 5%", "above 4 h: 20%"])
    assert (second.shown, second.percent, second.tiers) == (3, 3, ["more than 0: 3%", "more than 1: 9%"])
    longer = judged(policy, probes_of(lambda n: 100 <= n < 106)).period.credits_owed[0]
    assert (longer.shown, longer.percent) == (20, 20)


@pytest.mark.parametrize(
    ("kind", "tier", "said"),
    [
        ('"longest-outage"\nat_most_s=60', "above_ms=70", "say above_s and percent"),
        ('"longest-outage"\nat_most_s=60', "above_s=50", "where the objective still holds"),
        ('"throughput"\nat_least_per_s=5', "below=0.5", "no probe measures"),
        ('"outage-count"\nat_most=2\nlasting_s=60', "above=2, above_s=3", "say above and percent"),
    ],
)
def test_wrong_credits_get_one_line(tmp_path: Path, kind: str, tier: str, said: str) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(f'[[objective]]\nid="o"\nkind={kind}\n[[credit]]\nobjective="o"\ntiers=[{{{tier}, percent=5}}]\n')
    with pytest.raises(UsageError, match=said):
        load_policy(path)


# Support hours

CAIRO = {
    "id": "support", "zone": "Africa/Cairo", "weekdays": ["sunday", "monday", "tuesday", "wednesday", "thursday"],
    "start": "08:00:00", "end": "18:00:00", "holidays": ["2026-10-06"],
}  # fmt: skip
NIGHT = {"id": "night", "zone": "Africa/Cairo", "weekdays": ["thursday"], "start": "22:00:00", "end": "02:00:00"}
UP = {"kind": "availability", "at_least": 0.99}


def counted_h(policy: Policy, name: str, hours: str) -> float:
    days = days_of(parse_span(name), "Africa/Cairo")
    left_out = outside(policy.hours_named(hours), days[0].start, days[-1].end)
    return ((days[-1].end - days[0].start).total_seconds() - sum(one.seconds for one in left_out)) / 3600


def test_support_hours_follow_the_clocks_of_their_zone() -> None:
    """October 2026 has 21 days from Sunday to Thursday, and one of them is a holiday.

    Egypt's clocks go back at the end of Thursday 29 October, and forward at the end of Thursday 23 April: that night
    from 22 to 2 o'clock has 5 h and 3 h. 30 April and 31 December are Thursdays, of whose night 2 h are in the period.
    """
    policy = a_policy(UP, hours=[CAIRO, NIGHT])
    assert counted_h(policy, "2026-10", "support") == 20 * 10
    assert counted_h(policy, "2026-10", "night") == 4 * 4 + 5
    assert counted_h(policy, "2026-04", "night") == 3 * 4 + 3 + 2
    assert counted_h(policy, "2026-Q4", "night") == 12 * 4 + 5 + 2
    assert policy.hours[0].words == "Sunday to Thursday 08:00 to 18:00 (Africa/Cairo), without 1 holiday"


def test_what_fails_outside_the_hours_counts_for_nothing() -> None:
    """Probes at half past: down on 7 October from 17 to 9 o'clock local, of which 17:30 and 8:30 count."""
    begins = datetime(2026, 9, 30, 21, tzinfo=UTC)
    down = range(6 * 24 + 17, 7 * 24 + 9)
    probes = probes_of(lambda n: n in down, 745, begins)
    policy = a_policy(
        UP, {**UP, "hours": "night"}, {"kind": "longest-outage", "at_most_s": 3_600}, hours=[CAIRO, NIGHT],
        period={"zone": "Africa/Cairo", "hours": "support"},
        credit=[{"objective": "o0", "tiers": [{"below": 0.99, "percent": 5}]}],
    )  # fmt: skip
    found = judged(policy, probes, "2026-10", now=begins + timedelta(days=60))
    period = found.period
    assert (period.counted, period.unavailable, period.total_s, period.gap_s) == (200, 2, 200 * 3600, 0)
    assert (period.closed_s, period.excluded_s) == (545 * 3600, 0)
    support, night, outage = found.objectives
    assert (support.samples, support.value, night.samples, night.value) == (200, 0.99, 21, 1.0)
    # From 16:30 to 9:30 there are 3 h that count; the two failed probes are one row, with nothing sure between.
    assert (outage.verdict, outage.low, outage.high) == ("not enough evidence", 0, 3 * 3600)
    (budget, _) = found.budgets
    assert budget.allowed_s == pytest.approx(2 * 3600)
    assert budget.used_s == pytest.approx(2 * 3600)
    assert {day.date: day.state for day in period.days}["2026-10-09"] == "excluded"  # a Friday
    said = [name for _, name, _ in month_of(period).figures]
    assert "outside the hours that count" in said


def test_a_budget_burns_in_the_hours_that_count_alone() -> None:
    """At a tenth failed the 2 h of October last 20 h of support: from Monday 18 o'clock to Wednesday 18 o'clock."""
    begins = datetime(2026, 9, 30, 21, tzinfo=UTC)
    policy = a_policy(UP, hours=[CAIRO], period={"zone": "Africa/Cairo", "hours": "support"})
    now = begins + timedelta(days=4, hours=18)
    probes = probes_of(lambda n: n == 4 * 24 + 9, 4 * 24 + 18, begins)
    found = judged(policy, probes, "2026-10", now=now)
    (budget,) = found.budgets
    # One of 30 so far (1 h of 2 h); of the last three days one of 20: 1 h more takes 20 h.
    assert budget.used_s == pytest.approx(3600)
    # Tuesday the 6th is a holiday: Wednesday and Thursday.
    assert budget.ends_at == begins + timedelta(days=7, hours=18)


# Quarters and years


def test_quarters_and_years_have_their_zones_hours() -> None:
    """Egypt's clocks change once in the last quarter of 2026, and twice in the year."""
    hours = {
        name: sum(day.seconds for day in days_of(parse_span(name), "Africa/Cairo")) / 3600
        for name in ("2026-Q1", "2026-Q2", "2026-Q4", "2026", "2028")
    }
    assert hours == {"2026-Q1": 2160, "2026-Q2": 2183, "2026-Q4": 2209, "2026": 8760, "2028": 8784}
    assert [parse_span(name).noun for name in ("2026-12", "2026-Q4", "2026")] == ["month", "quarter", "year"]


def test_a_quarter_is_judged_as_a_month_is() -> None:
    begins = datetime(2026, 9, 30, 21, tzinfo=UTC)
    window = {"id": "w", "zone": "Africa/Cairo", "start": "2026-11-02T00:00:00", "end": "2026-11-03T00:00:00"}
    policy = a_policy(
        UP, period={"zone": "Africa/Cairo", "measure": "calendar quarter"}, window=[window],
        credit=[{"objective": "o0", "tiers": [{"below": 0.99, "percent": 5}]}],
    )  # fmt: skip
    found = judged(policy, probes_of(lambda n: n < 60, 2209, begins), "2026-Q4", now=begins + timedelta(days=99))
    period, (objective,) = found.period, found.objectives
    assert (period.name, len(period.days), period.total_s, period.excluded_s) == ("2026-Q4", 92, 2185 * 3600, 86_400)
    assert (objective.verdict, objective.stands_on) == ("broken", "for this quarter, as far as it was watched")
    assert (period.credit_percent, period.credit_shown) == (5, 5)
    assert period.budgets[0].allowed_s == pytest.approx(21.85 * 3600)
    page = month_of(period)
    assert (page.title, page.noun) == ("4th quarter of 2026", "quarter")
    assert [sheet.title for sheet in page.sheets] == ["October 2026", "November 2026", "December 2026"]


# Load runs


def a_load(due: list[int], served: list[int], ms: list[float] = [100.0], *, in_flight: int = 0) -> Recording:  # noqa: B006
    """The onboardings due and served in each second, and how long uploads took."""
    histogram = HdrHistogram(1, 120_000_000, 3)
    for value in ms:
        histogram.record_value(int(value * 1e3))
    series = [
        LoadPoint(second=n, step="onboarding", started=asked, finished=done, failures=0, p50=1, p95=1, max=1)
        for n, (asked, done) in enumerate(zip(due, served, strict=True))
    ]
    load = LoadResult(
        workload="", seed=0, duration_s=len(due), scheduled=sum(due), recorded=sum(served), requests=0, series=series,
        latencies=[step_latency("upload_front", "response", histogram)], in_flight=in_flight,
    )  # fmt: skip
    return Recording(Run(command="load", verdict="kept", exit_code=0, load=load))


def throughput(at_least: float, *recordings: Recording) -> ObjectiveResult:
    return judge(a_policy({"kind": "throughput", "at_least_per_s": at_least}), recordings)[0]


def test_throughput_is_what_is_served_while_as_much_is_asked_for() -> None:
    rng = np.random.default_rng(1)
    due = list(map(int, rng.poisson(6, 200)))
    kept = throughput(5, a_load(due, due))
    assert kept.verdict == "holds", kept
    assert kept.sentence == "5 onboardings a second or more are served while as many are asked for."
    assert kept.low is not None
    assert kept.low >= 5
    slow = list(map(int, rng.poisson(4, 200)))
    broken = throughput(5, a_load(due, slow))
    assert (broken.verdict, broken.unit) == ("broken", "per s")
    # Who asked for four cannot say that five are not served.
    few = throughput(5, a_load([4] * 200, slow))
    assert (few.verdict, few.lacks) == (
        "not enough evidence", "the load never asked for 5 onboardings a second: raise --rate",
    )  # fmt: skip
    short = throughput(5, a_load(due[:40], due[:40]))
    assert (short.verdict, "it takes 60" in short.lacks) == ("not enough evidence", True)
    assert "a tenth more" in throughput(6, a_load([6] * 200, due)).lacks


def test_seconds_in_which_less_was_asked_for_do_not_count() -> None:
    """A ramp: 100 s of 2 a second, then 100 s of 6."""
    ramp = [2] * 100 + [6] * 100
    found = throughput(5, a_load(ramp, ramp))
    assert (found.verdict, found.value) == ("holds", 6.0)
    assert 80 <= found.samples <= 100


@pytest.mark.parametrize(
    ("limit_ms", "in_flight", "verdict"),
    [(950, 0, "holds"), (850, 0, "broken"), (850, 3, "broken"), (950, 3, "not enough evidence")],
)
def test_the_longest_time_is_certain_of_what_was_measured(limit_ms: float, in_flight: int, verdict: str) -> None:
    run = a_load([1] * 3, [1] * 3, [100.0, 200.0, 900.0], in_flight=in_flight)
    (found,) = judge(a_policy({"kind": "max-latency", "step": "upload", "limit_ms": limit_ms}), [run])
    assert (found.verdict, found.samples, found.confidence) == (verdict, 3, 1.0)
    assert found.value == pytest.approx(900, rel=1e-3)
    assert found.sentence == "None of the uploads (response time) takes longer than the limit."


def test_probes_break_a_maximum_and_never_show_it_to_hold() -> None:
    slow = [
        probe.model_copy(
            update={"steps": (ProbeStep(step="upload_front", status=200, response_us=900_000, service_us=900_000),)}
        )
        for probe in probes_of(lambda _: False)
    ]
    limits = [{"kind": "max-latency", "step": "upload", "limit_ms": ms} for ms in (850, 900)]
    found = judged(a_policy(*limits), slow).objectives
    assert [one.verdict for one in found] == ["broken", "not enough evidence"]
    assert "promise a percentile" in found[1].lacks


def test_the_median_is_an_objective_as_any_percentile() -> None:
    run = a_load([1] * 3, [1] * 3, [100.0] * 60 + [900.0] * 40)
    half = {"kind": "latency", "step": "upload_front", "percentile": 50, "bursts_s": 0}
    found = judge(a_policy({**half, "limit_ms": 150}, {**half, "limit_ms": 90}), [run])
    assert [one.verdict for one in found] == ["not enough evidence", "broken"]
    more = a_load([1] * 3, [1] * 3, [100.0] * 700 + [900.0] * 300)
    assert judge(a_policy({**half, "limit_ms": 150}), [more])[0].verdict == "holds"


# All of them together

ALL = a_policy(
    UP, {"kind": "longest-outage", "at_most_s": 1800}, {"kind": "outage-count", "at_most": 3, "lasting_s": 600},
    {"kind": "throughput", "at_least_per_s": 5}, {"kind": "max-latency", "step": "onboarding", "limit_ms": 60_000},
    hours=[CAIRO], period={"measure": "calendar quarter"},
)  # fmt: skip


def test_the_examples_commented_lines_are_a_policy_too(tmp_path: Path) -> None:
    example = (Path(__file__).parents[3] / "docs" / "policy.example.toml").read_text()
    (tmp_path / "policy.toml").write_text(re.sub(r"(?m)^# (?=\[\[|[a-z_]+ = )", "", example))
    policy = load_policy(tmp_path / "policy.toml")
    assert {one.kind for one in policy.objective} == {
        "availability", "correctness", "latency", "reading", "max-latency", "throughput", "longest-outage",
        "outage-count",
    }  # fmt: skip
    assert policy.period.hours == policy.hours[0].id == "support"


def test_what_is_certain_takes_nothing_of_the_error() -> None:
    assert ALL.each == pytest.approx(1 - 0.05 / 2)
    assert ALL.correction == "Bonferroni over 2 objectives"


def test_each_kind_says_where_it_is_judged_and_what_it_takes() -> None:
    assert "o1, o2" in not_of_runs(ALL)[0]
    assert [need.objective for need in plan(ALL)] == ["o0"]
    assert beside(ALL)["o1"] == "probes at most 15 min apart, jitter included, through the whole period"
    assert any("o3 cannot be shown to hold by 2 onboardings a second" in line for line in too_short(ALL, 2, 600))
    found = judged(ALL, probes_of(lambda _: False), "2026-Q1", now=datetime(2026, 4, 3, tzinfo=UTC))
    assert [one.id for one in found.objectives] == ["o0", "o1", "o2", "o4"]
    assert any("o3" in note for note in found.notes)


def test_openslo_says_which_of_them_it_cannot_say() -> None:
    exported = to_openslo(ALL)
    left = "\n".join(exported.left_out)
    assert all(f"objective {name}: " in left for name in ("o1", "o2", "o3", "o4"))
    assert "hours: OpenSLO knows no hours" in left
    assert "duration: 1Q" in exported.text


def test_hours_that_nobody_has_get_one_line() -> None:
    with pytest.raises(ValueError, match=r"'o0' names the hours 'x', and no \[\[hours\]\] has that id"):
        a_policy({**UP, "hours": "x"}, hours=[CAIRO])


def test_the_plan_of_one_steps_availability_names_no_early_stop() -> None:
    (need,) = plan(a_policy({**UP, "step": "upload_front"}))
    assert not need.stops
