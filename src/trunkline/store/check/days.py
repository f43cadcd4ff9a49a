"""The days of each account."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import sqlalchemy as sa

from trunkline.history.sums import QUARTER
from trunkline.store import tables
from trunkline.store.check.steps import Steps
from trunkline.store.common.spans import DAY, HOUR, MINUTE

_FIRST = -10_000_000
"""Before any day that 64 bits of microseconds can tell."""

COUNTS: dict[str, tuple[sa.Table, int]] = {
    "minute": (tables.call_counts_minute, MINUTE),
    "hour": (tables.call_counts_hour, HOUR),
    "day": (tables.call_counts_day, DAY),
}
"""The tables of counts, and how many microseconds are one in them."""


class Day(NamedTuple):
    """A day (UTC, counted from 1970) of an account that has calls, or something kept of them."""

    account_id: str
    day: int

    def buckets(self, width: int) -> tuple[int, int]:
        """[first, last) of those that it has of a width in microseconds."""
        return self.day * (DAY // width), (self.day + 1) * (DAY // width)


def accounts(steps: Steps) -> Iterator[str]:
    """Every account that has calls, or something kept of them, in the order of ids."""
    after: str | None = ""
    kept = (tables.calls, tables.call_stats, *(table for table, _ in COUNTS.values()))
    while True:
        firsts = [
            sa.select(sa.func.min(t.c.account_id).label("id")).where(t.c.account_id > after)
            for t in kept
        ]
        with steps.read() as connection:
            first = sa.union_all(*firsts).subquery()
            after = connection.scalar(sa.select(sa.func.min(first.c.id)))
        if after is None:
            return
        yield after


def days(steps: Steps) -> Iterator[Day]:
    """Every day that has anything, account by account, oldest first."""
    for account_id in accounts(steps):
        day: int | None = _FIRST
        while day is not None:
            with steps.read() as connection:
                day = _next(connection, Day(account_id, day))
            if day is not None:
                yield Day(account_id, day)
                day += 1


def _next(connection: sa.Connection, day: Day) -> int | None:
    """The first day from this one on that has anything."""
    calls, stats = tables.calls.c, tables.call_stats.c
    columns = [
        (calls.started_at, 1, [calls.account_id == day.account_id]),
        *(
            (table.c.bucket, width, [table.c.account_id == day.account_id])
            for table, width in COUNTS.values()
        ),
        (
            stats.bucket,
            QUARTER,
            [stats.account_id == day.account_id, stats.width == 900, stats.dimension == "all"],
        ),
    ]
    found = []
    for column, width, where in columns:
        earliest = sa.select(sa.func.min(column)).where(*where, column >= day.buckets(width)[0])
        first = connection.scalar(earliest)
        if first is not None:
            found.append(first * width // DAY)
    return min(found, default=None)
