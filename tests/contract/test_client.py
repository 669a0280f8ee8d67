"""As the vendor's Android client does it (vendor-api.md, tag `client`): a failure breaks installed phones."""

from kycgate.gate.plan import judges
from kycgate.gate.session import Session
from kycgate.target.requests import Variation, to_json, upload_body

ANDROID = {"Accept": "application/json", "Content-Type": "application/json; charset=UTF-8"}
EXTRA = {"scanType": 1, "customerId": None, "fullNameAr": "SPECIMEN"}


@judges(
    *("request.client-headers", "request.unknown-properties", "request.approve-back-with-body", "image.line-feeds"),
    *("order.client", "result.back-fields", "result.error-code-number"),
    requests=6,
    uploads=2,
    telling=9,
)
def test_android_onboarding(session: Session) -> None:
    """The whole journey with the client's order, headers, line-wrapped base64, extra properties, and last body."""
    arabic = {**ANDROID, "Accept-Language": "ar"}
    session.upload_front(variation=_as_client(session, "front", arabic))
    session.approve_front(
        variation=Variation(
            "the client's extra properties",
            clause="request.unknown-properties",
            body=to_json({**session.approval(), **EXTRA}),
            headers=arabic,
        )
    )
    session.upload_back(variation=_as_client(session, "back", arabic))
    session.approve_back(
        variation=Variation(
            "the client's JSON body",
            clause="request.approve-back-with-body",
            body=to_json({"scanType": 2, "customerId": None}),
            headers=arabic,
        )
    )


def _as_client(session: Session, side: str, headers: dict[str, str]) -> Variation:
    return Variation(
        "the client's wrapped base64 and extra properties",
        clause="image.line-feeds",
        body=upload_body(session.card.image(side), "lf", **EXTRA),
        headers=headers,
    )


@judges("request.client-headers", requests=4, uploads=3, telling=6)
def test_languages(session: Session) -> None:
    """Accept-Language and Accept change words at most, no verdict."""
    for language, accept in (("ar", "application/json"), ("en", "application/json"), (None, "*/*")):
        variation = Variation(
            f"Accept-Language {language}, Accept {accept}",
            clause="request.client-headers",
            headers={"Accept-Language": language, "Accept": accept},
        )
        session.upload_front(variation=variation)
