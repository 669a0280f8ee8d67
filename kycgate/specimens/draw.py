"""Draws the cards: front, back, passport page. The same arguments give the same bytes."""

import io
import random
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from kycgate.specimens.code import code_image
from kycgate.specimens.degrade import Degradation, degrade
from kycgate.specimens.mrz import mrz_lines
from kycgate.specimens.person import Person, make_person, to_arabic_indic

WIDTH, HEIGHT = 1012, 638
"""Pixels of an ID-1 card (85.6 × 54 mm) at 300 dpi."""
MIN_BYTES, MAX_BYTES = 100_000, 4_000_000
_NEARLY: Final = 0.9
"""A JPEG of this share of the wanted size is near enough: comments make up for the rest."""
SIDES = ("front", "back", "passport")
_FONTS = Path(__file__).parent / "fonts"


@dataclass(frozen=True, slots=True)
class Specimen:
    """One picture and what is printed on it."""

    person: Person | None
    side: str
    image: bytes
    media_type: str
    truth: Mapping[str, str]
    degradation: str | None = None


@dataclass(frozen=True, slots=True)
class CardSet:
    """The front and back of one card."""

    front: Specimen
    back: Specimen


@cache
def _font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(_FONTS / name), size, layout_engine=ImageFont.Layout.RAQM)


def _arabic(pen: ImageDraw.ImageDraw, right: int, top: int, text: str, size: int, bold: bool = False) -> None:
    """Arabic text, shaped and right-aligned."""
    pen.text((right, top), text, font=_font(size, bold), fill=(25, 30, 45), anchor="ra", direction="rtl", language="ar")


@cache
def _ground(side: str) -> Image.Image:
    """The paper: a tint, fine wavy lines, a frame."""
    tints = {"front": (226, 236, 230), "back": (233, 228, 238), "passport": (238, 234, 220)}
    picture = Image.new("RGB", (WIDTH, HEIGHT), tints[side])
    pen = ImageDraw.Draw(picture)
    shade = tuple(part - 14 for part in tints[side])
    for top in range(-HEIGHT, HEIGHT, 18):
        pen.arc((-200, top, WIDTH + 200, top + HEIGHT), 0, 180, fill=shade, width=2)
    pen.rectangle((6, 6, WIDTH - 7, HEIGHT - 7), outline=(120, 130, 125), width=3)
    return picture


@cache
def _mark() -> Image.Image:
    """SPECIMEN, large and slanted, half transparent."""
    layer = Image.new("RGBA", (WIDTH, HEIGHT), (0, 0, 0, 0))
    ImageDraw.Draw(layer).text(
        (WIDTH // 2, HEIGHT // 2), "SPECIMEN", font=_font(150, bold=True), fill=(190, 30, 30, 70), anchor="mm"
    )
    return layer.rotate(24)


def _face(pen: ImageDraw.ImageDraw, left: int, top: int, person: Person) -> None:
    """A drawn placeholder that shows no real person."""
    rng = random.Random(person.seed)
    skin = tuple(base + rng.randint(-12, 12) for base in (214, 178, 148))
    pen.rectangle((left, top, left + 210, top + 260), fill=(205, 214, 222), outline=(120, 130, 140), width=2)
    pen.ellipse((left + 20, top + 190, left + 190, top + 330), fill=(90, 104, 128))
    pen.rectangle((left, top + 261, left + 210, top + 335), fill=_ground("front").getpixel((20, 20)))
    pen.ellipse((left + 58, top + 48, left + 152, top + 180), fill=skin)
    pen.pieslice((left + 52, top + 36, left + 158, top + 150), 180, 360, fill=(58, 44, 38))
    for x in (left + 84, left + 118):
        pen.ellipse((x, top + 108, x + 9, top + 117), fill=(40, 40, 40))
    pen.arc((left + 88, top + 132, left + 124, top + 154), 20, 160, fill=(120, 60, 60), width=3)


def _draw_front(person: Person) -> Image.Image:
    picture = _ground("front").copy()
    pen = ImageDraw.Draw(picture)
    _arabic(pen, WIDTH - 30, 24, "بطاقة تحقيق شخصية - نموذج", 34, bold=True)
    _face(pen, 34, 90, person)
    _arabic(pen, WIDTH - 40, 100, person.first_name, 46, bold=True)
    _arabic(pen, WIDTH - 40, 164, person.family_name, 40)
    _arabic(pen, WIDTH - 40, 236, person.address, 32)
    _arabic(pen, WIDTH - 40, 286, person.state, 32)
    _arabic(pen, WIDTH - 40, 350, to_arabic_indic(person.id_number), 52, bold=True)
    pen.text((40, 372), person.document_number, font=_font(30), fill=(25, 30, 45))
    return picture


def _draw_back(person: Person) -> Image.Image:
    picture = _ground("back").copy()
    pen = ImageDraw.Draw(picture)
    _arabic(pen, WIDTH - 40, 30, to_arabic_indic(person.id_number), 44, bold=True)
    pen.text((40, 40), to_arabic_indic(f"{person.issue_date:%Y/%m}"), font=_font(34), fill=(25, 30, 45))
    _arabic(pen, WIDTH - 40, 110, person.profession, 36)
    _arabic(pen, WIDTH - 40, 172, f"{person.gender}   {person.religion}   {person.marital_status}", 36)
    _arabic(pen, WIDTH - 40, 250, f"البطاقة سارية حتى {to_arabic_indic(f'{person.expiry_date:%Y/%m/%d}')}", 34)
    return picture


def _draw_passport(person: Person) -> Image.Image:
    picture = _ground("passport").copy()
    pen = ImageDraw.Draw(picture)
    pen.text((270, 30), "SPECIMEN PASSPORT", font=_font(36, bold=True), fill=(25, 30, 45))
    _face(pen, 34, 60, person)
    for line, text in enumerate(
        (person.family_name_en, person.first_name_en, f"{person.birthdate:%d/%m/%Y}", person.document_number)
    ):
        pen.text((270, 100 + 52 * line), text, font=_font(30), fill=(25, 30, 45))
    _arabic(pen, WIDTH - 40, 300, person.full_name, 32)
    return picture


_DRAWERS = {"front": _draw_front, "back": _draw_back, "passport": _draw_passport}


def draw(
    person: Person,
    side: str,
    *,
    size_bytes: int | None = None,
    degradation: Degradation | None = None,
    strength: float = 0.5,
    format: str = "JPEG",  # noqa: A002 - Pillow's word
) -> Specimen:
    """Draw one side.

    Args:
        person: whose card it is.
        side: front, back or passport.
        size_bytes: the JPEG's exact size, from 100 kB to 4 MB; by default whatever comes, some 100 kB.
        degradation: what is wrong with the photo, by `strength` (0 to 1).
        format: JPEG or PNG.

    Raises:
        ValueError: there is no such side or size.
    """
    if side not in _DRAWERS:
        raise ValueError(f"no side {side!r}: choose from {', '.join(SIDES)}")
    if size_bytes is not None and (format != "JPEG" or not MIN_BYTES <= size_bytes <= MAX_BYTES):
        raise ValueError(f"sizes go from {MIN_BYTES} to {MAX_BYTES} bytes, for JPEG alone")
    picture = _DRAWERS[side](person)
    code = code_image(side, person.seed)
    picture.paste(code, ((WIDTH - code.width) // 2, HEIGHT - code.height - (130 if side == "passport" else 30)))
    if side == "passport":
        pen = ImageDraw.Draw(picture)
        for line, text in enumerate(mrz_lines(person)):
            # 44 characters across the page.
            pen.text((24, HEIGHT - 100 + 40 * line), text, font=_mono(), fill=(20, 20, 20))
    mark = _mark()
    picture.paste(mark, (0, -90), mark)
    if degradation is not None:
        picture = degrade(picture, degradation, strength)
    image = _encode(picture, format, size_bytes, person.seed)
    return Specimen(
        person, side, image, f"image/{format.lower()}", person.truth(side), str(degradation) if degradation else None
    )


@cache
def _mono() -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(_FONTS / "DejaVuSansMono.ttf"), 36)


def _encode(picture: Image.Image, format: str, size_bytes: int | None, seed: int) -> bytes:  # noqa: A002
    buffer = io.BytesIO()
    if format != "JPEG" or size_bytes is None:
        picture.save(buffer, format, **({"quality": 88} if format == "JPEG" else {}))
        return buffer.getvalue()
    # A larger capture of the same scene: more pixels and a sensor's noise, as from a better phone.
    scale = min(3.0, max(1.0, (size_bytes / 400_000) ** 0.5))
    large = picture.resize((int(picture.width * scale), int(picture.height * scale)))
    noise = Image.frombytes("L", (256, 256), random.Random(seed).randbytes(65_536)).resize(large.size)
    noisy = Image.blend(large, Image.merge("RGB", (noise, noise, noise)), 0.06)
    low, high = 5, 98
    best = b""
    while low <= high:
        quality = (low + high) // 2
        buffer = io.BytesIO()
        noisy.save(buffer, "JPEG", quality=quality)
        if buffer.tell() <= size_bytes - 8:
            best, low = buffer.getvalue(), quality + 1
            if len(best) > _NEARLY * size_bytes:
                break
        else:
            high = quality - 1
    return pad_jpeg(best, size_bytes)


def pad_jpeg(jpeg: bytes, size: int) -> bytes:
    """The same picture in exactly `size` bytes: comment segments (ITU T.81, B.2.4.5) carry the difference.

    Raises:
        ValueError: the picture is larger than that, or it is not a JPEG.
    """
    room = size - len(jpeg)
    if room < 0 or (0 < room < 4) or not jpeg.startswith(b"\xff\xd8"):
        raise ValueError(f"cannot pad {len(jpeg)} bytes to {size}")
    segments = bytearray()
    while room:
        take = min(room, 65_000)
        if 0 < room - take < 4:
            take -= 4
        segments += b"\xff\xfe" + struct.pack(">H", take - 2) + b"S" * (take - 4)
        room -= take
    return jpeg[:2] + bytes(segments) + jpeg[2:]


@lru_cache(maxsize=512)
def card_set(seed: int, *, size_bytes: int | None = None) -> CardSet:
    """Both sides of the card of one invented person."""
    person = make_person(seed)
    return CardSet(draw(person, "front", size_bytes=size_bytes), draw(person, "back", size_bytes=size_bytes))
