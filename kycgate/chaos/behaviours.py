"""The misbehaviours, each with what a command must make of it. Raw bytes: HTTP libraries are too polite."""

import gzip
import json
import socket
import zlib
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import cache

from kycgate.chaos.connection import Answer, Hand
from kycgate.chaos.registry import (
    BEHAVIOURS,
    FINE,
    GONE,
    GONE_OR_HUNG_UP,
    ILL_FORMED,
    UNREACHED,
    Expected,
    Stage,
    behaviour,
)

BROKEN, UNCLEAR = frozenset({1}), frozenset({3})
NOT_JSON = Expected(BROKEN, "body.json")
BOMB = 50_000_000
"""Bytes that a bomb decodes to."""

# Connections


@behaviour("refused", "Nothing listens.", stage=Stage.LISTEN, always=UNREACHED, later=GONE)
def _refused(hand: Hand) -> None:
    raise NotImplementedError("the target itself does not listen")


@behaviour("dies-and-returns", "Nothing listens for five seconds, then all is well again.", stage=Stage.LISTEN,
           always=None, lasts_s=5.0)  # fmt: skip
def _dies(hand: Hand) -> None:
    raise NotImplementedError("the target itself does not listen")


@behaviour(
    "no-such-host", "The host's name does not resolve.", stage=Stage.LISTEN, later=None,
    always=Expected(UNCLEAR, "does not resolve"),
)  # fmt: skip
def _no_such_host(hand: Hand) -> None:
    raise NotImplementedError("its name does not resolve")


@behaviour("reset-before", "The connection is reset before the request is read.", stage=Stage.CONNECT,
           always=Expected(UNCLEAR), later=GONE_OR_HUNG_UP)  # fmt: skip
def _reset_before(hand: Hand) -> None:
    hand.reset()


@behaviour("reset-during", "The connection is reset in the middle of the request.", stage=Stage.HEAD,
           later=GONE_OR_HUNG_UP)  # fmt: skip
def _reset_during(hand: Hand) -> None:
    hand.reset()


@behaviour("reset-after", "The connection is reset after the request, without an answer.", later=GONE)
def _reset_after(hand: Hand) -> None:
    hand.reset()


@behaviour("reset-in-answer", "The connection is reset in the middle of the answer.")
def _reset_in_answer(hand: Hand) -> None:
    raw = hand.answer.raw
    hand.send(raw[: len(raw) // 2])
    hand.reset()


@behaviour("closed", "The connection is closed after the request, without an answer.")
def _closed(hand: Hand) -> None:
    hand.connection.close()


@behaviour("closed-when-idle", "Each answer is right; then the connection is closed without notice.",
           always=FINE, later=FINE)  # fmt: skip
def _closed_when_idle(hand: Hand) -> None:
    hand.send(hand.answer.raw)


@behaviour("half-closed", "The answering side is closed at once; the request is read to its end.", stage=Stage.CONNECT)
def _half_closed(hand: Hand) -> None:
    hand.connection.shutdown(socket.SHUT_WR)
    hand.drain()


@behaviour("accepted-silent", "The connection is taken; nothing is read and nothing is sent.", stage=Stage.CONNECT)
def _accepted_silent(hand: Hand) -> None:
    hand.wait()


@behaviour("read-silent", "The request is read; no answer comes.")
def _read_silent(hand: Hand) -> None:
    hand.drain()


@behaviour(
    "continue-never-sent", "The body is not read until asked for with Expect: 100-continue.", stage=Stage.HEAD
)  # fmt: skip
def _continue_never_sent(hand: Hand) -> None:
    hand.wait()


# Slowness without end


@behaviour("byte-a-second", "The right answer comes at a byte a second.")
def _byte_a_second(hand: Hand) -> None:
    hand.drip(hand.answer.raw)


@behaviour("body-a-byte-a-second", "The head comes at once, the body at a byte a second.")
def _body_a_byte_a_second(hand: Hand) -> None:
    hand.send(hand.answer.head())
    hand.drip(hand.answer.body)


@behaviour("header-a-byte-a-second", "A header that never ends comes at a byte a second.")
def _header_a_byte_a_second(hand: Hand) -> None:
    hand.send(b"HTTP/1.1 200 OK\r\nX-Long: ")
    hand.drip(b"a" * 10_000)


@behaviour("endless-header", "One header line never ends; it comes as fast as it is read.", later=ILL_FORMED)
def _endless_header(hand: Hand) -> None:
    hand.send(b"HTTP/1.1 200 OK\r\nX-Long: ")
    hand.repeat(b"a" * 8_192)


@behaviour("endless-headers", "Header lines without end.", later=ILL_FORMED)
def _endless_headers(hand: Hand) -> None:
    hand.send(b"HTTP/1.1 200 OK\r\n")
    hand.repeat(b"X-One-More: header\r\n" * 200)


@behaviour("endless-body", "The body never ends: it goes on until the connection closes.")
def _endless_body(hand: Hand) -> None:
    hand.send(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{"message": "')
    hand.repeat(b"a" * 65_536)


@behaviour("endless-chunks", "Chunks without end.")
def _endless_chunks(hand: Hand) -> None:
    hand.send(hand.answer.head(length=-1, more=("Transfer-Encoding: chunked",)))
    hand.repeat(b"1000\r\n" + b"a" * 0x1000 + b"\r\n")


@behaviour("tiny-chunks", "Chunks of one byte come without end.")
def _tiny_chunks(hand: Hand) -> None:
    hand.send(hand.answer.head(length=-1, more=("Transfer-Encoding: chunked",)))
    hand.repeat(b"1\r\n \r\n" * 1_000)


@behaviour("interim-flood", "Interim answers (100 Continue) come without end.")
def _interim_flood(hand: Hand) -> None:
    hand.repeat(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)


@behaviour("interim-a-second", "An interim answer comes each second, and the real one never.")
def _interim_a_second(hand: Hand) -> None:
    while not hand.gone.wait(1.0):
        hand.send(b"HTTP/1.1 102 Processing\r\n\r\n")


@behaviour("interim", "Three interim answers come before the right one.", always=FINE, later=FINE)
def _interim(hand: Hand) -> None:
    hand.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 3 + hand.answer.raw)
    hand.keep = True


# Framing


@behaviour("body-short", "The body is shorter than its Content-Length.", later=ILL_FORMED)
def _body_short(hand: Hand) -> None:
    hand.send(hand.answer.head(length=len(hand.answer.body) + 10) + hand.answer.body)
    hand.connection.close()


@behaviour("body-long", "The body is longer than its Content-Length.", always=NOT_JSON, later=NOT_JSON)
def _body_long(hand: Hand) -> None:
    hand.send(hand.answer.head(length=max(len(hand.answer.body) - 2, 1)) + hand.answer.body)
    hand.keep = True


@behaviour("answer-behind-the-answer", "Behind the right answer comes another one, to no request.",
           always=FINE, later=FINE)  # fmt: skip
def _answer_behind(hand: Hand) -> None:
    hand.send(hand.answer.raw + b"HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops")
    hand.keep = True


@behaviour("two-lengths", "Two Content-Lengths that differ.", later=ILL_FORMED)
def _two_lengths(hand: Hand) -> None:
    hand.send(hand.answer.head(more=("Content-Length: 7",)) + hand.answer.body)


@behaviour("bad-chunk-size", "A chunk's size is not a number.", later=ILL_FORMED)
def _bad_chunk_size(hand: Hand) -> None:
    hand.send(hand.answer.head(length=-1, more=("Transfer-Encoding: chunked",)) + b"zz\r\n" + hand.answer.body)


@behaviour("chunks-cut-off", "The last chunk never comes.", later=ILL_FORMED)
def _chunks_cut_off(hand: Hand) -> None:
    body = hand.answer.body
    hand.send(hand.answer.head(length=-1, more=("Transfer-Encoding: chunked",)) + b"%x\r\n%s\r\n" % (len(body), body))
    hand.connection.close()


@behaviour("chunk-larger-than-all", "A chunk says that it holds 2**63 bytes.")
def _huge_chunk(hand: Hand) -> None:
    hand.send(hand.answer.head(length=-1, more=("Transfer-Encoding: chunked",)) + b"7fffffffffffffff\r\n")
    hand.repeat(b"a" * 65_536)


@behaviour("http-1.0", "The answer is HTTP/1.0, whose bodies end with the connection.", always=FINE, later=FINE)
def _http_1_0(hand: Hand) -> None:
    hand.send(hand.answer.head(version="1.0", length=-1) + hand.answer.body)


@behaviour("http-9.9", "The answer names a version of HTTP that does not exist.", later=ILL_FORMED)
def _http_9_9(hand: Hand) -> None:
    hand.send(hand.answer.head(version="9.9") + hand.answer.body)
    hand.keep = True


@behaviour("other-protocol", "An answer in another protocol.", later=ILL_FORMED)
def _other_protocol(hand: Hand) -> None:
    hand.send(b"SSH-2.0-OpenSSH_9.6\r\n")
    hand.connection.close()


@behaviour("status-of-two-digits", "The status has only two digits.", later=ILL_FORMED)
def _short_status(hand: Hand) -> None:
    hand.send(b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n")


@behaviour(
    "status-999", "A status that there is not.",
    always=Expected(BROKEN, "status.documented"), later=Expected(BROKEN, "status.documented"),
)  # fmt: skip
def _status_999(hand: Hand) -> None:
    hand.send(b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n")
    hand.keep = True


@behaviour("nul-in-header", "A header with a NUL in it.", later=ILL_FORMED)
def _nul_in_header(hand: Hand) -> None:
    hand.send(b"HTTP/1.1 200 OK\r\nX-Odd: a\x00b\r\nContent-Length: 4\r\n\r\ntrue")


# Content


@cache
def _bomb(nested: bool) -> bytes:
    packed = gzip.compress(bytes(BOMB))
    return gzip.compress(packed) if nested else packed


def _encoded(answer: Answer, body: bytes, coding: str) -> bytes:
    return answer.head(length=len(body), more=(f"Content-Encoding: {coding}",)) + body


@behaviour("gzip-bomb", "The answer is 50 kB of gzip that decode to 50 MB of zeros.")
def _gzip_bomb(hand: Hand) -> None:
    hand.send(_encoded(hand.answer, _bomb(nested=False), "gzip"))


@behaviour("gzip-bomb-in-gzip", "The same, packed twice.")
def _nested_bomb(hand: Hand) -> None:
    hand.send(_encoded(hand.answer, _bomb(nested=True), "gzip, gzip"))


@behaviour("deflate-bomb", "The answer is 50 kB of deflate that decode to 50 MB of zeros.")
def _deflate_bomb(hand: Hand) -> None:
    hand.send(_encoded(hand.answer, _deflated_bomb(), "deflate"))


@cache
def _deflated_bomb() -> bytes:
    return zlib.compress(bytes(BOMB))


@behaviour("gzip-unasked", "The right answer comes in gzip, though identity was asked for.", always=FINE, later=FINE)
def _gzip_unasked(hand: Hand) -> None:
    hand.send(_encoded(hand.answer, gzip.compress(hand.answer.body), "gzip"))
    hand.keep = True


@behaviour("says-gzip", "The right answer comes plain and is said to be gzip.")
def _says_gzip(hand: Hand) -> None:
    hand.send(_encoded(hand.answer, hand.answer.body, "gzip"))
    hand.keep = True


@behaviour("says-br", "The answer names a content coding that was not asked for and that the body is not in.")
def _says_br(hand: Hand) -> None:
    hand.send(_encoded(hand.answer, hand.answer.body, "br"))
    hand.keep = True


def _with_type(hand: Hand, content_type: str, body: bytes, status: str = "200 OK") -> None:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    hand.send(head.encode() + body)
    hand.keep = True


@behaviour("utf-16", "The right answer comes in UTF-16, and says so.",
           always=Expected(BROKEN, "body.media-type"), later=Expected(BROKEN, "body.media-type"))  # fmt: skip
def _utf_16(hand: Hand) -> None:
    _with_type(hand, "application/json; charset=utf-16", hand.answer.body.decode().encode("utf-16"))


@behaviour("wrong-charset", "Bytes of another charset are said to be UTF-8.", always=NOT_JSON, later=NOT_JSON)
def _wrong_charset(hand: Hand) -> None:
    _with_type(hand, "application/json; charset=utf-8", b'{"message": "caf\xe9 \xd5\xff", "errorCode": null}')


@behaviour("deep-json", "A million brackets.", always=NOT_JSON, later=NOT_JSON)
def _deep_json(hand: Hand) -> None:
    _with_type(hand, "application/json", b"[" * 1_000_000)


@behaviour("long-number", "The JSON has a number of a million digits.", always=NOT_JSON, later=NOT_JSON)
def _long_number(hand: Hand) -> None:
    _with_type(hand, "application/json", b'{"errorCode": ' + b"9" * 1_000_000 + b"}")


@behaviour("long-text", "The message has a million characters, each of four bytes in memory.",
           always=Expected(BROKEN), later=Expected(BROKEN))  # fmt: skip
def _long_text(hand: Hand) -> None:
    text = "at System.\U0001f600eyJaaaaaaaa-SELECT " * 37_000
    _with_type(hand, "application/json", json.dumps({"message": text}, ensure_ascii=False).encode())


@behaviour("login-page", "A login's web page comes with status 200, as from a captive portal.",
           always=Expected(UNCLEAR, "web page"), later=Expected(BROKEN, "body."))  # fmt: skip
def _login_page(hand: Hand) -> None:
    _with_type(hand, "text/html; charset=utf-8", b"<!doctype html><title>Sign in</title><form></form>")


@behaviour("proxy-page", "A proxy's web page comes with status 502.",
           always=Expected(UNCLEAR, "502"), later=Expected(BROKEN, "status.no-5xx"))  # fmt: skip
def _proxy_page(hand: Hand) -> None:
    _with_type(hand, "text/html", b"<html><h1>502 Bad Gateway</h1><hr>nginx</html>", "502 Bad Gateway")


@behaviour("503-for-thirty-seconds", "Answers are 503 for thirty seconds; then all is well.", lasts_s=30.0,
           always=Expected(UNCLEAR, "503"), later=Expected(BROKEN, "status.no-5xx"))  # fmt: skip
def _unavailable(hand: Hand) -> None:
    _with_type(hand, "application/json", b'{"message": "later", "errorCode": null}', "503 Service Unavailable")


# Redirects

REDIRECTS = Expected(UNCLEAR, "redirects (status")
REFUSED_LATER = Expected(BROKEN, "status.documented")


def _redirect(hand: Hand, location: str, status: str) -> None:
    hand.send(f"HTTP/1.1 {status} Elsewhere\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode())
    hand.keep = True


@behaviour("redirect-to-itself", "A redirect to where one is.", always=REDIRECTS, later=REFUSED_LATER)
def _redirect_to_itself(hand: Hand) -> None:
    _redirect(hand, hand.head.split(b" ")[1].decode("latin-1"), "302")


@behaviour("redirect-to-another-host", "A 307 points to another host, which would get the credentials.",
           always=REDIRECTS, later=REFUSED_LATER)  # fmt: skip
def _redirect_to_another_host(hand: Hand) -> None:
    _redirect(hand, f"{hand.canary}/collect", "307")


@behaviour("redirect-to-a-file", "A redirect to a file: address.", always=REDIRECTS, later=REFUSED_LATER)
def _redirect_to_a_file(hand: Hand) -> None:
    _redirect(hand, "file:///etc/hostname", "301")


@behaviour("redirect-to-metadata", "A 308 points to a cloud's metadata address.", always=REDIRECTS, later=REFUSED_LATER)
def _redirect_to_metadata(hand: Hand) -> None:
    _redirect(hand, "http://169.254.169.254/latest/meta-data/", "308")


# Too many requests

THROTTLED = Expected(UNCLEAR, "429")


def _throttle(hand: Hand, retry_after: str | None) -> None:
    wait = f"Retry-After: {retry_after}\r\n" if retry_after is not None else ""
    hand.send(f"HTTP/1.1 429 Too Many Requests\r\n{wait}Content-Length: 0\r\n\r\n".encode())
    hand.keep = True


@behaviour("429", "Each answer is 429 without Retry-After.", always=THROTTLED, later=THROTTLED)
def _throttled(hand: Hand) -> None:
    _throttle(hand, None)


@behaviour("429-negative", "Each answer is 429 with a negative Retry-After.", always=THROTTLED, later=THROTTLED)
def _throttled_negative(hand: Hand) -> None:
    _throttle(hand, "-30")


@behaviour("429-huge", "Each answer is 429 with a Retry-After of many years.", always=THROTTLED, later=THROTTLED)
def _throttled_huge(hand: Hand) -> None:
    _throttle(hand, "9" * 400)


@behaviour("429-in-the-past", "Each answer is 429 with a date long ago.", always=THROTTLED, later=THROTTLED)
def _throttled_in_the_past(hand: Hand) -> None:
    _throttle(hand, "Fri, 31 Dec 1999 23:59:59 GMT")


@behaviour("429-in-the-future", "Each answer is 429 with a date in a month.", always=THROTTLED, later=THROTTLED)
def _throttled_in_the_future(hand: Hand) -> None:
    _throttle(hand, format_datetime(datetime.now(UTC) + timedelta(days=30), usegmt=True))


@behaviour(
    "429-garbage", "Each answer is 429 with a Retry-After that cannot be read.", always=THROTTLED, later=THROTTLED
)
def _throttled_garbage(hand: Hand) -> None:
    _throttle(hand, "when the moon is full \xe9")


# TLS


def _tls(name: str, sentence: str, kind: str, always: Expected, *, trusts: bool) -> None:
    @behaviour(name, sentence, always=always, later=None, tls=kind, trusts=trusts)
    def _answer(hand: Hand) -> None:
        hand.send(hand.answer.raw)
        hand.keep = True


DISTRUSTED = Expected(UNCLEAR, "certificate")
_tls("tls-good", "The certificate is good, of a CA that the profile names.", "good", FINE, trusts=True)
_tls("tls-unknown-ca", "The certificate is good, of a CA that is not known.", "good", DISTRUSTED, trusts=False)
_tls("tls-expired", "A certificate that has expired.", "expired", DISTRUSTED, trusts=True)
_tls("tls-wrong-host", "Another host's certificate.", "wrong-host", DISTRUSTED, trusts=True)
_tls("tls-self-signed", "Only its owner has signed the certificate.", "self-signed", DISTRUSTED, trusts=False)


@behaviour("tls-dropped", "The connection is closed in the middle of the handshake.", stage=Stage.CONNECT, tls="none",
           always=UNREACHED, later=None)  # fmt: skip
def _tls_dropped(hand: Hand) -> None:
    hand.connection.settimeout(5)
    hand.connection.recv(1_024)
    hand.send(b"\x16\x03\x03\x00\x7a\x02")
    hand.connection.close()


@behaviour("tls-silent", "The handshake is never answered.", stage=Stage.CONNECT, tls="none",
           always=UNREACHED, later=None)  # fmt: skip
def _tls_silent(hand: Hand) -> None:
    hand.drain()


@behaviour("tls-is-plain", "The target speaks plain HTTP where TLS was asked for.", stage=Stage.CONNECT, tls="none",
           always=UNREACHED, later=None)  # fmt: skip
def _tls_is_plain(hand: Hand) -> None:
    hand.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    hand.connection.close()


__all__ = ["BEHAVIOURS"]
