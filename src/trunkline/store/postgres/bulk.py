"""Writing many finished calls from a process of its own, beside servers that write too.

Each batch is one small transaction, which locks its accounts as a server does: what waits for it waits
in a queue, and is let in after it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import stamina

from trunkline.calls.record import CallRecord
from trunkline.store.common.finished_calls import were_new
from trunkline.store.ports.database import DatabaseUnavailable
from trunkline.store.postgres.connect import Connection
from trunkline.store.postgres.events import lock_accounts
from trunkline.store.postgres.finished_calls import write_calls
from trunkline.store.postgres.partitions import Partitions
from trunkline.store.postgres.queries import named
from trunkline.store.postgres.reader import Reader
from trunkline.store.postgres.text import searched
from trunkline.store.postgres.writer import Writer

_ATTEMPTS = 10
_REMEMBERED = 1_000_000


class BulkWriter:
    """Writes batches of calls (see ``ports.call_writer.CallWriter``), in an event loop of its own."""

    def __init__(self, url: str) -> None:
        self._runner = asyncio.Runner()
        self._writer = Writer(url)
        self._partitions = Partitions(self._writer)

    @stamina.retry(on=DatabaseUnavailable, attempts=_ATTEMPTS, wait_max=2.0)
    def write(self, records: Sequence[CallRecord]) -> list[bool]:
        return were_new(self._runner.run(self._write(records)), records)

    async def _write(self, records: Sequence[CallRecord]) -> set[str]:
        once = list({record.call_id: record for record in reversed(records)}.values())[::-1]
        times = {record.started_at for record in once}

        async def write(connection: Connection) -> set[str]:
            async with self._partitions.there(times):
                newest = await lock_accounts(connection, {record.account_id for record in once})
                return await write_calls(connection, once, newest, time.time_ns() // 1000)

        return await self._writer.run(write)

    def close(self) -> None:
        with self._runner:
            self._runner.run(self._writer.close())


class DryWriter:
    """Looks which calls are there already, and writes nothing."""

    def __init__(self, url: str) -> None:
        self._runner = asyncio.Runner()
        self._reader = Reader(url)
        self._seen: set[str] = set()

    def write(self, records: Sequence[CallRecord]) -> list[bool]:
        """For each, whether it would be new; of this run, the first million ids are remembered."""
        ids = [searched(record.call_id) for record in records]
        there = self._runner.run(self._reader.all(named("history").ids_there, ids=ids))
        new = set(ids) - {id_ for (id_,) in there} - self._seen
        if len(self._seen) < _REMEMBERED:
            self._seen |= new
        return were_new(new, records)

    def close(self) -> None:
        with self._runner:
            self._runner.run(self._reader.close())
