"""A policy as OpenSLO v1: what maps exactly, and by name what does not.

A percentile within a limit is a share of requests within it, so that each objective is a ratio of good requests to all
(https://github.com/OpenSLO/OpenSLO, kind SLO, indicator ratioMetric, budgeting method Occurrences).
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml

from kycgate.sla.policy import Availability, Correctness, Latency, Objective, Policy, share_of


class Export(NamedTuple):
    """The YAML documents, and what of the policy they cannot say: one sentence each."""

    text: str
    left_out: tuple[str, ...]


def to_openslo(policy: Policy) -> Export:
    """One SLO document for each objective that means the same there; the others are left out, by name."""
    documents: list[dict[str, Any]] = []
    left_out: list[str] = []
    for objective in policy.objective:
        if not isinstance(objective, Availability | Correctness | Latency):
            left_out.append(f"objective {objective.id}: {_NOT_A_RATIO[objective.kind]}")
        elif objective.at_rate is not None:
            left_out.append(f"objective {objective.id}: OpenSLO knows no condition such as at_rate")
        else:
            documents.append(_document(objective, policy))
    left_out += _left_out(policy)
    text = yaml.safe_dump_all(documents, sort_keys=False, explicit_start=True) if documents else ""
    return Export(text, tuple(left_out))


_NOT_A_RATIO = {
    "reading": "it counts fields of readings, and no requests",
    "max-latency": "a target of 100% is none that OpenSLO takes: a percentile is",
    "throughput": "OpenSLO compares shares of requests, and no requests a second",
    "longest-outage": "OpenSLO knows no outages, and no length of one",
    "outage-count": "OpenSLO knows no outages, and no number of them",
}
"""Why these are not a share of good requests, by the kind of objective."""


def _left_out(policy: Policy) -> Iterator[str]:
    yield f"confidence = {policy.confidence:g}: OpenSLO compares the measured share, and allows for no chance"
    if any(getattr(objective, "bursts_s", None) for objective in policy.objective):
        yield "bursts_s: OpenSLO takes each request as independent"
    if policy.unsteady == "fail":
        yield 'unsteady = "fail": OpenSLO knows no trend within a run'
    if policy.hours:
        yield "hours: OpenSLO knows no hours outside of which nothing counts"
    if policy.window:
        yield "window: OpenSLO knows no time that is left out of the measuring period"
    if policy.credit:
        yield "credit: OpenSLO knows no service credits"


_DURATIONS = {"calendar month": "1M", "calendar quarter": "1Q", "calendar year": "1Y"}


def _document(objective: Availability | Correctness | Latency, policy: Policy) -> dict[str, Any]:
    good, total = _counts(objective)
    spec: dict[str, Any] = {
        "service": "onboarding",
        "indicator": {
            "metadata": {"name": _name(objective)},
            "spec": {
                "ratioMetric": {"counter": True, "good": _source(good), "total": _source(total)},
            },
        },
        "budgetingMethod": "Occurrences",
        "objectives": [{"target": round(share_of(objective), 9)}],
    }
    if duration := _DURATIONS.get(policy.period.measure or ""):
        # Any past period's begin will do: calendar windows follow one another from there.
        calendar = {"startTime": "2026-01-01 00:00:00", "timeZone": policy.period.zone}
        spec["timeWindow"] = [{"duration": duration, "isRolling": False, "calendar": calendar}]
    return {"apiVersion": "openslo/v1", "kind": "SLO", "metadata": {"name": _name(objective)}, "spec": spec}


def _name(objective: Objective) -> str:
    """As DNS labels are (RFC 1123); an objective's id may hold dots besides."""
    return objective.id.replace(".", "-")


def _source(spec: dict[str, Any]) -> dict[str, Any]:
    return {"metricSource": {"type": "kycgate", "spec": spec}}


def _counts(objective: Availability | Correctness | Latency) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is counted as good, and of what: the terms of run.json."""
    if isinstance(objective, Latency):
        total: dict[str, Any] = {"count": "samples", "step": objective.step, "clock": objective.clock}
        return total | {"at_most_ms": objective.limit_ms}, total
    if isinstance(objective, Availability):
        total = {"count": "requests"} | ({"step": objective.step} if objective.step else {})
        return total | {"answered": "without a 5xx, a time-out or a broken connection"}, total
    total = {"count": "answers"}
    return total | {"answered": "as the contract says"}, total
