"""Whose error it is when a request cannot be sent or gets no answer: ours, or the other side's.

The error number decides. What this machine lacks (files, memory, ports, a route, a name server) says nothing of the
target, so it is never counted as the target's.
"""

import errno
import os
import socket

_OURS = {
    errno.EMFILE: "this process may open no more files: raise the limit (ulimit -n)",
    errno.ENFILE: "this machine may open no more files",
    errno.ENOBUFS: "this machine has no buffers left",
    errno.ENOMEM: "this machine has no memory left",
    errno.EADDRNOTAVAIL: "this machine has no free port left",
    errno.ENETDOWN: "this machine's network is down",
    errno.ENETUNREACH: "this machine has no route to the target's network",
    errno.EACCES: "this machine does not allow the connection",
    errno.EPERM: "this machine does not allow the connection",
}
"""By error number: what this machine lacks, in words."""


def own_fault(error: BaseException | None) -> str:
    """What this machine lacks, in words, where that is why `error` came; empty when the other side may be why.

    The causes of `error` are looked at too: libraries wrap what the system says.
    """
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, socket.gaierror):
            return f"the target's name was not resolved ({error.strerror or error})"
        if isinstance(error, OSError) and error.errno in _OURS:
            return f"{_OURS[error.errno]} ({os.strerror(error.errno)})"
        error = error.__cause__ or error.__context__
    return ""
