"""A month of probes: outages between known moments, gaps that are not uptime, windows, credits, honest bounds."""

import random
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kycgate.errors import CannotJudge
from kycgate.probing import open_store
from kycgate.probing.probe import Probe, ProbeStep, read_probes
from kycgate.reports.sla_page import month_of
from kycgate.runs.folder import RunFolder
from kycgate.sla.figures import bounds
from kycgate.sla.month import Judged, judge_month
from kycgate.sla.month_verdict import verdict_of
from kycgate.sla.policy import Policy
from kycgate.sla.probe_latency import latency_us
from kycgate.sla.spans import parse_span
from kycgate.tests.suite.conftest import Call
from kycgate.tests.suite.distributions import binomial_at_most, binomial_quantile

ROOT = Path(__file__).parents[3]
FEBRUARY = parse_span("2026-02")  # 28 days: 672 hours
START = datetime(2026, 2, 1, tzinfo=UTC)
LATER = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
STEPS = ("upload_front", "upload_back", "approve_front", "approve_back")


def a_policy(**given: Any) -> Policy:
    objective = [{"id": "up", "kind": "availability", "at_least": 0.99}]
    return Policy.model_validate({"objective": objective, **given})


def a_probe(moment: datetime, verdict: str = "kept", **given: Any) -> Probe:
    failure = "no connection" if verdict == "unavailable" else ""
    return Probe.model_validate(
        {"id": f"{moment.timestamp()}", "started_at": moment, "target": "x", "verdict": verdict, "failure": failure,
         "timeout_s": 60, "jitter_s": 3600, **given}
    )  # fmt: skip


def hourly(of: Callable[[int], str | None]) -> list[Probe]:
    """A probe at half past each hour of February, as `of` its number says; None is not a probe."""
    moments = [(START + n * HOUR + HOUR / 2, of(n)) for n in range(672)]
    return [a_probe(moment, verdict) for moment, verdict in moments if verdict is not None]


def judged(probes: list[Probe], policy: Policy | None = None, now: datetime = LATER, **given: Any) -> Judged:
    return judge_month(policy or a_policy(), FEBRUARY, probes, target="x", now=now, **given)


def at(day: int, hour: float) -> datetime:
    return START + timedelta(days=day - 1, hours=hour)


def test_an_outage_lies_between_known_moments() -> None:
    found = judged(hourly(lambda n: "unavailable" if 100 <= n < 104 or n == 300 else "kept"))
    period = found.period
    assert (period.counted, period.unavailable, period.single_failures) == (672, 5, 1)
    (outage,) = period.outages
    assert outage.first_bad - outage.last_good == outage.next_good - outage.last_bad == HOUR
    assert (outage.first_bad, outage.at_least_s, outage.at_most_s) == (at(5, 4.5), 3 * 3600, 5 * 3600)
    assert outage.failures == {"no connection": 4}
    assert (period.gap_s, period.unknown_share, period.every_s, period.every_learned) == (0, 0, 3600, True)
    states = {day.date: day.state for day in period.days}
    assert {date for date, state in states.items() if state != "good"} == {"2026-02-05", "2026-02-13"}
    assert (states["2026-02-05"], states["2026-02-13"]) == ("outage", "failures")
    assert period.days[4].availability == pytest.approx(20 / 24)


def test_how_many_in_a_row_are_an_outage_is_the_policys_word() -> None:
    probes = hourly(lambda n: "unavailable" if 100 <= n < 103 or n == 300 else "kept")
    assert len(judged(probes, a_policy(period={"outage_after": 1})).period.outages) == 2
    assert judged(probes, a_policy(period={"outage_after": 4})).period.outages == []


def test_bounds_of_a_month_without_failures_are_the_rule_of_three() -> None:
    """672 of 672 at 95%: the share is at least 0.05 ** (1 / 672)."""
    (objective,) = judged(hourly(lambda n: "kept")).objectives
    assert objective.low == pytest.approx(0.05 ** (1 / 672))
    assert (objective.high, objective.value, objective.verdict) == (1.0, 1.0, "holds")


def test_a_gap_is_a_gap_and_no_uptime() -> None:
    """Ten probes are missing: after one hour that the last one speaks for, ten hours to the next are unknown."""
    probes = hourly(lambda n: None if 200 <= n < 210 else "kept")
    found = judged(probes)
    (gap,) = found.period.gaps
    assert (gap.start, gap.end) == (at(9, 8.5), at(9, 18.5))
    assert found.period.unknown_share == pytest.approx(10 / 672)
    (objective,) = found.objectives
    assert objective.low == pytest.approx(0.05 ** (1 / 662) * (1 - 10 / 672))
    # All of 1.5% may have been down: no number of probes would show 99%.
    assert (objective.verdict, objective.value, objective.needed) == ("not enough evidence", 1.0, None)
    assert any("this is not uptime" in note for note in found.notes)
    assert found.period.days[8].gap_s == 10 * 3600
    tolerant = judged(probes, a_policy(period={"tolerated_gap_share": 0.02}))
    assert (tolerant.objectives[0].verdict, tolerant.period.unknown_share) == ("holds", 0)
    assert tolerant.period.gap_s == 10 * 3600


def test_what_may_all_have_been_good_is_not_broken() -> None:
    """10 of 472 failed, which is less than 99%; but if the 200 unwatched hours were good, it may be 99%."""
    few = hourly(lambda n: None if 400 <= n < 600 else "unavailable" if n % 50 == 0 else "kept")
    assert judged(few).objectives[0].verdict == "not enough evidence"
    tolerant = a_policy(period={"tolerated_gap_share": 0.2})
    fewer_gaps = hourly(lambda n: None if 500 <= n < 600 else "unavailable" if n % 40 == 0 else "kept")
    assert judged(fewer_gaps, tolerant).objectives[0].verdict == "broken"
    many = hourly(lambda n: None if 400 <= n < 600 else "unavailable" if n % 10 == 0 else "kept")
    assert judged(many).objectives[0].verdict == "broken"


def test_gaps_at_the_months_ends_count() -> None:
    period = judged(hourly(lambda n: "kept" if 48 <= n < 600 else None)).period
    assert [(gap.start, gap.end) for gap in period.gaps] == [(START, at(3, 0.5)), (at(26, 0.5), at(29, 0))]
    assert [day.state for day in period.days[:3]] == ["no data", "no data", "good"]


def test_a_gap_in_an_outage_leaves_it_one_of_which_the_watched_parts_are_sure() -> None:
    """Probes 100-102 and 120-123 failed: down 2 h + 3 h for sure, and at most from probe 99 to probe 124."""
    found = judged(hourly(lambda n: None if 103 <= n < 120 else "unavailable" if 100 <= n < 124 else "kept"))
    (outage,) = found.period.outages
    assert (outage.probes, outage.cuts, outage.first_bad, outage.last_bad) == (7, ["gap"], at(5, 4.5), at(6, 3.5))
    assert (outage.at_least_s, outage.at_most_s, found.period.down_s) == (5 * 3600, 25 * 3600, 5 * 3600)
    assert any("cut by a gap, counted once" in note for note in found.notes)
    assert [day.state for day in found.period.days[4:6]] == ["outage", "outage"]


def test_single_failures_on_both_sides_of_a_gap_are_no_outage() -> None:
    probes = hourly(lambda n: None if 103 <= n < 120 else "unavailable" if n in (102, 120) else "kept")
    period = judged(probes).period
    assert (period.outages, period.single_failures) == ([], 2)


def test_a_month_that_is_not_over_can_be_lost_but_not_won() -> None:
    now = at(22, 0)
    found = judged(hourly(lambda n: "kept"), now=now)
    assert (found.objectives[0].verdict, found.period.over, found.period.counted) == ("not enough evidence", False, 504)
    assert found.period.to_come_s == 7 * 86_400
    assert found.period.unknown_share == 0.25
    assert [day.state for day in found.period.days[20:23]] == ["good", "to come", "to come"]
    lost = judged(hourly(lambda n: "unavailable" if n % 5 == 0 else "kept"), now=now)
    assert lost.objectives[0].verdict == "broken"


WEEKLY = {"id": "w", "zone": "UTC", "weekday": "thursday", "start": "04:00:00", "end": "06:00:00"}


def test_windows_count_for_nothing_and_leave_an_outage_one() -> None:
    """5 February 2026 is a Thursday; down from two hours before the window to two hours after it."""
    probes = hourly(lambda n: "unavailable" if 98 <= n < 104 else "kept")
    found = judged(probes, a_policy(window=[WEEKLY]))
    period = found.period
    assert (period.excluded_s, period.total_s) == (4 * 7_200, 664 * 3600)
    assert (period.counted, period.unavailable, period.probes) == (664, 4, 672)
    (outage,) = period.outages
    assert (outage.probes, outage.cuts, outage.last_good, outage.next_good) == (4, ["window"], at(5, 1.5), at(5, 8.5))
    # 02:30 to 03:30 and 06:30 to 07:30 for sure; at most seven hours without the window's two.
    assert (outage.at_least_s, outage.at_most_s) == (2 * 3600, 5 * 3600)
    assert any("cut by a window, counted once" in note for note in found.notes)
    assert period.gap_s == 0
    whole_day = WEEKLY | {"start": "00:00:00", "end": "00:00:00", "end_weekday": "friday"}
    assert judged(probes, a_policy(window=[whole_day])).period.days[4].state == "excluded"


def test_a_vendor_seen_up_in_the_window_had_two_outages() -> None:
    probes = hourly(lambda n: "unavailable" if 98 <= n < 104 and n != 100 else "kept")
    before, after = judged(probes, a_policy(window=[WEEKLY])).period.outages
    assert (before.probes, before.next_good, after.probes, after.last_good) == (2, at(5, 4), 2, at(5, 6))
    assert before.cuts == after.cuts == []


def test_one_failed_probe_on_each_side_of_a_window_is_a_row_of_two() -> None:
    (outage,) = judged(
        hourly(lambda n: "unavailable" if 99 <= n < 103 else "kept"), a_policy(window=[WEEKLY])
    ).period.outages
    assert (outage.probes, outage.at_least_s, outage.at_most_s) == (2, 0, 3 * 3600)


def test_an_outage_over_the_months_end_counts_in_the_month_in_which_it_began() -> None:
    down = [a_probe(START + n * HOUR + HOUR / 2, "unavailable" if -2 <= n < 2 or n >= 670 else "kept")
            for n in range(-5, 675)]  # fmt: skip
    found = judged(down)
    first, last = found.period.outages
    assert (first.probes, first.began_before, first.goes_on) == (2, True, False)
    assert (last.probes, last.began_before, last.goes_on) == (2, False, True)
    assert (found.period.counted, found.period.begun) == (672, 1)
    assert any("counts in the one before" in note for note in found.notes)
    alone = judged([probe for probe in down if at(1, 0) <= probe.started_at < at(29, 0)])
    assert [outage.words for outage in alone.period.outages] == ["", ""]


def test_what_says_nothing_of_the_vendor_does_not_count() -> None:
    found = judged(hourly(lambda n: "unclear" if 10 <= n < 30 else "kept"))
    assert (found.period.unclear, found.period.counted, len(found.period.gaps)) == (20, 652, 1)
    assert any("20 probes say nothing" in note for note in found.notes)


def test_a_zones_month_has_its_own_hours() -> None:
    """October 2026 in Cairo begins at 21:00 UTC and has a day of 25 hours."""
    policy = a_policy(period={"zone": "Africa/Cairo"})
    begins = datetime(2026, 9, 30, 21, tzinfo=UTC)
    probes = [a_probe(begins + n * HOUR - HOUR / 2) for n in range(747)]
    found = judge_month(policy, parse_span("2026-10"), probes, target="x", now=LATER + timedelta(days=300))
    assert (found.period.counted, found.period.total_s) == (745, 745 * 3600)
    assert {day.date: day.probes for day in found.period.days}["2026-10-29"] == 25


def steps(*taken: tuple[int | None, float]) -> tuple[ProbeStep, ...]:
    return tuple(
        ProbeStep(step=name, status=status, response_us=int(ms * 1e3), service_us=int(ms * 1e3))
        for name, (status, ms) in zip(STEPS, taken, strict=False)
    )


def test_the_availability_of_one_step_is_that_of_the_requests_to_it() -> None:
    """30 of 672 probes met a 503 at the second upload, and 10 came to the third step."""
    to_third = steps((200, 5.0), (200, 5.0), (200, 1.0))
    to_second = {ok: steps((200, 5.0), (200 if ok else 503, 5.0)) for ok in (True, False)}
    probes = [
        a_probe(
            START + (n + 0.5) * HOUR, "unavailable" if n % 22 == 5 and n < 660 else "kept",
            steps=to_third if n % 70 == 0 else to_second[not (n % 22 == 5 and n < 660)],
        )
        for n in range(672)
    ]  # fmt: skip
    of = [{"id": name.replace("_", "-"), "kind": "availability", "step": name, "at_least": 0.99} for name in STEPS]
    found = judged(probes, a_policy(objective=of[:3]))
    front, back, third = found.objectives
    assert (front.verdict, front.samples, front.value) == ("holds", 672, 1.0)
    assert front.low == pytest.approx((0.05 / 3) ** (1 / 672))
    assert (back.verdict, back.samples) == ("broken", 672)
    assert back.value == pytest.approx(642 / 672)
    assert back.high is not None
    assert binomial_at_most(642, 672, back.high) == pytest.approx(0.05 / 3, rel=1e-3)
    assert (third.verdict, third.samples) == ("not enough evidence", 10)
    assert third.sentence.startswith("Requests to approve_front are answered")
    assert (found.budgets, found.period.allowed_down_s) == ([], None)


def test_what_was_waited_for_in_vain_was_slow_and_a_closed_door_was_not_fast() -> None:
    answered = a_probe(START, steps=steps((200, 5.0), (200, 6.0), (200, 1.0), (200, 1.0)), onboarding_us=14_000)
    waited = a_probe(START, "unavailable", steps=steps((200, 5.0), (None, 60_000.0)))
    closed = a_probe(START, "unavailable", steps=steps((None, 2.0)))
    refused = a_probe(START, "unavailable", steps=steps((503, 3.0)))
    assert [latency_us(p, "upload_front", "response") for p in (answered, waited, closed, refused)] == [
        5_000, 5_000, None, None,
    ]  # fmt: skip
    assert [latency_us(p, "upload_back", "response") for p in (answered, waited)] == [6_000, 60_000_000]
    assert latency_us(waited, "upload_back", "thinking") is None
    whole = [latency_us(p, "onboarding", "response") for p in (answered, waited, closed, refused)]
    assert whole == [14_000, 60_005_000, None, None]


def test_percentiles_come_from_the_days_histograms() -> None:
    slow = [a_probe(START + n * HOUR, steps=steps((200, 100.0 if n % 10 else 9_000.0))) for n in range(672)]
    latency = {"id": "p", "kind": "latency", "step": "upload_front", "limit_ms": 5_000}
    policy = a_policy(
        objective=[latency | {"id": "p80", "percentile": 80}, latency | {"id": "p95", "percentile": 95}],
        credit=[{"objective": "p95", "tiers": [{"above_ms": 5_000, "percent": 5}, {"above_ms": 9_500, "percent": 9}]}],
    )
    found = judged(slow, policy)
    assert [objective.verdict for objective in found.objectives] == ["holds", "broken"]
    assert found.objectives[0].value == pytest.approx(100, rel=1e-3)
    assert found.objectives[1].value == pytest.approx(9_000, rel=1e-3)
    assert (found.period.credit_percent, found.period.credit_shown) == (5, 5)
    (front,) = [latency for latency in found.period.latencies if latency.clock == "response"]
    assert front.count == 672
    assert front.p50 == pytest.approx(100, rel=1e-3)
    assert sum(len(values) for day in found.by_day.values() for values in day.values()) == 2 * 672
    # With a fifth of the month unknown a 95th percentile has no upper bound, and the 80th none either.
    few = judged([probe for n, probe in enumerate(slow) if n < 500], policy)
    assert [objective.high for objective in few.objectives] == [None, None]


def test_credits_are_owed_by_what_was_measured_and_shown_by_the_bound() -> None:
    tiers = [{"below": 0.99, "percent": 5}, {"below": 0.98, "percent": 10}, {"below": 0.9, "percent": 30}]
    credit = [{"objective": "up", "tiers": tiers}]
    found = judged(hourly(lambda n: "unavailable" if n % 40 == 0 else "kept"), a_policy(credit=credit)).period
    (owed,) = found.credits_owed
    # 17 of 672: 97.5% measured; the bound that is kindest to the vendor is 98.3%.
    assert (owed.measured, owed.percent, owed.shown) == ("97.470%", 10, 5)
    half = hourly(lambda n: "unavailable" if n % 2 else "kept")
    capped = judged(half, a_policy(credit=credit, period={"credit_cap": 20})).period
    assert (capped.credit_percent, capped.credit_shown) == (20, 20)
    assert judged(hourly(lambda n: "kept"), a_policy(credit=credit)).period.credit_percent == 0


def test_correctness_is_of_those_who_were_answered() -> None:
    policy = a_policy(objective=[{"id": "right", "kind": "correctness", "at_least": 0.9}])
    found = judged(hourly(lambda n: "unavailable" if n < 72 else "broken" if n < 132 else "kept"), policy)
    assert (found.objectives[0].samples, found.objectives[0].value) == (600, 0.9)


def test_too_little_to_say_anything_says_so() -> None:
    with pytest.raises(CannotJudge, match="no probe of 2026-02"):
        judged([a_probe(START - HOUR)])
    with pytest.raises(CannotJudge, match="--every"):
        judged([a_probe(START)])
    assert judged([a_probe(START)], every_s=3600).period.gap_s == 671 * 3600
    with pytest.raises(CannotJudge, match="no probe of 2026-02"):
        judged([a_probe(START)], now=START)


def test_the_verdict_on_a_fixed_month_errs_as_rarely_as_promised() -> None:
    """A month down for 1.1% in one stretch, or in many short ones, must hardly ever pass for 99%; nor one down for 0.9%
    for broken. What is random is where in its slot each probe falls."""
    rng = random.Random(4)
    for share, wrong in ((0.011, "holds"), (0.009, "broken")):
        for pieces in (1, 400):
            # Each slot's own share of being down: whole slots in one stretch, or a bit of many.
            down = share * 8_640
            chances = [1.0] * int(down) + [down % 1] if pieces == 1 else [down / pieces] * pieces
            seen = 0
            for _ in range(400):
                failed = sum(rng.random() < chance for chance in chances)
                seen += verdict_of(*bounds(8_640 - failed, 8_640, 1.0, 0.95), 0.99) == wrong
            assert seen <= binomial_quantile(0.9999, 400, 0.05)


def jittered(every_s: int, start: datetime, end: datetime, seed: int) -> list[datetime]:
    rng = random.Random(seed)
    slots = int((end - start).total_seconds() // every_s)
    return [start + timedelta(seconds=every_s * (slot + rng.random())) for slot in range(slots)]


NOVEMBER = parse_span("2026-11")
FIRST = datetime(2026, 11, 1, tzinfo=UTC)
MIDDLE, LAST = FIRST + timedelta(days=15), FIRST + timedelta(days=30)


def november(moments: dict[str, list[datetime]], down: Callable[[str, datetime], bool], **policy: Any) -> Judged:
    """Judged as a whole month of 30 days at 99.5%, which allows 216 minutes."""
    probes = [
        a_probe(moment, "unavailable" if down(prober, moment) else "kept", prober=prober, jitter_s=300,
                id=f"{prober}{moment.timestamp()}")
        for prober, of_prober in moments.items()
        for moment in of_prober
    ]  # fmt: skip
    objective = [{"id": "up", "kind": "availability", "at_least": policy.pop("at_least", 0.995)}]
    tiers = [{"below": 0.995, "percent": 5}, {"below": 0.99, "percent": 10}]
    given = a_policy(objective=objective, credit=[{"objective": "up", "tiers": tiers}], **policy)
    return judge_month(given, NOVEMBER, probes, target="x", now=FIRST + timedelta(days=40), every_s=300)


@pytest.mark.parametrize("rates", [(60, 300), (300, 60)], ids=["fast in the outage's half", "fast in the other half"])
def test_probes_speak_for_their_time_and_not_by_their_number(rates: tuple[int, int]) -> None:
    """360 minutes down of 43,200 is 99.167%, whichever half was probed five times as often."""
    moments = [*jittered(rates[0], FIRST, MIDDLE, 1), *jittered(rates[1], MIDDLE, LAST, 2)]
    start = FIRST + timedelta(days=3)
    found = november({"": moments}, lambda _, at: start <= at < start + 6 * HOUR)
    (objective,) = found.objectives
    assert objective.value == pytest.approx(1 - 6 / 720, abs=5e-4)
    assert objective.verdict == "broken"
    assert (found.period.credit_percent, found.period.credit_shown) == (5, 5)
    assert any("rate of the probes changed" in note for note in found.notes)


def test_probers_that_join_in_mid_month_do_not_dilute_an_outage() -> None:
    start = FIRST + timedelta(days=2)
    joined = {name: jittered(300, MIDDLE, LAST, seed) for seed, name in enumerate("bc")}
    found = november({"a": jittered(300, FIRST, LAST, 5), **joined}, lambda _, at: start <= at < start + 6 * HOUR)
    (objective,) = found.objectives
    assert objective.value == pytest.approx(1 - 6 / 720, abs=5e-4)
    assert (objective.verdict, found.period.credit_percent) == ("broken", 5)


def test_a_regular_month_weighs_each_probe_alike() -> None:
    found = november({"": jittered(300, FIRST, LAST, 4)}, lambda _, at: False)
    assert found.objectives[0].effective == 8_640
    assert not any("rate of the probes" in note for note in found.notes)


def test_a_cut_line_of_one_prober_is_no_outage_of_the_vendor() -> None:
    start = FIRST + timedelta(days=9)
    moments = {"a": jittered(300, FIRST, LAST, 1), "b": jittered(300, FIRST, LAST, 2)}
    found = november(moments, lambda prober, at: prober == "b" and start <= at < start + 12 * HOUR)
    assert (found.objectives[0].verdict, found.period.outages) == ("holds", [])
    assert found.period.credit_percent == 0
    assert {p.name: p.set_aside for p in found.period.by_prober} == {"a": 0, "b": 144}
    assert any("144 probes of b in a row met no answer" in note for note in found.notes)
    both = november(moments, lambda _, at: start <= at < start + 12 * HOUR)
    assert (both.objectives[0].verdict, len(both.period.outages)) == ("broken", 1)
    alone = november(moments, lambda p, at: p == "b" and start <= at < start + 12 * HOUR, period={"quorum": 0.4})
    assert alone.objectives[0].verdict == "broken"


@pytest.mark.parametrize("minutes", [60, 75])
def test_an_outage_is_bounded_by_its_first_and_last_failed_probe(minutes: int) -> None:
    """99.9% of November allows 43.2 minutes."""
    start = FIRST + timedelta(days=9)

    def lasting(down: float) -> Judged:
        end = start + timedelta(minutes=down)
        policy = {"objective": [{"id": "up", "kind": "availability", "at_least": 0.999}]}
        probes = [
            a_probe(moment, "unavailable" if start <= moment < end else "kept", jitter_s=300)
            for moment in jittered(300, FIRST, LAST, 5)
        ]
        now = FIRST + timedelta(days=40)
        return judge_month(a_policy(**policy), NOVEMBER, probes, target="x", now=now, every_s=300)

    found = lasting(minutes)
    assert found.objectives[0].verdict == "broken"
    assert 43.2 * 60 < found.period.down_s <= minutes * 60
    assert found.period.allowed_down_s == pytest.approx(43.2 * 60)
    # Of a month that is over, no probes can be had any more.
    (objective,) = lasting(40).objectives
    assert (objective.verdict, objective.needed) == ("not enough evidence", None)
    assert "the month is over" in objective.lacks


def test_one_failed_probe_proves_no_credit() -> None:
    found = november({"": [FIRST + timedelta(days=5)]}, lambda _, at: True)
    assert found.objectives[0].verdict == "not enough evidence"
    assert (found.period.credit_shown, found.period.credit_percent) == (0, 10)
    figures = [(value, name) for value, name, _ in month_of(found.period).figures]
    assert ("0%", "of the fee is owed, as proven") in figures
    assert ("10%", "by what was measured, not proven") in figures


@pytest.mark.parametrize("ms", [4_999.0, 5_000.0])
def test_a_cell_of_the_histogram_invents_no_breach(ms: float) -> None:
    """All uploads take 4,999 ms, or 5,000: the limit is 5,000, and the cell around it ends at 5,001.2."""
    slow = [a_probe(START + n * HOUR + HOUR / 2, steps=steps((200, ms))) for n in range(672)]
    policy = a_policy(
        objective=[{"id": "p", "kind": "latency", "step": "upload_front", "percentile": 95, "limit_ms": 5_000}],
        credit=[{"objective": "p", "tiers": [{"above_ms": 5_000, "percent": 5}]}],
    )
    found = judged(slow, policy)
    (objective,) = found.objectives
    assert (objective.verdict, objective.value, objective.high) == ("holds", ms, ms)
    assert (found.period.credit_percent, found.period.credit_shown) == (0, 0)


def test_a_clock_that_was_set_is_noted() -> None:
    def at_offset(n: int) -> Probe:
        offset = 3_600.0 if n > 300 else 0.0
        return a_probe(START + n * HOUR, clock_low_s=offset - 0.5, clock_high_s=offset + 0.5)

    assert any("was set, or drifted, by 3599 s" in note for note in judged([at_offset(n) for n in range(672)]).notes)
    assert not any("was set" in note for note in judged([at_offset(n) for n in range(290)]).notes)


@pytest.mark.parametrize(
    ("hours", "ago", "alerts"),
    [(0.0, 0, []), (0.5, 0, [1.0, 6.0, 72.0]), (2.0, 100, [])],
    ids=["up", "down for the last half hour", "down four days ago"],
)
def test_the_error_budget_and_how_fast_it_burns(hours: float, ago: int, alerts: list[float]) -> None:
    """Half an hour at 99.5%: of 1 h it burns 100 times too fast, of 6 h 17 times, of 72 h 1.4 times."""
    now = FIRST + timedelta(days=10)
    down = now - (ago + hours) * HOUR
    probes = [
        a_probe(moment, "unavailable" if timedelta() <= moment - down < hours * HOUR else "kept", jitter_s=300)
        for moment in jittered(300, FIRST, now, 3)
    ]
    policy = a_policy(objective=[{"id": "up", "kind": "availability", "at_least": 0.995}])
    found = judge_month(policy, NOVEMBER, probes, target="x", now=now, every_s=300)
    (budget,) = found.budgets
    assert budget.allowed_s == pytest.approx(216 * 60)
    assert budget.used_s == pytest.approx(hours * 3600, abs=600)
    assert budget.left == pytest.approx(1 - budget.used_s / (216 * 60))
    fired = [burn.long_s / 3600 for burn in budget.burns if burn.alerts]
    assert fired == alerts
    (recorded,) = found.period.budgets
    assert (recorded.objective, recorded.used_s, recorded.left) == ("up", budget.used_s, budget.left)
    assert [burn.long_s / 3600 for burn in recorded.burns if burn.alerts] == alerts
    (row,) = month_of(found.period).budgets
    assert sum(alerts for *_, alerts in row.burns) == len(alerts)
    assert (budget.ends_at is None) == (not alerts)


def sla(cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kycgate", "sla", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=90, check=False)


POLICY = (
    '[[objective]]\nid="up"\nkind="availability"\nat_least=0.99\n[period]\nmeasure="calendar month"\n'
    '[[credit]]\nobjective="up"\ntiers=[{below=0.98, percent=10}]\n'
)


def test_the_command_writes_a_run_that_every_reader_reads(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text(POLICY)
    with open_store(str(tmp_path / "probes.db"), create=True) as store:
        store.append(
            *hourly(lambda n: "unavailable" if n % 20 == 0 else "kept"), a_probe(START, target="y", id="other")
        )
    month = ("--period", "2026-02", "--store", "probes.db", "--policy", "policy.toml")
    several = sla(tmp_path, *month)
    assert (several.returncode, "say --target, one of x, y" in several.stderr) == (2, True)
    done = sla(tmp_path, *month, "--target", "x", "--out", "run")
    assert done.returncode == 1, done.stderr
    assert "credits owed: 10% of the fee" in done.stdout
    folder = RunFolder(tmp_path / "run")
    run = folder.read_run()
    assert run.period is not None
    assert (run.period.name, run.verdict, run.period.credit_percent) == ("2026-02", "broken", 10)
    assert len(read_probes((tmp_path / "run" / "probes.ndjson").read_text(), "probes")) == 672
    assert (tmp_path / "run" / "latency.hlog").read_text().startswith("#[")
    page = (tmp_path / "run" / "report.html").read_text()
    report = [sys.executable, "-m", "kycgate", "report", "run"]
    subprocess.run(report, cwd=tmp_path, check=True, capture_output=True, timeout=60)
    assert (tmp_path / "run" / "report.html").read_text() == page
    assert 'name="up"' in (tmp_path / "run" / "junit.xml").read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--period", "2026-02"], 2, "--store"),
        (["--period", "2026-2", "--store", "probes.db"], 2, "write a month like 2026-11"),
        (["--period", "2026-02", "--store", "absent.db"], 2, "no store absent.db"),
        (["--period", "2026-02", "--store", "probes.db", "run"], 2, "neither runs"),
        (["--period", "2026-02", "--store", "probes.db", "--target", "z"], 2, "no probe of z"),
        (["--period", "2025-02", "--store", "probes.db"], 3, "no probe of 2025-02"),
        (["--period", "2025-02", "--store", "probes.db", "--policy", "runs.toml"], 2, "measures a run"),
        ([], 2, "name the folders"),
    ],
)
def test_wrong_calls_get_one_line(tmp_path: Path, call: Call, arguments: list[str], code: int, says: str) -> None:
    (tmp_path / "policy.toml").write_text(POLICY)
    (tmp_path / "runs.toml").write_text(POLICY.replace("calendar month", "run"))
    with open_store(str(tmp_path / "probes.db"), create=True) as store:
        store.append(a_probe(START))
    ended, _, said = call("sla", "--policy", "policy.toml", *arguments)
    assert (ended, says in said, said.count("\n")) == (code, True, 1), said


def test_what_is_planted_in_a_generated_month_is_found(tmp_path: Path) -> None:
    """Outages, gaps, slow days, a window and a change of clocks, with credits that are known beforehand."""
    command = [sys.executable, str(ROOT / "benchmarks" / "month.py"), "--out", str(tmp_path), "--every", "600"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| 15% credit in all | 15% | yes |" in (tmp_path / "planted.md").read_text()
