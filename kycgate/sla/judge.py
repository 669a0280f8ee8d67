"""Recorded runs against a policy.

A run of fixed length is judged by exact bounds, one that its own outcome may have stopped by bounds valid at any time.
"""

from collections.abc import Sequence

from kycgate.runs.model import ObjectiveResult
from kycgate.sla.martingale import ANYTIME
from kycgate.sla.objective_verdict import look_at, result_of
from kycgate.sla.objectives import EXACT
from kycgate.sla.policy import Policy
from kycgate.sla.recording import Recording
from kycgate.sla.samples import Samples
from kycgate.sla.sequential import first_decided


def judge(policy: Policy, recordings: Sequence[Recording], *, anytime: bool = False) -> list[ObjectiveResult]:
    """What these runs together say of each objective.

    With `anytime` the verdicts hold however often one looks while runs are added. It is taken so by itself when a run
    was stopped by its outcome.

    Raises:
        UsageError: a run holds no load, or is damaged.
    """
    anytime = anytime or any(recording.stopped_by_its_outcome for recording in recordings)
    method = ANYTIME if anytime else EXACT
    results = []
    for objective in policy.objective:
        samples = Samples(objective)
        for recording in recordings:
            samples.add_run(recording)
        look = (first_decided(samples, policy) if anytime else None) or look_at(samples, policy, method)
        results.append(result_of(samples, look, policy, method))
    return results
