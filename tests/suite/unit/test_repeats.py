"""Answers that were kept and given again show in a whole run, where one of them can be made only once."""

from dataclasses import dataclass

from kycgate.judging.ledger import Observation
from kycgate.judging.repeats import Repeats, explained_by_repeats
from kycgate.target.exchange import Clocks, Exchange


@dataclass
class Answer:
    endpoint: str
    session: str
    at: int
    """Its sending, in seconds; it takes none."""
    body: bytes = b"true"
    status: int = 200


def explained(*answers: Answer, broken: set[int]) -> set[int]:
    repeats = Repeats()
    for number, one in enumerate(answers, 1):
        moment = one.at * 10**9
        exchange = Exchange(
            number, one.endpoint, "POST", "/", {}, b"", one.session, Clocks(moment, moment, moment),
            status=one.status, answer_body=one.body,
        )  # fmt: skip
        repeats.note(exchange)
    return repeats.explained(broken)


TOKEN = (Answer("token", "", 0, b'{"token": "a"}'), Answer("token", "", 2, b'{"token": "a"}'))
"""The second one breaks token.distinct, two seconds after the first."""
APPROVED = Answer("approve_front", "s1", 10)


def test_what_was_answered_again_as_soon_is_one_cause() -> None:
    assert explained(*TOKEN, APPROVED, Answer("approve_front", "s2", 12), broken={2}) == {2, 4}
    # An answer of another endpoint, or of another text, is not the one that was kept.
    assert explained(*TOKEN, APPROVED, Answer("approve_back", "s2", 12), broken={2}) == {2}
    assert explained(*TOKEN, APPROVED, Answer("approve_front", "s2", 12, b" true"), broken={2}) == {2}


def test_what_was_answered_again_later_than_any_that_was_kept_is_not() -> None:
    assert explained(*TOKEN, APPROVED, Answer("approve_front", "s2", 13), broken={2}) == {2}


def test_without_an_answer_that_is_made_once_nothing_is_known() -> None:
    again = Answer("approve_front", "s2", 12)
    assert explained(*TOKEN, APPROVED, again, broken=set()) == set()
    # It broke the clause in another way: no answer before was the same.
    assert explained(Answer("token", "", 0, b'{"token": "a"}'), APPROVED, again, broken={1}) == set()


def test_a_step_that_was_answered_again_was_not_done() -> None:
    again = Answer("approve_front", "s2", 12)
    refused = Answer("approve_back", "s2", 13, b"{}", 400)
    assert explained(*TOKEN, APPROVED, again, refused, broken={2}) == {2, 4, 5}
    # What came before it, and what another session is answered, has another cause; so has a failure.
    assert explained(*TOKEN, APPROVED, Answer("upload_back", "s2", 11, b"{}", 400), again, broken={2}) == {2, 5}
    other = Answer("approve_back", "s3", 13, b"{}", 400)
    assert explained(*TOKEN, APPROVED, again, other, broken={2}) == {2, 4}
    crashed = Answer("approve_back", "s2", 13, b"{}", 500)
    assert explained(*TOKEN, APPROVED, again, crashed, broken={2}) == {2, 4}


def test_an_answer_made_for_another_request_does_not_explain_its_own_form() -> None:
    for clause in ("auth.missing", "order.closed", "refusal.broken-json", "session.idle"):
        assert explained_by_repeats(Observation(clause, False))
    for clause in ("body.json", "result.envelope", "reading.number", "status.no-5xx", "refusal.error-body"):
        assert not explained_by_repeats(Observation(clause, False))
