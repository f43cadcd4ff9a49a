"""The journal, the live calls, and the batch that joins all that one step of the fold changes."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Awaitable
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import Any

from trunkline.calls.facts import AnyFact, decode, encode
from trunkline.calls.record import CallRecord
from trunkline.calls.recording_plan import RecordingPlan
from trunkline.events.stored import StoredEvent
from trunkline.store.common.recording_rows import recording_columns
from trunkline.store.ports.database import Batch, LogPosition, OpenCall, Page
from trunkline.store.sqlite.events import store_events
from trunkline.store.sqlite.history import History, write_calls
from trunkline.store.sqlite.queries import named
from trunkline.store.sqlite.quick_reads import OnTheSpot
from trunkline.store.sqlite.reader import Reader
from trunkline.store.sqlite.writer import Writer

_FARTHEST = 1 << 62


class SqliteCalls:
    """Journal, live calls and history (see ``db.port.Calls``)."""

    def __init__(self, reader: Reader, writer: Writer, pages: ThreadPoolExecutor) -> None:
        self._reader = reader
        self._writer = writer
        self._spot = OnTheSpot(pages)
        self._sql = named("calls")

    async def commit(self, batch: Batch) -> list[StoredEvent]:
        """Write the batch in one transaction; gives the events with their numbers, in order.

        Who awaits commits one by one, or publishes straight after each await, publishes in the
        order of the numbers. An event of an account that is no more is left out.
        """
        now = time.time_ns() // 1000
        return await self._writer.run(lambda connection: _commit(connection, batch, now))

    async def commit_early(self, batch: Batch) -> Awaitable[None]:
        """``commit`` for a batch that announces nothing (see ``db.port.Calls``)."""
        now = time.time_ns() // 1000
        _, settled = await self._writer.run_early(
            lambda connection: _commit(connection, batch, now)
        )
        return settled

    async def open_calls(self, node_id: str) -> list[OpenCall]:
        """The live calls of a node, oldest first, each with all its facts in order."""
        rows = self._reader.all(self._sql.open_calls, node_id=node_id)
        return [
            OpenCall(call_id, account_id, tuple(decode(fact) for *_, fact in group if fact))
            for (call_id, account_id), group in groupby(rows, key=lambda row: (row[0], row[1]))
        ]

    async def inherit(self, node_id: str) -> None:
        """Make all live calls this node's, and a log position without a node."""
        await self._writer.run(lambda connection: _inherit(connection, node_id))

    async def nodes_away(self, node_id: str) -> list[str]:
        """The other nodes that have live calls: a file is one server's, so none of them has one."""
        return [away for (away,) in self._reader.all(self._sql.nodes_away, node_id=node_id)]

    async def facts(self, call_id: str) -> list[AnyFact]:
        """The journal of one call, in order."""
        return [decode(fact) for (fact,) in self._reader.all(self._sql.facts, call_id=call_id)]

    async def position(self, node_id: str) -> LogPosition | None:
        """How far the node's log has been taken in."""
        row = self._reader.one(self._sql.position, node_id=node_id)
        return None if row is None else LogPosition(*row)

    async def page(self, account_id: str, start: int, end: int, limit: int, page: int) -> Page:
        """Page ``page`` (from 1) of the calls that started in [start, end)."""
        low, high = max(start, -_FARTHEST), min(end, _FARTHEST)

        def read() -> Page:
            return self._reader.snapshot(
                lambda connection: History(connection, account_id).page(low, high, limit, page)
            )

        return await self._spot.run(read)

    async def known(self, call_id: str) -> bool:
        """Has the engine spoken of this call? One that was only asked for is not known yet."""
        return bool(self._reader.one(self._sql.known, call_id=call_id))


def _commit(connection: sqlite3.Connection, batch: Batch, now: int) -> list[StoredEvent]:
    sql = named("calls")
    sql.add_facts(connection, [_journal_row(fact) for fact in batch.facts])
    for call_id, account_id, at in batch.opened:
        sql.open_call(
            connection, call_id=call_id, account_id=account_id, at=at, node_id=batch.node_id
        )
    for call_id in batch.closed:
        sql.close_call(connection, call_id=call_id)
    _finish(connection, batch, now)
    if batch.position is not None:
        file_id, offset = batch.position.file_id, batch.position.offset
        sql.set_position(connection, node_id=batch.node_id, file_id=file_id, offset=offset)
    return store_events(connection, batch.announcements)


def _inherit(connection: sqlite3.Connection, node_id: str) -> None:
    sql = named("calls")
    sql.inherit_calls(connection, node_id=node_id)
    sql.inherit_position(connection, node_id=node_id)
    sql.forget_positions(connection, node_id=node_id)


def _journal_row(fact: AnyFact) -> dict[str, Any]:
    kind = fact.__struct_config__.tag
    return {"call_id": fact.call_id, "at": fact.at, "kind": kind, "fact": encode(fact)}


def _finish(connection: sqlite3.Connection, batch: Batch, now: int) -> None:
    if not batch.finished:
        return
    new = write_calls(connection, batch.finished, now)
    for record in batch.finished:
        if record.call_id in new and record.recording:
            _expect(connection, record, batch.plans.get(record.call_id))


def _expect(connection: sqlite3.Connection, record: CallRecord, plan: RecordingPlan | None) -> None:
    sql, columns = named("recordings"), recording_columns(record, plan)
    id_ = columns["recording_id"]
    sql.expect(
        connection,
        id=id_,
        name=record.recording,
        account_id=record.account_id,
        call_id=record.call_id,
        at=record.ended_at,
        plan=columns["plan"],
    )
    sql.needs(connection, [{"raw": raw, "recording_id": id_} for raw in columns["files"].split()])
