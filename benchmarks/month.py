"""A generated month with planted outages, gaps and slow days: what was planted beside what `kycgate sla` finds.

    uv run python benchmarks/month.py --out docs/month

Probes come at random moments of each `--every` seconds; the vendor of the plan below decides what becomes of each. The
month is judged by the command line against docs/policy.example.toml. Exits 1 when something planted is not found as
it was planted: an outage outside its bounds, a credit that is not owed, a gap that is not one.
"""

import argparse
import math
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from kycgate.probing import open_store
from kycgate.probing.probe import Probe, ProbeStep
from kycgate.runs.folder import RunFolder
from kycgate.runs.period import Outage, PeriodResult
from kycgate.sla.period import Interval, exclusions
from kycgate.sla.policy import Policy, load_policy
from kycgate.sla.spans import days_of, parse_span

MONTH = parse_span("2026-10")
POLICY = Path(__file__).parents[1] / "docs" / "policy.example.toml"
TARGET = "https://vendor.example"
STEPS = {"upload_front": 900.0, "upload_back": 700.0, "approve_front": 120.0, "approve_back": 110.0}
"""Median milliseconds of each step on a good day."""
SPREAD = 0.35
"""Sigma of their logarithms."""
SLOW_FRONT_MS = (5_600.0, 7_600.0)
CREDITS = {"availability": 10.0, "front-p95": 5.0}
"""Percent owed, by the plan: 1.8% down is below 99% and not 95%; 2 of 31 days put the p95 over 5 s, and not over 8."""


class Planted(NamedTuple):
    """What the vendor, or the prober, does in a stretch of local time."""

    what: str
    start: str
    end: str


PLAN = (
    Planted("down", "2026-10-06T10:02:10", "2026-10-06T19:14:40"),
    # Into the weekly window (Friday 02:00 to 04:00) and out of it: what lies in it does not count.
    Planted("down", "2026-10-16T01:20:00", "2026-10-16T04:40:00"),
    # Wholly within the window that was announced for this night.
    Planted("down", "2026-10-17T01:10:00", "2026-10-17T05:20:00"),
    Planted("no probes", "2026-10-22T06:00:00", "2026-10-22T09:00:00"),
    Planted("slow", "2026-10-26T00:00:00", "2026-10-28T00:00:00"),
    # Over the hour that comes twice as the clocks go back.
    Planted("down", "2026-10-29T22:40:00", "2026-10-30T00:30:00"),
)
SINGLE_FAILURES, BREACHES = 12, 9


def stretches(what: str, zone: str) -> list[Interval]:
    """The planted stretches of one kind, in UTC."""
    local = ZoneInfo(zone)
    ends = [
        [datetime.fromisoformat(text).replace(tzinfo=local).astimezone(UTC) for text in (one.start, one.end)]
        for one in PLAN
        if one.what == what
    ]
    return [Interval(start, end, what) for start, end in ends]


def generate(policy: Policy, every_s: int, seed: int) -> Iterator[Probe]:
    """The month's probes."""
    rng = random.Random(seed)
    zone = policy.period.zone
    days = days_of(MONTH, zone)
    moments = []
    slot = days[0].start
    while slot < days[-1].end:
        moments.append(slot + timedelta(seconds=rng.uniform(0, every_s)))
        slot += timedelta(seconds=every_s)
    down, slow, absent = (stretches(what, zone) for what in ("down", "slow", "no probes"))
    quiet = [n for n, moment in enumerate(moments) if not any(_in(moment, one) for one in (*down, *slow, *absent))]
    # One apart from the next: two in a row would be an outage.
    odd = rng.sample(quiet[1::3], SINGLE_FAILURES + BREACHES)
    failing, breaching = set(odd[:SINGLE_FAILURES]), set(odd[SINGLE_FAILURES:])
    for number, moment in enumerate(moments):
        if moment >= days[-1].end or any(_in(moment, one) for one in absent):
            continue
        common = {
            "id": f"{seed}-{number}", "started_at": moment, "target": TARGET, "prober": "cairo", "timeout_s": 60.0,
            "jitter_s": float(every_s), "clock_low_s": -0.6, "clock_high_s": 0.5, "kycgate_version": "generated",
        }  # fmt: skip
        if any(_in(moment, one) for one in down):
            yield Probe(verdict="unavailable", failure="no connection", failed_step="token", requests=1, **common)
            continue
        steps = list(_steps(rng, slow=any(_in(moment, one) for one in slow)))
        if number in failing:
            last = steps[0].model_copy(update={"status": 503, "failure": "status 503"})
            yield Probe(
                verdict="unavailable", failure="status 503", failed_step="upload_front", requests=2, uploads=1,
                steps=(last,), **common,
            )  # fmt: skip
            continue
        spent = sum(step.response_us for step in steps)
        broken = {"verdict": "broken", "failure": "contract", "breaches": ("result.back-fields",)}
        yield Probe.model_validate(
            {
                "verdict": "kept", "requests": 5, "uploads": 2, "steps": steps, "onboarding_us": spent,
                "duration_us": spent, **common, **(broken if number in breaching else {}),
            }
        )  # fmt: skip


def _in(moment: datetime, stretch: Interval) -> bool:
    return stretch.start <= moment < stretch.end


def _steps(rng: random.Random, *, slow: bool) -> Iterator[ProbeStep]:
    for name, median_ms in STEPS.items():
        ms = median_ms * math.exp(rng.gauss(0, SPREAD))
        if slow and name == "upload_front":
            ms = rng.uniform(*SLOW_FRONT_MS)
        us = int(ms * 1e3)
        yield ProbeStep(
            step=name, status=200, response_us=us, service_us=us - 90, sending_us=us // 20, reading_us=us // 100,
            thinking_us=us - us // 20 - us // 100,
        )  # fmt: skip


def compare(policy: Policy, period: PeriodResult, every_s: int) -> tuple[list[str], bool]:
    """Lines of a table, planted beside found; whether all agree."""
    local = ZoneInfo(period.zone)
    lines = ["| planted | found | agrees |", "| --- | --- | --- |"]
    agreed = True

    def row(planted: str, found: str, agrees: bool) -> None:
        nonlocal agreed
        agreed = agreed and agrees
        lines.append(f"| {planted} | {found} | {'yes' if agrees else '**no**'} |")

    def when(moment: datetime) -> str:
        return f"{moment.astimezone(local):%d %b %H:%M:%S}"

    whole = stretches("down", period.zone)
    excluded = {one: sum(w.seconds for w in exclusions(policy.window, one.start, one.end)) for one in whole}
    planted = [one for one in whole if excluded[one] < one.seconds]
    for one, found in zip(planted, [*period.outages, *[None] * len(planted)], strict=False):
        said = f"down {when(one.start)} to {when(one.end)} ({one.seconds / 60:.0f} min)"
        row(said, _outage_words(found, when) if found else "nothing", found is not None and _bounds_hold(one, found))
    row(f"{len(planted)} outages", f"{len(period.outages)}", len(planted) == len(period.outages))
    down_s = sum(one.seconds - excluded[one] for one in planted)
    least, most = sum(o.at_least_s for o in period.outages), sum(o.at_most_s for o in period.outages)
    row(f"{down_s / 3600:.2f} h down", f"{least / 3600:.2f} to {most / 3600:.2f} h", least <= down_s <= most)
    row(f"{SINGLE_FAILURES} single failures", f"{period.single_failures}", period.single_failures == SINGLE_FAILURES)
    row(f"{BREACHES} breaches of the contract", f"{period.broken}", period.broken == BREACHES)
    absent_s = sum(one.seconds for one in stretches("no probes", period.zone))
    near = abs(period.gap_s - absent_s) <= 2 * every_s
    row(f"{absent_s / 3600:.1f} h without probes", f"{period.gap_s / 3600:.2f} h of gaps", near)
    for credit in period.credits_owed:
        owed = CREDITS[credit.objective]
        row(
            f"{owed:g}% credit for {credit.objective}",
            f"{credit.percent:g}% at {credit.measured}",
            owed == credit.percent,
        )
    total = sum(CREDITS.values())
    row(f"{total:g}% credit in all", f"{period.credit_percent:g}%", total == period.credit_percent)
    return lines, agreed


def _bounds_hold(one: Interval, found: Outage) -> bool:
    return found.last_good <= one.start <= found.first_bad and found.last_bad <= one.end <= found.next_good


def _outage_words(found: Outage, when: object) -> str:
    assert callable(when)  # noqa: S101 - a local function
    return (
        f"began {when(found.last_good)} to {when(found.first_bad)}, ended {when(found.last_bad)} to "
        f"{when(found.next_good)}; {found.probes} probes"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=300, help="seconds from one probe to the next")
    parser.add_argument("--seed", type=int, default=6)
    parser.add_argument("--out", type=Path, help="where to put run.json, report.html, summary.md and planted.md")
    parser.add_argument("--keep", type=Path, help="where to put the whole run's folder")
    parser.add_argument("--store", help="fill this store instead of a new file")
    given = parser.parse_args()
    policy = load_policy(POLICY)
    with tempfile.TemporaryDirectory() as folder:
        where = given.store or str(Path(folder) / "probes.db")
        with open_store(where, create=True) as store:
            store.append(*generate(policy, given.every, given.seed))
        command = [
            sys.executable, "-m", "kycgate", "sla", "--period", MONTH.name, "--store", where,
            "--policy", str(POLICY), "--every", str(given.every), "--out", str(given.keep or f"{folder}/run"),
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        print(done.stdout, end="")
        if done.returncode not in (0, 1, 3):
            print(done.stderr, file=sys.stderr)
            return 1
        made = given.keep or Path(folder) / "run"
        run = RunFolder(made).read_run()
        assert run.period is not None  # noqa: S101 - the command has written it
        lines, agreed = compare(policy, run.period, given.every)
        print("\n".join(lines))
        if given.out is not None:
            given.out.mkdir(parents=True, exist_ok=True)
            for name in ("run.json", "report.html", "summary.md"):
                (given.out / name).write_bytes((made / name).read_bytes())
            head = (
                f"# A generated month\n\n`python benchmarks/month.py --every {given.every} --seed {given.seed}`, made "
                f"{datetime.now(UTC):%Y-%m-%d} by kycgate {run.kycgate_version}: what was planted in "
                f"{MONTH.first:%B %Y} ({policy.period.zone}), beside what `kycgate sla --period` finds.\n\n"
            )
            (given.out / "planted.md").write_text(head + "\n".join(lines) + "\n", encoding="utf-8")
    return 0 if agreed else 1


if __name__ == "__main__":
    sys.exit(main())
