"""Each form of a picture is shown once on each side, and none more where the target reads none."""

from kycgate.gate.forms import FormsLeft
from kycgate.specimens.forms import FORMS


def test_each_form_is_shown_once_on_each_side_and_two_sides_differ() -> None:
    left = FormsLeft(["front", "back"])
    fronts, backs = ([left.take(side) for _ in FORMS] for side in ("front", "back"))
    assert set(fronts) == set(backs) == set(FORMS)
    assert all(front != back for front, back in zip(fronts, backs, strict=True))
    assert left.take("front") == left.take("back") == ""


def test_where_the_first_ones_are_refused_no_more_are_shown() -> None:
    left = FormsLeft(["front"])
    for _ in range(3):
        assert left.take("front")
        left.note(read=False)
    assert left.take("front") == ""


def test_where_one_was_read_the_others_are_shown_though_many_are_refused() -> None:
    left = FormsLeft(["front"])
    left.note(read=True)
    for _ in range(5):
        left.note(read=False)
    assert left.take("front")
