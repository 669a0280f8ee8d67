"""The runs of a client's command in a rehearsal, as run.json keeps them."""

from typing import Literal

from pydantic import Field

from kycgate.runs.base import Plain, RunModel

Outcome = Literal["survived", "failed", "hung", "not exercised"]


class TrialResult(RunModel):
    """One run of the command: against the faithful stand-in, or with one case."""

    case: Plain = Field(description="`faithful`, or fault.NAME, habit.NAME, line.NAME.")
    outcome: Outcome
    seconds: float = Field(default=0.0, ge=0, description="Wall time; 0 where the command was not run.")
    ended: str = Field(default="", description="How it ended; empty where the command was not run.")
    requests: int = Field(default=0, ge=0, description="Requests that reached the stand-in.")
    completed: bool = Field(default=False, description="Whether the last step of some onboarding was accepted.")
    output: str = Field(default="", description="The last that it wrote, redacted; of runs that did not survive.")
