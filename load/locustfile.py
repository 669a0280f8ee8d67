"""For those who prefer Locust's own page: `locust -f load/locustfile.py --host URL`, with our percentiles at /kycgate.

Credentials come from the environment as for every command. Each user is one person after the other: a session of its
own, the four steps, a pause. An open arrival rate, and a verdict, are what `kycgate load` is for.
"""

import random
import time
from collections import Counter
from typing import Any

import gevent
from locust import User, between, events, task
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from kycgate.errors import KycgateError
from kycgate.load.client import Connection, NoAnswer, OwnFault
from kycgate.load.journey import Answered, Ended, Onboarding, Prepared, name_of
from kycgate.load.page import Page, listen
from kycgate.load.plan import LoadPlan
from kycgate.load.tokens import ask_for_token, token_by_command, why_no_token
from kycgate.load.verdicts import AnswerJudge
from kycgate.runs.load_model import WHOLE
from kycgate.settings.profile import Secrets, find_profile, load_profile, load_secrets, take_flow_of_call
from kycgate.specimens.deck import Cards
from kycgate.target.route import Route, route_of

_PREPARED: list[Prepared] = []
_PAGES: list[Page] = []
_SECRETS: list[Secrets] = []
_FREE_KEYS: list[str] = []
_JUDGES: list[AnswerJudge] = []
_ROUTES: list[Route] = []
"""One for all users: they share a gateway's token."""
_PROPERTIES: dict[str, object] = {}
"""What the target demands in a request for a token besides the tenant's own, as far as it was learned."""


def _stop(environment: Environment, why: str, code: int) -> None:
    print(f"kycgate: {why}")  # noqa: T201 - one line, where Locust's own go too
    environment.process_exit_code = code
    if environment.runner is not None:
        environment.runner.quit()


def _init(environment: Environment, **_: object) -> None:
    """Look at the credentials and draw the cards before anything is timed."""
    _PAGES.append(Page(environment))
    if isinstance(environment.runner, MasterRunner):
        return
    try:
        take_flow_of_call()
        profile = load_profile(find_profile(None))
        secrets = load_secrets(profile.environment, profile.credentials)
    except KycgateError as error:
        raise SystemExit(f"kycgate: {error}") from None
    if secrets.api_keys and isinstance(environment.runner, WorkerRunner):
        raise SystemExit(
            "kycgate: Locust's workers would share the fixed keys, and each serves one person at a time: take a "
            "tenant, or `kycgate load --processes`, which deals them out"
        )
    _SECRETS.append(secrets)
    _FREE_KEYS.extend(key.get_secret_value() for key in secrets.api_keys)
    cards = Cards(seed=random.randrange(2**31))
    _PREPARED.extend(Prepared.of(cards.take()) for _ in range(20))
    # The loop has not come round meanwhile: its clock, from which Locust sets its run time, would be late.
    gevent.sleep(0)


listen(events.init, _init)


class Person(User):
    """One person after the other, with pauses between."""

    wait_time = between(0.5, 2.0)
    _key = ""
    _sessions = 0

    def on_start(self) -> None:
        secrets = _SECRETS[0]
        if secrets.api_keys:
            if not _FREE_KEYS:
                count = len(secrets.api_keys)
                _stop(self.environment, f"{count} fixed keys serve no more than {count} users: give more keys", 2)
                return
            self._key = _FREE_KEYS.pop()
        try:
            base_url = (self.host or "").rstrip("/")
            if not _ROUTES:
                _ROUTES.append(route_of(load_profile(find_profile(None), base_url=base_url)))
            route = _ROUTES[0]
            self._tls = route.tls() if base_url.startswith("https") else None
        except KycgateError as error:
            _stop(self.environment, str(error), 2)
            return
        self._plan = LoadPlan(
            base_url=base_url,
            route=route,
            rate=1,
            duration_s=1,
            tenant_id=secrets.tenant_id,
            tenant_secret=secrets.tenant_secret.get_secret_value() if secrets.tenant_secret else None,
            token_command=secrets.command,
            token_command_s=secrets.command_timeout_s,
        )
        if not _JUDGES:
            _JUDGES.append(AnswerJudge(self._plan, [prepared.card for prepared in _PREPARED]))

    def on_stop(self) -> None:
        if self._key:
            _FREE_KEYS.append(self._key)

    @task
    def onboard(self) -> None:
        plan, recorder = self._plan, _PAGES[0].recorder
        credential = self._key or self._mint()
        if not credential:
            return

        def begin(step: Any, retry: bool) -> bool:
            recorder.start(name_of(step, retry))
            return True

        session = f"locust-{id(self)}-{self._sessions}"
        self._sessions += 1
        onboarding = Onboarding(plan, credential, random.choice(_PREPARED), self._tls, _JUDGES[0], session)
        due = time.perf_counter_ns()
        recorder.start(WHOLE)
        whole: Counter[str] = Counter()
        try:
            ended = onboarding.run(due, lambda answered: whole.update(self._report(answered)), may_send=begin)
        except OwnFault as error:
            _stop(self.environment, str(error), 3)
            return
        recorder.add_whole(whole, failed=ended is not Ended.WELL)

    def _mint(self) -> str:
        """A token; empty, and told to Locust, when there is none."""
        if self._plan.token_command:
            try:
                return token_by_command(self._plan)
            except OwnFault as error:
                _stop(self.environment, str(error), 3)
                return ""
        connection = Connection(self._plan.base_url, self._plan.timeout_s, self._tls, self._plan.route)
        try:
            minted = ask_for_token(connection, self._plan, _PROPERTIES, lambda exchange: None)
        except OwnFault as error:
            _stop(self.environment, str(error), 3)
            return ""
        _JUDGES[0].judge(minted.exchange)
        connection.close()
        _PROPERTIES.update(minted.properties)
        if minted.token is None:
            self._fire("token", 0.0, 0, why_no_token(minted.exchange))
        return minted.token or ""

    def _report(self, answered: Answered) -> dict[str, int]:
        phases = _PAGES[0].recorder.add(
            answered.name, answered.clocks, failed=answered.breach is not None, unavailable=answered.unavailable
        )
        size = len(answered.exchange.answer_body)
        self._fire(answered.name, (answered.clocks.last_byte - answered.clocks.due) / 1e6, size, answered.kind)
        return phases

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
