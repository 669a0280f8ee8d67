"""The forms of one picture are pictures, and show the same."""

import io

import pytest
from PIL import Image, ImageChops, ImageOps

from kycgate.specimens.forms import FORMS, TURNED, in_form


@pytest.fixture(scope="module")
def picture() -> bytes:
    out = io.BytesIO()
    Image.linear_gradient("L").resize((83, 61)).convert("RGB").save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize("form", FORMS)
def test_a_form_can_be_read(form: str, picture: bytes) -> None:
    with Image.open(io.BytesIO(in_form(picture, form))) as found:
        assert ImageOps.exif_transpose(found).size == (83, 61)
        found.load()


@pytest.mark.parametrize("form", TURNED)
def test_a_turned_picture_shows_the_same_once_it_is_turned_back(form: str, picture: bytes) -> None:
    with Image.open(io.BytesIO(in_form(picture, form))) as found, Image.open(io.BytesIO(picture)) as wanted:
        assert found.getexif()[0x0112] != 1
        apart = ImageChops.difference(ImageOps.exif_transpose(found).convert("L"), wanted.convert("L"))
        assert max(apart.tobytes()) < 40


def test_an_interlaced_png_shows_the_same(picture: bytes) -> None:
    image = in_form(picture, "an interlaced PNG")
    with Image.open(io.BytesIO(image)) as found, Image.open(io.BytesIO(picture)) as wanted:
        assert found.info["interlace"] == 1
        assert ImageChops.difference(found.convert("RGB"), wanted.convert("RGB")).getbbox() is None
