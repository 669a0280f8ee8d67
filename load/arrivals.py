"""The workloads as a Locust user: a dispatcher that starts each onboarding when it is due, or N people in a circle."""

import random
import ssl
import time
from collections.abc import Callable
from typing import Any

import gevent
import gevent.pool
from locust import User, task

from kycgate.cards import Cards
from kycgate.contracts.journey import CLIENT_ORDER, PAGE_ORDER, Step
from kycgate.load.client import NoAnswer, tls_context
from kycgate.load.clocks import Recorder
from kycgate.load.journey import Answered, Onboarding, Prepared
from kycgate.load.pacing import arrivals
from kycgate.load.plan import LoadPlan
from kycgate.load.tokens import Credentials

MAX_CARDS = 40
MAX_EXAMPLES = 5
MAX_RUNNING = 5_000
ENOUGH_TO_STOP = 50


class Generator:
    """Everything one worker needs and counts."""

    def __init__(self, plan: LoadPlan) -> None:
        self.plan = plan
        self.recorder = Recorder()
        self.due = (
            []
            if plan.people
            else list(arrivals(plan.rate, plan.duration_s, poisson=plan.poisson, seed=plan.seed, shape=plan.shape))
        )
        cards = Cards(plan.seed, plan.specimens)
        # Bodies are shared by reference: fewer cards when each comes in several sizes.
        sizes = plan.sizes or (0,)
        count = min(max(MAX_CARDS // len(sizes), 4), len(self.due) or MAX_CARDS)
        drawn = [cards.take() for _ in range(count)]
        self.prepared = [[Prepared.of(card, size) for card in drawn] for size in sizes]
        self.by_size: list[tuple[int, float]] = []
        self.stopped = ""
        self._leaving = self._leaving_uploads = 0
        self.cut_off = 0
        self._rng = random.Random(plan.seed)
        self.tls: ssl.SSLContext | None = (
            tls_context(verify=plan.verify_tls, ca_file=str(plan.ca_file) if plan.ca_file else None)
            if plan.base_url.startswith("https")
            else None
        )
        self.credentials = Credentials(plan, self.tls)
        self.requests = self.uploads = self.unavailable = self.wrong = 0
        self.recorded = self.started = 0
        self.examples: list[str] = []
        self.slips: list[float] = []
        self.start_ns = 0
        self.start_wall = 0.0
        self.stopping = False

    def mint_ahead(self) -> None:
        """Credentials for those who come first, outside the timed part.

        Raises:
            NoAnswer: the target gives none.
        """
        self.credentials.fill(len(self.due) or 2 * self.plan.people)

    def run(self, environment: Any) -> None:
        """All onboardings of the workload; returns when the last has ended."""
        self.start_wall = time.time()
        self.start_ns = time.perf_counter_ns()
        wanted = len(self.due) or 10**9
        refilling = gevent.spawn(self.credentials.refill, wanted)
        try:
            if self.plan.people:
                self._run_closed(environment)
            else:
                self._run_open(environment)
        finally:
            self.credentials.closed = True
            refilling.kill()

    def _run_open(self, environment: Any) -> None:
        """Start each onboarding when it is due."""
        pool = gevent.pool.Pool(MAX_RUNNING)
        for offset in self.due:
            due_ns = self.start_ns + int(offset * 1e9)
            wait = (due_ns - time.perf_counter_ns()) / 1e9
            if wait > 0:
                gevent.sleep(wait)
            if self.stopping:
                break
            self.slips.append((time.perf_counter_ns() - due_ns) / 1e6)
            pool.spawn(self._onboard, due_ns, environment, None)
        pool.join(timeout=self.plan.timeout_s * 4 if not self.stopping else 5)

    def _run_closed(self, environment: Any) -> None:
        """So many people, each onboarding again and again until the time is over."""
        end = self.start_ns + int(self.plan.duration_s * 1e9)

        def person(seed: int) -> None:
            rng = random.Random(seed)

            def think() -> float:
                return rng.expovariate(1 / self.plan.think_s) if self.plan.think_s else 0.0

            gevent.sleep(think())
            while time.perf_counter_ns() < end and not self.stopping:
                self._onboard(None, environment, think)
                gevent.sleep(think())

        people = [gevent.spawn(person, self.plan.seed * 10_007 + n) for n in range(self.plan.people)]
        patience = self.plan.timeout_s * 4
        while people and time.perf_counter_ns() < end + patience * 1e9:
            gevent.joinall(people, timeout=0.2)
            people = [greenlet for greenlet in people if not greenlet.dead]
            if self.stopping:
                gevent.joinall(people, timeout=5)
                break

    def _onboard(self, due_ns: int | None, environment: Any, think: Callable[[], float] | None) -> None:
        """One onboarding; without `due_ns` it is due once its person has a credential (a closed workload)."""
        plan, rng = self.plan, self._rng
        prepared = rng.choice(self.prepared[self.started % len(self.prepared)])
        self.started += 1
        order = CLIENT_ORDER if rng.random() < plan.client_order_share else PAGE_ORDER
        retry = rng.random() < plan.retry_share
        credential = self.credentials.take()
        begin = time.perf_counter_ns() if due_ns is None else due_ns

        def report(answered: Answered) -> None:
            self._enter(answered, prepared.size, environment)

        onboarding = Onboarding(plan, credential, prepared, self.tls)
        whole = onboarding.run(begin, report, order=order, retry=retry, think=think, may_send=self._may_send)
        self.credentials.give_back(credential)
        if whole is None:
            self.cut_off += 1
            return
        self.recorder.add_whole(begin, time.perf_counter_ns(), self.start_ns, failed=not whole)
        self.recorded += 1

    def _may_send(self, step: Step) -> bool:
        """The hard stops: counted where requests leave, so that none leaves beyond them."""
        plan = self.plan
        if plan.max_requests and self._leaving >= plan.max_requests:
            self.stopped = self.stopped or f"{plan.max_requests} requests were sent"
        elif plan.max_uploads and step.is_upload and self._leaving_uploads >= plan.max_uploads:
            self.stopped = self.stopped or f"{plan.max_uploads} uploads were sent"
        failed = self.unavailable + self.wrong
        if self.requests >= ENOUGH_TO_STOP and failed > plan.max_error_share * self.requests:
            self.stopped = self.stopped or f"{failed} of {self.requests} answers failed"
        if self.stopped:
            self.stopping = True
            return False
        self._leaving += 1
        self._leaving_uploads += step.is_upload
        return True

    def _enter(self, answered: Answered, size: int, environment: Any) -> None:
        step, clocks = answered.step, answered.clocks
        self.requests += 1
        self.uploads += step.is_upload
        self.unavailable += answered.unavailable
        if answered.wrong:
            self.wrong += not answered.unavailable
            if len(self.examples) < MAX_EXAMPLES:
                self.examples.append(f"{step}: {answered.wrong}")
        own_upload = step.is_upload and not answered.retry
        self.recorder.add(answered.name, clocks, self.start_ns, failed=bool(answered.wrong), upload=own_upload)
        if own_upload and not answered.wrong and self.plan.sizes:
            self.by_size.append((size, (clocks.last_byte - clocks.sent) / 1e6))
        environment.events.request.fire(
            request_type="POST",
            name=answered.name,
            response_time=(clocks.last_byte - clocks.due) / 1e6,
            response_length=len(answered.exchange.answer_body) if answered.exchange else 0,
            response=None,
            context={},
            exception=NoAnswer(answered.wrong) if answered.wrong else None,
        )


class ArrivalUser(User):
    """The dispatcher; a worker runs one."""

    fixed_count = 1
    generator: Generator

    @task
    def arrive(self) -> None:
        self.generator.run(self.environment)
        self.environment.runner.quit()
