"""Looks at the set-up before a gate relies on it, within ten requests: one line for each thing looked at."""

import contextlib
import random
import re
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from kycgate.contracts.flows import flow
from kycgate.errors import BudgetExhausted, CannotJudge, NotTheTarget
from kycgate.gate.gate import Gate
from kycgate.gate.session import Credential, Session
from kycgate.settings.profile import Profile, Secrets
from kycgate.target.blame import CLIENT_CERTIFICATE, VALIDITY_CODES, ProxyAway, ProxyRefuses, blame_of
from kycgate.target.exchange import RecordedExchange, header_of
from kycgate.target.requests import Outcome, Variation
from kycgate.target.route import route_of
from kycgate.target.tunnel import dial
from kycgate.text import counted

MAX_REQUESTS = 10
BURST = 4
"""Requests sent one after the other without a pause, to see a rate limit."""
REFUSAL_S = 0.5
EXPIRY_WARNING_DAYS = 21
CLOCK_WARNING_S = 30.0
"""A token that is judged a minute too early or too late is judged wrongly; half of that is worth a word."""
_RATE_HEADER = re.compile(r"rate-?limit", re.IGNORECASE)


class State(StrEnum):
    """Outcome of one check of `doctor`."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Symptom:
    """One line."""

    state: State
    what: str
    said: str

    def __str__(self) -> str:
        return f"{self.state:<8} {self.what}: {self.said}"


def examine(profile: Profile, secrets: Secrets) -> Iterator[Symptom]:
    """The lines, as they are found; at most MAX_REQUESTS requests are sent, a cheap one where it will do."""
    for look in (_address, _connection):
        symptom = look(profile)
        yield symptom
        if symptom.state is State.FAILED:
            return
    limits = profile.limits.model_copy(update={"requests": MAX_REQUESTS, "uploads": MAX_REQUESTS})
    gate = Gate(profile.model_copy(update={"limits": limits}), secrets, seed=random.randrange(2**31))
    try:
        gateway = _gateway(gate)
        if gateway is not None:
            yield gateway
            if gateway.state is State.FAILED:
                return
        yield from _onboarding(gate)
        if gate.redactor.short_words:
            yield Symptom(State.WARNING, "redaction", gate.redactor.short_words)
        yield from _burst(gate)
    finally:
        gate.close()
    yield Symptom(
        State.OK,
        "sent",
        f"{counted(gate.budget.requests_sent, 'request')}, uploads among them: {gate.budget.uploads_sent}",
    )


def _host_and_port(profile: Profile) -> tuple[str, int, bool]:
    parts = urlsplit(profile.base_url or "")
    secure = parts.scheme == "https"
    return parts.hostname or "", parts.port or (443 if secure else 80), secure


def _address(profile: Profile) -> Symptom:
    host, port, _ = _host_and_port(profile)
    proxy = route_of(profile).proxy
    if proxy is not None:
        return Symptom(State.OK, "proxy", f"{proxy.url} stands between; it looks up {host}")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        said = getattr(error, "strerror", None) or str(error)
        return Symptom(State.FAILED, "DNS", f"{host} has no address ({said}): check the base URL and the network")
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if addresses == [host]:
        return Symptom(State.OK, "DNS", f"none is needed, {host} is an address")
    return Symptom(State.OK, "DNS", f"{host} is {', '.join(addresses[:4])}")


def _connection(profile: Profile) -> Symptom:
    """A connection, and where it is https its certificate; no request is sent."""
    host, port, secure = _host_and_port(profile)
    route = route_of(profile)
    began = time.monotonic()
    try:
        with dial(host, port, min(profile.timeout_s, 10.0), route.proxy, tunnel=secure) as plain:
            took = (time.monotonic() - began) * 1e3
            if not secure:
                through = " of the proxy" if route.proxy is not None else ""
                return Symptom(State.OK, "connection", f"port{through} answers in {took:.0f} ms; no TLS (http)")
            with route.tls().wrap_socket(plain, server_hostname=host) as tls:
                _wait_for_refusal(tls)
                return _certificate(tls.getpeercert() or {}, str(tls.version()), took)
    except ProxyAway as error:
        return Symptom(State.FAILED, "proxy", f"it cannot be reached ({error}): check proxy, and that it is up")
    except ProxyRefuses as error:
        advice = "KYCGATE_PROXY_USER and KYCGATE_PROXY_PASSWORD hold its credentials; does it allow this target?"
        return Symptom(State.FAILED, "proxy", f"it refuses ({error}): {advice}")
    except ssl.SSLCertVerificationError as error:
        advice = (
            "the vendor must renew it, or this machine's clock is wrong"
            if error.verify_code in VALIDITY_CODES
            else "ca_file names another CA"
        )
        return Symptom(State.FAILED, "TLS", f"the certificate is not accepted: {error.verify_message}; {advice}")
    except ssl.SSLError as error:
        if blame_of(error) is CLIENT_CERTIFICATE:
            given = route.client_cert is not None
            said = "it refuses our certificate" if given else "it wants a certificate of ours, and none is given"
            advice = "is it expired, or of a CA that the target does not know?" if given else "set client_cert"
            return Symptom(State.FAILED, "TLS", f"{said} ({error.reason}): {advice}")
        return Symptom(State.FAILED, "TLS", f"failed ({error.reason or error}): which versions does it speak?")
    except OSError as error:
        said = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return Symptom(
            State.FAILED, "connection", f"{host}:{port} takes none ({said}): is it up, does a firewall stand between?"
        )


def _gateway(gate: Gate) -> Symptom | None:
    """Whether the gateway in front gives a token; None where there is none."""
    gateway = gate.target.route.gateway
    if gateway is None:
        return None
    try:
        (name,) = gateway.headers()
    except NotTheTarget as error:
        return Symptom(State.FAILED, "gateway", gate.redactor.text(str(error)))
    life = gateway.grant.life_s
    lives = f"that lives {life:.0f} s" if life is not None else "whose life is not said"
    return Symptom(State.OK, "gateway", f"it gives a token {lives}, sent as {name}")


def _wait_for_refusal(tls: ssl.SSLSocket) -> None:
    """With TLS 1.3 a server says after the handshake that it does not take our certificate.

    Raises:
        ssl.SSLError: it says so.
    """
    tls.settimeout(REFUSAL_S)
    with contextlib.suppress(TimeoutError):
        tls.recv(1)


def _certificate(certificate: dict[str, Any], version: str, took_ms: float) -> Symptom:
    if not certificate:
        return Symptom(State.WARNING, "TLS", f"{version}; the certificate is NOT verified (verify_tls = false)")
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)
    days = (ends - datetime.now(UTC)).days
    state = State.WARNING if days < EXPIRY_WARNING_DAYS else State.OK
    return Symptom(
        state, "TLS", f"{version} in {took_ms:.0f} ms; the certificate ends in {days} days ({ends:%Y-%m-%d})"
    )


def _onboarding(gate: Gate) -> Iterator[Symptom]:
    """Credentials and cards, by what a check would send first; then the clock, from the answers."""
    failure: CannotJudge | None = None
    try:
        gate.preflight()
    except CannotJudge as error:
        failure = error
    uploads = [exchange for exchange in gate.recorded if exchange.endpoint == flow().first]
    # A wrong base path answers 404 everywhere, also for tokens.
    nowhere = failure is not None and {exchange.status for exchange in gate.recorded} == {404}
    let_in = any(exchange.status not in (None, 401, 429) for exchange in uploads) and not nowhere
    kind = counted(gate.concurrent_sessions, "fixed key")
    if gate.mints_tokens:
        kind = f"a token {'is minted' if gate.has_tenant else 'comes by credentials.command'} for each session"
    if failure is None:
        written = "Bearer" if gate.scheme == "bearer" else "bare"
        yield Symptom(State.OK, "credentials", f"{kind}; written {written}")
        reads = f"translation is {gate.translation}" if gate.translation != "auto" else "no names were read"
        yield Symptom(State.OK, "specimens", f"a first upload is read; {reads}")
    elif let_in:
        yield Symptom(State.OK, "credentials", kind)
        spent = f"not learned within {MAX_REQUESTS} requests: an earlier flow may stand in the way"
        yield Symptom(State.FAILED, "specimens", spent if isinstance(failure, BudgetExhausted) else str(failure))
    else:
        said = str(failure)
        what = "TLS" if "client certificate" in said else "path" if nowhere else "credentials"
        yield Symptom(State.FAILED, what, said)
        if what != "credentials":
            yield Symptom(State.SKIPPED, "credentials", "not asked for")
        yield Symptom(State.SKIPPED, "specimens", "nothing could be shown")
    yield _clock(gate.recorded)


def _clock(exchanges: Sequence[RecordedExchange]) -> Symptom:
    """How far the target's clock is off, by the Date header of the answer that took least time."""
    offsets: list[tuple[float, float]] = []
    for exchange in exchanges:
        date = header_of(exchange.answer_headers.items(), "Date") or ""
        try:
            theirs = parsedate_to_datetime(date).timestamp()
        except ValueError:
            continue
        middle = datetime.fromisoformat(exchange.at).timestamp() + exchange.clocks.service_ms / 2e3
        # The header counts whole seconds, so half of one lies within it on average.
        offsets.append((exchange.clocks.service_ms, theirs + 0.5 - middle))
    if not offsets:
        return Symptom(State.SKIPPED, "clock", "no answer carries a Date header")
    offset = min(offsets)[1]
    if abs(offset) > CLOCK_WARNING_S:
        where = "ahead of" if offset > 0 else "behind"
        return Symptom(
            State.WARNING, "clock", f"the target's is {abs(offset):.0f} s {where} ours: expiries are judged by it"
        )
    return Symptom(State.OK, "clock", f"within {max(abs(offset), 1):.0f} s of ours")


def _burst(gate: Gate) -> Iterator[Symptom]:
    """Some requests without credentials, which cost nothing, to see whether and when it says slow down."""
    session = Session(gate, "doctor", Credential("", "bare"), gate.cards.take())
    no_credentials = Variation("no Authorization header", Outcome.ANY, authorization=None, by_chance=True)
    count = min(BURST, MAX_REQUESTS - gate.budget.requests_sent)
    began = time.monotonic()
    try:
        for _ in range(count):
            session.do(flow().final, no_credentials)
    except CannotJudge:
        # The target slowed us down until the budget was spent; the answers show it.
        pass
    took = time.monotonic() - began
    throttled = [exchange for exchange in gate.recorded if exchange.status == 429]
    named = sorted(
        {
            f"{name}: {value}"
            for e in gate.recorded
            for name, value in e.answer_headers.items()
            if _RATE_HEADER.search(name)
        }
    )
    headers = f"; {', '.join(named[:4])}" if named else ""
    if throttled:
        asked = header_of(throttled[0].answer_headers.items(), "Retry-After")
        after = "none" if asked is None else asked
        yield Symptom(
            State.WARNING, "rate limit",
            f"429 at request {throttled[0].number}, Retry-After {after}{headers}: set limits.rate in the profile",
        )  # fmt: skip
    elif count > 0:
        rate = f"{count / took:.0f} a second" if took > 0 else "at once"
        yield Symptom(State.OK, "rate limit", f"none seen: {counted(count, 'request')}, {rate}{headers}")
    else:
        yield Symptom(State.SKIPPED, "rate limit", f"no request was left of {MAX_REQUESTS}{headers}")
