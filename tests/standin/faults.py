"""What the second stand-in can do wrong: (name, clause, the sentence of the vendor's facts that it breaks)."""

from typing import NamedTuple


class Fault(NamedTuple):
    """One broken promise; `clause` is where the suite should say so."""

    name: str
    clause: str
    sentence: str


_TYPE = "Broken JSON, a missing or wrongly typed required property: 400."
_TOKEN = "A sibling path GenerateOnboardingSessionToken takes the same body."
_ALONE = "The session hangs on the token alone: not on the connection, the time or the client's headers."
_TAP = "A double tap: each copy is answered like a retry or a refusal, never 5xx."
_GZIP = "What comes back is whole, compressed or not."
_FORM = "Every common form of JPEG and PNG is read or refused, never 5xx."
_TEXT = "Free text holds what people's names and addresses hold: 400 or accepted, never 5xx."
_ARABIC = "Letters lost, replaced or written in code are not the card's."
_DATE = "A date that was not read is null."
_ILL = "Ill-formed optional values: 400 is expected."
_STORE = "Answers with personal data are not stored on the way."
_MASS = "What the page does not list cannot be set by sending it."
_OWN = "Each property holds its own field of the card."

FAULTS = {
    fault.name: fault
    for fault in (
        Fault("back-null-image-500", "refusal.image-type", _TYPE),
        Fault("front-list-image-401", "refusal.image-type", _TYPE),
        Fault("back-without-image-200", "refusal.image-missing", _TYPE),
        Fault("approve-broken-json-true", "refusal.broken-json", _TYPE),
        Fault("sibling-gone", "token.sibling", _TOKEN),
        Fault("sibling-refuses-null", "token.sibling", _TOKEN),
        Fault("page-example-refused", "approve.page-example", "The page's own example is a legal request."),
        Fault("resume-opens-fresh", "session.resumed", "requestId resumes an earlier request."),
        Fault("back-refuses-crlf", "image.crlf", "MIME's CRLF is its sibling."),
        Fault("last-step-missing-400", "auth.missing", "No credentials: 401, on every endpoint."),
        Fault("approve-takes-expired", "auth.expired", "Expired credentials: 401, on every endpoint."),
        Fault("approve-refuses-unknown", "request.unknown-properties", "Servers must ignore what they do not know."),
        Fault("last-step-refuses-object", "request.approve-back-with-body", "The client posts a small JSON object."),
        Fault("connection-bound", "session.any-connection", _ALONE),
        Fault("connection-bound-approval", "session.any-connection", _ALONE),
        Fault("language-bound", "session.any-connection", _ALONE),
        Fault("idle-two-seconds", "session.idle", _ALONE),
        Fault("idle-before-last-step", "session.idle", _ALONE),
        Fault("gzip-cut", "answer.compressed", _GZIP),
        Fault("gzip-unnamed", "answer.compressed", _GZIP),
        Fault("tap-upload_front", "request.twice-at-once", _TAP),
        Fault("tap-upload_back", "request.twice-at-once", _TAP),
        Fault("tap-approve_front", "request.twice-at-once", _TAP),
        Fault("tap-approve_back", "request.twice-at-once", _TAP),
        Fault("progressive-500", "status.no-5xx", _FORM),
        Fault("cmyk-500", "status.no-5xx", _FORM),
        Fault("gray-500", "status.no-5xx", _FORM),
        Fault("sixteen-bit-500", "status.no-5xx", _FORM),
        Fault("palette-500", "status.no-5xx", _FORM),
        Fault("alpha-500", "status.no-5xx", _FORM),
        Fault("interlaced-500", "status.no-5xx", _FORM),
        Fault("profile-500", "status.no-5xx", _FORM),
        Fault("turned-unread", "image.turned", "A capture that its EXIF tag says to turn is a readable picture."),
        Fault("two-megabytes-500", "image.full-size", "Captures run from a few hundred kB to several MB."),
        Fault("apostrophe-500", "status.no-5xx", _TEXT),
        Fault("line-break-500", "status.no-5xx", _TEXT),
        Fault("emoji-500", "status.no-5xx", _TEXT),
        Fault("long-500", "status.no-5xx", _TEXT),
        Fault("right-to-left-mark-500", "status.no-5xx", _TEXT),
        Fault("profession-question-marks", "reading.letters", _ARABIC),
        Fault("address-entities", "reading.letters", _ARABIC),
        Fault("name-mojibake", "reading.letters", _ARABIC),
        Fault("state-presentation-forms", "reading.letters", _ARABIC),
        Fault("family-escaped", "reading.letters", _ARABIC),
        Fault("religion-replaced", "reading.letters", _ARABIC),
        Fault("issue-year-one", "reading.no-date", _DATE),
        Fault("expiry-1970", "reading.no-date", _DATE),
        Fault("birth-day-before", "reading.time-zone", "No time zone moves the birth date's written day."),
        Fault("thirteen-digits-taken", "optional.ill-formed", _ILL),
        Fault("iso-birthdate-taken", "optional.ill-formed", _ILL),
        Fault("thirty-first-of-february-taken", "optional.ill-formed", _ILL),
        Fault("back-may-be-cached", "safety.no-store", _STORE),
        Fault("any-origin", "safety.no-cors", "Answers are not readable by any web page."),
        Fault("refusal-echoes", "safety.no-echo", "A refusal does not repeat what was sent."),
        Fault("customer-set-by-body", "safety.no-mass-assignment", _MASS),
        Fault("approved-set-by-body", "safety.no-mass-assignment", _MASS),
        Fault("profession-of-another", "reading.own-fields", _OWN),
        Fault("address-and-state-swapped", "reading.own-fields", _OWN),
    )
}
