"""One cause, one finding: which breaches of one answer go along with another breach of the same answer."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from kycgate.judging.ledger import Observation


def _of_status(seen: Observation) -> bool:
    return seen.where == "status" and seen.clause != "status.documented"


def _of_reading(seen: Observation) -> bool:
    return seen.clause.startswith("reading.")


def _of_expiry(seen: Observation) -> bool:
    return seen.clause == "token.expiry-ahead"


_EXPLAINS: dict[str, Callable[[Observation], bool]] = {
    # A status that the page does not have is not the one that was due, either.
    "status.documented": _of_status,
    # Where parts of an answer are another customer's, they contradict the rest.
    "session.own-customer": _of_reading,
    # The token lives as long as it says itself: what is said beside it is wrong.
    "token.expiry-agrees": _of_expiry,
}
"""By clause: what its breach explains in the same answer."""


def with_causes(observations: Iterable[Observation]) -> list[Observation]:
    """All that one answer says, each breach that another one explains put down to it."""
    # Parts of another customer's card are known as such only once that card was shown.
    crossed = "session.own-customer"
    found = [
        replace(seen, plainly=crossed) if not seen.ok and not seen.plainly and _of_reading(seen) else seen
        for seen in observations
    ]
    for cause in _EXPLAINS.keys() & {seen.clause for seen in found if not seen.ok}:
        explained = _EXPLAINS[cause]
        found = [
            replace(seen, because=cause) if not seen.ok and not seen.because and explained(seen) else seen
            for seen in found
        ]
    return found
