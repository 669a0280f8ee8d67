"""Runs a client's own tests against the faithful stand-in, then once for each fault, each habit and each bad line."""

import re
import shlex
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal

from kycgate.chaos import BEHAVIOURS
from kycgate.contracts.clauses import Level, clause
from kycgate.contracts.flows import flow
from kycgate.errors import CannotJudge, UsageError
from kycgate.rehearsal.client_clauses import CLIENT_CATALOGUE, Attempt, Base64Form, Seen, judge_client, settle
from kycgate.rehearsal.command import Commands
from kycgate.rehearsal.habits import HARD, habits
from kycgate.rehearsal.leftovers import files_holding
from kycgate.rehearsal.received import Received, differing, replay
from kycgate.rehearsal.vendor import StandIn, lines
from kycgate.runs.clause import MAX_FINDINGS, ClauseResult, Finding, Verdict
from kycgate.runs.rehearsal_model import Outcome, TrialResult
from kycgate.sandbox import FAULTS, SandboxSettings
from kycgate.sandbox.faults import vendor_with
from kycgate.sandbox.variants import liberties
from kycgate.target.redaction import redacted
from kycgate.text import nearest, one_line

_SHOWN: Final = 2_000
"""Characters of a command's last output that a report shows."""
_SEEN_LIVE: Final = frozenset({"state"})
"""Kinds of faults that a replay of single requests may miss: the command is run for them in any case."""
_TIMED: Final = frozenset({"tokens-die-early"})
"""Faults that only time shows."""
FAITHFUL_LIMIT_S: Final = 600.0
"""For the faithful run, where no time limit is given."""
PATIENCE_S: Final = 90.0
"""A client may wait 60 s for an answer: without a time limit of the user's own a run has this, and twice what the
faithful one took."""


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that the vendor, or the line to it, does: wrong, or lawful and hard on a client."""

    kind: Literal["fault", "habit", "line"]
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
    """One run of the command: `seconds` of wall time; the exit code, None when it was killed; its last output.

    `completed` says whether the last step of some onboarding was accepted, `met` whether an answer showed the case.
    """

    case: Case | None
    outcome: Outcome
    seconds: float = 0.0
    exit_code: int | None = None
    requests: int = 0
    uploads: int = 0
    completed: bool = False
    output: str = ""
    seen: tuple[Seen, ...] = ()
    tokens: frozenset[str] = frozenset()
    met: bool = True

    @property
    def ended(self) -> str:
        """How it ended, in words."""
        if self.outcome == "hung":
            return "it was still running at the time limit"
        code = self.exit_code or 0
        if code < 0:
            with suppress(ValueError):
                return f"ended by {signal.Signals(-code).name}"
        return f"exit code {code}"


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """All runs of the command: the faithful one, those of the cases, and whether it was stopped before its end."""

    faithful: Trial
    trials: list[Trial] = field(default_factory=list)
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """What is rehearsed: the command, its variables, and what is demanded of it.

    `environment` maps variables to templates with {base_url}, {tenant_id} and {tenant_secret}; without `time_limit_s`
    it follows from the faithful run.
    """

    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    time_limit_s: float | None = None
    jobs: int = 1
    base64_form: Base64Form = "either"


def cases(*, only: Sequence[str] = (), kinds: Sequence[str] = (), levels: Sequence[str] = ()) -> list[Case]:
    """All faults, habits and lines, or those of these names, kinds and levels.

    `only` takes names and ids such as `line.read-silent`; `kinds` those of `kycgate sandbox --list-faults`, `habit` and
    `line`; a fault has the level of the clause that it breaks, a line `relied-on`, a habit, being lawful, `documented`.

    Raises:
        UsageError: a name, kind or level is unknown, or nothing is left.
    """
    known = [
        Case("fault", fault.name, fault.sentence, clause(fault.clause).level, fault.clause)
        for fault in FAULTS.load().values()
    ]
    of_kind = {fault.name: str(fault.kind) for fault in FAULTS.values()}
    known += [Case("habit", name, sentence, Level.DOCUMENTED) for name, sentence in habits().items()]
    known += [Case("line", name, BEHAVIOURS[name].sentence, Level.RELIED_ON) for name in lines()]
    names = {case.name for case in known} | {case.id for case in known}
    for given, allowed, what in (
        (only, names, "fault, habit or line"),
        (kinds, {*of_kind.values(), "habit", "line"}, "kind"),
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
        and (not kinds or (of_kind[case.name] if case.kind == "fault" else case.kind) in kinds)
        and (not levels or str(case.level) in levels)
    ]
    if not chosen:
        raise UsageError("no case is left: --only, --kind and --level exclude each other")
    return chosen


def rehearse(
    call: Call, chosen: Sequence[Case], *, done: Callable[[Trial], None], settings: SandboxSettings | None = None
) -> Rehearsal:
    """Run the command against the faithful stand-in, then for each case.

    A fault that no request of the first run would have met is not run: it is `not exercised`. `done` is told of each
    trial as it ends. `settings` are those of a stand-in like a recorded run. A KeyboardInterrupt ends what is under
    way; what was learned until then is returned.

    Raises:
        CannotJudge: the command fails, or sends nothing, against the faithful stand-in.
        UsageError: the command cannot be started.
    """
    begun = time.time()
    commands = Commands(call.command)
    try:
        with StandIn(settings) as vendor:
            faithful, received = _run(vendor, call, commands, None, call.time_limit_s or FAITHFUL_LIMIT_S)
    except KeyboardInterrupt:
        commands.stop()
        raise
    done(faithful)
    if faithful.outcome != "survived":
        how = "does not end in time" if faithful.outcome == "hung" else f"fails ({faithful.ended})"
        raise CannotJudge(
            f"the command {how} against the faithful stand-in: nothing can be learned from its failures"
            + _last_words(faithful)
        )
    if not received:
        raise CannotJudge(
            "the command sent the stand-in no request: does it read KYCGATE_BASE_URL, or take --env NAME={base_url}?"
        )
    limit_s = call.time_limit_s or PATIENCE_S + 2 * faithful.seconds

    def one(case: Case) -> Trial:
        if commands.stopped or not _may_show(case, received, vendor):
            return Trial(case, "not exercised")
        with StandIn(settings) as own:
            if case.kind == "line":
                own.line(case.name)
            else:
                own.use(case.kind, case.name)
            trial, came = _run(own, call, commands, case, limit_s)
            if case.kind == "line" or case.name in HARD:
                met = own.mistreated
            else:
                met = differing(came, replay(came, vendor_with(vendor.settings)))
        if met or trial.outcome != "survived":
            return replace(trial, met=met > 0)
        return replace(trial, outcome="not exercised", seen=())

    found: dict[str, Trial] = {}
    stopped = False
    pool = ThreadPoolExecutor(call.jobs)
    try:
        for future in as_completed([pool.submit(one, case) for case in chosen]):
            trial = future.result()
            assert trial.case is not None  # noqa: S101 - only the faithful trial has none
            done(trial)
            found[trial.case.id] = trial
    except KeyboardInterrupt:
        stopped = True
    finally:
        commands.stop()
        pool.shutdown(cancel_futures=True)
    trials = [faithful, *(found[case.id] for case in chosen if case.id in found)]
    faithful, *trials = _with_files(trials, begun)
    return Rehearsal(faithful, trials, stopped)


def _last_words(trial: Trial) -> str:
    last = trial.output.strip().rpartition("\n")[2]
    return f"; it wrote last: {one_line(last, 200)}" if last else ""


def _may_show(case: Case, received: Sequence[Received], vendor: StandIn) -> bool:
    """Whether the requests of the faithful run, sent to the other vendor, would be answered otherwise."""
    if case.kind == "line" or case.name in HARD or case.name in _TIMED:
        return True
    if case.kind == "fault" and FAULTS[case.name].kind in _SEEN_LIVE:
        return True
    if case.kind == "fault":
        other = vendor_with(vendor.settings, (case.name,))
    else:
        other = vendor_with(liberties()[case.name].model_copy(update={"tenants": vendor.settings.tenants}))
    try:
        return differing(received, replay(received, other)) > 0
    finally:
        other.close()


def _run(
    vendor: StandIn, call: Call, commands: Commands, case: Case | None, limit_s: float
) -> tuple[Trial, list[Received]]:
    facts = {"base_url": vendor.base_url, "tenant_id": vendor.tenant_id, "tenant_secret": vendor.tenant_secret}
    given = {name: template.format(**facts) for name, template in call.environment.items()}
    ended = commands.run({**vendor.environment, **given}, limit_s)
    received = vendor.received
    hung = ended.code is None
    outcome: Outcome = "hung" if hung else "survived" if ended.code == 0 else "failed"
    silent = case is not None and case.kind == "line" and vendor.mistreated > 0
    attempt = Attempt(
        received, ended.output, (vendor.tenant_secret,), hung=hung, silent=silent, whole=ended.whole,
        base64_form=call.base64_form,
    )  # fmt: skip
    steps = [one for one in received if one.step == flow().final and one.accepted]
    uploads = sum(one.step in flow().uploads for one in received)
    shown = _fit_to_show(ended.output[-_SHOWN:], received, vendor) if outcome != "survived" else ""
    trial = Trial(
        case, outcome, ended.seconds, ended.code, len(received), uploads, bool(steps), shown,
        tuple(judge_client(attempt)), attempt.tokens,
    )  # fmt: skip
    return trial, received


def _fit_to_show(output: str, received: Sequence[Received], vendor: StandIn) -> str:
    """Without credentials, what was read from cards, and what looks like a picture."""
    secrets = {"KYCGATE_TENANT_SECRET": vendor.tenant_secret}
    tokens = sorted({one.credential for one in received if one.credential})
    secrets |= {f"KYCGATE_TOKEN_{number}": token for number, token in enumerate(tokens, 1)}
    personal: set[str] = set()
    for one in received:
        value = one.answer_json
        data = value.get("customerData") if isinstance(value, dict) else None
        if isinstance(data, dict):
            personal |= {held for held in data.values() if isinstance(held, str)}
    return _PICTURE.sub("<a picture>", redacted(output, secrets, sorted(personal)))


_PICTURE: Final = re.compile(r"[A-Za-z0-9+/=]{200,}")


def _with_files(trials: Sequence[Trial], begun: float) -> list[Trial]:
    """The same, with what files of the working directory say of their tokens."""
    of_token = {token: number for number, trial in enumerate(trials) for token in trial.tokens}
    seen: dict[int, list[Seen]] = {}
    for path, token in files_holding(Path.cwd(), frozenset(of_token), begun):
        said = Seen("client.no-secret-printed", False, f"a token stands in the file {one_line(str(path), 200)}")
        seen.setdefault(of_token[token], []).append(said)
    return [replace(trial, seen=(*trial.seen, *seen.get(number, ()))) for number, trial in enumerate(trials)]


def recorded(rehearsal: Rehearsal) -> list[TrialResult]:
    """The runs as run.json keeps them."""
    return [
        TrialResult(
            case=trial.case.id if trial.case else "faithful", outcome=trial.outcome, seconds=round(trial.seconds, 3),
            ended=trial.ended if trial.outcome != "not exercised" or trial.seconds else "", requests=trial.requests,
            completed=trial.completed, output=trial.output,
        )
        for trial in (rehearsal.faithful, *rehearsal.trials)
    ]  # fmt: skip


def notes(rehearsal: Rehearsal) -> list[str]:
    """What a reader of the matrix should know."""
    survived = [trial for trial in rehearsal.trials if trial.outcome == "survived"]
    without = [trial for trial in survived if not trial.completed]
    if not without or not rehearsal.faithful.completed:
        return []
    said = (
        f"In {len(without)} of {len(survived)} cases that it survived, the command ended with exit code 0 and no "
        "onboarding was completed: it gave up as it should, or it cannot fail. The matrix says which."
    )
    return [said]


def results(rehearsal: Rehearsal, call: Call) -> list[ClauseResult]:
    """The cases and the client's own clauses as clauses of a run, so that every report can show them."""
    found = [_of_case(trial, call) for trial in rehearsal.trials]
    every = [(trial, one) for trial in (rehearsal.faithful, *rehearsal.trials) for one in trial.seen]
    settled = settle([one for _, one in every])
    pairs = [(trial, now) for (trial, _), now in zip(every, settled, strict=True)]
    for promise in CLIENT_CATALOGUE:
        seen = [(trial, one) for trial, one in pairs if one.clause == promise.id]
        broken = [(trial, one) for trial, one in seen if one.kept is False]
        decided = [one for _, one in seen if one.kept is not None]
        verdict = Verdict.BROKEN if broken else Verdict.KEPT if decided else Verdict.NOT_TRIED
        reason = "" if decided else "not exercised: no run of the client showed it"
        if seen and not decided:
            verdict, reason = Verdict.UNCLEAR, seen[0][1].actual
        found.append(
            ClauseResult(
                id=promise.id,
                level=promise.level,
                endpoints=[],
                verdict=verdict,
                sentence=promise.sentence,
                source=promise.source,
                broken=len(broken),
                observed=len(decided),
                frequency=_frequency(len(broken), len(decided)),
                reason=reason,
                findings=[
                    Finding(
                        required=promise.sentence, actual=one.actual, where=_where(trial),
                        curl=repeat(call, trial.case) if trial.case else "",
                    )
                    for trial, one in broken[:MAX_FINDINGS]
                ],
            )
        )  # fmt: skip
    return found


def _frequency(broken: int, observed: int) -> str:
    if not broken:
        return ""
    return "always" if broken == observed else f"sometimes ({broken} of {observed})"


def _where(trial: Trial) -> str:
    return trial.case.id if trial.case else "against the faithful stand-in"


def repeat(call: Call, case: Case) -> str:
    """The command that rehearses this case alone."""
    given = [option for name, value in call.environment.items() for option in ("--env", f"{name}={value}")]
    if call.time_limit_s is not None:
        given += ["--time-limit", f"{call.time_limit_s:g}"]
    return shlex.join(["kycgate", "rehearse", "--only", case.id, *given, "--", *call.command])


def _of_case(trial: Trial, call: Call) -> ClauseResult:
    assert trial.case is not None  # noqa: S101 - only the faithful trial has none
    case = trial.case
    source = "lawful" if case.kind == "habit" else f"{case.clause or 'the line'}, {case.level}"
    result = ClauseResult(
        id=case.id, level=Level.RELIED_ON, endpoints=[], verdict=Verdict.KEPT,
        sentence=f"The client survives it: {case.sentence}", source=source, observed=1,
    )  # fmt: skip
    if trial.outcome == "not exercised":
        result.verdict, result.observed = Verdict.NOT_TRIED, 0
        result.reason = "not exercised: the client sent no request whose answer this changes"
    elif trial.outcome != "survived" and not trial.met:
        result.verdict, result.observed = Verdict.UNCLEAR, 0
        result.reason = (
            f"it {trial.outcome} ({trial.ended}) before any answer showed the case: the command may fail by itself"
        )
    elif trial.outcome != "survived":
        result.verdict, result.broken, result.frequency = Verdict.BROKEN, 1, "always"
        result.findings = [
            Finding(
                required="exit code 0 within the time limit",
                actual=f"{trial.ended} after {trial.seconds:.1f} s{_last_words(trial)}",
                curl=repeat(call, case),
            )
        ]  # fmt: skip
    return result
