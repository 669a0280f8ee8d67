"""One virtual person's onboarding: token, four steps, each answer judged by the judge of the check."""

import json
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass

from kycgate.cards import Card
from kycgate.contracts.endpoints import TOKEN, endpoint
from kycgate.contracts.journey import PAGE_ORDER, Step
from kycgate.exchange import Clocks, Exchange, Picture
from kycgate.judge import accepted, customer_data, judge_answer
from kycgate.load.client import Connection, NoAnswer
from kycgate.load.plan import LoadPlan
from kycgate.requests import CLIENT_HEADERS, approval_of, to_json, upload_body


@dataclass(frozen=True, slots=True)
class Prepared:
    """A card whose bodies are encoded once and shared by all who show it."""

    card: Card
    front: bytes
    back: bytes

    @classmethod
    def of(cls, card: Card) -> "Prepared":
        return cls(card, upload_body(card.front, "lf"), upload_body(card.back, "lf"))


@dataclass(frozen=True, slots=True)
class Answered:
    """One step's end: its clocks, and what was wrong with the answer."""

    step: Step
    clocks: Clocks
    exchange: Exchange | None
    wrong: str
    unavailable: bool


def mint(connection: Connection, plan: LoadPlan) -> str:
    """A token for one session.

    Raises:
        NoAnswer: none came.
    """
    body = to_json({"tenantId": plan.tenant_id, "tenantSecret": plan.tenant_secret, "kycRequestTypeId": "1"})
    headers = {**CLIENT_HEADERS, "Content-Type": "application/json"}
    status, _, answer, _ = connection.post(TOKEN.path, headers, body, time.perf_counter_ns())
    try:
        return str(json.loads(answer)["token"])
    except (ValueError, KeyError, TypeError):
        raise NoAnswer(f"the target gave no token (status {status})") from None


class Onboarding:
    """One session from its due time to its last answer."""

    def __init__(self, plan: LoadPlan, credential: str, prepared: Prepared, tls: ssl.SSLContext | None) -> None:
        self._plan = plan
        self._prepared = prepared
        self._connection = Connection(plan.base_url, plan.timeout_s, tls)
        self._headers = {
            **CLIENT_HEADERS,
            "User-Agent": "kycgate",
            "Authorization": f"Bearer {credential}" if plan.scheme == "bearer" else credential,
        }

    def run(self, due_ns: int, report: Callable[[Answered], None]) -> bool:
        """Take the four steps; the first is due at `due_ns`, each other when the one before has ended."""
        reading: dict[str, object] = {}
        card = self._prepared.card
        try:
            for step in PAGE_ORDER:
                body = b""
                picture = None
                if step.is_upload:
                    side = "front" if step is Step.UPLOAD_FRONT else "back"
                    body = self._prepared.front if side == "front" else self._prepared.back
                    picture = Picture(card.id, side, len(body), wrapping="lf")
                elif step is Step.APPROVE_FRONT:
                    body = to_json(approval_of(reading, card.truth, translation=self._plan.translation))
                answered = self._take(step, body, picture, due_ns)
                report(answered)
                if answered.wrong or answered.exchange is None:
                    return False
                if step is Step.UPLOAD_FRONT:
                    reading = customer_data(answered.exchange) or {}
                due_ns = answered.clocks.last_byte
        finally:
            self._connection.close()
        return True

    def _take(self, step: Step, body: bytes, picture: Picture | None, due_ns: int) -> Answered:
        headers = self._headers | ({"Content-Type": "application/json"} if body else {})
        path = endpoint(step).path
        begun = time.perf_counter_ns()
        try:
            status, answer_headers, answer, clocks = self._connection.post(path, headers, body, due_ns)
        except NoAnswer as error:
            return Answered(step, Clocks(due_ns, begun, time.perf_counter_ns()), None, str(error), unavailable=True)
        exchange = Exchange(
            number=0,
            endpoint=step,
            method="POST",
            path=path,
            request_headers=headers,
            request_body=body,
            session="load",
            clocks=clocks,
            status=status,
            answer_headers=answer_headers,
            answer_body=answer,
            picture=picture,
        )
        if status >= 500:
            return Answered(step, clocks, exchange, f"status {status}", unavailable=True)
        breach = next((seen for seen in judge_answer(exchange) if not seen.ok), None)
        wrong = f"{breach.clause}: {breach.actual}" if breach else ""
        if not wrong and not accepted(exchange):
            wrong = f"not accepted in its turn: status {status}"
        return Answered(step, clocks, exchange, wrong, unavailable=False)
