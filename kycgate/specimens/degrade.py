"""What goes wrong when a card is photographed. Each takes a strength from 0 (nothing) to 1 (unreadable)."""

import io
from enum import StrEnum

from PIL import Image, ImageDraw, ImageEnhance, ImageFilter


class Degradation(StrEnum):
    """The ways a photo of a card is bad."""

    BLUR = "blur"
    ROTATION = "rotation"
    GLARE = "glare"
    LOW_LIGHT = "low-light"
    LOW_RESOLUTION = "low-resolution"
    JPEG_QUALITY = "jpeg-quality"


def degrade(picture: Image.Image, how: Degradation, strength: float) -> Image.Image:
    """A degraded copy of `picture`.

    Raises:
        ValueError: the strength lies outside 0 to 1.
    """
    if not 0 <= strength <= 1:
        raise ValueError(f"strength {strength} lies outside 0 to 1")
    if strength == 0:
        return picture.copy()
    match how:
        case Degradation.BLUR:
            return picture.filter(ImageFilter.GaussianBlur(strength * 14))
        case Degradation.ROTATION:
            return picture.rotate(strength * 45, expand=True, fillcolor=(96, 96, 96), resample=Image.Resampling.BICUBIC)
        case Degradation.GLARE:
            mask = Image.new("L", picture.size, 0)
            width, height = picture.size
            radius = strength * width * 0.8
            ImageDraw.Draw(mask).ellipse(
                (width / 2 - radius, height * 0.8 - radius, width / 2 + radius, height * 0.8 + radius), fill=255
            )
            mask = mask.filter(ImageFilter.GaussianBlur(width / 30))
            return Image.composite(Image.new("RGB", picture.size, "white"), picture, mask)
        case Degradation.LOW_LIGHT:
            return ImageEnhance.Brightness(picture).enhance(1 - strength)
        case Degradation.LOW_RESOLUTION:
            factor = 1 - 0.95 * strength
            small = picture.resize((max(8, int(picture.width * factor)), max(8, int(picture.height * factor))))
            return small.resize(picture.size)
        case Degradation.JPEG_QUALITY:
            buffer = io.BytesIO()
            picture.save(buffer, "JPEG", quality=max(1, int(90 * (1 - strength))))
            buffer.seek(0)
            return Image.open(buffer).convert("RGB")


def degrade_jpeg(jpeg: bytes, how: str, strength: float) -> bytes:
    """The same of an encoded picture, encoded again.

    Raises:
        ValueError: there is no such degradation, the strength lies outside 0 to 1, or the bytes are no picture.
    """
    try:
        with Image.open(io.BytesIO(jpeg)) as picture:
            degraded = degrade(picture.convert("RGB"), Degradation(how), strength)
    except OSError as error:
        raise ValueError(f"this is not a picture: {error}") from None
    buffer = io.BytesIO()
    degraded.save(buffer, "JPEG", quality=88)
    return buffer.getvalue()


def parse_degradations(text: str) -> tuple[tuple[str, float], ...]:
    """What is done to pictures, in turn: `blur:0.2,rotation:0.1,none`, each with a strength of up to 1.

    Raises:
        ValueError: it says otherwise.
    """
    found: list[tuple[str, float]] = []
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        how, _, strength = part.partition(":")
        try:
            # No strength leaves a picture as it is, whatever is done.
            found.append((str(Degradation(how)), float(strength)) if how != "none" else (str(Degradation.BLUR), 0.0))
        except ValueError:
            known = ", ".join(Degradation)
            raise ValueError(f"{part!r} is not a degradation: write blur:0.2, one of {known}, or none") from None
        if not 0 <= found[-1][1] <= 1:
            raise ValueError(f"the strength of {part!r} lies outside 0 to 1")
    return tuple(found)
