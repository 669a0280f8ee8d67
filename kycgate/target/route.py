"""How the target is reached: through which proxy, with which certificates, with which further headers.

Made once from the profile and the environment; check, load, probe, doctor and Locust all connect by it.
"""

import base64
import os
import shlex
import ssl
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from kycgate.errors import UsageError
from kycgate.files import read
from kycgate.settings.profile import FROM_ENVIRONMENT, Profile, refuse_empty
from kycgate.target.oauth import TOKEN_NAME, Gateway, Grant
from kycgate.target.pkcs12 import is_pkcs12, show_pkcs12
from kycgate.target.proxy import Proxy

GATEWAY_SECRET = "KYCGATE_OAUTH_CLIENT_SECRET"  # noqa: S105 - what stands for it in all that is kept


def with_ours(headers: Mapping[str, str], ours: Mapping[str, str]) -> dict[str, str]:
    """`headers`, and the profile's, which take the place of those of the same name."""
    names = {name.lower() for name in ours}
    return {**{name: value for name, value in headers.items() if name.lower() not in names}, **ours}


class Route(BaseModel):
    """The way to the target."""

    model_config = ConfigDict(frozen=True)

    verify_tls: bool = True
    ca_file: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = None
    key_password: str | None = Field(default=None, repr=False)
    proxy: Proxy | None = None
    headers: dict[str, str] = Field(default_factory=dict, repr=False)
    variables: dict[str, str] = Field(
        default_factory=dict, description="Of the headers whose value the environment gave: the variable."
    )
    grant: Grant | None = Field(
        default=None, description="How a gateway in front gives its token; None: there is none."
    )

    _gateway: Gateway | None = PrivateAttr(None)

    def model_post_init(self, context: Any, /) -> None:
        if self.grant is not None:
            self._gateway = Gateway(self.grant, self.tls)

    @property
    def gateway(self) -> Gateway | None:
        """Who holds the token of the gateway in front; None where there is none."""
        return self._gateway

    def shared(self) -> "Route":
        """For another process of this machine: with the gateway's token that is held now."""
        return self if self._gateway is None else self.model_copy(update={"grant": self._gateway.grant})

    def tls(self) -> ssl.SSLContext:
        """A context that checks certificates unless told not to, and shows ours where there is one.

        Raises:
            UsageError: a file cannot be used.
        """
        try:
            if self.ca_file is not None:
                context = ssl.create_default_context(cadata=read(self.ca_file).decode("ascii", "ignore"))
            else:
                # Mozilla's CAs and this system's: a bank's own may be among the latter.
                context = httpx.create_ssl_context(trust_env=False)
                context.load_default_certs()
        except (OSError, ValueError) as error:
            raise UsageError(f"cannot use the CA file {self.ca_file}: {error}") from None
        if not self.verify_tls:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        self.show_certificate(context)
        return context

    def show_certificate(self, context: ssl.SSLContext) -> None:
        """Have `context` show our certificate to a server that asks for one.

        Raises:
            UsageError: the certificate or its key cannot be used.
        """
        if self.client_cert is None:
            return
        try:
            if is_pkcs12(self.client_cert):
                show_pkcs12(context, self.client_cert, self.key_password)
            else:
                # Without a password given, OpenSSL would ask the terminal for one.
                context.load_cert_chain(self.client_cert, self.client_key, password=self.key_password or "")
        except (OSError, ssl.SSLError, ValueError) as error:
            said = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
            raise UsageError(f"cannot use the client certificate {self.client_cert} with its key: {said}") from None

    def secrets(self) -> dict[str, str]:
        """What must not be shown, by the name that is shown for it."""
        found = {variable: self.headers[name] for name, variable in self.variables.items()}
        if self.key_password:
            found["KYCGATE_CLIENT_KEY_PASSWORD"] = self.key_password
        if self.proxy is not None and self.proxy.authorization:
            found["PROXY_AUTHORIZATION"] = self.proxy.authorization.removeprefix("Basic ")
        if self._gateway is not None:
            found[GATEWAY_SECRET] = self._gateway.grant.client_secret
            found |= {f"{TOKEN_NAME}{number or ''}": token for number, token in enumerate(self._gateway.tokens)}
        return found

    def curl(self) -> list[str]:
        """The options that have curl take the same way, ready for a shell."""
        options: list[str] = []
        for option, path in (("--cacert", self.ca_file), ("--cert", self.client_cert), ("--key", self.client_key)):
            options += [option, shlex.quote(str(path))] if path is not None else []
        if self.client_cert is not None and is_pkcs12(self.client_cert):
            options += ["--cert-type", "P12"]
        if self.key_password:
            options += ["--pass", '"$KYCGATE_CLIENT_KEY_PASSWORD"']
        if not self.verify_tls:
            options.append("--insecure")
        if self.proxy is not None:
            options += ["--proxy", shlex.quote(self.proxy.url)]
            if self.proxy.authorization:
                options += ["--proxy-user", '"$KYCGATE_PROXY_USER:$KYCGATE_PROXY_PASSWORD"']
        return options


def route_of(profile: Profile) -> Route:
    """The way that the profile and the environment describe.

    Raises:
        UsageError: a variable that the profile names is missing, or the environment's proxy cannot be used.
    """
    names = profile.environment
    refuse_empty((names.client_key_password, names.proxy_user, names.proxy_password))
    headers: dict[str, str] = {}
    variables: dict[str, str] = {}
    for name, value in profile.headers.items():
        variable = value.removeprefix(FROM_ENVIRONMENT) if value.startswith(FROM_ENVIRONMENT) else ""
        if variable:
            value = os.environ.get(variable, "").strip()
            if not value or not value.isascii() or not value.isprintable():
                raise UsageError(f"the header {name}: {variable} is not set, or cannot stand in a header")
            variables[name] = variable
        headers[name] = value
    grant = _grant_of(profile)
    if grant is not None and grant.header.lower() in {name.lower() for name in headers}:
        raise UsageError(f"the header {grant.header} carries the gateway's token: take it out of [headers]")
    return Route(
        verify_tls=profile.verify_tls,
        ca_file=profile.ca_file,
        client_cert=profile.client_cert,
        client_key=profile.client_key,
        key_password=os.environ.get(names.client_key_password),
        proxy=_proxy_of(profile, profile.base_url, os.environ),
        headers=headers,
        variables=variables,
        grant=grant,
    )


def _grant_of(profile: Profile) -> Grant | None:
    """How the gateway's token is asked for; its endpoint is reached as the target is.

    Raises:
        UsageError: the client id or secret is missing.
    """
    asked, names = profile.oauth, profile.environment
    if asked.token_url is None or profile.base_url is None:
        return None
    held = {name: os.environ.get(name, "").strip() for name in (names.oauth_client_id, names.oauth_client_secret)}
    for name, value in held.items():
        if not value:
            raise UsageError(f"{name} is not set: oauth.token_url takes a client id and its secret")
    return Grant(
        token_url=asked.token_url,
        header=asked.header,
        client_id=held[names.oauth_client_id],
        client_secret=held[names.oauth_client_secret],
        scope=asked.scope,
        in_body=asked.client_authentication == "body",
        proxy=_proxy_of(profile, asked.token_url, os.environ),
        timeout_s=min(profile.timeout_s, 30.0),
    )


def _proxy_of(profile: Profile, url: str | None, environment: Mapping[str, str]) -> Proxy | None:
    """The proxy on the way to `url`; None for none."""
    if profile.proxy is None or url is None:
        return None
    text = profile.proxy
    if text == "environment":
        target = urlsplit(url)
        text = urllib.request.getproxies_environment().get(target.scheme, "")
        if not text or urllib.request.proxy_bypass(target.netloc.rpartition("@")[2]):
            return None
        text = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(text)
        port = parts.port or 3128
    except ValueError:
        raise UsageError("the environment's proxy is not a URL: write it like http://proxy.bank:3128") from None
    if parts.scheme != "http" or not parts.hostname:
        raise UsageError("the proxy is not an http:// URL of a host: write it like http://proxy.bank:3128")
    names = profile.environment
    user = environment.get(names.proxy_user, unquote(parts.username or ""))
    password = environment.get(names.proxy_password, unquote(parts.password or ""))
    given = base64.b64encode(f"{user}:{password}".encode()).decode() if user else ""
    return Proxy(host=parts.hostname, port=port, authorization=f"Basic {given}" if given else "")
