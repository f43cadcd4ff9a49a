"""The rows that calls came to, written once more by the bare driver: the baseline of ingest."""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import asyncpg
import psycopg
import sqlalchemy as sa

from trunkline.store import tables
from trunkline.store.postgres.partitions import Month, attaching
from trunkline.store.postgres.schema import upgrade as upgrade_server
from trunkline.store.sqlite.connect import connect_writer
from trunkline.store.sqlite.schema import upgrade as upgrade_file

from .kept import Kept
from .naive import Naive
from .office import END

_TABLES = (
    (tables.journal, "call_id"),
    (tables.events, "call_id"),
    (tables.calls, "id"),
    (tables.recordings, "call_id"),
    (tables.webhook_deliveries, "call_id"),
)
Rows = list[tuple[Any, ...]]


class BareRows:
    """Empty tables of the same schema on the same kind of database, and on the same disk."""

    def __init__(self, kept: Kept) -> None:
        self._kept = kept
        self._name = f"bare_{secrets.token_hex(4)}"
        self._folder = tempfile.TemporaryDirectory(prefix="bare-", dir=kept.data)
        self._file = Path(self._folder.name) / "bare.db"
        self._url = ""

    async def __aenter__(self) -> Self:
        if isinstance(self._kept.place, Path):
            await asyncio.to_thread(upgrade_file, self._file)
            return self
        self._execute(f"CREATE DATABASE {self._name} TEMPLATE template0")
        self._url = urlsplit(self._kept.place)._replace(path=f"/{self._name}").geturl()
        await asyncio.to_thread(upgrade_server, self._url)
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(attaching(Month(Month.of(END - 1) or 0)).encode())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if self._url:
            self._execute(f"DROP DATABASE {self._name} WITH (FORCE)")
        self._folder.cleanup()

    async def written(self, call_ids: Sequence[str], commits: int) -> float:
        """Seconds for the rows of these calls, in so many transactions."""
        rows = await asyncio.to_thread(self._rows_of, call_ids)
        assert len(rows[2]) == len(call_ids), (len(rows[2]), len(call_ids))
        parts = [[each[n::commits] for each in rows] for n in range(commits)]
        if self._url:
            return await self._to_server(parts)
        return await asyncio.to_thread(self._to_file, parts)

    def _rows_of(self, call_ids: Sequence[str]) -> list[Rows]:
        plain = Naive(self._kept)
        with plain.closing():
            return [self._read(plain, table, column, call_ids) for table, column in _TABLES]

    def _read(self, plain: Naive, table: sa.Table, column: str, call_ids: Sequence[str]) -> Rows:
        columns = ", ".join(f'"{each.name}"' for each in table.columns)
        found: Rows = []
        for start in range(0, len(call_ids), 500):
            some = call_ids[start : start + 500]
            marks = ", ".join("?" * len(some))
            where = f"{column} IN ({marks})"
            if table is tables.calls and self._url:  # no part of it has an index on the id alone
                where = f"(account_id, started_at, id) IN (SELECT account_id, started_at, id FROM call_ids WHERE id IN ({marks}))"
            found += plain.all(f'SELECT {columns} FROM "{table.name}" WHERE {where}', *some)
        return found

    def _to_file(self, parts: list[list[Rows]]) -> float:
        with closing(connect_writer(self._file)) as connection:
            connection.execute("PRAGMA foreign_keys = OFF")
            began = time.perf_counter()
            for part in parts:
                connection.execute("BEGIN IMMEDIATE")
                self._insert(connection, part)
                connection.execute("COMMIT")
            return time.perf_counter() - began

    def _insert(self, connection: sqlite3.Connection, part: list[Rows]) -> None:
        for (table, _), rows in zip(_TABLES, part, strict=True):
            marks = ", ".join("?" * len(table.columns))
            columns = ", ".join(f'"{each.name}"' for each in table.columns)
            connection.executemany(f'INSERT INTO "{table.name}" ({columns}) VALUES ({marks})', rows)

    async def _to_server(self, parts: list[list[Rows]]) -> float:
        connection: Any = await asyncpg.connect(self._url)
        await connection.execute("SET session_replication_role = replica")  # no foreign keys
        began = time.perf_counter()
        for part in parts:
            async with connection.transaction():
                for (table, _), rows in zip(_TABLES, part, strict=True):
                    columns = [each.name for each in table.columns]
                    await connection.copy_records_to_table(
                        table.name, records=rows, columns=columns
                    )
        seconds = time.perf_counter() - began
        await connection.close()
        return seconds

    def _execute(self, statement: str) -> None:
        assert isinstance(self._kept.place, str)
        with psycopg.connect(self._kept.place, autocommit=True) as connection:
            connection.execute(statement.encode())
