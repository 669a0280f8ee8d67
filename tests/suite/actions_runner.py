"""As much of GitHub's runner as it takes to run the steps of our action and workflows: files, expressions, bash."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
_EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")


def read(path: Path) -> dict[str, Any]:
    """A workflow or action; YAML 1.1 reads its key `on` as true."""
    loaded: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {"on" if name is True else name: value for name, value in loaded.items()}


@dataclass
class Ran:
    """What became of a step."""

    code: int
    said: str
    outputs: dict[str, str] = field(default_factory=dict)


class Runner:
    """One job on one machine. `context` holds what expressions may name, such as `vars.X` or `github.token`."""

    def __init__(self, folder: Path, context: Mapping[str, str] | None = None, **env: str) -> None:
        self.workspace = folder / "workspace"
        self.workspace.mkdir(parents=True, exist_ok=True)
        self.temp = folder / "temp"
        self.temp.mkdir(exist_ok=True)
        self.context = dict(context or {})
        self.summary = folder / "summary.md"
        # A runner has the system's Python, with pip, and not the tests' own environment.
        ours = str(Path(sys.executable).parent)
        self.path = ":".join(part for part in os.environ["PATH"].split(":") if part.rstrip("/") != ours)
        self.env = env
        for name in ("env", "output", "path"):
            (folder / name).touch()
        self.summary.touch()
        self._folder = folder

    def evaluate(self, text: str) -> str:
        """`text` with its expressions put in: names, and `name || 'text'`."""

        def value(found: re.Match[str]) -> str:
            for part in found[1].split("||"):
                name = part.strip()
                got = name[1:-1] if name.startswith("'") else self.context.get(name, "")
                if got:
                    return got
            return ""

        return _EXPRESSION.sub(value, text)

    def run(self, step: Mapping[str, Any], env: Mapping[str, str] | None = None) -> Ran:
        """A `run:` step in bash, as the runner calls it; what it writes to the runner's files takes effect."""
        assert "${{" not in step["run"], "an expression in a script is run as a command"
        script = self._folder / "step.sh"
        script.write_text(step["run"], encoding="utf-8")
        (self._folder / "output").write_text("")
        given = {name: self.evaluate(str(text)) for name, text in {**(env or {}), **step.get("env", {})}.items()}
        clean = {
            name: text
            for name, text in os.environ.items()
            if not name.startswith(("KYCGATE_", "PYTEST_", "GITHUB_", "VIRTUAL_ENV"))
        }
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", script],
            cwd=self.workspace, capture_output=True, text=True, timeout=300, check=False,
            env=clean | self.env | given | {
                "PATH": self.path,
                "CI": "true",
                "RUNNER_TEMP": str(self.temp),
                "GITHUB_ACTIONS": "true",
                "GITHUB_ACTION_PATH": str(ROOT),
                "GITHUB_WORKSPACE": str(self.workspace),
                "GITHUB_STEP_SUMMARY": str(self.summary),
                "GITHUB_OUTPUT": str(self._folder / "output"),
                "GITHUB_PATH": str(self._folder / "path"),
                "GITHUB_ENV": str(self._folder / "env"),
            },
        )  # fmt: skip
        for line in (self._folder / "path").read_text().splitlines():
            self.path = f"{line}:{self.path}"
        (self._folder / "path").write_text("")
        written = (line.partition("=") for line in (self._folder / "output").read_text().splitlines())
        return Ran(done.returncode, done.stdout + done.stderr, {name: text for name, _, text in written})

    def use(self, action: Mapping[str, Any], given: Mapping[str, str], env: Mapping[str, str] | None = None) -> Ran:
        """A composite action's `run:` steps; the last of them tells what it came to. Other actions are not run."""
        inputs = {f"inputs.{name}": str(known.get("default", "")) for name, known in action["inputs"].items()}
        unknown = {f"inputs.{name}" for name in given} - set(inputs)
        assert not unknown, unknown
        self.context |= inputs | {f"inputs.{name}": self.evaluate(str(text)) for name, text in given.items()}
        last = Ran(0, "")
        for step in action["runs"]["steps"]:
            if "run" in step:
                last = self.run(step, env)
                if last.code:
                    break
        return last
