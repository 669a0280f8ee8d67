"""The way to the target: what stands in a curl line, and when a gateway's token is renewed."""

import ssl
import time
from pathlib import Path

import pytest

from kycgate.errors import NotTheTarget
from kycgate.settings.profile import words_of
from kycgate.target.curl import curl_for
from kycgate.target.exchange import Clocks, Exchange
from kycgate.target.oauth import Gateway, Grant
from kycgate.target.route import Route

GRANT = Grant(token_url="https://login.bank/token", header="X-Gateway", client_id="us", client_secret="secret-word")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("bank-token --for 'a b'", ("bank-token", "--for", "a b")),
        ("a $HOME; rm *", ("a", "$HOME;", "rm", "*")),
        (("bank-token", "a b"), ("bank-token", "a b")),
        ("  ", ()),
        (("",), ()),
        (None, ()),
    ],
)
def test_a_command_is_split_and_never_expanded(command: str | tuple[str, ...] | None, words: tuple[str, ...]) -> None:
    assert words_of(command) == words


def test_the_curl_line_carries_the_gateways_token_by_name() -> None:
    headers = {"Authorization": "Bearer the-session", "x-gateway": "Bearer the-gateway"}
    exchange = Exchange(1, "approve_back", "POST", "/a", headers, b"", "s1", Clocks(0, 0, 0))
    line = curl_for(exchange, Route(grant=GRANT, client_cert=Path("ours.p12")))
    assert '-H "x-gateway: Bearer $KYCGATE_GATEWAY_TOKEN"' in line
    assert "--cert ours.p12 --cert-type P12" in line
    assert "the-gateway" not in line
    assert "the-session" not in line


class Issues(Gateway):
    """Gives t1, t2, …, of one life, until it breaks down."""

    def __init__(self, life_s: float | None) -> None:
        super().__init__(GRANT, ssl.create_default_context)
        self.life_s, self.asked, self.broken = life_s, 0, False

    def _ask(self) -> tuple[str, float | None]:
        self.asked += 1
        if self.broken:
            raise NotTheTarget("it is down", "no token")
        return f"t{self.asked}", self.life_s


def aged(gateway: Gateway, left_s: float) -> None:
    """As if so much of the token's life were left."""
    gateway._grant = gateway.grant.model_copy(update={"until": time.monotonic() + left_s})


@pytest.mark.parametrize(("left_s", "asked", "ahead"), [(90.0, 1, 1), (40.0, 1, 2), (20.0, 2, 2), (-1.0, 2, 2)])
def test_a_token_of_a_hundred_seconds_is_renewed_at_its_end(left_s: float, asked: int, ahead: int) -> None:
    """A request asks for a new one when a quarter is left; who looks ahead, when a half is."""
    for count, look in ((asked, Gateway.headers), (ahead, Gateway.keep_fresh)):
        gateway = Issues(100.0)
        gateway.headers()
        aged(gateway, left_s)
        look(gateway)
        assert gateway.asked == count
        assert gateway.headers() == {"X-Gateway": f"Bearer t{count}"}


def test_a_token_without_an_expiry_serves_for_good() -> None:
    gateway = Issues(None)
    assert [gateway.headers(), gateway.headers()] == [{"X-Gateway": "Bearer t1"}] * 2
    assert gateway.asked == 1


def test_a_renewal_that_fails_is_no_failure_while_the_old_token_lives() -> None:
    """It is not asked for with each request either."""
    gateway = Issues(100.0)
    gateway.headers()
    gateway.broken = True
    aged(gateway, 10.0)
    assert gateway.headers() == gateway.headers() == {"X-Gateway": "Bearer t1"}
    assert gateway.asked == 2
    aged(gateway, -1.0)
    with pytest.raises(NotTheTarget):
        gateway.headers()


def test_earlier_tokens_stay_secret_and_another_process_gets_the_one_that_is_held() -> None:
    route = Route(grant=GRANT)
    gateway = Issues(100.0)
    route._gateway = gateway
    gateway.headers()
    aged(gateway, 1.0)
    gateway.headers()
    assert {"t1", "t2", "secret-word"} <= set(route.secrets().values())
    other = Route.model_validate_json(route.shared().model_dump_json())
    assert other.gateway is not None
    assert other.gateway.headers() == {"X-Gateway": "Bearer t2"}
    assert "secret-word" not in repr(other)
