"""The other side: is our own onboarding ready for what a vendor may do?"""

from kycgate.rehearsal.received import Received
from kycgate.rehearsal.vendor import StandIn, stand_in

__all__ = ["Received", "StandIn", "stand_in"]
