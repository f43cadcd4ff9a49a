"""Deleting calls and recordings so that all that was kept of them goes along: one step, in its
transaction."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from typing import Any

from trunkline.store.common.call_rows import call_row
from trunkline.store.common.spans import DAY, HOUR, MINUTE
from trunkline.store.ports.history import FIRST, CallRow
from trunkline.store.ports.retention import Place, Slice
from trunkline.store.sqlite.marking import row_of, touched, unfindable
from trunkline.store.sqlite.queries import named


def delete_old_calls(
    connection: sqlite3.Connection, account_id: str, before: int, after: Place | None, limit: int
) -> Slice:
    """Look at the next calls, and delete those that are not on hold."""
    at, id_ = after or (FIRST, "")
    found = named("retention").old_calls(
        connection,
        account_id=account_id,
        before=before,
        low=counted_from(connection, account_id),
        at=at,
        id=id_,
        step=limit,
    )
    rows = [call_row(row) for row in found]
    going = [row for row in rows if not row.hold]
    _delete(connection, account_id, going)
    last = rows[-1].key if len(rows) == limit else None
    return Slice(len(going), last)


def counted_from(connection: sqlite3.Connection, account_id: str) -> int:
    """Calls from before this are in no statistics yet, and have to be first."""
    mark: int | None = named("statistics").counted_from(connection, account_id=account_id)
    return FIRST if mark is None else mark


def _delete(connection: sqlite3.Connection, account_id: str, rows: Sequence[CallRow]) -> None:
    """Records, recordings, facts, the order of changes, terms and counts, all of these calls."""
    sql = named("retention")
    keys = [{"account_id": account_id, **row.key._asdict()} for row in rows]
    sql.drop_call(connection, keys)
    sql.remove_recordings_of(connection, keys)
    sql.drop_recordings_of(connection, keys)
    sql.drop_facts_of(connection, keys)
    named("sip_messages").drop_of(connection, keys)
    sql.drop_updates(connection, [{"account_id": account_id, "seq": row.update} for row in rows])
    _drop_terms(connection, account_id, rows)
    _uncount(connection, account_id, rows)


def _drop_terms(connection: sqlite3.Connection, account_id: str, rows: Sequence[CallRow]) -> None:
    gone: dict[int, set[str]] = {}
    for row in rows:
        gone.setdefault(row.started_at, set()).update(row.terms())
    unfindable(connection, account_id, gone)


def _uncount(connection: sqlite3.Connection, account_id: str, rows: Sequence[CallRow]) -> None:
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
        uncount(connection, buckets)
        drop(connection, buckets)


def delete_old_recordings(
    connection: sqlite3.Connection,
    account_id: str,
    before: int,
    after: Place | None,
    limit: int,
    now: int,
) -> Slice:
    """Look at the next recordings; those not on hold are to be removed, and their calls name none."""
    sql, (at, name) = named("retention"), after or (FIRST, "")
    found = list(
        sql.old_recordings(
            connection, account_id=account_id, before=before, at=at, name=name, step=limit
        )
    )
    going = [(name, call_id) for name, call_id, _, held in found if not held]
    for name, call_id in going:
        sql.remove_recording(connection, name=name)
        _unname(connection, name, call_id, now)
        sql.drop_recording(connection, name=name)
    last = (found[-1][2], found[-1][0]) if len(found) == limit else None
    return Slice(len(going), last)


def _unname(connection: sqlite3.Connection, name: str, call_id: str, now: int) -> None:
    row = row_of(connection, call_id)
    if row is not None and row.recording == name:
        named("recordings").unnamed(connection, name=name)
        touched(connection, row, now)
