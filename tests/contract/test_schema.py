"""Bodies that schemathesis draws from our OpenAPI: those that break the schema are refused, none is a 5xx.

The Pydantic model says whether a body is valid; the judge looks at every answer.
"""

import base64
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError
from schemathesis.generation.modes import GenerationMode

from kycgate.contracts.flow import Step
from kycgate.contracts.flows.national_id import APPROVE_FRONT, UPLOAD_FRONT
from kycgate.contracts.openapi import build
from kycgate.errors import CannotJudge
from kycgate.gate.gate import Gate
from kycgate.gate.plan import judges
from kycgate.gate.session import Session
from kycgate.target.requests import Outcome, Variation, to_json


def _outcome(model: type[BaseModel], body: bytes, step: Step) -> tuple[Outcome, str | None]:
    """What must become of a drawn body."""
    try:
        model.model_validate_json(body)
    except ValidationError:
        # Of the approval every property is optional, and what is ill-formed in it may be accepted.
        return (Outcome.BAD_REQUEST, "refusal.image-type") if step.is_upload else (Outcome.ANY, None)
    return (Outcome.UNREADABLE, "refusal.unreadable") if step.is_upload else (Outcome.ANY, None)


@judges(
    *("refusal.image-type", "refusal.image-missing", "refusal.unreadable", "status.no-5xx", "status.documented"),
    requests=5,
    uploads=1,
    telling=6,
)
def test_drawn_bodies(gate: Gate, session: Session, thorough: bool) -> None:
    schemathesis.openapi.format("kyc-image", st.binary(max_size=60).map(lambda data: base64.b64encode(data).decode()))
    schemathesis.openapi.format("kyc-date-time", st.just("2025-10-27T12:35:55Z"))
    schema = schemathesis.openapi.from_dict(build())
    for step in (UPLOAD_FRONT, APPROVE_FRONT):
        operation = schema.find_operation_by_id(step.operation_id)
        _draw(
            gate, session, step, operation.as_strategy(generation_mode=GenerationMode.NEGATIVE), 150 if thorough else 1
        )
        if step == UPLOAD_FRONT:
            # What is drawn is an object mostly.
            number = Variation("a JSON number", Outcome.BAD_REQUEST, "refusal.image-missing", b"5")
            session.do(step, number, demand=False)
            session.do(step)


def _draw(gate: Gate, session: Session, step: Step, cases: st.SearchStrategy[Any], count: int) -> None:
    model = step.request
    assert model is not None

    stopped: list[CannotJudge] = []
    """Kept from Hypothesis, which would send the body again and find that it does not fail twice alike."""

    def send(case: Any) -> None:
        if not stopped and isinstance(case.body, dict | list | str | int | float | bool | None):
            body = to_json(case.body)
            outcome, clause = _outcome(model, body, step)
            drawn = Variation("a body drawn from the schema", outcome, clause, body, by_chance=True)
            try:
                session.do(step, drawn, demand=False)
            except CannotJudge as error:
                stopped.append(error)

    limits = settings(
        max_examples=count,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    seed(gate.seed)(limits(given(case=cases)(send)))()
    if stopped:
        raise stopped[0]
