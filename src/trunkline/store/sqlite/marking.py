"""Everything that a change of a call's record brings along: its number, and what it is found by."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec

from trunkline.store.common.call_rows import MOST_AT_ONCE, call_row
from trunkline.store.ports.history import MOST_TAGS, CallKey, CallRow, Marks, TooManyTags
from trunkline.store.sqlite.queries import named


def row_of(connection: sqlite3.Connection, call_id: str) -> CallRow | None:
    """The finished call."""
    found = named("finding").row_of(connection, call_id=call_id)
    return None if found is None else call_row(found)


class Change(NamedTuple):
    """The number of a change of a call, and that of its account. 0: the account is no more."""

    seq: int
    account_number: int


def next_updates(connection: sqlite3.Connection, account_ids: Sequence[str]) -> list[Change]:
    """A change for each, in their order, of its account."""
    given: dict[str, Iterator[Change]] = {}
    for account_id, n in Counter(account_ids).items():
        taken = named("finding").next_updates(connection, account_id=account_id, n=n)
        given[account_id] = _changes(n, *taken) if taken else repeat(Change(0, 0))
    return [next(given[account_id]) for account_id in account_ids]


def _changes(n: int, last: int, account_number: int) -> Iterator[Change]:
    return (Change(seq, account_number) for seq in range(last - n + 1, last + 1))


class Findable(NamedTuple):
    """A call that has just been written with this number; 0: nobody can ask for it."""

    change: Change
    key: CallKey
    terms: set[str]


def make_findable(connection: sqlite3.Connection, calls: Iterable[Findable]) -> None:
    """Calls are found by their terms, and are in the order of changes.

    Terms go in in their order, so that each page is written once.
    """
    sql, numbers, terms = named("finding"), [], []
    for change, key, found_by in calls:
        if change.seq:
            numbers.append({**change._asdict(), **key._asdict()})
            terms += _terms(change.account_number, key.started_at, found_by)
    sql.add_terms(connection, sorted(terms, key=itemgetter("account_number", "term", "started_at")))
    sql.add_updates(connection, numbers)


def touched(connection: sqlite3.Connection, row: CallRow, now: int) -> int:
    """The call has changed; gives the number of that. 0, and nothing is done, for one not indexed
    yet: it gets its number when it is."""
    sql = named("finding")
    (change,) = next_updates(connection, [row.account_id]) if row.update else [Change(0, 0)]
    if not change.seq:
        return 0
    sql.drop_update(connection, account_number=change.account_number, seq=row.update)
    sql.add_updates(connection, [{**change._asdict(), **row.key._asdict()}])
    sql.set_update(connection, seq=change.seq, at=now, call_id=row.call_id)
    return change.seq


def mark(
    connection: sqlite3.Connection, account_id: str, call_id: str, marks: Marks, now: int
) -> CallRow | None:
    """See ``db.history_port.History.mark``."""
    row = row_of(connection, call_id)
    if row is None or row.account_id != account_id:
        return None
    note, tags = marks.applied(row.note, row.tags)
    hold = row.hold if marks.hold is None else marks.hold
    if len(tags) > MOST_TAGS:
        raise TooManyTags
    if (note, tags, hold) == (row.note, row.tags, row.hold):
        return row
    if not row.update:
        _index(connection, [row])
    row = row_of(connection, call_id) or row
    changed = msgspec.structs.replace(row, note=note, tags=tags, hold=hold)
    if hold != row.hold:
        _hold(connection, changed, now)
    named("finding").set_marks(connection, note=note, tags=",".join(tags), call_id=call_id)
    _replace_terms(connection, row, changed)
    return msgspec.structs.replace(changed, update=touched(connection, row, now))


def _hold(connection: sqlite3.Connection, row: CallRow, now: int) -> None:
    """Put the call on hold, or release it."""
    sql, which = named("finding"), {"account_id": row.account_id, "call_id": row.call_id}
    if row.hold:
        sql.hold(connection, **which, started_at=row.started_at, now=now)
    else:
        sql.release(connection, call_id=row.call_id)
        sql.drop_events_before_log(connection, **which)


def _replace_terms(connection: sqlite3.Connection, before: CallRow, after: CallRow) -> None:
    sql, old, new = named("finding"), before.terms(), after.terms()
    number = sql.number_of(connection, account_id=after.account_id)
    if number is not None:
        sql.add_terms(connection, _terms(number, after.started_at, new - old))
        unfindable(connection, after.account_id, {after.started_at: old - new})


def unfindable(
    connection: sqlite3.Connection, account_id: str, gone: Mapping[int, set[str]]
) -> None:
    """Calls that started then have these terms no more, or are no more: what has been written so.

    A term stays where another call that started then has it. Where very many did, none is looked at
    and all stay: what finds too much is no harm.
    """
    sql, drop = named("finding"), []
    number = sql.number_of(connection, account_id=account_id)
    for started_at, terms in gone.items():
        others = sql.rows_at(connection, account_id=account_id, at=started_at, most=MOST_AT_ONCE)
        rows = [call_row(row) for row in others] if terms else []
        if len(rows) < MOST_AT_ONCE:
            left = terms.difference(*(row.terms() for row in rows))
            drop += _terms(number, started_at, left)
    sql.drop_terms(connection, drop)


def _terms(account_number: int, started_at: int, terms: Iterable[str]) -> list[dict[str, Any]]:
    return [
        {"account_number": account_number, "term": term, "started_at": started_at} for term in terms
    ]


def _index(connection: sqlite3.Connection, rows: Sequence[CallRow]) -> None:
    """Take calls of before this schema in."""
    changes = next_updates(connection, [row.account_id for row in rows])
    pairs = list(zip(changes, rows, strict=True))
    make_findable(connection, [Findable(change, row.key, row.terms()) for change, row in pairs])
    named("finding").set_indexed(
        connection, [{"seq": change.seq, "call_id": row.call_id} for change, row in pairs]
    )


def index(connection: sqlite3.Connection, limit: int) -> int:
    """See ``db.history_port.History.index``; one step, in one transaction."""
    sql = named("finding")
    reached = sql.indexed_to(connection)
    if reached is None:
        return 0
    account_id, at, id_ = msgspec.json.decode(reached)
    found = sql.not_indexed(connection, account_id=account_id, at=at, id=id_, most=limit)
    rows = [call_row(row) for row in found]
    _index(connection, [row for row in rows if not row.update])
    if len(rows) < limit:
        sql.all_indexed(connection)
    else:
        last = rows[-1]
        value = msgspec.json.encode([last.account_id, *last.key]).decode()
        sql.set_indexed_to(connection, value=value)
    return len(rows)
