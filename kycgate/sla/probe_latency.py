"""How long the steps of probes took."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from kycgate.probing.probe import Probe
from kycgate.runs.load_model import HIGHEST_US, LOWEST_US, WHOLE, StepLatency
from kycgate.sla.histograms import Counts, edges, empty
from kycgate.sla.latency import histogram_of, step_latency

CLOCKS = ("response", "service", "sending", "thinking", "reading")
WAITED = 0.9
"""Share of the time-out from which a failed request counts as timed out (its wait is kept), not as refused."""


def latency_us(probe: Probe, step: str, clock: str) -> int | None:
    """How long a step took in this probe; None when it was not taken, or there was no listener.

    A timed-out step counts with its whole wait: without it a vendor would look faster the slower it is.
    """
    if step == WHOLE:
        waited = probe.steps and _waited_in_vain(probe, len(probe.steps) - 1)
        spent = sum(taken.response_us for taken in probe.steps)
        return probe.onboarding_us if probe.onboarding_us is not None else spent if waited else None
    for place, taken in enumerate(probe.steps):
        if taken.step != step:
            continue
        answered = taken.status is not None and taken.status < 500
        if answered or (clock in ("response", "service") and _waited_in_vain(probe, place)):
            value: int | None = getattr(taken, f"{clock}_us")
            return value
    return None


def _waited_in_vain(probe: Probe, place: int) -> bool:
    step = probe.steps[place]
    return step.status is None and step.response_us >= WAITED * probe.timeout_s * 1e6


def values_of(probes: Iterable[Probe]) -> dict[tuple[str, str], list[int]]:
    """Microseconds by step and clock, the whole onboarding last."""
    values: dict[tuple[str, str], list[int]] = defaultdict(list)
    for probe in probes:
        for kind in [*((taken.step, clock) for taken in probe.steps for clock in CLOCKS), (WHOLE, "response")]:
            value = latency_us(probe, *kind)
            if value is not None:
                values[kind].append(value)
    return {kind: values[kind] for kind in sorted(values, key=lambda kind: kind[0] == WHOLE)}


def latencies_of(days: Iterable[dict[tuple[str, str], list[int]]]) -> list[StepLatency]:
    """The days' histograms, merged."""
    whole: dict[tuple[str, str], list[int]] = defaultdict(list)
    for values in days:
        for kind, found in values.items():
            whole[kind] += found
    return [step_latency(*kind, histogram_of(found)) for kind, found in whole.items()]


def counts_of_values(values: Sequence[int]) -> Counts:
    """As a histogram of these microseconds would count them."""
    counts = empty()
    places = np.searchsorted(edges()[1], np.clip(np.asarray(values, dtype=float), LOWEST_US, HIGHEST_US))
    np.add.at(counts, places, 1)
    return counts
