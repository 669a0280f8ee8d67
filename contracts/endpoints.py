"""The table of endpoints: method, path, models, statuses. Source: API.md, "Where and how" and "The four steps"."""

from dataclasses import dataclass
from typing import Any

from kycgate.contracts.journey import Step
from kycgate.contracts.models import (
    Approved,
    ApproveFrontRequest,
    ErrorBody,
    TokenAnswer,
    TokenRequest,
    UploadRequest,
    UploadResult,
)

BASE_PATH = "/Onboarding/api/v1"
_STEP_PATH = f"{BASE_PATH}/onboarding/NationalIdKyc"
DOCUMENTED_STATUSES = frozenset({200, 400, 401, 404})
INFRASTRUCTURE_STATUSES = frozenset({405, 413, 415, 429, 431})
CLIENT_TIMEOUT_S = 60.0
"""The Android client gives up after 60 s to connect, to write, or to read."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation. `answer` is the type of its 200; `error` that of its other documented statuses."""

    id: str
    operation_id: str
    path: str
    summary: str
    request: type[UploadRequest] | type[ApproveFrontRequest] | type[TokenRequest] | None
    answer: Any
    step: Step | None = None
    method: str = "POST"
    error: type[ErrorBody] = ErrorBody
    statuses: frozenset[int] = DOCUMENTED_STATUSES


STEP_ENDPOINTS: dict[Step, Endpoint] = {
    Step.UPLOAD_FRONT: Endpoint(
        Step.UPLOAD_FRONT,
        "UploadFrontImage",
        f"{_STEP_PATH}/UploadFrontImage",
        "Show the card's front (or a passport page) and get what was read.",
        UploadRequest,
        UploadResult,
        Step.UPLOAD_FRONT,
    ),
    Step.UPLOAD_BACK: Endpoint(
        Step.UPLOAD_BACK,
        "UploadBackImage",
        f"{_STEP_PATH}/UploadBackImage",
        "Show the card's back and get what was read.",
        UploadRequest,
        UploadResult,
        Step.UPLOAD_BACK,
    ),
    Step.APPROVE_FRONT: Endpoint(
        Step.APPROVE_FRONT,
        "ApproveFrontImage",
        f"{_STEP_PATH}/ApproveFrontImage",
        "Confirm, or correct, what was read from the front.",
        ApproveFrontRequest,
        Approved,
        Step.APPROVE_FRONT,
    ),
    Step.APPROVE_BACK: Endpoint(
        Step.APPROVE_BACK,
        "ApproveBackImage",
        f"{_STEP_PATH}/ApproveBackImage",
        "Confirm the back and complete the flow.",
        None,
        Approved,
        Step.APPROVE_BACK,
    ),
}

TOKEN = Endpoint(
    "token",
    "GenerateKycOnboardingSessionToken",
    f"{BASE_PATH}/Auth/GenerateKycOnboardingSessionToken",
    "Exchange the tenant's credentials for one session's token.",
    TokenRequest,
    TokenAnswer,
)
TOKEN_SIBLING = Endpoint(
    "token_sibling",
    "GenerateOnboardingSessionToken",
    f"{BASE_PATH}/Auth/GenerateOnboardingSessionToken",
    "The same under its other name.",
    TokenRequest,
    TokenAnswer,
)

ENDPOINTS: tuple[Endpoint, ...] = (*STEP_ENDPOINTS.values(), TOKEN, TOKEN_SIBLING)


def endpoint(step: Step) -> Endpoint:
    """The endpoint that performs `step`."""
    return STEP_ENDPOINTS[step]
