"""The flows that kycgate knows, and the one that this process judges by."""

import importlib.util
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from kycgate.contracts.clauses import CATALOGUE, STEPS, Clause
from kycgate.contracts.flow import Flow
from kycgate.contracts.flows.national_id import NATIONAL_ID

SHIPPED = {NATIONAL_ID.id: NATIONAL_ID}
"""By the name that a profile's `flow` gives."""


class Choice(BaseModel):
    """Which flow is judged, and which paths a gateway gives it: what another process is told of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(default=NATIONAL_ID.id, description="A shipped flow, or the path of a Python file with a FLOW.")
    base_path: str | None = Field(default=None, description="Replaces the flow's base path.")
    paths: dict[str, str] = Field(default_factory=dict, description="By endpoint: the whole path, where it is another.")

    def flow(self) -> Flow:
        """The flow.

        Raises:
            ValueError: there is no such flow, the file cannot be used, or `paths` names no endpoint of the flow.
        """
        found = load_flow(self.name)
        try:
            return found.relocated(self.base_path, self.paths) if self.base_path is not None or self.paths else found
        except KeyError as error:
            known = [endpoint.id for endpoint in found.endpoints]
            raise ValueError(f"paths: no endpoint is named {error}{_there_are(str(error.args[0]), known)}") from None


_in_force: Flow = NATIONAL_ID
_choice = Choice()
_loaded: dict[Path, Flow] = {}


def _there_are(name: str, known: Iterable[str]) -> str:
    """All known names, the nearest to this one first where there is one that is near."""
    near = get_close_matches(name, known := list(known), n=1)
    return f": did you mean {near[0]!r}? There are {', '.join(known)}" if near else f"; there are {', '.join(known)}"


def load_flow(name: str) -> Flow:
    """A shipped flow by its id, or the `FLOW` of a Python file.

    Raises:
        ValueError: there is no such flow or file, or the file fails or holds no FLOW.
    """
    if not name.endswith(".py"):
        if name not in SHIPPED:
            raise ValueError(f"flow: none is named {name!r}{_there_are(name, SHIPPED)}, or the path of a .py file")
        return SHIPPED[name]
    path = Path(name).resolve()
    if path not in _loaded:
        module_name = f"kycgate_flow_{path.stem}"
        spec = importlib.util.spec_from_file_location(module_name, path)
        if spec is None or spec.loader is None or not path.is_file():
            raise ValueError(f"flow: there is no file {name}")
        module = importlib.util.module_from_spec(spec)
        # Pydantic looks a model's annotations up in its module.
        sys.modules[module_name] = module
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            raise ValueError(f"flow: {name} fails: {type(error).__name__}: {error}") from error
        found = getattr(module, "FLOW", None)
        if not isinstance(found, Flow):
            raise ValueError(f"flow: {name} holds no FLOW of the class kycgate.contracts.flow.Flow")
        _loaded[path] = found
    return _loaded[path]


def flow() -> Flow:
    """The flow that this process sends, judges and counts by."""
    return _in_force


def choice() -> Choice:
    """What another process is told so that it judges by the same flow."""
    return _choice


def choose(chosen: Choice) -> None:
    """Judge by this flow from now on: called once, before anything is collected or sent.

    Raises:
        ValueError: see `Choice.flow`.
    """
    global _choice
    use(chosen.flow())
    _choice = chosen


def use(chosen: Flow) -> None:
    """Judge by this flow in this process from now on."""
    global _in_force
    _in_force = chosen


@contextmanager
def using(chosen: Flow) -> Iterator[Flow]:
    """Judge by this flow within the block."""
    before = flow()
    use(chosen)
    try:
        yield chosen
    finally:
        use(before)


def catalogue() -> tuple[Clause, ...]:
    """Every clause that is judged: the catalogue, and what the flow in force brings with it.

    What is promised of each step is promised of each step that the flow has.
    """
    every = tuple(str(step) for step in flow().steps)
    return (
        *(replace(promise, endpoints=every) if promise.endpoints == STEPS else promise for promise in CATALOGUE),
        *flow().clauses,
    )
