"""The open workload as a Locust user: one dispatcher that starts each onboarding when it is due."""

import random
import ssl
import time
from collections import deque
from typing import Any

import gevent
import gevent.pool
from locust import User, task

from kycgate.cards import Cards
from kycgate.load.client import Connection, NoAnswer, tls_context
from kycgate.load.clocks import Recorder
from kycgate.load.journey import Answered, Onboarding, Prepared, mint
from kycgate.load.pacing import arrivals
from kycgate.load.plan import LoadPlan

MAX_CARDS = 40
MAX_EXAMPLES = 5
MAX_RUNNING = 5_000


class Generator:
    """Everything one worker needs and counts."""

    def __init__(self, plan: LoadPlan) -> None:
        self.plan = plan
        self.recorder = Recorder()
        self.due = list(arrivals(plan.rate, plan.duration_s, poisson=plan.poisson, seed=plan.seed))
        cards = Cards(plan.seed, plan.specimens)
        self.prepared = [Prepared.of(cards.take()) for _ in range(min(MAX_CARDS, len(self.due)))]
        self.tls: ssl.SSLContext | None = (
            tls_context(verify=plan.verify_tls, ca_file=str(plan.ca_file) if plan.ca_file else None)
            if plan.base_url.startswith("https")
            else None
        )
        self.tokens: deque[str] = deque()
        self.requests = self.uploads = self.unavailable = self.wrong = 0
        self.recorded = self.started = 0
        self.examples: list[str] = []
        self.slips: list[float] = []
        self.start_ns = 0
        self.start_wall = 0.0
        self.stopping = False

    def mint_ahead(self) -> None:
        """One token for each onboarding, outside the timed part.

        Raises:
            NoAnswer: the target gives none.
        """
        if self.plan.tenant_id is None:
            self.tokens.extend(self.plan.api_keys)
            return
        left = deque(range(len(self.due)))

        def some() -> None:
            connection = Connection(self.plan.base_url, self.plan.timeout_s, self.tls)
            while left:
                left.pop()
                self.tokens.append(mint(connection, self.plan))
            connection.close()

        minting = [gevent.spawn(some) for _ in range(8)]
        gevent.joinall(minting, raise_error=True)

    def run(self, environment: Any) -> None:
        """Start each onboarding when it is due; wait for the last."""
        pool = gevent.pool.Pool(MAX_RUNNING)
        rng = random.Random(self.plan.seed)
        self.start_wall = time.time()
        self.start_ns = time.perf_counter_ns()
        for offset in self.due:
            due_ns = self.start_ns + int(offset * 1e9)
            wait = (due_ns - time.perf_counter_ns()) / 1e9
            if wait > 0:
                gevent.sleep(wait)
            if self.stopping:
                break
            self.slips.append((time.perf_counter_ns() - due_ns) / 1e6)
            self.started += 1
            pool.spawn(self._onboard, due_ns, rng.choice(self.prepared), environment)
        pool.join(timeout=self.plan.timeout_s * 4 if not self.stopping else 5)

    def _onboard(self, due_ns: int, prepared: Prepared, environment: Any) -> None:
        fixed = self.plan.tenant_id is None
        while not self.tokens and fixed:
            # All fixed keys are busy; the wait is part of the response time.
            gevent.sleep(0.005)
        credential = self.tokens.popleft()

        def report(answered: Answered) -> None:
            self._enter(answered, environment)

        whole = Onboarding(self.plan, credential, prepared, self.tls).run(due_ns, report)
        self.recorder.add_whole(due_ns, time.perf_counter_ns(), self.start_ns, failed=not whole)
        self.recorded += 1
        if fixed:
            self.tokens.append(credential)

    def _enter(self, answered: Answered, environment: Any) -> None:
        step, clocks = answered.step, answered.clocks
        self.requests += 1
        self.uploads += step.is_upload
        self.unavailable += answered.unavailable
        if answered.wrong:
            self.wrong += not answered.unavailable
            if len(self.examples) < MAX_EXAMPLES:
                self.examples.append(f"{step}: {answered.wrong}")
        self.recorder.add(step, clocks, self.start_ns, failed=bool(answered.wrong), upload=step.is_upload)
        environment.events.request.fire(
            request_type="POST",
            name=str(step),
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
