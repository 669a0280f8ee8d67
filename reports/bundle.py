"""The evidence of a run in one archive, in which nothing can be changed unnoticed.

A bundle is a ZIP file in one canonical form: known names, sorted, uncompressed, without dates, comments or anything
else that could differ. So the same run gives the same bytes, nothing has to be unpacked that is larger than it looks,
and the verifier packs the contents again and compares: there is no byte that does not count. `manifest.json` names
each file with its SHA-256; its own digest stands for the whole.

Digests show a change by a person who did not make them anew. What then remains is that the figures have
to follow from what is raw (`kycgate.reports.crosscheck`). And who remakes raw files and figures alike is found out by
the digest alone, if it was kept elsewhere: that is what it is printed for.
"""

import hashlib
import io
import json
import os
import stat
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import kycgate
from kycgate.errors import Contradiction, UsageError
from kycgate.files import read, write_atomically
from kycgate.probing.probe import read_probes
from kycgate.reports.crosscheck import Evidence, contradictions, differences, parse_policy
from kycgate.runs.folder import RunFolder
from kycgate.runs.verdict import exit_code_of
from kycgate.sla.policy import Policy, load_policy

FORMAT, VERSION = "kycgate evidence bundle", 1
MANIFEST = "manifest.json"
RAW = ("exchanges.ndjson", "latency.hlog", "probes.ndjson", "run.json")
MADE = ("policy.json", "policy.toml", "verdict.json")
MOST_BYTES = 1 << 30
_DATE = (1980, 1, 1, 0, 0, 0)


class Verified(NamedTuple):
    """What a bundle's verification found."""

    digest: str
    manifest: Mapping[str, Any]
    verdict: Mapping[str, Any]
    contradictions: list[str]


def pack(folder: RunFolder, policy_file: Path | None, out: Path) -> Verified:
    """Pack the run in `folder` into `out`; what contradicts itself is not packed.

    Raises:
        UsageError: there is no run, it is damaged, or `out` is something else already.
    """
    try:
        evidence = Evidence(folder)
    except Contradiction as error:
        return Verified("", {}, {}, [str(error)])
    run = evidence.run
    try:
        files = _parsed(evidence)
    except Contradiction as error:
        return Verified("", {}, {}, [str(error)])
    policy: Policy | None = None
    if policy_file is not None:
        policy = load_policy(policy_file)
        files["policy.toml"] = read(policy_file)
    elif run.policy is not None:
        policy = parse_policy(run.policy, "run.json")
        files["policy.json"] = _json(run.policy)
    found = list(contradictions(evidence))
    verdict = _verdict(evidence, policy)
    files["verdict.json"] = _json(verdict)
    manifest = _manifest(evidence, files)
    files[MANIFEST] = _json(manifest)
    archive = _archive(files)
    digest = hashlib.sha256(files[MANIFEST]).hexdigest()
    if not found:
        if os.path.lexists(out) and _read_whole(out) != archive:
            raise UsageError(f"{out} exists and is something else: name another file with --out")
        try:
            write_atomically(out, archive)
        except OSError as error:
            raise UsageError(f"cannot write {out}: {error.strerror}") from None
    return Verified(digest, manifest, verdict, found)


def _parsed(evidence: Evidence) -> dict[str, bytes]:
    """The raw files, written again from what was parsed: nothing else that lies in the folder is packed.

    Raises:
        Contradiction: a line is not an exchange.
        UsageError: a file is a link, no regular file, or damaged.
    """
    folder, files = evidence.folder, {"run.json": (evidence.run.model_dump_json(indent=1) + "\n").encode()}
    if folder.exchanges_path.exists():
        files["exchanges.ndjson"] = "".join(f"{one.model_dump_json()}\n" for one in evidence.exchanges).encode()
    for name in ("latency.hlog", "probes.ndjson"):
        path = folder.path / name
        if os.path.lexists(path):
            text = _read_whole(path, links=False).decode("utf-8", "replace")
            if name == "probes.ndjson":
                text = "".join(f"{probe.model_dump_json()}\n" for probe in read_probes(text, name))
            files[name] = text.encode()
    return files


def _read_whole(path: Path, *, links: bool = True) -> bytes:
    try:
        return read(path, MOST_BYTES, links=links)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None


def verify(path: Path) -> Verified:
    """Check a bundle: its form, its digests, and whether what is derived in it follows from what is raw.

    Raises:
        UsageError: it cannot be read, is damaged, or holds what no bundle holds.
    """
    files = _unpack(path)
    try:
        manifest = json.loads(files[MANIFEST])
        said = {name: entry["sha256"] for name, entry in manifest["files"].items()}
        if (manifest["format"], manifest["version"]) != (FORMAT, VERSION):
            raise UsageError(f"{path} has version {manifest['version']}: verify it with a newer kycgate")
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError):
        raise UsageError(f"{path} is damaged: its manifest.json is none") from None
    other = files.keys() ^ said.keys() ^ {MANIFEST}
    found = [f"{name} is in the bundle or in its manifest, and not in both" for name in sorted(other)]
    found += [
        f"{name} was changed: its SHA-256 is not the manifest's"
        for name, data in sorted(files.items())
        if name in said and hashlib.sha256(data).hexdigest() != said[name]
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = RunFolder(Path(name))
        for member, data in files.items():
            (folder.path / member).write_bytes(data)
        try:
            found += _follows(folder, files, manifest)
            verdict = json.loads(files["verdict.json"])
        except Contradiction as error:
            verdict = {}
            found.append(str(error).replace(str(folder.path), str(path)))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise UsageError(f"{path} is damaged: {type(error).__name__} in one of its files") from None
        except UsageError as error:
            raise UsageError(str(error).replace(str(folder.path), str(path))) from None
    return Verified(hashlib.sha256(files[MANIFEST]).hexdigest(), manifest, verdict, found)


def _follows(folder: RunFolder, files: Mapping[str, bytes], manifest: Mapping[str, Any]) -> Iterator[str]:
    policy, evidence = None, Evidence(folder)
    if "policy.toml" in files:
        policy = load_policy(folder.path / "policy.toml")
    elif "policy.json" in files:
        policy = parse_policy(json.loads(files["policy.json"]), "policy.json")
        yield from differences(evidence.run.policy, json.loads(files["policy.json"]), "the policy in run.json")
    yield from contradictions(evidence)
    yield from differences(
        json.loads(files["verdict.json"]), json.loads(_json(_verdict(evidence, policy))), "verdict.json"
    )
    again = _manifest(evidence, {name: data for name, data in files.items() if name != MANIFEST})
    # By which version it was packed can only be believed.
    again["packed_by"] = manifest.get("packed_by")
    yield from differences(dict(manifest), json.loads(_json(again)), "manifest.json")


def _verdict(evidence: Evidence, policy: Policy | None) -> dict[str, Any]:
    """The verdict on the objectives, made anew from what is raw."""
    objectives = evidence.judged(policy)[0] if policy is not None else []
    promised = evidence.run.options.get("policy", True)
    code, reason = (
        exit_code_of([], objectives, strict=False, promised=promised) if objectives else (None, "no objectives")
    )
    return {
        "exit_code": None if code is None else int(code),
        "reason": reason,
        "objectives": [objective.model_dump(mode="json", exclude={"change"}) for objective in objectives],
    }


def _manifest(evidence: Evidence, files: Mapping[str, bytes]) -> dict[str, Any]:
    run, offset = evidence.run, evidence.clock_offset()
    return {
        "format": FORMAT,
        "version": VERSION,
        "packed_by": kycgate.__version__,
        "run": {
            "command": run.command, "target": run.target, "verdict": run.verdict, "exit_code": run.exit_code,
            "started_at": run.started_at, "finished_at": run.finished_at, "kycgate_version": run.kycgate_version,
        },
        "versions": run.versions,
        "clock_offset_s": list(offset) if offset is not None else None,
        "files": {
            name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in sorted(files.items())
        },
    }  # fmt: skip


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _archive(files: Mapping[str, bytes]) -> bytes:
    """The canonical archive of these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in sorted(files.items()):
            entry = zipfile.ZipInfo(name, _DATE)
            entry.create_system = 3
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, data)
    return buffer.getvalue()


def _unpack(path: Path) -> dict[str, bytes]:
    """The files of a bundle.

    Raises:
        UsageError: it is not in canonical form, and in which way.
    """
    try:
        raw = read(path, MOST_BYTES)
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            for entry in archive.infolist():
                _check_entry(path, entry)
            if sum(entry.file_size for entry in archive.infolist()) > len(raw):
                raise UsageError(f"{path} is not a bundle: its files overlap")
            names = archive.namelist()
            if len(set(names)) != len(names):
                raise UsageError(f"{path} is not a bundle: it holds one name twice")
            files = {name: archive.read(name) for name in names}
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from None
    except UsageError:
        raise
    except Exception as error:  # noqa: BLE001 - what the library raises at damage is not all documented
        raise UsageError(f"{path} is not a bundle, or a damaged one ({type(error).__name__})") from None
    for name in (MANIFEST, "run.json", "verdict.json"):
        if name not in files:
            raise UsageError(f"{path} is not a bundle: it lacks {name}")
    if _archive(files) != raw:
        raise UsageError(f"{path} is damaged: bytes that belong to no file were changed or added")
    return files


def _check_entry(path: Path, entry: zipfile.ZipInfo) -> None:
    """Nothing of an archive is read before this.

    Raises:
        UsageError: it is none of the files that a bundle has, or not as a bundle has it.
    """
    if entry.filename not in (*RAW, *MADE, MANIFEST):
        raise UsageError(f"{path} is not a bundle: it holds {entry.filename[:80]!r}")
    if not stat.S_ISREG(entry.external_attr >> 16):
        raise UsageError(f"{path} is not a bundle: its {entry.filename} is not a regular file")
    if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
        raise UsageError(f"{path} is not a bundle: its {entry.filename} is compressed, which no bundle's file is")
