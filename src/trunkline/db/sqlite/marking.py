"""Everything that a change of a call's record brings along: its number, and what it is found by."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from trunkline.db.finding import call_row
from trunkline.db.history_port import MOST_TAGS, CallKey, CallRow, Marks, TooManyTags
from trunkline.db.sqlite.queries import named


def row_of(connection: sqlite3.Connection, call_id: str) -> CallRow | None:
    """The finished call."""
    found = named("finding").row_of(connection, call_id=call_id)
    return None if found is None else call_row(found)


def next_update(connection: sqlite3.Connection, account_id: str) -> int:
    """The number of the account's next change; 0 where the account is no more."""
    return named("finding").next_update(connection, account_id=account_id) or 0


def made_findable(
    connection: sqlite3.Connection, account_id: str, key: CallKey, terms: Iterable[str], seq: int
) -> None:
    """A call that has just been written with this number; 0: nobody can ask for it."""
    if not seq:
        return
    sql = named("finding")
    sql.add_terms(connection, _terms(account_id, key, terms))
    sql.add_update(
        connection, account_id=account_id, seq=seq, started_at=key.started_at, call_id=key.call_id
    )


def touched(connection: sqlite3.Connection, row: CallRow, now: int) -> int:
    """The call has changed; gives the number of that. 0, and nothing is done, for one not indexed
    yet: it gets its number when it is."""
    sql = named("finding")
    seq = next_update(connection, row.account_id) if row.update else 0
    if not seq:
        return 0
    sql.drop_update(connection, account_id=row.account_id, seq=row.update)
    sql.add_update(
        connection,
        account_id=row.account_id,
        seq=seq,
        started_at=row.started_at,
        call_id=row.call_id,
    )
    sql.set_update(connection, seq=seq, at=now, call_id=row.call_id)
    return seq


def mark(
    connection: sqlite3.Connection, account_id: str, call_id: str, marks: Marks, now: int
) -> CallRow | None:
    """See ``db.history_port.History.mark``."""
    row = row_of(connection, call_id)
    if row is None or row.account_id != account_id:
        return None
    note, tags = marks.applied(row.note, row.tags)
    if len(tags) > MOST_TAGS:
        raise TooManyTags
    if (note, tags) == (row.note, row.tags):
        return row
    _index_one(connection, row)
    row = row_of(connection, call_id) or row
    changed = msgspec.structs.replace(row, note=note, tags=tags)
    named("finding").set_marks(connection, note=note, tags=",".join(tags), call_id=call_id)
    _replace_terms(connection, row, changed)
    return msgspec.structs.replace(changed, update=touched(connection, row, now))


def _replace_terms(connection: sqlite3.Connection, before: CallRow, after: CallRow) -> None:
    sql, old, new = named("finding"), before.terms(), after.terms()
    sql.drop_terms(connection, _terms(before.account_id, before.key, old - new))
    sql.add_terms(connection, _terms(before.account_id, before.key, new - old))


def _terms(account_id: str, key: CallKey, terms: Iterable[str]) -> list[dict[str, Any]]:
    return [
        {
            "account_id": account_id,
            "term": term,
            "started_at": key.started_at,
            "call_id": key.call_id,
        }
        for term in terms
    ]


def _index_one(connection: sqlite3.Connection, row: CallRow) -> None:
    """A call of before this schema, where it is not in yet."""
    seq = 0 if row.update else next_update(connection, row.account_id)
    if seq:
        made_findable(connection, row.account_id, row.key, row.terms(), seq)
        named("finding").set_indexed(connection, [{"seq": seq, "call_id": row.call_id}])


def _index_all(connection: sqlite3.Connection, rows: Sequence[CallRow]) -> None:
    """The same of many; terms go in in their order, so that each page is written once."""
    sql, numbers, terms = named("finding"), [], []
    for row in rows:
        if seq := next_update(connection, row.account_id):
            numbers.append((seq, row.account_id, *row.key))
            terms += _terms(row.account_id, row.key, row.terms())
    sql.add_terms(connection, sorted(terms, key=lambda term: term["term"]))
    sql.add_updates(connection, [dict(zip(_UPDATE, one, strict=True)) for one in numbers])
    sql.set_indexed(connection, [{"seq": one[0], "call_id": one[3]} for one in numbers])


_UPDATE = ("seq", "account_id", "started_at", "call_id")


def index(connection: sqlite3.Connection, limit: int) -> int:
    """See ``db.history_port.History.index``; one step, in one transaction."""
    sql = named("finding")
    reached = sql.indexed_to(connection)
    if reached is None:
        return 0
    account_id, at, id_ = msgspec.json.decode(reached)
    found = sql.not_indexed(connection, account_id=account_id, at=at, id=id_, most=limit)
    rows = [call_row(row) for row in found]
    _index_all(connection, [row for row in rows if not row.update])
    if len(rows) < limit:
        sql.all_indexed(connection)
    else:
        last = rows[-1]
        value = msgspec.json.encode([last.account_id, *last.key]).decode()
        sql.set_indexed_to(connection, value=value)
    return len(rows)
