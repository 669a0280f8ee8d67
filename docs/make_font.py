"""Makes reports/fonts/inter.woff2: Inter's Latin letters, digits and arrows, in the weights that the report uses.

    uv run --with fontpkg-inter --with 'fonttools[woff]' python docs/make_font.py

The report carries it within itself, so that it looks the same on every machine and fetches no font. Inter is
under the SIL Open Font License, which lies beside the font.
"""

import io
from importlib.resources import files
from pathlib import Path

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont
from fontTools.varLib.instancer import AxisTriple, instantiateVariableFont

OUT = Path(__file__).parents[1] / "reports" / "fonts"
LETTERS = (*range(0x20, 0x7F), *range(0xA0, 0x180), *map(ord, "–—‘’“”…‹›•·×≤≥≈→←↑↓↗−µ␊␉⟨⟩✓"))

source = files("fontpkg_inter")
font = TTFont(io.BytesIO((source / "files" / "Inter[opsz,wght].ttf").read_bytes()))
options = Options()
options.layout_features = ["kern", "mark", "mkmk", "ccmp", "locl", "tnum", "calt", "case"]
options.hinting = False
subsetter = Subsetter(options)
subsetter.populate(unicodes=LETTERS)
subsetter.subset(font)
font = instantiateVariableFont(font, {"opsz": 14, "wght": AxisTriple(400, 400, 700)})
font.flavor = "woff2"
font.save(OUT / "inter.woff2")
(OUT / "LICENSE-inter.txt").write_bytes((source / "LICENSE").read_bytes())
print(f"{(OUT / 'inter.woff2').stat().st_size:,} bytes")
