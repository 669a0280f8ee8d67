"""The store: what is appended is read again, from a file and from a real server; a kill leaves whole probes only."""

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kycgate.errors import CannotJudge, UsageError
from kycgate.probing import open_store
from kycgate.probing.probe import Probe, ProbeStep
from kycgate.probing.store import FileStore
from kycgate.tests.suite.postgres_server import PASSWORD, find_binaries, running_server

HERE = Path(__file__).parents[1]
START = datetime(2026, 11, 1, tzinfo=UTC)
TARGET = "https://vendor.example"


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """A real PostgreSQL server's URL."""
    binaries = find_binaries()
    if binaries is None:
        pytest.skip("lacks PostgreSQL: install Debian's postgresql (initdb and pg_ctl)")
    with running_server(binaries) as url:
        yield url


@pytest.fixture(params=["file", "server"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A new store's place, of each kind; on the server, a schema of its own."""
    if request.param == "file":
        return str(tmp_path / "probes.db")
    import psycopg

    url: str = request.getfixturevalue("server")
    schema = f"s{abs(hash(request.node.nodeid))}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
    return f"{url}?options=-c%20search_path%3D{schema}"


def a_probe(number: int = 0, **given: object) -> Probe:
    steps = (
        ProbeStep(step="upload_front", status=200, response_us=2_000, service_us=1_900, thinking_us=1_500),
        ProbeStep(step="upload_back", status=None, failure="no connection", response_us=3, service_us=3),
    )
    values = {
        "id": f"p{number}", "started_at": START + timedelta(minutes=5 * number, microseconds=7), "target": TARGET,
        "verdict": "unavailable", "failure": "no connection", "failed_step": "upload_back", "reason": "نص 😀 | '",
        "breaches": ("status.no-5xx",), "requests": 3, "uploads": 2, "timeout_s": 60.0, "duration_us": 9_000,
        "clock_low_s": -0.25, "clock_high_s": 0.75, "kycgate_version": "0.1.0", "steps": steps,
    }  # fmt: skip
    return Probe.model_validate(values | given)


def test_what_is_appended_is_read_again(where: str) -> None:
    probes = [a_probe(0), a_probe(1, verdict="kept", onboarding_us=12), a_probe(2, steps=()), a_probe(3, target="x")]
    with open_store(where, create=True) as store:
        for probe in (*probes[::-1], probes[0]):
            store.append(probe)
        assert store.targets() == {TARGET: 3, "x": 1}
    with open_store(where) as store:
        assert store.probes(TARGET, START, START + timedelta(days=1)) == probes[:3]
        assert store.probes(TARGET, probes[1].started_at, probes[2].started_at) == [probes[1]]
        assert store.probes("elsewhere", START, START + timedelta(days=1)) == []


def test_writers_append_at_once(where: str) -> None:
    """The first writers make the tables together; none of their probes is lost."""
    failed: list[BaseException] = []

    def write(writer: int) -> None:
        try:
            with open_store(where, create=True) as store:
                for number in range(5):
                    store.append(a_probe(number, id=f"{writer}-{number}"))
        except BaseException as error:  # noqa: BLE001 - shown by the assertion
            failed.append(error)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    with open_store(where) as store:
        assert store.targets() == {TARGET: 30}


def test_a_kill_leaves_whole_probes_and_all_that_were_acknowledged(where: str) -> None:
    longest = "0.2" if where.startswith("postgresql") else "0.05"  # to connect takes some time
    command = [sys.executable, str(HERE / "store_killer.py"), where, "7", "30", longest]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    acknowledged = set(done.stdout.split())
    assert len(acknowledged) > 40
    with open_store(where) as store:
        kept = store.probes("http://127.0.0.1:1", START, START + timedelta(days=1))  # refuses half a probe
    assert {len(probe.steps) for probe in kept} == {4}
    ids = {probe.id for probe in kept}
    assert acknowledged <= ids
    # A killed writer may have stored one probe that it could not tell of any more.
    assert len(ids - acknowledged) <= 60
    if not where.startswith("postgresql"):
        with sqlite3.connect(where) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def test_half_a_probe_would_be_seen(where: str) -> None:
    with open_store(where, create=True) as store:
        store.append(a_probe())
        with store._transaction(write=True) as cursor:
            cursor.execute("DELETE FROM kycgate_probe_step WHERE place = 2")
        with pytest.raises(UsageError, match="1 of its 2 steps"):
            store.probes(TARGET, START, START + timedelta(days=1))


def test_a_failing_append_leaves_nothing(where: str) -> None:
    broken = a_probe().model_copy(update={"steps": (a_probe().steps[0].model_copy(update={"service_us": None}),)})
    with open_store(where, create=True) as store:
        with pytest.raises(CannotJudge, match="does not work"):
            store.append(broken)
        assert store.targets() == {}
        store.append(a_probe())
        assert store.targets() == {TARGET: 1}


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE notes (text TEXT)")
    (tmp_path / "text.db").write_text("this is no database, and it is long enough to be told from one" * 20)
    before = other.read_bytes()
    for name, said in (
        ("other.db", "something else"),
        ("text.db", "not an SQLite database"),
        ("none/x.db", "cannot open"),
    ):
        with pytest.raises(UsageError, match=said):
            open_store(str(tmp_path / name), create=True)
    assert other.read_bytes() == before
    with pytest.raises(UsageError, match="kycgate probe"):
        open_store(str(tmp_path / "absent.db"))
    assert not (tmp_path / "absent.db").exists()
    (tmp_path / "empty.db").touch()
    with pytest.raises(UsageError, match="no probes yet"):
        open_store(str(tmp_path / "empty.db"))
    with FileStore(tmp_path / "newer.db", create=True) as store:
        store._connection.execute("PRAGMA user_version = 99")
    with pytest.raises(UsageError, match="newer kycgate"):
        open_store(str(tmp_path / "newer.db"))


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("mysql://me:hunter2!@h/db", UsageError),
        ("postgresql://me:hun%zzter2!@h/db", UsageError),
        ("postgresql://me:hunter@2!@h/db", UsageError),
        ("postgresql://me:hunter/2!@h/db", UsageError),
        ("postgresql://me:hunter2!@127.0.0.1:port/db", UsageError),
        ("postgresql://me:hunter2!@127.0.0.1:1/db", CannotJudge),
        ("postgresql://me@127.0.0.1:1/db?password=hunter2!", CannotJudge),
        ("", UsageError),
    ],
)
def test_a_urls_password_is_never_said(url: str, error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        open_store(url, create=True)
    said = str(caught.value)
    assert "hun" not in said
    assert "2!" not in said
    assert "\n" not in said


def test_a_servers_refusal_is_one_line(server: str) -> None:
    with pytest.raises(CannotJudge, match="password authentication failed") as caught:
        open_store(server.replace(PASSWORD, "wrong-pass-word"), create=True)
    assert "wrong-pass-word" not in str(caught.value)
    with open_store(server, create=True) as store:
        assert PASSWORD not in store.name
    with pytest.raises(CannotJudge) as caught:
        open_store(server.rpartition("/")[0] + "/nowhere")
    assert "\n" not in str(caught.value)
