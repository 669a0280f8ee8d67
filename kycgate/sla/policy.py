"""The SLA policy: what was promised, as a TOML file."""

import math
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from kycgate.errors import UsageError
from kycgate.files import read_text
from kycgate.runs.flow_model import is_upload
from kycgate.runs.load_model import WHOLE
from kycgate.settings.mistakes import File, mistakes_of, refuse
from kycgate.sla.credits import Credit, TierKey, check_credits
from kycgate.sla.hours import Hours
from kycgate.sla.period import Period, Window, check_windows
from kycgate.text import counted


class _Objective(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    tier_key: ClassVar[TierKey | None] = "below"

    id: str = Field(min_length=1, max_length=60, pattern=r"^[a-z0-9][a-z0-9.-]*$")
    hours: str | None = Field(
        default=None,
        description="The id of the [[hours]] that count in a calendar period; those of [period] when left out.",
    )


class _Share(_Objective):
    """A share of good ones, of which samples give bounds."""

    at_least: float = Field(gt=0, lt=1)

    @property
    def limit(self) -> float:
        return self.at_least


class _Limited(_Objective):
    """A time that a step may take."""

    tier_key: ClassVar[TierKey | None] = "above_ms"

    step: str = Field(
        pattern="^[a-z][a-z0-9_]*$",
        description="A step of the flow, `upload` for all uploads, or `onboarding`.",
    )
    clock: Literal["response", "service", "thinking"] = "response"
    limit_ms: float = Field(gt=0, le=120_000)

    @property
    def limit(self) -> float:
        return self.limit_ms

    @property
    def limit_us(self) -> int:
        """The limit in whole microseconds, as samples are."""
        return math.floor(round(self.limit_ms * 1e3, 6))

    def steps_among(self, recorded: Iterable[str]) -> tuple[str, ...]:
        """The recorded steps that count: all uploads among them, or the one that is named."""
        return (
            tuple(step for step in dict.fromkeys(recorded) if is_upload(step))
            if self.step == "upload"
            else (self.step,)
        )


class _Timed(_Objective):
    """An objective whose samples come one after the other, and may hang together for a while."""

    at_rate: float | None = Field(
        default=None,
        gt=0,
        le=10_000,
        description="Counts only what was due while this many onboardings a second arrived.",
    )
    bursts_s: float | None = Field(
        default=None, ge=0, le=86_400,
        description="The longest disturbance: answers hang together for these seconds, or longer where the run shows "
        "it; 0 takes each answer as independent; unstated, a run is worth no more than 15 independent answers.",
    )  # fmt: skip


class Availability(_Share, _Timed):
    """The share of requests that are answered without a 5xx, a time-out or a broken connection."""

    kind: Literal["availability"]
    step: str | None = Field(
        default=None, pattern="^[a-z][a-z0-9_]*$",
        description="Of the requests to one step of the flow, such as upload_front; of all without it.",
    )  # fmt: skip

    @model_validator(mode="after")
    def _is_of_one_step(self) -> "Availability":
        if self.step in ("upload", WHOLE):
            raise ValueError(f"{self.id!r} is the availability of one step, which {self.step!r} is not: name the step")
        return self


class Correctness(_Share, _Timed):
    """The share of answers that keep the contract."""

    kind: Literal["correctness"]


class Reading(_Share):
    """The share of fields that are read as printed on cards with known truth."""

    kind: Literal["reading"]
    field: str | None = Field(default=None, min_length=1, description="One field, such as idNumber; all without it.")
    degradation: str | None = Field(
        default=None, min_length=1, description="Pictures with one degradation, such as blur or none; all without it."
    )


class Latency(_Limited, _Timed):
    """A percentile of one step's, of all uploads' together, or of the whole onboarding's time."""

    kind: Literal["latency"]
    percentile: float = Field(gt=0, lt=100)


class MaxLatency(_Limited):
    """The longest time of all that were measured: of those alone, as no sample shows what others take."""

    kind: Literal["max-latency"]


class LongestOutage(_Objective):
    """How long one outage may last."""

    tier_key: ClassVar[TierKey | None] = "above_s"

    kind: Literal["longest-outage"]
    at_most_s: float = Field(gt=0, le=366 * 86_400)

    @property
    def limit(self) -> float:
        return self.at_most_s


class OutageCount(_Objective):
    """How many outages a calendar period may have."""

    tier_key: ClassVar[TierKey | None] = "above"

    kind: Literal["outage-count"]
    at_most: int = Field(ge=0, le=10_000)
    lasting_s: float = Field(
        gt=0, le=366 * 86_400,
        description="Outages of this length and longer count. Probes further apart than it could miss one.",
    )  # fmt: skip

    @property
    def limit(self) -> float:
        return self.at_most


class Throughput(_Objective):
    """How many onboardings or requests a second are served while as many or more are asked for."""

    tier_key: ClassVar[TierKey | None] = None

    kind: Literal["throughput"]
    of: Literal["onboardings", "requests"] = "onboardings"
    at_least_per_s: float = Field(gt=0, le=100_000)

    @property
    def limit(self) -> float:
        return self.at_least_per_s


Sampled = Availability | Correctness | Reading | Latency
"""Objectives that are shares of samples."""
Counted = MaxLatency | LongestOutage | OutageCount
"""Objectives that are decided by what is certain, without any chance."""
Objective = Annotated[Sampled | Throughput | Counted, Field(discriminator="kind")]


def share_of(objective: Sampled) -> float:
    """The share of good samples that the objective demands: a percentile is a share within the limit."""
    return objective.percentile / 100 if objective.kind == "latency" else objective.at_least


class Policy(BaseModel):
    """The objectives, the confidence of all of them together, the measuring period, and what a breach costs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = ""
    confidence: float = Field(default=0.95, ge=0.5, lt=1)
    objective: tuple[Objective, ...] = Field(min_length=1, max_length=50)
    unsteady: Literal["warn", "fail"] = Field(
        default="warn",
        description="What becomes of a load run whose response times climb or fall through it: a note at each "
        "percentile, or a broken objective named steady.",
    )
    period: Period = Period()
    hours: tuple[Hours, ...] = Field(
        default=(), max_length=60, description="Support hours, for objectives that are promised for those alone."
    )
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
        known = {hours.id for hours in self.hours}
        for whose, named in (("[period]", self.period.hours), *((repr(one.id), one.hours) for one in self.objective)):
            if named is not None and named not in known:
                raise ValueError(f"{whose} names the hours {named!r}, and no [[hours]] has that id")
        return self

    @property
    def sampled(self) -> tuple[Sampled, ...]:
        """The objectives that are shares of samples."""
        return tuple(one for one in self.objective if isinstance(one, Sampled))

    @property
    def _by_chance(self) -> int:
        """Of how many verdicts chance has a part; what is certain takes nothing of the error."""
        return sum(not isinstance(one, Counted) for one in self.objective)

    @property
    def each(self) -> float:
        """The confidence of one objective, so that the family's is `confidence` (Bonferroni)."""
        return 1 - (1 - self.confidence) / max(self._by_chance, 1)

    @property
    def correction(self) -> str:
        """How the error is shared out, for readers."""
        return f"Bonferroni over {counted(self._by_chance, 'objective')}"

    def hours_of(self, objective: Objective) -> str | None:
        """The id of the hours that count for it; None is all of the time."""
        return objective.hours or self.period.hours

    def hours_named(self, name: str | None) -> tuple[Hours, ...]:
        """The hours of this id; empty for None."""
        return tuple(hours for hours in self.hours if hours.id == name)


DEFAULT_BURSTS_S = 10.0
"""How long a disturbance may last by the default policy; seconds."""
DEFAULT_POLICY = Policy(
    name="default",
    objective=(
        Availability(id="availability", kind="availability", at_least=0.95, bursts_s=DEFAULT_BURSTS_S),
        Correctness(id="correctness", kind="correctness", at_least=0.95, bursts_s=DEFAULT_BURSTS_S),
        Latency(
            id="upload-p95", kind="latency", step="upload", percentile=95, limit_ms=5_000, bursts_s=DEFAULT_BURSTS_S
        ),
    ),
)
"""What a load run is held to when no policy is given."""


def load_policy(path: Path) -> Policy:
    """The policy in a TOML file.

    Raises:
        UsageError: it cannot be read, is not TOML, or promises what cannot be.
    """
    text, raw = "", {}
    try:
        text = read_text(path)
        raw = tomllib.loads(text)
        return Policy.model_validate(raw)
    except OSError as error:
        raise UsageError(f"cannot read the policy {path}: {error.strerror}") from None
    except ValidationError as error:
        found = mistakes_of(error, raw, Policy)
        raise refuse(f"the policy {path} is wrong", found, File(path, text, raw)) from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the policy {path} is not TOML: {error}") from None
