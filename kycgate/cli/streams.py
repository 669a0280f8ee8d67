"""Standard input, output and error that are closed, full, or end in a pipe without a reader."""

import os
import sys
from contextlib import suppress

from rich.console import Console


def open_what_is_closed() -> None:
    """Let no file of ours become descriptor 0, 1 or 2, where others' words would end up in it (`kycgate … >&-`)."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free descriptor is taken: this one.
            os.open(os.devnull, os.O_RDWR)
    for name, number, mode in (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w")):
        if getattr(sys, name) is None:
            stream = open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115 - as long as the process
            # pytest looks at the second name.
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)


def silence() -> None:
    """Redirect stdout and stderr to /dev/null so that exit raises no BrokenPipeError."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with suppress(OSError, ValueError):
                os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def flush() -> str:
    """Flush both streams; returns the error, or an empty string. A closed pipe is not an error."""
    problem = ""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            pass
        except (OSError, ValueError) as error:
            problem = f"the output cannot be written: {getattr(error, 'strerror', None) or error}"
    silence()
    return problem


class SteadyConsole(Console):
    """Rich's console ends the process with 1 when its reader has left; ours goes on, as the verdict is on disk."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        silence()
