"""Whose error it is: the table of every error that the two clients can meet."""

import errno
import socket
import ssl

import h11
import httpcore
import httpx
import pytest

from kycgate.target.blame import BY_ERRNO, NameLate, NameUnknown, Whose, blame_of, own_fault


def _certificate(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code = code
    return error


def _alert(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL: {reason}]")
    error.reason = reason
    return error


_TABLE: list[tuple[BaseException, Whose]] = [
    *(
        (OSError(number, "x"), "ours")
        for number in (
            errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EADDRNOTAVAIL, errno.EADDRINUSE,
            errno.ENETDOWN, errno.ENETUNREACH, errno.EACCES, errno.EPERM, errno.EAFNOSUPPORT,
        )
    ),
    *(
        (OSError(number, "x"), "theirs")
        for number in (errno.ECONNREFUSED, errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE, errno.ETIMEDOUT)
    ),
    (OSError(errno.EHOSTUNREACH, "x"), "unclear"),
    (OSError(errno.EXDEV, "x"), "unclear"),
    (socket.gaierror(socket.EAI_AGAIN, "x"), "ours"),
    (socket.gaierror(socket.EAI_NONAME, "x"), "ours"),
    (UnicodeError("label too long"), "ours"),
    (NameUnknown("x"), "ours"),
    (NameLate("x"), "ours"),
    (MemoryError(), "ours"),
    (_certificate(20), "ours"),
    (_certificate(18), "ours"),
    (_certificate(10), "unclear"),
    (_certificate(9), "unclear"),
    (_certificate(62), "unclear"),
    (_alert("TLSV13_ALERT_CERTIFICATE_REQUIRED"), "ours"),
    (_alert("SSLV3_ALERT_HANDSHAKE_FAILURE"), "unclear"),
    (_alert("WRONG_VERSION_NUMBER"), "unclear"),
    (ssl.SSLEOFError(8, "EOF"), "theirs"),
    (TimeoutError(), "theirs"),
    (httpx.ConnectTimeout("x"), "theirs"),
    (httpx.ReadTimeout("x"), "theirs"),
    (httpx.WriteTimeout("x"), "theirs"),
    (httpx.PoolTimeout("x"), "ours"),
    (httpx.ConnectError("x"), "theirs"),
    (httpx.ReadError("x"), "theirs"),
    (httpx.WriteError("x"), "theirs"),
    (httpx.RemoteProtocolError("x"), "theirs"),
    (h11.RemoteProtocolError("x"), "theirs"),
    (httpx.LocalProtocolError("x"), "ours"),
    (httpx.DecodingError("x"), "theirs"),
    (httpx.UnsupportedProtocol("x"), "ours"),
    (RuntimeError("x"), "unclear"),
]  # fmt: skip


@pytest.mark.parametrize(("error", "whose"), _TABLE, ids=lambda value: repr(value)[:60])
def test_whose_error_it_is_however_it_is_wrapped(error: BaseException, whose: Whose) -> None:
    assert blame_of(error).whose == whose
    wrapped = httpx.ConnectError("a library's own")
    wrapped.__cause__ = httpcore.ConnectError("another's")
    wrapped.__cause__.__cause__ = error
    expected = "theirs" if type(error) is RuntimeError else whose
    assert blame_of(wrapped).whose == expected


def test_each_kind_says_what_to_do_unless_it_is_the_targets() -> None:
    for blame in BY_ERRNO.values():
        assert bool(blame.advice) == (blame.whose != "theirs")


def test_what_the_system_says_alone_voids_a_load() -> None:
    assert "open files" in own_fault(OSError(errno.EMFILE, "Too many open files"))
    assert "does not resolve here" in own_fault(socket.gaierror(socket.EAI_AGAIN, "Temporary failure"))
    assert own_fault(OSError(errno.ECONNRESET, "x")) == own_fault(None) == own_fault(RuntimeError("x")) == ""
