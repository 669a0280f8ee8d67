"""Without the extra `load` a check does all of its work, and what takes the extra says so before anything is sent."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kycgate.extras import LOAD

POLICY = Path(__file__).resolve().parents[3] / "docs" / "policy.example.toml"


Bare = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def bare(tmp_path: Path) -> Bare:
    """A call in a process of its own, in which the extra's modules cannot be imported."""
    (tmp_path / "site").mkdir()
    hide = f"import sys\nsys.modules.update(dict.fromkeys({LOAD!r}))\n"
    (tmp_path / "site" / "sitecustomize.py").write_text(hide, encoding="utf-8")
    path = os.pathsep.join([str(tmp_path / "site"), os.environ.get("PYTHONPATH", "")])

    def call(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "kycgate", *arguments],
            cwd=tmp_path, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True,
            timeout=120, check=False,
        )  # fmt: skip

    return call


def test_a_check_a_probe_and_their_reports_do_without_it(tmp_path: Path, bare: Bare) -> None:
    for call in (
        "check --sandbox --only auth --json --out run",
        "report run",
        "report run --for-vendor",
        "probe --sandbox --store probes.db",
        "doctor --sandbox --quiet",
        "doctor --sandbox --json",
        "probe --sandbox --store probes.db --json",
        "check --dry-run --json",
        "pin run --out pins.toml",
    ):
        done = bare(*call.split())
        assert done.returncode == 0, (call, done.stdout, done.stderr)
        # Nor does a thread that loads modules beforehand ask for it.
        assert "Traceback" not in done.stderr, call
    assert (tmp_path / "run" / "report.html").is_file()


@pytest.mark.parametrize(
    "call",
    ["load --sandbox --out run", "verify --out run", f"sla --policy {POLICY} run", "compare a b", "history a", "prove"],
)
def test_what_takes_it_says_how_to_install_it(call: str, tmp_path: Path, bare: Bare) -> None:
    done = bare(*call.split())
    command = call.partition(" ")[0]
    assert done.returncode == 2
    assert done.stderr == (
        f"kycgate: {command} takes gevent of the extra load, which is not installed: pip install 'kycgate[load]'\n"
    )
    assert not (tmp_path / "run").exists()


def test_the_report_of_a_load_does_without_it(tmp_path: Path, bare: Bare) -> None:
    recorded = Path(__file__).resolve().parents[1] / "recorded" / "v1-verify-kept"
    folder = tmp_path / "run"
    folder.mkdir()
    for path in recorded.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    done = bare("report", str(folder))
    assert (done.returncode, done.stderr) == (0, "")
    assert "<svg" in (folder / "report.html").read_text(encoding="utf-8")
