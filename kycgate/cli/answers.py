"""The documents that `--json` prints where no recorded run is one; check, load and verify print the run itself."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from kycgate.cli.examine import Symptom
from kycgate.probing.probe import Probe


class DoctorAnswer(BaseModel):
    """`kycgate doctor --json`."""

    command: Literal["doctor"] = "doctor"
    verdict: Literal["ready", "not ready"]
    exit_code: int
    reason: str
    target: str
    symptoms: list[Symptom] = Field(description="One for each thing looked at: its state, what it is, what was seen.")


class ProbeAnswer(BaseModel):
    """`kycgate probe --json`."""

    command: Literal["probe"] = "probe"
    verdict: str = Field(description="kept, broken, unavailable or unclear.")
    exit_code: int
    reason: str
    store: str = Field(description="Where it was appended.")
    probe: Probe = Field(description="As the store keeps it.")


class PlannedAnswer(BaseModel):
    """One test of the plan."""

    model_config = ConfigDict(from_attributes=True)

    test: str
    clauses: list[str] = Field(description="What it judges.")
    requests: int
    uploads: int


class CheckPlan(BaseModel):
    """`kycgate check --dry-run --json`."""

    command: Literal["check"] = "check"
    requests: int = Field(description="At most.")
    uploads: int = Field(description="At most.")
    budget_requests: int
    budget_uploads: int
    tests: list[PlannedAnswer] = Field(description="In the order in which they are sent.")


class CaseAnswer(BaseModel):
    """One case of a rehearsal."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    kind: str = Field(description="fault, habit or line.")
    level: str
    sentence: str = Field(description="What the vendor, or the line to it, does.")


class CaseList(BaseModel):
    """`kycgate rehearse --list --json`."""

    command: Literal["rehearse"] = "rehearse"
    cases: list[CaseAnswer]
