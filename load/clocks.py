"""Counts latencies: an HdrHistogram for each step and clock, and what happened in each second."""

from collections import defaultdict
from pathlib import Path

from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogWriter

from kycgate.exchange import Clocks
from kycgate.run import LoadPoint, StepLatency

LOWEST_US, HIGHEST_US, DIGITS = 1, 120_000_000, 3
WHOLE = "onboarding"
_CLOCKS = ("response", "service", "waiting", "connecting", "sending", "thinking", "reading")


def new_histogram() -> HdrHistogram:
    """Microseconds from 1 µs to 120 s at 3 significant digits."""
    return HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS)


class Recorder:
    """All latencies of one run."""

    def __init__(self) -> None:
        self._histograms: dict[tuple[str, str], HdrHistogram] = defaultdict(new_histogram)
        self._seconds: dict[tuple[int, str], HdrHistogram] = defaultdict(new_histogram)
        self._started: dict[tuple[int, str], int] = defaultdict(int)
        self._failed: dict[tuple[int, str], int] = defaultdict(int)
        self.failures: dict[str, int] = defaultdict(int)
        self.upload_response_ms: list[float] = []

    def add(self, step: str, clocks: Clocks, start_ns: int, *, failed: bool, upload: bool = False) -> None:
        """Enter one answer; `start_ns` is the run's start on the same clock."""
        response = clocks.last_byte - clocks.due
        self._put(step, "response", response)
        self._put(step, "service", clocks.last_byte - clocks.sent)
        self._put(step, "waiting", clocks.sent - clocks.due)
        if clocks.body_sent is not None:
            begun = clocks.sent if clocks.connected is None else clocks.connected
            if clocks.connected is not None:
                self._put(step, "connecting", clocks.connected - clocks.sent)
            self._put(step, "sending", clocks.body_sent - begun)
            if clocks.first_byte is not None:
                self._put(step, "thinking", clocks.first_byte - clocks.body_sent)
                self._put(step, "reading", clocks.last_byte - clocks.first_byte)
        if upload:
            self.upload_response_ms.append(response / 1e6)
        self._in_second(step, clocks.due, clocks.last_byte, start_ns, response, failed=failed)

    def add_whole(self, due_ns: int, end_ns: int, start_ns: int, *, failed: bool) -> None:
        """Enter one onboarding from when it was due to its last answer."""
        self._put(WHOLE, "response", end_ns - due_ns)
        self._in_second(WHOLE, due_ns, end_ns, start_ns, end_ns - due_ns, failed=failed)

    def _put(self, step: str, clock: str, nanoseconds: int) -> None:
        self._histograms[step, clock].record_value(min(max(nanoseconds // 1000, LOWEST_US), HIGHEST_US))

    def _in_second(self, step: str, due: int, end: int, start: int, response: int, *, failed: bool) -> None:
        self._started[(due - start) // 10**9, step] += 1
        second = (end - start) // 10**9
        self._seconds[second, step].record_value(min(max(response // 1000, LOWEST_US), HIGHEST_US))
        if failed:
            self._failed[second, step] += 1
            self.failures[step] += 1

    def count(self, step: str, clock: str = "response") -> int:
        return int(self._histograms[step, clock].get_total_count())

    def percentile_ms(self, step: str, clock: str, percentile: float) -> float:
        return float(self._histograms[step, clock].get_value_at_percentile(percentile)) / 1e3

    def latencies(self) -> list[StepLatency]:
        """Every histogram's figures, each from the histogram itself."""
        return [
            StepLatency(
                name=step,
                clock=clock,
                count=histogram.get_total_count(),
                failures=self.failures[step] if clock == "response" else 0,
                mean=histogram.get_mean_value() / 1e3,
                p50=histogram.get_value_at_percentile(50) / 1e3,
                p90=histogram.get_value_at_percentile(90) / 1e3,
                p95=histogram.get_value_at_percentile(95) / 1e3,
                p99=histogram.get_value_at_percentile(99) / 1e3,
                p999=histogram.get_value_at_percentile(99.9) / 1e3,
                max=histogram.get_max_value() / 1e3,
                histogram=histogram.encode().decode("ascii"),
            )
            for (step, clock), histogram in sorted(
                self._histograms.items(), key=lambda item: (item[0][0], _CLOCKS.index(item[0][1]))
            )
            if histogram.get_total_count()
        ]

    def series(self) -> list[LoadPoint]:
        """One point for each second and step."""
        return [
            LoadPoint(
                second=second,
                step=step,
                started=self._started[second, step],
                finished=self._seconds[second, step].get_total_count(),
                failures=self._failed[second, step],
                p50=self._seconds[second, step].get_value_at_percentile(50) / 1e3,
                p95=self._seconds[second, step].get_value_at_percentile(95) / 1e3,
                max=self._seconds[second, step].get_max_value() / 1e3,
            )
            for second, step in sorted(set(self._seconds) | set(self._started))
        ]

    def write_hlog(self, path: Path, start_s: float) -> None:
        """The response times as a standard HdrHistogram log: one tagged interval a second and step."""
        with path.open("w", encoding="ascii") as file:
            writer = HistogramLogWriter(file)
            writer.output_log_format_version()
            # The library's own start line does not work in 0.10.8 (it calls datetime.iso_format).
            writer.output_comment(f"[StartTime: {start_s:.3f} (seconds since epoch)]")
            writer.output_base_time(start_s * 1e3)
            writer.output_legend()
            for (second, step), histogram in sorted(self._seconds.items()):
                # The library reads tags and does not write them.
                file.write(f"Tag={step},")
                writer.output_interval_histogram(histogram, start_time_stamp_sec=second, end_time_stamp_sec=second + 1)
