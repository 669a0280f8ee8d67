"""How fast, for how many? Onboardings that arrive at a rate, driven by Locust, under honest clocks."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kycgate.load.plan import LoadOutcome, LoadPlan, Topology
    from kycgate.load.start import run_load

__all__ = ["LoadOutcome", "LoadPlan", "Topology", "run_load"]


def __getattr__(name: str) -> Any:
    # Loaded when first asked for: gevent's patch in a load's own process comes before all else.
    if name == "run_load":
        from kycgate.load import start

        return start.run_load
    if name in __all__:
        from kycgate.load import plan

        return getattr(plan, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
