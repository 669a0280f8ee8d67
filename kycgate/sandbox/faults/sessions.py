"""Sessions that cross or race, refusals that change something, and answers that tell more than they should."""

import contextlib
import time
import uuid
from collections.abc import Mapping
from typing import Any

from kycgate.contracts.flow import Step
from kycgate.contracts.flows.national_id import APPROVE_BACK, APPROVE_FRONT, NATIONAL_ID, UPLOAD_BACK, UPLOAD_FRONT
from kycgate.sandbox.faults.access import claims_of
from kycgate.sandbox.faults.registry import fault
from kycgate.sandbox.vendor import Incoming, Onboarding, Refused, Reply, Vendor


def _refusal_changes(name: str, sentence: str, step: Step | None, change: Any, *, message: str = "") -> None:
    """A fault whose refusals of a step (of one message) change the session."""

    class Changing(Vendor):
        def perform(self, session: Onboarding, taken: Step, request: Incoming) -> Reply:
            try:
                return super().perform(session, taken, request)
            except Refused as refused:
                if step in (None, taken) and message in refused.message:
                    change(session)
                raise

    Changing.__doc__ = sentence
    fault(name, "refusal.changes-nothing", "state")(Changing)


_refusal_changes("broken-approval-counts", "A refused approval with broken JSON approves.", APPROVE_FRONT,
                 lambda session: session.done.add(APPROVE_FRONT), message="not JSON")  # fmt: skip
_refusal_changes("nameless-approval-counts", "A refused approval without English names approves.", APPROVE_FRONT,
                 lambda session: session.done.add(APPROVE_FRONT), message="mandatory")  # fmt: skip
_refusal_changes("short-number-approves", "An approval refused for its idNumber approves.", APPROVE_FRONT,
                 lambda session: session.done.add(APPROVE_FRONT), message="14 digits")  # fmt: skip
_refusal_changes("impossible-date-approves", "An approval refused for its birthdate approves.", APPROVE_FRONT,
                 lambda session: session.done.add(APPROVE_FRONT), message="dd/MM/yyyy")  # fmt: skip
_refusal_changes("early-last-step-closes", "ApproveBackImage refused for its order closes the session.",
                 APPROVE_BACK, lambda session: session.done.update(NATIONAL_ID.steps))  # fmt: skip
_refusal_changes("early-last-step-forgets-back", "ApproveBackImage refused for its order loses the back.",
                 APPROVE_BACK, lambda session: session.done.discard(UPLOAD_BACK))  # fmt: skip
_refusal_changes("broken-front-resets", "Broken JSON for the front loses the front that was read.", UPLOAD_FRONT,
                 lambda session: session.done.clear(), message="not JSON")  # fmt: skip
_refusal_changes("broken-back-resets", "A back without an image loses the front.", UPLOAD_BACK,
                 lambda session: session.done.discard(UPLOAD_FRONT), message="image is required")  # fmt: skip
_refusal_changes("imageless-front-loses-itself", "A front without an image loses the front that was read before.",
                 UPLOAD_FRONT, lambda session: session.done.discard(UPLOAD_FRONT),
                 message="image is required")  # fmt: skip
_refusal_changes("imageless-back-loses-itself", "A back without an image loses the back that was read before.",
                 UPLOAD_BACK, lambda session: session.done.discard(UPLOAD_BACK),
                 message="image is required")  # fmt: skip
_refusal_changes("broken-approval-resets", "A refused approval loses the front.", APPROVE_FRONT,
                 lambda session: session.done.discard(UPLOAD_FRONT), message="not JSON")  # fmt: skip


@fault("unreadable-front-counts", "refusal.changes-nothing", "state")
class UnreadableFrontCounts(Vendor):
    """An unreadable front counts as shown."""

    def unreadable(self, session: Onboarding, step: Step) -> Reply:
        if step == UPLOAD_FRONT:
            session.done.add(step)
        return super().unreadable(session, step)


@fault("unreadable-back-counts", "refusal.changes-nothing", "state")
class UnreadableBackCounts(Vendor):
    """An unreadable back counts as shown."""

    def unreadable(self, session: Onboarding, step: Step) -> Reply:
        if step == UPLOAD_BACK:
            session.done.add(step)
        return super().unreadable(session, step)


@fault("unreadable-back-loses-front", "refusal.changes-nothing", "state")
class UnreadableBackLosesFront(Vendor):
    """After an unreadable back the front has to be shown again."""

    def unreadable(self, session: Onboarding, step: Step) -> Reply:
        if step == UPLOAD_BACK:
            session.done.discard(UPLOAD_FRONT)
        return super().unreadable(session, step)


@fault("unreadable-back-forgets-approval", "refusal.changes-nothing", "state")
class UnreadableBackForgetsApproval(Vendor):
    """An unreadable back takes the front's approval back."""

    def unreadable(self, session: Onboarding, step: Step) -> Reply:
        if step == UPLOAD_BACK:
            session.done.discard(APPROVE_FRONT)
        return super().unreadable(session, step)


@fault("unauthorized-back-counts", "refusal.changes-nothing", "state")
class UnauthorizedBackCounts(Vendor):
    """A back without credentials is answered 401, and kept for the session that was last let in."""

    _last: Onboarding | None = None

    def authenticate(self, request: Incoming, step: Step) -> Onboarding | None:
        session = super().authenticate(request, step)
        if session is not None:
            self._last = session
        elif self._last is not None and step == UPLOAD_BACK and "authorization" not in request.headers:
            self._last.done.add(step)
        return session


@fault("forged-upload-counts", "refusal.changes-nothing", "state")
class ForgedUploadCounts(Vendor):
    """A front with a forged signature is answered 401, and kept for the session that the token names."""

    def authenticate(self, request: Incoming, step: Step) -> Onboarding | None:
        session = super().authenticate(request, step)
        if session is None and step == UPLOAD_FRONT and len(request.body) > 10_000:
            named = _unverified(request.headers.get("authorization", ""))
            if named:
                self.session_of(named, fixed=False).done.add(step)
        return session


@fault("forged-token-resets", "refusal.changes-nothing", "state")
class ForgedTokenResets(Vendor):
    """A forged signature is answered 401, and ends the session that the token names."""

    def authenticate(self, request: Incoming, step: Step) -> Onboarding | None:
        session = super().authenticate(request, step)
        if session is None:
            named = _unverified(request.headers.get("authorization", ""))
            if named:
                self.session_of(named, fixed=False).done.clear()
        return session


def _unverified(header: str) -> str | None:
    name = claims_of(header).get("jti")
    return None if name is None else str(name)


@fault("unreadable-retry-new-customer", "session.own-customer", "state")
class UnreadableRetryNewCustomer(Vendor):
    """After an unreadable picture the session's customer is another."""

    def unreadable(self, session: Onboarding, step: Step) -> Reply:
        session.customer_id = self.new_customer()
        return super().unreadable(session, step)


@fault("back-retry-new-customer", "session.own-customer", "state")
class BackRetryNewCustomer(Vendor):
    """A back that is shown again belongs to a new customer."""

    def mark(self, session: Onboarding, step: Step) -> None:
        if step == UPLOAD_BACK and step in session.done:
            session.customer_id = self.new_customer()
        super().mark(session, step)


@fault("customers-recycled", "session.own-customer", "state")
class CustomersRecycled(Vendor):
    """Every ninth customer gets the first one's id."""

    def new_customer(self) -> str:
        made = self.__dict__.setdefault("made", [])
        made.append(super().new_customer())
        return str(made[0] if len(made) % 9 == 0 else made[-1])


@fault("race-on-customer", "session.own-customer", "state")
class RaceOnCustomer(Vendor):
    """Of uploads at the same moment all get the last one's customer."""

    def customer_data(self, session: Onboarding, step: Step, fields: Mapping[str, str]) -> dict[str, Any]:
        self.__dict__["current"] = session.customer_id
        time.sleep(0.02)
        data = super().customer_data(session, step, fields)
        data["customerId"] = self.__dict__["current"]
        return data


@fault("race-on-reading", "session.own-customer", "state")
class RaceOnReading(Vendor):
    """Of fronts at the same moment all are read as the last one."""

    def read(self, picture: bytes, step: Step) -> Mapping[str, str] | None:
        found = super().read(picture, step)
        if found is None or step != UPLOAD_FRONT:
            return found
        self.__dict__["seen"] = found
        time.sleep(0.02)
        return self.__dict__["seen"]  # type: ignore[no-any-return]


@fault("race-on-order", "session.own-order", "state")
class RaceOnOrder(Vendor):
    """Of steps at the same moment only one session's is noted."""

    def mark(self, session: Onboarding, step: Step) -> None:
        self.__dict__["marking"] = session
        time.sleep(0.02)
        super().mark(self.__dict__["marking"], step)


@fault("race-on-completion", "order.closed", "state")
class RaceOnCompletion(Vendor):
    """Of one session's last step at the same moment both are performed."""

    def turn(self, session: Onboarding) -> Any:
        return contextlib.nullcontext()

    def demand_order(self, session: Onboarding, step: Step) -> None:
        super().demand_order(session, step)
        if step == APPROVE_BACK:
            time.sleep(0.02)


@fault("completion-is-everyones", "session.own-order", "state")
class CompletionIsEveryones(Vendor):
    """A completed flow completes all that have begun."""

    def mark(self, session: Onboarding, step: Step) -> None:
        super().mark(session, step)
        if step == APPROVE_BACK:
            for other in list(self._sessions.values()):
                if other.done:
                    other.done.update(self.flow.steps)


@fault("approval-is-everyones", "session.own-order", "state")
class ApprovalIsEveryones(Vendor):
    """An approved front approves those of all sessions."""

    def mark(self, session: Onboarding, step: Step) -> None:
        super().mark(session, step)
        if step == APPROVE_FRONT:
            for other in list(self._sessions.values()):
                if UPLOAD_FRONT in other.done:
                    other.done.add(step)


@fault("card-is-session", "session.own-order", "state")
class CardIsSession(Vendor):
    """What was shown of a card counts for every session that shows, or approves, the same card."""

    def read(self, picture: bytes, step: Step) -> Mapping[str, str] | None:
        found = super().read(picture, step)
        if found and step == UPLOAD_FRONT:
            self.__dict__.setdefault("shown", set()).add(found.get("idNumber"))
        return found

    def perform(self, session: Onboarding, step: Step, request: Incoming) -> Reply:
        if step in (UPLOAD_BACK, APPROVE_FRONT) and self.number_in(request, step) in self.__dict__.get("shown", ()):
            session.done.add(UPLOAD_FRONT)
        return super().perform(session, step, request)

    def number_in(self, request: Incoming, step: Step) -> Any:
        with contextlib.suppress(Refused, ValueError, TypeError, LookupError, AttributeError):
            body = self.parse(request.body)
            if step == APPROVE_FRONT:
                return body.get("idNumber") if isinstance(body.get("idNumber"), str) else None
            return (self.read(self.decode(body["image"]), step) or {}).get("idNumberBack")
        return None


@fault("fronts-answered-again", "session.own-order", "state")
class FrontsAnsweredAgain(Vendor):
    """A front that was read for one session is answered so for every other, and taken for none of them."""

    def upload(self, session: Onboarding, step: Step, image: str) -> Reply:
        answers: dict[str, tuple[Onboarding, Reply]] = self.__dict__.setdefault("answers", {})
        owner, answer = answers.get(image, (session, None))
        if step == UPLOAD_FRONT and answer is not None and owner is not session:
            return answer
        reply = super().upload(session, step, image)
        if step == UPLOAD_FRONT and step in session.done:
            answers[image] = session, reply
        return reply


@fault("person-begins-anew", "session.own-order", "state")
class PersonBeginsAnew(Vendor):
    """Who shows a front in a second session loses what was approved in the first one."""

    def upload(self, session: Onboarding, step: Step, image: str) -> Reply:
        reply = super().upload(session, step, image)
        if step == UPLOAD_FRONT and step in session.done:
            for other in list(self._sessions.values()):
                if other is not session and other.front == session.front and APPROVE_BACK not in other.done:
                    other.done.discard(APPROVE_FRONT)
        return reply


@fault("body-names-the-session", "session.own-order", "state")
class BodyNamesTheSession(Vendor):
    """A customerId in the body chooses the session."""

    def perform(self, session: Onboarding, step: Step, request: Incoming) -> Reply:
        for other in list(self._sessions.values()):
            if other is not session and other.customer_id.encode() in request.body:
                return super().perform(other, step, request)
        return super().perform(session, step, request)


@fault("cookie-before-token", "session.own-order", "state")
class CookieBeforeToken(Vendor):
    """A cookie comes with each front, and counts before the token from then on."""

    def perform(self, session: Onboarding, step: Step, request: Incoming) -> Reply:
        known: dict[str, Onboarding] = self.__dict__.setdefault("known", {})
        session = known.get(request.headers.get("cookie", ""), session)
        reply = super().perform(session, step, request)
        if step == UPLOAD_FRONT:
            cookie = f"flow={uuid.uuid4().hex}"
            known[cookie] = session
            reply.headers["Set-Cookie"] = f"{cookie}; Path=/; HttpOnly"
        return reply


@fault("answers-of-a-path-kept", "token.distinct", "state")
class AnswersOfAPathKept(Vendor):
    """What a path has answered well is answered again for a second, whoever asks whatever."""

    def dispatch(self, request: Incoming) -> Reply:
        kept: dict[str, tuple[float, Reply]] = self.__dict__.setdefault("kept", {})
        since, reply = kept.get(request.path, (0.0, None))
        if reply is not None and request.method == "POST" and time.monotonic() - since < 1:
            return reply
        reply = super().dispatch(request)
        if reply.status == 200:
            kept[request.path] = time.monotonic(), reply
        return reply


@fault("user-is-session", "token.own-session", "state")
class UserIsSession(Vendor):
    """All tokens of one user share one session."""

    def issue(self, request: Incoming) -> Reply:
        self.__dict__["user"] = self.parse(request.body).get("userId")
        return super().issue(request)

    def mint(self, life_s: float) -> str:
        token = super().mint(life_s)
        claims = self.claims(token)
        if claims:
            self.__dict__.setdefault("users", {})[claims["jti"]] = self.__dict__.get("user")
        return token

    def session_of(self, name: str, *, fixed: bool) -> Onboarding:
        return super().session_of(self.__dict__.get("users", {}).get(name) or name, fixed=fixed)


@fault("nobodys-device-is-one", "session.own-customer", "state")
class NobodysDeviceIsOne(Vendor):
    """Sessions are kept by deviceId, and all tokens that were asked for without one share one session."""

    def issue(self, request: Incoming) -> Reply:
        self.__dict__["device"] = self.parse(request.body).get("deviceId")
        return super().issue(request)

    def mint(self, life_s: float) -> str:
        token = super().mint(life_s)
        if self.__dict__.get("device") is None:
            self.__dict__.setdefault("shared", set()).add((self.claims(token) or {}).get("jti"))
        return token

    def session_of(self, name: str, *, fixed: bool) -> Onboarding:
        return super().session_of("" if name in self.__dict__.get("shared", ()) else name, fixed=fixed)


@fault("new-request-is-the-last-one", "token.own-session", "state")
class NewRequestIsTheLastOne(Vendor):
    """A requestId that nobody knows goes on with whoever has begun last."""

    def resume(self, request: Any, token: str) -> None:
        claims = self.claims(token)
        if isinstance(request, str) and request and request not in self._requests and claims is not None:
            began = [
                session for session in self._sessions.values() if session.front and APPROVE_BACK not in session.done
            ]
            if began:
                self._sessions[str(claims["jti"])] = self._requests[request] = began[-1]
                return
        super().resume(request, token)


@fault("request-by-its-beginning", "token.own-session", "state")
class RequestByItsBeginning(Vendor):
    """Of a requestId the first eight characters alone are looked at."""

    def resume(self, request: Any, token: str) -> None:
        super().resume(request[:8] if isinstance(request, str) else request, token)


def _first_customer(vendor: Vendor) -> str:
    return next((s.customer_id for s in vendor._sessions.values() if s.done), "")  # noqa: SLF001


def _says(name: str, sentence: str, words: Any, when: Any = lambda request, refused: True) -> None:
    """A fault whose refusals say too much."""

    class Talking(Vendor):
        def refusal(self, request: Incoming, refused: Refused) -> Reply:
            if not when(request, refused):
                return super().refusal(request, refused)
            message = f"{refused.message}: {words(self, request)}"
            return Reply.json(refused.status, {"message": message, "errorCode": refused.code or str(refused.status)})

    Talking.__doc__ = sentence
    fault(name, "refusal.no-leak", "robustness")(Talking)


_says("refusal-shows-token", "A refusal shows the Authorization header.",
      lambda _, request: request.headers.get("authorization", ""),
      lambda _, refused: refused.code == "10010")  # fmt: skip
_says("refusal-shows-secret", "A refused token request shows the secret sent.",
      lambda _, request: request.body.decode("utf-8", "replace"),
      lambda _, refused: refused.code == "10002")  # fmt: skip
_says("refusal-shows-path", "A refusal of broken JSON shows a file's path.",
      lambda *_: "/srv/app/onboarding/reader.py", lambda _, refused: "JSON" in refused.message)  # fmt: skip
_says("refusal-shows-exception", "401 shows an exception's class.",
      lambda *_: "System.InvalidOperationException", lambda _, refused: refused.status == 401)  # fmt: skip
_says("refusal-shows-sql", "A refused approval shows a statement.",
      lambda *_: "UPDATE onboarding SET state = 3 WHERE id = 7", lambda r, _: "ApproveFront" in r.path)  # fmt: skip
_says("refusal-shows-constraint", "A refused order shows the database's constraint.",
      lambda *_: "Violation of PRIMARY KEY constraint 'PK_Step'. Cannot insert duplicate key in object 'dbo.Step'.",
      lambda _, refused: refused.code == "10010")  # fmt: skip
_says("refusal-shows-deadlock", "A refused approval shows the database's deadlock.",
      lambda *_: "Transaction (Process ID 71) was deadlocked on lock resources and chosen as the deadlock victim",
      lambda r, _: "ApproveFront" in r.path)  # fmt: skip
_says("refusal-shows-last-customer", "A refusal of an order shows whose session was busy last.",
      lambda vendor, _: _first_customer(vendor), lambda _, refused: refused.code == "10010")  # fmt: skip


@fault("refusal-header-shows-exception", "refusal.no-leak", "robustness")
class RefusalHeaderShowsException(Vendor):
    """A refused order has an exception's text in a header."""

    def refusal(self, request: Incoming, refused: Refused) -> Reply:
        reply = super().refusal(request, refused)
        if refused.why == "order":
            reply.headers["X-Error-Detail"] = "System.InvalidOperationException: no upload at Flow.Next()"
        return reply


@fault("unreadable-shows-last-person", "refusal.no-leak", "state")
class UnreadableShowsLastPerson(Vendor):
    """The message of a picture that cannot be read names the person that was read last."""

    def read(self, picture: bytes, step: Step) -> Mapping[str, str] | None:
        fields = super().read(picture, step)
        if fields and "fullName" in fields:
            self.__dict__["last_name"] = fields["fullName"]
        return fields

    def unreadable(self, session: Onboarding, step: Step) -> Reply:
        return Reply.json(200, self.result(False, f"no match for {self.__dict__.get('last_name')}", "10001", None))


@fault("header-of-last-customer", "session.own-customer", "state")
class HeaderOfLastCustomer(Vendor):
    """Each answer to an upload has the customer of the one before in a header."""

    def perform(self, session: Onboarding, step: Step, request: Incoming) -> Reply:
        reply = super().perform(session, step, request)
        if step.is_upload:
            reply.headers["X-Customer"] = self.__dict__.get("before", "")
            self.__dict__["before"] = session.customer_id
        return reply


@fault("unreadable-shows-exception", "refusal.no-leak", "robustness")
class UnreadableShowsException(Vendor):
    """An unreadable picture's message is an internal exception's."""

    def unreadable(self, session: Onboarding, step: Step) -> Reply:
        text = "Object reference not set to an instance of an object."
        return Reply.json(200, self.result(False, text, "10001", None))


def _borrows(name: str, sentence: str, side: Step, names: tuple[str, ...], every: int) -> None:
    """A fault that now and then gives some properties of the person before."""

    class Borrows(Vendor):
        def customer_data(self, session: Onboarding, step: Step, fields: Mapping[str, str]) -> dict[str, Any]:
            data = super().customer_data(session, step, fields)
            if step == side:
                before = self.__dict__.get("before", data)
                count = self.__dict__["readings"] = self.__dict__.get("readings", 0) + 1
                if not any(before[key] == data[key] for key in ("idNumber", "idNumberBack") if data[key]):
                    self.__dict__["before"] = dict(data)
                    if count % every == 0:
                        data |= {key: before[key] for key in names}
                self.__dict__.setdefault("before", dict(data))
            return data

    Borrows.__doc__ = sentence
    fault(name, "session.own-customer", "state")(Borrows)


_borrows("state-of-the-one-before", "Now and then state is that of the person read before.", UPLOAD_FRONT,
         ("state",), 2)  # fmt: skip
_borrows("born-as-the-one-before", "Now and then birthdate is that of the person read before.", UPLOAD_FRONT,
         ("birthdate",), 3)  # fmt: skip
_borrows("back-of-the-one-before", "Now and then dates and profession are those of the person read before.",
         UPLOAD_BACK, ("issueDate", "expirationDate", "profession"), 2)  # fmt: skip


def _bound_to(header: str, sentence: str) -> None:
    class Bound(Vendor):
        def perform(self, session: Onboarding, step: Step, request: Incoming) -> Reply:
            sent = next((value for key, value in request.headers.items() if key.lower() == header), "")
            begun = session.__dict__.setdefault(header, sent)
            if session.done and sent != begun:
                session.done.clear()
            return super().perform(session, step, request)

    Bound.__doc__ = sentence
    fault(f"bound-to-its-{header}", "session.any-connection", "state")(Bound)


_bound_to("accept-language", "A session whose language changes is forgotten.")
_bound_to("user-agent", "A session whose app is another version is forgotten.")
_bound_to("x-forwarded-for", "A session whose client a proxy names by another address is forgotten.")
