"""What the whole run shows to go along with another clause's breach."""

import pytest

from kycgate.judging.run_causes import Breach, Broken, causes


def breach(
    number: int | None = 1, endpoint: str = "upload_front", status: int | None = 400, *, actual: str = "",
    where: str = "", because: str = "", intent: str = "",
) -> Breach:  # fmt: skip
    return Breach(number, endpoint, status, actual or f"status {status}", where, because, intent)


def found(*broken: Broken, caused: tuple[str, ...] = ()) -> dict[str, str]:
    known = {each.id: each for each in broken}
    return causes(known, [name for name in known if name not in caused])


def broken(clause: str, *breaches: Breach, comes_and_goes: bool = False, kept_at: str = "") -> Broken:
    return Broken(clause, breaches or (breach(),), comes_and_goes, frozenset({kept_at} if kept_at else ()))


def test_a_path_is_there_where_its_step_was_taken_at_other_times() -> None:
    path, step = breach(1, "approve_front", 404), breach(2, "approve_front", 404)
    gone = broken("route.post", path)
    for kept_at, cause in (
        ("approve_front", {"route.post": "approve.accepted"}),
        ("approve_back", {"approve.accepted": "route.post"}),
    ):
        assert found(gone, broken("approve.accepted", step, comes_and_goes=True, kept_at=kept_at)) == cause


def test_a_side_that_is_refused_whatever_it_shows_is_one_finding() -> None:
    refused = broken("upload.accepted", breach(1, "upload_back", 404, actual="status 404"))
    same = broken("refusal.unreadable", breach(2, "upload_back", 404, actual="status 404"))
    assert found(refused, same) == {"refusal.unreadable": "upload.accepted"}
    other = broken("refusal.unreadable", breach(2, "upload_front", 404, actual="status 404"))
    assert found(refused, other) == {}


def test_who_refuses_with_a_200_is_one_finding_whatever_is_refused() -> None:
    said = "status 200, isSuccess false"
    missing = broken("auth.missing", breach(1, "upload_front", 200, actual=said))
    order = broken("refusal.order-status", breach(2, "approve_back", 200, actual=said))
    assert found(order, missing) == {"refusal.order-status": "auth.missing"}
    assert found(missing, broken("refusal.order-status", breach(2, "approve_back", 403, actual="status 403"))) == {}


def test_whatever_is_sent_to_a_path_that_is_not_there_is_refused_alike() -> None:
    path = broken("route.post", breach(1, "approve_front", 404))
    step, other = breach(2, "approve_front", 404), breach(3, "approve_back", 404)
    for clause in ("approve.accepted", "refusal.broken-json", "session.own-order", "status.documented"):
        assert found(path, broken(clause, step)) == {clause: "route.post"}
        assert found(path, broken(clause, step, other)) == {}
        assert found(path, broken(clause, breach(2, "approve_front", 500))) == {}


def test_who_does_not_verify_a_token_takes_one_with_a_word_behind_it() -> None:
    intent = "a token with a tampered signature"
    everywhere = (breach(1, status=200, intent=intent), breach(3, "upload_back", 200, intent=intent))
    forged = broken("auth.unknown", *everywhere)
    behind = "a credential with a word behind it"
    assert found(forged, broken("auth.malformed", breach(2, status=200, intent=behind))) == {
        "auth.malformed": "auth.unknown"
    }
    # Refused in another way, at another step, or wrong in itself: that has a cause of its own.
    for other in (
        breach(2, status=403, intent=behind),
        breach(2, "approve_back", 200, intent=behind),
        breach(2, status=200, intent="an unknown scheme"),
    ):
        assert found(forged, broken("auth.malformed", other)) == {}
    # A token cut short that is taken says nothing of signatures.
    short = broken("auth.unknown", *(each._replace(intent="a credential cut short") for each in everywhere))
    assert found(short, broken("auth.malformed", breach(2, status=200, intent=behind))) == {}


def test_who_asks_for_no_credentials_at_a_step_does_so_whatever_the_body() -> None:
    missing = broken("auth.missing", breach(1, status=200))
    bare, unknown = "broken JSON with no credentials", "no body with an unknown key"
    assert found(missing, broken("auth.before-body", breach(2, intent=bare))) == {"auth.before-body": "auth.missing"}
    for other in (breach(2, "upload_back", intent=bare), breach(2, intent=unknown)):
        assert found(missing, broken("auth.before-body", breach(3, intent=bare), other)) == {}


def test_who_refuses_a_step_out_of_order_by_false_does_so_wherever_it_is_not_due() -> None:
    refused = broken("refusal.order-status", breach(1, "approve_back", 200))
    assert found(refused, broken("approve.true", breach(2, "approve_back", 200, actual="false"))) == {
        "approve.true": "refusal.order-status"
    }
    for other in (breach(2, "approve_back", 200, actual="null"), breach(2, "approve_front", 200, actual="false")):
        assert found(refused, broken("approve.true", other)) == {}


def test_who_takes_a_step_out_of_its_turn_in_every_session_was_not_set_anything() -> None:
    early = breach(1, "approve_back", 200), breach(2, "approve_back", 200)
    performed = broken("safety.no-mass-assignment", breach(3, "approve_back", 200, actual="performed"))
    edge = "order.approve-back-after-upload-back"
    assert found(broken(edge, *early), performed) == {"safety.no-mass-assignment": edge}
    assert found(broken(edge, *early, comes_and_goes=True), performed) == {}
    assert found(broken(edge, early[0]), performed) == {}
    sent = broken("safety.no-mass-assignment", breach(3, "approve_back", 200, actual="the customerId sent"))
    assert found(broken(edge, *early), sent) == {}


def test_of_an_answer_that_cannot_be_read_nothing_else_is_known() -> None:
    body = broken("body.json", breach(1), breach(2))
    assert found(body, broken("image.crlf", breach(2))) == {"image.crlf": "body.json"}
    assert found(body, broken("image.crlf", breach(2), breach(3))) == {}
    # What is found by itself in whatever came.
    for own in ("safety.no-store", "refusal.no-leak", "status.no-5xx", "route.only-post"):
        assert found(body, broken(own, breach(2))) == {}
    # Two of them are in one answer: the earlier says less of it.
    assert found(broken("status.documented", breach(1)), broken("body.json", breach(1))) == {
        "body.json": "status.documented"
    }


def test_what_is_refused_in_one_wrong_way_is_one_cause() -> None:
    malformed = broken("auth.malformed", breach(1, "approve_back", 400))
    unknown = broken("auth.unknown", breach(2, "approve_back", 400))
    assert found(malformed, unknown) == {"auth.unknown": "auth.malformed"}
    assert found(malformed, broken("auth.unknown", breach(2, "approve_back", 403))) == {}
    assert found(malformed, broken("auth.unknown", breach(2, "upload_back", 400))) == {}
    # Another part of the vendor.
    assert found(malformed, broken("refusal.broken-json", breach(2, "approve_back", 400))) == {}


def test_a_property_that_cannot_be_is_not_as_printed_either() -> None:
    cause, clause = "reading.letters", "reading.as-printed"
    same = broken(clause, breach(None, "", None, where="customerData.idNumber"))
    other = broken(clause, breach(None, "", None, where="customerData.address"))
    assert found(broken(cause, breach(where="idNumber")), same) == {clause: cause}
    assert found(broken(cause, breach(where="idNumber")), other) == {}


def test_a_number_that_cannot_be_and_one_that_is_always_wrong_are_one_finding() -> None:
    wrong = broken("reading.own-fields", breach(None, "", None, where="customerData.idNumber"))
    same, other = broken("reading.number", breach(where="idNumber")), broken("reading.number", breach(where="idScan"))
    more = broken("reading.number", breach(where="idNumber"), breach(2, where="idFrontScan"))
    for order in ((wrong, same), (same, wrong)):
        assert found(*order) == {"reading.number": "reading.own-fields"}
    assert found(wrong, more) == {"reading.own-fields": "reading.number"}
    assert found(wrong, other) == {}


def test_properties_that_are_no_texts_are_written_in_one_way() -> None:
    number = broken(
        "result.properties", breach(1, actual="customerData.idNumber: no string", where="customerData.idNumber")
    )
    scan = broken("result.scans", breach(1, actual="customerData.idFrontScan: no string"))
    assert found(number, scan) == {"result.scans": "result.properties"}
    refused = broken("approve.accepted", breach(2, "approve_front", 400))
    assert found(number, refused) == {"approve.accepted": "result.properties"}
    assert found(number, broken("result.scans", breach(2, actual="customerData.idFrontScan: no string"))) == {}
    assert found(number, broken("result.scans", breach(1, actual="customerData.idFrontScan: 13 digits"))) == {}


def test_names_of_which_one_is_always_wrong_do_not_agree() -> None:
    agree = broken("reading.names-agree", breach(where="customerData.fullName"))
    for name, cause in (("familyName", {agree.id: "reading.own-fields"}), ("address", {})):
        wrong = broken("reading.own-fields", breach(None, "", None, where=f"customerData.{name}"))
        assert found(agree, wrong) == cause
    english = broken("reading.names-agree", breach(where="customerData.fullNameEn"))
    assert found(english, broken("reading.own-fields", breach(None, "", None, where="customerData.fullName"))) == {}


def test_an_approval_is_refused_for_what_was_read_wrong_and_is_handed_back() -> None:
    wrong = {
        name: broken("reading.own-fields", breach(None, "", None, where=f"customerData.{name}"))
        for name in ("idNumber", "issueDate")
    }
    refused = broken("approve.accepted", breach(1, "approve_front", 400), breach(2, "approve_front", 400))
    assert found(wrong["idNumber"], refused) == {"approve.accepted": "reading.own-fields"}
    # No approval hands this date back, and this step, or this status, is refused for something else.
    assert found(wrong["issueDate"], refused) == {}
    assert found(wrong["idNumber"], broken("approve.accepted", breach(1, "approve_back", 400))) == {}
    assert found(wrong["idNumber"], broken("approve.accepted", breach(1, "approve_front", 404))) == {}


def test_a_birth_date_that_is_wrong_in_every_reading_is_not_the_numbers() -> None:
    number = broken("reading.number-birthdate", breach(1, where="birthdate"))
    for name, cause in (("birthdate", {number.id: "reading.own-fields"}), ("idNumber", {})):
        wrong = broken("reading.own-fields", breach(None, "", None, where=f"customerData.{name}"))
        assert found(wrong, number) == cause


def test_a_date_that_is_always_wrong_falls_on_days_that_there_are_not() -> None:
    wrong = broken("reading.own-fields", breach(None, "", None, where="customerData.expirationDate"))
    for where, actual, explained in (
        ("expirationDate", "customerData.expirationDate: day is out of range for month", True),
        ("issueDate", "customerData.issueDate: day is out of range for month", False),
        ("expirationDate", "customerData.expirationDate: not a date-time", False),
    ):
        clause = broken("result.date-times", breach(1, actual=actual, where=f"customerData.{where}"))
        assert found(wrong, clause) == ({clause.id: wrong.id} if explained else {})


def test_a_scan_that_is_masked_is_wrong_in_every_reading() -> None:
    masked = broken("result.scans", breach(where="customerData.idBackScan"))
    assert found(masked, broken("reading.own-fields", breach(None, where="customerData.idBackScan"))) == {
        "reading.own-fields": "result.scans"
    }
    assert found(masked, broken("reading.own-fields", breach(None, where="customerData.idFrontScan"))) == {}


def test_a_date_that_is_always_wrong_stands_in_no_order() -> None:
    order = broken("reading.dates-in-order", breach(4, "upload_back", 200))
    always = broken("reading.own-fields", breach(None, where="customerData.issueDate"))
    assert found(always, order) == {"reading.dates-in-order": "reading.own-fields"}
    # Another property, or values of one reading that stand in each other's place.
    for other in (breach(None, where="customerData.address"), breach(9, where="customerData.issueDate")):
        assert found(broken("reading.own-fields", other), order) == {}


def test_credentials_that_are_now_and_then_not_known_break_what_was_sent_then() -> None:
    now_and_then = broken("approve.accepted", breach(1, "approve_front", 401), comes_and_goes=True)
    unreadable = broken("refusal.unreadable", breach(2, status=401), comes_and_goes=True)
    assert found(now_and_then, unreadable) == {"refusal.unreadable": "approve.accepted"}
    for other in (
        broken("refusal.unreadable", breach(2, status=401), breach(3, status=404), comes_and_goes=True),
        broken("refusal.unreadable", breach(2, status=401)),
        broken("session.any-connection", breach(2, status=401), comes_and_goes=True),
    ):
        assert found(now_and_then, other) == {}


def test_a_number_that_is_always_wrong_is_not_the_cards_other_one() -> None:
    always = broken("reading.own-fields", breach(None, where="customerData.idBackScan"))
    differing = "idBackScan differ from idNumber"
    agree = broken("reading.numbers-agree", breach(actual=differing))
    assert found(always, agree) == {"reading.numbers-agree": "reading.own-fields"}
    scans = broken("result.scans", breach(where="customerData.idBackScan"))
    assert found(scans, agree) == {"reading.numbers-agree": "result.scans"}
    # That another number differs has a cause of its own, also where both do.
    for other in ("idNumberBack differ from idNumber", "idBackScan, idNumberBack differ from idNumber"):
        breaches = breach(actual=differing), breach(2, actual=other)
        assert found(always, broken("reading.numbers-agree", *breaches)) == {}


def test_letters_are_lost_in_what_is_not_written_in_utf_8() -> None:
    letters = broken("reading.letters", breach(2, actual="firstName holds question marks"))
    latin = "application/json;charset=ISO-8859-1"
    assert found(broken("body.media-type", breach(1, actual=latin), breach(2, actual=latin)), letters) == {
        "reading.letters": "body.media-type"
    }
    # In another answer, or where UTF-8 is said: a wrong name for JSON loses no letters.
    for other in (breach(1, actual=latin), breach(2, actual="text/html"), breach(2, actual="text/html; charset=UTF-8")):
        assert found(broken("body.media-type", other), letters) == {}


def test_a_date_that_is_wrong_by_itself_stands_in_no_order_with_the_others() -> None:
    none = broken("reading.no-date", breach(1, where="customerData.birthdate"), breach(2, where="birthdate"))
    number, order = broken("reading.number-birthdate", breach(3, where="birthdate")), "reading.dates-in-order"
    assert found(none, number) == {number.id: none.id}
    assert found(none, broken(number.id, breach(3, where="issueDate"))) == {}
    assert found(number, broken(order, breach(3))) == {order: number.id}
    assert found(number, broken(order, breach(3), breach(4))) == {}
    assert found(none, broken(order, breach(2))) == {order: none.id}


def test_the_second_token_path_fails_as_a_whole() -> None:
    sibling = broken("token.sibling", breach(1, "token_sibling", 400))
    assert found(sibling, broken("token.refused", breach(2, "token_sibling", 400))) == {
        "token.refused": "token.sibling"
    }
    assert found(sibling, broken("token.refused", breach(2, "token_sibling"), breach(3, "token"))) == {}


@pytest.mark.parametrize("apart", ["token.distinct", "token.own-session", "session.own-order"])
def test_a_step_that_only_another_sessions_work_lets_pass_is_not_out_of_order_by_itself(apart: str) -> None:
    early = "order.upload-back-after-upload-front"
    assert found(broken(apart, breach(7)), broken(early, breach(7))) == {early: apart}
    assert found(broken(apart, breach(7)), broken(early, breach(7), breach(8))) == {}


def test_where_sessions_cross_what_comes_and_goes_is_put_down_to_that() -> None:
    own = broken("session.own-order")
    assert found(own, broken("session.idle", comes_and_goes=True)) == {"session.idle": "session.own-order"}
    assert found(own, broken("session.idle")) == {}
    assert found(own, broken("reading.age", comes_and_goes=True)) == {}
    early = "order.upload-back-after-upload-front"
    assert found(own, broken(early, breach(2), comes_and_goes=True)) == {early: "session.own-order"}
    # Tokens that are not distinct are why orders cross.
    assert found(broken("token.distinct"), own) == {"session.own-order": "token.distinct"}


def test_a_customer_that_changes_within_a_session_crosses_none() -> None:
    idle = broken("session.idle", comes_and_goes=True)
    anothers = broken("session.own-customer", breach(actual="another session's"), breach(actual="a new one"))
    assert found(anothers, idle) == {"session.idle": "session.own-customer"}
    assert found(broken("session.own-customer", breach(actual="a new one")), idle) == {}


def test_the_endpoint_that_shows_its_inside_and_says_back_what_was_sent_is_one_cause() -> None:
    leak = broken("refusal.no-leak", breach(1, "upload_front"), breach(2, "upload_back"))
    for at in ("upload_front", "upload_back"):
        assert found(leak, broken("safety.no-echo", breach(3, at))) == {"safety.no-echo": "refusal.no-leak"}
    both = broken("safety.no-echo", breach(3, "upload_front"), breach(4, "upload_back"))
    assert found(leak, both) == {"safety.no-echo": "refusal.no-leak"}
    assert found(leak, broken("safety.no-echo", breach(3, "approve_back"))) == {}


def test_a_refusal_that_undid_what_was_done_is_one_cause() -> None:
    changed = broken("refusal.changes-nothing", breach(1), breach(2), breach(3))
    uploads, approvals = broken("upload.accepted", breach(1), breach(2)), broken("approve.accepted", breach(3))
    along = ("refusal.changes-nothing",)
    assert found(changed, uploads, approvals, caused=along) == {"approve.accepted": "upload.accepted"}
    assert found(changed, uploads, broken("approve.accepted", breach(4)), caused=along) == {}
    # Nothing else was changed.
    whole = broken("refusal.changes-nothing", breach(1), breach(2))
    assert found(whole, uploads, broken("approve.accepted", breach(1)), caused=along) == {
        "approve.accepted": "upload.accepted"
    }
    assert found(uploads, approvals) == {}


def test_nearly_all_that_goes_along_takes_the_rest_with_it() -> None:
    along = [breach(number, because="reading.no-date") for number in range(10)]
    cause = broken("reading.no-date", *(breach(number) for number in range(10)))
    clause = "reading.age"
    assert found(cause, broken(clause, *along, breach(11))) == {clause: "reading.no-date"}
    # Nine of ten are just enough.
    assert found(cause, broken(clause, *along[:9], breach(11))) == {clause: "reading.no-date"}
    assert found(cause, broken(clause, *along, breach(11, "upload_back"))) == {}
    assert found(cause, broken(clause, *along[:5], *(breach(number) for number in (11, 12)))) == {}


def test_a_cause_that_has_one_itself_hands_on_what_goes_along_with_it() -> None:
    path = broken("route.post", breach(1, status=405))
    status = broken("status.documented", breach(2, status=405))
    answer = broken("upload.accepted", breach(2, status=405))
    assert found(path, status, answer) == {"status.documented": "route.post", "upload.accepted": "route.post"}


def test_a_picture_that_cannot_be_read_and_is_breaks_another_clause_from_then_on() -> None:
    wrong, clause = broken("refusal.unreadable", breach(4), breach(9)), "result.back-fields"
    assert found(wrong, broken(clause, breach(9), breach(11))) == {clause: "refusal.unreadable"}
    assert found(wrong, broken(clause, breach(9), breach(11, "upload_back"))) == {}
    # It was broken before.
    assert found(wrong, broken(clause, breach(3), breach(9))) == {}


def test_an_upload_with_further_properties_is_refused_for_them() -> None:
    unknown, wrapped = "request.unknown-properties", "image.line-feeds"
    assert found(broken(unknown, breach(6)), broken(wrapped, breach(4))) == {wrapped: unknown}
    assert found(broken(unknown, breach(6, "approve_front")), broken(wrapped, breach(4))) == {}


def test_a_clause_is_compared_with_each_other_whichever_comes_first() -> None:
    path = broken("route.post", breach(1, "approve_front", 404))
    step = broken("approve.accepted", breach(2, "approve_front", 404))
    assert found(step, path) == found(path, step) == {"approve.accepted": "route.post"}


def test_of_two_that_go_along_with_each_other_one_is_the_cause() -> None:
    one = broken("reading.age", breach(because="reading.number"))
    other = broken("reading.number", breach(because="reading.age"))
    assert found(one, other) == {"reading.age": "reading.number"}


def test_what_crossed_sessions_break_is_put_down_to_nothing_else() -> None:
    crossed = broken("session.own-order", breach(4, status=404))
    path = broken("route.post", breach(3, status=404))
    assert found(broken("token.distinct"), crossed, path) == {"session.own-order": "token.distinct"}
