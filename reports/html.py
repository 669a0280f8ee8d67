"""report.html: one file that opens offline from a mail's attachment; no script, all vendor text escaped."""

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import jinja2
from markupsafe import Markup

from kycgate.contracts.clauses import Level
from kycgate.contracts.journey import EDGES, Step
from kycgate.reports import charts
from kycgate.reports.failing import decided_by, worst_first
from kycgate.reports.failing import status as status_in
from kycgate.reports.text import html
from kycgate.run import ClauseResult, Run, Verdict

_LEVELS = {Level.DOCUMENTED: "documented", Level.RELIED_ON: "relied on", Level.EXPECTED: "expected"}
_PLACES = {
    Step.UPLOAD_FRONT: (20, 70),
    Step.UPLOAD_BACK: (220, 20),
    Step.APPROVE_FRONT: (220, 120),
    Step.APPROVE_BACK: (420, 70),
}


def render_html(run: Run) -> str:
    """The whole page."""
    environment = _environment()
    environment.filters["safe_text"] = html
    environment.filters["json"] = lambda value: html(json.dumps(value, ensure_ascii=False, indent=1), 3_000)
    groups: dict[str, list[ClauseResult]] = defaultdict(list)
    for clause in worst_first(run):
        groups[clause.endpoints[0] if len(clause.endpoints) == 1 else "all steps" if len(clause.endpoints) == 4 else
               "uploads" if clause.endpoints == ["upload_front", "upload_back"] else
               "approvals" if clause.endpoints == ["approve_front", "approve_back"] else
               "steps with a body"].append(clause)  # fmt: skip

    def status(clause: ClauseResult) -> str:
        return status_in(run, clause)

    tally = Counter(map(status, run.clauses))
    drawn: list[Markup] = []
    if run.load is not None and any(s.count for s in run.load.latencies):
        # Markup: our own SVG, in which nothing comes from the vendor.
        makers = [
            charts.percentile_curves,
            charts.over_time,
            charts.phases,
            *([charts.by_size] if run.load.sizes else []),
        ]
        drawn = [Markup(make(run.load)) for make in makers]  # noqa: S704
    return environment.get_template("report.html.j2").render(
        run=run,
        groups=groups,
        status=status,
        decided_by=decided_by,
        broken=[clause for clause in worst_first(run) if clause.verdict is Verdict.BROKEN],
        counts=[(name, tally[name]) for name in ("broken", "waived", "warning", "unclear", "not tried", "kept")],
        levels=_LEVELS,
        charts=drawn,
        journey=_journey(run),
        places=_PLACES,
    )


def render_prove(trials: Sequence[Any], versions: str) -> str:
    """The detection matrix of `kycgate prove`: `trials` are its `Trial`s, sorted by name."""
    faults = [trial for trial in trials if trial.kind == "fault"]
    faithful = [trial for trial in trials if trial.kind == "variant"]
    by_clause: dict[str, list[Any]] = defaultdict(list)
    for trial in sorted(faults, key=lambda trial: trial.clause):
        by_clause[trial.clause].append(trial)
    return (
        _environment()
        .get_template("prove.html.j2")
        .render(
            faults=faults,
            faithful=faithful,
            by_clause=by_clause,
            versions=versions,
            found=sum(trial.passed for trial in faults),
            alarms=sum(trial.exit_code != 0 for trial in faithful),
        )
    )


def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("kycgate.reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )


def _journey(run: Run) -> list[dict[str, Any]]:
    """The edges of the partial order with the verdict of the clause that each stands for."""
    verdicts = {clause.id: str(clause.verdict) for clause in run.clauses}
    edges = []
    for edge in EDGES:
        (x1, y1), (x2, y2) = _PLACES[edge.first], _PLACES[edge.then]
        edges.append(
            {
                "verdict": verdicts.get(edge.clause, "not tried"),
                "clause": edge.clause,
                "x1": x1 + 130,
                "y1": y1 + 18,
                "x2": x2 - 6,
                "y2": y2 + 18,
            }
        )
    return edges
