"""One probe as it is kept: a small onboarding, its outcome, and how long each step took.

Nothing in it is secret or personal: it says statuses, kinds of failure and times, never what was sent or answered.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from kycgate.errors import UsageError

ProbeVerdict = Literal["kept", "broken", "unavailable", "unclear"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ProbeStep(_Model):
    """One step that a probe took; microseconds, null where the clock is unknown."""

    step: str
    status: int | None = Field(description="Null when no whole answer came.")
    failure: str = Field(default="", description="Why none came, in a few words; or status 5xx.")
    response_us: int = Field(description="From when it was due to the answer's last byte, or to giving up.")
    service_us: int = Field(description="From when sending began.")
    sending_us: int | None = None
    thinking_us: int | None = Field(default=None, description="From the body's last byte to the answer's first.")
    reading_us: int | None = None


class Probe(_Model):
    """One probe."""

    id: str = Field(min_length=1, max_length=64, description="Drawn at random by the prober.")
    started_at: AwareDatetime
    target: str = Field(description="The base URL, which never carries credentials.")
    prober: str = Field(default="", description="Who probed, where several do.")
    verdict: ProbeVerdict = Field(
        description="kept; broken: an answer breaks the contract; unavailable: a 5xx, a time-out or no connection; "
        "unclear: credentials or cards refused, put off (429), or cut off."
    )  # fmt: skip
    failure: str = Field(default="", description="The kind of failure, in a few words.")
    failed_step: str = ""
    reason: str = Field(default="", description="One line: why this verdict.")
    breaches: tuple[str, ...] = Field(default=(), description="The clauses that its answers broke.")
    jitter_s: float = Field(default=0.0, description="It began at a random moment within these seconds.")
    requests: int = 0
    uploads: int = 0
    timeout_s: float = Field(description="Seconds after which an answer counted as none.")
    duration_us: int = Field(default=0, description="From the first request to the end of the last.")
    onboarding_us: int | None = Field(default=None, description="All four steps; null when they did not end.")
    clock_low_s: float | None = Field(default=None, description="The target's clock is ahead of ours by at least this.")
    clock_high_s: float | None = Field(default=None, description="And at most by this; from its Date headers.")
    kycgate_version: str = ""
    steps: tuple[ProbeStep, ...] = ()

    @property
    def ended_at(self) -> datetime:
        return self.started_at + timedelta(microseconds=self.duration_us)


def write_probes(path: Path, probes: Iterable[Probe]) -> None:
    """One JSON object a line."""
    path.write_text("".join(f"{probe.model_dump_json()}\n" for probe in probes), encoding="utf-8")


def read_probes(text: str, name: str) -> list[Probe]:
    """What `write_probes` wrote; `name` says in an error where it stood.

    Raises:
        UsageError: a line is not a probe.
    """
    try:
        return [Probe.model_validate_json(line) for line in text.splitlines() if line]
    except ValidationError as error:
        raise UsageError(f"{name} is damaged: {error.errors()[0]['msg']}") from None
