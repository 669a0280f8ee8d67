"""Sentences, bounds and figures that load runs and months share."""

import pytest

from kycgate.sla.figures import bounds, fewest, ms_figures, sentence, share_figures
from kycgate.sla.objectives import MOST_SAMPLES
from kycgate.sla.policy import Availability, Correctness, Latency

UP = Availability(id="up", kind="availability", at_least=0.995, at_rate=5)
FRONT = Latency(id="p", kind="latency", step="upload_front", percentile=95, limit_ms=5000)


def test_bounds_of_no_failure_are_the_rule_of_three_at_any_effect() -> None:
    """58 of 58 at 95%, two of which are worth one: 0.05 ** (1 / 29)."""
    assert bounds(58, 58, 2, 0.95) == pytest.approx((0.05 ** (1 / 29), 1.0))


def test_what_is_unknown_may_all_have_been_bad_or_all_good() -> None:
    """A tenth is unknown: 0 of 1 good is at most 0.95 of the rest, 0.9 * 0.95 + 0.1 of the whole."""
    assert bounds(0, 1, 1, 0.95, unknown=0.1) == pytest.approx((0.0, 0.9 * 0.95 + 0.1))
    assert bounds(0, 0, 1, 0.95) == (0.0, 1.0)


@pytest.mark.parametrize(("at_least", "found"), [(0, 299), (100, 299), (299, 299), (400, 400)])
def test_the_fewest_samples_that_decide_are_found_from_wherever_one_stands(at_least: int, found: int) -> None:
    assert fewest(lambda n: n >= 299, at_least) == found


def test_no_number_of_samples_is_no_answer() -> None:
    assert fewest(lambda n: False, 10) is None
    assert fewest(lambda n: n >= MOST_SAMPLES, 10) == MOST_SAMPLES


def test_a_loads_sentence_is_about_requests_and_a_months_about_onboardings() -> None:
    month = Availability(id="up", kind="availability", at_least=0.995)
    assert sentence(UP) == (
        "Requests are answered without 5xx, time-out or broken connection at 5 onboardings/s or more."
    )
    assert sentence(month, of_probes=True) == "An onboarding meets no 5xx, no time-out and no broken connection."
    right = Correctness(id="right", kind="correctness", at_least=0.99)
    assert [sentence(right), sentence(right, of_probes=True)] == [
        "Answers keep the contract.",
        "An onboarding's answers keep the contract.",
    ]
    assert sentence(FRONT) == sentence(FRONT, of_probes=True)


@pytest.mark.parametrize(
    ("digits", "words"), [(2, ("99.12%", "at least 99.50%", "98.77% to 99.90%")),
                          (3, ("99.123%", "at least 99.5%", "98.765% to 99.900%"))]
)  # fmt: skip
def test_shares_have_the_digits_of_their_kind(digits: int, words: tuple[str, str, str]) -> None:
    found = share_figures(0.99123, 0.98765, 0.999, 0.995, digits=digits)
    assert (found["measured"], found["limit"], found["interval"]) == words
    assert share_figures(None, 0, 1, 0.995, digits=digits)["measured"] == "nothing measured"


def test_a_bound_that_nothing_gives_is_unknown() -> None:
    found = ms_figures(900.04, 880.0, None, 5000)
    assert (found["measured"], found["limit"], found["interval"]) == (
        "900.0 ms",
        "at most 5000 ms",
        "880.0 to unknown ms",
    )
