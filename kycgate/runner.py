"""Puts a run together: target, check, load, objectives, verdict, files."""

import importlib.metadata
import platform
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

import kycgate
from kycgate import specimens
from kycgate.check import run_contract_tests
from kycgate.embedded import embedded_sandbox
from kycgate.errors import CannotJudge, ExitCode, UsageError
from kycgate.gate import Gate
from kycgate.load import LoadOutcome, LoadPlan, run_load
from kycgate.profile import Profile, is_loopback, load_secrets
from kycgate.reports import write_all
from kycgate.reports.policy import DEFAULT_POLICY, Policy
from kycgate.reports.recording import Recording
from kycgate.reports.sla import judge
from kycgate.run import Run, RunFolder
from kycgate.verdict import WORDS, exit_code_of

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """What a load run shall do."""

    rate: float = 10.0
    duration_s: float = 10.0
    poisson: bool = False
    yes_this_is_mine: bool = False
    shape: str = "steady"
    people: int = 0
    think_s: float = 0.0
    client_order_share: float = 0.0
    retry_share: float = 0.0
    sizes: tuple[int, ...] = ()
    max_requests: int = 0
    max_uploads: int = 0
    max_error_share: float = 1.0


@contextmanager
def _stoppable() -> Iterator[None]:
    """SIGTERM ends a run as Ctrl-C does: what was learned is kept."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def execute(
    command: str,
    profile: Profile,
    *,
    out: Path | None,
    seed: int | None,
    check: bool,
    load: LoadOptions | None,
    thorough: bool = False,
    policy: Policy | None = None,
    say: Say,
    progress: Callable[[int, int, str], None] | None = None,
) -> tuple[Run, RunFolder]:
    """Run `command` and write its folder.

    Raises:
        UsageError: the call or the profile is wrong; nothing was sent.
    """
    seed = random.randrange(2**31) if seed is None else seed
    secrets = load_secrets(profile.environment) if profile.base_url is not None else None
    if load is not None and profile.base_url is not None:
        _demand_permission(profile, load, only=not check)
    if profile.specimens is not None:
        specimens.load_directory(profile.specimens)
    folder = RunFolder.create(out, command)
    run = Run(
        command=command,
        verdict="unclear",
        exit_code=int(ExitCode.UNCLEAR),
        reason="the run was stopped before its end",
        complete=False,
        kycgate_version=kycgate.__version__,
        profile=profile.name,
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        seed=seed,
        strict=profile.strict,
        options={"thorough": thorough, "load": load is not None},
        versions=_versions(),
    )
    folder.write_run(run)
    cannot = ""
    not_tried: dict[str, str] = {}
    gate: Gate | None = None
    with ExitStack() as stack, _stoppable():
        try:
            expired = secrets.expired_token if secrets else None
            if secrets is None:
                say("starting the embedded sandbox")
                embedded = stack.enter_context(embedded_sandbox(profile))
                profile, secrets, expired = embedded.profile, embedded.secrets, embedded.expired_token
                run.embedded_sandbox = True
            run.target = profile.base_url or ""
            if not profile.verify_tls:
                run.notes.append("TLS certificates were NOT verified (verify_tls = false).")
                say(run.notes[-1])
            gate = Gate(profile, secrets, seed=seed, folder=folder, expired_token=expired)
            stack.callback(gate.close)
            say(f"target {run.target}")
            gate.preflight()
            if check:
                not_tried = run_contract_tests(
                    gate, strict=profile.strict, thorough=thorough, on_progress=progress
                ).not_tried
            if load is not None and _may_load(profile, load, run):
                plan = _load_plan(profile, load, seed, gate)
                say(f"load: {plan.words}")
                outcome = run_load(plan, secrets, folder.path)
                _enter_load(run, outcome, gate, folder, policy or DEFAULT_POLICY)
                cannot = outcome.void or cannot
            run.complete = True
        except CannotJudge as error:
            cannot, run.complete = str(error), True
        except KeyboardInterrupt:
            cannot = "the run was stopped before its end"
    if gate is not None:
        run.requests_sent += gate.budget.requests_sent
        run.uploads_sent += gate.budget.uploads_sent
        if check:
            run.clauses = gate.ledger.results(not_tried)
        run.open_points = gate.ledger.open_points()
    code, run.reason = exit_code_of(run.clauses, run.objectives, strict=profile.strict, cannot_judge=cannot)
    run.exit_code, run.verdict = int(code), WORDS[code]  # type: ignore[assignment]
    run.finished_at = datetime.now(UTC).isoformat(timespec="seconds")
    folder.write_run(run)
    write_all(folder, run)
    return run, folder


def _demand_permission(profile: Profile, load: LoadOptions, *, only: bool) -> None:
    """Load goes to this machine, or to a target whose owner has said how much it may take."""
    if is_loopback(profile.base_url or "") or load.yes_this_is_mine:
        return
    if load.people:
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
    if allowed is not None and load.rate > allowed:
        raise UsageError(f"--load-rate {load.rate:g} is over the profile's limits.max_load_rate of {allowed:g}")


def _may_load(profile: Profile, load: LoadOptions, run: Run) -> bool:
    if is_loopback(profile.base_url or "") or load.yes_this_is_mine or profile.limits.max_load_rate is not None:
        return True
    run.notes.append(
        "No load was sent: the target is not this machine, and neither limits.max_load_rate nor "
        "--yes-this-is-mine is given."
    )
    return False


def _load_plan(profile: Profile, load: LoadOptions, seed: int, gate: Gate) -> LoadPlan:
    return LoadPlan(
        base_url=profile.base_url or "",
        **{name: value for name, value in asdict(load).items() if name != "yes_this_is_mine"},
        seed=seed,
        scheme="bare" if gate.scheme == "bare" else "bearer",
        translation="off" if gate.translation == "off" else "on",
        timeout_s=profile.timeout_s,
        verify_tls=profile.verify_tls,
        ca_file=profile.ca_file,
        specimens=profile.specimens,
    )


def _enter_load(run: Run, outcome: LoadOutcome, gate: Gate, folder: RunFolder, policy: Policy) -> None:
    run.load = outcome.result
    run.load.requests, run.load.unavailable = outcome.requests, outcome.unavailable
    run.requests_sent += outcome.requests
    run.uploads_sent += outcome.uploads
    run.objectives = judge(policy, [Recording(run, folder)])
    if outcome.result.stopped:
        run.notes.append(f"The load was stopped early: {outcome.result.stopped}.")
    if outcome.result.size_fit:
        found = outcome.result.size_fit
        run.notes.append(
            f"Latency against picture size: {found['slope_ms_per_mb']:.2f} ms per MB "
            f"({found['slope_low']:.2f} to {found['slope_high']:.2f}, 95%), {found['intercept_ms']:.1f} ms at no size."
        )
    for said in outcome.wrong_examples:
        run.notes.append(f"load: {gate.redactor.text(said)}")


def _versions() -> dict[str, str]:
    names = ("schemathesis", "locust", "httpx", "hypothesis", "pytest", "pydantic", "hdrhistogram")
    found: dict[str, Any] = {name: importlib.metadata.version(name) for name in names}
    return {"python": platform.python_version(), **found}
