"""results.sarif: each breach as a SARIF 2.1.0 result, so that code scanning shows it.

A breach of a running target has no line of code. Code scanning demands a physical location all the same, so each
result points at the profile when one was given (the file in the repository that says which target this is), else at the
run's own run.json; the endpoint is its logical location.
"""

import hashlib
import json
from typing import Any, Final

from kycgate.contracts.clauses import CATALOGUE
from kycgate.reports.status import accused, decided_by, fails, status, touched, worst_first
from kycgate.runs.clause import ClauseResult, Finding, Verdict
from kycgate.runs.model import GoneFinding, Run
from kycgate.text import visible

SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_BASELINE = {"new": "new", "known": "unchanged"}


def render_sarif(run: Run) -> str:
    """The whole log. Only breaches are results: what was not judged accuses no vendor."""
    results: list[dict[str, Any]] = []
    for clause in accused(worst_first(run)):
        if clause.verdict is Verdict.BROKEN:
            found: list[Finding | None] = [*clause.findings] or [None]
            results += [_breach(run, clause, finding) for finding in found]
    for objective in run.objectives:
        if objective.verdict == "broken":
            said = f"{objective.sentence} Measured {objective.measured}, limit {objective.limit}."
            results.append(_result(run, f"sla.{objective.id}", "error", said, objective.change, ""))
    for gone in run.since.gone if run.since else []:
        results.append(_gone(run, gone))
    used = {result["ruleId"] for result in results}
    rules = [*_clause_rules(run), *({"id": name} for name in sorted(used - {c.id for c in run.clauses}))]
    places = {rule["id"]: number for number, rule in enumerate(rules)}
    for result in results:
        result["ruleIndex"] = places[result["ruleId"]]
    log = {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "kycgate",
                        "semanticVersion": run.kycgate_version or "0.0.0",
                        "rules": rules,
                    }
                },
                "automationDetails": {
                    "id": f"kycgate/{run.command}/",
                    "description": {"text": visible(f"kycgate {run.command} of {run.target_words}: {run.verdict}")},
                },
                "invocations": [
                    {
                        "executionSuccessful": run.exit_code in (0, 1),
                        "exitCode": run.exit_code,
                        **_times(run),
                    }
                ],
                "columnKind": "unicodeCodePoints",
                "properties": {
                    "verdict": run.verdict,
                    "reason": visible(run.reason),
                    "target": visible(run.target),
                    "seed": run.seed,
                },
                "results": results,
            }
        ],
    }
    return json.dumps(log, ensure_ascii=False, indent=1) + "\n"


def _times(run: Run) -> dict[str, str]:
    """SARIF wants UTC with a Z."""
    pairs = {"startTimeUtc": run.started_at, "endTimeUtc": run.finished_at}
    return {name: value.replace("+00:00", "Z") for name, value in pairs.items() if value.endswith(("Z", "+00:00"))}


def _clause_rules(run: Run) -> list[dict[str, Any]]:
    known = {clause.id: clause for clause in CATALOGUE}
    rules = []
    for clause in run.clauses:
        promise = known.get(clause.id)
        sentence = clause.sentence or (promise.sentence if promise else clause.id)
        rules.append(
            {
                "id": clause.id,
                "shortDescription": {"text": sentence},
                "fullDescription": {"text": f"{sentence} Source: {clause.source or 'not recorded'}."},
                "help": {"text": f"{sentence}\nLevel: {clause.level}. Source: {clause.source or 'not recorded'}."},
                "defaultConfiguration": {"level": "error" if clause.level.fails_gate else "warning"},
                "properties": {"tags": [str(clause.level), *clause.endpoints]},
            }
        )
    return rules


def _breach(run: Run, clause: ClauseResult, finding: Finding | None) -> dict[str, Any]:
    endpoint = finding.exchange.endpoint if finding and finding.exchange else ""
    where = f" at {finding.where}" if finding and finding.where else ""
    came = f" Required: {finding.required}. Came{where}: {finding.actual}." if finding else ""
    also = f" {touched(clause).capitalize()}." if clause.touches else ""
    message = f"{clause.sentence} Broken {clause.how_often}.{came}{also}"
    change = finding.change if finding else clause.change
    result = _result(
        run, clause.id, "error" if fails(run, clause) else "warning", message, change,
        finding.where if finding else "", endpoint,
    )  # fmt: skip
    result["properties"] = {
        "state": status(run, clause),
        "frequency": clause.frequency,
        **({"decidedBy": visible(decided_by(clause))} if decided_by(clause) else {}),
        **({"curl": visible(finding.curl)} if finding and finding.curl else {}),
        **({"exchange": finding.exchange.number} if finding and finding.exchange else {}),
        **({"brokenSince": clause.broken_since} if clause.broken_since else {}),
    }
    if clause.waived:
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": visible(clause.waived)}]
    return result


def _gone(run: Run, gone: GoneFinding) -> dict[str, Any]:
    rule = gone.id if any(clause.id == gone.id for clause in run.clauses) else f"sla.{gone.id}"
    said = f"No longer broken: was {gone.was or 'broken'}; now {gone.now}."
    result = _result(run, rule, "none", said, "", gone.where, gone.endpoint)
    return result | {"baselineState": "absent"}


def _result(
    run: Run, rule: str, level: str, message: str, change: str, where: str, endpoint: str = ""
) -> dict[str, Any]:
    location: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": {"uri": run.profile_file or "run.json"},
            "region": {"startLine": 1},
        }
    }
    if endpoint:
        location["logicalLocations"] = [{"fullyQualifiedName": endpoint, "kind": "resource"}]
    way = hashlib.sha256(f"{rule}\n{endpoint}\n{where}".encode("utf-8", "replace")).hexdigest()[:16]
    return {
        "ruleId": rule,
        "level": level,
        # A result of level none is one that is not a breach (SARIF 2.1.0, 3.27.10).
        "kind": "fail" if level != "none" else "pass",
        "message": {"text": visible(message)},
        "locations": [location],
        # GitHub tells alerts apart by the first of these.
        "partialFingerprints": {"primaryLocationLineHash": f"{way}:1", "kycgateFinding/v1": way},
        **({"baselineState": _BASELINE[change]} if change else {}),
    }
