"""Puts a run together: target, check, load, objectives, verdict, files.

What weighs much (contract tests, sandbox, reports) is imported where it is used: a load waits for none of it.
"""

import importlib.metadata
import platform
import random
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import kycgate
from kycgate.cli.load_part import LoadOptions, Screen, demand_permission, load_reports, may_load, send_load
from kycgate.cli.options import release_label
from kycgate.cli.spec import RunSpec
from kycgate.cli.stopping import stoppable
from kycgate.contracts.clauses import CORE
from kycgate.contracts.flows import flow
from kycgate.errors import CannotJudge, ExitCode, UsageError
from kycgate.gate.gate import Gate
from kycgate.judging.drift import Pins, drift_since, load_pins
from kycgate.load.files import demand_files
from kycgate.runs.checkpoint import Checkpoint, write
from kycgate.runs.clause import Verdict
from kycgate.runs.flow_model import RecordedFlow
from kycgate.runs.folder import RunFolder
from kycgate.runs.model import Detection, Run
from kycgate.runs.verdict import decide, exit_code_of, waiver_notes
from kycgate.settings.profile import Profile, load_secrets
from kycgate.settings.selection import clauses_named
from kycgate.target.client import STOPPED
from kycgate.text import counted

Say = Callable[[str], None]

CHECK_S, LOAD_S = 1_800.0, 300.0
"""Seconds that a check, and a load beyond its own duration, may take when the profile says nothing."""
WRITING_SHARE, WRITING_S = 0.25, 15.0
"""Of the time limit, kept for ending and writing: this share, and at most this many seconds."""
HANG_S = 2.0
NO_TLS = "TLS certificates were NOT verified (verify_tls = false): any machine in between could answer for the target."


def execute(
    spec: RunSpec,
    *,
    say: Say,
    progress: Callable[[int, int, str], None] | None = None,
    screen: Screen | None = None,
) -> tuple[Run, RunFolder]:
    """Carry out `spec` and write the run's folder.

    Raises:
        UsageError: the call or the profile is wrong; nothing was sent.
    """
    profile, check, load, only = spec.profile, spec.check, spec.load, spec.only
    seed = random.randrange(2**31) if spec.seed is None else spec.seed
    wanted = clauses_named(only)
    release_label(spec.release)
    secrets = load_secrets(profile.environment, profile.credentials) if profile.base_url is not None else None
    if load is not None and profile.base_url is not None:
        demand_permission(profile, load, only=not check)
    if load is not None:
        demand_files(load.plan, load.topology)
    if profile.specimens is not None:
        from kycgate.specimens import load_directory

        load_directory(profile.specimens)
    limits = _TimeLimits.of(profile, check=check, load=load)
    if profile.fail_on_drift and profile.pins is None and check:
        raise UsageError("there is nothing to have drifted from: give --pins (or the profile's key pins)")
    pins = load_pins(profile.pins) if profile.pins is not None and check else None
    folder = RunFolder.create(spec.out, spec.command)
    run = Run(
        command=spec.command,
        verdict="unclear",
        exit_code=int(ExitCode.UNCLEAR),
        reason=STOPPED,
        complete=False,
        kycgate_version=kycgate.__version__,
        profile=profile.name,
        target=profile.base_url or "",
        release=spec.release,
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        seed=seed,
        strict=profile.strict,
        options={
            "thorough": spec.thorough,
            "load": load is not None,
            "time_limit_s": limits.whole_s,
            "only": [*only],
            "policy": spec.policy is not None,
        },
        versions=_versions(),
        profile_file=_from_here(spec.profile_file),
        detection=_detection() if check else None,
        flow=RecordedFlow.of(flow()),
    )
    for warning in (NO_TLS if not profile.verify_tls else "", secrets.left_out if secrets is not None else ""):
        if warning:
            run.notes.append(warning)
            say(warning)
    cannot = write(folder, run)
    if cannot:
        raise UsageError(f"{cannot}; name another folder with --out")
    not_tried: dict[str, str] = {}
    gate: Gate | None = None
    with stoppable(limits.left_s() + HANG_S) as stop:
        with ExitStack() as stack:
            if load is not None and load.spare is not None:
                stack.callback(load.spare.close)
            try:
                expired = secrets.expired_token if secrets else None
                if secrets is None:
                    from kycgate.check.embedded import embedded_sandbox

                    embedded = stack.enter_context(embedded_sandbox(profile))
                    profile, secrets, expired = embedded.profile, embedded.secrets, embedded.expired_token
                    run.embedded_sandbox = True
                    run.target = profile.base_url or ""
                gate = Gate(
                    profile, secrets, seed=seed, folder=folder, expired_token=expired, time_s=limits.left_s(keep=load)
                )
                gate.target.asked_to_stop = lambda: stop.requested
                stack.callback(gate.close)
                say(f"target: {run.target_words}")
                gate.preflight()
                if check:
                    from kycgate.check.runner import run_contract_tests

                    not_tried = run_contract_tests(
                        gate,
                        strict=profile.strict,
                        thorough=spec.thorough,
                        only=wanted,
                        jobs=gate.jobs,
                        on_progress=_keep(folder, run, gate, progress),
                    ).not_tried
                    cannot = gate.settle() or gate.gave_up or limits.reached(gate)
                if load is not None and not cannot and may_load(profile, load, run):
                    cannot = send_load(
                        run, load, gate, secrets, folder, spec.policy, within_s=limits.left_s, say=say, screen=screen,
                        asked_to_stop=lambda: stop.requested,
                    )  # fmt: skip
                run.complete = not stop.requested
            except CannotJudge as error:
                cannot, run.complete = str(error), not stop.requested
            except OSError as error:
                cannot = f"cannot go on: {error.strerror or error}"
            except KeyboardInterrupt:
                cannot = limits.words if limits.left_s() <= 0 else STOPPED
            finally:
                stop.finishing = True
        if gate is not None:
            cannot = gate.redactor.text(gate.settle() or cannot)
            _enter_check(run, gate, profile, not_tried, check=check)
        if pins is not None:
            _enter_drift(run, pins, fail=profile.fail_on_drift)
        code, run.reason = exit_code_of(
            run.clauses,
            run.objectives,
            strict=profile.strict,
            cannot_judge=cannot,
            drift=run.drift if profile.fail_on_drift else (),
            demanded=[name for name in CORE if name in wanted or not wanted]
            + [name for name in only if name in wanted],
            promised=spec.policy is not None,
        )
        if only:
            run.reason += f" (only {', '.join(only)} judged)"
        run.exit_code, run.verdict = int(code), code.word
        run.finished_at = datetime.now(UTC).isoformat(timespec="seconds")
        if spec.baseline is not None:
            from kycgate.reports.since import mark

            mark(run, *spec.baseline)
        _finish(folder, run)
    return run, folder


def _detection() -> Detection | None:
    from kycgate.reports.detection import committed_detection

    return committed_detection()


@dataclass(frozen=True, slots=True)
class _TimeLimits:
    """How long a run may take, on the monotonic clock: a share of it is for ending the load and writing the reports."""

    whole_s: float
    load_s: float
    begun: float

    @classmethod
    def of(cls, profile: Profile, *, check: bool, load: LoadOptions | None) -> Self:
        """The profile's limit, or what check and load may take.

        Raises:
            UsageError: the load alone would take longer.
        """
        whole = profile.limits.time_s or (CHECK_S if check else 0.0) + (load.duration_s + LOAD_S if load else 0.0)
        found = cls(whole, load.duration_s if load else 0.0, time.monotonic())
        if load is not None and load.duration_s >= found.left_s():
            raise UsageError(
                f"{load.duration_s:g} s of load do not fit into a time limit of {whole:g} s: raise --time-limit"
            )
        return found

    @property
    def words(self) -> str:
        return f"the time limit of {self.whole_s:g} s is reached"

    def left_s(self, *, keep: object = None) -> float:
        """Seconds in which something may still be sent; with `keep`, so that the load's seconds are left over."""
        kept = min(self.whole_s * WRITING_SHARE, WRITING_S) + (self.load_s if keep else 0.0)
        return self.begun + self.whole_s - kept - time.monotonic()

    def reached(self, gate: Gate) -> str:
        return self.words if gate.budget.left_s <= 0 else ""


def _keep(
    folder: RunFolder, run: Run, gate: Gate, then: Callable[[int, int, str], None] | None
) -> Callable[[int, int, str], None]:
    """As each test begins, what is known so far is kept; where it cannot be, nothing more is sent."""
    checkpoint = Checkpoint(folder, run)
    loading: list[threading.Thread] = []

    def progress(done: int, total: int, name: str) -> None:
        if not loading and 2 * done >= total:
            # Then tests begin to wait for each other.
            loading.append(threading.Thread(target=load_reports, daemon=True))
            loading[0].start()
        checkpoint.take(lambda copy: _enter_check(copy, gate, gate.profile, {}, check=True))
        gate.gave_up = gate.gave_up or checkpoint.problem
        if then is not None:
            then(done, total, name)

    return progress


def _enter_check(run: Run, gate: Gate, profile: Profile, not_tried: dict[str, str], *, check: bool) -> None:
    run.requests_sent += gate.budget.requests_sent
    run.uploads_sent += gate.budget.uploads_sent
    run.held_to = gate.budget.slowest and round(gate.budget.slowest, 3)
    if run.held_to is not None:
        run.notes.append(
            f"The target limits its rate: {counted(gate.budget.put_offs, 'request')} put off (429), so the pace was "
            f"lowered, to {run.held_to:.3g} requests a second at the slowest."
        )
    if gate.redactor.short_words:
        run.notes.append(f"{gate.redactor.short_words}.")
    if check or run.load is not None:
        wanted = clauses_named(run.options.get("only", ()))
        seen = gate.ledger.results(not_tried)
        results = [result for result in seen if result.id in wanted or not wanted]
        besides = [result.id for result in seen if result.verdict is Verdict.BROKEN and result not in results]
        if besides:
            run.notes.append(f"Broken as well, though not asked for: {', '.join(besides)}.")
        # A load tries what it meets with, and no more.
        run.clauses = results if check else [result for result in results if result.observed]
        run.waivers = decide(run.clauses, profile.rules())
        run.notes += waiver_notes(run.waivers) if check else []
    run.open_points = gate.ledger.open_points()
    run.behaviour = gate.behaviour.observed(run.open_points) if check else []


def _finish(folder: RunFolder, run: Run) -> None:
    """run.json and the reports; a verdict that could not be written is not a verdict to pass on."""
    # Imported here: the statistics weigh more than all the rest, and the load runs without them.
    from kycgate.reports import write_all

    problem = write(folder, run)
    if not problem:
        problem = "; ".join(write_all(folder, run))
    if problem:
        run.notes.append(f"The run is not recorded whole: {problem}.")
        if run.exit_code == ExitCode.KEPT:
            run.exit_code, run.verdict, run.reason = int(ExitCode.UNCLEAR), "unclear", problem
        write(folder, run)


def _enter_drift(run: Run, pins: Pins, *, fail: bool) -> None:
    run.fail_on_drift = fail
    run.drift, unseen = drift_since(pins, run.behaviour)
    said = f"{len(run.drift)} changed" if run.drift else "nothing changed"
    more = f"; {unseen} of {len(pins.subjects)} were not met with in this run" if unseen else ""
    run.notes.append(f"Since the pins of {pins.pinned.isoformat()}: {said}{more}.")


def _from_here(path: Path | None) -> str:
    """The path as a repository names it; empty when it lies outside the working directory."""
    here = Path.cwd().resolve()
    return path.resolve().relative_to(here).as_posix() if path and path.resolve().is_relative_to(here) else ""


def _versions() -> dict[str, str]:
    names = ("schemathesis", "locust", "httpx", "hypothesis", "pytest", "pydantic", "hdrhistogram")
    found: dict[str, Any] = {}
    for name in names:
        # locust is of the extra load.
        with suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return {"python": platform.python_version(), **found}
