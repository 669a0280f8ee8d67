"""`kycgate init`: from a few answers and a handful of requests to a commented profile."""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from kycgate.cli.options import BaseUrlOption, SpecimensOption, TranslationOption
from kycgate.errors import CannotJudge, ExitCode, UsageError
from kycgate.text import counted

PROBE_REQUESTS = 10

Credentials = Literal["tenant", "keys"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("init")(init)


def init(
    base_url: BaseUrlOption = None,
    name: Annotated[str | None, typer.Option(help="Shown in reports.")] = None,
    credentials: Annotated[
        str | None, typer.Option(help="tenant (a token is minted for each session) or keys (fixed ones).")
    ] = None,
    tenant_id: Annotated[
        str | None, typer.Option(metavar="NAME", help="The variable that holds the tenant's id.")
    ] = None,
    tenant_secret: Annotated[
        str | None, typer.Option(metavar="NAME", help="The variable that holds its secret.")
    ] = None,
    api_keys: Annotated[
        str | None, typer.Option(metavar="NAME", help="The variable that holds the fixed keys.")
    ] = None,
    translation: TranslationOption = None,
    specimens: SpecimensOption = None,
    max_load_rate: Annotated[float | None, typer.Option(help="Onboardings a second that load may start there.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The profile to write.")] = Path("kycgate.toml"),
    force: Annotated[bool, typer.Option("--force", help="Overwrite it when it is there.")] = False,
    probe: Annotated[bool, typer.Option("--probe/--no-probe", help="Learn from the target with some requests.")] = True,
) -> None:
    """Write a commented profile; asks for what is not given, and probes the target."""
    from kycgate.files import write_atomically
    from kycgate.settings.mistakes import refuse
    from kycgate.settings.profile import foreign_names, load_profile
    from kycgate.settings.template import profile_text

    if out.exists() and not force:
        raise UsageError(f"{out} is there already: give --force to overwrite it, or another name with --out")
    if not out.parent.is_dir():
        raise UsageError(f"--out {out}: there is no folder {out.parent}")
    if credentials not in (None, "tenant", "keys"):
        raise UsageError(f"--credentials {credentials!r} is neither tenant nor keys")
    asks = sys.stdin.isatty() and sys.stdout.isatty()
    if base_url is None and not asks:
        raise UsageError("there is no terminal to ask on: give --base-url (and what else differs, see --help)")
    fixed = credentials == "keys" or api_keys is not None
    if base_url is None:
        base_url = _ask_url()
        name = name if name is not None else typer.prompt("A name for reports", default="vendor sandbox")
        if credentials is None and not (fixed or tenant_id or tenant_secret):
            fixed = typer.prompt("Credentials: tenant (tokens are minted) or keys", default="tenant").strip() == "keys"
        if specimens is None:
            folder = typer.prompt(
                "A folder with the vendor's own test cards (empty: ours)", default="", show_default=False
            )
            specimens = Path(folder.strip()) if folder.strip() else None
        if max_load_rate is None:
            rate = typer.prompt("Onboardings a second that load may start there (0: none)", default=0.0, type=float)
            max_load_rate = rate or None
    chosen: dict[str, Any] = {
        "name": name,
        "base_url": base_url,
        "translation": str(translation) if translation else None,
        "specimens": os.path.relpath(specimens, out.parent) if specimens else None,
        "limits.max_load_rate": max_load_rate,
        "environment.api_keys": api_keys,
        "environment.tenant_id": tenant_id,
        "environment.tenant_secret": tenant_secret,
    }
    chosen = {key: value for key, value in chosen.items() if value is not None}
    # What was given is judged before anything is sent or written.
    sections = {key.replace(".", "__"): value for key, value in chosen.items()}
    foreign = foreign_names(
        {"environment": {"api_keys": api_keys, "tenant_id": tenant_id, "tenant_secret": tenant_secret}}
    )
    if foreign:
        raise refuse(f"the profile {out}", foreign, None)
    profile = load_profile(None, **(sections | ({"specimens": specimens} if specimens else {})))
    chosen |= _way(profile, out.parent)
    learned: dict[str, str] = {}
    said = ""
    failed = False
    if probe:
        try:
            said = _probe(profile, chosen, learned)
        except CannotJudge as error:
            said, failed = f"probed, and learned nothing: {error}", True
    try:
        write_atomically(out, profile_text(chosen, learned))
    except OSError as error:
        raise UsageError(f"cannot write {out}: {error.strerror}") from None
    names = profile.environment
    wanted: tuple[str, ...] = (names.api_keys,) if fixed else (names.tenant_id, names.tenant_secret)
    wanted = wanted if profile.credentials.command is None else ()
    missing = [variable for variable in wanted if not os.environ.get(variable)]
    print(f"{out} is written" + (f"; {said}" if said else ""))
    if missing:
        print(f"export {' '.join(f'{variable}=…' for variable in missing)}")
    print(f"then: kycgate doctor --profile {out} && kycgate check --profile {out}")
    raise typer.Exit(int(ExitCode.UNCLEAR if failed else ExitCode.KEPT))


def _way(profile: Any, folder: Path) -> dict[str, Any]:
    """How the environment says that the target is reached, by key of the profile: by that way it is probed."""
    found: dict[str, Any] = {"proxy": profile.proxy}
    for key in ("ca_file", "client_cert", "client_key"):
        path = getattr(profile, key)
        found[key] = os.path.relpath(path, folder) if path is not None else None
    found |= {f"oauth.{key}": getattr(profile.oauth, key) for key in profile.oauth.model_fields_set}
    return {key: value for key, value in found.items() if value is not None}


def _ask_url() -> str:
    from kycgate.settings.profile import check_base_url

    while True:
        try:
            return check_base_url(typer.prompt("The target's base URL"))
        except ValueError as error:
            print(f"{error}")


def _probe(profile: Any, chosen: dict[str, Any], learned: dict[str, str]) -> str:
    """Enter what the first requests of a check show into `chosen`, and why into `learned`; returns what to say.

    Raises:
        CannotJudge: the target cannot be reached, or refuses the credentials or cards.
    """
    import random

    from kycgate import specimens as cards
    from kycgate.gate.gate import Gate
    from kycgate.settings.profile import load_secrets

    if profile.specimens is not None:
        cards.load_directory(profile.specimens)
    try:
        secrets = load_secrets(profile.environment, profile.credentials)
    except UsageError:
        if profile.credentials.command is not None:
            raise
        return "not probed, as no credentials are exported yet"
    limits = profile.limits.model_copy(update={"requests": PROBE_REQUESTS, "uploads": PROBE_REQUESTS})
    gate = Gate(profile.model_copy(update={"limits": limits}), secrets, seed=random.randrange(2**31))
    try:
        gate.preflight()
    finally:
        gate.close()
    today = datetime.now(UTC).date().isoformat()
    if profile.translation == "auto" and gate.translation != "auto":
        # One reading is weak evidence: leave `auto` unless you know.
        chosen["translation"] = "auto"
        learned["translation"] = f"A first reading on {today} showed it {gate.translation}; to demand that, write so."
    if profile.auth_scheme == "auto":
        chosen["auth_scheme"] = gate.scheme
        learned["auth_scheme"] = f"Learned on {today}: so a first upload was accepted."
    return f"probed with {counted(gate.budget.requests_sent, 'request')}"
