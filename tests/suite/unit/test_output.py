"""--json prints one document and nothing else on standard output; --quiet the verdict and errors."""

import json

import pytest
from pydantic import BaseModel
from typer.main import get_command

from kycgate.cli.main import app
from kycgate.cli.measured_answers import ANSWERS, SlaPlan
from kycgate.cli.output import Output
from kycgate.sla.needs import plan
from kycgate.sla.policy import DEFAULT_POLICY


class Said(BaseModel):
    word: str = "é\u202e"


def say_all(output: Output) -> None:
    output.tell("progress")
    output.line("line")
    output.note("note")
    output.verdict("verdict")
    output.document(Said)


@pytest.mark.parametrize(
    ("output", "out", "err"),
    [
        (Output(), "line\nnote\nverdict\n", "kycgate: progress\n"),
        (Output(quiet=True), "verdict\n", ""),
        (Output(json=True), '{\n "word": "\\u00e9\\u202e"\n}\n', "kycgate: progress\nkycgate: note\n"),
        (Output(json=True, quiet=True), '{\n "word": "\\u00e9\\u202e"\n}\n', ""),
    ],
)
def test_each_kind_of_line_has_its_place(
    output: Output, out: str, err: str, capsys: pytest.CaptureFixture[str]
) -> None:
    say_all(output)
    said = capsys.readouterr()
    assert (said.out, said.err) == (out, err)


@pytest.mark.parametrize(
    "name", ["check", "load", "verify", "sla", "probe", "compare", "doctor", "history", "rehearse"]
)
def test_the_commands_take_both_alike(name: str) -> None:
    command = get_command(app).commands[name]  # type: ignore[attr-defined]
    opts = {option: param.name for param in command.params for option in param.opts}
    assert opts["--json"] == "json"
    assert opts["--quiet"] == opts["-q"] == "quiet"


def test_each_document_says_its_command_and_verdict() -> None:
    for call, model in ANSWERS.items():
        demanded = {"command"} if "-" in call else {"command", "verdict", "exit_code", "reason"}
        assert demanded <= set(model.model_fields), call
        assert model.model_fields["command"].default == call.split()[1]


def test_a_plans_parts_have_names() -> None:
    answer = json.loads(SlaPlan.model_validate({"needs": plan(DEFAULT_POLICY)}).model_dump_json())
    assert {need["objective"] for need in answer["needs"]} == {"availability", "correctness", "upload-p95"}
