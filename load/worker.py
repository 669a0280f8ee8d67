"""The generator's own process: `python -m kycgate.load.worker` with a `Job` as one line on standard input.

gevent patches the whole process, so it never shares one with the command. Each second an `Interval` leaves on standard
output, one JSON line. When standard input closes, the run ends and what was measured has left. A master starts its
local workers, deals out the plan, and passes on what its workers send; a worker sends to its master instead.
"""

from importlib import metadata

from gevent import monkey

# The patch asks for plugins of gevent's 25 times, and each time all that is installed would be read anew.
_search, _found = metadata.entry_points, metadata.entry_points()
metadata.entry_points = _found.select
monkey.patch_all()
metadata.entry_points = _search

# ruff: noqa: E402 - nothing may be imported before the patch
from kycgate.processes import load_httpx_alone

load_httpx_alone()

import contextlib
import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
import gevent.event
import gevent.os
from locust.env import Environment

from kycgate.contracts.flows import choose
from kycgate.load.client import NoAnswer, OwnFault
from kycgate.load.files import take_all_files
from kycgate.load.generator import LEAVING_S, ArrivalUser, Generator
from kycgate.load.interval import Interval
from kycgate.load.otel import choose_protocol
from kycgate.load.plan import SECRET, Job, LoadPlan, for_workers

HERE, PLAN, READY, GO, INTERVAL, STOP = (
    f"kycgate-{word}" for word in ("here", "plan", "ready", "go", "interval", "stop")
)
HEAD_START_S = 0.5
"""Local workers begin at one moment of the clock they share, a little after the last has been told."""
MISSING = "missing"
_OUT = [1]
"""Where our lines go."""


def emit(interval: Interval) -> None:
    """To the process that started this one. Written by a thread: a slow reader must not hold up the loop."""
    line = interval.model_dump_json(exclude_defaults=True) + "\n"
    gevent.get_hub().threadpool.apply(_write, (line.encode(),))


def _write(line: bytes) -> None:
    with contextlib.suppress(OSError):
        left = memoryview(line)
        while left:
            left = left[os.write(_OUT[0], left) :]


def _status(text: str) -> None:
    _write(json.dumps({"status": text}).encode() + b"\n")


def _void(reason: str, index: int = 0) -> Interval:
    return Interval(second=0, worker=index, void=reason, last=True)


def _until_input_closes(then: Callable[[], None]) -> None:
    """Stop when told to, or when the parent process is gone; in the end by force."""

    def watch() -> None:
        while gevent.os.tp_read(0, 1024):
            pass
        then()
        gevent.sleep(2 * LEAVING_S)
        os._exit(1)

    gevent.spawn(watch)


def _settle() -> None:
    """What is alive now stays alive: collecting it again and again would only make pauses."""
    gc.collect()
    gc.freeze()


def _boot() -> str:
    """Tells processes that share one monotonic clock; empty where that cannot be told."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _environment(user: type[ArrivalUser], job: Job) -> Environment:
    """Locust's, with its export by OpenTelemetry when asked for: that listens to Locust's own events."""
    if not job.otel:
        return Environment(user_classes=[user])
    from locust import events
    from locust.opentelemetry import setup_opentelemetry

    choose_protocol()
    setup_opentelemetry("kycgate", None)
    return Environment(user_classes=[user], events=events)


def main() -> None:
    take_all_files()
    # What a library prints is not for the reader of our lines.
    _OUT[0] = os.dup(1)
    os.dup2(2, 1)
    told = sys.stdin.readline()
    if not told:
        return  # This process is not needed any more.
    job = Job.model_validate_json(told)
    choose(job.flow)
    {"local": run_local, "master": run_master, "worker": run_worker}[job.role](job)


def run_local(job: Job) -> None:
    """Generate in this process."""
    generator = Generator(job.plan, emit)

    def stop() -> None:
        generator.stopping = True

    _until_input_closes(stop)
    try:
        generator.get_ready()
    except (NoAnswer, OwnFault) as error:
        # What was sent until now counts, though no second of it was timed.
        generator.give_up(f"no tokens could be minted for the load: {error}")
        generator.cut(0, last=True)
        return
    _settle()
    ended = gevent.event.Event()
    environment = _environment(_user(generator, ended.set), job)
    runner = environment.create_local_runner()
    runner.start(1, spawn_rate=1)
    ended.wait()
    runner.quit()


def _user(generator: Generator | None, ended: Callable[[], object]) -> type[ArrivalUser]:
    return type("Arrivals", (ArrivalUser,), {"generator": generator, "ended": staticmethod(ended), "weight": 1})


def run_master(job: Job) -> None:
    """Deal the plan out to Locust workers and pass on what they measure."""
    topology, plan = job.topology, job.plan
    environment = Environment(user_classes=[_user(None, lambda: None)])
    try:
        runner: Any = environment.create_master_runner(topology.bind_host, topology.bind_port)
    except Exception as error:  # noqa: BLE001 - zmq and Locust raise kinds of their own
        emit(_void(f"cannot listen for workers on {topology.bind_host}:{topology.bind_port}: {error}"))
        return
    here: set[str] = set()
    """Workers that take a plan: what reaches one between its connecting and its first listening is lost."""
    ready: dict[str, str] = {}
    left: set[str] = set()
    indexes: dict[str, int] = {}
    changed = gevent.event.Event()
    stopping = gevent.event.Event()

    def on_here(msg: Any, **_: Any) -> None:
        here.add(msg.node_id)
        changed.set()

    def on_ready(msg: Any, **_: Any) -> None:
        ready[msg.node_id] = msg.data["boot"]
        changed.set()

    def on_interval(msg: Any, **_: Any) -> None:
        interval = Interval.model_validate_json(msg.data)
        interval.worker = indexes.get(msg.node_id, 0)
        emit(interval)
        if interval.last:
            left.discard(msg.node_id)
            changed.set()

    def stop() -> None:
        stopping.set()
        runner.send_message(STOP)
        changed.set()

    runner.register_message(HERE, on_here)
    runner.register_message(READY, on_ready)
    runner.register_message(INTERVAL, on_interval)
    _until_input_closes(stop)
    local = [] if topology.remote_workers else [_start_local(job, runner.server.port) for _ in range(topology.workers)]
    try:
        if topology.remote_workers:
            _status(f"waiting for {topology.workers} workers on {topology.bind_host}:{runner.server.port}")
        if not _wait(lambda: len(here) >= topology.workers, topology.wait_s, changed, stopping):
            emit(_void(f"{len(here)} of {topology.workers} workers came within {topology.wait_s:g} s"))
            return
        # A worker that connects later has no part in the run.
        clients = sorted(here)[: topology.workers]
        indexes |= {client: number for number, client in enumerate(clients)}
        left |= set(clients)
        for client, number in indexes.items():
            part = {"plan": for_workers(plan), "index": number, "count": len(clients)}
            runner.send_message(PLAN, part, client)
        if not _wait(lambda: set(ready) >= left, topology.wait_s, changed, stopping):
            if left:
                emit(_void("not every worker got ready"))
            return
        if not left:
            return
        start_ns = time.perf_counter_ns() + int(HEAD_START_S * 1e9)
        for client in clients:
            shared = ready[client] and ready[client] == _boot()
            runner.send_message(GO, {"start_ns": start_ns if shared else 0}, client)
        runner.start(len(clients), spawn_rate=len(clients))
        while left:
            changed.wait(timeout=1)
            changed.clear()
            for client in [
                name for name in left if name not in runner.clients or runner.clients[name].state == MISSING
            ]:
                left.discard(client)
                emit(_void(f"worker {indexes[client] + 1} was lost, and with it its part of the load", indexes[client]))
    finally:
        runner.quit()
        for process in local:
            if process.stdin is not None:
                process.stdin.close()
        for process in local:
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait(until: Callable[[], bool], seconds: float, changed: gevent.event.Event, stopping: gevent.event.Event) -> bool:
    deadline = time.monotonic() + seconds
    while not until():
        if time.monotonic() > deadline or stopping.is_set():
            return False
        changed.wait(timeout=0.1)
        changed.clear()
    return True


def _start_local(job: Job, port: int) -> "subprocess.Popen[str]":
    """A worker on this machine; secrets go through its pipe, and when that closes it ends."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "kycgate.load.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    topology = job.topology.model_copy(update={"bind_host": "127.0.0.1", "bind_port": port})
    assert process.stdin is not None  # noqa: S101 - it is a pipe
    own = job.model_copy(update={"role": "worker", "topology": topology})
    process.stdin.write(own.model_dump_json() + "\n")
    process.stdin.flush()
    return process


def run_worker(job: Job) -> None:
    """Generate a part of what the master says; target, credentials, cards and TLS are this side's own."""
    own = job.plan
    user = _user(None, lambda: None)
    environment = _environment(user, job)
    runner: Any = None

    def send(interval: Interval) -> None:
        runner.send_message(INTERVAL, interval.model_dump_json(exclude_defaults=True))

    def stop(**_: Any) -> None:
        if runner is None:
            # Locust goes on looking for its master for minutes; the parent that wanted it is gone.
            os._exit(1)
        if user.generator is not None and user.generator.start_ns:
            user.generator.stopping = True
        else:
            send(Interval(second=0, last=True))

    def on_plan(msg: Any, **_: Any) -> None:
        told = LoadPlan.model_validate(msg.data["plan"] | own.model_dump(include=SECRET))
        if told.base_url != own.base_url:
            # Credentials go to the target they were given for, whatever a master says.
            _refuse(f"a worker's target is {own.base_url}, and the master's {told.base_url}")
            return
        generator = Generator(told, send, index=msg.data["index"], count=msg.data["count"])
        try:
            generator.get_ready()
        except (NoAnswer, OwnFault) as error:
            generator.give_up(f"no tokens could be minted for the load: {error}")
            sys.stderr.write(f"kycgate: {generator.void}\n")
            generator.cut(0, last=True)
            return
        _settle()
        user.generator = generator
        runner.send_message(READY, {"boot": _boot()})

    def _refuse(reason: str) -> None:
        sys.stderr.write(f"kycgate: {reason}\n")
        send(_void(reason))

    def on_go(msg: Any, **_: Any) -> None:
        user.start_ns = msg.data["start_ns"]

    _until_input_closes(stop)
    runner = environment.create_worker_runner(job.topology.bind_host, job.topology.bind_port)
    runner.register_message(PLAN, on_plan, concurrent=True)
    runner.register_message(GO, on_go)
    runner.register_message(STOP, stop)
    runner.send_message(HERE)
    # Until the master says that all is over, or is gone.
    runner.greenlet.join()


if __name__ == "__main__":
    main()
