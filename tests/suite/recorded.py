"""Recorded load runs as `kycgate load` writes them, with latencies of our choice."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogWriter

from kycgate.load.clocks import Recorder
from kycgate.load.collect import Collector
from kycgate.load.plan import LoadPlan
from kycgate.runs.folder import RunFolder
from kycgate.runs.load_model import WHOLE, LoadPoint, LoadResult, StepLatency
from kycgate.runs.model import Run
from kycgate.target.exchange import Clocks


def histogram_of(latencies_ms: Sequence[float]) -> HdrHistogram:
    """On the grid of recorded runs."""
    histogram = HdrHistogram(1, 120_000_000, 3)
    for value in latencies_ms:
        histogram.record_value(max(int(value * 1e3), 1))
    return histogram


def step_latency(step: str, latencies_ms: Sequence[float], clock: Any = "response") -> StepLatency:
    """What run.json says of one step."""
    figures = dict.fromkeys(("mean", "p50", "p90", "p95", "p99", "p999", "max"), 0.0)
    histogram = histogram_of(latencies_ms).encode().decode()
    return StepLatency(name=step, clock=clock, count=len(latencies_ms), histogram=histogram, **figures)


def write_load(
    path: Path,
    seconds: Mapping[str, Sequence[Sequence[float]]],
    *,
    unavailable: Sequence[int] = (),
    wrong: Sequence[int] = (),
    arrivals: Sequence[int] = (),
    **load: Any,
) -> RunFolder:
    """A run with these latencies (ms) of each step in each second; the first step bears the failures."""
    folder = RunFolder.create(path, "load")
    series, first = [], next(iter(seconds))
    with (path / "latency.hlog").open("w", encoding="ascii") as file:
        writer = HistogramLogWriter(file)
        writer.output_log_format_version()
        writer.output_base_time(1_795_572_086_250.6)
        writer.output_legend()
        for step, by_second in seconds.items():
            for second, values in enumerate(by_second):
                down = unavailable[second] if step == first and unavailable else 0
                bad = wrong[second] if step == first and wrong else 0
                series.append(
                    LoadPoint(second=second, step=step, started=len(values), finished=len(values),
                              failures=down + bad, unavailable=down, p50=0, p95=0, max=0)
                )  # fmt: skip
                if values:
                    file.write(f"Tag={step},")
                    writer.output_interval_histogram(histogram_of(values), second, second + 1)
    for second, due in enumerate(arrivals):
        series.append(
            LoadPoint(second=second, step="onboarding", started=due, finished=due, failures=0, p50=0, p95=0, max=0)
        )
    steps = {step: [value for values in by_second for value in values] for step, by_second in seconds.items()}
    result = LoadResult(
        workload="", seed=0, duration_s=1, scheduled=0, recorded=0, series=series,
        requests=sum(len(values) for step, values in steps.items() if step != "onboarding"),
        unavailable=sum(unavailable), wrong_answers=sum(wrong),
        latencies=[step_latency(step, values) for step, values in steps.items()], **load,
    )  # fmt: skip
    folder.write_run(Run(command="load", verdict="kept", exit_code=0, load=result))
    return folder


SECOND = 10**9


def stalled(folder: Path, stall: range = range(5, 15), seconds: int = 20) -> LoadResult:
    """Two uploads are due each second; each takes 50 ms, those of the stall are answered at its end, one in error."""
    collector = Collector(
        LoadPlan(base_url="http://127.0.0.1", rate=2, duration_s=seconds), 1, folder / "latency.hlog", lambda _: None
    )
    recorder = Recorder()
    recorder.start_ns = 7 * SECOND
    ends: dict[int, list[tuple[int, int]]] = {}
    for due in range(seconds * 2):
        due_ns = due * SECOND // 2
        end_ns = stall.stop * SECOND if due // 2 in stall else due_ns + SECOND // 20
        ends.setdefault(end_ns // SECOND, []).append((due_ns, end_ns))
    for second in range(max(ends) + 1):
        for step in ("upload_front", WHOLE) * 2 if second < seconds else ():
            recorder.start(step)
        for due_ns, end_ns in ends.get(second, ()):
            clocks = Clocks(7 * SECOND + due_ns, 7 * SECOND + due_ns, 7 * SECOND + end_ns)
            bad = due_ns == stall.start * SECOND
            phases = recorder.add("upload_front", clocks, failed=bad, unavailable=bad, error="status 503")
            recorder.add_whole(phases, failed=bad, due_ns=clocks.due)
            recorder.counts.update(requests=1, uploads=1, due=1, begun=1, ended=1)
        collector.add(recorder.cut(second).model_copy(update={"last": second == max(ends)}))
    collector.close()
    return collector.outcome().result
