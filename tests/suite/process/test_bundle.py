"""The evidence bundle: the same run gives the same bytes, and neither a byte nor a figure can be changed unnoticed."""

import io
import json
import os
import random
import re
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from kycgate.check.embedded import embedded_sandbox
from kycgate.cli.execute import execute
from kycgate.cli.spec import RunSpec
from kycgate.errors import UsageError
from kycgate.reports.bundle import MANIFEST, _archive, _json, _manifest, _unpack, pack, verify
from kycgate.reports.crosscheck import Evidence
from kycgate.runs.folder import RunFolder
from kycgate.sandbox import FAULTS
from kycgate.settings.profile import Limits, Profile
from kycgate.tests.suite.command_line import load_once_quiet
from kycgate.tests.suite.conftest import Call, Shared

ROOT = Path(__file__).parents[3]
POLICY = (
    '[[objective]]\nid="up"\nkind="availability"\nat_least=0.5\nbursts_s=0\n'
    '[[objective]]\nid="p50"\nkind="latency"\nstep="upload"\npercentile=50\nlimit_ms=5000\nbursts_s=0\n'
)


def kycgate(cwd: Path, *arguments: str) -> None:
    done = load_once_quiet(
        lambda: subprocess.run(
            [sys.executable, "-m", "kycgate", *arguments], cwd=cwd, capture_output=True, text=True, timeout=120,
            check=False,
        ),
        cwd / "load",
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stdout + done.stderr


@pytest.fixture(scope="module")
def runs(shared: Shared) -> Path:
    """The folders of three runs: load, check (with a breach that is found at once), and a month."""
    return shared("bundle", make_runs)


def make_runs(folder: Path) -> None:
    (folder / "policy.toml").write_text(POLICY)
    kycgate(
        folder,
        "load",
        "--sandbox",
        "--duration",
        "2",
        "--rate",
        "12",
        "--policy",
        "policy.toml",
        "--out",
        "load",
        "--seed",
        "3",
    )
    profile = Profile(limits=Limits(requests=12, uploads=4))
    breaking = next(known.name for known in FAULTS.load().values() if known.clause == "result.scans")
    with pytest.MonkeyPatch.context() as patch, embedded_sandbox(profile, faults=(breaking,)) as sandbox:
        patch.setenv("KYCGATE_TENANT_ID", "tenant-1")
        patch.setenv("KYCGATE_TENANT_SECRET", "sandbox-secret")
        execute(
            RunSpec(command="check", profile=sandbox.profile, out=folder / "check", seed=1, check=True),
            say=lambda _: None,
        )
    month = [sys.executable, str(ROOT / "benchmarks" / "month.py"), "--every", "14400", "--keep", str(folder / "month")]
    subprocess.run(month, capture_output=True, timeout=120, check=False)


@pytest.fixture(params=["load", "check", "month"])
def run(request: pytest.FixtureRequest, runs: Path, tmp_path: Path) -> RunFolder:
    return RunFolder(Path(shutil.copytree(runs / request.param, tmp_path / request.param)))


def bundled(folder: RunFolder) -> Path:
    out = folder.path.parent / f"{folder.path.name}.zip"
    assert pack(folder, None, out).contradictions == []
    return out


def test_the_same_run_gives_the_same_bytes_and_agrees_with_itself(run: RunFolder, tmp_path: Path) -> None:
    one = bundled(run)
    before = one.read_bytes()
    assert verify(one).contradictions == []
    other = tmp_path / "again.zip"
    assert pack(run, None, other).digest == verify(one).digest
    assert other.read_bytes() == before
    pack(run, None, one)  # the same again is not a mistake
    one.write_bytes(b"something else")
    with pytest.raises(UsageError, match="is something else"):
        pack(run, None, one)


def test_what_is_in_it_says_what_it_is_about(run: RunFolder) -> None:
    files = _unpack(bundled(run))
    manifest = json.loads(files[MANIFEST])
    recorded = run.read_run()
    assert (manifest["run"]["verdict"], manifest["versions"]) == (recorded.verdict, recorded.versions)
    low, high = manifest["clock_offset_s"]
    assert low <= 0 <= high <= low + 4
    assert set(files) - {MANIFEST} == set(manifest["files"])
    assert (
        ("policy.json" in files)
        == (recorded.policy is not None)
        == bool(json.loads(files["verdict.json"])["objectives"])
    )


def test_no_byte_can_be_changed(run: RunFolder) -> None:
    path = bundled(run)
    raw = path.read_bytes()
    rng = random.Random(8)
    # The ends of the archive hold its directory, in which no checksum counts.
    places = {rng.randrange(len(raw)) for _ in range(60)} | set(range(50)) | set(range(len(raw) - 400, len(raw)))
    for place in sorted(places):
        changed = bytearray(raw)
        changed[place] ^= 1 << rng.randrange(8)
        path.write_bytes(changed)
        with pytest.raises(UsageError):
            _unpack(path)
    for longer in (raw + b"x", b"x" + raw, raw[:-1], raw[: len(raw) // 2]):
        path.write_bytes(longer)
        with pytest.raises(UsageError):
            _unpack(path)


def forged(folder: RunFolder, change: Callable[[dict[str, Any]], None]) -> Path:
    """A bundle in whose run.json something was changed, with all digests made anew."""
    path = folder.path.parent / f"{folder.path.name}.zip"
    files = _unpack(path if path.exists() else bundled(folder))
    raw = json.loads((folder.path / "run.json").read_text())
    change(raw)
    return _remade(path, files | {"run.json": json.dumps(raw, indent=1).encode()}, folder.path.parent / "forged")


def _remade(path: Path, files: dict[str, bytes], scratch: Path) -> Path:
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    for name, data in files.items():
        (scratch / name).write_bytes(data)
    files = {name: data for name, data in files.items() if name != MANIFEST}
    # A forger does not mind that the recording contradicts itself.
    with patch("kycgate.runs.folder.contradiction", return_value=""):
        manifest = _manifest(Evidence(RunFolder(scratch)), files)
    path.write_bytes(_archive(files | {MANIFEST: _json(manifest)}))
    return path


def figures(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where the numbers stand."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from figures(item, (*path, key))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from figures(item, (*path, place))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path


FIGURES = int(os.environ.get("KYCGATE_FIGURES", "12"))
"""Kinds of figures that are tried in each run; KYCGATE_FIGURES=1000 tries all of them."""
UNCHECKED = re.compile(
    # What follows from nothing that is recorded, or is what things follow from.
    r"schema_version|seed|options|versions|load\.(seed|duration_s|scheduled|in_flight|not_started|workers|health|extra"
    r"|sizes|size_fit|readings|recorded)|load\.series\.\*\.started|clauses.*(clocks|exchange|observed|judged_at)"
    r"|open_points|behaviour|policy|drift|since|detection|clauses\.\*\.broken"
    r"|period\.(days|outages|latencies)\.\*\.(change)"
)


def test_no_figure_can_be_changed_even_with_its_digests(run: RunFolder) -> None:
    """One of each kind of figure is made a little larger; whatever is derived must not agree any more."""
    recorded = json.loads((run.path / "run.json").read_text())
    kinds: dict[str, list[tuple[Any, ...]]] = {}
    for path in figures(recorded):
        if path[:2] == ("load", "series") and not recorded["load"]["series"][path[2]]["finished"]:
            continue  # nothing raw speaks of a second in which nothing ended
        kinds.setdefault(".".join("*" if isinstance(part, int) else part for part in path), []).append(path)
    rng = random.Random(2)
    checked = sorted(kind for kind in kinds if not UNCHECKED.match(kind))
    few = checked if len(checked) <= FIGURES else rng.sample(checked, FIGURES)
    missed = []
    for kind in few:
        where = rng.choice(kinds[kind])

        def change(raw: Any, where: tuple[Any, ...] = where) -> None:
            for part in where[:-1]:
                raw = raw[part]
            value = raw[where[-1]]
            raw[where[-1]] = value * 1.01 if isinstance(value, float) and value else value + 1

        try:
            found = verify(forged(run, change)).contradictions
        except UsageError:
            continue
        if not found:
            missed.append(where)
    assert missed == []
    assert len(checked) >= {"load": 25, "check": 2, "month": 30}[run.path.name]


def test_no_verdict_can_be_turned(run: RunFolder) -> None:
    def turn(raw: dict[str, Any]) -> None:
        raw["verdict"], raw["exit_code"] = ("kept", 0) if raw["exit_code"] else ("broken", 1)

    assert verify(forged(run, turn)).contradictions

    def turn_objectives(raw: dict[str, Any]) -> None:
        for objective in raw["objectives"]:
            objective["verdict"] = "broken" if objective["verdict"] == "holds" else "holds"
        for clause in raw["clauses"]:
            clause["verdict"] = "kept"

    assert verify(forged(run, turn_objectives)).contradictions


def test_a_softened_policy_or_another_raw_file_shows(runs: Path, tmp_path: Path) -> None:
    load = RunFolder(Path(shutil.copytree(runs / "load", tmp_path / "load")))
    path = bundled(load)
    files = _unpack(path)
    policy = files["policy.json"].replace(b"5000.0", b"9000.0")
    assert policy != files["policy.json"]
    assert verify(_remade(path, files | {"policy.json": policy}, tmp_path / "x")).contradictions
    lines = files["latency.hlog"].splitlines(keepends=True)
    assert verify(_remade(path, files | {"latency.hlog": b"".join(lines[:-1])}, tmp_path / "x")).contradictions
    verdict = files["verdict.json"].replace(b'"holds"', b'"broken"', 1)
    assert verify(_remade(path, files | {"verdict.json": verdict}, tmp_path / "x")).contradictions
    fewer = files["exchanges.ndjson"].splitlines(keepends=True)[:-1]
    assert verify(_remade(path, files | {"exchanges.ndjson": b"".join(fewer)}, tmp_path / "x")).contradictions
    month = RunFolder(Path(shutil.copytree(runs / "month", tmp_path / "month")))
    path = bundled(month)
    files = _unpack(path)
    probes = files["probes.ndjson"].replace(b'"verdict":"unavailable"', b'"verdict":"kept"', 1)
    assert verify(_remade(path, files | {"probes.ndjson": probes}, tmp_path / "x")).contradictions


def test_another_policy_can_be_packed_with_a_run(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "hard.toml").write_text(POLICY.replace("limit_ms=5000", "limit_ms=1"))
    out = tmp_path / "hard.zip"
    assert pack(RunFolder(runs / "load"), tmp_path / "hard.toml", out).contradictions == []
    found = verify(out)
    assert found.contradictions == []
    assert [objective["verdict"] for objective in found.verdict["objectives"]] == ["holds", "broken"]


def test_what_contradicts_itself_is_not_packed(run: RunFolder, tmp_path: Path) -> None:
    text = (run.path / "run.json").read_text()
    recorded = json.loads(text)
    recorded["exit_code"] = 0 if recorded["exit_code"] else 1
    (run.path / "run.json").write_text(json.dumps(recorded))
    out = tmp_path / "out.zip"
    assert pack(run, None, out).contradictions
    assert not out.exists()


def entry(name: str, **given: Any) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    info.create_system, info.external_attr = 3, (stat.S_IFREG | 0o644) << 16
    for key, value in given.items():
        setattr(info, key, value)
    return info


LINK = (stat.S_IFLNK | 0o777) << 16
HOSTILE: dict[str, list[tuple[zipfile.ZipInfo, bytes]]] = {
    "traversal": [(entry("../../etc/passwd"), b"x")],
    "absolute": [(entry("/etc/passwd"), b"x")],
    "windows": [(entry("..\\run.json"), b"x")],
    "drive": [(entry("C:run.json"), b"x")],
    "link": [(entry("run.json", external_attr=LINK), b"/etc/passwd")],
    "folder": [(entry("run.json/"), b"")],
    "bomb": [(entry("run.json", compress_type=zipfile.ZIP_DEFLATED), b"0" * 30_000_000)],
    "twice": [(entry("run.json"), b"{}"), (entry("run.json"), b"{}")],
    "empty": [],
    "lacking": [(entry("run.json"), b"{}")],
    "no-json": [(entry(name), b"not json") for name in (MANIFEST, "run.json", "verdict.json")],
    "no-run": [(entry(name), b'{"files": {}}') for name in (MANIFEST, "run.json", "verdict.json")],
    "deep": [(entry(name), b"[" * 100_000) for name in (MANIFEST, "run.json", "verdict.json")],
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("kind", [*HOSTILE, "text", "nothing", "directory", "absent"])
def test_hostile_and_damaged_archives_end_2_with_one_line(kind: str, tmp_path: Path, call: Call) -> None:
    path = tmp_path / "x.zip"
    if kind in HOSTILE:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for info, data in HOSTILE[kind]:
                archive.writestr(info, data, compress_type=info.compress_type)
        path.write_bytes(buffer.getvalue())
    elif kind == "directory":
        path.mkdir()
    elif kind != "absent":
        path.write_bytes(b"this is no archive" if kind == "text" else b"")
    before = set(tmp_path.rglob("*"))
    code, out, err = call("bundle", "--verify", "x.zip")
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert set(tmp_path.rglob("*")) == before


def test_the_commands_end_with_their_codes(runs: Path, tmp_path: Path, call: Call) -> None:
    shutil.copytree(runs / "load", tmp_path / "load")
    code, out, _ = call("bundle", "load")
    assert code == 0
    digest = re.findall(r"digest ([0-9a-f]{64})", out)[0]
    assert call("bundle", "--verify", "load.zip", "--digest", digest)[0] == 0
    code, out, _ = call("bundle", "--verify", "load.zip", "--digest", "0" * 64)
    assert (code, "whose digest was kept" in out) == (1, True)
    forged(RunFolder(tmp_path / "load"), lambda raw: raw.update(requests_sent=raw["requests_sent"] + 7))
    code, out, _ = call("bundle", "--verify", "load.zip")
    assert (code, "requests_sent is" in out) == (1, True)
    for wrong in ([], ["load", "--verify", "load.zip"], ["load", "--digest", "x"], ["absent"]):
        code, _, err = call("bundle", *wrong)
        assert (code, err.count("\n")) == (2, 1)
