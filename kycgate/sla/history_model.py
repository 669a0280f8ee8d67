"""What a history says: groups of runs that can be compared, their series, and what changed. `--json` prints it."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from kycgate.sla.changes import FEWEST, LEVEL, METHOD, SOURCE, Verdict


class HistoryPoint(BaseModel):
    """One load run, month or week."""

    name: str = Field(description="The run's folder; of months and weeks 2026-11 and 2026-W48.")
    began: datetime
    ends: datetime | None = Field(default=None, description="Of months and weeks.")
    release: str = Field(default="", description="The target's, as recorded or as --released says.")
    verdict: str = Field(default="", description="kept, broken or unclear, where it was judged.")
    left_out: str = Field(default="", description="Why it is shown, and counts for no trend and no change.")
    note: str = ""
    samples: int = Field(default=0, description="Requests of a load; probes that count.")
    outages: int | None = None
    down_low_s: float | None = Field(default=None, description="Certainly down.")
    down_high_s: float | None = Field(default=None, description="Down at most, as far as it was watched.")
    unwatched_s: float | None = None


class HistoryValue(BaseModel):
    """What one of them measured."""

    point: int = Field(default=0, description="Its place among the group's points, from 0.")
    value: float
    low: float | None = Field(default=None, description="Of its interval; null when nothing bounds it.")
    high: float | None = None
    bound: float | None = Field(default=None, description="The limit that the objective had then.")
    samples: int = 0
    verdict: str = Field(default="", description="The objective's.")


class HistorySeries(BaseModel):
    """One objective, the availability, or one percentile of one step, over the runs of a group."""

    kind: str = Field(description="objective, availability or latency.")
    name: str = Field(description="The objective's id, or the step's.")
    sentence: str
    unit: str = Field(description="share, ms, or as the objective has it.")
    percentile: float | None = None
    higher_is_better: bool
    values: list[HistoryValue]
    verdict: Verdict
    p: float | None = Field(default=None, description="Of the whole page: corrected for all splits, series and groups.")
    before: float | None = Field(default=None, description="The median before the change, where one is shown.")
    after: float | None = None

    @property
    def label(self) -> str:
        """The step with its percentile, or the name."""
        return f"{self.name} p{self.percentile:g}" if self.percentile is not None else self.name

    @property
    def worse(self) -> bool:
        """Whether the change is for the worse."""
        return (
            self.before is not None and self.after is not None and (self.after < self.before) == self.higher_is_better
        )


class HistoryChange(BaseModel):
    """Series that changed at the same place."""

    verdict: Literal["worse", "better", "mixed"]
    series: list[int] = Field(description="Their places among the group's series, the surest first.")
    last_before: int = Field(description="The place of the last point before it.")
    first_after: int
    release: str = Field(default="", description="A release that falls between the two; empty where none is known.")
    p: float = Field(description="Of the surest of its series.")


class ReleaseMark(BaseModel):
    """From when on a release was there, as far as the history knows."""

    label: str
    at: datetime


class HistoryGroup(BaseModel):
    """Runs that can be compared with each other, in the order in which they began."""

    kind: Literal["load", "month", "week"]
    target: str
    flow: str = ""
    load: str = Field(default="", description="The workload, without its duration.")
    pictures: str = ""
    onboardings: str = Field(default="", description="Ways of onboarding that differ from the documented one.")
    differs: list[str] = Field(default_factory=list, description="From the largest group of its kind, in words.")
    points: list[HistoryPoint]
    series: list[HistorySeries]
    releases: list[ReleaseMark] = Field(default_factory=list)
    verdict: Verdict
    changes: list[HistoryChange] = Field(default_factory=list, description="The surest first.")

    @property
    def noun(self) -> str:
        """What its points are."""
        return {"load": "run", "month": "month", "week": "week"}[self.kind]

    @property
    def counted(self) -> int:
        """The points that count."""
        return sum(not point.left_out for point in self.points)


class History(BaseModel):
    """Many runs and months."""

    verdict: Verdict
    exit_code: int = Field(default=0, description="0 once the page is made: a history shows, and does not gate.")
    reason: str
    level: float = Field(default=LEVEL, description="The chance that a history without a change shows one, anywhere.")
    fewest: int = Field(default=FEWEST, description="Runs, months or weeks that a series takes to show a change.")
    method: str = METHOD
    source: str = SOURCE
    groups: list[HistoryGroup]
    notes: list[str] = Field(default_factory=list)
