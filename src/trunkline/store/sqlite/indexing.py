"""What finished calls are found by, and their place in the order of changes."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from typing import NamedTuple

from trunkline.store.ports.history import CallKey, CallRow
from trunkline.store.sqlite.queries import named


class Change(NamedTuple):
    """The number of a change of a call, and that of its account. 0: the account is no more."""

    seq: int
    account_number: int


async def next_updates(connection: sqlite3.Connection, account_ids: Sequence[str]) -> list[Change]:
    """A change for each, in their order, of its account."""
    given: dict[str, Iterator[Change]] = {}
    for account_id, n in Counter(account_ids).items():
        taken = await named("marking").next_updates(connection, account_id=account_id, n=n)
        given[account_id] = _changes(n, *taken) if taken else repeat(Change(0, 0))
    return [next(given[account_id]) for account_id in account_ids]


def _changes(n: int, last: int, account_number: int) -> Iterator[Change]:
    return (Change(seq, account_number) for seq in range(last - n + 1, last + 1))


class Findable(NamedTuple):
    """A call that has just been written with this number; 0: nobody can ask for it."""

    change: Change
    key: CallKey
    terms: set[str]


async def make_findable(connection: sqlite3.Connection, calls: Iterable[Findable]) -> None:
    """Calls are found by their terms, and are in the order of changes.

    Terms go in in their order, so that each page is written once.
    """
    numbers = []
    terms: list[tuple[int, str, int]] = []
    for change, key, found_by in calls:
        if change.seq:
            numbers.append({**change._asdict(), **key._asdict()})
            terms += ((change.account_number, term, key.started_at) for term in found_by)
    await add_terms(connection, sorted(terms))
    await named("marking").add_updates(connection, numbers)


async def index_calls(connection: sqlite3.Connection, rows: Sequence[CallRow]) -> None:
    changes = await next_updates(connection, [row.account_id for row in rows])
    pairs = list(zip(changes, rows, strict=True))
    findable = [Findable(change, row.key, row.terms()) for change, row in pairs]
    await make_findable(connection, findable)
    await named("marking").set_indexed(
        connection, [{"seq": change.seq, "call_id": row.call_id} for change, row in pairs]
    )


async def add_terms(connection: sqlite3.Connection, terms: Sequence[tuple[int, str, int]]) -> None:
    await named("marking").add_terms(
        connection,
        [{"account_number": number, "term": term, "started_at": at} for number, term, at in terms],
    )


async def drop_terms(
    connection: sqlite3.Connection, account_number: int, terms: Sequence[tuple[str, int]]
) -> None:
    await named("marking").drop_terms(
        connection,
        [{"account_number": account_number, "term": term, "started_at": at} for term, at in terms],
    )
