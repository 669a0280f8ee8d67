"""The store of a team: the same tables in a PostgreSQL database."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from kycgate.errors import CannotJudge, UsageError
from kycgate.probing.store import SCHEMA, TABLES, WAIT_S, Store

_LOCK = 0x6B796367
"""The advisory lock under which the tables are made: two first probes may come at once."""


_MALFORMED = "the store's URL is malformed: postgresql://USER@HOST:PORT/DATABASE, its special characters as %XX"


class ServerStore(Store):
    """A PostgreSQL database. A password belongs into PGPASSWORD or a password file rather than into the URL."""

    _mark = "%s"

    def __init__(self, url: str, *, create: bool) -> None:
        parts = _parts_of(url)
        self.name = _name_of(parts)
        limit = int(WAIT_S * 1000)
        parts["options"] = f"{parts.get('options') or ''} -c statement_timeout={limit} -c lock_timeout={limit}".strip()
        parts["connect_timeout"] = int(WAIT_S)
        parts.setdefault("application_name", "kycgate")
        try:
            self._connection = psycopg.connect(autocommit=True, **parts)
        except psycopg.Error as error:
            said = _first_line(error)
            if parts.get("password"):
                said = said.replace(str(parts["password"]), "***")
            raise CannotJudge(f"the store {self.name} cannot be reached: {said}") from None
        try:
            self._prepare(create=create)
        except BaseException:
            self.close()
            raise

    def _prepare(self, *, create: bool) -> None:
        with self._transaction(write=create) as cursor:
            if self._is_there(cursor):
                return
            if not create:
                raise UsageError(f"{self.name} holds no probes yet: `kycgate probe --store …` makes the tables")
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            if self._is_there(cursor):
                return
            for statement in TABLES:
                cursor.execute(statement)
            cursor.execute("CREATE TABLE kycgate_store (schema_version INTEGER NOT NULL)")
            cursor.execute("INSERT INTO kycgate_store VALUES (%s)", (SCHEMA,))

    def _is_there(self, cursor: Any) -> bool:
        # Read from the catalogue's table: to_regclass() would answer from a cache what was so before the lock was had.
        cursor.execute("SELECT 1 FROM pg_class WHERE relname = 'kycgate_store' AND pg_table_is_visible(oid)")
        if cursor.fetchone() is None:
            return False
        cursor.execute("SELECT max(schema_version) FROM kycgate_store")
        (version,) = cursor.fetchone()
        if version is None or version > SCHEMA:
            raise UsageError(f"{self.name} has schema version {version}: use a newer kycgate")
        return True

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def _transaction(self, *, write: bool) -> Iterator[Any]:
        try:
            with self._connection.transaction(), self._connection.cursor() as cursor:
                if not write:
                    cursor.execute("SET TRANSACTION READ ONLY")
                yield cursor
        except psycopg.Error as error:
            raise CannotJudge(f"the store {self.name} does not work: {_first_line(error)}") from None


def _parts_of(url: str) -> dict[str, Any]:
    """The URL's parts.

    Raises:
        UsageError: it is malformed. The library's own words would repeat it, the password among them, and so would an
            address into which half of a password has slipped by a stray @ or /.
    """
    try:
        parts: dict[str, Any] = dict(conninfo_to_dict(url))
    except psycopg.Error:
        raise UsageError(_MALFORMED) from None
    port = str(parts.get("port") or "")
    shown = "".join(str(parts.get(key) or "") for key in ("host", "hostaddr", "dbname"))
    if "@" in shown or re.fullmatch(r"[\d,]*", port, re.ASCII) is None:
        raise UsageError(_MALFORMED)
    return parts


def _name_of(parts: dict[str, Any]) -> str:
    host, port, database = (str(parts.get(key) or "") for key in ("host", "port", "dbname"))
    return f"postgresql://{host}{f':{port}' if port else ''}/{database}"


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
