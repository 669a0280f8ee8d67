"""One opener: regular files, no links in a run's folder, sizes measured while reading; and what a profile may name."""

import json
import os
import stat
import zipfile
from pathlib import Path

import pytest

from kycgate.errors import Contradiction, UsageError
from kycgate.files import no_links, read, write_atomically
from kycgate.reports.bundle import pack
from kycgate.runs.folder import RunFolder
from kycgate.runs.model import Run
from kycgate.settings.profile import check_base_url, load_profile
from kycgate.sla.policy import load_policy


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", Path("/dev/zero"), tmp_path, Path("a\0b")):
        with pytest.raises(OSError, match=r"."):
            read(path)
    (tmp_path / "file").write_bytes(bytes(11))
    assert read(tmp_path / "file", 11) == bytes(11)
    with pytest.raises(OSError, match="more than 10 bytes"):
        read(tmp_path / "file", 10)
    (tmp_path / "link").symlink_to("file")
    assert read(tmp_path / "link") == bytes(11)
    with pytest.raises(OSError, match="it is a link"):
        read(tmp_path / "link", links=False)
    for load in (load_profile, load_policy):
        with pytest.raises(UsageError, match="not a regular file"):
            load(tmp_path / "fifo")
    os.mkfifo(tmp_path / "run.json")
    with pytest.raises(UsageError, match="not a regular file"):
        RunFolder(tmp_path).read_run()


def test_a_runs_folder_is_claimed_by_making_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    RunFolder.create(tmp_path / "new", "check")
    (tmp_path / "empty").mkdir()
    RunFolder.create(tmp_path / "empty", "check")
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "latency.hlog").symlink_to(tmp_path / "victim")
    (tmp_path / "link").symlink_to(tmp_path)
    for name in ("new", "empty", "made", "link"):
        with pytest.raises(UsageError, match="another folder"):
            RunFolder.create(tmp_path / name, "check")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "kycgate-out").symlink_to("elsewhere")
    with pytest.raises(UsageError, match="is a link"):
        RunFolder.create(None, "check")
    with pytest.raises(OSError, match=r"."), open(tmp_path / "made" / "latency.hlog", "w", opener=no_links):
        pass
    assert not (tmp_path / "victim").exists()


def test_all_files_of_a_folder_have_the_umasks_mode(tmp_path: Path) -> None:
    for umask, mode in ((0o022, 0o644), (0o077, 0o600)):
        before = os.umask(umask)
        try:
            folder = RunFolder.create(tmp_path / f"run-{umask}", "check")
            folder.write_run(Run(command="check", verdict="kept", exit_code=0))
            write_atomically(folder.path / "report.html", "x")
        finally:
            os.umask(before)
        assert {stat.S_IMODE(path.stat().st_mode) for path in folder.path.iterdir()} == {mode}


def test_a_bundle_packs_what_was_parsed_and_nothing_else(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run", "check")
    folder.write_run(Run(command="check", verdict="kept", exit_code=0))
    raw = json.loads((folder.path / "run.json").read_text())
    (folder.path / "run.json").write_text(json.dumps(raw | {"smuggled": "SECRET"}))
    secret = tmp_path / "environ"
    secret.write_text("KYCGATE_TENANT_SECRET=SUPERSECRET\n")
    out = tmp_path / "evidence.zip"
    assert not pack(folder, None, out).contradictions
    with zipfile.ZipFile(out) as archive:
        assert b"SECRET" not in archive.read("run.json")
    for name in ("exchanges.ndjson", "latency.hlog", "probes.ndjson"):
        (folder.path / name).unlink(missing_ok=True)
        (folder.path / name).symlink_to(secret)
        with pytest.raises(UsageError, match="it is a link"):
            pack(folder, None, tmp_path / f"{name}.zip")
        (folder.path / name).unlink()
        assert not (tmp_path / f"{name}.zip").exists()
    (folder.path / "exchanges.ndjson").write_text("SUPERSECRET\n")
    (said,) = pack(folder, None, tmp_path / "no.zip").contradictions
    assert "line 1 is not an exchange" in said
    with pytest.raises(Contradiction):
        folder.read_exchanges(whole=True)


HOSTILE = "x\x1b]0;t\n::error::pwn | <img src=x> @everyone"


@pytest.mark.parametrize(
    "change",
    [
        {"started_at": HOSTILE},
        {"finished_at": HOSTILE},
        {"command": HOSTILE},
        {"since": {"name": "base", "command": "check", "verdict": "kept", "not_judged": [HOSTILE]}},
        {"since": {"name": "base", "command": "check", "verdict": "kept", "gone": [{"id": HOSTILE}]}},
        {"clauses": [{"id": HOSTILE, "level": "documented", "endpoints": [], "verdict": "kept"}]},
        {"clauses": [{"id": "x", "level": "documented", "endpoints": [HOSTILE], "verdict": "kept"}]},
    ],
    ids=lambda change: json.dumps(change)[:50],
)
def test_a_recorded_file_gives_no_raw_text_to_a_terminal(change: dict[str, object], tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run", "check")
    folder.write_run(Run(command="check", verdict="kept", exit_code=0))
    raw = json.loads((folder.path / "run.json").read_text())
    (folder.path / "run.json").write_text(json.dumps(raw | change))
    with pytest.raises(UsageError, match="is damaged") as refused:
        folder.read_run()
    assert "\x1b" not in str(refused.value)


# A profile


@pytest.mark.parametrize(
    "text",
    [
        "limits.requests = " + "9" * 5_000,
        'base_url = "http://a\\u001bb"',
        'base_url = "http://a\\u0000b"',
        'base_url = "http://ｅxample。invalid"',
        f'base_url = "http://{"a" * 70_000}"',
        'base_url = "http://@host"',
        'base_url = "http://:@host"',
        'environment.api_keys = "AWS_SECRET_ACCESS_KEY"',
        'environment.tenant_secret = "GITHUB_TOKEN"',
    ],
    ids=lambda text: text[:40],
)
def test_a_wrong_profile_is_one_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "kycgate.toml").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as refused:
        load_profile(tmp_path / "kycgate.toml")
    said = str(refused.value)
    assert len(said.splitlines()) == 1
    assert len(said) < 500


def test_a_file_names_our_variables_and_the_environment_any(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "kycgate.toml"
    path.write_text('environment.api_keys = "KYCGATE_VENDOR_B_KEYS"\nbase_url = "http://filed.example"')
    assert load_profile(path).environment.api_keys == "KYCGATE_VENDOR_B_KEYS"
    monkeypatch.setenv("KYCGATE_ENVIRONMENT__API_KEYS", "VENDOR_KEYS")
    assert load_profile(path).environment.api_keys == "VENDOR_KEYS"
    assert load_profile(path).instead_of == ""
    monkeypatch.setenv("KYCGATE_BASE_URL", "http://given.example")
    profile = load_profile(path)
    assert (profile.base_url, profile.instead_of) == ("http://given.example", "http://filed.example")
    assert load_profile(path, base_url="http://flag.example").base_url == "http://flag.example"


def test_allowed_hosts_are_enforced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KYCGATE_ALLOWED_HOSTS", "sandbox.vendor.example, 127.0.0.1")
    assert load_profile(None, base_url="https://SANDBOX.vendor.example/x").base_url
    with pytest.raises(UsageError, match="KYCGATE_ALLOWED_HOSTS"):
        load_profile(None, base_url="https://vendor.example")
    monkeypatch.setenv("KYCGATE_ALLOWED_HOSTS", "")
    with pytest.raises(UsageError, match="empty"):
        load_profile(None, base_url="https://vendor.example")


def test_urls_are_printable_ascii() -> None:
    assert check_base_url(" https://vendor.example/api/ ") == "https://vendor.example/api"
