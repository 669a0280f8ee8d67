"""Builds the documentation's site: the pages of this folder, and the reference made from the code.

    uv run --group docs python docs/build.py [--out site]

The reference can neither lack an option nor explain one that is gone. Zensical renders the pages (docs/site.yml); it
knows no hooks, so that all pages are put together in a folder of their own first. A page outside the navigation, or
a link or an anchor to nowhere, is an error.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import typer
import yaml
from typer.cli import get_docs_for_click

from kycgate.cli.main import app
from kycgate.cli.measured_answers import ANSWERS
from kycgate.contracts.clauses import CATALOGUE, FACTS, LEFT_OUT, OPEN_POINTS, Level
from kycgate.errors import ExitCode
from kycgate.runs.model import Run
from kycgate.sandbox.variants import LIBERTIES
from kycgate.settings.template import keys
from kycgate.sla.policy import Policy

DOCS = Path(__file__).resolve().parent
_LEVELS = {
    Level.DOCUMENTED: "The vendor's own documentation says it. A breach fails the gate.",
    Level.RELIED_ON: "Installed clients break without it. A breach fails the gate.",
    Level.EXPECTED: "Sense and safety demand it; no source says it. A breach warns, and fails under `--strict`.",
}


_PROFILE = """\
```toml
name = "vendor sandbox"
base_url = "https://sandbox.vendor.example"
translation = "on"             # on, off, auto (learned from the first reading)
auth_scheme = "auto"           # bearer, bare, auto
specimens = "cards"            # the vendor's own test cards
strict = false
pins = "kycgate.pins.toml"     # what `kycgate pin` wrote

[limits]
requests = 400
uploads = 120
rate = 5.0
time_s = 1800                  # what a whole run may take (--time-limit)
max_load_rate = 10.0           # onboardings a second that a load run may start; without it, load stays on this machine

[environment]
api_keys = "KYCGATE_API_KEYS"  # the names of the variables that hold the secrets

[credentials]
command = "bank-token --for kyc" # prints a session's token; runs only with KYCGATE_ALLOW_COMMAND=yes in the environment

[oauth]                        # a gateway in front that wants a token of its own
token_url = "https://login.bank.example/oauth2/token"
scope = "kyc"
header = "X-Gateway-Authorization"

[severity]                     # fail or warn, by level or by clause
"order.closed" = "fail"

[[waiver]]                     # a known breach: amber until the end of that day (UTC), then red again
clause = "answer.in-time"
reason = "their ticket 17"
owner = "payments team"
expires = 2026-12-31
```
"""


def _cell(text: object) -> str:
    """Text in a table's cell."""
    return " ".join(str(text).split()).replace("|", "\\|").replace("<", "&lt;")


def _table(head: tuple[str, ...], rows: Iterator[tuple[object, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"| {' | '.join('---' for _ in head)} |"
    for row in rows:
        yield f"| {' | '.join(map(_cell, row))} |"
    yield ""


def _linked(source: str) -> str:
    """A clause's source, with links to the sections of the page of facts."""
    return re.sub(
        rf"{re.escape(FACTS)}#([a-z-]+)",
        lambda found: f"[{found[1].replace('-', ' ')}](vendor-api.md#{found[1]})",
        source,
    )


def clauses() -> Iterator[str]:
    yield "# Clauses"
    yield f"Every promise that is judged: {len(CATALOGUE)} clauses. `kycgate clauses` prints them."
    for level, said in _LEVELS.items():
        yield f"\n## {level}\n\n{said}\n"
        rows = (
            (f"`{c.id}`", c.sentence, ", ".join(c.endpoints), _linked(c.source)) for c in CATALOGUE if c.level is level
        )
        yield from _table(("clause", "sentence", "endpoints", "source"), rows)
    yield "\n## Left out\n\nStatements of the sources that are not clauses, and why.\n"
    yield from _table(("statement", "why it is none"), ((left.statement, left.reason) for left in LEFT_OUT))


def open_points() -> Iterator[str]:
    yield "# Open points"
    yield "Questions that the sources leave open. What the target chose is recorded, pinned by `kycgate pin`, and never"
    yield "judged.\n"
    yield from _table(("open point", "question"), ((f"`{point.id}`", point.question) for point in OPEN_POINTS))
    yield "\n## Which faithful variant takes which liberty\n"
    yield "`kycgate sandbox --list-variants` prints this table. `kycgate prove` checks each variant; none may be"
    yield "accused.\n"
    rows = ((what, ", ".join(f"`{name}`" for name in names)) for what, names in LIBERTIES.items())
    yield from _table(("what is left open", "variants, one for each choice"), rows)


def exit_codes() -> Iterator[str]:
    yield "# Exit codes"
    yield "The same for every command, and stable.\n"
    yield from _table(("code", "meaning"), ((int(code), code.meaning) for code in ExitCode))
    yield "Several of them at once: a breach that was found counts (1), whatever else could not be judged."


def profile() -> Iterator[str]:
    yield "# Profile keys"
    yield "One TOML file, given as `--profile FILE`; `kycgate init` writes one with every key explained. A key may"
    yield "also come from the environment, under the name beside it; flags win over the environment, the environment"
    yield "over the file. Paths are meant from where the file lies. All mistakes of a file are said at once, each with"
    yield "its line.\n"
    yield _PROFILE
    sections = dict.fromkeys(key.section for key in keys())
    for section in sections:
        title = {"": "At the top", "waiver": "[[waiver]]"}.get(section, f"[{section}]")
        yield f"\n## {title}\n"
        yield from _table(
            ("key", "type", "default", "environment", "what it is for"),
            (
                (
                    f"`{key.name}`",
                    key.type,
                    ""
                    if key.default in (None, "", {}, ())
                    else f"`{str(key.default).lower() if isinstance(key.default, bool) else key.default}`",
                    f"`{key.variable}`" if section != "waiver" else "",
                    key.description,
                )
                for key in keys()
                if key.section == section
            ),
        )
    yield "All waivers together may come from the environment as a JSON list in `KYCGATE_WAIVER`."


def commands() -> Iterator[str]:
    command = typer.main.get_command(app)
    text = get_docs_for_click(obj=command, ctx=typer.Context(command), name="kycgate", title="Commands")
    # Placeholders such as <str> are not markup.
    yield re.sub(r"^\* `", "* `", text, flags=re.MULTILINE)


def _type(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        values = definitions[name].get("enum")
        return " or ".join(f"`{value}`" for value in values) if values else f"[{name}](#{name.lower()})"
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " or ".join(dict.fromkeys(_type(one, definitions) for one in schema[several]))
    match schema.get("type"):
        case "array":
            return f"list of {_type(schema.get('items', {}), definitions)}"
        case "object":
            more = schema.get("additionalProperties")
            return f"table of {_type(more, definitions)}" if isinstance(more, dict) else "table"
        case None:
            return "anything"
        case kind:
            return str(kind)


def _limits(schema: dict[str, Any]) -> str:
    words = {"minimum": "at least", "exclusiveMinimum": "over", "maximum": "at most", "exclusiveMaximum": "under"}
    return ", ".join(f"{said} {schema[name]:g}" for name, said in words.items() if name in schema)


def _schema_tables(schema: dict[str, Any]) -> Iterator[str]:
    """A table for the model itself and for each it holds."""
    definitions = schema.get("$defs", {})
    for name, model in ((schema["title"], schema), *definitions.items()):
        if "properties" not in model:
            continue
        yield f"\n## {name}\n"
        yield model.get("description", "")
        yield ""
        required = model.get("required", ())
        rows = (
            (
                f"`{key}`",
                _type(known, definitions),
                "required"
                if key in required
                else f"`{known['default']}`"
                if known.get("default") not in (None, "")
                else "",
                "; ".join(filter(None, (known.get("description", ""), _limits(known)))),
            )
            for key, known in model["properties"].items()
        )
        yield from _table(("key", "type", "default", "what it says"), rows)


def policy() -> Iterator[str]:
    yield "# SLA policy keys"
    yield "One TOML file, given as `--policy FILE`; [an example](../policy.example.toml). Generated from the model that"
    yield "reads it.\n"
    yield from _schema_tables(Policy.model_json_schema())


def run_json() -> Iterator[str]:
    yield "# run.json"
    yield "What a run has found, whole: every report is made from it alone, years later too. Keys are added with"
    yield "defaults and never renamed or removed; `schema_version` says which form a file has.\n"
    yield from _schema_tables(Run.model_json_schema(mode="serialization"))


def json_output() -> Iterator[str]:
    yield "# JSON on standard output"
    yield "`check`, `load`, `verify`, `sla`, `probe`, `compare`, `history`, `doctor` and `rehearse` take `--json` and"
    yield "`--quiet` alike. The exit code is the same with and without them.\n"
    yield from _table(
        ("call", "standard output", "standard error"),
        iter(
            (
                ("plain", "lines, notes, the verdict", "progress, errors"),
                ("`--quiet`", "the verdict's line", "errors"),
                ("`--json`", "one JSON document", "progress, notes, errors"),
                ("`--json --quiet`", "one JSON document", "errors"),
            )
        ),
    )
    yield "Where the call ends with an error instead of a verdict (exit code 2, or 3 before anything was judged),"
    yield "standard output is empty. `--json` takes no `--format github` and no `--markdown`. The text is ASCII: other"
    yield "characters are written as `\\uXXXX`. `check`, `load`, `verify` and `rehearse` print the run as"
    yield "[run.json](run-json.md) holds it; the other documents are below. Each but a plan and a list has `command`,"
    yield "`verdict`, `exit_code`, `reason`."
    for call, model in ANSWERS.items():
        yield f"\n## {call}\n"
        yield from (
            line.replace("## ", "### ", 1) for line in _schema_tables(model.model_json_schema(mode="serialization"))
        )


PAGES: dict[str, Callable[[], Iterator[str]]] = {
    "reference/clauses.md": clauses,
    "reference/open-points.md": open_points,
    "reference/exit-codes.md": exit_codes,
    "reference/profile.md": profile,
    "reference/policy.md": policy,
    "reference/commands.md": commands,
    "reference/run-json.md": run_json,
    "reference/json.md": json_output,
}


def put_together(folder: Path) -> None:
    """Write the site's sources into `folder`: the pages by hand, the reference, and the settings with every page."""
    docs = folder / "docs"
    shutil.copytree(DOCS, docs, ignore=shutil.ignore_patterns("*.py", "__pycache__", "site.yml"))
    for path, page in PAGES.items():
        (docs / path).write_text("\n".join(page()) + "\n", encoding="utf-8")
    settings = yaml.safe_load((DOCS / "site.yml").read_text(encoding="utf-8"))
    listed = repr(settings["nav"])
    pages = sorted(page.relative_to(docs).as_posix() for page in docs.rglob("*.md"))
    # What is measured finds its way into the navigation by itself.
    settings["nav"].append({"Measured": [page for page in pages if repr(page) not in listed]})
    (folder / "mkdocs.yml").write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--out", type=Path, default=Path("site"), help="Where the site goes; what is there is replaced."
    )
    out = parser.parse_args().out
    with tempfile.TemporaryDirectory() as name:
        put_together(Path(name))
        zensical = Path(sys.executable).parent / "zensical"
        done = subprocess.run([zensical, "build", "--strict"], cwd=name, check=False)
        if done.returncode:
            sys.exit(done.returncode)
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(Path(name) / "site", out)


if __name__ == "__main__":
    main()
