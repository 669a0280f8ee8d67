"""What differs between vendors and environments: one TOML file, the environment for secrets, flags on top."""

import ipaddress
import os
import re
import shlex
import shutil
import tomllib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, SecretStr, ValidationError
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError

from kycgate.contracts.flow import Flow
from kycgate.contracts.flows import Choice, choose, flow, load_flow
from kycgate.contracts.flows.national_id import NATIONAL_ID
from kycgate.errors import UsageError
from kycgate.files import read_text
from kycgate.settings.mistakes import File, Place, mistakes_of, refuse
from kycgate.settings.severity import NO_CLAUSE, Rules, Severity, SeverityKey, Waiver, no_clause_twice
from kycgate.text import nearest

ENV_PREFIX: Final = "KYCGATE_"
PYPROJECT: Final = "pyproject.toml"
NO_TARGET: Final = (
    "no target: give --base-url, export KYCGATE_BASE_URL, or write base_url into kycgate.toml; --sandbox judges the "
    "embedded sandbox"
)


MAX_URL = 2_000
ALLOWED_HOSTS = "KYCGATE_ALLOWED_HOSTS"
"""The variable that names, comma separated, the hosts that may be called at all."""
COMMAND_VARIABLE: Final = "KYCGATE_CREDENTIALS__COMMAND"
ALLOW_COMMAND: Final = "KYCGATE_ALLOW_COMMAND"
"""The variable that lets a command run that a file names: set to yes."""


OPTIONS: Final[Mapping[Place, str]] = {
    ("base_url",): "--base-url",
    ("translation",): "--translation",
    ("specimens",): "--specimens",
    ("pins",): "--pins",
    ("limits", "requests"): "--budget",
    ("limits", "uploads"): "--uploads",
    ("limits", "rate"): "--rate",
    ("limits", "time_s"): "--time-limit",
    ("limits", "jobs"): "--jobs",
    ("limits", "max_load_rate"): "--max-load-rate",
}
"""The option that stands for a key, where one does."""


def demand_allowed(base_url: str | None) -> None:
    """Where KYCGATE_ALLOWED_HOSTS is set, no other host is called.

    Raises:
        UsageError: the host is not among them.
    """
    if base_url is None or ALLOWED_HOSTS not in os.environ:
        return
    refuse_empty((ALLOWED_HOSTS,))
    allowed = {host.strip().lower() for host in os.environ[ALLOWED_HOSTS].split(",")}
    host = (urlsplit(base_url).hostname or "").lower()
    if host not in allowed:
        raise UsageError(f"{base_url}: its host is not among those of {ALLOWED_HOSTS}")


def foreign_names(raw: dict[str, Any]) -> list[tuple[Place, str]]:
    """Variables that a file names and that are not ours: what else the environment holds goes to no target."""
    names = raw.get("environment")
    return [
        (
            ("environment", key),
            (
                f"environment.{key} is {name[:80]!r}: a file may name variables that begin with {ENV_PREFIX} alone; to "
                f"use another, export {ENV_PREFIX}ENVIRONMENT__{key.upper()[:40]} with its name"
            ),
        )
        for key, name in (names.items() if isinstance(names, dict) else ())
        if isinstance(name, str) and not name.startswith(ENV_PREFIX)
    ]


def unknown_steps(raw: dict[str, Any]) -> list[tuple[Place, str]]:
    """Keys of [paths] that name no endpoint of the flow; the flow must be known."""
    known = [endpoint.id for endpoint in load_flow(_flow_name(raw)).endpoints]
    listed = f"; there are {', '.join(known)}"
    paths = raw.get("paths")
    return [
        (
            ("paths", step),
            f"paths: no endpoint is named {step!r}{nearest(step, known) or listed}",
        )
        for step in (paths if isinstance(paths, dict) else ())
        if step not in known
    ]


def unknown_flow(raw: dict[str, Any]) -> list[tuple[Place, str]]:
    """Why the flow that is named cannot be used; nothing where it can."""
    if not isinstance(raw.get("flow", ""), str):
        return [(("flow",), "flow must be text in quotation marks")]
    try:
        load_flow(_flow_name(raw))
    except ValueError as error:
        return [(("flow",), str(error))]
    return []


def check_base_url(text: str) -> str:
    """A base URL without its trailing slash.

    Raises:
        ValueError: it is not an http(s) URL of a host, or carries credentials, a query or a fragment.
    """
    shown = repr(text[:80])
    if len(text) > MAX_URL or not text.strip().isascii() or not text.strip().isprintable():
        raise ValueError(f"{shown} is not a URL: printable ASCII of at most {MAX_URL} characters makes one")
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{shown} is not a URL: {error}") from None
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or port == 0
        or any(c.isspace() for c in text.strip())
    ):
        raise ValueError(f"{shown} is not a URL of a host: write it like https://sandbox.vendor.example")
    if "@" in parts.netloc:
        raise ValueError("the base URL carries credentials: take them out and put them into the environment")
    if parts.query or parts.fragment:
        raise ValueError("the base URL has a query or fragment: give the part before it")
    return text.strip().rstrip("/")


BaseUrl = Annotated[str, AfterValidator(check_base_url)]


FROM_ENVIRONMENT: Final = "env:"
_TESTED: Final = frozenset(
    (
        *("accept", "accept-encoding", "accept-language", "authorization", "connection", "content-encoding"),
        *("content-length", "content-type", "expect", "host", "keep-alive", "proxy-authorization", "proxy-connection"),
        *("te", "trailer", "transfer-encoding", "upgrade"),
    )
)
"""Headers that tests vary, or that belong to the connection: none of them can be set for all requests."""


def check_proxy(text: str) -> str:
    """`environment`, or the URL of an HTTP proxy.

    Raises:
        ValueError: it is neither, or carries credentials.
    """
    if text == "environment":
        return text
    if "@" in text:
        raise ValueError(
            "the proxy's URL carries credentials: export KYCGATE_PROXY_USER and KYCGATE_PROXY_PASSWORD instead"
        )
    found = check_base_url(text)
    if not found.startswith("http://") or urlsplit(found).path:
        raise ValueError(f"{text!r} is not an HTTP proxy: write it like http://proxy.bank:3128, or environment")
    return found


def check_headers(headers: dict[str, str]) -> dict[str, str]:
    """Headers that may be sent with every request.

    Raises:
        ValueError: one cannot stand in HTTP, or is one that tests vary.
    """
    for name, value in headers.items():
        if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
            raise ValueError(f"{name!r} is not the name of a header")
        if name.lower() in _TESTED:
            raise ValueError(f"{name} cannot be set: the tests vary it, or it belongs to the connection")
        if not value.isascii() or not value.isprintable() or not value.strip():
            raise ValueError(f"the value of {name} cannot stand in a header")
        if value.startswith(FROM_ENVIRONMENT) and not value.removeprefix(FROM_ENVIRONMENT).startswith(ENV_PREFIX):
            raise ValueError(f"{name}: write env:KYCGATE_… for a variable's value")
    if len({name.lower() for name in headers}) < len(headers):
        raise ValueError("a header is given twice")
    return headers


def check_command(command: str | tuple[str, ...]) -> str | tuple[str, ...]:
    """A command line, or its words.

    Raises:
        ValueError: it cannot be split into words, or has none.
    """
    if not words_of(command):
        raise ValueError("the command is empty")
    return command


def words_of(command: str | tuple[str, ...] | None) -> tuple[str, ...]:
    """The command's words: a list as it is, a text split as a POSIX shell splits it; no shell ever runs it.

    Raises:
        ValueError: a quotation in it has no end.
    """
    words = tuple(shlex.split(command)) if isinstance(command, str) else tuple(command or ())
    return words if words and words[0] else ()


def check_token_url(text: str) -> str:
    """The URL of a token endpoint.

    Raises:
        ValueError: it is not a URL of a host, or secrets would go to it in the clear (RFC 6749, 3.2).
    """
    found = check_base_url(text)
    if found.startswith("http://") and not is_loopback(found):
        raise ValueError("the client secret goes there: write an https:// URL")
    return found


def check_gateway_header(name: str) -> str:
    """The header that a gateway reads its token from.

    Raises:
        ValueError: it is not a header's name, or one that the tests vary.
    """
    check_headers({name: "-"})
    return name


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TokenCommand(_Section):
    """Where a session's token comes from, when neither a fixed key nor the target's token endpoint gives it."""

    command: Annotated[str | tuple[str, ...], AfterValidator(check_command)] | None = Field(
        default=None,
        repr=False,
        description="A command that prints a token; it is run once for each session, without a shell. Where a file "
        f"names it, it runs only with {ALLOW_COMMAND}=yes in the environment.",
        examples=["bank-token --for kyc"],
    )
    command_timeout_s: float = Field(
        default=30.0, gt=0, le=600, description="Seconds that the command may take; then it is ended."
    )


class OAuth(_Section):
    """A gateway in front of the target that wants a token of its own: OAuth 2 client credentials (RFC 6749, 4.4)."""

    token_url: Annotated[str, AfterValidator(check_token_url)] | None = Field(
        default=None,
        description="The token endpoint of a gateway in front. Its client id and secret come from the environment.",
        examples=["https://login.bank.example/oauth2/token"],
    )
    scope: str = Field(default="", description="The scope that is asked for; empty for none.")
    header: Annotated[str, AfterValidator(check_gateway_header)] = Field(
        default="X-Gateway-Authorization", description="The header that carries it, as `Bearer …`, on every request."
    )
    client_authentication: Literal["basic", "body"] = Field(
        default="basic", description="How the client id and secret are sent: as HTTP Basic, or in the body."
    )


class Environment(_Section):
    """The names of the environment's variables that hold the secrets."""

    api_keys: str = Field(default="KYCGATE_API_KEYS", description="One or more fixed keys, comma separated.")
    tenant_id: str = Field(default="KYCGATE_TENANT_ID", description="The tenant that tokens are minted for.")
    tenant_secret: str = Field(default="KYCGATE_TENANT_SECRET", description="That tenant's secret.")
    expired_token: str = Field(
        default="KYCGATE_EXPIRED_TOKEN", description="A token that has expired, where the target lets one be made."
    )
    client_key_password: str = Field(
        default="KYCGATE_CLIENT_KEY_PASSWORD", description="The passphrase of client_key, where it has one."
    )
    proxy_user: str = Field(default="KYCGATE_PROXY_USER", description="Who we are to the proxy, where it asks.")
    proxy_password: str = Field(default="KYCGATE_PROXY_PASSWORD", description="The password for that.")
    oauth_client_id: str = Field(default="KYCGATE_OAUTH_CLIENT_ID", description="Who we are to oauth.token_url.")
    oauth_client_secret: str = Field(default="KYCGATE_OAUTH_CLIENT_SECRET", description="The secret for that.")


class Limits(_Section):
    """What a check may send. The defaults are for four steps, two of them uploads: see `within_flow`."""

    requests: int = Field(default=400, ge=1, description="Requests in all.")
    uploads: int = Field(default=120, ge=1, description="Billed uploads among them.")
    jobs: int | None = Field(
        default=None,
        ge=1,
        le=32,
        description="Tests that a check runs at once; without it as many as there are fixed keys, at most 4.",
        examples=[4],
    )
    rate: float | None = Field(
        default=None, gt=0, allow_inf_nan=False, description="Requests a second.", examples=[5.0]
    )
    max_load_rate: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="Onboardings a second that a load run may start.",
        examples=[1.0],
    )
    time_s: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="Seconds that a whole run may take; without it 1800 for a check and, for load, 300 and its "
        "duration.",
        examples=[1_800.0],
    )

    def within_flow(self, flow: Flow) -> "Limits":
        """What was not chosen, by the flow: each step is tried at each point of it, and each upload in as many ways."""
        most = {"requests": 25 * len(flow.steps) ** 2, "uploads": 60 * len(flow.uploads)}
        return self.model_copy(
            update={name: value for name, value in most.items() if name not in self.model_fields_set}
        )


class Profile(BaseSettings):
    """kycgate.toml. Each key may also come from the environment: KYCGATE_TRANSLATION, KYCGATE_LIMITS__RATE, …"""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix=ENV_PREFIX, env_nested_delimiter="__", env_ignore_empty=True
    )

    name: str = Field(default="", description="Shown in reports.")
    base_url: BaseUrl | None = Field(
        default=None,
        description="The target; the path below it is the contract's.",
        examples=["https://vendor.example"],
    )
    flow: str = Field(
        default=NATIONAL_ID.id,
        description="The flow that is judged: national-id, or the path of a Python file of yours that holds one.",
        examples=["our_flow.py"],
    )
    base_path: str | None = Field(
        default=None,
        pattern="^(/.*)?$",
        description="Replaces the contract's base path, where a gateway gives it another.",
        examples=["/api/v2"],
    )
    translation: Literal["on", "off", "auto"] = Field(
        default="auto", description="The vendor's translation feature; auto learns it from the first reading."
    )
    auth_scheme: Literal["auto", "bearer", "bare"] = Field(
        default="auto", description="How credentials are written in the Authorization header."
    )
    timeout_s: float = Field(default=60.0, gt=0, le=600, description="Seconds until an answer counts as none.")
    ca_file: Path | None = Field(
        default=None,
        description="A PEM file with the CA that signed the target's certificate.",
        examples=["vendor-ca.pem"],
    )
    client_cert: Path | None = Field(
        default=None,
        description="A PEM file with the certificate, and its chain, that is shown to a target that asks for one; or "
        "a .p12 or .pfx with its key, which takes the extra pkcs12.",
        examples=["client.pem"],
    )
    client_key: Path | None = Field(
        default=None,
        description="A PEM file with that certificate's key, where it is not in the same file.",
        examples=["client-key.pem"],
    )
    proxy: Annotated[str, AfterValidator(check_proxy)] | None = Field(
        default=None,
        description="The HTTP proxy to go through; `environment` takes HTTPS_PROXY, HTTP_PROXY and NO_PROXY. Without "
        "it no proxy is used.",
        examples=["http://proxy.bank:3128"],
    )
    headers: Annotated[dict[str, str], AfterValidator(check_headers)] = Field(
        default_factory=dict,
        description="Headers for every request: a value, or env:KYCGATE_… for that variable's.",
    )
    verify_tls: bool = Field(default=True, description="False switches off certificate checks, loudly.")
    specimens: Path | None = Field(
        default=None, description="A folder with the vendor's own test cards.", examples=["cards"]
    )
    strict: bool = Field(default=False, description="Breaches of expected clauses fail the gate too.")
    find_image_limit: bool = Field(
        default=False, description="Find the largest picture that is taken, by bisection; about ten uploads more."
    )
    pins: Path | None = Field(
        default=None,
        description="A file that `kycgate pin` wrote: what changed since is said.",
        examples=["kycgate.pins.toml"],
    )
    fail_on_drift: bool = Field(default=False, description="What changed since the pins fails the gate.")
    severity: dict[SeverityKey, Severity] = Field(
        default_factory=dict, description="Whether a breach of a level, or of one clause, fails or warns."
    )
    waiver: Annotated[tuple[Waiver, ...], AfterValidator(no_clause_twice)] = Field(
        default=(), description="Known breaches that do not fail the gate until a day."
    )
    paths: dict[str, Annotated[str, Field(pattern="^/")]] = Field(
        default_factory=dict,
        description="The whole path of single endpoints, where a gateway gives them another.",
        examples=[{"upload_front": "/scan/front"}],
    )
    environment: Environment = Environment()
    limits: Limits = Limits()
    credentials: TokenCommand = TokenCommand()
    oauth: OAuth = OAuth()

    _instead_of: str = PrivateAttr("")

    @property
    def instead_of(self) -> str:
        """The base URL of the file, where one from outside of it is used; else empty."""
        return self._instead_of

    def sets(self, header: str) -> bool:
        """Whether `headers` give this one (names in any case): a test then sends none of its own in its place."""
        return header.lower() in map(str.lower, self.headers)

    def rules(self, *, strict: bool = False) -> Rules:
        """What a breach comes to today (UTC)."""
        return Rules(strict or self.strict, self.severity, self.waiver, datetime.now(UTC).date())


def find_profile(named: Path | None = None, folder: Path | None = None) -> Path | None:
    """The profile of a call: the one that is named, else ./kycgate.toml, else a pyproject.toml with [tool.kycgate].

    Raises:
        UsageError: the pyproject.toml beside it cannot be read.
    """
    here = folder or Path()
    if named is not None:
        return named
    if (here / "kycgate.toml").exists():
        return here / "kycgate.toml"
    project = here / PYPROJECT
    return project if project.is_file() and "kycgate" in _toml_of(project).get("tool", {}) else None


def refuse_empty(names: Iterable[str]) -> None:
    """A variable that is set but empty is what a CI system gives for one that it does not know.

    Raises:
        UsageError: one of `names` is such a variable.
    """
    empty = sorted(name for name in names if name in os.environ and not os.environ[name].strip())
    if empty:
        raise UsageError(f"the environment: {empty[0]} is set but empty: give it a value, or unset it")


def _text_of(path: Path) -> str:
    try:
        return read_text(path)
    except OSError as error:
        raise UsageError(f"cannot read the profile {path}: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(f"the profile {path} is not TOML: {str(error).splitlines()[0]}") from None


def _toml_of(path: Path, text: str | None = None) -> dict[str, Any]:
    try:
        return tomllib.loads(_text_of(path) if text is None else text)
    except (ValueError, RecursionError) as error:
        # TOMLDecodeError, UnicodeDecodeError, and an integer with more digits than Python takes.
        raise UsageError(f"the profile {path} is not TOML: {str(error).splitlines()[0]}") from None


def _table_of(path: Path, text: str | None = None) -> dict[str, Any]:
    """What the profile says: the whole file, or [tool.kycgate] of a pyproject.toml."""
    raw = _toml_of(path, text)
    if path.name != PYPROJECT:
        return raw
    table = raw.get("tool", {}).get("kycgate")
    if not isinstance(table, dict):
        raise UsageError(f"the profile {path} has no table [tool.kycgate]")
    return table


def _flow_name(raw: dict[str, Any]) -> str:
    """The flow that a call names, the environment over the file."""
    return os.environ.get(f"{ENV_PREFIX}FLOW", "").strip() or str(raw.get("flow", NATIONAL_ID.id))


def take_flow(profile: Profile) -> Profile:
    """Judge by the profile's flow from now on; returns the profile, with a budget for that flow where none was chosen.

    Raises:
        UsageError: there is no such flow, its file fails, or `paths` names no endpoint of it.
    """
    try:
        choose(Choice(name=profile.flow, base_path=profile.base_path, paths=profile.paths))
    except ValueError as error:
        raise UsageError(str(error)) from None
    return profile.model_copy(update={"limits": profile.limits.within_flow(flow())})


def take_flow_of_call(named: Path | None = None) -> None:
    """Judge by the flow of the call's profile, for a command that reads nothing else of it.

    Raises:
        UsageError: see `take_flow`, or the profile cannot be read.
    """
    path = find_profile(named)
    raw = _table_of(path) if path is not None else {}
    given = {key: raw[key] for key in ("base_path", "paths") if key in raw}
    try:
        choose(Choice(name=_beside(path, _flow_name(raw)), **given))
    except ValueError as error:
        raise UsageError(str(error).splitlines()[0]) from None


def _beside(profile: Path | None, name: str) -> str:
    """A flow's file is meant from where the profile lies."""
    return str(profile.parent / name) if profile is not None and name.endswith(".py") else name


def load_profile(path: Path | None, **flags: Any) -> Profile:
    """The profile from `path` (or the defaults) with the flags that were given on top.

    Raises:
        UsageError: the file cannot be read, is not TOML, or holds a key, value or flow that is not known; or a
            KYCGATE_ variable is set but empty.
    """
    refuse_empty(name for name in os.environ if name.upper().startswith(ENV_PREFIX))
    raw: dict[str, Any] = {}
    file: File | None = None
    if path is not None:
        text = _text_of(path)
        raw = _table_of(path, text)
        file = File(path, text, raw, ("tool", "kycgate") if path.name == PYPROJECT else ())
        if isinstance(raw.get("flow"), str):
            raw["flow"] = _beside(path, raw["flow"])
        for key in ("ca_file", "client_cert", "client_key", "specimens", "pins"):
            # Paths in a profile are meant from where the profile lies.
            if isinstance(raw.get(key), str):
                raw[key] = str(path.parent / raw[key])
    # Loaded first: rules and waivers may name clauses that the flow brings with it.
    without_flow = unknown_flow(raw)
    given: dict[str, Any] = {}
    typed: dict[Place, str] = {}
    for key, value in flags.items():
        section, _, name = key.rpartition("__")
        if value is not None:
            place = (section, name) if section else (name,)
            if place in OPTIONS:
                typed[place] = OPTIONS[place]
            (given.setdefault(section, {}) if section else given)[name] = value

    class Layered(Profile):
        """Flags over environment over file."""

        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, env_settings, InitSettingsSource(settings_cls, init_kwargs=raw)

    own = foreign_names(raw) + (without_flow or unknown_steps(raw))
    found = own
    try:
        profile = Layered(**given)
        demand_allowed(profile.base_url)
        demand_allowed(profile.oauth.token_url)
        filed = raw.get("base_url")
        if isinstance(filed, str) and profile.base_url is not None and filed.strip().rstrip("/") != profile.base_url:
            profile.__pydantic_private__ = {"_instead_of": filed[:200]}
        if not own:
            return profile
    except SettingsError as error:
        raise UsageError(f"the environment: {str(error).splitlines()[0]}") from None
    except ValidationError as error:
        found = [*own, *mistakes_of(error, merged(raw, given), Profile)]
        if without_flow and _flow_name(raw).endswith(".py"):
            # A clause that is not known may be one of the flow's own.
            found = [(place, said) for place, said in found if NO_CLAUSE not in said]
    raise refuse(
        f"the profile {path}" if path is not None else "the call", found, file, options=typed, variables=ENV_PREFIX
    )


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Tables of tables, the second on top of the first."""
    tables = {key: merged(below[key], value) for key, value in above.items()
              if isinstance(value, Mapping) and isinstance(below.get(key), Mapping)}  # fmt: skip
    return {**below, **above, **tables}


class Secrets(BaseModel):
    """The credentials, read from the environment and never from a file, or the command that prints them."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    command: tuple[str, ...] = Field(default=(), repr=False, description="Prints a token; empty for none.")
    command_timeout_s: float = 30.0

    api_keys: tuple[SecretStr, ...] = ()
    tenant_id: str | None = Field(default=None, repr=False)
    tenant_secret: SecretStr | None = None
    expired_token: str | None = Field(default=None, repr=False)
    left_out: str = Field(default="", description="What else the environment holds and is not used, and why.")

    @property
    def mints(self) -> bool:
        """Whether each session gets a token of its own."""
        return self.tenant_id is not None or bool(self.command)


def demand_allowed_command(command: TokenCommand) -> tuple[str, ...]:
    """The words of the command, where there is one and it may be run.

    A change of a file, in a pull request say, must not run code with what the environment holds: the command stands
    in the environment, or the environment lets the file's run.

    Raises:
        UsageError: a file names it, and the environment does not let it run; or there is no such program.
    """
    words = words_of(command.command)
    if not words:
        return ()
    if not os.environ.get(COMMAND_VARIABLE, "").strip() and os.environ.get(ALLOW_COMMAND, "").strip() != "yes":
        raise UsageError(
            f"the profile names a command, credentials.command: it is not run unasked. Read it, then export "
            f"{ALLOW_COMMAND}=yes, or export the command itself as {COMMAND_VARIABLE}"
        )
    if shutil.which(words[0]) is None:
        raise UsageError(f"credentials.command: there is no program {words[0][:80]!r} that can be run")
    return words


def load_secrets(names: Environment, command: TokenCommand | None = None) -> Secrets:
    """The credentials that the environment holds under `names`, or the command that prints them.

    Raises:
        UsageError: there are none, half of the tenant's pair is missing, one is set but empty, one cannot stand in
            a header, or what `demand_allowed_command` says.
    """
    refuse_empty(names.model_dump().values())
    words = demand_allowed_command(command) if command is not None else ()
    if command is not None and words:
        held = [name for name in (names.api_keys, names.tenant_id) if os.environ.get(name)]
        return Secrets(
            command=words,
            command_timeout_s=command.command_timeout_s,
            expired_token=os.environ.get(names.expired_token, "").strip() or None,
            left_out=f"{' and '.join(held)} {'are' if len(held) > 1 else 'is'} not used: credentials.command gives a "
            "token for each session."
            if held
            else "",
        )
    keys = tuple(key.strip() for key in os.environ.get(names.api_keys, "").split(",") if key.strip())
    tenant_id = os.environ.get(names.tenant_id, "").strip()
    tenant_secret = os.environ.get(names.tenant_secret, "").strip()
    for name, value in ((names.api_keys, "".join(keys)), (names.tenant_id, tenant_id)):
        if not value.isascii() or not value.isprintable():
            raise UsageError(f"{name} holds characters that cannot stand in a header")
    if bool(tenant_id) != bool(tenant_secret):
        missing = names.tenant_secret if tenant_id else names.tenant_id
        raise UsageError(f"{missing} is not set: minting tokens takes a tenant id and its secret")
    if not keys and not tenant_id:
        raise UsageError(f"no credentials: export {names.api_keys}, or {names.tenant_id} and {names.tenant_secret}")
    return Secrets(
        api_keys=tuple(SecretStr(key) for key in dict.fromkeys(keys)) if not tenant_id else (),
        tenant_id=tenant_id or None,
        tenant_secret=SecretStr(tenant_secret) if tenant_secret else None,
        expired_token=os.environ.get(names.expired_token, "").strip() or None,
        left_out=f"{names.api_keys} is not used: {names.tenant_id} is set too, which mints a token for each session."
        if keys and tenant_id
        else "",
    )


def is_loopback(base_url: str) -> bool:
    """Whether the target is this machine."""
    host = (urlsplit(base_url).hostname or "").lower()
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
