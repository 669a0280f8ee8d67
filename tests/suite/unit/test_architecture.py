"""Imports run one way: each room imports only what the table allows (ARCHITECTURE.md shows it)."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
GROUND = ("contracts", "errors", "extras", "files", "text", "processes")
ALLOWED = {
    "contracts": (),
    "errors": (),
    "extras": ("errors",),
    "files": (),
    "text": (),
    "processes": (),
    "settings": GROUND,
    "target": (*GROUND, "settings"),
    "runs": (*GROUND, "settings", "target"),
    "judging": (*GROUND, "settings", "target", "runs"),
    "specimens": ("contracts", "errors", "files", "text"),
    "gate": (*GROUND, "settings", "target", "runs", "judging", "specimens"),
    "probing": (*GROUND, "settings", "target", "runs", "judging", "specimens", "gate"),
    "load": (*GROUND, "settings", "target", "runs", "judging", "specimens", "gate"),
    "tests.contract": (*GROUND, "settings", "target", "runs", "judging", "specimens", "gate"),
    "sandbox": (*GROUND, "specimens"),
    "chaos": (*GROUND, "sandbox", "specimens"),
    "rehearsal": (*GROUND, "settings", "target", "runs", "specimens", "sandbox", "chaos"),
    "check": (*GROUND, "settings", "target", "runs", "judging", "specimens", "gate", "load", "probing", "sandbox",
              "tests.contract"),
    "sla": (*GROUND, "settings", "target", "runs", "probing"),
    "reports": (*GROUND, "settings", "target", "runs", "probing", "sla"),
}  # fmt: skip
"""What each room may import; the command line (`cli`) may import everything, and only `__main__` imports it."""


def room_of(module: str) -> str:
    """`kycgate.tests.contract.x` is of the room `tests.contract`, `kycgate.sla.month` of `sla`."""
    parts = module.split(".")[1:]
    return ".".join(parts[:2]) if parts[:1] == ["tests"] else (parts or [""])[0]


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "kycgate":
            yield from (f"kycgate.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def modules_of(room: str) -> list[Path]:
    folder = ROOT / "kycgate" / room.replace(".", "/")
    return sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]


@pytest.mark.parametrize("room", ALLOWED)
def test_a_room_imports_only_what_the_table_allows(room: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules_of(room)
        for name in imported(path)
        if name.startswith("kycgate.") and room_of(name) not in (room, "__version__", *ALLOWED[room])
    ]
    assert not wrong, "\n".join(wrong)


def test_every_room_stands_in_the_table() -> None:
    found = {
        path.stem for path in (ROOT / "kycgate").iterdir() if path.name[0] not in "._" and path.suffix in ("", ".py")
    }
    assert found - {"tests", "cli", "py"} == {room for room in ALLOWED if "." not in room}


def test_the_document_shows_this_table() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    shown = dict(re.findall(r"^\| `([a-z.]+)` \| [^|]* \| ([^|]*) \|$", text, re.MULTILINE))
    del shown["cli"]
    assert {room: set(re.findall(r"`([a-z.]+)`", names)) for room, names in shown.items()} == {
        room: set(names) for room, names in ALLOWED.items()
    }
