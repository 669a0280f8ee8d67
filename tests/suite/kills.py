"""One command killed at one moment: what must hold of its files, its processes and its words afterwards."""

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from kycgate.errors import KycgateError
from kycgate.judging.drift import load_pins
from kycgate.reports import write_all
from kycgate.runs.folder import RunFolder
from kycgate.tests.suite.chaos_trial import MUST_NOT_SAY, environment

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
MARK = "KYCGATE_KILL_MARK"
LEAVING_S = 20.0
"""A load generator that lost its command may take so long to leave."""
ASK_AGAIN_S = 25.0
"""A person presses Ctrl-C again when nothing has come of the first."""
POLICY = """
confidence = 0.95
[[objective]]
id = "availability"
kind = "availability"
at_least = 0.5
"""
_RUN = ("--out", "run")
COMMANDS = {
    "check": ("check", "--budget", "60", "--uploads", "20", *_RUN),
    "load": ("load", "--rate", "5", "--duration", "4", *_RUN),
    "load on two workers": ("load", "--rate", "5", "--duration", "4", "--processes", "2", *_RUN),
    "verify": ("verify", "--budget", "40", "--uploads", "14", "--load-rate", "5", "--duration", "2", *_RUN),
    "probe": ("probe", "--store", "store.db", *_RUN),
    "pin": ("pin", "--out", "kycgate.pins.toml", "--budget", "40", "--uploads", "14"),
    "prove": ("prove", "--only", "expiry-in-the-past", "--only", "age-as-text", "--out", "proven"),
    "report": ("report", "recorded"),
    "sla": ("sla", "recorded", "--policy", "policy.toml"),
}


@dataclass(slots=True)
class Kill:
    """The result; `problems` is empty when all was as it must be."""

    command: str
    number: signal.Signals
    after_s: float
    code: int
    """The process's exit code; negative where a signal ended it."""
    ended_first: bool
    asked_twice: bool
    leaving_s: float
    """From the signal until the command and all that it started were gone."""
    temporary: int
    """Unfinished files left behind under names of their own."""
    clauses: int
    seconds_of_load: int
    problems: list[str] = field(default_factory=list)


def kill_once(
    command: str, number: signal.Signals, after_s: float, folder: Path, base_url: str, recorded: Path
) -> Kill:
    """Run `command` in `folder`, send `number` after the given seconds, and look at what is left."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder / "run", ignore_errors=True)
    if command in ("report", "sla"):
        shutil.rmtree(folder / "recorded", ignore_errors=True)
        shutil.copytree(recorded, folder / "recorded")
        (folder / "policy.toml").write_text(POLICY, encoding="utf-8")
    mark, temporary = uuid.uuid4().hex, _temporary(folder)
    process = subprocess.Popen(
        [sys.executable, "-m", "kycgate", *COMMANDS[command]],
        cwd=folder, env=environment() | {MARK: mark, "KYCGATE_BASE_URL": base_url},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, errors="replace",
    )  # fmt: skip
    with suppress(subprocess.TimeoutExpired):
        process.wait(after_s)
    ended_first = process.poll() is not None
    killed_at = time.monotonic()
    if not ended_first:
        process.send_signal(number)
    problems: list[str] = []
    asked_twice = False
    if number is signal.SIGINT and not ended_first:
        try:
            process.wait(ASK_AGAIN_S)
        except subprocess.TimeoutExpired:
            # Python itself drops a Ctrl-C that comes at some moments of its start.
            asked_twice = True
            process.send_signal(number)
    try:
        process.wait(LEAVING_S + 15)
    except subprocess.TimeoutExpired:
        problems.append(f"{number.name} did not end it")
        process.kill()
    while (left := list(marked(mark))) and time.monotonic() < killed_at + 2 * LEAVING_S:
        time.sleep(0.05)
    leaving_s = time.monotonic() - killed_at
    for orphan in left:
        problems.append(f"left behind: {orphan}")
        with suppress(ProcessLookupError):
            os.kill(int(orphan.split()[0]), signal.SIGKILL)
    said = process.communicate()[0]
    run = folder / ("recorded" if command in ("report", "sla") else "run")
    code, left_over = process.returncode, _temporary(folder) - temporary
    kill = Kill(command, number, after_s, code, ended_first, asked_twice, leaving_s, left_over, 0, 0, problems)
    problems += _said_wrongly(said, number)
    if process.returncode not in (0, 1, 3, -number):
        problems.append(f"exit code {process.returncode}: {said[-200:]}")
    problems += _not_whole(run, kill)
    problems += _broken_store(folder / "store.db")
    if (folder / "proven" / "prove.json").exists():
        try:
            json.loads((folder / "proven" / "prove.json").read_text(encoding="utf-8"))
        except ValueError as error:
            problems.append(f"prove.json: {error}")
    if (folder / "kycgate.pins.toml").exists():
        try:
            load_pins(folder / "kycgate.pins.toml")
        except KycgateError as error:
            problems.append(str(error))
    return kill


def marked(mark: str) -> Iterator[str]:
    """The processes that were started under this mark, wherever they hang now."""
    wanted = f"{MARK}={mark}".encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
                    if words:
                        yield f"{entry.name} {words[:120]}"


def _temporary(folder: Path) -> int:
    return sum(path.name.startswith(".") for path in folder.rglob("*") if path.is_file())


def _said_wrongly(said: str, number: signal.Signals) -> list[str]:
    words = [word for word in MUST_NOT_SAY if word in said]
    # A Ctrl-C that comes while Python itself starts up meets nothing of ours.
    if words == ["Traceback"] and number is signal.SIGINT and "/kycgate/" not in said:
        return []
    return [f"said {word!r}: {said[-600:]}" for word in words]


def _not_whole(run: Path, kill: Kill) -> list[str]:
    """Whether a file of the run is half written, or the run cannot be reported, or claims what it did not see."""
    if not (run / "exchanges.ndjson").exists() and not (run / "run.json").exists():
        return []
    found = []
    folder = RunFolder(run)
    for name in ("report.html", "junit.xml", "summary.md"):
        text = (run / name).read_text(encoding="utf-8") if (run / name).exists() else None
        if text is not None and not _whole(name, text):
            found.append(f"{name} is half written")
    try:
        recorded = folder.recover()
        write_all(folder, recorded)
    except (KycgateError, OSError, ValueError) as error:
        return [*found, f"cannot be reported: {error}"]
    if not recorded.finished_at and (recorded.verdict != "unclear" or recorded.complete):
        found.append(f"it was killed and says {recorded.verdict}")
    if not _whole("report.html", (run / "report.html").read_text(encoding="utf-8")):
        found.append("its report is not whole")
    kill.clauses = sum(bool(clause.observed) for clause in recorded.clauses)
    kill.seconds_of_load = len({point.second for point in recorded.load.series}) if recorded.load else 0
    return found


def _whole(name: str, text: str) -> bool:
    if name == "junit.xml":
        try:
            return ET.fromstring(text).tag in ("testsuite", "testsuites")  # noqa: S314 - we wrote it
        except ET.ParseError:
            return False
    return text.rstrip().endswith("</html>") if name == "report.html" else text.endswith("\n")


_HALVES = """SELECT count(*) FROM kycgate_probe AS probe
WHERE steps != (SELECT count(*) FROM kycgate_probe_step AS step WHERE step.probe = probe.id)"""


def _broken_store(path: Path) -> list[str]:
    if not path.exists():
        return []
    try:
        with closing(sqlite3.connect(path)) as store:
            answer = store.execute("PRAGMA integrity_check").fetchone()[0]
            made = store.execute("SELECT 1 FROM sqlite_master WHERE name = 'kycgate_probe'").fetchone()
            halves = store.execute(_HALVES).fetchone()[0] if made else 0
    except sqlite3.Error as error:
        return [f"the store: {error}"]
    return ([] if answer == "ok" else [f"the store: {answer}"]) + ([f"{halves} halves of probes"] if halves else [])


def moments(kills: int, seed: int, lasting: dict[str, float]) -> Iterator[tuple[str, signal.Signals, float]]:
    """The kills: commands and signals in turn, each at a seeded moment of the time that its command lasts."""
    rng = random.Random(seed)
    names = list(lasting)
    for number in range(kills):
        command = names[number % len(names)]
        # The signals shift by one with each round, so that every command meets each of them.
        yield command, SIGNALS[(number % len(names) + number // len(names)) % 3], rng.uniform(0.05, lasting[command])
