"""Samples beside a limit: compared with it as they are recorded, so that no cell of a histogram decides."""

from array import array
from pathlib import Path

import pytest

from kycgate.cli.load_part import limits_of
from kycgate.errors import UsageError
from kycgate.load.collect import Collector, Second
from kycgate.load.interval import Interval, pack
from kycgate.load.plan import LoadPlan
from kycgate.runs.folder import RunFolder
from kycgate.runs.model import Run
from kycgate.sla.judge import judge
from kycgate.sla.policy import Policy
from kycgate.sla.recording import Recording
from kycgate.sla.sequential import Decider

POLICY = Policy.model_validate(
    {
        "objective": [
            {"id": "o", "kind": "latency", "step": "upload", "percentile": 95, "limit_ms": 5_000, "bursts_s": 0}
        ]
    }
)


def recorded(values_us: list[int], folder: Path, *, counted: bool = True) -> tuple[Recording, list[Second]]:
    """All uploads of a run took so long: 50 ended in each second."""
    seconds: list[Second] = []
    limits = limits_of(POLICY) if counted else ()
    plan = LoadPlan(base_url="http://x", rate=50, duration_s=4, limits=limits)
    store = RunFolder.create(folder, "load")
    collector = Collector(plan, 1, store.path / "latency.hlog", seconds.append)
    parts = [values_us[at : at + 50] for at in range(0, len(values_us), 50)]
    for second, part in enumerate(parts):
        collector.add(
            Interval(
                second=second, start_wall=1e9, start_ns=1, values={"upload_front response": pack(array("I", part))},
                started={"onboarding": len(part)}, due=len(part), last=second == len(parts) - 1,
            )
        )  # fmt: skip
    collector.close()
    run = Run(command="load", verdict="kept", exit_code=0, load=collector.outcome().result)
    store.write_run(run)
    return Recording.read(store), seconds


@pytest.mark.parametrize(
    ("value_us", "verdict", "measured"),
    [
        (4_999_000, "holds", "5000.0 ms"),  # the cell's end is 5001.2 ms
        (5_000_000, "holds", "5000.0 ms"),
        (5_000_001, "broken", "5001.2 ms"),
        (5_001_000, "broken", "5001.2 ms"),
    ],
)
def test_uploads_in_the_cell_of_the_limit_are_decided(
    value_us: int, verdict: str, measured: str, tmp_path: Path
) -> None:
    """All uploads take 4,999 ms and the limit is 5,000: one cell, 4997.1 to 5001.2 ms, holds both."""
    recording, seconds = recorded([value_us] * 200, tmp_path)
    result = judge(POLICY, [recording])[0]
    assert (result.verdict, result.measured) == (verdict, measured)
    early = Decider(POLICY)
    for second in seconds:
        early.add(second.histograms, 50, 0, 0, arrivals=50, within=second.within)
    assert early.results()[0].verdict == verdict


def test_who_did_not_count_by_this_limit_cannot_tell(tmp_path: Path) -> None:
    result = judge(POLICY, [recorded([4_999_000] * 200, tmp_path, counted=False)[0]])[0]
    assert result.verdict == "not enough evidence"
    assert "the run did not count them by this limit" in result.lacks


def test_of_a_mixed_cell_those_within_are_counted(tmp_path: Path) -> None:
    """150 of 200 lie at most at the limit: 75%, which is under 95%."""
    recording, _ = recorded([4_999_000, 4_998_000, 5_000_000, 5_000_500] * 50, tmp_path)
    assert recording.load.limits[0].within == {0: 38, 1: 37, 2: 38, 3: 37}
    assert judge(POLICY, [recording])[0].verdict == "broken"


def test_more_within_than_there_are_is_damage(tmp_path: Path) -> None:
    recording, _ = recorded([4_999_000] * 200, tmp_path)
    recording.load.limits[0].within[0] = 51
    with pytest.raises(UsageError, match="51 of 50 samples within the limit"):
        judge(POLICY, [recording])


def test_at_the_end_of_the_histogram_nothing_is_compared() -> None:
    """What waited longer counts as 120 s, so that a limit of 120 s cannot be compared with it."""
    longest = POLICY.objective[0].model_copy(update={"limit_ms": 120_000})
    assert limits_of(POLICY.model_copy(update={"objective": (longest,)})) == ()
