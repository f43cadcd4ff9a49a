"""Writing: what follows from calls goes many to a transaction, everything else one by one.

Batches that wait while a commit is under way go together into the next one: a handful of statements
carries hundreds of them. One that cannot be written takes no other along: then each is written by
itself. Their futures are resolved in the order in which they were queued.

Other work goes into transactions of its own on a few connections; PostgreSQL lets commits that
come together share a write to the disk. Each takes at most one account's lock, and takes it last,
so that it never stands in the way of a group that holds several.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from trunkline.events.stored import StoredEvent
from trunkline.store.ports.database import Batch, DatabaseUnavailable
from trunkline.store.postgres.connect import Connection
from trunkline.store.postgres.transactions import Lane, Work

T = TypeVar("T")
MOST_IN_A_COMMIT = 512
LANES = 6
PATIENCE = 5.0
"""Seconds that work waits for its turn."""
LAST_WRITES = 15.0
"""Seconds that closing waits for what is queued."""

WriteAll = Callable[[Connection, Sequence[Batch]], Awaitable[list[list[StoredEvent]]]]
"""Writes all of the batches in one transaction; gives each one's events."""
Prepare = Callable[[Sequence[Batch]], Awaitable[None]]
"""Makes room for the batches, before their transaction."""


class Writer:
    """Runs work in transactions, exactly once each. Use it from one event loop."""

    def __init__(self, url: str) -> None:
        self._free: asyncio.LifoQueue[Lane] = asyncio.LifoQueue()
        self._lanes = [Lane(url) for _ in range(LANES)]
        for lane in self._lanes:
            self._free.put_nowait(lane)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False

    async def run(self, work: Work[T]) -> T:
        """What ``work`` gives, once it is on the disk; it may be called several times.

        Raises what it raised, and then nothing of it is written; DatabaseUnavailable when the
        database cannot take it. Cancelling the wait does not take the work back.
        """
        if self._closed:
            raise DatabaseUnavailable("the database is closed")
        task = asyncio.ensure_future(self._run(work))
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    async def _run(self, work: Work[T]) -> T:
        try:
            async with asyncio.timeout(PATIENCE):
                lane = await self._free.get()
        except TimeoutError:
            raise DatabaseUnavailable("PostgreSQL cannot be used now: too much waits") from None
        try:
            return await lane.run(work)
        finally:
            self._free.put_nowait(lane)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waited may have gone

    async def close(self) -> None:
        self._closed = True
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=LAST_WRITES)
        for task in self._tasks:
            task.cancel()
        for lane in self._lanes:
            await lane.close()


class _Queued:
    """A batch that waits for its commit."""

    __slots__ = ("batch", "future")

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.future: asyncio.Future[list[StoredEvent]] = asyncio.get_running_loop().create_future()

    def fail(self, error: Exception) -> None:
        """Tell that nothing of it is written."""
        if not self.future.done():
            self.future.set_exception(error)

    def succeed(self, events: list[StoredEvent]) -> None:
        """Tell that it is on the disk."""
        if not self.future.done():
            self.future.set_result(events)


class BatchWriter:
    """Writes batches in the order in which they come, those that wait together in one commit."""

    def __init__(self, url: str, prepare: Prepare, write: WriteAll) -> None:
        self._lane = Lane(url, self._refuse_waiting)
        self._prepare = prepare
        self._write = write
        self._waiting: deque[_Queued] = deque()
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    async def commit(self, batch: Batch) -> list[StoredEvent]:
        """The batch's events, once it is on the disk; raises like ``Writer.run``."""
        if self._closed:
            raise DatabaseUnavailable("the database is closed")
        queued = _Queued(batch)
        self._waiting.append(queued)
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._run())
        return await queued.future

    async def close(self) -> None:
        self._closed = True
        if self._task is not None:
            await asyncio.wait([self._task], timeout=LAST_WRITES)
            self._task.cancel()
        self._refuse_waiting()
        await self._lane.close()

    async def _run(self) -> None:
        while self._waiting:
            group = [
                self._waiting.popleft() for _ in range(min(MOST_IN_A_COMMIT, len(self._waiting)))
            ]
            try:
                await self._commit(group)
            finally:
                for queued in group:  # there is something left only when closing gave up
                    queued.fail(DatabaseUnavailable("the database is closed"))

    async def _commit(self, group: Sequence[_Queued]) -> None:
        """All in one transaction, or, where one of them is at fault, each in its own."""
        try:
            batches = [queued.batch for queued in group]
            await self._prepare(batches)
            written = await self._lane.run(lambda connection: self._write(connection, batches))
        except DatabaseUnavailable as error:
            _fail(group, error)
        except Exception as error:
            if len(group) == 1:
                return group[0].fail(error)
            for queued in group:
                await self._commit([queued])
        else:
            for queued, events in zip(group, written, strict=True):
                queued.succeed(events)

    def _refuse_waiting(self) -> None:
        """The database is away, and nobody knows for how long."""
        _fail(self._waiting, DatabaseUnavailable("PostgreSQL cannot be used now"))
        self._waiting.clear()


def _fail(group: Sequence[_Queued] | deque[_Queued], error: Exception) -> None:
    """A fresh one for each future: one exception object must not be raised in many tasks."""
    for queued in group:
        unavailable_now = DatabaseUnavailable(str(error))
        unavailable_now.__cause__ = error.__cause__ or error
        queued.fail(unavailable_now)
