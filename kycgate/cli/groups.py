"""Options that belong together are the fields of one frozen dataclass; a command takes the object.

Typer reads a command's parameters from its signature and knows no groups, so `grouped` shows it the fields in the
group's place, in their order, and hands the command the objects made of them:

    @dataclass(frozen=True, slots=True)
    class Cards:
        specimens: Annotated[Path | None, typer.Option(help="…")] = None
        seed: Annotated[int | None, typer.Option(help="…")] = None

    app.command()(grouped(draw))       # def draw(cards: Cards, out: OutOption = None) -> None
"""

import functools
import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, TypeGuard


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """`command` as Typer can register it: each parameter annotated with a dataclass is replaced by its fields.

    A field is annotated as a command's parameter is (`Annotated[…, typer.Option(…)]`), or is a group itself.

    Raises:
        ValueError: two parameters, or fields, have the same name.
    """
    groups: dict[str, type[Any]] = {}
    shown: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(command, eval_str=True).parameters.items():
        if _is_group(parameter.annotation):
            groups[name] = parameter.annotation
            shown += _parameters(parameter.annotation)
        else:
            # By name alone: then the order is free of Python's rule that those with a default come last.
            shown.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))

    @functools.wraps(command)
    def call(**given: Any) -> None:
        objects = {name: _made(group, given) for name, group in groups.items()}
        command(**objects, **given)

    call.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in shown}
    return call


def _is_group(annotation: Any) -> TypeGuard[type[Any]]:
    return isinstance(annotation, type) and is_dataclass(annotation)


def _parameters(group: type[Any]) -> list[inspect.Parameter]:
    """The options of a group, in the order of its fields."""
    found: list[inspect.Parameter] = []
    for field in fields(group):
        if _is_group(field.type):
            found += _parameters(field.type)
        else:
            default = inspect.Parameter.empty if field.default is MISSING else field.default
            kind = inspect.Parameter.KEYWORD_ONLY
            found.append(inspect.Parameter(field.name, kind, default=default, annotation=field.type))
    return found


def _made(group: type[Any], given: dict[str, Any]) -> Any:
    """The object of a group; takes its values out of `given`."""
    return group(
        **{
            field.name: _made(field.type, given) if _is_group(field.type) else given.pop(field.name)
            for field in fields(group)
        }
    )
