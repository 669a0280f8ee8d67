"""Runs the client's own command: within a time limit, with its output bounded, and ends what it started."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Final

from kycgate.errors import UsageError

OUTPUT_LIMIT: Final = 16_000_000
"""Bytes of a command's output that are kept and searched; of more the last ones are."""
_CHUNK: Final = 65_536
_LATE_S: Final = 1.0
"""How long is waited for output that a process outside of the command's group still holds open."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How one run of the command ended.

    `code` is its exit code, -N for signal N, None when it was killed at the time limit. `whole` says whether `output`
    is all that it wrote.
    """

    code: int | None
    seconds: float
    output: str
    whole: bool


class _Output:
    """What comes out of a pipe, read in a thread of its own; beyond the limit the beginning is let go."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._held = bytearray()
        self._lost = False
        self._pipe = pipe
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with suppress(OSError, ValueError):
            while chunk := os.read(self._pipe.fileno(), _CHUNK):
                with self._lock:
                    self._held += chunk
                    if len(self._held) > 2 * OUTPUT_LIMIT:
                        del self._held[:-OUTPUT_LIMIT]
                        self._lost = True

    def end(self) -> tuple[str, bool]:
        self._thread.join(_LATE_S)
        with self._lock:
            whole = not self._lost and len(self._held) <= OUTPUT_LIMIT
            said = bytes(self._held[-OUTPUT_LIMIT:])
        if not self._thread.is_alive():
            self._pipe.close()
        return said.decode("utf-8", "replace"), whole


class Commands:
    """The runs of the command that are under way. Thread-safe."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = list(command)
        self._running: set[int] = set()
        self._lock = threading.Lock()
        self.stopped = False

    def run(self, environment: Mapping[str, str], time_limit_s: float) -> Ended:
        """Run it to its end; nothing of its process group is left then.

        Raises:
            UsageError: it cannot be started.
        """
        begun = time.monotonic()
        with self._lock:
            if self.stopped:
                return Ended(None, 0.0, "", whole=False)
            try:
                process = subprocess.Popen(  # noqa: S603 - the user's own command
                    self._command, env={**os.environ, **environment}, stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
                )  # fmt: skip
            except (OSError, ValueError) as error:
                said = getattr(error, "strerror", None) or error
                raise UsageError(f"cannot start {self._command[0]!r}: {said}") from None
            self._running.add(process.pid)
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        output = _Output(process.stdout)
        try:
            code: int | None = process.wait(time_limit_s)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            _kill(process.pid)
            process.wait()
            with self._lock:
                self._running.discard(process.pid)
        seconds = time.monotonic() - begun
        said, whole = output.end()
        return Ended(code, seconds, said, whole)

    def stop(self) -> None:
        """End what is under way, and start nothing more."""
        with self._lock:
            self.stopped = True
            for pid in self._running:
                _kill(pid)


def _kill(group: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
