"""Writing the PostgreSQL database that is copied into.

How far the copy is stands in tables of its own (``copy_state``, ``copy_tables``, ``copy_postponed``),
in the same transactions as the rows: killed anywhere, it goes on from there. While they are there,
no server opens the database (``postgres.schema.upgrade``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
import psycopg

from trunkline.store.copy import connection as opened
from trunkline.store.copy import postponed, statements
from trunkline.store.copy.comparing import compared
from trunkline.store.copy.port import (
    Chunk,
    Copied,
    CopyDiffers,
    Key,
    Snapshot,
    Standing,
    Table,
    TargetAway,
)
from trunkline.store.copy.rows import HEADER, TRAILER, Shape, pieces, rows_in
from trunkline.store.ports.database import DatabaseUnavailable, DatabaseUnusable
from trunkline.store.postgres import schema

_LIKE_NEW = frozenset({"meta", "commit_marks"})
"""What a database may hold that nobody has used yet."""


class PostgresTarget:
    """The database at a URL (see ``copy.port.Target``). One program at a time writes to it."""

    def __init__(self, url: str) -> None:
        """Raises DatabaseUnusable for what is no such URL."""
        opened.refuse_other_urls(url)
        self._url = url
        self.shown = schema.shown(url)
        self._connection: psycopg.Connection | None = None

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def standing(self) -> Standing | None:
        with self._transaction() as connection:
            if not statements.is_there(connection, "copy_state"):
                return None
            id_, applied, verified = statements.one(
                connection, "SELECT id, applied, verified FROM copy_state"
            )
            left = postponed.left(connection)
            rows = connection.execute("SELECT name, last, whole, rows, expected FROM copy_tables")
            tables = {
                name: Copied(None if last is None else msgspec.json.decode(last), *rest)
                for name, last, *rest in rows
            }
            built = all(each.kind == postponed.FOREIGN_KEY for each in left)
            return Standing(id_, applied, built, verified, tables)

    def is_in_use(self) -> bool:
        with self._transaction() as connection:
            return statements.is_there(connection, "alembic_version")

    def begin(self, id_: str, tables: Sequence[Table]) -> None:
        with self._transaction() as connection:
            found = statements.relations(connection)
            ours = "alembic_version" in found
            if found and not (ours and self._is_like_new(connection, tables)):
                raise DatabaseUnusable(
                    f"{self.shown} is not empty (there is {found[0]}): name a new, empty database"
                )
        self._upgrade()
        with self._transaction() as connection:
            for name in _LIKE_NEW:
                connection.execute(statements.TRUNCATE.format(statements.name(name)))
            postponed.postpone(connection)
            statements.make_state(connection, id_, [table.name for table in tables])

    def _upgrade(self) -> None:
        try:
            schema.upgrade(self._url)
        except DatabaseUnavailable as error:
            cause = getattr(error.__cause__, "orig", error.__cause__)
            if isinstance(cause, psycopg.Error) and opened.is_passing(cause):
                raise TargetAway(str(error)) from None
            raise DatabaseUnusable(str(error)) from None  # it refuses

    @staticmethod
    def _is_like_new(connection: psycopg.Connection, tables: Sequence[Table]) -> bool:
        names = {table.name for table in tables} - _LIKE_NEW
        return all(
            statements.is_there(connection, name) and not statements.has_rows(connection, name)
            for name in names
        )

    def shapes(self, tables: Sequence[Table]) -> list[Shape]:
        with self._transaction() as connection:
            return [statements.shape(connection, table) for table in tables]

    def expect(self, rows: Mapping[str, int]) -> None:
        with self._transaction() as connection:
            for name, count in rows.items():
                connection.execute(
                    "UPDATE copy_tables SET expected = %s WHERE name = %s", (count, name)
                )

    def load(self, shape: Shape, chunk: Chunk) -> None:
        with self._transaction() as connection:
            statements.make_months(connection, chunk.times)
            if chunk.rows:
                _write(connection, statements.copy_in(shape), [HEADER, chunk.data, TRAILER])
            connection.execute(
                "UPDATE copy_tables SET last = coalesce(%s, last), whole = %s, rows = rows + %s"
                " WHERE name = %s",
                (_stored(chunk.last), chunk.ends, chunk.rows, shape.table),
            )

    def apply(self, snapshot: Snapshot, shapes: Sequence[Shape]) -> int:
        standing = self.standing()
        assert standing is not None
        changes = snapshot.changes(standing.applied)
        if not changes:
            return 0
        with self._transaction() as connection:
            self._unlink(connection)
            for shape in shapes:
                if shape.table in changes:
                    copied = standing.tables[shape.table]
                    _Changes(connection, shape, snapshot, standing.applied, copied).write()
            connection.execute("UPDATE copy_state SET applied = %s", (snapshot.newest,))
        return sum(changes.values())

    def unbuilt(self) -> list[str]:
        with self._transaction() as connection:
            left = postponed.left(connection)
        return [each.name for each in left if each.kind != postponed.FOREIGN_KEY]

    def build(self, name: str) -> None:
        with self._transaction() as connection:
            for each in postponed.left(connection):
                if each.name == name:
                    if each.table == "call_ids":
                        statements.fill_call_ids(connection)
                    postponed.make(connection, each)
                    connection.execute(statements.ANALYZE.format(statements.name(each.table)))

    def compare(self, snapshot: Snapshot, shape: Shape) -> Iterator[int]:
        with self._transaction() as connection:
            digest = yield from compared(connection, snapshot, shape)
            connection.execute(
                "UPDATE copy_tables SET sha256 = %s WHERE name = %s", (digest, shape.table)
            )

    def count(self, table: str) -> int:
        with self._transaction() as connection:
            return statements.count(connection, table)

    def note_verified(self) -> None:
        with self._transaction() as connection:
            statements.refuse_wrong_ids(connection)
            connection.execute("UPDATE copy_state SET verified = true")

    def checksums(self) -> Mapping[str, str]:
        with self._transaction() as connection:
            return dict(
                connection.execute(
                    "SELECT name, sha256 FROM copy_tables WHERE sha256 IS NOT NULL ORDER BY name"
                ).fetchall()
            )

    def link(self, sequences: Mapping[str, int]) -> None:
        with self._transaction() as connection:
            for each in postponed.left(connection):
                postponed.make(connection, each)
            for table, last in sequences.items():
                statements.set_sequence(connection, table, last)

    @staticmethod
    def _unlink(connection: psycopg.Connection) -> None:
        """Foreign keys would delete what hangs on a row that is written anew."""
        for each in postponed.left(connection, made=True):
            if each.kind == postponed.FOREIGN_KEY:
                postponed.unmake(connection, each)

    def finish(self) -> None:
        with self._transaction() as connection:
            statements.drop_state(connection)

    def clear(self) -> None:
        with self._transaction() as connection:
            if not statements.is_there(connection, "copy_state"):
                raise DatabaseUnusable(
                    f"{self.shown} holds no unfinished copy: it is left as it is"
                )
            statements.drop_everything(connection)

    @contextmanager
    def _transaction(self) -> Iterator[psycopg.Connection]:
        """Its end is on the disk; raises TargetAway where the server or the way to it failed."""
        if self._connection is None:
            self._connection = opened.connect(self._url)
        try:
            with self._connection.transaction():
                yield self._connection
        except psycopg.Error as error:
            if opened.is_passing(error):
                self.close()
                raise TargetAway(
                    f"cannot use {self.shown}: {opened.said(error, self._url)}"
                ) from None
            raise DatabaseUnusable(f"{self.shown}: {opened.said(error, self._url)}") from None
        except BaseException:
            # Amid a COPY the connection is of no more use; what stands in the target says the rest.
            self.close()
            raise


class _Changes:
    """The changed rows of one table, as they are in the snapshot, into the target."""

    def __init__(
        self,
        connection: psycopg.Connection,
        shape: Shape,
        snapshot: Snapshot,
        after: int,
        copied: Copied,
    ) -> None:
        self._connection, self._shape, self._snapshot = connection, shape, snapshot
        self._after, self._copied = after, copied

    def write(self) -> None:
        """All of them are deleted before any is written: what is unique may have changed hands."""
        connection, shape = self._connection, self._shape
        statements.make_changed(connection, shape)
        encode = shape.key_encoder()
        times: set[int] = set()
        keys = (self._noted(key, times) for key in self._keys())
        _write(
            connection,
            statements.CHANGED_IN,
            pieces(encode([n, *key]) for n, key in enumerate(keys)),
        )
        statements.drop_changed_rows(connection, shape)
        statements.make_months(connection, times)
        written = hashlib.sha256()
        rows = self._snapshot.encoded(shape, self._keys())
        _write(connection, statements.copy_in(shape), pieces(_hashed(rows, written)))
        if _digest(connection, shape) != written.hexdigest():
            raise CopyDiffers(f"rows of {shape.table} were not written as they are")
        if shape.table == "calls":
            statements.note_changed_ids(connection)

    def _keys(self) -> Iterator[Key]:
        return self._snapshot.changed(self._shape, self._after, self._copied)

    def _noted(self, key: Key, times: set[int]) -> Key:
        if self._shape.table == "calls":
            times.add(key[self._shape.key_columns.index("started_at")])
        return key


def _hashed(rows: Iterable[bytes], digest: Any) -> Iterator[bytes]:
    update: Callable[[bytes], None] = digest.update
    for row in rows:
        update(row)
        yield row


def _digest(connection: psycopg.Connection, shape: Shape) -> str:
    """Of the changed rows as they stand, in the order of the changes."""
    digest = hashlib.sha256()
    with connection.cursor() as cursor, cursor.copy(statements.changed_out(shape)) as copy:
        for row in rows_in(copy):
            digest.update(row)
    return digest.hexdigest()


def _write(connection: psycopg.Connection, statement: Any, data: Iterable[bytes]) -> None:
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for piece in data:
            copy.write(piece)


def _stored(key: Key | None) -> str | None:
    return None if key is None else msgspec.json.encode(key).decode()
