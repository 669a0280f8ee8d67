"""Which clauses `--only` names: single ones, and families (what stands before the dot of an id)."""

from collections.abc import Iterable

from kycgate.contracts.flows import catalogue
from kycgate.errors import UsageError
from kycgate.text import nearest


def clauses_named(names: Iterable[str]) -> frozenset[str]:
    """The ids of these clauses and of all clauses of these families.

    Raises:
        UsageError: neither a clause nor a family has one of the names.
    """
    ids = [promise.id for promise in catalogue()]
    families = sorted({known.partition(".")[0] for known in ids})
    for name in names:
        if name not in ids and name not in families:
            hint = nearest(name, [*ids, *families]) or "; `kycgate clauses` lists them"
            raise UsageError(f"no clause or family is named {name!r}{hint}")
    wanted = set(names)
    return frozenset(known for known in ids if known in wanted or known.partition(".")[0] in wanted)
