"""Faults that only a load meets with: they begin at a concurrency, a rate, an age of the process, or by chance.

A check sees nothing of them: `kycgate prove` lets a load of some seconds meet each.
"""

import contextlib
import gzip
import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

from kycgate.contracts.flow import Step
from kycgate.contracts.flows.national_id import APPROVE_BACK, APPROVE_FRONT, TOKEN
from kycgate.sandbox.faults.registry import Fault
from kycgate.sandbox.settings import SandboxSettings
from kycgate.sandbox.vendor import Incoming, Onboarding, Reply, Vendor

STEADY = "steady"
"""What a fault breaks that no clause speaks of: response times that stay as they are."""
LOAD_FAULTS: dict[str, Fault] = {}

AT_ONCE, PER_SECOND, AGE_S, EVERY = 2, 20, 1.5, 40
"""Where faults begin: requests at once, uploads in a second, seconds since the first request, one answer in EVERY."""
CLIMB_S = 0.004
READING_S = 0.06
"""Reading takes some time, so that requests are under way side by side."""


def load_fault(name: str, breaks: str) -> Callable[[type[Vendor]], type[Vendor]]:
    """Enter a subclass of Vendor; `breaks` is a clause, or `STEADY`."""

    def enter(vendor: type[Vendor]) -> type[Vendor]:
        LOAD_FAULTS[name] = Fault(name, breaks, "load", (vendor.__doc__ or "").strip(), vendor)
        return vendor

    return enter


class _Counting(Vendor):
    """Counts what a fault under load may hang on."""

    def __init__(self, settings: SandboxSettings) -> None:
        super().__init__(settings)
        self._count = threading.Lock()
        self._busy = self._uploaded = self._tokens = 0
        self._began = 0.0
        self.kept: dict[str, Reply] = {}
        """By path: an earlier answer."""
        self._recent: deque[float] = deque(maxlen=PER_SECOND)

    def handle(self, request: Incoming) -> Reply:
        upload = "Upload" in request.path
        with self._count:
            self._began = self._began or time.monotonic()
            self._uploaded += upload
            self._tokens += request.path == TOKEN.path
            if upload:
                self._recent.append(time.monotonic())
        with self._under_way():
            if upload:
                time.sleep(READING_S)
            reply = super().handle(request)
            return self.spoiled(request, reply) if upload and reply.status == 200 else self.other(request, reply)

    @contextlib.contextmanager
    def _under_way(self) -> Iterator[None]:
        with self._count:
            self._busy += 1
        try:
            yield
        finally:
            with self._count:
                self._busy -= 1

    def spoiled(self, request: Incoming, reply: Reply) -> Reply:
        """An upload's right answer, as the fault has it."""
        return reply

    def other(self, request: Incoming, reply: Reply) -> Reply:
        """Any other answer, as the fault has it."""
        return reply

    @property
    def age_s(self) -> float:
        return time.monotonic() - self._began

    @property
    def per_second(self) -> int:
        """Uploads within the last second, as far as they are counted."""
        now = time.monotonic()
        with self._count:
            return sum(now - moment < 1 for moment in self._recent)


_BROKEN = {"message": "Internal server error", "errorCode": "500"}


@load_fault("share-500", "status.no-5xx")
class Share500(_Counting):
    """One upload in forty is answered 500."""

    def spoiled(self, request: Incoming, reply: Reply) -> Reply:
        return Reply.json(500, _BROKEN) if self._uploaded % EVERY == 0 else reply


@load_fault("concurrent-503", "status.no-5xx")
class Concurrent503(_Counting):
    """With more than a few requests at once uploads are answered 503."""

    def spoiled(self, request: Incoming, reply: Reply) -> Reply:
        return Reply.json(503, _BROKEN) if self._busy > AT_ONCE else reply


@load_fault("rate-500", "status.no-5xx")
class Rate500(_Counting):
    """Above a rate uploads are answered 500."""

    def spoiled(self, request: Incoming, reply: Reply) -> Reply:
        return Reply.json(500, _BROKEN) if self.per_second >= PER_SECOND else reply


@load_fault("age-500", "status.no-5xx")
class Age500(_Counting):
    """Some time after the first request approvals are answered 500."""

    def other(self, request: Incoming, reply: Reply) -> Reply:
        return Reply.json(500, _BROKEN) if "Approve" in request.path and self.age_s > AGE_S else reply


@load_fault("concurrent-crossed", "session.own-customer")
class ConcurrentCrossed(_Counting):
    """With more than a few requests at once an upload is answered with the last other session's customer."""

    def spoiled(self, request: Incoming, reply: Reply) -> Reply:
        if self._busy > AT_ONCE and request.path in self.kept:
            return self.kept[request.path]
        self.kept[request.path] = reply
        return reply


@load_fault("one-customer", "session.own-customer")
class OneCustomer(_Counting):
    """From the tenth upload on every session has one and the same customer and person."""

    def spoiled(self, request: Incoming, reply: Reply) -> Reply:
        return reply if self._uploaded < 10 else self.kept.setdefault(request.path, reply)


@load_fault("share-numbered-customer", "result.customer-id")
class ShareNumberedCustomer(_Counting):
    """One upload in forty gives its customerId as a number."""

    def spoiled(self, request: Incoming, reply: Reply) -> Reply:
        if self._uploaded % EVERY:
            return reply
        result = json.loads(reply.body)
        result["customerData"]["customerId"] = 7
        return Reply(reply.status, Reply.json(200, result).body, reply.headers)


@load_fault("bad-token", "status.no-5xx")
class BadToken(_Counting):
    """The first and the seventh request for a token are answered 500."""

    def other(self, request: Incoming, reply: Reply) -> Reply:
        return Reply.json(500, _BROKEN) if request.path == TOKEN.path and self._tokens in (1, 7) else reply


@load_fault("tokens-shared", "token.distinct")
class TokensShared(_Counting):
    """Each fifth request for a token is answered with the token of the one before."""

    def other(self, request: Incoming, reply: Reply) -> Reply:
        if request.path != TOKEN.path or reply.status != 200:
            return reply
        if self._tokens % 5 == 0 and request.path in self.kept:
            return self.kept[request.path]
        self.kept[request.path] = reply
        return reply


@load_fault("share-cut-json", "body.json")
class ShareCutJson(_Counting):
    """One upload in forty is answered with half of its JSON, in a whole HTTP answer."""

    def spoiled(self, request: Incoming, reply: Reply) -> Reply:
        if self._uploaded % EVERY:
            return reply
        return Reply(reply.status, reply.body[: len(reply.body) // 2], reply.headers)


@load_fault("age-approve-false", "approve.true")
class AgeApproveFalse(_Counting):
    """Some time after the first request ApproveBackImage is answered false."""

    def other(self, request: Incoming, reply: Reply) -> Reply:
        late = request.path == APPROVE_BACK.path and self.age_s > AGE_S
        return Reply.json(200, False) if late and reply.status == 200 else reply


@load_fault("concurrent-question-marks", "reading.letters")
class ConcurrentQuestionMarks(_Counting):
    """With more than a few requests at once a front's full name is question marks."""

    def spoiled(self, request: Incoming, reply: Reply) -> Reply:
        result = json.loads(reply.body)
        data = result.get("customerData") or {}
        if self._busy <= AT_ONCE or not data.get("fullName"):
            return reply
        data["fullName"] = "?" * len(data["fullName"])
        return Reply(reply.status, Reply.json(200, result).body, reply.headers)


@load_fault("age-approval-early", "order.approve-front-after-upload-front")
class AgeApprovalEarly(_Counting):
    """Some time after the first request the front is approved though none was shown."""

    def order_allows(self, session: Onboarding, step: Step) -> bool:
        early = step == APPROVE_FRONT and not session.done and self.age_s > AGE_S
        return early or super().order_allows(session, step)


@load_fault("age-approval-without-back", "order.approve-back-after-upload-back")
class AgeApprovalWithoutBack(_Counting):
    """Some time after the first request the back is approved once the front is, though none was shown."""

    def order_allows(self, session: Onboarding, step: Step) -> bool:
        early = step == APPROVE_BACK and APPROVE_FRONT in session.done and self.age_s > AGE_S
        return (early and APPROVE_BACK not in session.done) or super().order_allows(session, step)


@load_fault("rate-gzip-cut-short", "answer.compressed")
class RateGzipCutShort(_Counting):
    """Above a rate a compressed answer lacks its end."""

    def spoiled(self, request: Incoming, reply: Reply) -> Reply:
        asked = any(name.lower() == "accept-encoding" and "gzip" in value for name, value in request.headers.items())
        if not asked or self.per_second < PER_SECOND:
            return reply
        return Reply(reply.status, gzip.compress(reply.body)[:-20], {**reply.headers, "Content-Encoding": "gzip"})


@load_fault("climb", STEADY)
class Climb(_Counting):
    """Each upload takes 4 ms longer than the one before."""

    def spoiled(self, request: Incoming, reply: Reply) -> Reply:
        time.sleep(min(self._uploaded * CLIMB_S, 5.0))
        return reply
