"""The image, the compose file and the manifest: held against linters and schemas, as no engine runs here."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import typer
import yaml
from compose_spec import PyCompose

from kycgate.cli.main import app
from kycgate.settings.profile import Profile

ROOT = Path(__file__).resolve().parents[3]
DOCKERFILE = ROOT / "Dockerfile"
BIN = Path(sys.executable).parent
KUBERNETES = "1.34"


def hadolint(path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([BIN / "hadolint", path], capture_output=True, text=True, timeout=60, check=False)


def test_the_dockerfile_has_no_findings(tmp_path: Path) -> None:
    done = hadolint(DOCKERFILE)
    assert (done.returncode, done.stdout) == (0, "")
    (tmp_path / "Dockerfile").write_text("FROM debian\nRUN apt-get install gcc\n", encoding="utf-8")
    assert hadolint(tmp_path / "Dockerfile").returncode == 1


def instructions() -> list[tuple[str, str]]:
    joined = re.sub(r"\\\n", " ", DOCKERFILE.read_text(encoding="utf-8"))
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in joined.splitlines()) if word.isupper()]


def test_the_image_runs_as_nobody_and_holds_no_build_tools() -> None:
    found = instructions()
    last = found[max(n for n, (word, _) in enumerate(found) if word == "FROM") :]
    assert [rest for word, rest in last if word == "USER"] == ["10001:10001"]
    assert last.index(("USER", "10001:10001")) < last.index(("ENTRYPOINT", '["kycgate"]'))
    assert any(word == "RUN" and "pip uninstall --yes pip" in rest for word, rest in last)
    assert not any("uv" in rest.split() or "apt-get" in rest for _, rest in last)
    assert [rest.split()[0] for word, rest in last if word == "COPY"] == ["--from=build"]


def test_what_is_copied_is_enough_to_build_the_wheel(tmp_path: Path) -> None:
    """The build stage's COPYs, done here: the wheel holds what the checkout's does, and the context holds no more."""
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for word, rest in instructions():
        if word == "COPY" and not rest.startswith("--from"):
            *sources, target = rest.split()
            assert set(sources) <= allowed
            for source in sources:
                if (ROOT / source).is_dir():
                    shutil.copytree(ROOT / source, tmp_path / target, symlinks=True)
                else:
                    shutil.copy(ROOT / source, tmp_path / source)
    # Not the checkout itself, where an earlier build's leavings would go in as well.
    whole = tmp_path / "whole"
    listed = ("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    for name in subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0"):
        if name and (ROOT / name).exists():
            (whole / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, whole / name, follow_symlinks=False)
    names: list[set[str]] = []
    for place in (tmp_path, whole):
        out = tmp_path / f"dist{len(names)}"
        subprocess.run(
            ["uv", "build", "--quiet", "--wheel", "--out-dir", out, place], check=True, timeout=300, capture_output=True
        )
        with zipfile.ZipFile(next(out.glob("*.whl"))) as wheel:
            names.append(set(wheel.namelist()))
    assert names[0] == names[1]
    assert len(names[0]) > 80


def compose(**environment: str) -> dict[str, Any]:
    """compose.yaml as the client reads it: variables put in, anchors merged."""

    def put_in(found: re.Match[str]) -> str:
        name, how, default = found.groups()
        if name in environment:
            return environment[name]
        if how == ":?":
            raise KeyError(name)
        return default or ""

    text = re.sub(r"\$\{(\w+)(:[-?])?([^}]*)\}", put_in, (ROOT / "compose.yaml").read_text(encoding="utf-8"))
    read: dict[str, Any] = yaml.safe_load(text)
    return read


def test_compose_is_what_the_specification_allows() -> None:
    spec = PyCompose.from_json(json.dumps(compose(KYCGATE_BASE_URL="https://v.example"))).to_spec()
    assert set(spec.services or {}) == {"master", "worker", "sandbox"}
    wrong = compose(KYCGATE_BASE_URL="https://v.example")
    wrong["services"]["master"]["comand"] = []
    with pytest.raises(ValueError, match="comand"):
        PyCompose.from_json(json.dumps(wrong))
    with pytest.raises(KeyError, match="KYCGATE_BASE_URL"):
        compose()


def test_compose_services_are_hardened_and_hold_no_secret() -> None:
    read = compose(KYCGATE_BASE_URL="https://v.example", WORKERS="3")
    for service in read["services"].values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in service["security_opt"]
        assert not any(service.get("environment", {}).get(f"KYCGATE_{name}") for name in ("API_KEYS", "TENANT_SECRET"))
    assert read["services"]["worker"]["deploy"]["replicas"] == 3
    assert "--expect-workers=3" in read["services"]["master"]["command"]


def manifests() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((ROOT / "deploy" / "kubernetes.yaml").read_text(encoding="utf-8")))


def jobs() -> dict[str, dict[str, Any]]:
    return {found["metadata"]["name"]: found["spec"] for found in manifests() if found["kind"] == "Job"}


def test_the_manifest_is_what_kubernetes_allows() -> None:
    for manifest in manifests():
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
    wrong = next(found for found in manifests() if found["kind"] == "Job")
    wrong["spec"]["template"]["spec"]["containers"][0]["imagePulPolicy"] = "Always"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, KUBERNETES, strict=True)


def test_the_jobs_are_hardened_and_take_secrets_from_a_secret() -> None:
    assert set(jobs()) == {"kycgate-master", "kycgate-worker"}
    for job in jobs().values():
        pod = job["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        for container in pod["containers"]:
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"] is True
            assert security["allowPrivilegeEscalation"] is False
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert container["envFrom"] == [{"secretRef": {"name": "kycgate-credentials"}}]
            assert all("valueFrom" in variable for variable in container.get("env", []))
    assert not any(manifest["kind"] == "Secret" for manifest in manifests())


def test_the_manifests_parts_fit_each_other() -> None:
    master, worker = jobs()["kycgate-master"], jobs()["kycgate-worker"]
    container = master["template"]["spec"]["containers"][0]
    assert worker["completionMode"] == "Indexed"
    assert f"--expect-workers={worker['completions']}" in container["args"]
    assert worker["completions"] == worker["parallelism"]
    service = next(found for found in manifests() if found["kind"] == "Service")
    assert service["spec"]["selector"] == master["template"]["metadata"]["labels"]
    assert f"--master-host={service['metadata']['name']}" in worker["template"]["spec"]["containers"][0]["args"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert service["spec"]["ports"][0] == {"name": "locust", "port": ports["locust"], "targetPort": "locust"}
    for job in (master, worker):
        pod = job["template"]["spec"]
        mounted = {mount["name"] for mount in pod["containers"][0]["volumeMounts"]}
        assert mounted == {volume["name"] for volume in pod["volumes"]}
    profile = next(found for found in manifests() if found["kind"] == "ConfigMap")["data"]["kycgate.toml"]
    assert Profile(**tomllib.loads(profile)).limits.max_load_rate == 10.0


def calls() -> list[list[str]]:
    """Every command line of ours that these files hold."""
    read = compose(KYCGATE_BASE_URL="https://v.example")
    return [
        *(service["command"] for service in read["services"].values()),
        *(job["template"]["spec"]["containers"][0]["args"] for job in jobs().values()),
    ]


@pytest.mark.parametrize("call", calls(), ids=" ".join)
def test_the_commands_are_ones_that_kycgate_knows(call: list[str]) -> None:
    command, *options = call
    known = typer.main.get_command(app).commands[command]  # type: ignore[attr-defined]
    names = {name for parameter in known.params for name in (*parameter.opts, *parameter.secondary_opts)}
    assert {option.partition("=")[0] for option in options} <= names
