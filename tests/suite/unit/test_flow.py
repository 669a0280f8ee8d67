"""The flow as a value: a further step, and reports that read the recorded flow alone."""

import ast
import dataclasses
from pathlib import Path

import pytest

from kycgate.contracts.flow import Flow, Step
from kycgate.contracts.flows import flow, using
from kycgate.contracts.flows.national_id import APPROVE_BACK, NATIONAL_ID
from kycgate.contracts.models import Approved
from kycgate.reports.html import render_html
from kycgate.reports.junit import render_junit
from kycgate.reports.markdown import render_markdown
from kycgate.reports.sarif import render_sarif
from kycgate.runs.flow_model import RecordedFlow, before_it_was_recorded
from kycgate.runs.folder import RunFolder

ROOT = Path(__file__).resolve().parents[3]
RECORDED = Path(__file__).parents[1] / "recorded"
SIGN = Step("sign", operation_id="Sign", path=f"{NATIONAL_ID.base_path}/sign", summary="Sign.", answer=Approved)


def longer() -> Flow:
    edge = dataclasses.replace(NATIONAL_ID.edges[0], first=APPROVE_BACK, then=SIGN)
    return dataclasses.replace(
        NATIONAL_ID, id="longer", steps=(*NATIONAL_ID.steps, SIGN), edges=(*NATIONAL_ID.edges, edge)
    )


@pytest.mark.parametrize("name", sorted(path.name for path in RECORDED.iterdir()))
def test_a_changed_contract_leaves_the_reports_of_old_runs_as_they_are(name: str) -> None:
    run = RunFolder(RECORDED / name).read_run()
    renderers = (render_html, render_junit, render_markdown, render_sarif)
    before = [render(run) for render in renderers]
    with using(longer()):
        assert [render(run) for render in renderers] == before


def test_old_runs_have_the_flow_that_was_in_force_then() -> None:
    assert before_it_was_recorded() == RecordedFlow.of(NATIONAL_ID)


def test_a_further_step_is_derived_everywhere() -> None:
    found = longer()
    assert (found.first, found.final, found.last) == (NATIONAL_ID.first, SIGN, frozenset({SIGN}))
    assert all(order[-1] == SIGN for order in found.legal_orderings())
    assert len(list(found.legal_orderings())) == len(list(NATIONAL_ID.legal_orderings()))
    assert not found.state_after(NATIONAL_ID.steps).complete
    assert found.state_after(found.steps).complete
    assert found.predecessors(SIGN) == set(NATIONAL_ID.steps)
    assert RecordedFlow.of(found).rank("sign") == 3


def test_the_flow_in_force_is_put_back() -> None:
    with pytest.raises(RuntimeError), using(longer()):
        raise RuntimeError
    assert flow() is NATIONAL_ID


NAMES_STEPS = {
    "contracts/flows/national_id.py": "the flow itself",
    "contracts/clauses.py": "each clause of the catalogue says which endpoints it is about",
    "kycgate/runs/flow_model.py": "the flow of runs that were recorded before run.json carried one",
    "kycgate/rehearsal/like.py": "the subjects of this vendor's recorded behaviour, read back",
    "kycgate/settings/profile.py": "an example in the profile's schema",
}
"""Product files that may name a step of the shipped flow, and why. The sandbox's faults may too: they are about it."""


def named_steps(path: Path) -> set[str]:
    """Steps that stand in the code of a file as a text, an attribute or a definition."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        for field in ("value", "attr", "name"):
            word = getattr(node, field, None)
            if isinstance(word, str):
                found |= {step for step in NATIONAL_ID.steps if word == step or word.startswith(f"{step} ")}
    return found


def test_product_code_asks_the_flow_and_names_no_step() -> None:
    rooms = ("kycgate", "contracts", "load", "reports", "tests/contract")
    files = {str(path.relative_to(ROOT)): path for room in rooms for path in (ROOT / room).rglob("*.py")}
    naming = {name for name, path in files.items() if not name.startswith("kycgate/sandbox/") and named_steps(path)}
    assert naming <= set(NAMES_STEPS), sorted(naming - set(NAMES_STEPS))
    assert set(NAMES_STEPS) <= naming, "no longer names one: take it out of the table"
