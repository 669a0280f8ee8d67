"""The sandbox's choices: every liberty that the sources leave ("Where the sources leave room") is one setting."""

import math
from statistics import NormalDist
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kycgate.errors import UsageError
from kycgate.sandbox.manner import Manner
from kycgate.text import nearest

TENANT: Final = "tenant-1"
TENANT_SECRET: Final = "sandbox-secret"  # noqa: S105 - of a server that lives as long as its process
"""The credentials of every stand-in that this suite starts by itself."""


class LatencyModel(BaseModel):
    """How long a reading seems to take: a lognormal time around `base_ms` plus `ms_per_mb`, and planted stalls.

    `readers` is how many readings go on at once (0: all); the others wait. Each other one that goes on makes a
    reading slower by the share `crosstalk`, so throughput has a peak. During a stall (`stall_ms` in every
    `stall_every_s`, counted from the server's start) no answer leaves.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_ms: float = Field(default=0.0, ge=0)
    ms_per_mb: float = Field(default=0.0, ge=0)
    sigma: float = Field(default=0.0, ge=0, description="Spread of the logarithm; 0: none.")
    stall_every_s: float = Field(default=0.0, ge=0)
    stall_ms: float = Field(default=0.0, ge=0)
    readers: int = Field(default=0, ge=0, le=10_000, description="0 is as many as come.")
    crosstalk: float = Field(default=0.0, ge=0)
    seed: int = 0

    def quantile_ms(self, q: float, size_bytes: int) -> float:
        """The true `q` quantile of the reading's time for a body of this size, outside stalls; milliseconds."""
        median = self.base_ms + self.ms_per_mb * size_bytes / 1e6
        return median * math.exp(self.sigma * NormalDist().inv_cdf(q))


def parse_latency(text: str) -> LatencyModel:
    """A latency model as it is given on the command line: `base_ms=300,sigma=0.4`.

    Raises:
        UsageError: it has no such parameter, or not that value.
    """
    pairs = dict(part.strip().partition("=")[::2] for part in text.split(",") if part.strip())
    try:
        return LatencyModel.model_validate(pairs)
    except ValidationError as error:
        known = ", ".join(LatencyModel.model_fields)
        said = "; ".join(f"{one['loc'][0]}: {_said(one)}" for one in error.errors())
        raise UsageError(f"--latency {said}; it knows {known}") from None


def _said(problem: Any) -> str:
    """What is wrong with one parameter."""
    if problem["type"] == "extra_forbidden":
        return f"there is no such parameter{nearest(str(problem['loc'][0]), LatencyModel.model_fields)}"
    if problem["type"].startswith("float"):
        return "a number is wanted"
    return str(problem["msg"]).replace("Input should be", "it must be").replace("greater than or equal to", "at least")


class SandboxSettings(BaseModel):
    """A faithful vendor, whichever way these are set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    api_keys: tuple[str, ...] = ()
    tenants: dict[str, str] = Field(default_factory=dict)
    token_life_s: float = 1_800.0
    translation: bool = True
    schemes: frozenset[Literal["bearer", "bare"]] = frozenset({"bearer", "bare"})
    known_person: Literal["accepted", "refused", "refused first"] = Field(
        default="accepted",
        description="Whether a person with a completed flow may begin another: 10103 if not, in its turn or before the "
        "order is looked at.",
    )
    key_after_completion: Literal["opens", "refused"] = "opens"
    front_after_approval: Literal["starts over", "refused"] = "starts over"
    approve_front_again: Literal["accepted", "refused"] = "accepted"
    back_after_front_again: Literal["kept", "dropped"] = "kept"
    back_carries_front: bool = False
    front_carries_kept_back: bool = False
    ill_formed_optional: Literal["refused", "accepted"] = "refused"
    empty_text: Literal["accepted", "refused"] = Field(
        default="accepted", description="Empty texts in ApproveFrontImage: no source grants them, none forbids them."
    )
    another_number: Literal["accepted", "refused"] = Field(
        default="accepted", description="An idNumber in ApproveFrontImage that is not the one read."
    )
    english_names: Literal["any text", "letters"] = Field(
        default="any text", description="What the English names of ApproveFrontImage may hold without a 400."
    )
    arabic_indic_digits: Literal["refused", "accepted"] = "accepted"
    unreadable: Literal["result", "400"] = "result"
    not_base64: Literal["result", "400"] = "400"
    order_status: Literal[400, 404] = 400
    last_step_broken_body: Literal["ignored", "refused"] = "ignored"
    deep_nesting: Literal["ignored", "refused"] = "ignored"
    not_utf8: Literal["refused", "replaced"] = Field(
        default="refused", description="Bytes that are no UTF-8 in a body: many servers replace them before they parse."
    )
    words: Literal["Arabic", "English"] = "Arabic"
    date_times: Literal["Z", "offset", "naive"] = "Z"
    missing_tenant_status: Literal[400, 401] = 400
    credentials_before_method: bool = Field(default=False, description="Whether 401 comes before 405.")
    tries_of_a_side: int = Field(default=0, ge=0, description="In one session; 0 is as many as come.")
    tries_status: Literal[400, 403, 429] = 400
    tokens_at_once: int = Field(default=0, ge=0, description="The oldest ends when one more is given out; 0: no limit.")
    tokens_a_second: int = Field(default=0, ge=0, description="More are met by 429; 0: no limit.")
    success_words: Literal["null", "empty", "words", "as the suite's"] = Field(
        default="null", description="What message and errorCode of a success hold."
    )
    problem_details: bool = Field(
        default=False, description="Refusals are problem details (RFC 9457) whose errors name the property image."
    )
    cookie: bool | Literal["bound"] = Field(
        default=False, description="Whether a gateway in front knows a caller again by a cookie; bound: by no other."
    )
    firewall: bool = Field(default=False, description="What looks like an attack meets 403 and a page.")
    foreign_photos: bool = Field(default=False, description="Read any decodable picture as an invented person's.")
    extra_properties: bool = False
    reading: Literal["code", "ocr"] = Field(
        default="code", description="What reads a picture: the specimen's code, or Tesseract (extra `ocr`), which errs."
    )
    latency: LatencyModel = LatencyModel()
    manner: Manner | None = Field(default=None, description="What was learnt of a vendor from a recorded run.")
    max_body: int = 16_000_000
    max_sessions: int = 10_000
