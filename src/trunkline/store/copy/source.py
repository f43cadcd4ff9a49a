"""Reading the SQLite database that is copied, beside the server that goes on writing it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from trunkline.store.copy import capture
from trunkline.store.copy.port import Chunk, Copied, Key, Table
from trunkline.store.copy.rows import Shape
from trunkline.store.migrations import revisions
from trunkline.store.ports.database import DatabaseUnavailable, DatabaseUnusable
from trunkline.store.sqlite import copy_marks
from trunkline.store.sqlite.connect import connect_reader, connect_writer
from trunkline.store.sqlite.schema import revision
from trunkline.store.sqlite.writer import unavailable

ROWS = 20_000
"""Rows in a chunk at most."""
BYTES = 16 << 20
"""And about so many bytes: they are in memory."""
FORGET = 5_000
"""Changes forgotten in one transaction: for so long, others who write wait."""
_BY_MONTHS = {"calls": "started_at"}
"""Tables that PostgreSQL keeps by months, and of which column."""

_decode = msgspec.json.Decoder(list[Any]).decode


class SqliteSource:
    """The database in a file (see ``copy.port.Source``)."""

    def __init__(self, path: Path) -> None:
        """Raises DatabaseUnusable unless it is of this program's schema."""
        self._path = path
        found = revision(path)
        if found != revisions()[-1]:
            raise DatabaseUnusable(
                f"{path} has schema {found}, and this program copies {revisions()[-1]}: "
                "bring it up to date by starting the server of this version once"
            )
        self._reader = connect_reader(path)
        self._schema: int | None = None

    def close(self) -> None:
        self._reader.close()

    def id(self) -> str | None:
        with unavailable():
            return capture.copy_id(self._reader)

    def moved(self) -> str | None:
        with unavailable():
            found = copy_marks.moved(self._reader)
            return None if found is None else found.to

    def tables(self) -> list[Table]:
        with unavailable():
            return capture.tables(self._reader)

    def capture(self, id_: str) -> None:
        with self._writing() as connection:
            copy_marks.refuse_moved(connection, self._path)
            capture.put_on(connection, id_)

    def release(self) -> None:
        with self._writing() as connection:
            copy_marks.take_off(connection)

    def abort(self) -> None:
        with self._writing() as connection:
            capture.unmark_moved(connection)
            copy_marks.take_off(connection)

    def chunk(self, shape: Shape, after: Key | None) -> Chunk:
        keys = _columns(shape.key_columns)
        where = f"WHERE ({keys}) > ({_marks(shape.key)})" if after is not None else ""
        rows = (
            f'SELECT {_columns(shape.columns)} FROM "{shape.table}" {where} ORDER BY {keys} LIMIT ?'
        )
        encode, data, last, count = shape.encoder(), bytearray(), None, 0
        month = _month_at(shape)
        times = set()
        with (
            self._one_state(),
            closing(self._reader.execute(rows, [*(after or ()), ROWS])) as found,
        ):
            for row in found:
                data += encode(row)
                last, count = row, count + 1
                if month is not None:
                    times.add(row[month])
                if len(data) > BYTES:
                    break
        ends = count < ROWS and len(data) <= BYTES
        key = None if last is None else [last[at] for at in shape.key]
        return Chunk(count, bytes(data), key, ends, frozenset(times))

    @contextmanager
    def snapshot(self) -> Iterator[SqliteSnapshot]:
        with self._one_state():
            yield SqliteSnapshot(self._reader)

    @contextmanager
    def held(self) -> Iterator[SqliteLockedSnapshot]:
        with self._writing() as connection:
            self._refuse_changed_schema(connection)
            yield SqliteLockedSnapshot(connection)

    def trim(self, applied: int) -> None:
        """But for the last: numbers are never given again."""
        with suppress(DatabaseUnavailable):
            while self._forget(applied) == FORGET:
                pass

    def _forget(self, applied: int) -> int:
        with self._writing() as connection:
            return connection.execute(
                "DELETE FROM copy_changes WHERE id IN"
                " (SELECT id FROM copy_changes WHERE id < ? ORDER BY id LIMIT ?)",
                (applied, FORGET),
            ).rowcount

    @contextmanager
    def _one_state(self) -> Iterator[None]:
        with unavailable():
            self._reader.execute("BEGIN")
            try:
                self._refuse_changed_schema(self._reader)
                yield
            finally:
                if self._reader.in_transaction:
                    self._reader.execute("ROLLBACK")

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with unavailable(), closing(connect_writer(self._path)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")

    def _refuse_changed_schema(self, connection: sqlite3.Connection) -> None:
        """A newer program may have migrated it meanwhile; then changes may not have been noted."""
        (version,) = connection.execute("PRAGMA schema_version").fetchone()
        if version == self._schema:
            return
        (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        if revision != revisions()[-1] or not capture.is_whole(connection):
            raise DatabaseUnusable(
                f"the tables of {self._path} were changed since the copy began: end it by"
                " trunkline db copy --abort, and begin anew with an empty database"
            )
        self._schema = version


class SqliteSnapshot:
    """One state, while the connection's transaction lasts (see ``copy.port.Snapshot``)."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        row = connection.execute("SELECT coalesce(max(id), 0) FROM copy_changes").fetchone()
        self.newest: int = row[0]

    def changes(self, after: int) -> Mapping[str, int]:
        return dict(
            self._connection.execute(
                'SELECT "table", count(*) FROM copy_changes WHERE id > ? GROUP BY "table"', (after,)
            ).fetchall()
        )

    def changed(self, shape: Shape, after: int, copied: Copied) -> Iterator[Key]:
        found = self._connection.execute(
            'SELECT DISTINCT "key" FROM copy_changes WHERE id > ? AND "table" = ?',
            (after, shape.table),
        )
        for (text,) in found:
            key = _decode(text)
            if copied.whole or (copied.last is not None and key <= list(copied.last)):
                yield key

    def encoded(self, shape: Shape, keys: Iterator[Key]) -> Iterator[bytes]:
        encode = shape.encoder()
        one = (
            f'SELECT {_columns(shape.columns)} FROM "{shape.table}"'
            f" WHERE ({_columns(shape.key_columns)}) = ({_marks(shape.key)})"
        )
        for key in keys:
            row = self._connection.execute(one, key).fetchone()
            if row is not None:
                yield encode(row)

    def count(self, table: str) -> int:
        (count,) = self._connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()
        return int(count)

    def segments(self, shape: Shape) -> list[Any]:
        column = f'"{shape.key_columns[0]}"'
        found: list[Any] = []
        step = f'SELECT min({column}) FROM "{shape.table}"'
        value = self._connection.execute(step).fetchone()[0]
        while value is not None:
            found.append(value)
            value = self._connection.execute(f"{step} WHERE {column} > ?", (value,)).fetchone()[0]
        return found

    def rows(self, shape: Shape, first: Any = None) -> Iterator[bytes]:
        keys = _columns(shape.key_columns)
        where = f'WHERE "{shape.key_columns[0]}" = ?' if first is not None else ""
        found = self._connection.execute(
            f'SELECT {_columns(shape.columns)} FROM "{shape.table}" {where} ORDER BY {keys}',
            () if first is None else (first,),
        )
        return map(shape.encoder(), found)

    def sequences(self) -> Mapping[str, int]:
        """As https://www.sqlite.org/autoinc.html has them."""
        return dict(self._connection.execute("SELECT name, seq FROM sqlite_sequence").fetchall())


class SqliteLockedSnapshot(SqliteSnapshot):
    """A state that stays (see ``copy.port.Held``)."""

    def mark_moved(self, to: str, at: int) -> None:
        capture.mark_moved(self._connection, copy_marks.Moved(to, at))


def _columns(names: Any) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _marks(key: Any) -> str:
    return ", ".join("?" for _ in key)


def _month_at(shape: Shape) -> int | None:
    column = _BY_MONTHS.get(shape.table)
    return None if column is None else shape.columns.index(column)
