"""Targets that refuse a person lawfully: people known already, keys that serve one flow. No clause is broken."""

import pytest

from kycgate.check.embedded import Embedded, embedded_sandbox
from kycgate.check.runner import run_contract_tests
from kycgate.check.trial import KEY_VARIANTS
from kycgate.contracts.clauses import CORE
from kycgate.gate.gate import Gate
from kycgate.runs.clause import ClauseResult, Verdict
from kycgate.sandbox import SandboxSettings
from kycgate.sandbox.variants import LIBERTIES, variants
from kycgate.settings.profile import Profile
from kycgate.tests.suite.shares import share


def checked(sandbox: Embedded, seed: int) -> dict[str, ClauseResult]:
    """A whole check, strictly."""
    gate = Gate(sandbox.profile, sandbox.secrets, seed=seed, expired_token=sandbox.expired_token)
    try:
        gate.preflight()
        outcome = run_contract_tests(gate, strict=True)
    finally:
        gate.close()
    return {result.id: result for result in gate.ledger.results(outcome.not_tried)}


def broken(results: dict[str, ClauseResult]) -> list[str]:
    return [name for name, result in results.items() if result.verdict is Verdict.BROKEN]


@pytest.mark.parametrize("unreadable", share(["result", "400"], 2))
def test_the_same_seed_twice_meets_people_who_are_known(unreadable: str) -> None:
    """The second run shows the first one's cards again: it can judge little, and breaks no clause."""
    settings = SandboxSettings.model_validate({"known_person": "refused", "unreadable": unreadable})
    with embedded_sandbox(Profile(), settings) as sandbox:
        first = checked(sandbox, 5)
        assert not broken(first)
        assert first["order.page"].verdict is Verdict.KEPT
        second = checked(sandbox, 5)
    assert not broken(second)
    assert "registered" in second["order.page"].reason


@pytest.mark.parametrize("known", share(["refused", "accepted"], 2))
@pytest.mark.parametrize("keys", share([12, 60], 2))
def test_keys_that_serve_one_flow_are_used_for_that_flow(keys: int, known: str) -> None:
    """Few are spent early on; many last until sessions are told apart, which begin with their front uploaded."""
    settings = SandboxSettings.model_validate({"key_after_completion": "refused", "known_person": known})
    with embedded_sandbox(Profile(), settings, keys=keys) as sandbox:
        results = checked(sandbox, 3)
    assert not broken(results)
    core = CORE if keys > 12 else ("upload.accepted", "approve.accepted", "order.page")
    for clause in core:
        assert results[clause].verdict is Verdict.KEPT, results[clause].reason


@pytest.mark.whole
def test_keys_that_open_new_flows_with_people_who_are_known() -> None:
    settings = SandboxSettings(known_person="refused", front_after_approval="refused")
    with embedded_sandbox(Profile(), settings, keys=3) as sandbox:
        results = checked(sandbox, 3)
    assert not broken(results)
    assert results["order.page"].verdict is Verdict.KEPT
    assert results["session.own-order"].verdict is not Verdict.BROKEN


@pytest.mark.whole
def test_bytes_that_are_no_utf8_may_be_replaced_before_the_json_is_parsed() -> None:
    """As ordinary web servers do; with translation off an approval of unknown properties alone is a whole one."""
    settings = SandboxSettings(not_utf8="replaced", not_base64="result", translation=False)
    with embedded_sandbox(Profile(), settings) as sandbox:
        assert not broken(checked(sandbox, 3))


def test_every_liberty_is_taken_by_a_variant_each_way() -> None:
    """The page of open points lists them; how keys that serve one flow are met is tested above."""
    known = variants() | KEY_VARIANTS
    assert {name for names in LIBERTIES.values() for name in names} <= set(known)
    alone = {name for name in known if "+" not in name and name not in ("everything", "fixed-keys-bare")}
    assert alone <= {name for names in LIBERTIES.values() for name in names}
    assert [what for what, names in LIBERTIES.items() if len(names) < 2] == [
        "A fixed key opens a new flow after a completed one, or is refused."
    ]


@pytest.mark.parametrize(
    ("name", "point"),
    share([("three-tries-403", "side-tries"), ("one-token-at-once", "older-tokens"), ("firewall", "firewall")], 3),
)
def test_a_limit_that_is_met_is_recorded_and_breaks_no_clause(name: str, point: str) -> None:
    with embedded_sandbox(Profile(), variants()[name]) as sandbox:
        gate = Gate(sandbox.profile, sandbox.secrets, seed=4, expired_token=sandbox.expired_token)
        try:
            gate.preflight()
            outcome = run_contract_tests(gate, strict=True)
        finally:
            gate.close()
        results = {result.id: result for result in gate.ledger.results(outcome.not_tried)}
    assert not broken(results)
    assert next(found for found in gate.ledger.open_points() if found.id == point).observed
    for clause in CORE:
        assert results[clause].verdict is Verdict.KEPT, results[clause].reason
