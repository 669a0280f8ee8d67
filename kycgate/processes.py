"""How processes of ours begin and end."""

import gc
import multiprocessing
import os
import subprocess
import sys
import threading
import weakref
from multiprocessing.connection import wait

interrupted = threading.Event()
"""A signal has ended what this process did."""


def collect_seldom() -> None:
    """By Python's own figure of 700 objects a check looks for garbage 700 times, which takes a tenth of it."""
    gc.set_threshold(20_000)


def load_httpx_alone() -> None:
    """Before httpx is loaded: its own command line would come along, which takes longer than all else in it."""
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]


def end_with_parent() -> None:
    """In a process of a pool: end when the parent does, however that ends (SIGKILL too: then no pool is shut down)."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    sentinel = parent.sentinel

    def watch() -> None:
        wait([sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def start_worker() -> "subprocess.Popen[str]":
    """The load's own process; it waits for its job on standard input."""
    # -P keeps the caller's own folders off the path. A group of its own: Ctrl-C reaches us alone.
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "kycgate.load.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, "LOCUST_SKIP_MONKEY_PATCH": "1"},
        text=True,
    )


class Spare:
    """A generator's process that loads its modules before its job is known; it ends with this object."""

    def __init__(self) -> None:
        self._process: list[subprocess.Popen[str]] = [start_worker()]
        self._close = weakref.finalize(self, _end, self._process)

    def take(self) -> "subprocess.Popen[str] | None":
        """The process, once; it is the taker's then."""
        return self._process.pop() if self._process else None

    def close(self) -> None:
        """End it, if it was not taken."""
        self._close()


def _end(processes: "list[subprocess.Popen[str]]") -> None:
    for process in processes:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
