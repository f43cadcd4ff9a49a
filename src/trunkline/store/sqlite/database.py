"""The SQLite database, open: one writer thread, readers in every thread that asks."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path

from trunkline.store.common.deliveries import SqlDeliveries
from trunkline.store.common.directory import SqlDirectory
from trunkline.store.common.events import SqlEvents
from trunkline.store.common.history import SqlHistory
from trunkline.store.common.keys import SqlKeys
from trunkline.store.common.recordings import SqlRecordings
from trunkline.store.common.requests import SqlRequests
from trunkline.store.common.retention import SqlRetention
from trunkline.store.common.sip_messages import SqlSipMessages
from trunkline.store.common.statistics import SqlStatistics
from trunkline.store.common.tokens import SqlTokens
from trunkline.store.common.webhooks import SqlWebhooks
from trunkline.store.secrets import InstallationKey
from trunkline.store.sqlite import dialect
from trunkline.store.sqlite.calls import SqliteCalls
from trunkline.store.sqlite.queries import named
from trunkline.store.sqlite.reader import Reader
from trunkline.store.sqlite.schema import check_key, upgrade
from trunkline.store.sqlite.writer import Writer


class SqliteDatabase:
    """One database, open (see ``ports.database.Database``)."""

    def __init__(self, path: Path, key: InstallationKey) -> None:
        self._pages = ThreadPoolExecutor(max_workers=2, thread_name_prefix="trunkline-page")
        self._writer = writer = Writer(path)
        self._reader = reader = Reader(path, self._pages)
        self.directory = SqlDirectory(reader, key, dialect)
        self.calls = SqliteCalls(reader, writer, dialect, self._pages)
        self.history = SqlHistory(reader, writer, dialect)
        self.events = SqlEvents(reader, writer, dialect)
        self.requests = SqlRequests(writer, dialect, alone=_alone)
        self.tokens = SqlTokens(reader, writer, dialect)
        self.keys = SqlKeys(reader, writer, dialect)
        self.recordings = SqlRecordings(reader, writer, dialect)
        self.webhooks = SqlWebhooks(reader, writer, dialect, key)
        self.deliveries = SqlDeliveries(reader, writer, dialect)
        self.statistics = SqlStatistics(reader, writer, dialect)
        self.sip_messages = SqlSipMessages(reader, writer, dialect)
        self.retention = SqlRetention(reader, writer, dialect)

    async def ping(self) -> None:
        """Writes a little; raises DatabaseUnavailable when a write cannot be made now."""
        await self._writer.run(lambda connection: named("meta").ping(connection))

    async def close(self) -> None:
        await self._writer.close()
        await asyncio.get_running_loop().run_in_executor(None, self._pages.shutdown)
        self._reader.close()


def _alone(_: str) -> AbstractAsyncContextManager[bool]:
    """Always: one process has the file."""
    return nullcontext(True)


def open_database(path: Path, key: InstallationKey) -> SqliteDatabase:
    """Open the database, made and migrated first if need be.

    Raises DatabaseUnusable when it cannot be: newer than this program, under another key, no
    database; and when it is locked for long.
    """
    upgrade(path)
    check_key(path, key)
    return SqliteDatabase(path, key)
