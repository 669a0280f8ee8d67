"""Which tokens are two sessions', and which are one's."""

import json
from collections.abc import Callable, Iterator

import pytest

from kycgate.gate.tokens import Tokens
from kycgate.judging.ledger import Observation
from kycgate.settings.profile import Profile, Secrets
from kycgate.target.client import Wanted
from kycgate.target.exchange import Clocks, Exchange
from kycgate.target.redaction import Redactor


class _Sender:
    """Answers each request with one and the same token, and keeps what is observed of it."""

    gave_up = ""

    def __init__(self) -> None:
        self.distinct: list[bool] = []

    def send(self, wanted: Wanted, judge: Callable[[Exchange], Iterator[Observation]] | None = None) -> Exchange:
        return Exchange(
            number=1, endpoint=wanted.endpoint, method="POST", path=wanted.path, request_headers=dict(wanted.headers),
            request_body=wanted.body, session=wanted.session, clocks=Clocks(0, 0, 0), status=200,
            answer_headers=[("Content-Type", "application/json")],
            answer_body=json.dumps({"token": "a-token", "expirationDate": "2099-01-01T00:00:00Z"}).encode(),
        )  # fmt: skip

    def observe(self, clause: str, exchange: Exchange, ok: bool, required: str, actual: str) -> None:
        assert clause == "token.distinct"
        self.distinct.append(ok)

    def note(self, point: str, choice: str) -> None:
        pass


@pytest.mark.parametrize(
    ("first", "second", "one_session"),
    [("r-1", "r-1", True), ("r-1", "r-2", False), (None, "r-1", False), (None, None, False), ("", "", False)],
)
def test_a_token_comes_twice_for_one_request_alone(first: str | None, second: str | None, one_session: bool) -> None:
    """A requestId resumes an earlier request: that is its session, and may have its token."""
    sender = _Sender()
    tokens = Tokens(sender, Profile(), Secrets(), Redactor())
    for request in (first, second):
        tokens.request(properties={"requestId": request})
    assert sender.distinct == [True, one_session]
