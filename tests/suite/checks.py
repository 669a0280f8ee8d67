"""A contract check in this process, and the benchmarks, which are scripts, as modules."""

import importlib.util
from pathlib import Path
from types import ModuleType

from kycgate.check.embedded import embedded_sandbox
from kycgate.check.runner import run_contract_tests
from kycgate.gate.gate import Gate
from kycgate.sandbox import SandboxSettings
from kycgate.settings.profile import Profile

ROOT = Path(__file__).resolve().parents[2]


def benchmark(name: str) -> ModuleType:
    """`benchmarks/<name>.py`, loaded."""
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", ROOT / "benchmarks" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def checked(settings: SandboxSettings, seed: int, profile: Profile | None = None, *, keys: int = 0) -> Gate:
    """The gate, closed, after all contract tests against a sandbox with these settings."""
    with embedded_sandbox(profile or Profile(), settings, keys=keys) as embedded:
        gate = Gate(embedded.profile, embedded.secrets, seed=seed, expired_token=embedded.expired_token)
        try:
            gate.preflight()
            run_contract_tests(gate)
        finally:
            gate.close()
    return gate
