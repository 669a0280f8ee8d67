"""Build wheel and sdist, install each in a clean environment outside the checkout, run `kycgate verify` there.

    python benchmarks/install_matrix.py [--python 3.12 …]

Pythons are those that this machine has: on the path, from uv, from pyenv. One that is missing is said to be.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VERSIONS = ("3.11", "3.12", "3.13")


def find(version: str) -> Path | None:
    """An interpreter of this version, or None."""
    listed = subprocess.run(
        ["uv", "python", "list", "--only-installed", "--output-format", "json", version],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = [Path(one["path"]) for one in json.loads(listed.stdout or "[]") if one.get("path")]
    pyenv = Path(os.environ.get("PYENV_ROOT", str(Path.home() / ".pyenv")))
    found += sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}"))
    return next((path for path in found if _answers(path, version)), None)


def _answers(path: Path, version: str) -> bool:
    asked = "import sys; print('%d.%d' % sys.version_info[:2])"
    said = subprocess.run([str(path), "-c", asked], capture_output=True, text=True, check=False).stdout
    return said.strip() == version


def build(out: Path) -> list[Path]:
    subprocess.run(["uv", "build", "--quiet", "--out-dir", str(out), str(ROOT)], check=True)
    return sorted(path for path in out.iterdir() if path.suffix in (".whl", ".gz"))


def install_and_verify(python: Path, package: Path, folder: Path) -> str:
    """A line that says how it went; raises when it went wrong."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("KYCGATE_", "PYTHON", "UV_"))
    }
    environment.pop("VIRTUAL_ENV", None)
    quiet = {"cwd": folder, "env": environment, "check": True}
    subprocess.run(["uv", "venv", "--quiet", "--python", str(python), "venv"], **quiet)
    own = folder / "venv" / "bin" / "python"
    constraints = ["--constraint", str(ROOT / "constraints.txt")]
    subprocess.run(["uv", "pip", "install", "--quiet", "--python", str(own), *constraints, f"{package}[load]"], **quiet)
    begun = time.monotonic()
    done = subprocess.run(
        [str(folder / "venv" / "bin" / "kycgate"), "verify", "--out", "run", "--duration", "3"],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    run = json.loads((folder / "run" / "run.json").read_text(encoding="utf-8"))
    kept = {clause["verdict"] for clause in run["clauses"]} == {"kept"}
    if not kept or done.returncode not in (0, 3):
        raise SystemExit(f"{package.name} on {python}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}")
    return f"every clause kept, exit code {done.returncode}, {time.monotonic() - begun:.0f} s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--python", action="append", help="a version such as 3.12; default: 3.11 to 3.13")
    chosen = parser.parse_args()
    missing = []
    with tempfile.TemporaryDirectory() as name:
        packages = build(Path(name) / "dist")
        for version in chosen.python or VERSIONS:
            python = find(version)
            if python is None:
                missing.append(version)
                print(f"{version}: not on this machine", flush=True)
                continue
            for package in packages:
                folder = Path(name) / f"{version}-{package.suffix[1:]}"
                folder.mkdir()
                print(f"{version} {package.name}: {install_and_verify(python, package, folder)}", flush=True)
    sys.exit(1 if missing and chosen.python else 0)


if __name__ == "__main__":
    main()
