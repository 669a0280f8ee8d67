"""Many runs and months in the order in which they began: what can be compared, its trend, and what changed.

Runs of another target, flow, rate, load or mix of pictures are not points of one trend: each such group has its own.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Literal, NamedTuple

from kycgate.sla.changes import FEWEST, LEVEL, Split, Verdict, splits
from kycgate.sla.history_model import (
    History,
    HistoryChange,
    HistoryGroup,
    HistoryPoint,
    HistorySeries,
    HistoryValue,
    ReleaseMark,
)
from kycgate.sla.history_points import Likeness, SeriesId, Taken
from kycgate.text import counted

_KINDS = ("load", "month", "week")
_ORDER = ("objective", "availability", "latency")


class Release(NamedTuple):
    """A release of the target, and when it was there."""

    at: datetime
    label: str


def history(taken: Sequence[Taken], *, released: Sequence[Release] = (), notes: Sequence[str] = ()) -> History:
    """What these runs, months and weeks say together; `released` also names releases that they do not record."""
    releases = sorted(released)
    by_like: dict[Likeness, list[Taken]] = defaultdict(list)
    for one in sorted(taken, key=lambda one: (one.point.began, one.point.name)):
        by_like[one.like].append(one)
    order = sorted(by_like.items(), key=lambda item: (_KINDS.index(item[0].kind), -len(item[1])))
    # The error is shared out over the groups that can show a change.
    able = max(sum(_counted(group) >= FEWEST for group in by_like.values()), 1)
    largest: dict[str, Likeness] = {}
    groups = []
    for like, group in order:
        main = largest.setdefault(like.kind, like)
        groups.append(_group(like, group, releases, able, [] if like == main else differences(main, like)))
    verdict = _verdict([group.verdict for group in groups])
    return History(verdict=verdict, reason=_reason(verdict, groups), groups=groups, notes=list(notes))


def differences(one: Likeness, other: Likeness) -> list[str]:
    """In what another group differs, in words; empty where both can be compared."""
    what = {
        "target": "another target", "flow": "another flow", "load": "another load", "pictures": "other pictures",
        "onboardings": "onboardings in other ways",
    }  # fmt: skip
    return [
        f"{words}: {getattr(other, name) or 'none'}, not {getattr(one, name) or 'none'}"
        for name, words in what.items()
        if getattr(one, name) != getattr(other, name)
    ]


def _counted(group: Sequence[Taken]) -> int:
    return sum(not one.point.left_out for one in group)


def _group(
    like: Likeness, group: Sequence[Taken], releases: Sequence[Release], able: int, differs: list[str]
) -> HistoryGroup:
    points = [_with_release(one.point, releases) for one in group]
    ids = sorted(
        dict.fromkeys(series for one in group for series in one.values), key=lambda series: _ORDER.index(series.kind)
    )
    rows = [
        [None if one.point.left_out or series not in one.values else one.values[series].value for one in group]
        for series in ids
    ]
    found = splits(rows, level=LEVEL / able)
    series = [_series(of, group, split, able) for of, split in zip(ids, found, strict=True)]
    marks = _marks(points, releases)
    changes = _changes(points, found, series, rows, releases)
    return HistoryGroup(
        kind=like.kind, target=like.target, flow=like.flow, load=like.load, pictures=like.pictures,
        onboardings=like.onboardings, differs=differs, points=points, series=series, releases=marks, changes=changes,
        verdict=_verdict([one.verdict for one in series]),
    )  # fmt: skip


def _with_release(point: HistoryPoint, releases: Sequence[Release]) -> HistoryPoint:
    """The release that was there when it began, where the run does not record one itself."""
    known = [release.label for release in releases if release.at <= point.began]
    return point.model_copy(update={"release": point.release or (known[-1] if known else "")})


def _marks(points: Sequence[HistoryPoint], releases: Sequence[Release]) -> list[ReleaseMark]:
    """Releases within the group's time: when they were said to be there, else with the first run of theirs."""
    first, last = points[0].began, max(point.ends or point.began for point in points)
    marks = [ReleaseMark(label=label, at=at) for at, label in releases if first <= at <= last]
    said = {label for _, label in releases}
    before = points[0].release
    for point in points[1:]:
        if point.release not in ("", before, *said):
            marks.append(ReleaseMark(label=point.release, at=point.began))
        before = point.release or before
    return sorted(marks, key=lambda mark: mark.at)


def _series(of: SeriesId, group: Sequence[Taken], split: Split, able: int) -> HistorySeries:
    shown = split.verdict in ("changed", "drifts")
    values: list[HistoryValue] = [
        one.values[of].model_copy(update={"point": place}) for place, one in enumerate(group) if of in one.values
    ]
    return HistorySeries(
        kind=of.kind, name=of.name, sentence=of.what, unit=of.unit, percentile=of.percentile,
        higher_is_better=of.higher_is_better, values=values, verdict=split.verdict,
        p=None if split.verdict == "too few runs" else min(split.p * able, 1.0),
        before=split.before if shown else None, after=split.after if shown else None,
    )  # fmt: skip


def _changes(
    points: Sequence[HistoryPoint],
    found: Sequence[Split],
    series: Sequence[HistorySeries],
    rows: Sequence[Sequence[float | None]],
    releases: Sequence[Release],
) -> list[HistoryChange]:
    """One for each place at which series changed."""
    by_place: dict[int, list[int]] = defaultdict(list)
    for number, split in enumerate(found):
        if split.verdict == "changed":
            by_place[split.at].append(number)
    changes = []
    for at, numbers in by_place.items():
        known = [place for place in range(len(points)) if any(rows[number][place] is not None for number in numbers)]
        last, first = max(place for place in known if place < at), min(place for place in known if place >= at)
        numbers.sort(key=lambda number: series[number].p or 0.0)
        worse = {series[number].worse for number in numbers}
        verdict: Literal["worse", "better", "mixed"]
        verdict = "mixed" if len(worse) == 2 else "worse" if True in worse else "better"
        changes.append(
            HistoryChange(
                verdict=verdict, series=numbers, last_before=last, first_after=first,
                release=_between(points[last : first + 1], releases), p=series[numbers[0]].p or 0.0,
            )
        )  # fmt: skip
    return sorted(changes, key=lambda change: (change.p, -len(change.series)))


def _between(points: Sequence[HistoryPoint], releases: Sequence[Release]) -> str:
    """The last release that came between the first and the last of these points."""
    changed = [after.release for before, after in pairwise(points) if after.release not in ("", before.release)]
    end = points[-1].ends or points[-1].began
    said = [release.label for release in releases if points[0].began < release.at <= end]
    return (changed or said or [""])[-1]


def _verdict(verdicts: Sequence[Verdict]) -> Verdict:
    """Of all together: the strongest word that one of them has."""
    words: tuple[Verdict, ...] = ("changed", "drifts", "no change shown")
    return next((word for word in words if word in verdicts), "too few runs")


def _reason(verdict: Verdict, groups: Sequence[HistoryGroup]) -> str:
    """One line."""
    if verdict == "changed":
        changes = [(group, change) for group in groups for change in group.changes]
        words = "; ".join(change_words(*one, most=2) for one in changes[:2])
        return words + (f"; and {counted(len(changes) - 2, 'change')} more" if len(changes) > 2 else "")
    if verdict == "drifts":
        drifting = [series.label for group in groups for series in group.series if series.verdict == "drifts"]
        return f"values go on changing from run to run, at no one place: {named(drifting)}"
    if verdict == "no change shown":
        tested = [group for group in groups if group.verdict != "too few runs"]
        what = ", ".join(counted(group.counted, f"comparable {group.noun}") for group in tested)
        return f"nothing in {what} is shown to have changed; that does not prove that nothing did"
    most = max(groups, key=lambda group: group.counted)
    return f"{counted(most.counted, f'comparable {most.noun}')} cannot show a change: it takes {FEWEST}"


def named(labels: Sequence[str], most: int = 4) -> str:
    """The first few, and how many more."""
    more = f" and {len(labels) - most} more" if len(labels) > most else ""
    return ", ".join(labels[:most]) + more


def value_words(value: float, unit: str) -> str:
    """A value with its unit."""
    if unit == "share":
        return f"{value:.2%}"
    if unit == "ms":
        return f"{value:,.1f} ms" if value < 100 else f"{value:,.0f} ms"
    return f"{value:,.4g}" if unit == "count" else f"{value:,.4g} {unit}".strip()


def change_words(group: HistoryGroup, change: HistoryChange, *, most: int = 4) -> str:
    """Since when what is worse or better, from what to what, and the evidence."""
    series = [group.series[number] for number in change.series]
    by = named([f"{one.label} {_from_to(one)}" for one in series], most)
    release = f", with release {change.release}" if change.release else ""
    return f"{change.verdict} since {_since(group, change.first_after)}{release}: {by} ({p_words(change.p)})"


def _since(group: HistoryGroup, place: int) -> str:
    point = group.points[place]
    return f"the run of {point.began:%Y-%m-%d %H:%M} UTC" if group.kind == "load" else point.name


def p_words(p: float) -> str:
    """A p-value with its name."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def _from_to(series: HistorySeries) -> str:
    assert series.before is not None and series.after is not None  # noqa: S101, PT018 - it changed
    return f"{value_words(series.before, series.unit)} to {value_words(series.after, series.unit)}"


def as_lines(found: History) -> list[str]:
    """For the terminal; the last one is the verdict."""
    lines = [line for group in found.groups for line in _of_group(group)]
    lines += [f"note: {note}" for note in found.notes]
    lines.append(
        f"where nothing changed at most {found.level:.0%} of histories show a change, unless neighbouring runs are "
        f"alike ({found.source})"
    )
    return [*lines, f"{found.verdict}: {found.reason}"]


def heading(group: HistoryGroup) -> str:
    """What a group's runs share, in words."""
    what = {"load": "Load", "month": "Months", "week": "Weeks"}[group.kind]
    parts = [group.load, group.pictures if group.kind == "load" else "", group.onboardings]
    return f"{what} of {group.target or 'a target that is not recorded'}" + "".join(f", {p}" for p in parts if p)


def _of_group(group: HistoryGroup) -> list[str]:
    first, last = group.points[0].began, max(point.ends or point.began for point in group.points)
    lines = [f"{heading(group)}: {counted(len(group.points), group.noun)}, {first:%Y-%m-%d} to {last:%Y-%m-%d}"]
    lines += [f"  not compared with those above: {said}" for said in group.differs]
    lines += [f"  left out: {point.name}, {point.left_out}" for point in group.points if point.left_out]
    lines += [f"  {_of_series(group, series)}" for series in group.series]
    lines += [f"  {change_words(group, change)}" for change in group.changes]
    if group.verdict == "too few runs":
        lines.append(f"  {counted(group.counted, group.noun)} cannot show a change: it takes {FEWEST}")
    return lines


def _of_series(group: HistoryGroup, series: HistorySeries) -> str:
    shown = [value for value in series.values if not group.points[value.point].left_out] or series.values
    said = value_words(shown[0].value, series.unit)
    if len(shown) > 1:
        said += f" to {value_words(shown[-1].value, series.unit)}"
        worst = (min if series.higher_is_better else max)(value.value for value in shown)
        if worst not in (shown[0].value, shown[-1].value):
            said += f", {value_words(worst, series.unit)} at worst"
    limit = f", limit {value_words(bound, series.unit)}" if (bound := shown[-1].bound) is not None else ""
    verdict = f": {series.verdict} ({p_words(series.p)})" if series.p is not None else ""
    return f"{series.label:<20} {said}{limit}{verdict}"
