"""Contract, load and SLA testing of a National ID onboarding API."""

# Every command imports this package first: `typing` takes longer to load than all that is here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from kycgate.rehearsal import StandIn, stand_in

__all__ = ["StandIn", "__version__", "stand_in"]
__version__ = "0.1.0"


def __getattr__(name: str) -> "Any":
    # Loaded when first asked for: every command imports this package.
    if name in ("StandIn", "stand_in"):
        from kycgate import rehearsal

        return getattr(rehearsal, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
