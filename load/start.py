"""Starts the generator's process, takes in what it measures, and says when it must stop."""

import contextlib
import json
import queue
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from kycgate.errors import CannotJudge, UsageError
from kycgate.load.collect import Collector, Second
from kycgate.load.files import QUICKEST_S
from kycgate.load.interval import Interval
from kycgate.load.plan import Job, LoadOutcome, LoadPlan, Topology
from kycgate.processes import Spare, start_worker
from kycgate.settings.profile import Secrets

GRACE_S = 20.0
"""How long a generator that was told to stop may take."""
SILENCE_S = 60.0
"""A generator that says nothing for so long, with its run under way, is dead."""

OnSecond = Callable[[Collector, Second], str | None]
"""Called as each second is closed; what it returns, if anything, is why the run must stop."""


def run_load(
    plan: LoadPlan,
    secrets: Secrets,
    out: Path,
    *,
    within_s: float | None = None,
    topology: Topology | None = None,
    otel: bool = False,
    on_second: OnSecond | None = None,
    say: Callable[[str], None] | None = None,
    spare: Spare | None = None,
) -> LoadOutcome:
    """Run `plan`, in the process of `spare` where there is one; `latency.hlog` grows in `out` as the run goes on.

    Stopped by Ctrl-C, or after `within_s` seconds, it ends the generator and returns what was measured until then.

    Raises:
        UsageError: there are fewer fixed keys than people at once, as far as can be known beforehand.
        CannotJudge: the generator died.
    """
    topology = topology or Topology()
    if not topology.remote_workers:
        _demand_keys(plan, secrets, topology.processes)
    filled = with_secrets(plan, secrets)
    wishes: list[str] = []

    def closed(second: Second) -> None:
        wish = on_second(collector, second) if on_second else None
        if wish:
            wishes.append(wish)

    collector = Collector(plan, topology.workers, out / "latency.hlog", closed)
    role = "master" if topology.workers > 1 or topology.remote_workers else "local"
    with _Generator(Job(role=role, plan=filled, topology=topology, otel=otel), spare) as generator:
        try:
            _take_in(generator, collector, wishes, say or (lambda text: None), within_s)
        finally:
            collector.close()
    if not collector.counts["due"] and not collector.void:
        raise CannotJudge(collector.stopped or f"the load generator ended without a result: {generator.last_words()}")
    outcome = collector.outcome()
    if wishes and not outcome.result.stopped:
        outcome.result.stopped = wishes[0]
    return outcome


def with_secrets(plan: LoadPlan, secrets: Secrets) -> LoadPlan:
    """The plan as a generator needs it. It goes through a pipe, never onto a command line or to disk."""
    return plan.model_copy(
        update={
            "api_keys": tuple(key.get_secret_value() for key in secrets.api_keys),
            "tenant_id": secrets.tenant_id,
            "tenant_secret": secrets.tenant_secret.get_secret_value() if secrets.tenant_secret else None,
            "token_command": secrets.command,
            "token_command_s": secrets.command_timeout_s,
        }
    )


def _demand_keys(plan: LoadPlan, secrets: Secrets, processes: int) -> None:
    """Raises UsageError when the fixed keys are too few, as far as can be known beforehand."""
    keys = len(secrets.api_keys)
    if not keys:
        return
    advice = "each key serves one person at a time; give more keys, a tenant, or"
    if keys < plan.people:
        raise UsageError(f"{keys} fixed keys are too few for {plan.people} people: {advice} fewer people")
    if not plan.people and keys < plan.rate * QUICKEST_S:
        raise UsageError(f"{keys} fixed keys are too few for {plan.rate:g} onboardings/s: {advice} a lower rate")
    if keys < processes:
        raise UsageError(f"{keys} fixed keys are too few for {processes} processes: {advice} fewer processes")


def run_worker(plan: LoadPlan, secrets: Secrets, master_host: str, master_port: int, *, otel: bool = False) -> None:
    """Serve a master on another machine until it is done.

    Raises:
        CannotJudge: there is no master, or this worker's part could not be generated.
    """
    topology = Topology(bind_host=master_host, bind_port=master_port)
    with _Generator(Job(role="worker", plan=with_secrets(plan, secrets), topology=topology, otel=otel)) as generator:
        with contextlib.suppress(KeyboardInterrupt):
            generator.process.wait()
        if generator.process.returncode:
            raise CannotJudge(f"the worker ended early: {generator.last_words()}")


def _take_in(
    generator: "_Generator",
    collector: Collector,
    wishes: list[str],
    say: Callable[[str], None],
    within_s: float | None,
) -> None:
    """Everything the generator says, until it ends or has to be ended."""
    plan = collector.plan
    silent_until = time.monotonic() + SILENCE_S + 600
    time_up = time.monotonic() + within_s if within_s is not None else float("inf")
    stop_by = float("inf")
    while True:
        if time.monotonic() > time_up:
            collector.stopped = collector.stopped or "the time limit was reached"
            stop_by, time_up = generator.stop(), float("inf")
        try:
            message = generator.said.get(timeout=0.2)
            if message is None:
                return
            if "status" in message:
                say(str(message["status"]))
                continue
            collector.add(Interval.model_validate(message))
            silent_until = time.monotonic() + SILENCE_S
            if stop_by != float("inf"):
                continue
            if sure := collector.sure_to_be_void():
                # Whatever is still sent would show nothing.
                collector.void = collector.void or sure
            if wishes or collector.void or _all_failed(collector):
                stop_by = generator.stop()
        except queue.Empty:
            if time.monotonic() > min(silent_until, stop_by):
                collector.void = collector.void or "the load generator did not end in time"
                return
        except ValidationError as error:
            raise CannotJudge(f"the load generator said something unknown: {error.errors()[0]['msg']}") from None
        except KeyboardInterrupt:
            if stop_by != float("inf"):
                return
            collector.stopped = collector.stopped or f"stopped by hand before {plan.duration_s:g} s were over"
            stop_by = generator.stop()


def _all_failed(collector: Collector) -> bool:
    """The hard stop by error share, over all workers together (each also keeps it for itself)."""
    plan, counts = collector.plan, collector.counts
    failed = counts["wrong"] + counts["unavailable"]
    if counts["requests"] < 50 or failed <= plan.max_error_share * counts["requests"]:
        return False
    collector.stopped = collector.stopped or f"{failed} of {counts['requests']} answers failed"
    return True


class _Generator:
    """The process, its lines, and its end."""

    def __init__(self, job: Job, spare: Spare | None = None) -> None:
        self._job = job
        self._spare = spare
        self.said: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._complaints: list[str] = []

    def __enter__(self) -> "_Generator":
        self.process = (self._spare.take() if self._spare else None) or start_worker()
        self._readers = [threading.Thread(target=read, daemon=True) for read in (self._read, self._listen)]
        for reader in self._readers:
            reader.start()
        assert self.process.stdin is not None  # noqa: S101 - it is a pipe
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(self._job.model_dump_json() + "\n")
            self.process.stdin.flush()
        return self

    def _read(self) -> None:
        assert self.process.stdout is not None  # noqa: S101 - it is a pipe
        with contextlib.suppress(ValueError):
            for line in self.process.stdout:
                self.said.put(json.loads(line))
        self.said.put(None)

    def _listen(self) -> None:
        assert self.process.stderr is not None  # noqa: S101 - it is a pipe
        with contextlib.suppress(ValueError):
            for line in self.process.stderr:
                self._complaints = [*self._complaints[-50:], line.strip()]

    def stop(self) -> float:
        """Tell it to stop; the moment by which it must have ended."""
        with contextlib.suppress(OSError):
            if self.process.stdin is not None:
                self.process.stdin.close()
        return time.monotonic() + GRACE_S

    def last_words(self) -> str:
        self._readers[1].join(timeout=2)
        said = [line for line in self._complaints if line]
        return said[-1].removeprefix("kycgate: ") if said else f"exit code {self.process.poll()}"

    def __exit__(self, *_: object) -> None:
        self.stop()
        try:
            self.process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for reader in self._readers:
            reader.join(timeout=2)
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()
