"""What a load run shall do, and what came of it: the two messages between the command and the generator's process."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from kycgate.run import LoadResult


class LoadPlan(BaseModel):
    """One open workload: onboardings arrive at `rate` for `duration_s`, whatever the target does."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: str
    rate: float = Field(gt=0, description="Onboardings a second.")
    duration_s: float = Field(gt=0)
    poisson: bool = False
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


class LoadOutcome(BaseModel):
    """What the generator measured."""

    result: LoadResult
    requests: int
    uploads: int
    unavailable: int = Field(description="Answers of 5xx, time-outs and broken connections.")
    upload_response_ms: list[float]
    wrong_examples: list[str] = Field(default_factory=list)
    void: str = Field(default="", description="Why nothing can be concluded; empty when something can.")
