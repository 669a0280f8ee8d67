"""How the help is laid out: the commands in groups, an example for each, and a line for an option where it fits."""

import copy
from typing import Any

import typer
from typer.core import TyperCommand, TyperOption

GROUPS: dict[str, dict[str, str]] = {
    "Every day": {
        "init": "kycgate init -u https://sandbox.vendor.example",
        "doctor": "kycgate doctor -u https://sandbox.vendor.example",
        "check": "kycgate check -u https://sandbox.vendor.example -o run",
        "load": "kycgate load --sandbox -r 5 -d 60 --policy policy.toml",
        "verify": "kycgate verify --sandbox",
    },
    "SLA": {
        "sla": "kycgate sla --policy policy.toml kycgate-out/load-1",
        "probe": "kycgate probe --store probes.db -p kycgate.toml",
        "compare": "kycgate compare before after --min-effect 10",
        "history": "kycgate history probes.db --policy policy.toml -o history.html",
    },
    "Evidence": {
        "report": "kycgate report kycgate-out/check-1 --since kycgate-out/check-0",
        "bundle": "kycgate bundle kycgate-out/load-1 --policy policy.toml",
        "pin": "kycgate pin kycgate-out/check-1 -o kycgate.pins.toml",
    },
    "Stand-in vendor": {
        "sandbox": "kycgate sandbox --port 8080 --fault approved-as-object",
        "chaos": "kycgate chaos reset-before --share 0.1",
        "specimens": "kycgate specimens -o cards --count 10",
        "prove": "kycgate prove --quick --only approved-as-object",
        "rehearse": "kycgate rehearse --kind line -j 4 -- pytest tests/onboarding",
    },
    "Contract": {
        "openapi": "kycgate openapi > openapi.yaml",
        "clauses": "kycgate clauses | grep order.",
        "schema": "kycgate schema > run.schema.json",
    },
}
"""The panels of `kycgate --help`, and the commands of each with one call of it."""

CONTEXT: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
_TYPES = {"float range": "num", "int range": "num", "float": "num", "int": "num", "str": "text", "path": "path"}

ADVANCED = "Advanced: workload, hard stops, machines, capacity"
"""The panel of options that --help-all alone shows."""
_ALL = "kycgate.help_all"

MAX_TYPE = 15
"""Columns for a type; a longer choice is told by the option's help."""


class _Short(TyperOption):
    """An option as the help shows it: no type for a switch, no range (a wrong value is answered with it)."""

    def display_type_rich(self, ctx: Any) -> str | None:
        if self.metavar is not None:
            return self.metavar
        if self.is_flag:
            return None
        said = self.display_type(ctx).strip("<>")
        said = _TYPES.get(said.removeprefix("list[").removesuffix("]"), said)
        return said if len(said) <= MAX_TYPE else "word"

    def _get_number_range_help_str(self) -> str | None:
        return None


class Command(TyperCommand):
    """A command whose help is short enough for a screen."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        shown = copy.copy(self)
        every = ctx.meta.get(_ALL, False)
        shown.params = [_short(param) for param in self.params if every or not _advanced(param)]
        super(Command, shown).format_help(ctx, formatter)


def _advanced(param: Any) -> bool:
    return getattr(param, "rich_help_panel", None) == ADVANCED and param.name != "help_all"


def show_all(ctx: typer.Context, wanted: bool) -> None:
    """Print the help with every option, and end."""
    if wanted:
        ctx.meta[_ALL] = True
        # Typer prints it itself where it lays it out.
        print(ctx.get_help(), end="")
        raise typer.Exit


def _short(param: Any) -> Any:
    if not isinstance(param, TyperOption):
        return param
    shown = copy.copy(param)
    shown.__class__ = _Short
    if param.default not in (None, False, 0, "", "0"):
        shown.help = f"{(param.help or '').rstrip('.')} (else {param.default})."
    shown.show_default = False
    return shown


def lay_out(app: typer.Typer) -> None:
    """Put the commands of `app` into their groups, in order, each with its example."""
    places = {name: (panel, call) for panel, calls in GROUPS.items() for name, call in calls.items()}
    order = list(places)

    def name_of(info: Any) -> str:
        return str(info.name or info.callback.__name__)

    app.registered_commands.sort(key=lambda info: order.index(name_of(info)))
    for info in app.registered_commands:
        panel, call = places[name_of(info)]
        info.rich_help_panel = panel
        info.epilog = f"Example: {call}"
        info.cls = Command
