"""When onboardings are due."""

import random
from collections.abc import Iterator


def arrivals(rate: float, duration_s: float, *, poisson: bool = False, seed: int = 0) -> Iterator[float]:
    """Seconds from the start at which onboardings are due, in order, before `duration_s`.

    Evenly spaced, or a Poisson process (exponential gaps) drawn from `seed`.

    Raises:
        ValueError: rate or duration is not positive.
    """
    if rate <= 0 or duration_s <= 0:
        raise ValueError("rate and duration must be positive")
    rng = random.Random(seed)
    number, at = 0, rng.expovariate(rate) if poisson else 0.0
    while at < duration_s:
        yield at
        number += 1
        at = at + rng.expovariate(rate) if poisson else number / rate
