"""A target that misbehaves: the faithful sandbox behind bytes that no HTTP library would send."""

from kycgate.chaos.behaviours import BEHAVIOURS
from kycgate.chaos.registry import Behaviour, Expected
from kycgate.chaos.target import ChaosTarget

__all__ = ["BEHAVIOURS", "Behaviour", "ChaosTarget", "Expected"]
