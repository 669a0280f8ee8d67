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
