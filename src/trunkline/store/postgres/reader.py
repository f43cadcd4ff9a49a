"""Reading: a few connections that everybody shares."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import asyncpg
import stamina

from trunkline.store.common.dialect import Again
from trunkline.store.ports.database import DatabaseUnavailable
from trunkline.store.postgres.connect import Connection
from trunkline.store.postgres.connections import Shared
from trunkline.store.postgres.errors import unavailable

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
        self._shared = Shared(url, MOST_CONNECTIONS)

    async def one(self, query: Callable[..., Awaitable[T]], **parameters: Any) -> T | None:
        """The query's row or value, or None."""
        try:
            return await self.run(lambda connection: query(connection, **parameters))
        except asyncpg.CharacterNotInRepertoireError:
            return None

    async def all(self, query: Callable[..., Awaitable[Any]], **parameters: Any) -> list[Row]:
        found: list[Row] | None = await self.one(query, **parameters)
        return found or []

    async def many(self, query: Callable[..., Awaitable[Any]], **parameters: Any) -> list[Row]:
        """``all``: it takes no longer."""
        return await self.all(query, **parameters)

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
        seat = await self._shared.take()
        try:
            connection = await seat.opened()
            with unavailable():
                return await work(connection)
        except (DatabaseUnavailable, asyncio.CancelledError):
            seat.close()  # nobody can say what a server that hangs does with the statement
            raise
        finally:
            self._shared.give_back(seat)

    async def close(self) -> None:
        """Close them all; nobody may be reading."""
        self._shared.close()


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
