"""A profile as a file for people: every key with what it is for, those not chosen commented out at their default.

Made from the model, so that it can neither lack a key nor explain one that is gone; the reference of the documentation
is made the same way.
"""

import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import tomlkit
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from tomlkit.items import Table

from kycgate.settings.profile import Profile
from kycgate.settings.severity import Waiver

SECTIONS = ("limits", "environment", "credentials", "oauth")


@dataclass(frozen=True, slots=True)
class Key:
    """One key of the profile."""

    section: str
    name: str
    type: str
    default: Any
    description: str
    sample: Any
    """The default or, where there is none, a value that may well be commented in."""

    @property
    def path(self) -> str:
        return f"{self.section}.{self.name}" if self.section else self.name

    @property
    def variable(self) -> str:
        """The variable of the environment that sets it too."""
        return f"KYCGATE_{self.path.replace('.', '__')}".upper()


def keys() -> Iterator[Key]:
    """Every key, in the order of the file; of waivers the keys of one."""
    for name, info in Profile.model_fields.items():
        if name not in (*SECTIONS, "waiver"):
            yield _key("", name, info)
    for section in SECTIONS:
        model: type[BaseModel] = type(getattr(Profile.model_construct(), section))
        for name, info in model.model_fields.items():
            yield _key(section, name, info)
    for name, info in Waiver.model_fields.items():
        yield _key("waiver", name, info)


def _key(section: str, name: str, info: FieldInfo) -> Key:
    default = None if info.is_required() else info.get_default(call_default_factory=True)
    sample = default if default is not None else next(iter(info.examples or ()), None)
    return Key(section, name, type_words(info.annotation), default, info.description or "", sample)


def type_words(annotation: Any) -> str:
    """A type for people: `on, off or auto`, `text`, `whole number`."""
    origin = get_origin(annotation)
    if origin is Literal:
        choices = [f"`{value}`" for value in get_args(annotation)]
        return f"{', '.join(choices[:-1])} or {choices[-1]}" if len(choices) > 1 else choices[0]
    if origin is Annotated:
        return type_words(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return " or ".join(type_words(part) for part in get_args(annotation) if part is not type(None))
    if origin is dict:
        key, value = get_args(annotation)
        return f"table: {type_words(key)} to {type_words(value)}"
    if origin in (tuple, list):
        return f"list of {type_words(get_args(annotation)[0])}"
    words = {str: "text", int: "whole number", float: "number", bool: "true or false", Path: "path", date: "date"}
    return words.get(
        annotation, "text" if annotation is SecretStr else getattr(annotation, "__name__", str(annotation))
    )


def profile_text(chosen: Mapping[str, Any], learned: Mapping[str, str] | None = None) -> str:
    """The file; `chosen` and `learned` are by key path, the latter with why the value stands there."""
    document = tomlkit.document()
    for line in (
        "A profile of kycgate: what differs between vendors and environments. Secrets never stand here: they come",
        "from the environment, under the names below. `kycgate doctor --profile FILE` looks whether it all works.",
    ):
        document.add(tomlkit.comment(line))
    section = ""
    place: tomlkit.TOMLDocument | Table = document
    for key in keys():
        if key.section == "waiver" or key.name in ("severity", "paths", "headers"):
            continue
        if key.section != section:
            section, place = key.section, tomlkit.table()
            document.add(tomlkit.nl())
            document.add(section, place)
        place.add(tomlkit.nl())
        for line in filter(None, (key.description, (learned or {}).get(key.path))):
            place.add(tomlkit.comment(line))
        if key.path in chosen:
            place.add(key.name, chosen[key.path])
        else:
            sample = str(key.sample) if isinstance(key.sample, Path) else key.sample
            place.add(tomlkit.comment(f"{key.name} = {tomlkit.item(sample).as_string()}"))
    return document.as_string().rstrip("\n") + _RULES


_RULES = """

# Headers for every request: a value, or env:KYCGATE_… for that variable's (which is never shown). Not those that tests
# vary.
# [headers]
# User-Agent = "bank-gateway/1.0"
# X-Subscription-Key = "env:KYCGATE_SUBSCRIPTION_KEY"

# Whether a breach fails or warns, by level (documented, relied-on, expected) or by clause.
# [severity]
# relied-on = "fail"
# "order.closed" = "fail"

# The whole path of single endpoints, where a gateway gives them another.
# [paths]
# upload_front = "/scan/front"

# A known breach, amber until the end of that day (UTC), then red again. This one has expired: put in a day to come.
# [[waiver]]
# clause = "answer.in-time"
# reason = "their ticket 17"
# owner = "payments team"
# expires = 2020-01-31
"""
