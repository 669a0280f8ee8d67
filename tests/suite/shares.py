"""How much of the long proofs a run of the tests takes: a share, or with KYCGATE_WHOLE set all of it, as each night."""

import os
from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")
WHOLE = bool(os.environ.get("KYCGATE_WHOLE"))


def share(all_of_them: Iterable[T], every: int) -> list[T]:
    """Every `every`-th of them; the whole with KYCGATE_WHOLE."""
    return list(all_of_them)[:: 1 if WHOLE else every]
