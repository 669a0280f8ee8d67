"""The recorded run: the model behind run.json, and the folder it is kept in.

Everything that shows a run reads these models and nothing else, so a report can be made again years later. Nothing in
them is secret: what enters has gone through `kycgate.target.redaction`.
"""

import json
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from kycgate.contracts.clauses import Level
from kycgate.settings.severity import Effect, Severity
from kycgate.target.exchange import RecordedExchange

SCHEMA_VERSION = 1
MAX_FINDINGS = 3
"""Of one clause: a list that is shorter holds every way in which it was broken."""

Change = Literal["", "new", "known"]
"""Against the earlier run of --since; empty without one."""


class Verdict(StrEnum):
    """Of one clause."""

    KEPT = "kept"
    BROKEN = "broken"
    UNCLEAR = "unclear"
    NOT_TRIED = "not tried"


def _check_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # an unknown key, a folder of the zone database, a path that leaves it
        raise ValueError(f"there is no time zone {name!r}: write an IANA name such as Africa/Cairo") from None
    return name


Zone = Annotated[str, AfterValidator(_check_zone)]
"""An IANA time zone."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore")


class Finding(_Model):
    """The evidence of a breach: its smallest exchange, what was required and what came."""

    required: str = Field(description="What the contract requires.")
    actual: str = Field(description="What came instead, redacted.")
    where: str = Field(default="", description="The part of the answer at fault, such as customerData.gender.")
    exchange: RecordedExchange | None = Field(default=None, description="The smallest exchange that shows it.")
    curl: str = Field(default="", description="A command that sends it again; secrets are $VARIABLES.")
    test: str = Field(default="", description="The test that met it first.")
    change: Change = Field(default="", description="Against the earlier run: new or known.")


class ClauseResult(_Model):
    """What the run says of one clause."""

    id: str
    level: Level
    endpoints: list[str]
    verdict: Verdict
    sentence: str = ""
    source: str = ""
    frequency: str = Field(default="", description="always, sometimes (k of n), or only when …; empty when kept.")
    broken: int = Field(default=0, description="Observations that broke it.")
    observed: int = Field(default=0, description="Observations in all.")
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
    change: Change = Field(default="", description="Of a broken clause, against the earlier run: new or known.")
    before: str = Field(default="", description="Its verdict in the earlier run; empty when that did not know it.")
    broken_since: str = Field(default="", description="When the earliest run began that had it broken, run for run.")

    @property
    def how_often(self) -> str:
        """`frequency`, also of a broken clause whose run did not record it."""
        return self.frequency or ("at least once" if self.verdict is Verdict.BROKEN else "")


class OpenPointResult(_Model):
    """What the target chose where the sources leave room: recorded, never judged."""

    id: str
    question: str
    observed: list[str]
    warning: str = ""
    counts: dict[str, int] = Field(default_factory=dict, description="How often each was observed.")


class Observed(_Model):
    """One question about how the target answers, and how often each answer was seen."""

    section: str = Field(description="choices, answers, fields, order, headers, words or token.")
    subject: str
    counts: dict[str, int]


class DriftItem(_Model):
    """What the target answers otherwise than it was pinned; no clause need be broken by it."""

    subject: str
    kind: Literal["changed", "new", "gone"] = Field(
        description="changed: nothing of what was pinned came; new: something besides it; gone: some of it no more."
    )
    before: list[str]
    now: list[str]


Clock = Literal["response", "service", "waiting", "connecting", "sending", "thinking", "reading"]
"""What of a request is timed: from due, from sent start, and their split."""


class StepLatency(_Model):
    """Latency of one step (or of the whole onboarding) from the raw histogram; milliseconds."""

    name: str
    clock: Clock
    count: int
    failures: int = 0
    mean: float
    p50: float
    p90: float
    p95: float
    p99: float
    p999: float
    max: float
    histogram: str = Field(default="", description="HdrHistogram V2, compressed, base64; microseconds.")


class LoadPoint(_Model):
    """One second of the load run for one step; latencies are response times in milliseconds."""

    second: float = Field(description="Seconds since the run began.")
    step: str
    started: int
    finished: int
    failures: int = Field(description="Answers that came to nothing or were wrong.")
    unavailable: int = Field(default=0, description="Of them 5xx, time-outs and broken connections.")
    p50: float
    p95: float
    max: float


class FieldReading(_Model):
    """How often one field of cards with known truth was read as it is printed."""

    field: str = Field(description="The vendor's property, such as fullName.")
    degradation: str = Field(default="none", description="What was done to the picture; none is as drawn.")
    right: int
    total: int
    cards: int = Field(default=0, description="Different cards among them; 0 when not recorded.")


class GeneratorHealth(_Model):
    """How the load generator itself did; past its limits the run is void."""

    loop_lag_p99_ms: float = 0.0
    schedule_slip_p99_ms: float = 0.0
    cpu_share: float = 0.0
    gc_pause_max_ms: float = 0.0
    void: str = Field(default="", description="Why the run is void; empty when it is not.")


class SizePoint(_Model):
    """Upload latency at one image size; milliseconds."""

    size_bytes: int
    count: int
    p50: float
    p95: float
    thinking_p50: float | None = None


class CapacityPoint(_Model):
    """One plateau of a search for the capacity; its first part, in which it settled, left out."""

    rate: float = Field(description="Onboardings that arrived each second.")
    throughput: float = Field(description="Onboardings that ended each second.")
    concurrency: float = Field(description="Onboardings under way on average (Little 1961).")
    p95_ms: float = Field(description="Of the uploads' response times.")
    failed_share: float
    broke: str = Field(default="", description="Why this rate is too much; empty when it is not.")


class CapacityResult(_Model):
    """How much the target carries."""

    points: list[CapacityPoint]
    objective: str = Field(description="What every rate had to keep, in words.")
    highest_kept: float | None = Field(description="The highest rate that kept it; null when none did.")
    lowest_broken: float | None = Field(description="The lowest rate that did not; null when all did.")
    usl: dict[str, float] = Field(
        default_factory=dict, description="lambda (onboardings/s of one alone), sigma (contention), kappa (coherency)."
    )
    knee: dict[str, float] = Field(
        default_factory=dict,
        description="Of the fitted law: concurrency and throughput (onboardings/s), each with its low and high.",
    )
    note: str = ""


class LoadResult(_Model):
    """The load part of a run."""

    @property
    def requests_sent(self) -> int:
        """All of them: steps, tokens, and those of other plateaus."""
        return self.requests + self.tokens + self.other_requests

    workload: str = Field(description="In words: open, 5 onboardings/s, constant, 30 s.")
    seed: int
    duration_s: float
    scheduled: int = Field(description="Onboardings due.")
    recorded: int = Field(description="Onboardings that ended.")
    in_flight: int = 0
    not_started: int = 0
    wrong_answers: int = 0
    requests: int = Field(default=0, description="Sent, tokens not counted.")
    tokens: int = Field(default=0, description="Requests for tokens that were sent.")
    other_requests: int = Field(default=0, description="Sent in the other plateaus of a search for the capacity.")
    other_uploads: int = Field(default=0, description="Uploads among those.")
    unavailable: int = Field(default=0, description="5xx, time-outs and broken connections among them.")
    latencies: list[StepLatency]
    series: list[LoadPoint] = Field(default_factory=list)
    readings: list[FieldReading] = Field(default_factory=list)
    sizes: list[SizePoint] = Field(default_factory=list)
    size_fit: dict[str, float] = Field(default_factory=dict, description="slope_ms_per_mb, intercept_ms, …")
    health: GeneratorHealth = Field(default_factory=GeneratorHealth)
    capacity: CapacityResult | None = None
    stopped: str = Field(default="", description="The hard stop that ended the load early; empty when none did.")
    sending_clock: str = Field(default="", description="How sending was told from thinking.")
    workers: int = 1
    extra: dict[str, Any] = Field(default_factory=dict)


class WaiverResult(_Model):
    """A waiver of the profile, and whether this run needed it."""

    clause: str
    reason: str
    owner: str
    expires: str = Field(description="The last day on which it holds, UTC, ISO 8601.")
    state: Literal["used", "unused", "not judged", "expired"] = Field(
        description="used: it turned a failure into amber; unused: its clause was kept, or only warns anyway."
    )


class Stretch(_Model):
    """A stretch of time, UTC; `name` is the window's."""

    start: datetime
    end: datetime
    name: str = ""

    @property
    def seconds(self) -> float:
        return (self.end - self.start).total_seconds()


class Outage(_Model):
    """Failed probes in a row. What is known are moments: it was up at the last good one, down at the first bad one."""

    last_good: datetime = Field(description="It began after this: the last good probe, or where watching began.")
    first_bad: datetime
    last_bad: datetime
    next_good: datetime = Field(description="It ended before this: the next good probe, or where watching ended.")
    probes: int
    failures: dict[str, int] = Field(default_factory=dict, description="Kinds of failure, and how often.")
    steps: list[str] = Field(default_factory=list, description="The steps at which it failed.")

    @property
    def at_least_s(self) -> float:
        return (self.last_bad - self.first_bad).total_seconds()

    @property
    def at_most_s(self) -> float:
        return (self.next_good - self.last_good).total_seconds()


DayState = Literal["good", "failures", "outage", "excluded", "no data", "to come"]


class Day(_Model):
    """One day of the calendar, from local midnight to local midnight; seconds are of the time that counts."""

    date: str
    state: DayState
    probes: int = 0
    unavailable: int = 0
    broken: int = 0
    unclear: int = 0
    counted_s: float = 0.0
    gap_s: float = 0.0
    excluded_s: float = 0.0
    p95_upload_ms: float | None = None

    @property
    def availability(self) -> float | None:
        return 1 - self.unavailable / self.probes if self.probes else None


class CreditResult(_Model):
    """What one objective's breach costs, in percent of the period's fee."""

    objective: str
    measured: str
    percent: float = Field(description="By the measured value.")
    shown: float = Field(description="By the confidence bound: so much is owed whatever chance did.")
    tiers: list[str] = Field(description="In words, from the mildest.")


class PeriodResult(_Model):
    """A calendar month as its probes show it."""

    name: str = Field(pattern=r"^2\d{3}-(0[1-9]|1[0-2])$", description="The month, such as 2026-11.")
    zone: Zone
    start: datetime
    end: datetime
    judged_at: datetime
    over: bool = Field(description="Whether the period had ended when it was judged.")
    target: str
    store: str = Field(default="", description="Where the probes were kept, without any credentials.")
    probers: list[str] = Field(default_factory=list)
    every_s: float = Field(description="Seconds from one probe to the next.")
    every_learned: bool = Field(default=False, description="Whether that was learned from the probes.")
    jitter_s: float = Field(default=0.0, description="The least that any probe's moment was drawn from.")
    probes: int = Field(description="In the whole period.")
    counted: int = Field(description="Outside windows, and clear.")
    unavailable: int
    broken: int
    unclear: int = Field(description="Outside windows; they say nothing of the vendor.")
    single_failures: int = Field(description="Failed probes that are part of no outage.")
    failures: dict[str, int] = Field(default_factory=dict, description="Kinds of failure, and how often.")
    total_s: float = Field(description="Of the period, without windows.")
    excluded_s: float
    gap_s: float
    to_come_s: float
    unknown_share: float = Field(description="Of the time that counts: gaps, unless tolerated, and what is to come.")
    outage_after: int
    outages: list[Outage] = Field(default_factory=list)
    gaps: list[Stretch] = Field(default_factory=list)
    windows: list[Stretch] = Field(default_factory=list)
    days: list[Day] = Field(default_factory=list)
    credits_owed: list[CreditResult] = Field(default_factory=list)
    credit_cap: float = 100.0
    latencies: list[StepLatency] = Field(default_factory=list, description="Of the days' histograms, merged.")
    clock_low_s: float | None = None
    clock_high_s: float | None = None

    @property
    def credit_percent(self) -> float:
        """Of all objectives together, by the measured values."""
        return min(self.credit_cap, sum(credit.percent for credit in self.credits_owed))

    @property
    def credit_shown(self) -> float:
        """Of all objectives together, by the confidence bounds."""
        return min(self.credit_cap, sum(credit.shown for credit in self.credits_owed))


class ObjectiveResult(_Model):
    """What the run says of one SLA objective."""

    id: str
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
    unit: Literal["share", "ms", ""] = Field(default="", description="Of value, low, high and bound.")
    value: float | None = Field(default=None, description="As measured.")
    low: float | None = Field(default=None, description="The lower confidence bound; none when nothing bounds it.")
    high: float | None = Field(default=None, description="The upper confidence bound; none when nothing bounds it.")
    bound: float | None = Field(default=None, description="The limit.")
    effective: float | None = Field(default=None, description="Independent samples that the samples are worth.")
    stands_s: float | None = Field(
        default=None, description="The verdict stands as long as answers hang together for at most so many seconds."
    )
    note: str = Field(default="", description="What the verdict rests on, in a sentence or two.")
    change: Change = Field(default="", description="Of a broken objective, against the earlier run: new or known.")


class GoneFinding(_Model):
    """What the earlier run found broken and this one judged and found kept."""

    id: str = Field(description="The clause or objective.")
    endpoint: str = ""
    where: str = ""
    required: str = ""
    was: str = Field(default="", description="How often it was broken, or what was measured.")
    now: str = Field(default="", description="What this run says instead.")


class Baseline(_Model):
    """The earlier run that --since named, and what this one no longer finds."""

    name: str = Field(description="The name of its folder.")
    command: str
    verdict: str
    started_at: str = ""
    kycgate_version: str = ""
    differs: list[str] = Field(default_factory=list, description="What else changed between the two, in words.")
    gone: list[GoneFinding] = Field(default_factory=list)
    not_judged: list[str] = Field(default_factory=list, description="Broken then; this run cannot say whether still.")


class DetectedFaults(_Model):
    """What `kycgate prove` says of one clause: how many of the faults that break it the check finds."""

    clause: str
    kinds: dict[str, tuple[int, int]] = Field(description="By kind of fault: found, and how many there are.")
    missed: list[str] = Field(default_factory=list)


class Detection(_Model):
    """The matrix of `kycgate prove`, as it was committed with this version."""

    made: str = Field(description="When, and by which version.")
    clauses: list[DetectedFaults]
    variants: int = Field(description="Faithful variants of the sandbox that were checked.")
    alarms: int = Field(description="How many of them were accused.")


class Run(_Model):
    """run.json. Its first keys are a public interface and stay."""

    schema_version: int = SCHEMA_VERSION
    command: str
    verdict: Literal["kept", "broken", "unclear"]
    exit_code: int
    requests_sent: int = 0
    uploads_sent: int = 0
    clauses: list[ClauseResult] = Field(default_factory=list)
    reason: str = Field(default="", description="One line: why this verdict.")
    kycgate_version: str = ""
    target: str = Field(default="", description="The base URL, without any credentials.")
    embedded_sandbox: bool = False
    profile: str = ""
    started_at: str = ""
    finished_at: str = ""
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
    period: PeriodResult | None = Field(default=None, description="Of `kycgate sla --period`.")
    policy: dict[str, Any] | None = Field(default=None, description="The SLA policy that it was judged against.")
    waivers: list[WaiverResult] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)
    versions: dict[str, str] = Field(default_factory=dict)
    profile_file: str = Field(default="", description="The profile's path from the working directory, if beneath it.")
    since: Baseline | None = None
    detection: Detection | None = None


def schema_text() -> str:
    """The JSON Schema of run.json, as it is committed in reports/run.schema.json."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:kycgate:run:{SCHEMA_VERSION}",
        **Run.model_json_schema(),
        "title": "run.json of kycgate",
    }
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
