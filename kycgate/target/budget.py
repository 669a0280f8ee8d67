"""How much a run may send, enforced where requests are sent."""

import math
import threading
import time
from collections import deque
from dataclasses import dataclass, field

from kycgate.errors import BudgetExhausted

_WINDOW_S = 1.0
"""Seconds of answers by which a target's rate limit is estimated."""
_UNDER, _GROWTH, _SLOWEST = 0.8, 0.01, 0.5
"""The share of that estimate which is sent; how it grows with each answer; and requests a second at the least."""


@dataclass
class Budget:
    """At most `requests` requests, `uploads` of them billed uploads, `rate` requests a second, and `time_s` seconds.

    Thread-safe. The time begins with the budget.
    """

    requests: int | None = None
    uploads: int | None = None
    rate: float | None = None
    time_s: float = math.inf
    requests_sent: int = 0
    uploads_sent: int = 0
    held_to: float | None = None
    """Requests a second that the target's own rate limit seems to allow; None while none was met."""
    slowest: float | None = None
    """The least of those paces; None while none was met."""
    put_offs: int = 0
    """Requests that the target put off (429)."""
    _next_at: float = 0.0
    _answered_at: deque[float] = field(default_factory=deque, repr=False)
    _limited_at: float = -math.inf
    _waited_until: float = -math.inf
    _begun: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def left_s(self) -> float:
        """Seconds until the time limit; negative once it is over."""
        return self._begun + self.time_s - time.monotonic()

    def take(self, *, upload: bool) -> None:
        """Pay for one request, waiting for the rate's next slot.

        Raises:
            BudgetExhausted: the budget has no room for it; nothing was taken.
        """
        with self._lock:
            if self.requests is not None and self.requests_sent >= self.requests:
                raise BudgetExhausted(f"the budget of {self.requests} requests is spent")
            if upload and self.uploads is not None and self.uploads_sent >= self.uploads:
                raise BudgetExhausted(f"the budget of {self.uploads} uploads is spent")
            wait = max(self._next_at - time.monotonic(), 0.0)
            if wait >= self.left_s:
                raise BudgetExhausted(self.time_is_up)
            self.requests_sent += 1
            self.uploads_sent += upload
            pace = min(self.rate or math.inf, self.held_to or math.inf)
            self._next_at = max(self._next_at, time.monotonic() + wait + 1 / pace)
        if wait > 0:
            time.sleep(wait)

    def bill(self) -> None:
        """What was sent to be refused was read as a picture: it counts as an upload, too."""
        with self._lock:
            self.uploads_sent += 1

    def answered(self) -> None:
        """A request was answered, and not put off: the pace that a rate limit has slowed down grows again, slowly."""
        with self._lock:
            now = time.monotonic()
            self._answered_at.append(now)
            while self._answered_at[0] < now - _WINDOW_S:
                self._answered_at.popleft()
            if self.held_to is not None:
                self.held_to *= 1 + _GROWTH

    def put_off(self, sent: float, seconds: float) -> float:
        """A request that left at `sent` (monotonic) was put off (429) for some seconds: nothing is sent until then.

        From then on requests keep to a pace just under that at which the target answered. Returns the seconds by which
        this has lengthened the wait: what was under way together is put off together.
        """
        with self._lock:
            now = time.monotonic()
            if sent >= self._limited_at:
                answered = sum(moment >= now - _WINDOW_S for moment in self._answered_at) / _WINDOW_S
                # What the target takes in a second, as far as was seen, and less than the pace that was too quick.
                self.held_to = max(min(answered, self.held_to or math.inf) * _UNDER, _SLOWEST)
                self.slowest = min(self.held_to, self.slowest or math.inf)
            self.put_offs += 1
            self._limited_at = now
            until = max(now + seconds, self._waited_until)
            longer = until - max(now, self._waited_until)
            self._waited_until = until
            self._next_at = max(self._next_at, until)
            return longer

    @property
    def time_is_up(self) -> str:
        """Why nothing more is sent."""
        return f"the time limit of {self.time_s:g} s is reached"

    def demand(self, *, requests: int, uploads: int) -> None:
        """Begin a test only before the time limit, and where it may send this many more.

        Raises:
            BudgetExhausted: why it may not.
        """
        if self.left_s <= 0:
            raise BudgetExhausted(self.time_is_up)
        if not self.has_room(requests=requests, uploads=uploads):
            raise BudgetExhausted("the budget has no room for it")

    def has_room(self, *, requests: int, uploads: int) -> bool:
        """Whether this many more may be sent."""
        with self._lock:
            return (self.requests is None or self.requests_sent + requests <= self.requests) and (
                self.uploads is None or self.uploads_sent + uploads <= self.uploads
            )
