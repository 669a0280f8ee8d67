"""report.html: one file that opens offline from a mail's attachment; all text of the target's is escaped.

It loads nothing: its style, font and charts are within it, and the one script in it (a button that copies a
command) is allowed by its hash. Without scripts everything but that button works: the filters are style alone.
"""

import base64
import hashlib
import importlib.resources
import json
import pickle
import re
import shlex
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import cache
from typing import Any, Final

import jinja2
from jinja2.bccache import Bucket
from markupsafe import Markup

from kycgate.contracts.clauses import FACTS, Level
from kycgate.reports import charts, diff
from kycgate.reports.journey import journey
from kycgate.reports.load_page import errors_of, worst_seconds
from kycgate.reports.repeat import lines_before, to_fill, token_line
from kycgate.reports.sla_page import sla_page
from kycgate.reports.status import STATES, accused, decided_by, status, under, worst_first
from kycgate.runs.clause import ClauseResult, Verdict
from kycgate.runs.load_model import FieldReading
from kycgate.runs.model import Run
from kycgate.target.exchange import RecordedExchange
from kycgate.text import counted, cut, html, spaced, visible

MAX_EXCHANGES: Final = 400
"""The last recorded exchanges that are listed one by one."""

_LEVELS = {Level.DOCUMENTED: "documented", Level.RELIED_ON: "relied on", Level.EXPECTED: "expected"}


def render_html(run: Run, exchanges: Sequence[RecordedExchange] = ()) -> str:
    """The whole page; `exchanges` are the recorded ones, in the order in which they were sent."""
    script = _file("templates", "report.js").decode()
    states = [status(run, clause) for clause in run.clauses]
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            run=run,
            script=Markup(script),  # noqa: S704 - our own file
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
            before_curl=lines_before(run, exchanges),
            to_fill=to_fill,
            filters=[
                ("all", "all"),
                *((name, spaced(name)) for name in (*(step.id for step in run.flow.steps), "token")),
            ],
            groups=_groups(run),
            broken=[clause for clause in accused(worst_first(run)) if clause.verdict is Verdict.BROKEN],
            decided_by=decided_by,
            open_objectives=[objective for objective in run.objectives if objective.verdict != "holds"],
            counts=[(name, states.count(name)) for name in STATES],
            changes=Counter(clause.change for clause in run.clauses) + Counter(o.change for o in run.objectives),
            status=lambda clause: status(run, clause),
            since_when=lambda clause: _since_when(run, clause),
            under=lambda clause: under(run, clause),
            in_order=lambda latencies: charts.in_order(run.flow, latencies),
            took=_took(run.started_at, run.finished_at),
            edges=_edges(run),
            readings=_readings(run),
            journey=journey(run) if run.clauses else "",
            charts=_charts(run),
            errors=errors_of(run.flow, run.load) if run.load else [],
            worst_seconds=worst_seconds(run.load) if run.load else [],
            kinds=sorted({kind for row in run.detection.clauses for kind in row.kinds}) if run.detection else [],
            detected=_detected(run),
            exchanges=exchanges[-MAX_EXCHANGES:],
            sent=_sent(exchanges),
            sla=sla_page(run),
        )
    )


def render_for_vendor(run: Run, exchanges: Sequence[RecordedExchange] = ()) -> str:
    """The findings alone, numbered, for a vendor's ticket: no profile, no waivers, no test names, no paths of ours.

    One broken clause is one finding with its exchanges; `exchanges` are all that were recorded, for what came before.
    """
    broken = [clause for clause in accused(run.clauses) if clause.verdict is Verdict.BROKEN]
    broken.sort(key=lambda clause: [*_LEVELS].index(clause.level))
    token = next((exchange.path for exchange in exchanges if exchange.endpoint == "token"), "")
    return (
        environment()
        .get_template("vendor.html.j2")
        .render(
            run=run,
            findings=list(enumerate(broken, 1)),
            address=shlex.quote(run.target or "https://…"),
            source=_for_others,
            before=lambda exchange: _before(exchange, exchanges),
            to_fill=to_fill,
            their_way=_their_way,
            token=token_line(token) if token else "",
            objectives=[objective for objective in run.objectives if objective.verdict == "broken"],
        )
    )


def _for_others(source: str) -> str:
    """A clause's source without the path of our own page of facts, which a vendor does not have."""
    return re.sub(rf"{re.escape(FACTS)}#([a-z-]+)", lambda found: found[1].replace("-", " "), source)


def _their_way(curl: str) -> str:
    """A command without the options of our own way to the target: our proxy, our certificates."""
    return re.sub(r"(curl -sS -i ).*?(-X )", r"\1\2", curl, count=1)


def _before(shown: RecordedExchange, exchanges: Iterable[RecordedExchange]) -> str:
    """In a sentence what the same session had sent before: what was accepted, in its order, and how many were not."""
    earlier = [e for e in exchanges if e.session and e.session == shown.session and e.number < shown.number]
    if not earlier:
        return ""
    accepted = [e for e in earlier if e.status is not None and e.status < 300]
    steps = ", ".join(spaced(e.endpoint) + (f" ({e.intent})" if e.intent != "legal" else "") for e in accepted)
    refused = len(earlier) - len(accepted)
    more = f"; {counted(refused, 'other request')} failed" if refused else ""
    return f"Accepted before it in this session: {steps or 'nothing'}{more}."


def render_prove(trials: Sequence[Any], versions: str) -> str:
    """The detection matrix of `kycgate prove`: `trials` are its `Trial`s, sorted by name."""
    faults = [trial for trial in trials if trial.kind == "fault"]
    faithful = [trial for trial in trials if trial.kind == "variant"]
    by_clause: dict[str, list[Any]] = defaultdict(list)
    for trial in sorted(faults, key=lambda trial: trial.clause):
        by_clause[trial.clause].append(trial)
    return (
        environment()
        .get_template("prove.html.j2")
        .render(
            faults=faults,
            faithful=faithful,
            by_clause=by_clause,
            versions=versions,
            found=sum(trial.passed for trial in faults),
            under_load=[trial for trial in trials if trial.kind == "load"],
            alarms=sum(trial.exit_code != 0 for trial in faithful),
        )
    )


def _file(*parts: str) -> bytes:
    return importlib.resources.files("kycgate.reports").joinpath(*parts).read_bytes()


class _Compiled(jinja2.FileSystemBytecodeCache):
    """Keeps compiled templates in the user's own folder for temporary files, if that can be written to."""

    def load_bytecode(self, bucket: Bucket) -> None:
        with suppress(OSError, EOFError, ValueError, TypeError, pickle.UnpicklingError):
            super().load_bytecode(bucket)
            return
        bucket.reset()

    def dump_bytecode(self, bucket: Bucket) -> None:
        with suppress(OSError):
            super().dump_bytecode(bucket)


def _compiled() -> _Compiled | None:
    """Compiling the templates takes a third of a second."""
    # Jinja refuses a folder that another user could write to.
    with suppress(OSError, RuntimeError):
        return _Compiled()
    return None


@cache
def environment() -> jinja2.Environment:
    """The templates, with what they say everything by."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("kycgate.reports"),
        bytecode_cache=_compiled(),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "safe_text": html,
        "words": spaced,
        "json": _json,
        "moment": _moment,
        "ms": lambda value: f"{value:,.1f}" if value < 1_000 else f"{value:,.0f}",
    }
    environment.globals |= {
        "sides": diff.sides,
        "lists": diff.lists,
        "levels": _LEVELS,
        "font": Markup(base64.b64encode(_file("fonts", "inter.woff2")).decode()),  # noqa: S704 - our own file
    }
    return environment


def _groups(run: Run) -> list[tuple[str, set[str], list[ClauseResult]]]:
    """The clauses by the endpoints they are about: a heading, those endpoints, the clauses with the worst first."""
    found: dict[str, list[ClauseResult]] = defaultdict(list)
    names = {frozenset(group.endpoints): group.name for group in run.flow.groups}
    for clause in worst_first(run):
        found[names.get(frozenset(clause.endpoints), ", ".join(clause.endpoints) or "The contract")].append(clause)
    order = [*names.values(), *found]
    return [
        (name, {endpoint for clause in clauses for endpoint in clause.endpoints}, clauses)
        for name, clauses in sorted(found.items(), key=lambda item: order.index(item[0]))
    ]


def _detected(run: Run) -> tuple[int, int]:
    """How many faults were found, of how many."""
    cells = [cell for row in run.detection.clauses for cell in row.kinds.values()] if run.detection else []
    return sum(found for found, _ in cells), sum(count for _, count in cells)


def _edges(run: Run) -> list[tuple[str, str, ClauseResult | None, str]]:
    """Each edge of the partial order: first, then, the clause it stands for and that clause's state."""
    known = {clause.id: clause for clause in run.clauses}
    return [
        (
            spaced(edge.first),
            spaced(edge.then),
            known.get(edge.clause),
            status(run, known[edge.clause]) if edge.clause in known else "not tried",
        )
        for edge in run.flow.edges
    ]


def _charts(run: Run) -> list[tuple[str, str, Markup]]:
    """Title, what to see in it, and the drawing."""
    load = run.load
    if load is None or not any(latency.count for latency in load.latencies):
        return []
    by = "by when requests were due: a stall shows as people met it" if load.by_due else "by when answers ended"
    by_what = "by when their requests were due" if load.by_due else "by when they came"
    drawn = [
        (
            "Response time by percentile",
            "Counted from when a request was due.",
            charts.percentile_curves(run.flow, load),
        ),
        (
            "Latency over time, with the rate",
            f"Each point is the worst p95 of its seconds, {by}.",
            charts.over_time(run.flow, load),
        ),
        *(
            [("Failures over time", f"Answers that failed, {by_what}.", charts.failures_over_time(run.flow, load))]
            if any(latency.failures for latency in load.latencies)
            else []
        ),
        *(
            [("Where the time goes", "Mean milliseconds of each phase.", charts.phases(run.flow, load))]
            if any(latency.clock == "sending" for latency in load.latencies)
            else []
        ),
    ]
    if load.capacity and load.capacity.points:
        said = "What each rate gave, the fitted law, and where it bends."
        drawn.insert(0, ("Throughput against concurrency", said, charts.capacity(load.capacity)))
    if load.sizes:
        drawn.append(("Latency against picture size", "Service time of uploads.", charts.by_size(load)))
    return drawn


def _sent(exchanges: Iterable[RecordedExchange]) -> list[tuple[str, list[tuple[str, int]], int]]:
    """By endpoint: how often each status came, and how many in all."""
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    for exchange in exchanges:
        counted[exchange.endpoint][str(exchange.status) if exchange.status is not None else "no answer"] += 1
    return [(endpoint, sorted(statuses.items()), statuses.total()) for endpoint, statuses in counted.items()]


def _json(value: object, where: str = "") -> Markup:
    return diff.with_line_marked(cut(json.dumps(value, ensure_ascii=False, indent=1), 3_000), where)


def _readings(run: Run) -> tuple[list[str], dict[str, dict[str, FieldReading]]]:
    """What was done to the pictures, and how each field was then read."""
    fields: dict[str, dict[str, FieldReading]] = defaultdict(dict)
    for reading in run.load.readings if run.load else ():
        fields[reading.field][reading.degradation] = reading
    columns = dict.fromkeys(how for row in fields.values() for how in row)
    return sorted(columns, key=lambda how: how != "none"), fields


def _parsed(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _moment(text: str) -> str:
    """`25 November 2026, 01:54 UTC`; what is not a moment stays as it is."""
    moment = _parsed(text)
    if moment is None:
        return visible(text, 60)
    zone = moment.tzname() or ""
    return f"{moment.day} {moment:%B %Y, %H:%M} {zone}".strip()


def _since_when(run: Run, clause: ClauseResult) -> str:
    """Since which run a breach is known, in words."""
    if run.since is None:
        return "this run; there is no earlier one to compare with"
    if clause.change == "known" and clause.broken_since:
        return f"{_moment(clause.broken_since)}: each run since then has it"
    return f"this run; {clause.before or 'not known'} in the earlier one"


def _took(start: str, end: str) -> str:
    first, last = _parsed(start), _parsed(end)
    if first is None or last is None or (first.tzinfo is None) != (last.tzinfo is None):
        return ""
    seconds = round((last - first).total_seconds())
    minutes, rest = divmod(seconds, 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
