"""A connection that writes, one transaction after the other, each of them exactly once.

When the connection is lost while COMMIT is under way, nobody knows whether it went through. So each
connection has a row in ``commit_marks``, and each transaction writes its number there as its last
act. Whoever has lost a connection shuts its row first (which waits for a transaction that the server
has not ended yet, and makes one that it has not begun to commit fail), and then reads the number.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import stamina
import structlog

from trunkline.store.common.dialect import Again
from trunkline.store.ports.database import DatabaseUnavailable
from trunkline.store.postgres.connect import Connection, close, connect
from trunkline.store.postgres.errors import FAILURES, is_lost, said, unavailable
from trunkline.store.postgres.queries import named

T = TypeVar("T")
Work = Callable[[Connection], Awaitable[T]]

log = structlog.get_logger()

# One message, and so one round trip. Division by zero: the row was shut, and COMMIT is not reached.
_COMMIT = """WITH marked AS (
    UPDATE commit_marks SET last = {number}, at = {at} WHERE id = '{mark}' AND open RETURNING 1)
SELECT 1 / count(*) FROM marked; COMMIT"""


class Lane:
    """One writing connection, opened when it is needed and again when it was lost.

    Only one piece of work may run in it at a time. ``away`` is called, again and again, while it
    cannot be found out whether a transaction went through.
    """

    def __init__(self, url: str, away: Callable[[], None] = lambda: None) -> None:
        self._url = url
        self._away = away
        self._connection: Connection | None = None
        self._mark = ""
        self._number = 0

    async def run(self, work: Work[T]) -> T:
        """What ``work`` gives, once its transaction is on the disk. It may be called several times.

        Raises what it raised, or DatabaseUnavailable; then nothing is written.
        """
        with contextlib.suppress(Again):  # stamina takes as long as a statement does
            return await self._once(work)
        async for attempt in stamina.retry_context(
            on=Again, attempts=20, timeout=5.0, wait_initial=0.01, wait_max=0.5, wait_jitter=0.05
        ):
            with attempt:
                return await self._once(work)
        raise AssertionError

    async def close(self) -> None:
        """Close the connection; nothing may be running."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(*FAILURES):
                await named("marks").remove(connection, mark=self._mark)
            await close(connection)

    async def _once(self, work: Work[T]) -> T:
        connection = await self._opened()
        try:
            with unavailable():
                await connection.execute("BEGIN")
                result = await work(connection)
        except BaseException as error:
            await self._roll_back(connection, error)
            raise
        await self._commit(connection)
        return result

    async def _opened(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._marked(await connect(self._url))
        return self._connection

    async def _marked(self, connection: Connection) -> Connection:
        """With a row of its own in ``commit_marks``, which is there before any transaction needs it."""
        self._mark, self._number = secrets.token_hex(16), 0
        try:
            with unavailable():
                await named("marks").add(connection, mark=self._mark, now=_now())
        except BaseException:
            await close(connection)
            raise
        return connection

    async def _roll_back(self, connection: Connection, error: BaseException) -> None:
        cause = error.__cause__ or error
        if not connection.is_closed() and not (isinstance(cause, FAILURES) and is_lost(cause)):
            with contextlib.suppress(*FAILURES):
                await connection.execute("ROLLBACK", timeout=5)
                return
        self._drop(connection)

    async def _commit(self, connection: Connection) -> None:
        self._number += 1
        try:
            await connection.execute(
                _COMMIT.format(number=self._number, at=_now(), mark=self._mark)
            )
        except FAILURES as error:
            self._drop(connection)
            if not await self._went_through(self._mark, self._number):
                raise Again(said(error)) from error
        except BaseException:
            self._drop(connection)
            raise

    async def _went_through(self, mark: str, number: int) -> bool:
        """However long it takes to learn it."""
        log.warning("database.commit_unclear")
        async for attempt in stamina.retry_context(
            on=DatabaseUnavailable, attempts=None, timeout=None, wait_initial=0.05, wait_max=1.0
        ):
            with attempt:
                try:
                    return await self._shut(mark) == number
                except DatabaseUnavailable:
                    self._away()
                    raise
        raise AssertionError

    async def _shut(self, mark: str) -> int | None:
        """Nothing under this mark is committed any more; gives the last number that was."""
        connection = await connect(self._url)
        try:
            with unavailable():
                last: int | None = await named("marks").shut(connection, mark=mark)
                return last
        finally:
            await close(connection)

    def _drop(self, connection: Connection) -> None:
        self._connection = None
        with contextlib.suppress(Exception):
            connection.terminate()


def _now() -> int:
    return time.time_ns() // 1000
