"""Credentials that are let in, or turned away in the wrong form, and token endpoints that do not keep their word."""

import base64
import json
import re
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jwt

from kycgate.contracts.flow import Step
from kycgate.contracts.flows.national_id import (
    APPROVE_BACK,
    APPROVE_FRONT,
    NATIONAL_ID,
    TOKEN_SIBLING,
    UPLOAD_BACK,
    UPLOAD_FRONT,
)
from kycgate.sandbox.faults.bodies import first_value
from kycgate.sandbox.faults.registry import fault
from kycgate.sandbox.vendor import Incoming, Onboarding, Refused, Reply, Vendor


def _answers_to_strangers(name: str, clause: str, sentence: str, status: int, step: Step, *, header: Any) -> None:
    """A fault that answers some wrong credentials on one step with some status."""

    class Odd(Vendor):
        def authenticate(self, request: Incoming, taken: Step) -> Onboarding | None:
            session = super().authenticate(request, taken)
            if session is None and taken is step and header(request.headers.get("authorization")):
                raise Refused(status, "Not allowed")
            return session

    Odd.__doc__ = sentence
    fault(name, clause, "auth")(Odd)


_answers_to_strangers("missing-is-400-on-back", "auth.missing", "UploadBackImage without credentials is a 400.", 400,
                      UPLOAD_BACK, header=lambda h: h is None)  # fmt: skip
_answers_to_strangers("empty-is-404", "auth.missing", "ApproveFrontImage with an empty Authorization is a 404.", 404,
                      APPROVE_FRONT, header=lambda h: h == "")  # fmt: skip
_answers_to_strangers("missing-is-redirect", "auth.missing", "UploadFrontImage without credentials is a 302.", 302,
                      UPLOAD_FRONT, header=lambda h: not h)  # fmt: skip
_answers_to_strangers("unknown-is-403", "auth.unknown", "UploadFrontImage with unknown credentials is a 403.", 403,
                      UPLOAD_FRONT, header=lambda h: bool(h))  # fmt: skip
_answers_to_strangers("bearer-alone-is-500", "status.no-5xx", "UploadBackImage with a bare `Bearer` is a 500.", 500,
                      UPLOAD_BACK, header=lambda h: (h or "").strip() == "Bearer")  # fmt: skip
_answers_to_strangers("long-credential-is-500", "status.no-5xx", "Credentials over 4,000 characters are a 500.", 500,
                      UPLOAD_BACK, header=lambda h: len(h or "") > 4_000)  # fmt: skip
_answers_to_strangers("expired-is-403", "auth.expired", "ApproveBackImage with an expired token is a 403.", 403,
                      APPROVE_BACK, header=lambda h: _expired(h or ""))  # fmt: skip


def _unguarded(name: str, sentence: str, plain: Callable[[str], str]) -> None:
    """A fault that looks for credentials at a step's own path alone, and serves what `plain` makes of others."""

    class Odd(Vendor):
        def dispatch(self, request: Incoming) -> Reply:
            path = plain(request.path)
            unguarded = {"x-unguarded": "yes"} if path != request.path else {}
            return super().dispatch(replace(request, path=path, headers={**request.headers, **unguarded}))

        def authenticate(self, request: Incoming, step: Step) -> Onboarding | None:
            session = super().authenticate(request, step)
            if session is None and "x-unguarded" in request.headers:
                return self.session_of("nobody", fixed=False)
            return session

    Odd.__doc__ = sentence
    fault(name, "auth.missing", "auth")(Odd)


def _known_case(path: str) -> str:
    return next((step.path for step in NATIONAL_ID.steps if step.path.lower() == path.lower()), path)


_unguarded("slash-skips-credentials", "A step's path with a slash behind it takes no credentials.",
           lambda path: path.removesuffix("/"))  # fmt: skip
_unguarded("slashes-skip-credentials", "A step's path with two slashes in it takes no credentials.",
           lambda path: path.replace("//", "/"))  # fmt: skip
_unguarded("parameter-skips-credentials", "A step's path with a parameter behind it takes no credentials.",
           lambda path: path.partition(";")[0])  # fmt: skip
_unguarded("case-skips-credentials", "A step's path in small letters takes no credentials.", _known_case)


@fault("page-to-log-in", "auth.missing", "auth")
class PageToLogIn(Vendor):
    """Who has no credentials and does not ask for JSON is led to a page to log in."""

    def authenticate(self, request: Incoming, step: Step) -> Onboarding | None:
        if "authorization" not in request.headers and "json" not in request.headers.get("accept", "*/*"):
            raise Refused(302, "Log in")
        return super().authenticate(request, step)


def claims_of(header: str) -> dict[str, Any]:
    """What the token in a header says, without a look at its signature or expiry; empty when it is none."""
    parts = header.removeprefix("Bearer ").split(".")
    try:
        found = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (IndexError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _expired(header: str) -> bool:
    return bool(claims_of(header).get("exp", time.time()) < time.time())


class _Reading(Vendor):
    """Reads credentials anew before turning them away; only on one step, if one is named."""

    only: Step | None = None

    def authenticate(self, request: Incoming, step: Step) -> Onboarding | None:
        session = super().authenticate(request, step)
        if session is not None or self.only not in (None, step):
            return session
        name = self.name_in(request.headers.get("authorization", ""))
        return self.session_of(name, fixed=False) if name else None

    def name_in(self, header: str) -> str | None:
        raise NotImplementedError

    def decoded(self, token: str, **options: Any) -> str | None:
        try:
            claims = jwt.decode(token, self._key, algorithms=["HS256"], options=options)  # type: ignore[arg-type]
            return str(claims["jti"])
        except (jwt.InvalidTokenError, UnicodeError, ValueError, KeyError):
            return None


@fault("expired-accepted-on-last-step", "auth.expired", "auth")
class ExpiredAcceptedOnLastStep(_Reading):
    """ApproveBackImage does not look at a token's expiry."""

    only = APPROVE_BACK

    def name_in(self, header: str) -> str | None:
        return self.decoded(header.removeprefix("Bearer "), verify_exp=False)


@fault("signature-unchecked-on-back", "auth.unknown", "auth")
class SignatureUncheckedOnBack(_Reading):
    """UploadBackImage believes tokens without their signature."""

    only = UPLOAD_BACK

    def name_in(self, header: str) -> str | None:
        return self.decoded(header.removeprefix("Bearer "), verify_signature=False)


@fault("alg-none-accepted", "auth.unknown", "auth")
class AlgNoneAccepted(_Reading):
    """A token may say that it is not signed."""

    def name_in(self, header: str) -> str | None:
        token = header.removeprefix("Bearer ")
        try:
            unsigned = str(jwt.get_unverified_header(token).get("alg")).lower() == "none"
        except (jwt.InvalidTokenError, UnicodeError, ValueError):
            return None
        return self.decoded(token, verify_signature=False) if unsigned else None


@fault("alg-none-on-last-step", "auth.unknown", "auth")
class AlgNoneOnLastStep(AlgNoneAccepted):
    """For ApproveBackImage a token may say that it is not signed."""

    only = APPROVE_BACK


@fault("signature-prefix-enough", "auth.unknown", "auth")
class SignaturePrefixEnough(_Reading):
    """Of a signature the beginning is enough."""

    def name_in(self, header: str) -> str | None:
        head, _, signature = header.removeprefix("Bearer ").rpartition(".")
        claims = claims_of(header)
        if len(signature) < 20 or claims.get("exp", 0) < time.time():
            return None
        right = jwt.api_jws.PyJWS().get_algorithm_by_name("HS256")
        made = right.sign(head.encode(), right.prepare_key(self._key))
        return str(claims["jti"]) if base64.urlsafe_b64encode(made).decode().startswith(signature[:20]) else None


@fault("any-scheme", "auth.malformed", "auth")
class AnyScheme(_Reading):
    """The scheme before the token does not matter."""

    def name_in(self, header: str) -> str | None:
        return self.decoded(header.rpartition(" ")[2])


@fault("scheme-twice", "auth.malformed", "auth")
class SchemeTwice(_Reading):
    """The scheme is taken off as often as it stands there."""

    def name_in(self, header: str) -> str | None:
        return self.decoded(header.replace("Bearer ", ""))


@fault("word-behind-ignored", "auth.malformed", "auth")
class WordBehindIgnored(_Reading):
    """What stands behind a token, after a space, does not matter."""

    def name_in(self, header: str) -> str | None:
        return self.decoded(header.removeprefix("Bearer ").partition(" ")[0]) if " " in header[7:] else None


@fault("first-of-two-credentials", "auth.malformed", "auth")
class FirstOfTwoCredentials(_Reading):
    """Of two credentials in one header the first is taken."""

    def name_in(self, header: str) -> str | None:
        return self.decoded(header.removeprefix("Bearer ").partition(",")[0]) if "," in header else None


@fault("suffix-ignored", "auth.unknown", "auth")
class SuffixIgnored(_Reading):
    """What stands behind the third part of a token does not matter."""

    def name_in(self, header: str) -> str | None:
        parts = header.removeprefix("Bearer ").split(".")
        return self.decoded(".".join(parts[:3])) if len(parts) > 3 else None


@fault("media-type-before-credentials", "auth.before-body", "auth")
class MediaTypeBeforeCredentials(Vendor):
    """Another media type is a 415 before the credentials are looked at."""

    def authenticate(self, request: Incoming, step: Step) -> Onboarding | None:
        if request.body and not request.headers.get("content-type", "").startswith("application/json"):
            raise Refused(415, "Unsupported media type")
        return super().authenticate(request, step)


@fault("required-before-credentials", "auth.before-body", "auth")
class RequiredBeforeCredentials(Vendor):
    """UploadBackImage asks for an image before it asks for credentials."""

    def authenticate(self, request: Incoming, step: Step) -> Onboarding | None:
        if step == UPLOAD_BACK and not request.body:
            raise Refused(400, "image is required")
        return super().authenticate(request, step)


# The token endpoints


def _token_answers(name: str, clause: str, sentence: str, change: Any) -> None:
    """A fault that changes the answer that carries a token."""

    class Odd(Vendor):
        def token_reply(self, token: str, expires: float) -> Reply:
            reply = super().token_reply(token, expires)
            return Reply.json(reply.status, change(json.loads(reply.body)))

    Odd.__doc__ = sentence
    fault(name, clause, "shape")(Odd)


_token_answers("expiry-as-seconds", "token.issued", "expirationDate is a number of seconds.",
               lambda value: {**value, "expirationDate": 1_800})  # fmt: skip
_token_answers("expiry-missing", "token.issued", "expirationDate is left out.", lambda value: {"token": value["token"]})
_LONG_AGO = "2020-01-01T00:00:00Z"
_token_answers("expiry-in-the-past", "token.expiry-ahead", "expirationDate lies years back.",
               lambda value: {**value, "expirationDate": _LONG_AGO})  # fmt: skip


@fault("expiry-in-local-time", "token.expiry-agrees", "shape")
class ExpiryInLocalTime(Vendor):
    """expirationDate is Egypt's time and says that it is UTC."""

    def token_reply(self, token: str, expires: float) -> Reply:
        return super().token_reply(token, expires + 2 * 3600)


@fault("expiry-is-the-issue", "token.expiry-agrees", "shape")
class ExpiryIsTheIssue(Vendor):
    """expirationDate is the moment of issue; the token itself lives on."""

    def token_reply(self, token: str, expires: float) -> Reply:
        return super().token_reply(token, time.time())


@fault("device-required", "token.optional", "status")
class DeviceRequired(Vendor):
    """A token request without deviceId is a 400."""

    def issue(self, request: Incoming) -> Reply:
        if self.parse(request.body).get("deviceId") is None:
            raise Refused(400, "deviceId is required")
        return super().issue(request)


@fault("null-user-refused", "token.optional", "status")
class NullUserRefused(Vendor):
    """A null userName is a 400."""

    def issue(self, request: Incoming) -> Reply:
        body = self.parse(request.body)
        if "userName" in body and body["userName"] is None:
            raise Refused(400, "userName is a string")
        return super().issue(request)


def _no_token_when(name: str, sentence: str, when: Callable[[Vendor, Incoming], bool]) -> None:
    """A fault that answers 500 to some requests for a token."""

    class Crash(Vendor):
        def issue(self, request: Incoming) -> Reply:
            if when(self, request):
                raise Refused(500, "Something went wrong")
            return super().issue(request)

    Crash.__doc__ = sentence
    fault(name, "status.no-5xx", "robustness")(Crash)


def _user(vendor: Vendor, request: Incoming) -> str:
    return str(vendor.parse(request.body).get("userName") or "")


def _secret_of_a_tenant_is_no_text(vendor: Vendor, request: Incoming) -> bool:
    body = vendor.parse(request.body)
    return body.get("tenantId") in vendor.settings.tenants and isinstance(body.get("tenantSecret"), list | dict)


_no_token_when("null-for-a-token-is-500", "A request for a token whose body is null is a 500.",
               lambda _, request: request.body.strip() == b"null")  # fmt: skip
_no_token_when("arabic-user-is-500", "A token for a userName in Arabic letters is a 500.",
               lambda vendor, request: not _user(vendor, request).isascii())  # fmt: skip
_no_token_when("long-user-is-500", "A token for a userName of over 200 characters is a 500.",
               lambda vendor, request: len(_user(vendor, request)) > 200)  # fmt: skip
_no_token_when("long-correlation-id-is-500", "A token for a correlationId longer than a UUID is a 500.",
               lambda vendor, request: len(str(vendor.parse(request.body).get("correlationId"))) > 36)  # fmt: skip
_no_token_when("secret-list-is-500", "A known tenant's secret that is an array or an object is a 500.",
               _secret_of_a_tenant_is_no_text)  # fmt: skip
_no_token_when("token-list-is-500", "An array at the token endpoint is a 500.",
               lambda _, request: request.body.lstrip()[:1] == b"[")  # fmt: skip
_no_token_when("token-bare-value-is-500", "A bare text, number or truth value at the token endpoint is a 500.",
               lambda _, request: re.match(rb'\s*["\d-]|\s*(true|false)', request.body) is not None)  # fmt: skip
_no_token_when("secret-object-is-500", "A secret that is an object is a 500.",
               lambda vendor, request: isinstance(vendor.parse(request.body).get("tenantSecret"), dict))  # fmt: skip
_no_token_when("no-token-in-arabic", "A request for a token from a phone in Arabic is a 500.",
               lambda _, request: request.headers.get("accept-language", "").startswith("ar"))  # fmt: skip


@fault("sibling-refuses", "token.sibling", "status")
class SiblingRefuses(Vendor):
    """GenerateOnboardingSessionToken answers 400."""

    def dispatch(self, request: Incoming) -> Reply:
        if request.path == TOKEN_SIBLING.path:
            raise Refused(400, "Not in use")
        return super().dispatch(request)


@fault("sibling-token-is-dead", "token.sibling", "auth")
class SiblingTokenIsDead(Vendor):
    """The sibling's token opens nothing."""

    def dispatch(self, request: Incoming) -> Reply:
        reply = super().dispatch(request)
        if request.path == TOKEN_SIBLING.path and reply.status == 200:
            return self.token_reply(self.mint(-10), time.time() + 600)
        return reply


@fault("sibling-token-approves-nothing", "token.sibling", "auth")
class SiblingTokenApprovesNothing(Vendor):
    """The approvals do not know the sibling's token."""

    def dispatch(self, request: Incoming) -> Reply:
        reply = super().dispatch(request)
        if request.path == TOKEN_SIBLING.path and reply.status == 200:
            self.__dict__.setdefault("of_the_sibling", set()).add(json.loads(reply.body)["token"])
        return reply

    def authenticate(self, request: Incoming, step: Step) -> Onboarding | None:
        known = self.__dict__.get("of_the_sibling", set())
        unknown = step == APPROVE_FRONT and request.headers.get("authorization", "").removeprefix("Bearer ") in known
        return None if unknown else super().authenticate(request, step)


@fault("sibling-is-gone", "token.sibling", "status")
class SiblingIsGone(Vendor):
    """GenerateOnboardingSessionToken is not a path of this server."""

    def dispatch(self, request: Incoming) -> Reply:
        if request.path == TOKEN_SIBLING.path:
            raise Refused(404, "Not found")
        return super().dispatch(request)


@fault("sibling-refuses-nulls", "token.sibling", "status")
class SiblingRefusesNulls(Vendor):
    """The sibling takes no null, which its twin does."""

    def issue(self, request: Incoming) -> Reply:
        if request.path == TOKEN_SIBLING.path and None in self.parse(request.body).values():
            raise Refused(400, "null is not a string")
        return super().issue(request)


@fault("sibling-takes-a-longer-secret", "token.refused", "auth")
class SiblingTakesALongerSecret(Vendor):
    """The sibling compares as many characters of the secret as it has itself."""

    def issue(self, request: Incoming) -> Reply:
        body = self.parse(request.body)
        secret = self.settings.tenants.get(str(body.get("tenantId")), "")
        if request.path == TOKEN_SIBLING.path and secret and str(body.get("tenantSecret")).startswith(secret):
            expires = time.time() + 600
            return self.token_reply(self.mint(600), expires)
        return super().issue(request)


@fault("image-list-unauthorized", "refusal.image-type", "status")
class ImageListUnauthorized(Vendor):
    """An image that is a list makes the server forget who asked: 401, though the token works on."""

    def judge_upload(self, body: dict[str, Any]) -> str:
        if isinstance(body.get("image"), list):
            raise Refused(401, "Unauthorized")
        return super().judge_upload(body)


class _Welcoming(Vendor):
    """Lets some wrong tenants in."""

    def issue(self, request: Incoming) -> Reply:
        try:
            return super().issue(request)
        except Refused:
            if self.welcome(self.parse(request.body)):
                return self.token_reply(self.mint(60), time.time() + 60)
            raise

    def welcome(self, body: dict[str, Any]) -> bool:
        raise NotImplementedError


@fault("empty-secret-accepted", "token.refused", "auth")
class EmptySecretAccepted(_Welcoming):
    """An empty secret earns a token."""

    def welcome(self, body: dict[str, Any]) -> bool:
        return body.get("tenantSecret") == ""


@fault("any-secret-accepted", "token.refused", "auth")
class AnySecretAccepted(_Welcoming):
    """A known tenant gets a token for any secret."""

    def welcome(self, body: dict[str, Any]) -> bool:
        return body.get("tenantId") in self.settings.tenants and bool(body.get("tenantSecret"))


@fault("null-secret-accepted", "token.refused", "auth")
class NullSecretAccepted(_Welcoming):
    """A secret that is null earns a known tenant a token; one that is left out does not."""

    def welcome(self, body: dict[str, Any]) -> bool:
        return body.get("tenantId") in self.settings.tenants and body.get("tenantSecret", "") is None


@fault("secret-cut-short-accepted", "token.refused", "auth")
class SecretCutShortAccepted(_Welcoming):
    """Of the tenant's secret the first eight characters are enough."""

    def welcome(self, body: dict[str, Any]) -> bool:
        secret = str(body.get("tenantSecret"))
        return len(secret) >= 8 and self.settings.tenants.get(str(body.get("tenantId")), "").startswith(secret)


@fault("secret-with-more-accepted", "token.refused", "auth")
class SecretWithMoreAccepted(_Welcoming):
    """What stands behind the tenant's secret does not matter."""

    def welcome(self, body: dict[str, Any]) -> bool:
        right = self.settings.tenants.get(str(body.get("tenantId")))
        return right is not None and str(body.get("tenantSecret")).startswith(right)


@fault("secret-compared-as-a-truth", "token.refused", "auth")
class SecretComparedAsATruth(_Welcoming):
    """A known tenant's secret equals true, as all that is not empty does where types are not compared."""

    def welcome(self, body: dict[str, Any]) -> bool:
        return body.get("tenantId") in self.settings.tenants and body.get("tenantSecret") is True


@fault("secret-is-a-query", "token.refused", "auth")
class SecretIsAQuery(_Welcoming):
    """A secret that is an object is a comparison to the store of tenants: any that is not empty fits."""

    def welcome(self, body: dict[str, Any]) -> bool:
        return body.get("tenantId") in self.settings.tenants and body.get("tenantSecret") == {"$ne": ""}


@fault("token-for-text-behind-json", "refusal.broken-json", "robustness")
class TokenForTextBehindJson(Vendor):
    """What stands behind the JSON of a request for a token is not read."""

    def issue(self, request: Incoming) -> Reply:
        return super().issue(replace(request, body=first_value(request.body)))


@fault("wrong-secret-is-403", "token.refused", "auth")
class WrongSecretIs403(Vendor):
    """A wrong secret is a 403."""

    def issue(self, request: Incoming) -> Reply:
        try:
            return super().issue(request)
        except Refused as refused:
            if refused.status == 401:
                raise Refused(403, refused.message, refused.code) from None
            raise


@fault("token-in-cache", "token.distinct", "state")
class TokenInCache(Vendor):
    """Who asks twice within a moment with the same words gets the same token."""

    def issue(self, request: Incoming) -> Reply:
        cache = self.__dict__.setdefault("cache", {})
        made = cache.get(request.body)
        if made is None or time.monotonic() - made[0] > 0.05:
            made = cache[request.body] = (time.monotonic(), super().issue(request))
        return made[1]  # type: ignore[no-any-return]
