"""Runs a client's own tests against the faithful stand-in, then once for each fault and each bad line."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Literal

from kycgate.chaos import BEHAVIOURS
from kycgate.contracts.clauses import Level, clause
from kycgate.errors import CannotJudge, UsageError
from kycgate.rehearsal.client_clauses import CLIENT_CATALOGUE, Attempt, Seen, judge_client
from kycgate.rehearsal.received import Received, differing, replay
from kycgate.rehearsal.vendor import StandIn, lines
from kycgate.runs.clause import MAX_FINDINGS, ClauseResult, Finding, Verdict
from kycgate.sandbox import FAULTS
from kycgate.sandbox.faults import vendor_with
from kycgate.text import nearest

Outcome = Literal["survived", "failed", "hung", "not exercised"]
OUTPUT_LIMIT: Final = 1_000_000
"""Bytes of a client's output that are looked at."""
_SHOWN: Final = 600
"""Characters of its last output that a report shows."""
_SEEN_LIVE: Final = frozenset({"state"})
"""Kinds of faults that a replay of single requests may miss: the command is run for them in any case."""


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that the vendor, or the line to it, does wrong."""

    kind: Literal["fault", "line"]
    name: str
    sentence: str
    level: Level
    clause: str = ""

    @property
    def id(self) -> str:
        """As reports, waivers and --only name it."""
        return f"{self.kind}.{self.name}"


@dataclass(frozen=True, slots=True)
class Trial:
    """One run of the command: `seconds` of wall time; the exit code, None when it was killed; its last output."""

    case: Case | None
    outcome: Outcome
    seconds: float = 0.0
    exit_code: int | None = None
    requests: int = 0
    output: str = ""
    seen: tuple[Seen, ...] = ()


def cases(*, only: Sequence[str] = (), kinds: Sequence[str] = (), levels: Sequence[str] = ()) -> list[Case]:
    """All faults and lines, or those of these names, kinds and levels.

    `only` takes names of faults and lines and ids such as `line.silent`; `kinds` those of `kycgate sandbox
    --list-faults`, and `line`; a fault has the level of the clause that it breaks, a line `relied-on`.

    Raises:
        UsageError: a name, kind or level is unknown, or nothing is left.
    """
    known = [
        Case("fault", fault.name, fault.sentence, clause(fault.clause).level, fault.clause)
        for fault in FAULTS.load().values()
    ]
    of_kind = {fault.name: str(fault.kind) for fault in FAULTS.values()}
    known += [Case("line", name, BEHAVIOURS[name].sentence, Level.RELIED_ON) for name in lines()]
    names = {case.name for case in known} | {case.id for case in known}
    for given, allowed, what in (
        (only, names, "fault or line"),
        (kinds, {*of_kind.values(), "line"}, "kind"),
        (levels, set(Level), "level"),
    ):
        unknown = set(given) - set(allowed)
        if unknown:
            hint = nearest(min(unknown), allowed) or ": see `kycgate sandbox --list-faults`, `kycgate chaos --list`"
            raise UsageError(f"no {what} is named {min(unknown)!r}{hint}")
    chosen = [
        case
        for case in known
        if (not only or case.name in only or case.id in only)
        and (not kinds or of_kind.get(case.name if case.kind == "fault" else "", "line") in kinds)
        and (not levels or str(case.level) in levels)
    ]
    if not chosen:
        raise UsageError("no case is left: --only, --kind and --level exclude each other")
    return chosen


def rehearse(
    command: Sequence[str],
    chosen: Sequence[Case],
    *,
    time_limit_s: float,
    jobs: int,
    environment: Mapping[str, str],
    done: Callable[[Trial], None],
) -> tuple[Trial, list[Trial]]:
    """Run `command` against the faithful stand-in, then for each case; returns that first trial and the others.

    `environment` maps variables to templates with {base_url}, {tenant_id} and {tenant_secret}. A fault that no request
    of the first run would have met is not run: it is `not exercised`. `done` is told of each trial as it ends.

    Raises:
        CannotJudge: the command fails, or sends nothing, against the faithful stand-in.
        UsageError: the command cannot be started.
    """
    with StandIn() as vendor:
        faithful, received = _run(vendor, command, None, time_limit_s, environment)
    done(faithful)
    if faithful.outcome != "survived":
        how = "does not end in time" if faithful.outcome == "hung" else f"ends with {faithful.exit_code}"
        raise CannotJudge(f"the command {how} against the faithful stand-in: nothing can be learned from its failures")
    if not received:
        raise CannotJudge(
            "the command sent the stand-in no request: does it read KYCGATE_BASE_URL, or take --env NAME={base_url}?"
        )

    def one(case: Case) -> Trial:
        if not _may_show(case, received, vendor):
            return Trial(case, "not exercised")
        with StandIn() as own:
            if case.kind == "fault":
                own.use("fault", case.name)
            else:
                own.line(case.name)
            trial, came = _run(own, command, case, time_limit_s, environment)
            met = own.mistreated if case.kind == "line" else differing(came, replay(came, vendor_with(own.settings)))
        return trial if met or trial.outcome != "survived" else Trial(case, "not exercised", trial.seconds, 0)

    trials = []
    with ThreadPoolExecutor(jobs) as pool:
        for trial in pool.map(one, chosen):
            done(trial)
            trials.append(trial)
    return faithful, trials


def _may_show(case: Case, received: Sequence[Received], vendor: StandIn) -> bool:
    """Whether the requests of the faithful run, sent to the faulty vendor, would be answered otherwise."""
    fault = FAULTS.get(case.name) if case.kind == "fault" else None
    if fault is None or fault.kind in _SEEN_LIVE:
        return True
    faulty = vendor_with(vendor.settings, (case.name,))
    try:
        return differing(received, replay(received, faulty)) > 0
    finally:
        faulty.close()


def _run(
    vendor: StandIn, command: Sequence[str], case: Case | None, time_limit_s: float, environment: Mapping[str, str]
) -> tuple[Trial, list[Received]]:
    facts = {"base_url": vendor.base_url, "tenant_id": vendor.tenant_id, "tenant_secret": vendor.tenant_secret}
    given = {name: template.format(**facts) for name, template in environment.items()}
    begun = time.monotonic()
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(  # noqa: S603 - the user's own command
                list(command), env={**os.environ, **vendor.environment, **given}, stdin=subprocess.DEVNULL,
                stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise UsageError(f"cannot start {command[0]}: {error.strerror}") from None
        try:
            code: int | None = process.wait(time_limit_s)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            # What the command itself started ends with it.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        seconds = time.monotonic() - begun
        output.seek(0)
        said = output.read(OUTPUT_LIMIT).decode("utf-8", "replace")
    received = vendor.received
    attempt = Attempt(received, said, (vendor.tenant_secret,), hung=code is None)
    outcome: Outcome = "hung" if code is None else "survived" if code == 0 else "failed"
    seen = tuple(judge_client(attempt))
    return Trial(case, outcome, seconds, code, len(received), said[-_SHOWN:], seen), received


def results(faithful: Trial, trials: Sequence[Trial], command: str) -> list[ClauseResult]:
    """The cases and the client's own clauses as clauses of a run, so that every report can show them."""
    found = [_of_case(trial, command) for trial in trials]
    every = [faithful, *trials]
    for promise in CLIENT_CATALOGUE:
        seen = [(trial, one) for trial in every for one in trial.seen if one.clause == promise.id]
        broken = [(trial, one) for trial, one in seen if not one.kept]
        verdict = Verdict.BROKEN if broken else Verdict.KEPT if seen else Verdict.NOT_TRIED
        found.append(
            ClauseResult(
                id=promise.id,
                level=promise.level,
                endpoints=[],
                verdict=verdict,
                sentence=promise.sentence,
                source=promise.source,
                broken=len(broken),
                observed=len(seen),
                frequency=_frequency(len(broken), len(seen)),
                reason="" if seen else "not exercised: no run of the client showed it",
                findings=[
                    Finding(required=promise.sentence, actual=one.actual, where=_where(trial))
                    for trial, one in broken[:MAX_FINDINGS]
                ],
            )
        )
    return found


def _frequency(broken: int, observed: int) -> str:
    if not broken:
        return ""
    return "always" if broken == observed else f"sometimes ({broken} of {observed})"


def _where(trial: Trial) -> str:
    return trial.case.id if trial.case else "against the faithful stand-in"


def _of_case(trial: Trial, command: str) -> ClauseResult:
    assert trial.case is not None  # noqa: S101 - only the faithful trial has none
    case = trial.case
    result = ClauseResult(
        id=case.id, level=Level.RELIED_ON, endpoints=[], verdict=Verdict.KEPT,
        sentence=f"The client survives it: {case.sentence}",
        source=f"{case.clause or 'the line'}, {case.level}", observed=1,
    )  # fmt: skip
    if trial.outcome == "not exercised":
        result.verdict, result.observed = Verdict.NOT_TRIED, 0
        result.reason = "not exercised: the client sent no request whose answer this changes"
    elif trial.outcome != "survived":
        ended = "it was still running at the time limit" if trial.outcome == "hung" else f"exit code {trial.exit_code}"
        result.verdict, result.broken, result.frequency = Verdict.BROKEN, 1, "always"
        result.findings = [
            Finding(
                required="exit code 0 within the time limit", actual=f"{ended} after {trial.seconds:.1f} s",
                where=f"{trial.requests} requests reached the stand-in", curl=command,
            )
        ]  # fmt: skip
    return result
