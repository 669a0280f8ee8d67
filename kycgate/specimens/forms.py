"""The forms in which phones, scanners and web pages hand over one picture: coding, colour, turned by EXIF, profiles."""

import io
from collections.abc import Callable
from typing import Final

from PIL import Image, ImageCms

TURNED: Final = "a JPEG that its EXIF tag says to turn"
_ORIENTATION, _THUMBNAIL_WIDTH = 0x0112, 160


def _saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def _jpeg(**options: object) -> Callable[[Image.Image], bytes]:
    return lambda picture: _saved(picture, "JPEG", **{"quality": 95, **options})


def _turned(picture: Image.Image) -> bytes:
    exif = Image.Exif()
    exif[_ORIENTATION] = 6  # shown right once it is turned by 90 degrees, clockwise
    return _saved(picture.transpose(Image.Transpose.ROTATE_90), "JPEG", quality=95, exif=exif.tobytes())


def _as_a_phone_does(picture: Image.Image) -> bytes:
    exif = Image.Exif()
    exif[_ORIENTATION], exif[0x010F], exif[0x0110] = 1, "SPECIMEN", "SPECIMEN phone"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return _saved(picture, "JPEG", quality=95, exif=exif.tobytes(), icc_profile=profile, comment=b"SPECIMEN")


FORMS: Final[dict[str, Callable[[Image.Image], bytes]]] = {
    "a progressive JPEG": _jpeg(progressive=True),
    "a grey JPEG": lambda picture: _saved(picture.convert("L"), "JPEG", quality=95),
    "a CMYK JPEG": lambda picture: _saved(picture.convert("CMYK"), "JPEG", quality=95),
    TURNED: _turned,
    "a JPEG with EXIF, a profile and a comment": _as_a_phone_does,
    "a JPEG without colour subsampling": _jpeg(subsampling=0),
    "a JPEG with restart markers": _jpeg(restart_marker_rows=1),
    "an RGB PNG": lambda picture: _saved(picture, "PNG"),
    "a palette PNG": lambda picture: _saved(picture.convert("P", palette=Image.Palette.ADAPTIVE), "PNG"),
    "a grey PNG of 16 bits": lambda picture: _saved(picture.convert("I;16"), "PNG"),
    "a PNG with transparency": lambda picture: _saved(_with_alpha(picture), "PNG"),
}
"""By name, what makes one of a picture in RGB."""


def _with_alpha(picture: Image.Image) -> Image.Image:
    found = picture.convert("RGBA")
    found.putalpha(Image.linear_gradient("L").resize(picture.size).point(lambda level: 200 + level // 5))
    return found


def in_form(image: bytes, form: str) -> bytes:
    """The same picture in another form.

    Raises:
        KeyError: there is no form of that name.
        OSError: `image` cannot be read.
    """
    with Image.open(io.BytesIO(image)) as picture:
        return FORMS[form](picture.convert("RGB"))
