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
    "known-person-refused": {"known_person": "refused"},
}


def variants() -> dict[str, SandboxSettings]:
    """Settings by name: the default, each liberty alone, pairs of distant ones, and all of them."""
    found = {"default": SandboxSettings()}
    found |= {name: SandboxSettings(**changes) for name, changes in _LIBERTIES.items()}
    names = list(_LIBERTIES)
    half = len(names) // 2
    for first, second in zip(names[:half], names[half:], strict=False):
        found[f"{first}+{second}"] = SandboxSettings(**(_LIBERTIES[first] | _LIBERTIES[second]))
    everything: dict[str, Any] = {}
    for name in names:
        if name not in ("bare-only", "dates-naive"):
            everything |= _LIBERTIES[name]
    found["everything"] = SandboxSettings(**everything)
    return found
