"""A client that a generator makes from `kycgate openapi` onboards a person, and is rehearsed like any other."""

import subprocess
from pathlib import Path

import pytest

from kycgate.tests.suite.checks import benchmark

ROOT = Path(__file__).resolve().parents[3]
FAULT = "expiry-missing"
"""It costs the generated client a traceback: its models demand each property that the OpenAPI requires."""


def test_a_generated_client_onboards_and_its_mistakes_are_found(tmp_path: Path) -> None:
    generated = benchmark("generated_client")
    asked = ["uv", "tool", "run", "--from", f"{generated.GENERATOR}=={generated.VERSION}", generated.GENERATOR]
    if subprocess.run([*asked, "--version"], capture_output=True, timeout=300, check=False).returncode:
        pytest.skip(f"lacks {generated.GENERATOR} {generated.VERSION}: no package index is reached")
    generated.generate(tmp_path)
    run = generated.rehearse(tmp_path, ["--only", f"fault.{FAULT}", "--only", "habit.dates-offset"])
    outcomes = {trial["case"]: (trial["outcome"], trial["completed"]) for trial in run["rehearsal"]}
    assert outcomes == {
        "faithful": ("survived", True), "habit.dates-offset": ("survived", True), f"fault.{FAULT}": ("failed", False),
    }  # fmt: skip
    page = generated.page(run)
    assert "| fault | 0 | 1 | 0 | 0 |" in page
    # The published table was made with this generator, and says the same of this fault.
    published = (ROOT / "docs" / "generated-client.md").read_text(encoding="utf-8")
    assert f"{generated.GENERATOR} {generated.VERSION}" in published
    assert f"| `fault.{FAULT}` | failed | `KeyError: 'expirationDate'` |" in published
