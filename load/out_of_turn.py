"""Whether the order of steps holds under load: a few sessions of their own take one step out of turn.

They come beside the onboardings, so that they change none of them, and are part of no measured figure. A fixed key
serves one person at a time and begins anew after a completed flow: such a load has none.
"""

import math
from dataclasses import dataclass

from kycgate.contracts.flow import Step
from kycgate.contracts.flows import flow
from kycgate.load.plan import LoadPlan

EVERY = 25
"""One comes beside this number of onboardings, or more where that would be too many for the plan."""


@dataclass(frozen=True, slots=True)
class Walk:
    """The steps that are taken in their turn, and the one that is then out of its turn."""

    before: tuple[Step, ...]
    step: Step


def walks() -> tuple[Walk, ...]:
    """Every way to break the order: those that take the fewest uploads first, the last step before all others."""
    found = [Walk(before, step) for before, step in flow().violations()]
    # What opens a flow may begin a new one once the old one is complete.
    found += [Walk(flow().steps, step) for step in flow().steps if step != flow().first]
    return tuple(sorted(found, key=lambda walk: (_uploads(walk), walk.step != flow().final, len(walk.before))))


def _uploads(walk: Walk) -> int:
    return sum(step.is_upload for step in (*walk.before, walk.step))


class OutOfTurn:
    """When one is due, and which. Equal plans give equal ones, on however many workers."""

    def __init__(self, plan: LoadPlan, *, fixed: bool) -> None:
        """`plan` is the whole plan's, not a worker's share of it."""
        arrivals = 0 if plan.people else plan.rate * plan.duration_s
        self._every = max(EVERY, math.ceil(arrivals / plan.out_of_turn)) if plan.out_of_turn else 0
        self._walks = walks()
        self._most = 0 if fixed or not self._walks else plan.out_of_turn

    def due(self, number: int) -> Walk | None:
        """The walk beside onboarding `number`, counted from 0."""
        if not self._most or number % self._every != self._every // 2 or number // self._every >= self._most:
            return None
        return self._walks[number // self._every % len(self._walks)]
