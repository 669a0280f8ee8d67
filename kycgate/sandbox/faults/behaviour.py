"""Credentials, order, sessions and refusals that go wrong."""

import contextlib
import time
from collections.abc import Mapping
from typing import Any

import jwt

from kycgate.contracts.flow import Step
from kycgate.contracts.flows import flow
from kycgate.contracts.flows.national_id import APPROVE_BACK, APPROVE_FRONT, UPLOAD_BACK, UPLOAD_FRONT
from kycgate.sandbox.faults.registry import fault
from kycgate.sandbox.vendor import Incoming, Onboarding, Refused, Reply, Vendor


@fault("signature-unchecked", "auth.unknown", "auth")
class SignatureUnchecked(Vendor):
    """Tokens are believed without their signature."""

    def claims(self, token: str) -> dict[str, Any] | None:
        try:
            return jwt.decode(token, options={"verify_signature": False})
        except (jwt.InvalidTokenError, UnicodeError, ValueError):
            return None


@fault("expired-accepted", "auth.expired", "auth")
class ExpiredAccepted(Vendor):
    """Expired tokens work."""

    def claims(self, token: str) -> dict[str, Any] | None:
        try:
            return jwt.decode(token, self._key, algorithms=["HS256"], options={"verify_exp": False})
        except (jwt.InvalidTokenError, UnicodeError, ValueError):
            return None


@fault("missing-is-403", "auth.missing", "auth")
class MissingIs403(Vendor):
    """Without credentials the answer is 403."""

    def authenticate(self, request: Incoming, step: Step) -> Onboarding | None:
        if not request.headers.get("authorization"):
            raise Refused(403, "Forbidden")
        return super().authenticate(request, step)


@fault("basic-accepted-on-last-step", "auth.malformed", "auth")
class BasicAccepted(Vendor):
    """ApproveBackImage answers 400 to malformed credentials."""

    def authenticate(self, request: Incoming, step: Step) -> Onboarding | None:
        session = super().authenticate(request, step)
        if session is None and step == APPROVE_BACK and request.headers.get("authorization"):
            raise Refused(400, "Authorization is malformed")
        return session


@fault("body-before-credentials", "auth.before-body", "auth")
class BodyBeforeCredentials(Vendor):
    """The body is judged before the credentials."""

    def authenticate(self, request: Incoming, step: Step) -> Onboarding | None:
        if step != APPROVE_BACK:
            self.parse(request.body)
        return super().authenticate(request, step)


def _without(first: Step, then: Step) -> type[Vendor]:
    """A vendor that does not enforce one edge of the order."""

    class Loose(Vendor):
        def order_allows(self, session: Onboarding, step: Step) -> bool:
            if step is then and APPROVE_BACK not in session.done:
                return flow().predecessors(step) - {first} <= session.done | (
                    flow().predecessors(first) if first not in session.done else set()
                )
            return super().order_allows(session, step)

    Loose.__doc__ = f"{then} does not wait for {first}."
    return Loose


for _first, _then, _clause in (
    (UPLOAD_FRONT, UPLOAD_BACK, "order.upload-back-after-upload-front"),
    (UPLOAD_FRONT, APPROVE_FRONT, "order.approve-front-after-upload-front"),
    (UPLOAD_BACK, APPROVE_BACK, "order.approve-back-after-upload-back"),
    (APPROVE_FRONT, APPROVE_BACK, "order.approve-back-after-approve-front"),
):
    fault(f"loose-{_first}-{_then}".replace("_", "-"), _clause, "order")(_without(_first, _then))


@fault("never-closed", "order.closed", "order")
class NeverClosed(Vendor):
    """A completed flow begins again with UploadFront, whatever the credentials."""

    def order_allows(self, session: Onboarding, step: Step) -> bool:
        if APPROVE_BACK in session.done and step == UPLOAD_FRONT:
            return True
        return super().order_allows(session, step)


@fault("order-is-409", "refusal.order-status", "order")
class OrderIs409(Vendor):
    """A step out of order is a 409."""

    def demand_order(self, session: Onboarding, step: Step) -> None:
        try:
            super().demand_order(session, step)
        except Refused as refused:
            raise Refused(409, refused.message, refused.code) from None


@fault("no-retry", "order.retry", "order")
class NoRetry(Vendor):
    """A side cannot be uploaded twice."""

    def order_allows(self, session: Onboarding, step: Step) -> bool:
        return not (step.is_upload and step in session.done) and super().order_allows(session, step)


@fault("unwrapped-base64-only", "image.line-feeds", "robustness")
class UnwrappedOnly(Vendor):
    """Base64 with line feeds is refused."""

    def decode(self, image: str) -> bytes:
        if "\n" in image and "\r" not in image:
            raise ValueError("line feeds")
        return super().decode(image)


@fault("unknown-properties-refused", "request.unknown-properties", "robustness")
class UnknownRefused(Vendor):
    """An unknown property of an upload is a 400."""

    def judge_upload(self, body: dict[str, Any]) -> str:
        if set(body) - {"image"}:
            raise Refused(400, "Unknown property")
        return super().judge_upload(body)


@fault("large-is-500", "image.full-size", "robustness")
class LargeIs500(Vendor):
    """Pictures over 3 MB are refused as unreadable."""

    def read(self, picture: bytes, step: Step) -> Mapping[str, str] | None:
        return None if len(picture) > 3_000_000 else super().read(picture, step)


@fault("approval-answered-500", "status.no-5xx", "robustness")
class ApprovalAnswered500(Vendor):
    """A session's last approval is performed, and answered 500."""

    def handle(self, request: Incoming) -> Reply:
        reply = super().handle(request)
        performed = request.path == APPROVE_BACK.path and reply.status == 200
        return Reply.json(500, {"message": "Internal error", "errorCode": "500"}) if performed else reply


@fault("one-in-fifteen", "status.no-5xx", "robustness")
class OneInFifteen(Vendor):
    """Every fifteenth upload is a 500."""

    def upload(self, session: Onboarding, step: Step, image: str) -> Reply:
        if self.uploads % 15 == 14:
            self.uploads += 1
            raise Refused(500, "Internal error")
        return super().upload(session, step, image)


@fault("missing-image-is-unreadable", "refusal.image-missing", "status")
class MissingImage(Vendor):
    """An upload without an image is answered like an unreadable one."""

    def judge_upload(self, body: dict[str, Any]) -> str:
        return super().judge_upload(body) if body.get("image") is not None else ""


@fault("names-not-mandatory", "approve.names-mandatory", "semantics")
class NamesNotMandatory(Vendor):
    """firstNameEn may be left out though translation is on."""

    def judge_approval(self, body: dict[str, Any]) -> None:
        super().judge_approval({"firstNameEn": "SPECIMEN", **{k: v for k, v in body.items() if v is not None}})


@fault("shared-order", "session.own-order", "state")
class SharedOrder(Vendor):
    """One session's steps count for all."""

    def session_of(self, name: str, *, fixed: bool) -> Onboarding:
        session = super().session_of(name, fixed=fixed)
        session.done = self.__dict__.setdefault("shared", session.done)
        return session


@fault("last-front-wins", "session.own-customer", "state")
class LastFrontWins(Vendor):
    """The back's answer carries the customer of the session that uploaded a front last."""

    def customer_data(self, session: Onboarding, step: Step, fields: Mapping[str, str]) -> dict[str, Any]:
        data = super().customer_data(session, step, fields)
        if step == UPLOAD_FRONT:
            self.__dict__["last"] = data["customerId"]
        else:
            data["customerId"] = self.__dict__.get("last", data["customerId"])
        return data


@fault("failed-retry-forgets", "refusal.changes-nothing", "state")
class FailedRetryForgets(Vendor):
    """An unreadable retry loses the reading that stood."""

    def unreadable(self, session: Onboarding, step: Step) -> Reply:
        session.done.discard(step)
        return super().unreadable(session, step)


@fault("back-after-an-unread-front", "order.upload-back-after-upload-front", "order")
class BackAfterAnUnreadFront(Vendor):
    """Once a front was tried, read or not, the back is taken."""

    def order_allows(self, session: Onboarding, step: Step) -> bool:
        tried = step == UPLOAD_BACK and bool(session.tries.get(UPLOAD_FRONT)) and not session.done
        return tried or super().order_allows(session, step)


@fault("refused-back-is-kept", "refusal.changes-nothing", "state")
class RefusedBackIsKept(Vendor):
    """A back shown too early is refused, and counts once the front is there."""

    def demand_order(self, session: Onboarding, step: Step) -> None:
        with contextlib.ExitStack() as stack:
            if step == UPLOAD_BACK and not session.done:
                stack.callback(session.done.add, step)
            super().demand_order(session, step)


@fault("token-twice", "token.distinct", "state")
class TokenTwice(Vendor):
    """Tokens are handed out twice."""

    def mint(self, life_s: float) -> str:
        if "spare" in self.__dict__ and life_s > 0:
            return str(self.__dict__.pop("spare"))
        token = super().mint(life_s)
        if life_s > 0:
            self.__dict__["spare"] = token
        return token


@fault("device-is-session", "token.own-session", "state")
class DeviceIsSession(Vendor):
    """All tokens of one device share one session."""

    def issue(self, request: Incoming) -> Reply:
        self.__dict__["device"] = self.parse(request.body).get("deviceId")
        return super().issue(request)

    def mint(self, life_s: float) -> str:
        token = super().mint(life_s)
        devices = self.__dict__.setdefault("devices", {})
        devices[self.claims(token)["jti"] if life_s > 0 else ""] = self.__dict__.get("device")  # type: ignore[index]
        return token

    def session_of(self, name: str, *, fixed: bool) -> Onboarding:
        device = self.__dict__.get("devices", {}).get(name)
        return super().session_of(device or name, fixed=fixed)


@fault("tokens-die-early", "token.lives", "auth")
class TokensDieEarly(Vendor):
    """Tokens stop working after 3 s, whatever their expiry says."""

    def mint(self, life_s: float) -> str:
        return super().mint(min(life_s, 3.0))


@fault("secret-in-any-case", "token.refused", "auth")
class SecretInAnyCase(Vendor):
    """The tenant's secret is compared without its case."""

    def issue(self, request: Incoming) -> Reply:
        try:
            return super().issue(request)
        except Refused:
            body = self.parse(request.body)
            right = self.settings.tenants.get(str(body.get("tenantId")), "")
            if right and str(body.get("tenantSecret")).lower() == right.lower():
                return self.token_reply(self.mint(60), time.time() + 60)
            raise
