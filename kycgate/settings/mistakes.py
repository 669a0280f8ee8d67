"""What is wrong in a file of the user's: every mistake at once, each with its line, in words of our own."""

import os
import tomllib
from collections.abc import Iterable, Mapping, Sequence, Set
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from kycgate.errors import Mistakes
from kycgate.text import did_you_mean, nearest, one_line

Place = tuple[str | int, ...]
"""The keys and, in lists, the numbers (from 0) that lead to a value."""
MOST_LINES = 200
"""Lines that one value may take; beyond them no line number is found."""
_WANTED = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "finite": "a finite number",
    "string": "text in quotation marks",
    "path": "text in quotation marks",
    "dict": "a table",
    "model": "a table",
    "mapping": "a table",
    "list": "a list",
    "tuple": "a list",
    "date": "a date like 2026-12-31, without quotation marks",
    "datetime": "a date and time like 2026-12-31T22:00:00Z, without quotation marks",
    "time": "a time of day like 22:00:00, without quotation marks",
}
"""By how pydantic's type of an error begins, up to its first underscore."""
_BOUNDS = {
    "greater_than": "over {gt:.10g}",
    "greater_than_equal": "at least {ge:.10g}",
    "less_than": "under {lt:.10g}",
    "less_than_equal": "at most {le:.10g}",
}


def lines_of(text: str) -> dict[Place, int]:
    """The line, from 1, on which each key of a TOML text is given; a part of a value has the line of its key."""
    lines = text.replace("\r\n", "\n").split("\n")
    found: dict[Place, int] = {}
    table: Place = ()
    numbers: dict[Place, int] = {}
    at = 0
    while at < len(lines):
        parsed, taken = _statement(lines[at : at + MOST_LINES])
        if lines[at].lstrip().startswith("["):
            table = _table(parsed, numbers)
            found.setdefault(table, at + 1)
        else:
            for place in _places(parsed):
                found.setdefault(table + place, at + 1)
        at += taken
    return found


def _statement(lines: Sequence[str]) -> tuple[dict[str, Any], int]:
    """The statement with which `lines` begin, and how many of them it takes."""
    for taken in range(1, len(lines) + 1):
        try:
            return tomllib.loads("\n".join(lines[:taken])), taken
        except (ValueError, RecursionError):
            continue
    return {}, 1


def _table(parsed: Any, numbers: dict[Place, int]) -> Place:
    """Which table a header opens; `numbers` counts the tables of each list of tables so far."""
    place: Place = ()
    while isinstance(parsed, dict) and parsed:
        key, parsed = next(iter(parsed.items()))
        place += (key,)
        if isinstance(parsed, list):
            numbers[place] = numbers.get(place, -1) + 1
        if place in numbers:
            place += (numbers[place],)
    return place


def _places(value: Any) -> Iterable[Place]:
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield (key,)
        for place in _places(part):
            yield (key, *place)


class File:
    """A file of the user's, to say where in it a value stands; `table` is the part of it that counts."""

    def __init__(self, path: Path, text: str, raw: Any, table: Place = ()) -> None:
        self.path, self.raw, self.table = path, raw, table
        self._text = text
        self._lines: dict[Place, int] | None = {} if path.suffix == ".json" else None

    def line(self, place: Place) -> int | None:
        """The line of the value, or of the nearest table around it; None where that is the whole file."""
        if self._lines is None:
            self._lines = lines_of(self._text)
        whole = self.table + place
        return next(
            (self._lines[whole[:n]] for n in range(len(whole), len(self.table), -1) if whole[:n] in self._lines), None
        )


def refuse(
    what: str,
    found: Iterable[tuple[Place, str]],
    file: File | None,
    *,
    options: Mapping[Place, str] | None = None,
    variables: str = "",
) -> Mistakes:
    """The error that says all that was found, in the order of the file.

    `options` are what was typed, by the key that it stands for; `variables` is how the environment's variables begin.
    """
    said: list[tuple[int, str]] = []
    for place, message in found:
        around = [place[:n] for n in range(len(place), 0, -1)]
        named = {part: f"{variables}{'__'.join(map(str, part))}".upper() for part in around} if variables else {}
        variable = next((part for part, name in named.items() if os.environ.get(name, "").strip()), None)
        if options and place in options:
            said.append((0, message.replace(dotted(place), options[place], 1)))
        elif variable is not None:
            said.append((0, message.replace(dotted(variable), named[variable], 1)))
        else:
            line = file.line(place) if file is not None else None
            said.append((line or 0, f"line {line}: {message}" if line else message))
    return Mistakes(what, [one_line(text, 300) for _, text in sorted(dict.fromkeys(said), key=lambda one: one[0])])


def dotted(place: Place) -> str:
    """The place as it is said: `limits.rate`, and `at_least (objective 2)` in the second of several tables."""
    words: list[str] = []
    numbered: list[str] = []
    for part in place:
        if isinstance(part, int):
            numbered.append(f"{'.'.join(words)} {part + 1}".lstrip())
            words = []
        else:
            words.append(part)
    if not words and numbered:
        words = [numbered.pop()]
    return ".".join(words) + (f" ({', '.join(numbered)})" if numbered else "")


def mistakes_of(error: ValidationError, raw: Any, model: type[BaseModel]) -> list[tuple[Place, str]]:
    """Each mistake once: where, and what is wrong. No value is repeated: it may be secret."""
    problems = [
        (_place(problem["loc"], raw, str(problem["type"]), model), problem)
        for problem in error.errors(include_url=False, include_input=False)
    ]
    missing = {place for place, problem in problems if problem["type"] == "missing"}
    found: dict[Place, str] = {}
    for place, problem in problems:
        # Of a value that fits none of several types, the first is said.
        found.setdefault(place, _words(problem, place, model, missing))
    # A list whose every part is wrong is called too short as well.
    short = {_place(one["loc"], raw, one["type"], model) for one in error.errors() if one["type"] == "too_short"}
    return [
        (place, said)
        for place, said in found.items()
        if place not in short or not any(other[: len(place)] == place and other != place for other in found)
    ]


def _place(loc: Place, raw: Any, kind: str, model: type[BaseModel]) -> Place:
    """`loc` without what pydantic adds to it: names of types, tags of unions, `[key]`."""
    place: Place = ()
    value = raw
    for number, part in enumerate(loc):
        held = isinstance(value, dict) and part in value
        held = held or (isinstance(value, list | tuple) and isinstance(part, int) and part < len(value))
        end = number == len(loc) - 1
        if isinstance(value, dict) and value.get("kind") == part and not end:
            continue  # a union's tag, also where a key has the same name
        last = end and kind in ("missing", "extra_forbidden")
        if held or last or isinstance(part, int) or part in _keys(model, place):
            value = value[part] if held else None
            place += (part,)
    return place


def _words(problem: Any, place: Place, model: type[BaseModel], missing: Set[Place]) -> str:
    kind, context, where = str(problem["type"]), problem.get("ctx", {}), dotted(place)
    if kind == "extra_forbidden":
        name = str(place[-1])
        # A key of the same unit that the same table lacks is what was meant: at_most_ms for limit_ms.
        unit = name.rpartition("_")[2]
        lacking = [str(other[-1]) for other in missing if other[:-1] == place[:-1]]
        meant = sorted(other for other in lacking if "_" in other and other.rpartition("_")[2] == unit)
        return f"unknown key {where}{did_you_mean(meant[0]) if meant else nearest(name, _keys(model, place[:-1]))}"
    if kind == "missing":
        return f"{where} is missing"
    if kind == "value_error":
        said = str(problem["msg"]).removeprefix("Value error, ")
        return f"{where}: {said}" if where else said
    if kind in _BOUNDS:
        return f"{where} must be {_BOUNDS[kind].format(**context)}"
    if kind in ("literal_error", "enum"):
        return f"{where} must be {context['expected']}"
    if kind == "union_tag_invalid":
        return f"{where}: {context['discriminator'].strip(chr(39))} must be one of {context['expected_tags']}"
    if kind == "union_tag_not_found":
        return f"{where}: {context['discriminator'].strip(chr(39))} is missing"
    if kind == "string_pattern_mismatch":
        return f"{where} does not have the form {context['pattern']}"
    if kind in ("string_too_short", "too_short"):
        return f"{where} is too short: at least {context['min_length']}"
    if kind in ("string_too_long", "too_long"):
        return f"{where} is too long: at most {context['max_length']}"
    wanted = _WANTED.get(kind.split("_")[0])
    return f"{where} must be {wanted}" if wanted else f"{where}: {problem['msg']}"


def _keys(model: type[BaseModel], place: Place) -> list[str]:
    """The keys that the table at `place` may have."""
    models = [model]
    for part in place:
        if isinstance(part, str):
            fields = [
                field for one in models for name, field in one.model_fields.items() if part in (name, field.alias)
            ]
            models = [inner for field in fields for inner in _models_in(field.annotation)]
    return [field.alias or name for one in models for name, field in one.model_fields.items()]


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in get_args(annotation) for found in _models_in(part)]
