"""Whether a run's files agree with each other: what is derived is derived again from what is raw.

Raw are the intervals of `latency.hlog`, the exchanges and the probes; every figure that follows from them is made anew
and compared, as finely as the raw files tell. What follows from nothing that was recorded (how busy the generator was,
say) cannot be checked so.
"""

import math
import os
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from kycgate.errors import CannotJudge, ExitCode, UsageError
from kycgate.files import MOST_RECORD, read_text
from kycgate.probing.probe import read_probes
from kycgate.runs.clause import Verdict
from kycgate.runs.folder import RunFolder
from kycgate.runs.load_model import DUE, WHOLE, DuePoint, LoadPoint, LoadResult, StepLatency
from kycgate.runs.model import ObjectiveResult, Run
from kycgate.runs.period import PeriodResult
from kycgate.runs.verdict import exit_code_of
from kycgate.sla.histograms import Cells, Counts, IntervalLog, decode, edges, empty
from kycgate.sla.judge import judge
from kycgate.sla.latency import figures_of
from kycgate.sla.month import Judged, judge_month
from kycgate.sla.policy import Latency, MaxLatency, Policy
from kycgate.sla.probe_latency import counts_of_values
from kycgate.sla.recording import Recording, tag_of
from kycgate.sla.spans import parse_span
from kycgate.sla.steady import trends
from kycgate.target.clock import Offset, common_offset, offset_of
from kycgate.target.exchange import RecordedExchange

Intervals = Mapping[str, Mapping[int, Cells]]
_SAME = 1e-9
"""Relative: another version of a library may round the last digits otherwise."""


class Evidence:
    """The files of a run's folder, each read once."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.run = folder.read_run()
        self._judged: dict[Policy, tuple[list[ObjectiveResult], Judged | None]] = {}

    @cached_property
    def exchanges(self) -> list[RecordedExchange]:
        return self.folder.read_exchanges(whole=True)

    @cached_property
    def intervals(self) -> Intervals:
        """Those of latency.hlog.

        Raises:
            UsageError: it is damaged.
        """
        path = self.folder.path / "latency.hlog"
        log = IntervalLog(path) if os.path.lexists(path) else None
        return {tag: log.seconds(tag) or {} for tag in log.tags} if log is not None else {}

    def judged(self, policy: Policy) -> tuple[list[ObjectiveResult], Judged | None]:
        """The objectives, from the raw files alone; and the month, where there is one.

        Raises:
            UsageError: a file is damaged.
        """
        if policy not in self._judged:
            self._judged[policy] = self._judge(policy)
        return self._judged[policy]

    def _judge(self, policy: Policy) -> tuple[list[ObjectiveResult], Judged | None]:
        run = self.run
        if run.period is not None:
            month = self._judge_month(policy, run.period)
            return month.objectives, month
        return (judge(policy, [Recording(run, self.folder)]) if run.load is not None else []), None

    def _judge_month(self, policy: Policy, period: PeriodResult) -> Judged:
        every_s = None if period.every_learned else period.every_s
        try:
            probes = read_probes(
                read_text(self.folder.path / "probes.ndjson", MOST_RECORD, links=False), "probes.ndjson"
            )
            return judge_month(
                policy, parse_span(period.name), probes, target=period.target, now=period.judged_at, every_s=every_s
            )
        except (OSError, UnicodeDecodeError, CannotJudge) as error:
            raise UsageError(f"{self.folder.path} is damaged: probes.ndjson: {error}") from None

    def clock_offset(self) -> Offset | None:
        """How far the target's clock was from ours, by all recorded answers."""
        if self.run.period is not None:
            low, high = self.run.period.clock_low_s, self.run.period.clock_high_s
            return Offset(low, high) if low is not None and high is not None else None
        offsets = []
        for exchange in self.exchanges:
            headers = {name.lower(): value for name, value in exchange.answer_headers.items()}
            try:
                sent = datetime.fromisoformat(exchange.at)
            except ValueError:
                continue
            received = sent + timedelta(milliseconds=exchange.clocks.waiting_ms + exchange.clocks.service_ms)
            offsets.append(offset_of(headers.get("date"), sent, received))
        return common_offset(offsets)


def contradictions(evidence: Evidence) -> Iterator[str]:
    """Each place where two of the run's files, or two of its figures, say different things.

    Raises:
        UsageError: a file is damaged.
    """
    run = evidence.run
    yield from _verdict(run)
    yield from _exchanges(run, evidence.exchanges)
    if run.load is not None:
        yield from _load(run.load, evidence.intervals)
        if run.load.trends:
            recorded, derived = (
                [t.model_dump(mode="json") for t in each] for each in (run.load.trends, trends(run.load))
            )
            yield from differences(recorded, derived, "load.trends")
    if run.policy is None:
        return
    policy = parse_policy(run.policy, "run.json")
    yield from _limits(run, policy)
    objectives, month = evidence.judged(policy)
    yield from differences(_json(run.objectives), _json(objectives), "objectives")
    if month is not None and run.period is not None:
        again = month.period.model_copy(update={"store": run.period.store})
        if not run.period.budgets:
            again.budgets = []  # a month that was judged before they were kept
        yield from differences(run.period.model_dump(mode="json"), again.model_dump(mode="json"), "period")
        yield from _days(month, evidence.intervals)
        sent = (run.requests_sent, run.uploads_sent)
        if sent != month.sent:
            yield f"requests_sent and uploads_sent are {sent}; the probes say {month.sent}"


def _limits(run: Run, policy: Policy) -> Iterator[str]:
    """What samples were compared with while they were recorded: limits of the policy, and no others."""
    promised = [one for one in policy.objective if isinstance(one, Latency | MaxLatency)]
    for counted in run.load.limits if run.load is not None else ():
        if not any(
            counted.step in one.steps_among([counted.step])
            and (counted.clock, counted.limit_us) == (one.clock, one.limit_us)
            for one in promised
        ):
            yield f"load.limits has {counted.limit_us} us of {counted.step} ({counted.clock}), which the policy has not"


def parse_policy(raw: Any, where: str) -> Policy:
    """The policy that a run was judged by.

    Raises:
        UsageError: it is none.
    """
    try:
        return Policy.model_validate(raw)
    except ValidationError as error:
        raise UsageError(f"the policy in {where} is damaged: {error.errors()[0]['msg']}") from None


def differences(one: Any, other: Any, where: str) -> Iterator[str]:
    """Where two JSON values differ by more than a rounding: what is recorded, and what follows from the raw files."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        for key in one:
            yield from differences(one[key], other[key], f"{where}.{key}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for place, pair in enumerate(zip(one, other, strict=True)):
            yield from differences(*pair, f"{where}.{place}")
    elif isinstance(one, float) and isinstance(other, float | int) and not isinstance(other, bool):
        if not math.isclose(one, other, rel_tol=_SAME, abs_tol=_SAME):
            yield f"{where} is {one!r}; the raw files say {other!r}"
    elif one != other:
        yield f"{where} is {_brief(one)}; the raw files say {_brief(other)}"


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"


def _json(models: list[ObjectiveResult]) -> list[Any]:
    # Whether a breach is new is a matter of an earlier run.
    return [model.model_dump(mode="json", exclude={"change"}) for model in models]


def _verdict(run: Run) -> Iterator[str]:
    drift = run.drift if run.fail_on_drift else ()
    code, _ = exit_code_of(
        run.clauses, run.objectives, strict=run.strict, drift=drift, promised=run.options.get("policy", True)
    )
    # Whatever stood in the way of a whole judgement makes a kept run unclear, and no broken one kept.
    allowed = {code} if code is not ExitCode.KEPT else {ExitCode.KEPT, ExitCode.UNCLEAR}
    if run.exit_code not in allowed:
        yield f"exit_code is {run.exit_code}; clauses and objectives say {int(code)}"
    elif run.verdict != ExitCode(run.exit_code).word:
        yield f"verdict is {run.verdict!r}; exit code {run.exit_code} says {ExitCode(run.exit_code).word!r}"
    for clause in run.clauses:
        if (clause.verdict is Verdict.BROKEN) != (clause.broken > 0) or clause.broken > clause.observed:
            yield f"{clause.id} is {clause.verdict}, with {clause.broken} of {clause.observed} observations broken"


def _exchanges(run: Run, exchanges: list[RecordedExchange]) -> Iterator[str]:
    recorded = {exchange.number: exchange for exchange in exchanges}
    for clause in run.clauses:
        for finding in clause.findings:
            if finding.exchange is not None and recorded.get(finding.exchange.number) != finding.exchange:
                number = finding.exchange.number
                yield f"a finding of {clause.id} shows exchange {number} otherwise than exchanges.ndjson"
    if not run.complete or run.period is not None:
        return
    # Those of the load that show a breach are counted with the load.
    own = [exchange for exchange in recorded.values() if exchange.test != "load"]
    series = run.load.series if run.load is not None else []
    load, uploads = (run.load.requests_sent, run.load.other_uploads) if run.load is not None else (0, 0)
    uploads += sum(point.finished for point in series if point.step.startswith("upload"))
    pictures = sum(exchange.picture is not None for exchange in own)
    for name, said, one, other in (
        ("requests_sent", run.requests_sent, len(own), load),
        ("uploads_sent", run.uploads_sent, pictures, uploads),
    ):
        if said != one + other:
            yield f"{name} is {said}; recorded are {one} in exchanges.ndjson and {other} of load"


def _load(load: LoadResult, intervals: Intervals) -> Iterator[str]:
    for latency in load.latencies:
        name = f"latencies of {latency.name} ({latency.clock})"
        counts = decode(latency.histogram, name)
        yield from _figures(latency, counts, name)
        if (counts != _sum(intervals.get(tag_of(latency.name, latency.clock), {}))).any():
            yield f"{name}: the histogram is not the sum of its intervals in latency.hlog"
    shown = {tag_of(latency.name, latency.clock) for latency in load.latencies}
    shown |= {f"{latency.name}.{DUE}" for latency in load.latencies if latency.clock == "response"}
    for tag in sorted(intervals.keys() - shown):
        yield f"latency.hlog has intervals tagged {tag}; run.json has no such histogram"
    yield from _series(load, intervals)
    yield from _by_due(load, intervals)


def _figures(recorded: StepLatency | LoadPoint | DuePoint, counts: Counts, name: str) -> Iterator[str]:
    """Count and percentiles are the histogram's own; mean and maximum, kept exactly, lie where its cells allow."""
    again = figures_of(counts)
    count = "finished" if isinstance(recorded, LoadPoint | DuePoint) else "count"
    keys = [key for key in again if key.startswith("p") and hasattr(recorded, key)]
    figures = {key: getattr(recorded, key) for key in (count, *keys)}
    yield from differences(figures, {count: again["count"], **{key: again[key] for key in keys}}, name)
    places = counts.nonzero()[0]
    if not places.size:
        return
    lowest, highest = (edge[places] / 1e3 for edge in edges())
    allowed = {"max": (lowest[-1], highest[-1])}
    if isinstance(recorded, StepLatency):
        total = counts[places].sum()
        allowed["mean"] = (lowest @ counts[places] / total, highest @ counts[places] / total)
    for key, (low, high) in allowed.items():
        if not low * (1 - _SAME) <= getattr(recorded, key) <= high * (1 + _SAME):
            yield f"{name}.{key} is {getattr(recorded, key)!r}; the raw files say {low:.6g} to {high:.6g}"


def _series(load: LoadResult, intervals: Intervals) -> Iterator[str]:
    seen = set()
    for point in load.series:
        key = (int(point.second), point.step)
        name = f"second {key[0]} of {point.step}"
        if key in seen or point.second != key[0]:
            yield f"second {point.second!r} of {point.step} is not a whole second, or is there twice"
        if not 0 <= point.unavailable <= point.failures <= point.finished:
            yield f"{name}: {point.unavailable} unavailable of {point.failures} failures of {point.finished} that ended"
        seen.add(key)
        cells = intervals.get(tag_of(point.step, "response"), {}).get(key[0])
        yield from _figures(point, _sum({} if cells is None else {0: cells}), name)
    held = {(second, tag) for tag, seconds in intervals.items() if "." not in tag for second in seconds}
    for second, step in sorted(held - seen):
        yield f"second {second} of {step} is in latency.hlog, and not in run.json"
    if Recording(Run(command="load", verdict="unclear", exit_code=3, load=load)).answers() is None and load.requests:
        yield "requests, unavailable and wrong_answers are not the sums of the seconds"
    for latency in load.latencies:
        failures = sum(point.failures for point in load.series if point.step == latency.name)
        errors = sum(error.count for error in load.errors if error.step == latency.name)
        if load.errors and latency.clock == "response" and latency.name != WHOLE and errors != failures:
            yield f"{errors} errors of {latency.name}; the seconds have {failures} failures"
        if latency.failures != (failures if latency.clock == "response" else 0):
            yield f"{latency.failures} failures of {latency.name} ({latency.clock}); the seconds have {failures}"


def _by_due(load: LoadResult, intervals: Intervals) -> Iterator[str]:
    """What was due in each second is in latency.hlog, and is in all what ended."""
    seen = set()
    for point in load.by_due:
        key, name = (int(point.second), f"{point.step}.{DUE}"), f"{point.step} due in second {point.second:g}"
        if key in seen or point.second != key[0] or not point.failures <= point.finished:
            yield f"{name} is there twice, is not a whole second, or failed more often than it ended"
        seen.add(key)
        cells = intervals.get(key[1], {}).get(key[0])
        yield from _figures(point, _sum({} if cells is None else {0: cells}), name)
    held = {(second, tag) for tag, seconds in intervals.items() if tag.endswith(f".{DUE}") for second in seconds}
    for second, tag in sorted(held - seen):
        yield f"second {second} of {tag} is in latency.hlog, and not in run.json"
    for latency in load.latencies if load.by_due else ():
        if latency.clock != "response":
            continue
        raw = intervals.get(f"{latency.name}.{DUE}", {})
        if (_sum(raw) != _sum(intervals.get(latency.name, {}))).any():
            yield f"{latency.name}: what was due in all seconds is not what ended in all of them"
        failures = sum(point.failures for point in load.by_due if point.step == latency.name)
        if failures != latency.failures:
            yield f"{latency.failures} failures of {latency.name}; by the seconds in which they were due {failures}"


def _days(month: Judged, intervals: Intervals) -> Iterator[str]:
    """The days' histograms in latency.hlog, against those of the probes."""
    for day in month.period.days:
        midnight = datetime.fromisoformat(day.date).replace(tzinfo=ZoneInfo(month.period.zone))
        second = round((midnight - month.period.start).total_seconds())
        for (step, clock), values in month.by_day[day.date].items():
            held = intervals.get(tag_of(step, clock), {}).get(second)
            if held is None or (_sum({0: held}) != counts_of_values(values)).any():
                yield f"latency.hlog, {day.date}: {step} ({clock}) is not what the probes say"


def _sum(seconds: Mapping[int, Cells]) -> Counts:
    counts = empty()
    for cells in seconds.values():
        counts[cells.places] += cells.counts
    return counts
