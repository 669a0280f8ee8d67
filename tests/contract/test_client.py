"""As the vendor's Android client does it (vendor-api.md, tag `client`): a failure breaks installed phones."""

from kycgate.contracts.flows import flow
from kycgate.contracts.flows.national_id import APPROVE_BACK, APPROVE_FRONT, UPLOAD_BACK, UPLOAD_FRONT
from kycgate.gate.plan import judges
from kycgate.gate.session import Session
from kycgate.target.requests import Variation, to_json, upload_body

ANDROID = {"Content-Type": "application/json; charset=UTF-8"}
EXTRA = {"scanType": 1, "customerId": None, "fullNameAr": "SPECIMEN"}


@judges(
    *("request.unknown-properties", "request.approve-back-with-body", "image.line-feeds"),
    *("order.client", "result.back-fields", "result.error-code-number"),
    requests=6,
    uploads=2,
    telling=9,
)
def test_android_onboarding(session: Session) -> None:
    """The whole journey with the client's order, headers, line-wrapped base64, extra properties, and last body."""
    session.do(UPLOAD_FRONT, variation=_as_client(session, "front", ANDROID))
    session.do(
        APPROVE_FRONT,
        variation=Variation(
            "the client's extra properties",
            clause="request.unknown-properties",
            body=to_json({**session.approval(), **EXTRA}),
            headers=ANDROID,
        ),
    )
    session.do(UPLOAD_BACK, variation=_as_client(session, "back", ANDROID))
    session.do(
        APPROVE_BACK,
        variation=Variation(
            "the client's JSON body",
            clause="request.approve-back-with-body",
            body=to_json({"scanType": 2, "customerId": None}),
            headers=ANDROID,
        ),
    )


def _as_client(session: Session, side: str, headers: dict[str, str]) -> Variation:
    return Variation(
        "the client's wrapped base64 and extra properties",
        clause="image.line-feeds",
        body=upload_body(session.card.image(side), "lf", **EXTRA),
        headers=headers,
    )


@judges("request.client-headers", requests=5, uploads=2, telling=6)
def test_languages(session: Session) -> None:
    """Accept-Language and Accept change words at most, no verdict, at any step."""
    for number, step in enumerate(flow().steps):
        accept = "application/json" if number % 2 else "*/*"
        variation = Variation(
            f"Accept-Language ar, Accept {accept}",
            clause="request.client-headers",
            headers={"Accept-Language": "ar", "Accept": accept},
        )
        session.do(step, variation)
