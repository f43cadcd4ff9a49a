"""The finished calls, found, followed and annotated (see ``db.history_port.History``)."""

from __future__ import annotations

from trunkline.calls.facts import AnyFact, decode
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
from trunkline.store.postgres import marking
from trunkline.store.postgres.connect import Connection
from trunkline.store.postgres.finding import Finder
from trunkline.store.postgres.history import read_total
from trunkline.store.postgres.queries import named
from trunkline.store.postgres.reader import Reader
from trunkline.store.postgres.text import searched
from trunkline.store.postgres.writer import Writer

_DELIVERY = Delivery.__struct_fields__


class PostgresHistory:
    """See ``db.history_port.History``."""

    def __init__(self, reader: Reader, writer: Writer) -> None:
        self._reader = reader
        self._writer = writer

    async def find(self, account_id: str, wanted: CallFilter, after: CallKey, limit: int) -> Found:
        """At most ``limit`` calls that follow ``after``, newest first."""
        return await self._reader.snapshot(
            lambda connection: Finder(connection, account_id, wanted).find(after, limit)
        )

    async def changed(self, account_id: str, wanted: CallFilter, after: int, limit: int) -> Changed:
        """At most ``limit`` calls whose last change has a number above ``after``, in its order."""
        return await self._reader.snapshot(
            lambda connection: Finder(connection, account_id, wanted).changed(after, limit)
        )

    async def total(self, account_id: str, start: int, end: int) -> int:
        """How many calls started in [start, end), from the counts."""
        return await self._reader.run(
            lambda connection: read_total(connection, account_id, start, end)
        )

    async def whole(self, account_id: str, call_id: str, events: int, deliveries: int) -> WholeCall:
        """A call, live or finished, as one state of the database has it."""
        return await self._reader.snapshot(
            lambda connection: _whole(connection, account_id, searched(call_id), events, deliveries)
        )

    async def mark(self, account_id: str, call_id: str, marks: Marks, now: int) -> CallRow | None:
        """Change a finished call's note and tags; None if there is none. Raises TooManyTags."""
        return await self._writer.run(
            lambda connection: marking.mark(connection, account_id, searched(call_id), marks, now)
        )

    async def index(self, limit: int) -> int:
        """Take at most ``limit`` calls of before this schema into the index."""
        if await self._reader.one(named("finding").indexed_to) is None:
            return 0
        return await self._writer.run(lambda connection: marking.index(connection, limit))


async def _whole(
    connection: Connection, account_id: str, call_id: str, events: int, deliveries: int
) -> WholeCall:
    row = await marking.row_of(connection, call_id)
    facts = await _facts(connection, account_id, call_id)
    if row is not None and row.account_id != account_id:
        row = None
    if row is None and not facts:
        return WholeCall(None, (), (), ())
    told = await named("events").of_call_after(
        connection, account_id=account_id, call_id=call_id, seq=0, limit=events
    )
    sent = await named("finding").deliveries_of_call(
        connection, account_id=account_id, call_id=call_id, most=deliveries
    )
    return WholeCall(
        row,
        facts,
        tuple(StoredEvent(*one) for one in told),
        tuple(Delivery(**dict(zip(_DELIVERY, one, strict=True))) for one in sent),
        await _recording(connection, account_id, row.recording if row else ""),
    )


async def _facts(connection: Connection, account_id: str, call_id: str) -> tuple[AnyFact, ...]:
    """The call's journal, if it is the account's."""
    rows = await named("calls").facts(connection, call_id=call_id)
    facts = [decode(fact) for (fact,) in rows]
    call = refold(facts)
    return tuple(facts) if call is not None and call.account_id == account_id else ()


async def _recording(connection: Connection, account_id: str, name: str) -> RecordingFile | None:
    found = await named("recordings").by_name(connection, account_id=account_id, name=name)
    return None if found is None else RecordingFile(found[0], found[4], found[6], found[7])
