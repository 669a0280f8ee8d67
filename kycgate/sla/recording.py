"""What a recorded load run says second by second, and whether its files agree with each other."""

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Self

from kycgate.errors import UsageError
from kycgate.runs.folder import RunFolder
from kycgate.runs.load_model import WHOLE, LoadResult
from kycgate.runs.model import Run
from kycgate.sla.histograms import Cells, Counts, IntervalLog, decode, empty

_LONGEST_S = 40 * 86_400


class Answers(NamedTuple):
    """How many requests ended in one second, and how many of them badly."""

    requests: int = 0
    unavailable: int = 0
    wrong: int = 0


def tag_of(step: str, clock: str) -> str:
    """The tag in `latency.hlog`."""
    return step if clock == "response" else f"{step}.{clock}"


@dataclass(frozen=True)
class Recording:
    """A run, and its folder when there is one: without it there are no intervals."""

    run: Run
    folder: RunFolder | None = None

    @classmethod
    def read(cls, folder: RunFolder) -> Self:
        """What is recorded in `folder`.

        Raises:
            UsageError: there is no run, or it is damaged.
        """
        return cls(folder.read_run(), folder)

    @property
    def load(self) -> LoadResult:
        """The load part.

        Raises:
            UsageError: there is none, or its counts contradict each other.
        """
        load = self.run.load
        if load is None:
            raise UsageError("a run without load has nothing to say of an SLA: make one with `kycgate load`")
        if not 0 <= load.unavailable + load.wrong_answers <= load.requests:
            raise UsageError("a run's counts contradict each other: more answers failed than requests were sent")
        return load

    @property
    def stopped_by_its_outcome(self) -> bool:
        """Whether what was seen may have ended the run: then it is not a sample of fixed size."""
        return bool(self.load.stopped or self.run.options.get("until_decided"))

    def histogram(self, step: str, clock: str) -> Counts:
        """All samples of one step and clock, from run.json.

        Raises:
            UsageError: it is damaged.
        """
        counts = empty()
        for latency in self.load.latencies:
            if (latency.name, latency.clock) == (step, clock) and latency.histogram:
                held = decode(latency.histogram, f"{latency.name} ({latency.clock})")
                samples = int(held.sum())
                if samples != latency.count:
                    raise UsageError(
                        f"the histogram of {latency.name} is damaged: it holds {samples} samples, not {latency.count}"
                    )
                counts += held
        return counts

    @cached_property
    def _log(self) -> IntervalLog | None:
        path = self.folder.path / "latency.hlog" if self.folder is not None else None
        return IntervalLog(path) if path is not None and path.exists() else None

    def seconds(self, step: str, clock: str) -> dict[int, Cells] | None:
        """The same samples by the second in which they ended; None when they were not recorded so.

        Raises:
            UsageError: `latency.hlog` is damaged, or says otherwise than run.json.
        """
        if self._log is None:
            return None
        total = int(self.histogram(step, clock).sum())
        found = self._log.seconds(tag_of(step, clock))
        if found is None:
            # A run from before the other clocks were kept by the second has none of them.
            return None if total else {}
        held = sum(int(cells.counts.sum()) for cells in found.values())
        if held != total:
            raise UsageError(f"{self.name} is damaged: latency.hlog holds {held} samples of {step}, run.json {total}")
        if max(found) >= self.length_s:
            raise UsageError(f"{self.name} is damaged: latency.hlog goes on after second {self.length_s}, its last")
        return found

    def within(self, step: str, clock: str, limit_us: int) -> dict[int, int] | None:
        """By second, the samples in the cell that holds this limit that are within it; None if not counted."""
        for counted in self.load.limits:
            if (counted.step, counted.clock, counted.limit_us) == (step, clock, limit_us):
                return counted.within
        return None

    def answers(self, step: str | None = None) -> dict[int, Answers] | None:
        """What was answered in each second, of one step or of all; None when not all seconds add up to the totals."""
        whole = self._answers_of(None)
        sums = Answers(*(sum(column) for column in zip(*whole.values(), strict=True))) if whole else Answers()
        totals = Answers(self.load.requests, self.load.unavailable, self.load.wrong_answers)
        if not whole or sums != totals:
            return None
        return whole if step is None else self._answers_of(step)

    def _answers_of(self, step: str | None) -> dict[int, Answers]:
        by_second: dict[int, Answers] = defaultdict(Answers)
        for point in self.load.series:
            if point.step != WHOLE and step in (None, point.step):
                so_far = by_second[int(point.second)]
                by_second[int(point.second)] = Answers(
                    so_far.requests + point.finished,
                    so_far.unavailable + point.unavailable,
                    so_far.wrong + point.failures - point.unavailable,
                )
        return by_second

    def arrivals(self) -> dict[int, int]:
        """How many onboardings were due in each second."""
        return {int(point.second): point.started for point in self.load.series if point.step == WHOLE}

    @cached_property
    def length_s(self) -> int:
        """Seconds from the run's begin to its last answer.

        Raises:
            UsageError: they are more than any run has.
        """
        length = 1 + max((int(point.second) for point in self.load.series), default=-1)
        if length > _LONGEST_S or min((point.second for point in self.load.series), default=0) < 0:
            raise UsageError(f"{self.name} is damaged: a run of {length} s")
        return length

    @property
    def name(self) -> str:
        """For those who read."""
        return str(self.folder.path) if self.folder is not None else "a run"
