"""What the judge says of each kind of answer, word for word.

judge.txt holds it; `KYCGATE_UPDATE=1 pytest tests/suite/golden/test_judge_words.py` writes it anew, and the change is
read before it is committed. So a change of any sentence, clause or place is seen.
"""

import base64
import json
import os
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from kycgate.contracts.models import CUSTOMER_PROPERTIES, FRONT_PROPERTIES
from kycgate.judging.answers import accepted, already_registered, customer_data, json_or_none, parse_json
from kycgate.judging.card import days_of, gender_of, judge_reading, numbers_in
from kycgate.judging.ledger import Observation
from kycgate.judging.shape import judge_answer, jwt_claims
from kycgate.target.exchange import Clocks, Exchange, Picture
from kycgate.text import unmarked

GOLDEN = Path(__file__).parent / "judge.txt"
NUMBER = "29901010123413"
TOKEN = "a-long-secret-token"


def came(
    body: Any, status: int | None = 200, endpoint: str = "upload_front", *, method: str = "POST", sent: bytes = b"{}",
    headers: dict[str, str | None] | None = None, said: dict[str, str] | None = None, card: bool = True,
    failure: str | None = None,
) -> Exchange:  # fmt: skip
    raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    written = {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"} | (headers or {})
    sent_headers = {name: value for name, value in written.items() if value is not None}
    answered = list(({"Content-Type": "application/json; charset=utf-8"} if said is None else said).items())
    picture = Picture("c1", "front", 10) if card else None
    return Exchange(
        1, endpoint, method, "/", sent_headers, sent, "s1", Clocks(0, 0, 1), status, answered, raw, failure,
        picture=picture,
    )  # fmt: skip


def read(**data: Any) -> dict[str, Any]:
    whole: dict[str, Any] = dict.fromkeys(CUSTOMER_PROPERTIES)
    return {"isSuccess": True, "message": None, "errorCode": None, "customerData": whole | data}


def without(*names: str) -> dict[str, Any]:
    answer = read(gender="ذكر", profession="x")
    answer["customerData"] = {k: v for k, v in answer["customerData"].items() if k not in names}
    return answer


NOON = int(datetime(2026, 1, 1, 12, tzinfo=UTC).timestamp())


def jwt(claims: Any) -> str:
    """An unsigned one; only what it says is looked at."""
    return f"e30.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.x"


REFUSED = {"isSuccess": False, "message": "no", "errorCode": "10001", "customerData": None}
ERROR = {"message": "no", "errorCode": "400"}
UUID = "a9c3e5d7-4b2f-47ac-9d61-3f1b1a1e87c6"

CASES: dict[str, Exchange] = {
    "no answer": came(b"", None, failure="the connection broke"),
    "no answer, no reason": came(b"", None),
    "read": came(read(idNumber=NUMBER, birthdate="1999-01-01T00:00:00Z", gender="ذكر", customerId=UUID)),
    "200 as 201": came(read(), 201),
    "204": came(b"", 204),
    "302": came(b"", 302),
    "499": came(ERROR, 499),
    "500": came(ERROR, 500),
    "500 leaks": came({"message": "java.lang.NullPointerException"}, 500),
    "599": came(b"x", 599),
    "600": came(b"x", 600),
    "403": came(ERROR, 403),
    "405 to POST": came(ERROR, 405),
    "405 to GET": came(ERROR, 405, method="GET"),
    "200 to GET": came(read(), 200, method="GET"),
    "400 to GET": came({"message": 1}, 400, method="GET"),
    "431 of little": came(ERROR, 431, headers={"X": "x" * 3_999}),
    "431 of much": came(ERROR, 431, headers={"X": "x" * 4_000}),
    "413 of little": came(ERROR, 413, sent=b"x" * 255_999),
    "413 of much": came(ERROR, 413, sent=b"x" * 256_000),
    "415 of JSON": came(ERROR, 415),
    "415 of JSON in capitals": came(ERROR, 415, headers={"Content-Type": "Application/JSON; charset=UTF-8"}),
    "415 of another charset": came(ERROR, 415, headers={"Content-Type": "application/json; charset=x"}),
    "415 of compressed JSON": came(ERROR, 415, headers={"content-encoding": "gzip"}),
    "415 of text": came(ERROR, 415, headers={"Content-Type": "text/plain"}),
    "415 without a type": came(ERROR, 415, headers={"Content-Type": ""}),
    "415 of nothing": came(ERROR, 415, "approve_back", headers={"Content-Type": ""}, sent=b""),
    "415 without the header": came(ERROR, 415, sent=b"x", headers={"Content-Type": "", "X": "application/json"}),
    "415 without any type": came(ERROR, 415, sent=b"x", headers={"Content-Type": None}),
    "status 0": came(b"", 0),
    "429": came(ERROR, 429),
    "elsewhere 404": came(b"<html>", 404, "elsewhere"),
    "elsewhere 200": came(b"<html>", 200, "elsewhere"),
    "elsewhere 418": came(b"x", 418, "elsewhere"),
    "elsewhere 404 leaks": came(b"at Foo.Bar(Baz x) in /srv/app/x.cs:line 7", 404, "elsewhere"),
    "no media type": came(read(), said={}),
    "HTML": came(read(), said={"content-type": "text/html"}),
    "text/json": came(read(), said={"Content-Type": " TEXT/JSON "}),
    "problem+json": came(ERROR, 400, said={"Content-Type": "application/problem+json"}),
    "text/x+json": came(ERROR, 400, said={"Content-Type": "text/x+json"}),
    "application/jsonx": came(ERROR, 400, said={"Content-Type": "application/jsonx"}),
    "charset utf8": came(read(), said={"Content-Type": 'application/json;CHARSET = "UTF8"'}),
    "charset latin-1": came(read(), said={"Content-Type": "application/json; charset=latin-1"}),
    "CHARSET latin-1": came(read(), said={"Content-Type": "application/json; CHARSET=latin-1"}),
    "BOM": came(b"\xef\xbb\xbf{}"),
    "UTF-16 BE": came(b"\xfe\xff\x00{"),
    "UTF-16 LE": came(b"\xff\xfe{\x00"),
    "latin-1": came(b'{"x": "\xe9"}'),
    "empty": came(b""),
    "two texts": came(b"{} {}"),
    "NaN": came(b'{"isSuccess": NaN}'),
    "twice": came(b'{"isSuccess": true, "isSuccess": true}'),
    "deep": came(b"[" * 100_000),
    "refusal no JSON": came(b"<html>", 401),
    "refusal no JSON leaks": came(b"Traceback (most recent call last):", 400),
    "refusal": came(ERROR, 401),
    "refusal with null": came({"message": None, "errorCode": None}, 404),
    "refusal with numbers": came({"message": "x", "errorCode": 4.5}, 404),
    "refusal with true": came({"message": "x", "errorCode": True}, 404),
    "refusal with a list": came(["x"], 400),
    "refusal with null alone": came(None, 400),
    "refusal without a code": came({"message": "x"}, 400),
    "refusal with a message of its own": came({"message": 7, "errorCode": None}, 400),
    "credentials in the body": came({"message": f"you sent {TOKEN}", "errorCode": "1"}, 401),
    "credentials in a header": came(ERROR, 401, said={"Content-Type": "application/json", "X-Echo": f"<{TOKEN}>"}),
    "short credentials": came({"message": "abcd", "errorCode": "1"}, 401, headers={"Authorization": "Bearer abcd"}),
    "five letters": came({"message": "abcde", "errorCode": "1"}, 401, headers={"Authorization": "abcde"}),
    "lower-case header": came(
        {"message": TOKEN, "errorCode": "1"}, 401, headers={"authorization": TOKEN, "Authorization": ""}
    ),
    "tenant secret": came({"message": "s3c", "errorCode": "1"}, 401, "token", sent=b'{"tenantSecret": "s3c"}'),
    "tenant secret too short": came({"message": "s3", "errorCode": "1"}, 401, "token", sent=b'{"tenantSecret": "s3"}'),
    "tenant secret as a number": came(
        {"message": "777", "errorCode": "1"}, 401, "token", sent=b'{"tenantSecret": 777}'
    ),
    "tenant body as a list": came(ERROR, 401, "token", sent=b"[1]"),
    "tenant body broken": came(ERROR, 401, "token", sent=b"{"),
    "a secret in a step": came({"message": "s3cret", "errorCode": "1"}, 401, sent=b'{"tenantSecret": "s3cret"}'),
    "an escaped trace": came(b'{"message": "x\\n   at Foo.Bar(String a)\\n at b", "errorCode": null}', 400),
    "an escaped file": came(b'{"message": "File \\"a.py\\", line 3", "errorCode": null}', 400),
    "a refusal that is not UTF-8": came(b"\xff\xfeTypeError", 400),
    "a refusal with bytes between": came(f"x\xff{TOKEN}".encode("latin-1"), 401),
    "credentials over two headers": came(
        ERROR, 401, said={"Content-Type": "application/json", "A": TOKEN[:9], "B": TOKEN[9:]}
    ),
    "SQL": came({"message": "SELECT a FROM b", "errorCode": "1"}, 400),
    "a path": came({"message": "in /usr/lib/x", "errorCode": "1"}, 400),
    "a long trace": came({"message": f"/opt/{'x' * 200}", "errorCode": "1"}, 400),
    "approved": came(True, 200, "approve_front"),
    "approved in an object": came({"approved": True}, 200, "approve_back"),
    "approved in a list": came([], 200, "approve_back"),
    "approved in text": came("true", 200, "approve_back"),
    "approved false": came(False, 200, "approve_back"),
    "approved null": came(None, 200, "approve_front"),
    "approved 1": came(1, 200, "approve_front"),
    "token": came({"token": "x.y", "expirationDate": "2026-01-01T00:00:00Z"}, 200, "token"),
    "token of the sibling": came({"token": "x.y", "expirationDate": "2026-01-01T00:00:00Z"}, 200, "token_sibling"),
    "token with a space": came({"token": "x y", "expirationDate": "2026-01-01T00:00:00Z"}, 200, "token"),
    "token empty": came({"token": "", "expirationDate": "2026-01-01T00:00:00Z"}, 200, "token"),
    "token without expiry": came({"token": "x"}, 200, "token"),
    **{
        f"token {words}": came({"token": token, "expirationDate": until}, 200, "token")
        for words, token, until in (
            ("that says its own expiry", jwt({"exp": NOON}), "2026-01-01T12:00:00Z"),
            ("a minute off", jwt({"exp": NOON}), "2026-01-01T12:01:00Z"),
            ("a minute and a bit off", jwt({"exp": NOON}), "2026-01-01T12:01:00.5Z"),
            ("two minutes early", jwt({"exp": NOON}), "2026-01-01T11:58:00Z"),
            ("of another zone", jwt({"exp": NOON}), "2026-01-01T14:00:00+02:00"),
            ("that ends at a time of no zone", jwt({"exp": NOON}), "2026-01-01T09:00:00"),
            ("that ends at a fraction", jwt({"exp": NOON + 0.5}), "2026-01-01T12:00:00Z"),
            ("that ends at a word", jwt({"exp": "noon"}), "2026-01-01T12:00:00Z"),
            ("that ends at no moment", jwt({"exp": 1e15}), "2026-01-01T12:00:00Z"),
            ("that ended at the epoch", jwt({"exp": 0}), "2026-01-01T12:00:00Z"),
            ("that ended a second later", jwt({"exp": 1}), "2026-01-01T12:00:00Z"),
            ("that never ends", jwt({}), "2026-01-01T12:00:00Z"),
        )
    },
    "token as a list": came([], 200, "token"),
    "no result": came([1]),
    "result without isSuccess": came({"message": None, "errorCode": None, "customerData": None}),
    "isSuccess as text": came(read() | {"isSuccess": "true"}),
    "isSuccess as 1": came(read() | {"isSuccess": 1}),
    "refused result": came(REFUSED),
    "refused result leaks": came(REFUSED | {"message": "System.IO.IOException"}),
    "refused result with data": came(read() | {"isSuccess": False, "message": "x", "errorCode": "1"}),
    "refused result without message": came(REFUSED | {"message": None}),
    "refused result without code": came(REFUSED | {"errorCode": None}),
    "refused result, empty code": came(REFUSED | {"errorCode": ""}),
    "refused result, code in words": came(REFUSED | {"errorCode": "E" * 60}),
    "refused result, Arabic code": came(REFUSED | {"errorCode": "١٢"}),
    "read without data": came(read() | {"customerData": None}),
    "read with data in a list": came(read() | {"customerData": []}),
    "read, empty code": came(read() | {"errorCode": ""}),
    "read, code in words": came(read() | {"errorCode": "X1"}),
    "read, code as a number": came(read() | {"errorCode": 5}),
    "customer id": came(read(customerId="4711")),
    "scans": came(read(idFrontScan="٢٩٩٠١٠١٠١٢٣٤١٣", idBackScan="1")),
    **{
        f"photo {words}": came(read(photo=photo))
        for words, photo in (
            ("of a path", "/photos/1.jpg"),
            ("on a disk", "/var/www/photos/1.jpg"),
            ("on a share", "\\\\server\\photos\\1.jpg"),
            ("on a drive", "D:\\photos\\1.jpg"),
            ("of nothing", ""),
            ("inline", "data:image/png;base64,AAAA"),
            ("of 512 letters", "A" * 512),
            ("of 511 letters", "A" * 511),
        )
    },
    "dates": came(read(birthdate="1999-01-01", issueDate=1, expirationDate="x")),
    "other properties": came(read(detectedAge=27.5, fullName=7)),
    "front without photo": came(without("photo")),
    "front without the front": came(without(*FRONT_PROPERTIES)),
    "back with the back alone": came(without(*FRONT_PROPERTIES), 200, "upload_back"),
    "back with most of it": came(without(*(FRONT_PROPERTIES - {"photo"})), 200, "upload_back"),
    "back without its own": came(without("gender"), 200, "upload_back"),
    "back with the back alone and a wrong date": came(
        without(*FRONT_PROPERTIES) | {"customerData": without(*FRONT_PROPERTIES)["customerData"] | {"issueDate": "x"}},
        200, "upload_back",
    ),
    "back without gender": came(read(profession="x"), 200, "upload_back"),
    "back with empty words": came(read(profession="", gender=""), 200, "upload_back"),
    "back": came(read(profession="x", gender="ذكر"), 200, "upload_back"),
    "another's picture": came(read(idNumber="29874532145698"), card=False),
}  # fmt: skip

READINGS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "a possible number": {"idNumber": NUMBER},
    "an impossible number": {"idNumber": "29874532145698", "idBackScan": "1"},
    "Arabic digits and spaces": {"idNumber": " ٢٩٩٠١٠١٠١٢٣٤١٣ "},
    "all four numbers": dict.fromkeys(("idNumber", "idFrontScan", "idNumberBack", "idBackScan"), NUMBER),
    "a number that is none": {"idNumber": 7, "idNumberBack": ""},
    "born a day later": {"idNumber": NUMBER, "birthdate": "1999-01-02T00:00:00"},
    "born a day earlier": {"idNumber": NUMBER, "birthdate": "1998-12-31T00:00:00"},
    "midnight in Egypt": {"idNumber": NUMBER, "birthdate": "1998-12-31T22:00:00Z"},
    "midnight in Egypt in summer": {"idNumber": NUMBER, "birthdate": "1998-12-31T21:00:00Z"},
    "an hour before": {"idNumber": NUMBER, "birthdate": "1998-12-31T20:59:59Z"},
    "the evening": {"idNumber": NUMBER, "birthdate": "1999-01-01T23:30:00Z"},
    "another offset": {"idNumber": NUMBER, "birthdate": "1999-01-01T00:00:00+05:00"},
    "a day later with an offset": {"idNumber": NUMBER, "birthdate": "1999-01-02T12:00:00+02:00"},
    "no moment": {"idNumber": NUMBER, "birthdate": "soon"},
    "no number": {"birthdate": "1999-01-01T00:00:00"},
    "a man": {"idNumber": NUMBER, "gender": " MALE "},
    "a woman": {"idNumber": NUMBER, "gender": "انثى"},
    "another word": {"idNumber": NUMBER, "gender": "x"},
    "in order": {"birthdate": "1999-01-01T00:00:00", "issueDate": "2020-01-01T00:00:00",
                 "expirationDate": "2027-01-01T00:00:00Z"},
    "issued after expiry": {"issueDate": "2028-01-01T00:00:00", "expirationDate": "2027-01-01T00:00:00"},
    "issued at birth": {"birthdate": "1999-01-01T00:00:00", "issueDate": "1999-01-01T00:00:00"},
    "one date": {"issueDate": "1999-01-01T00:00:00"},
    "age -1": {"detectedAge": -1},
    "age 0": {"detectedAge": 0},
    "age 130": {"detectedAge": 130},
    "age 131": {"detectedAge": 131},
    "age true": {"detectedAge": True},
    "names": {"fullName": "أحمد محمد علي", "firstName": "أحمد", "familyName": "محمد علي"},
    "names in another order": {"fullName": "محمد علي أحمد", "firstName": "أحمد", "familyName": "محمد علي"},
    "the same names": {"fullName": "علي علي", "firstName": "علي", "familyName": "علي"},
    "the same name thrice": {"fullName": "علي علي علي", "firstName": "علي", "familyName": "علي علي"},
    "a first name of two": {"fullName": "A B C", "firstName": "A B", "familyName": "C"},
    "a full name without the family": {"fullName": "أحمد", "firstName": "أحمد", "familyName": "محمد"},
    "a full name without the first": {"fullName": "محمد", "firstName": "أحمد"},
    "no full name": {"firstName": "أحمد", "familyName": "محمد"},
    "an empty full name": {"fullName": " ", "firstName": "أحمد"},
    "a full name alone": {"fullName": "أحمد", "firstName": " ", "familyName": None},
    "English names": {"fullNameEn": "AHMED mohamed", "firstNameEn": "Ahmed", "familyNameEn": "Mohamed"},
    "English names in another order": {
        "fullNameEn": "Mohamed Ahmed", "firstNameEn": "ahmed", "familyNameEn": "mohamed"
    },
    "English names apart": {"fullNameEn": "Ahmed", "firstNameEn": "Mona"},
    "question marks": {"familyName": "محمد ??"},
    **{f"question marks in {name}": {name: "a??"} for name in (
        "fullName", "firstName", "familyName", "fullNameEn", "firstNameEn", "familyNameEn")},
    "swapped in both scripts": {"fullName": "ب ا", "firstName": "ا", "familyName": "ب", "fullNameEn": "B A",
                                "firstNameEn": "A", "familyNameEn": "B"},
    "midnight five hours off": {"idNumber": NUMBER, "birthdate": "1998-12-31T21:30:00Z"},
    "one question mark": {"familyName": "محمد ?"},
    "a replacement": {"fullNameEn": "Ahm\ufffdd", "firstNameEn": "x"},
    "names that are none": {"fullName": 7, "firstName": 8},
}  # fmt: skip


def line_of(seen: Observation) -> str:
    return f"{ {True: 'ok ', False: 'BAD'}[seen.ok] } {seen.clause} | {seen.required} | {seen.actual} | {seen.where}"


def said() -> str:
    lines = []
    for name, exchange in CASES.items():
        lines.append(f"## {name}: accepted {accepted(exchange)}, data {customer_data(exchange) is not None}")
        lines += map(line_of, judge_answer(exchange))
    for name, data in READINGS.items():
        lines.append(f"## reading: {name}: {numbers_in(data)}")
        lines += map(line_of, judge_reading(data))
    return unmarked("\n".join(lines)) + "\n"


def test_the_judge_says_what_it_said() -> None:
    if os.environ.get("KYCGATE_UPDATE"):
        GOLDEN.write_text(said(), encoding="utf-8")
    assert said().splitlines() == GOLDEN.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"\xef\xbb\xbf{}", "it begins with a byte order mark"),
        (b"\xff", "it is not UTF-8"),
        (b"", "it is empty"),
        (b"{", "Expecting property name enclosed in double quotes at character 1"),
        (b"Infinity", "Infinity is not JSON"),
        (b'{"a":1,"a":2}', "a property stands twice in one object"),
        (b"[" * 100_000, "it is nested too deep"),
    ],
)
def test_what_is_no_json_is_said(body: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=".") as caught:
        parse_json(body)
    assert str(caught.value) == words
    assert json_or_none(came(body)) is None


def test_what_is_json_is_read() -> None:
    assert parse_json('{"a": [1, {"b": "é"}]}'.encode()) == {"a": [1, {"b": "é"}]}


@pytest.mark.parametrize(
    ("exchange", "performed", "data"),
    [
        (came(read(idNumber=NUMBER)), True, True),
        (came(read(idNumber=NUMBER), 200, "approve_front"), True, False),
        (came(read(), 201), True, False),
        (came(read(), 300), False, False),
        (came(read(), 199), False, False),
        (came(REFUSED), False, False),
        (came(read() | {"isSuccess": "true"}), False, False),
        (came([]), False, False),
        (came(b"x"), False, False),
        (came(True, 200, "approve_back"), True, False),
        (came(False, 200, "approve_back"), False, False),
        (came(b"x", 200, "approve_back"), True, False),
        (came(b"", None), False, False),
        (came(read() | {"customerData": []}), True, False),
    ],
)
def test_what_counts_as_performed(exchange: Exchange, performed: bool, data: bool) -> None:
    assert (accepted(exchange), customer_data(exchange) is not None) == (performed, data)


@pytest.mark.parametrize(
    ("body", "known"),
    [
        ({"errorCode": "10103"}, True),
        ({"errorCode": 10103, "message": None}, True),
        ({"errorCode": "10104"}, False),
        ({"message": "10103"}, False),
        (["errorCode"], False),
        (b"10103", False),
    ],
)
def test_who_is_known_already(body: Any, known: bool) -> None:
    assert already_registered(came(body, 400)) is known


@pytest.mark.parametrize(
    ("token", "claims"),
    [
        *[(jwt({"exp": 1, "x": "y" * n}), {"exp": 1, "x": "y" * n}) for n in range(4)],
        (jwt({"x": "\u00ff?>"}), {"x": "\u00ff?>"}),
        ("e30.e30", {}),
        ("e30.e30.e30.x", {}),
        ("e30 eyJhIjoxfQ x", {}),
        (jwt([1]), {}),
        ("e30.?.x", {}),
        ("e30..x", {}),
        (jwt(json.loads("[" * 900 + "]" * 900)), {}),
    ],
)
def test_what_a_token_says(token: str, claims: dict[str, Any]) -> None:
    assert jwt_claims(token) == claims


def test_the_days_that_a_moment_may_mean() -> None:
    evening = datetime(1998, 12, 31, 22, 30, tzinfo=UTC)
    assert days_of(evening) == (date(1998, 12, 31), date(1999, 1, 1), date(1999, 1, 1))
    assert days_of(evening.replace(tzinfo=None)) == (date(1998, 12, 31),)
    assert days_of(datetime(9999, 12, 31, 23, 30, tzinfo=UTC)) == (date(9999, 12, 31),)


@pytest.mark.parametrize(
    ("word", "gender"),
    [("male", "male"), (" M ", "male"), ("ذكر", "male"), ("Female", "female"), ("أنثى", "female"),
     ("x", None), (None, None), (1, None)],
)  # fmt: skip
def test_words_for_gender(word: Any, gender: str | None) -> None:
    assert gender_of(word) == gender
