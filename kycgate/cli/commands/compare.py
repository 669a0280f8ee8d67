"""`kycgate compare BASE NEW`: what got slower, what faster."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kycgate.cli.groups import grouped
from kycgate.cli.output import Output
from kycgate.errors import UsageError

if TYPE_CHECKING:
    from pydantic import BaseModel


class Clock(StrEnum):
    """--clock."""

    RESPONSE = "response"
    SERVICE = "service"
    THINKING = "thinking"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(compare)


@grouped
def compare(
    base: Annotated[Path, typer.Argument(help="The folder of the load run before.")],
    new: Annotated[Path | None, typer.Argument(help="The folder of the load run after.")] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Say how long two runs like BASE must be, instead of comparing.")
    ] = False,
    min_effect: Annotated[float, typer.Option(min=0, max=1_000, help="The smallest change that matters, %.")] = 5.0,
    confidence: Annotated[float, typer.Option(min=50, max=99.9, help="Of all comparisons together, %.")] = 95.0,
    percentile: Annotated[
        list[float] | None, typer.Option(help="Compare this one; may be given again. Default: 50, 90, 95, 99.")
    ] = None,
    clock: Annotated[Clock, typer.Option(help="Which time.")] = Clock.RESPONSE,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap.")] = 0,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the result as Markdown.")] = False,
    *,
    output: Output,
) -> None:
    """Compare two load runs, before and after a release: slower, not slower, or not enough evidence."""
    from kycgate.extras import demand_load

    demand_load("compare")
    from kycgate.runs.folder import RunFolder
    from kycgate.sla.compare import PERCENTILES, as_lines, as_markdown
    from kycgate.sla.compare import compare as judge
    from kycgate.sla.recording import Recording

    asked = tuple(dict.fromkeys(percentile or PERCENTILES))
    if any(not 0 < p < 100 for p in asked):
        raise UsageError("a --percentile lies between 0 and 100")
    if markdown and not output.plain:
        raise UsageError(
            f"--markdown and {'--json' if output.json else '--quiet'} contradict each other: give one of them"
        )
    if plan:
        _plan(base, new, str(clock), asked, min_effect / 100, confidence / 100, seed, output)
        return
    if new is None:
        raise UsageError("name two runs to compare, or one with --plan")
    found = judge(
        Recording.read(RunFolder(base)),
        Recording.read(RunFolder(new)),
        clock=str(clock),
        percentiles=asked,
        min_effect=min_effect / 100,
        confidence=confidence / 100,
        seed=seed,
    )
    *lines, verdict = [as_markdown(found)] if markdown else as_lines(found)
    for line in lines:
        output.line(line)
    output.verdict(verdict)

    def answer() -> "BaseModel":
        from kycgate.cli.measured_answers import CompareAnswer

        return CompareAnswer(**found.model_dump())

    output.document(answer)
    raise typer.Exit(found.exit_code)


def _plan(
    base: Path,
    new: Path | None,
    clock: str,
    asked: tuple[float, ...],
    effect: float,
    confidence: float,
    seed: int,
    output: Output,
) -> None:
    from kycgate.runs.folder import RunFolder
    from kycgate.sla.compare import lengths, seconds_words
    from kycgate.sla.needs import POWER
    from kycgate.sla.recording import Recording

    if new is not None:
        raise UsageError("--plan learns from one run: leave out the other")
    if effect <= 0:
        raise UsageError("--plan needs a --min-effect above 0: no run shows that nothing changed at all")
    found = lengths(
        Recording.read(RunFolder(base)),
        clock=clock, percentiles=asked, min_effect=effect, confidence=confidence, seed=seed,
    )  # fmt: skip
    if not found:
        raise UsageError(f"{base} measured no step by the clock {clock}")
    for one in found:
        output.line(
            f"{one.step:<14} p{one.percentile:<5g} {'unknown' if one.seconds is None else seconds_words(one.seconds)}"
        )
    known = [one.seconds for one in found if one.seconds is not None]
    if len(known) == len(found):
        output.verdict(
            f"two runs of {seconds_words(max(known))} each show, {POWER:.0%} of the time, that nothing got slower by "
            f"more than {effect:.1%} when nothing changed, and that something did when it got "
            f"{(1 + effect) ** 2 - 1:.1%} slower"
        )

    def answer() -> "BaseModel":
        from kycgate.cli.measured_answers import ComparePlan

        return ComparePlan.model_validate({"lengths": found})

    output.document(answer)
