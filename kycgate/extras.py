"""The extra `load`: what the load generator and the statistics of an SLA need, and a check does not."""

from importlib.util import find_spec
from typing import Final

from kycgate.errors import UsageError

LOAD: Final = ("gevent", "httptools", "locust", "numpy")
"""The modules of the packages that `kycgate[load]` installs."""
_INSTALL: Final = "which is not installed: pip install 'kycgate[load]'"


def demand_load(command: str) -> None:
    """
    Raises:
        UsageError: a module of the extra is missing; said before anything is sent.
    """
    missing = [name for name in LOAD if find_spec(name) is None]
    if missing:
        raise UsageError(f"{command} takes {missing[0]} of the extra load, {_INSTALL}")


def lacking(error: BaseException) -> str:
    """In one line which module of the extra an import did not find; empty for any other error."""
    name = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    return f"it takes {name} of the extra load, {_INSTALL}" if name in LOAD else ""
