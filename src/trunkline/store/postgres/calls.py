"""The journal, the live calls, and the batches that join all that steps of the fold change."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Iterable, Sequence
from typing import Any

from trunkline.calls.cel import LogPosition
from trunkline.calls.facts import encode
from trunkline.calls.record import CallRecord
from trunkline.events.stored import StoredEvent
from trunkline.store.common.calls import SqlCalls
from trunkline.store.common.dialect import Dialect
from trunkline.store.common.numbering import without_number
from trunkline.store.ports.database import Batch, Page
from trunkline.store.postgres.advisory_lock import NODE
from trunkline.store.postgres.connect import Connection
from trunkline.store.postgres.events import CHANNEL, Newest, events_columns, numbered_in_order
from trunkline.store.postgres.finished_calls import write_calls
from trunkline.store.postgres.pages import read_page
from trunkline.store.postgres.partitions import Partitions
from trunkline.store.postgres.queries import named
from trunkline.store.postgres.reader import Reader
from trunkline.store.postgres.writer import BatchWriter, Prepare, WriteAll, Writer


class PostgresCalls(SqlCalls):
    def __init__(
        self, reader: Reader, writer: Writer, dialect: Dialect, batches: BatchWriter
    ) -> None:
        super().__init__(reader, dialect)
        self._writer = writer
        self._batches = batches

    async def commit(self, batch: Batch) -> list[StoredEvent]:
        """Write the batch in one transaction; gives the events with their numbers, in order.

        An event of an account that is no more is left out.
        """
        return await self._batches.commit(batch)

    async def commit_early(self, batch: Batch) -> Awaitable[None]:
        """No earlier: the database may be another machine, which goes down while our calls go on."""
        await self._batches.commit(batch)
        settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        settled.set_result(None)
        return settled

    async def inherit(self, node_id: str) -> None:
        """Make live calls and a log position without a node this one's."""
        await self._writer.run(lambda connection: self._sql.inherit(connection, node_id=node_id))

    async def nodes_away(self, node_id: str) -> list[str]:
        """The other nodes that have live calls and no server now: no session has their lock."""
        rows = await self._reader.all(self._sql.nodes_away, node_id=node_id, lock=NODE)
        return [away for (away,) in rows]

    async def page(self, account_id: str, start: int, end: int, limit: int, page: int) -> Page:
        return await self._reader.run(
            lambda connection: read_page(connection, account_id, start, end, limit, page)
        )


async def write_batches(
    connection: Connection, batches: Sequence[Batch]
) -> list[list[StoredEvent]]:
    """Write them as if one by one; gives each one's events.

    The accounts are locked first, in the order of their ids: what two processes write of one
    account goes one after the other, and no two wait for each other.
    """
    finished = _finished(batches)
    told = [each for batch in batches for each in batch.announcements]
    bodies = [without_number(each) for each in told]
    rows = await named("batches").write(
        connection,
        account_ids=list({each.account_id for part in (told, finished) for each in part}),
        **_facts(batches),
        **_live(batches),
        **_positions(batches),
        **events_columns(told, bodies),
        channel=CHANNEL,
    )
    newest = {id_: Newest(*numbers) for id_, *numbers, _ in rows}
    plans = {call_id: plan for batch in batches for call_id, plan in batch.plans.items()}
    await write_calls(connection, finished, newest, time.time_ns() // 1000, plans)
    return numbered_in_order([batch.announcements for batch in batches], bodies, newest)


def _facts(batches: Iterable[Batch]) -> dict[str, Any]:
    facts = [fact for batch in batches for fact in batch.facts]
    return {
        "fact_call_ids": [fact.call_id for fact in facts],
        "fact_ats": [fact.at for fact in facts],
        "fact_kinds": [fact.__struct_config__.tag for fact in facts],
        "facts": [encode(fact) for fact in facts],
    }


def _live(batches: Iterable[Batch]) -> dict[str, Any]:
    """What the batches, one after the other, leave open and closed."""
    opened: dict[str, tuple[str, str, int, str]] = {}
    closed: dict[str, None] = {}
    for batch in batches:
        for call in batch.opened:
            opened.setdefault(call[0], (*call, batch.node_id))
            closed.pop(call[0], None)
        for call_id in batch.closed:
            opened.pop(call_id, None)
            closed[call_id] = None
    ids, accounts, ats, nodes = zip(*opened.values(), strict=True) if opened else ((),) * 4
    return {
        "opened_ids": ids,
        "opened_accounts": accounts,
        "opened_ats": ats,
        "opened_nodes": nodes,
        "closed_ids": list(closed),
    }


def _finished(batches: Iterable[Batch]) -> list[CallRecord]:
    """The first record of each call."""
    records: dict[str, CallRecord] = {}
    for batch in batches:
        for record in batch.finished:
            records.setdefault(record.call_id, record)
    return list(records.values())


def _positions(batches: Iterable[Batch]) -> dict[str, Any]:
    reached: dict[str, LogPosition] = {}
    for batch in batches:
        if batch.position is not None:
            reached[batch.node_id] = batch.position
    return {
        "nodes": list(reached),
        "file_ids": [position.file_id for position in reached.values()],
        "offsets": [position.offset for position in reached.values()],
    }


def prepare(partitions: Partitions) -> Prepare:
    """Makes the months that the batches' calls go to."""

    async def ensure(batches: Sequence[Batch]) -> None:
        await partitions.ensure(record.started_at for batch in batches for record in batch.finished)

    return ensure


def writing(partitions: Partitions) -> WriteAll:
    """``write_batches``, also where another process has dropped a month as it was empty."""

    async def write(connection: Connection, batches: Sequence[Batch]) -> list[list[StoredEvent]]:
        times = {record.started_at for batch in batches for record in batch.finished}
        async with partitions.there(times):
            return await write_batches(connection, batches)

    return write
