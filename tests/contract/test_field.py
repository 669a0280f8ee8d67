"""API.md, "What the field adds": what phones, networks and ordinary web servers bring."""

import time
import uuid
from functools import partial
from itertools import cycle

from kycgate.contracts.flow import Step
from kycgate.contracts.flows import flow
from kycgate.errors import CannotJudge
from kycgate.gate.gate import Gate
from kycgate.gate.minting import token_of
from kycgate.gate.plan import judges
from kycgate.gate.session import Dress, Interrupted, Session
from kycgate.gate.together import at_once
from kycgate.judging.answers import accepted, customer_data, is_evidence
from kycgate.judging.order import status_words
from kycgate.specimens.forms import TURNED
from kycgate.target.exchange import Exchange
from kycgate.target.requests import LEGAL, UNLISTED, Outcome, Variation

IDLE_S = 3.3
"""Seconds between two steps: people look for the card longer than that."""
ANOTHER_PHONE = {
    "Accept-Language": "ar-EG,ar;q=0.9,en;q=0.8",
    "User-Agent": "okhttp/4.12.0",
    "X-Forwarded-For": "198.51.100.7",
}
"""What may be sent once the phone's language, app or network was changed; what the profile demands stays.

The address is one of those kept for documentation (RFC 5737): a proxy on the way names its client so.
"""


@judges("session.any-connection", "answer.compressed", "image.turned", requests=7, uploads=4, telling=8)
def test_as_phones_and_networks_do(gate: Gate, session: Session) -> None:
    """Each step over a connection of its own, with other headers, compressed; a capture that its tag says to turn."""
    headers = {name: value for name, value in ANOTHER_PHONE.items() if not gate.profile.sets(name)}
    session.dress = Dress(
        fresh=True, gzip=True, headers=headers, lower=True, forms={flow().first.shows: next(iter(TURNED))}
    )
    for step in flow().steps:
        try:
            session.do(step)
        except Interrupted as interrupted:
            if not interrupted.excused or interrupted.exchange.status != 401:
                raise
            # A newer token may have ended this one, or it hangs on what was changed: the first headers tell.
            session.dress = Dress()
            session.do(step)
        # The session has begun: what follows hangs on the token alone.
        session.because = "session.any-connection"


def _pauses(gate: Gate) -> list[tuple[tuple[Step, ...], set[int]]]:
    """Steps to take, and the places before which to pause: with tokens enough each pause has a session of its own."""
    orders = [*flow().orders.values()]
    places = [{p for p, step in enumerate(order) if p % 2 == 1 or step == flow().final} for order in orders]
    if not gate.mints_tokens:
        return [*zip(orders, places, strict=True)][: gate.concurrent_sessions]
    found: dict[Step, tuple[tuple[Step, ...], set[int]]] = {}
    for order, before in zip(orders, places, strict=True):
        for place in before:
            found.setdefault(order[place], (order[: place + 1], {place}))
    return [*found.values()]


@judges("session.idle", requests=11, uploads=5, telling=9, slow=True)
def test_pauses(gate: Gate) -> None:
    """A pause between two steps, wherever it is, ends no session while its token lives."""
    if gate.mints_tokens and 0 < gate.tokens.life_s < 10 * IDLE_S:
        raise CannotJudge("the target's tokens live too short to pause between two steps")

    def idle(steps: tuple[Step, ...], pauses: set[int]) -> None:
        session = gate.session()
        try:
            for place, step in enumerate(steps):
                if place in pauses:
                    time.sleep(IDLE_S)
                    session.because = "session.idle"
                session.do(step)
        finally:
            gate.release(session)

    walks = _pauses(gate)
    at_once([partial(idle, steps, pauses) for steps, pauses in walks])


@judges("request.twice-at-once", "status.no-5xx", "session.own-customer", requests=9, uploads=4, telling=7)
def test_double_taps(gate: Gate, session: Session) -> None:
    """Each step of one flow is sent twice at the same moment; at least one copy is performed, and the flow goes on."""
    twice = Variation("twice at the same moment", Outcome.ANY, by_chance=True)
    for step in flow().steps:
        answers = at_once([partial(session.do, step, twice, demand=False)] * 2)
        if any(answer.status is None or answer.status in (413, 429) for answer in answers):
            raise CannotJudge(f"two requests of {step} at once were put off or not answered")
        done = any(accepted(answer) for answer in answers)
        if not done and all(answer.status is not None and answer.status < 500 for answer in answers):
            # Refused for being two, as some do: then the step is taken alone.
            done = accepted(session.do(step, Variation("after two at once", Outcome.ANY), demand=False))
        came = " and ".join(f"status {answer.status}" for answer in answers)
        crashed = any(answer.status is not None and answer.status >= 500 for answer in answers)
        # A copy that crashed may have been performed, and then the other one is refused: one cause.
        gate.observe(
            "request.twice-at-once", answers[-1], done, f"{step} performed by one of two copies", came,
            because="status.no-5xx" if crashed else "", plainly=step.acceptance,
        )  # fmt: skip
        if not done:
            return


@judges("safety.no-mass-assignment", "safety.no-cors", requests=9, uploads=3, telling=5)
def test_mass_assignment(gate: Gate, session: Session) -> None:
    """What the page does not list, sent with each step, sets nothing: no approval, no status, no other customer."""
    foreign = str(uuid.UUID(int=gate.rng.getrandbits(128), version=4))
    more = {**UNLISTED, "customerId": foreign}
    probe = Variation("the last step after unlisted properties", Outcome.ANY)

    def nothing_set(exchange: Exchange, what: str) -> bool:
        ok = not accepted(exchange)
        gate.observe("safety.no-mass-assignment", exchange, ok, f"refused: {what}", "performed")
        return ok

    # A browser names the page that asks: the answer to a card must not open itself to it. The judge looks.
    # A page in a sandboxed frame, which any page may have, is called null.
    origins = cycle(("https://page.example", "null"))
    # In the client's order an approval comes before the last upload: what it sets by being told so can be seen.
    for step in flow().client_order:
        if step == flow().final:
            break
        # An upload may be told the reading, too, as it will be answered.
        told = {"customerData": {"customerId": foreign, "photo": f"kycgate/{foreign}.jpg"}} if step.is_upload else {}
        name = "unlisted properties that would set something"
        headers = {"Origin": next(origins)} if step.is_upload else {}
        exchange = session.do(step, Variation(name, Outcome.ANY, more=more | told, headers=headers), demand=False)
        if not is_evidence(exchange):
            raise CannotJudge(f"what became of {step} is unknown: no answer that tells")
        data = customer_data(exchange) or {}
        sent = next((name for name in ("customerId", "photo") if foreign in str(data.get(name)).lower()), "")
        own = "the session's own customer"
        gate.observe("safety.no-mass-assignment", exchange, not sent, own, f"the {sent} sent" if sent else "")
        if not accepted(exchange):
            session.do(step, LEGAL, demand=False)
        lacking = flow().predecessors(flow().final) - session.state.done
        if not session.unsure.isdisjoint(lacking):
            raise CannotJudge(f"what became of {min(lacking)} is unknown: no answer that tells")
        if lacking and not nothing_set(session.do(flow().final, probe, demand=False), f"{min(lacking)} is not done"):
            return


@judges("session.resumed", requests=6, uploads=2, telling=6)
def test_resumption(gate: Gate) -> None:
    """The app was closed and opened again: a new token for the same requestId goes on where the first one was."""
    if not gate.has_tenant:
        raise CannotJudge("no tenant is given, so no tokens are asked for")
    # Not drawn from the seed: a second run with it would go on with the session that the first one has completed.
    request = {"requestId": str(uuid.uuid4())}
    first = token_of(gate.tokens.request(intent="a requestId", properties={**gate.tokens.properties, **request}))
    if first is None:
        raise CannotJudge("the target takes no requestId of the client's own choice")
    session = gate.session_with(first)
    for step in flow().client_order[:-1]:
        session.do(step)
    asked = gate.tokens.request(intent="the same requestId", properties={**gate.tokens.properties, **request})
    again = token_of(asked)
    if again is None:
        # A limit of tokens is another answer (401, 429).
        closed = asked.status in (400, 404)
        if closed:
            gate.observe("session.resumed", asked, False, "a second token for this requestId", status_words(asked))
        gate.release(session)
        raise CannotJudge("the target gives no second token for one requestId")
    session.credential = gate.session_with(again).credential
    last = Variation("by the second token of one requestId", Outcome.ANY)
    # It leans on every step before: none of them may be lost.
    exchange = session.do(flow().client_order[-1], last, demand=False)
    ok = accepted(exchange)
    required, came, own = "accepted: the request was resumed", f"status {exchange.status}", flow().final.acceptance
    gate.observe("session.resumed", exchange, ok, required, came, plainly=own)
    gate.release(session)
