"""`python -m kycgate`, and the console script."""

import sys


def main() -> None:
    """Run the command line; a Ctrl-C while it is still being loaded is no crash either."""
    try:
        from kycgate.cli import main as run
        from kycgate.streams import open_what_is_closed

        open_what_is_closed()
    except KeyboardInterrupt:
        sys.exit(3)
    run()


if __name__ == "__main__":
    main()
