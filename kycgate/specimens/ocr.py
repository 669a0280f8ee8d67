"""Reads a specimen's print with Tesseract, as a vendor reads a card: find the card, cut out the lines, read each.

The engine comes with the extra `kycgate[ocr]` (tesserocr carries libtesseract); its languages are files that Debian
packages as tesseract-ocr-ara, -fas, -eng and -script-arab, or that TESSDATA_PREFIX points to. Nothing is fetched. It
errs, as real readings do: docs/ocr.md says how often. Passport pages are not read.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime
from difflib import get_close_matches
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from kycgate.contracts.id_number import NationalId, to_ascii_digits
from kycgate.errors import UsageError
from kycgate.specimens.draw import HEIGHT, WIDTH
from kycgate.specimens.person import NATIONALITY, WORDS, in_english, to_arabic_indic
from kycgate.specimens.reading import open_picture

Box = tuple[int, int, int, int]

LANGUAGES = ("ara", "fas", "eng", "Arabic")
_PLACES = ("/usr/share/tesseract-ocr/5/tessdata", "/usr/share/tesseract-ocr/4.00/tessdata", "/usr/share/tessdata")
_MISSING = (
    "--reading ocr takes the extra and its languages: pip install 'kycgate[ocr]', and "
    "apt-get install tesseract-ocr-ara tesseract-ocr-fas tesseract-ocr-eng tesseract-ocr-script-arab"
)

# Where a card's lines lie, in pixels of a card of 1012 × 638.
_FRONT: Mapping[str, Box] = {
    "firstName": (300, 92, 986, 162),
    "familyName": (300, 160, 986, 230),
    "address": (300, 230, 986, 284),
    "state": (300, 280, 986, 338),
    "number": (440, 344, 986, 426),
    "documentNumber": (32, 366, 258, 414),
}
_BACK: Mapping[str, Box] = {
    "number": (440, 26, 986, 92),
    "issued": (32, 38, 300, 92),
    "profession": (300, 106, 986, 166),
    "words": (300, 166, 986, 236),
    "expires": (500, 242, 702, 304),
}
_PORTRAIT: Box = (40, 96, 238, 346)

_DIGITS = "٠١٢٣٤٥٦٧٨٩"
_PERSIAN = "۰۱۲۳۴۵۶۷۸۹"
_TEXT_HEIGHT, _LATIN_HEIGHT = 48, 36
_MARKS = str.maketrans(dict.fromkeys("\u200e\u200f\u0640.,،:_|'\"", None))


def tessdata() -> Path:
    """The folder with the languages.

    Raises:
        UsageError: the extra or a language is not installed.
    """
    try:
        import tesserocr  # noqa: F401 - is it there?
    except ImportError:
        raise UsageError(_MISSING) from None
    for place in (os.environ.get("TESSDATA_PREFIX"), *_PLACES):
        if place and all((Path(place) / f"{name}.traineddata").is_file() for name in LANGUAGES):
            return Path(place)
    raise UsageError(_MISSING)


@cache
def _engine(language: str, digits: bool = False) -> Any:
    """One engine for each process and language: loading takes longer than reading."""
    from tesserocr import OEM, PSM, PyTessBaseAPI

    # One glyph at a time for digits: as a line, the models lose most of a bold number.
    mode = PSM.SINGLE_CHAR if digits else PSM.RAW_LINE
    api = PyTessBaseAPI(path=str(tessdata()), lang=language, psm=mode, oem=OEM.LSTM_ONLY)
    if digits:
        api.SetVariable("tessedit_char_whitelist", _DIGITS + _PERSIAN)
    return api


def warm_up() -> None:
    """Load the engines of this process. Tesseract's own threads are off: a pool of processes shares the cores."""
    os.environ["OMP_THREAD_LIMIT"] = "1"
    for language, digits in (("ara", False), ("eng", False), ("Arabic", True), ("fas", True)):
        _engine(language, digits)


def read_print(image: bytes, side: str) -> dict[str, str] | None:
    """What `side` (front, back) prints, by the vendor's property names, dates in ISO 8601; None when it is unreadable.

    Unreadable, as a vendor would say it: no picture, the other side, a number that cannot be, a back without profession
    or whose gender is not the number's. Any other field that cannot be read is left out.
    """
    picture = open_picture(image)
    if picture is None or min(picture.size) < 50:
        return None
    card = _card(picture)
    if (_ink(card.crop(_PORTRAIT)) > 0.12) != (side == "front"):
        return None
    return _read_front(card) if side == "front" else _read_back(card)


def _read_front(card: Image.Image) -> dict[str, str] | None:
    number = _possible(_number(card.crop(_FRONT["number"])))
    if number is None:
        return None
    first, family, state = (_text(card.crop(_FRONT[name])) for name in ("firstName", "familyName", "state"))
    fields = {
        "firstName": first,
        "familyName": family,
        "fullName": f"{first} {family}".strip(),
        "firstNameEn": in_english(first),
        "familyNameEn": in_english(family),
        "fullNameEn": f"{in_english(first)} {in_english(family)}".strip(),
        "address": _address(card.crop(_FRONT["address"])),
        "state": state,
        "idNumber": number.digits,
        "idFrontScan": number.digits,
        "documentNumber": re.sub(r"[^A-Z0-9]", "", _latin(card.crop(_FRONT["documentNumber"])).upper()),
        "birthdate": number.birthdate.isoformat(),
    }
    return {name: text for name, text in fields.items() if text}


def _read_back(card: Image.Image) -> dict[str, str] | None:
    number = _possible(_number(card.crop(_BACK["number"])))
    if number is None:
        return None
    words = _text(card.crop(_BACK["words"])).split()
    profession = _text(card.crop(_BACK["profession"]))
    fields = {
        "idNumberBack": number.digits,
        "idBackScan": number.digits,
        "issueDate": _date(f"{_number(card.crop(_BACK['issued']))}/01"),
        "expirationDate": _date(_number(card.crop(_BACK["expires"]))),
        "profession": profession,
        "nationality": NATIONALITY,
        **{name: _nearest(words[place : place + 1], known) for place, (name, known) in enumerate(WORDS.items())},
    }
    if not profession or fields["gender"] != WORDS["gender"][number.gender == "female"]:
        return None
    return {name: text for name, text in fields.items() if text}


def _possible(digits: str) -> NationalId | None:
    """The number, unless it is impossible: a vendor asks for a better photo then."""
    with suppress(ValueError):
        number = NationalId.parse(digits)
        if number.birthdate <= datetime.now(UTC).date():
            return number
    return None


def _nearest(read: list[str], known: tuple[str, ...]) -> str:
    """The word of a closed vocabulary that `read` is nearest to; empty when it is near none."""
    return next(iter(get_close_matches(read[0], known, n=1, cutoff=0.5)), "") if read else ""


def _date(glyphs: str) -> str:
    """yyyy/MM/dd in ISO 8601, or nothing; what stands for the slashes is not looked at."""
    with suppress(ValueError):
        if len(glyphs) == 10:
            return date(int(glyphs[:4]), int(glyphs[5:7]), int(glyphs[8:])).isoformat()
    return ""


# The picture


def _card(picture: Image.Image) -> Image.Image:
    """The card alone, upright, at its own size: a card on a darker ground is found by its four corners."""
    pixels = np.asarray(picture)
    corners = np.array([pixels[0, 0], pixels[0, -1], pixels[-1, 0], pixels[-1, -1]], dtype=float)
    light = float(np.percentile(pixels, 75))
    if np.ptp(corners) > 12 or corners.max() > 0.7 * light:
        return picture.resize((WIDTH, HEIGHT))
    rows, columns = np.nonzero(pixels > (corners.mean() + light) / 2)
    if rows.size < pixels.size // 10:
        return picture.resize((WIDTH, HEIGHT))
    outermost = (rows.argmin(), columns.argmax(), rows.argmax(), columns.argmin())
    # Topmost, rightmost, bottommost, leftmost.
    extremes = [(float(columns[place]), float(rows[place])) for place in outermost]
    if extremes[0][0] < picture.width / 2:  # turned clockwise: the topmost corner is the upper left one
        upper_left, upper_right, lower_right, lower_left = extremes
    else:
        upper_right, lower_right, lower_left, upper_left = extremes
    quad = (*upper_left, *lower_left, *lower_right, *upper_right)
    return picture.transform((WIDTH, HEIGHT), Image.Transform.QUAD, quad, Image.Resampling.BICUBIC)


def _ink(part: Image.Image) -> float:
    """The share of pixels darker than paper is."""
    pixels = np.asarray(part, dtype=float)
    return float((pixels < 0.6 * np.percentile(pixels, 90)).mean())


def _cleaned(part: Image.Image) -> Image.Image:
    """Dark ink on white: the ground's pattern and whatever is stamped over it are lighter than ink, and go."""
    pixels = np.asarray(part, dtype=float)
    level = pixels / max(float(np.median(pixels)), 1.0)
    white = Image.fromarray((np.clip((level - 0.35) / 0.35, 0, 1) * 255).astype("uint8"))
    box = ImageOps.invert(white.point(lambda v: 255 if v > 128 else 0)).getbbox()
    return white.crop(box) if box else Image.new("L", (1, 1), 255)


def _runs(part: Image.Image, gap: int) -> list[tuple[int, int]]:
    """The columns that hold ink, from left to right; runs that lie less than `gap` apart are one."""
    inked = np.flatnonzero((np.asarray(part) < 128).any(axis=0))
    if not inked.size:
        return []
    breaks = np.flatnonzero(np.diff(inked) > gap)
    starts, ends = [0, *(breaks + 1)], [*breaks, inked.size - 1]
    return [(int(inked[a]), int(inked[b]) + 1) for a, b in zip(starts, ends, strict=True)]


def _framed(part: Image.Image, height: int) -> Image.Image:
    return ImageOps.expand(
        part.resize((max(1, part.width * height // part.height), height), Image.Resampling.LANCZOS), 12, 255
    )


def _said(engine: Any, part: Image.Image) -> str:
    engine.SetImage(part)
    return " ".join(str(engine.GetUTF8Text()).translate(_MARKS).split())


def _text(part: Image.Image) -> str:
    """A line of Arabic."""
    cleaned = _cleaned(part)
    return _said(_engine("ara"), _framed(cleaned, _TEXT_HEIGHT)) if cleaned.width > 4 else ""


def _latin(part: Image.Image) -> str:
    cleaned = _cleaned(part)
    return _said(_engine("eng"), _framed(cleaned, _LATIN_HEIGHT)) if cleaned.width > 4 else ""


def _number(part: Image.Image) -> str:
    """The Arabic-Indic digits of a line, as ASCII: each glyph by itself, `?` where it is none."""
    return "".join(_glyphs(_cleaned(part)))


def _glyphs(cleaned: Image.Image) -> Iterator[str]:
    line = ImageOps.expand(cleaned, (1, 0), 255)
    for start, end in _runs(line, 1)[:40]:
        glyph = line.crop((start - 1, 0, end + 1, line.height))
        large = glyph.resize((max(1, glyph.width * 72 // glyph.height), 72), Image.Resampling.LANCZOS)
        yield next(filter(None, (_digit(large, *how) for how in _DIGIT_READINGS)), "?")


_DIGIT_READINGS = (
    *(("Arabic", 28, 5), ("fas", 42, 5), ("Arabic", 24, 5), ("fas", 32, 3), ("Arabic", 20, 3), ("Arabic", 42, 5)),
)
"""Language, height and thinning (a filter's size), one after the other until one sees a digit: each model knows digits
that the other does not, and neither of them bold ones as they are. Chosen on the cards of the seeds 100 to 111."""


def _digit(glyph: Image.Image, language: str, height: int, thinning: int) -> str:
    thin = glyph.filter(ImageFilter.MaxFilter(thinning))
    return to_ascii_digits(_said(_engine(language, digits=True), _framed(thin, height)))[:1]


def _address(part: Image.Image) -> str:
    """A house number, then a street, from right to left: the widest gap near the right edge parts them."""
    cleaned = _cleaned(part)
    runs = _runs(cleaned, 1)
    gaps = [(b[0] - a[1], a[1], b[0]) for a, b in pairwise(runs) if b[0] > cleaned.width - 2 * cleaned.height]
    if not gaps:
        return _text(part)
    _, street_end, house_start = max(gaps)
    house = "".join(_glyphs(_cleaned(cleaned.crop((house_start - 2, 0, cleaned.width, cleaned.height)))))
    street = cleaned.crop((0, 0, street_end, cleaned.height))
    return f"{to_arabic_indic(house)} {_said(_engine('ara'), _framed(street, _TEXT_HEIGHT))}".strip()
