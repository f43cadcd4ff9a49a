"""Are the numbers of calls in each minute, hour and day what the calls themselves say?

Looked at a day of an account at a time: each in one snapshot, so that calls may be written meanwhile,
and never more in memory than a day has minutes.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

from trunkline.db.sqlite.queries import named

Width = Literal["minute", "hour", "day"]
_MINUTES: dict[Width, int] = {"minute": 1, "hour": 60, "day": 1440}
_FIRST_DAY = -10_000_000
"""Before any day that 64 bits of microseconds can tell."""


class Difference(NamedTuple):
    """A count that is not what the rows say. ``starts_at``: unix microseconds of its first moment."""

    account_id: str
    width: Width
    starts_at: int
    counted: int
    there: int


class Day(NamedTuple):
    """A day (UTC, counted from 1970) of an account that has calls or counts."""

    account_id: str
    day: int


def days(connection: sqlite3.Connection) -> Iterator[Day]:
    """Every day that has anything, account by account, oldest first."""
    sql, account_id = named("counts"), ""
    while (account_id := sql.next_account(connection, after=account_id)) is not None:
        day = _FIRST_DAY
        while (day := sql.next_day(connection, account_id=account_id, day=day)) is not None:
            yield Day(account_id, day)
            day += 1


def differences(connection: sqlite3.Connection) -> Iterator[Difference]:
    """Every count of the database that is not what the rows say."""
    for day in days(connection):
        yield from check_day(connection, day)


def check_day(connection: sqlite3.Connection, day: Day) -> list[Difference]:
    """The wrong counts of one day, read from one state of the database."""
    return _in_transaction(connection, "BEGIN", lambda: list(_wrong(connection, day)))


def repair_day(connection: sqlite3.Connection, day: Day) -> list[Difference]:
    """Make the counts of one day anew where any is wrong, in one transaction; gives what was wrong."""

    def repair() -> list[Difference]:
        wrong = list(_wrong(connection, day))
        if wrong:
            _make_anew(connection, day)
        return wrong

    return _in_transaction(connection, "BEGIN IMMEDIATE", repair)


def _in_transaction(
    connection: sqlite3.Connection, begin: str, work: Callable[[], list[Difference]]
) -> list[Difference]:
    own = not connection.in_transaction
    if own:
        connection.execute(begin)
    try:
        done = work()
    except BaseException:
        if own and connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    if own:
        connection.execute("COMMIT")
    return done


def _wrong(connection: sqlite3.Connection, day: Day) -> Iterator[Difference]:
    there = _there(connection, day)
    for width, counted in _counted(connection, day).items():
        for bucket in sorted(counted.keys() | there[width].keys()):
            said, is_ = counted.get(bucket, 0), there[width].get(bucket, 0)
            if said != is_:
                starts_at = bucket * _MINUTES[width] * 60_000_000
                yield Difference(day.account_id, width, starts_at, said, is_)


def _there(connection: sqlite3.Connection, day: Day) -> dict[Width, Counter[int]]:
    there: dict[Width, Counter[int]] = {width: Counter() for width in _MINUTES}
    for minute, n in named("counts").calls_by_minute(connection, **day._asdict()):
        for width, minutes in _MINUTES.items():
            there[width][minute // minutes] += n
    return there


def _counted(connection: sqlite3.Connection, day: Day) -> dict[Width, dict[int, int]]:
    sql = named("counts")
    queries: dict[Width, Any] = {
        "minute": sql.minutes_of, "hour": sql.hours_of, "day": sql.day_of,
    }  # fmt: skip
    return {width: dict(query(connection, **day._asdict())) for width, query in queries.items()}


def _make_anew(connection: sqlite3.Connection, day: Day) -> None:
    sql = named("counts")
    for forget in (sql.drop_minutes, sql.drop_hours, sql.drop_day):
        forget(connection, **day._asdict())
    adds: dict[Width, Any] = {"minute": sql.add_minute, "hour": sql.add_hour, "day": sql.add_day}
    for width, buckets in _there(connection, day).items():
        for bucket, n in buckets.items():
            adds[width](connection, account_id=day.account_id, bucket=bucket, n=n)
