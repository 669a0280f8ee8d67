"""The load part of a run: whether it may be sent, what it is, and what the policy says of it."""

import contextlib
import gc
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from kycgate.errors import UsageError
from kycgate.gate.gate import Gate
from kycgate.load import LoadOutcome, LoadPlan, Topology, run_load
from kycgate.load.capacity import CapacitySearch, find_capacity
from kycgate.load.collect import Collector, Second
from kycgate.load.plan import Limit
from kycgate.processes import Spare
from kycgate.runs.checkpoint import Checkpoint
from kycgate.runs.clause import MAX_FINDINGS, Finding
from kycgate.runs.folder import RunFolder
from kycgate.runs.load_model import HIGHEST_US, LOWEST_US, CapacityResult
from kycgate.runs.model import Run
from kycgate.settings.profile import Profile, Secrets, is_loopback
from kycgate.sla.policy import DEFAULT_POLICY, Latency, MaxLatency, Policy
from kycgate.target.client import STOPPED
from kycgate.text import counted

_WORKLOAD = {"rate", "people", "poisson", "shape", "client_order_share", "retry_share", "sizes", "degradations"}
NOWHERE = "http://127.0.0.1"
"""Stands for the target until it is known."""


class Screen(Protocol):
    """Who is shown the load as it goes on."""

    def second(self, collector: Collector, second: Second) -> None:
        """A second is over."""


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """What a load run should do; `plan` has the workload, and the target's part is filled in when it is known."""

    plan: LoadPlan
    topology: Topology = field(default_factory=Topology)
    yes_this_is_mine: bool = False
    until_decided: bool = False
    """End as soon as the policy's objectives are decided; the plan's duration is the longest it may take."""
    max_seconds: float | None = None
    """Hard stop, counted from the first arrival."""
    capacity: CapacitySearch | None = None
    otel: bool = False
    """Locust's own export by OpenTelemetry."""
    spare: Spare | None = None
    """A process that has begun to load its modules already."""

    @property
    def duration_s(self) -> float:
        """How long it may go on sending."""
        return self.capacity.longest_s if self.capacity else self.plan.duration_s

    @property
    def highest_rate(self) -> float:
        """Onboardings a second that it may start."""
        return self.capacity.max_rate if self.capacity else self.plan.rate


def demand_permission(profile: Profile, load: LoadOptions, *, only: bool) -> None:
    """Load goes to this machine, or to a target whose owner has said how much it may take.

    Raises:
        UsageError: no permission was given, or the load exceeds it.
    """
    if is_loopback(profile.base_url or "") or load.yes_this_is_mine:
        return
    if load.plan.people:
        raise UsageError(
            "a closed workload goes as fast as the target lets it: against a target that is not this machine it needs "
            "--yes-this-is-mine"
        )
    allowed = profile.limits.max_load_rate
    if allowed is None and only:
        raise UsageError(
            "a load run against a target that is not this machine needs limits.max_load_rate in the profile, "
            "or --yes-this-is-mine"
        )
    if allowed is not None and load.highest_rate > allowed:
        raise UsageError(f"a rate of {load.highest_rate:g} is over the profile's limits.max_load_rate of {allowed:g}")


def may_load(profile: Profile, load: LoadOptions, run: Run) -> bool:
    """Whether the load that goes with a check may be sent; the run's notes say so when not."""
    if is_loopback(profile.base_url or "") or load.yes_this_is_mine or profile.limits.max_load_rate is not None:
        return True
    run.notes.append(
        "No load was sent: the target is not this machine, and neither limits.max_load_rate nor "
        "--yes-this-is-mine is given."
    )
    return False


def plan_for(load: LoadOptions, profile: Profile, gate: Gate) -> LoadPlan:
    """The workload against this target, as the check has come to know it."""
    return load.plan.model_copy(
        update={
            "base_url": profile.base_url or "",
            "seed": gate.seed,
            "scheme": "bare" if gate.scheme == "bare" else "bearer",
            "translation": gate.translation,
            "token_properties": dict(gate.tokens.properties),
            "timeout_s": profile.timeout_s,
            "route": gate.target.route.shared(),
            "specimens": profile.specimens,
        }
    )


def limits_of(policy: Policy) -> tuple[Limit, ...]:
    """What samples are compared with as they are recorded. Beyond the histograms' end there is nothing to compare."""
    return tuple(
        Limit(step=one.step, clock=one.clock, limit_us=one.limit_us)
        for one in policy.objective
        if isinstance(one, Latency | MaxLatency) and LOWEST_US <= one.limit_us < HIGHEST_US
    )


def send_load(
    run: Run,
    load: LoadOptions,
    gate: Gate,
    secrets: Secrets,
    folder: RunFolder,
    policy: Policy | None,
    *,
    within_s: Callable[[], float],
    say: Callable[[str], None],
    screen: Screen | None,
    asked_to_stop: Callable[[], bool] = lambda: False,
) -> str:
    """Send the load and enter its results into `run`; returns why nothing can be concluded, or an empty string."""
    chosen = policy or DEFAULT_POLICY
    plan = plan_for(load, gate.profile, gate).model_copy(update={"limits": limits_of(chosen)})
    # What two runs must share to be compared (`kycgate history`).
    run.options["workload"] = plan.model_dump(mode="json", include=_WORKLOAD)
    say(f"load: {plan.words if load.capacity is None else load.capacity.words}")
    for short in _too_short(load, policy):
        say(f"note: {short}")
        run.notes.append(f"{short[0].upper()}{short[1:]}.")
    if plan.specimens is None:
        say(f"preparing {counted(plan.cards, 'card')} at most")
    if load.capacity is not None:
        outcome = find_capacity(
            load.capacity, plan, secrets, folder.path, topology=load.topology, within_s=within_s, say=say,
            on_second=screen.second if screen else None,
        )  # fmt: skip
    else:
        outcome = _send(
            load, plan, secrets, folder, chosen, within_s(), say, screen, Checkpoint(folder, run), asked_to_stop
        )
    run.options["until_decided"] = load.until_decided
    _enter(run, outcome, gate, folder, chosen)
    return outcome.void


def _too_short(load: LoadOptions, policy: Policy | None) -> list[str]:
    """What of the policy this load cannot decide, said before anything is sent."""
    if policy is None or load.capacity is not None:
        return []
    # Imported here: the statistics weigh more than the generator.
    from kycgate.sla.needs import too_short

    # How many onboardings a closed workload makes is not known beforehand.
    rate = float("inf") if load.plan.people else load.plan.rate
    seconds = min(load.plan.duration_s, load.max_seconds or float("inf"))
    return too_short(policy, rate, seconds)


def _send(
    load: LoadOptions,
    plan: LoadPlan,
    secrets: Secrets,
    folder: RunFolder,
    policy: Policy,
    within_s: float,
    say: Callable[[str], None],
    screen: Screen | None,
    checkpoint: Checkpoint,
    asked_to_stop: Callable[[], bool],
) -> LoadOutcome:
    # Imported here: the statistics weigh more than the generator, and only this kind of run needs them now.
    from kycgate.sla.sequential import Decider

    decider = Decider(policy) if load.until_decided else None

    def on_second(collector: Collector, second: Second) -> str | None:
        if second.number == 0:
            threading.Thread(target=load_statistics, daemon=True).start()
        if screen is not None:
            screen.second(collector, second)

        def enter(run: Run) -> None:
            so_far = collector.outcome()
            run.load = so_far.result
            run.requests_sent += so_far.result.requests_sent
            run.uploads_sent += so_far.uploads + so_far.result.other_uploads

        checkpoint.take(enter)
        if checkpoint.problem or asked_to_stop():
            return checkpoint.problem or STOPPED
        if decider is not None:
            readings = collector.readings(second.read_right, second.readings)
            unavailable = second.unavailable.total()
            decider.add(
                second.histograms, second.requests, unavailable, second.wrong, readings, second.due, second.within
            )
            if decider.decided:
                return "every objective is decided"
        if load.max_seconds is not None and second.number + 1 >= load.max_seconds:
            return f"{load.max_seconds:g} s were over"
        return None

    return run_load(
        plan,
        secrets,
        folder.path,
        within_s=within_s,
        topology=load.topology,
        on_second=on_second,
        say=say,
        spare=load.spare,
    )


def load_reports() -> None:
    """Load the reports' modules while a check sends requests: the end need not wait for them.

    None of them imports numpy: hypothesis asks a numpy that is half imported for its arrays, and a test would crash.
    """
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
    with _no_collection():
        import kycgate.reports.write  # noqa: F401


def load_statistics() -> None:
    """The same of a load, with its statistics."""
    load_reports()
    with _no_collection():
        import kycgate.sla.judge  # noqa: F401


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """No garbage is collected while modules are loaded beside other threads.

    A C++ module runs code while the system's loader is locked. A collection there calls Python, which lets another
    thread go on; where that one then waits for the loader (a Rust module does when a thread first uses it), each has
    what the other needs, and the process stands still for good.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def _enter(run: Run, outcome: LoadOutcome, gate: Gate, folder: RunFolder, policy: Policy) -> None:
    from kycgate.sla.judge import NO_STATE, judge, not_of_runs
    from kycgate.sla.recording import Recording
    from kycgate.sla.steady import trends, words

    outcome.result.trends = trends(outcome.result)
    run.load = outcome.result
    run.requests_sent += outcome.result.requests_sent
    run.uploads_sent += outcome.uploads + outcome.result.other_uploads
    enter_judged(outcome, gate)
    run.policy = policy.model_dump(mode="json")
    try:
        run.objectives = judge(policy, [Recording(run, folder)], anytime=bool(run.options.get("until_decided")))
    except UsageError as error:
        # The run's recording is incomplete (disk full): unclear, not a usage error.
        outcome.void = outcome.void or str(error)
    run.notes += not_of_runs(policy)
    if outcome.result.stopped:
        run.notes.append(f"The load was stopped early: {outcome.result.stopped}.")
    if climbing := [trend for trend in outcome.result.trends if not trend.steady]:
        run.notes.append(f"{NO_STATE[0].upper()}{NO_STATE[1:]}. {'; '.join(map(words, climbing))}.")
    if outcome.result.size_fit:
        found = outcome.result.size_fit
        run.notes.append(
            f"Latency against picture size: {found['slope_ms_per_mb']:.2f} ms per MB "
            f"({found['slope_low']:.2f} to {found['slope_high']:.2f}, 95%), {found['intercept_ms']:.1f} ms at no size."
        )
    if outcome.result.capacity:
        run.notes.append(capacity_words(outcome.result.capacity))
    for said in outcome.wrong_examples:
        run.notes.append(f"load: {gate.redactor.text(said)}")


def enter_judged(outcome: LoadOutcome, gate: Gate) -> None:
    """What the answers under load say of each clause, beside what those of the check said."""
    findings: dict[str, list[Finding]] = {}
    for breach in outcome.breaches:
        found, kept = breach.finding, findings.setdefault(breach.clause, [])
        way = (found.exchange and found.exchange.endpoint, found.where, found.required)
        known = {(other.exchange and other.exchange.endpoint, other.where, other.required) for other in kept}
        # Each worker tells its own.
        if way not in known and len(kept) < MAX_FINDINGS:
            exchange = gate.keep(found.exchange) if found.exchange is not None else None
            kept.append(found.model_copy(update={"exchange": exchange}))
    for clause, (broken, observed) in outcome.judged.items():
        gate.ledger.add_counted(clause, broken, observed, findings.get(clause, []), "load")
    if outcome.gone:
        gate.ledger.unclear("answer.in-time", "no answer came any more at the end of the load")


def capacity_words(found: CapacityResult) -> str:
    """What the search found, in a few sentences."""
    kept, broken = found.highest_kept, found.lowest_broken
    words = f"Capacity: {f'{kept:.3g} onboardings/s were kept' if kept is not None else 'no rate was kept'}"
    if broken is not None:
        why = next((point.broke for point in found.points if point.rate == broken), "")
        words += f", {broken:.3g} were not ({why})"
    if found.knee:
        knee = found.knee
        interval = (
            f" ({knee['throughput_low']:.3g} to {knee['throughput_high']:.3g}, 95%)" if "throughput_low" in knee else ""
        )
        words += f"; the fitted law peaks at {knee['throughput']:.3g} onboardings/s{interval}"
        words += f" with {knee['concurrency']:.3g} under way"
    return f"{words}. {found.note}".strip()
