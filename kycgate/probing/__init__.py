"""One small onboarding now and then, and the store of its results."""

from pathlib import Path

from kycgate.errors import UsageError
from kycgate.probing.store import FileStore, Store


def open_store(where: str, *, create: bool = False) -> Store:
    """The store at a path, or at a postgresql:// URL; with `create` it is made where there is none.

    Raises:
        UsageError: it is neither, is something else's, or is not there; a URL is never repeated.
        CannotJudge: the server cannot be reached.
    """
    if where.startswith(("postgresql://", "postgres://")):
        try:
            from kycgate.probing.postgres import ServerStore
        except ImportError:
            raise UsageError("a PostgreSQL store needs psycopg: install kycgate[postgres]") from None
        return ServerStore(where, create=create)
    if not where.strip() or "://" in where:
        raise UsageError("--store takes the path of a file, or a URL that begins with postgresql://")
    return FileStore(Path(where), create=create)
