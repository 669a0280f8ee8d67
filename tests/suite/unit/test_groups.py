"""Commands take groups of options as objects; Typer sees each option in its place."""

import ast
import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

import kycgate.cli
from kycgate.cli.groups import grouped

MOST = 12
"""Parameters of one function of the command line; more belong into groups."""


@dataclass(frozen=True, slots=True)
class Inner:
    colour: Annotated[str, typer.Option(help="A colour.")] = "red"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    first: Annotated[int, typer.Option(min=0)] = 1
    inner: Inner
    last: Annotated[bool, typer.Option("--last")] = False


def test_a_command_takes_objects_and_typer_sees_their_options_in_order() -> None:
    seen: list[object] = []
    app = typer.Typer()

    @app.command()
    @grouped
    def show(name: Annotated[str, typer.Option()], outer: Outer, after: Annotated[int, typer.Option()] = 7) -> None:
        """Show it."""
        seen.extend([name, outer, after])

    signature = inspect.signature(app.registered_commands[0].callback or pytest.fail)
    assert list(signature.parameters) == ["name", "first", "colour", "last", "after"]
    done = CliRunner().invoke(app, ["--name", "x", "--colour", "blue", "--last"])
    assert done.exit_code == 0, done.output
    assert seen == ["x", Outer(first=1, inner=Inner("blue"), last=True), 7]
    assert CliRunner().invoke(app, ["--name", "x", "--first", "-1"]).exit_code == 2
    assert CliRunner().invoke(app, []).exit_code == 2


def test_an_option_that_two_groups_declare_is_refused() -> None:
    def twice(inner: Inner, colour: Annotated[str, typer.Option()] = "") -> None: ...

    with pytest.raises(ValueError, match="colour"):
        grouped(twice)


def test_no_function_of_the_command_line_takes_more_parameters_than_one_can_read() -> None:
    long: dict[str, int] = {}
    for path in Path(kycgate.cli.__path__[0]).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                count = len(node.args.posonlyargs + node.args.args + node.args.kwonlyargs)
                if count > MOST:
                    long[f"{path.name}:{node.name}"] = count
    assert long == {}
