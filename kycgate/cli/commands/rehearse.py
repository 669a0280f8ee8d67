"""`kycgate rehearse -- COMMAND`: a client's own tests against a vendor that misbehaves."""

import shlex
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kycgate.cli.groups import grouped
from kycgate.cli.help import CONTEXT
from kycgate.cli.options import FailLevelOption, OutOption, ProfileOption, ReportOptions, StrictOption
from kycgate.cli.output import Output
from kycgate.errors import CannotJudge, ExitCode, UsageError
from kycgate.text import counted

if TYPE_CHECKING:
    from kycgate.rehearsal.rehearse import Call, Case, Trial
    from kycgate.sandbox import SandboxSettings
    from kycgate.settings.profile import Profile


class Base64(StrEnum):
    """How a picture's base64 is written."""

    EITHER = "either"
    WRAPPED = "wrapped"
    UNBROKEN = "unbroken"


def register(app: typer.Typer) -> None:
    """Add the command."""
    # What stands behind the command's name is its own: `rehearse pytest -q` hands -q to pytest.
    app.command("rehearse", context_settings=CONTEXT | {"allow_interspersed_args": False})(rehearse)


@dataclass(frozen=True, slots=True)
class CaseOptions:
    """Which faults and bad lines the client meets."""

    only: Annotated[list[str] | None, typer.Option("--only", help="A fault, habit or line; may be given again.")] = None
    kind: Annotated[
        list[str] | None, typer.Option("--kind", help="shape, status, …, habit, line; may be given again.")
    ] = None
    level: Annotated[
        list[str] | None, typer.Option("--level", help="documented, relied-on, expected; may be given again.")
    ] = None


@dataclass(frozen=True, slots=True)
class TrialOptions:
    """How the command is run, and what is demanded of it."""

    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, max=64, help="Runs of the command at once.")] = 1
    time_limit: Annotated[
        float | None,
        typer.Option(
            "--time-limit",
            min=0.5,
            max=3_600,
            help="Seconds after which a run counts as hung.  [default: 90 and twice what the faithful run takes]",
        ),
    ] = None
    env: Annotated[
        list[str] | None,
        typer.Option("--env", help="NAME=VALUE for the client, with {base_url}, {tenant_id}, {tenant_secret}."),
    ] = None
    base64_form: Annotated[Base64, typer.Option("--base64", help="How your own rule wants pictures written.")] = (
        Base64.EITHER
    )
    like: Annotated[
        list[Path] | None, typer.Option("--like", help="A recorded run of your vendor, whose habits the stand-in has.")
    ] = None


@grouped
def rehearse(
    command: Annotated[list[str], typer.Argument(help="The client's own test command, after --.", metavar="COMMAND…")],
    choice: CaseOptions,
    how: TrialOptions,
    list_cases: Annotated[bool, typer.Option("--list", help="Print the chosen cases; run nothing.")] = False,
    profile: ProfileOption = None, out: OutOption = None, strict: StrictOption = False,
    fail_level: FailLevelOption = None, *, report: ReportOptions, output: Output,
) -> None:  # fmt: skip
    """Run a client's tests against the stand-in vendor: once faithful, then for each fault, habit and bad line.

    Example: kycgate rehearse --kind line --jobs 4 -- pytest tests/onboarding
    """
    from kycgate.cli.options import profile_of
    from kycgate.cli.progress import refuse_two_forms
    from kycgate.rehearsal.rehearse import Call, cases
    from kycgate.settings.profile import find_profile

    refuse_two_forms(report, output)
    chosen = profile_of(find_profile(profile), quiet=output.quiet, strict=strict or None, fail_level=fail_level)
    selected = cases(only=choice.only or (), kinds=choice.kind or (), levels=choice.level or ())
    if list_cases:
        _list(selected, output)
        return
    environment = dict(_variable(given) for given in how.env or ())
    _known_waivers(chosen, cases())
    settings = None
    if how.like:
        from kycgate.rehearsal.like import settings_like

        settings = settings_like(how.like)
    call = Call(command, environment, how.time_limit, how.jobs, how.base64_form.value)
    _rehearse(call, selected, chosen, settings, out=out, report=report, output=output)


def _list(selected: "list[Case]", output: Output) -> None:
    from kycgate.cli.answers import CaseList

    for case in selected:
        output.line(f"{case.id} [{case.level}] {case.sentence}")
    if output.quiet:
        output.verdict(counted(len(selected), "case"))
    output.document(lambda: CaseList.model_validate({"cases": selected}, from_attributes=True))


def _variable(given: str) -> tuple[str, str]:
    name, equals, template = given.partition("=")
    try:
        template.format(base_url="", tenant_id="", tenant_secret="")
    except (KeyError, IndexError, ValueError):
        raise UsageError(
            f"--env {name}: the value may hold {{base_url}}, {{tenant_id}} and {{tenant_secret}}"
        ) from None
    if not name or not equals:
        raise UsageError(f"--env takes NAME=VALUE, such as VENDOR_URL={{base_url}}, and not {given!r}")
    return name, template


def _known_waivers(profile: "Profile", every: "list[Case]") -> None:
    from kycgate.rehearsal.client_clauses import CLIENT_CATALOGUE
    from kycgate.settings.severity import REHEARSED

    known = {case.id for case in every} | {promise.id for promise in CLIENT_CATALOGUE}
    for name in (*(waiver.clause for waiver in profile.waiver), *profile.severity):
        if name.startswith(REHEARSED) and name not in known:
            raise UsageError(f"the profile names {name!r}, and there is no such case: `kycgate rehearse --list -- x`")


def _rehearse(
    call: "Call", selected: "list[Case]", profile: "Profile", settings: "SandboxSettings | None", *, out: Path | None,
    report: ReportOptions, output: Output,
) -> None:  # fmt: skip
    import kycgate
    from kycgate.cli.progress import print_outcome
    from kycgate.cli.reporting import write_reports
    from kycgate.cli.stopping import stoppable
    from kycgate.cli.streams import SteadyConsole
    from kycgate.rehearsal.rehearse import notes, recorded, results
    from kycgate.rehearsal.rehearse import rehearse as run_cases
    from kycgate.reports.since import mark, read_baseline
    from kycgate.runs.folder import RunFolder
    from kycgate.runs.model import Run
    from kycgate.runs.verdict import decide, exit_code_of, waiver_notes
    from kycgate.target.client import STOPPED

    baseline = read_baseline(report.since) if report.since is not None else None
    folder = RunFolder.create(out, "rehearse")
    run = Run(
        command="rehearse", verdict="unclear", exit_code=int(ExitCode.UNCLEAR), kycgate_version=kycgate.__version__,
        target=f"the stand-in vendor, for: {shlex.join(call.command)}", embedded_sandbox=True, profile=profile.name,
        started_at=datetime.now(UTC).isoformat(timespec="seconds"), strict=profile.strict,
        options={"time_limit_s": call.time_limit_s, "jobs": call.jobs, "cases": len(selected)},
    )  # fmt: skip
    console = SteadyConsole(highlight=False, markup=False)
    count = 0

    def say(trial: "Trial") -> None:
        nonlocal count
        name = trial.case.id if trial.case else "faithful"
        line = f"{count:>4}/{len(selected)}  {trial.outcome:<13} {trial.seconds:6.1f} s  {name}"
        if output.plain:
            console.print(line, soft_wrap=True)
        else:
            output.tell(line.strip())
        count += 1

    cannot = ""
    with stoppable(0) as stop:
        try:
            rehearsal = run_cases(call, selected, done=say, settings=settings)
        except CannotJudge as error:
            cannot = str(error)
        except KeyboardInterrupt:
            cannot, run.complete = STOPPED, False
        else:
            run.clauses, run.rehearsal = results(rehearsal, call), recorded(rehearsal)
            run.waivers = decide(run.clauses, profile.rules())
            run.notes += [*notes(rehearsal), *waiver_notes(run.waivers)]
            trials = [rehearsal.faithful, *rehearsal.trials]
            run.requests_sent = sum(trial.requests for trial in trials)
            run.uploads_sent = sum(trial.uploads for trial in trials)
            run.complete = not rehearsal.stopped
            if rehearsal.stopped:
                cannot = f"{STOPPED}, after {len(rehearsal.trials)} of {len(selected)} cases"
            elif not any(trial.outcome != "not exercised" for trial in rehearsal.trials):
                cannot = "no chosen case was exercised: the client sent no request whose answer one of them changes"
        stop.finishing = True
        code, run.reason = exit_code_of(run.clauses, [], strict=profile.strict, cannot_judge=cannot)
        run.finished_at = datetime.now(UTC).isoformat(timespec="seconds")
        run.exit_code, run.verdict = int(code), code.word
        if baseline is not None:
            mark(run, *baseline)
        folder.write_run(run)
        code = write_reports(folder, run, code)
    print_outcome(run, folder, console, report.output_format, output)
    raise typer.Exit(int(code))
