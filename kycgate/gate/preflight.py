"""Whether a target can be judged at all, how it wants credentials written, and the one line for one that cannot."""

from collections.abc import Callable
from typing import Literal, NamedTuple, Protocol

from kycgate.contracts.flows import flow
from kycgate.errors import CannotJudge
from kycgate.gate.session import Credential, Session
from kycgate.judging.answers import accepted, is_page
from kycgate.specimens.deck import Card, Cards
from kycgate.target.client import unreachable
from kycgate.target.exchange import Exchange
from kycgate.target.requests import Outcome, Variation

Scheme = Literal["bearer", "bare"]


class Sessions(Protocol):
    """What the preflight needs of the gate."""

    cards: Cards

    def new_session(self, credential: Credential, card: Card | None) -> Session: ...


class Learned(NamedTuple):
    """How credentials are written, and the first session; None where a fixed key's earlier flow was ended instead."""

    scheme: Scheme
    session: Session | None


def learn(
    sessions: Sessions,
    credential: Credential,
    scheme: Literal["auto", "bearer", "bare"],
    base_url: str,
    complete: Callable[[Credential], bool],
) -> Learned:
    """Upload a first front; `complete` brings a fixed key's earlier flow to its end.

    Raises:
        CannotJudge: the target is unreachable, refuses the credentials, or refuses our cards.
    """
    schemes: tuple[Scheme, ...] = ("bearer", "bare") if scheme == "auto" else (scheme,)
    refusals: list[Exchange] = []
    for written in schemes:
        session = sessions.new_session(Credential(credential.value, written, credential.fixed), None)
        for wrapping in ("none", "lf", "none", "none"):
            probe = Variation("a first upload", Outcome.ANY, wrapping=wrapping, by_chance=True)
            exchange = session.do(flow().first, probe)
            if exchange.status is None:
                raise why_not(exchange, base_url, "a first upload")
            if accepted(exchange):
                return Learned(written, session)
            refusals.append(exchange)
            if exchange.status == 401:
                break
            if exchange.status == 404 and len(refusals) == 1 and not _has_path(session):
                raise why_not(exchange, base_url, "a first upload")
            # The key's earlier flow may stand in the way.
            if credential.fixed and exchange.status in (400, 404) and complete(session.credential):
                return Learned(written, None)
            session.card = sessions.cards.take()
    raise _why_refused(refusals, base_url)


def _has_path(session: Session) -> bool:
    """Whether the steps lie below the base URL: a 404 may also be an order that an earlier flow stands in."""
    no_credentials = Variation("no Authorization header", Outcome.ANY, authorization=None, by_chance=True)
    return session.do(flow().final, no_credentials).status != 404


def certificate_words(exchange: Exchange) -> str:
    """What a server in front says of our client certificate, by a page instead of TLS (nginx does); else empty."""
    if not is_page(exchange) or b"ssl certificate" not in exchange.answer_body.lower():
        return ""
    if b"no required" in exchange.answer_body.lower():
        return f"wants a client certificate ({exchange.status}): give client_cert and client_key in the profile"
    return f"refuses our client certificate ({exchange.status}): is it expired, or of a CA that it does not know?"


def why_not(exchange: Exchange, base_url: str, asked: str) -> CannotJudge:
    """The one line for a target that cannot be judged, from its answer to `asked`."""
    status = exchange.status
    if status is None:
        return unreachable(base_url, exchange.failure)
    if asks := certificate_words(exchange):
        return CannotJudge(f"{base_url} {asks}")
    page = " and a web page, as a proxy or a login does" if is_page(exchange) else ""
    if status == 404:
        return CannotJudge(f"{base_url} knows no such path (404{page}): check the base URL")
    if status == 429:
        return CannotJudge(f"{base_url} answers 429 to everything: wait, or lower --rate")
    if status >= 500:
        return CannotJudge(f"{base_url} answers {asked} with {status}{page}: is it up?")
    if 300 <= status < 400:
        return CannotJudge(
            f"{base_url} redirects (status {status}), which is not followed: give the URL it redirects to"
        )
    if page or not asked.endswith("upload"):
        return CannotJudge(f"{base_url} answers {asked} with {status}{page or ' and no token'}: check the base URL")
    return CannotJudge(
        f"{base_url} refuses our cards (status {status}): bring the vendor's own test cards with --specimens DIR"
    )


def _why_refused(refusals: list[Exchange], base_url: str) -> CannotJudge:
    """The one line for a target that accepted no first upload."""
    if all(exchange.status == 401 for exchange in refusals):
        return CannotJudge(f"{base_url} refuses the credentials (401): check the keys, or the tenant and its secret")
    return why_not(next(e for e in reversed(refusals) if e.status != 401), base_url, "a first upload")
