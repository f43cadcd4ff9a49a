"""The same calls on PostgreSQL: every row of the SQLite database by COPY, in the order of its key.

So both hold the same, and a row goes to the end of its index. Nothing is synchronised on the way;
what was not finished is made anew.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import sqlalchemy as sa

from trunkline.store import tables
from trunkline.store.postgres.partitions import Month, make
from trunkline.store.postgres.schema import upgrade

from .cluster import KeptCluster
from .sqlite_file import say

_LATER_MONTHS = 1
_IDS = "SELECT id, account_id, started_at FROM calls ORDER BY id"


def copied(cluster: KeptCluster, file: Path, mark: Path) -> str:
    """The name of the database, made now unless ``mark`` says that it is there."""
    name = f"calls_{mark.parent.name.partition('-')[0]}"
    if not mark.exists():
        with cluster.running(durable=False):
            cluster.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            cluster.execute(f"CREATE DATABASE {name} TEMPLATE template0")
            upgrade(cluster.url(name))
            asyncio.run(_copy(file, cluster.url(name)))
            say("vacuuming and analysing")
            cluster.execute("VACUUM (FREEZE, ANALYZE)", name)
            cluster.execute("CHECKPOINT", name)
        mark.write_text(name)
    return name


async def _copy(file: Path, url: str) -> None:
    connection = await asyncpg.connect(url)
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as source:
        await _make_months(connection, source)
        await connection.execute("DELETE FROM meta")
        for table in tables.metadata.sorted_tables:
            await _copy_table(connection, source, table)
        columns = ["id", "account_id", "started_at"]
        ids = source.execute(_IDS)
        await connection.copy_records_to_table("call_ids", records=ids, columns=columns)
    await connection.close()


async def _make_months(connection: Any, source: sqlite3.Connection) -> None:
    first, last = source.execute("SELECT min(started_at), max(started_at) FROM calls").fetchone()
    for number in range(Month.of(first) or 0, (Month.of(last) or 0) + _LATER_MONTHS + 1):
        async with connection.transaction():
            await make(connection, Month(number))


async def _copy_table(connection: Any, source: sqlite3.Connection, table: sa.Table) -> None:
    began = time.monotonic()
    names = [column.name for column in table.columns]
    listed = ", ".join(f'"{name}"' for name in names)
    key = ", ".join(f'"{column.name}"' for column in table.primary_key)
    rows = source.execute(f'SELECT {listed} FROM "{table.name}" ORDER BY {key}')
    flags = [n for n, column in enumerate(table.columns) if isinstance(column.type, sa.Boolean)]
    records = map(partial(_with_flags, flags), rows) if flags else rows
    done = await connection.copy_records_to_table(table.name, records=records, columns=names)
    say(f"{table.name}: {done} in {time.monotonic() - began:.0f} s")
    counter = table.autoincrement_column
    if counter is not None and counter.name == "id":
        await connection.execute(
            f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), max(id)) FROM {table.name}"
            " HAVING max(id) IS NOT NULL"
        )


def _with_flags(flags: list[int], row: tuple[Any, ...]) -> tuple[Any, ...]:
    values: Iterator[Any] = (
        bool(value) if n in flags and value is not None else value for n, value in enumerate(row)
    )
    return tuple(values)
