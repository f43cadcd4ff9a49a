"""The PostgreSQL database, open: connections are made when they are needed, and again when lost."""

from __future__ import annotations

from trunkline.db.postgres.alone import OneAtATime
from trunkline.db.postgres.calls import PostgresCalls, prepare, writing
from trunkline.db.postgres.deliveries import PostgresDeliveries
from trunkline.db.postgres.directory import PostgresDirectory
from trunkline.db.postgres.events import PostgresEvents
from trunkline.db.postgres.histories import PostgresHistory
from trunkline.db.postgres.keys import PostgresKeys
from trunkline.db.postgres.partitions import Partitions
from trunkline.db.postgres.queries import named
from trunkline.db.postgres.reader import Reader, SoonReader
from trunkline.db.postgres.recordings import PostgresRecordings
from trunkline.db.postgres.requests import PostgresRequests
from trunkline.db.postgres.retention import PostgresRetention
from trunkline.db.postgres.schema import check_key, upgrade
from trunkline.db.postgres.sip_messages import PostgresSipMessages
from trunkline.db.postgres.statistics import PostgresStatistics
from trunkline.db.postgres.tokens import PostgresTokens
from trunkline.db.postgres.webhooks import PostgresWebhooks
from trunkline.db.postgres.writer import BatchWriter, Writer
from trunkline.db.secrets import Key


class PostgresDatabase:
    """One database, open (see ``db.port.Database``). Use it from one event loop."""

    def __init__(self, url: str, key: Key) -> None:
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


def open_database(url: str, key: Key) -> PostgresDatabase:
    """Open the database, migrated first if need be.

    Raises DatabaseUnusable when it cannot be: newer than this program, or under another key;
    DatabaseUnavailable when PostgreSQL cannot be reached, or refuses.
    """
    upgrade(url)
    check_key(url, key)
    return PostgresDatabase(url, key)
