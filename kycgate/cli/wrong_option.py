"""What to do about an option that a command does not have: another command may have it, or another name is near."""

import re
import sys
from typing import Any

from kycgate.text import nearest

_FAULT = re.compile(r"[a-z0-9-]+")
MOST = 3
"""Commands that are named at most."""


def advice(error: Any) -> str | None:
    """The line for Typer's error about an unknown option; None for any other error of its."""
    option, context = getattr(error, "option_name", None), getattr(error, "ctx", None)
    if type(error).__name__ != "NoSuchOption" or not isinstance(option, str) or context is None:
        return None
    said = f"{context.command_path} has no option {option}"
    own = _options(context.command)
    commands = getattr(context.find_root().command, "commands", {})
    having = [f"`kycgate {name}`" for name, command in commands.items() if option in _options(command)]
    if option == "--fault" and "--base-url" in own:
        return (
            f"{said}: start `kycgate sandbox --fault {_fault()}`, export what it prints, and give its URL as --base-url"
        )
    if having:
        named = ", ".join(having[:MOST]) + (f" and {len(having) - MOST} more" if len(having) > MOST else "")
        return f"{said}: {named} {'has' if len(having) == 1 else 'have'} it"
    return f"{said}{nearest(option, own) or f': see `{context.command_path} --help`'}"


def _options(command: Any) -> list[str]:
    return [name for parameter in command.params for name in parameter.opts if name.startswith("--")]


def _fault() -> str:
    """The fault that was typed, where it looks like one."""
    words = [word for given in sys.argv for word in given.split("=", 1)]
    after = words[words.index("--fault") + 1 :] if "--fault" in words else []
    return after[0] if after and _FAULT.fullmatch(after[0]) else "NAME"
