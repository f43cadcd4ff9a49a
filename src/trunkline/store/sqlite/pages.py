"""Reading any page of the finished calls at the cost of the first.

Beside ``calls`` stand the numbers of calls in each minute, hour and day of each account. A window is
covered by the widest whole buckets that fit in it, and by rows only where it cuts a minute; their
sum is the exact total. Going through them newest first until the page's offset is passed, and
through the finer buckets of the one that holds it, leads to one minute: rows are skipped only there.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, NamedTuple

from trunkline.history.row import history_row
from trunkline.store.common.spans import WIDTHS, CountedSpan, cover
from trunkline.store.ports.database import Page
from trunkline.store.ports.history import FIRST, LAST
from trunkline.store.sqlite.queries import named


async def read_page(
    connection: sqlite3.Connection, account_id: str, start: int, end: int, limit: int, page: int
) -> Page:
    low, high = max(start, FIRST), min(end, LAST)
    return _Pages(connection, account_id).page(low, high, limit, page)


async def read_total(connection: sqlite3.Connection, account_id: str, start: int, end: int) -> int:
    return _Pages(connection, account_id).total(start, end)


class PageStart(NamedTuple):
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


class _Pages:
    """Of one account on one connection, inside its transaction."""

    def __init__(self, connection: sqlite3.Connection, account_id: str) -> None:
        self._connection = connection
        self._account_id = account_id
        self._sql = named("history")

    def page(self, start: int, end: int, limit: int, page: int) -> Page:
        """Page ``page`` (from 1) of the calls that started in [start, end), newest first."""
        total, begin = self._locate(start, end, (page - 1) * limit)
        if begin is None:
            return Page(total, [])
        while begin.level > 1:
            begin = self._narrowed(begin)
        rows = self._all(self._sql.rows, low=start, high=begin.high, limit=limit, skip=begin.skip)
        return Page(total, [history_row(*row) for row in rows])

    def total(self, start: int, end: int) -> int:
        return sum(self._counts(list(cover(start, end))))

    def _locate(self, start: int, end: int, offset: int) -> tuple[int, PageStart | None]:
        """The number of calls in the window, and the span that holds the one at ``offset``."""
        spans = list(cover(start, end))
        counts, begin, before = self._counts(spans), None, 0
        for span, n in zip(spans, counts, strict=True):
            if begin is None and before + n > offset:
                begin = PageStart(span.level + 1, span.low, span.high, offset - before)
            before += n
        return before, begin

    def _counts(self, spans: Sequence[CountedSpan]) -> list[int]:
        """How many calls started in each of the spans of a window."""
        given, slots = {**_NOTHING}, []
        for span in spans:
            slot = span.level if span.level not in slots else _SPANS - 1 - span.level
            width = WIDTHS[span.level]
            given[f"low_{slot}"], given[f"high_{slot}"] = span.low // width, span.high // width
            slots.append(slot)
        (counts,) = self._all(self._sql.counts, **given)
        return [counts[slot] for slot in slots]

    def _narrowed(self, begin: PageStart) -> PageStart:
        """The same one, found one level finer."""
        level, skip = begin.level - 1, begin.skip
        width = WIDTHS[level]
        steps = (self._sql.minutes, self._sql.hours, self._sql.days)[level - 1]
        for step, n in self._all(steps, low=begin.low // width, high=begin.high // width):
            if n > skip:
                return PageStart(level, step * width, (step + 1) * width, skip)
            skip -= n
        raise AssertionError(f"the counts of {begin} do not agree with each other")

    def _all(self, query: Any, **parameters: int) -> list[Any]:
        """All rows in one go: aiosql would hand them on one by one."""
        given = {"account_id": self._account_id, **parameters}
        return self._connection.execute(query.sql, given).fetchall()
