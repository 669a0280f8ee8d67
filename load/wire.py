"""Bytes to and from the target, and the moment at which a body counts as sent.

A body is sent when the target's side has acknowledged all but its last two segments, not when our kernel has taken it:
some MB may lie in a send buffer, and on a slow uplink that is not the vendor's thinking. The last two may wait for the
answer to carry their acknowledgement (RFC 1122, 4.2.3.2), which is not sending. The kernel itself notes the moment
(SO_TIMESTAMPING with SOF_TIMESTAMPING_TX_ACK, Documentation/networking/timestamping.rst in Linux), so nothing polls.
"""

import contextlib
import errno
import select
import socket
import ssl
import struct
import sys
import time
from typing import Any

from gevent.hub import get_hub
from gevent.monkey import get_original

_SO_TIMESTAMPING = 37
_TX_ACK, _SOFTWARE, _OPT_ID, _OPT_TSONLY = 1 << 9, 1 << 4, 1 << 7, 1 << 11
_ASK = [(socket.SOL_SOCKET, _SO_TIMESTAMPING, struct.pack("=I", _TX_ACK))]
_TIMESPEC = struct.Struct("qq")
_EXTENDED_ERROR = struct.Struct("=IBBBBII")
_ORIGIN_TIMESTAMPING = 4
_KEYS = 1 << 32
CHUNK = 262_144
"""Bytes that are encrypted at a time."""


class Wire:
    """A TCP connection with TCP_NODELAY.

    Raises:
        OSError: it cannot be made, or breaks.
    """

    def __init__(self, made: Any) -> None:
        """`made` is gevent's socket, connected."""
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._made = made
        self._raw: socket.socket = made._sock  # noqa: SLF001 - gevent's own waits cannot empty the error queue
        loop = get_hub().loop
        self._readable, self._writable = loop.io(made.fileno(), 1), loop.io(made.fileno(), 2)
        self._poll = get_original("select", "poll")()
        self._poll.register(made.fileno(), select.POLLIN)
        self._unmarked = 2 * made.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
        self._marks = False
        if sys.platform == "linux":
            with contextlib.suppress(OSError):
                # Only what is asked for in a send is noted; without leave to do so, sending ends with the kernel's.
                self._raw.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPING, _SOFTWARE | _OPT_ID | _OPT_TSONLY)
                self._marks = True
        self._total = 0
        self._awaited = 0
        """Time stamps that may still come, at most."""
        self._key = -1
        self._acknowledged = 0

    def send(self, head: bytes, body: bytes | memoryview) -> None:
        """Send both without copying either."""
        self._push(memoryview(head), memoryview(body))

    def _push(self, head: memoryview, body: memoryview) -> None:
        """Send, and have the kernel note when all but the last two segments have arrived."""
        self._acknowledged = 0
        marked = len(body) - self._unmarked
        if self._marks and marked > 0:
            self._key = (self._total + len(head) + marked - 1) % _KEYS
            self._write([head, body[:marked]], _ASK)
            self._write([body[marked:]])
        else:
            self._key = -1
            self._write([head, body])

    def _write(self, views: list[memoryview], ask: Any = ()) -> None:
        while views:
            try:
                # MSG_EOR keeps what follows out of the noted byte's packet: the kernel notes whole packets alone.
                sent = self._raw.sendmsg(views, ask, socket.MSG_EOR if ask else 0)
            except BlockingIOError:
                self._wait(self._writable)
                continue
            self._total += sent
            self._awaited += bool(ask)
            while views and sent >= len(views[0]):
                sent -= len(views.pop(0))
            if views:
                views[0] = views[0][sent:]

    def receive(self, size: int) -> bytes:
        """What has come, at most `size` bytes; waits for it. Empty when the other side has ended."""
        while True:
            # What was just sent has no answer yet: waiting first saves a call.
            self._wait(self._readable)
            try:
                return self._raw.recv(size)
            except BlockingIOError:
                continue

    def ended(self) -> bool:
        """Whether the other side has ended it, or has sent bytes unasked, since the last answer."""
        # Mostly nothing has come, and then asking costs a fifth of trying.
        if not self._poll.poll(0):
            return False
        try:
            return self._is_over(self._raw.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        except BlockingIOError:
            return False
        except OSError:
            return True

    def _is_over(self, peeked: bytes) -> bool:
        return True

    def _wait(self, watcher: Any) -> None:
        """Until the socket can be used; a time stamp wakes too, and goes on waking until it is taken."""
        get_hub().wait(watcher)
        if self._awaited:
            self._take_stamps()

    def _take_stamps(self) -> None:
        while self._awaited:
            try:
                _, ancillary, _, _ = self._raw.recvmsg(0, 256, socket.MSG_ERRQUEUE)
            except BlockingIOError:
                return
            moment = key = -1
            for _level, kind, data in ancillary:
                if kind == _SO_TIMESTAMPING:
                    seconds, nanoseconds = _TIMESPEC.unpack_from(data)
                    moment = seconds * 10**9 + nanoseconds
                elif len(data) >= _EXTENDED_ERROR.size:
                    number, origin, *_, key = _EXTENDED_ERROR.unpack_from(data)
                    if (number, origin) != (errno.ENOMSG, _ORIGIN_TIMESTAMPING):
                        key = -1
            self._awaited -= 1
            if key == self._key and moment >= 0:
                # The stamp is of the wall clock, ours are monotonic.
                self._acknowledged = moment - time.time_ns() + time.perf_counter_ns()

    def acknowledged_at(self, taken: int) -> int:
        """When the last body was sent (monotonic, ns); `taken` is when the kernel had taken it all."""
        if self._key < 0:
            return taken
        # Not noted by now: the answer came first.
        return self._acknowledged or time.perf_counter_ns()

    def close(self) -> None:
        self._readable.close()
        self._writable.close()
        self._made.close()


class TlsWire(Wire):
    """The same within TLS: what is encrypted goes out by the same calls, so its clocks are the same.

    Raises:
        OSError: it cannot be made (ssl.SSLError when the certificate does not fit), or breaks.
    """

    def __init__(self, made: Any, host: str, context: ssl.SSLContext) -> None:
        super().__init__(made)
        try:
            self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
            while True:
                try:
                    self._tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    self._flush()
                    self._fill()
            self._flush()
        except BaseException:
            self.close()
            raise

    def send(self, head: bytes, body: bytes | memoryview) -> None:
        self._tls.write(head)
        left = memoryview(body)
        # The last piece is large enough to hold the segment whose time is noted.
        while len(left) > 2 * CHUNK:
            self._tls.write(left[:CHUNK])
            left = left[CHUNK:]
            self._flush()
        if left:
            self._tls.write(left)
        self._push(memoryview(b""), memoryview(self._outgoing.read()))

    def receive(self, size: int) -> bytes:
        while True:
            try:
                return self._tls.read(size)
            except ssl.SSLWantReadError:
                self._flush()
                if not self._fill():
                    return b""
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""

    def _is_over(self, peeked: bytes) -> bool:
        # Tickets of TLS 1.3 come unasked.
        return not peeked

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._write([memoryview(self._outgoing.read())])

    def _fill(self) -> bool:
        part = super().receive(CHUNK)
        if part:
            self._incoming.write(part)
        else:
            self._incoming.write_eof()
        return bool(part)
