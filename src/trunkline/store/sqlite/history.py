"""The finished calls: writing one, and reading any page of them at the cost of the first.

Beside ``calls`` stand the numbers of calls in each minute, hour and day of each account. A window is
covered by the widest whole buckets that fit in it, and by rows only where it cuts a minute; their
sum is the exact total. Going through them newest first until the page's offset is passed, and
through the finer buckets of the one that holds it, leads to one minute: rows are skipped only there.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from trunkline.calls.record import CallRecord
from trunkline.history.row import history_row
from trunkline.store.common.call_columns import columns_of
from trunkline.store.common.history_rows import call_terms
from trunkline.store.common.spans import DAY, HOUR, MINUTE, WIDTHS, Span, cover
from trunkline.store.ports.database import Page
from trunkline.store.ports.history import CallKey
from trunkline.store.sqlite.marking import Change, Findable, make_findable, next_updates
from trunkline.store.sqlite.queries import named
from trunkline.store.sqlite.statistics import count_calls


def write_call(connection: sqlite3.Connection, record: CallRecord, now: int) -> bool:
    """Write a finished call and count it; False, and nothing is changed, if it is there already."""
    return bool(write_calls(connection, [record], now))


def write_calls(
    connection: sqlite3.Connection, records: Sequence[CallRecord], now: int
) -> set[str]:
    """Write finished calls and count them; gives the ids that were new.

    Of one that is there already, or twice among them, nothing is changed. The only function that
    writes ``calls``: the counts must always agree with it.
    """
    new = _new(connection, records)
    if new:
        changes = next_updates(connection, [record.account_id for record in new])
        _add(connection, new, changes, now)
        make_findable(
            connection,
            [
                Findable(change, CallKey(record.started_at, record.call_id), call_terms(record))
                for record, change in zip(new, changes, strict=True)
            ],
        )
        _count(connection, new)
        count_calls(connection, new)
    return {record.call_id for record in new}


def _new(connection: sqlite3.Connection, records: Sequence[CallRecord]) -> list[CallRecord]:
    """Those that are not there yet, each once."""
    by_id = {record.call_id: record for record in reversed(records)}
    ids = msgspec.json.encode(list(by_id)).decode()
    there = {id_ for (id_,) in named("history").ids_there(connection, ids=ids)}
    return [by_id[id_] for id_ in reversed(by_id) if id_ not in there]


def _add(
    connection: sqlite3.Connection,
    records: Sequence[CallRecord],
    changes: Sequence[Change],
    now: int,
) -> None:
    named("history").add_calls(
        connection,
        [
            {**columns_of(record), "updated_at": now, "update_seq": change.seq}
            for record, change in zip(records, changes, strict=True)
        ],
    )


def _count(connection: sqlite3.Connection, records: Sequence[CallRecord]) -> None:
    sql = named("history")
    for count, width in ((sql.count_minute, MINUTE), (sql.count_hour, HOUR), (sql.count_day, DAY)):
        counted = Counter((record.account_id, record.started_at // width) for record in records)
        count(
            connection,
            [
                {"account_id": account_id, "bucket": bucket, "n": n}
                for (account_id, bucket), n in sorted(counted.items())
            ],
        )


class Place(NamedTuple):
    """Where a page begins: skip so many calls of those that started in [low, high).

    That is one step of ``level``, or some steps of the next finer one.
    """

    level: int
    low: int
    high: int
    skip: int


_SPANS = 7
"""More are never needed: rows, minutes, hours, days, hours, minutes, rows."""
_NOTHING = {f"{end}_{slot}": 0 for slot in range(_SPANS) for end in ("low", "high")}


class History:
    """Reads the pages of one account on one connection, inside its transaction."""

    def __init__(self, connection: sqlite3.Connection, account_id: str) -> None:
        self._connection = connection
        self._account_id = account_id
        self._sql = named("history")

    def page(self, start: int, end: int, limit: int, page: int) -> Page:
        """Page ``page`` (from 1) of the calls that started in [start, end), newest first."""
        total, place = self._locate(start, end, (page - 1) * limit)
        if place is None:
            return Page(total, [])
        while place.level > 1:
            place = self._narrowed(place)
        rows = self._all(self._sql.rows, low=start, high=place.high, limit=limit, skip=place.skip)
        return Page(total, [history_row(*row) for row in rows])

    def total(self, start: int, end: int) -> int:
        """How many calls started in [start, end)."""
        return sum(self._counts(list(cover(start, end))))

    def _locate(self, start: int, end: int, offset: int) -> tuple[int, Place | None]:
        """The number of calls in the window, and the span that holds the one at ``offset``."""
        spans = list(cover(start, end))
        counts, place, before = self._counts(spans), None, 0
        for span, n in zip(spans, counts, strict=True):
            if place is None and before + n > offset:
                place = Place(span.level + 1, span.low, span.high, offset - before)
            before += n
        return before, place

    def _counts(self, spans: Sequence[Span]) -> list[int]:
        """How many calls started in each of the spans of a window."""
        given, slots = {**_NOTHING}, []
        for span in spans:
            slot = span.level if span.level not in slots else _SPANS - 1 - span.level
            width = WIDTHS[span.level]
            given[f"low_{slot}"], given[f"high_{slot}"] = span.low // width, span.high // width
            slots.append(slot)
        (counts,) = self._all(self._sql.counts, **given)
        return [counts[slot] for slot in slots]

    def _narrowed(self, place: Place) -> Place:
        """The same place, found one level finer."""
        level, skip = place.level - 1, place.skip
        width = WIDTHS[level]
        steps = (self._sql.minutes, self._sql.hours, self._sql.days)[level - 1]
        for step, n in self._all(steps, low=place.low // width, high=place.high // width):
            if n > skip:
                return Place(level, step * width, (step + 1) * width, skip)
            skip -= n
        raise AssertionError(f"the counts of {place} do not agree with each other")

    def _all(self, query: Any, **parameters: int) -> list[Any]:
        """All rows in one go: aiosql would hand them on one by one."""
        given = {"account_id": self._account_id, **parameters}
        return self._connection.execute(query.sql, given).fetchall()
