"""``calls`` is kept by months of ``started_at`` (UTC): each month is a table, made when it is needed.

Before 1970 and after 2099 there is one table each, so that a call is never refused for its time.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial

import asyncpg
import structlog

from trunkline.store.common.dialect import Again
from trunkline.store.ports.database import DatabaseUnavailable
from trunkline.store.postgres.connect import Connection
from trunkline.store.postgres.queries import named
from trunkline.store.postgres.transactions import Work
from trunkline.store.postgres.writer import Writer

log = structlog.get_logger()

AHEAD = 3
"""Months that are there before their first call."""
_OLD = 62 * 86_400_000_000
"""So long after its end a month is dropped when it is empty; most calls are written before that."""
_FIRST, _BEYOND = 1970 * 12, 2100 * 12


class Month(int):
    """A month of the Gregorian calendar, counted from January of the year 0."""

    @classmethod
    def of(cls, at: int) -> Month | None:
        """The month of a unix time in microseconds, if it has a table of its own."""
        if not cls(_FIRST).start <= at < cls(_BEYOND).start:
            return None
        day = datetime.fromtimestamp(at // 1_000_000, UTC)
        return cls(day.year * 12 + day.month - 1)

    @property
    def start(self) -> int:
        """When it begins, in unix microseconds."""
        return int(datetime(self // 12, self % 12 + 1, 1, tzinfo=UTC).timestamp()) * 1_000_000

    @property
    def table(self) -> str:
        return f"calls_{self // 12:04}_{self % 12 + 1:02}"


class Partitions:
    """Makes the months, in transactions of their own: readers and writers of others go on."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._made: set[Month] = set()

    async def ensure(self, times: Iterable[int]) -> None:
        """There is a table for calls that started at these times."""
        months = {month for at in times if (month := Month.of(at)) is not None}
        for month in sorted(months - self._made):
            await self._writer.run(partial(make, month=month))
            self._made.add(month)

    @asynccontextmanager
    async def there(self, times: Iterable[int]) -> AsyncIterator[None]:
        """Round a transaction that writes calls which started at these times.

        Raises Again where another process drops a month meanwhile, as it was empty.
        """
        await self.ensure(times)
        try:
            yield
        except asyncpg.CheckViolationError as error:
            if error.constraint_name:
                raise
            self.forget()
            raise Again("a month was dropped meanwhile") from error

    async def ensure_ahead(self, now: int) -> None:
        """There is a table for this month and for the next ones."""
        this = Month.of(now)
        if this is not None:
            await self.ensure(Month(this + n).start for n in range(AHEAD) if this + n < _BEYOND)

    def forget(self) -> None:
        """Look anew which months there are: another process may have dropped one."""
        self._made.clear()

    async def drop_empty(self, now: int) -> int:
        """Drop old months that have no calls any more; gives how many.

        Who reads or writes calls waits for a fifth of a second at most: where a table cannot be had in
        that time, it is for the next run.
        """
        dropped = 0
        for table in await self._writer.run(_empty_before(now - _OLD)):
            try:
                dropped += await self._writer.run(partial(_drop, table=table))
            except DatabaseUnavailable as error:
                log.info("database.month_in_use", table=table, error=str(error))
        if dropped:
            self.forget()
        return dropped


def _empty_before(before: int) -> Work[list[str]]:
    """Finds the tables of months that ended before a time and seem to be empty."""

    async def find(connection: Connection) -> list[str]:
        old = Month.of(before)
        names = [name for (name,) in await named("partitions").months(connection)]
        return [
            name
            for name in names
            if old is not None and name < old.table and await _is_empty(connection, name)
        ]

    return find


async def _is_empty(connection: Connection, table: str) -> bool:
    return not await connection.fetchval(f"SELECT EXISTS (SELECT 1 FROM {table})")  # noqa: S608


async def _drop(connection: Connection, table: str) -> int:
    """1 if it was there, and is empty also when nobody else can write."""
    sql = named("partitions")
    await sql.lock(connection)
    if not await sql.is_there(connection, name=table):
        return 0
    await connection.execute("SET LOCAL lock_timeout = '200ms'")
    await connection.execute("LOCK TABLE ONLY calls IN ACCESS EXCLUSIVE MODE")
    if not await _is_empty(connection, table):
        return 0
    await connection.execute(f"DROP TABLE {table}")
    return 1


async def make(connection: Connection, month: Month) -> None:
    """Make the month's table, if it is not there; one maker at a time.

    It is attached, not made as a part: that would wait for everybody who reads ``calls``.
    """
    sql = named("partitions")
    await sql.lock(connection)
    if await sql.is_there(connection, name=month.table):
        return
    await connection.execute(attaching(month))


def attaching(month: Month) -> str:
    """The statements that make the month's table."""
    end = Month(month + 1).start
    return (
        f"CREATE TABLE {month.table} (LIKE calls INCLUDING DEFAULTS);"
        f"ALTER TABLE calls ATTACH PARTITION {month.table}"
        f" FOR VALUES FROM ({month.start}) TO ({end})"
    )
