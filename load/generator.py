"""The workloads as a Locust user: a dispatcher that starts each onboarding when it is due, or N people in a circle."""

import itertools
import math
import random
import ssl
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import gevent.pool
from locust import User, task

from kycgate.contracts.flow import Step
from kycgate.contracts.flows import flow
from kycgate.errors import NotTheTarget
from kycgate.judging.answers import customer_data
from kycgate.judging.readings import compare
from kycgate.load.client import NoAnswer, OwnFault
from kycgate.load.clocks import Recorder
from kycgate.load.interval import GENERATOR, Interval
from kycgate.load.journey import Answered, Ended, Onboarding, Prepared, name_of
from kycgate.load.out_of_turn import OutOfTurn, Walk
from kycgate.load.pacing import arrivals
from kycgate.load.plan import LoadPlan
from kycgate.load.self_check import Watch
from kycgate.load.tokens import Credentials
from kycgate.load.verdicts import AnswerJudge
from kycgate.runs.load_model import WHOLE
from kycgate.specimens.deck import Cards

MAX_RUNNING = 5_000
ENOUGH_TO_STOP = 50
UNKNOWN = 1_000_000
GZIP_EVERY = 10
"""Of this number of onboardings one accepts compressed answers, as every installed client does."""
_COUNTED_AS = {
    Ended.PHOTO_REFUSED: "refused_photos",
    Ended.REGISTERED: "registered",
    Ended.THROTTLED: "throttled",
    Ended.CUT_OFF: "cut_off",
}
FRESH_S = 0.5
"""Between two looks at whether a gateway's token is to be renewed."""
LEAVING_S = 5.0
"""How long onboardings under way may go on once the run is stopped."""


class Generator:
    """One worker's part of a workload: everything it needs, and what it counts."""

    def __init__(self, plan: LoadPlan, emit: Callable[[Interval], None], *, index: int = 0, count: int = 1) -> None:
        self.plan = plan.share(index, count)
        self._index, self._count = index, count
        self._emit = emit
        self.recorder = Recorder()
        self.watch = Watch(self.recorder)
        self._prepared: list[list[Prepared]] = []
        self.tls: ssl.SSLContext | None = plan.route.tls() if plan.base_url.startswith("https") else None
        self.judge = AnswerJudge(self.plan)
        self.credentials = Credentials(self.plan, self.tls, self.judge)
        if self.plan.max_requests is not None:
            # An onboarding takes its token and four steps; a session that goes out of turn may take fewer.
            tokens = -(-self.plan.max_requests // 5)
            self.credentials.may_ask = lambda: self.credentials.asked < tokens + self._beside
        self.stopped = self.void = ""
        self.stopping = False
        # People are counted by each worker for itself, arrivals by all of them together.
        self._out_of_turn = OutOfTurn(self.plan if plan.people else plan, fixed=self.credentials.fixed)
        self._sessions = self._beside = 0
        self._leaving = self._leaving_uploads = self._answered = self._failed = 0
        self._tokens_told = self._bad_tokens_told = 0
        self.start_ns = 0
        self._start_wall = 0.0

    def get_ready(self) -> None:
        """Cards, and meanwhile credentials for those who come first, outside the timed part.

        Raises:
            NoAnswer: the target gives no tokens.
            OwnFault: this machine cannot ask for them.
        """
        # How many a closed workload begins is not known; of an open one more than that is not counted either.
        mine = itertools.islice((n for n, _ in enumerate(self._due()) if n % self._count == self._index), UNKNOWN)
        count = UNKNOWN if self.plan.people else sum(1 + (self._out_of_turn.due(n) is not None) for n in mine)
        self._keep_fresh()
        minting = gevent.spawn(self.credentials.fill, count)
        self._prepared = prepare(self.plan)
        self.judge.show(prepared.card for variants in self._prepared for prepared in variants)
        minting.get()

    def _due(self) -> Iterator[float]:
        plan = self.plan
        return arrivals(plan.rate, plan.duration_s, poisson=plan.poisson, seed=plan.seed, shape=plan.shape)

    def run(self, environment: Any, start_ns: int = 0) -> None:
        """All onboardings of the workload, from `start_ns` (now, when it is 0); returns when the last has ended."""
        self.start_ns = self.recorder.start_ns = start_ns or time.perf_counter_ns()
        gevent.sleep(max((self.start_ns - time.perf_counter_ns()) / 1e9, 0))
        self._start_wall = time.time() - (time.perf_counter_ns() - self.start_ns) / 1e9
        self.watch.start()
        helpers = [gevent.spawn(run) for run in (self.credentials.refill, self._tick, self._stay_fresh)]
        try:
            if self.plan.people:
                self._run_closed(environment)
            else:
                self._run_open(environment)
        finally:
            self.credentials.closed = True
            gevent.killall(helpers)
            if self.credentials.own_fault:
                self.give_up(f"no tokens could be minted for the load: {self.credentials.own_fault}")
            self.cut((time.perf_counter_ns() - self.start_ns) // 10**9, last=True)

    def _keep_fresh(self) -> None:
        """The gateway's token, where there is one, is asked for outside the timed part.

        Raises:
            OwnFault: it is not to be had.
        """
        if self.plan.route.gateway is not None:
            try:
                self.plan.route.gateway.keep_fresh()
            except NotTheTarget as error:
                raise OwnFault(str(error)) from None

    def _stay_fresh(self) -> None:
        while self.plan.route.gateway is not None and not self.stopping:
            gevent.sleep(FRESH_S)
            try:
                self._keep_fresh()
            except OwnFault as error:
                self.give_up(f"the load could not be generated: {error}")

    def _tick(self) -> None:
        """Cut at each whole second."""
        second = 0
        while True:
            second += 1
            gevent.sleep(max((self.start_ns + second * 10**9 - time.perf_counter_ns()) / 1e9, 0))
            self.cut(second - 1)

    def cut(self, second: int, *, last: bool = False) -> None:
        """Tell what happened since the last cut."""
        interval = self.recorder.cut(second)
        interval.worker = self._index
        tokens = self.credentials
        interval.tokens, self._tokens_told = tokens.asked - self._tokens_told, tokens.asked
        interval.bad_tokens, self._bad_tokens_told = tokens.failed - self._bad_tokens_told, tokens.failed
        interval.void = self.void
        interval.gone = last and self.judge.settle()
        interval.judged, interval.breaches = self.judge.cut()
        interval.cpu_share = self.watch.cpu_share()
        interval.start_wall, interval.start_ns = self._start_wall, self.start_ns
        interval.stopped, interval.last = self.stopped, last
        self._emit(interval)

    def _run_open(self, environment: Any) -> None:
        """Start each onboarding when it is due; what then goes on longer than the grace is cut off."""
        plan, pool = self.plan, gevent.pool.Pool(MAX_RUNNING)
        last = self.start_ns + int((plan.duration_s + plan.grace_s) * 1e9)
        for number, offset in enumerate(self._due()):
            if number % self._count != self._index:
                continue
            due_ns = self.start_ns + int(offset * 1e9)
            while (wait := (due_ns - time.perf_counter_ns()) / 1e9) > 0 and not self.stopping:
                # Short enough to notice that the run is stopped.
                gevent.sleep(min(wait, 0.5))
            while pool.full() and not self.stopping and time.perf_counter_ns() < last:
                gevent.sleep(0.01)
            if self.stopping:
                break
            self.recorder.counts["due"] += 1
            if time.perf_counter_ns() < last:
                pool.spawn(self._onboard, number, due_ns, environment, None)
                if (walk := self._out_of_turn.due(number)) is not None and not pool.full():
                    pool.spawn(self._go_out_of_turn, walk, number)
        while len(pool) and not self.stopping and time.perf_counter_ns() < last:
            pool.join(timeout=0.2)
        if self.stopping:
            pool.join(timeout=LEAVING_S)
        # What has not begun counts as due and not started, what has begun as in flight.
        pool.kill(block=False)

    def _run_closed(self, environment: Any) -> None:
        """People, each onboarding again and again until the time is over."""
        plan = self.plan
        end = self.start_ns + int(plan.duration_s * 1e9)
        beside, begun = gevent.pool.Pool(), itertools.count()

        def person(number: int) -> None:
            rng = random.Random(plan.seed * 10_007 + number)

            def think() -> float:
                return plan.think.draw(rng)

            gevent.sleep(think())
            while time.perf_counter_ns() < end and not self.stopping:
                self.recorder.counts["due"] += 1
                began = next(begun)
                if (walk := self._out_of_turn.due(began)) is not None:
                    beside.spawn(self._go_out_of_turn, walk, began)
                self._onboard(rng.randrange(2**31), None, environment, think)
                gevent.sleep(think())

        people = [gevent.spawn(person, number) for number in range(self._index, plan.people, self._count)]
        patience = end + int(plan.grace_s * 1e9)
        while people and time.perf_counter_ns() < patience:
            gevent.joinall(people, timeout=0.2)
            people = [greenlet for greenlet in people if not greenlet.dead]
            if self.stopping:
                gevent.joinall(people, timeout=LEAVING_S)
                break
            if time.perf_counter_ns() > end:
                # A pausing person has no request in flight.
                people = [greenlet for greenlet in people if self.recorder.in_flight[WHOLE]]
        beside.join(timeout=LEAVING_S)
        beside.kill(block=False)

    def _onboard(self, number: int, due_ns: int | None, environment: Any, think: Callable[[], float] | None) -> None:
        """One onboarding; without `due_ns` it is due once its person has a credential (a closed workload).

        What it is like hangs on its number and the seed alone, not on the worker that it falls to.
        """
        plan, rng = self.plan, random.Random((self.plan.seed << 32) ^ number)
        variants = self._prepared[number % len(self._prepared)]
        prepared = variants[rng.randrange(len(variants))]
        order = flow().client_order if rng.random() < plan.client_order_share else flow().steps
        retry = rng.random() < plan.retry_share
        counts = self.recorder.counts
        asked = time.perf_counter_ns()
        credential = self.credentials.take()
        self.recorder.put(GENERATOR, "credential", time.perf_counter_ns() - asked)
        begin = time.perf_counter_ns() if due_ns is None else due_ns
        if due_ns is not None:
            # Late for whatever reason: a busy loop, too many people at once, no free credential.
            self.recorder.put(GENERATOR, "slip", time.perf_counter_ns() - due_ns)
        counts["begun"] += 1
        self.recorder.start(WHOLE)

        whole: Counter[str] = Counter()

        def report(answered: Answered) -> None:
            whole.update(self._enter(answered, prepared, environment))

        self._sessions += 1
        onboarding = Onboarding(
            *(plan, credential, prepared, self.tls, self.judge, f"load-{self._index}-{self._sessions}"),
            shared=lambda: credential in self.credentials.shared,
            gzip=number % GZIP_EVERY == GZIP_EVERY // 2,
        )
        try:
            ended = onboarding.run(begin, report, order=order, retry=retry, think=think, may_send=self._may_send)
        except OwnFault as error:
            self.give_up(f"the load could not be generated: {error}")
            ended = Ended.CUT_OFF
        self.credentials.give_back(credential)
        if ended in (Ended.WELL, Ended.BADLY):
            self.recorder.add_whole(whole, failed=ended is Ended.BADLY, due_ns=begin)
            counts["ended"] += 1
        else:
            self.recorder.in_flight[WHOLE] -= 1
            counts[_COUNTED_AS[ended]] += 1

    def _go_out_of_turn(self, walk: Walk, number: int) -> None:
        """A session of its own: nothing of it is measured."""
        self._beside += 1
        credential = self.credentials.take()
        onboarding = Onboarding(
            *(self.plan, credential, self._prepared[number % len(self._prepared)][0], self.tls, self.judge),
            f"out-of-turn-{self._index}-{number}",
            shared=lambda: credential in self.credentials.shared,
        )

        def may_send(step: Step) -> bool:
            leaves = self._may_leave(step)
            self.recorder.counts["other_requests"] += leaves
            self.recorder.counts["other_uploads"] += leaves and step.is_upload
            return leaves

        try:
            onboarding.go_out_of_turn(walk, may_send)
        except OwnFault as error:
            self.give_up(f"the load could not be generated: {error}")

    def give_up(self, why: str) -> None:
        """Nothing can be concluded from this run any more: end it."""
        self.void, self.stopping = self.void or why, True

    def _may_send(self, step: Step, retry: bool) -> bool:
        leaves = self._may_leave(step)
        if leaves:
            self.recorder.start(name_of(step, retry))
        return leaves

    def _may_leave(self, step: Step) -> bool:
        """The hard stops: counted where requests leave, so that none leaves beyond them."""
        plan = self.plan
        if plan.max_requests is not None and self._leaving + self.credentials.asked >= plan.max_requests:
            self.stopped = self.stopped or "the limit of requests was reached"
        elif plan.max_uploads is not None and step.is_upload and self._leaving_uploads >= plan.max_uploads:
            self.stopped = self.stopped or "the limit of uploads was reached"
        if self._answered >= ENOUGH_TO_STOP and self._failed > plan.max_error_share * self._answered:
            self.stopped = self.stopped or f"{self._failed} of {self._answered} answers failed"
        if self.stopped or self.void:
            self.stopping = True
            return False
        self._leaving += 1
        self._leaving_uploads += step.is_upload
        return True

    def _enter(self, answered: Answered, prepared: Prepared, environment: Any) -> dict[str, int]:
        """Count one answer; returns its phases."""
        step, clocks, recorder = answered.step, answered.clocks, self.recorder
        self._answered += 1
        failed = answered.breach is not None
        self._failed += failed
        recorder.counts["requests"] += 1
        recorder.counts["uploads"] += step.is_upload
        if answered.breach is not None:
            recorder.counts["wrong"] += not answered.unavailable
            if recorder.wants_example:
                recorder.example(f"{step}: {self.judge.words(answered.breach, answered.exchange)}")
        phases = recorder.add(
            answered.name, clocks, failed=failed, unavailable=answered.unavailable, error=answered.error
        )
        if step.is_upload and not answered.retry and not failed:
            self._enter_upload(answered, prepared)
        environment.events.request.fire(
            request_type="POST",
            name=answered.name,
            response_time=(clocks.last_byte - clocks.due) / 1e6,
            response_length=len(answered.exchange.answer_body),
            response=None,
            context={},
            exception=NoAnswer(answered.kind) if failed else None,
        )
        return phases

    def _enter_upload(self, answered: Answered, prepared: Prepared) -> None:
        clocks, recorder = answered.clocks, self.recorder
        if self.plan.sizes:
            thinking = (
                None
                if clocks.first_byte is None or clocks.body_sent is None
                else (clocks.first_byte - clocks.body_sent) / 1e6
            )
            recorder.sizes.append((prepared.size, (clocks.last_byte - clocks.sent) / 1e6, thinking))
        truth = prepared.card.truth_of(answered.step.shows)
        for name, right in compare(customer_data(answered.exchange) or {}, truth).items():
            recorder.readings[name, prepared.degradation, right] += 1
        recorder.cards.add((prepared.degradation, prepared.card.id))


def prepare(plan: LoadPlan) -> list[list[Prepared]]:
    """Bodies to be shared by reference: for each size and degradation, some cards. Fewer where there are many kinds."""
    kinds = [(size, how) for size in plan.sizes or (0,) for how in plan.degradations or (None,)]
    cards = Cards(plan.seed, plan.specimens)
    wanted = plan.cards if plan.people else min(plan.cards, math.ceil(plan.rate * plan.duration_s))
    drawn = []
    for _ in range(max(wanted // len(kinds), 4)):
        drawn.append(cards.take())
        gevent.sleep(0)  # Tokens are minted meanwhile.
    return [[Prepared.of(card, size, how) for card in drawn] for size, how in kinds]


class ArrivalUser(User):
    """The dispatcher; each worker runs one."""

    generator: Generator | None = None
    start_ns = 0
    ended: Callable[[], None]

    @task
    def arrive(self) -> None:
        generator = type(self).generator
        if generator is None:
            raise RuntimeError("there is no plan yet")
        try:
            generator.run(self.environment, type(self).start_ns)
        finally:
            type(self).ended()
        gevent.sleep(3_600)  # until the runner stops it: it must not begin again
