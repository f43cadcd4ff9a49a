"""The numbers of calls in each minute, hour and day: what history's totals are made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import sqlalchemy as sa

from trunkline.store import tables
from trunkline.store.check.days import COUNTS, Day
from trunkline.store.check.steps import Difference, Steps
from trunkline.store.common.spans import MINUTE


def check(steps: Steps, day: Day) -> list[Difference]:
    """The wrong counts of a day."""
    with steps.read() as connection:
        wrong = list(_wrong(connection, day))
    if not wrong or not steps.repair:
        return wrong
    with steps.write(day.account_id) as connection:
        wrong = list(_wrong(connection, day))
        _make_anew(connection, day)
    return wrong


def _wrong(connection: sa.Connection, day: Day) -> Iterator[Difference]:
    there = _there(connection, day)
    for width, (table, step) in COUNTS.items():
        kept = sa.select(table.c.bucket, table.c.n).where(*_of_day(table, day, step))
        counted = {row.bucket: row.n for row in connection.execute(kept)}
        for bucket in sorted(counted.keys() | there[width].keys()):
            said, is_ = counted.get(bucket, 0), there[width].get(bucket, 0)
            if said != is_:
                yield Difference(day.account_id, "calls", width, bucket * step, said, is_)


def _there(connection: sa.Connection, day: Day) -> dict[str, Counter[int]]:
    calls, (low, high) = tables.calls.c, day.buckets(1)
    minute = (calls.started_at - low) // MINUTE
    grouped = (
        sa.select(minute.label("minute"), sa.func.count())
        .where(calls.account_id == day.account_id, calls.started_at >= low, calls.started_at < high)
        .group_by("minute")
    )
    there: dict[str, Counter[int]] = {width: Counter() for width in COUNTS}
    for offset, n in connection.execute(grouped):
        for width, (_, step) in COUNTS.items():
            there[width][(low + int(offset) * MINUTE) // step] += n
    return there


def _make_anew(connection: sa.Connection, day: Day) -> None:
    for width, buckets in _there(connection, day).items():
        table, step = COUNTS[width]
        connection.execute(table.delete().where(*_of_day(table, day, step)))
        rows = [
            {"account_id": day.account_id, "bucket": bucket, "n": n}
            for bucket, n in buckets.items()
        ]
        if rows:
            connection.execute(table.insert(), rows)


def _of_day(table: sa.Table, day: Day, step: int) -> list[sa.ColumnElement[bool]]:
    low, high = day.buckets(step)
    return [
        table.c.account_id == day.account_id,
        table.c.bucket >= low,
        table.c.bucket < high,
    ]
