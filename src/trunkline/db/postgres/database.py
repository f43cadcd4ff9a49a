"""The PostgreSQL database, open: connections are made when they are needed, and again when lost."""

from __future__ import annotations

import time

from trunkline.db.port import DatabaseUnavailable, DatabaseUnusable
from trunkline.db.postgres.calls import PostgresCalls, prepare, write_batches
from trunkline.db.postgres.deliveries import PostgresDeliveries
from trunkline.db.postgres.directory import PostgresDirectory
from trunkline.db.postgres.events import PostgresEvents
from trunkline.db.postgres.histories import PostgresHistory
from trunkline.db.postgres.keys import PostgresKeys
from trunkline.db.postgres.partitions import Partitions
from trunkline.db.postgres.queries import named
from trunkline.db.postgres.reader import Reader
from trunkline.db.postgres.recordings import PostgresRecordings
from trunkline.db.postgres.requests import PostgresRequests
from trunkline.db.postgres.retention import Retention
from trunkline.db.postgres.schema import check_key, upgrade, warn_if_not_durable
from trunkline.db.postgres.statistics import PostgresStatistics
from trunkline.db.postgres.tokens import PostgresTokens
from trunkline.db.postgres.webhooks import PostgresWebhooks
from trunkline.db.postgres.writer import BatchWriter, Writer
from trunkline.db.secrets import Key


class PostgresDatabase:
    """One database, open (see ``db.port.Database``). Use it from one event loop."""

    def __init__(self, url: str, key: Key, event_days: int, journal_days: int) -> None:
        self._reader = Reader(url)
        self._writer = Writer(url)
        self._partitions = Partitions(self._writer)
        self._batches = BatchWriter(url, prepare(self._partitions), write_batches)
        self._retention = Retention(self._reader, self._writer, event_days, journal_days)
        self.directory = PostgresDirectory(self._reader, key)
        self.calls = PostgresCalls(self._reader, self._batches)
        self.history = PostgresHistory(self._reader, self._writer)
        self.events = PostgresEvents(self._reader, self._writer, self._batches)
        self.requests = PostgresRequests(self._writer)
        self.tokens = PostgresTokens(self._reader, self._writer)
        self.keys = PostgresKeys(self._reader, self._writer)
        self.recordings = PostgresRecordings(self._reader, self._writer)
        self.webhooks = PostgresWebhooks(self._reader, self._writer, key)
        self.deliveries = PostgresDeliveries(self._reader, self._writer)
        self.statistics = PostgresStatistics(self._reader, self._writer)

    async def ping(self) -> None:
        """Writes a little; raises DatabaseUnavailable when a write cannot be made now."""
        await self._writer.run(lambda connection: named("meta").ping(connection))

    async def prune(self, now: int) -> int:
        """Delete what is older than it is kept, in small steps; gives how many rows that were.

        The months to come are made on the way.
        """
        clock = time.time_ns() // 1000
        await self._partitions.ensure_ahead(clock)
        await self._retention.prune_marks(clock)
        return await self._retention.prune(now)

    async def close(self) -> None:
        """Finish what is queued and close."""
        await self._batches.close()
        await self._writer.close()
        await self._reader.close()


def open_database(
    url: str, key: Key, *, event_days: int = 31, journal_days: int = 31
) -> PostgresDatabase:
    """Open the database, migrated first if need be.

    Raises DatabaseUnusable when it cannot be: newer than this program, under another key, or
    PostgreSQL cannot be reached or refuses.
    """
    try:
        upgrade(url)
        check_key(url, key)
        warn_if_not_durable(url)
    except DatabaseUnavailable as error:
        raise DatabaseUnusable(str(error)) from error
    return PostgresDatabase(url, key, event_days, journal_days)
