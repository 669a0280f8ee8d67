"""Answers framed in every odd way, made here: what a client reads, or refuses, of each.

`reads` is what OkHttp, the installed client's, does too, but where RFC 9112 leaves it open and httpx decides.
"""

import gzip
import zlib
from dataclasses import dataclass

BODY = b'{"message": "\\u0627\\u0644", "errorCode": null}'
_TYPE = b"Content-Type: application/json\r\n"


@dataclass(frozen=True, slots=True)
class Framing:
    """One way of writing an answer of `BODY`."""

    name: str
    bytes: bytes
    reads: bool
    """Whether a client of ours reads `BODY` from it."""


def _length(size: int = len(BODY)) -> bytes:
    return b"Content-Length: %d\r\n" % size


def _plain(head: bytes, *, status: bytes = b"HTTP/1.1 200 OK", body: bytes = BODY, length: bool = True) -> bytes:
    return status + b"\r\n" + _TYPE + head + (_length(len(body)) if length else b"") + b"\r\n" + body


def _chunks(body: bytes = BODY, *, extension: bytes = b"", size: str = "x", trailers: bytes = b"") -> bytes:
    middle = len(body) // 2
    parts = [body[:middle], body[middle:]]
    written = b"".join(format(len(part), size).encode() + extension + b"\r\n" + part + b"\r\n" for part in parts)
    return written + b"0\r\n" + trailers + b"\r\n"


def _chunked(more: bytes = b"", *, coding: bytes = b"chunked", chunks: bytes = b"") -> bytes:
    head = _TYPE + b"Transfer-Encoding: " + coding + b"\r\n" + more
    return b"HTTP/1.1 200 OK\r\n" + head + b"\r\n" + (chunks or _chunks())


_OK = b"HTTP/1.1 200 OK\r\n"
_N = len(BODY)
FRAMINGS = (
    Framing("plain", _plain(b""), True),
    Framing("lower-case names", _plain(b"").replace(b"Content-", b"content-"), True),
    Framing("odd-case names", _plain(b"").replace(b"Content-", b"cONTENT-"), True),
    Framing("no space after the colon", _plain(b"X-A:a\r\n").replace(b"Length: ", b"Length:"), True),
    Framing("spaces and tabs around a value", _plain(b"X-A:  \t a \t \r\n"), True),
    Framing("an empty value", _plain(b"X-A:\r\n"), True),
    Framing("no reason phrase", _plain(b"", status=b"HTTP/1.1 200 "), True),
    Framing("no reason phrase and no space", _plain(b"", status=b"HTTP/1.1 200"), True),
    Framing("a reason phrase in Latin-1", _plain(b"", status=b"HTTP/1.1 200 tr\xe8s bien"), True),
    Framing("a value in UTF-8", _plain("X-A: تم\r\n".encode()), True),
    Framing("HTTP/1.0", _plain(b"", status=b"HTTP/1.0 200 OK"), True),
    Framing("HTTP/1.0 keep-alive", _plain(b"Connection: keep-alive\r\n", status=b"HTTP/1.0 200 OK"), True),
    Framing("HTTP/1.0 without a length", _plain(b"", status=b"HTTP/1.0 200 OK", length=False), True),
    Framing("Connection: close", _plain(b"Connection: close\r\n"), True),
    Framing("ended by the connection", _plain(b"", length=False), True),
    Framing("close, ended by the connection", _plain(b"Connection: close\r\n", length=False), True),
    Framing("chunked", _chunked(), True),
    Framing("Chunked", _chunked(coding=b"Chunked"), True),
    Framing("chunk extensions", _chunked(chunks=_chunks(extension=b';a=b;c="d"')), True),
    Framing("trailers", _chunked(b"Trailer: X-Sum\r\n", chunks=_chunks(trailers=b"X-Sum: 1\r\n")), True),
    Framing("chunk sizes with leading zeros", _chunked(chunks=_chunks(size="06x")), True),
    Framing("chunk sizes in capitals", _chunked(chunks=_chunks(size="X")), True),
    Framing("leading zeros in Content-Length", _OK + _TYPE + b"Content-Length: 000%d\r\n\r\n" % _N + BODY, True),
    Framing("100 before it", b"HTTP/1.1 100 Continue\r\n\r\n" + _plain(b""), True),
    Framing("102 and 103 before it", b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
            + _plain(b""), True),
    Framing("gzip", _plain(b"Content-Encoding: gzip\r\n", body=gzip.compress(BODY)), True),
    Framing("GZIP", _plain(b"Content-Encoding: GZIP\r\n", body=gzip.compress(BODY)), True),
    Framing("deflate", _plain(b"Content-Encoding: deflate\r\n", body=zlib.compress(BODY)), True),
    Framing("identity", _plain(b"Content-Encoding: identity\r\n"), True),
    Framing("a header of 60 kB", _plain(b"X-A: " + b"a" * 60_000 + b"\r\n"), True),
    Framing("150 headers", _plain(b"".join(b"X-%d: a\r\n" % number for number in range(150))), True),
    Framing("more behind the answer", _plain(b"") + b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", True),
    # What the two parsers once read differently.
    Framing("a folded value", _plain(b"X-A: one\r\n two\r\n"), True),
    Framing("a folded media type", _plain(b"").replace(b"/json", b"/json;\r\n charset=utf-8"), True),
    Framing("equal lengths twice", _plain(_length()), True),
    Framing("equal lengths in one line", _OK + _TYPE + b"Content-Length: %d, %d\r\n\r\n" % (_N, _N) + BODY, True),
    Framing("a length with chunked", _chunked(_length(7)), True),
    Framing("a length before chunked", _OK + _length(7) + b"Transfer-Encoding: chunked\r\n\r\n" + _chunks(), True),
    Framing("LF alone", _plain(b"").replace(b"\r\n", b"\n"), True),
    Framing("LF alone in the header, CRLF at its end", _plain(b"X-A: a\n"), True),
    # Refused by both.
    Framing("a line before the status line", b"\r\n" + _plain(b""), False),
    Framing("HTTP/2.0", _plain(b"", status=b"HTTP/2.0 200 OK"), False),
    Framing("HTTP/1.2", _plain(b"", status=b"HTTP/1.2 200 OK"), False),
    Framing("gzip as a transfer coding", _chunked(coding=b"gzip, chunked", chunks=_chunks(gzip.compress(BODY))), False),
    Framing("different lengths", _plain(_length(3)), False),
    Framing("different lengths in one line", _OK + _TYPE + b"Content-Length: %d, 3\r\n\r\n" % _N + BODY, False),
    Framing("a length below nought", _OK + b"Content-Length: -1\r\n\r\n" + BODY, False),
    Framing("a length in words", _OK + b"Content-Length: many\r\n\r\n" + BODY, False),
    Framing("an impossible chunk size", _chunked(chunks=b"zz\r\n" + BODY + b"\r\n0\r\n\r\n"), False),
    Framing("a chunk longer than it says", _chunked(chunks=b"3\r\n" + BODY + b"\r\n0\r\n\r\n"), False),
    Framing("cut off in a chunk", _chunked(chunks=b"ff\r\n" + BODY), False),
    Framing("cut off before its length", _plain(_length(_N + 9), length=False), False),
    Framing("a space before the colon", _plain(b"X-A : a\r\n"), False),
    Framing("a header without a colon", _plain(b"X-A\r\n"), False),
    Framing("a NUL in a value", _plain(b"X-A: a\0b\r\n"), False),
    Framing("a status of four digits", _plain(b"", status=b"HTTP/1.1 2000 OK"), False),
    Framing("a status in letters", _plain(b"", status=b"HTTP/1.1 abc OK"), False),
    Framing("no HTTP", b"220 mail.example ESMTP\r\n", False),
    Framing("a page without a header", b"<html>hello</html>\r\n", False),
    Framing("nothing", b"", False),
)  # fmt: skip
