"""In which form the next picture is shown: each form once on each side, then none, for each costs its drawing."""

import threading
from collections import deque
from collections.abc import Iterable

from kycgate.specimens.forms import FORMS

_TRIED = 3
"""Forms that may be refused before the target counts as one that reads only the cards it knows."""


class FormsLeft:
    """The forms that no session has shown yet, by side. Thread-safe."""

    def __init__(self, sides: Iterable[str]) -> None:
        self._left = {side: deque(FORMS) for side in sides}
        for place, left in enumerate(self._left.values()):
            # Two sides of one session are shown in two forms: what one of them breaks hides nothing of the other.
            left.rotate(-5 * place)
        self._read = self._refused = 0
        self._lock = threading.Lock()

    def take(self, side: str) -> str:
        """The form of the next picture of this side; empty where it is shown as it is."""
        with self._lock:
            if (not self._read and self._refused >= _TRIED) or not self._left[side]:
                return ""
            return self._left[side].popleft()

    def note(self, *, read: bool) -> None:
        """What became of one: where none is read at first, no more are shown."""
        with self._lock:
            self._read += read
            self._refused += not read
