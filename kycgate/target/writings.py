"""The ways in which a target may write a secret or a person's value, and which of them redaction finds.

`python -m kycgate.target.writings` prints the table that stands in docs/explanation/writings.md.
"""

import base64
import codecs
import gzip
import json
import sys
from urllib.parse import quote

from kycgate.target.redaction import Redactor

SECRET = "tenant-PYdd0_Dr4f7Q74IUuJl-eJ-tONwG"  # noqa: S105 - an example
_STAYS = 24
"""Characters of a writing; fewer show too little of a secret."""
PERSON = {
    "fullName": "محمد علي حسن", "fullNameEn": "Mohamed Ali Hassan", "firstName": "محمد", "firstNameEn": "Mohamed",
    "birthdate": "1998-09-19T00:00:00Z", "idNumber": "29809190112345", "address": "15 Palm street",
}  # fmt: skip


def secrets_written() -> dict[str, str]:
    """`SECRET`, by the name of the writing."""
    raw, wide = SECRET.encode(), SECRET.encode("utf-16-le")
    b64 = base64.b64encode(raw).decode()
    return {
        "as it is": SECRET,
        "other case": SECRET.swapcase(),
        "backwards": SECRET[::-1],
        "split over lines": "\n".join(SECRET[n : n + 4] for n in range(0, len(SECRET), 4)),
        "percent, every byte": "".join(f"%{byte:02x}" for byte in raw),
        "percent, twice": quote("".join(f"%{byte:02x}" for byte in raw)),
        "ASP: %u0074": "".join(f"%u{ord(c):04x}" for c in SECRET),
        "JSON: \\u0074": "".join(f"\\u{ord(c):04x}" for c in SECRET),
        "JavaScript: \\u{74}": "".join(f"\\u{{{ord(c):x}}}" for c in SECRET),
        "Python: \\x74": "".join(f"\\x{byte:02x}" for byte in raw),
        "octal: \\164": "".join(f"\\{byte:03o}" for byte in raw),
        "HTML: &#116;": "".join(f"&#{ord(c)};" for c in SECRET),
        "HTML without semicolon": "".join(f"&#x{ord(c):x}" for c in SECRET),
        "HTML, twice": "".join(f"&amp;#{ord(c)};" for c in SECRET),
        "decimal bytes (Node, Java)": json.dumps(list(raw)),
        "hexadecimal": raw.hex(),
        "hexadecimal list": ", ".join(f"0x{byte:02x}" for byte in raw),
        "hexadecimal with dashes (.NET BitConverter)": "-".join(f"{byte:02X}" for byte in raw),
        "base64": b64,
        "base64 for URLs": base64.urlsafe_b64encode(raw).decode().rstrip("="),
        "base64 of UTF-16 (.NET Encoding.Unicode)": base64.b64encode(wide).decode(),
        "base64 of base64": base64.b64encode(b64.encode()).decode(),
        "base64 of hexadecimal": base64.b64encode(raw.hex().encode()).decode(),
        "base64 of gzip": base64.b64encode(gzip.compress(raw, mtime=0)).decode(),
        "base32": base64.b32encode(raw).decode(),
        "full width": "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in SECRET),
        "tag characters": "".join(chr(0xE0000 + ord(c)) for c in SECRET),
        "the first 12 letters": SECRET[:14],
        "base85": base64.b85encode(raw).decode(),
        "base64, backwards": b64[::-1],
        "ROT13": codecs.encode(SECRET, "rot13"),
        "pieces under 12 letters": " and ".join(SECRET[n : n + 9] for n in range(0, len(SECRET), 9)),
    }


def values_written() -> dict[str, tuple[str, str]]:
    """A person's values: the writing, and what of it must not stay."""
    name, english, number = PERSON["fullName"], PERSON["fullNameEn"], PERSON["idNumber"]
    arabic = number.translate({ord(str(n)): chr(0x660 + n) for n in range(10)})
    return {
        "the name": (name, name),
        "with tatweel": (name.replace("م", "مـ"), "مـحمـد"),
        "with other letters (على)": (name.replace("ي", "ى"), "على"),
        "presentation forms": ("ﻣﺤﻤﺪ", "ﻣﺤﻤﺪ"),
        "UTF-8 read as Latin-1": (name.encode().decode("latin-1"), name.encode().decode("latin-1")),
        "a name of three letters": ("it is Ali here", "Ali"),
        "the English name, other case": (english.upper(), "HASSAN"),
        "19 Sep 1998": ("19 Sep 1998", "Sep 1998"),
        "September 19, 1998": ("September 19, 1998", "1998"),
        "19-SEP-98": ("19-SEP-98", "SEP-98"),
        "19/09/98": ("19/09/98", "09/98"),
        "19 سبتمبر 1998": ("19 سبتمبر 1998", "1998"),
        "1998.09.19": ("1998.09.19", "1998"),
        "Arabic digits": (arabic, arabic),
        "the number in hexadecimal bytes": (number.encode().hex(), number.encode().hex()),
        "the number as a hexadecimal integer": (f"{int(number):x}", f"{int(number):x}"),
        "the number's last four digits": (f"ends with {number[-4:]}", number[-4:]),
    }


def found() -> tuple[dict[str, bool], dict[str, bool]]:
    """Whether each writing is found, of a secret and of a person's values."""
    redactor = Redactor()
    redactor.add_secret(SECRET, "KEY")
    person = Redactor()
    person.add_reading(PERSON)
    secrets = {way: _gone(text, redactor.text(f"it was <{text}> then")) for way, text in secrets_written().items()}
    values = {way: rest not in person.text(f"it was <{text}> then") for way, (text, rest) in values_written().items()}
    return secrets, values


def _gone(text: str, shown: str) -> bool:
    """Whether no longer part of `text` stays."""
    part = min(len(text), _STAYS)
    return not any(text[n : n + part] in shown for n in range(len(text) - part + 1))


def table() -> str:
    """docs/explanation/writings.md."""
    lines = [
        "# What redaction finds",
        "",
        "How a target may write a secret or a value of the card that was shown, and whether it is taken out. Made by",
        "`python -m kycgate.target.writings`; a test holds this page to it.",
    ]
    for title, ways in zip(("A secret", "A person's values"), found(), strict=True):
        lines += ["", f"## {title}", "", "| written | found |", "| --- | --- |"]
        lines += [f"| {way} | {'yes' if seen else '**no**'} |" for way, seen in ways.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(table())
