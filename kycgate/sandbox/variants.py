"""Faithful variants: each liberty that the sources leave taken in turn, then many at once."""

from typing import Any

from kycgate.sandbox.settings import SandboxSettings

_LIBERTIES: dict[str, dict[str, Any]] = {
    "translation-off": {"translation": False},
    "bearer-only": {"schemes": frozenset({"bearer"})},
    "bare-only": {"schemes": frozenset({"bare"})},
    "front-after-approval-refused": {"front_after_approval": "refused"},
    "approve-front-again-refused": {"approve_front_again": "refused"},
    "back-dropped": {"back_after_front_again": "dropped"},
    "back-carries-front": {"back_carries_front": True},
    "arabic-digits-refused": {"arabic_indic_digits": "refused"},
    "unreadable-400": {"unreadable": "400"},
    "not-base64-result": {"not_base64": "result"},
    "order-404": {"order_status": 404},
    "last-body-refused": {"last_step_broken_body": "refused"},
    "nesting-refused": {"deep_nesting": "refused"},
    "english-words": {"words": "English"},
    "dates-offset": {"date_times": "offset"},
    "dates-naive": {"date_times": "naive"},
    "missing-tenant-401": {"missing_tenant_status": 401},
    "foreign-photos": {"foreign_photos": True},
    "extra-properties": {"extra_properties": True},
    "three-tries-400": {"tries_of_a_side": 3},
    "three-tries-403": {"tries_of_a_side": 3, "tries_status": 403},
    "five-tries-429": {"tries_of_a_side": 5, "tries_status": 429},
    "one-token-at-once": {"tokens_at_once": 1},
    "four-tokens-at-once": {"tokens_at_once": 4},
    "tokens-a-second": {"tokens_a_second": 10},
    "success-empty": {"success_words": "empty"},
    "success-words": {"success_words": "words"},
    "success-words-as-the-suites": {"success_words": "as the suite's"},
    "empty-text-refused": {"empty_text": "refused"},
    "problem-details": {"problem_details": True},
    "cookie": {"cookie": True},
    "cookie-bound": {"cookie": "bound"},
    "firewall": {"firewall": True},
    "401-before-405": {"credentials_before_method": True},
    "known-person-refused": {"known_person": "refused"},
    "not-utf8-replaced": {"not_utf8": "replaced"},
    "known-person-first": {"known_person": "refused first"},
    "another-number-refused": {"another_number": "refused"},
    "plain-letters-only": {"english_names": "letters"},
    "front-carries-kept-back": {"front_carries_kept_back": True},
}


LIBERTIES: dict[str, tuple[str, ...]] = {
    "Credentials are written bare, as Bearer, or either way.": ("default", "bearer-only", "bare-only"),
    "A fixed key opens a new flow after a completed one, or is refused.": ("fixed-keys",),
    "The front after its approval starts over, or is refused.": ("default", "front-after-approval-refused"),
    "ApproveFront again before the flow completes is accepted, or refused.": ("default", "approve-front-again-refused"),
    "After the front is uploaded again the back is kept, or must be uploaded again.": (
        *("default", "front-carries-kept-back", "back-dropped"),
    ),
    "The back's answer carries its own fields alone, or the front's too.": ("default", "back-carries-front"),
    "Arabic-Indic digits in idNumber are accepted, or refused with 400.": ("default", "arabic-digits-refused"),
    "Text that is not base64 is a 400, or a 200 with isSuccess false.": ("default", "not-base64-result"),
    "A picture that cannot be read is a 200 with isSuccess false, or a 400.": ("default", "unreadable-400"),
    "A blank picture, or a back shown as a front, is refused, or read.": ("default", "foreign-photos"),
    "A broken body of ApproveBackImage is ignored, or a 400.": ("default", "last-body-refused"),
    "Bytes that are no UTF-8 are refused, or replaced before the JSON is parsed.": ("default", "not-utf8-replaced"),
    "Deep nesting in unknown properties is ignored, or a 400.": ("default", "nesting-refused"),
    "Words for gender, religion, marital status and nationality are Arabic, or English.": ("default", "english-words"),
    "Date-times end with Z, an offset, or nothing.": ("default", "dates-offset", "dates-naive"),
    "A step out of order is a 400, or a 404.": ("default", "order-404"),
    "Missing tenant credentials are a 400, or a 401.": ("default", "missing-tenant-401"),
    "A person who has completed a flow may begin another, or is refused with 10103.": (
        "default",
        *("known-person-refused", "known-person-first"),
    ),
    "The translation feature is on, or off.": ("default", "translation-off"),
    "A side may be tried as often as one likes, or three times or more in one session.": (
        *("default", "three-tries-400", "three-tries-403", "five-tries-429"),
    ),
    "Tokens are given out without a limit, with a limit each second, or with a limit of valid ones.": (
        *("default", "tokens-a-second", "one-token-at-once", "four-tokens-at-once"),
    ),
    "message and errorCode of a success are null, empty, or words.": (
        *("default", "success-empty", "success-words", "success-words-as-the-suites"),
    ),
    "An empty text in an approval is taken, or a 400.": ("default", "empty-text-refused"),
    "An approval's number may differ from the one read, or is a 400.": ("default", "another-number-refused"),
    "Free text that people's names hold, such as a hyphen, is taken, or a 400.": ("default", "plain-letters-only"),
    "Refusals are plain objects, or problem details as RFC 9457 has them.": ("default", "problem-details"),
    "A gateway in front sets no cookie, one that it knows a caller again by, or one that fits one token.": (
        *("default", "cookie", "cookie-bound"),
    ),
    "Answers have the page's properties, or further ones.": ("default", "extra-properties"),
    "A wrong method with wrong credentials is a 405, or a 401.": ("default", "401-before-405"),
    "What looks like an attack is answered by the vendor, or by a firewall with a 403 page.": ("default", "firewall"),
}
"""What API.md leaves open ("Where the sources leave room"), and the faithful variants that choose one way each."""

ALONE = ("bare-only", "dates-naive", "one-token-at-once", "known-person-refused")
"""Left out of the variant that takes many liberties at once: it takes another choice of the same."""


def liberties() -> dict[str, SandboxSettings]:
    """Settings by name: one liberty taken, all else as by default."""
    return {name: SandboxSettings(**changes) for name, changes in _LIBERTIES.items()}


def variants() -> dict[str, SandboxSettings]:
    """Settings by name: the default, each liberty alone, pairs of distant ones, and all of them."""
    found = {"default": SandboxSettings()}
    found |= liberties()
    names = list(_LIBERTIES)
    half = len(names) // 2
    for first, second in zip(names[:half], names[half:], strict=False):
        found[f"{first}+{second}"] = SandboxSettings(**(_LIBERTIES[first] | _LIBERTIES[second]))
    everything: dict[str, Any] = {}
    for name in names:
        if name not in ALONE:
            everything |= _LIBERTIES[name]
    found["everything"] = SandboxSettings(**everything)
    return found
