"""`kycgate history STORE|RUNS…`: many runs and months on one page."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kycgate.cli.groups import grouped
from kycgate.cli.options import EveryOption, PolicyOption, ProbedOption, policy_of, release_label
from kycgate.cli.output import Output
from kycgate.errors import UsageError
from kycgate.text import counted

if TYPE_CHECKING:
    from pydantic import BaseModel

    from kycgate.sla.history import Release
    from kycgate.sla.history_points import Taken
    from kycgate.sla.policy import Policy

_SQLITE = b"SQLite format 3\0"
_FIRST, _LAST = datetime(2000, 1, 2, tzinfo=UTC), datetime(2999, 12, 1, tzinfo=UTC)
"""Probes outside these come from a clock that is wrong, and no month is named for them."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(history)


@grouped
def history(
    runs: Annotated[
        list[str],
        typer.Argument(metavar="STORE|RUNS...", help="A store of probes, or the folders of recorded runs; or both."),
    ],
    policy: PolicyOption = None,
    target: ProbedOption = None,
    every: EveryOption = None,
    released: Annotated[
        list[str] | None,
        typer.Option(
            "--released", metavar="DAY=LABEL", help="A release and its day (2026-11-03=4.2); may be given again."
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The page's file.")] = Path("kycgate-history.html"),
    *,
    output: Output,
) -> None:
    """Show many runs or months on one page: trends with intervals, availability, releases, and what changed when."""
    from kycgate.extras import demand_load

    demand_load("history")
    from kycgate.files import write_atomically
    from kycgate.reports.history_page import render_history
    from kycgate.sla.history import as_lines
    from kycgate.sla.history import history as look_back

    if out.suffix != ".html":
        raise UsageError(f"--out {out}: the page's file ends in .html")
    if not out.parent.is_dir():
        raise UsageError(f"--out {out}: there is no folder {out.parent}")
    releases = [_release(text) for text in released or ()]
    notes: list[str] = []
    taken = _taken(runs, policy_of(policy), target, every, notes)
    found = look_back(taken, released=releases, notes=notes)
    try:
        write_atomically(out, render_history(found, made=datetime.now(UTC)))
    except OSError as error:
        raise UsageError(f"cannot write {out}: {error.strerror}") from None
    *lines, verdict = as_lines(found)
    for line in lines:
        output.line(line)
    output.verdict(verdict)
    output.note(f"page: {out}")

    def answer() -> "BaseModel":
        from kycgate.cli.measured_answers import HistoryAnswer

        return HistoryAnswer(**found.model_dump(), page=str(out))

    output.document(answer)


def _release(text: str) -> "Release":
    from kycgate.sla.history import Release

    day, _, label = text.partition("=")
    try:
        moment = datetime.fromisoformat(day)
    except ValueError:
        moment = None
    if moment is None or not label.strip():
        raise UsageError(f"--released {text!r}: write a day, or a time, and a label: 2026-11-03=4.2")
    return Release(moment if moment.tzinfo else moment.replace(tzinfo=UTC), release_label(label.strip()))


def _taken(
    sources: Sequence[str], policy: "Policy | None", target: str | None, every_s: float | None, notes: list[str]
) -> "list[Taken]":
    """The points of all that is named; what cannot be one goes to `notes`.

    Raises:
        UsageError: one of them is neither a run nor a store, is damaged, or is given twice; or nothing is left.
    """
    stores = [source for source in sources if _is_store(source)]
    folders = [_folder(source) for source in sources if source not in stores]
    if len(stores) > 1:
        raise UsageError("name one store: several hold probes of the same months")
    if (target is not None or every_s is not None) and not stores:
        raise UsageError("--target and --every go with a store of probes")
    measure = policy.period.measure if policy is not None else None
    taken = [
        *_of_runs(folders, policy if measure != "calendar month" else None, notes),
        *(_of_store(stores[0], policy if measure != "run" else None, target, every_s, notes) if stores else ()),
    ]
    known: set[tuple[str, str]] = set()
    for one in taken:
        month = (one.like.target, one.point.name)
        if one.like.kind == "month" and month in known:
            raise UsageError(f"{one.point.name} of {one.like.target} is given twice: it counts once")
        known.add(month)
    if not taken:
        raise UsageError(f"nothing is left to show: {'; '.join(notes) or 'no run, no probe'}")
    return taken


def _is_store(source: str) -> bool:
    if re.match(r"postgres(ql)?://", source):
        return True
    try:
        # A FIFO would be waited for.
        if not Path(source).is_file():
            return False
        with Path(source).open("rb") as file:
            return file.read(len(_SQLITE)) in (_SQLITE, b"")
    except (OSError, ValueError):
        return False


def _folder(source: str) -> Path:
    path = Path(source)
    if path.name == "run.json" or path.suffix == ".hlog":
        path = path.parent
    if not path.is_dir():
        raise UsageError(f"{source} is neither the folder of a run nor a store of probes")
    return path


def _of_runs(folders: Sequence[Path], policy: "Policy | None", notes: list[str]) -> "Iterator[Taken]":
    from kycgate.runs.folder import RunFolder
    from kycgate.sla.history_points import began, of_load, of_recorded_month, weeks_of
    from kycgate.sla.judge import refuse_twins
    from kycgate.sla.recording import Recording

    given = [RunFolder(path) for path in folders]
    recordings = [Recording.read(folder) for folder in given]
    loads = [recording for recording in recordings if recording.run.load is not None]
    refuse_twins(loads)
    months = []
    without = [r.name for r in recordings if r.run.load is None and r.run.period is None]
    if without:
        notes.append(f"{counted(len(without), 'run')} without a load or a month left out: {_some(without)}")
    for folder, recording in zip(given, recordings, strict=True):
        moment = began(recording.run)
        if recording.run.period is not None:
            taken, month = of_recorded_month(recording.run, folder)
            if month is not None:
                months.append(month)
            yield taken
        elif recording.run.load is None:
            continue
        elif recording.run.load.capacity is not None:
            notes.append(f"{recording.name} left out: a search for the capacity has no one rate")
        elif moment is None:
            notes.append(f"{recording.name} left out: it does not say when it began")
        else:
            yield of_load(recording, moment, policy)
    for name in dict.fromkeys(month.judged.period.target for month in months):
        yield from weeks_of([month for month in months if month.judged.period.target == name])


def _of_store(
    where: str, policy: "Policy | None", target: str | None, every_s: float | None, notes: list[str]
) -> "Iterator[Taken]":
    from kycgate.cli.commands.sla import target_of_store
    from kycgate.probing import open_store
    from kycgate.sla.history_points import months_of_store, of_month, plain_policy, weeks_of

    with open_store(where) as store:
        chosen = target_of_store(store.targets(), target, store.name)
        probes = store.probes(chosen, _FIRST, _LAST)
    months = []
    for month in months_of_store(probes, chosen, policy or plain_policy(), now=datetime.now(UTC), every_s=every_s):
        if isinstance(month, str):
            notes.append(f"left out: {month}")
            continue
        months.append(month)
        yield of_month(month, by_policy=policy is not None)
    yield from weeks_of(months)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
