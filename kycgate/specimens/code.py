"""The machine-readable code on every specimen: a PDF417 that names the side and the invented person."""

import re

import pdf417gen
from PIL import Image

_PAYLOAD = re.compile(r"KYCGATE1\.SPECIMEN\.(front|back|passport)\.(\d{1,20})")


def payload(side: str, seed: int) -> str:
    return f"KYCGATE1.SPECIMEN.{side}.{seed}"


def parse_payload(text: str) -> tuple[str, int] | None:
    """The side and the person's seed; None when the code is none of ours."""
    found = _PAYLOAD.fullmatch(text)
    return (found[1], int(found[2])) if found else None


def code_image(side: str, seed: int, scale: int = 4) -> Image.Image:
    """The PDF417 in black on white; `scale` is pixels a module."""
    codes = pdf417gen.encode(payload(side, seed), columns=4, security_level=3)
    return pdf417gen.render_image(codes, scale=scale, ratio=3, padding=8)  # type: ignore[no-any-return]
