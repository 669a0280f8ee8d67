"""The flows that kycgate knows, and the one that this process judges by."""

from collections.abc import Iterator
from contextlib import contextmanager

from kycgate.contracts.clauses import CATALOGUE, Clause
from kycgate.contracts.flow import Flow
from kycgate.contracts.flows.national_id import NATIONAL_ID

SHIPPED = {NATIONAL_ID.id: NATIONAL_ID}
"""By the name that a profile's `flow` gives."""
_in_force: Flow = NATIONAL_ID


def flow() -> Flow:
    """The flow that this process sends, judges and counts by."""
    return _in_force


def use(chosen: Flow) -> None:
    """Judge by this flow from now on: called once, before anything is collected or sent."""
    global _in_force
    _in_force = chosen


@contextmanager
def using(chosen: Flow) -> Iterator[Flow]:
    """Judge by this flow within the block."""
    before = flow()
    use(chosen)
    try:
        yield chosen
    finally:
        use(before)


def catalogue() -> tuple[Clause, ...]:
    """Every clause that is judged: the catalogue, and what the flow in force brings with it."""
    return (*CATALOGUE, *flow().clauses)
