"""A chart's axes: scales from values to places, linear and logarithmic, and nice ticks along them."""

import math
from collections.abc import Sequence
from itertools import count
from typing import NamedTuple


def nice(step: float) -> float:
    """1, 2 or 5 times a power of ten, at least `step`."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(times * power for times in (1, 2, 5, 10) if times * power >= step * (1 - 1e-9))


def multiples(step: float, low: float, high: float) -> list[float]:
    """Those of `step` from `low` to `high`."""
    return [n * step for n in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def decimals(step: float) -> int:
    """With how many decimals multiples of a nice step are written in full."""
    return max(-math.floor(math.log10(step) + 1e-9), 0)


def log_ticks(low: float, high: float, most: int) -> list[float]:
    """1, 2 and 5 of each power of ten, or the ones alone, or fewer, where they are more than `most`."""
    powers = range(math.floor(math.log10(low)), math.floor(math.log10(high)) + 1)
    found: list[float] = []
    for every in count():
        # First all three of each power, then the ones of each, of every second, of every third.
        digits, kept = ((1, 2, 5), powers) if every == 0 else ((1,), [n for n in powers if n % every == 0])
        found = [digit * 10.0**n for n in kept for digit in digits if low <= digit * 10.0**n <= high]
        if len(found) <= most:
            break
    # Between two of them a step is as good as on a linear axis.
    return found if len(found) > 1 or low == high else multiples(nice((high - low) / most), low, high)


class Axis(NamedTuple):
    """From values to places: `ticks` are values with their words."""

    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    label: str = ""
    log: bool = False
    grid: bool = False
    """A line across the panel at each tick."""

    def share(self, value: float) -> float:
        """How far along it lies, from 0 to 1."""
        if self.log:
            # What has no logarithm stands at the foot.
            return math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


def linear(low: float, high: float, label: str = "", *, most: int = 5, whole: bool = False, grid: bool = False) -> Axis:
    """An axis with about `most` ticks at nice steps; `whole`: at whole numbers alone."""
    high = high if high > low else low + 1
    step = nice((high - low) / most)
    step = max(step, 1.0) if whole else step
    ticks = [(value, f"{value:z,.{decimals(step)}f}") for value in multiples(step, low, high)]
    return Axis(low, high, ticks, label, grid=grid)


def logarithmic(low: float, high: float, label: str = "", *, most: int = 6) -> Axis:
    """An axis whose ticks are those of a logarithm; `low` is above zero."""
    low, high = (low, high) if high > low else (low / 2, low * 2)
    ticks = [(value, f"{value:,.12g}") for value in log_ticks(low, high, most)]
    return Axis(low, high, ticks, label, log=True, grid=True)
