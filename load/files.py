"""How many files, and so connections, a process of ours may have open at once."""

import contextlib
import math
import resource

from kycgate.errors import UsageError
from kycgate.load.plan import LoadPlan, Topology

QUICKEST_S = 0.2
"""No onboarding is over sooner."""
SPARE = 32
"""Files that a generator has open besides its connections."""


def take_all_files() -> None:
    """Raise the soft limit of open files to the hard one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def most_connections() -> int:
    """Connections that one process of ours can have at once, by the hard limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 10**9 if hard == resource.RLIM_INFINITY else max(hard - SPARE, 0)


def demand_files(plan: LoadPlan, topology: Topology) -> None:
    """A plan that this machine cannot keep is refused before anything is sent; workers elsewhere look for themselves.

    Raises:
        UsageError: it takes more connections at once than files may be open.
    """
    most = most_connections()
    # Four steps in a fifth of a second: no target is quicker.
    needed = math.ceil((plan.people or plan.rate * QUICKEST_S) / topology.processes)
    if not topology.remote_workers and needed > most:
        raise UsageError(
            f"the load takes {needed} connections at once in each process, and {most} are possible: raise the hard "
            "limit of open files (ulimit -Hn), give more --processes, or lower the load"
        )
