"""For those who prefer Locust's own page: `locust -f load/locustfile.py --host URL`.

Credentials come from the environment as for every command. Each user is one person after the other: a session of its
own, the four steps, a pause.
"""

import itertools
import random
import time

from locust import User, between, events, task
from locust.env import Environment

from kycgate.cards import Cards
from kycgate.errors import KycgateError
from kycgate.load.client import Connection, NoAnswer, tls_context
from kycgate.load.journey import Answered, Onboarding, Prepared
from kycgate.load.plan import LoadPlan
from kycgate.load.tokens import mint
from kycgate.profile import Environment as Names
from kycgate.profile import load_secrets

_PREPARED: list[Prepared] = []
_KEYS = itertools.count()


def _prepare(environment: Environment, **_: object) -> None:
    """Draw the cards before anything is timed."""
    if not _PREPARED:
        cards = Cards(seed=random.randrange(2**31))
        _PREPARED.extend(Prepared.of(cards.take()) for _ in range(20))


events.test_start.add_listener(_prepare)  # type: ignore[no-untyped-call]


class Person(User):
    """One person after the other, with pauses between."""

    wait_time = between(0.5, 2.0)

    def on_start(self) -> None:
        try:
            secrets = load_secrets(Names())
        except KycgateError as error:
            self.environment.process_exit_code = int(error.exit_code)
            raise SystemExit(f"kycgate: {error}") from None
        keys = tuple(key.get_secret_value() for key in secrets.api_keys)
        self._plan = LoadPlan(
            base_url=(self.host or "").rstrip("/"),
            rate=1,
            duration_s=1,
            # Each user has one key to itself.
            api_keys=(keys[next(_KEYS) % len(keys)],) if keys else (),
            tenant_id=secrets.tenant_id,
            tenant_secret=secrets.tenant_secret.get_secret_value() if secrets.tenant_secret else None,
        )
        self._tls = tls_context(verify=True, ca_file=None) if self._plan.base_url.startswith("https") else None

    @task
    def onboard(self) -> None:
        plan = self._plan
        try:
            credential = plan.api_keys[0] if plan.api_keys else mint(Connection(plan.base_url, 60, self._tls), plan)[0]
        except NoAnswer as error:
            self._fire("token", 0.0, 0, str(error))
            return
        onboarding = Onboarding(plan, credential, random.choice(_PREPARED), self._tls)
        onboarding.run(time.perf_counter_ns(), self._report)

    def _report(self, answered: Answered) -> None:
        size = len(answered.exchange.answer_body) if answered.exchange else 0
        self._fire(str(answered.step), (answered.clocks.last_byte - answered.clocks.due) / 1e6, size, answered.wrong)

    def _fire(self, name: str, milliseconds: float, size: int, wrong: str) -> None:
        self.environment.events.request.fire(
            request_type="POST",
            name=name,
            response_time=milliseconds,
            response_length=size,
            response=None,
            context={},
            exception=NoAnswer(wrong) if wrong else None,
        )
