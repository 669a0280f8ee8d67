"""Reads a specimen back from its pixels. Takes any bytes at all and never raises."""

import hashlib
import io
import threading
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import zxingcpp
from PIL import Image

from kycgate.specimens.code import parse_payload
from kycgate.specimens.person import make_person

MAX_PIXELS = 40_000_000
_READ_WIDTH = 1_100


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read: the side, and the fields by the vendor's property names."""

    side: str
    seed: int
    fields: Mapping[str, str]


def open_picture(image: bytes, *, max_pixels: int = MAX_PIXELS) -> Image.Image | None:
    """The decoded picture in grey, at reading size; None when it is not a whole picture or declares too many pixels."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(image), formats=("JPEG", "PNG")) as picture:
                if not 0 < picture.width * picture.height <= max_pixels:
                    return None
                picture.draft("L", (_READ_WIDTH, _READ_WIDTH))
                grey = picture.convert("L")
    except Exception:  # noqa: BLE001 - decoders raise whatever hostile bytes make them raise
        return None
    if grey.width > 1.5 * _READ_WIDTH:
        grey = grey.resize((_READ_WIDTH, max(1, grey.height * _READ_WIDTH // grey.width)))
    return grey


_MOST_READ: Final = 512
_already_read: dict[tuple[bytes, int], Reading | None] = {}
_lock = threading.Lock()


def read(image: bytes, *, max_pixels: int = MAX_PIXELS) -> Reading | None:
    """What the picture's code says; None when it cannot be read. Of the last pictures it is remembered. Thread-safe."""
    key = hashlib.blake2b(image, digest_size=16).digest(), max_pixels
    with _lock:
        if key in _already_read:
            return _already_read[key]
    found = _read(image, max_pixels)
    with _lock:
        if len(_already_read) >= _MOST_READ and key not in _already_read:
            del _already_read[next(iter(_already_read))]
        _already_read[key] = found
    return found


def _read(image: bytes, max_pixels: int) -> Reading | None:
    picture = open_picture(image, max_pixels=max_pixels)
    if picture is None:
        return None
    for found in zxingcpp.read_barcodes(picture, formats=zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.PDF417])):
        known = parse_payload(found.text)
        if known is not None:
            side, seed = known
            return Reading(side, seed, make_person(seed).truth(side))
    return None


def is_picture(image: bytes) -> bool:
    """Whether these bytes are a whole picture that may be decoded."""
    return open_picture(image) is not None
