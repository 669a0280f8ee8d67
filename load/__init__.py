"""How fast, for how many? Onboardings that arrive at a rate, driven by Locust, under honest clocks."""

from kycgate.load.plan import LoadOutcome, LoadPlan, Topology
from kycgate.load.start import run_load

__all__ = ["LoadOutcome", "LoadPlan", "Topology", "run_load"]
