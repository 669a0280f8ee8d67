"""The help: commands in groups, an example for each, and no more than two screens."""

import re
import sys
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from kycgate.chaos import BEHAVIOURS
from kycgate.cli.help import GROUPS
from kycgate.cli.main import app, main
from kycgate.sandbox import FAULTS

COMMANDS: dict[str, Any] = get_command(app).commands  # type: ignore[attr-defined]


def told(*arguments: str) -> str:
    done = CliRunner().invoke(app, [*arguments], env={"COLUMNS": "80", "TERMINAL_WIDTH": "80"})
    assert done.exit_code == 0, done.output
    return done.output


def test_every_command_is_in_one_group_with_an_example_of_its_own() -> None:
    listed = [name for calls in GROUPS.values() for name in calls]
    assert sorted(listed) == sorted(COMMANDS)
    assert all(call.startswith(f"kycgate {name}") for calls in GROUPS.values() for name, call in calls.items())
    said = told("-h")
    panels = re.findall(r"─ ([A-Z][^─]+) ─", said)
    assert [panel for panel in panels if panel in GROUPS] == list(GROUPS)


@pytest.mark.parametrize("name", COMMANDS)
def test_an_examples_options_exist(name: str) -> None:
    (call,) = [calls[name] for calls in GROUPS.values() if name in calls]
    ours = call.split(" -- ")[0].split(" | ")[0]
    known = {option for param in COMMANDS[name].params for option in param.opts}
    assert set(re.findall(r"(?<=\s)-[a-z-]+", ours)) <= known
    assert "Example: kycgate" in told(name, "-h")


@pytest.mark.parametrize("name", COMMANDS)
def test_a_help_fits_two_screens_of_forty_lines(name: str) -> None:
    lines = told(name, "--help").rstrip().splitlines()
    assert len(lines) <= 80
    assert max(map(len, lines)) <= 80


def test_the_help_of_load_fits_two_screens_of_24_lines_and_says_how_to_see_the_rest() -> None:
    short, whole = told("load", "--help"), told("load", "--help-all")
    assert len(short.rstrip().splitlines()) <= 48
    assert "--help-all" in short
    assert "--find-capacity" not in short
    options = {option for param in COMMANDS["load"].params for option in param.opts if option.startswith("--")}
    assert {option for option in options if option not in whole} == set()


def test_no_letter_means_two_things() -> None:
    meanings: dict[str, set[str]] = {}
    for command in COMMANDS.values():
        for param in command.params:
            for option in param.opts:
                if len(option) == 2:
                    meanings.setdefault(option, set()).add(param.name)
    assert {letter: names for letter, names in meanings.items() if len(names) > 1} == {}
    assert {"-u", "-p", "-o", "-r", "-d"} <= set(meanings)


def test_a_bare_call_shows_the_help_and_does_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["kycgate"])
    monkeypatch.setattr("kycgate.cli.main.flush", lambda: "")
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "Every day" in capsys.readouterr().out


def test_examples_name_faults_and_behaviours_that_exist() -> None:
    stand_in = GROUPS["Stand-in vendor"]
    assert stand_in["chaos"].split()[2] in BEHAVIOURS
    assert {stand_in["sandbox"].split()[-1], stand_in["prove"].split()[-1]} <= set(FAULTS.load())
