"""The statistics behind a verdict, against values by hand, by enumeration, and by a seeded part of the proof."""

import importlib.util
import math
import random
import sys
from pathlib import Path
from statistics import NormalDist
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from kycgate.cli.main import app
from kycgate.errors import UsageError
from kycgate.runs.load_model import FieldReading
from kycgate.runs.model import ObjectiveResult
from kycgate.sla.blocks import MIN_SECONDS, Seconds, design_effect
from kycgate.sla.judge import judge
from kycgate.sla.martingale import ANYTIME, log_evidence
from kycgate.sla.needs import plan, too_short
from kycgate.sla.objectives import share_bounds
from kycgate.sla.policy import DEFAULT_POLICY, Policy
from kycgate.sla.recording import Recording
from kycgate.sla.sequential import Decider
from kycgate.tests.suite.distributions import student_quantile
from kycgate.tests.suite.recorded import histogram_of, write_load
from kycgate.tests.suite.shares import share

SIMULATION = Path(__file__).parents[3] / "benchmarks" / "sla_simulation.py"
FRONT = {"kind": "latency", "step": "upload_front", "percentile": 95, "limit_ms": 100}
STATED = FRONT | {"bursts_s": 0.5}


def a_policy(*objectives: dict[str, Any]) -> Policy:
    return Policy.model_validate({"objective": [{"id": f"o{n}", **o} for n, o in enumerate(objectives)]})


def judged(folder: Any, **objective: Any) -> ObjectiveResult:
    return judge(a_policy(objective), [Recording.read(folder)])[0]


class TestMartingale:
    @pytest.mark.parametrize(("good", "evidence"), [(0, 1.0), (1, 1 + 2 / math.pi), (2, 1.5 + 4 / math.pi)])
    def test_evidence_computed_by_hand(self, good: int, evidence: float) -> None:
        """Under Jeffreys' prior the share is the squared sine of an even angle: here one of 45 to 90 degrees."""
        assert math.exp(log_evidence(good, 0, 0.5)) == pytest.approx(evidence)

    @pytest.mark.parametrize("share", [0.5, 0.95, 0.999])
    def test_it_is_a_martingale_at_the_limit_and_falls_below_it(self, share: float) -> None:
        for good, bad in ((0, 0), (5, 3), (80, 2), (400, 30)):
            now, if_good, if_bad = (
                math.exp(log_evidence(*seen, share)) for seen in ((good, bad), (good + 1, bad), (good, bad + 1))
            )
            assert share * if_good + (1 - share) * if_bad == pytest.approx(now)
            less = share * 0.9
            assert less * if_good + (1 - less) * if_bad < now

    @pytest.mark.parametrize("test", [ANYTIME.above, ANYTIME.below])
    def test_the_chance_to_be_ever_wrong_is_below_the_promise(self, test: Any) -> None:
        """Exact: every path of 600 samples at the limit itself, followed by the number of failures."""
        share, miss, alive, wrong = 0.9, 0.05, np.array([1.0]), 0.0
        for n in range(1, 601):
            alive = np.append(alive, 0.0) * share + np.append(0.0, alive) * (1 - share)
            bad = np.arange(n + 1)
            decided = test(n - bad, bad, share) <= miss
            wrong += float(alive[decided].sum())
            alive[decided] = 0.0
        assert 0.01 < wrong <= miss

    def test_bounds_are_wider_than_those_of_a_fixed_sample(self) -> None:
        for good, n in ((0, 20), (100, 100), (900, 1_000)):
            low, high = share_bounds(good, n, 0.95, ANYTIME)
            fixed_low, fixed_high = share_bounds(good, n, 0.95)
            assert low <= fixed_low <= good / n <= fixed_high <= high

    def test_the_average_until_stopped_is_that_of_every_path(self) -> None:
        """`plan` jumps from one bound to the next; here each sample is followed."""
        share, miss, alive, average = 0.9, 0.05, np.array([1.0]), 0.0
        for n in range(1, 1_500):
            alive = np.append(alive, 0.0)[:200] * 0.95 + np.append(0.0, alive)[:200] * 0.05
            bad = np.arange(len(alive))
            shown = (bad <= n) & (ANYTIME.above(np.maximum(n - bad, 0), bad, share) <= miss)
            average += n * float(alive[shown].sum())
            alive[shown] = 0.0
        assert alive.sum() < 1e-5
        need = plan(a_policy({"kind": "availability", "at_least": share}))[0]
        assert need.early == pytest.approx(average, abs=1.5)


class TestBlocks:
    def test_a_design_effect_computed_by_hand(self) -> None:
        """Ten answers a second, all bad in every fourth: 60/59 of 1125 / (600 x 1/4 x 3/4); longer blocks vary less."""
        bad = np.where(np.arange(60) % 4 == 0, 10.0, 0.0)
        seconds = Seconds(np.full(60, 10.0), 10 - bad, np.zeros(60))
        allowance = (student_quantile(0.05, 59) / NormalDist().inv_cdf(0.05)) ** 2
        assert design_effect(seconds, 0.05) == pytest.approx(60 / 59 * 10 * allowance)

    def test_what_never_varies_has_none(self) -> None:
        full = np.full(60, 5.0)
        assert design_effect(Seconds(full, full, 0 * full, full * 3, full * 9), 0.05) == 1

    def test_failures_in_a_row_are_worth_less_than_those_alone(self, tmp_path: Path) -> None:
        """Two per cent of the answers are slow: one in each third second, or all in a few seconds."""
        alone = [[50.0] * 19 + [500.0 if second % 5 in (1, 3) else 50.0] for second in range(120)]
        together = [[500.0 if 50 <= second < 53 else 50.0] * 20 for second in range(120)]
        found = judged(write_load(tmp_path / "a", {"upload_front": alone}), **STATED)
        assert found.verdict == "holds"
        blocked = judged(write_load(tmp_path / "b", {"upload_front": together}), **STATED)
        assert blocked.verdict == "not enough evidence"
        assert blocked.effective is not None
        assert blocked.effective < 60
        assert "Korn and Graubard" in blocked.source
        assert "independent ones" in blocked.note

    def test_the_policy_may_say_how_long_answers_hang_together(self, tmp_path: Path) -> None:
        folder = write_load(tmp_path / "a", {"upload_front": [[50.0] * 20] * 90})
        assert judged(folder, **STATED).verdict == "holds"
        stated = judged(folder, **FRONT, bursts_s=2)
        assert (stated.verdict, stated.effective) == ("not enough evidence", 45)
        # This number of independent samples shows a 95th percentile, each of 2 s of 20.
        assert stated.needed == math.ceil(40 * math.log(0.05, 0.95)) - 1_800
        single = judged(folder, **FRONT, bursts_s=0)
        assert "as the policy says" in single.note
        assert single.stands_s == pytest.approx(90 / math.log(0.05, 0.95), rel=0.05)

    def test_a_short_run_cannot_tell(self, tmp_path: Path) -> None:
        found = judged(write_load(tmp_path / "a", {"upload_front": [[50.0] * 20] * 20}), **STATED)
        assert found.verdict == "not enough evidence"
        assert found.needed == (MIN_SECONDS - 20) * 20
        assert "too few to see" in found.note


class TestObjectives:
    def test_both_uploads_together(self, tmp_path: Path) -> None:
        seconds = {"upload_front": [[50.0] * 5] * 60, "upload_back": [[500.0] * 5] * 60}
        found = judged(write_load(tmp_path / "a", seconds), **{**STATED, "step": "upload", "percentile": 40})
        assert (found.samples, found.verdict) == (600, "holds")
        assert judged(write_load(tmp_path / "b", seconds), **{**STATED, "step": "upload"}).verdict == "broken"

    def test_intervals_are_order_statistics(self, tmp_path: Path) -> None:
        """The 6th and 15th of 20 bound the median at 97.5% (David and Nagaraja, 7.1); 97.5% is what two share."""
        folder = write_load(tmp_path / "a", {"upload_front": [[float(n) for n in range(1, 21)]]})
        policy = a_policy(*[{**FRONT, "percentile": 50, "bursts_s": 0}] * 2)
        found = judge(policy, [Recording.read(folder)])[0]
        assert (found.low, found.high) == pytest.approx((6, 15), rel=1e-3)
        assert found.value == pytest.approx(10, rel=1e-3)
        assert found.correction == "Bonferroni over 2 objectives"

    def test_at_a_stated_load(self, tmp_path: Path) -> None:
        """Slow only while 20 onboardings/s come, and the last answers end when no more come."""
        arrivals = [5] * 100 + [20] * 100
        latencies = [[50.0] * 5] * 100 + [[900.0] * 20] * 100 + [[3_000.0] * 10] * 5
        folder = write_load(tmp_path / "a", {"upload_front": latencies}, arrivals=arrivals)
        everywhere, loaded = judged(folder, **FRONT, bursts_s=0), judged(folder, **FRONT, bursts_s=0, at_rate=20)
        assert everywhere.samples == 2_550
        # Ten seconds of that load have passed in second 109; what took 900 ms was due in the second before its end.
        assert loaded.samples == 90 * 20 + 50
        assert loaded.verdict == "broken"
        assert "at 20 onboardings/s or more" in loaded.sentence
        never = judged(folder, **FRONT, at_rate=50)
        assert (never.verdict, never.samples) == ("not enough evidence", 0)
        assert "No second is recorded" in never.note
        shares = judged(folder, kind="availability", at_least=0.9, at_rate=20)
        assert shares.samples == 91 * 20 + 50

    def test_readings_count_pictures(self, tmp_path: Path) -> None:
        def readings(right: int, cards: int = 0) -> list[FieldReading]:
            return [
                FieldReading(
                    field=field, degradation=how, right=right if how == "blur" else 100, total=100, cards=cards
                )
                for field in ("idNumber", "fullName")
                for how in ("none", "blur")
            ]

        folder = write_load(tmp_path / "a", {"upload_front": [[1.0]]}, readings=readings(50))
        all_of_them = judged(folder, kind="reading", at_least=0.9)
        assert (all_of_them.samples, all_of_them.effective, all_of_them.verdict) == (400, 200, "broken")
        clear = judged(folder, kind="reading", at_least=0.9, degradation="none", field="idNumber")
        assert (clear.samples, clear.effective, clear.verdict) == (100, 100, "holds")
        blurred = judged(folder, kind="reading", at_least=0.9, degradation="blur")
        assert (blurred.samples, blurred.verdict) == (200, "broken")
        few = write_load(tmp_path / "b", {"upload_front": [[1.0]]}, readings=readings(50, cards=10))
        again = judged(few, kind="reading", at_least=0.9, degradation="none", field="idNumber")
        assert (again.samples, again.effective, again.verdict) == (100, 10, "not enough evidence")
        nothing = judged(folder, kind="reading", at_least=0.9, field="religion")
        assert (nothing.samples, nothing.verdict, nothing.needed) == (0, "not enough evidence", 29)


class TestSequential:
    def seconds(self, count: int, slow: float) -> list[list[float]]:
        rng = random.Random(11)
        return [[500.0 if rng.random() < slow else rng.uniform(10, 90) for _ in range(20)] for _ in range(count)]

    @pytest.mark.parametrize(("slow", "verdict"), [(0.005, "holds"), (0.2, "broken")])
    def test_the_decider_says_what_the_recorded_run_says(self, tmp_path: Path, slow: float, verdict: str) -> None:
        policy = a_policy(STATED, {"kind": "availability", "at_least": 0.9, "bursts_s": 0.5})
        seconds, decider = self.seconds(300, slow), Decider(policy)
        number = 0
        while not decider.decided:
            values, number = seconds[number], number + 1
            decider.add({("upload_front", "response"): histogram_of(values)}, len(values), 0, 0)
        assert MIN_SECONDS <= number < 120
        found = decider.results()
        assert [result.verdict for result in found] == [verdict, "holds"]
        folder = write_load(tmp_path / "a", {"upload_front": seconds[:number]}, stopped="every objective is decided")
        assert judge(policy, [Recording.read(folder)]) == found
        assert "Robbins 1970" in found[0].source

    def test_what_was_shown_stays_shown_but_for_a_breach(self, tmp_path: Path) -> None:
        policy = a_policy(STATED)
        good, bad = [[50.0] * 20] * 70, [[500.0] * 20] * 300
        folder = write_load(tmp_path / "a", {"upload_front": [*good, *bad[:10]]})
        assert judge(policy, [Recording.read(folder)], anytime=True)[0].verdict == "holds"
        assert judge(policy, [Recording.read(folder)])[0].verdict == "not enough evidence"
        folder = write_load(tmp_path / "b", {"upload_front": [*good, *bad]})
        assert judge(policy, [Recording.read(folder)], anytime=True)[0].verdict == "broken"

    def test_a_run_of_fixed_length_is_judged_by_exact_bounds(self, tmp_path: Path) -> None:
        folder = write_load(tmp_path / "a", {"upload_front": self.seconds(60, 0.0)})
        assert judged(folder, **FRONT).source.startswith("Clopper and Pearson 1934")


def test_files_that_disagree_are_damaged(tmp_path: Path) -> None:
    folder = write_load(tmp_path / "a", {"upload_front": [[50.0] * 20] * 60})
    log = folder.path / "latency.hlog"
    lines = log.read_text().splitlines(keepends=True)
    log.write_text("".join(lines[:-1]))
    with pytest.raises(UsageError, match="holds 1180 samples of upload_front, run.json 1200"):
        judged(folder, **FRONT)
    log.write_text("".join([*lines, lines[-1]]))
    with pytest.raises(UsageError, match="damaged"):
        judged(folder, **FRONT)
    log.write_text("".join(line.replace("upload_front,3.", "upload_front,99.") for line in lines))
    with pytest.raises(UsageError, match="goes on after second 60"):
        judged(folder, **FRONT)
    log.unlink()
    assert "could not be checked" in judged(folder, **FRONT).note


def test_the_plan_says_what_each_objective_needs(tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('[[objective]]\nid="p95"\nkind="latency"\nstep="upload"\npercentile=95\nlimit_ms=5000\n')
    done = CliRunner().invoke(app, ["sla", "--policy", str(policy), "--plan"])
    assert "p95: 59 uploads if none fails, 410 if half as many as may do" in done.stdout
    assert "with --until-decided 74, and 453 on average" in done.stdout
    assert "about 227 onboardings" in done.stdout
    assert "no run shows it: the policy does not state bursts_s" in done.stdout
    policy.write_text(policy.read_text() + "bursts_s=10\n")
    done = CliRunner().invoke(app, ["sla", "--policy", str(policy), "--plan", "--rate", "5"])
    assert "and at least 585 s, at whatever rate" in done.stdout
    assert "all of them, if none fails: kycgate load --rate 5 --duration 585" in done.stdout


@pytest.mark.parametrize("bursts_s", [0, 0.5, 2, 10])
@pytest.mark.parametrize("rate", [1, 5])
def test_plan_and_run_agree(tmp_path: Path, bursts_s: float, rate: int) -> None:
    """A run as long as planned, in which nothing fails, holds; one of a second less does not, which is said before."""
    policy = a_policy({**FRONT, "bursts_s": bursts_s})
    (need,) = plan(policy)
    seconds = math.ceil(need.lasts_s(rate))
    for length, verdict in ((seconds, "holds"), (seconds - 1, "not enough evidence")):
        folder = write_load(tmp_path / f"{length}", {"upload_front": [[50.0] * rate] * length})
        found = judge(policy, [Recording.read(folder)])[0]
        assert found.verdict == verdict
        assert (too_short(policy, rate, length) == []) == (verdict == "holds")
        assert bool(found.lacks) == (verdict != "holds")
        assert bool(found.stands_on) == (verdict == "holds")


def test_a_policy_that_states_nothing_says_what_would_do(tmp_path: Path) -> None:
    found = judged(write_load(tmp_path / "a", {"upload_front": [[50.0] * 20] * 900}), **FRONT)
    assert (found.verdict, found.needed) == ("not enough evidence", None)
    assert "does not state bursts_s" in found.lacks
    assert "with bursts_s = 10 a run of 590 s would do" in found.lacks
    (said,) = too_short(a_policy(FRONT), 20, 900)
    assert "does not state bursts_s" in said
    # Without its seconds a run shows nothing of it either: to delete latency.hlog earns no verdict.
    folder = write_load(tmp_path / "b", {"upload_front": [[50.0] * 20] * 900})
    (folder.path / "latency.hlog").unlink()
    assert judged(folder, **FRONT).verdict == "not enough evidence"


def test_the_default_policy_states_what_it_takes_for_granted(tmp_path: Path) -> None:
    """A minute of good answers says nothing of disturbances of 10 s; 800 s of them do (0.95**80 <= 0.05 / 3)."""
    for seconds, verdict in ((60, "not enough evidence"), (800, "holds")):
        quick = {"upload_front": [[50.0] * 5] * seconds, "upload_back": [[50.0] * 5] * seconds}
        found = judge(DEFAULT_POLICY, [Recording.read(write_load(tmp_path / f"{seconds}", quick))])
        assert {result.verdict for result in found} == {verdict}
    assert all("a disturbance lasts at most 10 s" in result.stands_on for result in found)


def test_an_unstated_objective_ends_no_run_early() -> None:
    decider = Decider(a_policy({"kind": "availability", "at_least": 0.5}))
    for _ in range(400):
        decider.add({}, 20, 20, 0)
    assert not decider.decided
    assert decider.results()[0].verdict == "broken"


@pytest.fixture(scope="module")
def simulation() -> ModuleType:
    spec = importlib.util.spec_from_file_location("sla_simulation", SIMULATION)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["sla_simulation"] = module
    spec.loader.exec_module(module)
    return module


def rows(module: ModuleType, *words: str) -> list[Any]:
    return [row for row in module.ROWS if any(word in row.vendor.words for word in words)]


@pytest.mark.parametrize(
    "words", share(["independent", "stalls of 30 s", "outages of 5 s", "a cycle of", "outages of 10 s"], 2)
)
def test_wrong_verdicts_are_as_rare_as_promised(simulation: ModuleType, words: str) -> None:
    """A seeded part of `benchmarks/sla_simulation.py`: fixed and early, stated and not."""
    from dataclasses import replace

    for number, full in enumerate(rows(simulation, words)):
        if not full.promised:
            continue
        row = replace(full, runs=simulation.CHUNK)
        found = simulation.run_row(row, number)
        assert not simulation.too_many(found["outside"], row.runs), row
        assert not simulation.too_many(found["inside"], row.runs), row


@pytest.mark.whole
def test_what_is_stated_can_be_shown(simulation: ModuleType) -> None:
    from dataclasses import replace

    stated = [row for row in simulation.ROWS if row.bursts_s and row.method.startswith("blocks") and not row.early]
    for number, row in enumerate(row for row in stated if row.vendor.stalls):
        assert simulation.run_row(replace(row, runs=simulation.CHUNK), number)["good"] > 0, row


def test_every_way_of_hanging_together_is_simulated(simulation: ModuleType) -> None:
    """Those of the findings: fixed and until decided, of which none may be promised away when it is unstated."""
    unstated = [row for row in simulation.ROWS if row.bursts_s is None and row.promised]
    for early in (False, True):
        names = {row.vendor.words for row in unstated if row.early is early}
        assert {f"outages of {n} s" for n in (1, 5, 10, 30)} <= names
        assert {f"AR(1), remembers {n} s" for n in ("0.5", "2", "10", "30", "60", "120")} <= names
        assert {f"a cycle of {words}" for words in ("60 s", "300 s", "a day")} <= names
        assert {"stalls of 30 s", "Pareto tail 1.1", "outages of 2 to 600 s, heavy-tailed"} <= names


@pytest.mark.parametrize("number", [0, 3])
def test_the_same_target_is_no_change_as_often_as_promised(simulation: ModuleType, number: int) -> None:
    from dataclasses import replace

    pair = replace(simulation.PAIRS[number], runs=60)
    assert not simulation.too_many(simulation.run_pair(pair, number).wrong, pair.runs)
