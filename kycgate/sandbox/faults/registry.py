"""The registry: `@fault` on a subclass of Vendor enters it under a name."""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from kycgate.contracts.clauses import clause
from kycgate.errors import UsageError
from kycgate.sandbox.settings import SandboxSettings
from kycgate.sandbox.vendor import Vendor
from kycgate.text import nearest

Kind = Literal["shape", "status", "auth", "order", "semantics", "robustness", "state", "load"]
_MODULES = ("shape", "behaviour", "answers", "readings", "inputs", "orders", "sessions", "access", "phones")


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: its name, the clause it breaks, what it does."""

    name: str
    clause: str
    kind: Kind
    sentence: str
    vendor: type[Vendor]


class _Registry(dict[str, Fault]):
    """Loads the modules of faults when first looked at: they build on this one."""

    loaded = False

    def load(self) -> "_Registry":
        if not self.loaded:
            self.loaded = True
            for module in _MODULES:
                importlib.import_module(f"kycgate.sandbox.faults.{module}")
        return self


FAULTS = _Registry()


def fault(name: str, clause_id: str, kind: Kind) -> Callable[[type[Vendor]], type[Vendor]]:
    """Enter a subclass of Vendor as a fault; its docstring is the sentence.

    Raises:
        KeyError: the catalogue has no such clause.
        ValueError: the name is taken.
    """
    clause(clause_id)

    def enter(vendor: type[Vendor]) -> type[Vendor]:
        if name in FAULTS:
            raise ValueError(f"two faults are named {name}")
        FAULTS[name] = Fault(name, clause_id, kind, (vendor.__doc__ or "").strip(), vendor)
        return vendor

    return enter


def vendor_with(settings: SandboxSettings, names: Sequence[str] = ()) -> Vendor:
    """A vendor with these faults.

    Raises:
        UsageError: there is no fault of that name.
    """
    # Imported here: they build on this module.
    from kycgate.sandbox.faults.under_load import LOAD_FAULTS

    known = {**FAULTS.load(), **LOAD_FAULTS}
    for name in names:
        if name not in known:
            hint = nearest(name, known) or ": see `kycgate sandbox --list-faults`"
            raise UsageError(f"no fault is named {name!r}{hint}")
    if not names:
        return Vendor(settings)
    return type("FaultyVendor", tuple(known[name].vendor for name in names), {})(settings)  # type: ignore[no-any-return]
