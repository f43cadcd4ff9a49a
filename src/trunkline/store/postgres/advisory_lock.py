"""What only one process of all on a database may do at a time: locks of a session (advisory ones).

A lock of a session ends with its connection, so whoever is killed lets go of all that he held.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator

import asyncpg
import stamina
import structlog

from trunkline.store.common.dialect import Again
from trunkline.store.ports.database import DatabaseUnavailable
from trunkline.store.postgres.connect import CONNECT_SECONDS, Connection, close, connect
from trunkline.store.postgres.errors import FAILURES, unavailable

log = structlog.get_logger()

_TRY = "SELECT pg_try_advisory_lock(hashtextextended($1, 0))"
_LET_GO = "SELECT pg_advisory_unlock(hashtextextended($1, 0))"
_CHECK_EVERY = 15.0
_MAIN = "trunkline main"
NODE = "trunkline node "
"""With a node's id after it: the lock of whoever follows that node's log."""
# The lock of a bigint is known by its two halves (PostgreSQL's documentation, pg_locks).
_HOLDER = """SELECT a.application_name, coalesce(host(a.client_addr), 'this machine')
FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND (l.classid::bigint << 32) | l.objid::bigint = hashtextextended($1, 0)"""


class DatabaseTaken(Exception):
    """Another main server has the database, or this node; the message says where it is."""


class OneAtATime:
    """Names that this process has to itself for a while; all of them on one connection."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: Connection | None = None
        self._turn = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def alone(self, name: str) -> AsyncIterator[bool]:
        """Hold the name, unless another process does (False). Do not ask for one that is held here.

        Raises DatabaseUnavailable. When the connection is lost meanwhile, so is the name.
        """
        if not await self._run(_TRY, name):
            yield False
            return
        try:
            yield True
        finally:
            with contextlib.suppress(DatabaseUnavailable):
                await self._run(_LET_GO, name)

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await close(connection)

    async def _run(self, statement: str, name: str) -> bool:
        async for attempt in stamina.retry_context(on=Again, attempts=2, wait_max=0.1):
            with attempt:
                async with self._turn:
                    return await self._once(statement, name)
        raise AssertionError

    async def _once(self, statement: str, name: str) -> bool:
        connection = self._connection
        if connection is None or connection.is_closed():
            connection = self._connection = await connect(self._url)
        try:
            with unavailable():
                return bool(await connection.fetchval(statement, name))
        except BaseException:  # also a wait that was given up: nobody knows what it holds now
            connection.terminate()
            raise


class Sole:
    """Being the one main server of a database, which has the webhooks and all upkeep, and the one
    server of a node, which has its engine.
    """

    def __init__(self, url: str, node_id: str) -> None:
        self._url = url
        self._node = NODE + node_id
        self._mark = f"{_MAIN} {secrets.token_hex(8)}"
        self._connection: Connection | None = None

    async def take(self, patience: float) -> None:
        """Be it, as soon as no other is; raises DatabaseTaken after ``patience`` seconds.

        Raises DatabaseUnavailable at once.
        """
        async for attempt in stamina.retry_context(
            on=DatabaseTaken, attempts=None, timeout=patience, wait_max=1.0
        ):
            with attempt:
                await self._take()

    async def keep(self) -> None:
        """Stay it until cancelled, over new connections; raises DatabaseTaken when another is it.

        Whoever lost it for a moment while nobody else took it has lost nothing.
        """
        while True:
            await self._until_lost()
            log.warning("database.main_lock_lost")
            async for attempt in stamina.retry_context(
                on=DatabaseUnavailable, attempts=None, timeout=None, wait_max=1.0
            ):
                with attempt:
                    await self._take()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.terminate()

    async def _take(self) -> None:
        """Both locks, or none."""
        self.close()
        self._connection = await connect(self._url)
        try:
            await self._lock_both(self._connection)
        except BaseException:
            self.close()
            raise

    async def _lock_both(self, connection: Connection) -> None:
        with unavailable():
            await connection.execute(f"SET application_name = '{self._mark}'")
        await self._lock(
            connection,
            _MAIN,
            "a main server at {} has this database: one runs the engine, "
            "any number of trunkline api may run beside it",
        )
        await self._lock(
            connection,
            self._node,
            "a server at {} has this data directory's node: of two copies of a directory, "
            "one needs a new engine/ari.json",
        )

    async def _lock(self, connection: Connection, name: str, taken: str) -> None:
        """For as long as the connection lives; ``taken`` has a place for where its holder is."""
        with unavailable():
            if await connection.fetchval(_TRY, name):
                return
            holder = await connection.fetchrow(_HOLDER, name)
        if (
            holder is None or holder[0] == self._mark
        ):  # our own lost connection, not yet cleared away
            raise DatabaseUnavailable("the server's lock is not free yet")
        raise DatabaseTaken(taken.format(holder[1]))

    async def _until_lost(self) -> None:
        connection = self._connection
        assert connection is not None
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        while not connection.is_closed():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CHECK_EVERY):
                    await lost.wait()
                return
            try:  # one that is half gone says nothing by itself
                await connection.execute("SELECT 1", timeout=CONNECT_SECONDS)
            except (*FAILURES, asyncpg.InterfaceError):
                return
