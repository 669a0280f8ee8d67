"""The cards that a run shows: drawn on demand, or the user's own; each is one synthetic person's front and back."""

import threading
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kycgate import specimens
from kycgate.contracts.flows import flow


@dataclass(frozen=True, slots=True)
class Card:
    """One person's two pictures; `truth` is what is printed on each side, by the vendor's property names."""

    id: str
    front: bytes = field(repr=False)
    back: bytes = field(repr=False)
    front_truth: Mapping[str, str] = field(repr=False)
    back_truth: Mapping[str, str] = field(repr=False)
    media_type: str = "image/jpeg"

    @property
    def truth(self) -> dict[str, str]:
        return {**self.back_truth, **self.front_truth}

    def image(self, side: str) -> bytes:
        """The picture of a side of the card, or one that the flow draws for this card's person.

        Raises:
            KeyError: neither has such a picture.
        """
        if side in ("front", "back"):
            return self.front if side == "front" else self.back
        return flow().pictures[side](zlib.crc32(self.id.encode()))

    def truth_of(self, side: str) -> Mapping[str, str]:
        """What is printed on this side; empty for a picture that is not a side of the card."""
        return {"front": self.front_truth, "back": self.back_truth}.get(side, {})


class Cards:
    """Gives each session a card of its own. A card that completed no flow may be shown again. Thread-safe."""

    def __init__(self, seed: int, folder: Path | None = None) -> None:
        self._seed = seed
        self._lock = threading.Lock()
        self._drawn = 0
        self._free: list[Card] = []
        self._own = (
            [_card(f"own-{n}", found) for n, found in enumerate(specimens.load_directory(folder), 1)] if folder else []
        )

    def take(self) -> Card:
        """A card that no running session shows, unless the user's own ones are too few."""
        with self._lock:
            if self._free:
                return self._free.pop(0)
            self._drawn += 1
            number = self._drawn
        if self._own:
            return self._own[(number - 1) % len(self._own)]
        return _card(f"card-{number}", specimens.card_set(self._seed * 10_000 + number))

    def give_back(self, card: Card) -> None:
        """No session shows `card` any more and no flow was completed with it."""
        with self._lock:
            if not self._own:
                self._free.append(card)


def _card(id: str, found: specimens.CardSet) -> Card:  # noqa: A002
    return Card(id, found.front.image, found.back.image, found.front.truth, found.back.truth, found.front.media_type)
