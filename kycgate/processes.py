"""How processes of ours end."""

import multiprocessing
import os
import threading
from multiprocessing.connection import wait

interrupted = threading.Event()
"""A signal has ended what this process did."""


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
