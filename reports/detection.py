"""The matrix of `kycgate prove`: what the check finds of the sandbox's faults, clause by clause.

It is proven once for a version and committed (`reports/detection.json`), so that each report can say how well the check
that made it finds: `kycgate prove` takes minutes, and a run cannot do it beside its own work.
"""

import importlib.resources
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from kycgate.runs.model import DetectedFaults, Detection


def committed_detection() -> Detection:
    """What was committed with this version."""
    text = importlib.resources.files("kycgate.reports").joinpath("detection.json").read_text(encoding="utf-8")
    return Detection.model_validate_json(text)


def detection_of(trials: Sequence[Any], kinds: Mapping[str, str], made: str) -> Detection:
    """The matrix of `trials`, the `Trial`s of `kycgate.check.prove`; `kinds` gives each fault's."""
    found: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    missed: dict[str, list[str]] = defaultdict(list)
    faithful = [trial for trial in trials if trial.kind == "variant"]
    for trial in trials:
        if trial.kind == "fault":
            found[trial.clause][kinds[trial.name]].append(trial.passed)
            missed[trial.clause] += [] if trial.passed else [trial.name]
    return Detection(
        made=made,
        clauses=[
            DetectedFaults(
                clause=clause,
                kinds={kind: (sum(passed), len(passed)) for kind, passed in sorted(by_kind.items())},
                missed=missed[clause],
            )
            for clause, by_kind in sorted(found.items())
        ],
        variants=len(faithful),
        alarms=sum(trial.exit_code != 0 for trial in faithful),
    )
