"""The forms in which phones, scanners and web pages hand over one picture: coding, colour, turned by EXIF, profiles."""

import io
import struct
import zlib
from collections.abc import Callable
from typing import Final

from PIL import Image, ImageCms

TURNED: Final = {
    "a JPEG that its EXIF tag says to turn right": (6, Image.Transpose.ROTATE_90),
    "a JPEG that its EXIF tag says to turn left": (8, Image.Transpose.ROTATE_270),
    "a JPEG that its EXIF tag says to turn about": (3, Image.Transpose.ROTATE_180),
}
"""By name, the tag of a phone that was held so, and what its picture is turned by as it is stored."""
_ORIENTATION = 0x0112
_DEFLATE: Final = 1
"""The deflate level of every PNG: the default one takes twice as long and saves an eighth of the bytes."""


def _saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    if kind == "PNG":
        options["compress_level"] = _DEFLATE
    picture.save(out, kind, **options)
    return out.getvalue()


def _jpeg(**options: object) -> Callable[[Image.Image], bytes]:
    return lambda picture: _saved(picture, "JPEG", **{"quality": 95, **options})


def _turned(tag: int, by: Image.Transpose) -> Callable[[Image.Image], bytes]:
    exif = Image.Exif()
    exif[_ORIENTATION] = tag
    return lambda picture: _saved(picture.transpose(by), "JPEG", quality=95, exif=exif.tobytes())


def _as_a_phone_does(picture: Image.Image) -> bytes:
    exif = Image.Exif()
    exif[_ORIENTATION], exif[0x010F], exif[0x0110] = 1, "SPECIMEN", "SPECIMEN phone"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return _saved(picture, "JPEG", quality=95, exif=exif.tobytes(), icc_profile=profile, comment=b"SPECIMEN")


FORMS: Final[dict[str, Callable[[Image.Image], bytes]]] = {
    "a progressive JPEG": _jpeg(progressive=True),
    "a grey JPEG": lambda picture: _saved(picture.convert("L"), "JPEG", quality=95),
    "a CMYK JPEG": lambda picture: _saved(picture.convert("CMYK"), "JPEG", quality=95),
    **{name: _turned(*how) for name, how in TURNED.items()},
    "a JPEG with EXIF, a profile and a comment": _as_a_phone_does,
    "a JPEG without colour subsampling": _jpeg(subsampling=0),
    "a JPEG with restart markers": _jpeg(restart_marker_rows=1),
    "an RGB PNG": lambda picture: _saved(picture, "PNG"),
    "an interlaced PNG": lambda picture: _interlaced(picture),
    "a palette PNG": lambda picture: _saved(picture.quantize(method=Image.Quantize.FASTOCTREE), "PNG"),
    "a grey PNG of 16 bits": lambda picture: _saved(picture.convert("I;16"), "PNG"),
    "a PNG with transparency": lambda picture: _saved(_with_alpha(picture), "PNG"),
}
"""By name, what makes one of a picture in RGB."""


def _with_alpha(picture: Image.Image) -> Image.Image:
    found = picture.convert("RGBA")
    found.putalpha(Image.linear_gradient("L").resize(picture.size).point(lambda level: 200 + level // 5))
    return found


_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""The first column and row of each of the seven passes, and its steps (PNG, third edition, 8.2)."""


def _interlaced(picture: Image.Image) -> bytes:
    """Pillow reads interlaced PNG and writes none."""
    width, height = picture.size
    lines = bytearray()
    for x, y, across, down in _ADAM7:
        size = len(range(x, width, across)), len(range(y, height, down))
        if not all(size):
            continue
        # Each pixel of the pass is the one whose middle this falls on.
        where = (across, 0, x + 0.5 - across / 2, 0, down, y + 0.5 - down / 2)
        chosen = picture.transform(size, Image.Transform.AFFINE, where, Image.Resampling.NEAREST).tobytes()
        stride = 3 * size[0]
        for start in range(0, len(chosen), stride):
            lines += b"\0" + chosen[start : start + stride]
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 1)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(lines), _DEFLATE)), (b"IEND", b""))
    found = b"\x89PNG\r\n\x1a\n"
    for kind, data in parts:
        found += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return found


def in_form(image: bytes, form: str) -> bytes:
    """The same picture in another form.

    Raises:
        KeyError: there is no form of that name.
        OSError: `image` cannot be read.
    """
    with Image.open(io.BytesIO(image)) as picture:
        return FORMS[form](picture.convert("RGB"))
