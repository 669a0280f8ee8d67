"""Finds known values in a text, however they are written there.

Text and values are compared by their letters and digits alone, in lower case, with escapes undone (`\\u0041`, `%41`,
`&#65;`) and Arabic digits as ASCII, so that a value is found split over lines, quoted, in another case or with
other digits. Each value is also looked for backwards, in hexadecimal and in base64 (all three alignments); of a long
one, a part is enough.
"""

import base64
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from kycgate.contracts.id_number import to_ascii_digits

BLOCK = 8
"""Characters that are looked up at once. Shorter values are found as whole words only."""
PART = 12
"""Characters of a longer value that count as showing it."""
LEAST = 4
_ENCODED_FROM = 6
"""Shorter values are looked for as they are: their encodings would be found by chance."""

_ESCAPES = re.compile(
    r"""(?P<bytes>(?:%[0-9a-fA-F]{2})+ | (?:\\+x[0-9a-fA-F]{2})+)
    | \\+u(?P<unicode>[0-9a-fA-F]{4})
    | &\#x(?P<hexadecimal>[0-9a-fA-F]{1,6});
    | &\#(?P<decimal>\d{1,7});
    | (?P<nothing>\\+[nrtbf] | &(?:amp|lt|gt|quot|apos|nbsp); | =\r?\n)
    | (?P<plain>\w)
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Found:
    """Where a value stands in a text, and which one."""

    start: int
    end: int
    name: str


def letters(text: str) -> tuple[str, list[tuple[int, int]]]:
    """The letters and digits that `text` shows, and where each of them stands."""
    shown: list[str] = []
    places: list[tuple[int, int]] = []
    for match in _ESCAPES.finditer(text):
        start, end = match.span()
        kind = match.lastgroup
        if kind == "plain":
            _take(match[0], start, end, shown, places)
        elif kind == "bytes":
            _take_bytes(match[0], start, shown, places)
        elif kind != "nothing":
            code = int(match[str(kind)], 10 if kind == "decimal" else 16)
            if code < 0x110000:
                _take(chr(code), start, end, shown, places)
    return "".join(shown), places


def _take(character: str, start: int, end: int, shown: list[str], places: list[tuple[int, int]]) -> None:
    if character.isalnum():
        lowered = to_ascii_digits(character.lower())
        shown.append(lowered if len(lowered) == 1 else character)
        places.append((start, end))


def _take_bytes(escaped: str, start: int, shown: list[str], places: list[tuple[int, int]]) -> None:
    """A run of bytes such as %D9%85: UTF-8, as URLs, Python and mail write it."""
    digits = re.findall(r"[0-9a-fA-F]{2}", escaped)
    width = len(escaped) / len(digits)
    place = 0
    for character in bytes.fromhex("".join(digits)).decode("utf-8", "surrogateescape"):
        size = len(character.encode("utf-8", "surrogateescape"))
        _take(character, start + int(place * width), start + int((place + size) * width), shown, places)
        place += size


def _written(value: str) -> Iterator[str]:
    """The ways a value may be written, each as its letters and digits."""
    plain = letters(value)[0]
    yield plain
    raw = value.encode("utf-8", "surrogatepass")
    if len(raw) < _ENCODED_FROM:
        return
    yield plain[::-1]
    yield raw.hex()
    for shift, lost in ((0, 0), (1, 2), (2, 3)):
        encoded = base64.b64encode(b"\0" * shift + raw).decode()
        # The last character before the padding holds bits of whatever follows.
        kept = encoded[lost:] if not encoded.endswith("=") else encoded[lost:].rstrip("=")[:-1]
        yield letters(kept)[0]


class Needles:
    """The values that are looked for. Not thread-safe."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._forms: list[tuple[str, str]] = []
        self._blocks: dict[str, list[tuple[int, int]]] = defaultdict(list)
        self._words: dict[str, str] = {}

    def add(self, value: str, name: str) -> None:
        """From now on `value` is found, as `name`. What has fewer than four letters and digits never is."""
        if value in self._known:
            return
        self._known.add(value)
        for number, form in enumerate(_written(value)):
            if len(form) < BLOCK:
                if len(form) >= LEAST and not number:
                    self._words.setdefault(form, name)
                continue
            at = len(self._forms)
            self._forms.append((form, name))
            # Every BLOCK characters, and at the end: any part of twice that length holds one of them whole.
            for place in {*range(0, len(form) - BLOCK + 1, BLOCK), len(form) - BLOCK}:
                self._blocks[form[place : place + BLOCK]].append((at, place))

    def find(self, text: str) -> list[Found]:
        """Where the values stand in `text`, from left to right, without overlap."""
        shown, places = letters(text)
        found: list[Found] = []
        at = done = 0
        while at <= len(shown) - BLOCK:
            hits = self._blocks.get(shown[at : at + BLOCK], ())
            start, end, name = max(
                (self._whole(shown, at, *hit) for hit in hits), key=lambda part: part[1] - part[0], default=(at, at, "")
            )
            if end > start:
                found.append(Found(places[max(start, done)][0], places[end - 1][1], name))
                at = done = end
            else:
                at += 1
        found += [
            word
            for word in self._words_in(shown, places)
            if not any(word.start < other.end and other.start < word.end for other in found)
        ]
        return sorted(found, key=lambda one: one.start)

    def _whole(self, shown: str, at: int, number: int, place: int) -> tuple[int, int, str]:
        """How far form `number`, whose block at `place` stands at `at`, goes on there; nothing if that is too short."""
        form, name = self._forms[number]
        left = min(at, place)
        before = next((n for n in range(left) if shown[at - n - 1] != form[place - n - 1]), left)
        room = min(len(shown) - at, len(form) - place)
        after = next((n for n in range(BLOCK, room) if shown[at + n] != form[place + n]), room)
        return (at - before, at + after, name) if before + after >= min(PART, len(form)) else (at, at, name)

    def _words_in(self, shown: str, places: list[tuple[int, int]]) -> Iterator[Found]:
        for word, name in self._words.items():
            start = shown.find(word)
            while start >= 0:
                end = start + len(word)
                # A word of its own: no letter touches it.
                alone = (start == 0 or places[start - 1][1] < places[start][0]) and (
                    end == len(shown) or places[end - 1][1] < places[end][0]
                )
                if alone:
                    yield Found(places[start][0], places[end - 1][1], name)
                start = shown.find(word, end)
