"""How long one waits: from the call to the first arrival, from the end of the load to the report, and a whole check.

    python benchmarks/start.py [--runs N] > docs/start.md

Each is measured with compiled bytecode and without (as in a fresh CI environment), against the sandbox in a process of
its own; the median of the runs is printed.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

from kycgate.check.embedded import embedded_sandbox
from kycgate.sandbox import TENANT, TENANT_SECRET
from kycgate.settings.profile import Profile

LOAD_S = 3


def measure(url: str, compiled: str, *, bytecode: bool) -> tuple[float, float, float]:
    """Seconds to the first arrival, from the last arrival's second to the end, and of a check.

    With `bytecode` it is kept in the folder `compiled`.
    """
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "KYCGATE_TENANT_ID": TENANT, "KYCGATE_TENANT_SECRET": TENANT_SECRET}
        # Whatever the caller's own environment says of it.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        environment["PYTHONPYCACHEPREFIX"] = compiled
        if not bytecode:
            environment |= {"PYTHONPYCACHEPREFIX": str(Path(folder) / "none"), "PYTHONDONTWRITEBYTECODE": "1"}

        def kycgate(*arguments: str) -> tuple[float, float]:
            begun = time.time()
            subprocess.run(
                [sys.executable, "-m", "kycgate", *arguments, "--base-url", url],
                cwd=folder, env=environment, capture_output=True, check=False, timeout=180,
            )  # fmt: skip
            return begun, time.time()

        begun, ended = kycgate("load", "--rate", "10", "--duration", str(LOAD_S), "--out", "load")
        first = _first_arrival(Path(folder) / "load" / "latency.hlog")
        last = json.loads((Path(folder) / "load" / "run.json").read_text(encoding="utf-8"))["load"]["series"][-1]
        check_begun, check_ended = kycgate("check", "--out", "check")
        return first - begun, ended - (first + last["second"] + 1), check_ended - check_begun


def _first_arrival(hlog: Path) -> float:
    line = next(line for line in hlog.read_text(encoding="ascii").splitlines() if "StartTime" in line)
    return float(line.split("StartTime: ")[1].split()[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    print("# How long one waits\n")
    print(f"Printed by `benchmarks/start.py`, the median of {runs}, Python {platform.python_version()}, "
          f"{os.cpu_count()} cores, {datetime.now().astimezone():%Y-%m-%d}. Seconds.\n")  # fmt: skip
    print("| bytecode | first arrival of a load | report after its end | check on the sandbox |")
    print("| --- | --- | --- | --- |")
    with embedded_sandbox(Profile()) as sandbox, tempfile.TemporaryDirectory() as compiled:
        url = str(sandbox.profile.base_url)
        measure(url, compiled, bytecode=True)  # compiles
        for bytecode in (True, False):
            seconds = [measure(url, compiled, bytecode=bytecode) for _ in range(runs)]
            columns = [f"{statistics.median(column):.1f}" for column in zip(*seconds, strict=True)]
            print(f"| {'compiled' if bytecode else 'none'} | {' | '.join(columns)} |")


if __name__ == "__main__":
    main()
