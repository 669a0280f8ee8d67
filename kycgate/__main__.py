"""`python -m kycgate`, and the console script."""

import os
import signal


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
    from kycgate.cli.main import main as run
    from kycgate.cli.streams import open_what_is_closed
    from kycgate.processes import interrupted

    open_what_is_closed()
    try:
        run()
    except SystemExit as ended:
        # Once a Ctrl-C's exception has crossed an exec(), as dataclasses make them, CPython ends the process by SIGINT
        # whatever its exit code is.
        if interrupted.is_set():
            os._exit(int(ended.code or 0))
        raise


if __name__ == "__main__":
    main()
