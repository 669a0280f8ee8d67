"""`kycgate chaos`: serve a target that misbehaves below HTTP, for trying out what a client makes of it."""

import json
import sys
import threading
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("chaos")(chaos)


def chaos(
    name: Annotated[str, typer.Argument(help="The behaviour, see --list.")] = "",
    after: Annotated[int, typer.Option(min=0, help="Requests that are well answered first.")] = 0,
    share: Annotated[float, typer.Option(min=0, max=1, help="Of the requests after them, those mistreated.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Which ones, when not all.")] = 0,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 picks a free one.")] = 0,
    list_all: Annotated[bool, typer.Option("--list", help="Print the behaviours and end.")] = False,
) -> None:
    """Serve the sandbox behind a misbehaving connection: resets, silence, endless answers, bombs, odd TLS."""
    from kycgate.chaos import BEHAVIOURS, ChaosTarget
    from kycgate.chaos.registry import named
    from kycgate.sandbox import TENANT, TENANT_SECRET, RunningSandbox, SandboxSettings

    if list_all or not name:
        for known in BEHAVIOURS.values():
            print(f"{known.name}: {known.sentence}")
        return
    behaviour = named(name)
    settings = SandboxSettings(tenants={TENANT: TENANT_SECRET})
    with (
        RunningSandbox(settings) as sandbox,
        ChaosTarget(behaviour, sandbox.base_url, after=after, share=share, seed=seed, port=port) as target,
    ):
        print(f"export KYCGATE_TENANT_ID={TENANT} KYCGATE_TENANT_SECRET={TENANT_SECRET}; Ctrl-C ends", file=sys.stderr)
        print(json.dumps({"url": target.base_url}), flush=True)
        threading.Event().wait()
