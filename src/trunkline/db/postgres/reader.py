"""Reading: a few connections that everybody shares."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import asyncpg
import stamina

from trunkline.db.port import DatabaseUnavailable
from trunkline.db.postgres.connect import CONNECT_SECONDS, Connection, PooledConnection, options
from trunkline.db.postgres.errors import FAILURES, Again, said, unavailable

T = TypeVar("T")
Row = tuple[Any, ...]
MOST_CONNECTIONS = 8
SOON = 3.0
"""Seconds: a point read takes a thousandth of one."""


class Reader:
    """Runs named queries; raises DatabaseUnavailable when it cannot read.

    A text that PostgreSQL cannot hold (one with a NUL) is in no row. A read that loses its
    connection is made once more.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._pool: asyncpg.Pool | None = None
        self._opening = asyncio.Lock()
        self._closed = False

    async def one(self, query: Callable[..., Awaitable[T]], **parameters: Any) -> T | None:
        """The query's row or value, or None."""
        try:
            return await self.run(lambda connection: query(connection, **parameters))
        except asyncpg.CharacterNotInRepertoireError:
            return None

    async def all(self, query: Callable[..., Awaitable[Any]], **parameters: Any) -> list[Row]:
        """The query's rows."""
        found: list[Row] | None = await self.one(query, **parameters)
        return found or []

    async def run(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """What ``work`` gives; each of its statements sees the database as it then is."""
        with contextlib.suppress(Again):  # stamina takes a fifth of what most reads take
            return await self._once(work)
        async for attempt in stamina.retry_context(
            on=Again, attempts=3, wait_initial=0.02, wait_max=0.2, wait_jitter=0.02
        ):
            with attempt:
                return await self._once(work)
        raise AssertionError

    async def snapshot(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """What ``work`` gives, all of it read from one state of the database."""

        async def read(connection: Connection) -> T:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                return await work(connection)

        return await self.run(read)

    async def _once(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        pool = self._pool or await self._opened()
        try:
            connection = await pool.acquire(timeout=CONNECT_SECONDS)
        except FAILURES as error:
            raise DatabaseUnavailable(said(error)) from error
        try:
            with unavailable():
                return await work(connection)
        except asyncio.CancelledError:
            connection.terminate()  # asking a server that hangs to cancel would hang, too
            raise
        finally:
            await pool.release(connection)

    async def _opened(self) -> asyncpg.Pool:
        async with self._opening:
            if self._closed:
                raise DatabaseUnavailable("the database is closed")
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    self._url,
                    min_size=0,
                    max_size=MOST_CONNECTIONS,
                    max_inactive_connection_lifetime=300,
                    max_queries=1 << 62,
                    connection_class=PooledConnection,
                    **options(),
                )
            return self._pool

    async def close(self) -> None:
        """Close them all; nobody may be reading."""
        self._closed = True
        if self._pool is not None:
            self._pool.terminate()
            self._pool = None


class SoonReader(Reader):
    """The same connections, for what every request is let in by: read soon, or not at all.

    A server that hangs (its disk, or the network on the way) would keep requests for half a minute
    otherwise, which is what a statement is given.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def run(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """What ``work`` gives, within ``SOON`` seconds."""
        try:
            async with asyncio.timeout(SOON):
                return await self._reader.run(work)
        except TimeoutError:
            raise DatabaseUnavailable("PostgreSQL cannot be used now: it does not answer") from None

    async def close(self) -> None:
        """Nothing: the connections are the other one's."""
