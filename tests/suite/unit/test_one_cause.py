"""Breaches that one cause explains are one finding."""

import pytest

from kycgate.judging.ledger import Ledger, Observation
from kycgate.judging.one_cause import with_causes


def causes(*observations: Observation) -> dict[str, str]:
    return {seen.clause: seen.because for seen in with_causes(observations)}


def test_an_undocumented_status_is_not_the_one_that_was_due_either() -> None:
    undocumented = Observation("status.documented", False)
    due = Observation("refusal.broken-json", False, "400", "status 422", "status")
    assert causes(undocumented, due) == {"status.documented": "", "refusal.broken-json": "status.documented"}


def test_a_documented_status_that_was_not_due_is_its_own_cause() -> None:
    documented = Observation("status.documented", True)
    due = Observation("refusal.broken-json", False, "400", "status 404", "status")
    assert causes(documented, due)["refusal.broken-json"] == ""


def test_another_customers_data_contradicts_the_rest_of_the_answer() -> None:
    crossed = Observation("session.own-customer", False)
    born = Observation("reading.number-birthdate", False, where="birthdate")
    age = Observation("reading.age", True)
    assert causes(crossed, born, age)["reading.number-birthdate"] == "session.own-customer"
    assert causes(crossed, born, age)["reading.age"] == ""


def test_what_is_no_id_tells_no_customers_apart() -> None:
    no_id = Observation("result.customer-id", False)
    for where, cause in (("customerData.customerId", "result.customer-id"), ("customerData.idNumber", "")):
        assert causes(no_id, Observation("session.own-customer", False, where=where))["session.own-customer"] == cause


def test_of_an_approval_that_is_refused_with_a_200_the_status_is_wrong() -> None:
    literal = Observation("approve.true", False, actual="an object")
    for said, cause in (("status 200, isSuccess false", "auth.missing"), ("status 200", "")):
        assert causes(Observation("auth.missing", False, actual=said), literal)["approve.true"] == cause


def test_an_expiry_that_disagrees_with_the_token_may_lie_behind_us_too() -> None:
    found = causes(Observation("token.expiry-agrees", False), Observation("token.expiry-ahead", False))
    assert found == {"token.expiry-agrees": "", "token.expiry-ahead": "token.expiry-agrees"}


@pytest.mark.parametrize(
    ("cause", "explained"),
    [
        ("body.json", ("upload.accepted", "result.envelope", "refusal.unreadable", "reading.letters")),
        ("answer.compressed", ("upload.accepted", "request.client-headers")),
        ("result.envelope", ("result.message-on-failure", "result.data-on-success")),
        ("result.photo", ("result.photo-path",)),
        ("result.scans", ("reading.number", "reading.numbers-agree")),
        ("result.translation", ("reading.names-agree", "reading.as-printed")),
        ("reading.own-fields", ("reading.names-agree", "reading.as-printed")),
        ("reading.letters", ("reading.as-printed",)),
        ("reading.names-agree", ("reading.as-printed",)),
        ("reading.no-date", ("reading.number-birthdate",)),
        ("refusal.no-leak", ("safety.no-echo",)),
        ("refusal.order-status", ("approve.true",)),
        ("approve.true", ("approve.page-example",)),
    ],
)
def test_what_breaks_with_it_in_one_answer_is_no_finding_of_its_own(cause: str, explained: tuple[str, ...]) -> None:
    names = (*explained, cause)
    assert causes(*(Observation(name, False) for name in names)) == {**dict.fromkeys(explained, cause), cause: ""}
    # Without the cause each of them is one, but for those that are the cause of another.
    alone = causes(*(Observation(name, False) for name in explained[:1]))
    assert alone == {explained[0]: ""}


def test_a_server_error_or_crossed_customers_are_not_hidden_by_a_body_that_cannot_be_read() -> None:
    grave = ("status.no-5xx", "session.own-customer", "refusal.no-leak", "safety.no-store", "body.media-type")
    found = causes(Observation("body.json", False), *(Observation(name, False) for name in grave))
    assert not any(found[name] for name in grave)


def test_an_answer_without_a_verdict_is_neither_an_acceptance_nor_a_refusal() -> None:
    envelope = Observation("result.envelope", False)
    due = [Observation(name, False, "accepted", "status 200") for name in ("upload.accepted", "refusal.unreadable")]
    late = Observation("upload.accepted", False, "accepted", "status 400")
    assert set(causes(envelope, *due).values()) == {"", "result.envelope"}
    assert causes(envelope, late)["upload.accepted"] == ""


def varied(*oks: bool) -> list[Observation]:
    return [Observation("request.client-headers", ok, plainly="approve.accepted") for ok in oks]


def cause_of(clause: str, *observations: Observation) -> str:
    ledger = Ledger()
    ledger.add(observations, None, None)
    return next(result.cause for result in ledger.results() if result.id == clause)


def test_what_plain_requests_meet_now_and_then_is_not_put_down_to_what_was_varied() -> None:
    plain = [Observation("approve.accepted", ok) for ok in (True, False)]
    assert cause_of("request.client-headers", *plain, *varied(True, False)) == "approve.accepted"


def test_who_repeats_the_credentials_sent_leaks_them() -> None:
    leak, echo = Observation("refusal.no-leak", False), Observation("safety.no-echo", False, because="refusal.no-leak")
    assert cause_of("safety.no-echo", leak, echo) == "refusal.no-leak"
    assert cause_of("refusal.no-leak", leak, echo) == ""


def test_a_variation_that_is_always_refused_is_its_own_cause() -> None:
    plain = [Observation("approve.accepted", ok) for ok in (True, False)]
    assert cause_of("request.client-headers", *plain, *varied(*[False] * 5)) == ""
    assert cause_of("request.client-headers", *plain, *varied(False)) == "approve.accepted"


def test_a_variation_that_is_refused_where_plain_requests_are_not_is_its_own_cause() -> None:
    assert cause_of("request.client-headers", Observation("approve.accepted", True), *varied(True, False)) == ""


def test_a_contradiction_that_comes_and_goes_is_put_down_to_crossed_customers_if_there_are_any() -> None:
    readings = with_causes([Observation("reading.number-birthdate", ok) for ok in (True, False)])
    crossed = Observation("session.own-customer", False)
    assert cause_of("reading.number-birthdate", *readings, crossed) == "session.own-customer"
    assert cause_of("reading.number-birthdate", *readings) == ""


def test_what_comes_and_goes_where_sessions_cross_is_put_down_to_that() -> None:
    crossing = Observation("token.own-session", False)
    refused = [Observation("approve.accepted", ok) for ok in (True, False)]
    unchanged = Observation("refusal.changes-nothing", False, because="approve.accepted")
    for clause in ("approve.accepted", "refusal.changes-nothing"):
        assert cause_of(clause, crossing, *refused, unchanged) == "token.own-session"
    assert cause_of("approve.accepted", crossing, Observation("approve.accepted", False)) == ""
    assert cause_of("approve.accepted", *refused) == ""


def test_where_a_customer_was_anothers_what_comes_and_goes_is_put_down_to_that() -> None:
    crossed = Observation("session.own-customer", False, actual="customerId was another session's")
    order = [Observation("order.approve-back-after-upload-back", ok) for ok in (True, False)]
    assert cause_of(order[0].clause, crossed, *order) == crossed.clause
    assert cause_of(order[0].clause, crossed, order[1]) == cause_of(order[0].clause, *order) == ""
    changed = Observation("session.own-customer", False, actual="customerId changed within the session")
    assert cause_of(order[0].clause, changed, *order) == ""
