"""Deleting calls so that all that was kept of them goes along: one step, in its transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trunkline.store.ports.history import CallRow
from trunkline.store.postgres.connect import Connection
from trunkline.store.postgres.queries import named


async def lock_recordings(connection: Connection, asked: Mapping[str, Any]) -> list[str]:
    sql = named("retention")
    known = [row["id"] for row in await sql.old_calls(connection, **asked)]
    await sql.lock_recordings(connection, call_ids=known)
    return known


async def lock_owners(connection: Connection, call_ids: Sequence[str]) -> None:
    await named("retention").lock_owners(connection, call_ids=call_ids)


async def delete_calls(
    connection: Connection, account_id: str, account_number: int, rows: Sequence[CallRow]
) -> None:
    """See ``Dialect.delete_calls``. In one round trip: the account is locked, and its calls wait."""
    await named("retention").drop_calls(
        connection,
        account_id=account_id,
        account_number=account_number,
        started_ats=[row.started_at for row in rows],
        call_ids=[row.call_id for row in rows],
        seqs=[row.update for row in rows],
    )
