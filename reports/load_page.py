"""What the report says of a load beside its charts: its errors by status, and its worst seconds."""

from collections.abc import Sequence
from itertools import chain, zip_longest
from typing import Final, NamedTuple

from kycgate.reports.charts import in_order
from kycgate.runs.flow_model import RecordedFlow
from kycgate.runs.load_model import WHOLE, DuePoint, ErrorCount, LoadPoint, LoadResult

MOST_SECONDS: Final = 5
"""Rows of the worst seconds."""

_WORST: Final = 3
"""Entries of a ranking that the sentence above it names."""


class WorstSecond(NamedTuple):
    """One second of all steps together; `step` is the slowest, `slow_ms` its p99, in an old run its longest."""

    second: int
    finished: int
    failures: int
    step: str
    slow_ms: float
    why: str


def errors_of(flow: RecordedFlow, load: LoadResult) -> list[tuple[ErrorCount, str]]:
    """Each kind of error in the order of the flow, and which share of the step's answers it is."""
    order = [latency.name for latency in in_order(flow, load.latencies) if latency.clock == "response"]
    counts = {latency.name: latency.count for latency in load.latencies if latency.clock == "response"}
    return [
        (error, f"{error.count / counts[error.step]:.1%}" if counts.get(error.step) else "")
        for error in sorted(
            load.errors, key=lambda error: order.index(error.step) if error.step in order else len(order)
        )
    ]


def worst_seconds(load: LoadResult) -> list[WorstSecond]:
    """The seconds with most failures and the slowest ones in turns, as many as there is room for; in order of time."""
    by_second: dict[int, list[DuePoint | LoadPoint]] = {}
    for point in load.by_due or load.series:
        if point.step != WHOLE and point.finished:
            by_second.setdefault(int(point.second), []).append(point)
    seconds = [_second(number, points) for number, points in by_second.items()]
    failing = sorted((one for one in seconds if one.failures), key=lambda one: (-one.failures, one.second))
    slow = sorted(seconds, key=lambda one: (-one.slow_ms, one.second))
    both = chain.from_iterable(zip_longest(failing, slow))
    chosen = list(dict.fromkeys(one for one in both if one is not None))[:MOST_SECONDS]
    reasons = (("failures", failing[:_WORST]), ("slow", slow[:_WORST]))
    return [
        one._replace(
            why=" and ".join(name for name, ranked in reasons if one in ranked)
            or ("failures" if one.failures else "slow")
        )
        for one in sorted(chosen, key=lambda one: one.second)
    ]


def _second(number: int, points: Sequence[DuePoint | LoadPoint]) -> WorstSecond:
    def slow(point: DuePoint | LoadPoint) -> float:
        return point.p99 if isinstance(point, DuePoint) else point.max

    slowest = max(points, key=slow)
    finished, failures = sum(point.finished for point in points), sum(point.failures for point in points)
    return WorstSecond(number, finished, failures, slowest.step, slow(slowest), "")
