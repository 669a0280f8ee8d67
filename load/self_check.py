"""The generator watches itself: how late its loop comes round, how busy it is, how long garbage collection stops it."""

import gc
import time

from kycgate.load.clocks import Recorder
from kycgate.load.interval import GENERATOR

EVERY_S = 0.02
MAX_SLIP_MS = 50.0
"""At p99: how late onboardings may start."""
MAX_LAG_MS = 50.0
"""At p99: how late the event loop may come round; answers wait so long to be seen."""
MAX_CPU_SHARE = 0.95
"""Of a core, over the whole run: above it there is nothing left to keep the schedule with."""
MAX_GC_MS = 200.0
"""The longest pause."""


class Watch:
    """Takes down the generator's own clocks beside the others."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._collecting_since = 0
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def start(self) -> None:
        # The limits below are read without the extra load.
        import gevent

        gc.callbacks.append(self._on_gc)
        gevent.spawn(self._run)

    def _on_gc(self, phase: str, _: dict[str, int]) -> None:
        now = time.perf_counter_ns()
        if phase == "start":
            self._collecting_since = now
        elif self._collecting_since:
            self._recorder.put(GENERATOR, "gc", now - self._collecting_since)

    def _run(self) -> None:
        import gevent

        while True:
            before = time.perf_counter_ns()
            gevent.sleep(EVERY_S)
            self._recorder.put(GENERATOR, "lag", time.perf_counter_ns() - before - int(EVERY_S * 1e9))

    def cpu_share(self) -> float:
        """Of one core, since this was last asked."""
        wall, cpu = time.perf_counter(), time.process_time()
        share = (cpu - self._cpu) / max(wall - self._wall, 1e-9)
        self._wall, self._cpu = wall, cpu
        return share
