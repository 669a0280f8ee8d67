"""The documents that `--json` prints of what was measured over time: their models take the extra `load`."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from kycgate.cli.answers import CaseList, CheckPlan, DoctorAnswer, ProbeAnswer
from kycgate.runs.model import ObjectiveResult
from kycgate.runs.period import BurnResult, PeriodResult
from kycgate.sla.compare import Comparison
from kycgate.sla.history_model import History


class BudgetAnswer(BaseModel):
    """The error budget of one availability objective; seconds of the whole period."""

    model_config = ConfigDict(from_attributes=True)

    objective: str
    allowed_s: float
    used_s: float
    left: float = Field(description="The share that is left; below 0 when more was used than there is.")
    ends_at: datetime | None = Field(description="At the rate of the last three days; null when it does not burn.")
    burns: list[BurnResult]


class SlaAnswer(BaseModel):
    """`kycgate sla --json`, of runs or of a month."""

    command: Literal["sla"] = "sla"
    verdict: Literal["kept", "broken", "unclear"]
    exit_code: int = Field(description="The verdict's; with --alert the command ends with 1 or 0 instead.")
    reason: str
    policy: str = Field(description="The policy's name.")
    confidence: float = Field(description="Of all objectives together.")
    objectives: list[ObjectiveResult]
    period: PeriodResult | None = Field(default=None, description="Of a month of probes.")
    budgets: list[BudgetAnswer] = Field(default_factory=list, description="Error budgets, of a month of probes.")
    alerts: bool = Field(default=False, description="Whether an error budget burns too fast.")
    notes: list[str] = Field(default_factory=list)


class NeedAnswer(BaseModel):
    """Independent samples that show one objective; null: more than can be counted."""

    model_config = ConfigDict(from_attributes=True)

    objective: str
    what: str = Field(description="What the samples are.")
    per_onboarding: int = Field(description="Samples of one onboarding.")
    at_best: int | None = Field(description="If none fails.")
    usually: int | None = Field(description="If half as many fail as may.")
    early_at_best: int | None = Field(description="With --until-decided, if none fails.")
    early: int | None = Field(description="With --until-decided, on average.")
    seconds: float = Field(description="The shortest run that shows it, whatever its rate; null: none does.")
    stops: bool = Field(default=True, description="Whether a run may stop by it with --until-decided.")


class SlaPlan(BaseModel):
    """`kycgate sla --plan --json`."""

    command: Literal["sla"] = "sla"
    needs: list[NeedAnswer]
    beside: dict[str, str] = Field(
        default_factory=dict,
        description="What it takes for objectives that are not shares of samples, by id, in words.",
    )


class CompareAnswer(Comparison):
    """`kycgate compare --json`."""

    command: Literal["compare"] = "compare"


class HistoryAnswer(History):
    """`kycgate history --json`."""

    command: Literal["history"] = "history"
    page: str = Field(description="Where the HTML page lies.")


class LengthAnswer(BaseModel):
    """How long two runs must be to compare one percentile of one step."""

    model_config = ConfigDict(from_attributes=True)

    step: str
    percentile: float
    seconds: float | None = Field(description="Null: no length would do.")


class ComparePlan(BaseModel):
    """`kycgate compare --plan --json`."""

    command: Literal["compare"] = "compare"
    lengths: list[LengthAnswer]


ANSWERS: dict[str, type[BaseModel]] = {
    "kycgate doctor": DoctorAnswer,
    "kycgate sla": SlaAnswer,
    "kycgate sla --plan": SlaPlan,
    "kycgate probe": ProbeAnswer,
    "kycgate compare": CompareAnswer,
    "kycgate compare --plan": ComparePlan,
    "kycgate history": HistoryAnswer,
    "kycgate check --dry-run": CheckPlan,
    "kycgate rehearse --list": CaseList,
}
"""What each call prints with --json; `check`, `load`, `verify` and `rehearse` print their run."""
