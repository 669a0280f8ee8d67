"""A reading beside the truth: what counts as read right, what as wrong, and what cannot be compared."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kycgate.judging.readings import Readings, compare, plain
from kycgate.specimens import make_person

FRONT, BACK = make_person(3).truth("front"), make_person(3).truth("back")


@pytest.mark.parametrize(
    ("field", "came", "printed", "right"),
    [
        ("fullName", "أحمد محمد", "أحمد محمد", True),
        ("fullName", " أحمد\u200f  محمد ", "أحمد محمد", True),
        ("fullName", "أحـــمد مُحَمَّد", "أحمد محمد", True),
        ("fullName", "ا\u0654حمد محمد", "أحمد محمد", True),
        ("fullName", "احمد محمد", "أحمد محمد", False),
        ("firstName", "\u06a9ر\u06ccم", "كريم", True),
        ("firstName", "منى", "مني", False),
        ("firstName", None, "أحمد", False),
        ("firstName", "", "أحمد", False),
        ("firstName", 7, "أحمد", False),
        ("familyNameEn", "MOHAMED ali", "Mohamed Ali", True),
        ("familyNameEn", None, "Mohamed Ali", None),
        ("address", "15 شارع المثال", "١٥ شارع المثال", True),
        ("address", "۱۵ شارع المثال", "١٥ شارع المثال", True),
        ("address", "١٦ شارع المثال", "١٥ شارع المثال", False),
        ("state", "حي \u2013 القاهرة", "حي - القاهرة", True),
        ("idNumber", "٢٩٩٠١٠١٠١٢٣٤١٣", "29901010123413", True),
        ("idNumber", 29901010123413, "29901010123413", False),
        ("documentNumber", "gm2134524", "GM2134524", True),
        ("birthdate", "1999-01-01T00:00:00Z", "1999-01-01", True),
        ("birthdate", "1998-12-31T22:00:00Z", "1999-01-01", True),
        ("birthdate", "1998-12-31T22:00:00", "1999-01-01", False),
        ("birthdate", "1999-01-01T23:00:00-05:00", "1999-01-02", True),
        ("birthdate", "1999-01-01", "1999-01-01", True),
        ("birthdate", "1999-01-03T00:00:00Z", "1999-01-01", False),
        ("birthdate", "9999-12-31T23:59:59Z", "1999-01-01", False),
        ("birthdate", "soon", "1999-01-01", False),
        ("gender", "Male", "ذكر", True),
        ("gender", "Female", "ذكر", False),
        ("gender", "y", "x", False),
        ("gender", "دكر", "ذكر", False),
        ("profession", "Engineer", "مهندس", None),
        ("profession", " ", "مهندس", False),
        ("religion", "مسلم", "مسلم", True),
    ],
)
def test_a_field_beside_its_truth(field: str, came: Any, printed: str, right: bool | None) -> None:
    assert compare({field: came}, {field: printed}) == ({} if right is None else {field: right})


def test_a_right_reading_is_right_in_every_field() -> None:
    for truth in (FRONT, BACK):
        assert compare(truth, truth) == dict.fromkeys(truth, True)
        came = compare({}, truth)
        assert set(came.values()) == {False}
        assert set(truth) - set(came) == {name for name in truth if name.endswith("En")}


def test_readings_are_counted_by_degradation_and_field() -> None:
    readings = Readings()
    truth = {"firstName": "أحمد", "state": "x"}
    readings.add(truth, truth)
    readings.add({**truth, "state": "y"}, truth)
    readings.add({**truth, "state": "y"}, truth, "blur")
    assert [(r.degradation, r.field, r.right, r.total) for r in readings.results()] == [
        ("blur", "firstName", 1, 1),
        ("blur", "state", 0, 1),
        ("none", "firstName", 2, 2),
        ("none", "state", 1, 2),
    ]


@given(
    st.text(max_size=30), st.dictionaries(st.sampled_from(sorted(FRONT | BACK)), st.none() | st.integers() | st.text())
)
def test_any_reading_can_be_compared(text: str, reading: dict[str, Any]) -> None:
    assert plain(plain(text)) == plain(text)
    assert set(compare(reading, FRONT | BACK)) <= set(FRONT | BACK)
