"""The finished calls: writing them, and reading any page of them at the cost of the first.

Beside ``calls`` stand the numbers of calls in each minute, hour and day of each account. One
statement covers the window by the widest whole buckets that fit, goes through their sums to the one
that holds the page's first call, and from there through finer ones to its minute (``history.sql``):
what it sees is one state of the database, so the total is exact whatever is written meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trunkline.calls.facts import Party
from trunkline.calls.record import CallRecord, HistoryRow, shown_party
from trunkline.db.numbering import raw_name
from trunkline.db.port import Page
from trunkline.db.postgres.connect import Connection
from trunkline.db.postgres.queries import named
from trunkline.db.postgres.text import storable
from trunkline.db.spans import cover


async def write_calls(connection: Connection, records: Sequence[CallRecord], now: int) -> int:
    """Write finished calls, count them, and expect their recordings; gives how many were new.

    No id may be twice among them. One that is in the history already stays as it is, and nothing
    of it is counted or expected. The only function that writes ``calls``: it is one statement, so
    the counts always agree with it.
    """
    if not records:
        return 0
    rows = [_columns(record) for record in records]
    columns = {f"all_{name}": [row[name] for row in rows] for name in rows[0]}
    written: int = await named("history").add_calls(connection, updated_at=now, **columns)
    return written


def _columns(record: CallRecord) -> dict[str, Any]:
    columns = {name: getattr(record, name) for name in record.__struct_fields__}
    del columns["caller"], columns["callee"]
    columns["id"] = columns.pop("call_id")
    columns |= {**_party("caller", record.caller), **_party("callee", record.callee)}
    columns["raw"] = raw_name(record.recording)
    return {
        name: storable(value) if isinstance(value, str) else value
        for name, value in columns.items()
    }


def _party(side: str, party: Party) -> dict[str, str | None]:
    return {
        f"{side}_{name}": getattr(party, name)
        for name in ("number", "username", "name", "user_id", "device_id")
    }


async def read_page(
    connection: Connection, account_id: str, start: int, end: int, limit: int, page: int
) -> Page:
    """Page ``page`` (from 1) of the calls that started in [start, end), newest first."""
    spans = list(cover(start, end))
    rows = await named("history").page(
        connection,
        account_id=account_id,
        levels=[span.level for span in spans],
        lows=[span.low for span in spans],
        highs=[span.high for span in spans],
        low=start,
        high=end,
        skip=(page - 1) * limit,
        limit=limit,
    )
    return Page(rows[0][0], [_history_row(*row) for _, *row in rows if row[-1] is not None])


def _history_row(
    caller_number: str,
    caller_username: str | None,
    callee_number: str,
    callee_username: str | None,
    class_: str,
    did_number: str | None,
    direction: str,
    status_detail: str,
    duration_seconds: int,
    started_at: int,
    billing_seconds: int,
    recording: str,
    call_id: str,
) -> HistoryRow:
    return HistoryRow(
        caller=shown_party(caller_number, caller_username),
        callee=shown_party(callee_number, callee_username),
        class_=class_,
        did_number=did_number,
        direction=direction,
        status_detail=status_detail,
        duration_seconds=duration_seconds,
        unix_timestamp=started_at // 1_000_000,
        billing_seconds=billing_seconds,
        recording=recording,
        call_id=call_id,
    )
