"""How much a run may send, enforced where requests are sent."""

import threading
import time
from dataclasses import dataclass, field

from kycgate.errors import BudgetExhausted


@dataclass
class Budget:
    """At most `requests` requests, `uploads` of them billed uploads, and `rate` requests a second. Thread-safe."""

    requests: int | None = None
    uploads: int | None = None
    rate: float | None = None
    requests_sent: int = 0
    uploads_sent: int = 0
    _next_at: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

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
            self.requests_sent += 1
            self.uploads_sent += upload
            wait = 0.0
            if self.rate:
                now = time.monotonic()
                slot = max(now, self._next_at)
                self._next_at = slot + 1 / self.rate
                wait = slot - now
        if wait > 0:
            time.sleep(wait)

    def has_room(self, *, requests: int, uploads: int) -> bool:
        """Whether this many more may be sent."""
        with self._lock:
            return (self.requests is None or self.requests_sent + requests <= self.requests) and (
                self.uploads is None or self.uploads_sent + uploads <= self.uploads
            )
