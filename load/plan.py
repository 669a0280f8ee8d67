"""What a load run shall do: everything but the secrets, which travel apart and never touch a file or a command line."""

import math
from enum import StrEnum
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from kycgate.contracts.endpoints import CLIENT_TIMEOUT_S
from kycgate.errors import UsageError
from kycgate.profile import BaseUrl, is_loopback

Positive = Field(gt=0, allow_inf_nan=False)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Stage(_Part):
    """A stretch of the run in which the level (onboardings/s, or people) goes evenly from `start` to `end`."""

    seconds: float = Field(gt=0, le=7 * 86_400, allow_inf_nan=False)
    start: float = Field(ge=0, le=100_000, allow_inf_nan=False)
    end: float = Field(ge=0, le=100_000, allow_inf_nan=False)


ShapeName = Literal["steady", "ramp", "step", "spike", "soak"]


def shape(name: ShapeName, level: float, seconds: float) -> tuple[Stage, ...]:
    """The stages of a named shape that peaks at `level` and lasts `seconds`.

    steady and soak stay at the level (a soak is long, and its memory is watched); ramp climbs to it evenly; step climbs
    in five equal stairs; spike stays at a fifth of it but for the middle fifth of the time.
    """
    if name == "ramp":
        return (Stage(seconds=seconds, start=0, end=level),)
    if name == "step":
        stair = seconds / 5
        return tuple(Stage(seconds=stair, start=level * n / 5, end=level * n / 5) for n in range(1, 6))
    if name == "spike":
        low = level / 5
        return (
            Stage(seconds=seconds * 0.4, start=low, end=low),
            Stage(seconds=seconds * 0.2, start=level, end=level),
            Stage(seconds=seconds * 0.4, start=low, end=low),
        )
    return (Stage(seconds=seconds, start=level, end=level),)


class Arrivals(StrEnum):
    """How the arrivals of an open workload are spaced."""

    CONSTANT = "constant"
    POISSON = "poisson"


class ThinkTime(_Part):
    """What a person takes between two steps, in seconds: always the mean, or drawn around it."""

    mean_s: float = Field(default=0.0, ge=0, le=3600, allow_inf_nan=False)
    distribution: Literal["constant", "exponential", "uniform", "lognormal"] = "constant"
    """uniform is 0 to twice the mean; lognormal has a sigma of 0.5."""


class CardMix(_Part):
    """Which pictures are shown. `sizes` weighs image sizes in bytes; empty takes the pictures as they come."""

    folder: Path | None = Field(default=None, description="The user's own cards; None draws synthetic ones.")
    count: int = Field(default=6, ge=1, le=1000, description="Synthetic cards to draw.")
    sizes: dict[int, float] = Field(default_factory=lambda: {400_000: 1.0})
    wrap_base64: bool = Field(default=False, description="A line feed each 76 characters, as Android sends it.")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if any(size < 20_000 or size > 8_000_000 for size in self.sizes):
            raise ValueError("an image size lies between 20000 and 8000000 bytes")
        if any(not weight > 0 or math.isinf(weight) for weight in self.sizes.values()):
            raise ValueError("the weight of an image size is above 0")
        return self


class HardStops(_Part):
    """The run ends early at the first of these."""

    requests: int | None = Field(default=None, ge=1)
    uploads: int | None = Field(default=None, ge=1, description="Billed uploads.")
    seconds: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    error_share: float | None = Field(default=0.5, gt=0, le=1, description="Of the answers, once 50 are in.")


class HealthLimits(_Part):
    """Past any of these the generator distorts what it measures, and the run is void."""

    loop_lag_p99_ms: float = Field(default=50.0, gt=0)
    schedule_slip_p99_ms: float = Field(default=50.0, gt=0)
    cpu_share: float = Field(default=0.9, gt=0, le=1)
    gc_pause_max_ms: float = Field(default=100.0, gt=0)


class Cluster(_Part):
    """A master that workers on other machines join."""

    bind_host: str = "0.0.0.0"  # noqa: S104 - workers come from other machines
    bind_port: int = Field(default=5557, ge=0, le=65_535)
    expect_workers: int = Field(default=1, ge=1)
    wait_s: float = Field(default=60.0, gt=0)


class LoadPlan(_Part):
    """One load run."""

    base_url: BaseUrl
    workload: Literal["open", "closed"] = "open"
    stages: tuple[Stage, ...] = Field(min_length=1, description="Levels are onboardings/s (open) or people (closed).")
    label: str = Field(default="", description="The shape's name, for people.")
    arrivals: Arrivals = Arrivals.POISSON
    seed: int = Field(default=0, ge=0)
    think: ThinkTime = ThinkTime()
    client_order_share: float = Field(default=0.5, ge=0, le=1, description="Share that approves the front early.")
    retry_share: float = Field(default=0.0, ge=0, le=1, description="Share that first shows an unreadable front.")
    translation: bool = Field(default=True, description="Whether approvals carry the English names.")
    cards: CardMix = CardMix()
    mints: bool = Field(default=True, description="A token is minted for each onboarding; otherwise fixed keys.")
    auth_scheme: Literal["bearer", "bare"] = "bearer"
    accept_language: Literal["ar", "en"] = "en"
    fresh_connections: bool = Field(default=False, description="Each onboarding opens a connection of its own.")
    timeout_s: float = Field(default=CLIENT_TIMEOUT_S, gt=0, le=600)
    drain_s: float = Field(default=CLIENT_TIMEOUT_S, gt=0, description="How long the last onboardings may take to end.")
    verify_tls: bool = True
    ca_file: Path | None = None
    stops: HardStops = HardStops()
    health: HealthLimits = HealthLimits()
    processes: int = Field(default=1, ge=1, le=256)
    cluster: Cluster | None = None
    max_rate: float | None = Field(default=None, gt=0, description="The most onboardings/s the profile allows.")
    yes_this_is_mine: bool = Field(default=False, description="The caller answers for the target.")

    @property
    def duration_s(self) -> float:
        """The planned length, in seconds, without the draining."""
        return sum(stage.seconds for stage in self.stages)

    @property
    def peak(self) -> float:
        """The highest level: onboardings/s, or people."""
        return max(max(stage.start, stage.end) for stage in self.stages)

    @property
    def people(self) -> int:
        """The most people at once in a closed workload."""
        return math.ceil(self.peak)

    @property
    def generators(self) -> int:
        """How many processes make the load."""
        return self.cluster.expect_workers if self.cluster else self.processes

    def words(self) -> str:
        """The workload in a line."""
        levels = " to ".join(f"{level:g}" for level in dict.fromkeys((self.stages[0].start, self.peak)))
        what = f"{levels} onboardings/s, {self.arrivals}" if self.workload == "open" else f"{levels} people"
        return ", ".join(filter(None, (self.workload, self.label, what, f"{self.duration_s:g} s")))


class LoadSecrets(_Part):
    """The credentials of a run; handed to the generator on its standard input only."""

    api_keys: tuple[SecretStr, ...] = ()
    tenant_id: str | None = None
    tenant_secret: SecretStr | None = None


def check_plan(plan: LoadPlan, secrets: LoadSecrets) -> None:
    """Refuse what must not start, or could not measure what it says.

    Raises:
        UsageError: no credentials, too few keys, a target that is not known to be the caller's, or a CA file or card
            folder that is not there.
    """
    if not is_loopback(plan.base_url) and not plan.yes_this_is_mine:
        if plan.max_rate is None:
            raise UsageError(
                f"{plan.base_url} is not this machine: set limits.max_load_rate in the profile, "
                "or say --yes-this-is-mine"
            )
        if plan.workload == "closed":
            raise UsageError(
                "a closed workload has no rate to hold against limits.max_load_rate: say --yes-this-is-mine"
            )
    if plan.max_rate is not None and plan.workload == "open" and plan.peak > plan.max_rate:
        raise UsageError(f"the plan peaks at {plan.peak:g} onboardings/s, the profile allows {plan.max_rate:g}")
    if plan.peak == 0:
        raise UsageError("the plan never rises above 0: give it a rate, or people")
    if plan.ca_file is not None and not plan.ca_file.is_file():
        raise UsageError(f"there is no CA file {plan.ca_file}")
    if plan.cards.folder is not None and not plan.cards.folder.is_dir():
        raise UsageError(f"there is no folder {plan.cards.folder} with cards")
    if plan.cluster is not None:
        return  # The workers hold the credentials, and check them.
    check_credentials(plan, secrets)


def check_credentials(plan: LoadPlan, secrets: LoadSecrets) -> None:
    """Raises UsageError when the credentials cannot carry the plan: a fixed key serves one onboarding at a time."""
    if plan.mints:
        if not secrets.tenant_id or not secrets.tenant_secret:
            raise UsageError("no tenant id and secret to mint tokens with")
        return
    keys = len(secrets.api_keys)
    if not keys:
        raise UsageError("no credentials: neither keys nor a tenant")
    if plan.workload == "closed" and keys < plan.people:
        raise UsageError(
            f"{plan.people} people need {plan.people} keys and there are {keys}: a key serves one onboarding at a time"
        )
    if plan.workload == "open" and keys < plan.peak:
        # Four calls, two of them reading a picture, take a second or so.
        raise UsageError(
            f"{plan.peak:g} onboardings/s need at least {math.ceil(plan.peak)} keys and there are {keys}: "
            "a key serves one onboarding at a time; mint tokens, or lower the rate"
        )
