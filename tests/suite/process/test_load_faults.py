"""What only a load meets with: each such fault is found, and breaks its own clause alone."""

from pathlib import Path
from typing import Any

import pytest

from kycgate.check.embedded import embedded_sandbox
from kycgate.load import LoadOutcome, LoadPlan, run_load
from kycgate.sandbox.faults import LOAD_FAULTS
from kycgate.sandbox.faults.under_load import STEADY
from kycgate.settings.profile import Profile


def load_of(tmp_path: Path, *faults: str, **plan: Any) -> LoadOutcome:
    """A load of 4 s against the sandbox with these faults."""
    with embedded_sandbox(Profile(), faults=faults) as sandbox:
        chosen = LoadPlan(base_url=str(sandbox.profile.base_url), seed=1, **({"rate": 25, "duration_s": 4} | plan))
        return run_load(chosen, sandbox.secrets, tmp_path)


def broken(outcome: LoadOutcome) -> set[str]:
    return {clause for clause, (bad, _) in outcome.judged.items() if bad}


@pytest.mark.parametrize("name", [name for name, fault in LOAD_FAULTS.items() if fault.clause != STEADY])
def test_a_fault_under_load_is_found_and_accuses_its_own_clause_alone(name: str, tmp_path: Path) -> None:
    outcome = load_of(tmp_path, name)
    clause = LOAD_FAULTS[name].clause
    assert broken(outcome) == {clause}
    bad, observed = outcome.judged[clause]
    assert 0 < bad < observed
    finding = next(breach.finding for breach in outcome.breaches if breach.clause == clause)
    assert finding.exchange is not None
    assert finding.curl.startswith(("curl", "printf"))


def test_a_faithful_vendor_is_not_accused_under_load(tmp_path: Path) -> None:
    outcome = load_of(tmp_path, client_order_share=0.3, retry_share=0.3)
    assert broken(outcome) == set()
    assert outcome.judged["session.own-customer"][1] == 200
