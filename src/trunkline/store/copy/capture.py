"""Noting what a server goes on changing in SQLite while it is copied, and marking what was moved.

Triggers write the key of each changed row to ``copy_changes``. They are put on by whoever copies; a
server that runs prepares its statements anew by itself. A trigger changes nothing of what a statement
says of itself: ``changes()`` and ``RETURNING`` do not count its rows
(https://www.sqlite.org/c3ref/changes.html).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import msgspec

from trunkline.store.copy.port import Table
from trunkline.store.ports.database import DatabaseUnusable
from trunkline.store.sqlite.copy_marks import MOVED, Moved, drop_triggers, is_there, take_off

_TABLES = (
    "CREATE TABLE copy_state (id TEXT NOT NULL)",
    # No AUTOINCREMENT, which costs a write more: the newest row is never forgotten (Source.trim).
    'CREATE TABLE copy_changes (id INTEGER PRIMARY KEY, "table" TEXT NOT NULL, "key" TEXT NOT NULL)',
)


def tables(connection: sqlite3.Connection) -> list[Table]:
    """Every table that is copied; raises DatabaseUnusable for one whose rows no key tells apart."""
    names = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB 'sqlite_*'"
        " AND name NOT GLOB 'copy_*' AND name <> 'alembic_version' ORDER BY name"
    )
    return [_table(connection, name) for (name,) in names.fetchall()]


def _table(connection: sqlite3.Connection, name: str) -> Table:
    columns = connection.execute(
        "SELECT name, pk, type FROM pragma_table_info(?) ORDER BY cid", (name,)
    ).fetchall()
    key = sorted((pk, column, type_) for column, pk, type_ in columns if pk)
    if not key or any(type_.upper() in ("BLOB", "FLOAT", "REAL") for *_, type_ in key):
        raise DatabaseUnusable(
            f"the table {name} cannot be copied: it has no key of texts and numbers"
        )
    return Table(
        name, tuple(column for column, *_ in columns), tuple(column for _, column, _ in key)
    )


def put_on(connection: sqlite3.Connection, id_: str) -> None:
    """Note changes from here on, under a copy's id; in the caller's transaction."""
    take_off(connection)
    for statement in _TABLES:
        connection.execute(statement)
    connection.execute("INSERT INTO copy_state (id) VALUES (?)", (id_,))
    for table in tables(connection):
        for statement in _triggers(table):
            connection.execute(statement)


def copy_id(connection: sqlite3.Connection) -> str | None:
    """The id of the copy that is under way."""
    if not is_there(connection, "copy_state"):
        return None
    row = connection.execute("SELECT id FROM copy_state").fetchone()
    return None if row is None else str(row[0])


def is_whole(connection: sqlite3.Connection) -> bool:
    """Is every table's every change noted? A migration may have made a table anew, without triggers."""
    there = {
        name
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND name GLOB 'copy_*'"
        )
    }
    wanted = {f"copy_{table.name}_{change}" for table in tables(connection) for change in _CHANGES}
    return wanted <= there and is_there(connection, "copy_changes")


def mark_moved(connection: sqlite3.Connection, moved: Moved) -> None:
    """Nobody opens it or writes to it any more, in the caller's transaction.

    The triggers stop who had it open before, such as an import: what they wrote would be lost.
    """
    drop_triggers(connection, "copy_*")
    value = msgspec.json.encode(moved).decode()
    connection.execute(
        'INSERT INTO meta ("key", value) VALUES (?, ?)'
        ' ON CONFLICT ("key") DO UPDATE SET value = excluded.value',
        (MOVED, value),
    )
    says = f"this database was moved to {moved.to}".replace("'", "''")
    for table in tables(connection):
        for change in ("insert", "update", "delete"):
            connection.execute(
                f'CREATE TRIGGER "moved_{table.name}_{change}" BEFORE {change} ON "{table.name}"'
                f" BEGIN SELECT RAISE(ABORT, '{says}'); END"
            )


def unmark_moved(connection: sqlite3.Connection) -> None:
    """It is in use again; in the caller's transaction."""
    drop_triggers(connection, "moved_*")
    connection.execute('DELETE FROM meta WHERE "key" = ?', (MOVED,))


_CHANGES = ("insert", "update", "rekey", "delete")


def _triggers(table: Table) -> Iterator[str]:
    keys = ", ".join(f'"{column}"' for column in table.key)
    yield _trigger(table, "insert", "AFTER INSERT", "NEW")
    yield _trigger(table, "update", "AFTER UPDATE", "NEW")
    yield _trigger(table, "rekey", f"AFTER UPDATE OF {keys}", "OLD")
    yield _trigger(table, "delete", "AFTER DELETE", "OLD")


def _trigger(table: Table, change: str, when: str, row: str) -> str:
    key = ", ".join(f'{row}."{column}"' for column in table.key)
    return (
        f'CREATE TRIGGER "copy_{table.name}_{change}" {when} ON "{table.name}" BEGIN'
        f' INSERT INTO copy_changes ("table", "key") VALUES (\'{table.name}\', json_array({key})); END'
    )
