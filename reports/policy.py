"""The SLA policy: what was promised, as a TOML file."""

import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from kycgate.errors import UsageError
from kycgate.reports.period import Credit, Period, Window, check_credits, check_windows


class _Objective(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(min_length=1, max_length=60, pattern=r"^[a-z0-9][a-z0-9.-]*$")


class Availability(_Objective):
    """The share of requests that are answered without a 5xx, a time-out or a broken connection."""

    kind: Literal["availability"]
    at_least: float = Field(gt=0, lt=1)


class Correctness(_Objective):
    """The share of answers that keep the contract."""

    kind: Literal["correctness"]
    at_least: float = Field(gt=0, lt=1)


class Latency(_Objective):
    """A percentile of one step's, or of the whole onboarding's, time."""

    kind: Literal["latency"]
    step: Literal["upload_front", "upload_back", "approve_front", "approve_back", "onboarding"]
    clock: Literal["response", "service", "thinking"] = "response"
    percentile: float = Field(gt=0, lt=100)
    limit_ms: float = Field(gt=0, le=120_000)

    @model_validator(mode="after")
    def _whole_onboardings_have_one_clock(self) -> "Latency":
        if self.step == "onboarding" and self.clock != "response":
            raise ValueError("an onboarding has a response time alone")
        return self


Objective = Annotated[Availability | Correctness | Latency, Field(discriminator="kind")]


class Policy(BaseModel):
    """The objectives, the confidence of all of them together, the measuring period, and what a breach costs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = ""
    confidence: float = Field(default=0.95, ge=0.5, lt=1)
    objective: tuple[Objective, ...] = Field(min_length=1, max_length=50)
    period: Period = Period()
    window: tuple[Window, ...] = Field(default=(), max_length=60)
    credit: tuple[Credit, ...] = ()

    @model_validator(mode="after")
    def _ids_are_unique(self) -> "Policy":
        ids = [objective.id for objective in self.objective]
        for name in ids:
            if ids.count(name) > 1:
                raise ValueError(f"two objectives are named {name!r}")
        return self

    @model_validator(mode="after")
    def _windows_and_credits_fit(self) -> "Policy":
        check_windows(self.window)
        check_credits(self.credit, self.objective)
        return self

    @property
    def each(self) -> float:
        """The confidence of one objective, so that the family's is `confidence` (Bonferroni)."""
        return 1 - (1 - self.confidence) / len(self.objective)


def load_policy(path: Path) -> Policy:
    """The policy in a TOML file.

    Raises:
        UsageError: it cannot be read, is no TOML, or promises what cannot be.
    """
    try:
        return Policy.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise UsageError(f"cannot read the policy {path}: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UsageError(
            f"the policy {path} is wrong: {where}: {first['msg'].removeprefix('Value error, ')}".replace(": :", ":")
        ) from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the policy {path} is no TOML: {error}") from None
