"""`python -m kycgate`, and the console script."""

import os
import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def _leave(number: int, frame: object) -> None:
    os.write(2, b"kycgate: stopped\n")
    os._exit(3)


def main() -> None:
    """Run the command line.

    A Ctrl-C outside a run has nothing to keep, and ends it at once: an exception that comes while modules are loaded
    may be dropped by Python. A run has its own way.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)
    # What was imported before this line would end in a traceback: as little as can be.
    from kycgate.processes import collect_seldom, interrupted, load_httpx_alone

    collect_seldom()
    load_httpx_alone()
    from kycgate.cli.main import main as run
    from kycgate.cli.streams import open_what_is_closed

    open_what_is_closed()
    try:
        run()
    except SystemExit as ended:
        # Once a Ctrl-C's exception has crossed an exec(), as dataclasses make them, CPython ends the process by SIGINT
        # whatever its exit code is.
        code = int(ended.code or 0)
        if interrupted.is_set():
            os._exit(code)
        _end(code)


def _end(code: int) -> "NoReturn":
    """End with `code`, and leave the memory to the system: Python takes a third of a second to free it."""
    import atexit
    import threading

    if threading.active_count() > 1:
        raise SystemExit(code)
    atexit._run_exitfuncs()  # noqa: SLF001 - there is no public name for it
    os._exit(code)


if __name__ == "__main__":
    main()
