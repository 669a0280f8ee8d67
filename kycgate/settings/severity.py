"""What a breach comes to: it fails the gate, warns, or is waived. The one place that decides it.

The decision is recorded with each clause (`ClauseResult.effect`), so that a report made years later says what was
decided then, not what today's rules or today's date would say.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from kycgate.contracts.clauses import Level, known_clauses
from kycgate.text import nearest

Severity = Literal["fail", "warn"]


class Effect(StrEnum):
    """Of a clause on the gate: NONE where it was not broken."""

    NONE = ""
    FAILS = "fails"
    WARNS = "warns"
    WAIVED = "waived"


class FailLevel(StrEnum):
    """--fail-level: the lowest level whose breaches fail the gate."""

    DOCUMENTED = "documented"
    RELIED_ON = "relied-on"
    EXPECTED = "expected"
    NOTHING = "nothing"

    @property
    def severities(self) -> dict[Level, Severity]:
        """What each level's breaches come to."""
        levels = list(Level)
        lowest = -1 if self is FailLevel.NOTHING else levels.index(Level(self))
        return {level: "fail" if number <= lowest else "warn" for number, level in enumerate(levels)}


REHEARSED = ("fault.", "habit.", "line.", "client.")
"""How the ids of `kycgate rehearse` begin; that command knows which there are."""
NO_CLAUSE = "no clause is named"


def _known(name: str) -> str:
    known = {promise.id for promise in known_clauses()}
    if not name.startswith(REHEARSED) and name not in known:
        raise ValueError(f"{NO_CLAUSE} {name!r}{nearest(name, known) or ': `kycgate clauses` lists them'}")
    return name


def _level_or_clause(name: str) -> str:
    return name if name in set(Level) else _known(name)


def _said(text: str) -> str:
    text = " ".join(text.split())
    if not text:
        raise ValueError("it is empty: a waiver names its reason and its owner")
    return text


def _written_as_date(value: object) -> object:
    # pydantic would take a bare number for seconds since 1970.
    if isinstance(value, int | float):
        raise ValueError(f"{value!r} is not a date: write it like 2026-12-31, without quotes")
    return value


def _of_this_century(day: date) -> date:
    if not 2000 <= day.year < 2100:
        raise ValueError(f"{day.isoformat()} lies in another century: mistyped?")
    return day


SeverityKey = Annotated[str, AfterValidator(_level_or_clause)]


class Waiver(BaseModel):
    """A known breach that does not fail the gate for now: until the end of the day `expires`, in UTC."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    clause: Annotated[str, AfterValidator(_known)] = Field(description="The clause that is known to be broken.")
    reason: Annotated[str, AfterValidator(_said)] = Field(
        max_length=500, description="Why it may pass for now, such as the vendor's ticket."
    )
    owner: Annotated[str, AfterValidator(_said)] = Field(max_length=200, description="Who sees to it.")
    expires: Annotated[date, BeforeValidator(_written_as_date), AfterValidator(_of_this_century)] = Field(
        description="The last day on which it holds, UTC."
    )

    @property
    def words(self) -> str:
        return f"{self.reason}; {self.owner}; until {self.expires.isoformat()}"


def no_clause_twice(waivers: tuple[Waiver, ...]) -> tuple[Waiver, ...]:
    """The waivers.

    Raises:
        ValueError: two of them are for one clause.
    """
    names = [waiver.clause for waiver in waivers]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"two waivers are for {name}: keep one")
    return waivers


def severity_by_level(level: Level, *, strict: bool) -> Severity:
    """What a level's breach comes to where no rule says otherwise (the table of tags in vendor-api.md)."""
    return "fail" if strict or level.fails_gate else "warn"


@dataclass(frozen=True, slots=True)
class Decision:
    """What one clause's breach comes to, and which rule says so."""

    effect: Effect
    severity: Severity
    rule: str
    waived: str = ""


@dataclass(frozen=True, slots=True)
class Rules:
    """The profile's rules on the day of the run.

    The nearer rule wins: a clause's own severity, then `strict` (which raises what is expected), then its level's
    severity, then the level itself. A waiver that holds today turns whatever would fail into amber.
    """

    strict: bool = False
    severities: Mapping[str, Severity] = field(default_factory=dict)
    waivers: Sequence[Waiver] = ()
    today: date = date.min

    def decide(self, clause: str, level: Level) -> Decision:
        """What a breach of this clause comes to today."""
        if clause in self.severities:
            severity, rule = self.severities[clause], f"severity of {clause}"
        elif self.strict and level is Level.EXPECTED:
            severity, rule = "fail", "strict"
        elif level in self.severities:
            severity, rule = self.severities[level], f"severity of {level}"
        else:
            severity, rule = severity_by_level(level, strict=self.strict), "level"
        if severity == "warn":
            return Decision(Effect.WARNS, severity, rule)
        waiver = next((w for w in self.waivers if w.clause == clause and w.expires >= self.today), None)
        if waiver is not None:
            return Decision(Effect.WAIVED, severity, rule, waiver.words)
        return Decision(Effect.FAILS, severity, rule)
