"""A run that stops as soon as the evidence suffices.

The looks come every second at first and then at each twenty-fifth part more; between two looks nothing is decided. What
was decided at one look stays decided, as the tests of `martingale` allow; but what was shown to hold can still be
shown to be broken by what comes later, since a vendor need not stay as it was.
"""

from collections.abc import Mapping, Sequence

from hdrh.histogram import HdrHistogram

from kycgate.errors import UsageError
from kycgate.runs.load_model import FieldReading
from kycgate.runs.model import ObjectiveResult
from kycgate.sla.histograms import Cells, cells_of
from kycgate.sla.martingale import ANYTIME
from kycgate.sla.objective_verdict import BROKEN, HOLDS, UNDECIDED, Look, look_at, result_of
from kycgate.sla.policy import Availability, Latency, Policy, Reading, Sampled
from kycgate.sla.recording import Answers
from kycgate.sla.samples import Samples

_LOOK_SHARE = 25


def next_look(second: int) -> int:
    """The second of the look after that at `second`."""
    return second + max(1, second // _LOOK_SHARE)


def _may_stop(objective: Sampled) -> bool:
    """Whether a run may end for this objective: what begins as it looks may be a part of something longer.

    Where the policy does not state for how long answers hang together, the run's whole length is looked at.
    """
    return isinstance(objective, Reading) or objective.bursts_s is not None


def _settled(before: Look | None, now: Look) -> Look | None:
    """The look that counts after another one."""
    if before is None:
        return None if now.verdict == UNDECIDED else now
    return now if (before.verdict, now.verdict) == (HOLDS, BROKEN) else before


def first_decided(samples: Samples, policy: Policy) -> Look | None:
    """The look at recorded samples that decided; None when none did."""
    settled, second = None, 1
    while _may_stop(samples.objective) and samples.timed and second <= samples.length_s:
        settled = _settled(settled, look_at(samples, policy, ANYTIME, until=second))
        second = next_look(second)
    return _settled(settled, look_at(samples, policy, ANYTIME))


class Decider:
    """Decides the objectives of `policy` while a run goes on.

    decider = Decider(policy)
    once a second:  decider.add(…the second's own counts…); stop when decider.decided
    at the end:     decider.results()
    """

    def __init__(self, policy: Policy) -> None:
        """Of these objectives.

        Raises:
            UsageError: one is the availability of one step, which is counted after the run only; or none is a share.
        """
        if not policy.sampled:
            raise UsageError("no run stops by the objectives of this policy: leave out --until-decided")
        for objective in policy.sampled:
            if isinstance(objective, Availability) and objective.step is not None:
                raise UsageError(
                    f"no run stops by the availability of one step, as {objective.id} is: leave out --until-decided, "
                    "and judge the recorded run"
                )
        self._policy = policy
        self._samples = [Samples(objective) for objective in policy.sampled]
        self._decided: dict[str, Look] = {}
        self._second, self._next = 0, 1

    def add(
        self,
        counts: Mapping[tuple[str, str], HdrHistogram],
        requests: int,
        unavailable: int,
        wrong: int,
        readings: Sequence[FieldReading] = (),
        arrivals: int = 0,
        within: Mapping[tuple[str, str, int], int] | None = None,
    ) -> None:
        """Enter the next second of the run: what ended in it.

        `counts` holds its latencies by (step, clock), with ("onboarding", "response") for whole onboardings; `requests`
        all requests that ended, `unavailable` and `wrong` those of them without an answer and with a wrong one;
        `readings` what was read in it; `arrivals` the onboardings due in it (for objectives at a stated load);
        `within` the samples in the histogram's cell that holds a limit and at most the limit, by step, clock and
        limit in microseconds (a limit that is not in it had none).
        """
        self._second += 1
        answers = Answers(requests, unavailable, wrong)
        found: dict[tuple[str, str], Cells] = {}
        for samples in self._samples:
            objective = samples.objective
            wanted = (
                [(step, objective.clock) for step in objective.steps_among(step for step, _ in counts)]
                if isinstance(objective, Latency)
                else []
            )
            for key in wanted:
                if key in counts and key not in found:
                    found[key] = cells_of(counts[key])
            limit_us = objective.limit_us if isinstance(objective, Latency) else 0
            latencies = [
                (found[key], None if within is None else within.get((*key, limit_us), 0))
                for key in wanted
                if key in found
            ]
            samples.add_second(latencies, answers, readings, arrivals)
        if self._second >= self._next:
            self._look()
            self._next = next_look(self._second)

    def _look(self) -> None:
        for samples in self._samples:
            if not _may_stop(samples.objective):
                continue
            name = samples.objective.id
            settled = _settled(self._decided.get(name), look_at(samples, self._policy, ANYTIME))
            if settled is not None:
                self._decided[name] = settled

    @property
    def decided(self) -> bool:
        """Whether each objective is decided, so that the run may stop."""
        return len(self._decided) == len(self._samples)

    def results(self) -> list[ObjectiveResult]:
        """What is known now of each objective."""
        return [
            result_of(
                samples,
                self._decided.get(samples.objective.id) or look_at(samples, self._policy, ANYTIME),
                self._policy,
                ANYTIME,
            )
            for samples in self._samples
        ]
