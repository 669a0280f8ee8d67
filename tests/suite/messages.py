"""The messages with which calls end with exit code 2 and 3, read from the product's code; a hole is written as …"""

import ast
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from kycgate.errors import ExitCode

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("kycgate", "load", "reports", "contracts")
LINKS = tuple(ROOT / "kycgate" / room for room in ("contracts", "load", "reports", "tests"))
CODES = {
    "UsageError": ExitCode.USAGE, "Contradiction": ExitCode.USAGE,
    "CannotJudge": ExitCode.UNCLEAR, "BudgetExhausted": ExitCode.UNCLEAR, "NotTheTarget": ExitCode.UNCLEAR,
}  # fmt: skip
"""What is called with a message, and the exit code with which it ends a call."""
REASONS = frozenset({"cannot", "gave_up"})
"""Variables and attributes that hold why a run could not be judged."""
WHYS = "_why_"
"""How functions begin that return such a text, or an empty one."""
WIDE = 7
"""A text with fewer letters tells no message from another."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def letters(text: str) -> int:
    """How much of it is fixed."""
    return sum(character.isalnum() for character in text)


@dataclass(frozen=True, slots=True)
class Message:
    """What is said, with which exit code, and where in the code."""

    text: str
    code: ExitCode
    place: str


@dataclass(frozen=True, slots=True)
class Module:
    """One file of the product."""

    name: str
    tree: ast.Module

    def texts(self, node: ast.expr, function: Function | None, depth: int = 3) -> list[str]:
        """Every text that an expression may be, as far as this file and the product's constants show."""
        match node:
            case ast.Constant(value=str(text)):
                return [text]
            case ast.JoinedStr(values=parts):
                return self._joined(parts, function, depth)
            case ast.BinOp(left=left, right=right):
                pairs = itertools.product(*(self.texts(one, function, depth) or ["…"] for one in (left, right)))
                return [one + other for one, other in pairs]
            case ast.IfExp(body=one, orelse=other):
                return self.texts(one, function, depth) + self.texts(other, function, depth)
            case ast.BoolOp(values=values):
                return [text for value in values for text in self.texts(value, function, depth)]
            case ast.Name(id=name) if depth > 0:
                known = _assigned(function, name) or _assigned(self.tree, name) or constants().get(name, [])
                return [text for value in known for text in self.texts(value, function, depth - 1)]
            case ast.Call(func=ast.Name(id=name)) if depth > 0:
                called = [one for one in self.tree.body if isinstance(one, Function) and one.name == name]
                return [
                    text for one in called for value in _returned(one) for text in self.texts(value, one, depth - 1)
                ]
        return []

    def _joined(self, parts: list[ast.expr], function: Function | None, depth: int) -> list[str]:
        plain = "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in parts)
        if letters(plain) >= WIDE:
            return [plain]
        # Of `{option}: {error}` only what stands in the holes tells one message from another.
        filled = [
            (isinstance(part, ast.FormattedValue) and self.texts(part.value, function, depth - 1)) or
            [str(part.value) if isinstance(part, ast.Constant) else "…"]
            for part in parts
        ]  # fmt: skip
        return ["".join(chosen) for chosen in itertools.product(*filled)]

    def said(self) -> Iterator[tuple[ast.expr, Function | None, ExitCode]]:
        """What ends a call with exit code 2 or 3, or is why a run was not judged; with the function around it."""
        for node, function in _walk(self.tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
                if node.func.id == "refuse":
                    # What it is that is wrong; each mistake follows.
                    listed = ast.JoinedStr([*_parts(node.args[0]), ast.Constant(": …")], lineno=node.lineno)
                    yield listed, function, ExitCode.USAGE
                elif node.func.id in CODES:
                    yield node.args[0], function, CODES[node.func.id]
                elif node.func.id == "_complain" and (code := _code_named(node.args[-1])):
                    yield node.args[0], function, code
            elif isinstance(node, ast.Tuple) and len(node.elts) == 2 and _code_named(node.elts[0]) is ExitCode.UNCLEAR:
                yield node.elts[1], function, ExitCode.UNCLEAR
            elif isinstance(node, ast.Return) and node.value and _says_why(function):
                yield node.value, function, ExitCode.UNCLEAR
            for name, value in _assignments(node):
                if name in REASONS:
                    yield value, function, ExitCode.UNCLEAR


def _walk(node: ast.AST, function: Function | None = None) -> Iterator[tuple[ast.AST, Function | None]]:
    for child in ast.iter_child_nodes(node):
        yield child, function
        yield from _walk(child, child if isinstance(child, Function) else function)


def _assignments(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """The variables, or attributes, to which a statement assigns, with what."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            several = isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple)
            targets = target.elts if several else [target]  # type: ignore[attr-defined]
            values = node.value.elts if several else [node.value]  # type: ignore[attr-defined]
            for one, value in zip(targets, values, strict=True):
                if isinstance(one, ast.Name | ast.Attribute):
                    yield one.id if isinstance(one, ast.Name) else one.attr, value
    elif isinstance(node, ast.AnnAssign) and node.value is not None and isinstance(node.target, ast.Name):
        yield node.target.id, node.value


def _assigned(scope: ast.AST | None, name: str) -> list[ast.expr]:
    """What a function, or a module at its top, assigns to a variable."""
    nodes = scope.body if isinstance(scope, ast.Module) else ast.walk(scope) if scope is not None else ()
    return [value for node in nodes for known, value in _assignments(node) if known == name]


def _returned(function: Function) -> list[ast.expr]:
    return [node.value for node in ast.walk(function) if isinstance(node, ast.Return) and node.value is not None]


def _says_why(function: Function | None) -> bool:
    named = function is not None and function.name.startswith(WHYS)
    return named and isinstance(function.returns, ast.Name) and function.returns.id == "str"  # type: ignore[union-attr]


def _parts(text: ast.expr) -> list[ast.expr]:
    return text.values if isinstance(text, ast.JoinedStr) else [text]


def _code_named(node: ast.expr) -> ExitCode | None:
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "ExitCode":
        return ExitCode[node.attr]
    return None


@cache
def modules() -> tuple[Module, ...]:
    """All that a user installs but the contract tests, whose errors make one clause unclear and end no call."""
    paths = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
    return tuple(
        Module(path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8")))
        for path in paths
        if not any(path.is_relative_to(link) for link in LINKS)
    )


@cache
def constants() -> dict[str, list[ast.expr]]:
    """What is assigned to the names in capitals at the top of the modules."""
    found: dict[str, list[ast.expr]] = {}
    for module in modules():
        for node in module.tree.body:
            for name, value in _assignments(node):
                if name.isupper():
                    found.setdefault(name, []).append(value)
    return found


@cache
def messages() -> tuple[Message, ...]:
    """Each message, once for each place. An empty text says that all is well."""
    return tuple(
        Message(text, code, f"{module.name}:{value.lineno}")
        for module in modules()
        for value, function, code in module.said()
        for text in dict.fromkeys(module.texts(value, function))
        if letters(text)
    )


@cache
def passed_on() -> frozenset[str]:
    """What is said as it came from elsewhere: the code does not show it where it is said."""
    return frozenset(
        ast.unparse(value)
        for module in modules()
        for value, function, _ in module.said()
        if not module.texts(value, function) and not isinstance(value, ast.Constant)
    )


@cache
def words() -> str:
    """Every text of the product, whatever it is for; a line for each."""
    texts = {
        " ".join(text.split())
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Constant | ast.JoinedStr)
        for text in module.texts(node, None, depth=0)
    }
    return "\n".join(sorted(texts))
