"""Everything that a change of a call's record brings along: its number, and what it is found by.

Whoever changes a call locks its account first, as whoever writes one does: the numbers of changes
become visible in their order, and no two writers wait for each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from trunkline.store.common.call_rows import MOST_AT_ONCE, call_row
from trunkline.store.ports.history import MOST_TAGS, CallRow, Marks, TooManyTags
from trunkline.store.postgres.connect import Connection
from trunkline.store.postgres.events import Newest, lock_accounts
from trunkline.store.postgres.queries import named
from trunkline.store.postgres.text import storable


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
    number = await sql.number_of(connection, account_id=row.account_id)
    which = {"seq": seq, **row.key._asdict()}
    await sql.drop_update(connection, account_number=number, seq=row.update)
    await sql.add_update(connection, account_number=number, **which)
    await sql.set_update(connection, at=now, account_id=row.account_id, **which)
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
    hold = row.hold if marks.hold is None else marks.hold
    if len(tags) > MOST_TAGS:
        raise TooManyTags
    if (note, tags, hold) == (row.note, row.tags, row.hold):
        return row
    if not row.update:
        await _index(connection, [row], newest)
        row = await row_of(connection, call_id) or row
    changed = msgspec.structs.replace(row, note=note, tags=tags, hold=hold)
    if hold != row.hold:
        await _hold(connection, changed, now)
    await named("finding").set_marks(
        connection, note=note, tags=",".join(tags), account_id=account_id, **row.key._asdict()
    )
    if account_id in newest:
        await _replace_terms(connection, newest[account_id].account, row, changed)
    return msgspec.structs.replace(changed, update=await touched(connection, row, now))


async def _hold(connection: Connection, row: CallRow, now: int) -> None:
    """Put the call on hold, or release it."""
    sql, which = named("finding"), {"account_id": row.account_id, "call_id": row.call_id}
    if row.hold:
        await sql.hold(connection, **which, started_at=row.started_at, now=now)
    else:
        await sql.release(connection, call_id=row.call_id)
        await sql.drop_events_before_log(connection, **which)


async def _replace_terms(
    connection: Connection, number: int, before: CallRow, after: CallRow
) -> None:
    old, new, at = before.terms(), after.terms(), after.started_at
    added = [(number, term, at) for term in sorted(new - old)]
    await _add_terms(connection, added)
    await unfindable(connection, after.account_id, {at: old - new})


async def _add_terms(connection: Connection, terms: Sequence[tuple[int, str, int]]) -> None:
    if terms:
        numbers, values, starts = zip(*terms, strict=True)
        await named("finding").add_terms(
            connection, account_numbers=numbers, terms=values, started_ats=starts
        )


async def unfindable(connection: Connection, account_id: str, gone: Mapping[int, set[str]]) -> None:
    """Calls of a locked account that started then have these terms no more, or are no more: what has
    been written so.

    A term stays where another call that started then has it. Where very many did, none is looked at
    and all stay: what finds too much is no harm.
    """
    sql, drop = named("finding"), []
    for started_at, terms in gone.items():
        others = await sql.rows_at(
            connection, account_id=account_id, at=started_at, most=MOST_AT_ONCE
        )
        if len(others) < MOST_AT_ONCE:
            left = terms.difference(*(call_row(row).terms() for row in others))
            drop += [(started_at, term) for term in sorted(left)]
    if drop:
        number = await sql.number_of(connection, account_id=account_id)
        starts, values = zip(*drop, strict=True)
        await sql.drop_terms(connection, account_number=number, started_ats=starts, terms=values)


class Findable(NamedTuple):
    """A call that is to be found, and to be in the order of changes."""

    account_number: int
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
    await named("finding").number_calls(
        connection,
        account_numbers=[call.account_number for call in calls],
        seqs=[call.seq for call in calls],
        started_ats=[call.started_at for call in calls],
        call_ids=[call.call_id for call in calls],
    )
    terms = {(call.account_number, term, call.started_at) for call in calls for term in call.terms}
    await _add_terms(connection, sorted(terms))


async def _index(
    connection: Connection, rows: Sequence[CallRow], newest: Mapping[str, Newest]
) -> None:
    """Take calls of before this schema in."""
    reached = {account_id: numbers.update for account_id, numbers in newest.items()}
    numbered = [
        (row, seq)
        for row in rows
        if not row.update and (seq := next_number(reached, row.account_id))
    ]
    await make_findable(
        connection,
        [
            Findable(newest[row.account_id].account, seq, *row.key, row.terms())
            for row, seq in numbered
        ],
    )
    if numbered:
        await named("finding").set_numbers(
            connection,
            account_ids=[row.account_id for row, _ in numbered],
            seqs=[seq for _, seq in numbered],
            started_ats=[row.started_at for row, _ in numbered],
            call_ids=[row.call_id for row, _ in numbered],
        )


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
