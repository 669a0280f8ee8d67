"""A real PostgreSQL server for tests: in a folder of its own, on a free port of loopback, stopped afterwards."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PASSWORD = "correct-horse-battery"


def find_binaries() -> Path | None:
    """The folder of initdb and pg_ctl: on the path, or where Debian puts the newest version."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    versions = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    return max((path.parent for path in versions), key=lambda path: float(path.parent.name), default=None)


def _runuser() -> str:
    """Debian keeps it where a user's path may not lead."""
    return shutil.which("runuser") or shutil.which("runuser", path="/usr/sbin:/sbin") or "runuser"


@contextmanager
def running_server(binaries: Path) -> Iterator[str]:
    """Gives the URL of an empty database that asks for a password."""
    # The server refuses to run as root, so it is started as the package's own user then.
    as_user = [_runuser(), "-u", "postgres", "--"] if os.geteuid() == 0 else []
    folder = Path(tempfile.mkdtemp(prefix="kycgate-pg-"))
    try:
        (folder / "password").write_text(PASSWORD)
        if as_user:
            owner = pwd.getpwnam("postgres")
            for path in (folder, folder / "password"):
                os.chown(path, owner.pw_uid, owner.pw_gid)

        def run(program: str, *arguments: str) -> None:
            subprocess.run(
                [*as_user, binaries / program, "-D", folder / "data", *arguments],
                check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=60, cwd=folder,
            )  # fmt: skip

        run(
            "initdb",
            "-U",
            "kycgate",
            "-A",
            "scram-sha-256",
            f"--pwfile={folder / 'password'}",
            "-N",
            "--no-locale",
            "-E",
            "UTF8",
        )
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        run("pg_ctl", "-w", "-l", str(folder / "log"), "-o", f"-p {port} -h 127.0.0.1 -k {folder}", "start")
        try:
            yield f"postgresql://kycgate:{PASSWORD}@127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "-w", "-m", "fast", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
