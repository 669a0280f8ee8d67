"""`kycgate load`: the four-step onboarding under load, alone, on all cores, or with workers on other machines."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from pydantic import ValidationError

from kycgate.cli.groups import grouped
from kycgate.cli.help import ADVANCED, show_all
from kycgate.cli.options import (
    MineOption,
    PolicyOption,
    ReportOptions,
    RunOptions,
    Shape,
    TimeLimitOption,
    policy_of,
    target_of,
)
from kycgate.cli.output import Output
from kycgate.errors import UsageError
from kycgate.settings.mistakes import Place, mistakes_of, refuse

if TYPE_CHECKING:
    from kycgate.load import LoadPlan, Topology
    from kycgate.load.capacity import CapacitySearch
    from kycgate.settings.profile import Profile

T = TypeVar("T")


def register(app: typer.Typer) -> None:
    app.command()(load)


_OPTIONS: dict[Place, str] = {
    ("duration_s",): "--duration",
    ("grace_s",): "--grace",
    ("client_order_share",): "--client-order",
    ("retry_share",): "--retries",
    **{
        (name,): f"--{name.replace('_', '-')}"
        for name in ("rate", "people", "cards", "max_requests", "max_uploads", "max_error_share", "out_of_turn")
    },
}
"""The option that stands for a key of the workload."""


def _parsed(option: str, parse: Callable[[str], T], text: str) -> T:
    try:
        return parse(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None


def _advanced(text: str, *names: str, **more: Any) -> Any:
    """An option that --help-all alone shows."""
    return typer.Option(*names, help=text, rich_help_panel=ADVANCED, **more)


@dataclass(frozen=True, slots=True)
class WorkloadOptions:
    """Who arrives, when, and what they do."""

    rate: Annotated[
        float, typer.Option("--rate", "-r", min=0.01, max=10_000, help="Onboardings that arrive each second.")
    ] = 10.0
    duration: Annotated[float, typer.Option("--duration", "-d", min=1, max=86_400, help="Seconds of load.")] = 30.0
    poisson: Annotated[bool, _advanced("Arrivals at random instead of evenly.", "--poisson")] = False
    shape: Annotated[Shape, _advanced("steady, ramp, step, spike or soak, up to --rate.")] = Shape.STEADY
    people: Annotated[int, _advanced("Closed workload: this many people at once.", min=0, max=5_000)] = 0
    think: Annotated[str, _advanced("Closed: pause in s: a mean, uniform:1,5, lognormal:3,0.5.")] = "0"
    client_order: Annotated[float, _advanced("Share in the Android client's order.", min=0, max=1)] = 0.0
    retries: Annotated[float, _advanced("Share that begins with an unreadable photo.", min=0, max=1)] = 0.0
    out_of_turn: Annotated[
        int, _advanced("Sessions beside them, at most, that take a step out of turn; 0: none.", min=0, max=10_000)
    ] = 40
    sizes: Annotated[str, _advanced("Picture sizes in kB: 300,1000,3000 or lognormal:900,0.5.")] = ""
    degrade: Annotated[str, _advanced("Done to the pictures, in turn: blur:0.2,rotation:0.1,none.")] = ""
    cards: Annotated[int, _advanced("Different people to draw at most.", min=1, max=1_000)] = 40

    def plan(self, profile: "Profile", stops: "StopOptions") -> "LoadPlan":
        """The workload against the target of `profile`.

        Raises:
            UsageError: an option's value is wrong; the message names the option.
        """
        from kycgate.cli.load_part import NOWHERE
        from kycgate.load import LoadPlan
        from kycgate.load.sizes import parse_sizes
        from kycgate.load.think import parse_think
        from kycgate.specimens import parse_degradations
        from kycgate.target.route import route_of

        pauses = _parsed("--think", parse_think, self.think)
        mix = _parsed("--sizes", parse_sizes, self.sizes)
        degradations = _parsed("--degrade", parse_degradations, self.degrade)
        try:
            return LoadPlan(
                base_url=profile.base_url or NOWHERE, rate=self.rate, duration_s=self.duration, grace_s=stops.grace,
                poisson=self.poisson, shape=str(self.shape), people=self.people, think=pauses,
                client_order_share=self.client_order, retry_share=self.retries, out_of_turn=self.out_of_turn,
                sizes=mix, cards=self.cards,
                degradations=degradations, max_requests=stops.max_requests, max_uploads=stops.max_uploads,
                max_error_share=stops.max_error_share, timeout_s=profile.timeout_s, route=route_of(profile),
                specimens=profile.specimens,
            )  # fmt: skip
        except ValidationError as error:
            raise refuse("the call", mistakes_of(error, None, LoadPlan), None, options=_OPTIONS) from None


@dataclass(frozen=True, slots=True)
class StopOptions:
    """What ends the load before, or after, its duration."""

    grace: Annotated[float, _advanced("Seconds after --duration for what is under way.", min=0, max=3_600)] = 30.0
    max_requests: Annotated[int | None, _advanced("Stop after this many requests.", min=1)] = None
    max_uploads: Annotated[int | None, _advanced("Stop after this many uploads.", min=1)] = None
    max_seconds: Annotated[float | None, _advanced("Stop after this many seconds.", min=1)] = None
    max_error_share: Annotated[float, _advanced("Stop when a larger share fails.", min=0, max=1)] = 1.0
    time_limit: TimeLimitOption = None


@dataclass(frozen=True, slots=True)
class MachineOptions:
    """Which processes and machines generate the load."""

    processes: Annotated[int, _advanced("Worker processes; 0 is one a core.", min=0, max=256)] = 1
    master: Annotated[bool, _advanced("Deal the load out to other machines.", "--master")] = False
    expect_workers: Annotated[int, _advanced("With --master: workers to wait for.", min=1, max=1_000)] = 1
    bind_host: Annotated[str, _advanced("With --master: where to listen.")] = "0.0.0.0"  # noqa: S104
    bind_port: Annotated[int, _advanced("With --master: its port.", min=0, max=65_535)] = 5557
    worker: Annotated[bool, _advanced("Serve a master, with this side's secrets.", "--worker")] = False
    master_host: Annotated[str, _advanced("With --worker: the master's machine.")] = ""
    master_port: Annotated[int, _advanced("With --worker: the master's port.", min=1, max=65_535)] = 5557

    def topology(self) -> "Topology":
        """The processes of this side: alone, or as a master."""
        import os

        from kycgate.load import Topology

        return Topology(
            processes=self.processes or os.cpu_count() or 1,
            remote_workers=self.expect_workers if self.master else 0,
            bind_host=self.bind_host if self.master else "127.0.0.1",
            bind_port=self.bind_port if self.master else 0,
        )


@dataclass(frozen=True, slots=True)
class CapacityOptions:
    """The search for the highest rate that the target keeps up with."""

    find_capacity: Annotated[bool, _advanced("Raise --rate until p95 or throughput fails.", "--find-capacity")] = False
    highest_rate: Annotated[float, _advanced("Go no higher.", min=0.01, max=10_000)] = 200.0
    plateau: Annotated[float, _advanced("Seconds at each rate.", min=5, max=3_600)] = 15.0
    limit_ms: Annotated[float, _advanced("The uploads' p95 that a rate must keep.", min=1, max=120_000)] = 5_000.0

    def search(self, workload: WorkloadOptions, ending: "DecisionOptions") -> "CapacitySearch | None":
        """The search, where one is asked for.

        Raises:
            UsageError: another option contradicts it.
        """
        from kycgate.load.capacity import CapacitySearch

        if not self.find_capacity:
            return None
        if workload.people or ending.until_decided:
            raise UsageError("--find-capacity raises an arrival rate: leave out --people and --until-decided")
        if self.highest_rate < workload.rate:
            raise UsageError(
                f"--highest-rate {self.highest_rate:g} lies below --rate {workload.rate:g}, where the search begins"
            )
        return CapacitySearch(workload.rate, self.highest_rate, plateau_s=self.plateau, limit_ms=self.limit_ms)


@dataclass(frozen=True, slots=True)
class DecisionOptions:
    """What the load is judged by, and whether that ends it."""

    policy: PolicyOption = None
    until_decided: Annotated[
        bool, typer.Option("--until-decided", help="End once the policy is decided, or after --duration.")
    ] = False


@grouped
def load(
    run: RunOptions, workload: WorkloadOptions, stops: StopOptions, machines: MachineOptions, capacity: CapacityOptions,
    decision: DecisionOptions,
    otel: Annotated[bool, _advanced("Export metrics as OTEL_* variables say (extra otel).", "--otel")] = False,
    yes_this_is_mine: MineOption = False,
    *, report: ReportOptions, output: Output,
    help_all: Annotated[bool, _advanced(
        "Show the advanced options too, and exit.", "--help-all", is_eager=True, callback=show_all)] = False,
) -> None:  # fmt: skip
    """Start onboardings at a rate, or by a number of people; response times count from when each was due."""

    from kycgate.extras import demand_load
    from kycgate.processes import Spare

    demand_load("load")

    # It loads its modules while this one does; when this process ends, it ends.
    spare = None if machines.worker else Spare()

    from kycgate.cli.load_part import LoadOptions
    from kycgate.cli.progress import run_and_exit

    chosen = target_of(run.target, run.cards, quiet=output.quiet, limits__time_s=stops.time_limit)
    plan = workload.plan(chosen, stops)
    if otel:
        from kycgate.load.otel import demand_export

        demand_export(os.environ)
    if machines.worker:
        _serve_master(chosen, plan, machines.master_host, machines.master_port, otel=otel)
        return
    options = LoadOptions(
        plan,
        machines.topology(),
        yes_this_is_mine=yes_this_is_mine,
        until_decided=decision.until_decided,
        max_seconds=stops.max_seconds,
        capacity=capacity.search(workload, decision),
        otel=otel,
        spare=spare,
    )
    spec = replace(run.spec("load", chosen), load=options, policy=policy_of(decision.policy))
    run_and_exit(spec, report, output)


def _serve_master(profile: "Profile", workload: "LoadPlan", host: str, port: int, *, otel: bool) -> None:
    """Generate what the master deals out, against this side's own target."""
    from kycgate.load.start import run_worker
    from kycgate.settings.profile import load_secrets

    if not host:
        raise UsageError("--worker needs --master-host")
    if profile.base_url is None:
        raise UsageError("--worker needs the target too (--base-url): it sends its credentials nowhere else")
    print(f"kycgate: serving the master at {host}:{port} against {profile.base_url}")
    run_worker(workload, load_secrets(profile.environment, profile.credentials), host, port, otel=otel)
