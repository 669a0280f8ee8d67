"""A session that hangs on its connection shows in a whole run: refused elsewhere each time, accepted at home."""

from dataclasses import dataclass

import pytest

from kycgate.judging.connections import Connections
from kycgate.target.exchange import Clocks, Exchange

UPLOAD, APPROVE = "upload_front", "approve_front"


@dataclass
class Sent:
    session: str
    connection: int
    step: str
    ok: bool = True
    turn: str | None = "in its turn"
    closes: bool = False


def explained(*sent: Sent, otherwise: set[int] | None = None) -> set[int]:
    connections = Connections()
    for number, one in enumerate(sent, 1):
        success = b'{"isSuccess": true}' if one.step == UPLOAD else b"true"
        headers = {"Connection": "close"} if one.closes else {}
        exchange = Exchange(
            number, one.step, "POST", "/", headers, b"", one.session, Clocks(0, 0, 0), status=200 if one.ok else 404,
            answer_body=success if one.ok else b"{}", turn=one.turn, connection=one.connection,
        )  # fmt: skip
        connections.note(exchange)
    return connections.refused_elsewhere(otherwise or set())


HOME = (Sent("a", 1, UPLOAD), Sent("a", 1, APPROVE), Sent("b", 2, UPLOAD), Sent("b", 2, APPROVE))
AWAY = (Sent("c", 3, UPLOAD), Sent("c", 4, APPROVE, ok=False), Sent("d", 5, UPLOAD), Sent("d", 6, APPROVE, ok=False))


def test_refused_over_another_connection_each_time() -> None:
    assert explained(*HOME, *AWAY) == {6, 8}


def test_what_else_was_sent_over_another_connection_is_explained_too() -> None:
    odd = Sent("d", 6, APPROVE, ok=False, turn=None)
    assert explained(*HOME, *AWAY, odd) == {6, 8, 9}


def test_a_step_that_was_never_legal_elsewhere_is_explained_by_the_others() -> None:
    broken_json = Sent("d", 6, UPLOAD, ok=False, turn=None)
    assert explained(*HOME, *AWAY, broken_json) == {6, 8, 9}
    retried = (Sent("e", 7, UPLOAD), Sent("e", 8, UPLOAD))
    assert explained(*HOME, *AWAY, broken_json, *retried) == {6, 8}


def test_a_session_may_hang_on_its_first_request() -> None:
    first = Sent("d", 7, UPLOAD, ok=False, turn=None)
    sent = (
        *HOME,
        AWAY[0],
        AWAY[1],
        first,
        Sent("d", 8, UPLOAD),
        Sent("d", 7, APPROVE),
        Sent("d", 8, APPROVE, ok=False),
    )
    assert explained(*sent) == {6, 10}


def test_a_session_may_end_with_a_connection_that_its_client_ends() -> None:
    """Sessions that merely move to another one go on."""
    moved = (Sent("c", 3, UPLOAD), Sent("c", 4, APPROVE))
    ended = (
        Sent(name, n, step, ok=step == UPLOAD, closes=True) for name in "de" for n, step in ((5, UPLOAD), (6, APPROVE))
    )
    assert explained(*HOME, *moved, *ended) == {8, 10}


@pytest.mark.parametrize(
    "more",
    [
        (Sent("e", 7, UPLOAD), Sent("e", 8, APPROVE)),  # accepted elsewhere once
        tuple(Sent(name, 9, step, ok=step == UPLOAD) for name in "fg" for step in (UPLOAD, APPROVE)),  # refused at home
    ],
)
def test_another_connection_is_not_why(more: tuple[Sent, ...]) -> None:
    assert explained(*HOME, *AWAY, *more) == set()


def test_a_refusal_after_a_pause_is_not_put_down_to_the_connection() -> None:
    """A pause lets other sessions take the connection, so the two go together."""
    assert explained(*HOME, *AWAY, otherwise={6, 8}) == set()
    shown = (Sent("e", 7, UPLOAD), Sent("e", 8, APPROVE, ok=False))
    assert explained(*HOME, *AWAY, *shown, otherwise={8}) == {6, 8, 10}


def test_one_refusal_may_have_any_cause() -> None:
    assert explained(*HOME, *AWAY[:2]) == set()
