"""The PostgreSQL database, open: connections are made when they are needed, and again when lost."""

from __future__ import annotations

from trunkline.store.common.deliveries import SqlDeliveries
from trunkline.store.common.directory import SqlDirectory
from trunkline.store.common.history import SqlHistory
from trunkline.store.common.keys import SqlKeys
from trunkline.store.common.recordings import SqlRecordings
from trunkline.store.common.requests import SqlRequests
from trunkline.store.common.sip_messages import SqlSipMessages
from trunkline.store.common.statistics import SqlStatistics
from trunkline.store.common.tokens import SqlTokens
from trunkline.store.common.webhooks import SqlWebhooks
from trunkline.store.postgres import dialect
from trunkline.store.postgres.advisory_lock import OneAtATime
from trunkline.store.postgres.calls import PostgresCalls, prepare, writing
from trunkline.store.postgres.events import PostgresEvents
from trunkline.store.postgres.partitions import Partitions
from trunkline.store.postgres.queries import named
from trunkline.store.postgres.reader import Reader, SoonReader
from trunkline.store.postgres.retention import PostgresRetention
from trunkline.store.postgres.schema import check_key, upgrade
from trunkline.store.postgres.writer import BatchWriter, Writer
from trunkline.store.secrets import InstallationKey


class PostgresDatabase:
    """One database, open (see ``ports.database.Database``). Use it from one event loop."""

    def __init__(self, url: str, key: InstallationKey) -> None:
        self._reader = reader = Reader(url)
        soon = SoonReader(reader)
        self._writer = writer = Writer(url)
        partitions = Partitions(writer)
        self._batches = BatchWriter(url, prepare(partitions), writing(partitions))
        self._one_at_a_time = OneAtATime(url)
        self.directory = SqlDirectory(soon, key, dialect)
        self.calls = PostgresCalls(reader, writer, dialect, self._batches)
        self.history = SqlHistory(reader, writer, dialect)
        self.events = PostgresEvents(reader, writer, dialect, self._batches)
        self.requests = SqlRequests(writer, dialect, alone=self._one_at_a_time.alone)
        self.tokens = SqlTokens(soon, writer, dialect)
        self.keys = SqlKeys(soon, writer, dialect)
        self.recordings = SqlRecordings(reader, writer, dialect)
        self.webhooks = SqlWebhooks(reader, writer, dialect, key)
        self.deliveries = SqlDeliveries(reader, writer, dialect)
        self.statistics = SqlStatistics(reader, writer, dialect)
        self.retention = PostgresRetention(reader, writer, dialect, partitions)
        self.sip_messages = SqlSipMessages(reader, writer, dialect)

    async def ping(self) -> None:
        """Writes a little; raises DatabaseUnavailable when a write cannot be made now."""
        await self._writer.run(lambda connection: named("meta").ping(connection))

    async def close(self) -> None:
        await self._batches.close()
        await self._writer.close()
        await self._reader.close()
        await self._one_at_a_time.close()


def open_database(url: str, key: InstallationKey) -> PostgresDatabase:
    """Open the database, migrated first if need be.

    Raises DatabaseUnusable when it cannot be: newer than this program, or under another key;
    DatabaseUnavailable when PostgreSQL cannot be reached, or refuses.
    """
    upgrade(url)
    check_key(url, key)
    return PostgresDatabase(url, key)
