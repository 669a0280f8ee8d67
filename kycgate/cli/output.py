"""What of a command goes to standard output, and what to standard error: --json and --quiet are decided here alone.

| call | standard output | standard error |
| --- | --- | --- |
| plain | lines, notes, the verdict | progress, errors |
| `--quiet` | the verdict | errors |
| `--json` | one JSON document | progress, notes, errors |
| both | one JSON document | errors |
"""

import json
import shutil
import sys
import textwrap
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated

import typer
from pydantic import BaseModel

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document, and nothing else on stdout.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print the verdict's line and errors alone.")]


def _fitted(line: str) -> str:
    """The line, whole where a program may read it, broken between words on a screen."""
    if not sys.stdout.isatty():
        return line
    indent = line[: len(line) - len(line.lstrip())]
    columns = shutil.get_terminal_size().columns
    # What must be copied whole, such as a path, stays whole.
    return textwrap.fill(
        line, columns, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False, tabsize=1
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Where each kind of line goes; a group of options (`groups.py`)."""

    quiet: QuietOption = False
    json: JsonOption = False

    @property
    def plain(self) -> bool:
        """Whether neither was asked for."""
        return not self.json and not self.quiet

    def line(self, text: str) -> None:
        """A part of the answer that the document holds too."""
        if self.plain:
            print(_fitted(text), flush=True)

    def note(self, text: str) -> None:
        """A line about the call: what it judges, where the report lies."""
        self.line(text)
        if self.json and not self.quiet:
            self.tell(text)

    def verdict(self, text: str) -> None:
        """The line that says how it came out."""
        if not self.json:
            print(_fitted(text), flush=True)

    def document(self, make: Callable[[], BaseModel]) -> None:
        """Print the whole answer, where it was asked for as JSON. ASCII alone: a target's text is in it."""
        if self.json:
            print(json.dumps(json.loads(make().model_dump_json()), indent=1, allow_nan=False), flush=True)

    def tell(self, text: str) -> None:
        """A line on standard error, unless --quiet; a closed standard error is not a failure."""
        if not self.quiet:
            with suppress(OSError):
                print(f"kycgate: {text}", file=sys.stderr, flush=True)
