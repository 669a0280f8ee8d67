"""The page on the writings of a value that redaction finds (docs/explanation/writings.md)."""

from pathlib import Path

from kycgate.target.writings import table


def test_the_page_says_which_writings_are_found() -> None:
    page = Path(__file__).resolve().parents[3] / "docs" / "explanation" / "writings.md"
    assert page.read_text(encoding="utf-8") == table()
