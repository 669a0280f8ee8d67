"""An answer's body: how much of it is read, and how it is decoded."""

import zlib
from collections.abc import Sequence

MAX_ANSWER = 2_000_000
"""Bytes that are read, encoded or not; no answer of this API is that long."""


def decoded(body: bytes, encodings: Sequence[str]) -> bytes:
    """`body` without its content codings, the last applied first; never more than `MAX_ANSWER` bytes of it.

    We ask for `identity`, yet a server may send gzip all the same (RFC 9110, 12.5.3).

    Raises:
        ValueError: it does not fit its codings, they are none we know, or it grows too large.
    """
    for coding in reversed(encodings):
        name = coding.strip().lower()
        if name in ("", "identity"):
            continue
        if name in ("gzip", "x-gzip"):
            body = _inflated(body, 31)
        elif name == "deflate":
            # zlib's format by the standard (RFC 9110, 8.4.1.2), bare deflate by habit.
            body = _inflated(body, 15 if body[:1] == b"\x78" else -15)
        else:
            raise ValueError(f"Content-Encoding {name[:20]!r} was not asked for")
    return body


def _inflated(body: bytes, window: int) -> bytes:
    if not body:
        return body
    inflater = zlib.decompressobj(window)
    try:
        plain = inflater.decompress(body, MAX_ANSWER + 1)
    except zlib.error:
        raise ValueError("the body is not what its Content-Encoding says") from None
    if len(plain) > MAX_ANSWER:
        raise ValueError(f"{len(body) / 1e3:.0f} kB decode to more than {MAX_ANSWER / 1e6:g} MB")
    if not inflater.eof:
        raise ValueError("the encoded body ends too early")
    return plain
