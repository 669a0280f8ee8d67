"""The required and the actual side by side, with the JSON values that differ marked: prose is never marked."""

import json
import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Final, NamedTuple

from markupsafe import Markup, escape

from kycgate.text import visible

ALIKE: Final = 0.7
"""Below this share of common letters two values are different ones: the whole of both is marked."""

_BEGINS = re.compile(
    r"""[{["]"""
    r"""|(?<!\w)'[^'\n]*'(?!\w)"""
    r"""|(?<![\w.+-])(?:-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?![\w-]|\.\w)"""
)
"""Where a JSON value may begin: an object, an array, a text, a number, a literal; or a text as Python writes it."""


_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"|[\w.+-]+|\s+|.', re.DOTALL)


class _Piece(NamedTuple):
    text: str
    value: bool


def sides(required: str, actual: str) -> tuple[Markup, Markup]:
    """Both as HTML, escaped; values that the other side does not have stand in <mark>, of similar ones their letters.

    Two sides of one word each are two values.
    """
    texts = visible(required), visible(actual)
    words = all(text and not re.search(r"\s", text) for text in texts)
    left, right = ([_Piece(text, True)] if words else [*_pieces(text)] for text in texts)
    ours, theirs = ([piece.text for piece in pieces if piece.value] for pieces in (left, right))
    shown: tuple[list[Markup], list[Markup]] = ([], [])
    for tag, a, b, c, d in SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
        if tag == "equal":
            pairs = [(escape(text), escape(text)) for text in ours[a:b]]
        elif b - a == d - c:
            pairs = [_letters(one, other) for one, other in zip(ours[a:b], theirs[c:d], strict=True)]
        else:
            shown[0].extend(_marked(text) for text in ours[a:b])
            shown[1].extend(_marked(text) for text in theirs[c:d])
            continue
        shown[0].extend(one for one, _ in pairs)
        shown[1].extend(other for _, other in pairs)
    return _joined(left, shown[0]), _joined(right, shown[1])


def lists(before: Sequence[str], now: Sequence[str]) -> tuple[Markup, Markup]:
    """Each entry on a line, escaped; those that the other list does not have stand in <mark>."""

    def side(entries: Sequence[str], other: Sequence[str]) -> Markup:
        return Markup("\n").join(
            escape(visible(entry)) if entry in other else _marked(visible(entry)) for entry in entries
        )

    return side(before, now), side(now, before)


def _pieces(text: str) -> Iterator[_Piece]:
    """The text in turns of prose and values."""
    begun, place = 0, 0
    while found := _BEGINS.search(text, place):
        end = found.end()
        if found[0] in '{["':
            try:
                _, end = json.JSONDecoder(strict=False).raw_decode(text, found.start())
            except (ValueError, RecursionError):
                place = found.start() + 1
                continue
        if begun < found.start():
            yield _Piece(text[begun : found.start()], False)
        yield _Piece(text[found.start() : end], True)
        begun = place = end
    if begun < len(text):
        yield _Piece(text[begun:], False)


def _joined(pieces: Sequence[_Piece], values: Sequence[Markup]) -> Markup:
    shown = iter(values)
    return Markup().join(next(shown) if piece.value else escape(piece.text) for piece in pieces)


def _letters(one: str, other: str) -> tuple[Markup, Markup]:
    """One value against another: of texts the letters, of objects and arrays the values in them, of numbers all."""
    if one[0] in "{[" and one[0] == other[0]:
        return _by(_TOKENS.findall(one), _TOKENS.findall(other))
    if one.strip("-.0123456789") == "" or SequenceMatcher(None, one, other).ratio() < ALIKE:
        return _marked(one), _marked(other)
    return _by(one, other)


def _by(one: Sequence[str], other: Sequence[str]) -> tuple[Markup, Markup]:
    left, right = Markup(), Markup()
    for tag, a, b, c, d in SequenceMatcher(None, one, other).get_opcodes():
        was, came = "".join(one[a:b]), "".join(other[c:d])
        left += escape(was) if tag == "equal" else _marked(was)
        right += escape(came) if tag == "equal" else _marked(came)
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
