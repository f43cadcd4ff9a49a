"""The SIP messages of calls (see ``db.sip_port.SipMessages``)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from trunkline.sip.message import SipPart
from trunkline.store.common.sip_rows import found, packed
from trunkline.store.ports.sip_messages import SipFound
from trunkline.store.postgres.connect import Connection
from trunkline.store.postgres.queries import named
from trunkline.store.postgres.reader import Reader
from trunkline.store.postgres.text import searched, storable
from trunkline.store.postgres.writer import Writer

STEP = 500
MOST_ROWS = 2000
"""Rows that are looked at for one call."""


async def read_messages(
    reader: Reader, account_id: str, call_ids: Sequence[str], limit: int
) -> SipFound:
    """``SipMessages.of_call`` by these connections."""
    rows = []
    for call_id in map(searched, call_ids):
        rows += await reader.all(
            named("sip_messages").of_call, account_id=account_id, call_id=call_id, most=MOST_ROWS
        )
    return await asyncio.to_thread(found, rows, limit)


class PostgresSipMessages:
    """See ``db.sip_port.SipMessages``."""

    def __init__(self, reader: Reader, writer: Writer) -> None:
        self._reader = reader
        self._writer = writer
        self._sql = named("sip_messages")

    async def add(self, parts: Sequence[SipPart]) -> None:
        """Keep these, all in one transaction."""
        if not parts:
            return
        rows = await asyncio.to_thread(packed, parts)
        for row in rows:
            row["call_id"] = storable(row["call_id"])
        columns = {f"all_{name}": [row[name] for row in rows] for name in rows[0]}
        await self._writer.run(lambda connection: self._sql.add(connection, **columns))

    async def of_call(self, account_id: str, call_ids: Sequence[str], limit: int) -> SipFound:
        """The first ``limit`` messages kept of the account's calls of these ids, by their time."""
        return await read_messages(self._reader, account_id, call_ids, limit)

    async def prune(self, before: int) -> int:
        """Forget what was stored before that time, in small steps; gives how many rows that were."""
        deleted = after = 0
        while True:
            found = await self._reader.one(
                self._sql.next_rows, after=after, before=before, step=STEP
            )
            if found is None or not found["old"]:
                return deleted
            rows = {"after": after, "last": found["last"], "before": before}
            deleted += await self._writer.run(partial(self._prune, rows))
            after = found["last"]

    async def _prune(self, rows: dict[str, int], connection: Connection) -> int:
        await self._sql.lock_owners(connection, **rows)
        return int(await self._sql.prune(connection, **rows))
