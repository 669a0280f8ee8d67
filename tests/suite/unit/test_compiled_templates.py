"""Compiled templates are kept between runs where they can be, and a report is written where they cannot."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from kycgate.reports.html import environment

TEMPLATE = "report.html.j2"


@pytest.fixture(autouse=True)
def anew() -> Iterator[None]:
    environment.cache_clear()
    yield
    environment.cache_clear()


def kept(folder: Path) -> list[Path]:
    return list(folder.glob("*/__jinja2_*.cache"))


def test_they_are_kept_in_the_folder_for_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    environment().get_template(TEMPLATE)
    assert len(kept(tmp_path)) == 1


@pytest.mark.parametrize("rest", [b"", b"j2", b"no bytecode at all"])
def test_a_spoilt_file_is_written_anew(rest: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    environment().get_template(TEMPLATE)
    (file,) = kept(tmp_path)
    whole = file.read_bytes()
    file.write_bytes(rest or whole[: len(whole) // 2])
    environment.cache_clear()
    environment().get_template(TEMPLATE)
    assert file.read_bytes() == whole


def test_a_report_needs_no_such_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = tmp_path / "file"
    nowhere.touch()
    monkeypatch.setattr(tempfile, "tempdir", str(nowhere))
    assert environment().get_template(TEMPLATE).name == TEMPLATE


def test_a_folder_that_others_may_have_made_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    environment().get_template(TEMPLATE)
    (file,) = kept(tmp_path)
    elsewhere = tmp_path / "others"
    file.parent.rename(elsewhere)
    file.parent.symlink_to(elsewhere)
    environment.cache_clear()
    assert environment().bytecode_cache is None
