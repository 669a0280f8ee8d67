"""The command line. Each command ends with one of the stable exit codes; what is wrong is said in one line."""

import errno
import re
import sys
import traceback
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

import kycgate
from kycgate.cli.commands import (
    bundle,
    chaos,
    compare,
    doctor,
    history,
    init,
    load,
    pin,
    probe,
    prove,
    rehearse,
    report,
    schema,
    sla,
)
from kycgate.cli.groups import grouped
from kycgate.cli.help import CONTEXT, lay_out
from kycgate.cli.options import (
    BudgetOptions,
    DurationOption,
    GateOptions,
    JobsOption,
    LoadRateOption,
    MineOption,
    OnlyOption,
    PolicyOption,
    Reading,
    ReportOptions,
    RunOptions,
    Switch,
    ThoroughOption,
    TimeLimitOption,
    TranslationOption,
    policy_of,
    target_of,
)
from kycgate.cli.output import Output
from kycgate.cli.progress import run_and_exit
from kycgate.cli.streams import flush
from kycgate.cli.wrong_option import advice
from kycgate.contracts.clauses import LEFT_OUT
from kycgate.contracts.flows import catalogue
from kycgate.contracts.openapi import text as openapi_text
from kycgate.errors import ExitCode, KycgateError, Mistakes
from kycgate.extras import demand_load, lacking
from kycgate.settings.profile import Profile, take_flow_of_call
from kycgate.settings.selection import clauses_named

app = typer.Typer(
    help="Contract, load and SLA testing of a National ID onboarding API, with evidence.",
    pretty_exceptions_enable=False,
    context_settings=CONTEXT,
)
for _command in (bundle, chaos, compare, doctor, history, init, load, pin, probe, prove, rehearse, report, schema, sla):
    _command.register(app)
# Typer carries a click of its own; the errors of that one share this base.
_TYPER_INTERRUPTED = 130
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
_WRONG_CALL: Any = typer.BadParameter.__mro__[-4]
_err = Console(stderr=True, highlight=False)


@app.command()
@grouped
def verify(
    run: RunOptions, gate: GateOptions, budget: BudgetOptions,
    load_rate: LoadRateOption = 10.0, duration: DurationOption = 10.0,
    time_limit: TimeLimitOption = None, policy: PolicyOption = None, yes_this_is_mine: MineOption = False,
    *, report: ReportOptions, output: Output,
) -> None:  # fmt: skip
    """Check the contract, run a short load, judge both; where no target is named, of the embedded sandbox."""
    demand_load("verify")
    from kycgate.cli.load_part import NOWHERE, LoadOptions
    from kycgate.load import LoadPlan

    chosen = target_of(
        run.target, run.cards, gate, budget, else_sandbox=True, quiet=output.quiet, limits__time_s=time_limit
    )
    workload = LoadPlan(base_url=NOWHERE, rate=load_rate, duration_s=duration)
    load = LoadOptions(workload, yes_this_is_mine=yes_this_is_mine)
    spec = replace(run.spec("verify", chosen), check=True, load=load, policy=policy_of(policy))
    run_and_exit(spec, report, output)


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """Which contract tests run, and for how long."""

    thorough: ThoroughOption = False
    time_limit: TimeLimitOption = None
    only: OnlyOption = None
    jobs: JobsOption = None
    image_limit: Annotated[bool, typer.Option("--image-limit", help="Find the largest picture that is taken.")] = False
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan; send nothing.")] = False

    @property
    def flags(self) -> dict[str, Any]:
        """Their values by key of the profile."""
        return {
            "limits__time_s": self.time_limit,
            "limits__jobs": self.jobs,
            "find_image_limit": self.image_limit or None,
        }


@app.command()
@grouped
def check(
    run: RunOptions,
    gate: GateOptions,
    budget: BudgetOptions,
    tests: CheckOptions,
    report: ReportOptions,
    output: Output,
) -> None:
    """Judge every clause of the contract."""
    chosen = target_of(
        run.target, run.cards, gate, budget, tests,
        thorough=tests.thorough, else_sandbox=tests.dry_run, quiet=output.quiet,
    )  # fmt: skip
    only = tests.only or ()
    if tests.dry_run:
        if chosen.specimens is not None:
            from kycgate.specimens import load_directory

            load_directory(chosen.specimens)
        _print_plan(chosen, clauses_named(only), output)
        return
    spec = replace(run.spec("check", chosen), check=True, thorough=tests.thorough, only=only)
    run_and_exit(spec, report, output)


def _print_plan(profile: Profile, only: frozenset[str], output: Output) -> None:
    from kycgate.check.runner import run_contract_tests
    from kycgate.cli.answers import CheckPlan

    requests = uploads = 0
    surely, perhaps = Counter[str](), Counter[str]()
    tests = run_contract_tests(None, only=only).plan
    output.line(f"{'requests':>8} {'uploads':>7}  test: clauses")
    for test in tests:
        fits = requests + test.requests <= profile.limits.requests and uploads + test.uploads <= profile.limits.uploads
        room = "" if fits else "(if room is left) "
        output.line(f"{test.requests:>8} {test.uploads:>7}  {room}{test.test}: {' '.join(test.clauses)}")
        (surely if fits else perhaps).update(test.clauses)
        requests, uploads = requests + test.requests, uploads + test.uploads
    output.line(f"\n{'tests':>8} {'if room':>7}  clause")
    for name in (entry.id for entry in catalogue() if entry.id in surely or entry.id in perhaps):
        output.line(f"{surely[name]:>8} {perhaps[name] or '':>7}  {name}")
    output.verdict(
        f"{requests:>8} {uploads:>7}  at most; the budget is {profile.limits.requests} requests "
        f"and {profile.limits.uploads} uploads; nothing was sent"
    )
    output.document(
        lambda: CheckPlan.model_validate(
            {
                "requests": requests, "uploads": uploads, "tests": tests,
                "budget_requests": profile.limits.requests, "budget_uploads": profile.limits.uploads,
            }
        )
    )  # fmt: skip


@app.command()
def sandbox(
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 picks a free one.")] = 0,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    allow_remote: Annotated[bool, typer.Option("--allow-remote", help="Listen on more than loopback.")] = False,
    fault: Annotated[list[str] | None, typer.Option(help="Break one clause; may be given again.")] = None,
    list_faults: Annotated[bool, typer.Option("--list-faults", help="Print the faults and end.")] = False,
    list_variants: Annotated[
        bool, typer.Option("--list-variants", help="Print what is left open and which variant chooses how; end.")
    ] = False,
    translation: TranslationOption = Switch.ON,
    latency: Annotated[
        str,
        typer.Option(help="How long a reading takes: base_ms=300,sigma=0.4,ms_per_mb=50,readers=8,stall_every_s=10."),
    ] = "",
    foreign_photos: Annotated[bool, typer.Option("--foreign-photos", help="Read any decodable picture.")] = False,
    reading: Annotated[
        Reading, typer.Option(help="By the specimen's code, or by OCR (extra `ocr`), which errs.")
    ] = Reading.CODE,
    like: Annotated[
        list[Path] | None, typer.Option(help="Answer as the vendor of this recorded run did; may be given again.")
    ] = None,
    control: Annotated[
        bool, typer.Option("--control", help="Also serve a control endpoint on loopback; its token is printed.")
    ] = False,
) -> None:
    """Serve a vendor that keeps the contract, and breaks it on request."""
    from kycgate.sandbox import FAULTS, LOAD_FAULTS, TENANT, TENANT_SECRET, SandboxSettings, parse_latency, serve
    from kycgate.sandbox.faults import vendor_with

    take_flow_of_call()
    if list_faults:
        for name, known in {**FAULTS.load(), **LOAD_FAULTS}.items():
            print(f"{name}: {known.sentence} ({known.clause}, {known.kind})")
        return
    if list_variants:
        from kycgate.sandbox.variants import LIBERTIES

        for what, names in LIBERTIES.items():
            print(f"{what} ({', '.join(names)})")
        return
    settings = SandboxSettings(
        tenants={TENANT: TENANT_SECRET},
        translation=translation is not Switch.OFF,
        foreign_photos=foreign_photos,
        reading=reading.value,
        latency=parse_latency(latency),
    )
    if like:
        from kycgate.rehearsal.like import settings_like

        learnt = settings_like(like)
        settings = learnt.model_copy(update={"latency": settings.latency, "reading": settings.reading})
    # A misspelt fault is answered before anything else.
    vendor_with(settings, fault or ()).close()
    given = f"KYCGATE_TENANT_ID={TENANT} KYCGATE_TENANT_SECRET={TENANT_SECRET}"
    if settings.api_keys and not control:
        given = f"KYCGATE_API_KEYS={','.join(settings.api_keys)}"

    def banner() -> None:
        _err.print(f"export {given}; Ctrl-C ends", soft_wrap=True)

    if control:
        from kycgate.rehearsal.control import serve_controlled

        serve_controlled(settings, fault or (), host=host, port=port, ready=banner)
        return
    serve(settings, fault or (), host=host, port=port, allow_remote=allow_remote, ready=banner)


@app.command()
def specimens(
    out: Annotated[Path, typer.Option("--out", "-o", help="Where to write the pictures and truth.jsonl.")],
    count: Annotated[int, typer.Option(min=1, max=10_000, help="People to draw.")] = 1,
    seed: Annotated[int, typer.Option(help="The same seed draws the same people.")] = 0,
    size: Annotated[int | None, typer.Option(help="Bytes of each JPEG, 100000 to 4000000.")] = None,
) -> None:
    """Draw synthetic cards with their truth."""
    from kycgate.specimens import save

    print(f"{save(out, count, seed=seed, size_bytes=size)} pictures and truth.jsonl in {out}")


@app.command()
def openapi() -> None:
    """Print the contract as OpenAPI 3.1."""
    take_flow_of_call()
    print(openapi_text(), end="")


@app.command()
def clauses() -> None:
    """List every clause with level, source and endpoints, and what was left out."""
    take_flow_of_call()
    for promise in catalogue():
        print(f"{promise.id} [{promise.level}] {promise.sentence} ({promise.source}; {', '.join(promise.endpoints)})")
    for left in LEFT_OUT:
        print(f"left out: {left.statement} {left.reason}")


def _show_version(wanted: bool) -> None:
    if wanted:
        print(kycgate.__version__)
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=_show_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    pass


lay_out(app)


def main() -> None:
    """The console script."""
    bare = not sys.argv[1:]
    try:
        code = app(["--help"] if bare else None, standalone_mode=False, prog_name="kycgate")
        if bare:
            # The help, but nothing was done: a script that lost its arguments must see that.
            code = ExitCode.USAGE
        if code == _TYPER_INTERRUPTED:
            code = _complain("stopped", ExitCode.UNCLEAR)
    except _WRONG_CALL as error:
        code = _complain(advice(error) or _in_our_words(error.format_message()), ExitCode.USAGE)
    except (typer.Abort, KeyboardInterrupt):
        code = _complain("stopped", ExitCode.UNCLEAR)
    except Mistakes as error:
        code = _complain_of_all(error)
    except KycgateError as error:
        code = _complain(str(error), error.exit_code)
    except SystemExit as ended:
        # Shell completion ends so; with 1 it is Typer's way of saying that the reader of our output has left.
        code = ExitCode.UNCLEAR if ended.code else ExitCode.KEPT
    except Exception as error:  # noqa: BLE001 - whatever is left is a bug of ours, and no verdict
        without = lacking(error)
        full = isinstance(error, OSError) and error.errno in _NO_ROOM and error.filename is None
        said = f"the output cannot be written: {error.strerror}" if full else _bug(error)  # type: ignore[attr-defined]
        code = _complain(without or said, ExitCode.USAGE if without else ExitCode.UNCLEAR)
    problem = flush()
    if problem:
        code = code or _complain(problem, ExitCode.UNCLEAR)
    sys.exit(int(code or 0))


_OUR_WORDS = (
    (r"Value error, ", ""),
    (r"Input should be a valid (number|integer|boolean).*", r"a \1 is wanted"),
    (r"Input should be greater than or equal to", "it must be at least"),
    (r"Input should be less than or equal to", "it must be at most"),
    (r"Input should be", "it must be"),
)


def _in_our_words(message: str) -> str:
    """What the parser says of an option, without its library's words."""
    for pattern, ours in _OUR_WORDS:
        message = re.sub(pattern, ours, message)
    return message


def _complain_of_all(error: Mistakes) -> ExitCode:
    if len(error.mistakes) == 1:
        return _complain(str(error), error.exit_code)
    _complain(f"{error.what}: {len(error.mistakes)} mistakes", error.exit_code)
    for mistake in error.mistakes:
        _complain(f"- {mistake}", error.exit_code)
    return error.exit_code


def _bug(error: Exception) -> str:
    """Where it happened, and of what kind: the message of an unforeseen error may hold what was sent."""
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    where = ", ".join(f"{Path(frame.filename).name}:{frame.lineno} ({frame.name})" for frame in reversed(frames))
    what = f"{type(error).__name__}{f' ({error.strerror})' if isinstance(error, OSError) and error.strerror else ''}"
    return f"stopped by a bug of kycgate, please report it: {what} in {where}"


def _complain(message: str, code: ExitCode) -> ExitCode:
    from kycgate.text import one_line

    with suppress(OSError):
        print(f"kycgate: {one_line(' '.join(message.split()))}", file=sys.stderr)
    return code
