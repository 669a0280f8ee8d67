"""Judges each answer under load as the check does: alone, with those before it, and by whose card was shown.

Counts are kept for each clause, and of each way in which one is broken the first exchange, redacted.
"""

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from kycgate.contracts.clauses import clause
from kycgate.judging.answers import customer_data
from kycgate.judging.contradictions import Memory
from kycgate.judging.ledger import Observation
from kycgate.judging.shape import judge_answer
from kycgate.load.interval import Breach
from kycgate.load.plan import LoadPlan
from kycgate.runs.clause import MAX_FINDINGS, Finding
from kycgate.specimens.deck import Card
from kycgate.target.curl import curl_for
from kycgate.target.exchange import Exchange
from kycgate.target.redaction import Redactor

MOST_REMEMBERED = 20_000
"""Customers, numbers and paths that are remembered to tell sessions apart; the oldest leave first."""
MOST_BODIES = 200
"""Different right answers that are known again by their bytes."""
LARGEST_BODY = 4_096
_UNDERSTOOD = {"body.json", "answer.compressed", "approve.true"}
"""What a 200 must keep to say whether the step was performed."""
GONE_AFTER = 3
"""Unanswered requests at the end of a run from which the target counts as gone, not as flaky."""


class AnswerJudge:
    """The judge of one generator."""

    def __init__(self, plan: LoadPlan, cards: Iterable[Card] = ()) -> None:
        self._plan = plan
        self._memory = Memory(plan.translation, most=MOST_REMEMBERED)
        self.show(cards)
        self._observed: Counter[str] = Counter()
        self._broken: Counter[str] = Counter()
        self._breaches: list[Breach] = []
        self._ways: dict[str, set[tuple[str, str, str]]] = {}
        self._unanswered: list[tuple[int, Observation, Exchange]] = []
        """What got no answer, by its end: it breaks a clause once another request is answered."""
        self._known: dict[tuple[str, str | None, str | None, bytes], tuple[str, ...]] = {}

    def show(self, cards: Iterable[Card]) -> None:
        """These cards will be shown: what is printed on them is known."""
        for card in cards:
            self._memory.show(card.id, card.truth)

    def judge(
        self,
        exchange: Exchange,
        *,
        degraded: bool = False,
        shared: bool = False,
        further: Sequence[Observation] = (),
    ) -> Observation | None:
        """Count what one answer says of each clause; returns the first breach of one that is more than expected.

        A 5xx, or no answer, is the cause of what follows from it: it is judged by its own clause alone; so is a 200
        that says nothing that can be understood. Of a `degraded` picture's reading nothing is judged but whose it is;
        of a session whose token is `shared` by others, nothing but what each answer is by itself.
        """
        status = exchange.status
        if status is None or status >= 500:
            seen = [next(seen for seen in judge_answer(exchange) if not seen.ok)]
        else:
            seen = [*self._alone(exchange)]
            if status != 200 or all(one.ok for one in seen if one.clause in _UNDERSTOOD):
                seen += further
            if status == 200 and not shared and exchange.picture is not None and exchange.intent == "legal":
                seen += self._memory.judge(exchange)
            if degraded:
                seen = [one for one in seen if not one.clause.startswith("reading.")]
        if status is None:
            self._unanswered.append((exchange.clocks.last_byte, seen[0], exchange))
            return seen[0]
        if self._unanswered:
            self._enter_unanswered(exchange.clocks.sent)
        return self._enter(seen, exchange)

    def _alone(self, exchange: Exchange) -> Iterable[Observation]:
        """What it says by itself. Equal bytes of a right approval are judged once: nothing else of it counts."""
        step = exchange.step
        if step is None or step.is_upload or exchange.status != 200 or len(exchange.answer_body) > LARGEST_BODY:
            return judge_answer(exchange)
        asked = exchange.request_headers.get("Accept-Encoding")
        key = (exchange.endpoint, asked, exchange.answer_header("Content-Type"), exchange.answer_body)
        clauses = self._known.get(key)
        if clauses is not None:
            return [Observation(clause, True) for clause in clauses]
        seen = [*judge_answer(exchange)]
        if all(one.ok for one in seen) and len(self._known) < MOST_BODIES:
            self._known[key] = tuple(one.clause for one in seen)
        return seen

    def ended(self, session: str) -> None:
        """The session is over: nothing more is said in it."""
        self._memory.forget_session(session)

    def settle(self) -> bool:
        """Nothing more is sent. Whether the target had gone away: then its last silence breaks no clause."""
        gone = len(self._unanswered) >= GONE_AFTER
        if not gone:
            self._enter_unanswered(time.perf_counter_ns())
        self._unanswered = []
        return gone

    def _enter_unanswered(self, before: int) -> None:
        due = [held for held in self._unanswered if held[0] <= before]
        if due:
            self._unanswered = [held for held in self._unanswered if held[0] > before]
            for _, seen, exchange in due:
                self._enter([seen], exchange)

    def _enter(self, seen: Iterable[Observation], exchange: Exchange) -> Observation | None:
        first: Observation | None = None
        for one in seen:
            self._observed[one.clause] += 1
            if not one.ok:
                self._broken[one.clause] += 1
                self._keep(one, exchange)
                # A clause that is only expected makes no answer wrong.
                if first is None and clause(one.clause).level.fails_gate:
                    first = one
        return first

    def _keep(self, seen: Observation, exchange: Exchange) -> None:
        """One finding for each way of breaking a clause, a few of them."""
        ways = self._ways.setdefault(seen.clause, set())
        way = (exchange.endpoint, seen.where, seen.required)
        if way in ways or len(ways) >= MAX_FINDINGS:
            return
        ways.add(way)
        redactor = redactor_for(exchange, self._plan, self._memory)
        exchange.test = "load"
        finding = Finding(
            required=redactor.sentence(seen.required),
            actual=redactor.sentence(seen.actual),
            where=redactor.sentence(seen.where),
            exchange=redactor.record(exchange, datetime.now(UTC).isoformat(timespec="milliseconds")),
            curl=redactor.sentence(curl_for(exchange, self._plan.route)),
            test="load",
        )
        self._breaches.append(Breach(clause=seen.clause, finding=finding))

    def words(self, seen: Observation, exchange: Exchange) -> str:
        """A breach in words, without what the vendor put into it of a person or of the credentials."""
        said = seen.actual if exchange.status is None else f"{seen.clause}: {seen.actual}"
        return redactor_for(exchange, self._plan, self._memory).sentence(said)

    def cut(self) -> tuple[dict[str, tuple[int, int]], list[Breach]]:
        """Since the last cut: broken and observed by clause, and the new findings."""
        judged = {clause: (self._broken[clause], count) for clause, count in self._observed.items()}
        breaches = self._breaches
        self._observed.clear()
        self._broken.clear()
        self._breaches = []
        return judged, breaches


def redactor_for(exchange: Exchange, plan: LoadPlan, memory: Memory) -> Redactor:
    """Knows the credentials, and the person of this exchange."""
    redactor = Redactor()
    authorization = exchange.request_headers.get("Authorization", "")
    redactor.add_secret(authorization.removeprefix("Bearer "), "KYCGATE_TOKEN")
    for value, name in ((plan.tenant_secret, "KYCGATE_TENANT_SECRET"), (plan.tenant_id, "KYCGATE_TENANT_ID")):
        redactor.add_secret(value or "", name)
    for name, value in plan.route.secrets().items():
        redactor.add_secret(value, name)
    # Also of an answer to an approval: what it says back may be all that the session has said.
    redactor.add_reading(memory.truth(exchange.card))
    redactor.add_reading(customer_data(exchange) or {})
    return redactor
