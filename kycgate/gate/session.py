"""One onboarding session against the target, compared at each step with the model of the journey."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from kycgate.contracts.flow import Expected, Step
from kycgate.contracts.flows import flow
from kycgate.errors import CannotJudge
from kycgate.judging.answers import (
    accepted,
    already_registered,
    customer_data,
    is_evidence,
    is_firewall,
    is_undecided,
    success_of,
)
from kycgate.judging.ledger import Observation
from kycgate.judging.order import judge_order, status_words
from kycgate.specimens.deck import Card
from kycgate.specimens.forms import in_form
from kycgate.target.client import Wanted
from kycgate.target.exchange import Exchange, Picture
from kycgate.target.requests import (
    KEEP,
    LEGAL,
    LINES,
    Outcome,
    Variation,
    authorization_of,
    body_of,
    headers_of,
)

REGISTERED = "the card is already registered (10103): bring fresh cards, or another --seed"

LARGE_CAPTURE = 1_000_000
"""Bytes from which a picture may be answered 413: captures begin at a few hundred kB."""


def _cookies_in(exchange: Exchange) -> Iterator[tuple[str, str]]:
    for header, text in exchange.answer_headers:
        name, equals, value = text.partition(";")[0].partition("=")
        if header.lower() == "set-cookie" and equals:
            yield name.strip(), value.strip()


class Interrupted(CannotJudge):
    """A step that had to be accepted was not, so what was to follow cannot be judged; `exchange` has its answer.

    `excused` is true where the contract leaves room for that.
    """

    def __init__(self, reason: str, exchange: Exchange, *, excused: bool = False) -> None:
        super().__init__(reason)
        self.exchange, self.excused = exchange, excused


class Sender(Protocol):
    """What a session needs of the gate."""

    def send(self, wanted: Wanted, judge: Callable[[Exchange], Iterator[Observation]]) -> Exchange: ...

    def show(self, card: Card, session: str) -> None: ...

    def next_form(self, side: str) -> str: ...

    def note_form(self, form: str, exchange: Exchange) -> None: ...

    def suspect(self, clause: str, own: str, exchange: Exchange, came: str) -> None: ...

    def note(self, point: str, choice: str) -> None: ...

    def bill(self) -> None: ...

    def has_newer(self, token: str, since: int = 0) -> bool: ...

    def enter(self, exchange: Exchange, observations: Iterator[Observation]) -> None: ...

    @property
    def translation(self) -> str: ...


@dataclass(slots=True)
class Dress:
    """How a session goes about its legal steps, as phones and networks do: nothing of it may change a verdict.

    With `fresh` each request ends its connection, with `gzip` compressed answers are accepted. The first legal upload
    of a side shows its form of `forms` (`kycgate.specimens.forms`), and with `other_forms` the others show one that no
    session has shown yet. Every second request carries `headers`; with `lower` it has all names of headers in small
    letters, as gateways write them. A phone keeps its `language`.
    """

    fresh: bool = False
    gzip: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    lower: bool = False
    language: str = ""
    forms: dict[str, str] = field(default_factory=dict)
    other_forms: bool = False


@dataclass(frozen=True, slots=True)
class Credential:
    """What goes into the Authorization header; `fixed` keys begin a new flow after a completed one."""

    value: str = field(repr=False)
    scheme: str
    fixed: bool = False

    def header(self) -> str:
        return authorization_of(self.value, self.scheme)


class Session:
    """One token (or fixed key), one card, one journey.

    `do` sends a step, compares the answer with what the contract expects now, and moves the model on.
    """

    def __init__(
        self, sender: Sender, label: str, credential: Credential, card: Card, dress: Dress | None = None
    ) -> None:
        self.label = label
        self.credential = credential
        self.card = card
        self.state = flow().start
        self.reading: dict[str, Any] = {}
        self.completed_once = False
        self.dress = dress or Dress()
        self.because = ""
        """The clause that speaks of the next legal step, where something was done before it that may change nothing."""
        self.registered = False
        """Whether the target said that it knows this card's person."""
        self._sender = sender
        self._calls = 0
        self._refused_since: str | None = None
        """The refusal since the last accepted step, in words."""
        self._attempted: set[Step] = set()
        """Steps that were refused in this flow."""
        self._tries: Counter[Step] = Counter()
        self._excused = False
        """Whether the contract leaves room for the last refusal."""
        self._worked_at = 0
        """When the last request was sent that was not refused for its token (ns)."""
        self._doubtful: list[tuple[Step, Variation, Expected, Exchange]] = []
        """Answers of 401 that were put down to newer tokens; the next answer may tell otherwise."""
        self._cookies: dict[str, str] = {}
        """What the target has set in its answers: a session itself sends none of them."""
        self.unsure: set[Step] = set()
        """Steps without an answer that tells (none, 5xx, 429, a 200 without a verdict): performed or not."""

    def do(
        self,
        step: str,
        variation: Variation = LEGAL,
        *,
        image: bytes | None = None,
        media_type: str | None = None,
        demand: bool = True,
        again: bool = True,
    ) -> Exchange:
        """Send the flow's step of the id `step`, which a `Step` is too, as `variation` says.

        Raises:
            Interrupted: it had to be accepted and was not, and `demand` is true; the breach is in the ledger.
            BudgetExhausted: it was not sent.
            KeyError: the flow has no such step.
        """
        # As this flow has it: a gateway may give it another path.
        step = flow()[step]
        expected = self.expect(step)
        due = variation is LEGAL and image is None and expected is Expected.ACCEPT
        if due and step.is_upload and (form := self._next_form(step.shows)):
            in_form = self._show_in_form(step, form)
            if accepted(in_form):
                return in_form
        picture: Picture | None = None
        body = variation.body
        if step.is_upload and body is None:
            shown = image if image is not None else self.card.image(step.shows)
            body = self._legal_body(step, shown, variation)
            kind = media_type or self.card.media_type
            picture = Picture(self.card.id, step.shows, len(shown), kind, variation.wrapping)
            self._sender.show(self.card, self.label)
        elif body is None:
            body = self._legal_body(step, None, variation)
        if step.is_upload and picture is None and variation.outcome is Outcome.BY_ORDER:
            picture = Picture(self.card.id, step.shows, len(body or b""))
            self._sender.show(self.card, self.label)
        self._calls += 1
        wanted = Wanted(
            endpoint=step,
            method=variation.method,
            path=step.path,
            headers=self._headers(body, variation),
            body=body or b"",
            session=self.label,
            intent=variation.name,
            picture=picture,
            call_in_session=self._calls,
            upload=step.is_upload and picture is not None,
            turn=None if variation.by_chance else self._turn(expected),
            tries=self._tries[step],
            odd=variation.outcome is not Outcome.BY_ORDER,
            own_credential=variation.authorization == KEEP,
        )
        self._tries[step] += step.is_upload and variation.authorization == KEEP and variation.method == "POST"
        self._excused = False
        interrupt: list[str] = []
        exchange = self._sender.send(wanted, lambda answer: self._judge(step, variation, expected, answer, interrupt))
        if step.is_upload and not wanted.upload and accepted(exchange):
            self._sender.bill()
        self._move(step, variation, exchange)
        self._cookies |= dict(_cookies_in(exchange))
        lost = not is_evidence(exchange) and not exchange.may_be_limited
        if again and lost and expected is Expected.REFUSE and variation is LEGAL:
            # A failure is not a refusal: ask once more.
            return self.do(step, image=image, media_type=media_type, demand=demand, again=False)
        if interrupt and demand:
            raise Interrupted(interrupt[0], exchange, excused=self._excused)
        return exchange

    def _next_form(self, side: str) -> str:
        form = self.dress.forms.pop(side, "")
        return form or (self._sender.next_form(side) if self.dress.other_forms else "")

    def _show_in_form(self, step: Step, form: str) -> Exchange:
        """Show the picture in another form: read or refused, as the target likes, but for one that is merely turned."""
        shown = in_form(self.card.image(step.shows), form)
        kind = "image/png" if "PNG" in form else "image/jpeg"
        variation = Variation(f"the card as {form}", Outcome.ANY, by_chance=True)
        exchange = self.do(step, variation, image=shown, media_type=kind, demand=False)
        if not self._excused and not exchange.may_be_limited:
            self._sender.note_form(form, exchange)
        return exchange

    @property
    def cookie(self) -> str:
        """The Cookie header of a client that keeps what it was given; empty where it was given nothing."""
        return "; ".join(f"{name}={value}" for name, value in self._cookies.items())

    def reach(self, step: Step) -> None:
        """Take what must come before `step` and is still missing; each of them must be accepted."""
        for before in flow().steps:
            if before in flow().predecessors(step) and before not in self.state.done:
                self.do(before)

    def finish(self) -> None:
        """Take all steps that are still missing, in the page's order; each of them must be accepted."""
        for step in flow().steps:
            if step not in self.state.done:
                self.do(step)

    def approval(self) -> dict[str, Any]:
        """The legal body of the step that confirms what was read."""
        body = next(step.body for step in flow().steps if step.body is not None)
        return body(self.reading, self.card.truth, self._sender.translation)

    def _legal_body(self, step: Step, image: bytes | None, variation: Variation) -> bytes | None:
        return body_of(
            step, image, self.reading, self.card.truth,
            translation=self._sender.translation, wrapping=variation.wrapping, more=variation.more,
        )  # fmt: skip

    def expect(self, step: Step) -> Expected:
        """What the contract says of `step` now."""
        if self.state.complete and self.credential.fixed and step == flow().first:
            return Expected.OPEN
        return self.state.expect(step)

    def _turn(self, expected: Expected) -> str | None:
        """In words; None where the contract leaves open what state the session is in."""
        if expected is Expected.OPEN:
            return None
        return "in its turn" if expected is Expected.ACCEPT else "closed" if self.state.complete else "out of turn"

    def _headers(self, body: bytes | None, variation: Variation) -> dict[str, str]:
        kept = variation.authorization == KEEP
        headers = headers_of(body, self.credential.header() if kept else variation.authorization)
        if self.dress.fresh:
            headers["Connection"] = "close"
        if self.dress.gzip:
            headers["Accept-Encoding"] = "gzip"
        if self.dress.language:
            headers["Accept-Language"] = self.dress.language
        if self._calls % 2 == 0:
            headers |= self.dress.headers
        for name, value in variation.headers.items():
            if value is None:
                headers.pop(name, None)
            else:
                headers[name] = value
        if self.dress.lower and self._calls % 2 == 0:
            headers = {name.lower(): value for name, value in headers.items()}
        return headers

    def _judge(
        self, step: Step, variation: Variation, expected: Expected, exchange: Exchange, interrupt: list[str]
    ) -> Iterator[Observation]:
        """What the answer says of the promise behind this request."""
        excuse = self._excuse(variation, expected, exchange)
        if excuse:
            self._excused = True
            exchange.excused = excuse
            interrupt.append(excuse)
            if exchange.status == 401:
                self._doubtful.append((step, variation, expected, exchange))
            return
        if variation.authorization == KEEP and (accepted(exchange) or exchange.status == 400):
            # The token lives: no newer one had ended it.
            self._worked_at = exchange.clocks.sent
            doubtful, self._doubtful = self._doubtful, []
            for before in doubtful:
                self._sender.enter(before[-1], self._judge_answer(*before, []))
        yield from self._judge_answer(step, variation, expected, exchange, interrupt)

    def _judge_answer(
        self, step: Step, variation: Variation, expected: Expected, exchange: Exchange, interrupt: list[str]
    ) -> Iterator[Observation]:
        status = exchange.status
        if status is None or status == 429:
            interrupt.append(exchange.why_not if status is None else "the target is rate limited (429)")
            if expected is Expected.ACCEPT or variation.outcome is not Outcome.BY_ORDER:
                # Not judged by this: it is listed under the answer that is missing.
                name = variation.clause or (step.acceptance if variation.outcome is Outcome.BY_ORDER else None)
                yield from (Observation(promised, False) for promised in (name,) if promised)
            return
        came = status_words(exchange)
        judged = self._judge_outcome(step, variation, expected, exchange, came, interrupt)
        if status != 401 or variation.authorization != KEEP:
            yield from judged
            return
        own = step.acceptance
        for seen in judged:
            # Credentials that are good and not known now and then: whatever else was sent, plain steps meet that, too.
            yield seen if seen.ok or seen.plainly or seen.clause == own else replace(seen, plainly=own)

    def _judge_outcome(
        self,
        step: Step,
        variation: Variation,
        expected: Expected,
        exchange: Exchange,
        came: str,
        interrupt: list[str],
    ) -> Iterator[Observation]:
        status = exchange.status
        match variation.outcome:
            case Outcome.UNAUTHORIZED:
                if variation.clause:
                    # Whether a 431 fits the header that was sent the judge of answers says.
                    yield Observation(variation.clause, status in (401, 431), "401", came, "status")
                if accepted(exchange):
                    interrupt.append("a request with wrong credentials was accepted")
            case Outcome.BAD_REQUEST:
                ok = status == 400 or (expected is not Expected.ACCEPT and status == 404)
                if variation.clause:
                    yield Observation(variation.clause, ok, f"400 for {variation.name}", came, "status")
                if accepted(exchange):
                    interrupt.append(f"{variation.name} was accepted")
            case Outcome.UNREADABLE:
                refused = status == 400 or (status == 200 and success_of(exchange) is False)
                ok = refused or status == 413 or (expected is not Expected.ACCEPT and status == 404)
                if variation.clause:
                    required = f"400, or 200 with isSuccess false, for {variation.name}"
                    yield Observation(variation.clause, ok, required, came, "status")
                if accepted(exchange):
                    interrupt.append(f"{variation.name} was accepted")
            case Outcome.BY_ORDER if expected is Expected.ACCEPT:
                yield from self._judge_acceptance(step, variation, exchange, came, interrupt)
            case Outcome.BY_ORDER if expected is Expected.REFUSE:
                if accepted(exchange):
                    interrupt.append(f"{step} was accepted out of its turn")
                yield from judge_order(self.state, step, exchange, self._attempted, self.unsure)
            case _:
                return

    def _excuse(self, variation: Variation, expected: Expected, exchange: Exchange) -> str:
        """Why this refusal is not a breach (vendor-api.md, "Where the sources leave room"), in words."""
        if is_firewall(exchange):
            return "something before the target took the request for an attack (403)"
        if variation.authorization != KEEP or "Cookie" in variation.headers:
            return ""
        if exchange.status == 401 and self._sender.has_newer(self.credential.value, self._worked_at):
            self._sender.note("older-tokens", "an older token ends when newer ones are given out (401)")
            return "the session's token was ended by newer ones (401): the target limits how many are valid at once"
        if exchange.may_be_limited and (expected is not Expected.REFUSE or exchange.status != 400):
            legal = variation.outcome is Outcome.BY_ORDER
            if legal or exchange.status != 400:
                said = f"{exchange.tries} tries of a side, then {exchange.status} until a new session"
                self._sender.note("side-tries", said)
                return f"refused after {said}"
        return ""

    def _judge_acceptance(
        self, step: Step, variation: Variation, exchange: Exchange, came: str, interrupt: list[str]
    ) -> Iterator[Observation]:
        ok = accepted(exchange)
        if not ok:
            interrupt.append(f"{step} was not accepted in its turn: {came}")
            if already_registered(exchange):
                interrupt[-1] = REGISTERED
                return
        if not ok and is_evidence(exchange) and (self.unsure or exchange.resent):
            # Whether the step that got no answer was performed is unknown, and so is whether this refusal is due.
            return
        size = exchange.picture.size if exchange.picture else 0
        if not ok and exchange.status == 413 and variation.clause == "image.full-size" and size >= LARGE_CAPTURE:
            return
        because, self.because = self.because, ""
        own = step.acceptance
        if because and variation is LEGAL and self._refused_since is None:
            if not ok:
                # Decided at the end of the run: a step that plain sessions may not take either is another cause.
                self._sender.suspect(because, own, exchange, came)
                return
            yield Observation(because, True)
        required = "accepted in its turn" if variation.name == "legal" else f"accepted: {variation.name}"
        if step in self.state.done and step.is_upload and (ok or variation.clause is None):
            retry = "accepted: a side uploaded again before its approval"
            yield Observation("order.retry", ok, retry, came, because=own)
        first = variation.clause or own
        # A target that takes unbroken base64 alone refuses whatever else is tried with broken lines, too.
        wrapped = exchange.picture is not None and exchange.picture.wrapping in LINES and first != "image.line-feeds"
        because = "image.line-feeds" if wrapped else ""
        yield Observation(first, ok, required, came, because=because, plainly=own if first != own else "")
        if variation is LEGAL and step == flow().first and self._calls == 1 and not self.credential.fixed:
            # Nothing was ever done with this token, and other tokens' first uploads were accepted.
            stood_in_the_way = exchange.status in (400, 404) and exchange.picture is not None
            if stood_in_the_way and exchange.picture and exchange.picture.wrapping == "none":
                required = "accepted, as nothing was done with this token yet"
                yield Observation("session.own-order", False, required, came, because=first)
        if step.no_body_clause and not exchange.request_body:
            yield Observation(step.no_body_clause, ok, "accepted without a body", came, because=first)
        if self._refused_since is not None or (not ok and step in self._attempted):
            since = self._refused_since or f"{step} before its turn"
            required = f"accepted, as the refusal before it ({since}) changed nothing"
            yield Observation("refusal.changes-nothing", ok, required, came, because=first)

    def _move(self, step: Step, variation: Variation, exchange: Exchange) -> None:
        self.registered = self.registered or already_registered(exchange)
        done = accepted(exchange)
        if not done:
            if not is_evidence(exchange) or is_undecided(exchange) or exchange.resent:
                self.unsure.add(step)
            elif not self._excused:
                self._refused_since = f"{step}, {variation.name}"
                self._attempted.add(step)
            return
        if variation.method != "POST" or variation.outcome is Outcome.UNAUTHORIZED:
            return
        if self.state.complete and step == flow().first:
            self.state = flow().start
        self.state = self.state.after(step, accepted=True)
        self._refused_since = None
        self._attempted.discard(step)
        self.unsure.discard(step)
        if step == flow().first:
            self.reading = customer_data(exchange) or {}
        self.completed_once = self.completed_once or self.state.complete
