"""Breaches that one cause explains are one finding."""

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


def test_an_expiry_that_disagrees_with_the_token_may_lie_behind_us_too() -> None:
    found = causes(Observation("token.expiry-agrees", False), Observation("token.expiry-ahead", False))
    assert found == {"token.expiry-agrees": "", "token.expiry-ahead": "token.expiry-agrees"}


def varied(*oks: bool) -> list[Observation]:
    return [Observation("request.client-headers", ok, plainly="approve.accepted") for ok in oks]


def cause_of(clause: str, *observations: Observation) -> str:
    ledger = Ledger()
    ledger.add(observations, None, None)
    return next(result.cause for result in ledger.results() if result.id == clause)


def test_what_plain_requests_meet_now_and_then_is_not_put_down_to_what_was_varied() -> None:
    plain = [Observation("approve.accepted", ok) for ok in (True, False)]
    assert cause_of("request.client-headers", *plain, *varied(True, False)) == "approve.accepted"


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
