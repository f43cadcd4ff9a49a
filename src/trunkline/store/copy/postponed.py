"""What a target has only once it is loaded: indexes, what is unique, foreign keys.

Chunks are of different moments, so together they may hold twice what is unique; foreign keys would
delete rows that are there still; and an index is made faster than it is kept. All of them are as the
migrations made them: their definitions are PostgreSQL's own, kept in ``copy_postponed`` meanwhile.
"""

from __future__ import annotations

from typing import NamedTuple

import psycopg
from psycopg import sql

_TABLE = """CREATE TABLE copy_postponed (
    name text PRIMARY KEY, "table" text NOT NULL, kind text NOT NULL, definition text NOT NULL,
    made boolean NOT NULL DEFAULT false)"""

# Of call_ids the key too: it is filled at the end, from calls.
_CONSTRAINTS = """INSERT INTO copy_postponed (name, "table", kind, definition)
SELECT c.conname, r.relname, c.contype::text, pg_get_constraintdef(c.oid)
FROM pg_constraint c JOIN pg_class r ON r.oid = c.conrelid
WHERE r.relnamespace = current_schema()::regnamespace AND NOT r.relispartition
  AND (c.contype IN ('f', 'u') OR (c.contype = 'p' AND r.relname = 'call_ids'))"""

_INDEXES = """INSERT INTO copy_postponed (name, "table", kind, definition)
SELECT i.relname, r.relname, 'i', replace(pg_get_indexdef(i.oid), ' ON ONLY ', ' ON ')
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class r ON r.oid = x.indrelid
WHERE r.relnamespace = current_schema()::regnamespace AND NOT r.relispartition
  AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = i.oid)"""

FOREIGN_KEY, INDEX = "f", "i"


class Postponed(NamedTuple):
    """An index or a constraint; ``kind`` is pg_constraint's letter, or i."""

    name: str
    table: str
    kind: str
    definition: str


def postpone(connection: psycopg.Connection) -> None:
    """Take all of them off, in the caller's transaction."""
    connection.execute(_TABLE)
    connection.execute(_CONSTRAINTS)
    connection.execute(_INDEXES)
    for each in sorted(left(connection), key=lambda each: each.kind):  # f before p and u
        _drop(connection, each)


def left(connection: psycopg.Connection, made: bool = False) -> list[Postponed]:
    """Those that are not made yet, or those that are; the order is always the same."""
    rows = connection.execute(
        'SELECT name, "table", kind, definition FROM copy_postponed WHERE made = %s ORDER BY kind DESC, name',
        (made,),
    )
    return [Postponed(*row) for row in rows.fetchall()]


def make(connection: psycopg.Connection, each: Postponed) -> None:
    """Make it again, in the caller's transaction."""
    if each.kind == INDEX:
        connection.execute(each.definition.encode())
    else:
        statement = sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {}").format(
            sql.Identifier(each.table),
            sql.Identifier(each.name),
            sql.SQL(each.definition),
        )
        connection.execute(statement)
    connection.execute("UPDATE copy_postponed SET made = true WHERE name = %s", (each.name,))


def unmake(connection: psycopg.Connection, each: Postponed) -> None:
    """Take one off that was made, in the caller's transaction."""
    _drop(connection, each)
    connection.execute("UPDATE copy_postponed SET made = false WHERE name = %s", (each.name,))


def _drop(connection: psycopg.Connection, each: Postponed) -> None:
    name, table = sql.Identifier(each.name), sql.Identifier(each.table)
    if each.kind == INDEX:
        connection.execute(sql.SQL("DROP INDEX {}").format(name))
    else:
        connection.execute(sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(table, name))
