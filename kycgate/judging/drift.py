"""Pins: how a target was found to answer, in a small file for review; and drift: what has changed since.

A pinned answer is a set: intermittent behaviour is pinned with how often each answer came. What was never pinned is
reported at once. That a pinned answer is gone is said only when enough was observed to make its absence telling:
when, by Fisher's exact test (R. A. Fisher, The Design of Experiments, 1935), it would come about by chance in less
than one case of a thousand.
"""

import json
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from math import comb
from pathlib import Path
from typing import Any

import tomlkit
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kycgate.contracts.clauses import OPEN_POINTS
from kycgate.errors import UsageError
from kycgate.files import read_text, write_atomically
from kycgate.judging.behaviour import ABSENT, GROUPED, SECTIONS
from kycgate.runs.model import DriftItem, Observed, Run
from kycgate.settings.mistakes import File, mistakes_of, refuse

PINS_VERSION = 1
ALPHA = 0.001
Answers = Mapping[str, int]
"""How often each answer was seen."""


class Pins(BaseModel):
    """A pins file. An answer that came always stands alone; several stand with how often each came."""

    model_config = ConfigDict(extra="forbid")

    pins_version: int = PINS_VERSION
    target: str = Field(default="", description="The base URL.")
    pinned: date = Field(description="The day, UTC.")
    kycgate: str = Field(default="", description="The version that pinned.")
    runs: int = Field(default=1, ge=1, description="How many runs were counted together.")
    choices: dict[str, str | dict[str, int]] = Field(default_factory=dict)
    answers: dict[str, str | dict[str, int]] = Field(default_factory=dict)
    fields_: dict[str, str | dict[str, int]] = Field(default_factory=dict, alias="fields")
    order: dict[str, str | dict[str, int]] = Field(default_factory=dict)
    headers: dict[str, str | dict[str, int]] = Field(default_factory=dict)
    words: dict[str, str | dict[str, int]] = Field(default_factory=dict)
    token: dict[str, str | dict[str, int]] = Field(default_factory=dict)

    def section(self, name: str) -> dict[str, str | dict[str, int]]:
        found: dict[str, str | dict[str, int]] = getattr(self, "fields_" if name == "fields" else name)
        return found

    @property
    def subjects(self) -> dict[tuple[str, str], Answers]:
        """Every pinned answer with its count; one that stands alone counts as once."""
        return {
            (section, subject): {answers: 1} if isinstance(answers, str) else answers
            for section in SECTIONS
            for subject, answers in self.section(section).items()
        }


def pins_of(runs: Sequence[Run], *, pinned: date) -> Pins:
    """What these runs of one target have shown, counted together.

    Raises:
        UsageError: they show nothing, or are of several targets.
    """
    targets = {run.target for run in runs if not run.embedded_sandbox}
    if len(targets) > 1:
        raise UsageError(f"the runs are of several targets ({', '.join(sorted(targets))}): pin each by itself")
    seen: dict[tuple[str, str], Counter[str]] = {}
    for run in runs:
        for item in run.behaviour:
            seen.setdefault((item.section, item.subject), Counter()).update(item.counts)
    if not seen:
        raise UsageError("nothing was observed that could be pinned: pin a run of `kycgate check`")
    last = runs[-1]
    sections: dict[str, Any] = {section: {} for section in SECTIONS}
    for section, subject in sorted(seen):
        counts = dict(sorted(seen[section, subject].items()))
        sections[section][subject] = next(iter(counts)) if len(counts) == 1 else counts
    return Pins(
        target="the embedded sandbox" if last.embedded_sandbox else last.target,
        pinned=pinned,
        kycgate=last.kycgate_version,
        runs=len(runs),
        **sections,
    )


def load_pins(path: Path) -> Pins:
    """The pins in a TOML or JSON file.

    Raises:
        UsageError: it cannot be read, or is not a pins file.
    """
    text, raw = "", None
    try:
        text = read_text(path)
        raw = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
        pins = Pins.model_validate(raw)
    except OSError as error:
        raise UsageError(f"cannot read the pins {path}: {error.strerror}; `kycgate pin` writes them") from None
    except ValidationError as error:
        found = mistakes_of(error, raw, Pins)
        raise refuse(f"the pins {path} are wrong", found, File(path, text, raw)) from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the pins {path} are wrong: {str(error).splitlines()[0]}") from None
    if pins.pins_version > PINS_VERSION:
        raise UsageError(f"the pins {path} have version {pins.pins_version}: read them with a newer kycgate")
    return pins


def save_pins(pins: Pins, path: Path) -> None:
    """Write them whole or not at all; TOML with comments, or JSON where the name ends so.

    Raises:
        UsageError: they cannot be written.
    """
    try:
        write_atomically(path, _as_json(pins) if path.suffix == ".json" else _as_toml(pins))
    except OSError as error:
        raise UsageError(f"cannot write the pins to {path}: {error.strerror}") from None


def _as_json(pins: Pins) -> str:
    return json.dumps(pins.model_dump(mode="json", by_alias=True), indent=1, ensure_ascii=False) + "\n"


def _as_toml(pins: Pins) -> str:
    questions = {point.id: point.question for point in OPEN_POINTS}
    document = tomlkit.document()
    for line in (
        "How this target answers, and what it does where the contract leaves room. Written by `kycgate pin`;",
        "review it like code. `kycgate check --pins FILE` says what has changed since. An answer that came",
        "always stands alone; several stand with how often each came.",
    ):
        document.add(tomlkit.comment(line))
    document.add(tomlkit.nl())
    for name in ("pins_version", "target", "pinned", "kycgate", "runs"):
        document.add(name, getattr(pins, name))
    for name, said in SECTIONS.items():
        table = tomlkit.table()
        table.comment(said)
        asked = ""
        for subject, answers in pins.section(name).items():
            question = questions.get(subject.partition(",")[0], "") if name == "choices" else ""
            if question and question != asked:
                table.add(tomlkit.comment(question))
                asked = question
            if isinstance(answers, str):
                table.add(subject, answers)
            else:
                several = tomlkit.inline_table()
                several.update(answers)
                table.add(subject, several)
        document.add(tomlkit.nl())
        document.add(name, table)
    return document.as_string()


def drift_since(pins: Pins, observed: Iterable[Observed]) -> tuple[list[DriftItem], int]:
    """What is answered otherwise than pinned; and how many pinned subjects were not met with in this run."""
    before = pins.subjects
    now: dict[tuple[str, str], Answers] = {(item.section, item.subject): item.counts for item in observed}
    items = []
    for key in sorted(before.keys() | now.keys()):
        was, found = before.get(key) or _absent(key, before), now.get(key) or _absent(key, now)
        # A question that one of them never asked says nothing.
        item = _compare(key, was, found) if was and found else None
        if item is not None:
            items.append(item)
    order = list(SECTIONS)
    items.sort(key=lambda item: order.index(item.subject.partition(": ")[0]))
    return items, sum(not (now.get(key) or _absent(key, now)) for key in before)


def _absent(key: tuple[str, str], side: Mapping[tuple[str, str], Answers]) -> Answers:
    """In a group that was observed, what is not there was absent as often as the group was seen."""
    section, subject = key
    if section not in GROUPED:
        return {}
    group = subject.partition(" ")[0]
    seen = [
        sum(answers.values()) for (s, name), answers in side.items() if s == section and name.startswith(f"{group} ")
    ]
    return {ABSENT: max(seen)} if seen else {}


def _compare(key: tuple[str, str], was: Answers, found: Answers) -> DriftItem | None:
    new = [answer for answer in found if answer not in was]
    gone = [answer for answer in was if answer not in found and _is_telling(answer, was, found)]
    if new:
        kind = "new" if any(answer in was for answer in found) else "changed"
    elif gone:
        kind = "gone"
    else:
        return None
    return DriftItem(subject=": ".join(key), kind=kind, before=_words(was), now=_words(found))


def _is_telling(answer: str, was: Answers, found: Answers) -> bool:
    """Whether not to meet `answer` among `found` would be chance in less than ALPHA of all cases, had nothing changed.

    Of all ways to place its occurrences among the observations of both runs, those that place them all in the first.
    """
    n, k, m = sum(was.values()), was[answer], sum(found.values())
    return comb(n, k) / comb(n + m, k) < ALPHA


def _words(answers: Answers) -> list[str]:
    total = sum(answers.values())
    if len(answers) == 1:
        return list(answers)
    return [f"{answer} ({count} of {total})" for answer, count in sorted(answers.items())]
