"""Reads by OCR in processes of its own: reading is work for a core, and the server's loop must go on meanwhile."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from kycgate.processes import end_with_parent


class OcrReader:
    """A process for each core, started as readings come. Thread-safe.

    Raises:
        UsageError: the extra or its languages are not installed.
    """

    def __init__(self) -> None:
        # Imported here: numpy and the engine are for those who ask for them.
        from kycgate.specimens.ocr import tessdata

        tessdata()
        self._lock = threading.Lock()
        self._pool = self._start()

    @staticmethod
    def _start() -> ProcessPoolExecutor:
        # Spawned: the server has threads, and a fork would copy their locks.
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(os.cpu_count(), mp_context=context, initializer=_begin)

    def read(self, picture: bytes, side: str) -> Mapping[str, str] | None:
        """What `side` prints; None when it cannot be read, or when reading it ended the process."""
        from kycgate.specimens.ocr import read_print

        pool = self._pool
        try:
            return pool.submit(read_print, picture, side).result()
        except BrokenProcessPool:
            with self._lock:
                if self._pool is pool:
                    self._pool = self._start()
            return None

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)


def _begin() -> None:
    """One process begins: it leaves Ctrl-C to the server, ends with it however that ends, and loads the engines."""
    from kycgate.specimens.ocr import warm_up

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    warm_up()
