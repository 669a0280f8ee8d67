"""What a run shows while it goes on: a live screen on a terminal, plain lines elsewhere (in CI)."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from kycgate.contracts.flows import flow
from kycgate.load.collect import Collector, Second
from kycgate.runs.load_model import WHOLE

PARTS = 4
"""Parts of a plan: a plain line is printed when it begins and after each part."""


class LiveScreen:
    """One line of progress and, under load, a table: per step its rate, in flight, percentiles so far, failures."""

    def __init__(self, console: Console) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
        self._bars = Progress(*columns, TimeElapsedColumn(), console=console)
        self._task = self._bars.add_task("starting", total=None)
        self._table: RenderableType = ""
        self._live = Live(self, console=console, refresh_per_second=4, transient=True)

    def __rich__(self) -> RenderableType:
        return Group(self._bars, self._table)

    @contextmanager
    def shown(self) -> Iterator["LiveScreen"]:
        with self._live:
            yield self

    def say(self, text: str) -> None:
        self._bars.update(self._task, description=text)

    def progress(self, done: int, total: int, name: str) -> None:
        self._bars.update(self._task, completed=done, total=total, description=name[:40])

    def second(self, collector: Collector, second: Second) -> None:
        left = max(collector.plan.duration_s - second.number - 1, 0)
        self._bars.update(
            self._task, completed=min(second.number + 1, int(collector.plan.duration_s)),
            total=int(collector.plan.duration_s),
        )  # fmt: skip
        table = Table(box=None, pad_edge=False, caption=f"milliseconds from due, so far; {left:.0f} s left",
                      caption_justify="left")  # fmt: skip
        table.add_column("step")
        for name in ("per s", "in flight", "p50", "p95", "p99", "failures"):
            table.add_column(name, justify="right")
        for step in (f"{flow().first}_unreadable", *flow().steps, WHOLE):
            if (step, "response") in collector.totals or second.started[step]:
                percentiles = (collector.percentile_ms([step], "response", p) for p in (50, 95, 99))
                table.add_row(
                    step, str(second.started[step]), str(second.in_flight[step]), *(f"{p:.1f}" for p in percentiles),
                    str(collector.failures[step]),
                )  # fmt: skip
        self._table = table


class PlainScreen:
    """The same as a few lines on standard error."""

    def __init__(self) -> None:
        self._quarter = -1
        # While the contract tests run, sys.stderr is what they print to.
        self._stream = sys.stderr

    @contextmanager
    def shown(self) -> Iterator["PlainScreen"]:
        yield self

    def say(self, text: str) -> None:
        # The run goes on without a reader.
        with suppress(OSError):
            print(f"kycgate: {text}", file=self._stream, flush=True)

    def progress(self, done: int, total: int, name: str) -> None:
        quarter = done * PARTS // max(total, 1)
        if quarter > self._quarter:
            self._quarter = quarter
            self.say(f"test {done + 1} of {total}: {name}")

    def second(self, collector: Collector, second: Second) -> None:
        seconds, whole = second.number + 1, collector.plan.duration_s
        if int(seconds * PARTS / whole) == int(second.number * PARTS / whole) or seconds - 1 >= whole:
            return
        uploads = flow().uploads
        p50, p95, p99 = (collector.percentile_ms(uploads, "response", p) for p in (50, 95, 99))
        failed = collector.counts["wrong"] + collector.counts["unavailable"]
        self.say(
            f"{min(seconds, whole):g} of {whole:g} s: {second.started[WHOLE]} onboardings/s, "
            f"{second.in_flight[WHOLE]} in flight, uploads p50 {p50:.0f} p95 {p95:.0f} p99 {p99:.0f} ms, "
            f"{failed} failed"
        )


class SilentScreen:
    """For --quiet."""

    @contextmanager
    def shown(self) -> Iterator["SilentScreen"]:
        yield self

    def say(self, text: str) -> None:
        pass

    def progress(self, done: int, total: int, name: str) -> None:
        pass

    def second(self, collector: Collector, second: Second) -> None:
        pass


def screen_for(console: Console, *, quiet: bool = False) -> LiveScreen | PlainScreen | SilentScreen:
    """The one that fits; `console` is where the verdict goes, the screen goes to standard error."""
    if quiet:
        return SilentScreen()
    errors = Console(stderr=True, highlight=False)
    return LiveScreen(errors) if console.is_terminal and errors.is_terminal else PlainScreen()
