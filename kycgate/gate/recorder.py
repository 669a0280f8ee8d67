"""What is kept of each exchange: redacted, by its number, and in the run's folder."""

import contextlib
import threading
from collections.abc import Callable
from typing import TextIO

from kycgate.files import no_links
from kycgate.judging.answers import customer_data, json_or_none
from kycgate.runs.folder import RunFolder
from kycgate.target.exchange import Exchange, RecordedExchange
from kycgate.target.redaction import Redactor


class Recorder:
    """Every exchange of a run. Thread-safe."""

    def __init__(self, redactor: Redactor, give_up: Callable[[str], None]) -> None:
        """`give_up` is told why nothing more can be recorded: what cannot be recorded is not worth sending."""
        self._redactor = redactor
        self._give_up = give_up
        self._lock = threading.Lock()
        self._by_number: dict[int, RecordedExchange] = {}
        self._sink: TextIO | None = None

    def keep_in(self, folder: RunFolder) -> None:
        """From now on each exchange is written into this folder too; until `close`."""
        self._sink = open(folder.exchanges_path, "a", encoding="utf-8", opener=no_links)  # noqa: SIM115

    def __getitem__(self, number: int) -> RecordedExchange:
        return self._by_number[number]

    def get(self, number: int) -> RecordedExchange | None:
        """The exchange of this number; None where there is none."""
        return self._by_number.get(number)

    @property
    def exchanges(self) -> list[RecordedExchange]:
        """All until now."""
        with self._lock:
            return list(self._by_number.values())

    def take(self, exchange: Exchange, at: str) -> None:
        """Record an exchange that began `at`; what its answer gives of a person or of a credential is learned first."""
        data = customer_data(exchange)
        if data is not None:
            self._redactor.add_reading(data)
        if exchange.endpoint.startswith("token"):
            # Before it is recorded: the answer that brings a token may show it in more than one place.
            given = json_or_none(exchange)
            if isinstance(given, dict) and isinstance(given.get("token"), str):
                self._redactor.add_secret(given["token"], "KYCGATE_TOKEN")
        self._write(self._redactor.record(exchange, at))

    def keep(self, recorded: RecordedExchange) -> RecordedExchange:
        """Record an exchange that was sent and redacted elsewhere, under the run's next number."""
        numbered = recorded.model_copy(update={"number": max(self._by_number, default=0) + 1})
        self._write(numbered)
        return numbered

    def close(self) -> None:
        if self._sink is not None:
            with contextlib.suppress(OSError):
                self._sink.close()

    def _write(self, recorded: RecordedExchange) -> None:
        with self._lock:
            self._by_number[recorded.number] = recorded
        if self._sink is not None:
            try:
                with self._lock:
                    self._sink.write(recorded.model_dump_json() + "\n")
                    self._sink.flush()
            except OSError as error:
                self._give_up(f"cannot record what is sent: {error.strerror}")
