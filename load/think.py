"""How long a person pauses between two steps: a distribution, drawn with a seed."""

import random
from typing import Literal, NamedTuple

KINDS = "constant:S, uniform:LOW,HIGH, exponential:MEAN or lognormal:MEDIAN,SIGMA"


class Think(NamedTuple):
    """A distribution of pauses, in seconds. `first` and `second` are its parameters, in the order of `KINDS`."""

    kind: Literal["constant", "uniform", "exponential", "lognormal"]
    first: float
    second: float = 0.0

    def draw(self, rng: random.Random) -> float:
        """One pause, in seconds."""
        match self.kind:
            case "constant":
                return self.first
            case "uniform":
                return rng.uniform(self.first, self.second)
            case "exponential":
                return rng.expovariate(1 / self.first) if self.first else 0.0
            case "lognormal":
                return self.first * rng.lognormvariate(0, self.second)

    @property
    def words(self) -> str:
        more = f",{self.second:g}" if self.kind in ("uniform", "lognormal") else ""
        return f"{self.kind}:{self.first:g}{more}"


def parse_think(text: str) -> Think:
    """`text` as it is given to --think: a number is the mean of an exponential pause.

    Raises:
        ValueError: it is not one of these distributions.
    """
    kind, colon, rest = text.partition(":")
    if not colon:
        kind, rest = "exponential", text
    try:
        values = [float(part) for part in rest.split(",")]
    except ValueError:
        values = []
    wanted = {"constant": 1, "exponential": 1, "uniform": 2, "lognormal": 2}.get(kind)
    if len(values) != wanted or not all(0 <= value <= 600 for value in values):
        raise ValueError(f"{text!r} is not a pause: write {KINDS}, from 0 to 600 seconds")
    if kind == "uniform" and values[0] > values[1]:
        raise ValueError(f"{text!r} is not a pause: the lower end comes first")
    return Think(kind, *values)  # type: ignore[arg-type]
