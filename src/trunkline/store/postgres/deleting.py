"""Deleting calls and recordings so that all that was kept of them goes along: one step, in its
transaction.

A recording's row is locked before its account, as by the worker that makes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trunkline.store.common.call_rows import call_row
from trunkline.store.common.marking import row_of, touched, unfindable
from trunkline.store.ports.history import FIRST, CallRow
from trunkline.store.ports.retention import Place, Slice
from trunkline.store.postgres.connect import Connection
from trunkline.store.postgres.queries import named

NOTHING = Slice(0, None)


async def lock(connection: Connection, account_id: str) -> int | None:
    """Lock the account: who holds it, or a call of it, waits. Gives its short number; None where
    nothing of it may be deleted."""
    number: int | None = await named("retention").lock_account(connection, account_id=account_id)
    return number


async def delete_old_calls(
    connection: Connection, account_id: str, before: int, after: Place | None, limit: int
) -> Slice:
    """Look at the next calls, and delete those that are not on hold."""
    at, id_ = after or (FIRST, "")
    asked = {"account_id": account_id, "before": before, "at": at, "id": id_, "step": limit}
    sql, asked["low"] = named("retention"), await counted_from(connection, account_id)
    known = [row["id"] for row in await sql.old_calls(connection, **asked)]
    await sql.lock_recordings(connection, call_ids=known)
    number = await lock(connection, account_id) if known else None
    if number is None:
        return NOTHING
    rows = [call_row(row) for row in await sql.old_calls(connection, **asked)]
    going = [row for row in rows if not row.hold and row.call_id in known]
    await _delete(connection, account_id, number, going)
    last = rows[-1].key if len(rows) == limit else None
    return Slice(len(going), last)


async def counted_from(connection: Connection, account_id: str) -> int:
    """Calls from before this are in no statistics yet, and have to be first."""
    mark = await named("statistics").counted_from(connection, account_id=account_id)
    return FIRST if mark is None else int(mark)


async def _delete(
    connection: Connection, account_id: str, number: int, rows: Sequence[CallRow]
) -> None:
    """Records, ids, recordings, facts, the order of changes, terms and counts, all of these calls.

    In few round trips: the account is locked, and its calls wait.
    """
    if not rows:
        return
    await named("retention").drop_calls(
        connection,
        account_id=account_id,
        account_number=number,
        started_ats=[row.started_at for row in rows],
        call_ids=[row.call_id for row in rows],
        seqs=[row.update for row in rows],
    )
    gone: dict[int, set[str]] = {}
    for row in rows:
        gone.setdefault(row.started_at, set()).update(row.terms())
    await _drop_terms(connection, account_id, number, gone)


async def _drop_terms(
    connection: Connection, account_id: str, number: int, gone: dict[int, set[str]]
) -> None:
    """At once where nothing else started then, which is nearly always so."""
    left = await named("retention").starts_left(
        connection, account_id=account_id, started_ats=list(gone)
    )
    await unfindable(connection, account_id, {at: gone.pop(at) for (at,) in left})
    pairs = sorted((term, at) for at, terms in gone.items() for term in terms)
    await named("finding").drop_terms(
        connection,
        account_number=number,
        started_ats=[at for _, at in pairs],
        terms=[term for term, _ in pairs],
    )


async def delete_old_recordings(
    connection: Connection,
    account_id: str,
    before: int,
    after: Place | None,
    limit: int,
    now: int,
) -> Slice:
    """Look at the next recordings; those not on hold are to be removed, and their calls name none."""
    sql, (at, name) = named("retention"), after or (FIRST, "")
    found = await sql.old_recordings(
        connection, account_id=account_id, before=before, at=at, name=name, step=limit
    )
    if not found or await lock(connection, account_id) is None:
        return NOTHING
    held = await sql.held_calls(connection, call_ids=[row["call_id"] for row in found])
    kept = {call_id for (call_id,) in held}
    going = [row for row in found if row["call_id"] not in kept]
    await sql.remove_recordings(connection, names=[row["name"] for row in going])
    for row in going:
        await _unname(connection, row, now)
    await sql.drop_recordings(connection, names=[row["name"] for row in going])
    last = (found[-1]["created_at"], found[-1]["name"]) if len(found) == limit else None
    return Slice(len(going), last)


async def _unname(connection: Connection, recording: Any, now: int) -> None:
    row = await row_of(connection, recording["call_id"])
    if row is not None and row.recording == recording["name"]:
        await named("recordings").unnamed(connection, name=recording["name"])
        await touched(connection, row, now)
