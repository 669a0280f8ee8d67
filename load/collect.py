"""Adds up what the generators send: exactly, since they send every single value.

Each second is closed when all workers have reported it, written to `latency.hlog` at once (a killed run keeps what it
learned), and added to the run's histograms.
"""

import contextlib
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TextIO, get_args

from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogWriter

from kycgate.files import no_links
from kycgate.load.clocks import MAX_EXAMPLES, SENDING_CLOCK, Errors
from kycgate.load.interval import GENERATOR, Breach, Interval
from kycgate.load.plan import Limit, LoadOutcome, LoadPlan
from kycgate.load.self_check import EVERY_S, MAX_CPU_SHARE, MAX_GC_MS, MAX_LAG_MS, MAX_SLIP_MS
from kycgate.load.sizes import fit, size_points
from kycgate.runs.load_model import (
    DIGITS,
    DUE,
    HIGHEST_US,
    LOWEST_US,
    WHOLE,
    Clock,
    DuePoint,
    ErrorCount,
    FieldReading,
    GeneratorHealth,
    LimitCount,
    LoadPoint,
    LoadResult,
    StepLatency,
)
from kycgate.runs.percentile import PERCENTILES, percentile_us, percentiles_us, rank_of

CLOCKS: tuple[Clock, ...] = get_args(Clock)
TURNED_AWAY = ("refused_photos", "registered", "throttled")
"""How an onboarding may end early by the target's right."""
ENDS = ("ended", "cut_off", *TURNED_AWAY)
"""How an onboarding may end."""
_COUNTS = (
    *("requests", "uploads", "other_requests", "other_uploads", "wrong", "due", "begun", "tokens", "bad_tokens"),
    *ENDS,
)
MAX_TURNED_AWAY = 0.01
"""The share of onboardings that may end as already registered, or throttled, in a load that was what it should be."""
LATE_S = 5
"""A second is closed without a worker that is so far behind; what it then still sends counts in a later one."""
HICCUP = 20
"""Late arrivals that end no run early, however short it is."""
OPEN_S = 600
"""So long after a second what was due in it may still end; what ends later counts in the oldest second still open."""
MAX_SIZE_SAMPLES = 20_000
_LIMITS_MS: dict[str, Callable[[], float]] = {"slip": lambda: MAX_SLIP_MS, "lag": lambda: MAX_LAG_MS}
"""Of the generator's own clocks; looked up when they are used."""
Histograms = dict[tuple[str, str], HdrHistogram]


LimitKey = tuple[str, str, int]
"""Step, clock, and the limit in microseconds."""


def new_histogram() -> HdrHistogram:
    return HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS)


def lowest_of_cell(limit_us: int) -> int:
    """The lowest value of the histogram's cell that holds the limit."""
    return int(_GRID.get_lowest_equivalent_value(limit_us))


def packed(histogram: HdrHistogram) -> str:
    """HdrHistogram V2, compressed, base64."""
    return str(histogram.encode().decode("ascii"))


_GRID = new_histogram()


class Second:
    """All workers' part of one second."""

    def __init__(self, number: int, limits: Sequence[Limit] = ()) -> None:
        self.number = number
        self._limits = limits
        self.within: Counter[LimitKey] = Counter()
        """Samples in the cell that holds the limit, and at most the limit."""
        self.histograms: Histograms = defaultdict(new_histogram)
        self.sums: Counter[tuple[str, str]] = Counter()
        self.started: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.unavailable: Counter[str] = Counter()
        self.in_flight: Counter[str] = Counter()
        self.requests = self.wrong = self.due = 0
        self.readings: Counter[tuple[str, str]] = Counter()
        self.read_right: Counter[tuple[str, str]] = Counter()
        self.late: Counter[str] = Counter()
        """The generator's own clocks beyond their limits."""

    def add(self, interval: Interval) -> None:
        for step, clock, values in interval.each():
            if step == GENERATOR and clock in _LIMITS_MS:
                limit_us = _LIMITS_MS[clock]() * 1e3
                self.late[clock] += sum(value > limit_us for value in values)
            record = self.histograms[step, clock].record_value
            for value in values:
                record(value)
            self.sums[step, clock] += sum(values)
            for limit_us in {limit.limit_us for limit in self._limits if limit.matches(step, clock)}:
                low = lowest_of_cell(limit_us)
                self.within[step, clock, limit_us] += sum(low <= value <= limit_us for value in values)
        self.started.update(interval.started)
        self.failures.update(interval.failures)
        self.unavailable.update(interval.unavailable)
        self.in_flight.update(interval.in_flight)
        self.requests += interval.requests
        self.wrong += interval.wrong
        self.due += interval.due
        for field, degradation, right, total in interval.readings:
            self.read_right[field, degradation] += right
            self.readings[field, degradation] += total

    def points(self) -> list[LoadPoint]:
        """One for each step that began or ended something."""
        found = []
        for step in sorted({step for step, clock in self.histograms if clock == "response"} | set(self.started)):
            histogram = self.histograms.get((step, "response"))
            p50, p95, longest = (
                (*percentiles_us(histogram, (50, 95)), histogram.max_value) if histogram is not None else (0, 0, 0)
            )
            found.append(
                LoadPoint(
                    second=self.number,
                    step=step,
                    started=self.started[step],
                    finished=histogram.get_total_count() if histogram is not None else 0,
                    failures=self.failures[step],
                    unavailable=self.unavailable[step],
                    p50=p50 / 1e3,
                    p95=p95 / 1e3,
                    max=longest / 1e3,
                )
            )
        return found


class ByDue:
    """Response times by the second in which they were due, each closed when nothing of it is awaited any more."""

    def __init__(self, write: Callable[[int, Mapping[str, HdrHistogram]], None]) -> None:
        self._write = write
        self._values: dict[int, dict[str, array[int]]] = {}
        self._failures: Counter[tuple[int, str]] = Counter()
        self._next = 0
        self.points: list[DuePoint] = []

    def add(self, interval: Interval) -> None:
        for step, second, value in interval.each_due():
            steps = self._values.setdefault(max(second, self._next), {})
            steps.setdefault(step, array("I")).append(value)
        for step, second, count in interval.due_failures:
            self._failures[max(second, self._next), step] += count

    def close_before(self, number: int) -> None:
        """Nothing that was due before this second is added to it any more."""
        for second in sorted(second for second in self._values if second < number):
            histograms = {}
            for step, values in sorted(self._values.pop(second).items()):
                histogram = histograms[step] = new_histogram()
                for value in values:
                    histogram.record_value(value)
                ordered = sorted(values)
                # As `percentiles_us` has them, which adds up the whole histogram.
                p50, p95, p99 = (
                    int(_GRID.get_highest_equivalent_value(ordered[rank_of(share, len(ordered)) - 1])) / 1e3
                    for share in (0.5, 0.95, 0.99)
                )
                self.points.append(
                    DuePoint(
                        second=second, step=step, finished=len(values), failures=self._failures.pop((second, step), 0),
                        p50=p50, p95=p95, p99=p99, max=histogram.max_value / 1e3,
                    )
                )  # fmt: skip
            self._write(second, histograms)
            for histogram in histograms.values():
                # See `Collector`: freed now, they never pile up.
                histogram.encoder = None
        self._next = max(self._next, number)

    def close(self) -> None:
        self.close_before(max(self._values, default=-1) + 1)


class HlogWriter:
    """A standard HdrHistogram log: one-second intervals, tagged `step` (its response time) or `step.clock`.

    They hold what ended in the second; those tagged `step.due` the response times of what was due in it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIO | None = None

    def write(self, start_s: float, second: Second) -> None:
        """Append one second; the file begins with the first."""
        if self._file is None:
            self._file = open(self._path, "w", encoding="ascii", opener=no_links)  # noqa: SIM115 - closed at the end
            self._writer = HistogramLogWriter(self._file)
            self._writer.output_log_format_version()
            # output_start_time and output_base_time of hdrh 0.10.8 ask for a timestamp type of its own.
            self._writer.output_comment(f"[StartTime: {start_s:.3f} (seconds since epoch)]")
            self._writer.output_base_time(start_s * 1e3)
            self._writer.output_legend()
        for (step, clock), histogram in sorted(second.histograms.items()):
            if step != GENERATOR:
                self._tagged(step if clock == "response" else f"{step}.{clock}", second.number, histogram)
        self._file.flush()

    def write_due(self, second: int, histograms: Mapping[str, HdrHistogram]) -> None:
        """Append what was due in one second that was written before."""
        if self._file is not None:
            for step, histogram in histograms.items():
                self._tagged(f"{step}.{DUE}", second, histogram)

    def _tagged(self, tag: str, second: int, histogram: HdrHistogram) -> None:
        # The library reads tags and does not write them.
        if self._file is not None:
            self._file.write(f"Tag={tag},")
            self._writer.output_interval_histogram(
                histogram, start_time_stamp_sec=second, end_time_stamp_sec=second + 1
            )

    def close(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()


class Collector:
    """The whole run, as far as it has come."""

    def __init__(self, plan: LoadPlan, workers: int, hlog: Path, on_second: Callable[[Second], None]) -> None:
        self.plan = plan
        self.workers = workers
        self.totals: Histograms = defaultdict(new_histogram)
        self._sums: Counter[tuple[str, str]] = Counter()
        self.failures: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self.in_flight: Counter[str] = Counter()
        self.void = ""
        self.stopped = ""
        self._late: Counter[str] = Counter()
        self._within: dict[LimitKey, dict[int, int]] = defaultdict(dict)
        self._hlog = HlogWriter(hlog)
        self._by_due = ByDue(self._write_due)
        self._on_second = on_second
        self._open: dict[int, Second] = {}
        self._next = 0
        self._reached: dict[int, int] = dict.fromkeys(range(workers), -1)
        self._series: list[LoadPoint] = []
        self._sizes: list[tuple[int, float, float | None]] = []
        self._size_step = 1
        self._size_count = 0
        self._readings: Counter[tuple[str, str]] = Counter()
        self._read_right: Counter[tuple[str, str]] = Counter()
        self._cards: dict[str, set[str]] = defaultdict(set)
        self._examples: list[str] = []
        self._errors = Errors()
        self._cpu: dict[int, list[float]] = defaultdict(list)
        self._start_s = 0.0
        self.start_ns = 0
        self._judged: dict[str, tuple[int, int]] = {}
        self._breaches: list[Breach] = []
        self.gone = False
        self._closed = False

    def add(self, interval: Interval) -> None:
        """One worker's interval."""
        if interval.void:
            self.void = self.void or interval.void
        self.stopped = self.stopped or interval.stopped
        if interval.start_wall:
            self._start_s = min(self._start_s or interval.start_wall, interval.start_wall)
            self.start_ns = min(self.start_ns or interval.start_ns, interval.start_ns)
            self._cpu[interval.worker].append(interval.cpu_share)
        for clause, (broken, observed) in interval.judged.items():
            before = self._judged.get(clause, (0, 0))
            self._judged[clause] = before[0] + broken, before[1] + observed
        self._breaches += interval.breaches
        self._errors.update(interval.errors)
        self._by_due.add(interval)
        self.gone = self.gone or interval.gone
        number = max(interval.second, self._next)
        self._open.setdefault(number, Second(number, self.plan.limits)).add(interval)
        for name in _COUNTS:
            self.counts[name] += getattr(interval, name)
        for sample in interval.sizes:
            self._keep_size(sample)
        for degradation, card in interval.cards:
            self._cards[degradation].add(card)
        self._examples += interval.examples[: MAX_EXAMPLES - len(self._examples)]
        self._reached[interval.worker] = 10**12 if interval.last else interval.second
        self._close_up_to(min(min(self._reached.values()), max(self._open) if interval.last else number))
        self._close_up_to(number - LATE_S)

    def _keep_size(self, sample: tuple[int, float, float | None]) -> None:
        """Every one, then every second, fourth, …: a bounded, even part of a long run."""
        self._size_count += 1
        if self._size_count % self._size_step == 0:
            self._sizes.append(sample)
        if len(self._sizes) > MAX_SIZE_SAMPLES:
            self._sizes = self._sizes[1::2]
            self._size_step *= 2

    def _close_up_to(self, number: int) -> None:
        while self._next <= number:
            second = self._open.pop(self._next, None) or Second(self._next)
            self._next += 1
            for key, histogram in second.histograms.items():
                self.totals[key].add(histogram)
            self._sums.update(second.sums)
            self._late.update(second.late)
            for limit, count in second.within.items():
                counted = self._within[limit]
                if count:
                    counted[second.number] = count
            self.failures.update(second.failures)
            self.counts["unavailable"] += second.unavailable.total()
            self.in_flight = second.in_flight
            self._readings.update(second.readings)
            self._read_right.update(second.read_right)
            self._series += second.points()
            try:
                self._hlog.write(self._start_s, second)
            except OSError as error:
                # What was measured until now is still told; that it is not all is told too.
                self.void = self.void or f"cannot write latency.hlog: {error.strerror}"
            self._on_second(second)
            self._by_due.close_before(self._next - OPEN_S)
            for histogram in second.histograms.values():
                # A histogram and its encoder hold each other, with 70 kB each: freed now, they never pile up.
                histogram.encoder = None

    def _write_due(self, second: int, histograms: Mapping[str, HdrHistogram]) -> None:
        try:
            self._hlog.write_due(second, histograms)
        except OSError as error:
            self.void = self.void or f"cannot write latency.hlog: {error.strerror}"

    def close(self) -> None:
        """No more will come."""
        if self._open:
            self._close_up_to(max(self._open))
        self._by_due.close()
        self._hlog.close()
        self._closed = True

    def readings(
        self, right: Mapping[tuple[str, str], int], total: Mapping[tuple[str, str], int]
    ) -> list[FieldReading]:
        """As they are recorded; the cards are those of the whole run so far."""
        return [
            FieldReading(
                field=field, degradation=how, right=right[field, how], total=count, cards=len(self._cards[how])
            )
            for (field, how), count in sorted(total.items())
        ]

    def percentile_ms(self, steps: Iterable[str], clock: str, percentile: float) -> float:
        """Of all so far; 0 where there is none."""
        whole = new_histogram()
        for step in steps:
            if (step, clock) in self.totals:
                whole.add(self.totals[step, clock])
        return percentile_us(whole, percentile) / 1e3

    def health(self) -> GeneratorHealth:
        """How the generators did, and why the run is void if it is (the limits stand in `kycgate.load.self_check`)."""
        cpu = max((sum(shares) / len(shares) for shares in self._cpu.values()), default=0.0)
        found = GeneratorHealth(
            loop_lag_p99_ms=self.percentile_ms([GENERATOR], "lag", 99),
            schedule_slip_p99_ms=self.percentile_ms([GENERATOR], "slip", 99),
            cpu_share=cpu,
            gc_pause_max_ms=self.percentile_ms([GENERATOR], "gc", 100),
            void=self.void,
        )
        if not found.void:
            found.void = self._why_not_started() or self._why_void(found) or self._why_not_the_load()
        return found

    def sure_to_be_void(self) -> str:
        """Why the run is void, as soon as nothing that is still to come can change it; empty while that is open.

        More than one in a hundred of all arrivals, or of all looks at the loop, was late already, and more than a few.
        """
        plan = self.plan
        whole = {"slip": plan.rate * plan.duration_s, "lag": self.workers * plan.duration_s / EVERY_S}
        if not any(late > max(0.01 * whole[clock], HICCUP) for clock, late in self._late.items()):
            return ""
        return self.health().void

    def _why_not_started(self) -> str:
        """Of a load that came to its end: why onboardings that were due did not start."""
        due, left = self.counts["due"], self.counts["due"] - self.counts["begun"]
        if not self._closed or self.stopped or left <= MAX_TURNED_AWAY * due:
            return ""
        return (
            f"{left:,} of {due:,} onboardings were due and had not started {self.plan.grace_s:g} s after the load's "
            "end: the target, or its token endpoint, serves fewer than the rate asks for; lower the rate"
        )

    def _why_void(self, health: GeneratorHealth) -> str:
        advice = "lower the rate, or give more cores (--processes) or machines (--master)"
        waited = self.percentile_ms([GENERATOR], "credential", 99)
        if health.schedule_slip_p99_ms > MAX_SLIP_MS:
            if waited > health.schedule_slip_p99_ms / 2:
                return (
                    f"onboardings waited {waited:.0f} ms at p99 for a credential (limit {MAX_SLIP_MS:.0f}): give more "
                    "keys, or lower the rate to what the token endpoint gives"
                )
            late = health.schedule_slip_p99_ms
            return f"the generator was {late:.0f} ms late at p99 (limit {MAX_SLIP_MS:.0f}): {advice}"
        if health.loop_lag_p99_ms > MAX_LAG_MS:
            lag = health.loop_lag_p99_ms
            return f"the generator's loop lagged {lag:.0f} ms at p99 (limit {MAX_LAG_MS:.0f}): {advice}"
        if health.cpu_share > MAX_CPU_SHARE:
            return f"the generator used {health.cpu_share:.0%} of a core (limit {MAX_CPU_SHARE:.0%}): {advice}"
        if health.gc_pause_max_ms > MAX_GC_MS:
            return f"garbage collection stopped the generator for {health.gc_pause_max_ms:.0f} ms: {advice}"
        return ""

    def _why_not_the_load(self) -> str:
        """Why the target did not get the load that was asked for, though no clause was broken."""
        begun, registered, throttled = (self.counts[name] for name in ("begun", "registered", "throttled"))
        if registered > MAX_TURNED_AWAY * begun:
            return (
                f"{registered} of {begun} onboardings ended as already registered (10103): show more people (--cards), "
                "or bring fresh ones"
            )
        if throttled > MAX_TURNED_AWAY * begun:
            return f"{throttled} of {begun} onboardings were throttled (429): lower the rate to what the target takes"
        return ""

    def outcome(self) -> LoadOutcome:
        """All of it."""
        counts, health = self.counts, self.health()
        under_way = counts["begun"] - sum(counts[end] for end in ENDS)
        measured = [(size, service) for size, service, _ in self._sizes]
        result = LoadResult(
            workload=self.plan.words,
            seed=self.plan.seed,
            duration_s=self.plan.duration_s,
            shape="steady" if self.plan.people else self.plan.shape,
            scheduled=counts["due"],
            recorded=counts["ended"] + sum(counts[end] for end in TURNED_AWAY),
            in_flight=under_way,
            not_started=counts["due"] - counts["begun"] + counts["cut_off"],
            wrong_answers=counts["wrong"],
            requests=counts["requests"],
            other_requests=counts["other_requests"],
            other_uploads=counts["other_uploads"],
            unavailable=counts["unavailable"],
            latencies=self._latencies(),
            series=self._series,
            by_due=self._by_due.points,
            errors=[ErrorCount(step=step, kind=kind, count=count) for step, kind, count in self._errors.rows()],
            limits=[
                LimitCount.model_validate({"step": step, "clock": clock, "limit_us": limit_us, "within": dict(counted)})
                for (step, clock, limit_us), counted in sorted(self._within.items())
            ],
            health=health,
            sending_clock=SENDING_CLOCK,
            readings=self.readings(self._read_right, self._readings),
            sizes=size_points(self._sizes),
            size_fit=fit(measured),
            stopped=self.stopped,
            workers=self.workers,
            tokens=counts["tokens"],
            extra={"start_monotonic_ns": self.start_ns, **{name: counts[name] for name in TURNED_AWAY}},
        )
        return LoadOutcome(
            result=result,
            requests=counts["requests"],
            uploads=counts["uploads"],
            unavailable=counts["unavailable"],
            wrong_examples=self._examples,
            judged=self._judged,
            breaches=self._breaches,
            gone=self.gone,
            void=health.void,
        )

    def _latencies(self) -> list[StepLatency]:
        """Every histogram's figures, each from the histogram itself."""
        found = []
        for (step, clock), histogram in sorted(
            self.totals.items(),
            key=lambda item: (item[0][0], CLOCKS.index(item[0][1]) if item[0][1] in CLOCKS else 99),
        ):
            if step == GENERATOR:
                continue
            p50, p90, p95, p99, p999 = (us / 1e3 for us in percentiles_us(histogram, [*PERCENTILES.values()]))
            found.append(
                StepLatency(
                    name=step,
                    clock=clock,
                    count=histogram.get_total_count(),
                    failures=self.failures[step] if clock == "response" else 0,
                    mean=self._sums[step, clock] / histogram.get_total_count() / 1e3,
                    p50=p50,
                    p90=p90,
                    p95=p95,
                    p99=p99,
                    p999=p999,
                    max=histogram.get_max_value() / 1e3,
                    histogram=packed(histogram),
                )
            )
        return found


__all__ = ["WHOLE", "Collector", "Second"]
