"""The mutation benchmark's tests run in a copy of the sources alone."""

from pathlib import Path

from kycgate.tests.suite.checks import benchmark

SUITE = Path(__file__).resolve().parents[1]


def test_the_tests_of_each_area_look_for_no_file_of_the_checkout() -> None:
    areas = benchmark("mutation").TESTS
    assert areas
    texts = {name: (SUITE / name).read_text("utf-8") for names in areas.values() for name in names}
    assert [name for name, text in texts.items() if ".parents[" in text] == []
