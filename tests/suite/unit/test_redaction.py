"""Needles and redaction, each rule by itself: what is hidden, how it is shown, and what stays readable."""

import base64
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kycgate.judging.behaviour import NOT_SHOWN, Behaviour
from kycgate.judging.shape import judge_answer
from kycgate.reports.html import render_html
from kycgate.runs.folder import RunFolder
from kycgate.runs.model import Run
from kycgate.target.exchange import Clocks, Exchange, Picture
from kycgate.target.known_values import Found, Needles, letters
from kycgate.target.redaction import MAX_TEXT, Redactor, redacted
from kycgate.target.writings import found as found_writings
from kycgate.text import theirs

SECRET = "Zq7-Kx2_Vn9.Ws4Ty8Rb3Lm6"
PLAIN = "zq7kx2vn9ws4ty8rb3lm6"


def found(text: str, *values: str) -> list[tuple[int, int, str]]:
    needles = Needles()
    for number, value in enumerate(values):
        needles.add(value, f"v{number}")
    return [(one.start, one.end, one.name) for one in needles.find(text)]


@pytest.mark.parametrize(
    ("text", "shown", "places"),
    [
        ("aB-3", "ab3", [(0, 1), (1, 2), (3, 4)]),
        ("٣۴", "34", [(0, 1), (1, 2)]),
        ("\\u0041b", "ab", [(0, 6), (6, 7)]),
        ("\\\\u0041", "a", [(0, 7)]),
        ("&#65;&#x42;", "ab", [(0, 5), (5, 11)]),
        ("%41%62", "ab", [(0, 3), (3, 6)]),
        ("%D8%A3x", "اx", [(0, 6), (6, 7)]),
        ("\\x41\\x42", "ab", [(0, 4), (4, 8)]),
        ("a\\nb\\tc&quot;d&amp;e", "abcde", [(0, 1), (3, 4), (6, 7), (13, 14), (19, 20)]),
        ("a=\nb=\r\nc", "abc", [(0, 1), (3, 4), (7, 8)]),
        ("&#1114112;&#x110000;a", "a", [(20, 21)]),
        ("_-. \u200f'\"", "", []),
        ("=41", "41", [(1, 2), (2, 3)]),
        ("İ", "İ", [(0, 1)]),
    ],
)
def test_the_letters_of_a_text_and_where_they_stand(text: str, shown: str, places: list[tuple[int, int]]) -> None:
    assert letters(text) == (shown, places)


WAYS = {
    "plain": SECRET,
    "another case": SECRET.swapcase(),
    "backwards": SECRET[::-1],
    "hexadecimal": SECRET.encode().hex(),
    "URL": quote(SECRET, safe=""),
    "every byte": "".join(f"%{byte:02x}" for byte in SECRET.encode()),
    "escaped": "".join(f"\\u{ord(c):04X}" for c in SECRET),
    "entities": "".join(f"&#{ord(c)};" for c in SECRET),
    "lines": "\n".join(SECRET[n : n + 3] for n in range(0, len(SECRET), 3)),
    "escaped lines": "\\n".join(SECRET[n : n + 3] for n in range(0, len(SECRET), 3)),
    "quoted": "','".join(SECRET[n : n + 5] for n in range(0, len(SECRET), 5)),
    "base64 at 0": base64.b64encode(SECRET.encode()).decode(),
    "base64 at 1": base64.b64encode(b"x" + SECRET.encode()).decode(),
    "base64 at 2": base64.b64encode(b"xy" + SECRET.encode() + b"z").decode(),
    "URL base64": base64.urlsafe_b64encode(b"xyz" + SECRET.encode()).decode(),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_secret_is_found_however_it_is_written(way: str) -> None:
    text = f"before <{WAYS[way]}> behind"
    (start, end, name), *more = found(text, SECRET)
    assert (name, more) == ("v0", [])
    assert start <= text.index("<") + 6
    assert end >= text.index(">") - 4
    assert start >= 8
    assert end <= len(text) - 7


def test_a_part_is_enough_and_too_little_is_not() -> None:
    letters_only = "abcdefghijklmnopqrstuvwxyz"
    for start in range(len(letters_only) - 15):
        part = letters_only[start : start + 15]
        assert found(f"1{part}1", letters_only) == [(1, 16, "v0")]
    assert found("1abcdefghijk1", letters_only) == []
    assert found("1abcdefghijkl1", letters_only) == [(1, 13, "v0")]
    assert found("1opqrstuvwxyz1", letters_only) == [(1, 13, "v0")]


def test_encodings_at_each_length() -> None:
    """Whatever is left over when three bytes become four characters, each value is found wherever it begins."""
    for size in range(9, 15):
        value = "Kx7Qm2Zt9Wb4Rv"[:size]
        for before in (b"", b"1", b"12"):
            for behind in (b"", b"3", b"34"):
                text = base64.b64encode(before + value.encode() + behind).decode()
                hits = found(text, value)
                assert len(hits) == 1, (size, before, behind)
                # All but what the neighbours' bits are mixed into.
                assert hits[0][1] - hits[0][0] >= size * 4 // 3 - 3


@pytest.mark.parametrize("coding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("packed", [base64.b64encode, base64.b32encode], ids=["base64", "base32"])
def test_two_bytes_a_letter_are_found_encoded(coding: str, packed: Callable[[bytes], bytes]) -> None:
    text = packed("Mohamed Ali Street 15".encode(coding)).decode()
    assert found(text, "Mohamed Ali Street 15") == [(0, len(text), "v0")]


def test_a_value_of_six_bytes_is_found_encoded() -> None:
    assert found("x 4b7837516d32 y", "Kx7Qm2") == [(2, 14, "v0")]
    assert found("x 4b7837516d y", "Kx7Qm") == []


def test_the_shortest_encoded_values_are_found_whole() -> None:
    """In base64 what neighbours' bits are mixed into is left out, and not a character more."""
    encoded = [base64.b64encode(before + b"Kx7Qm2Z").decode() for before in (b"", b"x", b"xy")]
    assert found("S3g3UW0y", "Kx7Qm2") == [(0, 8, "v0")]
    assert [found(text, "Kx7Qm2Z") for text in encoded] == [[(0, 9, "v0")], [(2, 10, "v0")], [(3, 12, "v0")]]


def test_broken_bytes_break_nothing() -> None:
    assert letters("%FF%41") == ("a", [(3, 6)])
    assert found("\ud800abcdefghijkl", "abcdefghijkl") == [(1, 13, "v0")]
    needles = Needles()
    needles.add("\ud800abcdefghijkl", "x")
    assert needles.find("abcdefghijkl") == [Found(0, 12, "x")]


def test_blocks_at_every_place_of_a_value() -> None:
    for size in range(8, 34):
        value = "abcdefghijklmnopqrstuvwxyz0123456789"[:size]
        assert found(f"-{value}-", value) == [(1, 1 + size, "v0")]
        if size >= 15:
            # 15 characters from any place hold a whole block.
            assert all(found(f"-{value[n : n + 15]}-", value) for n in range(size - 14))


def test_the_end_of_a_value_counts_as_much_as_its_beginning() -> None:
    value = "abcdefghijklmnopqrstuvwxyz"[:23]
    assert found(f"-{value[:12]}-", value) == found(f"-{value[11:]}-", value) == [(1, 13, "v0")]


def test_a_short_value_is_found_whole() -> None:
    assert found("xeightchay", "eightcha") == [(1, 9, "v0")]
    assert found("ninechars ninechar", "ninechars") == [(0, 9, "v0")]
    assert found("x-eightcha-x", "eightcha") == [(2, 10, "v0")]
    assert found("eightchb", "eightcha") == []


def test_words_are_found_alone() -> None:
    assert found("Mona, (mona) and monatlich or almona", "Mona") == [(0, 4, "v0"), (7, 11, "v0")]
    assert found("mona", "Mona") == [(0, 4, "v0")]
    assert found("a mona", "Mona") == [(2, 6, "v0")]
    assert found("علي محمد", "محمد") == [(4, 8, "v0")]
    assert found("abc", "abc") == []
    assert found("anom 6d6f6e61 TW9uYQ", "Mona") == []


def test_values_side_by_side_are_told_apart() -> None:
    a, b = "firstsecretvalue1", "othersecretvalue2"
    assert found(f"{a}{b}", a, b) == [(0, 17, "v0"), (17, 34, "v1")]
    assert found(f"{a} {b} {a}", a, b) == [(0, 17, "v0"), (18, 35, "v1"), (36, 53, "v0")]
    # The second, whose beginning is like the first's end, does not reach into it.
    assert found("xxxxabcdefghijklmnop", "xxxxabcdefgh", "abcdefghijklmnop") == [(0, 12, "v0"), (12, 20, "v1")]


def test_of_two_that_fit_the_longer_is_named() -> None:
    assert found("commonstart-longer-end", "commonstart", "commonstartlongerend")[0] == (0, 22, "v1")


def test_of_two_that_share_a_block_the_longer_is_named() -> None:
    assert found("5678commonst", "commonst", "12345678commonst") == [(0, 12, "v1")]


def test_a_word_within_something_found_is_not_found_again() -> None:
    assert found("secret-with-Mona-inside", "secretwithmonainside", "Mona") == [(0, 23, "v0")]


def test_adding_twice_changes_nothing() -> None:
    needles = Needles()
    needles.add(SECRET, "a")
    needles.add(SECRET, "b")
    assert needles.find(SECRET) == [Found(0, len(SECRET), "a")]


# The redactor


def test_secrets_get_their_name_and_the_rest_stays() -> None:
    redactor = Redactor()
    redactor.add_secret(SECRET, "KEY")
    redactor.add_secret("", "EMPTY")
    redactor.add_secret("p!", "SHORT")
    assert redactor.text(f"a {SECRET} b p! c {quote('p!', safe='')} d {base64.b64encode(b'p!').decode()}") == (
        "a $KEY b $SHORT c $SHORT d $SHORT"
    )
    redactor.add_secret("/?/", "SLASHES")
    redactor.add_secret("q\ud800", "BROKEN")
    assert redactor.text("p! %2F%3F%2F %2f /?/ q\ud800") == "$SHORT $SLASHES %2f $SLASHES q?"
    redactor.add_secret("a!", "LITTLE")
    redactor.add_secret("a!b!", "LARGE")
    redactor.add_secret("eight-ch", "EIGHT")
    assert redactor.text("eightch p! a!") == "$EIGHT $SHORT $LITTLE"
    redactor.add_secret('"', "QUOTE")
    assert redactor.text('x\\"y"') == "x$QUOTEy$QUOTE"


def test_personal_values_keep_their_shape_and_a_fingerprint() -> None:
    redactor = Redactor()
    redactor.add_personal(["Ahmed Mohamed", None, "", "123"])
    mark = redactor.fingerprint("Ahmed Mohamed")
    assert redactor.text("for Ahmed Mohamed!") == f"for xxxxx xxxxxxx #{mark}!"
    assert redactor.text("Mohamed alone") == f"xxxxxxx #{redactor.fingerprint('Mohamed')} alone"
    assert redactor.text("123 stays") == "123 stays"
    assert len(mark) == 4
    assert mark == redactor.fingerprint("Ahmed Mohamed")
    marks = {redactor.fingerprint(f"Ahmed {n}") for n in range(20)} | {Redactor().fingerprint("x") for _ in range(20)}
    assert len(marks) > 30


def test_a_birth_date_is_found_in_every_order() -> None:
    redactor = Redactor()
    redactor.add_personal(["1998-09-19T00:00:00Z", "1970-01-02"])
    for written in ("born 19091998.", "on 09191998.", "19980919 x", "19 09 1998", "x 02011970 y", "19/09\n/1998"):
        assert "1998" not in redactor.text(written)
        assert "1970" not in redactor.text(written)
    assert redactor.text("on 05/06/2001 and 2001-6-5, 5.6.2001") == "on 99/99/9999 and 9999-9-9, 9.9.9999"
    assert redactor.text("1/2-2001 and 1.2.3") == "1/2-2001 and 1.2.3"


def test_numbers_and_tokens_without_a_name() -> None:
    redactor = Redactor()
    assert redactor.text("id 123456 and 12345, ٢٩٩٠١٠١") == "id 999999 and 12345, ٩٩٩٩٩٩٩"
    jwt = "eyJhbGciOiJI.eyJqdGkiOiJ4.c2ln"
    assert redactor.text(f"a {jwt} b") == "a $TOKEN b"
    assert redactor.text("a eyJshort.x b") == "a eyJshort.x b"


@pytest.mark.parametrize(
    ("value", "shape"),
    [("1999-01-01T00:00Z", "9999-99-99x99:99x"), ("محمد ٣", "عععع ٩"), ("a\u202eb", "x⟨U+202E⟩x"), ("\ud800", "?")],
)
def test_the_shape_of_a_value(value: str, shape: str) -> None:
    redactor = Redactor()
    assert redactor.mask(value) == f"{shape} #{redactor.fingerprint(value)}"


def test_shapes_end_at_80_characters() -> None:
    redactor = Redactor()
    assert redactor.mask("") == ""
    assert redactor.mask("a" * 80) == f"{'x' * 80} #{redactor.fingerprint('a' * 80)}"
    assert redactor.mask("a" * 81) == f"{'x' * 80}… #{redactor.fingerprint('a' * 81)}"


def test_texts_are_cut() -> None:
    redactor = Redactor()
    assert redactor.text("a" * MAX_TEXT) == "a" * MAX_TEXT
    assert redactor.text("a" * (MAX_TEXT + 1)) == "a" * MAX_TEXT + f"… ({MAX_TEXT + 1} characters)"
    assert redactor.text("abcdef", limit=3) == "abc… (6 characters)"
    assert redactor.text("ab", limit=3) == "ab"
    redactor.add_secret(SECRET, "KEY")
    # What is hidden makes a text shorter, but not whole.
    assert redactor.text(SECRET * 3, limit=20) == f"$KEY$KEY$KEY… ({3 * len(SECRET)} characters)"


def test_directions_and_surrogates_are_written_out() -> None:
    redactor = Redactor()
    assert redactor.text("a\u202e\u2066b\u2069\ud800") == "a⟨U+202E⟩⟨U+2066⟩b⟨U+2069⟩?"
    assert redactor.text("\u202a\u202b\u202c\u202d\u2067\u2068\u202f") == (
        "⟨U+202A⟩⟨U+202B⟩⟨U+202C⟩⟨U+202D⟩⟨U+2067⟩⟨U+2068⟩\u202f"
    )


def test_a_missing_key_hides_strings() -> None:
    redactor = Redactor()
    assert redactor.tree("Ahmed") == f"xxxxx #{redactor.fingerprint('Ahmed')}"
    assert redactor.tree(7) == "<integer>"
    assert redactor.body(b"B" * 79 + b"c") == "<80 characters>"


def test_trees() -> None:
    redactor = Redactor()
    redactor.add_secret(SECRET, "KEY")
    tree = {
        "message": f"said {SECRET}", "errorCode": 10103, "title": "t", "documentTypeId": "1",
        "documentTypeCode": "NID", "token": "abc", "image": "abcd", SECRET: None, "fullName": "Ahmed",
        "detectedAge": 27, "share": 0.5, "yes": True, "list": ["Ahmed", 1], "x" * 90: "",
        "expirationDate": "2026-01-02",
    }  # fmt: skip
    shown = redactor.tree(tree)
    assert shown["message"] == "said $KEY"
    assert (shown["errorCode"], shown["title"], shown["documentTypeId"], shown["documentTypeCode"]) == (
        10103,
        "t",
        "1",
        "NID",
    )
    assert shown["token"] == "$TOKEN"
    assert shown["image"] == "<4 characters of base64, no line breaks, sha256 88d4266fd4e6>"
    assert shown["$KEY"] is None
    assert shown["fullName"] == f"xxxxx #{redactor.fingerprint('Ahmed')}"
    assert (shown["detectedAge"], shown["share"], shown["yes"]) == ("<integer>", "<number>", True)
    assert shown["list"] == [f"xxxxx #{redactor.fingerprint('Ahmed')}", "<integer>"]
    assert shown["x" * 80] == ""
    assert shown["expirationDate"].startswith("9999-99-99")
    assert redactor.tree({"errorCode": 29901010123413}) == {"errorCode": "<integer>"}
    assert redactor.tree({"errorCode": 4.5}) == {"errorCode": 4.5}
    assert len(redactor.tree({str(n): n for n in range(200)})) == 100
    assert len(redactor.tree([None] * 50)) == 20
    assert redactor.tree({"message": ["x"]}) == {"message": ["x"]}


def test_a_birth_date_is_found_encoded_in_every_order() -> None:
    redactor = Redactor()
    redactor.add_personal(["1998-09-19"])
    for separator in ("-", "/", ".", ""):
        for parts in (("1998", "09", "19"), ("19", "09", "1998"), ("09", "19", "1998")):
            encoded = base64.b64encode(separator.join(parts).encode()).decode().rstrip("=")
            assert encoded[:-1] not in redactor.text(f"x {encoded} y")


def test_the_longest_form_of_a_secret_is_taken_first() -> None:
    redactor = Redactor()
    redactor.add_secret("\\x", "KEY")
    assert redactor.text("\\\\x and \\x") == "$KEY and $KEY"


def test_a_picture_that_is_no_text_is_described() -> None:
    assert Redactor().tree("a\ud800", "image").startswith("<2 characters of base64, no line breaks, sha256 ")


def test_bodies() -> None:
    redactor = Redactor()
    assert redactor.body(b"") == ""
    assert redactor.body(b'{"message": "x"}') == {"message": "x"}
    assert redactor.body(b"<html>") == "<html>"
    assert redactor.body(b"\xff" + b"a" * 79) == "\ufffd" + "a" * 79
    assert redactor.body(b"a" * 80) == "<80 characters>"
    assert redactor.body(b"[" * 50_000).startswith("[[[")
    assert redactor.tree("a\nb", "image") == "<3 characters of base64, LF line breaks, sha256 7e18f737311b>"
    assert redactor.tree("a\r\nb", "image") == "<4 characters of base64, CRLF line breaks, sha256 18745f36a05e>"
    assert redactor.body(b"x" * 256_001) == "<256001 bytes, sha256 661a0ac99102>"
    assert redactor.body(b"x" * 256_000) == "<8000 characters>"
    assert redactor.body(b"<" * (4 * MAX_TEXT + 5)) == "<" * MAX_TEXT + f"… ({4 * MAX_TEXT} characters)"


def test_headers() -> None:
    redactor = Redactor()
    redactor.add_secret(SECRET, "KEY")
    shown = redactor.headers(
        [
            ("Authorization", "Bearer abc"), ("authorization", "abc"), ("AUTHORIZATION", ""), ("Set-Cookie", "a"),
            ("cookie", "a"), ("Proxy-Authorization", "a"), ("X-Api-Key", "a"), ("X-Echo", SECRET), (SECRET, "a"),
            ("y" * 90, "a"),
        ]
    )  # fmt: skip
    assert shown == {
        "Authorization": "Bearer $TOKEN", "authorization": "$TOKEN", "AUTHORIZATION": "", "Set-Cookie": "(hidden)",
        "cookie": "(hidden)", "Proxy-Authorization": "(hidden)", "X-Api-Key": "(hidden)", "X-Echo": "$KEY", "$KEY": "a",
        "y" * 80: "a",
    }  # fmt: skip


def an_exchange(**more: Any) -> Exchange:
    return Exchange(
        7, "upload_front", "POST", f"/a/{SECRET}", {"X": SECRET}, b'{"message": "m"}', "s1",
        Clocks(1_000_000, 3_000_000, 10_500_000, 4_000_000, 8_000_000), 200, [("Y", "z")], b'{"errorCode": 5}',
        f"failed with {SECRET}", test="a test", picture=Picture("c1", "front", 99, "image/png", "lf"), intent="odd",
        **more,
    )  # fmt: skip


def test_what_is_recorded() -> None:
    redactor = Redactor()
    redactor.add_secret(SECRET, "KEY")
    recorded = redactor.record(an_exchange(), "2026-01-01")
    assert recorded.model_dump() == {
        "number": 7, "at": "2026-01-01", "test": "a test", "session": "s1", "endpoint": "upload_front",
        "method": "POST", "path": "/a/$KEY", "intent": "odd", "request_headers": {"X": "$KEY"},
        "request_body": {"message": "m"},
        "status": 200, "answer_headers": {"Y": "z"}, "answer_body": {"errorCode": 5}, "failure": "failed with $KEY",
        "clocks": {"waiting_ms": 2.0, "service_ms": 7.5, "sending_ms": 1.0, "thinking_ms": 4.0, "reading_ms": 2.5},
        "picture": {"side": "front", "bytes": 99, "media_type": "image/png", "wrapping": "lf"},
    }  # fmt: skip


def test_what_is_unknown_is_recorded_as_such() -> None:
    exchange = an_exchange()
    exchange.clocks, exchange.picture, exchange.failure = Clocks(0, 0, 1), None, None
    recorded = Redactor().record(exchange, "")
    assert (recorded.failure, recorded.picture) == (None, None)
    clocks = recorded.clocks
    assert (clocks.sending_ms, clocks.thinking_ms, clocks.reading_ms) == (None, None, None)
    exchange.clocks = Clocks(0, 0, 10_000_123_456)
    assert Redactor().record(exchange, "").clocks.service_ms == 10_000.123
    exchange.clocks = Clocks(0, 0, 5_000_000, None, 2_000_000)
    clocks = Redactor().record(exchange, "").clocks
    assert (clocks.sending_ms, clocks.thinking_ms, clocks.reading_ms) == (None, None, 3.0)


def test_where_no_redactor_of_a_run_is() -> None:
    shown = redacted(f"{SECRET} for Ahmed", {"KEY": SECRET, "NONE": ""}, ["Ahmed"])
    assert shown.startswith("$KEY for xxxxx #")


def test_a_repr_shows_nothing() -> None:
    assert SECRET not in repr(an_exchange()).replace(f"/a/{SECRET}", "").replace(f"failed with {SECRET}", "")


# Ours and theirs


def test_a_target_blanks_no_word_of_ours() -> None:
    redactor = Redactor()
    words = "status accepted refused required isSuccess message before with address gender date"
    redactor.add_reading({"address": words})
    sentence = f"status 500; required: accepted, isSuccess before; it says {theirs('accepted by Cairo')}"
    mark = redactor.fingerprint("accepted")
    assert redactor.sentence(sentence) == (
        f"status 500; required: accepted, isSuccess before; it says xxxxxxxx #{mark} by Cairo"
    )
    assert list(redactor.tree({"address": "x", "gender": None, "message": None})) == ["address", "gender", "message"]
    assert list(redactor.headers([("Date", "today")])) == ["Date"]


def test_a_short_or_word_like_credential_garbles_nothing() -> None:
    redactor = Redactor()
    for secret, name in (("T", "KYCGATE_TENANT_ID"), ("ex", "KYCGATE_TOKEN"), ("success", "KYCGATE_API_KEY_1")):
        redactor.add_secret(secret, name)
    sentence = f"isSuccess false at the expirationDate, a success: {theirs('T said ex, or success; isSuccess')}"
    assert redactor.sentence(sentence) == (
        "isSuccess false at the expirationDate, a success: "
        "$KYCGATE_TENANT_ID said $KYCGATE_TOKEN, or $KYCGATE_API_KEY_1; isSuccess"
    )
    assert redactor.too_short == ["KYCGATE_TENANT_ID", "KYCGATE_TOKEN"]
    assert redactor.short_words == (
        "KYCGATE_TENANT_ID, KYCGATE_TOKEN: fewer than 4 letters and digits cannot be told from text, so what a target "
        "writes of it is taken out as a whole word alone"
    )
    assert not Redactor().short_words


def test_a_marked_part_is_redacted_however_it_is_cut_or_nested() -> None:
    redactor = Redactor()
    redactor.add_secret(SECRET, "KEY")
    assert redactor.sentence(f"it says {theirs(SECRET)} here") == "it says $KEY here"
    assert redactor.sentence(theirs(f"a {theirs(SECRET)} b")) == "a $KEY b"
    assert redactor.sentence(f"it says {theirs(SECRET)}"[:-1]) == "it says $KEY"
    # A part without a mark does not let a real secret out.
    assert redactor.sentence(f"ours {SECRET}") == "ours $KEY"


def test_what_is_learned_of_an_answer_is_bounded() -> None:
    redactor = Redactor()
    redactor.add_reading({"address": "word " * 60_000, "fullName": "Ahmed Ali", "unknown": "elsewhere"})
    assert redactor.text("word elsewhere Ali") == f"word elsewhere xxx #{redactor.fingerprint('Ali')}"
    for number in range(4_000):
        redactor.add_reading({"address": " ".join(f"street{number}x{n}" for n in range(12))})
    begun = time.process_time()
    text = " ".join(f"word{n}" for n in range(3_000))
    for _ in range(3):
        redactor.text(text)
    assert time.process_time() - begun < 3


def test_pins_hold_no_word_that_was_redacted() -> None:
    behaviour = Behaviour(redactor := Redactor())
    redactor.add_reading({"address": "No address given, Vendor street"})
    assert [behaviour._safe(name) for name in ("address", "date", "vendor")] == ["address", "date", NOT_SHOWN]


def test_which_writings_of_a_value_are_found() -> None:
    secrets, values = found_writings()
    missed = [way for seen in (secrets, values) for way, was in seen.items() if not was]
    assert missed == [
        *("base85", "base64, backwards", "ROT13", "pieces under 12 letters"),
        *("the number as a hexadecimal integer", "the number's last four digits"),
    ]
    assert (len(secrets), len(values)) == (32, 17)


# Any JSON

_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just("\ud800")
_TREES = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


def _nested(value: Any, depth: int, kind: str) -> bytes:
    body = json.dumps(value, allow_nan=False) if value == value else "null"
    return ("[" * depth + body + "]" * depth if kind == "list" else '{"a":' * depth + body + "}" * depth).encode()


def test_no_json_of_a_target_costs_the_run(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run", "check")
    redactor = Redactor()

    def kept(body: bytes) -> None:
        clocks = Clocks(0, 0, 1)
        exchange = Exchange(1, "token", "POST", "/", {}, b"", "s1", clocks, status=200, answer_body=body)
        assert [*judge_answer(exchange)]
        line = redactor.record(exchange, "2026-01-01T00:00:00.000+00:00").model_dump_json()
        folder.exchanges_path.write_text(f"{line}\n", encoding="utf-8")
        (read,) = folder.read_exchanges(whole=True)
        json.dumps(read.answer_body)

    @given(_TREES, st.sampled_from([0, 1, 39, 40, 41, 200, 255, 400, 490, 900]), st.sampled_from(["list", "object"]))
    def any_json(value: Any, depth: int, kind: str) -> None:
        try:
            body = _nested(value, depth, kind)
        except ValueError:  # not a number
            return
        kept(body)

    any_json()
    for body in (b"9" * 5_000, b'{"errorCode": 1e999}', b'{"a": ' + b"9" * 4_000 + b"}", b"[" * 100_000, b"\xff" * 99):
        kept(body)
    page = render_html(Run(command="check", verdict="kept", exit_code=0), folder.read_exchanges())
    assert page
