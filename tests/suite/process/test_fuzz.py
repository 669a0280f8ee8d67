"""A share of `benchmarks/fuzz.py` for every run of the tests: Hypothesis draws the damage and shrinks what it finds."""

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kycgate.errors import UsageError
from kycgate.runs.folder import RunFolder
from kycgate.tests.suite.fuzz import Inputs, changed

KINDS = (
    *("profile", "policy", "pins", "run.json of a check", "run.json of a load", "latency.hlog", "exchanges.ndjson"),
    *("truth.jsonl", "probes", "store", "bundle", "command line"),
)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inputs]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("KYCGATE_API_KEYS", "KYCGATE_TENANT_ID", "KYCGATE_TENANT_SECRET", "KYCGATE_BASE_URL"):
            patch.delenv(name, raising=False)
        yield Inputs(tmp_path_factory.mktemp("fuzz"), seed=0)


def test_every_kind_is_fuzzed(inputs: Inputs) -> None:
    assert set(inputs.readers) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_inputs_get_one_line(inputs: Inputs, kind: str) -> None:
    @settings(max_examples=25, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.randoms(use_true_random=False))
    def damage(rng: random.Random) -> None:
        inputs.rng = rng
        inputs.once(kind)

    damage()


def test_damage_is_done() -> None:
    """Else nothing would be tested."""
    rng = random.Random(1)
    value = {"a": [1, 2, {"b": "c"}], "d": None}
    assert sum(changed(value, rng) != value for _ in range(200)) > 150


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"exit_code": 0}, "exit code 0 with the verdict broken"),
        ({"exit_code": 7}, "no exit code is 7"),
        ({"uploads_sent": 10**6}, "uploads in"),
        ({"requests_sent": -1}, "requests_sent is -1"),
        ({"verdict": "kept", "exit_code": 0}, "the verdict is kept and"),
    ],
)
def test_a_run_that_contradicts_itself_is_refused(
    inputs: Inputs, tmp_path: Path, change: dict[str, object], says: str
) -> None:
    run = inputs.check_json | change
    for clause in run["clauses"]:
        if clause["verdict"] == "broken":
            clause["effect"] = "fails"
    (tmp_path / "run.json").write_text(json.dumps(run), encoding="utf-8")
    with pytest.raises(UsageError, match=says):
        RunFolder(tmp_path).read_run()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"unavailable": -3}, "unavailable is -3"),
        ({"wrong_answers": 10**6}, "more answers failed"),
        ({"recorded": 10**6}, "onboardings ended"),
        ({"duration_s": float("nan")}, "damaged"),
        ({"duration_s": float("inf")}, "damaged"),
    ],
)
def test_a_load_that_contradicts_itself_is_refused(
    inputs: Inputs, tmp_path: Path, change: dict[str, object], says: str
) -> None:
    run = inputs.load_json | {"load": inputs.load_json["load"] | change}
    (tmp_path / "run.json").write_text(json.dumps(run), encoding="utf-8")
    with pytest.raises(UsageError, match=says):
        RunFolder(tmp_path).read_run()
