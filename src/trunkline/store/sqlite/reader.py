"""Reading: a connection of its own for each thread that reads, none of which can write."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from trunkline.store.sqlite.connect import connect_reader
from trunkline.store.sqlite.writer import unavailable

T = TypeVar("T")
Row = tuple[Any, ...]


class Reader:
    """Runs named queries in the caller's thread; raises DatabaseUnavailable when it cannot read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self._lock = threading.Lock()
        self._opened: list[sqlite3.Connection] = []

    def one(self, query: Callable[..., Any], **parameters: Any) -> Any:
        """The query's row or value, or None."""
        with unavailable():
            return query(self.connection(), **parameters)

    def all(self, query: Callable[..., Any], **parameters: Any) -> list[Row]:
        """The query's rows."""
        with unavailable():
            return list(query(self.connection(), **parameters))

    def snapshot(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """What ``work`` gives, all of it read from one state of the database."""
        with unavailable():
            connection = self.connection()
            connection.execute("BEGIN")
            try:
                return work(connection)
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def connection(self) -> sqlite3.Connection:
        """This thread's connection."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = connect_reader(self._path)
            with self._lock:
                self._opened.append(connection)
        return connection

    def close(self) -> None:
        """Close them all; nobody may be reading."""
        with self._lock:
            for connection in self._opened:
                connection.close()
            self._opened.clear()
