"""What a misbehaviour is, and what every command must make of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from kycgate.errors import UsageError
from kycgate.text import nearest

if TYPE_CHECKING:
    from kycgate.chaos.connection import Hand


class Stage(StrEnum):
    """When it happens."""

    LISTEN = "instead of listening"
    CONNECT = "once connected"
    HEAD = "after the request's head"
    ANSWER = "after the whole request"


class Mode(StrEnum):
    """For how long."""

    ALWAYS = "always"
    LATER = "later"
    """From some request on."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a command must make of it: one of these exit codes, and these words in its last lines."""

    codes: frozenset[int]
    says: str = ""


NOTHING = Expected(frozenset({3}), "gives no usable answer")
"""Nothing could be judged."""
UNREACHED = Expected(frozenset({3}), "cannot be reached")
"""No server was reached either."""
IN_TIME = Expected(frozenset({1}), "answer.in-time")
"""It answered, and then no more."""
ILL_FORMED = Expected(frozenset({1}), "answer.http")
"""It answered, and then not in HTTP that any client can read."""
GONE = Expected(frozenset({3}), "no answer since")
"""It answered, and then no server was reached any more."""
GONE_OR_HUNG_UP = Expected(frozenset({1, 3}))
"""A client that was still sending sees a reset as an error, or, when it reads on, as an orderly end."""
FINE = Expected(frozenset({0}), "kept")
"""Unusual, yet lawful: no clause is broken."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One way to misbehave, and what `check` must say of it when it always does, and when it begins to later on."""

    name: str
    sentence: str
    stage: Stage
    act: Callable[["Hand"], None]
    always: Expected | None
    later: Expected | None
    tls: str = ""
    """How its certificate is; empty for plain HTTP."""
    lasts_s: float = 0.0
    """Seconds after which it ends; 0: it does not end."""
    trusts: bool = False
    """Whether the profile names the CA."""

    def expected(self, command: str, mode: Mode) -> Expected | None:
        """What `command` must make of it; None when it cannot happen so.

        A load run judges objectives: of a target that was well at first, a short one may lack evidence, find them
        broken, or be over before. A probe ends at the first step that fails: a target that gives no answer is
        unavailable, which is for an SLA to judge.
        """
        of_check = self.always if mode is Mode.ALWAYS else self.later
        if of_check is None or command == "check":
            return of_check
        if of_check.codes == {0}:
            # A short load may lack evidence; it must not find anything broken.
            return of_check if command == "probe" else Expected(frozenset({0, 3}))
        if command == "probe":
            return Expected(frozenset({3} if of_check.codes == {3} or of_check in (IN_TIME, ILL_FORMED) else {1, 3}))
        if command == "verify" or (mode is Mode.ALWAYS and of_check.codes == {3}):
            return of_check
        return Expected(frozenset({1, 3}) if mode is Mode.ALWAYS else frozenset({0, 1, 3}))


_known: dict[str, Behaviour] = {}
BEHAVIOURS: Mapping[str, Behaviour] = MappingProxyType(_known)


def behaviour(
    name: str,
    sentence: str,
    *,
    stage: Stage = Stage.ANSWER,
    always: Expected | None = NOTHING,
    later: Expected | None = IN_TIME,
    tls: str = "",
    lasts_s: float = 0.0,
    trusts: bool = False,
) -> Callable[[Callable[["Hand"], None]], Callable[["Hand"], None]]:
    """Registers the decorated act under `name`."""

    def register(act: Callable[["Hand"], None]) -> Callable[["Hand"], None]:
        _known[name] = Behaviour(name, sentence, stage, act, always, later, tls, lasts_s, trusts)
        return act

    return register


def named(name: str) -> Behaviour:
    """The behaviour of this name.

    Raises:
        UsageError: there is none.
    """
    try:
        return BEHAVIOURS[name]
    except KeyError:
        raise UsageError(f"no behaviour is named {name!r}{nearest(name, BEHAVIOURS) or ': see --list'}") from None
