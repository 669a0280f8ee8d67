"""A command on a terminal of 80 columns, and what it drew there, read back by a terminal emulator."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyte

COLUMNS, LINES = 80, 100
LIMIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Drawn:
    """What stood on the terminal at the end, the live part as it was drawn last (or empty), and the exit code."""

    text: str
    live: str
    code: int


class _Screen(pyte.Screen):
    """Keeps what stood there before lines were erased: a live part erases itself at each refresh and at its end."""

    def __init__(self) -> None:
        super().__init__(COLUMNS, LINES)
        self.before, self._drawn = "", False

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.display).rstrip() + "\n"

    def draw(self, data: str) -> None:
        self._drawn = True
        super().draw(data)

    def erase_in_line(self, *how: Any, **more: Any) -> None:
        if self._drawn:
            self.before, self._drawn = self.text, False
        super().erase_in_line(*how, **more)


def on_terminal(
    *arguments: str, cwd: Path, env: Mapping[str, str] | None = None, typed: Mapping[str, str] | None = None
) -> Drawn:
    """Call `kycgate` in a process of its own, whose three streams are one terminal.

    `typed` holds what a person types, by a word of the line that asks for it.
    """
    away = ("KYCGATE_", "PYTEST_", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(away)}
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "kycgate", *arguments], cwd=cwd, stdin=follower, stdout=follower, stderr=follower,
        env=clean | {"TERM": "xterm-256color", **(env or {})}, start_new_session=True,
    )  # fmt: skip
    os.close(follower)
    try:
        screen = _read(leader, dict(typed or {}))
        return Drawn(screen.text, screen.before, process.wait(LIMIT_S))
    finally:
        process.kill()
        process.wait()
        os.close(leader)


def _read(leader: int, typed: dict[str, str]) -> _Screen:
    """Until the process has closed the terminal; answers each question once."""
    screen = _Screen()
    stream = pyte.ByteStream(screen)
    deadline = time.monotonic() + LIMIT_S
    # Linux ends the reading with an error once the other side is closed.
    with suppress(OSError):
        while select.select([leader], [], [], max(deadline - time.monotonic(), 0))[0]:
            stream.feed(os.read(leader, 65_536))
            line = screen.display[screen.cursor.y][: screen.cursor.x]
            asked = next((word for word in typed if word in line and line.endswith(": ")), None)
            if asked is not None:
                os.write(leader, f"{typed.pop(asked)}\n".encode())
    return screen
