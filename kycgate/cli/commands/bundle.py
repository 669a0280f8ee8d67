"""`kycgate bundle`: a run's evidence in one file, and its verification."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from kycgate.errors import ExitCode, UsageError
from kycgate.text import counted

if TYPE_CHECKING:
    from kycgate.reports.bundle import Verified

MAX_LINES = 20


def register(app: typer.Typer) -> None:
    app.command()(bundle)


def bundle(
    run: Annotated[Path | None, typer.Argument(help="The folder of a run.")] = None,
    policy: Annotated[Path | None, typer.Option("--policy", help="Judge by this one, not the run's own.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The archive. Default: beside the run, with .zip.")
    ] = None,
    verify: Annotated[Path | None, typer.Option("--verify", help="Check this bundle instead.")] = None,
    digest: Annotated[str | None, typer.Option("--digest", help="With --verify: the digest that was kept.")] = None,
) -> None:
    """Pack a run's evidence into one archive, or verify one: nothing in it can be changed unnoticed."""
    from kycgate.reports.bundle import pack
    from kycgate.reports.bundle import verify as check
    from kycgate.runs.folder import RunFolder

    if verify is not None:
        if run is not None or policy is not None or out is not None:
            raise UsageError("--verify takes a bundle, and nothing else but --digest")
        found = check(verify)
        if digest is not None and digest.lower() != found.digest:
            found.contradictions.insert(0, "this is not the bundle whose digest was kept")
        _end(found, f"{verify}: digests agree, and every figure follows from what is raw")
    if run is None:
        raise UsageError("name the folder of a run, or a bundle to --verify")
    if digest is not None:
        raise UsageError("--digest goes with --verify")
    path = out or run.absolute().parent / f"{run.absolute().name}.zip"
    _end(pack(RunFolder(run), policy, path), f"{path}")


def _end(found: "Verified", said: str) -> NoReturn:
    if found.contradictions:
        for line in found.contradictions[:MAX_LINES]:
            print(f"contradiction  {line[:300]}")
        more = len(found.contradictions) - MAX_LINES
        if more > 0:
            print(f"and {more} more")
        by = found.manifest.get("packed_by")
        whose = f"; packed by kycgate {by}, whose own --verify decides" if by else "; nothing was packed"
        print(f"{counted(len(found.contradictions), 'contradiction')}{whose}")
        raise typer.Exit(int(ExitCode.BROKEN))
    for objective in found.verdict["objectives"]:
        print(f"{objective['verdict']}  {objective['id']}  {objective['measured']}, limit {objective['limit']}")
    print(said)
    print(f"digest {found.digest} (kept elsewhere, it shows that this is the bundle that was made)")
    raise typer.Exit(int(ExitCode.KEPT))
