"""What run.json keeps of a load."""

from typing import Any, Literal

from pydantic import Field

from kycgate.runs.base import RunModel

WHOLE = "onboarding"
"""The name under which a whole onboarding stands among the steps."""
DUE = "due"
"""In latency.hlog the tag `step.due` marks response times by the second in which they were due."""
LOWEST_US, HIGHEST_US, DIGITS = 1, 120_000_000, 3
"""The grid of every histogram: microseconds, and digits that are kept."""

Clock = Literal["response", "service", "waiting", "connecting", "sending", "thinking", "reading"]
"""What of a request is timed: from due, from sent start, and their split."""


class StepLatency(RunModel):
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


class LoadPoint(RunModel):
    """One second of the load run for one step; latencies are response times in milliseconds."""

    second: float = Field(description="Seconds since the run began.")
    step: str
    started: int
    finished: int
    failures: int = Field(description="Answers that failed or were wrong.")
    unavailable: int = Field(default=0, description="Of them 5xx, time-outs and broken connections.")
    p50: float
    p95: float
    max: float


class DuePoint(RunModel):
    """What was due in one second of the load run, of one step: its response times in milliseconds, whenever it ended.

    So a stall shows as those met it who came during it. In latency.hlog it is tagged `step.due`.
    """

    second: float = Field(description="Seconds since the run began.")
    step: str
    finished: int = Field(description="Of those that were due, how many ended.")
    failures: int
    p50: float
    p95: float
    p99: float
    max: float


class ErrorCount(RunModel):
    """How often one step failed in one way."""

    step: str
    kind: str = Field(description="The status or why there is none; of a wrong answer the clause that it breaks too.")
    count: int


class LimitCount(RunModel):
    """One step's samples against one limit, compared while they were recorded, where the histogram cannot tell."""

    step: str
    clock: Clock
    limit_us: int
    within: dict[int, int] = Field(
        default_factory=dict,
        description="By second: samples in the histogram's cell that holds the limit, and at most the limit.",
    )


class FieldReading(RunModel):
    """How often one field of cards with known truth was read as it is printed."""

    field: str = Field(description="The vendor's property, such as fullName.")
    degradation: str = Field(default="none", description="What was done to the picture; none is as drawn.")
    right: int
    total: int
    cards: int = Field(default=0, description="Different cards among them; 0 when not recorded.")


class GeneratorHealth(RunModel):
    """How the load generator itself did; past its limits the run is void."""

    loop_lag_p99_ms: float = 0.0
    schedule_slip_p99_ms: float = 0.0
    cpu_share: float = 0.0
    gc_pause_max_ms: float = 0.0
    void: str = Field(default="", description="Why the run is void; empty when it is not.")


class SizePoint(RunModel):
    """Upload latency at one image size; milliseconds."""

    size_bytes: int
    count: int
    p50: float
    p95: float
    thinking_p50: float | None = None


class CapacityPoint(RunModel):
    """One plateau of a search for the capacity; its first part, in which it settled, left out."""

    rate: float = Field(description="Onboardings that arrived each second.")
    throughput: float = Field(description="Onboardings that ended each second.")
    concurrency: float = Field(description="Onboardings under way on average (Little 1961).")
    p95_ms: float = Field(description="Of the uploads' response times.")
    failed_share: float
    broke: str = Field(default="", description="Why this rate is too much; empty when it is not.")


class CapacityResult(RunModel):
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


class Trend(RunModel):
    """How one step's response times went through the run, by the medians of its intervals."""

    step: str
    intervals: int
    median_ms: float
    change_ms: float = Field(description="From the first interval to the last, by the slope.")
    slope_ms_per_s: float = Field(description="Theil and Sen.")
    slope_low: float = Field(description="Of its 95% interval.")
    slope_high: float
    tau: float = Field(description="Kendall's.")
    p: float = Field(description="Mann and Kendall, two sides, corrected for neighbours that hang together.")
    steady: bool = Field(description="False where the change is sure and matters: percentiles describe no state then.")


class LoadResult(RunModel):
    """The load part of a run."""

    @property
    def requests_sent(self) -> int:
        """All of them: steps, tokens, and those that were not measured."""
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
    other_requests: int = Field(default=0, description="Not measured: other plateaus', and those out of turn.")
    other_uploads: int = Field(default=0, description="Uploads among those.")
    unavailable: int = Field(default=0, description="5xx, time-outs and broken connections among them.")
    latencies: list[StepLatency]
    series: list[LoadPoint] = Field(default_factory=list)
    by_due: list[DuePoint] = Field(
        default_factory=list, description="By the second in which a request was due; empty in a run that did not ask."
    )
    errors: list[ErrorCount] = Field(
        default_factory=list,
        description="Of each step the most frequent first; empty in a run that did not count them.",
    )
    limits: list[LimitCount] = Field(default_factory=list, description="Of the policy that it was measured with.")
    readings: list[FieldReading] = Field(default_factory=list)
    sizes: list[SizePoint] = Field(default_factory=list)
    size_fit: dict[str, float] = Field(default_factory=dict, description="slope_ms_per_mb, intercept_ms, …")
    health: GeneratorHealth = Field(default_factory=GeneratorHealth)
    capacity: CapacityResult | None = None
    stopped: str = Field(default="", description="The hard stop that ended the load early; empty when none did.")
    shape: str = Field(default="steady", description="How the rate went over time; people in a circle are steady.")
    trends: list[Trend] = Field(default_factory=list, description="Empty for a load that was meant to change.")
    sending_clock: str = Field(default="", description="How sending was told from thinking.")
    workers: int = 1
    extra: dict[str, Any] = Field(default_factory=dict)
