"""The finished calls: writing them, and reading any page of them at the cost of the first.

Beside ``calls`` stand the numbers of calls in each minute, hour and day of each account. One
statement covers the window by the widest whole buckets that fit, goes through their sums to the one
that holds the page's first call, and from there through finer ones to its minute (``history.sql``):
what it sees is one state of the database, so the total is exact whatever is written meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from trunkline.calls.record import CallRecord
from trunkline.calls.recording_plan import RecordingPlan
from trunkline.history.row import history_row
from trunkline.store.common.call_columns import columns_of
from trunkline.store.common.history_rows import call_terms
from trunkline.store.common.recording_rows import recording_columns
from trunkline.store.common.spans import cover
from trunkline.store.ports.database import Page
from trunkline.store.postgres.connect import Connection
from trunkline.store.postgres.events import Newest
from trunkline.store.postgres.marking import Findable, make_findable, next_number
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


async def read_page(
    connection: Connection, account_id: str, start: int, end: int, limit: int, page: int
) -> Page:
    """Page ``page`` (from 1) of the calls that started in [start, end), newest first."""
    rows = await named("history").page(
        connection,
        account_id=account_id,
        skip=(page - 1) * limit,
        limit=limit,
        **_window(start, end),
    )
    return Page(rows[0][0], [history_row(*row) for _, *row in rows if row[-1] is not None])


async def read_total(connection: Connection, account_id: str, start: int, end: int) -> int:
    """How many calls started in [start, end)."""
    total: int = await named("history").total(
        connection, account_id=account_id, **_window(start, end)
    )
    return total


def _window(start: int, end: int) -> dict[str, Any]:
    spans = list(cover(start, end))
    return {
        "levels": [span.level for span in spans],
        "lows": [span.low for span in spans],
        "highs": [span.high for span in spans],
        "low": start,
        "high": end,
    }
