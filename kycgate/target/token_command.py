"""A token by a command of the user's, as git's and docker's credential helpers give one.

No shell runs it. Nothing that it writes is shown: neither its words nor its complaints are known to be free of secrets.
"""

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Sequence

from kycgate.errors import NotTheTarget

MAX_OUTPUT = 65_536
KIND = "no token from credentials.command"
SAME_AGAIN = (
    "credentials.command printed the same token again, and each session takes one of its own: where it prints a fixed "
    "key, export that as KYCGATE_API_KEYS instead"
)
_GLANCE_S = 0.01
_OTHER = "printed something else than one token on one line"


def ask_command(command: Sequence[str], timeout_s: float) -> str:
    """The token that the command prints: one line.

    Raises:
        NotTheTarget: it cannot be run, fails, hangs, or prints no token.
    """
    try:
        process = subprocess.Popen(  # noqa: S603 - the user's own, see demand_allowed_command
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # What it starts ends with it.
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise _failed(f"cannot be run ({getattr(error, 'strerror', None) or error})") from None
    until = time.monotonic() + timeout_s
    try:
        printed = _read(process, until)
        code = _wait(process, until)
    except TimeoutError:
        raise _failed(f"did not end within {timeout_s:g} s (credentials.command_timeout_s)") from None
    finally:
        _end(process)
    if code:
        raise _failed(f"failed (exit code {code}): run it by hand to see why")
    lines = [line.strip() for line in printed.decode("latin-1").splitlines() if line.strip()]
    if not lines:
        raise _failed("printed nothing")
    token = lines[0]
    if len(lines) > 1 or not token.isascii() or not token.isprintable() or " " in token:
        raise _failed(_OTHER)
    return token


def _failed(why: str) -> NotTheTarget:
    return NotTheTarget(f"credentials.command {why}", KIND)


def _read(process: "subprocess.Popen[bytes]", until: float) -> bytes:
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    printed = b""
    with selectors.DefaultSelector() as ready:
        ready.register(process.stdout, selectors.EVENT_READ)
        while True:
            left = until - time.monotonic()
            if left <= 0 or not ready.select(left):
                raise TimeoutError
            part = os.read(process.stdout.fileno(), MAX_OUTPUT)
            if not part:
                return printed
            printed += part
            if len(printed) > MAX_OUTPUT:
                raise _failed(_OTHER)


def _wait(process: "subprocess.Popen[bytes]", until: float) -> int:
    """Its exit code. Asked for now and then: a wait with a time limit polls as well."""
    while (code := process.poll()) is None:
        if time.monotonic() > until:
            raise TimeoutError
        time.sleep(_GLANCE_S)
    return code


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
