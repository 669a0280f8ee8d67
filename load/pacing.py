"""When onboardings are due: an arrival rate over time, turned into moments.

The rate is piecewise linear. A moment is where its integral reaches the next whole number (even arrivals) or the next
point of a unit-rate Poisson process (time rescaling: Brown et al., Neural Computation 14, 2002), so both kinds share
one inversion and a constant rate is the plain case.
"""

import math
import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

SHAPES = ("steady", "ramp", "step", "spike", "soak")
STEPS_OF_A_STAIR = 5
SPIKE_TIMES = 5.0


class Segment(NamedTuple):
    """`seconds` in which the rate goes from `start` to `end` onboardings a second, in a straight line."""

    seconds: float
    start: float
    end: float


def segments(shape: str, rate: float, duration_s: float) -> tuple[Segment, ...]:
    """The arrival rate over time; `rate` is its peak.

    steady and soak hold it; ramp goes up to it from a tenth; step climbs in five even steps; spike holds a fifth of it
    and jumps up for the middle tenth.

    Raises:
        ValueError: the shape is unknown, or rate or duration is not positive.
    """
    if rate <= 0 or duration_s <= 0:
        raise ValueError("rate and duration must be positive")
    if shape in ("steady", "soak"):
        return (Segment(duration_s, rate, rate),)
    if shape == "ramp":
        return (Segment(duration_s, rate / 10, rate),)
    if shape == "step":
        heights = [rate * (number + 1) / STEPS_OF_A_STAIR for number in range(STEPS_OF_A_STAIR)]
        return tuple(Segment(duration_s / STEPS_OF_A_STAIR, height, height) for height in heights)
    if shape == "spike":
        low = rate / SPIKE_TIMES
        side = Segment(duration_s * 0.45, low, low)
        return (side, Segment(duration_s * 0.1, rate, rate), side)
    raise ValueError(f"no shape is named {shape!r}: one of {', '.join(SHAPES)}")


def arrivals(
    rate: float, duration_s: float, *, poisson: bool = False, seed: int = 0, shape: str = "steady"
) -> Iterator[float]:
    """Seconds from the start at which onboardings are due, in order, before `duration_s`.

    Raises:
        ValueError: rate or duration is not positive, or the shape is unknown.
    """
    return _moments(segments(shape, rate, duration_s), random.Random(seed) if poisson else None)


def _moments(course: Sequence[Segment], rng: random.Random | None) -> Iterator[float]:
    target = rng.expovariate(1.0) if rng else 0.0
    count = 0
    begun = area = 0.0
    for seconds, start, end in course:
        room = seconds * (start + end) / 2
        while target - area < room * (1 - 1e-12):
            yield begun + _time_of(target - area, seconds, start, end)
            count += 1
            target = target + rng.expovariate(1.0) if rng else float(count)
        begun, area = begun + seconds, area + room


def _time_of(area: float, seconds: float, start: float, end: float) -> float:
    """Where the integral of a straight line from `start` to `end` reaches `area`."""
    slope = (end - start) / seconds
    if abs(slope) < 1e-12:
        return area / start
    # The stable root of slope/2·t² + start·t = area.
    return 2 * area / (start + math.sqrt(start * start + 2 * slope * area))
