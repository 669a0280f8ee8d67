"""`kycgate pin`: write down how a target answers, so that a later check can say what has changed."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from kycgate.cli.groups import grouped
from kycgate.cli.options import BudgetOptions, CardOptions, TargetOptions, target_of
from kycgate.cli.spec import RunSpec


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("pin")(pin)


@grouped
def pin(
    runs: Annotated[
        list[Path] | None, typer.Argument(help="Folders of recorded checks, counted together. Default: a new check.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The file, .toml or .json.")] = Path("kycgate.pins.toml"),
    *, target: TargetOptions, cards: CardOptions, budget: BudgetOptions,
) -> None:  # fmt: skip
    """Record what the target does where the contract leaves room, and how it answers."""
    from kycgate.cli.progress import run_with_progress
    from kycgate.errors import CannotJudge, UsageError
    from kycgate.judging.drift import drift_since, load_pins, pins_of, save_pins
    from kycgate.runs.folder import RunFolder
    from kycgate.runs.model import Run

    if out.suffix not in (".toml", ".json"):
        raise UsageError(f"--out {out} ends in neither .toml nor .json: name the pins file so")
    if not out.parent.is_dir():
        raise UsageError(f"--out {out}: there is no folder {out.parent}")
    before = load_pins(out) if out.exists() else None
    if runs:
        recorded: list[Run] = [RunFolder(path).read_run() for path in runs]
    else:
        chosen = target_of(target, cards, budget).model_copy(update={"pins": None})
        run, _ = run_with_progress(
            RunSpec(command="check", profile=chosen, profile_file=target.profile_file, seed=cards.seed, check=True)
        )
        if not run.complete or not any(clause.observed for clause in run.clauses):
            raise CannotJudge(f"nothing was pinned: {run.reason}")
        recorded = [run]
    pins = pins_of(recorded, pinned=datetime.now(UTC).date())
    save_pins(pins, out)
    if before is not None:
        for item in drift_since(before, (seen for run in recorded for seen in run.behaviour))[0]:
            print(f"changed  {item.subject}  {', '.join(item.before)} -> {', '.join(item.now)}")
    broken = sorted({c.id for run in recorded for c in run.clauses if c.broken})
    if broken:
        print(f"note: broken while it was pinned: {', '.join(broken)}")
    print(f"{len(pins.subjects)} answers pinned in {out}: read it, and commit it")
