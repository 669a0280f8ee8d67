"""Requests that begin at the same moment, as those of several people do, or of one who taps twice."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

T = TypeVar("T")
_BEGINS_S, _ENDS_S = 30, 300


def at_once(acts: Sequence[Callable[[], T]]) -> list[T]:
    """What each gives, in their order; all begin at the same moment, each with a copy of this thread's context.

    Raises:
        threading.BrokenBarrierError: one of them could not begin within 30 s.
        TimeoutError: one has not ended after 300 s.
    """
    barrier = threading.Barrier(len(acts))

    def wait_and_act(act: Callable[[], T]) -> T:
        barrier.wait(timeout=_BEGINS_S)
        return act()

    with ThreadPoolExecutor(len(acts)) as pool:
        begun = [pool.submit(copy_context().run, wait_and_act, act) for act in acts]
        return [future.result(timeout=_ENDS_S) for future in begun]
