"""One probe: a small onboarding of four steps, judged as the check judges, with clocks for each step.

It sends a token's request and the four steps, each once, and stops at the first that fails: five requests where all is
well, and never more than `limits` says (a fixed key's earlier flow may have to be brought to its end first). A target
that is down is a result like any other.
"""

import threading
import time
import uuid
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import kycgate
from kycgate.contracts.flows import flow
from kycgate.errors import CannotJudge, ExitCode, NotTheTarget
from kycgate.gate.gate import Gate
from kycgate.gate.minting import mint
from kycgate.gate.session import Credential, Session
from kycgate.judging.answers import accepted
from kycgate.probing.probe import Probe, ProbeStep, ProbeVerdict
from kycgate.runs.clause import ClauseResult
from kycgate.runs.verdict import decide, exit_code_of
from kycgate.settings.profile import Profile, Secrets
from kycgate.target.clock import common_offset, offset_of
from kycgate.target.exchange import EARLIER_FLOW, Exchange
from kycgate.target.requests import Outcome, Variation
from kycgate.text import one_line


def limits() -> tuple[int, int]:
    """Requests and uploads that one probe may send: a token's, and each step twice, as an earlier flow may be ended."""
    return 1 + 2 * len(flow().steps), 2 * len(flow().uploads)


def requests_in_turn() -> int:
    """Requests that wait for one another when nothing fails: each may take the whole time-out."""
    return 1 + len(flow().steps)


_FIRST = Variation("a first upload", Outcome.ANY)
_CUT_OFF = "no end within the time limit"
_ANYHOW = Variation(EARLIER_FLOW, Outcome.ANY)


@dataclass
class _Course:
    """What has happened so far; the thread that waits reads it when the time is up."""

    started_at: datetime
    started_ns: int
    exchanges: list[Exchange] = field(default_factory=list)
    """The last of each request, in order."""
    verdict: ProbeVerdict = "unclear"
    failure: str = ""
    failed_step: str = ""
    reason: str = ""
    clauses: list[ClauseResult] = field(default_factory=list)
    end_ns: int | None = None
    """When it was cut off; None when it came to its end."""

    @property
    def explained_otherwise(self) -> bool:
        """Wrong credentials, cards or a proxy may explain an early refusal: then the vendor is not accused."""
        return self.verdict == "unclear" and self.failed_step in ("token", str(flow().first))

    def stop(self, verdict: ProbeVerdict, failure: str, step: str) -> None:
        self.verdict, self.failure, self.failed_step = verdict, failure, step
        self.reason = f"{failure} at {step}"


class Prober:
    """Makes one probe. `clauses` and the gate's counts are there after `run`."""

    def __init__(
        self, gate: Gate, profile: Profile, secrets: Secrets, *, target: str, prober: str = "", jitter_s: float = 0.0
    ) -> None:
        self._gate = gate
        self._profile = profile
        self._secrets = secrets
        self._target = target
        self._prober = prober
        self._jitter_s = jitter_s
        self.clauses: list[ClauseResult] = []

    def run(self, limit_s: float) -> Probe:
        """Probe, and come back within `limit_s` seconds whatever the target, or the resolver of names, does."""
        course = _Course(datetime.now(UTC), time.perf_counter_ns())
        # A thread, as a name's look-up cannot be interrupted; it is given up with the process.
        worker = threading.Thread(target=self._onboard, args=(course,), daemon=True)
        worker.start()
        worker.join(limit_s)
        if worker.is_alive():
            course = self._cut_off(course)
        self.clauses = course.clauses
        return self._record(course)

    def _cut_off(self, course: _Course) -> _Course:
        """What is known when the time is up; the thread has the other copy."""
        cut = replace(course, exchanges=[*course.exchanges])
        cut.stop("unavailable", _CUT_OFF, self._next_step(cut))
        cut.end_ns = time.perf_counter_ns()
        return cut

    def _next_step(self, course: _Course) -> str:
        """What was under way when the course ended."""
        if not course.exchanges and self._secrets.mints:
            return "token"
        taken, steps = sum(exchange.step is not None for exchange in course.exchanges), flow().steps
        return str(steps[min(taken, len(steps) - 1)])

    def _onboard(self, course: _Course) -> None:
        try:
            self._steps(course)
        except NotTheTarget as error:
            # The target was not reached by our fault: not an outage of the target.
            course.stop("unclear", f"not watched, {error.kind}", self._next_step(course))
            course.reason = str(error)
        except CannotJudge as error:
            if not course.failure:
                course.verdict, course.failure, course.reason = "unclear", "cannot be judged", str(error)
        except Exception as error:  # noqa: BLE001 - a fault of ours must not look like the target's
            course.verdict, course.failure = "unclear", "kycgate failed"
            course.reason = f"kycgate failed, please report it: {type(error).__name__}: {error}"
        self._gate.settle()
        course.clauses = self._gate.ledger.results()
        decide(course.clauses, self._profile.rules())
        code, reason = exit_code_of(course.clauses, [], strict=self._profile.strict)
        if course.verdict != "unavailable" and not course.explained_otherwise and code is ExitCode.BROKEN:
            course.verdict, course.failure, course.reason = "broken", "contract", reason

    def _steps(self, course: _Course) -> None:
        credential = self._credential(course)
        if credential is None:
            return
        session = Session(self._gate, "s1", credential, self._gate.cards.take())
        first = self._first_upload(course, session)
        if first is None:
            return
        for step in flow().steps[1:]:
            if not self._goes_on(course, session.do(step, demand=False), str(step)):
                return
        course.verdict, course.reason = "kept", "all steps were accepted"

    def _credential(self, course: _Course) -> Credential | None:
        scheme = "bare" if self._profile.auth_scheme == "bare" else "bearer"
        if not self._secrets.mints:
            return Credential(self._secrets.api_keys[0].get_secret_value(), scheme, fixed=True)
        if self._secrets.command:
            return Credential(self._gate.tokens.mint(), scheme)
        minted = mint(lambda properties: self._gate.tokens.request(properties=properties), {})
        if minted.token is not None:
            course.exchanges.append(minted.exchange)
            return Credential(minted.token, scheme)
        self._goes_on(course, minted.exchange, "token")
        return None

    def _first_upload(self, course: _Course, session: Session) -> Exchange | None:
        """The front, accepted; tried twice where the first refusal may be due to how credentials are written, or to an
        earlier flow of the fixed key."""
        exchange = session.do(flow().first, _FIRST, demand=False)
        if exchange.status == 401 and self._profile.auth_scheme == "auto":
            session.credential = Credential(session.credential.value, "bare", session.credential.fixed)
            exchange = session.do(flow().first, _FIRST, demand=False)
        elif exchange.status in (400, 404) and session.credential.fixed:
            for step in flow().steps[1:]:
                session.do(step, _ANYHOW, demand=False)
            exchange = session.do(flow().first, _FIRST, demand=False)
        return exchange if self._goes_on(course, exchange, str(flow().first)) else None

    @staticmethod
    def _goes_on(course: _Course, exchange: Exchange, step: str) -> bool:
        """Enter an answer; whether the next step can follow on it."""
        course.exchanges.append(exchange)
        status = exchange.status
        if status is None:
            # Its kind alone: the rest may name addresses.
            course.stop("unavailable", (exchange.failure or "no answer").partition(":")[0], step)
        elif status >= 500:
            course.stop("unavailable", f"status {status}", step)
        elif status == 429:
            course.stop("unclear", "put off (429)", step)
        elif status in (401, 403):
            course.stop("unclear", f"credentials refused ({status})", step)
        elif step == "token" or not accepted(exchange):
            course.stop("unclear", f"refused (status {status})", step)
        else:
            return True
        return False

    def _record(self, course: _Course) -> Probe:
        exchanges = [exchange for exchange in course.exchanges if exchange.step is not None]
        last = max((exchange.clocks.last_byte for exchange in course.exchanges), default=course.started_ns)
        steps = [_step(exchange) for exchange in exchanges]
        if course.end_ns is not None and course.failed_step != "token":
            waited = _us(last, course.end_ns) or 0
            steps.append(
                ProbeStep(step=course.failed_step, status=None, failure=_CUT_OFF, response_us=waited, service_us=waited)
            )
        offset = common_offset(
            offset_of(
                exchange.answer_header("Date"),
                _wall(course, exchange.clocks.sent),
                _wall(course, exchange.clocks.last_byte),
            )
            for exchange in course.exchanges
            if exchange.status is not None
        )
        whole = [str(exchange.step) for exchange in exchanges] == [str(step) for step in flow().steps]
        ended = whole and accepted(exchanges[-1])
        return Probe(
            id=uuid.uuid4().hex,
            started_at=course.started_at,
            target=self._target,
            prober=self._prober,
            verdict=course.verdict,
            failure=course.failure,
            failed_step=course.failed_step,
            reason=one_line(self._gate.redactor.text(course.reason), 300),
            breaches=()
            if course.explained_otherwise
            else tuple(sorted(clause for clause, count in self._gate.ledger.breaches().items() if count)),
            jitter_s=self._jitter_s,
            requests=self._gate.budget.requests_sent,
            uploads=self._gate.budget.uploads_sent,
            timeout_s=self._profile.timeout_s,
            duration_us=_us(course.started_ns, course.end_ns or last) or 0,
            onboarding_us=(exchanges[-1].clocks.last_byte - exchanges[0].clocks.due) // 1_000 if ended else None,
            clock_low_s=offset.low if offset else None,
            clock_high_s=offset.high if offset else None,
            kycgate_version=kycgate.__version__,
            steps=tuple(steps),
        )


def _wall(course: _Course, moment_ns: int) -> datetime:
    return course.started_at + timedelta(microseconds=(moment_ns - course.started_ns) / 1_000)


def _step(exchange: Exchange) -> ProbeStep:
    clocks = exchange.clocks
    failure = ""
    if exchange.status is None:
        failure = (exchange.failure or "no answer").partition(":")[0]
    elif exchange.status >= 500:
        failure = f"status {exchange.status}"
    return ProbeStep(
        step=str(exchange.step),
        status=exchange.status,
        failure=failure,
        response_us=_us(clocks.due, clocks.last_byte) or 0,
        service_us=_us(clocks.sent, clocks.last_byte) or 0,
        sending_us=_us(clocks.sent, clocks.body_sent),
        thinking_us=_us(clocks.body_sent, clocks.first_byte),
        reading_us=_us(clocks.first_byte, clocks.last_byte),
    )


def _us(start_ns: int | None, end_ns: int | None) -> int | None:
    return None if start_ns is None or end_ns is None else max(end_ns - start_ns, 0) // 1_000
