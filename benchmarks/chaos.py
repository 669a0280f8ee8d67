"""Every misbehaviour of the chaos target against every command: exit code, seconds, peak memory, the line said.

    python benchmarks/chaos.py --out docs/chaos.md
    python benchmarks/chaos.py --only gzip-bomb --only refused --command check

Ends with 1 when a command did not do what is declared beside the behaviour.
"""

import argparse
import concurrent.futures
import os
import platform
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import kycgate
from kycgate.chaos import BEHAVIOURS
from kycgate.chaos.registry import Mode, named
from kycgate.runs.folder import write_atomically
from kycgate.tests.suite.chaos_trial import AFTER, COMMANDS, MEMORY_MB, TIME_LIMITS_S, TIMEOUT_S, Trial, run_trial


def _job(name: str, command: str, mode: Mode) -> Trial:
    with tempfile.TemporaryDirectory() as folder:
        return run_trial(named(name), command, mode, Path(folder))


def jobs(only: list[str], commands: list[str]) -> list[tuple[str, str, Mode]]:
    """All that can happen, of these names and commands."""
    return [
        (name, command, mode)
        for name in only or BEHAVIOURS
        for command in commands or COMMANDS
        for mode in Mode
        if named(name).expected(command, mode) is not None
    ]


def table(trials: list[Trial], seconds: float) -> str:
    """docs/chaos.md."""
    bad = sum(bool(trial.problems) for trial in trials)
    limits = ", ".join(f"{seconds:g} s ({command})" for command, seconds in TIME_LIMITS_S.items())
    text = f"""# A target that misbehaves

Printed by `python benchmarks/chaos.py` on {datetime.now(UTC):%Y-%m-%d}, kycgate {kycgate.__version__},
Python {platform.python_version()}, {os.cpu_count()} cores, in {seconds / 60:.0f} minutes. {len(BEHAVIOURS)} behaviours,
{len(trials)} runs, {bad} not as declared beside the behaviour (`kycgate/chaos/behaviours.py`).

Each run has a time-out of {TIMEOUT_S:g} s a request and a stated limit of {limits}.
Memory is the peak of all its processes together (proportional set size), and must stay under {MEMORY_MB} MB. In each
run the environment names a proxy, and redirects point, at a canary on another address: no request came. After each run
`run.json` (with that exit code), every exchange, and the three reports were on disk.

Longest {max(t.seconds for t in trials):.0f} s; most memory {max(t.peak_mb for t in trials)} MB.
"""
    lines = [text]
    for name in dict.fromkeys(trial.behaviour for trial in trials):
        lines += [f"## {name}", "", BEHAVIOURS[name].sentence, ""]
        lines += ["| command | misbehaves | exit | s | MB | said |", "| --- | --- | --- | --- | --- | --- |"]
        for t in trials:
            if t.behaviour == name:
                said = t.line.replace("|", "\\|").replace("<", "&lt;")[:230]
                wrong = f" **{'; '.join(t.problems)}**" if t.problems else ""
                when = "always" if t.mode is Mode.ALWAYS else f"from request {AFTER[t.command] + 1} on"
                lines.append(
                    f"| {t.command} | {when} | {t.exit_code} | {t.seconds:.1f} | {t.peak_mb} | {said}{wrong} |"
                )
        lines.append("")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--only", action="append", default=[], help="a behaviour; may be given again")
    parser.add_argument("--command", action="append", default=[], choices=list(COMMANDS))
    parser.add_argument("--at-once", type=int, default=2)
    given = parser.parse_args()
    wanted = jobs(given.only, given.command)
    begun = datetime.now(UTC)
    done: dict[tuple[str, str, Mode], Trial] = {}
    with concurrent.futures.ThreadPoolExecutor(given.at_once) as pool:
        futures = {pool.submit(_job, *job): job for job in wanted}
        for future in concurrent.futures.as_completed(futures):
            t = done[futures[future]] = future.result()
            print(
                f"{'FAIL' if t.problems else 'ok  '} {t.behaviour} {t.command} {t.mode}: exit {t.exit_code}, "
                f"{t.seconds:.1f} s, {t.peak_mb} MB: {t.line} {'; '.join(t.problems)}",
                flush=True,
            )
    trials = [done[job] for job in wanted]
    if given.out:
        write_atomically(given.out, table(trials, (datetime.now(UTC) - begun).total_seconds()))
    bad = [trial for trial in trials if trial.problems]
    print(f"{len(trials)} runs, {len(bad)} not as declared")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
