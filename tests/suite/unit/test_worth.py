"""The table of what each test is worth: what a test finds alone, and which tests find nothing."""

from kycgate.tests.suite.checks import benchmark


def test_what_one_test_finds_alone_is_told_from_what_several_find() -> None:
    worth = benchmark("worth")
    found = {"a": ["test_x", "test_y"], "b": ["test_x"], "c": [], "d": [worth.WHOLE]}
    text = worth.markdown(found, {"test_x": 9, "test_y": 4, "test_z": 2}, {"test_x": 3})
    assert "| test_x | 9 | 3 | 2 | 1 | b |" in text
    assert "| test_y | 4 | 0 | 1 | 0 |  |" in text
    assert f"| {worth.WHOLE} | 0 | 0 | 1 | 1 | d |" in text
    assert "4 faults: 1 found by several tests, 2 by one alone, 1 by none: c." in text
    assert "1 of 3 tests find none of these faults: test_z." in text


def test_a_tests_parameters_are_not_its_name() -> None:
    worth = benchmark("worth")
    assert worth.function_of("test_order[front-back]") == "test_order"
    assert worth.function_of("") == worth.WHOLE
