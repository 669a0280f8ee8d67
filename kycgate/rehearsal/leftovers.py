"""Files that a client left in its working directory, searched for the tokens that the stand-in gave it."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from kycgate.files import read

MAX_FILES: Final = 50_000
"""Files that are looked at; of a larger folder the first ones."""
MAX_BYTES: Final = 16_000_000
"""Of one file."""
_PASSED_OVER: Final = frozenset({".git", ".hg", "node_modules", "__pycache__", ".venv", "venv", ".tox"})
_SLACK_S: Final = 2.0
"""A file system may keep times this coarsely."""
_TOKEN: Final = re.compile(rb"eyJ[\w-]+\.[\w-]+\.[\w-]+")


def files_holding(folder: Path, tokens: frozenset[str], since: float) -> Iterator[tuple[Path, str]]:
    """Each file below `folder` that was written since that moment (Unix time) and holds one of the tokens: one of them.

    Links are not followed; what cannot be read is passed over.
    """
    looked_at = 0
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in _PASSED_OVER]
        for name in names:
            looked_at += 1
            if looked_at > MAX_FILES:
                return
            path = Path(place, name)
            with suppress(OSError):
                known = path.lstat()
                if known.st_mtime < since - _SLACK_S or known.st_size > MAX_BYTES:
                    continue
                held = {found.decode() for found in _TOKEN.findall(read(path, MAX_BYTES, links=False))} & tokens
                if held:
                    yield path.relative_to(folder), min(held)
