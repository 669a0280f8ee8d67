"""What can go wrong, as one hierarchy.

    KycgateError
    ├── UsageError          the call, the profile or a file of the user's is wrong: nothing was sent (exit 2)
    │   ├── Mistakes        a file of the user's is wrong in one place or several: all are said
    │   └── Contradiction   a recording says two things at once
    └── CannotJudge         the target could not be judged: unreachable, refused credentials or cards (exit 3)
        ├── BudgetExhausted a request was not sent because the run's budget is spent
        └── NotTheTarget    a request failed for what this machine lacks, or for what may be either side's fault

Each message is one line: what is wrong, and what to do about it.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import Literal


class ExitCode(IntEnum):
    """The stable exit codes of every command."""

    KEPT = 0
    BROKEN = 1
    USAGE = 2
    UNCLEAR = 3

    @property
    def word(self) -> Literal["kept", "broken", "unclear"]:
        """The run's verdict, in one word."""
        return "kept" if self is ExitCode.KEPT else "broken" if self is ExitCode.BROKEN else "unclear"

    @property
    def meaning(self) -> str:
        """One line, as the documentation says it."""
        return {
            ExitCode.KEPT: "every judged clause and objective holds",
            ExitCode.BROKEN: "at least one is broken",
            ExitCode.USAGE: "the call or the profile is wrong; nothing was sent",
            ExitCode.UNCLEAR: "could not be judged: unreachable, credentials or cards refused, generator saturated, "
            "too little evidence",
        }[self]


class KycgateError(Exception):
    """Base of all errors raised on purpose; `exit_code` is what the command line ends with."""

    exit_code = ExitCode.UNCLEAR


class UsageError(KycgateError):
    """The call, the profile or a file given by the user is wrong; nothing was sent."""

    exit_code = ExitCode.USAGE


class Mistakes(UsageError):  # noqa: N818 - it is what was found
    """A file, or what was given over it, is wrong: `what` it is, and each mistake in a line."""

    def __init__(self, what: str, mistakes: Sequence[str]) -> None:
        super().__init__(f"{what}: {'; '.join(mistakes)}")
        self.what, self.mistakes = what, tuple(mistakes)


class Contradiction(UsageError):  # noqa: N818 - it is what was found
    """A recording says two things at once: no verdict is taken from it."""


class CannotJudge(KycgateError):  # noqa: N818 - it is an outcome, and is named as DESIGN names it
    """The target could not be judged, and why."""

    exit_code = ExitCode.UNCLEAR


class BudgetExhausted(CannotJudge):
    """The run may send no further request; what was not sent is `not tried`."""


class NotTheTarget(CannotJudge):
    """A request failed, and the target is not known to be why; `kind` says in a few words what failed."""

    def __init__(self, message: str, kind: str) -> None:
        super().__init__(message)
        self.kind = kind
