"""The folder of one run: files are written whole or appended at once, so a killed run keeps what it learned."""

import json
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from pydantic import ValidationError

from kycgate.contracts.clauses import UPLOADS
from kycgate.errors import Contradiction, UsageError
from kycgate.runs.consistency import contradiction
from kycgate.runs.model import SCHEMA_VERSION, Run
from kycgate.target.exchange import RecordedExchange


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write `path` whole or not at all: a reader, or a kill, never meets half a file."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


class RunFolder:
    """The folder of one run: what is recorded is appended as it happens."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, out: Path | None, command: str) -> Self:
        """Make a new folder: `out`, or kycgate-out/<time>-<command>/.

        Raises:
            UsageError: it cannot be made or written to, or already holds a run.
        """
        path = out
        if path is None:
            stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
            path = Path("kycgate-out") / f"{stamp}-{command}"
            for count in range(2, 1000):
                if not path.exists():
                    break
                path = Path("kycgate-out") / f"{stamp}-{command}-{count}"
        try:
            path.mkdir(parents=True, exist_ok=True)
            # Opening for exclusive creation claims the folder: two runs never share one.
            (path / "exchanges.ndjson").open("x").close()
        except FileExistsError:
            raise UsageError(f"{path} already holds a run (or is a file): name another folder with --out") from None
        except OSError as error:
            raise UsageError(f"cannot write to {path}: {error.strerror}; name another folder with --out") from None
        return cls(path)

    @property
    def exchanges_path(self) -> Path:
        return self.path / "exchanges.ndjson"

    def write_run(self, run: Run) -> None:
        write_atomically(self.path / "run.json", run.model_dump_json(indent=1) + "\n")

    def recover(self) -> Run:
        """The recorded result; where a kill left the exchanges alone, a run that says so.

        Raises:
            UsageError: as `read_run`, when there are no exchanges either.
        """
        if not (self.path / "run.json").exists() and self.exchanges_path.is_file():
            exchanges = self.read_exchanges()
            return Run(
                command="unknown",
                verdict="unclear",
                exit_code=3,
                reason="run.json is missing: the run was killed, or its folder is not whole; what was sent is recorded",
                complete=False,
                requests_sent=len(exchanges),
                uploads_sent=sum(exchange.endpoint in UPLOADS for exchange in exchanges),
                started_at=exchanges[0].at if exchanges else "",
            )
        run = self.read_run()
        if not run.finished_at:
            # Killed: the exchanges know of more than the last time that the result was kept.
            exchanges = self.read_exchanges()
            run.requests_sent = max(run.requests_sent, len(exchanges))
            run.uploads_sent = max(run.uploads_sent, sum(exchange.endpoint in UPLOADS for exchange in exchanges))
        return run

    def read_run(self) -> Run:
        """The recorded result.

        Raises:
            UsageError: there is none here, it is damaged or contradicts itself, or a newer kycgate wrote it.
        """
        path = self.path / "run.json"
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            version = raw.get("schema_version") if isinstance(raw, dict) else None
            if isinstance(version, int) and version > SCHEMA_VERSION:
                raise UsageError(f"{path} has schema version {version}: read it with a newer kycgate")
            run = Run.model_validate(raw)
        except FileNotFoundError:
            raise UsageError(f"{self.path} holds no run.json: give the folder of a run") from None
        except OSError as error:
            raise UsageError(f"cannot read {path}: {error.strerror}") from None
        except ValidationError as error:
            where = ".".join(str(part) for part in error.errors()[0]["loc"])
            raise UsageError(f"{path} is damaged: {where}: {error.errors()[0]['msg']}") from None
        except (ValueError, RecursionError):
            raise UsageError(f"{path} is damaged: it is not JSON") from None
        impossible = contradiction(run)
        if impossible:
            raise Contradiction(f"{path} is damaged: {impossible}")
        return run

    def read_exchanges(self) -> list[RecordedExchange]:
        """What was recorded; a last line cut off by a kill is left out, and so is a file that is not there."""
        found: list[RecordedExchange] = []
        if not self.exchanges_path.is_file():
            return found
        with self.exchanges_path.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                try:
                    found.append(RecordedExchange.model_validate_json(line))
                except ValidationError:
                    continue
        return found
