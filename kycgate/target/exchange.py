"""One request and its answer, as it happened (`Exchange`) and as it may be kept (`RecordedExchange`).

An `Exchange` lives in memory only and holds the secrets and pictures that were sent (its repr, which a traceback may
show, leaves them out). What goes to disk is made from
it by `kycgate.target.redaction` at the moment of recording.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from kycgate.contracts.flow import Step
from kycgate.contracts.flows import flow
from kycgate.text import theirs

EARLIER_FLOW = "bring the key's earlier flow to its end"
"""Intent of requests that finish a fixed key's earlier flow; its customer is unknown."""

FEWEST_TRIES = 3
"""Tries of a side that a vendor allows at least, where it limits them in a session."""

NOT_HTTP = "the answer is not complete, well-formed HTTP"
"""How every client of ours begins to say so."""
HUNG_UP = "the connection was closed without an answer"
"""Likewise: nothing came that could be ill-formed."""


def header_of(headers: Iterable[tuple[str, str]], name: str) -> str | None:
    """The first header of this name, whatever its case."""
    return next((value for key, value in headers if key.lower() == name.lower()), None)


@dataclass(frozen=True, slots=True)
class Clocks:
    """Monotonic moments of one request, in nanoseconds; None where the sender could not tell.

    `due` is when it should have been sent, `sent` when sending began, `connected` when there was a connection (the same
    moment where one was kept), `body_sent` when its last byte was handed on,
    `first_byte` and `last_byte` are the answer's.
    """

    due: int
    sent: int
    last_byte: int
    body_sent: int | None = None
    first_byte: int | None = None
    connected: int | None = None

    @property
    def service_ms(self) -> float:
        return (self.last_byte - self.sent) / 1e6


@dataclass(frozen=True, slots=True)
class Picture:
    """What an upload showed: which card and side, and how it was encoded. Facts for `only when …`."""

    card: str
    side: str
    size: int
    media_type: str = "image/jpeg"
    wrapping: str = "none"
    readable: bool = True


@dataclass(slots=True)
class Exchange:
    """One request and its answer. `status` is None when no whole answer came; `failure` says why."""

    number: int
    endpoint: str
    method: str
    path: str
    request_headers: dict[str, str] = field(repr=False)
    request_body: bytes = field(repr=False)
    session: str
    clocks: Clocks
    status: int | None = None
    answer_headers: list[tuple[str, str]] = field(default_factory=list, repr=False)
    answer_body: bytes = field(default=b"", repr=False)
    failure: str | None = None
    at_once: bool = False
    """Whether another request of this run was under way meanwhile."""
    unreached: bool = False
    """Whether there was no connection, or it was reset before anything of an answer came."""
    hung_up: bool = False
    """Whether the connection was closed in order before anything of an answer came."""
    resent: bool = False
    """Whether it was sent before, on a kept connection that was closed then: it may have been performed."""
    test: str = ""
    picture: Picture | None = None
    card: str = ""
    """The card whose person the session is about, where only one is: of a load."""
    call_in_session: int = 0
    intent: str = "legal"
    """What the sender meant: `legal`, or the kind of wrong request, in a few words."""
    excused: str = ""
    """Why its refusal is not a breach, in words: what the contract leaves open explains it."""
    turn: str | None = None
    """Whether the step was in its turn, in words; None where chance decided what was sent or what state it met."""

    connection: int = 0
    """The number of the connection that it went over; 0 where none was made."""
    tries: int = 0
    """How often this side was uploaded before with this token, accepted or not."""
    odd: bool = False
    """Whether what was sent is not what a client sends: a firewall may take it for an attack."""
    own_credential: bool = True
    """Whether it went with the credential of its session, and not with one that was made wrong."""

    @property
    def step(self) -> Step | None:
        return flow().get(self.endpoint)

    @property
    def why_not(self) -> str:
        """Why no answer came: the kind in our words, and what the target may have written of it."""
        kind, colon, detail = (self.failure or "no answer").partition(": ")
        return f"{kind}{colon}{theirs(detail) if detail else ''}"

    @property
    def may_be_limited(self) -> bool:
        """Whether a vendor may refuse this side until a new session, as it was tried so often."""
        return self.tries >= FEWEST_TRIES and self.status in (400, 403, 429)

    def answer_header(self, name: str) -> str | None:
        """The first header of this name, whatever its case."""
        return header_of(self.answer_headers, name)


class RecordedClocks(BaseModel):
    """The exchange's phases in milliseconds; null where unknown."""

    model_config = ConfigDict(frozen=True)

    waiting_ms: float = Field(description="From due to the start of sending.")
    service_ms: float = Field(description="From the start of sending to the answer's last byte.")
    sending_ms: float | None = Field(default=None, description="From the start of sending to the body's last byte.")
    thinking_ms: float | None = Field(default=None, description="From the body's last byte to the answer's first.")
    reading_ms: float | None = Field(default=None, description="From the answer's first byte to its last.")


class RecordedExchange(BaseModel):
    """One line of exchanges.ndjson: redacted, safe to keep and to send on."""

    model_config = ConfigDict(frozen=True)

    number: int = Field(description="Counts the run's requests from 1.")
    at: str = Field(pattern=r"^[0-9T:.+Z-]{0,40}$", description="UTC wall clock when sending began, ISO 8601.")
    test: str = Field(description="Which test sent it.")
    session: str = Field(description="The suite's own label of the session, such as s3.")
    endpoint: str
    method: str
    path: str
    intent: str
    request_headers: dict[str, str]
    request_body: Any = Field(description="Redacted JSON, or a description of the bytes.")
    status: int | None
    answer_headers: dict[str, str]
    answer_body: Any
    failure: str | None = None
    clocks: RecordedClocks
    picture: dict[str, Any] | None = None
