"""Deleting calls so that all that was kept of them goes along: one step, in its transaction."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from trunkline.store.common.spans import DAY, HOUR, MINUTE
from trunkline.store.ports.history import CallRow
from trunkline.store.sqlite.queries import named


async def lock_recordings(_: sqlite3.Connection, asked: Mapping[str, Any]) -> None:
    """Nothing: there is one writer."""


async def lock_owners(_: sqlite3.Connection, call_ids: Sequence[str]) -> None:
    """Nothing: there is one writer."""


async def delete_calls(
    connection: sqlite3.Connection,
    account_id: str,
    account_number: int,
    rows: Sequence[CallRow],
) -> None:
    sql = named("retention")
    keys = [{"account_id": account_id, **row.key._asdict()} for row in rows]
    await sql.drop_call(connection, keys)
    await sql.remove_recordings_of(connection, keys)
    await sql.drop_recordings_of(connection, keys)
    await sql.drop_facts_of(connection, keys)
    await sql.drop_sip_messages(connection, keys)
    await sql.drop_updates(
        connection, [{"account_number": account_number, "seq": row.update} for row in rows]
    )
    await _uncount(connection, account_id, rows)


async def _uncount(
    connection: sqlite3.Connection, account_id: str, rows: Sequence[CallRow]
) -> None:
    sql = named("retention")
    for width, uncount, drop in (
        (MINUTE, sql.uncount_minutes, sql.drop_minutes),
        (HOUR, sql.uncount_hours, sql.drop_hours),
        (DAY, sql.uncount_days, sql.drop_days),
    ):
        less = Counter(row.started_at // width for row in rows)
        buckets: list[dict[str, Any]] = [
            {"account_id": account_id, "bucket": bucket, "n": n} for bucket, n in less.items()
        ]
        await uncount(connection, buckets)
        await drop(connection, buckets)
