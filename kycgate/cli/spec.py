"""What a command asks of a run that sends requests."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # At run time they weigh too much: a wrong call is answered before Locust and the statistics are loaded.
    from kycgate.cli.load_part import LoadOptions
    from kycgate.runs.model import Run
    from kycgate.settings.profile import Profile
    from kycgate.sla.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSpec:
    """A run as it is asked for; `execute` carries it out."""

    command: str
    profile: "Profile"
    profile_file: Path | None = None
    out: Path | None = None
    """The run's folder; None makes a new one."""
    seed: int | None = None
    check: bool = False
    load: "LoadOptions | None" = None
    thorough: bool = False
    only: Sequence[str] = ()
    """Clauses and families: nothing else is judged, and no test runs for anything else. Empty: all."""
    policy: "Policy | None" = None
    release: str = ""
    """The target's, for `kycgate history`."""
    baseline: "tuple[str, Run] | None" = None
    """An earlier run and its name, to mark what has changed since."""
