"""What judging costs the load generator: microseconds of CPU an onboarding (token and four steps), part by part.

    python benchmarks/judging.py [--onboardings N]

The answers are a faithful sandbox's, judged without any network between.
"""

import argparse
import time
from collections.abc import Callable, Sequence

from kycgate.contracts.flows import flow
from kycgate.judging.answers import customer_data
from kycgate.judging.contradictions import Memory
from kycgate.judging.shape import judge_answer
from kycgate.load.plan import LoadPlan
from kycgate.load.verdicts import AnswerJudge
from kycgate.sandbox import TENANT, TENANT_SECRET, SandboxSettings
from kycgate.sandbox.vendor import Incoming, Vendor
from kycgate.specimens.deck import Card, Cards
from kycgate.target.exchange import Clocks, Exchange, Picture
from kycgate.target.requests import body_of, to_json


def record(onboardings: int) -> tuple[list[Card], list[Exchange]]:
    """Cards, and the exchanges of a number of onboardings with a faithful vendor."""
    vendor = Vendor(SandboxSettings(tenants={TENANT: TENANT_SECRET}))
    cards = Cards(1)
    deck = [cards.take() for _ in range(40)]
    exchanges = []

    def send(name: str, path: str, body: bytes, token: str, session: str, picture: Picture | None) -> Exchange:
        headers = {"authorization": f"Bearer {token}"}
        reply = vendor.handle(Incoming("POST", path, headers, body))
        exchange = Exchange(
            0, name, "POST", path, headers, body, session, Clocks(0, 0, 1), reply.status, [*reply.headers.items()],
            reply.body, picture=picture,
        )  # fmt: skip
        exchanges.append(exchange)
        return exchange

    for number in range(onboardings):
        card, session = deck[number % len(deck)], f"s{number}"
        asked = to_json({"tenantId": TENANT, "tenantSecret": TENANT_SECRET})
        send(flow().token.id, flow().token.path, asked, "", session, None)
        token, reading = vendor.mint(600), {}
        for step in flow().steps:
            image = {"front": card.front, "back": card.back}.get(step.shows)
            body = body_of(step, image, reading, card.truth, translation="on", wrapping="lf") or b""
            picture = Picture(card.id, step.shows, len(image)) if image else None
            exchange = send(step, step.path, body, token, session, picture)
            reading = customer_data(exchange) or reading
    return deck, exchanges


def cost(of: Callable[[Exchange], object], exchanges: Sequence[Exchange], onboardings: int) -> float:
    """Microseconds of CPU an onboarding."""
    begun = time.process_time()
    for exchange in exchanges:
        of(exchange)
    return (time.process_time() - begun) / onboardings * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--onboardings", type=int, default=500)
    count = parser.parse_args().onboardings
    deck, exchanges = record(count)
    plan = LoadPlan(base_url="http://127.0.0.1", rate=1, duration_s=1)
    whole, memory = AnswerJudge(plan, deck), Memory("auto")
    for card in deck:
        memory.show(card.id, card.truth)
    uploads = [exchange for exchange in exchanges if exchange.picture is not None]
    print("| part | µs of CPU an onboarding |\n| --- | ---: |")
    print(f"| each answer alone | {cost(lambda e: [*judge_answer(e)], exchanges, count):.0f} |")
    print(f"| across sessions, and against the card | {cost(lambda e: [*memory.judge(e)], uploads, count):.0f} |")
    print(f"| all of it, counted | {cost(whole.judge, exchanges, count):.0f} |")


if __name__ == "__main__":
    main()
