"""The options that commands share, in groups (see `groups.py`), and the profile they make."""

import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Protocol

import typer

from kycgate.cli.spec import RunSpec
from kycgate.errors import UsageError
from kycgate.settings.profile import NO_TARGET, Profile, find_profile, load_profile, take_flow
from kycgate.settings.severity import FailLevel
from kycgate.text import one_line


class Switch(StrEnum):
    """--translation."""

    ON = "on"
    OFF = "off"
    AUTO = "auto"


class Shape(StrEnum):
    """--shape."""

    STEADY = "steady"
    RAMP = "ramp"
    STEP = "step"
    SPIKE = "spike"
    SOAK = "soak"


class Reading(StrEnum):
    """--reading."""

    CODE = "code"
    OCR = "ocr"


class Format(StrEnum):
    """--format."""

    TEXT = "text"
    GITHUB = "github"


MAX_LABEL = 60

BaseUrlOption = Annotated[
    str | None, typer.Option("--base-url", "-u", help="The target. Else KYCGATE_BASE_URL, the profile's.")
]
SandboxOption = Annotated[bool, typer.Option("--sandbox", help="Judge the embedded sandbox instead.")]
ProfileOption = Annotated[
    Path | None,
    typer.Option("--profile", "-p", help="Else ./kycgate.toml, tool.kycgate in pyproject.toml."),
]
OutOption = Annotated[
    Path | None, typer.Option("--out", "-o", help="The run's folder. Else a new one in kycgate-out/.")
]
TranslationOption = Annotated[Switch | None, typer.Option(help="The vendor's translation feature.")]
SpecimensOption = Annotated[Path | None, typer.Option(help="A folder with the vendor's own test cards.")]
SeedOption = Annotated[int | None, typer.Option(help="Repeat a run: its seed stands in run.json.")]
StrictOption = Annotated[bool, typer.Option("--strict", help="Breaches of expected clauses fail the gate too.")]
FailLevelOption = Annotated[
    FailLevel | None,
    typer.Option("--fail-level", help="The lowest level whose breaches fail; single clauses' rules still hold."),
]
PinsOption = Annotated[Path | None, typer.Option("--pins", help="What `kycgate pin` wrote: say what changed since.")]
FailOnDriftOption = Annotated[bool, typer.Option("--fail-on-drift", help="What changed since the pins fails the gate.")]
BudgetOption = Annotated[int | None, typer.Option(help="Requests to send at most.")]
UploadsOption = Annotated[int | None, typer.Option(help="Billed uploads to send at most.")]
RateOption = Annotated[float | None, typer.Option(help="Requests a second at most.")]
JobsOption = Annotated[
    int | None,
    typer.Option(
        "--jobs", "-j", min=1, max=32, help="Tests to run at once. Default: 4, or as many as there are fixed keys."
    ),
]
OnlyOption = Annotated[
    list[str] | None,
    typer.Option("--only", "-k", help="Judge this clause or family (auth, order, …) alone; may be given again."),
]
ThoroughOption = Annotated[bool, typer.Option("--thorough", help="Up to 3,000 requests and longer random walks.")]
LoadRateOption = Annotated[
    float, typer.Option("--load-rate", min=0.01, max=10_000, help="Onboardings that arrive each second.")
]
DurationOption = Annotated[float, typer.Option(min=1, max=86_400, help="Seconds of load.")]
TimeLimitOption = Annotated[
    float | None,
    typer.Option(help="Seconds for the whole run. Else 1800; load: 300 and --duration."),
]
PolicyOption = Annotated[Path | None, typer.Option("--policy", help="An SLA policy (TOML).")]
StoreOption = Annotated[
    str, typer.Option("--store", envvar="KYCGATE_STORE", help="A file, or postgresql://… (a password: in PGPASSWORD).")
]
ProbedOption = Annotated[
    str | None, typer.Option("--target", help="The target whose probes count, where the store has several.")
]
EveryOption = Annotated[
    float | None, typer.Option("--every", min=1, max=86_400, help="Seconds between probes; else learned.")
]
SinceOption = Annotated[Path | None, typer.Option("--since", help="An earlier run: marks what is new, known or gone.")]
FormatOption = Annotated[Format, typer.Option("--format", help="github adds annotations and the job's summary.")]
ReleaseOption = Annotated[
    str, typer.Option("--release", metavar="LABEL", help="The target's release; `kycgate history` marks it.")
]
MineOption = Annotated[bool, typer.Option("--yes-this-is-mine", help="Allow load on another machine.")]


@dataclass(frozen=True, slots=True)
class TargetOptions:
    """Who is judged, and the profile that says how it is reached."""

    base_url: BaseUrlOption = None
    sandbox: SandboxOption = False
    profile: ProfileOption = None

    @property
    def profile_file(self) -> Path | None:
        """The profile that is read; see `find_profile`."""
        return find_profile(self.profile)


@dataclass(frozen=True, slots=True)
class CardOptions:
    """Which cards are shown, and what is expected of their reading."""

    translation: TranslationOption = None
    specimens: SpecimensOption = None
    seed: SeedOption = None

    @property
    def flags(self) -> dict[str, Any]:
        """Their values by key of the profile."""
        return {"translation": self.translation, "specimens": self.specimens}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What check, load and verify take alike."""

    target: TargetOptions
    out: OutOption = None
    release: ReleaseOption = ""
    cards: CardOptions

    def spec(self, command: str, profile: Profile) -> RunSpec:
        """The run of `command` that they ask for, before it is said what is sent in it."""
        return RunSpec(
            command=command, profile=profile, profile_file=self.target.profile_file, out=self.out,
            release=self.release, seed=self.cards.seed,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class GateOptions:
    """What fails the gate."""

    strict: StrictOption = False
    fail_level: FailLevelOption = None
    pins: PinsOption = None
    fail_on_drift: FailOnDriftOption = False

    @property
    def flags(self) -> dict[str, Any]:
        """Their values by key of the profile."""
        return {
            "strict": self.strict or None,
            "fail_level": self.fail_level,
            "pins": self.pins,
            "fail_on_drift": self.fail_on_drift or None,
        }


@dataclass(frozen=True, slots=True)
class BudgetOptions:
    """How much may be sent, and how fast."""

    budget: BudgetOption = None
    uploads: UploadsOption = None
    rate: RateOption = None

    @property
    def flags(self) -> dict[str, Any]:
        """Their values by key of the profile."""
        return {"limits__requests": self.budget, "limits__uploads": self.uploads, "limits__rate": self.rate}


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """What a finished run is compared with, and for whom its outcome is printed."""

    since: SinceOption = None
    output_format: FormatOption = Format.TEXT


class Flags(Protocol):
    """A group of options that stand for keys of the profile."""

    @property
    def flags(self) -> dict[str, Any]:
        """Their values by key of the profile; None where an option is not given."""


def target_of(
    target: TargetOptions,
    *groups: Flags,
    thorough: bool = False,
    else_sandbox: bool = False,
    quiet: bool = False,
    **flags: Any,
) -> Profile:
    """The profile of a call that sends requests; its base_url is None only where the embedded sandbox is meant.

    With `else_sandbox` the sandbox is also meant where neither a flag, the environment nor a profile says anything
    of a target. `groups` and `flags` stand over the profile's keys.

    Raises:
        UsageError: no target is named, --sandbox contradicts --base-url, or what `profile_of` says.
    """
    if target.sandbox and target.base_url is not None:
        raise UsageError("--sandbox and --base-url contradict each other: give one of them")
    flags["base_url"] = target.base_url
    for group in groups:
        flags |= group.flags
    path = target.profile_file
    chosen = profile_of(path, thorough, quiet=quiet, **flags)
    if target.sandbox:
        return chosen.model_copy(update={"base_url": None})
    if chosen.base_url is None and not (else_sandbox and path is None):
        raise UsageError(NO_TARGET)
    return chosen


def profile_of(path: Path | None, thorough: bool = False, *, quiet: bool = False, **flags: Any) -> Profile:
    """The layered profile of a call: flags over environment over TOML; `quiet` leaves out notes about it.

    Raises:
        UsageError: the flags contradict each other, or what `load_profile` says.
    """
    level: FailLevel | None = flags.pop("fail_level", None)
    if level is not None:
        if flags.get("strict") and level is not FailLevel.EXPECTED:
            raise UsageError(f"--strict and --fail-level {level} contradict each other: give one of them")
        flags |= {f"severity__{name}": severity for name, severity in level.severities.items()}
        flags["strict"] = level is FailLevel.EXPECTED
    if thorough:
        flags["limits__requests"] = flags.get("limits__requests") or 3_000
        flags["limits__uploads"] = flags.get("limits__uploads") or 1_000
    profile = take_flow(load_profile(path, **flags))
    if profile.instead_of and not quiet:
        said = one_line(profile.instead_of, 200)
        print(
            f"kycgate: the profile's base_url, {said}, is not used: --base-url or KYCGATE_BASE_URL names another",
            file=sys.stderr,
        )
    return profile


def release_label(text: str) -> str:
    """A release's label, as it is shown.

    Raises:
        UsageError: it is too long, or cannot be shown.
    """
    if len(text) > MAX_LABEL or not text.isprintable():
        raise UsageError(f"a release's label has at most {MAX_LABEL} characters, all of which can be printed")
    return text


def policy_of(path: Path | None) -> Any:
    """The policy of a call, or None."""
    # Imported here: most calls need none.
    from kycgate.sla.policy import load_policy

    return load_policy(path) if path is not None else None
