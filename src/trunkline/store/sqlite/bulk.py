"""Writing many finished calls from a process of its own, beside a server that writes too.

SQLite lets one writer in at a time, and a waiting one asks again and again for ``BUSY_SECONDS``. So
each batch is one small transaction, and while a server runs, the pause after it is as long as it
took: the server always finds the door open in time.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import stamina

from trunkline.calls.record import CallRecord
from trunkline.store.common.finished_calls import were_new
from trunkline.store.ports.database import DatabaseUnavailable
from trunkline.store.sqlite.connect import connect_reader, connect_writer
from trunkline.store.sqlite.finished_calls import write_calls
from trunkline.store.sqlite.queries import driven
from trunkline.store.sqlite.writer import unavailable

_ATTEMPTS = 10
_REMEMBERED = 1_000_000


class BulkWriter:
    """Writes batches of calls; ``shared()`` says whether a server runs on the database now.

    Never in the server's own process: closing the connection would drop the locks of the others.
    """

    def __init__(self, path: Path, shared: Callable[[], bool]) -> None:
        with unavailable():
            self._connection = connect_writer(path)
        self._shared = shared

    def write(self, records: Sequence[CallRecord]) -> list[bool]:
        began = time.monotonic()
        new = self._write(records)
        if self._shared():
            time.sleep(time.monotonic() - began)
        return new

    @stamina.retry(on=DatabaseUnavailable, attempts=_ATTEMPTS, wait_max=2.0)
    def _write(self, records: Sequence[CallRecord]) -> list[bool]:
        connection, now = self._connection, time.time_ns() // 1000
        with unavailable():
            connection.execute("BEGIN IMMEDIATE")
            try:
                new = driven(write_calls(connection, records, now))
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        return were_new(new, records)

    def close(self) -> None:
        self._connection.close()


class DryWriter:
    """Looks which calls are there already, and writes nothing."""

    def __init__(self, path: Path) -> None:
        with unavailable():
            self._connection: sqlite3.Connection = connect_reader(path)
        self._seen: set[str] = set()

    def write(self, records: Sequence[CallRecord]) -> list[bool]:
        """For each, whether it would be new; of this run, the first million ids are remembered."""
        return [self._is_new(record.call_id) for record in records]

    def _is_new(self, call_id: str) -> bool:
        if call_id in self._seen:
            return False
        if len(self._seen) < _REMEMBERED:
            self._seen.add(call_id)
        with unavailable():
            found = self._connection.execute("SELECT 1 FROM calls WHERE id = ?", (call_id,))
            return found.fetchone() is None

    def close(self) -> None:
        self._connection.close()
