"""`kycgate load`: the four-step onboarding under load, alone, on all cores, or with workers on other machines."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import typer
from pydantic import ValidationError

from kycgate.cli.help import ADVANCED, show_all
from kycgate.cli.options import (
    BaseUrlOption,
    Format,
    FormatOption,
    MineOption,
    OutOption,
    PolicyOption,
    ProfileOption,
    SandboxOption,
    SeedOption,
    Shape,
    SinceOption,
    SpecimensOption,
    TimeLimitOption,
    TranslationOption,
    policy_of,
    target_of,
)
from kycgate.cli.output import JsonOption, Output, QuietOption
from kycgate.errors import UsageError
from kycgate.settings.mistakes import Place, mistakes_of, refuse
from kycgate.settings.profile import find_profile

T = TypeVar("T")

_WORKLOAD = _LIMITS = _WHERE = _CAPACITY = ADVANCED


def register(app: typer.Typer) -> None:
    app.command()(load)


_OPTIONS: dict[Place, str] = {
    ("duration_s",): "--duration",
    ("grace_s",): "--grace",
    ("client_order_share",): "--client-order",
    ("retry_share",): "--retries",
    **{
        (name,): f"--{name.replace('_', '-')}"
        for name in ("rate", "people", "cards", "max_requests", "max_uploads", "max_error_share")
    },
}
"""The option that stands for a key of the workload."""


def _parsed(option: str, parse: Callable[[str], T], text: str) -> T:
    try:
        return parse(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None


def _option(text: str, panel: str, *names: str, **more: Any) -> Any:
    return typer.Option(*names, help=text, rich_help_panel=panel, **more)


def load(
    base_url: BaseUrlOption = None, sandbox: SandboxOption = False, profile: ProfileOption = None,
    out: OutOption = None,
    translation: TranslationOption = None, specimens: SpecimensOption = None, seed: SeedOption = None,
    rate: Annotated[float, typer.Option(
        "--rate", "-r", min=0.01, max=10_000, help="Onboardings that arrive each second.")] = 10.0,
    duration: Annotated[float, typer.Option("--duration", "-d", min=1, max=86_400, help="Seconds of load.")] = 30.0,
    poisson: Annotated[bool, _option("Arrivals at random instead of evenly.", _WORKLOAD, "--poisson")] = False,
    shape: Annotated[Shape, _option("steady, ramp, step, spike or soak, up to --rate.", _WORKLOAD)] = Shape.STEADY,
    people: Annotated[int, _option("Closed workload: so many people at once.", _WORKLOAD, min=0, max=5_000)] = 0,
    think: Annotated[str, _option(
        "Closed: pause in s: a mean, uniform:1,5, lognormal:3,0.5.", _WORKLOAD)] = "0",
    client_order: Annotated[float, _option("Share in the Android client's order.", _WORKLOAD, min=0, max=1)] = 0.0,
    retries: Annotated[float, _option("Share that begins with an unreadable photo.", _WORKLOAD, min=0, max=1)] = 0.0,
    sizes: Annotated[str, _option(
        "Picture sizes in kB: 300,1000,3000 or lognormal:900,0.5.", _WORKLOAD)] = "",
    degrade: Annotated[str, _option(
        "Done to the pictures, in turn: blur:0.2,rotation:0.1,none.", _WORKLOAD)] = "",
    cards: Annotated[int, _option(
        "Different people to draw at most.", _WORKLOAD, min=1, max=1_000)]
        = 40,
    grace: Annotated[float, _option(
        "Seconds after --duration for what is under way.", _LIMITS, min=0, max=3_600)] = 30.0,
    max_requests: Annotated[int | None, _option("Stop after so many requests.", _LIMITS, min=1)] = None,
    max_uploads: Annotated[int | None, _option("Stop after so many uploads.", _LIMITS, min=1)] = None,
    max_seconds: Annotated[float | None, _option("Stop after so many seconds.", _LIMITS, min=1)] = None,
    max_error_share: Annotated[float, _option("Stop when a larger share fails.", _LIMITS, min=0, max=1)] = 1.0,
    time_limit: TimeLimitOption = None,
    processes: Annotated[int, _option("Worker processes; 0 is one a core.", _WHERE, min=0, max=256)] = 1,
    master: Annotated[bool, _option("Deal the load out to other machines.", _WHERE, "--master")] = False,
    expect_workers: Annotated[int, _option("With --master: workers to wait for.", _WHERE, min=1, max=1_000)] = 1,
    bind_host: Annotated[str, _option("With --master: where to listen.", _WHERE)] = "0.0.0.0",  # noqa: S104
    bind_port: Annotated[int, _option("With --master: its port.", _WHERE, min=0, max=65_535)] = 5557,
    worker: Annotated[bool, _option("Serve a master, with this side's secrets.", _WHERE, "--worker")]
        = False,
    master_host: Annotated[str, _option("With --worker: the master's machine.", _WHERE)] = "",
    master_port: Annotated[int, _option("With --worker: the master's port.", _WHERE, min=1, max=65_535)] = 5557,
    find_capacity: Annotated[bool, _option(
        "Raise --rate until p95 or throughput fails.", _CAPACITY, "--find-capacity")] = False,
    highest_rate: Annotated[float, _option("Go no higher.", _CAPACITY, min=0.01, max=10_000)] = 200.0,
    plateau: Annotated[float, _option("Seconds at each rate.", _CAPACITY, min=5, max=3_600)] = 15.0,
    limit_ms: Annotated[float, _option("The uploads' p95 that a rate must keep.", _CAPACITY, min=1, max=120_000)]
        = 5_000.0,
    otel: Annotated[bool, typer.Option(
        "--otel", rich_help_panel=_WHERE, help="Export metrics as OTEL_* variables say (extra otel).")] = False,
    policy: PolicyOption = None,
    until_decided: Annotated[bool, typer.Option(
        "--until-decided", help="End once the policy is decided, or after --duration.")] = False,
    yes_this_is_mine: MineOption = False, since: SinceOption = None, output_format: FormatOption = Format.TEXT,
    quiet: QuietOption = False, json: JsonOption = False,
    help_all: Annotated[bool, _option(
        "Show the advanced options too, and exit.", ADVANCED, "--help-all", is_eager=True, callback=show_all)] = False,
) -> None:  # fmt: skip
    """Start onboardings at a rate, or by a number of people; response times count from when each was due."""
    import os
    from importlib.util import find_spec

    from kycgate.processes import Spare

    # It loads its modules while this one does; when this process ends, it ends.
    spare = None if worker else Spare()

    from kycgate.cli.load_part import NOWHERE, LoadOptions
    from kycgate.cli.progress import run_and_exit
    from kycgate.load import LoadPlan, Topology
    from kycgate.load.capacity import CapacitySearch
    from kycgate.load.sizes import parse_sizes
    from kycgate.load.think import parse_think
    from kycgate.specimens import parse_degradations
    from kycgate.target.route import route_of

    profile = find_profile(profile)
    chosen = target_of(
        profile, sandbox=sandbox, base_url=base_url, translation=translation, specimens=specimens,
        limits__time_s=time_limit, quiet=quiet,
    )  # fmt: skip
    pauses = _parsed("--think", parse_think, think)
    mix = _parsed("--sizes", parse_sizes, sizes)
    degradations = _parsed("--degrade", parse_degradations, degrade)
    try:
        workload = LoadPlan(
            base_url=chosen.base_url or NOWHERE, rate=rate, duration_s=duration, grace_s=grace, poisson=poisson,
            shape=str(shape), people=people, think=pauses, client_order_share=client_order,
            retry_share=retries, sizes=mix, cards=cards,
            degradations=degradations, max_requests=max_requests,
            max_uploads=max_uploads, max_error_share=max_error_share, timeout_s=chosen.timeout_s,
            route=route_of(chosen), specimens=chosen.specimens,
        )  # fmt: skip
    except ValidationError as error:
        raise refuse("the call", mistakes_of(error, None, LoadPlan), None, options=_OPTIONS) from None
    if otel and not (find_spec("opentelemetry") and find_spec("opentelemetry.sdk")):
        raise UsageError("--otel takes the extra: install kycgate[otel]")
    if worker:
        _serve_master(chosen, workload, master_host, master_port, otel=otel)
        return
    if find_capacity and (people or until_decided):
        raise UsageError("--find-capacity raises an arrival rate: leave out --people and --until-decided")
    if find_capacity and highest_rate < rate:
        raise UsageError(f"--highest-rate {highest_rate:g} lies below --rate {rate:g}, where the search begins")
    options = LoadOptions(
        workload,
        Topology(
            processes=processes or os.cpu_count() or 1,
            remote_workers=expect_workers if master else 0,
            bind_host=bind_host if master else "127.0.0.1",
            bind_port=bind_port if master else 0,
        ),
        yes_this_is_mine,
        until_decided,
        max_seconds,
        CapacitySearch(rate, highest_rate, plateau_s=plateau, limit_ms=limit_ms) if find_capacity else None,
        otel,
        spare,
    )
    run_and_exit(
        "load", chosen, out=out, seed=seed, check=False, load=options, policy=policy_of(policy),
        since=since, output_format=output_format, output=Output(json, quiet), profile_file=profile,
    )  # fmt: skip


def _serve_master(profile: Any, workload: Any, host: str, port: int, *, otel: bool) -> None:
    """Generate what the master deals out, against this side's own target."""
    from kycgate.load.start import run_worker
    from kycgate.settings.profile import load_secrets

    if not host:
        raise UsageError("--worker needs --master-host")
    if profile.base_url is None:
        raise UsageError("--worker needs the target too (--base-url): it sends its credentials nowhere else")
    print(f"kycgate: serving the master at {host}:{port} against {profile.base_url}")
    run_worker(workload, load_secrets(profile.environment, profile.credentials), host, port, otel=otel)
