"""One way to open the files that others may have made.

A file is regular, and no larger than its kind is: a FIFO does not hang, a device does not fill the memory. Within a
run's folder no link is followed: what is read there, or written, lies there.
"""

import errno
import os
import secrets
import stat
from pathlib import Path

MOST_TEXT = 4_000_000
"""Bytes of a file that a person writes."""
MOST_RECORD = 1 << 30
"""Bytes of a file that a run writes."""
_MODE = 0o666
"""The umask takes from it, for every file of a folder alike."""
_CHUNK = 1 << 20


def read(path: Path, most: int = MOST_TEXT, *, links: bool = True) -> bytes:
    """The whole file; the size is measured while reading.

    Raises:
        OSError: it cannot be read, is not a regular file, is a link where `links` are not followed, or has more than
            `most` bytes.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if links else os.O_NOFOLLOW))
    except ValueError:
        raise OSError(errno.EINVAL, "its name holds a NUL") from None
    except OSError as error:
        if error.errno == errno.ELOOP and not links:
            raise OSError(errno.ELOOP, "it is a link") from None
        raise
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        found = bytearray()
        while part := file.read(_CHUNK):
            found += part
            if len(found) > most:
                raise OSError(errno.EFBIG, f"it has more than {most:,} bytes")
    return bytes(found)


def read_text(path: Path, most: int = MOST_TEXT, *, links: bool = True) -> str:
    """As `read`, of a text in UTF-8.

    Raises:
        OSError: as `read`.
        UnicodeDecodeError: it is not UTF-8.
    """
    return read(path, most, links=links).decode()


def no_links(path: str, flags: int) -> int:
    """An opener for `open`: no link is followed, and the mode is the umask's."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, _MODE)


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write `path` whole or not at all: a reader, or a kill, never meets half a file. A link is replaced."""
    name = path.parent / f".{path.name}.{secrets.token_hex(8)}"
    with open(name, "xb", opener=no_links) as file:
        try:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
            name.replace(path)
        except BaseException:
            name.unlink(missing_ok=True)
            raise
