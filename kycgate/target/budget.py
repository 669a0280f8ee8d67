"""How much a run may send, enforced where requests are sent."""

import math
import threading
import time
from dataclasses import dataclass, field

from kycgate.errors import BudgetExhausted


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
    _next_at: float = 0.0
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
            wait = max(self._next_at - time.monotonic(), 0.0) if self.rate else 0.0
            if wait >= self.left_s:
                raise BudgetExhausted(self.time_is_up)
            self.requests_sent += 1
            self.uploads_sent += upload
            if self.rate:
                self._next_at = time.monotonic() + wait + 1 / self.rate
        if wait > 0:
            time.sleep(wait)

    @property
    def time_is_up(self) -> str:
        """Why nothing more is sent."""
        return f"the time limit of {self.time_s:g} s is reached"

    def has_room(self, *, requests: int, uploads: int) -> bool:
        """Whether this many more may be sent."""
        with self._lock:
            return (self.requests is None or self.requests_sent + requests <= self.requests) and (
                self.uploads is None or self.uploads_sent + uploads <= self.uploads
            )
