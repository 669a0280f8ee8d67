"""Kills commands at random moments and looks at what is left: files, processes, words.

    python benchmarks/kills.py --kills 200 --seed 1 --out docs/kills.md

Ends with 1 when anything was half written, left running, or could not be reported.
"""

import argparse
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import kycgate
from kycgate.runs.folder import write_atomically
from kycgate.sandbox import RunningSandbox, SandboxSettings
from kycgate.tests.suite.chaos_trial import SECRET, TENANT, environment
from kycgate.tests.suite.kills import COMMANDS, SIGNALS, Kill, kill_once, moments


def lasting(base_url: str, folder: Path, recorded: Path, wanted: list[str]) -> dict[str, float]:
    """How long each command lasts when it is not killed."""
    found = {}
    for command in wanted:
        begun = time.monotonic()
        kill = kill_once(command, SIGNALS[0], 600.0, folder / command, base_url, recorded)
        if kill.problems or not kill.ended_first:
            raise SystemExit(f"{command} does not run: {kill.problems}")
        found[command] = time.monotonic() - begun
        print(f"{command} lasts {found[command]:.1f} s", flush=True)
    return found


def table(kills: list[Kill], seed: int, lasts: dict[str, float]) -> str:
    """docs/kills.md."""
    bad = [kill for kill in kills if kill.problems]
    by: dict[str, list[Kill]] = defaultdict(list)
    for kill in kills:
        by[kill.command].append(kill)
    lines = [
        f"""# Killed at any moment

Printed by `python benchmarks/kills.py --kills {len(kills)} --seed {seed}` on {datetime.now(UTC):%Y-%m-%d}, kycgate
{kycgate.__version__}, Python {platform.python_version()}, {os.cpu_count()} cores.

{len(kills)} signals, SIGINT, SIGTERM and SIGKILL in turn, each sent to the command alone at a random moment of the time
that it lasts undisturbed. {len(bad)} times anything was wrong, which would be: a `run.json`, report, pins file or store
that is half written; a process that was still there 40 s later (every process that was started is found by a mark in
its environment); a folder that `kycgate report` cannot render; a killed run that claims a verdict; a traceback.

"Quicker" had ended before the signal. "Asked twice" took a second Ctrl-C: Python itself drops one that comes at some
moments of its start. "Temporary" are unfinished files that a kill left under names of their own,
which nothing reads. "Kept" is what a killed run's report still showed: clauses judged, seconds of load.

| command | lasts, s | kills | quicker | asked twice | gone after, s (longest) | temporary | kept (most) | wrong |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |"""
    ]
    for command, some in by.items():
        kept = f"{max(k.clauses for k in some)} clauses, {max(k.seconds_of_load for k in some)} s"
        lines.append(
            f"| {command} | {lasts[command]:.1f} | {len(some)} | {sum(k.ended_first for k in some)} | "
            f"{sum(k.asked_twice for k in some)} | {max(k.leaving_s for k in some):.1f} | "
            f"{sum(k.temporary for k in some)} | {kept} | {sum(bool(k.problems) for k in some)} |"
        )
    lines += [
        "",
        *(f"- {k.command}, {k.number.name} after {k.after_s:.2f} s: {'; '.join(k.problems)[:400]}" for k in bad),
    ]
    return "\n".join(lines).rstrip() + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--at-once", type=int, default=2)
    parser.add_argument("--command", action="append", default=[], choices=list(COMMANDS))
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    # In a shell's background SIGINT is ignored, and what is ignored is so for all that is started from here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    settings = SandboxSettings(tenants={TENANT: SECRET})
    with tempfile.TemporaryDirectory() as name, RunningSandbox(settings) as sandbox:
        folder = Path(name)
        subprocess.run(
            [sys.executable, "-m", "kycgate", *COMMANDS["verify"]],
            cwd=folder, env=environment() | {"KYCGATE_BASE_URL": sandbox.base_url}, capture_output=True, check=False,
        )  # fmt: skip
        recorded = folder / "run"
        lasts = lasting(sandbox.base_url, folder, recorded, given.command or list(COMMANDS))
        planned = list(moments(given.kills, given.seed, lasts))

        def one(lane: int) -> list[Kill]:
            done = []
            for command, number, after_s in planned[lane :: given.at_once]:
                # The folder stays: a store, a pins file are met by the next one as the last has left them.
                own = folder / f"lane {lane}" / command
                done.append(kill := kill_once(command, number, after_s, own, sandbox.base_url, recorded))
                print(
                    f"{'FAIL' if kill.problems else 'ok  '} {command} {number.name} after {after_s:.2f} s: exit "
                    f"{kill.code}, gone after {kill.leaving_s:.1f} s {'; '.join(kill.problems)}",
                    flush=True,
                )
            return done

        with ThreadPoolExecutor(given.at_once) as pool:
            kills = [kill for lane in pool.map(one, range(given.at_once)) for kill in lane]
    if given.out:
        write_atomically(given.out, table(kills, given.seed, lasts))
    bad = [kill for kill in kills if kill.problems]
    print(f"{len(kills)} kills, {len(bad)} with something wrong")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
