"""The SIP messages of calls: some messages of a call in each row, packed.

The messages of a call say nearly the same again and again, so together they take a tenth of their
size. A row is MessagePack under zlib.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from trunkline.sip.message import SipMessage, SipPart
from trunkline.store.common.dialect import Connection, Dialect, Reader, Row, Writer
from trunkline.store.ports.sip_messages import SipFound

STEP = 500
MOST_ROWS = 2000
"""Rows that are looked at for one call."""

_decoder = msgspec.msgpack.Decoder(tuple[SipMessage, ...])
_encoder = msgspec.msgpack.Encoder()
_LARGEST = 16 << 20
"""Bytes that a row may unpack to."""


class SqlSipMessages:
    def __init__(self, reader: Reader, writer: Writer, dialect: Dialect) -> None:
        self._reader = reader
        self._writer = writer
        self._dialect = dialect
        self._sql = dialect.named("sip_messages")

    async def add(self, parts: Sequence[SipPart]) -> None:
        if not parts:
            return
        rows = await asyncio.to_thread(_packed, parts, self._dialect)
        await self._writer.run(lambda connection: self._dialect.add_sip_rows(connection, rows))

    async def of_call(self, account_id: str, call_ids: Sequence[str], limit: int) -> SipFound:
        rows = await self._reader.run(
            lambda connection: read_rows(self._dialect, connection, account_id, call_ids)
        )
        return await asyncio.to_thread(unpacked, rows, limit)

    async def prune(self, before: int) -> int:
        deleted = after = 0
        while True:
            last, old = await self._next(after, before)
            if not old:
                return deleted
            deleted += await self._prune({"after": after, "last": last, "before": before})
            after = last

    async def _next(self, after: int, before: int) -> Row:
        ((last, old),) = await self._reader.many(
            self._sql.next_rows, after=after, before=before, step=STEP
        )
        return last, old

    async def _prune(self, rows: dict[str, int]) -> int:
        async def prune(connection: Connection) -> int:
            await self._sql.lock_owners(connection, **rows)
            return int(await self._sql.prune(connection, **rows))

        return await self._writer.run(prune)


async def read_rows(
    dialect: Dialect, connection: Connection, account_id: str, call_ids: Sequence[str]
) -> list[Row]:
    """The packed messages of calls, (skipped, body) in each row."""
    of_call = dialect.named("sip_messages").of_call
    rows: list[Row] = []
    for call_id in map(dialect.searched, call_ids):
        rows += await of_call(connection, account_id=account_id, call_id=call_id, most=MOST_ROWS)
    return rows


def unpacked(rows: Iterable[Row], limit: int) -> SipFound:
    """The messages of rows (skipped, body), in the order of their times, at most ``limit``."""
    messages: list[SipMessage] = []
    skipped = 0
    for each, body in rows:
        skipped += each
        messages += _decoder.decode(zlib.decompressobj().decompress(body, _LARGEST))
    messages.sort(key=lambda message: message.at)
    return SipFound(tuple(messages[:limit]), skipped > 0 or len(messages) > limit)


def _packed(parts: Sequence[SipPart], dialect: Dialect) -> list[dict[str, Any]]:
    """The columns of each part's row, by their names."""
    return [
        {
            "account_id": part.account_id,
            "call_id": dialect.storable(part.call_id),
            "stored_at": part.stored_at,
            "messages": len(part.messages),
            "skipped": part.skipped,
            "body": zlib.compress(_encoder.encode(part.messages), 6),
        }
        for part in parts
    ]
