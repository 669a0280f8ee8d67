"""Whose error is it, when a request gets no answer: ours, the target's, or not to be told apart.

One table of every error that the two clients can meet. An error of ours (files, memory, ports, names that do not
resolve here, our CA, our network) says nothing of the target: a check ends unclear, a load is void, a probe has
not watched. What the target caused is a breach. What either side may have caused is unclear.
"""

import errno
import socket
import ssl
from collections.abc import Iterator
from typing import Literal, NamedTuple

import h11
import httpcore
import httpx

Whose = Literal["ours", "theirs", "unclear"]


class NameUnknown(httpcore.ConnectError):
    """The target's name does not resolve here."""


class NameLate(httpcore.ConnectTimeout):
    """This machine's resolver gave no answer in time."""


class ProxyAway(httpcore.ConnectError, OSError):  # noqa: N818 - it says what happened
    """The proxy cannot be reached."""


class ProxyRefuses(OSError):  # noqa: N818 - it says what happened
    """The proxy does not let us through to the target."""


class Blame(NamedTuple):
    """Whose error it is, its kind in a few words without addresses, and what to do about it."""

    whose: Whose
    kind: str
    advice: str = ""


_NAME = Blame("ours", "the name does not resolve here", "check the URL, and this machine's DNS")
_FILES = Blame("ours", "too many open files here", "raise the limit of open files (ulimit -n), or lower the rate")
_MEMORY = Blame("ours", "too little memory here", "give this machine more memory, or lower the rate")
_PORTS = Blame("ours", "no free port here", "lower the rate, or widen this machine's range of ports")
_NETWORK = Blame("ours", "no network here", "check this machine's network")
_FORBIDDEN = Blame("ours", "not allowed here", "check this machine's firewall and sandbox rules")
_SOCKET = Blame("ours", "this machine cannot make the connection", "check this machine's network set-up")
_OUR_CA = Blame("ours", "its certificate is signed by no CA known here", "name the CA with ca_file in the profile")
CLIENT_CERTIFICATE = Blame("ours", "it refuses our certificate, or wants one", "ask the vendor how it knows a client")
_PROXY_AWAY = Blame("ours", "the proxy cannot be reached", "check proxy in the profile, and that the proxy is up")
PROXY_REFUSES = Blame("ours", "the proxy refuses", "ask who runs it; its credentials come from KYCGATE_PROXY_USER")
_REQUEST = Blame("ours", "the request cannot be sent so", "please report it: kycgate failed")
_REFUSED = Blame("theirs", "no connection")
_BROKE = Blame("theirs", "the connection broke")
_LATE = Blame("theirs", "no answer within the time limit")
_NOT_HTTP = Blame("theirs", "the answer is not complete, well-formed HTTP")
_NO_ROUTE = Blame("unclear", "no route to the target", "check the network on the way to the target")
_VALIDITY = Blame("unclear", "its certificate is not valid today", "check its dates, and this machine's clock")
_NAME_IN_CERTIFICATE = Blame("unclear", "its certificate is for another name", "check the URL and the certificate")
_TLS = Blame("unclear", "TLS failed", "check the TLS versions and ciphers of both sides")
_UNKNOWN = Blame("unclear", "an unknown error", "please report it")

BY_ERRNO: dict[int, Blame] = {
    errno.EMFILE: _FILES,
    errno.ENFILE: _FILES,
    errno.ENOMEM: _MEMORY,
    errno.ENOBUFS: _MEMORY,
    errno.ENOSPC: _MEMORY,
    errno.EADDRNOTAVAIL: _PORTS,
    errno.EADDRINUSE: _PORTS,
    errno.EAGAIN: _PORTS,
    errno.ENETDOWN: _NETWORK,
    errno.ENETUNREACH: _NETWORK,
    errno.ENODEV: _NETWORK,
    errno.EACCES: _FORBIDDEN,
    errno.EPERM: _FORBIDDEN,
    errno.EAFNOSUPPORT: _SOCKET,
    errno.EPROTONOSUPPORT: _SOCKET,
    errno.EINVAL: _SOCKET,
    errno.EBADF: _SOCKET,
    errno.ECONNREFUSED: _REFUSED,
    errno.ECONNRESET: _BROKE,
    errno.ECONNABORTED: _BROKE,
    errno.ENOTCONN: _BROKE,
    errno.EPIPE: _BROKE,
    errno.ESHUTDOWN: _BROKE,
    errno.ETIMEDOUT: _LATE,
    errno.EHOSTUNREACH: _NO_ROUTE,
    errno.EHOSTDOWN: _NO_ROUTE,
}

_OUR_CA_CODES = frozenset({2, 18, 19, 20, 21})
VALIDITY_CODES = frozenset({9, 10, 13, 14})
_NAME_CODES = frozenset({62, 64})
"""X509_V_ERR_… of OpenSSL: no issuer or a self-signed one; the dates; the name."""

BY_KIND: tuple[tuple[type[BaseException], Blame], ...] = (
    (ProxyAway, _PROXY_AWAY),
    (ProxyRefuses, PROXY_REFUSES),
    (NameUnknown, _NAME),
    (NameLate, _NAME),
    (socket.gaierror, _NAME),
    (UnicodeError, _NAME),
    (ssl.SSLEOFError, _BROKE),
    (ssl.SSLZeroReturnError, _BROKE),
    (MemoryError, _MEMORY),
    (httpx.PoolTimeout, _FILES),
    (httpx.LocalProtocolError, _REQUEST),
    (h11.LocalProtocolError, _REQUEST),
    (httpx.UnsupportedProtocol, _REQUEST),
    (httpx.InvalidURL, _REQUEST),
    (httpcore.ProxyError, PROXY_REFUSES),
    (httpx.ProxyError, PROXY_REFUSES),
    (TimeoutError, _LATE),
    (httpx.TimeoutException, _LATE),
    (ConnectionRefusedError, _REFUSED),
    (ConnectionError, _BROKE),
    (httpx.RemoteProtocolError, _NOT_HTTP),
    (h11.RemoteProtocolError, _NOT_HTTP),
    (httpx.DecodingError, Blame("theirs", "the answer cannot be decoded")),
)
"""Where no number of the system tells more."""

_LAST: tuple[tuple[type[BaseException], Blame], ...] = (
    (httpx.ConnectError, _REFUSED),
    (httpx.NetworkError, _BROKE),
    (httpx.HTTPError, Blame("theirs", "the answer is too long")),
)


def blame_of(error: BaseException) -> Blame:
    """Whose error it is; the cause that lies deepest decides."""
    chain = [*_causes(error)]
    for cause in reversed(chain):
        found = _by_cause(cause)
        if found is not None:
            return found
    return next((blame for kind, blame in _LAST if isinstance(error, kind)), _UNKNOWN)


def _by_cause(cause: BaseException) -> Blame | None:
    if isinstance(cause, ssl.SSLCertVerificationError):
        for codes, blame in (
            (_OUR_CA_CODES, _OUR_CA), (VALIDITY_CODES, _VALIDITY), (_NAME_CODES, _NAME_IN_CERTIFICATE),
        ):  # fmt: skip
            if cause.verify_code in codes:
                return blame
        return _TLS
    for kind, blame in BY_KIND:
        if isinstance(cause, kind):
            return blame
    if isinstance(cause, ssl.SSLError):
        reason = cause.reason or ""
        alert = "ALERT" in reason and ("CERTIFICATE" in reason or "UNKNOWN_CA" in reason)
        return CLIENT_CERTIFICATE if alert else _TLS
    if isinstance(cause, OSError) and cause.errno is not None:
        return BY_ERRNO.get(cause.errno, _UNKNOWN)
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        # Libraries also raise `from None` what they wrap.
        cause = cause.__cause__ or cause.__context__


def own_fault(error: BaseException | None) -> str:
    """What this machine lacks and what to do, where the system says so; empty where the target is why `error` came.

    What cannot be told apart is not taken as the target's answer either.
    """
    if error is None or not any(isinstance(cause, OSError | UnicodeError | MemoryError) for cause in _causes(error)):
        return ""
    blame = blame_of(error)
    if blame.whose == "theirs":
        return ""
    said = next((cause.strerror for cause in _causes(error) if isinstance(cause, OSError) and cause.strerror), "")
    return f"{blame.kind}{f' ({said})' if said else ''}: {blame.advice}"
