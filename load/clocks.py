"""Takes down what happens, second by second. Adding up is done by another process, out of the timed path."""

import sys
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from kycgate.load.interval import Interval, pack
from kycgate.runs.load_model import HIGHEST_US, LOWEST_US, WHOLE
from kycgate.target.exchange import Clocks

MAX_EXAMPLES = 5
MOST_KINDS = 20
"""Kinds of errors of one step that are told apart; what comes after them counts together."""
OTHER = "other"
SENDING_CLOCK = (
    "sending ends when the target's side has acknowledged all but the last two segments (the kernel's own time stamp), "
    "or with the answer's first byte"
    if sys.platform == "linux"
    else "sending ends when the kernel has taken the body's last byte, "
    "so what then still lies in its send buffer counts as thinking"
)


class Errors:
    """How often each step failed in which way: a bounded number of counters."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[str]] = defaultdict(Counter)

    def add(self, step: str, kind: str, count: int = 1) -> None:
        counts = self._counts[step]
        counts[kind if kind in counts or len(counts) < MOST_KINDS else OTHER] += count

    def update(self, rows: Iterable[tuple[str, str, int]]) -> None:
        for row in rows:
            self.add(*row)

    def rows(self) -> list[tuple[str, str, int]]:
        """Step, kind, how often: of each step the most frequent first."""
        return [
            (step, kind, count)
            for step, counts in sorted(self._counts.items())
            for kind, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        ]

    def clear(self) -> None:
        self._counts.clear()


def phases_of(clocks: Clocks) -> dict[str, int]:
    """Response time (from due), service time (from sent start), and their split; nanoseconds. What is not known, or was
    no phase of this request (it did not connect), is left out."""
    connected = clocks.connected if clocks.connected is not None else clocks.sent
    phases = {
        "response": clocks.last_byte - clocks.due,
        "service": clocks.last_byte - clocks.sent,
        "waiting": clocks.sent - clocks.due,
    }
    if connected > clocks.sent:
        phases["connecting"] = connected - clocks.sent
    if clocks.body_sent is not None:
        phases["sending"] = clocks.body_sent - connected
        if clocks.first_byte is not None:
            phases["thinking"] = clocks.first_byte - clocks.body_sent
            phases["reading"] = clocks.last_byte - clocks.first_byte
    return phases


class Recorder:
    """What one generator has measured since the last cut."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, str], array[int]] = defaultdict(lambda: array("I"))
        self._due: dict[str, array[int]] = defaultdict(lambda: array("I"))
        self._due_failures: Counter[tuple[str, int]] = Counter()
        self.start_ns: int | None = None
        """When the run began: what is due is told from then on; None where it is not asked for."""
        self._started: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()
        self._unavailable: Counter[str] = Counter()
        self._errors = Errors()
        self.in_flight: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self.sizes: list[tuple[int, float, float | None]] = []
        self.readings: Counter[tuple[str, str, bool]] = Counter()
        self.cards: set[tuple[str, str]] = set()
        self._examples: list[str] = []
        self._shown = 0

    def start(self, step: str) -> None:
        """A request begins, or a whole onboarding."""
        self._started[step] += 1
        self.in_flight[step] += 1

    def add(
        self, step: str, clocks: Clocks, *, failed: bool, unavailable: bool = False, error: str = ""
    ) -> dict[str, int]:
        """Enter one answer, a failed one with its kind of error; returns its phases in nanoseconds."""
        phases = phases_of(clocks)
        for clock, nanoseconds in phases.items():
            self.put(step, clock, nanoseconds)
        if failed:
            self._errors.add(step, error or OTHER)
        self._was_due(step, clocks.due, failed)
        self._end(step, failed, unavailable)
        return phases

    def add_whole(self, phases: Mapping[str, int], *, failed: bool, due_ns: int = 0) -> None:
        """Enter a whole onboarding: the sums of its steps' phases, so that its person's own pauses do not count."""
        for clock, nanoseconds in phases.items():
            self.put(WHOLE, clock, nanoseconds)
        self._was_due(WHOLE, due_ns, failed)
        self._end(WHOLE, failed, unavailable=False)

    def _was_due(self, step: str, due_ns: int, failed: bool) -> None:
        """Beside each response time, whose order it keeps."""
        if self.start_ns is not None:
            second = max(due_ns - self.start_ns, 0) // 10**9
            self._due[step].append(second)
            self._due_failures[step, second] += failed

    def _end(self, step: str, failed: bool, unavailable: bool) -> None:
        self.in_flight[step] -= 1
        self._failures[step] += failed
        self._unavailable[step] += unavailable

    def put(self, step: str, clock: str, nanoseconds: int) -> None:
        """One value; what lies outside the range counts at its edge, so that nothing is lost."""
        self._values[step, clock].append(min(max(nanoseconds // 1000, LOWEST_US), HIGHEST_US))

    @property
    def wants_example(self) -> bool:
        return self._shown < MAX_EXAMPLES

    def example(self, text: str) -> None:
        """A wrong answer, in words; the first few are kept."""
        if self._shown < MAX_EXAMPLES:
            self._shown += 1
            self._examples.append(text)

    def cut(self, second: int) -> Interval:
        """All since the last cut, as the interval that began at `second`; the recorder is empty then."""
        totals: Counter[tuple[str, str]] = Counter()
        for (field, degradation, _), count in self.readings.items():
            totals[field, degradation] += count
        interval = Interval(
            second=second,
            values={f"{step} {clock}": pack(values) for (step, clock), values in self._values.items()},
            due_in={step: pack(seconds) for step, seconds in self._due.items()},
            due_failures=[(*key, count) for key, count in (+self._due_failures).items()],
            started=dict(self._started),
            failures=dict(+self._failures),
            unavailable=dict(+self._unavailable),
            errors=self._errors.rows(),
            in_flight=dict(+self.in_flight),
            sizes=self.sizes,
            readings=[(*key, self.readings[(*key, True)], total) for key, total in totals.items()],
            cards=sorted(self.cards),
            examples=self._examples,
            **self.counts,
        )
        self._values.clear()
        self._due.clear()
        self._due_failures.clear()
        for counter in (self._started, self._failures, self._unavailable, self.counts, self.readings):
            counter.clear()
        self.cards.clear()
        self._errors.clear()
        self.sizes, self._examples = [], []
        return interval
