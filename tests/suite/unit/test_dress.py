"""How a session goes about its steps: what differs from request to request, and what never does."""

from collections.abc import Callable, Iterator
from typing import Any

from kycgate.contracts.flows import flow
from kycgate.gate.session import Credential, Dress, Session
from kycgate.judging.ledger import Observation
from kycgate.specimens.deck import Cards
from kycgate.target.client import Wanted
from kycgate.target.exchange import Clocks, Exchange


class _Sender:
    """Keeps what would be sent, and answers each with a refusal."""

    translation = "auto"

    def __init__(self) -> None:
        self.sent: list[Wanted] = []

    def send(self, wanted: Wanted, judge: Callable[[Exchange], Iterator[Observation]]) -> Exchange:
        self.sent.append(wanted)
        return Exchange(
            number=1, endpoint=wanted.endpoint, method="POST", path=wanted.path, request_headers=dict(wanted.headers),
            request_body=wanted.body, session=wanted.session, clocks=Clocks(0, 0, 0), status=404,
        )  # fmt: skip

    def show(self, card: Any, session: str) -> None:
        pass


def test_every_second_request_has_its_headers_names_in_small_letters() -> None:
    """RFC 9110, 5.1: names have no case, and what speaks HTTP/2 to a phone writes them so."""
    sender = _Sender()
    dress = Dress(headers={"Accept-Language": "ar"}, lower=True)
    session = Session(sender, "s1", Credential("token", "bearer"), Cards(1).take(), dress)  # type: ignore[arg-type]
    for _ in range(2):
        session.do(flow().first)
    first, second = (dict(wanted.headers) for wanted in sender.sent)
    assert first["Authorization"] == second["authorization"] == "Bearer token"
    assert (first.pop("Accept-Language"), second.pop("accept-language")) == ("en", "ar")
    assert second == {name.lower(): value for name, value in first.items()}
