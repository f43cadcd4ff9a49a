"""``calls`` is kept by months of ``started_at`` (UTC): each month is a table, made when it is needed.

Before 1970 and after 2099 there is one table each, so that a call is never refused for its time.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial

from trunkline.db.postgres.connect import Connection
from trunkline.db.postgres.queries import named
from trunkline.db.postgres.writer import Writer

AHEAD = 3
"""Months that are there before their first call."""
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
        """The table of its calls."""
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

    async def ensure_ahead(self, now: int) -> None:
        """There is a table for this month and for the next ones."""
        this = Month.of(now)
        if this is not None:
            await self.ensure(Month(this + n).start for n in range(AHEAD) if this + n < _BEYOND)


async def make(connection: Connection, month: Month) -> None:
    """Make the month's table, if it is not there; one maker at a time.

    It is attached, not made as a part: that would wait for everybody who reads ``calls``.
    """
    sql = named("partitions")
    await sql.lock(connection)
    if await sql.is_there(connection, name=month.table):
        return
    end = Month(month + 1).start
    await connection.execute(
        f"CREATE TABLE {month.table} (LIKE calls INCLUDING DEFAULTS);"
        f"ALTER TABLE calls ATTACH PARTITION {month.table}"
        f" FOR VALUES FROM ({month.start}) TO ({end})"
    )
