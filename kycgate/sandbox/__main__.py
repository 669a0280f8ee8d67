"""`python -m kycgate.sandbox`: the sandbox as a process that ends with its parent (standard input closes)."""

import argparse

from kycgate.sandbox.serve import serve
from kycgate.sandbox.settings import SandboxSettings


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m kycgate.sandbox")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--settings", default="{}", help="SandboxSettings as JSON")
    parser.add_argument("--fault", action="append", default=[])
    given = parser.parse_args()
    serve(SandboxSettings.model_validate_json(given.settings), given.fault, port=given.port, until_closed=0)


if __name__ == "__main__":
    main()
