"""The plan of a load run, and its result."""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from kycgate.contracts.flows import Choice, choice
from kycgate.load.interval import Breach
from kycgate.load.think import Think
from kycgate.runs.flow_model import is_upload
from kycgate.runs.load_model import HIGHEST_US, LOWEST_US, Clock, LoadResult
from kycgate.target.route import Route

NO_PAUSE = Think("constant", 0.0)


class Limit(BaseModel):
    """A limit that samples are compared with as they are recorded; `upload` is every upload."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: str
    clock: Clock
    limit_us: int = Field(ge=LOWEST_US, lt=HIGHEST_US)

    def matches(self, step: str, clock: str) -> bool:
        """Whether samples of this step and clock are compared with it."""
        return clock == self.clock and (step == self.step or (self.step == "upload" and is_upload(step)))


class LoadPlan(BaseModel):
    """One workload. Open: onboardings arrive at `rate` for `duration_s`, whatever the target does. Closed, when
    `people` is given: this many people onboard again and again, pausing between the steps."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    base_url: str
    rate: float = Field(gt=0, description="Onboardings a second.")
    duration_s: float = Field(gt=0)
    grace_s: float = Field(default=30.0, ge=0, description="What is under way when it ends may go on for so long.")
    poisson: bool = False
    shape: str = "steady"
    people: int = Field(default=0, ge=0, description="Closed: people at once; 0 is an open workload.")
    think: Think = Field(default=NO_PAUSE, description="Closed: the pause between steps, seconds.")
    client_order_share: float = Field(default=0.0, ge=0, le=1, description="Onboardings in the Android client's order.")
    retry_share: float = Field(default=0.0, ge=0, le=1, description="Onboardings that begin with an unreadable photo.")
    out_of_turn: int = Field(
        default=40, ge=0, description="Sessions beside the onboardings that take a step out of turn, at most."
    )
    sizes: tuple[int, ...] = Field(default=(), description="Bytes of the pictures, in turn; empty is as drawn.")
    cards: int = Field(default=40, ge=1, le=1_000, description="Different people whose cards are shown, at most.")
    degradations: tuple[tuple[str, float], ...] = Field(
        default=(), description="What is done to the pictures, in turn, and how strongly (0 to 1)."
    )
    limits: tuple[Limit, ...] = Field(default=(), description="Of the policy: samples are counted by them.")
    max_requests: int | None = Field(default=None, ge=0, description="Stop there.")
    max_uploads: int | None = Field(default=None, ge=0)
    max_error_share: float = Field(default=1.0, ge=0, le=1, description="Stop above it, from 50 answers on.")
    seed: int = 0
    scheme: str = "bearer"
    translation: Literal["on", "off", "auto"] = "auto"
    token_properties: dict[str, str] = Field(
        default_factory=dict, description="What the target demands in a request for a token besides the tenant's own."
    )
    timeout_s: float = 60.0
    route: Route = Field(default=Route(), repr=False, description="Proxy, certificates, further headers.")
    specimens: Path | None = None
    api_keys: tuple[str, ...] = Field(default=(), repr=False)
    tenant_id: str | None = Field(default=None, repr=False)
    tenant_secret: str | None = Field(default=None, repr=False)
    token_command: tuple[str, ...] = Field(default=(), repr=False, description="Prints a session's token.")
    token_command_s: float = Field(default=30.0, gt=0, description="Seconds that it may take.")

    @property
    def words(self) -> str:
        """The workload in one line."""
        if self.people:
            return f"closed: {self.people} people, pauses {self.think.words} s, {self.duration_s:g} s"
        kind = "Poisson" if self.poisson else "even"
        shape = "" if self.shape == "steady" else f"{self.shape} up to "
        return f"open: {shape}{self.rate:g} onboardings/s, {kind} arrivals, {self.duration_s:g} s"

    def share(self, index: int, count: int) -> "LoadPlan":
        """What one of `count` workers does of it. Arrivals and people are dealt out by the generator itself."""
        part = {
            name: total // count + (index < total % count)
            for name in ("max_requests", "max_uploads", "out_of_turn")
            if (total := getattr(self, name)) is not None
        }
        return self.model_copy(update={**part, "api_keys": self.api_keys[index::count]})


class Topology(BaseModel):
    """Who generates: this process alone, local workers, or workers on other machines (Locust's master and workers)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    processes: int = Field(
        default=1, ge=1, le=256, description="Worker processes on this machine; with 1 there is no master."
    )
    remote_workers: int = Field(default=0, ge=0, le=1_000, description="Workers that are waited for; 0 is none.")
    bind_host: str = "127.0.0.1"
    bind_port: int = Field(default=0, ge=0, le=65_535, description="0 picks a free one.")
    wait_s: float = Field(default=300.0, gt=0, description="How long workers are waited for.")

    @property
    def workers(self) -> int:
        return self.remote_workers or self.processes


class Job(BaseModel):
    """What a generator's process is told: one line of JSON on its standard input."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: str = Field(description="local, master or worker.")
    plan: LoadPlan = Field(description="A worker's own is only what it knows itself: target, credentials, cards, TLS.")
    topology: Topology = Topology()
    flow: Choice = Field(default_factory=choice, description="The flow that its answers are judged by.")
    otel: bool = Field(default=False, description="Locust's own export by OpenTelemetry, as OTEL_* variables say.")


class LoadOutcome(BaseModel):
    """What the generator measured."""

    result: LoadResult
    requests: int
    uploads: int
    unavailable: int = Field(description="Answers of 5xx, time-outs and broken connections.")
    wrong_examples: list[str] = Field(default_factory=list)
    judged: dict[str, tuple[int, int]] = Field(
        default_factory=dict, description="By clause: answers that broke it, and answers that were judged by it."
    )
    breaches: list[Breach] = Field(default_factory=list)
    gone: bool = Field(default=False, description="At its end the target had given no answer any more.")
    void: str = Field(default="", description="Why nothing can be concluded; empty when something can.")


SECRET = {"api_keys", "tenant_id", "tenant_secret", "token_command", "route", "specimens"}
"""What a worker on another machine knows itself: secrets, and paths of its machine."""


def for_workers(plan: LoadPlan) -> dict[str, Any]:
    """The plan as it goes over the network: without secrets, and without paths of this machine."""
    return plan.model_dump(mode="json", exclude=SECRET)
