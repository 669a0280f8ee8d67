"""The cards: reproducible, shaped, readable, degradable; and whatever bytes a reader meets."""

import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFont, features

from kycgate.contracts.id_number import NationalId
from kycgate.errors import UsageError
from kycgate.specimens import Degradation, card_set, draw, load_directory, make_person, pad_jpeg, read, save
from kycgate.specimens.draw import SIDES, _font
from kycgate.specimens.mrz import check_digit, mrz_lines

PERSON = make_person(5)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_what_is_drawn_is_read(side: str, format: str) -> None:
    drawn = draw(PERSON, side, format=format)
    reading = read(drawn.image)
    assert reading is not None
    assert (reading.side, dict(reading.fields)) == (side, dict(drawn.truth))


def test_same_arguments_same_bytes() -> None:
    assert draw(PERSON, "front").image == draw(PERSON, "front").image
    assert draw(PERSON, "front").image != draw(make_person(6), "front").image


@pytest.mark.parametrize("size", [100_000, 400_000, 2_000_000, 4_000_000])
def test_size_on_demand(size: int) -> None:
    drawn = draw(PERSON, "back", size_bytes=size)
    assert len(drawn.image) == size
    assert read(drawn.image) is not None


@pytest.mark.parametrize("how", list(Degradation))
def test_degradations_degrade(how: Degradation) -> None:
    mild, strong = (draw(PERSON, "front", degradation=how, strength=strength) for strength in (0.03, 1.0))
    assert read(mild.image) is not None
    assert mild.image != strong.image
    if how is not Degradation.JPEG_QUALITY:
        assert read(strong.image) is None


def test_arabic_is_shaped() -> None:
    assert features.check("raqm")
    # Joined letters are narrower than the same letters one by one.
    word, font = "محمد", _font(40)
    alone = sum(font.getlength(letter, direction="rtl", language="ar") for letter in word)
    assert font.getlength(word, direction="rtl", language="ar") < alone
    assert font.layout_engine == ImageFont.Layout.RAQM


def test_people_do_not_contradict_themselves() -> None:
    for seed in range(200):
        person = make_person(seed)
        number = NationalId.parse(person.id_number)
        assert number.birthdate == person.birthdate
        assert (number.gender == "male") == (person.gender == "ذكر")
        assert person.birthdate < person.issue_date < person.expiry_date
    assert len({make_person(seed).id_number for seed in range(200)}) == 200


def test_mrz_check_digits_are_icaos() -> None:
    """ICAO Doc 9303-4, appendix B: the specimen passport L898902C3 of Utopia."""
    assert check_digit("L898902C3") == "6"
    assert check_digit("740812") == "2"
    assert check_digit("120415") == "9"
    assert check_digit("ZE184226B<<<<<") == "1"
    lines = mrz_lines(PERSON)
    assert [len(line) for line in lines] == [44, 44]


@given(st.binary(max_size=400))
def test_reading_survives_any_bytes(data: bytes) -> None:
    assert read(data) is None
    assert read(b"\xff\xd8\xff" + data) is None
    assert read(b"\x89PNG\r\n\x1a\n" + data) is None


def test_a_picture_is_remembered_with_the_limit_that_it_was_read_by() -> None:
    image = draw(make_person(11), "front").image
    first = read(image)
    assert first is not None
    assert read(bytes(bytearray(image))) is first
    assert read(image, max_pixels=10) is None
    assert read(image) is first


def test_bombs_and_pieces_are_not_read() -> None:
    whole = draw(PERSON, "front").image
    assert read(whole[: len(whole) // 3]) is None
    buffer = io.BytesIO()
    Image.new("1", (9_000, 9_000)).save(buffer, "PNG")
    assert read(buffer.getvalue()) is None


@given(st.integers(min_value=4, max_value=200_000))
def test_padding_is_exact(more: int) -> None:
    jpeg = card_set(1).front.image
    assert len(pad_jpeg(jpeg, len(jpeg) + more)) == len(jpeg) + more


def test_folder_round_trip(tmp_path: Path) -> None:
    assert save(tmp_path / "cards", 2, seed=3) == 6
    cards = load_directory(tmp_path / "cards")
    assert [card.front.truth["idNumber"] for card in cards] == [card.back.truth["idNumberBack"] for card in cards]
    (tmp_path / "cards" / "truth.jsonl").unlink()
    assert len(load_directory(tmp_path / "cards")) == 2


def test_wrong_folders(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no folder"):
        load_directory(tmp_path / "none")
    with pytest.raises(UsageError, match="no pair"):
        load_directory(tmp_path)
    (tmp_path / "a-front.jpg").write_bytes(b"no picture")
    with pytest.raises(UsageError, match="cannot be read"):
        load_directory(tmp_path)
    (tmp_path / "truth.jsonl").write_text("{}\n")
    with pytest.raises(UsageError, match="line 1"):
        load_directory(tmp_path)
    line = {"file": "../x.jpg", "card": "c", "side": "front", "sha256": "", "fields": {}}
    (tmp_path / "truth.jsonl").write_text(json.dumps(line))
    with pytest.raises(UsageError, match="plain file name"):
        load_directory(tmp_path)
