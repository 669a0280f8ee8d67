"""What a faithful vendor may do, and a client must survive: each liberty that the sources leave, and three hard habits.

The three happen once in a run, to the first session that meets them: a client's tests are not made slow by them.
"""

import threading
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from kycgate.contracts.flow import Step
from kycgate.sandbox import SandboxSettings
from kycgate.sandbox.variants import LIBERTIES, liberties
from kycgate.sandbox.vendor import Incoming, Onboarding, Refused, Reply, Vendor

SLOW_S: Final = 20.0
"""Seconds that the slow reading takes: a client must wait a minute, or say that it gave up."""


class HardVendor(Vendor):
    """A faithful vendor that is hard on one session; `met` counts the requests that met it."""

    def __init__(self, settings: SandboxSettings) -> None:
        super().__init__(settings)
        self.met = 0
        self._chosen: Onboarding | None = None
        self._hard = threading.Lock()

    def chosen(self, session: Onboarding) -> bool:
        """Whether this is the session that it is hard on: the first that asks."""
        with self._hard:
            if self._chosen is None:
                self._chosen = session
            return self._chosen is session

    def meet(self) -> None:
        """Count one request that met it."""
        with self._hard:
            self.met += 1


class SlowReading(HardVendor):
    """The first picture takes 20 s to be read."""

    def latency_s(self, request: Incoming, status: int) -> float | None:
        step = next((step for step in self.flow.steps if step.path == request.path), None)
        if step is None or not step.is_upload or status != 200:
            return super().latency_s(request, status)
        with self._hard:
            if self.met:
                return None
            self.met += 1
            return SLOW_S


class Busy(HardVendor):
    """Each step of a session is at first a 429 with Retry-After: 1."""

    def __init__(self, settings: SandboxSettings) -> None:
        super().__init__(settings)
        self._turned_away: set[Step] = set()

    def perform(self, session: Onboarding, step: Step, request: Incoming) -> Reply:
        if self.chosen(session) and step not in self._turned_away:
            self._turned_away.add(step)
            self.meet()
            raise Refused(429, "Too many requests")
        return super().perform(session, step, request)


class TokenEnds(HardVendor):
    """A session's token ends after the back was uploaded: 401 from then on, and a new token begins anew."""

    def __init__(self, settings: SandboxSettings) -> None:
        super().__init__(settings)
        self._ended = False

    def authenticate(self, request: Incoming, step: Step) -> Onboarding | None:
        session = super().authenticate(request, step)
        if session is not None and self._ended and session is self._chosen:
            self.meet()
            return None
        return session

    def perform(self, session: Onboarding, step: Step, request: Incoming) -> Reply:
        reply = super().perform(session, step, request)
        if step.is_upload and self.flow.predecessors(step) and reply.status == 200 and self.chosen(session):
            self._ended = True
        return reply


HARD: Final[Mapping[str, type[HardVendor]]] = MappingProxyType(
    {"slow-reading": SlowReading, "busy": Busy, "token-ends": TokenEnds}
)


def habits() -> dict[str, str]:
    """Every habit by its name, with one sentence: the hard ones, then each liberty alone."""
    said = {name: (vendor.__doc__ or "").strip() for name, vendor in HARD.items()}
    what = {name: sentence for sentence, names in LIBERTIES.items() for name in names}
    return said | {name: what.get(name, name) for name in liberties()}
