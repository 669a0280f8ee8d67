"""Orders that are not kept, or kept too strictly, and refusals of steps out of order in the wrong form."""

from kycgate.contracts.flow import Step
from kycgate.contracts.flows.national_id import APPROVE_BACK, APPROVE_FRONT, UPLOAD_BACK, UPLOAD_FRONT
from kycgate.sandbox.faults.registry import fault
from kycgate.sandbox.vendor import Incoming, Onboarding, Refused, Reply, Vendor


def _refuses(name: str, clause: str, sentence: str, when: object) -> None:
    """A fault that refuses a legal step in some state."""

    class Strict(Vendor):
        def order_allows(self, session: Onboarding, step: Step) -> bool:
            return not when(session, step) and super().order_allows(session, step)  # type: ignore[operator]

    Strict.__doc__ = sentence
    fault(name, clause, "order")(Strict)


_refuses(
    "page-order-refused", "order.page", "Once the back is shown the front cannot be approved.",
    lambda session, step: step == APPROVE_FRONT and UPLOAD_BACK in session.done,
)  # fmt: skip
_refuses(
    "client-order-refused", "order.client", "Once the front is approved the back cannot be shown.",
    lambda session, step: step == UPLOAD_BACK and APPROVE_FRONT in session.done,
)  # fmt: skip
_refuses(
    "no-back-retry", "order.retry", "The back cannot be shown twice.",
    lambda session, step: step == UPLOAD_BACK and step in session.done,
)  # fmt: skip
_refuses(
    "no-back-retry-once-approved", "order.retry", "Once the front is approved the back cannot be shown a second time.",
    lambda session, step: step == UPLOAD_BACK and step in session.done and APPROVE_FRONT in session.done,
)  # fmt: skip
_refuses(
    "no-front-retry-after-back", "order.retry", "The front cannot be shown again once the back was.",
    lambda session, step: step == UPLOAD_FRONT
    and UPLOAD_BACK in session.done
    and APPROVE_FRONT not in session.done,
)  # fmt: skip
_refuses(
    "eighth-call-refused", "order.retry", "A session takes uploads in its first three calls alone.",
    lambda session, step: step.is_upload and session.calls > 3 and step in session.done,
)  # fmt: skip


def _reopens(name: str, sentence: str, *steps: Step) -> None:
    """A fault that takes some steps after the flow is complete."""

    class Open(Vendor):
        def order_allows(self, session: Onboarding, step: Step) -> bool:
            return (APPROVE_BACK in session.done and step in steps) or super().order_allows(session, step)

    Open.__doc__ = sentence
    fault(name, "order.closed", "order")(Open)


_reopens("last-step-again", "ApproveBackImage is accepted again after the flow is complete.", APPROVE_BACK)
_reopens("back-after-completion", "The back is accepted after the flow is complete.", UPLOAD_BACK)
_reopens("approval-after-completion", "The front is approved again after the flow is complete.", APPROVE_FRONT)


def _answers(name: str, clause: str, sentence: str, status: int, *steps: Step, completed: bool = False) -> None:
    """A fault that refuses steps out of order with some status."""

    class Odd(Vendor):
        def demand_order(self, session: Onboarding, step: Step) -> None:
            try:
                super().demand_order(session, step)
            except Refused as refused:
                if step in (steps or self.flow.steps) and (not completed or APPROVE_BACK in session.done):
                    raise Refused(status, refused.message, refused.code) from None
                raise

    Odd.__doc__ = sentence
    fault(name, clause, "order")(Odd)


_answers("order-is-401", "refusal.order-status", "ApproveFrontImage out of order is a 401.", 401, APPROVE_FRONT)
_answers("order-is-422", "refusal.order-status", "UploadBackImage out of order is a 422.", 422, UPLOAD_BACK)
_answers("order-is-500", "status.no-5xx", "ApproveBackImage out of order is a 500.", 500, APPROVE_BACK)
_answers("closed-is-403", "refusal.order-status", "A step after completion is a 403.", 403, completed=True)
_answers("closed-is-500", "status.no-5xx", "A step after completion is a 500.", 500, completed=True)


@fault("order-is-200-false", "refusal.order-status", "order")
class OrderIs200False(Vendor):
    """ApproveBackImage out of order is a 200 whose body is false."""

    def refusal(self, request: Incoming, refused: Refused) -> Reply:
        of_the_last = request.path.endswith(APPROVE_BACK.path.rpartition("/")[2])
        return Reply.json(200, False) if of_the_last and refused.why == "order" else super().refusal(request, refused)


@fault("skips-to-the-end", "order.approve-back-after-upload-back", "order")
class SkipsToTheEnd(Vendor):
    """An approved front is enough for ApproveBackImage."""

    def order_allows(self, session: Onboarding, step: Step) -> bool:
        if step == APPROVE_BACK and session.done == {UPLOAD_FRONT, APPROVE_FRONT}:
            return True
        return super().order_allows(session, step)


@fault("uploads-are-approvals", "order.approve-back-after-approve-front", "order")
class UploadsAreApprovals(Vendor):
    """The front counts as approved once the back is read."""

    def mark(self, session: Onboarding, step: Step) -> None:
        super().mark(session, step)
        if step == UPLOAD_BACK:
            session.done.add(APPROVE_FRONT)


def _approved_by_repeating(name: str, sentence: str, side: Step) -> None:
    class Approves(Vendor):
        def mark(self, session: Onboarding, step: Step) -> None:
            again = step == side and step in session.done
            super().mark(session, step)
            if again:
                session.done.add(APPROVE_FRONT)

    Approves.__doc__ = sentence
    fault(name, "order.approve-back-after-approve-front", "order")(Approves)


_approved_by_repeating("front-twice-is-approved", "A front that is shown again counts as approved.", UPLOAD_FRONT)
_approved_by_repeating("back-twice-is-approved", "A back that is shown again approves the front.", UPLOAD_BACK)
