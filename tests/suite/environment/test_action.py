"""The action and the example workflows: their shell steps are run, in bash, as the runner would."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from kycgate.check.embedded import embedded_sandbox
from kycgate.sandbox import TENANT, TENANT_SECRET, RunningSandbox, SandboxSettings
from kycgate.settings.profile import Profile
from kycgate.tests.suite.actions_runner import ROOT, Runner, read
from kycgate.tests.suite.conftest import Shared

ACTION = read(ROOT / "action.yml")
EXAMPLES = ("vendor-gate", "load-before-release", "vendor-probe")
WORKFLOWS = {name: read(ROOT / ".github" / "workflows" / f"{name}.yml") for name in EXAMPLES}
OURS = {name: read(ROOT / ".github" / "workflows" / f"{name}.yml") for name in ("ci", "nightly")}
PLACES = {"action.yml": ACTION["runs"]} | {
    f"{name}.yml": job for name, workflow in (WORKFLOWS | OURS).items() for job in workflow["jobs"].values()
}
STEPS = [
    pytest.param(path, step, id=f"{path} {step.get('name') or step.get('uses', 'run').partition('@')[0]}")
    for path, place in PLACES.items()
    for step in place["steps"]
]
SECRETS = {"VENDOR_TENANT_ID": TENANT, "VENDOR_TENANT_SECRET": TENANT_SECRET}
FEW = "--budget=90\n--uploads=30\n--seed=3"
NAMES = {"tenant-id-variable": "VENDOR_TENANT_ID", "tenant-secret-variable": "VENDOR_TENANT_SECRET"}


@pytest.fixture(scope="module")
def installed(shared: Shared) -> str:
    """The PATH after the action's own installing step, done once."""
    return (shared("action", install) / "path").read_text(encoding="utf-8")


def install(folder: Path) -> None:
    """Into a workspace that plants a module for each tool, and with credentials in the job's environment."""
    runner = Runner(folder)
    for name in ("pip", "venv", "ensurepip", "setuptools", "sitecustomize"):
        planted = runner.workspace / name
        planted.mkdir()
        for file in ("__init__.py", "__main__.py"):
            (planted / file).write_text(f"open({str(folder / 'hijacked')!r}, 'a').write({name!r})", encoding="utf-8")
    for name in ("uv.toml", "pip.conf", "pyproject.toml"):
        (runner.workspace / name).write_text("[[index]]\nurl = 'http://127.0.0.1:9/'\ndefault = true", encoding="utf-8")
    stub = folder / "stub"
    stub.mkdir()
    seen = folder / "environment"
    (stub / "python").write_text(f'#!/bin/sh\nenv > {seen}\nexec {shutil.which("python3", path=runner.path)} "$@"\n')
    (stub / "python").chmod(0o755)
    plain = runner.path
    runner.path = f"{stub}:{plain}"
    step = next(step for step in ACTION["runs"]["steps"] if step.get("name") == "Install kycgate")
    ran = runner.run(step, SECRETS | {"PYTHONPATH": str(runner.workspace)})
    assert ran.code == 0, ran.said
    assert runner.path.startswith(str(runner.temp))
    assert not (folder / "hijacked").exists()
    assert TENANT_SECRET not in seen.read_text(encoding="utf-8")
    runner.path = f"{runner.path.partition(':')[0]}:{plain}"
    (folder / "path").write_text(runner.path, encoding="utf-8")


@pytest.fixture
def runner(tmp_path: Path, installed: str) -> Runner:
    made = Runner(tmp_path)
    made.path = installed
    return made


def without_install() -> dict[str, Any]:
    """The action's other steps."""
    steps = [step for step in ACTION["runs"]["steps"] if step.get("name") != "Install kycgate"]
    return ACTION | {"runs": {"steps": steps}}


@pytest.mark.parametrize(("path", "step"), STEPS)
def test_steps_are_pinned_and_take_nothing_untrusted(path: str, step: dict[str, Any]) -> None:
    """Others' actions by digest; no expression in a script; `run:` steps of the action name their shell."""
    if "uses" in step:
        assert step["uses"] == "./" or re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", step["uses"])
    else:
        assert "${{" not in step["run"]
        assert step["run"].startswith("set -euo pipefail\n") or path.startswith(("ci", "nightly"))
        assert path != "action.yml" or step["shell"] == "bash"


@pytest.mark.parametrize("name", EXAMPLES)
def test_workflows_ask_for_little(name: str) -> None:
    workflow = WORKFLOWS[name]
    assert workflow["permissions"] == {"contents": "read"} | ({"actions": "read"} if name.startswith("load") else {})
    assert all("permissions" not in job and "timeout-minutes" in job for job in workflow["jobs"].values())
    assert "pull_request_target" not in workflow["on"]
    text = (ROOT / ".github" / "workflows" / f"{name}.yml").read_text(encoding="utf-8")
    assert text.count("actions/checkout@") == text.count("persist-credentials: false")
    # Each digest says which version it is.
    assert all(
        re.search(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line) for line in text.splitlines() if "uses: actions/" in line
    )


def test_the_gate_workflow_judges_no_sandbox_by_itself(runner: Runner) -> None:
    """Where the repository's variables name no vendor the gate is red; the sandbox is judged when it is asked for."""
    step = next(step for step in WORKFLOWS["vendor-gate"]["jobs"]["gate"]["steps"] if step.get("uses") == "./")
    ran = runner.use(without_install(), step["with"] | {"arguments": FEW}, step["env"])
    assert (ran.code, "no target" in ran.said) == (2, True), ran.said
    ran = runner.use(without_install(), step["with"] | {"arguments": FEW, "sandbox": "true"}, step["env"])
    assert (ran.code, ran.outputs) == (0, {"exit-code": "0", "verdict": "kept"}), ran.said
    folder = runner.workspace / "kycgate-run"
    assert {"run.json", "report.html", "junit.xml", "summary.md"} <= {path.name for path in folder.iterdir()}
    assert "kycgate check: kept, of the embedded sandbox, no vendor" in runner.summary.read_text(encoding="utf-8")


def test_the_action_passes_on_everything_it_is_given(runner: Runner) -> None:
    """A vendor that breaks a clause: red with annotations; the secrets come under names of the caller's own."""
    tenants = {TENANT: TENANT_SECRET}
    (runner.workspace / "vendor.toml").write_text('name = "a vendor"\n', encoding="utf-8")
    with RunningSandbox(SandboxSettings(tenants=tenants), ("approved-as-object",)) as sandbox:
        given = NAMES | {"base-url": sandbox.base_url, "profile": "vendor.toml", "arguments": FEW}
        red = runner.use(without_install(), given, SECRETS)
        assert (red.code, red.outputs["verdict"]) == (1, "broken"), red.said
        assert re.search(r"^::error .*approve\.true", red.said, re.MULTILINE)
        amber = runner.use(
            without_install(), given | {"fail-level": "nothing", "out": "second", "since": "kycgate-run"}, SECRETS
        )
        assert (amber.code, amber.outputs["verdict"]) == (0, "kept"), amber.said
        assert re.search(r"^::warning .*approve\.true", amber.said, re.MULTILINE)
    run = json.loads((runner.workspace / "kycgate-run" / "run.json").read_text(encoding="utf-8"))
    assert (run["profile"], run["seed"], run["target"]) == ("a vendor", 3, sandbox.base_url)
    assert TENANT_SECRET not in red.said + amber.said + runner.summary.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "name", ["base-url", "profile", "policy", "fail-level", "pins", "since", "out", "command", "arguments", "unclear"]
)
def test_no_input_is_run_as_a_command(name: str, runner: Runner) -> None:
    hostile = '$(touch pwned)`touch pwned`"; touch pwned; #\n--no-such-option'
    ran = runner.use(without_install(), {"base-url": "not a url", name: hostile})
    assert ran.code == 2
    assert not (runner.workspace / "pwned").exists()


def test_an_unclear_verdict_fails_the_job_unless_told_not_to(runner: Runner) -> None:
    given = NAMES | {"base-url": "http://127.0.0.1:1"}
    assert runner.use(without_install(), given, SECRETS).code == 3
    ran = runner.use(without_install(), given | {"unclear": "pass", "out": "second"}, SECRETS)
    assert (ran.code, ran.outputs) == (0, {"exit-code": "3", "verdict": "unclear"})


@pytest.fixture
def vendor() -> Iterator[dict[str, str]]:
    """A vendor's sandbox, as a repository's variables and secrets name it."""
    with embedded_sandbox(Profile()) as sandbox:
        yield {
            "vars.KYCGATE_BASE_URL": str(sandbox.profile.base_url),
            "secrets.VENDOR_TENANT_ID": TENANT,
            "secrets.VENDOR_TENANT_SECRET": TENANT_SECRET,
        }


def test_the_probe_workflow_probes_and_judges_the_month(runner: Runner, vendor: dict[str, str]) -> None:
    """Its shell steps in their order: a store is begun, and early in a month too little evidence is not a failure."""
    job = WORKFLOWS["vendor-probe"]["jobs"]["probe"]
    shutil.copytree(ROOT / "docs", runner.workspace / "docs", ignore=shutil.ignore_patterns("*.html", "*.png"))
    steps = [step for step in job["steps"] if "run" in step and step["name"] != "Install kycgate"]
    assert [step["name"] for step in steps] == ["Probe", "Judge the month so far"]
    runner.context |= vendor
    for step in steps:
        ran = runner.run(step, job["env"])
        assert ran.code == 0, ran.said
    assert (runner.workspace / "vendor.store").exists()
    assert "### The month so far" in runner.summary.read_text(encoding="utf-8")
    installing = next(step for step in job["steps"] if step.get("name") == "Install kycgate")
    own = next(step for step in ACTION["runs"]["steps"] if step.get("name") == "Install kycgate")
    # The workflow's stands in a checkout, the action's in a folder of its own; else they are the same.
    assert installing["run"].split() == own["run"].replace('"$GITHUB_ACTION_PATH/.ci/install"', ".ci/install").split()


def test_what_the_action_installs_has_hashes_and_the_pinned_versions() -> None:
    locked = (ROOT / ".ci" / "locked.txt").read_text(encoding="utf-8")
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().split() if "==" in line)
    found = re.findall(
        r"^([\w.-]+)==([^\s;]+)(?: ;[^\n]*?)? \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", locked, re.MULTILINE
    )
    assert len(found) == len(re.findall(r"^[\w.-]+==", locked, re.MULTILINE)) > 30
    assert {name: version for name, version, _ in found if pins.get(name, version) != version} == {}


GH = """#!/bin/sh
case "$1 $2" in
  "run list") [ -d "$BASELINE" ] && echo 4711 || true ;;
  "run download") [ "$3" = 4711 ] && cp -r "$BASELINE" baseline ;;
  *) exit 2 ;;
esac
"""
"""GitHub's own client, as far as the example calls it: it has one run, which it gives out, or none."""


def test_the_load_workflow_compares_with_the_last_release(
    runner: Runner, vendor: dict[str, str], tmp_path: Path
) -> None:
    """Its steps in their order, twice: the first release finds nothing to compare with, the second the first's run."""
    job = WORKFLOWS["load-before-release"]["jobs"]["load"]
    shutil.copytree(ROOT / "docs", runner.workspace / "docs", ignore=shutil.ignore_patterns("*.html", "*.png"))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "gh").write_text(GH, encoding="utf-8")
    (tmp_path / "bin" / "gh").chmod(0o755)
    runner.path = f"{tmp_path / 'bin'}:{runner.path}"
    runner.env["BASELINE"] = str(tmp_path / "first")
    runner.context |= {"vars.KYCGATE_LOAD_SECONDS": "3", "github.token": "a token"} | vendor
    for release in ("first", "second"):
        for step in job["steps"]:
            if step.get("uses") == "./" and release == "second":
                # The same again: two short runs on a shared machine may well differ by more than matters.
                shutil.copytree(tmp_path / "first", runner.workspace / "kycgate-run")
                continue
            if step.get("uses") == "./":
                ran = runner.use(without_install(), step["with"], step["env"])
            elif "run" in step:
                ran = runner.run(step)
            else:
                continue
            assert ran.code == 0, ran.said
        (runner.workspace / "kycgate-run").rename(tmp_path / release)
        assert ("### Against the last release" in runner.summary.read_text(encoding="utf-8")) == (release == "second")
    assert "upload_front" in (runner.workspace / "compared.md").read_text(encoding="utf-8").replace("\\", "")


CI = (ROOT / "docs" / "how-to" / "ci.md").read_text(encoding="utf-8")
ARCHIVE = "https://github.com/OWNER/kycgate/archive/refs/tags/v1.tar.gz"


def elsewhere(system: str) -> list[str]:
    """The shell lines that the documentation gives users of another CI system."""
    block = re.search(rf"<!-- run: {system} -->\n```\w+\n(.*?)```", CI, re.DOTALL)
    assert block
    assert len(block[1].splitlines()) <= 12
    if system == "gitlab":
        return list(yaml.safe_load(block[1])["vendor gate"]["script"])
    return re.findall(r"^ *sh '(.*)'$", block[1], re.MULTILINE)


def beside(environment: Path, own: Path) -> Path:
    """A new environment with pip that sees what `environment` holds: other tests use that one meanwhile."""
    for command in (["venv", "--quiet", str(own)], ["pip", "install", "--quiet", "--python", str(own), "pip"]):
        subprocess.run(["uv", *command], check=True)
    (theirs,) = environment.glob("lib/python*/site-packages")
    (ours,) = own.glob("lib/python*/site-packages")
    (ours / "theirs.pth").write_text(str(theirs), encoding="utf-8")
    return own


def test_lines_for_other_systems_run(runner: Runner, vendor: dict[str, str]) -> None:
    """The archive is this checkout, and what kycgate needs is there already; else the lines are run as they stand."""
    lines = elsewhere("gitlab")
    assert lines == elsewhere("jenkins")
    (runner.workspace / "kycgate.toml").write_text('name = "a vendor"\n', encoding="utf-8")
    shared, _, behind = runner.path.partition(":")
    own = beside(Path(shared).parent, runner.temp / "own")
    runner.path = f"{own / 'bin'}:{behind}"
    assert ARCHIVE in lines[0]
    script = "\n".join(lines).replace(ARCHIVE, str(ROOT))
    few = {"KYCGATE_LIMITS__REQUESTS": "90", "KYCGATE_LIMITS__UPLOADS": "30", "PIP_NO_DEPS": "1"} | {
        "KYCGATE_BASE_URL": vendor["vars.KYCGATE_BASE_URL"],
        "KYCGATE_TENANT_ID": TENANT,
        "KYCGATE_TENANT_SECRET": TENANT_SECRET,
    }
    ran = runner.run({"run": script}, few)
    assert ran.code == 0, ran.said
    assert (runner.workspace / "run" / "junit.xml").exists()
