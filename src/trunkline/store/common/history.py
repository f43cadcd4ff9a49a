"""The finished calls, found, followed and annotated."""

from __future__ import annotations

from trunkline.calls.facts import AnyFact, decode
from trunkline.calls.fold import refold
from trunkline.events.stored import StoredEvent
from trunkline.store.common import marking
from trunkline.store.common.deliveries import read_delivery
from trunkline.store.common.dialect import Connection, Dialect, Reader, Writer
from trunkline.store.ports.history import (
    CallFilter,
    CallKey,
    CallRow,
    Changed,
    Found,
    Marks,
    RecordingFile,
    WholeCall,
)


class SqlHistory:
    def __init__(self, reader: Reader, writer: Writer, dialect: Dialect) -> None:
        self._reader = reader
        self._writer = writer
        self._dialect = dialect
        self._sql = dialect.named("history")

    async def find(self, account_id: str, wanted: CallFilter, after: CallKey, limit: int) -> Found:
        finder = self._dialect.Finder
        return await self._reader.snapshot(
            lambda connection: finder(connection, account_id, wanted).find(after, limit)
        )

    async def changed(self, account_id: str, wanted: CallFilter, after: int, limit: int) -> Changed:
        finder = self._dialect.Finder
        return await self._reader.snapshot(
            lambda connection: finder(connection, account_id, wanted).changed(after, limit)
        )

    async def total(self, account_id: str, start: int, end: int) -> int:
        return await self._reader.run(
            lambda connection: self._dialect.read_total(connection, account_id, start, end)
        )

    async def whole(self, account_id: str, call_id: str, events: int, deliveries: int) -> WholeCall:
        call_id = self._dialect.searched(call_id)
        return await self._reader.snapshot(
            lambda connection: self._whole(connection, account_id, call_id, events, deliveries)
        )

    async def mark(self, account_id: str, call_id: str, marks: Marks, now: int) -> CallRow | None:
        call_id = self._dialect.searched(call_id)
        return await self._writer.run(
            lambda connection: marking.mark(
                self._dialect, connection, account_id, call_id, marks, now
            )
        )

    async def index(self, limit: int) -> int:
        if await self._reader.one(self._dialect.named("marking").indexed_to) is None:
            return 0
        return await self._writer.run(
            lambda connection: marking.index(self._dialect, connection, limit)
        )

    async def _whole(
        self, connection: Connection, account_id: str, call_id: str, events: int, deliveries: int
    ) -> WholeCall:
        row = await marking.row_of(self._dialect, connection, call_id)
        facts = await self._facts(connection, account_id, call_id)
        if row is not None and row.account_id != account_id:
            row = None
        if row is None and not facts:
            return WholeCall(None, (), (), ())
        named, which = self._dialect.named, {"account_id": account_id, "call_id": call_id}
        told = await named("events").of_call_after(connection, **which, seq=0, limit=events)
        sent = await named("deliveries").of_call(connection, **which, most=deliveries)
        return WholeCall(
            row,
            facts,
            tuple(StoredEvent(*one) for one in told),
            tuple(read_delivery(one) for one in sent),
            await self._recording(connection, account_id, row.recording if row else ""),
        )

    async def _facts(
        self, connection: Connection, account_id: str, call_id: str
    ) -> tuple[AnyFact, ...]:
        """The call's journal, if it is the account's."""
        rows = await self._dialect.named("calls").facts(connection, call_id=call_id)
        facts = [decode(fact) for (fact,) in rows]
        call = refold(facts)
        return tuple(facts) if call is not None and call.account_id == account_id else ()

    async def _recording(
        self, connection: Connection, account_id: str, name: str
    ) -> RecordingFile | None:
        by_name = self._dialect.named("recordings").by_name
        found = await by_name(connection, account_id=account_id, name=name)
        return None if found is None else RecordingFile(found[0], found[4], found[6], found[7])
