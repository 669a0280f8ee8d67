"""The required and the actual side by side, with the part that differs marked."""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Final

from markupsafe import Markup, escape

from kycgate.text import visible

ALIKE: Final = 0.35
"""Below this share of common words two texts say different things: the whole answer is marked."""

_TOKENS = re.compile(r"\s+|[^\W_]+|.", re.DOTALL)


def sides(required: str, actual: str) -> tuple[Markup, Markup]:
    """Both as HTML, escaped; words that differ stand in <mark>, and of a word that is nearly the same its letters."""
    left, right = _TOKENS.findall(visible(required)), _TOKENS.findall(visible(actual))
    if len(left) == len(right) == 1:
        return _letters(left[0], right[0])
    words = SequenceMatcher(None, left, right, autojunk=True)
    shared = sum(not token.isspace() for a, _, size in words.get_matching_blocks() for token in left[a : a + size])
    if 2 * shared < ALIKE * sum(not token.isspace() for token in (*left, *right)):
        return escape("".join(left)), _marked("".join(right))
    shown_left, shown_right = Markup(), Markup()
    for tag, a, b, c, d in words.get_opcodes():
        one, other = "".join(left[a:b]), "".join(right[c:d])
        if tag == "equal":
            shown_left, shown_right = shown_left + escape(one), shown_right + escape(other)
        else:
            marked = _letters(one, other) if b - a == d - c == 1 else (_marked(one), _marked(other))
            shown_left, shown_right = shown_left + marked[0], shown_right + marked[1]
    return shown_left, shown_right


def _letters(one: str, other: str) -> tuple[Markup, Markup]:
    """One word against another."""
    if one == other:
        return escape(one), escape(other)
    letters = SequenceMatcher(None, one, other, autojunk=False)
    if letters.ratio() < ALIKE * 2:
        return _marked(one), _marked(other)
    left, right = Markup(), Markup()
    for tag, a, b, c, d in letters.get_opcodes():
        left += escape(one[a:b]) if tag == "equal" else _marked(one[a:b])
        right += escape(other[c:d]) if tag == "equal" else _marked(other[c:d])
    return left, right


def _marked(text: str) -> Markup:
    return Markup("<mark>{}</mark>").format(text) if text else Markup()


def with_line_marked(text: str, where: str) -> Markup:
    """A JSON text, escaped; the lines that give the property at the end of the path `where` stand in <mark>."""
    names: Sequence[str] = re.findall(r"[^.\[\]\s]+", where)
    name = names[-1] if names else ""
    lines = visible(text).split("\n")
    return Markup("\n").join(
        _marked(line) if name and line.lstrip().startswith(f'"{name}":') else escape(line) for line in lines
    )
