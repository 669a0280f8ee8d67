"""The vendor's National ID flow: the one product file that names its four steps.

Sources: vendor-api.md, "Where and how", "The four steps" and "Order".
"""

from collections.abc import Mapping
from typing import Any, Final

from kycgate.contracts.clauses import Level
from kycgate.contracts.flow import Edge, Endpoint, Flow, Step
from kycgate.contracts.models import (
    ENGLISH_NAMES,
    FRONT_PROPERTIES,
    Approved,
    ApproveFrontRequest,
    CustomerData,
    ErrorBody,
    TokenAnswer,
    TokenRequest,
    UploadRequest,
    UploadResult,
    parse_date_time,
)

BASE_PATH: Final = "/Onboarding/api/v1"
_STEP_PATH: Final = f"{BASE_PATH}/onboarding/NationalIdKyc"


def approval_of(reading: Mapping[str, Any], truth: Mapping[str, str], translation: str) -> dict[str, Any]:
    """What a person who agrees sends back: the values as they were read; the card's own where nothing was read."""
    names = ("fullName", "idNumber", "documentNumber", "address", "state")
    approval = {name: reading.get(name) or truth.get(name) for name in names}
    for name in ENGLISH_NAMES:
        # Null is what the annotations allow; whether an empty text is taken is an open point.
        approval[name] = reading.get(name) or (truth.get(name) if translation != "off" else None)
    try:
        approval["birthdate"] = parse_date_time(reading["birthdate"]).strftime("%d/%m/%Y")
    except (KeyError, TypeError, ValueError):
        approval["birthdate"] = None
    return approval


UPLOAD_FRONT: Final = Step(
    "upload_front",
    operation_id="UploadFrontImage",
    path=f"{_STEP_PATH}/UploadFrontImage",
    summary="Show the card's front (or a passport page) and get what was read.",
    shows="front",
    request=UploadRequest,
    answer=UploadResult,
    resets=("upload_back", "approve_front"),
    open_after=("approve_front",),
)
UPLOAD_BACK: Final = Step(
    "upload_back",
    operation_id="UploadBackImage",
    path=f"{_STEP_PATH}/UploadBackImage",
    summary="Show the card's back and get what was read.",
    shows="back",
    request=UploadRequest,
    answer=UploadResult,
    open_after=("approve_back",),
    may_lack=FRONT_PROPERTIES,
    demands=("gender", "profession"),
    demands_clause="result.back-fields",
)
APPROVE_FRONT: Final = Step(
    "approve_front",
    operation_id="ApproveFrontImage",
    path=f"{_STEP_PATH}/ApproveFrontImage",
    summary="Confirm, or correct, what was read from the front.",
    request=ApproveFrontRequest,
    answer=Approved,
    body=approval_of,
    open_after=("approve_front",),
)
APPROVE_BACK: Final = Step(
    "approve_back",
    operation_id="ApproveBackImage",
    path=f"{_STEP_PATH}/ApproveBackImage",
    summary="Confirm the back and complete the flow.",
    answer=Approved,
    open_after=("approve_back",),
    no_body_clause="request.approve-back-without-body",
)
PAGE_ORDER: Final = (UPLOAD_FRONT, UPLOAD_BACK, APPROVE_FRONT, APPROVE_BACK)
CLIENT_ORDER: Final = (UPLOAD_FRONT, APPROVE_FRONT, UPLOAD_BACK, APPROVE_BACK)

TOKEN: Final = Endpoint(
    "token",
    "GenerateKycOnboardingSessionToken",
    f"{BASE_PATH}/Auth/GenerateKycOnboardingSessionToken",
    "Exchange the tenant's credentials for one session's token.",
    TokenRequest,
    TokenAnswer,
    ErrorBody,
)
TOKEN_SIBLING: Final = Endpoint(
    "token_sibling",
    "GenerateOnboardingSessionToken",
    f"{BASE_PATH}/Auth/GenerateOnboardingSessionToken",
    "The same under its other name.",
    TokenRequest,
    TokenAnswer,
    ErrorBody,
)

NATIONAL_ID: Final = Flow(
    id="national-id",
    base_path=BASE_PATH,
    steps=PAGE_ORDER,
    edges=(
        Edge(UPLOAD_FRONT, UPLOAD_BACK, Level.DOCUMENTED, "order.upload-back-after-upload-front"),
        Edge(UPLOAD_FRONT, APPROVE_FRONT, Level.DOCUMENTED, "order.approve-front-after-upload-front"),
        Edge(UPLOAD_BACK, APPROVE_BACK, Level.DOCUMENTED, "order.approve-back-after-upload-back"),
        Edge(APPROVE_FRONT, APPROVE_BACK, Level.EXPECTED, "order.approve-back-after-approve-front"),
    ),
    orders={"order.page": PAGE_ORDER, "order.client": CLIENT_ORDER},
    tokens=(TOKEN, TOKEN_SIBLING),
    error=ErrorBody,
    groups=(
        ("All four steps", frozenset(PAGE_ORDER)),
        ("Both uploads", frozenset({UPLOAD_FRONT, UPLOAD_BACK})),
        ("Both approvals", frozenset({APPROVE_FRONT, APPROVE_BACK})),
        ("Steps with a body", frozenset({UPLOAD_FRONT, UPLOAD_BACK, APPROVE_FRONT})),
        ("Upload front", frozenset({UPLOAD_FRONT})),
        ("Upload back", frozenset({UPLOAD_BACK})),
        ("Approve front", frozenset({APPROVE_FRONT})),
        ("Approve back", frozenset({APPROVE_BACK})),
        ("The token", frozenset({"token"})),
    ),
    models=(CustomerData,),
)
