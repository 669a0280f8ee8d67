"""A policy as OpenSLO v1: what is written, what is left out and said."""

from pathlib import Path

import pytest
import yaml

from kycgate.sla.openslo import to_openslo
from kycgate.sla.policy import Policy, load_policy
from kycgate.tests.suite.conftest import Call

POLICY = """
confidence = 0.9
[period]
measure = "calendar month"
zone = "Africa/Cairo"
[[objective]]
id = "up"
kind = "availability"
at_least = 0.995
step = "upload_front"
[[objective]]
id = "upload.p95"
kind = "latency"
step = "upload"
percentile = 95
limit_ms = 5000
[[objective]]
id = "read"
kind = "reading"
at_least = 0.9
[[objective]]
id = "busy"
kind = "correctness"
at_least = 0.9
at_rate = 20
[[credit]]
objective = "up"
tiers = [{below = 0.995, percent = 5}]
"""


@pytest.fixture
def policy(tmp_path: Path) -> Policy:
    (tmp_path / "policy.toml").write_text(POLICY, encoding="utf-8")
    return load_policy(tmp_path / "policy.toml")


def test_each_objective_that_means_the_same_is_a_document(policy: Policy) -> None:
    up, p95 = yaml.safe_load_all(to_openslo(policy).text)
    assert [(one["apiVersion"], one["kind"], one["metadata"]["name"]) for one in (up, p95)] == [
        ("openslo/v1", "SLO", "up"),
        ("openslo/v1", "SLO", "upload-p95"),
    ]
    assert [one["spec"]["objectives"] for one in (up, p95)] == [[{"target": 0.995}], [{"target": 0.95}]]
    assert {one["spec"]["budgetingMethod"] for one in (up, p95)} == {"Occurrences"}
    month = {"startTime": "2026-01-01 00:00:00", "timeZone": "Africa/Cairo"}
    assert up["spec"]["timeWindow"] == [{"duration": "1M", "isRolling": False, "calendar": month}]
    ratio = p95["spec"]["indicator"]["spec"]["ratioMetric"]
    assert ratio["total"]["metricSource"]["spec"] == {"count": "samples", "step": "upload", "clock": "response"}
    assert ratio["good"]["metricSource"]["spec"]["at_most_ms"] == 5_000
    assert up["spec"]["indicator"]["spec"]["ratioMetric"]["total"]["metricSource"]["spec"]["step"] == "upload_front"


def test_what_means_something_else_is_left_out_by_name(policy: Policy) -> None:
    said = to_openslo(policy).left_out
    for begins in ("objective read: ", "objective busy: ", "confidence = 0.9: ", "credit: "):
        assert any(line.startswith(begins) for line in said), begins
    assert not any(line.startswith(("objective up", "objective upload", "window", "bursts_s")) for line in said)


def test_the_command_writes_it_and_says_what_it_leaves_out(policy: Policy, tmp_path: Path, call: Call) -> None:
    code, out, said = call("sla", "--policy", "policy.toml", "--openslo")
    assert code == 0
    assert out == to_openslo(policy).text
    assert "left out: objective busy: " in said
    assert call("sla", "run", "--policy", "policy.toml", "--openslo")[0] == 2
