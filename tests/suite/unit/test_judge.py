"""The judge of answers, the memory across them, and the redaction, each by itself."""

import base64
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kycgate.contracts.flow import Step
from kycgate.contracts.flows import flow
from kycgate.contracts.models import CUSTOMER_PROPERTIES, FRONT_PROPERTIES
from kycgate.judging.answers import already_registered, is_evidence, is_firewall, is_page, parse_json
from kycgate.judging.card import judge_photo
from kycgate.judging.contradictions import Memory
from kycgate.judging.order import judge_order
from kycgate.judging.shape import judge_answer
from kycgate.target.exchange import Clocks, Exchange, Picture
from kycgate.target.redaction import Redactor
from kycgate.target.requests import upload_body

NUMBER = "29901010123413"


def answered(
    body: Any, status: int = 200, endpoint: str = "upload_front", session: str = "s1", card: str = "c1", **more: Any
) -> Exchange:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = more.pop("headers", [("Content-Type", "application/json"), ("Cache-Control", "no-store")])
    return Exchange(
        1, endpoint, "POST", "/", {"Authorization": "Bearer secret-token"}, b"{}", session, Clocks(0, 0, 1), status,
        headers, raw, picture=Picture(card, "front", 10), **more,
    )  # fmt: skip


def result(**data: Any) -> dict[str, Any]:
    whole: dict[str, Any] = dict.fromkeys(CUSTOMER_PROPERTIES)
    return {"isSuccess": True, "message": None, "errorCode": None, "customerData": whole | data}


REFUSED = {**result(), "isSuccess": False, "message": "not read", "customerData": None}


def broken(exchange: Exchange) -> set[str]:
    return {seen.clause for seen in judge_answer(exchange) if not seen.ok}


@pytest.mark.parametrize(
    ("status", "judges"), [(200, True), (428, True), (429, False), (430, True), (499, True), (500, False)]
)
def test_what_was_put_off_or_failed_judges_nothing_else(status: int, judges: bool) -> None:
    assert is_evidence(answered({}, status)) is judges


def test_a_right_answer_breaks_nothing() -> None:
    assert not broken(answered(result(idNumber=NUMBER, birthdate="1999-01-01T00:00:00Z", gender="ذكر")))


@pytest.mark.parametrize(
    ("exchange", "clause"),
    [
        (answered(result(), 201), "status.documented"),
        (answered(result(), 503), "status.no-5xx"),
        (answered(b"\xef\xbb\xbf{}"), "body.json"),
        (answered(b"{} {}"), "body.json"),
        (answered(b'{"isSuccess": NaN}'), "body.json"),
        (answered(b'{"isSuccess": true, "isSuccess": true}'), "body.json"),
        (answered('{"x": "\xe9"}'.encode("latin-1")), "body.json"),
        (answered(result(), headers=[("Content-Type", "text/html")]), "body.media-type"),
        (answered(result(), headers=[("Content-Type", "application/json; charset=latin-1")]), "body.media-type"),
        (answered(result(customerId="4711")), "result.customer-id"),
        (answered(result(idFrontScan="٢٩٩٠١٠١٠١٢٣٤١٣")), "result.scans"),
        (answered(result(birthdate="1999-01-01")), "result.date-times"),
        (answered(result(detectedAge=27.5)), "result.properties"),
        (answered({**result(), "isSuccess": False, "message": "x"}), "result.no-data-on-failure"),
        (answered({**result(), "isSuccess": False, "customerData": None}), "result.message-on-failure"),
        (answered({**result(), "customerData": None}), "result.data-on-success"),
        (answered({**REFUSED, "errorCode": "NOPE"}), "result.error-code-number"),
        (answered({**REFUSED, "errorCode": ""}), "result.error-code-number"),
        (answered(result(gender="ذكر"), endpoint="upload_back"), "result.back-fields"),
        (answered(result(idNumber="29874532145698")), "reading.number"),
        (answered(result(idNumber=NUMBER, birthdate="1999-01-02T00:00:00")), "reading.number-birthdate"),
        (answered(result(idNumber=NUMBER, gender="Female")), "reading.number-gender"),
        (answered(result(fullName="منى علي", firstName="سارة")), "reading.names-agree"),
        (
            answered(result(issueDate="2030-01-01T00:00:00", expirationDate="2029-01-01T00:00:00")),
            "reading.dates-in-order",
        ),
        (answered({"message": 7, "errorCode": None}, 400), "refusal.error-body"),
        (answered(b"<html>", 404), "refusal.error-body"),
        (answered({"message": "System.NullReferenceException", "errorCode": 1}, 400), "refusal.no-leak"),
        (answered({"message": "you sent secret-token", "errorCode": 1}, 401), "refusal.no-leak"),
        (answered({"approved": True}, endpoint="approve_back"), "approve.true"),
        (answered(1, endpoint="approve_front"), "approve.true"),
        (answered({"token": "x"}, endpoint="token"), "token.issued"),
    ],
)
def test_each_breach_is_named(exchange: Exchange, clause: str) -> None:
    assert clause in broken(exchange)


@pytest.mark.parametrize("authorization", ["Bearer", "Bearer ", "bearer", "Basic", "Token"])
def test_the_name_of_a_scheme_is_no_credential(authorization: str) -> None:
    """RFC 9110, 15.5.2 demands WWW-Authenticate with each 401, and it names the scheme."""
    exchange = answered({"message": "Bearer, Basic or Token", "errorCode": None}, 401)
    exchange.request_headers["Authorization"] = authorization
    exchange.answer_headers.append(("WWW-Authenticate", 'Bearer realm="x", Basic, Token'))
    assert not broken(exchange)


def test_a_credential_in_a_header_is_said_to_be_there() -> None:
    exchange = answered({"message": None, "errorCode": None}, 401)
    exchange.request_headers["Authorization"] = "bearer secret-token"
    exchange.answer_headers.append(("X-Debug", "token=secret-token"))
    (found,) = [seen for seen in judge_answer(exchange) if not seen.ok]
    assert (found.clause, found.where) == ("refusal.no-leak", "a header")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("System.InvalidOperationException: no upload at Flow.Next()", True),
        ("Object reference not set to an instance of an object.", True),
        ("/home/errors/404.html", False),
        ("com.vendor.gateway; trace=UPDATE", False),
    ],
)
def test_an_exception_in_a_header_is_a_leak_and_a_path_is_none(value: str, shown: bool) -> None:
    exchange = answered({"message": None, "errorCode": None}, 400)
    exchange.answer_headers.append(("X-Error-Detail", value))
    assert [(seen.clause, seen.where) for seen in judge_answer(exchange) if not seen.ok] == (
        [("refusal.no-leak", "a header")] if shown else []
    )


@pytest.mark.parametrize(
    "said",
    [
        "illegal base64 data at input byte 4",
        "Illegal base64 character 20",
        "invalid character '}' looking for beginning of value",
        "invalid character 'i' after top-level value",
        "invalid character 'x' in literal true (expecting 'r')",
        "Unexpected token } in JSON at position 15",
        "Unexpected non-whitespace character after JSON at position 17",
        "Unexpected end of JSON input",
        "Expecting value: line 1 column 11 (char 10)",
        "json: cannot unmarshal number into Go struct field Upload.image of type string",
        'json: unknown field "scanType"',
        "Cannot deserialize value of type `java.lang.String` from Array value",
        "com.fasterxml.jackson.databind.JsonMappingException",
        "undefined method `length' for nil:NilClass",
        "undefined method 'length' for nil",
        "Notice: Undefined index: image",
        'Undefined array key "image"',
        "strcmp(): Argument #1 ($string1) must be of type string, array given",
        "Call to a member function decode() on null",
        'Cannot invoke "String.length()" because "<parameter1>" is null',
        "interface conversion: interface {} is nil, not string",
        "Input string was not in a correct format.",
        "The input is not a valid Base-64 string as it contains a non-base 64 character",
        'Cannot read field "image" because "upload" is null',
        "Cannot load from byte array because <local4> is null",
        "class java.lang.Integer cannot be cast to class java.lang.String",
        "No enum constant com.vendor.kyc.ScanType.X",
        "Index 1 out of bounds for length 1",
        'For input string: "2987453214569A"',
        "Text '31/02' could not be parsed at index 2",
        "Unexpected end-of-input\n at [Source: (String)]",
        "Input byte array has wrong 4-byte ending unit",
        "could not execute statement; SQL [n/a]",
    ],
)
def test_the_words_of_a_runtime_are_a_leak(said: str) -> None:
    assert broken(answered({"message": said, "errorCode": None}, 400)) == {"refusal.no-leak"}
    assert "refusal.no-leak" in broken(answered({**REFUSED, "message": said}))


@pytest.mark.parametrize(
    "said",
    [
        "The body is not JSON: unexpected end of the text",
        "Malformed json: invalid syntax",
        "Invalid JSON at line 1, column 12",
        "invalid character '$' in firstName",
        "image is not valid base64: illegal character",
        "Unexpected token: begin a new session",
        "Undefined variable in the request",
        "The method is not defined for this step",
        "The argument idNumber must be of type string",
        "The input is not a valid picture",
        "idNumber was not in a correct format",
        "This index of cards is out of bounds for you, because the input string is empty.",
        "We cannot read the card because the picture is dark.",
        "Cannot read field idNumber of the card because the picture is dark.",
        "Malformed JSON at position 12.",
        "The class of this document cannot be used.",
    ],
)
def test_a_plain_sentence_is_no_leak(said: str) -> None:
    assert not broken(answered({"message": said, "errorCode": None}, 400))


@pytest.mark.parametrize(("sent", "echo"), [('{"image": ', False), ('{"image": "Mona Hassan', True)])
def test_a_propertys_name_is_no_echo_of_a_cut_body(sent: str, echo: bool) -> None:
    """Problem details (RFC 9457) write `"errors":{"image":[...]}`, and that is how a cut body begins."""
    details = f'{{"errors":{{"image":["is required"]}},"message":{json.dumps("not " + sent)},"errorCode":"1"}}'
    details = details if echo else details.replace(json.dumps("not " + sent), "null")
    refused = replace(answered(details.encode(), 400), request_body=sent.encode())
    assert ("safety.no-echo" in broken(refused)) is echo


@pytest.mark.parametrize("status", [200, 400])
def test_a_refusal_in_either_form_does_not_say_back_the_picture(status: int) -> None:
    picture = base64.b64encode(bytes(range(200))).decode()
    for said, echo in ((f"cannot be read: {picture[:60]}", True), ("cannot be read", False)):
        refusal = {"isSuccess": False, "message": said, "errorCode": "10001", "customerData": None}
        answer = answered(refusal, status, endpoint="upload_front")
        assert ("safety.no-echo" in broken(replace(answer, request_body=upload_body(bytes(range(200)))))) is echo


def test_lost_letters_are_one_finding() -> None:
    """Names of question marks cannot agree with those that were read."""
    assert broken(answered(result(fullName="???? ???", firstName="منى", familyName="حسن"))) == {"reading.letters"}
    assert broken(answered(result(fullName="سارة علي", firstName="منى", familyName="حسن"))) == {"reading.names-agree"}


@pytest.mark.parametrize("written", ["null", "undefined ", "Optional[مسلم]", "[object Object]", "com.v.Faith@1b2c3d"])
def test_what_a_program_writes_for_no_value_is_not_the_cards(written: str) -> None:
    assert broken(answered(result(religion=written))) == {"reading.letters"}


@pytest.mark.parametrize("written", ["None", "Undefined", "Muslim", "مسلم"])
def test_a_word_for_a_religion_is_the_vendors_own(written: str) -> None:
    assert not broken(answered(result(religion=written)))


@pytest.mark.parametrize("code", ["10103", 10103])
def test_a_registered_person_is_known_by_the_code_in_whatever_form(code: object) -> None:
    assert already_registered(answered({"message": None, "errorCode": code}, 400))
    assert not already_registered(answered({"message": None, "errorCode": "10001"}, 400))


@pytest.mark.parametrize("done", [(), flow().steps])
def test_who_is_registered_may_be_refused_as_that_whatever_the_order_of_steps(done: tuple[Step, ...]) -> None:
    """A vendor may look the person up before anything else, and says so as the client expects it: in a 200."""
    state, last = flow().state_after(done), flow().final
    known, other = (
        answered({"isSuccess": False, "message": "no", "errorCode": code, "customerData": None})
        for code in ("10103", "10001")
    )
    assert all(seen.ok for seen in judge_order(state, last, known))
    assert {seen.clause for seen in judge_order(state, last, other) if not seen.ok} == {"refusal.order-status"}


@pytest.mark.parametrize(
    "moment", ["1999-01-01T00:00:00Z", "1998-12-31T22:00:00Z", "1999-01-01T00:00:00+02:00", "1999-01-01T00:00:00"]
)
def test_midnight_in_egypt_is_no_contradiction(moment: str) -> None:
    """That a zone moves the written day is a clause of its own, and is expected only."""
    assert broken(answered(result(idNumber=NUMBER, birthdate=moment))) <= {"reading.time-zone"}


def test_the_backs_fields_alone_are_fine_some_of_them_missing_is_not() -> None:
    data = result(gender="ذكر", profession="x")["customerData"]
    alone = {name: value for name, value in data.items() if name not in FRONT_PROPERTIES}
    assert "result.properties" not in broken(answered({**result(), "customerData": alone}, endpoint="upload_back"))
    del data["photo"]
    assert "result.properties" in broken(answered({**result(), "customerData": data}, endpoint="upload_back"))


@given(st.binary(max_size=200), st.sampled_from([200, 400, 401, 404, 500, 302]))
def test_the_judge_survives_any_answer(body: bytes, status: int) -> None:
    memory = Memory("auto")
    for endpoint in ("upload_front", "upload_back", "approve_front", "token"):
        exchange = answered(body, status, endpoint)
        list(judge_answer(exchange))
        list(memory.judge(exchange))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda v: st.dictionaries(st.text(), v) | st.lists(v)
    )
)
def test_the_judge_survives_any_json(value: Any) -> None:
    memory = Memory("on")
    for body in (value, {"isSuccess": True, "customerData": value}, result(idNumber=value, fullName=value)):
        exchange = answered(body)
        list(judge_answer(exchange))
        list(memory.judge(exchange))


@pytest.mark.parametrize(
    ("failure", "clause"),
    [
        ("the answer is not complete, well-formed HTTP: Receive buffer too long", "answer.http"),
        ("the connection was closed without an answer", "answer.in-time"),
        ("no whole answer within the time limit", "answer.in-time"),
        ("the connection broke: [Errno 104] Connection reset by peer", "answer.in-time"),
        (None, "answer.in-time"),
    ],
)
def test_what_is_not_legal_http_is_a_clause_of_its_own(failure: str | None, clause: str) -> None:
    silent = replace(answered(b""), status=None, failure=failure)
    assert [(seen.clause, seen.ok) for seen in judge_answer(silent)] == [(clause, False)]


def test_a_setting_that_was_not_learnt_breaks_no_clause() -> None:
    """`auto` is learnt from the first front with names; until then English names are neither due nor wrong."""
    nothing = dict.fromkeys(("fullName", "fullNameEn", "firstName", "firstNameEn", "familyName", "familyNameEn"))
    front = answered(result(**nothing))
    back = answered(result(**nothing | {"idNumberBack": NUMBER}), endpoint="upload_back")
    memory = Memory("auto")
    assert not crossed(memory, front, back, front)
    assert memory.translation == "auto"


def test_deep_json_is_no_crash() -> None:
    with pytest.raises(ValueError, match="deep"):
        parse_json(b"[" * 200_000)


def crossed(memory: Memory, *exchanges: Exchange) -> set[str]:
    return {seen.clause for exchange in exchanges for seen in memory.judge(exchange) if not seen.ok}


ID_A, ID_B = "a9c3e5d7-4b2f-47ac-9d61-3f1b1a1e87c6", "b9c3e5d7-4b2f-47ac-9d61-3f1b1a1e87c6"


def test_another_sessions_customer_is_seen() -> None:
    one, two = answered(result(customerId=ID_A)), answered(result(customerId=ID_A), session="s2", card="c2")
    memory = Memory("off")
    assert crossed(memory, one, two) == {"session.own-customer"}
    assert memory.mixed == {"s1", "s2"}
    same_card = answered(result(customerId=ID_A.upper()), session="s2", card="c1")
    assert not crossed(Memory("off"), one, same_card)


@pytest.mark.parametrize("data", [[], None])
def test_another_persons_front_begins_the_reading_anew_though_its_data_cannot_be_read(data: Any) -> None:
    front, other = {"idNumber": NUMBER, "fullName": "Mona"}, {"idNumberBack": "30001012101239"}
    memory = Memory("off")
    memory.show("c1", front)
    memory.show("c2", other)
    unread = answered({**result(), "customerData": data}, card="c2")
    back = answered(result(**other), endpoint="upload_back", card="c2")
    assert crossed(memory, answered(result(**front)), unread, back) == set()


def test_a_customer_that_changes_within_a_session_is_seen() -> None:
    front = answered(result(customerId=ID_A))
    back = answered(result(customerId=ID_B), endpoint="upload_back")
    assert crossed(Memory("off"), front, back) == {"session.own-customer"}
    assert not crossed(Memory("off"), front, answered(result(customerId=ID_B)))


def test_numbers_and_names_across_answers() -> None:
    front = answered(result(idNumber=NUMBER))
    back = answered(result(idNumberBack="29901010123414"), endpoint="upload_back")
    assert crossed(Memory("off"), front, back) == {"reading.numbers-agree"}
    named = answered(result(fullName="x", fullNameEn="x", firstName="x", firstNameEn=None))
    assert crossed(Memory("auto"), named) == {"result.translation"}
    assert crossed(Memory("off"), named) == {"result.translation"}


def test_redaction_hides_and_keeps_the_shape() -> None:
    redactor = Redactor()
    redactor.add_secret("s3cr&t/value", "SECRET")
    redactor.add_personal(["Ahmed Mohamed"])
    exchange = answered({"message": "s3cr&t/value for Ahmed Mohamed 29901010123413", "errorCode": None,
                         "customerData": {"idNumber": NUMBER, "birthdate": "1999-01-01T00:00:00Z"}}, 400)  # fmt: skip
    text = redactor.record(exchange, "").model_dump_json()
    for hidden in ("s3cr&t", "Ahmed", NUMBER, "1999-01-01", "secret-token"):
        assert hidden not in text
    assert "9999-99-99x99:99:99x" in text


@given(st.text())
def test_redaction_survives_any_text(value: str) -> None:
    redactor = Redactor()
    exchange = answered({"message": value, value: value, "errorCode": value})
    redactor.record(exchange, "").model_dump_json()


FRONT = {"fullName": "أحمد علي", "state": "حي - الجيزة", "birthdate": "1999-01-01", "idNumber": NUMBER}
BACK = {"issueDate": "2021-05-01", "expirationDate": "2028-05-01", "profession": "مهندس", "religion": "مسلم"}
OTHER_FRONT = {"fullName": "منى حسن", "state": "حي - القاهرة", "birthdate": "1990-02-03", "idNumber": "29002030100012"}
OTHER_BACK = {"issueDate": "2023-07-01", "expirationDate": "2030-07-01", "profession": "طبيب", "religion": "مسلم"}


def people(*cards: str) -> Memory:
    """A memory that knows these cards, all of one person, and one card more of another."""
    memory = Memory("off")
    for card in cards:
        memory.show(card, FRONT | BACK)
    memory.show("other", OTHER_FRONT | OTHER_BACK)
    return memory


def shown(card: str, side: str = "front", **data: Any) -> Exchange:
    """The answer to a picture of this card, in a session of its own."""
    endpoint = f"upload_{side}"
    found = answered(result(**data), session=f"of {card}", card=card, endpoint=endpoint)
    return replace(found, picture=Picture(card, side, 10))


def test_one_picture_read_right_and_as_another_card_is_crossed() -> None:
    right, wrong = {"birthdate": "1999-01-01T00:00:00"}, {"birthdate": "1990-02-03T00:00:00"}
    assert crossed(people("c1"), shown("c1", **right), shown("c1", **wrong)) == {"session.own-customer"}
    assert crossed(people("c1"), shown("c1", **wrong), shown("c1", **right)) == {"session.own-customer"}
    # A misread date belongs to no person.
    assert not crossed(people("c1"), shown("c1", **right), shown("c1", birthdate="1999-07-01T00:00:00"))


def test_the_birth_date_of_another_person_is_crossed_on_two_cards() -> None:
    right, wrong = {"birthdate": "1999-01-01T00:00:00"}, {"birthdate": "1990-02-03T00:00:00"}
    memory = people("c1", "c2", "c3")
    assert not crossed(memory, shown("c1", **right), shown("c2", **wrong), shown("c2", **wrong))
    assert crossed(memory, shown("c3", **wrong)) == {"session.own-customer"}
    # Where it is never right, what stands there is another cause.
    assert not crossed(people("c1", "c2"), shown("c1", **wrong), shown("c2", **wrong))


def test_what_many_people_share_is_crossed_on_two_cards() -> None:
    def state(card: str) -> tuple[Exchange, Exchange]:
        return shown(card, state="حي - الجيزة"), shown(card, state="حي - القاهرة")

    assert not crossed(people("c1", "c2"), *state("c1"), *state("c1"))
    assert crossed(people("c1", "c2"), *state("c1"), *state("c2")) == {"session.own-customer"}


def test_the_state_of_the_person_read_just_before_is_crossed_on_one_card() -> None:
    right, wrong = shown("c1", state="حي - الجيزة"), shown("c1", state="حي - القاهرة")
    before = shown("other", state="حي - القاهرة")
    assert crossed(people("c1"), right, before, wrong) == {"session.own-customer"}
    assert not crossed(people("c1"), right, before, right, right, wrong)


def test_two_parts_of_one_other_card_are_crossed_and_two_dates_are_not() -> None:
    def dated(data: dict[str, str]) -> dict[str, str]:
        return {name: f"{value}T00:00:00" if "Date" in name else value for name, value in data.items()}

    right, wrong = dated(BACK), dated(OTHER_BACK)
    seen = [shown("c1", "back", **right), shown("c2", "back", **wrong), shown("c3", "back", **wrong)]
    assert crossed(people("c1", "c2", "c3"), *seen) == {"session.own-customer"}
    alone = {name: value for name, value in wrong.items() if "Date" in name}
    seen = [shown("c1", "back", **right), shown("c2", "back", **alone), shown("c3", "back", **alone)]
    assert not crossed(people("c1", "c2", "c3"), *seen)


def test_words_that_change_places_are_exchanged_in_any_language() -> None:
    memory = people("c1")
    memory.show("c1", {"maritalStatus": "أعزب"})
    assert not crossed(memory, shown("c1", "back", religion="مسلم", maritalStatus="أعزب"))
    assert not crossed(memory, shown("c1", "back", religion="Single", maritalStatus="Muslim"))
    assert crossed(memory, shown("c1", "back", religion="أعزب", maritalStatus="مسلم")) == {"reading.own-fields"}


def test_a_date_that_the_side_does_not_print_is_that_of_the_other_side_or_null() -> None:
    memory = people("c1", "c2")
    assert not crossed(memory, shown("c1", issueDate="2021-05-31T00:00:00"), shown("c1", issueDate=None))
    assert not crossed(memory, shown("c1", issueDate="2026-11-27T00:00:00"))
    assert crossed(memory, shown("c2", issueDate="2026-11-27T00:00:00")) == {"reading.no-date"}


def test_a_date_is_written_as_the_day_that_is_printed() -> None:
    evening, morning = "2028-04-30T22:00:00Z", "2028-05-01T00:00:00+02:00"
    assert crossed(people("c1"), shown("c1", "back", expirationDate=evening)) == {"reading.time-zone"}
    assert not crossed(people("c1"), shown("c1", "back", expirationDate=morning))


def test_letters_in_reverse_order_are_not_as_printed() -> None:
    assert crossed(people("c1"), shown("c1", "back", religion="ملسم")) == {"reading.as-printed"}


def test_a_letter_that_is_always_replaced_is_told_from_one_that_is_misread() -> None:
    def judged(*names: str) -> list[str]:
        memory = people("c1", "c2", "c3")
        for place, name in enumerate(names):
            list(memory.judge(shown(f"c{place % 3 + 1}", fullName=name)))
        return [seen.clause for seen in memory.always_replaced()]

    assert judged(*["احمد علي"] * 9) == ["reading.letters"]
    assert not judged(*["احمد علي"] * 9, "أحمد علي")
    assert not judged(*["احمد علي"] * 9, *["احمذ علي"] * 2)
    assert not judged(*["احمد علي"] * 7)


@pytest.mark.parametrize(
    ("photo", "shown"),
    [("/proc/self/fd/7", True), ("/photos/tmp/1.jpg", False), ("/temporary/1.jpg", False)],
)
def test_a_path_on_the_servers_disk_is_told_from_one_of_its_site(photo: str, shown: bool) -> None:
    kept = {observation.clause: observation.ok for observation in judge_photo(photo)}
    assert kept == {"result.photo": True, "result.photo-path": not shown}


@pytest.mark.parametrize(
    ("second", "clause"),
    [
        ({**REFUSED, "message": "no match for A9C3E5D7-4B2F-47AC-9D61-3F1B1A1E87C6"}, "refusal.no-leak"),
        ({"message": "a9c3e5d7-4b2f-47ac-9d61-3f1b1a1e87c6", "errorCode": None}, "refusal.no-leak"),
        (True, "session.own-customer"),
    ],
)
def test_another_customer_is_seen_in_either_refusal_and_in_headers(second: Any, clause: str) -> None:
    customer = "A9C3E5D7-4B2F-47AC-9D61-3F1B1A1E87C6"
    memory = Memory("on")
    assert all(seen.ok for seen in memory.judge(answered(result(customerId=customer))))
    headers = [("X-Customer", customer)] if second is True else []
    status = 400 if isinstance(second, dict) and "isSuccess" not in second else 200
    other = answered(second, status, session="s2", card="c2", headers=headers)
    assert [(seen.clause, seen.ok) for seen in memory.judge(other)] == [(clause, False)]
    own = answered(second, status, headers=headers)
    assert not [seen for seen in memory.judge(own) if not seen.ok]


@pytest.mark.parametrize(
    ("kind", "body", "page"),
    [
        ("text/html", b"<html>", True),
        ("Text/HTML ; charset=utf-8", b" \n<!doctype html>", True),
        ("application/xhtml+xml;charset=utf-8", b"<html>", True),
        ("text/html", b'{"message": null}', False),
        ("application/json", b"<html>", False),
        ("text/plain; text/html", b"<html>", False),
        (None, b"<html>", False),
    ],
)
def test_a_page_is_told_from_an_answer(kind: str | None, body: bytes, page: bool) -> None:
    headers = [("content-type", kind)] if kind else []
    forbidden = answered(body, 403, headers=headers, odd=True)
    assert (is_page(forbidden), is_firewall(forbidden)) == (page, page)
    assert not is_firewall(replace(forbidden, odd=False))
    assert not is_firewall(replace(forbidden, status=401))
