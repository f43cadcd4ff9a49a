"""The PostgreSQL database, open: connections are made when they are needed, and again when lost."""

from __future__ import annotations

from trunkline.store.common.deliveries import PostgresDeliveries
from trunkline.store.common.directory import PostgresDirectory
from trunkline.store.common.history import PostgresHistory
from trunkline.store.common.keys import PostgresKeys
from trunkline.store.common.recordings import PostgresRecordings
from trunkline.store.common.requests import PostgresRequests
from trunkline.store.common.retention import PostgresRetention
from trunkline.store.common.sip_messages import PostgresSipMessages
from trunkline.store.common.tokens import PostgresTokens
from trunkline.store.common.webhooks import PostgresWebhooks
from trunkline.store.postgres.advisory_lock import OneAtATime
from trunkline.store.postgres.calls import PostgresCalls, prepare, writing
from trunkline.store.postgres.events import PostgresEvents
from trunkline.store.postgres.partitions import Partitions
from trunkline.store.postgres.queries import named
from trunkline.store.postgres.reader import Reader, SoonReader
from trunkline.store.postgres.schema import check_key, upgrade
from trunkline.store.postgres.statistics import PostgresStatistics
from trunkline.store.postgres.writer import BatchWriter, Writer
from trunkline.store.secrets import InstallationKey


class PostgresDatabase:
    """One database, open (see ``db.port.Database``). Use it from one event loop."""

    def __init__(self, url: str, key: InstallationKey) -> None:
        self._reader = Reader(url)
        soon = SoonReader(self._reader)
        self._writer = Writer(url)
        self._partitions = Partitions(self._writer)
        self._batches = BatchWriter(url, prepare(self._partitions), writing(self._partitions))
        self.directory = PostgresDirectory(soon, key)
        self.calls = PostgresCalls(self._reader, self._writer, self._batches)
        self.history = PostgresHistory(self._reader, self._writer)
        self.events = PostgresEvents(self._reader, self._writer, self._batches)
        self._one_at_a_time = OneAtATime(url)
        self.requests = PostgresRequests(self._writer, self._one_at_a_time)
        self.tokens = PostgresTokens(soon, self._writer)
        self.keys = PostgresKeys(soon, self._writer)
        self.recordings = PostgresRecordings(self._reader, self._writer)
        self.webhooks = PostgresWebhooks(self._reader, self._writer, key)
        self.deliveries = PostgresDeliveries(self._reader, self._writer)
        self.statistics = PostgresStatistics(self._reader, self._writer)
        self.retention = PostgresRetention(self._reader, self._writer, self._partitions)
        self.sip_messages = PostgresSipMessages(self._reader, self._writer)

    async def ping(self) -> None:
        """Writes a little; raises DatabaseUnavailable when a write cannot be made now."""
        await self._writer.run(lambda connection: named("meta").ping(connection))

    async def close(self) -> None:
        """Finish what is queued and close."""
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
