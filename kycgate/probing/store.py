"""Where probes are kept: an SQLite file, or a PostgreSQL database that a team shares.

SQLite, as many small writers append now and then, any of them may be killed at any moment, and it comes with Python:
in its write-ahead log a commit is whole or absent, and readers never wait. (DuckDB reads large tables faster, but one
process at a time may have its file open for writing, and a month of probes is small.) A write-ahead log needs a local
disk: over a network, use PostgreSQL.

One probe is one transaction: a kill leaves the whole probe or nothing of it. A URL's password is never shown.
"""

import json
import sqlite3
import time
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from kycgate.errors import CannotJudge, UsageError
from kycgate.probing.probe import Probe, ProbeStep

SCHEMA = 1
WAIT_S = 10.0
"""How long a writer waits for another one, and for a server."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_PROBE = (
    "id", "started_us", "target", "prober", "verdict", "failure", "failed_step", "reason", "breaches", "requests",
    "uploads", "jitter_s", "timeout_s", "duration_us", "onboarding_us", "clock_low_s", "clock_high_s",
    "kycgate_version",
)  # fmt: skip
_STEP = ("step", "status", "failure", "response_us", "service_us", "sending_us", "thinking_us", "reading_us")

TABLES = (
    """CREATE TABLE kycgate_probe (
        id TEXT PRIMARY KEY,
        started_us BIGINT NOT NULL,  -- UTC, microseconds since 1970
        target TEXT NOT NULL,
        prober TEXT NOT NULL,
        verdict TEXT NOT NULL CHECK (verdict IN ('kept', 'broken', 'unavailable', 'unclear')),
        failure TEXT NOT NULL,
        failed_step TEXT NOT NULL,
        reason TEXT NOT NULL,
        breaches TEXT NOT NULL,  -- a JSON array of clause ids
        requests INTEGER NOT NULL,
        uploads INTEGER NOT NULL,
        jitter_s DOUBLE PRECISION NOT NULL,
        timeout_s DOUBLE PRECISION NOT NULL,
        duration_us BIGINT NOT NULL,
        onboarding_us BIGINT,
        clock_low_s DOUBLE PRECISION,
        clock_high_s DOUBLE PRECISION,
        kycgate_version TEXT NOT NULL,
        steps INTEGER NOT NULL  -- how many rows of kycgate_probe_step belong to it
    )""",
    "CREATE INDEX kycgate_probe_when ON kycgate_probe (target, started_us)",
    """CREATE TABLE kycgate_probe_step (
        probe TEXT NOT NULL REFERENCES kycgate_probe (id),
        place INTEGER NOT NULL,
        step TEXT NOT NULL,
        status INTEGER,
        failure TEXT NOT NULL,
        response_us BIGINT NOT NULL,
        service_us BIGINT NOT NULL,
        sending_us BIGINT,
        thinking_us BIGINT,
        reading_us BIGINT,
        PRIMARY KEY (probe, place)
    )""",
)


class Store(ABC):
    """Probes, appended and read. `name` says where, without any credentials."""

    name: str
    _mark = "?"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None: ...

    @abstractmethod
    def _transaction(self, *, write: bool) -> AbstractContextManager[Any]:
        """Gives a cursor; commits at the end, or rolls back.

        Raises:
            CannotJudge: the database does not answer, or refuses.
        """

    def append(self, *probes: Probe) -> None:
        """Keep them, all or none; one that is kept already stays as it is.

        Raises:
            CannotJudge: they could not be kept, and why.
        """
        with self._transaction(write=True) as cursor:
            for probe in probes:
                self._append(cursor, probe)

    def _append(self, cursor: Any, probe: Probe) -> None:
        cursor.execute(self._sql("SELECT 1 FROM kycgate_probe WHERE id = ?"), (probe.id,))
        if cursor.fetchone() is not None:
            return
        row = probe.model_dump()
        row["started_us"] = _microseconds(probe.started_at)
        row["breaches"] = json.dumps(probe.breaches)
        cursor.execute(
            self._sql(_insert("kycgate_probe", (*_PROBE, "steps"))), [*(row[name] for name in _PROBE), len(probe.steps)]
        )
        cursor.executemany(
            self._sql(_insert("kycgate_probe_step", ("probe", "place", *_STEP))),
            [[probe.id, place, *(getattr(step, name) for name in _STEP)] for place, step in enumerate(probe.steps, 1)],
        )

    def probes(self, target: str, start: datetime, end: datetime) -> list[Probe]:
        """What began in this stretch, in order.

        Raises:
            CannotJudge: the database does not answer.
            UsageError: what it holds is not a probe.
        """
        span = (target, _microseconds(start), _microseconds(end))
        where = "p.target = ? AND p.started_us >= ? AND p.started_us < ?"
        columns = ", ".join(f"p.{name}" for name in _PROBE)
        with self._transaction(write=False) as cursor:
            cursor.execute(
                self._sql(f"SELECT {columns}, p.steps FROM kycgate_probe p WHERE {where} ORDER BY p.started_us, p.id"),  # noqa: S608
                span,
            )
            rows = cursor.fetchall()
            cursor.execute(
                self._sql(
                    f"SELECT s.probe, {', '.join(f's.{name}' for name in _STEP)} FROM kycgate_probe_step s "  # noqa: S608
                    f"JOIN kycgate_probe p ON p.id = s.probe WHERE {where} ORDER BY s.probe, s.place"
                ),
                span,
            )
            steps: dict[str, list[ProbeStep]] = defaultdict(list)
            for probe_id, *values in cursor.fetchall():
                try:
                    steps[probe_id].append(ProbeStep(**dict(zip(_STEP, values, strict=True))))
                except ValueError as error:
                    raise UsageError(f"{self.name} is damaged: {str(error).splitlines()[0]}") from None
        return [self._probe(row[:-1], row[-1], steps.get(row[0], [])) for row in rows]

    def _probe(self, values: Sequence[Any], count: int, steps: list[ProbeStep]) -> Probe:
        row = dict(zip(_PROBE, values, strict=True))
        if count != len(steps):
            raise UsageError(f"{self.name} is damaged: a probe has {len(steps)} of its {count} steps")
        try:
            row["breaches"] = json.loads(row["breaches"])
            row["started_at"] = _EPOCH + timedelta(microseconds=row["started_us"])
            return Probe(**row, steps=tuple(steps))
        except (ValueError, OverflowError) as error:
            raise UsageError(f"{self.name} is damaged: {str(error).splitlines()[0]}") from None

    def targets(self) -> dict[str, int]:
        """The targets that were probed, and how often.

        Raises:
            CannotJudge: the database does not answer.
        """
        with self._transaction(write=False) as cursor:
            cursor.execute("SELECT target, count(*) FROM kycgate_probe GROUP BY target ORDER BY target")
            return dict(cursor.fetchall())

    def _sql(self, text: str) -> str:
        return text.replace("?", self._mark)


def _insert(table: str, names: Sequence[str]) -> str:
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608 - our names


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


class FileStore(Store):
    """An SQLite file in write-ahead mode; each commit is on the disk before it counts."""

    _APPLICATION = 0x6B796367  # "kycg": whose file it is

    def __init__(self, path: Path, *, create: bool) -> None:
        self.name = str(path)
        if not create and not path.is_file():
            raise UsageError(f"there is no store {path}: `kycgate probe --store {path}` makes one")
        try:
            self._connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode={'rwc' if create else 'rw'}",
                uri=True, timeout=WAIT_S, isolation_level=None,
            )  # fmt: skip
        except (sqlite3.Error, ValueError) as error:
            raise UsageError(f"cannot open the store {path}: {error}") from None
        try:
            self._prepare(path, create=create)
        except sqlite3.OperationalError as error:
            self.close()
            raise UsageError(f"cannot open the store {path}: {error}") from None
        except (sqlite3.DatabaseError, UnicodeDecodeError):
            # SQLite's own message may quote bytes of a damaged schema.
            self.close()
            raise UsageError(f"{path} is not an SQLite database, or a damaged one: name another file") from None
        except BaseException:
            self.close()
            raise

    def _prepare(self, path: Path, *, create: bool) -> None:
        run = self._connection.execute
        run("PRAGMA foreign_keys = ON")
        run("PRAGMA synchronous = FULL")
        if self._is_ours(path):
            return
        if not create:
            raise UsageError(f"{path} holds no probes yet")
        self._switch_to_wal()
        run("BEGIN IMMEDIATE")
        if not self._is_ours(path):
            for statement in TABLES:
                run(statement)
            run(f"PRAGMA application_id = {self._APPLICATION}")
            run(f"PRAGMA user_version = {SCHEMA}")
        run("COMMIT")

    def _is_ours(self, path: Path) -> bool:
        """Whether the tables are there; False for an empty file.

        Raises:
            UsageError: it is something else's database, or a newer kycgate's.
        """
        # In this order: another writer's one commit, of the tables and the mark, may fall between the two.
        (tables,) = self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        (owner,) = self._connection.execute("PRAGMA application_id").fetchone()
        if owner == self._APPLICATION:
            (version,) = self._connection.execute("PRAGMA user_version").fetchone()
            if version > SCHEMA:
                raise UsageError(f"{path} has schema version {version}: use a newer kycgate")
            return True
        if owner or tables:
            raise UsageError(f"{path} is the database of something else: name another file")
        return False

    def _switch_to_wal(self) -> None:
        # The switch takes the whole file and does not wait for other openers by itself.
        deadline = time.monotonic() + WAIT_S
        while True:
            try:
                self._connection.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def _transaction(self, *, write: bool) -> Iterator[sqlite3.Cursor]:
        try:
            # Immediate: two writers never both read first and then wait for each other.
            self._connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            try:
                yield self._connection.cursor()
                self._connection.execute("COMMIT")
            except BaseException:
                self._connection.rollback()
                raise
        except sqlite3.Error as error:
            raise CannotJudge(f"the store {self.name} does not work: {error}") from None
        except UnicodeDecodeError:
            raise CannotJudge(f"the store {self.name} is damaged: it holds what is not text") from None
