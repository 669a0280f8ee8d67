"""The recorded run: the model behind run.json, and the folder it is kept in.

Everything that shows a run reads these models and nothing else, so a report can be made again years later. Nothing in
them is secret: what enters has gone through `kycgate.target.redaction`.
"""

import json
from typing import Any, Literal

from pydantic import Field

from kycgate.runs.base import Plain, RunModel
from kycgate.runs.clause import Change, ClauseResult
from kycgate.runs.flow_model import RecordedFlow, before_it_was_recorded
from kycgate.runs.load_model import LoadResult
from kycgate.runs.period import PeriodResult
from kycgate.runs.rehearsal_model import TrialResult

SCHEMA_VERSION = 1


class OpenPointResult(RunModel):
    """What the target chose where the sources leave room: recorded, never judged."""

    id: Plain
    question: str
    observed: list[str]
    warning: str = ""
    counts: dict[str, int] = Field(default_factory=dict, description="How often each was observed.")


class Observed(RunModel):
    """One question about how the target answers, and how often each answer was seen."""

    section: str = Field(description="choices, answers, fields, order, headers, words or token.")
    subject: str
    counts: dict[str, int]


class DriftItem(RunModel):
    """What the target answers otherwise than it was pinned; no clause need be broken by it."""

    subject: str
    kind: Literal["changed", "new", "gone"] = Field(
        description="changed: nothing of what was pinned came; new: something besides it; gone: some of it no more."
    )
    before: list[str]
    now: list[str]


class WaiverResult(RunModel):
    """A waiver of the profile, and whether this run needed it."""

    clause: str
    reason: str
    owner: str
    expires: str = Field(description="The last day on which it holds, UTC, ISO 8601.")
    state: Literal["used", "unused", "not judged", "expired"] = Field(
        description="used: it turned a failure into amber; unused: its clause was kept, or only warns anyway."
    )


class ObjectiveResult(RunModel):
    """What the run says of one SLA objective."""

    id: Plain
    sentence: str
    verdict: Literal["holds", "broken", "not enough evidence"]
    measured: str
    limit: str
    interval: str
    confidence: float
    samples: int
    needed: int | None = Field(default=None, description="Samples still needed, when there is not enough evidence.")
    method: str = ""
    source: str = ""
    correction: str = Field(default="", description="How the error is shared out over the policy's objectives.")
    unit: Literal["share", "ms", "s", "per s", "count", ""] = Field(
        default="", description="Of value, low, high and bound."
    )
    value: float | None = Field(default=None, description="As measured.")
    low: float | None = Field(default=None, description="The lower confidence bound; none when nothing bounds it.")
    high: float | None = Field(default=None, description="The upper confidence bound; none when nothing bounds it.")
    bound: float | None = Field(default=None, description="The limit.")
    effective: float | None = Field(default=None, description="Independent samples that the samples are worth.")
    stands_s: float | None = Field(
        default=None,
        description="The verdict stands as long as answers depend on each other for at most these seconds.",
    )
    lacks: str = Field(default="", description="Why there is not enough evidence, and what it takes.")
    stands_on: str = Field(default="", description="What a verdict takes for granted: for whom and when it stands.")
    note: str = Field(default="", description="What the verdict rests on, in a sentence or two.")
    change: Change = Field(default="", description="Of a broken objective, against the earlier run: new or known.")

    @property
    def condition(self) -> str:
        """Why it is undecided, or what its verdict takes for granted."""
        return self.lacks or self.stands_on


class GoneFinding(RunModel):
    """What the earlier run found broken and this one judged and found kept."""

    id: Plain = Field(description="The clause or objective.")
    endpoint: Plain = ""
    where: str = ""
    required: str = ""
    was: str = Field(default="", description="How often it was broken, or what was measured.")
    now: str = Field(default="", description="What this run says instead.")


class Baseline(RunModel):
    """The earlier run that --since named, and what this one no longer finds."""

    name: str = Field(description="The name of its folder.")
    command: Plain
    verdict: str
    started_at: Plain = ""
    kycgate_version: str = ""
    differs: list[str] = Field(default_factory=list, description="What else changed between the two, in words.")
    gone: list[GoneFinding] = Field(default_factory=list)
    not_judged: list[Plain] = Field(default_factory=list, description="Broken then; this run cannot say whether still.")


class DetectedFaults(RunModel):
    """What `kycgate prove` says of one clause: how many of the faults that break it the check finds."""

    clause: str
    kinds: dict[str, tuple[int, int]] = Field(description="By kind of fault: found, and how many there are.")
    missed: list[str] = Field(default_factory=list)


class Detection(RunModel):
    """The matrix of `kycgate prove`, as it was committed with this version."""

    made: str = Field(description="When, and by which version.")
    clauses: list[DetectedFaults]
    variants: int = Field(description="Faithful variants of the sandbox that were checked.")
    alarms: int = Field(description="How many of them were accused.")


class Run(RunModel):
    """run.json. Its first keys are a public interface and stay."""

    schema_version: int = SCHEMA_VERSION
    command: Plain
    verdict: Literal["kept", "broken", "unclear"]
    exit_code: int
    requests_sent: int = 0
    uploads_sent: int = 0
    clauses: list[ClauseResult] = Field(default_factory=list)
    reason: str = Field(default="", description="One line: why this verdict.")
    kycgate_version: str = ""
    target: str = Field(default="", description="The base URL, without any credentials.")
    embedded_sandbox: bool = False
    release: str = Field(default="", description="The target's release, as --release said.")
    profile: str = ""
    started_at: Plain = ""
    finished_at: Plain = ""
    seed: int = 0
    strict: bool = False
    complete: bool = Field(default=True, description="False when the run was stopped before its end.")
    options: dict[str, Any] = Field(default_factory=dict)
    open_points: list[OpenPointResult] = Field(default_factory=list)
    behaviour: list[Observed] = Field(default_factory=list, description="What `kycgate pin` pins.")
    drift: list[DriftItem] = Field(default_factory=list, description="What changed since the pins.")
    fail_on_drift: bool = False
    objectives: list[ObjectiveResult] = Field(default_factory=list)
    load: LoadResult | None = None
    rehearsal: list[TrialResult] = Field(
        default_factory=list,
        description="Of `kycgate rehearse`: the faithful run of the command, then each case's.",
    )
    period: PeriodResult | None = Field(default=None, description="Of `kycgate sla --period`.")
    policy: dict[str, Any] | None = Field(default=None, description="The SLA policy that it was judged against.")
    waivers: list[WaiverResult] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)
    held_to: float | None = Field(
        default=None,
        description="Requests a second, at the slowest, that a check kept to as the target limits its rate; null: "
        "it met no limit.",
    )
    versions: dict[str, str] = Field(default_factory=dict)
    profile_file: str = Field(default="", description="The profile's path from the working directory, if beneath it.")
    since: Baseline | None = None
    detection: Detection | None = None
    flow: RecordedFlow = Field(
        default_factory=before_it_was_recorded, description="The flow that it was judged by: steps, edges, orders."
    )

    @property
    def target_words(self) -> str:
        """What was judged, for the first line of each output."""
        if self.embedded_sandbox and self.command != "rehearse":
            return "the embedded sandbox, no vendor"
        return self.target or "not recorded"


def schema_text() -> str:
    """The JSON Schema of run.json, as it is committed in reports/run.schema.json."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:kycgate:run:{SCHEMA_VERSION}",
        **Run.model_json_schema(),
        "title": "run.json of kycgate",
    }
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
