"""Specimens on disk: written with their truth, and the user's own cards read back."""

import contextlib
import hashlib
import io
import warnings
from pathlib import Path

from PIL import Image
from pydantic import BaseModel, ConfigDict, ValidationError

from kycgate.errors import UsageError
from kycgate.files import read
from kycgate.specimens.draw import SIDES, CardSet, Specimen, draw
from kycgate.specimens.person import make_person

MAX_FILE = 20_000_000
_SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})
_FORMATS = {"JPEG": "image/jpeg", "MPO": "image/jpeg", "PNG": "image/png"}
_BOTH = ("front", "back")


class Truth(BaseModel):
    """One line of truth.jsonl."""

    model_config = ConfigDict(extra="forbid")

    file: str
    card: str
    side: str
    sha256: str
    fields: dict[str, str]
    degradation: str | None = None


def save(out: Path, count: int, *, seed: int = 0, size_bytes: int | None = None) -> int:
    """Write `count` people's fronts, backs and passport pages and truth.jsonl; returns the number of pictures.

    Raises:
        UsageError: the count is not positive, the size is out of range, or the folder cannot be written.
    """
    if count < 1:
        raise UsageError("--count must be at least 1")
    try:
        out.mkdir(parents=True, exist_ok=True)
        with (out / "truth.jsonl").open("w", encoding="utf-8") as lines:
            for number in range(count):
                person = make_person(seed * 10_000 + number)
                for side in SIDES:
                    drawn = draw(person, side, size_bytes=size_bytes)
                    name = f"card{number:04d}-{side}.jpg"
                    (out / name).write_bytes(drawn.image)
                    line = Truth(
                        file=name,
                        card=f"card{number:04d}",
                        side=side,
                        sha256=hashlib.sha256(drawn.image).hexdigest(),
                        fields=dict(drawn.truth),
                    )
                    lines.write(line.model_dump_json() + "\n")
    except OSError as error:
        raise UsageError(f"cannot write to {out}: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(f"--size: {error}") from None
    return count * len(SIDES)


def load_directory(folder: Path) -> list[CardSet]:
    """The cards in a folder: by its truth.jsonl, else by names like `ANY-front.jpg` and `ANY-back.jpg`.

    Raises:
        UsageError: there is no such folder, no pair in it, or a file that is not a picture or damaged.
    """
    if not folder.is_dir():
        raise UsageError(f"no folder {folder}: give one with cards, named like a-front.jpg and a-back.jpg")
    pairs: dict[str, dict[str, Specimen]] = {}
    listed = folder / "truth.jsonl"
    if listed.exists():
        for number, line in enumerate(read(listed).decode("utf-8", "replace").splitlines(), 1):
            try:
                truth = Truth.model_validate_json(line)
            except ValidationError as error:
                raise UsageError(f"{listed}, line {number}: {error.errors()[0]['msg']}") from None
            if Path(truth.file).name != truth.file:
                raise UsageError(f"{listed}, line {number}: {truth.file!r} is not a plain file name")
            pairs.setdefault(truth.card, {})[truth.side] = _load(folder / truth.file, truth.side, truth.fields)
    else:
        files: dict[tuple[str, str], Path] = {}
        for path in sorted(folder.iterdir()):
            card, dash, side = path.stem.rpartition("-")
            side = side.lower()
            # Macs leave a `._a-front.jpg` beside a-front.jpg on foreign disks: it holds no picture.
            if not dash or side not in _BOTH or path.suffix.lower() not in _SUFFIXES or path.name.startswith("."):
                continue
            if (card, side) in files:
                raise UsageError(f"{files[card, side].name} and {path.name} in {folder} are both the {side} of {card}")
            files[card, side] = path
            pairs.setdefault(card, {})[side] = _load(path, side, {})
    for card, sides in pairs.items():
        if set(sides) & set(_BOTH) and not set(_BOTH) <= set(sides):
            (lacking,) = set(_BOTH) - set(sides)
            raise UsageError(f"{folder}: the card {card} has no {lacking}: a card takes both sides")
    found = [CardSet(sides["front"], sides["back"]) for sides in pairs.values() if {"front", "back"} <= set(sides)]
    if not found:
        raise UsageError(f"{folder} holds no pair of cards: name them like a-front.jpg and a-back.jpg")
    return found


def _load(path: Path, side: str, fields: dict[str, str]) -> Specimen:
    try:
        image = read(path, MAX_FILE)
    except FileNotFoundError:
        raise UsageError(f"{path} is missing") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    return Specimen(None, side, image, _media_type(path, image), fields)


def _media_type(path: Path, image: bytes) -> str:
    """What the picture is by its content, whatever its name says.

    Raises:
        UsageError: it is not a JPEG or PNG, or it is damaged.
    """
    kind = None
    # A decoder may fail with anything, and warns in its own words, about a file of others.
    with warnings.catch_warnings(), contextlib.suppress(Exception):
        warnings.simplefilter("ignore")
        with Image.open(io.BytesIO(image)) as picture:
            kind = picture.format
            if kind in _FORMATS:
                picture.load()
                return _FORMATS[kind]
    if kind is not None and kind not in _FORMATS:
        raise UsageError(f"{path} is {kind} by its content: the API takes JPEG and PNG")
    raise UsageError(f"{path} cannot be read as a picture: it is damaged, or no JPEG or PNG")
