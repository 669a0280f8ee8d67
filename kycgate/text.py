"""Vendor text made safe to show: in HTML, Markdown, XML, a terminal, GitHub's commands, CSV.

Whatever a target answers can end up in a report. Each format has its own way to be taken over, but all share one:
characters that cannot be seen. So every function first makes those visible and cuts what is too long, and only then
escapes for its format.
"""

import re
import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache
from typing import Final

from markupsafe import Markup, escape

LIMIT: Final = 4_000
"""How many characters of one text a report shows."""

_KEPT_FORMAT_CHARACTERS: Final = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2")
"""Of category Cf, yet with a glyph of their own: Arabic and Syriac number signs."""

# Everything printable that is common, so that `sub` calls Python only for the rest.
_SUSPECT: Final = re.compile(
    r"[^\n\t\x20-\x7e\xa1-\xac\xae-\u05ff\u0606-\u061b\u061d-\u06dc\u06de-\u070e\u0710-\u07ff]"
)


@cache
def _shown(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    category = unicodedata.category(character)
    hidden = category in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"} or (category == "Cn" and code & 0xFFFE == 0xFFFE)
    if (hidden and character not in _KEPT_FORMAT_CHARACTERS) or (category == "Zs" and character not in " \u3000"):
        return f"\u27e8U+{code:04X}\u27e9"
    return character


def cut(text: str, limit: int = LIMIT) -> str:
    """`text`, or its first `limit` characters and a note on how many more there are, where that is shorter."""
    left = len(text) - limit
    note = f"… ({left:,} more characters)"
    return f"{text[:limit]}{note}" if left > len(note) else text


def whole_parts(text: str, limit: int, separator: str = "; ") -> str:
    """As many whole parts of a joined text as fit into `limit` characters, and how many more there are.

    A part that is too long by itself is cut where it is shown.
    """
    first, *others = text.split(separator)
    while others and len(first) + len(separator) + len(others[0]) <= limit:
        first += separator + others.pop(0)
    return f"{first}{separator}and {len(others)} more" if others else first


def visible(text: str, limit: int = LIMIT) -> str:
    """`text` cut, with control characters, direction overrides and other unseen characters written out.

    Line feeds and tabs stay. The result holds no surrogate, so it can be encoded, and nothing that XML 1.0 forbids.
    """
    return _SUSPECT.sub(lambda match: _shown(match[0]), cut(text, limit))


def spaced(name: object) -> str:
    """A name of ours, such as a step's id, as readers see it."""
    return str(name).replace("_", " ")


def one_line(text: str, limit: int = LIMIT) -> str:
    """As `visible`, with line feeds and tabs written out too."""
    return visible(text, limit).replace("\n", "\u240a").replace("\t", "\u2409")


def html(text: str, limit: int = LIMIT) -> Markup:
    """`text` as HTML text or attribute value."""
    return escape(visible(text, limit))


def xml(text: str, limit: int = LIMIT) -> str:
    """`text` as characters that XML 1.0 can hold; the XML writer escapes the markup."""
    return visible(text, limit)


_MARKDOWN_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]()#+\-.!|~>])")


def markdown(text: str, limit: int = LIMIT) -> str:
    """`text` as one line of Markdown prose or one table cell: no markup, mention, issue reference or link."""
    line = one_line(text, limit).replace("&", "&amp;").replace("<", "&lt;")
    line = _MARKDOWN_SPECIAL.sub(r"\\\1", line)
    # GitHub looks for mentions and links in the rendered text; an empty comment breaks the text node there.
    line = line.replace("@", "@<!-- -->").replace("://", ":<!-- -->//").replace("www\\.", "www<!-- -->\\.")
    return re.sub(r"\\#(?=\w)", r"\\#<!-- -->", line)


def counted(number: int, noun: str) -> str:
    """A number of things, in the singular where there is one."""
    return f"{number} {noun}{'s' * (number != 1)}"


_THEIRS, _END = "\ufdd0", "\ufdd1"
"""Noncharacters (Unicode 23.7), for use inside a program alone."""
_MARKS = {ord(_THEIRS): None, ord(_END): None}
_FRAGMENTS = re.compile(f"{_THEIRS}([^{_END}]*){_END}?")


def lasting(seconds: float) -> str:
    """A length of time as people say it, to its two largest units: 1 h 30 min, 45 s, 2 d 3 h."""
    left = round(seconds)
    parts: list[str] = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        number, left = divmod(left, size)
        if number or parts:
            parts.append(f"{number} {unit}" if number else "")
        if len(parts) == 2:
            break
    return " ".join(part for part in parts if part) or f"{seconds:.2g} s"


def theirs(text: str) -> str:
    """A part of a sentence of ours that a target wrote: it alone is redacted when the sentence is kept."""
    return f"{_THEIRS}{unmarked(text)}{_END}"


def unmarked(text: str) -> str:
    """`text` without the marks of `theirs`."""
    return text.translate(_MARKS)


def fragments(sentence: str) -> list[tuple[str, bool]]:
    """The parts of a sentence in their order, each with whether a target wrote it."""
    parts = _FRAGMENTS.split(sentence)
    return [(unmarked(part), bool(number % 2)) for number, part in enumerate(parts) if part]


def nearest(name: str, known: Iterable[str]) -> str:
    """`: did you mean 'x'?` where one of the known names is close to this one; else nothing."""
    found = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return did_you_mean(found[0]) if found else ""


def did_you_mean(name: str) -> str:
    """What follows a name that is not known, where it is clear which one was meant."""
    return f": did you mean {name!r}?"
