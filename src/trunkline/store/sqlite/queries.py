"""The SQL written by hand: every statement has its name and its sentence in ``sql/*.sql``.

What is common to both databases is said in PostgreSQL's words. Here, types of parameters and row locks
are left out (there is one writer), and an array is a JSON text.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Coroutine, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

import aiosql
import msgspec

from trunkline.store.common.sql_text import statements

T = TypeVar("T")

SLOTS = {
    "{call_ids}": "calls",
    "{calls c}": "calls c",
    "{from the month of last_at}": "",
    "{to the month of at}": "",
    "{devices of u}": """(SELECT group_concat(r.sip_user, '&') FROM
           (SELECT d.sip_user FROM devices d WHERE d.user_id = u.id AND d.enabled
            ORDER BY d.created_at, d.id) r)""",
    "{raws of r}": """coalesce((
    SELECT group_concat(f.raw, ' ') FROM recording_files f WHERE f.recording_id = r.id AND NOT EXISTS (
        SELECT 1 FROM recording_files o JOIN recordings e ON e.id = o.recording_id
        WHERE o.raw = f.raw AND e.id <> r.id AND e.state = 'pending')), '')""",
    "{account of j}": "json_extract(CAST(j.fact AS TEXT), '$.account_id')",
}

_ARRAY = re.compile(r":(\w+)::\w+\[\]")
_OTHERWISE = tuple(
    (re.compile(theirs), ours)
    for theirs, ours in (
        (r"= ANY ?\((:\w+)::\w+\[\]\)", r"IN (SELECT value FROM json_each(\1))"),
        (r"<> ALL ?\((:\w+)::\w+\[\]\)", r"NOT IN (SELECT value FROM json_each(\1))"),
        (
            r"unnest\((:\w+)::\w+\[\]\) AS (\w+) \((\w+)\)",
            r"(SELECT value AS \3 FROM json_each(\1)) AS \2",
        ),
        (r"::\w+(\[\])?", ""),
        (r"\s+FOR (NO KEY )?UPDATE( OF \w+)?", ""),
        (r'\s+COLLATE "C"', ""),
        (r"\bgreatest\(", "max("),
    )
)
_encode = msgspec.json.Encoder().encode


class _Adapter:
    """What each statement gives is awaited, and is there at once."""

    def __init__(self) -> None:
        self._arrays: dict[str, frozenset[str]] = {}

    def process_sql(self, name: str, _: Any, sql: str) -> str:
        self._arrays[name] = frozenset(_ARRAY.findall(sql))
        for theirs, ours in _OTHERWISE:
            sql = theirs.sub(ours, sql)
        return sql

    async def select(
        self, connection: sqlite3.Connection, name: str, sql: str, given: Mapping[str, Any], *_: Any
    ) -> list[Any]:
        return connection.execute(sql, self._given(name, given)).fetchall()

    async def select_one(
        self, connection: sqlite3.Connection, name: str, sql: str, given: Mapping[str, Any], *_: Any
    ) -> Any:
        return connection.execute(sql, self._given(name, given)).fetchone()

    async def select_value(
        self, connection: sqlite3.Connection, name: str, sql: str, given: Mapping[str, Any]
    ) -> Any:
        row = connection.execute(sql, self._given(name, given)).fetchone()
        return None if row is None else row[0]

    async def insert_update_delete(
        self, connection: sqlite3.Connection, name: str, sql: str, given: Mapping[str, Any]
    ) -> int:
        """How many rows were changed."""
        return connection.execute(sql, self._given(name, given)).rowcount

    async def insert_update_delete_many(
        self, connection: sqlite3.Connection, _: str, sql: str, rows: Sequence[Mapping[str, Any]]
    ) -> int:
        return connection.executemany(sql, rows).rowcount

    def _given(self, name: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
        if not (arrays := self._arrays[name]):
            return given
        return {**given, **{each: array(given[each]) for each in arrays}}


def array(values: Sequence[Any] | None) -> str | None:
    """An array as statements take it."""
    return None if values is None else _encode(values).decode()


@cache
def named(subject: str) -> Any:
    return aiosql.from_str(statements(subject, __package__, SLOTS), _Adapter)  # type: ignore[arg-type]


def driven(work: Coroutine[Any, Any, T]) -> T:
    """What a coroutine gives that awaits nothing but SQLite: it is never suspended."""
    try:
        work.send(None)
    except StopIteration as ended:
        given: T = ended.value
        return given
    work.close()
    raise RuntimeError(f"{work} waits for something else than SQLite, amid a transaction")
