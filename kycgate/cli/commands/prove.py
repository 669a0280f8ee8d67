"""`kycgate prove`: the check against every fault and every faithful variant of the sandbox."""

from pathlib import Path
from typing import Annotated

import typer

from kycgate.errors import ExitCode


def register(app: typer.Typer) -> None:
    app.command()(prove)


def prove(
    out: Annotated[Path, typer.Option("--out", "-o", help="Where to write prove.json and prove.md.")] = Path(
        "kycgate-out/prove"
    ),
    only: Annotated[
        list[str] | None, typer.Option(help="A fault or variant, or `no fault` of a load; may be given again.")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Look for each fault by the tests of its own clause first.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Keep what prove.json already holds.")] = False,
) -> None:
    """Run the check against every fault and faithful variant of the sandbox, and a load against those under load."""
    from kycgate.extras import demand_load

    demand_load("prove")
    from kycgate.check.prove import prove as run_prove
    from kycgate.check.prove import versions
    from kycgate.files import write_atomically
    from kycgate.reports.detection import detection_of
    from kycgate.reports.html import render_prove
    from kycgate.sandbox.faults.registry import FAULTS
    from kycgate.settings.profile import take_flow_of_call

    take_flow_of_call()
    results = run_prove(out, only or (), resume=resume, quick=quick, say=lambda line: print(line, flush=True))
    kinds = {name: fault.kind for name, fault in FAULTS.load().items()}
    detection = detection_of(results, kinds, versions())
    write_atomically(out / "detection.json", detection.model_dump_json(indent=1) + "\n")
    write_atomically(out / "prove.html", render_prove(results, versions()))
    raise typer.Exit(int(ExitCode.KEPT if all(t.passed for t in results) else ExitCode.BROKEN))
