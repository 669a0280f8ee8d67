"""`kycgate rehearse -- COMMAND`: a client's own tests against a vendor that misbehaves."""

import shlex
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kycgate.cli.groups import grouped
from kycgate.cli.options import FailLevelOption, OutOption, ProfileOption, ReportOptions, StrictOption
from kycgate.errors import CannotJudge, ExitCode, UsageError

if TYPE_CHECKING:
    from kycgate.rehearsal.rehearse import Case, Trial
    from kycgate.settings.profile import Profile


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("rehearse")(rehearse)


@dataclass(frozen=True, slots=True)
class CaseOptions:
    """Which faults and bad lines the client meets."""

    only: Annotated[list[str] | None, typer.Option("--only", help="A fault or line; may be given again.")] = None
    kind: Annotated[
        list[str] | None, typer.Option("--kind", help="shape, status, auth, order, …, line; may be given again.")
    ] = None
    level: Annotated[
        list[str] | None, typer.Option("--level", help="documented, relied-on, expected; may be given again.")
    ] = None


@grouped
def rehearse(
    command: Annotated[list[str], typer.Argument(help="The client's own test command, after --.", metavar="COMMAND…")],
    choice: CaseOptions,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, max=64, help="Runs of the command at once.")] = 1,
    time_limit: Annotated[
        float, typer.Option("--time-limit", min=0.5, max=3_600, help="Seconds after which a run counts as hung.")
    ] = 60.0,
    env: Annotated[
        list[str] | None,
        typer.Option("--env", help="NAME=VALUE for the client, with {base_url}, {tenant_id}, {tenant_secret}."),
    ] = None,
    list_cases: Annotated[bool, typer.Option("--list", help="Print the chosen cases; run nothing.")] = False,
    profile: ProfileOption = None, out: OutOption = None, strict: StrictOption = False,
    fail_level: FailLevelOption = None, *, report: ReportOptions,
) -> None:  # fmt: skip
    """Run a client's tests against the stand-in vendor: once faithful, then once for each fault and each bad line.

    Example: kycgate rehearse --kind line --jobs 4 -- pytest tests/onboarding
    """
    from kycgate.cli.options import profile_of
    from kycgate.rehearsal.rehearse import cases
    from kycgate.settings.profile import find_profile

    chosen = profile_of(find_profile(profile), strict=strict or None, fail_level=fail_level)
    selected = cases(only=choice.only or (), kinds=choice.kind or (), levels=choice.level or ())
    if list_cases:
        for case in selected:
            print(f"{case.id} [{case.level}] {case.sentence}")
        return
    environment = dict(_variable(given) for given in env or ())
    _known_waivers(chosen, cases())
    _rehearse(
        command, selected, chosen, time_limit=time_limit, jobs=jobs, environment=environment, out=out, report=report
    )


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
    command: list[str], selected: "list[Case]", profile: "Profile", *, time_limit: float, jobs: int,
    environment: dict[str, str], out: Path | None, report: ReportOptions,
) -> None:  # fmt: skip
    from rich.console import Console

    import kycgate
    from kycgate.cli.progress import print_outcome
    from kycgate.cli.reporting import write_reports
    from kycgate.rehearsal.rehearse import rehearse as run_cases
    from kycgate.rehearsal.rehearse import results
    from kycgate.reports.since import mark, read_baseline
    from kycgate.runs.folder import RunFolder
    from kycgate.runs.model import Run
    from kycgate.runs.verdict import decide, exit_code_of, waiver_notes

    baseline = read_baseline(report.since) if report.since is not None else None
    folder = RunFolder.create(out, "rehearse")
    shown = shlex.join(command)
    run = Run(
        command="rehearse", verdict="unclear", exit_code=int(ExitCode.UNCLEAR), kycgate_version=kycgate.__version__,
        target=f"the stand-in vendor, for: {shown}", embedded_sandbox=True, profile=profile.name,
        started_at=datetime.now(UTC).isoformat(timespec="seconds"), strict=profile.strict,
        options={"time_limit_s": time_limit, "jobs": jobs, "cases": len(selected)},
    )  # fmt: skip
    count = 0

    def say(trial: "Trial") -> None:
        nonlocal count
        name = trial.case.id if trial.case else "faithful"
        print(f"{count:>4}/{len(selected)}  {trial.outcome:<13} {trial.seconds:6.1f} s  {name}", flush=True)
        count += 1

    cannot = ""
    try:
        faithful, trials = run_cases(
            command, selected, time_limit_s=time_limit, jobs=jobs, environment=environment, done=say
        )
    except CannotJudge as error:
        cannot = str(error)
    else:
        run.clauses = results(faithful, trials, shown)
        run.waivers = decide(run.clauses, profile.rules())
        run.notes += waiver_notes(run.waivers)
        run.requests_sent = faithful.requests + sum(trial.requests for trial in trials)
        if not any(trial.outcome != "not exercised" for trial in trials):
            cannot = "no chosen case was exercised: the client sent no request whose answer one of them changes"
    code, run.reason = exit_code_of(run.clauses, [], strict=profile.strict, cannot_judge=cannot)
    run.finished_at = datetime.now(UTC).isoformat(timespec="seconds")
    run.exit_code, run.verdict = int(code), code.word
    if baseline is not None:
        mark(run, *baseline)
    folder.write_run(run)
    code = write_reports(folder, run, code)
    print_outcome(run, folder, Console(highlight=False), report.output_format)
    raise typer.Exit(int(code))
