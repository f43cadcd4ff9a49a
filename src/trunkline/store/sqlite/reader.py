"""Reading: a connection of its own for each thread that reads, none of which can write."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from trunkline.store.sqlite.connect import connect_reader
from trunkline.store.sqlite.queries import driven
from trunkline.store.sqlite.writer import unavailable

T = TypeVar("T")
Row = tuple[Any, ...]
Work = Callable[[sqlite3.Connection], Coroutine[Any, Any, T]]


class Reader:
    """Point reads are answered at once, in the caller's thread; what may take longer, in one of ``threads``.

    Without those, all is read in the caller's thread. Raises DatabaseUnavailable when it cannot read.
    """

    def __init__(self, path: Path, threads: ThreadPoolExecutor | None = None) -> None:
        self._path = path
        self._threads = threads
        self._local = threading.local()
        self._lock = threading.Lock()
        self._opened: list[sqlite3.Connection] = []

    async def one(self, query: Callable[..., Any], **parameters: Any) -> Any:
        """The query's row or value, or None."""
        with unavailable():
            return await query(self.connection(), **parameters)

    async def all(self, query: Callable[..., Any], **parameters: Any) -> list[Row]:
        with unavailable():
            rows: list[Row] = await query(self.connection(), **parameters)
            return rows

    async def many(self, query: Callable[..., Any], **parameters: Any) -> list[Row]:
        """The query's rows, of a read that may take longer."""
        rows: list[Row] = await self.run(lambda connection: query(connection, **parameters))
        return rows

    async def run(self, work: Work[T]) -> T:
        """What ``work`` gives, all of it read from one state of the database."""
        if self._threads is None:
            return self.here(work)
        return await asyncio.get_running_loop().run_in_executor(self._threads, self.here, work)

    snapshot = run

    def here(self, work: Work[T]) -> T:
        """``run`` in this thread."""
        with unavailable():
            connection = self.connection()
            connection.execute("BEGIN")
            try:
                return driven(work(connection))
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
