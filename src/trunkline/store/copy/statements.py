"""What a copy says to PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import psycopg
from psycopg import sql

from trunkline.store.copy.port import CopyDiffers, Table
from trunkline.store.copy.rows import Shape
from trunkline.store.ports.database import DatabaseUnusable
from trunkline.store.postgres.partitions import Month, attaching

name = sql.Identifier
TRUNCATE = sql.SQL("TRUNCATE {}")
ANALYZE = sql.SQL("ANALYZE {}")
CHANGED_IN = "COPY copy_changed FROM STDIN (FORMAT BINARY)"

_STATE = (
    "CREATE TABLE copy_state (id text PRIMARY KEY, applied bigint NOT NULL, verified boolean NOT NULL)",
    """CREATE TABLE copy_tables (
        name text PRIMARY KEY, last text, whole boolean NOT NULL DEFAULT false,
        rows bigint NOT NULL DEFAULT 0, expected bigint NOT NULL DEFAULT 0, sha256 text)""",
)

# Of extensions there may be something in any database.
_RELATIONS = """SELECT relname FROM pg_class c
WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
  AND NOT EXISTS (SELECT 1 FROM pg_depend d
                  WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY relname"""

_COLUMNS = """SELECT a.attname, t.typname FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = to_regclass(%s) AND a.attnum > 0 AND NOT a.attisdropped"""

_KEY = """SELECT a.attname, l.collname IS NULL OR l.collcollate = 'C' FROM pg_index x
CROSS JOIN unnest(x.indkey::int2[]) WITH ORDINALITY AS k(attnum, n)
JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.attnum
LEFT JOIN pg_collation l ON l.oid = a.attcollation
WHERE x.indrelid = to_regclass(%s) AND x.indisprimary ORDER BY k.n"""

_WRONG_IDS = """SELECT (SELECT count(*) FROM call_ids) = (SELECT count(*) FROM calls) AND NOT EXISTS (
    SELECT 1 FROM calls c LEFT JOIN call_ids i
      ON i.id = c.id AND i.account_id = c.account_id AND i.started_at = c.started_at
    WHERE i.id IS NULL)"""


def one(connection: psycopg.Connection, statement: str, given: Sequence[Any] = ()) -> Any:
    """The statement's one row."""
    row = connection.execute(statement.encode(), given).fetchone()
    assert row is not None
    return row


def is_there(connection: psycopg.Connection, table: str) -> bool:
    """Is there a table of that name?"""
    return bool(one(connection, "SELECT to_regclass(%s) IS NOT NULL", (table,))[0])


def relations(connection: psycopg.Connection) -> list[str]:
    """All that is in the database, but for extensions."""
    return [each for (each,) in connection.execute(_RELATIONS).fetchall()]


def has_rows(connection: psycopg.Connection, table: str) -> bool:
    """Has the table any?"""
    asked = sql.SQL("SELECT 1 FROM {} LIMIT 1").format(name(table))
    return connection.execute(asked).fetchone() is not None


def count(connection: psycopg.Connection, table: str) -> int:
    """How many rows the table has."""
    row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(name(table))).fetchone()
    assert row is not None
    return int(row[0])


def make_state(connection: psycopg.Connection, id_: str, tables: Sequence[str]) -> None:
    """The tables that say how far the copy is."""
    for statement in _STATE:
        connection.execute(statement.encode())
    connection.execute("INSERT INTO copy_state VALUES (%s, 0, false)", (id_,))
    for table in tables:
        connection.execute("INSERT INTO copy_tables (name) VALUES (%s)", (table,))


def drop_state(connection: psycopg.Connection) -> None:
    """The copy is over."""
    connection.execute("DROP TABLE copy_postponed, copy_tables, copy_state")


def drop_everything(connection: psycopg.Connection) -> None:
    """The database was empty before the copy, so what is in it came by it."""
    for relation in relations(connection):
        if is_there(connection, relation):  # else it went with another
            kind = one(
                connection, "SELECT relkind FROM pg_class WHERE oid = to_regclass(%s)", (relation,)
            )
            if kind[0] in ("r", "p"):
                connection.execute(sql.SQL("DROP TABLE {} CASCADE").format(name(relation)))


def shape(connection: psycopg.Connection, table: Table) -> Shape:
    """A table as both have it; raises DatabaseUnusable where they differ."""
    types: dict[str, str] = dict(connection.execute(_COLUMNS, (table.name,)).fetchall())
    key = connection.execute(_KEY, (table.name,)).fetchall()
    if set(types) != set(table.columns) or tuple(column for column, _ in key) != table.key:
        raise DatabaseUnusable(f"the table {table.name} is another one in PostgreSQL")
    return Shape(
        table.name,
        table.columns,
        tuple(types[column] for column in table.columns),
        tuple(table.columns.index(column) for column in table.key),
        tuple(by_bytes for _, by_bytes in key),
    )


def columns(names: Sequence[str], of: str = "") -> sql.Composed:
    """Names, with commas between."""
    return sql.SQL(", ").join(sql.Identifier(*([of] if of else []), each) for each in names)


def copy_in(shape: Shape) -> sql.Composed:
    """Rows come."""
    return sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
        name(shape.table), columns(shape.columns)
    )


def copy_out(shape: Shape, in_segment: bool) -> sql.Composed:
    """Rows go, in the order of their keys; of a segment, its value is the one parameter."""
    first, *_ = shape.key_columns
    ordered = [
        sql.Identifier(column) if by_bytes else sql.SQL('{} COLLATE "C"').format(name(column))
        for column, by_bytes in zip(shape.key_columns, shape.by_bytes, strict=True)
    ]
    where = sql.SQL("WHERE {} = %s").format(name(first)) if in_segment else sql.SQL("")
    return sql.SQL("COPY (SELECT {} FROM {} {} ORDER BY {}) TO STDOUT (FORMAT BINARY)").format(
        columns(shape.columns),
        name(shape.table),
        where,
        sql.SQL(", ").join(ordered[1:] if in_segment else ordered),
    )


def segments(shape: Shape) -> sql.Composed:
    """Every value of the key's first column, each found by the index."""
    return sql.SQL(
        "WITH RECURSIVE s (v) AS ((SELECT min({c}) FROM {t}) UNION ALL"
        " SELECT (SELECT min({c}) FROM {t} WHERE {c} > s.v) FROM s WHERE s.v IS NOT NULL)"
        " SELECT v FROM s WHERE v IS NOT NULL"
    ).format(c=name(shape.key_columns[0]), t=name(shape.table))


def make_changed(connection: psycopg.Connection, shape: Shape) -> None:
    """A table for the keys of changed rows, until the transaction ends or the next one is made."""
    connection.execute("DROP TABLE IF EXISTS pg_temp.copy_changed")
    connection.execute(
        sql.SQL(
            "CREATE TEMPORARY TABLE copy_changed ON COMMIT DROP AS"
            " SELECT 0::bigint AS copy_n, {} FROM {} LIMIT 0"
        ).format(columns(shape.key_columns), name(shape.table))
    )


def _by_key(shape: Shape) -> sql.Composed:
    return sql.SQL(" AND ").join(
        sql.SQL("t.{c} = k.{c}").format(c=name(column)) for column in shape.key_columns
    )


def drop_changed_rows(connection: psycopg.Connection, shape: Shape) -> None:
    """The changed rows go, as they were."""
    connection.execute("ANALYZE copy_changed")
    connection.execute(
        sql.SQL("DELETE FROM {} t USING copy_changed k WHERE {}").format(
            name(shape.table), _by_key(shape)
        )
    )
    if shape.table == "calls" and _has_ids(connection):
        connection.execute("DELETE FROM call_ids i USING copy_changed k WHERE i.id = k.id")


def changed_out(shape: Shape) -> sql.Composed:
    """The changed rows as they are, in the order of the changes."""
    return sql.SQL(
        "COPY (SELECT {} FROM copy_changed k JOIN {} t ON {} ORDER BY k.copy_n)"
        " TO STDOUT (FORMAT BINARY)"
    ).format(columns(shape.columns, "t"), name(shape.table), _by_key(shape))


def note_changed_ids(connection: psycopg.Connection) -> None:
    """The ids of changed calls that are there."""
    if _has_ids(connection):
        connection.execute(
            "INSERT INTO call_ids (id, account_id, started_at)"
            " SELECT t.id, t.account_id, t.started_at FROM copy_changed k JOIN calls t"
            " ON t.account_id = k.account_id AND t.started_at = k.started_at AND t.id = k.id"
        )


def _has_ids(connection: psycopg.Connection) -> bool:
    asked = "SELECT coalesce(bool_and(made), true) FROM copy_postponed WHERE \"table\" = 'call_ids'"
    return bool(one(connection, asked)[0])


def fill_call_ids(connection: psycopg.Connection) -> None:
    """PostgreSQL alone has it: no part of ``calls`` can see that an id is in another one."""
    connection.execute("TRUNCATE call_ids")
    connection.execute(
        "INSERT INTO call_ids (id, account_id, started_at) SELECT id, account_id, started_at FROM calls"
    )


def refuse_wrong_ids(connection: psycopg.Connection) -> None:
    """Raises CopyDiffers unless every call's id is where PostgreSQL alone keeps it."""
    if not one(connection, _WRONG_IDS)[0]:
        raise CopyDiffers("call_ids is not what calls are: the target was written by somebody else")


def make_months(connection: psycopg.Connection, times: Collection[int]) -> None:
    """There is a table for calls that started at these times."""
    for month in sorted({found for at in times if (found := Month.of(at)) is not None}):
        if not is_there(connection, month.table):
            connection.execute(attaching(month).encode())


def set_sequence(connection: psycopg.Connection, table: str, last: int) -> None:
    """The table's next number follows this one."""
    found = one(connection, "SELECT pg_get_serial_sequence(%s, 'id')", (table,))[0]
    if found is not None:
        connection.execute("SELECT setval(%s::regclass, %s, %s)", (found, max(last, 1), last >= 1))
