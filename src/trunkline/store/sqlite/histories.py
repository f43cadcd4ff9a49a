"""The finished calls, found, followed and annotated (see ``db.history_port.History``)."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from trunkline.calls.facts import decode
from trunkline.calls.fold import refold
from trunkline.delivery.webhook import Delivery
from trunkline.events.stored import StoredEvent
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
from trunkline.store.sqlite import marking
from trunkline.store.sqlite.finding import Finder
from trunkline.store.sqlite.history import History as Pages
from trunkline.store.sqlite.queries import named
from trunkline.store.sqlite.reader import Reader
from trunkline.store.sqlite.writer import Writer

T = TypeVar("T")
_DELIVERY = Delivery.__struct_fields__


class SqliteHistory:
    """See ``db.history_port.History``."""

    def __init__(self, reader: Reader, writer: Writer, pages: ThreadPoolExecutor) -> None:
        self._reader = reader
        self._writer = writer
        self._pages = pages

    async def find(self, account_id: str, wanted: CallFilter, after: CallKey, limit: int) -> Found:
        """At most ``limit`` calls that follow ``after``, newest first."""
        return await self._read(
            lambda connection: Finder(connection, account_id, wanted).find(after, limit)
        )

    async def changed(self, account_id: str, wanted: CallFilter, after: int, limit: int) -> Changed:
        """At most ``limit`` calls whose last change has a number above ``after``, in its order."""
        return await self._read(
            lambda connection: Finder(connection, account_id, wanted).changed(after, limit)
        )

    async def total(self, account_id: str, start: int, end: int) -> int:
        """How many calls started in [start, end), from the counts."""
        return await self._read(lambda connection: Pages(connection, account_id).total(start, end))

    async def whole(self, account_id: str, call_id: str, events: int, deliveries: int) -> WholeCall:
        """A call, live or finished, as one state of the database has it."""
        return await self._read(
            lambda connection: _whole(connection, account_id, call_id, events, deliveries)
        )

    async def mark(self, account_id: str, call_id: str, marks: Marks, now: int) -> CallRow | None:
        """Change a finished call's note and tags; None if there is none. Raises TooManyTags."""
        return await self._writer.run(
            lambda connection: marking.mark(connection, account_id, call_id, marks, now)
        )

    async def index(self, limit: int) -> int:
        """Take at most ``limit`` calls of before this schema into the index."""
        if self._reader.one(named("finding").indexed_to) is None:
            return 0
        return await self._writer.run(lambda connection: marking.index(connection, limit))

    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pages, lambda: self._reader.snapshot(work))


def _whole(
    connection: sqlite3.Connection, account_id: str, call_id: str, events: int, deliveries: int
) -> WholeCall:
    row = marking.row_of(connection, call_id)
    facts = tuple(decode(f) for (f,) in named("calls").facts(connection, call_id=call_id))
    call = refold(list(facts))
    if call is None or call.account_id != account_id:
        facts = ()
    if row is not None and row.account_id != account_id:
        row = None
    if row is None and not facts:
        return WholeCall(None, (), (), ())
    told = named("events").of_call_after(
        connection, account_id=account_id, call_id=call_id, seq=0, limit=events
    )
    sent = named("finding").deliveries_of_call(
        connection, account_id=account_id, call_id=call_id, most=deliveries
    )
    return WholeCall(
        row,
        facts,
        tuple(StoredEvent(*one) for one in told),
        tuple(Delivery(**dict(zip(_DELIVERY, one, strict=True))) for one in sent),
        _recording(connection, account_id, row.recording if row else ""),
    )


def _recording(connection: sqlite3.Connection, account_id: str, name: str) -> RecordingFile | None:
    found = named("recordings").by_name(connection, account_id=account_id, name=name)
    return None if found is None else RecordingFile(found[0], found[4], found[6], found[7])
