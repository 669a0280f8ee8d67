"""How a run of ours ends before its end: in order, with what was learned."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from kycgate.errors import ExitCode
from kycgate.processes import interrupted


class Stop:
    """Whether a signal has asked for the end, and how that is met."""

    def __init__(self) -> None:
        self.requested = False
        self.finishing = False
        """While results are written the first signal is ignored; the second exits at once."""

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self.finishing and self.requested:
            os._exit(int(ExitCode.UNCLEAR))
        self.requested = True
        interrupted.set()
        # Python may drop an exception raised in __del__, so senders also check `requested`.
        if not self.finishing:
            raise KeyboardInterrupt


@contextmanager
def stoppable(seconds: float) -> Iterator[Stop]:
    """Ctrl-C, SIGTERM, or a terminal that is gone end a run in order: what was learned is kept.

    So does a run that hangs in spite of all limits, after `seconds`.
    """
    stop = Stop()
    # What is ignored stays so: nohup means it.
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    caught = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in (*caught, signal.SIGALRM)}
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield stop
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
