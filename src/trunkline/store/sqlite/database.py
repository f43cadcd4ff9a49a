"""The SQLite database, open: one writer thread, readers in every thread that asks."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from trunkline.store.migrations import upgrade
from trunkline.store.ports.database import DatabaseUnavailable, DatabaseUnusable
from trunkline.store.secrets import InstallationKey
from trunkline.store.sqlite.calls import SqliteCalls
from trunkline.store.sqlite.connect import connect_writer
from trunkline.store.sqlite.deliveries import SqliteDeliveries
from trunkline.store.sqlite.directory import SqliteDirectory
from trunkline.store.sqlite.events import SqliteEvents
from trunkline.store.sqlite.histories import SqliteHistory
from trunkline.store.sqlite.keys import SqliteKeys
from trunkline.store.sqlite.queries import named
from trunkline.store.sqlite.reader import Reader
from trunkline.store.sqlite.recordings import SqliteRecordings
from trunkline.store.sqlite.requests import SqliteRequests
from trunkline.store.sqlite.retention import SqliteRetention
from trunkline.store.sqlite.sip_messages import SqliteSipMessages
from trunkline.store.sqlite.statistics import SqliteStatistics
from trunkline.store.sqlite.tokens import SqliteTokens
from trunkline.store.sqlite.webhooks import SqliteWebhooks
from trunkline.store.sqlite.writer import Writer, unavailable


class SqliteDatabase:
    """One database, open (see ``db.port.Database``)."""

    def __init__(self, path: Path, key: InstallationKey) -> None:
        self._writer = Writer(path)
        self._reader = Reader(path)
        self._pages = ThreadPoolExecutor(max_workers=2, thread_name_prefix="trunkline-page")
        self.directory = SqliteDirectory(self._reader, key)
        self.calls = SqliteCalls(self._reader, self._writer, self._pages)
        self.history = SqliteHistory(self._reader, self._writer, self._pages)
        self.events = SqliteEvents(self._reader, self._writer)
        self.requests = SqliteRequests(self._writer)
        self.tokens = SqliteTokens(self._reader, self._writer)
        self.keys = SqliteKeys(self._reader, self._writer)
        self.recordings = SqliteRecordings(self._reader, self._writer)
        self.webhooks = SqliteWebhooks(self._reader, self._writer, key)
        self.deliveries = SqliteDeliveries(self._reader, self._writer, self._pages)
        self.statistics = SqliteStatistics(self._reader, self._writer, self._pages)
        self.sip_messages = SqliteSipMessages(self._reader, self._writer, self._pages)
        self.retention = SqliteRetention(self._reader, self._writer, self._pages)

    async def ping(self) -> None:
        """Writes a little; raises DatabaseUnavailable when a write cannot be made now."""
        await self._writer.run(lambda connection: named("meta").ping(connection))

    async def close(self) -> None:
        """Finish what is queued and close."""
        await self._writer.close()
        await asyncio.get_running_loop().run_in_executor(None, self._pages.shutdown)
        self._reader.close()


def open_database(path: Path, key: InstallationKey) -> SqliteDatabase:
    """Open the database, made and migrated first if need be.

    Raises DatabaseUnusable when it cannot be: newer than this program, under another key, no
    database; and when it is locked for long.
    """
    upgrade(path)
    check_key(path, key)
    return SqliteDatabase(path, key)


def check_key(path: Path, key: InstallationKey) -> None:
    """Raises DatabaseUnusable unless the database's secrets are under this key (or it has none)."""
    mark = key.derive("which key").hex()[:16]
    sql = named("meta")
    try:
        with unavailable():
            connection = connect_writer(path)
            try:
                found = sql.key_check(connection)
                if found is None:
                    sql.set_key_check(connection, value=mark)
                    found = sql.key_check(connection)
            finally:
                connection.close()
    except DatabaseUnavailable as error:
        raise DatabaseUnusable(f"{path}: {error}") from error
    if found != mark:
        raise DatabaseUnusable(
            f"the database {path} belongs to another secret.key: put that file back beside it"
        )
