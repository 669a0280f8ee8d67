"""A fifth step: after ApproveBack the person uploads a selfie, which the vendor compares with the card's photo."""

from dataclasses import replace
from io import BytesIO
from typing import Any

from PIL import Image, ImageDraw
from pydantic import BaseModel, Field, StrictBool

from kycgate.contracts.clauses import Clause, Level
from kycgate.contracts.flow import Edge, Rule, Step
from kycgate.contracts.flows.national_id import APPROVE_BACK, BASE_PATH, NATIONAL_ID
from kycgate.contracts.models import UploadRequest
from kycgate.sandbox import Onboarding, Reply, Vendor, fault

# What the vendor answers.


class Match(BaseModel):
    similarity: float = Field(ge=0, le=1)
    threshold: float = Field(ge=0, le=1)


class SelfieResult(BaseModel):
    isSuccess: StrictBool
    message: str | None
    errorCode: str | None
    match: Match | None = None


# What it promises.

CLAUSES = (
    Clause("selfie.result", Level.DOCUMENTED, ("upload_selfie",), "A selfie's 200 is the documented object.", "p. 9"),
    Clause("selfie.match", Level.EXPECTED, ("upload_selfie",), "An accepted selfie reaches the threshold.", "p. 9"),
    Clause("order.selfie-last", Level.DOCUMENTED, ("upload_selfie",), "The selfie comes after ApproveBack.", "p. 8"),
)


def too_unlike(answer: dict[str, Any]) -> str:
    """The semantic rule: who is accepted is at least as similar as the answer says is needed."""
    match = answer.get("match") if answer["isSuccess"] else None
    return f"similarity {match['similarity']}" if match and match["similarity"] < match["threshold"] else ""


# The step, and where it stands in the flow.


def draw(seed: int) -> bytes:
    """A selfie: a picture that is not a side of a card, the same for the same person."""
    picture, data = Image.new("RGB", (480, 640), (200, 200, 60 + seed % 120)), BytesIO()
    ImageDraw.Draw(picture).text((40, 300), f"SPECIMEN {seed}", fill="black")
    picture.save(data, "JPEG")
    return data.getvalue()


def answer(customer: str) -> dict[str, Any]:
    """What a vendor that keeps the contract answers; the stand-in vendor does."""
    return {"isSuccess": True, "message": None, "errorCode": None, "match": {"similarity": 0.93, "threshold": 0.8}}


SELFIE = Step(
    "upload_selfie",
    operation_id="UploadSelfie",
    path=f"{BASE_PATH}/onboarding/NationalIdKyc/UploadSelfie",
    summary="Show the person's face.",
    shows="selfie",
    request=UploadRequest,
    answer=SelfieResult,
    shape_clause="selfie.result",
    rules=[Rule("selfie.match", "a similarity of the threshold or more", too_unlike)],
    sample=answer,
)
STEPS = (*NATIONAL_ID.steps, SELFIE)

FLOW = replace(
    NATIONAL_ID,
    id="national-id-with-selfie",
    steps=STEPS,
    edges=(*NATIONAL_ID.edges, Edge(APPROVE_BACK, SELFIE, Level.DOCUMENTED, "order.selfie-last")),
    orders={clause: (*order, SELFIE) for clause, order in NATIONAL_ID.orders.items()},
    groups=(("All five steps", frozenset(STEPS)), ("Upload selfie", frozenset({SELFIE})), *NATIONAL_ID.groups[1:]),
    clauses=CLAUSES,
    pictures={"selfie": draw},
)

# How it can be broken: what the check must find.


@fault("stranger-accepted", "selfie.match", "semantics")
class StrangerAccepted(Vendor):
    """A selfie far below the threshold is accepted."""

    def taken(self, session: Onboarding, step: Step) -> Reply:
        reply = super().taken(session, step)
        return Reply(200, reply.body.replace(b"0.93", b"0.31")) if step == SELFIE else reply


@fault("selfie-first", "order.selfie-last", "order")
class SelfieFirst(Vendor):
    """A selfie is taken before the card is approved."""

    def order_allows(self, session: Onboarding, step: Step) -> bool:
        return step == SELFIE or super().order_allows(session, step)
