"""What we depend on, and what runs our code elsewhere: counted, pinned, with least rights."""

import ast
import re
import subprocess
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
WORKFLOWS = [*sorted((ROOT / ".github" / "workflows").glob("*.yml")), *sorted(ROOT.glob("action.yml"))]


def name_of(requirement: str) -> str:
    return re.split(r"[\[<>=!~ ;]", requirement, maxsplit=1)[0].lower().replace("_", "-")


def required() -> dict[str, set[str]]:
    """Direct dependencies, by the section of docs/dependencies.md."""
    project, groups = PROJECT["project"], PROJECT["dependency-groups"]
    found = {
        "Run time": {name_of(one) for one in project["dependencies"]},
        "Extras": {name_of(one) for extra in project["optional-dependencies"].values() for one in extra},
        "Development": {name_of(one) for group in groups.values() for one in group if isinstance(one, str)},
    }
    # An extra, and the developers' group, may name the extra `load`.
    return {section: names - {"kycgate"} for section, names in found.items()}


def test_each_direct_dependency_has_its_reason() -> None:
    text = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    for section, names in required().items():
        part = text.partition(f"## {section}\n")[2].partition("\n## ")[0]
        rows = dict(re.findall(r"^\| ([\w-]+) \| (.{8,}) \|$", part, re.MULTILINE))
        assert {name for name in rows if name != "package"} == names, section


def test_each_direct_dependency_is_pinned() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {line.partition("==")[0] for line in lines if re.fullmatch(r"[\w.-]+==[\w.+!-]+", line)}
    assert not set().union(*required().values()) - pinned
    assert lines == sorted(lines)


def test_each_dependency_of_the_run_time_is_imported() -> None:
    """What nothing imports is trusted for nothing."""
    imported: set[str] = set()
    for folder in ("kycgate", "contracts", "tests/contract", "load", "reports"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    imported |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    imported.add(node.module.partition(".")[0])
    known = packages_distributions()
    used = {name.lower().replace("_", "-") for module in imported for name in known.get(module, ())}
    # zoneinfo reads tzdata without an import.
    extra = {name_of(one) for one in PROJECT["project"]["optional-dependencies"]["load"]}
    assert (required()["Run time"] | extra) - used == {"tzdata"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_pin_what_they_run_and_ask_for_little(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for used, comment in re.findall(r"^\s*-?\s*uses:\s*(\S+)[ \t]*(#.*)?$", text, re.MULTILINE):
        if used != "./":
            assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", used), f"{used} is not pinned by digest"
            assert re.match(r"# v\d", comment), f"{used} does not say its version"
    flow = yaml.safe_load(text)
    if "jobs" not in flow:
        return
    assert set(flow["permissions"].values()) <= {"read", "none"}
    for name, job in flow["jobs"].items():
        written = {right for right, kind in (job.get("permissions") or {}).items() if kind == "write"}
        assert written <= {"security-events", "pull-requests", "id-token"}, name
        assert job.get("timeout-minutes"), f"{name} may run for six hours"
        for step in job["steps"]:
            # What a later step runs need not be able to push.
            if str(step.get("uses", "")).startswith("actions/checkout@"):
                assert step.get("with", {}).get("persist-credentials") is False, name


def test_the_sdist_makes_the_same_wheel(tmp_path: Path) -> None:
    """Who builds from the sdist gets what who installs the wheel gets: no file hangs on the checkout."""
    build = ["uv", "build", "--quiet", "--out-dir"]
    subprocess.run([*build, str(tmp_path / "a"), "--wheel", str(ROOT)], check=True, capture_output=True, timeout=300)
    subprocess.run([*build, str(tmp_path / "b"), str(ROOT)], check=True, capture_output=True, timeout=300)
    names = [
        {(one.filename, one.CRC) for one in zipfile.ZipFile(next((tmp_path / side).glob("*.whl"))).infolist()}
        for side in ("a", "b")
    ]
    assert {name for name, _ in names[0]} == {name for name, _ in names[1]}
    assert {name for name, _ in names[0] ^ names[1]} <= {n for n, _ in names[0] if n.endswith("RECORD")}
