"""Finds known values in a text, in the ways that writers and programs write them.

Text and values are compared by their letters and digits alone, folded (NFKC, lower case, ASCII digits, without tatweel,
hamza or diacritics), with escapes undone, twice where they were put on twice. Runs of bytes (decimal, hexadecimal,
base64 and base32, of UTF-8 or UTF-16) and text that was read in the wrong encoding are decoded, two rounds deep. Each
value is also looked for backwards; of a long one, a part is enough.
`kycgate.target.writings` lists the writings that are found and those that are not.
"""

import base64
import binascii
import re
import unicodedata
import zlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from kycgate.contracts.id_number import to_ascii_digits

BLOCK = 8
"""Characters that are looked up at once. Shorter values are found as whole words only."""
PART = 12
"""Characters of a longer value that count as showing it."""
LEAST = 4
LEAST_NAME = 3
"""Of a person's names, which are short in Arabic."""
_ENCODED_FROM = 6
"""Shorter values are looked for as they are: their encodings would be found by chance."""
_MOST_HITS = 64
"""Places of one block that are looked at: a target that repeats itself costs no more."""
_MOST_DECODED = 20_000
_SHORT = 80
"""Characters of a text of which the letters are kept for the next time."""

_AMP = r"&(?:amp;)*"
_ESCAPES = re.compile(
    rf"""(?P<bytes>(?:%[0-9a-fA-F]{{2}})+ | (?:\\+x[0-9a-fA-F]{{2}})+)
    | (?P<octal>(?:\\+[0-3][0-7]{{2}})+)
    | (?:\\+u|%u)(?P<unicode>[0-9a-fA-F]{{4}})
    | \\+u\{{(?P<braced>[0-9a-fA-F]{{1,6}})\}}
    | {_AMP}\#[xX](?P<hexadecimal>[0-9a-fA-F]{{1,6}});?
    | {_AMP}\#(?P<decimal>\d{{1,7}});?
    | (?P<nothing>\\+[nrtbf] | {_AMP}(?:lt|gt|quot|apos|nbsp|amp); | =\r?\n)
    """,
    re.VERBOSE | re.DOTALL,
)
_BLOBS = re.compile(
    r"""(?P<hexes>(?:0x[0-9a-fA-F]{1,2}[\s,;]{0,3}){4,})
    | (?P<decimals>(?:\d{1,3}[\s,;]{1,3}){5,}\d{1,3})
    | (?P<pairs>(?<![0-9a-zA-Z])(?:[0-9a-fA-F]{2}){8,}(?![0-9a-zA-Z]))
    | (?P<base32>(?<![0-9a-zA-Z])[A-Z2-7]{16,}=*(?![0-9a-zA-Z=]))
    | (?P<base64>[A-Za-z0-9+/_-]{12,}={0,2})
    | (?P<misread>[\x80-\xff\u0152-\u0178\u0192\u02c6\u02dc\u2013-\u2122]{2,})
    """,
    re.VERBOSE,
)

_Places = list[tuple[int, int]]
_HAMZA = str.maketrans({"أ": "ا", "إ": "ا", "آ": "ا", "ٱ": "ا", "ى": "ي", "ی": "ي", "ک": "ك", "ة": "ه", "ـ": None})


@dataclass(frozen=True, slots=True)
class Found:
    """Where a value stands in a text, and which one."""

    start: int
    end: int
    name: str


@lru_cache(maxsize=8_192)
def _folded(character: str) -> str:
    """The letters and digits that a character stands for; none for separators, tatweel, diacritics, format marks."""
    code = ord(character)
    if 0xE0020 < code < 0xE007F:  # tag characters
        character = chr(code - 0xE0000)
    plain = unicodedata.normalize("NFKC", character).translate(_HAMZA)
    lowered = "".join(one.lower() if len(one.lower()) == 1 else one for one in plain)
    return "".join(to_ascii_digits(one) for one in lowered if one.isalnum())


def letters(text: str) -> tuple[str, _Places]:
    """The letters and digits that `text` shows, and where each of them stands."""
    return _fold(*_unescape(text, [(n, n + 1) for n in range(len(text))]))


def _fold(text: str, places: _Places) -> tuple[str, _Places]:
    shown: list[str] = []
    where: _Places = []
    for character, place in zip(text, places, strict=True):
        for one in _folded(character):
            shown.append(one)
            where.append(place)
    return "".join(shown), where


def _unescape(text: str, places: _Places) -> tuple[str, _Places]:
    """`text` with one round of escapes undone."""
    parts: list[str] = []
    where: _Places = []
    done = 0
    for match in _ESCAPES.finditer(text):
        start, end = match.span()
        parts.append(text[done:start])
        where += places[done:start]
        done = end
        kind = match.lastgroup
        if kind in ("bytes", "octal"):
            _take_bytes(match[0], kind == "octal", places[start:end], parts, where)
        elif kind != "nothing":
            code = int(match[str(kind)], 10 if kind == "decimal" else 16)
            if code < 0x110000:
                parts.append(chr(code))
                where.append((places[start][0], places[end - 1][1]))
    parts.append(text[done:])
    return "".join(parts), where + places[done:]


def _take_bytes(escaped: str, octal: bool, places: _Places, parts: list[str], where: _Places) -> None:
    """A run of bytes such as %D9%85: UTF-8, as URLs, Python and mail write it."""
    digits = re.findall(r"[0-7]{3}" if octal else r"[0-9a-fA-F]{2}", escaped)
    width = len(escaped) / len(digits)
    place = 0
    raw = bytes(int(one, 8 if octal else 16) for one in digits)
    for character in raw.decode("utf-8", "surrogateescape"):
        size = len(character.encode("utf-8", "surrogateescape"))
        first, last = int(place * width), int((place + size) * width) - 1
        parts.append(character)
        where.append((places[first][0], places[last][1]))
        place += size


def _unpack(text: str, places: _Places) -> tuple[str, _Places]:
    """What runs of encoded bytes in `text` say; each of their characters stands where the whole run does."""
    parts: list[str] = []
    where: _Places = []
    for match in _BLOBS.finditer(text):
        said = _decoded(str(match.lastgroup), match[0])
        if said:
            parts += [said, "\n"]
            where += [(places[match.start()][0], places[match.end() - 1][1])] * (len(said) + 1)
    return "".join(parts), where


def _decoded(kind: str, run: str) -> str:
    try:
        if kind == "misread":
            return _reread(run)
        if kind == "hexes":
            raw = bytes(int(one, 16) for one in re.findall(r"0x([0-9a-fA-F]{1,2})", run))
        elif kind == "decimals":
            raw = bytes(int(one) for one in re.findall(r"\d+", run))
        elif kind == "pairs":
            raw = bytes.fromhex(run)
        elif kind == "base32":
            plain = run.rstrip("=")
            raw = base64.b32decode(plain + "=" * (-len(plain) % 8))
        else:
            plain = run.rstrip("=").translate({ord("-"): "+", ord("_"): "/"})
            raw = base64.b64decode(plain[: len(plain) - (len(plain) % 4 == 1)] + "=" * (-len(plain) % 4))
        if raw[:2] == b"\x1f\x8b":
            raw = zlib.decompressobj(31).decompress(raw, _MOST_DECODED)
    except (ValueError, binascii.Error, zlib.error):
        return ""
    if raw.count(0) >= len(raw) // 3:
        big = raw[:1] == b"\0"
        return raw.decode("utf-16-be" if big else "utf-16-le", "replace")[:_MOST_DECODED]
    return raw.decode("utf-8", "replace")[:_MOST_DECODED]


def _reread(run: str) -> str:
    for wrong in ("latin-1", "cp1252"):
        try:
            return run.encode(wrong).decode("utf-8")
        except ValueError:
            continue
    try:
        return run.encode("latin-1").decode("cp1256")
    except ValueError:
        return ""


def _views(text: str) -> Iterator[tuple[str, _Places]]:
    """The letters of `text` as it stands, with its escapes undone once more, and of what is encoded in it."""
    once = _unescape(text, [(n, n + 1) for n in range(len(text))])
    yield _fold(*once)
    twice = _unescape(*once)
    if twice[0] != once[0]:
        yield _fold(*twice)
    packed = _unpack(*twice)
    if packed[0]:
        yield _fold(*_unescape(*packed))
        deeper = _unpack(*packed)
        if deeper[0]:
            yield _fold(*deeper)


@lru_cache(maxsize=512)
def _views_of_short(text: str) -> tuple[tuple[str, _Places], ...]:
    """Those of a header's value, say, which comes again with each request."""
    return tuple(_views(text))


_NO_LETTERS = str.maketrans("", "", "+/=")


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
        yield kept.lower().translate(_NO_LETTERS)


class Needles:
    """The values that are looked for. Not thread-safe."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._forms: list[tuple[str, str]] = []
        self._blocks: dict[str, list[tuple[int, int]]] = defaultdict(list)
        self._words: dict[str, str] = {}

    def add(self, value: str, name: str, least: int = LEAST) -> None:
        """From now on `value` is found, as `name`. What has fewer than `least` letters and digits never is."""
        if value in self._known:
            return
        self._known.add(value)
        for number, form in enumerate(_written(value)):
            if len(form) < BLOCK:
                if len(form) >= least and not number:
                    self._words.setdefault(form, name)
                continue
            at = len(self._forms)
            self._forms.append((form, name))
            # Every BLOCK characters, and at the end: any part of twice that length holds one of them whole.
            for place in {*range(0, len(form) - BLOCK + 1, BLOCK), len(form) - BLOCK}:
                hits = self._blocks[form[place : place + BLOCK]]
                if len(hits) < _MOST_HITS:
                    hits.append((at, place))

    def find(self, text: str, least: int = 0) -> list[Found]:
        """Where the values stand in `text`, from left to right, without overlap; parts of at least `least` letters."""
        found: list[Found] = []
        taken = bytearray(len(text))
        for shown, places in _views_of_short(text) if len(text) <= _SHORT else _views(text):
            for one in self._found_in(shown, places, least):
                if one.end > one.start and not any(taken[one.start : one.end]):
                    taken[one.start : one.end] = b"\1" * (one.end - one.start)
                    found.append(one)
        return sorted(found, key=lambda one: one.start)

    def _found_in(self, shown: str, places: _Places, least: int) -> list[Found]:
        found: list[Found] = []
        at = done = 0
        while at <= len(shown) - BLOCK:
            hits = self._blocks.get(shown[at : at + BLOCK], ())
            start, end, name = max(
                (self._whole(shown, at, *hit) for hit in hits), key=lambda part: part[1] - part[0], default=(at, at, "")
            )
            if end > start and end - start >= least:
                found.append(Found(places[max(start, done)][0], places[end - 1][1], name))
                at = done = end
            else:
                at += 1
        return found if least else [*found, *self._words_in(shown, places)]

    def _whole(self, shown: str, at: int, number: int, place: int) -> tuple[int, int, str]:
        """How far form `number`, whose block at `place` stands at `at`, goes on there; nothing if that is too short."""
        form, name = self._forms[number]
        left = min(at, place)
        before = next((n for n in range(left) if shown[at - n - 1] != form[place - n - 1]), left)
        room = min(len(shown) - at, len(form) - place)
        after = next((n for n in range(BLOCK, room) if shown[at + n] != form[place + n]), room)
        return (at - before, at + after, name) if before + after >= min(PART, len(form)) else (at, at, name)

    def _words_in(self, shown: str, places: _Places) -> Iterator[Found]:
        """Words of their own, which no letter touches: one look-up for a word of the text, and a few for its parts."""
        starts = [n for n in range(len(shown)) if not n or places[n - 1][1] < places[n][0]]
        ends = [*starts[1:], len(shown)]
        at = 0
        for first, start in enumerate(starts):
            if start < at:
                continue
            # A word may be split by a character that is not a letter.
            for last in range(first, len(starts)):
                if ends[last] - start >= BLOCK:
                    break
                name = self._words.get(shown[start : ends[last]])
                if name is not None:
                    yield Found(places[start][0], places[ends[last] - 1][1], name)
                    at = ends[last]
                    break
