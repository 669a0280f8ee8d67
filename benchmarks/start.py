"""How long one waits: from the call to the first arrival, from the end of the load to the report, and a whole check.

    python benchmarks/start.py [--runs N] [--beside PYTHON] > docs/start.md

Each is measured with compiled bytecode and without (as in a fresh CI environment), against the sandbox in a process of
its own; the median of the runs is printed. `--beside` names the Python of another environment with another kycgate in
it: both are measured in turns, so that the ratio says what a faster or slower machine does not change.
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


def measure(python: str, url: str, compiled: str, *, bytecode: bool) -> tuple[float, float, float]:
    """Seconds to the first arrival, from the last arrival's second to the end, and of a check, of `python`'s kycgate.

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
                [python, "-m", "kycgate", *arguments, "--base-url", url],
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


def release(python: str) -> str:
    """The commit of the kycgate that this Python has."""
    code = "import kycgate, pathlib; print(pathlib.Path(kycgate.__file__).parent)"
    folder = subprocess.run([python, "-P", "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    commit = ["git", "-C", folder, "rev-parse", "--short", "HEAD"]
    return subprocess.run(commit, capture_output=True, text=True, check=True).stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--beside", help="the Python of another environment")
    chosen = parser.parse_args()
    commits = {python: release(python) for python in (sys.executable, chosen.beside) if python}
    print("# How long one waits\n")
    print(f"Printed by `benchmarks/start.py`, the median of {chosen.runs}, Python {platform.python_version()}, "
          f"{os.cpu_count()} cores, {datetime.now().astimezone():%Y-%m-%d}. Seconds.\n")  # fmt: skip
    print("| commit | bytecode | first arrival of a load | report after its end | check on the sandbox |")
    print("| --- | --- | --- | --- | --- |")
    with embedded_sandbox(Profile()) as sandbox, tempfile.TemporaryDirectory() as folder:
        url = str(sandbox.profile.base_url)
        compiled = {python: str(Path(folder) / str(number)) for number, python in enumerate(commits)}
        for python in commits:
            measure(python, url, compiled[python], bytecode=True)  # compiles
        for bytecode in (True, False):
            turns = [
                {python: measure(python, url, compiled[python], bytecode=bytecode) for python in commits}
                for _ in range(chosen.runs)
            ]
            medians = {
                python: [statistics.median(column) for column in zip(*(turn[python] for turn in turns), strict=True)]
                for python in commits
            }
            kept = "compiled" if bytecode else "none"
            for python, seconds in medians.items():
                print(f"| {commits[python]} | {kept} | {' | '.join(f'{value:.1f}' for value in seconds)} |")
            if chosen.beside:
                ratios = [now / before for now, before in zip(*medians.values(), strict=True)]
                print(f"| ratio | {kept} | {' | '.join(f'{ratio:.2f}' for ratio in ratios)} |")


if __name__ == "__main__":
    main()
