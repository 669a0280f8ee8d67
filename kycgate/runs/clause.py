"""The verdict on a clause and the evidence of its breach, as run.json keeps them."""

from enum import StrEnum
from typing import Literal

from pydantic import Field

from kycgate.contracts.clauses import Level
from kycgate.runs.base import Plain, RunModel
from kycgate.settings.severity import Effect, Severity
from kycgate.target.exchange import RecordedExchange

MAX_FINDINGS = 3
"""Of one clause: a list that is shorter holds every way in which it was broken."""

Change = Literal["", "new", "known"]
"""Against the earlier run of --since; empty without one."""


class Verdict(StrEnum):
    """Verdict on one clause."""

    KEPT = "kept"
    BROKEN = "broken"
    UNCLEAR = "unclear"
    NOT_TRIED = "not tried"


class Finding(RunModel):
    """The evidence of a breach: its smallest exchange, the required and the actual answer."""

    required: str = Field(description="What the contract requires.")
    actual: str = Field(description="What was answered instead, redacted.")
    where: str = Field(default="", description="The part of the answer at fault, such as customerData.gender.")
    exchange: RecordedExchange | None = Field(default=None, description="The smallest exchange that shows it.")
    curl: str = Field(default="", description="A command that sends it again; secrets are $VARIABLES.")
    test: str = Field(default="", description="The test that met it first.")
    change: Change = Field(default="", description="Against the earlier run: new or known.")


class ClauseResult(RunModel):
    """What the run says of one clause."""

    id: Plain
    level: Level
    endpoints: list[Plain]
    verdict: Verdict
    sentence: str = ""
    source: str = ""
    frequency: str = Field(default="", description="always, sometimes (k of n), or only when …; empty when kept.")
    broken: int = Field(default=0, description="Observations that broke it.")
    observed: int = Field(default=0, description="Observations in all.")
    judged_at: dict[Plain, int] = Field(default_factory=dict, description="Observations by endpoint.")
    reason: str = Field(default="", description="Why it is unclear or was not tried.")
    effect: Effect = Field(
        default=Effect.NONE,
        description="What a breach came to that day: fails, warns or waived; empty when not broken.",
    )
    severity: Severity | None = Field(default=None, description="What the rules said of a breach, waivers aside.")
    rule: str = Field(default="", description="Which rule said so: level, strict, severity of …")
    waived: str = Field(default="", description="The waiver's reason, owner and expiry, when one applies.")
    tests: list[str] = Field(default_factory=list, description="The tests that judged it.")
    findings: list[Finding] = Field(default_factory=list)
    cause: str = Field(
        default="", description="The clause whose breach this one only goes along with: it is listed there."
    )
    touches: list[str] = Field(
        default_factory=list, description="Of a broken clause: further clauses that its answers would have judged."
    )
    change: Change = Field(default="", description="Of a broken clause, against the earlier run: new or known.")
    before: str = Field(default="", description="Its verdict in the earlier run; empty when that did not know it.")
    broken_since: Plain = Field(default="", description="When the earliest run began that had it broken, run for run.")

    @property
    def how_often(self) -> str:
        """`frequency`, also of a broken clause whose run did not record it."""
        return self.frequency or ("at least once" if self.verdict is Verdict.BROKEN else "")
