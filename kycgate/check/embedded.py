"""The embedded sandbox: the target when no base URL is given."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pydantic import SecretStr

from kycgate.sandbox import TENANT, TENANT_SECRET, RunningSandbox, SandboxSettings
from kycgate.settings.profile import OAuth, Profile, Secrets


@dataclass(frozen=True)
class Embedded:
    """A running sandbox and how to reach it."""

    profile: Profile
    secrets: Secrets
    expired_token: str | None


@contextmanager
def embedded_sandbox(
    profile: Profile, settings: SandboxSettings | None = None, faults: tuple[str, ...] = (), *, keys: int = 0
) -> Iterator[Embedded]:
    """Serve the sandbox on a free loopback port; with `keys`, by that number of fixed keys instead of minted tokens."""
    fixed = tuple(f"sandbox-key-{number:04d}" for number in range(1, keys + 1))
    chosen = (settings or SandboxSettings()).model_copy(
        update={"api_keys": fixed, "tenants": {} if fixed else {TENANT: TENANT_SECRET}}
    )
    secrets = (
        Secrets(api_keys=tuple(SecretStr(key) for key in fixed))
        if fixed
        else Secrets(tenant_id=TENANT, tenant_secret=SecretStr(TENANT_SECRET))
    )
    with RunningSandbox(chosen, faults) as sandbox:
        yield Embedded(
            # It is this process's own: no proxy stands between, and no gateway; it wants no certificate.
            profile.model_copy(
                update={
                    "base_url": sandbox.base_url,
                    "proxy": None,
                    "client_cert": None,
                    "client_key": None,
                    "oauth": OAuth(),
                }
            ),
            secrets,
            None if fixed else sandbox.expired_token(),
        )
