"""What an answer says of the order of steps, where the contract demands a refusal."""

from collections.abc import Collection, Iterator

from kycgate.contracts.flow import State, Step
from kycgate.judging.answers import accepted, already_registered, success_of
from kycgate.judging.ledger import Observation
from kycgate.target.exchange import Exchange


def status_words(exchange: Exchange) -> str:
    """The status, and `isSuccess` where a 200 has it."""
    success = success_of(exchange) if exchange.status == 200 else None
    return f"status {exchange.status}" + (f", isSuccess {str(success).lower()}" if isinstance(success, bool) else "")


def judge_order(
    state: State, step: Step, exchange: Exchange, attempted: Collection[str] = (), unsure: Collection[str] = ()
) -> Iterator[Observation]:
    """Of an answer to `step` in a state in which it must be refused.

    `attempted` are the steps that were refused before in this flow, `unsure` those that may or may not have been
    performed: what misses one of these alone is not judged.
    """
    performed, came = accepted(exchange), status_words(exchange)
    if state.complete:
        yield Observation("order.closed", not performed, "refused, as the flow is complete", came)
        if not performed:
            # A used-up token may also be refused as such, and a person who is known by now as that.
            ok = exchange.status in (400, 401, 404) or already_registered(exchange)
            yield Observation("refusal.order-status", ok, "400 or 404", came, "status")
        return
    missing = state.missing(step)
    if any(edge.first in unsure for edge in missing):
        return
    for edge in missing:
        if performed or len(missing) == 1:
            yield Observation(edge.clause, not performed, f"refused, as {edge.first} is not done", came)
        if performed and edge.first in attempted:
            # Where the target takes this step out of turn elsewhere too, its order is the cause.
            required = f"refused, as {edge.first} was refused and so is not done"
            yield Observation("refusal.changes-nothing", False, required, came, because=edge.clause)
    # Who is known is refused as that, whatever else stands against the step.
    if not performed and not already_registered(exchange):
        ok = exchange.status in (400, 404)
        yield Observation("refusal.order-status", ok, "400 or 404 for a step out of order", came, "status")
