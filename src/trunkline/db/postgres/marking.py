"""Everything that a change of a call's record brings along: its number, and what it is found by.

Whoever changes a call locks its account first, as whoever writes one does: the numbers of changes
become visible in their order, and no two writers wait for each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from trunkline.db.finding import call_row
from trunkline.db.history_port import MOST_TAGS, CallRow, Marks, TooManyTags
from trunkline.db.postgres.connect import Connection
from trunkline.db.postgres.events import Newest, lock_accounts
from trunkline.db.postgres.queries import named
from trunkline.db.postgres.text import storable


async def row_of(connection: Connection, call_id: str) -> CallRow | None:
    """The finished call."""
    found = await named("finding").row_of(connection, call_id=call_id)
    return None if found is None else call_row(found)


async def touched(connection: Connection, row: CallRow, now: int) -> int:
    """The call of a locked account has changed; gives the number of that.

    0, and nothing is done, for one not indexed yet: it gets its number when it is.
    """
    sql = named("finding")
    seq = (await sql.next_update(connection, account_id=row.account_id)) if row.update else None
    if not seq:
        return 0
    which = {
        "account_id": row.account_id,
        "started_at": row.started_at,
        "call_id": row.call_id,
        "seq": seq,
    }
    await sql.drop_update(connection, account_id=row.account_id, seq=row.update)
    await sql.add_update(connection, **which)
    await sql.set_update(connection, at=now, **which)
    return int(seq)


async def mark(
    connection: Connection, account_id: str, call_id: str, marks: Marks, now: int
) -> CallRow | None:
    """See ``db.history_port.History.mark``."""
    newest = await lock_accounts(connection, {account_id})
    row = await row_of(connection, call_id)
    if row is None or row.account_id != account_id:
        return None
    note, tags = marks.applied(row.note, row.tags)
    note, tags = storable(note), tuple(map(storable, tags))
    if len(tags) > MOST_TAGS:
        raise TooManyTags
    if (note, tags) == (row.note, row.tags):
        return row
    if not row.update:
        await _index(connection, [row], newest)
        row = await row_of(connection, call_id) or row
    return await _changed(connection, row, note, tags, now)


async def _changed(
    connection: Connection, row: CallRow, note: str, tags: tuple[str, ...], now: int
) -> CallRow:
    changed = msgspec.structs.replace(row, note=note, tags=tags)
    sql, old, new = named("finding"), row.terms(), changed.terms()
    which = {
        "account_id": row.account_id,
        "started_at": row.started_at,
        "call_id": row.call_id,
    }
    await sql.set_marks(connection, note=note, tags=",".join(tags), **which)
    await sql.drop_terms(connection, terms=list(old - new), **which)
    await sql.add_terms(connection, terms=list(new - old), **which)
    return msgspec.structs.replace(changed, update=await touched(connection, row, now))


class Findable(NamedTuple):
    """A call that is to be found, and to be in the order of changes."""

    account_id: str
    seq: int
    started_at: int
    call_id: str
    terms: set[str]


def next_number(reached: dict[str, int], account_id: str) -> int:
    """The next number of a locked account; 0 where the account is no more."""
    if account_id not in reached:
        return 0
    reached[account_id] += 1
    return reached[account_id]


async def make_findable(connection: Connection, calls: Sequence[Findable]) -> None:
    """Calls have their first numbers, and are found by their terms; their accounts are locked."""
    if not calls:
        return
    sql = named("finding")
    terms = [(call, term) for call in calls for term in call.terms]
    terms.sort(key=lambda pair: (pair[0].account_id, pair[1]))
    await sql.number_calls(connection, **_places(calls), seqs=[call.seq for call in calls])
    await sql.find_calls(
        connection, **_places([call for call, _ in terms]), terms=[term for _, term in terms]
    )


def _places(calls: Sequence[Findable]) -> dict[str, Any]:
    return {
        "account_ids": [call.account_id for call in calls],
        "started_ats": [call.started_at for call in calls],
        "call_ids": [call.call_id for call in calls],
    }


async def _index(
    connection: Connection, rows: Sequence[CallRow], newest: Mapping[str, Newest]
) -> None:
    """Take calls of before this schema in."""
    reached = {account_id: numbers.update for account_id, numbers in newest.items()}
    calls = [
        Findable(row.account_id, seq, *row.key, row.terms())
        for row in rows
        if not row.update and (seq := next_number(reached, row.account_id))
    ]
    await make_findable(connection, calls)
    if calls:
        numbers = [call.seq for call in calls]
        await named("finding").set_numbers(connection, **_places(calls), seqs=numbers)


async def index(connection: Connection, limit: int) -> int:
    """See ``db.history_port.History.index``; one step, in one transaction."""
    sql = named("finding")
    reached = await sql.lock_indexed_to(connection)
    if reached is None:
        return 0
    account_id, at, id_ = msgspec.json.decode(reached)
    after = {"account_id": account_id, "at": at, "id": id_, "most": limit}
    keys = await sql.not_indexed(connection, **after)
    newest = await lock_accounts(connection, {row["account_id"] for row in keys})
    rows = [call_row(row) for row in await sql.not_indexed(connection, **after)]
    await _index(connection, rows, newest)
    if len(rows) < limit:
        await sql.all_indexed(connection)
    else:
        last = rows[-1]
        value = msgspec.json.encode([last.account_id, *last.key]).decode()
        await sql.set_indexed_to(connection, value=value)
    return len(rows)
