"""The page on exit codes 2 and 3 has an entry for each message that ends so, and quotes none that is not said."""

import re
from pathlib import Path

import pytest

from kycgate.errors import ExitCode
from tests.suite.messages import letters, messages, passed_on, words

PAGE = Path(__file__).resolve().parents[3] / "docs" / "how-to" / "troubleshooting.md"
CODES = (ExitCode.USAGE, ExitCode.UNCLEAR)
PASSED_ON = {
    # The message of an error that the call behind it raised.
    "str(error)", "str(error).splitlines()[0]", "str(error).replace(str(folder.path), str(path))",
    "advice(error) or _in_our_words(error.format_message())",
    # A reason that was entered elsewhere, where it is a text.
    "send_load",
    "self.gave_up", "self._sender.gave_up", "self.budget.time_is_up", "self.time_is_up", "reason", "problem",
    "gate.gave_up or checkpoint.problem", "gate.redactor.text(gate.settle() or cannot)",
    "gate.settle() or gate.gave_up or limits.reached(gate)", "write(folder, run)",
}  # fmt: skip


def entries(code: ExitCode) -> list[str]:
    """The quoted messages of the section on one exit code: what stands in code in the first column of its tables."""
    section = PAGE.read_text(encoding="utf-8").partition(f"## Exit code {int(code)}\n")[2].partition("\n## ")[0]
    rows = [line.split(" | ")[0] for line in section.splitlines() if line.startswith("| `")]
    return [quoted for row in rows for quoted in re.findall("`([^`]+)`", row)]


def covers(entry: str, text: str) -> bool:
    """Whether the fixed parts of the entry stand in one line of the text, in their order."""
    return re.search(".*".join(map(re.escape, entry.strip("… ").split("…"))), text) is not None


@pytest.mark.parametrize("code", CODES)
def test_each_message_has_an_entry(code: ExitCode) -> None:
    known = entries(code)
    lacking = [one for one in messages() if one.code is code and not any(covers(entry, one.text) for entry in known)]
    assert not lacking, "\n".join(f"{one.place}: {one.text}" for one in lacking)


@pytest.mark.parametrize("code", CODES)
def test_each_entry_quotes_what_is_said(code: ExitCode) -> None:
    assert [entry for entry in entries(code) if not covers(entry, words())] == []


@pytest.mark.parametrize("code", CODES)
def test_each_entry_stands_once_and_is_no_catch_all(code: ExitCode) -> None:
    known = entries(code)
    assert len(known) > 30
    assert sorted(set(known)) == sorted(known)
    assert [entry for entry in known if letters(entry) < 4] == []
    assert [entry for entry in known if sum(covers(entry, one.text) for one in messages()) > 30] == []


def test_each_message_is_found_where_it_is_said() -> None:
    assert len(messages()) > 200
    assert {said.partition("(run, load, gate")[0] for said in passed_on()} <= PASSED_ON
