"""The folder of one run: files are written whole or appended at once, so a killed run keeps what it learned."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from pydantic import ValidationError

from kycgate.contracts.clauses import UPLOADS
from kycgate.errors import Contradiction, UsageError
from kycgate.files import MOST_RECORD, no_links, read, read_text, write_atomically
from kycgate.runs.consistency import contradiction
from kycgate.runs.model import SCHEMA_VERSION, Run
from kycgate.target.exchange import RecordedExchange


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
            if out is None and path.parent.is_symlink():
                raise UsageError(f"{path.parent} is a link: name a folder with --out")
            # Making the folder claims it. One that is there already must be empty; two runs never share one.
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                path.mkdir()
            except FileExistsError:
                if path.is_symlink() or not path.is_dir() or any(path.iterdir()):
                    raise
            open(path / "exchanges.ndjson", "x", opener=no_links).close()
        except FileExistsError:
            raise UsageError(
                f"{path} already holds a run or other files, or is not a folder: name another folder with --out"
            ) from None
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
        if not os.path.lexists(self.path / "run.json") and self.exchanges_path.is_file():
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
            raw = json.loads(read_text(path, MOST_RECORD, links=False))
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

    def read_exchanges(self, *, whole: bool = False) -> list[RecordedExchange]:
        """What was recorded; a last line cut off by a kill is left out, and so is a file that is not there.

        Raises:
            UsageError: the file is not a regular file, or too large.
            Contradiction: `whole` is asked for, and a line is not an exchange.
        """
        found: list[RecordedExchange] = []
        try:
            lines = read(self.exchanges_path, MOST_RECORD, links=False).split(b"\n")
        except FileNotFoundError:
            return found
        except OSError as error:
            raise UsageError(f"cannot read {self.exchanges_path}: {error.strerror}") from None
        for number, line in enumerate(lines, 1):
            try:
                found.append(RecordedExchange.model_validate_json(line.decode("utf-8", "replace")))
            except ValidationError:
                if whole and number < len(lines):
                    raise Contradiction(f"{self.exchanges_path} is damaged: line {number} is not an exchange") from None
        return found
