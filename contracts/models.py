"""Every request and answer of the vendor's API as a Pydantic model.

Requests are lenient where the vendor is (unknown properties are ignored); answers are strict: exact types, no coercion,
every documented property present. A property that the page does not list is kept and never judged.
"""

import re
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt, StrictStr

UUID_PATTERN = r"^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"
_DAY, _MINUTE = "(0[1-9]|[12][0-9]|3[01])", "([01][0-9]|2[0-3]):[0-5][0-9]"
DATE_TIME_PATTERN = rf"^[0-9]{{4}}-(0[1-9]|1[0-2])-{_DAY}[Tt]{_MINUTE}:([0-5][0-9]|60)(\.[0-9]+)?([Zz]|[+-]{_MINUTE})?$"
"""RFC 3339, with the offset left out too; the 60th second is a leap second."""
FOURTEEN_DIGITS = r"^[0-9]{14}$"
WHOLE_NUMBER = r"^[0-9]+$"

_DATE_TIME = re.compile(DATE_TIME_PATTERN, re.ASCII)


def parse_date_time(text: str) -> datetime:
    """A date-time with `Z`, an offset, or none, as the contract leaves open.

    Raises:
        ValueError: it is not written `YYYY-MM-DDThh:mm:ss[.fff][Z|±hh:mm]`, or no such day exists.
    """
    if not _DATE_TIME.fullmatch(text):
        raise ValueError("not a date-time (YYYY-MM-DDThh:mm:ss, with Z, an offset, or none)")
    # Python reads up to six decimals, and no leap second; vendors on .NET send seven decimals.
    leap = text[17:19] == "60"
    plain = f"{text[:17]}59{text[19:]}" if leap else text
    found = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", plain.upper()))
    return found + timedelta(seconds=1) if leap else found


def _check_date_time(text: str) -> str:
    parse_date_time(text)
    return text


Text = Annotated[StrictStr, Field()]
DateTime = Annotated[
    StrictStr,
    Field(json_schema_extra={"format": "kyc-date-time", "pattern": DATE_TIME_PATTERN}),
    AfterValidator(_check_date_time),
]


def _whole(value: Any) -> Any:
    """JSON Schema's integer: 31.0 is one."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[StrictInt, BeforeValidator(_whole)]
Digits14 = Annotated[StrictStr, Field(pattern=FOURTEEN_DIGITS)]


class Request(BaseModel):
    """Base of what is sent: servers ignore what they do not know, so extra properties stay legal."""

    model_config = ConfigDict(extra="allow", frozen=True)


class Answer(BaseModel):
    """Base of what comes back: exact types; properties beyond the page's are allowed."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)


class UploadRequest(Request):
    """Body of UploadFrontImage and UploadBackImage."""

    image: StrictStr = Field(
        description="The picture of the card's side (or of a passport page) in base64; line breaks are allowed.",
        examples=["/9j/4AAQSkZJRgABAQAAAQABAAD/2w=="],
        json_schema_extra={"format": "kyc-image"},
    )


class ApproveFrontRequest(Request):
    """Body of ApproveFrontImage: what the person confirms. Every property may be null or left out."""

    fullNameEn: StrictStr | None = Field(  # noqa: N815 - the vendor's names
        default=None,
        description="Full name in English. Mandatory when the translation feature is on.",
        examples=["Ahmed Mohamed Ali"],
    )
    firstNameEn: StrictStr | None = Field(  # noqa: N815
        default=None,
        description="First name in English. Mandatory when the translation feature is on.",
        examples=["Ahmed"],
    )
    familyNameEn: StrictStr | None = Field(  # noqa: N815
        default=None,
        description="Family name in English. Mandatory when the translation feature is on.",
        examples=["Mohamed Ali"],
    )
    fullName: StrictStr | None = Field(  # noqa: N815
        default=None, description="Full name as the card writes it.", examples=["Ahmed Mohamed Ali"]
    )
    idNumber: StrictStr | None = Field(  # noqa: N815
        default=None,
        description="The national ID number, 14 digits.",
        pattern=FOURTEEN_DIGITS,
        examples=["29874532145698"],
    )
    documentNumber: StrictStr | None = Field(  # noqa: N815
        default=None, description="The card's factory number: letters, then digits.", examples=["Gm2134524"]
    )
    address: StrictStr | None = Field(
        default=None, description="First line of the address on the card.", examples=["15 st elgnainy"]
    )
    state: StrictStr | None = Field(
        default=None, description="Second line of the address.", examples=["hadaek el koba - Cairo"]
    )
    birthdate: StrictStr | None = Field(
        default=None,
        description="Date of birth as dd/MM/yyyy (the upload's answer writes a date-time instead).",
        pattern=r"^\d{2}/\d{2}/\d{4}$",
        examples=["19/09/1998"],
    )


class TokenRequest(Request):
    """Body of the two token endpoints."""

    tenantId: StrictStr = Field(description="The customer's tenant.", examples=["tenant-1"])  # noqa: N815
    tenantSecret: StrictStr = Field(description="The tenant's secret.", examples=["not-a-secret"])  # noqa: N815
    deviceId: StrictStr | None = Field(default=None, description="The phone's id.")  # noqa: N815
    correlationId: StrictStr | None = Field(default=None, description="The caller's id for its own logs.")  # noqa: N815
    requestId: StrictStr | None = Field(default=None, description="An earlier request to go on with.")  # noqa: N815
    kycRequestTypeId: StrictStr | None = Field(  # noqa: N815
        default=None, description='What kind of onboarding; "1" is OCR.', examples=["1"]
    )
    userId: StrictStr | None = Field(default=None, description="The caller's id of the person.")  # noqa: N815
    userName: StrictStr | None = Field(default=None, description="The caller's name of the person.")  # noqa: N815


class TokenAnswer(Answer):
    """200 of the token endpoints: one token for one onboarding session."""

    token: StrictStr = Field(min_length=1, description="Goes into the Authorization header.")
    expirationDate: DateTime = Field(  # noqa: N815
        description="When the token stops working.", examples=["2026-10-27T12:35:55.351Z"]
    )


def _text(description: str, example: str) -> Any:
    return Field(description=description, examples=[example])


def _moment(description: str) -> Any:
    return Field(description=description, examples=["2025-10-27T12:35:55.351Z"])


class CustomerData(Answer):
    """What was read from the card: 27 properties in the page's order, each of which may be null."""

    customerId: Annotated[StrictStr, Field(pattern=UUID_PATTERN)] | None = _text(  # noqa: N815
        "The person's id at the vendor, a UUID.", "A9C3E5D7-4B2F-47AC-9D61-3F1B1A1E87C6"
    )
    idFrontScan: Digits14 | None = _text("The number as scanned from the front.", "29901011234567")  # noqa: N815
    idBackScan: Digits14 | None = _text("The number as scanned from the back.", "29901011234567")  # noqa: N815
    photo: Text | None = _text("Where the vendor keeps the portrait: a path.", "photos/1.jpg")
    fullName: Text | None = _text("Full name as on the card.", "أحمد محمد علي")  # noqa: N815
    fullNameEn: Text | None = _text("Its translation; null when translation is off.", "Ahmed Mohamed Ali")  # noqa: N815
    firstName: Text | None = _text("First name as on the card.", "أحمد")  # noqa: N815
    firstNameEn: Text | None = _text("Its translation; null when translation is off.", "Ahmed")  # noqa: N815
    familyName: Text | None = _text("Family name as on the card.", "محمد علي")  # noqa: N815
    familyNameEn: Text | None = _text("Its translation; null when translation is off.", "Mohamed Ali")  # noqa: N815
    address: Text | None = _text("First line of the address.", "١٥ ش الجنايني")
    state: Text | None = _text("Second line of the address.", "حدائق القبة - القاهرة")
    birthdate: DateTime | None = _moment("Date of birth as a date-time.")
    idNumber: Text | None = _text("The national ID number read from the front.", "29901011234567")  # noqa: N815
    idNumberBack: Text | None = _text("The national ID number read from the back.", "29901011234567")  # noqa: N815
    documentNumber: Text | None = _text("The card's factory number.", "GM2134524")  # noqa: N815
    documentTypeId: Text | None = _text("The vendor's id of the kind of document.", "1")  # noqa: N815
    documentTypeCode: Text | None = _text("The vendor's code of the kind of document.", "NID")  # noqa: N815
    issueDate: DateTime | None = _moment("When the card was issued.")  # noqa: N815
    profession: Text | None = _text("Profession as on the back.", "مهندس")
    maritalStatus: Text | None = _text("Marital status as on the back.", "أعزب")  # noqa: N815
    religion: Text | None = _text("Religion as on the back.", "مسلم")
    gender: Text | None = _text("Gender as on the back.", "ذكر")
    nationality: Text | None = _text("Nationality.", "مصري")
    detectedAge: Whole | None = Field(description="Age estimated from the portrait.", examples=[27])  # noqa: N815
    detectedGender: Text | None = _text("Gender estimated from the portrait.", "Male")  # noqa: N815
    expirationDate: DateTime | None = _moment("When the card expires.")  # noqa: N815


CUSTOMER_PROPERTIES: tuple[str, ...] = tuple(CustomerData.model_fields)

FRONT_PROPERTIES = frozenset(
    {
        *("idFrontScan", "photo", "fullName", "fullNameEn", "firstName", "firstNameEn", "familyName", "familyNameEn"),
        *("address", "state", "birthdate", "idNumber", "documentNumber", "detectedAge", "detectedGender"),
    }
)
"""What only the front of the card can tell; on the back's answer they may be missing altogether or repeated."""

ENGLISH_NAMES = ("fullNameEn", "firstNameEn", "familyNameEn")


class UploadResult(Answer):
    """200 of both uploads: read, or refused with a message."""

    isSuccess: StrictBool = Field(description="Whether the picture was read.", examples=[True])  # noqa: N815
    message: StrictStr | None = Field(description="For the person, when it was not read.", examples=["text"])
    errorCode: StrictStr | None = Field(  # noqa: N815
        description="Why it was not read: digits in a string (10103: the number is already registered).",
        examples=["10103"],
    )
    customerData: CustomerData | None = Field(description="What was read; null when it was not.")  # noqa: N815


class ErrorBody(Answer):
    """Body of 400, 401 and 404."""

    message: StrictStr | None = Field(description="What went wrong, for the person.", examples=["Bad request"])
    errorCode: StrictStr | StrictInt | float | None = Field(  # noqa: N815
        description="The vendor's code of it.", examples=["400"]
    )


Approved = Literal[True]
"""200 of both approvals: the JSON literal `true`."""
