"""The one writer: a thread with its own connection, and many writes to a commit.

Operations that are queued while a commit is under way go together into the next one, each in a
savepoint of its own, so that one which fails takes no other along. A future is resolved after the
commit that holds its operation is on the disk, and in the order in which operations were queued.

Where all of a batch's operations ask for it (``run_early``), the commit is told before it is on the disk:
with synchronous=NORMAL SQLite has handed the log's pages to the kernel, so that no kill of this process
loses them, and fdatasync(2) on the log afterwards is all that FULL does more (wal.c, walFrames).
"""

from __future__ import annotations

import asyncio
import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from trunkline.store.ports.database import DatabaseUnavailable
from trunkline.store.sqlite.connect import connect_writer
from trunkline.store.sqlite.queries import driven

T = TypeVar("T")
Operation = Callable[[sqlite3.Connection], Coroutine[Any, Any, T]]
"""What it gives is driven to its end in the writer's thread (``driven``)."""
MOST_IN_A_COMMIT = 512

_OWN_FAULT = {
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_MISMATCH,
    sqlite3.SQLITE_TOOBIG,
}


@contextmanager
def unavailable() -> Iterator[None]:
    """Turn what SQLite says about its file (full, locked, I/O) into DatabaseUnavailable."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if _is_own_fault(error):
            raise
        raise DatabaseUnavailable(f"the database cannot be used now: {error}") from error


def _is_own_fault(error: sqlite3.DatabaseError) -> bool:
    """Did the statement fail, and not the file? (The low byte is SQLite's primary result code.)"""
    code = getattr(error, "sqlite_errorcode", None)
    return code is None or (code & 0xFF) in _OWN_FAULT


class _Queued:
    """An operation that waits for its commit."""

    __slots__ = ("error", "future", "loop", "operation", "result", "settled")

    def __init__(self, operation: Operation[Any], early: bool = False) -> None:
        self.operation = operation
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self.loop.create_future()
        self.settled: asyncio.Future[None] | None = self.loop.create_future() if early else None
        """Of one that is told early: done once it is on the disk."""
        self.result: Any = None
        self.error: Exception | None = None

    def run(self, connection: sqlite3.Connection) -> None:
        """In a savepoint; raises DatabaseUnavailable when the whole transaction is lost."""
        connection.execute("SAVEPOINT operation")
        try:
            with unavailable():
                self.result = driven(self.operation(connection))
        except DatabaseUnavailable:
            raise
        except Exception as error:
            self.error = error
            connection.execute("ROLLBACK TO operation")
        connection.execute("RELEASE operation")

    def resolve(self) -> None:
        """On the loop's thread."""
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)

    def settle(self, error: Exception | None) -> None:
        if self.settled is None or self.settled.done():
            return
        if error is None:
            self.settled.set_result(None)
        else:
            self.settled.set_exception(error)
            self.settled.exception()  # seen: maybe nobody waits for it


class Writer:
    """Runs operations in transactions, one after the other."""

    def __init__(self, path: Path) -> None:
        self._queue: queue.SimpleQueue[_Queued | None] = queue.SimpleQueue()
        self._connection = connect_writer(path)
        real = path.resolve()  # SQLite follows links, and has its log beside the file itself
        self._wal = real.with_name(f"{real.name}-wal")
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="trunkline-writer", daemon=True)
        self._thread.start()

    async def run(self, operation: Operation[T]) -> T:
        """The operation's result, once it is on the disk.

        Raises what it raised, and then nothing of it is written; DatabaseUnavailable when the
        database cannot take it. Cancelling the wait does not take the operation back.
        """
        result: T = await self._queued(operation, early=False).future
        return result

    async def run_early(self, operation: Operation[T]) -> tuple[T, asyncio.Future[None]]:
        """``run``, but as soon as a kill of this process loses nothing, and a future of the rest.

        That is done once the power may go, too, and raises DatabaseUnavailable where it never may.
        """
        queued = self._queued(operation, early=True)
        result: T = await queued.future
        assert queued.settled is not None
        return result, queued.settled

    def _queued(self, operation: Operation[Any], early: bool) -> _Queued:
        if self._closed:
            raise DatabaseUnavailable("the database is closed")
        queued = _Queued(operation, early)
        self._queue.put(queued)
        return queued

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._queue.put(None)
        await asyncio.get_running_loop().run_in_executor(None, self._thread.join)

    def _run(self) -> None:
        while (batch := self._next_batch()) is not None:
            if all(queued.settled for queued in batch):
                self._write_early(batch)
            else:
                self._write(batch)
                self._tell(batch, _resolve_all)
                self._tell([one for one in batch if one.settled], _settle_all)
        with suppress(sqlite3.DatabaseError):
            self._connection.execute("PRAGMA optimize")
        self._connection.close()

    def _next_batch(self) -> list[_Queued] | None:
        """All that is queued, at least one; None when there will be no more."""
        first = self._queue.get()
        if first is None:
            return None
        batch = [first]
        while len(batch) < MOST_IN_A_COMMIT:
            try:
                following = self._queue.get_nowait()
            except queue.Empty:
                break
            if following is None:
                self._queue.put(None)
                break
            batch.append(following)
        return batch

    def _write_early(self, batch: list[_Queued]) -> None:
        self._connection.execute("PRAGMA synchronous = NORMAL")
        try:
            self._write(batch)
        finally:
            self._connection.execute("PRAGMA synchronous = FULL")
        self._tell(batch, _resolve_all)
        error = self._sync()
        self._tell(batch, lambda members: _settle_all(members, error))

    def _sync(self) -> DatabaseUnavailable | None:
        """The log to the disk. SQLite has no lock on that file that closing it could drop."""
        try:
            log = os.open(self._wal, os.O_RDWR)
            try:
                os.fdatasync(log)
            finally:
                os.close(log)
        except OSError as error:
            return DatabaseUnavailable(f"the database cannot be written: {error.strerror}")
        return None

    def _write(self, batch: list[_Queued]) -> None:
        try:
            with unavailable():
                self._connection.execute("BEGIN IMMEDIATE")
                for queued in batch:
                    queued.run(self._connection)
                self._connection.execute("COMMIT")
        except Exception as error:
            self._roll_back()
            for queued in batch:
                queued.error = _unavailable_from(error)

    def _roll_back(self) -> None:
        """SQLite has done it by itself after some errors."""
        with suppress(sqlite3.DatabaseError):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    @staticmethod
    def _tell(batch: list[_Queued], what: Callable[[list[_Queued]], None]) -> None:
        """One call into each loop; a loop that has closed meanwhile wants to know nothing."""
        by_loop: dict[asyncio.AbstractEventLoop, list[_Queued]] = {}
        for queued in batch:
            by_loop.setdefault(queued.loop, []).append(queued)
        for loop, members in by_loop.items():
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(what, members)


def _unavailable_from(error: Exception) -> DatabaseUnavailable:
    """A fresh one for each future: one exception object must not be raised in many tasks."""
    unavailable_now = DatabaseUnavailable(str(error))
    unavailable_now.__cause__ = error.__cause__ or error
    return unavailable_now


def _resolve_all(batch: list[_Queued]) -> None:
    for queued in batch:
        queued.resolve()


def _settle_all(batch: list[_Queued], error: Exception | None = None) -> None:
    for queued in batch:
        queued.settle(queued.error or error)
