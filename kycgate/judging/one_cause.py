"""One cause, one finding: which breaches of one answer go along with another breach of the same answer."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final

from kycgate.judging.answers import A_REFUSING_200
from kycgate.judging.ledger import Observation


def _of(*clauses: str) -> Callable[[Observation], bool]:
    """Whether it speaks to one of these clauses, or of a family: `reading.`."""
    return lambda seen: any(
        seen.clause == name or (name[-1] == "." and seen.clause.startswith(name)) for name in clauses
    )


def _of_status(seen: Observation) -> bool:
    of_it = seen.where == "status" or seen.actual.startswith("status ")
    return of_it and seen.clause != "status.documented"


def _of_what_it_says(seen: Observation) -> bool:
    return not _of("status.", "body.", "refusal.no-leak", "safety.", "session.")(seen)


def _of_its_outcome(seen: Observation) -> bool:
    """An answer without a verdict of its own (`isSuccess`) is neither an acceptance nor a refusal."""
    return seen.clause.startswith("result.") or seen.actual == "status 200"


def _of_the_id(seen: Observation) -> bool:
    """What is no id tells no customers apart."""
    return seen.clause == "session.own-customer" and seen.where == "customerData.customerId"


EXPLAINS: Final[Mapping[str, Callable[[Observation], bool]]] = {
    # A status that the page does not have is not the one that was due, either.
    "status.documented": _of_status,
    # Nothing can be read of what is not whole.
    "answer.compressed": _of_what_it_says,
    "body.json": _of_what_it_says,
    "result.envelope": _of_its_outcome,
    # Who refuses with a 200 says so in its body: that no approval's answer is so is the same breach.
    "refusal.order-status": _of("approve.true"),
    # A 200 that is not `true` has not refused the page's example.
    "approve.true": _of("approve.page-example"),
    "result.customer-id": _of_the_id,
    # Where parts of an answer are another customer's, they contradict the rest.
    "session.own-customer": _of("reading."),
    # The token lives as long as it says itself: what is said beside it is wrong.
    "token.expiry-agrees": _of("token.expiry-ahead"),
    # What is no path is no path of one customer's own.
    "result.photo": _of("result.photo-path"),
    "result.translation": _of("reading.names-agree", "reading.as-printed"),
    # Digits too few or too many make no possible number, nor the other side's.
    "result.scans": _of("reading.number", "reading.numbers-agree"),
    "reading.number": _of("reading.numbers-agree"),
    "reading.no-date": _of("reading.number-birthdate"),
    # Mangled or exchanged values do not make up the full name, and are not as the card prints them.
    "reading.letters": _of("reading.names-agree", "reading.as-printed"),
    "reading.own-fields": _of("reading.names-agree", "reading.as-printed"),
    "reading.names-agree": _of("reading.as-printed"),
    # Who shows the credentials that were sent repeats what was sent.
    "refusal.no-leak": _of("safety.no-echo"),
}
"""By clause, what says most first: what its breach explains in the same answer."""


def with_causes(observations: Iterable[Observation]) -> list[Observation]:
    """All that one answer says, each breach that another one explains put down to it."""
    # Parts of another customer's card are known as such only once that card was shown.
    crossed, of_reading = "session.own-customer", _of("reading.")
    found = [
        replace(seen, plainly=crossed) if not seen.ok and not seen.plainly and of_reading(seen) else seen
        for seen in observations
    ]
    broken = {seen.clause for seen in found if not seen.ok}
    if len(broken) < 2:
        return found
    # Where the refusal that was due came with a 200, its status is what is wrong of it.
    in_a_200 = next((seen.clause for seen in found if not seen.ok and seen.actual == A_REFUSING_200), "")
    if in_a_200:
        found = [replace(seen, because=in_a_200) if seen.clause == "approve.true" else seen for seen in found]
    for cause, explained in EXPLAINS.items():
        if cause in broken:
            found = [
                replace(seen, because=cause)
                if not seen.ok and not seen.because and seen.clause != cause and explained(seen)
                else seen
                for seen in found
            ]
    return found
