"""The SIP messages of calls (see ``db.sip_port.SipMessages``)."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from trunkline.sip.message import SipPart
from trunkline.store.common.sip_rows import found, packed
from trunkline.store.ports.sip_messages import SipFound
from trunkline.store.sqlite.queries import named
from trunkline.store.sqlite.reader import Reader
from trunkline.store.sqlite.writer import Writer

STEP = 500
MOST_ROWS = 2000
"""Rows that are looked at for one call."""


def read_messages(
    connection: sqlite3.Connection, account_id: str, call_ids: Sequence[str], limit: int
) -> SipFound:
    """``SipMessages.of_call``, read in this thread."""
    rows = [
        row
        for call_id in call_ids
        for row in named("sip_messages").of_call(
            connection, account_id=account_id, call_id=call_id, most=MOST_ROWS
        )
    ]
    return found(rows, limit)


class SqliteSipMessages:
    """See ``db.sip_port.SipMessages``."""

    def __init__(self, reader: Reader, writer: Writer, pages: ThreadPoolExecutor) -> None:
        self._reader = reader
        self._writer = writer
        self._pages = pages
        self._sql = named("sip_messages")

    async def add(self, parts: Sequence[SipPart]) -> None:
        """Keep these, all in one transaction."""
        rows = await asyncio.to_thread(packed, parts)

        def add(connection: sqlite3.Connection) -> None:
            for row in rows:
                self._sql.add(connection, **row)

        await self._writer.run(add)

    async def of_call(self, account_id: str, call_ids: Sequence[str], limit: int) -> SipFound:
        """The first ``limit`` messages kept of the account's calls of these ids, by their time."""

        def read() -> SipFound:
            return self._reader.snapshot(
                lambda connection: read_messages(connection, account_id, call_ids, limit)
            )

        return await asyncio.get_running_loop().run_in_executor(self._pages, read)

    async def prune(self, before: int) -> int:
        """Forget what was stored before that time, in small steps; gives how many rows that were."""
        deleted = after = 0
        while True:
            last, old = await asyncio.to_thread(
                self._reader.one, self._sql.next_rows, after=after, before=before, step=STEP
            )
            if not old:
                return deleted
            rows = {"after": after, "last": last, "before": before}
            deleted += await self._writer.run(partial(self._sql.prune, **rows))
            after = last
