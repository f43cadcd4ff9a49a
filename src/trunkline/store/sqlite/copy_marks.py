"""What a copy to PostgreSQL leaves in a SQLite file: that it is under way, and that the file was moved."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

import msgspec

from trunkline.store.ports.database import DatabaseUnusable

MOVED = "moved_to"


class Moved(msgspec.Struct, frozen=True):
    """Where a database was moved to, for people, and when (unix microseconds)."""

    to: str
    at: int


def take_off(connection: sqlite3.Connection) -> None:
    """Note nothing any more, and forget what was noted; in the caller's transaction."""
    drop_triggers(connection, "copy_*")
    for name in ("copy_state", "copy_changes"):
        connection.execute(f"DROP TABLE IF EXISTS {name}")


def moved(connection: sqlite3.Connection) -> Moved | None:
    """Where the database was moved to, if it was."""
    if not is_there(connection, "meta"):
        return None
    row = connection.execute('SELECT value FROM meta WHERE "key" = ?', (MOVED,)).fetchone()
    return None if row is None else msgspec.json.decode(row[0], type=Moved)


def refuse_moved(connection: sqlite3.Connection, name: object) -> None:
    """Raises DatabaseUnusable for a database that was moved."""
    found = moved(connection)
    if found is not None:
        raise DatabaseUnusable(
            f"the database {name} has been moved to {found.to}: set database to that, with its user and"
            " password, in trunkline.toml; trunkline db copy --abort takes this one into use again"
        )


def drop_triggers(connection: sqlite3.Connection, like: str) -> None:
    """Those whose names are like that (GLOB)."""
    for name in _names(connection, like):
        connection.execute(f'DROP TRIGGER "{name}"')


def _names(connection: sqlite3.Connection, like: str) -> Iterable[str]:
    found = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'trigger' AND name GLOB ?", (like,)
    )
    return [name for (name,) in found.fetchall()]


def is_there(connection: sqlite3.Connection, table: str) -> bool:
    """Is there a table of that name?"""
    found = connection.execute(
        "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)
    )
    return found.fetchone() is not None
