"""The journal, the live calls, and the batch that joins all that one step of the fold changes."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Awaitable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from trunkline.calls.facts import AnyFact, encode
from trunkline.calls.record import CallRecord
from trunkline.calls.recording_plan import RecordingPlan
from trunkline.events.stored import StoredEvent
from trunkline.store.common.calls import SqlCalls
from trunkline.store.common.dialect import Dialect
from trunkline.store.common.recordings import recording_columns
from trunkline.store.ports.database import Batch, Page
from trunkline.store.sqlite.events import store_events
from trunkline.store.sqlite.finished_calls import write_calls
from trunkline.store.sqlite.pages import read_page
from trunkline.store.sqlite.queries import named
from trunkline.store.sqlite.quick_reads import OnTheSpot
from trunkline.store.sqlite.reader import Reader
from trunkline.store.sqlite.writer import Writer


class SqliteCalls(SqlCalls):
    def __init__(
        self, reader: Reader, writer: Writer, dialect: Dialect, pages: ThreadPoolExecutor
    ) -> None:
        super().__init__(reader, dialect)
        self._here = reader.here
        self._writer = writer
        self._spot = OnTheSpot(pages)

    async def commit(self, batch: Batch) -> list[StoredEvent]:
        """Write the batch in one transaction; gives the events with their numbers, in order.

        Who awaits commits one by one, or publishes straight after each await, publishes in the
        order of the numbers. An event of an account that is no more is left out.
        """
        now = time.time_ns() // 1000
        return await self._writer.run(lambda connection: _commit(connection, batch, now))

    async def commit_early(self, batch: Batch) -> Awaitable[None]:
        """``commit`` for a batch that announces nothing (see ``ports.database.Calls``)."""
        now = time.time_ns() // 1000
        _, settled = await self._writer.run_early(
            lambda connection: _commit(connection, batch, now)
        )
        return settled

    async def inherit(self, node_id: str) -> None:
        await self._writer.run(lambda connection: _inherit(connection, node_id))

    async def nodes_away(self, node_id: str) -> list[str]:
        """The other nodes that have live calls: a file is one server's, so none of them has one."""
        rows = await self._reader.all(self._sql.nodes_away, node_id=node_id)
        return [away for (away,) in rows]

    async def page(self, account_id: str, start: int, end: int, limit: int, page: int) -> Page:
        return await self._spot.run(
            lambda: self._here(
                lambda connection: read_page(connection, account_id, start, end, limit, page)
            )
        )


async def _commit(connection: sqlite3.Connection, batch: Batch, now: int) -> list[StoredEvent]:
    sql = named("calls")
    await sql.add_facts(connection, [_journal_row(fact) for fact in batch.facts])
    for call_id, account_id, at in batch.opened:
        await sql.open_call(
            connection, call_id=call_id, account_id=account_id, at=at, node_id=batch.node_id
        )
    for call_id in batch.closed:
        await sql.close_call(connection, call_id=call_id)
    await _finish(connection, batch, now)
    if batch.position is not None:
        file_id, offset = batch.position.file_id, batch.position.offset
        await sql.set_position(connection, node_id=batch.node_id, file_id=file_id, offset=offset)
    return await store_events(connection, batch.announcements)


async def _inherit(connection: sqlite3.Connection, node_id: str) -> None:
    sql = named("calls")
    await sql.inherit_calls(connection, node_id=node_id)
    await sql.inherit_position(connection, node_id=node_id)
    await sql.forget_positions(connection, node_id=node_id)


def _journal_row(fact: AnyFact) -> dict[str, Any]:
    kind = fact.__struct_config__.tag
    return {"call_id": fact.call_id, "at": fact.at, "kind": kind, "fact": encode(fact)}


async def _finish(connection: sqlite3.Connection, batch: Batch, now: int) -> None:
    if not batch.finished:
        return
    new = await write_calls(connection, batch.finished, now)
    for record in batch.finished:
        if record.call_id in new and record.recording:
            await _expect(connection, record, batch.plans.get(record.call_id))


async def _expect(
    connection: sqlite3.Connection, record: CallRecord, plan: RecordingPlan | None
) -> None:
    sql, columns = named("recordings"), recording_columns(record, plan)
    id_ = columns["recording_id"]
    await sql.expect(
        connection,
        id=id_,
        name=record.recording,
        account_id=record.account_id,
        call_id=record.call_id,
        at=record.ended_at,
        plan=columns["plan"],
    )
    await sql.needs(
        connection, [{"raw": raw, "recording_id": id_} for raw in columns["files"].split()]
    )
