"""The finished calls: writing one, and reading any page of them at the cost of the first.

Beside ``calls`` stand the numbers of calls in each minute, hour and day of each account. A window is
covered by the widest whole buckets that fit in it, and by rows only where it cuts a minute; their
sum is the exact total. Going through them newest first until the page's offset is passed, and
through the finer buckets of the one that holds it, leads to one minute: rows are skipped only there.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

from trunkline.calls.record import CallRecord
from trunkline.db.history_port import CallKey
from trunkline.db.history_rows import call_columns, call_terms, history_row
from trunkline.db.port import Page
from trunkline.db.spans import DAY, HOUR, MINUTE, WIDTHS, Span, cover
from trunkline.db.sqlite.marking import made_findable, next_update
from trunkline.db.sqlite.queries import named
from trunkline.db.sqlite.statistics import count_call


def write_call(connection: sqlite3.Connection, record: CallRecord, now: int) -> bool:
    """Write a finished call and count it; False, and nothing is changed, if it is there already.

    The only function that writes ``calls``: the counts must always agree with it.
    """
    sql, seq = named("history"), next_update(connection, record.account_id)
    if not sql.add_call(connection, **call_columns(record), updated_at=now, update_seq=seq):
        return False
    key = CallKey(record.started_at, record.call_id)
    made_findable(connection, record.account_id, key, call_terms(record), seq)
    for count, width in ((sql.count_minute, MINUTE), (sql.count_hour, HOUR), (sql.count_day, DAY)):
        count(connection, account_id=record.account_id, bucket=record.started_at // width)
    count_call(connection, record)
    return True


class Place(NamedTuple):
    """Where a page begins: skip so many calls of those that started in [low, high)."""

    level: int
    low: int
    high: int
    skip: int


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
        rows = self._sql.rows(
            self._connection,
            account_id=self._account_id,
            low=start,
            high=place.high,
            limit=limit,
            skip=place.skip,
        )
        return Page(total, [history_row(*row) for row in rows])

    def total(self, start: int, end: int) -> int:
        """How many calls started in [start, end)."""
        return sum(n for span in cover(start, end) for _, _, n in self._counted(span))

    def _locate(self, start: int, end: int, offset: int) -> tuple[int, Place | None]:
        """The number of calls in the window, and the step that holds the one at ``offset``."""
        total, place = 0, None
        for span in cover(start, end):
            for low, high, n in self._counted(span):
                if place is None and total + n > offset:
                    place = Place(span.level, low, high, offset - total)
                total += n
        return total, place

    def _narrowed(self, place: Place) -> Place:
        """The same place, found one level finer."""
        skip = place.skip
        for low, high, n in self._counted(Span(place.level - 1, place.low, place.high)):
            if n > skip:
                return Place(place.level - 1, low, high, skip)
            skip -= n
        raise AssertionError(f"the counts of {place} do not agree with each other")

    def _counted(self, span: Span) -> Iterator[tuple[int, int, int]]:
        """(low, high, number of calls) of each step of the span that has any, newest first."""
        if span.level == 0:
            n = self._sql.calls_between(
                self._connection, account_id=self._account_id, low=span.low, high=span.high
            )
            return iter([(span.low, span.high, n)])
        width = WIDTHS[span.level]
        counts = (self._sql.minutes, self._sql.hours, self._sql.days)[span.level - 1]
        rows = counts(
            self._connection,
            account_id=self._account_id,
            low=span.low // width,
            high=span.high // width,
        )
        return ((bucket * width, (bucket + 1) * width, n) for bucket, n in rows)
