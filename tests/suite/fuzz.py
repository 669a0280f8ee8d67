"""Damaged inputs for every parser of ours, and what must be true of each answer: one clear line, or a right reading.

Structure-aware: a valid input is taken apart, one place of it is changed (or some bytes of its text are), and it is
read again. Only errors raised on purpose may come out; and whatever verdict is taken from a damaged recording must be
one that its own numbers bear out.
"""

import contextlib
import io
import json
import math
import os
import random
import shutil
import sys
import tempfile
import time
import tomllib
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import tomlkit

from kycgate.cli import main as cli
from kycgate.cli.execute import execute
from kycgate.cli.spec import RunSpec
from kycgate.errors import KycgateError
from kycgate.judging.drift import load_pins
from kycgate.probing import open_store
from kycgate.probing.probe import Probe, ProbeStep, read_probes
from kycgate.reports.bundle import pack, verify
from kycgate.reports.write import write_all
from kycgate.runs.folder import RunFolder
from kycgate.runs.model import Run
from kycgate.settings.profile import Limits, Profile, load_profile
from kycgate.settings.template import profile_text
from kycgate.sla.histograms import IntervalLog
from kycgate.sla.judge import judge
from kycgate.sla.policy import load_policy
from kycgate.sla.recording import Recording
from kycgate.specimens import load_directory, save
from kycgate.tests.suite.recorded import write_load

ROOT = Path(__file__).resolve().parents[2]
JUNK: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, -(2**63), 10**30, 0.5, -0.0, 1e308, math.nan, math.inf, -math.inf),
    *("", " ", "x", "\0", "\u202e", "../../etc/passwd", "x" * 3_000, "9" * 400, "-1", "NaN", "2026-02-30", "٣"),
    *([], {}, [[]], [None], {"": None}, [1] * 200, {"a": {"b": {"c": []}}}),
)
"""What stands in the place of a value."""


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where in a tree something can be changed."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value[:40]) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


def changed(value: Any, rng: random.Random) -> Any:
    """A copy of a JSON tree with one place of it changed, left out, doubled, or named otherwise."""
    copy = json.loads(json.dumps(value))
    path = rng.choice(list(places(copy)))
    if not path:
        return rng.choice(JUNK)
    holder = copy
    for key in path[:-1]:
        holder = holder[key]
    last, how = path[-1], rng.randrange(5)
    if how == 0:
        del holder[last]
    elif how == 1 and isinstance(holder, list):
        holder.insert(last, holder[last])
    elif how == 1:
        holder[str(rng.choice(JUNK))] = holder[last]
    elif how == 2 and isinstance(holder[last], int | float) and not isinstance(holder[last], bool):
        holder[last] = rng.choice(
            (holder[last] + 1, -holder[last], holder[last] * 10, holder[last] / 3, holder[last] - 7)
        )
    else:
        holder[last] = rng.choice(JUNK)
    return copy


def torn(raw: bytes, rng: random.Random) -> bytes:
    """Bytes with a few of them changed, cut off, doubled or swapped."""
    damaged = bytearray(raw)
    for _ in range(rng.choice((1, 1, 2, 5))):
        if not damaged:
            return b""
        start = rng.randrange(len(damaged))
        size = rng.choice((1, 1, 3, 40, 400))
        how = rng.randrange(5)
        if how == 0:
            damaged[start] ^= 1 << rng.randrange(8)
        elif how == 1:
            del damaged[start : start + size]
        elif how == 2:
            damaged[start:start] = damaged[start : start + size]
        elif how == 3:
            damaged[start : start + size] = rng.randbytes(min(size, 40))
        else:
            del damaged[start:]
    return bytes(damaged)


class Inputs:
    """Valid inputs of each kind, in a folder, and how each is damaged and read."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.rng = random.Random(seed)
        self.tried: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.wrong: dict[str, str] = {}
        rng = random.Random(7)
        seconds = {
            "upload_front": [[rng.uniform(20, 90) for _ in range(12)] for _ in range(6)],
            "approve_back": [[rng.uniform(2, 9) for _ in range(12)] for _ in range(6)],
        }
        self.load = write_load(folder / "load", seconds, unavailable=(0, 1, 0, 0, 0, 0), wrong=(1, 0, 0, 0, 0, 0))
        self.load_json = json.loads((self.load.path / "run.json").read_text(encoding="utf-8"))
        self.hlog = (self.load.path / "latency.hlog").read_bytes()
        check = ROOT / "tests" / "suite" / "recorded" / "v1-check-broken" / "run.json"
        self.check_json = json.loads(check.read_text(encoding="utf-8"))
        found = [finding for clause in self.check_json["clauses"] for finding in clause.get("findings", ())]
        self.exchange = next(finding["exchange"] for finding in found if finding.get("exchange"))
        self.profile = tomllib.loads(profile_text({"name": "x", "base_url": "http://127.0.0.1:9"})) | {
            "limits": {"requests": 10, "uploads": 3, "rate": 1.0, "max_load_rate": 2.0},
            "environment": {"api_keys": "A"},
            "severity": {"expected": "fail"},
            "waiver": [{"clause": "body.json", "reason": "r", "owner": "o", "expires": "2099-01-01"}],
        }
        self.policy_path = ROOT / "docs" / "policy.example.toml"
        self.policy = tomllib.loads(self.policy_path.read_text(encoding="utf-8"))
        self.pins = {"pins_version": 1, "target": "t", "pinned": "2026-01-01", "kycgate": "0.1.0", "runs": 1}
        save(folder / "cards", 1)
        self.truth = (folder / "cards" / "truth.jsonl").read_bytes()
        step = ProbeStep(step="upload_front", status=200, failure="", response_us=9, service_us=9)
        probe = Probe(
            id="a", started_at=datetime(2026, 1, 1, tzinfo=UTC), target="t", prober="p", verdict="kept", failure="",
            failed_step="", reason="", breaches=(), requests=4, uploads=2, timeout_s=60, duration_us=9, steps=(step,),
            kycgate_version="0.1.0",
        )  # fmt: skip
        self.probes = f"{probe.model_dump_json()}\n" * 3
        with open_store(str(folder / "probes.store"), create=True) as store:
            store.append(probe)
        self.store = (folder / "probes.store").read_bytes()
        few = Profile(limits=Limits(requests=12, uploads=4))
        execute(RunSpec(command="check", profile=few, out=folder / "packed", seed=1, check=True), say=lambda _: None)
        assert not pack(RunFolder(folder / "packed"), self.policy_path, folder / "packed.zip").contradictions
        self.bundle = (folder / "packed.zip").read_bytes()
        self.readers: dict[str, Callable[[], None]] = {
            "profile": self.read_profile,
            "policy": self.read_policy,
            "pins": self.read_pins,
            "run.json of a check": self.read_check,
            "run.json of a load": self.read_load,
            "latency.hlog": self.read_hlog,
            "exchanges.ndjson": self.read_exchanges,
            "truth.jsonl": self.read_truth,
            "probes": self.read_probes,
            "store": self.read_store,
            "bundle": self.read_bundle,
            "command line": self.read_command_line,
        }

    def once(self, name: str) -> None:
        """One damaged input of this kind; raises when its result is wrong."""
        self.tried[name] += 1
        try:
            self.readers[name]()
        except KycgateError as error:
            self.refused[name] += 1
            said = str(error)
            assert said, name
            assert "\n" not in said, said
            assert "Traceback" not in said, said

    def try_once(self, name: str) -> None:
        """As `once`, and what is wrong is kept: one traceback for each place in the code."""
        try:
            self.once(name)
        except Exception as error:  # noqa: BLE001 - that is what is looked for
            frames = traceback.extract_tb(error.__traceback__)
            self.wrong.setdefault(f"{name}: {type(error).__name__} at {frames[-1]}", traceback.format_exc())

    def _json(self, value: Any) -> bytes:
        if self.rng.random() < 0.3:
            return torn(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"), self.rng)
        return json.dumps(changed(value, self.rng), ensure_ascii=False).encode("utf-8", "replace")

    def _toml(self, value: dict[str, Any]) -> bytes:
        with contextlib.suppress(Exception):
            # What TOML cannot say is none of its inputs.
            damaged = changed(value, self.rng)
            if isinstance(damaged, dict) and self.rng.random() < 0.7:
                return tomlkit.dumps(damaged).encode("utf-8", "replace")
        return torn(tomlkit.dumps(value).encode(), self.rng)

    def _file(self, name: str, raw: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(raw)
        return path

    def read_profile(self) -> None:
        load_profile(self._file("p.toml", self._toml(self.profile)))

    def read_policy(self) -> None:
        policy = load_policy(self._file("policy.toml", self._toml(self.policy)))
        assert 0 < policy.confidence < 1
        assert policy.objective

    def read_pins(self) -> None:
        if self.rng.random() < 0.5:
            load_pins(self._file("pins.json", self._json(self.pins)))
        else:
            load_pins(self._file("pins.toml", self._toml(self.pins)))

    def read_check(self) -> None:
        folder = self.folder / "check"
        folder.mkdir(exist_ok=True)
        (folder / "run.json").write_bytes(self._json(self.check_json))
        run = RunFolder(folder).read_run()
        self._bears_out(run)
        write_all(RunFolder(folder), run)

    def read_load(self) -> None:
        """Whatever is said of the damaged run is what its numbers say."""
        (self.load.path / "run.json").write_bytes(self._json(self.load_json))
        (self.load.path / "latency.hlog").write_bytes(self.hlog)
        recording = Recording.read(RunFolder(self.load.path))
        self._bears_out(recording.run)
        for result in judge(load_policy(self.policy_path), [recording]):
            load = recording.load
            if result.id.startswith("availab"):
                assert result.samples == load.requests
                assert result.value is None or result.value <= 1
            assert result.samples >= 0
            assert not (result.verdict == "holds" and not result.samples)

    @staticmethod
    def _bears_out(run: Run) -> None:
        assert run.exit_code in (0, 1, 2, 3)
        assert (run.exit_code == 0) == (run.verdict == "kept")
        assert (run.exit_code == 1) == (run.verdict == "broken")
        for clause in run.clauses:
            assert 0 <= clause.broken <= clause.observed
        if run.load is not None:
            assert 0 <= run.load.unavailable + run.load.wrong_answers <= run.load.requests

    def read_hlog(self) -> None:
        path = self._file("latency.hlog", torn(self.hlog, self.rng))
        log = IntervalLog(path)
        for tag in log.tags:
            for second, cells in (log.seconds(tag) or {}).items():
                assert second >= 0
                assert (cells.counts >= 0).all()

    def read_exchanges(self) -> None:
        line = json.dumps(self.exchange)
        folder = self.folder / "exchanges"
        folder.mkdir(exist_ok=True)
        (folder / "exchanges.ndjson").write_bytes(torn(f"{line}\n".encode() * 4, self.rng))
        run = RunFolder(folder).recover()
        write_all(RunFolder(folder), run)

    def read_truth(self) -> None:
        if self.rng.random() < 0.5:
            lines = self.truth.decode().splitlines()
            at = self.rng.randrange(len(lines))
            lines[at] = self._json(json.loads(lines[at])).decode("utf-8", "replace")
            raw = "\n".join(lines).encode()
        else:
            raw = torn(self.truth, self.rng)
        (self.folder / "cards" / "truth.jsonl").write_bytes(raw)
        for card in load_directory(self.folder / "cards"):
            assert card.front.side == "front"

    def read_probes(self) -> None:
        read_probes(torn(self.probes.encode(), self.rng).decode("utf-8", "replace"), "the probes")

    def read_store(self) -> None:
        path = self._file("damaged.store", torn(self.store, self.rng))
        with open_store(str(path)) as store:
            list(store.probes("t", datetime(2025, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)))

    def read_bundle(self) -> None:
        """Torn, or packed again with a member changed, added, renamed or compressed: only what was packed is taken."""
        if self.rng.random() < 0.4:
            raw = torn(self.bundle, self.rng)
        else:
            with zipfile.ZipFile(io.BytesIO(self.bundle)) as packed:
                members = {entry: packed.read(entry) for entry in packed.namelist()}
            name = self.rng.choice(list(members))
            how = self.rng.randrange(4)
            if how == 0:
                members[name] = torn(members[name], self.rng)
            elif how == 1:
                members[self.rng.choice(("../evil", "/etc/x", "a\\b", "run.json/", "x"))] = members.pop(name)
            elif how == 2:
                members["bomb"] = b"0" * 2_000_000
            elif name.endswith(".json"):
                members[name] = self._json(json.loads(members[name]))
            buffer = io.BytesIO()
            kind = self.rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
            with zipfile.ZipFile(buffer, "w", kind) as archive:
                for entry, data in members.items():
                    archive.writestr(entry, data)
            raw = buffer.getvalue()
        before = set(self.folder.rglob("*"))
        found = verify(self._file("damaged.zip", raw))
        assert set(self.folder.rglob("*")) <= before | {self.folder / "damaged.zip"}, "something was unpacked"
        assert raw == self.bundle or found.contradictions, "a changed bundle passed"

    def read_command_line(self) -> None:
        """In this process; nothing is sent, for no credentials are set and what serves is not named."""
        commands = {
            "check": ("--budget", "--uploads", "--rate", "--seed", "--profile", "--specimens", "--translation"),
            "load": ("--base-url", "--rate", "--duration", "--people", "--sizes", "--shape", "--max-requests"),
            "verify": ("--base-url", "--duration", "--load-rate", "--policy"),
            "sla": ("--policy", "--plan", "--period", "--store"),
            "report": ("--since", "--format"),
            "compare": ("--policy",),
            "specimens": ("--count", "--size"),
            "sandbox": ("--port", "--fault", "--host", "--reading", "--list-faults"),
            "pin": ("--base-url", "--out"),
            "schema": (), "clauses": (), "no-such-command": ("--x",),
        }  # fmt: skip
        command = self.rng.choice(list(commands))
        arguments = [
            command,
            *(("--base-url", "http://127.0.0.1:9") if command in ("check", "load", "verify", "pin") else ()),
        ]
        arguments += ["--fault", "no-such-fault"] if command == "sandbox" else []
        arguments += ["--out", str(self.folder / "load" / "run.json" / "x")] if command == "specimens" else []
        for _ in range(self.rng.randrange(4)):
            arguments.append(self.rng.choice([*commands[command], "--", "-", "--help", "-x", "run"]))
            arguments.append(str(self.rng.choice(JUNK)).replace("\0", "0"))
        code, complaint = self._call(arguments)
        assert code in (0, 1, 2, 3), (arguments, code)
        assert "Traceback" not in complaint, (arguments, complaint)
        assert "bug of kycgate" not in complaint, (arguments, complaint)
        self.refused["command line"] += code == 2

    def _call(self, arguments: list[str]) -> tuple[Any, str]:
        """The exit code, and what went to standard error."""
        before, where = sys.argv, Path.cwd()
        errors = io.StringIO()
        try:
            os.chdir(self.folder)
            sys.argv = ["kycgate", *arguments]
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors):
                cli.main()
        except SystemExit as ended:
            return ended.code, errors.getvalue()
        finally:
            sys.argv = before
            os.chdir(where)
        return None, errors.getvalue()


def fuzz(seconds: float, seed: int, names: tuple[str, ...] = ()) -> Inputs:
    """Damage and read inputs of all kinds in turn for so long."""
    folder = Path(tempfile.mkdtemp(prefix="kycgate-fuzz-"))
    try:
        inputs = Inputs(folder, seed)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for name in names or inputs.readers:
                inputs.try_once(name)
        return inputs
    finally:
        shutil.rmtree(folder, ignore_errors=True)
