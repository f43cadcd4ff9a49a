"""Everything that a change of a call's record brings along: its number, and what it is found by.

Whoever changes a call locks its account first, as whoever writes one does: the numbers of changes
become visible in their order, and no two writers wait for each other.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from trunkline.store.common.call_rows import call_row
from trunkline.store.common.dialect import Connection, Dialect
from trunkline.store.ports.history import MOST_TAGS, CallRow, Marks, TooManyTags

MOST_AT_ONCE = 200
"""Calls of one time of start that are compared with one of them."""


async def row_of(dialect: Dialect, connection: Connection, call_id: str) -> CallRow | None:
    """The finished call."""
    found = await dialect.named("marking").row_of(connection, call_id=call_id)
    return None if found is None else call_row(found)


async def touched(dialect: Dialect, connection: Connection, row: CallRow, now: int) -> int:
    """The call of a locked account has changed; gives the number of that.

    0, and nothing is done, for one not indexed yet: it gets its number when it is.
    """
    sql = dialect.named("marking")
    numbers = await sql.next_update(connection, account_id=row.account_id) if row.update else None
    if numbers is None:
        return 0
    seq, account_number = numbers
    which = {"seq": seq, **row.key._asdict()}
    await sql.drop_update(connection, account_number=account_number, seq=row.update)
    await sql.add_update(connection, account_number=account_number, **which)
    await sql.set_update(connection, at=now, account_id=row.account_id, **which)
    return int(seq)


async def mark(
    dialect: Dialect, connection: Connection, account_id: str, call_id: str, marks: Marks, now: int
) -> CallRow | None:
    await dialect.lock_accounts(connection, {account_id})
    row = await row_of(dialect, connection, call_id)
    if row is None or row.account_id != account_id:
        return None
    note, tags = marks.applied(row.note, row.tags)
    note, tags = dialect.storable(note), tuple(map(dialect.storable, tags))
    hold = row.hold if marks.hold is None else marks.hold
    if len(tags) > MOST_TAGS:
        raise TooManyTags
    if (note, tags, hold) == (row.note, row.tags, row.hold):
        return row
    if not row.update:
        await dialect.index_calls(connection, [row])
        row = await row_of(dialect, connection, call_id) or row
    changed = msgspec.structs.replace(row, note=note, tags=tags, hold=hold)
    if hold != row.hold:
        await _hold(dialect, connection, changed, now)
    await dialect.named("marking").set_marks(
        connection, note=note, tags=",".join(tags), account_id=account_id, **row.key._asdict()
    )
    await _replace_terms(dialect, connection, row, changed)
    update = await touched(dialect, connection, row, now)
    return msgspec.structs.replace(changed, update=update)


async def _hold(dialect: Dialect, connection: Connection, row: CallRow, now: int) -> None:
    """Put the call on hold, or release it."""
    sql = dialect.named("marking")
    which = {"account_id": row.account_id, "call_id": row.call_id}
    if row.hold:
        await sql.hold(connection, **which, started_at=row.started_at, now=now)
    else:
        await sql.release(connection, call_id=row.call_id)
        await sql.drop_events_before_log(connection, **which)


async def _replace_terms(
    dialect: Dialect, connection: Connection, before: CallRow, after: CallRow
) -> None:
    old, new, at = before.terms(), after.terms(), after.started_at
    number_of = dialect.named("marking").number_of
    number = await number_of(connection, account_id=after.account_id)
    if number is not None:
        await dialect.add_terms(connection, [(number, term, at) for term in sorted(new - old)])
        await unfindable(dialect, connection, after.account_id, {at: old - new})


async def unfindable(
    dialect: Dialect, connection: Connection, account_id: str, gone: Mapping[int, set[str]]
) -> None:
    """Calls of a locked account that started then have these terms no more, or are no more: what has
    been written so.

    A term stays where another call that started then has it. Where very many did, none is looked at
    and all stay: what finds too much is no harm.
    """
    sql = dialect.named("marking")
    drop: list[tuple[str, int]] = []
    for started_at, terms in gone.items():
        if not terms:
            continue
        others = await sql.rows_at(
            connection, account_id=account_id, at=started_at, most=MOST_AT_ONCE
        )
        if len(others) < MOST_AT_ONCE:
            left = terms.difference(*(call_row(row).terms() for row in others))
            drop += [(term, started_at) for term in sorted(left)]
    if drop:
        number = await sql.number_of(connection, account_id=account_id)
        await dialect.drop_terms(connection, number, drop)


async def index(dialect: Dialect, connection: Connection, limit: int) -> int:
    """See ``ports.history.History.index``; one step, in one transaction."""
    sql = dialect.named("marking")
    reached = await sql.lock_indexed_to(connection)
    if reached is None:
        return 0
    account_id, at, id_ = msgspec.json.decode(reached)
    after = {"account_id": account_id, "at": at, "id": id_, "most": limit}
    known = map(call_row, await sql.not_indexed(connection, **after))
    await dialect.lock_accounts(connection, {row.account_id for row in known})
    rows = [call_row(row) for row in await sql.not_indexed(connection, **after)]
    await dialect.index_calls(connection, [row for row in rows if not row.update])
    if len(rows) < limit:
        await sql.all_indexed(connection)
    else:
        last = rows[-1]
        value = msgspec.json.encode([last.account_id, *last.key]).decode()
        await sql.set_indexed_to(connection, value=value)
    return len(rows)
