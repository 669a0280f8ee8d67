"""Service credits: what a breach of an objective costs, in percent of the period's fee."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from kycgate.runs.model import ObjectiveResult
from kycgate.runs.period import CreditResult
from kycgate.text import lasting

TierKey = Literal["below", "above_ms", "above_s", "above"]
"""How the tiers of an objective are written, by what it measures."""


class Promise(Protocol):
    """What a credit needs to know of an objective."""

    @property
    def id(self) -> str: ...
    @property
    def tier_key(self) -> TierKey | None:
        """None where no calendar period is judged by it."""

    @property
    def limit(self) -> float:
        """The border of a breach, in the unit of its tiers."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Tier(_Part):
    """One step of a credit: `percent` of the fee when what was measured is below, or above, a value."""

    below: float | None = Field(default=None, gt=0, lt=1, description="Of a share.")
    above_ms: float | None = Field(default=None, gt=0, le=120_000, description="Of a latency.")
    above_s: float | None = Field(default=None, gt=0, description="Of the longest outage.")
    above: int | None = Field(default=None, ge=0, description="Of the number of outages.")
    percent: float = Field(gt=0, le=100)

    @property
    def border(self) -> tuple[TierKey, float] | None:
        """Which of the keys it has, and its value; None where it has none or several."""
        given: dict[TierKey, float | None] = {
            "below": self.below, "above_ms": self.above_ms, "above_s": self.above_s, "above": self.above,
        }  # fmt: skip
        found = [(key, value) for key, value in given.items() if value is not None]
        return found[0] if len(found) == 1 else None

    def reached(self, measured: float) -> bool:
        """Whether what was measured lies in this tier."""
        if self.border is None:
            return False
        key, value = self.border
        return measured < value if key == "below" else measured > value

    @property
    def words(self) -> str:
        """For readers: below 99.5%: 5%."""
        key, value = self.border or ("above", 0.0)
        words = {
            "below": f"below {value * 100:.10g}%",
            "above_ms": f"above {value:g} ms",
            "above_s": f"above {lasting(value)}",
            "above": f"more than {value:g}",
        }
        return f"{words[key]}: {self.percent:g}%"


class Credit(_Part):
    """What a breach of one objective costs, from the mildest tier to the hardest."""

    objective: str
    tiers: tuple[Tier, ...] = Field(min_length=1, max_length=20)

    def owed(self, measured: float) -> float:
        """Percent of the fee that this measured value costs."""
        return max((tier.percent for tier in self.tiers if tier.reached(measured)), default=0.0)

    def result(self, judged: ObjectiveResult) -> CreditResult:
        """What is proven, by the bound that is kindest to the vendor, and what the measured value comes to."""
        kindest = judged.high if judged.unit == "share" else judged.low
        return CreditResult(
            objective=self.objective,
            measured=judged.measured,
            percent=0.0 if judged.value is None else self.owed(judged.value),
            shown=0.0 if judged.value is None or kindest is None else self.owed(kindest),
            tiers=[tier.words for tier in self.tiers],
        )


def check_credits(credits_: Sequence[Credit], objectives: Iterable[Promise]) -> None:
    """Each credit is about an objective of the policy, and its tiers go from mild to hard, all of them breaches.

    Raises:
        ValueError: one is not, and why.
    """
    known = {objective.id: objective for objective in objectives}
    seen: set[str] = set()
    for credit in credits_:
        name = credit.objective
        if name not in known:
            raise ValueError(f"a credit is about {name!r}, which is not an objective of this policy")
        if name in seen:
            raise ValueError(f"two credits are about {name!r}")
        seen.add(name)
        key = known[name].tier_key
        if key is None:
            raise ValueError(f"a credit is about {name!r}, which no probe measures: a credit is owed by probes")
        values = []
        for tier in credit.tiers:
            if tier.border is None or tier.border[0] != key:
                raise ValueError(f"the tiers of {name!r} say {key} and percent, and nothing else")
            values.append(tier.border[1])
        away = -1 if key == "below" else 1
        if (values[0] - known[name].limit) * away < 0:
            raise ValueError(f"the first tier of {name!r} costs a credit where the objective still holds")
        ordered = all((b - a) * away > 0 for a, b in pairwise(values))
        if not ordered or any(b.percent <= a.percent for a, b in pairwise(credit.tiers)):
            raise ValueError(f"the tiers of {name!r} are out of order: from the mildest breach to the hardest")
