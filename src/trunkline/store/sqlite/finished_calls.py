"""Writing the finished calls, with all that is kept beside them."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence

from trunkline.calls.record import CallRecord
from trunkline.store.common.call_columns import columns_of
from trunkline.store.common.finished_calls import call_terms
from trunkline.store.common.spans import DAY, HOUR, MINUTE
from trunkline.store.ports.history import CallKey
from trunkline.store.sqlite.indexing import Change, Findable, make_findable, next_updates
from trunkline.store.sqlite.queries import named
from trunkline.store.sqlite.statistics import count_calls


async def write_call(connection: sqlite3.Connection, record: CallRecord, now: int) -> bool:
    """Write a finished call and count it; False, and nothing is changed, if it is there already."""
    return bool(await write_calls(connection, [record], now))


async def write_calls(
    connection: sqlite3.Connection, records: Sequence[CallRecord], now: int
) -> set[str]:
    """Write finished calls and count them; gives the ids that were new.

    Of one that is there already, or twice among them, nothing is changed. The only function that
    writes ``calls``: the counts must always agree with it.
    """
    new = await _new(connection, records)
    if new:
        changes = await next_updates(connection, [record.account_id for record in new])
        await _add(connection, new, changes, now)
        await make_findable(
            connection,
            [
                Findable(change, CallKey(record.started_at, record.call_id), call_terms(record))
                for record, change in zip(new, changes, strict=True)
            ],
        )
        await _count(connection, new)
        await count_calls(connection, new)
    return {record.call_id for record in new}


async def _new(connection: sqlite3.Connection, records: Sequence[CallRecord]) -> list[CallRecord]:
    """Those that are not there yet, each once."""
    by_id = {record.call_id: record for record in reversed(records)}
    there = {id_ for (id_,) in await named("history").ids_there(connection, ids=list(by_id))}
    return [by_id[id_] for id_ in reversed(by_id) if id_ not in there]


async def _add(
    connection: sqlite3.Connection,
    records: Sequence[CallRecord],
    changes: Sequence[Change],
    now: int,
) -> None:
    await named("history").add_calls(
        connection,
        [
            {**columns_of(record), "updated_at": now, "update_seq": change.seq}
            for record, change in zip(records, changes, strict=True)
        ],
    )


async def _count(connection: sqlite3.Connection, records: Sequence[CallRecord]) -> None:
    sql = named("history")
    for count, width in ((sql.count_minute, MINUTE), (sql.count_hour, HOUR), (sql.count_day, DAY)):
        counted = Counter((record.account_id, record.started_at // width) for record in records)
        await count(
            connection,
            [
                {"account_id": account_id, "bucket": bucket, "n": n}
                for (account_id, bucket), n in sorted(counted.items())
            ],
        )
