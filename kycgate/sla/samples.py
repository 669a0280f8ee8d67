"""The samples of one objective as they come: second by second, from a run that goes on or from a recorded one."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kycgate.errors import UsageError
from kycgate.runs.load_model import FieldReading
from kycgate.sla.blocks import Seconds
from kycgate.sla.histograms import Cells, edges, empty
from kycgate.sla.policy import Availability, Latency, Reading, Sampled
from kycgate.sla.recording import Answers, Recording

RATE_WINDOW_S = 10
Row = tuple[float, float, float, float, float]
_NOTHING: Row = (0.0, 0.0, 0.0, 0.0, 0.0)


class Arrivals:
    """Whether the stated load was on: its onboardings a second were due over the last `RATE_WINDOW_S` seconds."""

    def __init__(self, at_rate: float | None) -> None:
        self._at_rate = at_rate
        self._counts: list[int] = []
        self._on: list[bool] = []

    def add(self, arrivals: int) -> None:
        """Enter the next second."""
        self._counts.append(arrivals)
        recent = self._counts[-RATE_WINDOW_S:]
        # Less than one arrival is a matter of where the second's border falls.
        enough = self._at_rate is None or sum(recent) > self._at_rate * len(recent) - 1
        # What ends after the last arrival was due under the load before.
        self._on.append(enough if arrivals or not self._on else self._on[-1])

    def now(self) -> bool:
        """In the second entered last."""
        return self._on[-1]

    def ago(self, seconds: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Seconds before the middle of the second entered last."""
        then = np.floor(len(self._on) - 0.5 - seconds).astype(int)
        on: NDArray[np.bool_] = np.asarray(self._on)[np.clip(then, 0, len(self._on) - 1)]
        return on


class Samples:
    """What was seen of one objective.

    `seconds` is empty when the runs do not hold their seconds (`timed` is false then), and for readings.
    """

    def __init__(self, objective: Sampled) -> None:
        self.objective = objective
        self.timed = not isinstance(objective, Reading)
        self.total = self.good = self.unclear = 0
        self.counts = empty()
        self._rows: list[Row] = []
        self._arrivals = Arrivals(None if isinstance(objective, Reading) else objective.at_rate)
        self._fields: dict[tuple[str, str], int] = defaultdict(int)
        self._different: dict[str, int] = defaultdict(int)

    @property
    def length_s(self) -> int:
        """Seconds that count."""
        return len(self._rows)

    def seconds(self) -> Seconds:
        """Second by second."""
        columns = np.array(self._rows or [_NOTHING], dtype=float).T
        if isinstance(self.objective, Latency):
            return Seconds(*columns)
        return Seconds(*columns[:3])

    @property
    def alike(self) -> float:
        """How many samples count as one, whatever time says.

        The fields of one card are read from one picture, and the same picture read again says nothing new.
        """
        if not isinstance(self.objective, Reading) or not self.total:
            return 1.0
        pictures: dict[str, int] = defaultdict(int)
        for (_, degradation), total in self._fields.items():
            pictures[degradation] = max(pictures[degradation], total)
        return self.total / sum(min(n, self._different.get(how) or n) for how, n in pictures.items())

    def add_second(
        self,
        latencies: Sequence[tuple[Cells, int | None]],
        answers: Answers,
        readings: Sequence[FieldReading],
        arrivals: int,
    ) -> None:
        """Enter the next second; `latencies` are those of the objective's steps and clock that ended in it, each with
        how many in the cell that holds the limit are within it (None where they were not counted).

        Raises:
            UsageError: more are within it than there are in that cell.
        """
        self._arrivals.add(arrivals)
        if isinstance(self.objective, Reading):
            self.add_readings(readings)
            return
        row = _NOTHING
        if isinstance(self.objective, Latency):
            for cells, within in latencies:
                # A sample belongs to the load that was on when it was due, not when it ended.
                due = self._arrivals.ago(_middle(cells.places) / 1e6)
                row = _sum(row, self._latencies(Cells(cells.places[due], cells.counts[due]), within))
        elif self._arrivals.now():
            row = self._answers(answers)
        # A second without a sample counts as time, unless the stated load was not on.
        if row[0] or self._arrivals.now():
            self._rows.append(row)
            self._count(row)

    def add_readings(self, readings: Sequence[FieldReading]) -> None:
        """Enter what was read.

        Raises:
            UsageError: more was right than was read.
        """
        objective = self.objective
        if not isinstance(objective, Reading):
            return
        for reading in readings:
            if not 0 <= reading.right <= reading.total:
                raise UsageError(f"a run's counts contradict each other: {reading.right} of {reading.total} read right")
            if objective.field in (None, reading.field) and objective.degradation in (None, reading.degradation):
                self.total, self.good = self.total + reading.total, self.good + reading.right
                self._fields[reading.field, reading.degradation] += reading.total
                self._different[reading.degradation] = max(self._different[reading.degradation], reading.cards)

    def add_run(self, recording: Recording) -> None:
        """Enter a recorded run: second by second where it holds them, else as a whole.

        Raises:
            UsageError: it is damaged.
        """
        objective, load = self.objective, recording.load
        if isinstance(objective, Reading):
            self.add_readings(load.readings)
            return
        answers = recording.answers(objective.step if isinstance(objective, Availability) else None)
        steps = objective.steps_among(recording.run.flow.uploads) if isinstance(objective, Latency) else ()
        latencies = (
            [recording.seconds(step, objective.clock) for step in steps] if isinstance(objective, Latency) else []
        )
        within = [self._within(recording, step) for step in steps]
        if None in latencies or (not isinstance(objective, Latency) and answers is None):
            self._add_whole(recording)
            return
        arrivals = recording.arrivals()
        self._arrivals = Arrivals(objective.at_rate)
        for second in range(recording.length_s):
            self.add_second(
                [
                    (found[second], None if counted is None else counted.get(second, 0))
                    for found, counted in zip(latencies, within, strict=True)
                    if found is not None and second in found
                ],
                (answers or {}).get(second, Answers()),
                [],
                arrivals.get(second, 0),
            )

    def _add_whole(self, recording: Recording) -> None:
        self.timed = False
        objective, load = self.objective, recording.load
        if not isinstance(objective, Reading) and objective.at_rate is not None:
            # Nothing says under which load its samples came.
            return
        if isinstance(objective, Availability) and objective.step is not None:
            # Its totals are those of all steps.
            return
        if isinstance(objective, Latency):
            for step in objective.steps_among(recording.run.flow.uploads):
                counts = recording.histogram(step, objective.clock)
                places = np.flatnonzero(counts)
                counted = self._within(recording, step)
                within = None if counted is None else sum(counted.values())
                self._count(self._latencies(Cells(places, counts[places]), within))
        else:
            self._count(self._answers(Answers(load.requests, load.unavailable, load.wrong_answers)))

    def _count(self, row: Row) -> None:
        self.total, self.good, self.unclear = (
            self.total + int(row[0]), self.good + int(row[1]), self.unclear + int(row[2]),
        )  # fmt: skip

    def _answers(self, answers: Answers) -> Row:
        answered = answers.requests - answers.unavailable
        if self.objective.kind == "availability":
            return (answers.requests, answered, 0.0, 0.0, 0.0)
        return (answered, answered - answers.wrong, 0.0, 0.0, 0.0)

    def _within(self, recording: Recording, step: str) -> dict[int, int] | None:
        objective = self.objective
        return recording.within(step, objective.clock, objective.limit_us) if isinstance(objective, Latency) else None

    def _latencies(self, cells: Cells, within: int | None) -> Row:
        self.counts[cells.places] += cells.counts
        limit_us = self.objective.limit_us if isinstance(self.objective, Latency) else 0
        low, high = (edge[cells.places] for edge in edges())
        score = np.log(_middle(cells.places))
        good = int(cells.counts[high <= limit_us].sum())
        # A cell that the limit cuts speaks for neither side, unless its samples were compared with the limit.
        unclear = int(cells.counts[(low <= limit_us) & (high > limit_us)].sum())
        if within is not None and unclear:
            if not 0 <= within <= unclear:
                raise UsageError(
                    f"a run's counts contradict each other: {within} of {unclear} samples within the limit"
                )
            good, unclear = good + within, 0
        return (
            float(cells.counts.sum()),
            float(good),
            float(unclear),
            float(cells.counts @ score),
            float(cells.counts @ score**2),
        )


def _middle(places: NDArray[np.int64]) -> NDArray[np.float64]:
    low, high = edges()
    return np.maximum((low[places] + high[places]) / 2, 0.5)


def _sum(one: Row, other: Row) -> Row:
    return (one[0] + other[0], one[1] + other[1], one[2] + other[2], one[3] + other[3], one[4] + other[4])
