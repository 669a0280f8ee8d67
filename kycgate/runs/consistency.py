"""Whether a recorded run agrees with itself: no verdict is taken from a file whose parts contradict each other."""

import math
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from kycgate.errors import ExitCode
from kycgate.runs.clause import Verdict
from kycgate.runs.load_model import LoadResult
from kycgate.runs.model import Run
from kycgate.settings.severity import Effect


def contradiction(run: Run) -> str:
    """The first thing that cannot be, in a few words; empty when there is none."""
    return next(_contradictions(run), "")


def _contradictions(run: Run) -> Iterator[str]:
    yield from _impossible(run, "")
    try:
        word = ExitCode(run.exit_code).word
    except ValueError:
        yield f"no exit code is {run.exit_code}"
        return
    if word != run.verdict:
        yield f"exit code {run.exit_code} with the verdict {run.verdict}"
    if run.uploads_sent > run.requests_sent:
        yield f"{run.uploads_sent} uploads in {run.requests_sent} requests"
    for clause in run.clauses:
        if clause.broken > clause.observed:
            yield f"{clause.id} was broken {clause.broken} times in {clause.observed} observations"
        if clause.observed and (clause.verdict is Verdict.BROKEN) != (clause.broken > 0):
            yield f"{clause.id} is {clause.verdict} with {clause.broken} breaches"
        if run.verdict == "kept" and clause.effect is Effect.FAILS:
            yield f"the verdict is kept and {clause.id} fails"
    if run.verdict == "kept" and any(objective.verdict == "broken" for objective in run.objectives):
        yield "the verdict is kept and an objective is broken"
    if run.load is not None:
        yield from _of_load(run.load)


def _of_load(load: LoadResult) -> Iterator[str]:
    if load.unavailable + load.wrong_answers > load.requests:
        yield "more answers failed than requests were sent"
    if load.recorded + load.in_flight > load.scheduled:
        yield f"{load.recorded} onboardings ended and {load.in_flight} go on, of {load.scheduled}"
    for point in load.series:
        if not point.unavailable <= point.failures <= point.finished:
            yield f"in second {point.second:g} more answers of {point.step} failed than came"
    for due in load.by_due:
        if due.failures > due.finished:
            yield f"of what was due in second {due.second:g} more of {due.step} failed than ended"
    for reading in load.readings:
        if reading.right > reading.total:
            yield f"{reading.field} was read right {reading.right} times of {reading.total}"


_MAY_BE_NEGATIVE = frozenset(
    {"seed", "extra", "options", "policy", "size_fit", "trends", "usl", "knee", "clock_low_s", "clock_high_s"}
)
"""A slope, a clock's offset, what a user chose; all else that is recorded is a count, a time or a share."""


def _impossible(value: Any, name: str) -> Iterator[str]:
    """Numbers that nothing could have been measured as."""
    if isinstance(value, float) and not math.isfinite(value):
        yield f"{name} is not a number"
    elif isinstance(value, int | float) and value < 0 and not isinstance(value, bool):
        yield f"{name} is {value}"
    elif isinstance(value, BaseModel):
        for field in type(value).model_fields:
            if field not in _MAY_BE_NEGATIVE:
                yield from _impossible(getattr(value, field), field)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _impossible(item, name)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _impossible(item, str(key))
