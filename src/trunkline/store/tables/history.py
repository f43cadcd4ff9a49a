"""The calls: every record, and what finds and sums them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import BigInteger, Column, Integer, Text

from trunkline.store.common.call_columns import COLUMNS, Kind
from trunkline.store.common.call_columns import Column as OfRecord
from trunkline.store.tables.columns import flag, metadata, text, time

_TYPES: dict[Kind, type[sa.types.TypeEngine[Any]]] = {
    "text": Text,
    "number": Integer,
    "time": BigInteger,
}
_KEY = ("account_id", "started_at", "id")


def _of_record(column: OfRecord) -> sa.Column[Any]:
    if column.kind == "flag":
        return flag(column.name, False)
    return Column(
        column.name,
        _TYPES[column.kind],
        primary_key=column.name in _KEY,
        nullable=column.nullable,
        server_default="" if column.defaults else None,
    )


calls = sa.Table(
    "calls",
    metadata,
    *map(_of_record, COLUMNS),
    time("updated_at"),
    text("note"),
    text("tags"),  # comma-separated
    # the number of the last change, counted in accounts.last_update; 0: not indexed yet
    Column("update_seq", BigInteger, nullable=False, server_default="0"),
    sa.UniqueConstraint("id"),
    sqlite_with_rowid=False,
)


def _counts(width: str) -> sa.Table:
    return sa.Table(
        f"call_counts_{width}",
        metadata,
        Column("account_id", Text, primary_key=True),
        Column("bucket", BigInteger, primary_key=True),  # started_at divided by the width
        Column("n", BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )


# What calls are found by, history/terms.py: a call that started then has the term. Some rows may be left of
# calls that are no more, or have it no more; no call lacks one.
call_terms = sa.Table(
    "call_terms",
    metadata,
    Column("account_number", Integer, primary_key=True, autoincrement=False),
    Column("term", Text().with_variant(Text(collation="C"), "postgresql"), primary_key=True),
    Column("started_at", BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

# Each call once, by its last change. A table, and no index of calls: that may be partitioned.
call_updates = sa.Table(
    "call_updates",
    metadata,
    Column("account_number", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    time("started_at"),
    Column("call_id", Text, nullable=False),
    sqlite_with_rowid=False,
)

# Calls on legal hold: their records, recordings, facts and events stay.
call_holds = sa.Table(
    "call_holds",
    metadata,
    Column("call_id", Text().with_variant(Text(collation="C"), "postgresql"), primary_key=True),
    Column("account_id", Text, nullable=False),
    time("started_at"),
    time("held_at"),
    sa.Index(None, "account_id", "started_at", "call_id"),
)

call_counts_minute = _counts("minute")
call_counts_hour = _counts("hour")
call_counts_day = _counts("day")

STAT_SUMS = (
    "calls",
    "outgoing",  # that the user made; of all else: from_ab
    "answered",
    "busy",
    "unanswered",
    "cancelled",
    "ivr",
    "rang",  # calls with ring_seconds
    "talk_seconds",
    "ring_seconds",
    "duration_seconds",
    "longest_talk_seconds",  # the greatest of them, all others are sums
)

# What calls came to, by the time of their start. A call is in it at each width, under ``all`` (its key is
# class/direction/status_detail), each of its users, its DID and its trunk. Rows outlive the calls.
call_stats = sa.Table(
    "call_stats",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("width", Integer, primary_key=True, autoincrement=False),  # seconds: 900, 10800, 86400
    Column("dimension", Text, primary_key=True),
    Column("bucket", BigInteger, primary_key=True, autoincrement=False),  # started_at / width
    Column("key", Text, primary_key=True),
    *(Column(name, BigInteger, nullable=False) for name in STAT_SUMS),
    sqlite_with_rowid=False,
)

# Accounts that have calls of before there were statistics: those that started before
# ``counted_from`` are in none yet, and the row goes with the last of them.
call_stats_marks = sa.Table(
    "call_stats_marks",
    metadata,
    Column("account_id", Text, primary_key=True),
    time("counted_from"),
    sqlite_with_rowid=False,
)
