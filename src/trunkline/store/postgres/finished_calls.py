"""Writing the finished calls, with all that is kept beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from trunkline.calls.record import CallRecord
from trunkline.calls.recording_plan import RecordingPlan
from trunkline.store.common.call_columns import columns_of
from trunkline.store.common.finished_calls import call_terms
from trunkline.store.common.recordings import recording_columns
from trunkline.store.postgres.connect import Connection
from trunkline.store.postgres.events import Newest
from trunkline.store.postgres.indexing import Findable, make_findable, next_number
from trunkline.store.postgres.queries import named
from trunkline.store.postgres.statistics import count_calls
from trunkline.store.postgres.text import storable


async def write_calls(
    connection: Connection,
    records: Sequence[CallRecord],
    newest: Mapping[str, Newest],
    now: int,
    plans: Mapping[str, RecordingPlan] = MappingProxyType({}),
) -> set[str]:
    """Write finished calls, count them, and expect their recordings; gives the ids that were new.

    ``plans`` say what recordings are made of, as in ``Batch``.
    ``newest`` are their locked accounts; of one that is no more, calls are written, but not found.
    No id may be twice among them. One that is in the history already stays as it is, and nothing of
    it is counted or expected. The only function that writes ``calls``: its counts are kept by the
    same statement, so they always agree with it.
    """
    fresh = await _take_ids(connection, records)
    new = [record for record in records if record.call_id in fresh]
    if new:
        reached = {account_id: numbers.update for account_id, numbers in newest.items()}
        seqs = [next_number(reached, record.account_id) for record in new]
        rows = [_columns(record, plans.get(record.call_id)) for record in new]
        await _add(connection, rows, seqs, now)
        await make_findable(
            connection,
            [
                Findable(
                    newest[record.account_id].account,
                    seq,
                    record.started_at,
                    record.call_id,
                    call_terms(record),
                )
                for record, seq in zip(new, seqs, strict=True)
                if seq
            ],
        )
        await count_calls(connection, new)
    return fresh


async def _take_ids(connection: Connection, records: Sequence[CallRecord]) -> set[str]:
    if not records:
        return set()
    taken = await named("history").take_ids(
        connection,
        ids=[record.call_id for record in records],
        account_ids=[record.account_id for record in records],
        started_ats=[record.started_at for record in records],
    )
    return {id_ for (id_,) in taken}


async def _add(
    connection: Connection, rows: Sequence[dict[str, Any]], seqs: Sequence[int], now: int
) -> None:
    columns = {f"all_{name}": [row[name] for row in rows] for name in rows[0]}
    await named("history").add_calls(connection, all_update_seq=seqs, updated_at=now, **columns)


def _columns(record: CallRecord, plan: RecordingPlan | None) -> dict[str, Any]:
    columns = {**columns_of(record), **recording_columns(record, plan)}
    return {
        name: storable(value) if isinstance(value, str) else value
        for name, value in columns.items()
    }
