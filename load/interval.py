"""One second of one generator, as it leaves its process: raw microseconds, so that adding up loses nothing."""

import base64
import sys
from array import array
from collections.abc import Iterator

from pydantic import BaseModel, Field

from kycgate.runs.clause import Finding

GENERATOR = "generator"
"""The name under which the generator's own clocks stand: slip, lag and gc."""


class Breach(BaseModel):
    """One way in which a clause was broken."""

    clause: str
    finding: Finding


class Interval(BaseModel):
    """What ended, and what began, since the interval before."""

    worker: int = 0
    second: int = Field(description="Whole seconds from the run's start to the interval's beginning.")
    values: dict[str, str] = Field(
        default_factory=dict, description="`step clock`: base64 of little-endian 32-bit microseconds."
    )
    due_in: dict[str, str] = Field(
        default_factory=dict,
        description="Of each step's response times: in which second after the run's start each was due, packed alike.",
    )
    due_failures: list[tuple[str, int, int]] = Field(
        default_factory=list, description="Step, the second in which they were due, failures."
    )
    started: dict[str, int] = Field(default_factory=dict)
    failures: dict[str, int] = Field(default_factory=dict)
    unavailable: dict[str, int] = Field(default_factory=dict)
    errors: list[tuple[str, str, int]] = Field(default_factory=list, description="Step, kind of error, how often.")
    in_flight: dict[str, int] = Field(default_factory=dict, description="Requests under way at its end.")
    requests: int = 0
    uploads: int = 0
    other_requests: int = Field(default=0, description="Sent by sessions that went out of turn.")
    other_uploads: int = 0
    wrong: int = 0
    due: int = Field(default=0, description="Onboardings that became due.")
    begun: int = 0
    ended: int = 0
    cut_off: int = 0
    refused_photos: int = Field(default=0, description="Onboardings that ended with a degraded photo refused.")
    registered: int = Field(default=0, description="Onboardings that ended as their person was known already.")
    throttled: int = Field(default=0, description="Onboardings that ended with a 429.")
    tokens: int = Field(default=0, description="Requests for tokens that were sent.")
    sizes: list[tuple[int, float, float | None]] = Field(
        default_factory=list, description="Own uploads: bytes, service and thinking milliseconds."
    )
    readings: list[tuple[str, str, int, int]] = Field(
        default_factory=list, description="Field, degradation, read right, read in all."
    )
    cards: list[tuple[str, str]] = Field(default_factory=list, description="Degradation and card of what was read.")
    examples: list[str] = Field(default_factory=list)
    judged: dict[str, tuple[int, int]] = Field(
        default_factory=dict, description="By clause: answers that broke it, and answers that were judged by it."
    )
    breaches: list[Breach] = Field(default_factory=list, description="New ways of breaking a clause.")
    gone: bool = Field(default=False, description="At its end the target had given no answer any more.")
    bad_tokens: int = Field(default=0, description="Requests for tokens that brought none.")
    cpu_share: float = 0.0
    start_wall: float = 0.0
    start_ns: int = 0
    stopped: str = ""
    void: str = ""
    last: bool = False

    def each(self) -> Iterator[tuple[str, str, "array[int]"]]:
        """Step, clock and microseconds."""
        for key, packed in self.values.items():
            step, _, clock = key.partition(" ")
            yield step, clock, unpack(packed)

    def each_due(self) -> Iterator[tuple[str, int, int]]:
        """Step, the second in which it was due, and microseconds of response time."""
        for step, packed in self.due_in.items():
            seconds, values = unpack(packed), unpack(self.values.get(f"{step} response", ""))
            yield from ((step, second, value) for second, value in zip(seconds, values, strict=True))


def pack(values: "array[int]") -> str:
    """Base64 of little-endian 32-bit numbers."""
    if sys.byteorder == "big":
        values = array("I", values)
        values.byteswap()
    return base64.b64encode(values.tobytes()).decode("ascii")


def unpack(packed: str) -> "array[int]":
    """The numbers that `pack` packed.

    Raises:
        ValueError: it was not packed so.
    """
    values: array[int] = array("I")
    values.frombytes(base64.b64decode(packed, validate=True))
    if sys.byteorder == "big":
        values.byteswap()
    return values
