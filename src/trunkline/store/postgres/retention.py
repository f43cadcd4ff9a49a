"""Deleting what is older than it is kept, and the months that are empty then."""

from __future__ import annotations

import time

from trunkline.store.common.dialect import Dialect, Reader, Writer
from trunkline.store.common.retention import SqlRetention
from trunkline.store.common.spans import DAY
from trunkline.store.postgres.partitions import Partitions
from trunkline.store.postgres.queries import named

MARK_DAYS = 7


class PostgresRetention(SqlRetention):
    def __init__(
        self, reader: Reader, writer: Writer, dialect: Dialect, partitions: Partitions
    ) -> None:
        super().__init__(reader, writer, dialect)
        self._partitions = partitions

    async def tidy(self, now: int) -> int:
        """Make the months to come, forget connections that have long ended, drop months that are
        empty; gives how many months that were."""
        clock = time.time_ns() // 1000
        await self._partitions.ensure_ahead(clock)
        before = clock - MARK_DAYS * DAY
        await self._writer.run(lambda connection: named("marks").prune(connection, before=before))
        return await self._partitions.drop_empty(min(now, clock))
