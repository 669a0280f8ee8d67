"""The generator's own process: `python -m kycgate.load.worker RESULT HLOG` with the plan as one line on standard input.

gevent patches the whole process, so it never shares one with the command. When standard input closes, the run ends and
what was measured is written.
"""

from gevent import monkey

monkey.patch_all()

# ruff: noqa: E402 - nothing may be imported before the patch
import gc
import sys
import time
from pathlib import Path

import gevent
import gevent.os
from locust.env import Environment

from kycgate.load.arrivals import ArrivalUser, Generator
from kycgate.load.client import SENDING_CLOCK, NoAnswer
from kycgate.load.plan import LoadOutcome, LoadPlan
from kycgate.load.sizes import fit, size_points
from kycgate.run import GeneratorHealth, LoadResult, write_atomically

MAX_SLIP_MS = 100.0
MAX_LAG_MS = 200.0


class _Watch:
    """How the generator itself does: event loop lag and garbage collection."""

    def __init__(self) -> None:
        self.lags: list[float] = [0.0]
        self.gc_max_ms = 0.0
        self._gc_start = 0
        gc.callbacks.append(self._on_gc)

    def _on_gc(self, phase: str, _: dict[str, int]) -> None:
        if phase == "start":
            self._gc_start = time.perf_counter_ns()
        else:
            self.gc_max_ms = max(self.gc_max_ms, (time.perf_counter_ns() - self._gc_start) / 1e6)

    def run(self) -> None:
        while True:
            before = time.perf_counter()
            gevent.sleep(0.05)
            self.lags.append((time.perf_counter() - before - 0.05) * 1e3)


def _p99(values: list[float]) -> float:
    return sorted(values)[int(0.99 * (len(values) - 1))] if values else 0.0


def main() -> None:
    result_path, hlog_path = Path(sys.argv[1]), Path(sys.argv[2])
    plan = LoadPlan.model_validate_json(sys.stdin.readline())
    generator = Generator(plan)
    watch = _Watch()

    def until_closed() -> None:
        while gevent.os.tp_read(0, 1024):
            pass
        generator.stopping = True

    gevent.spawn(until_closed)
    void = ""
    cpu = time.process_time()
    begun = time.perf_counter()
    try:
        generator.mint_ahead()
    except NoAnswer as error:
        void = f"no tokens could be minted for the load: {error}"
    if not void:
        # What is alive now stays alive: collecting it again and again would only make pauses.
        gc.collect()
        gc.freeze()
        gevent.spawn(watch.run)
        environment = Environment(user_classes=[type("Arrivals", (ArrivalUser,), {"generator": generator})])
        runner = environment.create_local_runner()
        runner.start(1, spawn_rate=1)
        runner.greenlet.join()
    outcome = _outcome(generator, watch, void, (time.process_time() - cpu) / max(time.perf_counter() - begun, 1e-9))
    generator.recorder.write_hlog(hlog_path, generator.start_wall)
    write_atomically(result_path, outcome.model_dump_json())


def _outcome(generator: Generator, watch: _Watch, void: str, cpu_share: float) -> LoadOutcome:
    plan, recorder = generator.plan, generator.recorder
    health = GeneratorHealth(
        loop_lag_p99_ms=_p99(watch.lags),
        schedule_slip_p99_ms=_p99(generator.slips),
        cpu_share=cpu_share,
        gc_pause_max_ms=watch.gc_max_ms,
    )
    advice = "lower the rate or use a faster machine"
    if not void and health.schedule_slip_p99_ms > MAX_SLIP_MS:
        void = f"the generator was {health.schedule_slip_p99_ms:.0f} ms late at p99: {advice}"
    elif not void and health.loop_lag_p99_ms > MAX_LAG_MS:
        void = f"the generator's loop lagged {health.loop_lag_p99_ms:.0f} ms at p99: {advice}"
    health.void = void
    return LoadOutcome(
        result=LoadResult(
            workload=plan.words,
            seed=plan.seed,
            duration_s=plan.duration_s,
            scheduled=generator.started if plan.people else len(generator.due),
            recorded=generator.recorded,
            in_flight=generator.started - generator.recorded - generator.cut_off,
            not_started=generator.cut_off + (0 if plan.people else len(generator.due) - generator.started),
            wrong_answers=generator.wrong,
            latencies=recorder.latencies(),
            series=recorder.series(),
            health=health,
            sending_clock=SENDING_CLOCK,
            sizes=size_points(generator.by_size),
            size_fit=fit(generator.by_size),
            stopped=generator.stopped,
            extra={"start_monotonic_ns": generator.start_ns},
        ),
        requests=generator.requests,
        uploads=generator.uploads,
        unavailable=generator.unavailable,
        upload_response_ms=recorder.upload_response_ms,
        wrong_examples=generator.examples,
        void=void,
    )


if __name__ == "__main__":
    main()
