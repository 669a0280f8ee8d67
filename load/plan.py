"""What a load run shall do, and what came of it: the two messages between the command and the generator's process."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from kycgate.run import LoadResult


class LoadPlan(BaseModel):
    """One workload. Open: onboardings arrive at `rate` for `duration_s`, whatever the target does. Closed, when
    `people` is given: so many people onboard one after the other, pausing between the steps."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: str
    rate: float = Field(gt=0, description="Onboardings a second.")
    duration_s: float = Field(gt=0)
    poisson: bool = False
    shape: str = "steady"
    people: int = Field(default=0, ge=0, description="Closed: people at once; 0 is an open workload.")
    think_s: float = Field(default=0.0, ge=0, description="Closed: mean pause between steps (exponential), seconds.")
    client_order_share: float = Field(default=0.0, ge=0, le=1, description="Onboardings in the Android client's order.")
    retry_share: float = Field(default=0.0, ge=0, le=1, description="Onboardings that begin with an unreadable photo.")
    sizes: tuple[int, ...] = Field(default=(), description="Bytes of the pictures, in turn; empty is as drawn.")
    max_requests: int = Field(default=0, ge=0, description="Stop there; 0 is no limit.")
    max_uploads: int = Field(default=0, ge=0)
    max_error_share: float = Field(default=1.0, ge=0, le=1, description="Stop above it, from 50 answers on.")
    seed: int = 0
    scheme: str = "bearer"
    translation: str = "on"
    timeout_s: float = 60.0
    verify_tls: bool = True
    ca_file: Path | None = None
    specimens: Path | None = None
    api_keys: tuple[str, ...] = Field(default=(), repr=False)
    tenant_id: str | None = Field(default=None, repr=False)
    tenant_secret: str | None = Field(default=None, repr=False)

    @property
    def words(self) -> str:
        """The workload in one line."""
        if self.people:
            return f"closed: {self.people} people, {self.think_s:g} s to think between steps, {self.duration_s:g} s"
        kind = "Poisson" if self.poisson else "even"
        shape = "" if self.shape == "steady" else f"{self.shape} up to "
        return f"open: {shape}{self.rate:g} onboardings/s, {kind} arrivals, {self.duration_s:g} s"


class LoadOutcome(BaseModel):
    """What the generator measured."""

    result: LoadResult
    requests: int
    uploads: int
    unavailable: int = Field(description="Answers of 5xx, time-outs and broken connections.")
    upload_response_ms: list[float]
    wrong_examples: list[str] = Field(default_factory=list)
    void: str = Field(default="", description="Why nothing can be concluded; empty when something can.")
