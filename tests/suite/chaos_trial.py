"""One command against one misbehaviour, as a user would run it: exit code, seconds, memory, the line said."""

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from kycgate.chaos.registry import Behaviour, Mode
from kycgate.chaos.target import ChaosTarget
from kycgate.errors import KycgateError
from kycgate.probing import open_store
from kycgate.sandbox import RunningSandbox, SandboxSettings

TENANT, SECRET = "tenant-1", "chaos-secret-5f1e"
AFTER = {"check": 25, "load": 25, "verify": 25, "probe": 2}
"""Requests that are well answered before a behaviour that begins later begins; a probe sends five."""
TIMEOUT_S = 2.0
MEMORY_MB = 300
MUST_NOT_SAY = ("Traceback", "please report it", SECRET)
COMMANDS = {
    "check": ("check", "--budget", "130", "--uploads", "40"),
    "load": ("load", "--rate", "5", "--duration", "3"),
    "probe": ("probe", "--store", "store.db"),
    "verify": ("verify", "--budget", "130", "--uploads", "40", "--load-rate", "5", "--duration", "3"),
}
_VERDICTS = ("kept: ", "broken: ", "unclear: ", "unavailable: ", "kycgate: cannot")
TIME_LIMITS_S = {"check": 100.0, "load": 60.0, "probe": 95.0, "verify": 120.0}


@dataclass(slots=True)
class Trial:
    """The result; `problems` is empty when all was as it must be."""

    behaviour: str
    command: str
    mode: Mode
    exit_code: int
    seconds: float
    peak_mb: int
    line: str
    problems: list[str] = field(default_factory=list)


def run_trial(
    behaviour: Behaviour, command: str, mode: Mode, folder: Path, *, time_limit_s: float | None = None
) -> Trial:
    """Run `command` in `folder` against `behaviour`, and compare with what it must make of it."""
    limit = time_limit_s or TIME_LIMITS_S[command]
    settings = SandboxSettings(tenants={TENANT: SECRET})
    after = AFTER[command] if mode is Mode.LATER else 0
    with RunningSandbox(settings) as sandbox, ChaosTarget(behaviour, sandbox.base_url, after=after) as target:
        _write_profile(folder, target)
        # A client that uses the environment's proxies talks to the canary.
        proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), target.canary.url)
        measured = _run(
            [sys.executable, "-m", "kycgate", *COMMANDS[command], "--profile", "kycgate.toml", "--out", "run",
             "--seed", "7", "--time-limit", f"{limit:g}"],
            folder, {**proxies, **{name.lower(): url for name, url in proxies.items()}},
        )  # fmt: skip
        contacts, mistreated = target.canary.contacts, target.mistreated
    trial = Trial(behaviour.name, command, mode, measured.code, measured.seconds, measured.peak_mb, measured.line)
    trial.problems = [
        *_said_wrongly(trial, behaviour, measured.said),
        *_lost(folder, trial),
        *([f"took {measured.seconds:.0f} s, stated {limit:.0f} s"] if measured.seconds > limit else []),
        *([f"took {measured.peak_mb} MB"] if measured.peak_mb > MEMORY_MB else []),
        *([f"another host was contacted {contacts} times"] if contacts else []),
        *(["it never came to that"] if not mistreated and behaviour.lasts_s == 0 else []),
    ]
    return trial


def _write_profile(folder: Path, target: ChaosTarget) -> None:
    lines = [f'base_url = "{target.base_url}"', f"timeout_s = {TIMEOUT_S}", 'name = "chaos"']
    if target.behaviour.trusts:
        (folder / "ca.pem").write_bytes(target.ca_pem)
        lines.append('ca_file = "ca.pem"')
    # A name that does not resolve is not known to be this machine.
    lines += ["[limits]", "max_load_rate = 10"]
    (folder / "kycgate.toml").write_text("\n".join(lines), encoding="utf-8")


def _said_wrongly(trial: Trial, behaviour: Behaviour, said: str) -> list[str]:
    expected = behaviour.expected(trial.command, trial.mode)
    assert expected is not None
    found = []
    if trial.exit_code not in expected.codes:
        found.append(f"exit code {trial.exit_code}, not {' or '.join(map(str, sorted(expected.codes)))}")
    if not trial.line:
        found.append("said no verdict")
    elif expected.says not in trial.line:
        found.append(f"did not say {expected.says!r}")
    return found + [f"said {word!r}" for word in MUST_NOT_SAY if word in said]


def _lost(folder: Path, trial: Trial) -> list[str]:
    """Whether what was learned is on disk: the run, with this verdict, and its reports."""
    store, folder = folder / "store.db", folder / "run"
    found: list[str] = []
    if trial.command == "probe":
        try:
            with open_store(str(store)) as kept:
                found = [] if list(kept.targets().values()) == [1] else ["the store does not hold this one probe"]
        except KycgateError as error:
            found = [str(error)]
    try:
        run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return [f"run.json: {error}"]
    if run["exit_code"] != trial.exit_code:
        found.append(f"run.json says exit code {run['exit_code']}")
    sent = (folder / "exchanges.ndjson").read_bytes().count(b"\n")
    if trial.command in ("check", "probe") and sent != run["requests_sent"]:
        found.append(f"{sent} exchanges recorded, {run['requests_sent']} sent")
    return found + [f"no {name}" for name in ("report.html", "junit.xml", "summary.md") if not (folder / name).exists()]


@dataclass(frozen=True, slots=True)
class _Measured:
    code: int
    seconds: float
    peak_mb: int
    said: str
    line: str


def _run(arguments: list[str], folder: Path, env: dict[str, str]) -> _Measured:
    """Run a process and measure it with all its descendants."""
    begun = time.monotonic()
    with (folder / "said.txt").open("w+", encoding="utf-8") as said:
        process = subprocess.Popen(
            arguments, cwd=folder, env=environment() | env, stdout=said, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        peak = _Peak(process.pid)
        process.wait()
        seconds = time.monotonic() - begun
        tree = peak.stop()
        said.seek(0)
        text = said.read()
    return _Measured(process.returncode, seconds, tree // 1024, text, _verdict_line(text))


def _verdict_line(said: str) -> str:
    """The line with the result."""
    lines = [line for line in said.splitlines() if line.startswith(_VERDICTS)]
    return lines[-1] if lines else ""


def environment() -> dict[str, str]:
    """Ours, without what the caller has set for kycgate, and with the sandbox's credentials."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("KYCGATE_", "PYTEST_"))}
    return clean | {"KYCGATE_TENANT_ID": TENANT, "KYCGATE_TENANT_SECRET": SECRET}


class _Peak:
    """The largest sum of proportional set sizes (proc(5), smaps_rollup) of a process and its descendants, in kB.

    Memory that processes share counts once.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._peak = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> int:
        self._over.set()
        self._thread.join()
        return self._peak

    def _watch(self) -> None:
        while not self._over.wait(0.05):
            together = sum(map(_proportional_kb, descendants(self._pid)))
            # Its own high-water mark sees what came and went in between. Not wait4's: that begins with whoever forked.
            self._peak = max(self._peak, together, _figure_kb(self._pid, "status", "VmHWM:"))


def descendants(pid: int) -> list[int]:
    """A process and all that it has started, as far as they still are its own."""
    found = [pid]
    for parent in found:
        try:
            for task in Path(f"/proc/{parent}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
        except OSError:
            continue
    return found


def _proportional_kb(pid: int) -> int:
    return _figure_kb(pid, "smaps_rollup", "Pss:")


def _figure_kb(pid: int, file: str, name: str) -> int:
    """A figure of proc(5); 0 when the process is gone."""
    try:
        text = Path(f"/proc/{pid}/{file}").read_text()
        return next(int(line.split()[1]) for line in text.splitlines() if line.startswith(name))
    except (OSError, StopIteration):
        return 0
