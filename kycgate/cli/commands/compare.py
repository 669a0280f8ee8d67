"""`kycgate compare BASE NEW`: what got slower, what faster."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from kycgate.errors import UsageError


class Clock(StrEnum):
    """--clock."""

    RESPONSE = "response"
    SERVICE = "service"
    THINKING = "thinking"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(compare)


def compare(
    base: Annotated[Path, typer.Argument(help="The folder of the load run before.")],
    new: Annotated[Path, typer.Argument(help="The folder of the load run after.")],
    min_effect: Annotated[float, typer.Option(min=0, max=1_000, help="The smallest change that matters, %.")] = 5.0,
    confidence: Annotated[float, typer.Option(min=50, max=99.9, help="Of all comparisons together, %.")] = 95.0,
    percentile: Annotated[
        list[float] | None, typer.Option(help="Compare this one; may be given again. Default: 50, 90, 95, 99.")
    ] = None,
    clock: Annotated[Clock, typer.Option(help="Which time.")] = Clock.RESPONSE,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the result as Markdown.")] = False,
) -> None:
    """Compare two load runs, before and after a release: slower, faster or neither."""
    from kycgate.runs.folder import RunFolder
    from kycgate.sla.compare import PERCENTILES, as_lines, as_markdown
    from kycgate.sla.compare import compare as judge
    from kycgate.sla.recording import Recording

    asked = tuple(dict.fromkeys(percentile or PERCENTILES))
    if any(not 0 < p < 100 for p in asked):
        raise UsageError("a --percentile lies between 0 and 100")
    found = judge(
        Recording.read(RunFolder(base)),
        Recording.read(RunFolder(new)),
        clock=str(clock),
        percentiles=asked,
        demanded=bool(percentile),
        min_effect=min_effect / 100,
        confidence=confidence / 100,
        seed=seed,
    )
    print(found.model_dump_json(indent=1) if json else as_markdown(found) if markdown else "\n".join(as_lines(found)))
    raise typer.Exit(found.exit_code)
