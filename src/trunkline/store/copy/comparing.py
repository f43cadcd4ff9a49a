"""Are all rows of a table in both databases, and the same?"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator
from contextlib import closing
from itertools import zip_longest
from typing import Any

import psycopg

from trunkline.store.copy import statements
from trunkline.store.copy.port import CopyDiffers, Snapshot
from trunkline.store.copy.rows import Shape, rows_in

_TELL_EVERY = 5_000
# By the index, whose order is the one that is asked for: a whole table is not to be sorted.
_SETTINGS = (
    "SET LOCAL enable_seqscan = off",
    "SET LOCAL enable_bitmapscan = off",
    "SET LOCAL enable_sort = off",
)


def compared(
    connection: psycopg.Connection, snapshot: Snapshot, shape: Shape
) -> Generator[int, None, str]:
    """Compare every row, in the caller's transaction: yields how many were, gives their SHA-256.

    The checksum is over the rows in the order of their keys, each in PostgreSQL's binary COPY form.
    Raises CopyDiffers at the first row that is not the same.
    """
    for statement in _SETTINGS:
        connection.execute(statement.encode())
    digest, count = hashlib.sha256(), 0
    for segment in _segments(connection, snapshot, shape):
        for row in _same(connection, snapshot, shape, segment):
            digest.update(row)
            count += 1
            if count % _TELL_EVERY == 0:
                yield count
    yield count
    return digest.hexdigest()


def _segments(connection: psycopg.Connection, snapshot: Snapshot, shape: Shape) -> list[Any]:
    if not shape.in_segments:
        return [None]
    ours = snapshot.segments(shape)
    theirs = {value for (value,) in connection.execute(statements.segments(shape))}
    odd = theirs.symmetric_difference(ours)
    if odd:
        raise CopyDiffers(f"{shape.table} has rows of {min(odd)} on one side only")
    return ours


def _same(
    connection: psycopg.Connection, snapshot: Snapshot, shape: Shape, segment: Any
) -> Iterator[bytes]:
    ours = snapshot.rows(shape, segment)
    with closing(_theirs(connection, shape, segment)) as theirs:
        for mine, other in zip_longest(ours, theirs):
            if mine != other:
                raise CopyDiffers(_said(shape, mine, other))
            yield mine


def _theirs(
    connection: psycopg.Connection, shape: Shape, segment: Any
) -> Generator[bytes, None, None]:
    given = () if segment is None else (segment,)
    statement = statements.copy_out(shape, segment is not None)
    with connection.cursor() as cursor, cursor.copy(statement, given) as copy:
        yield from rows_in(copy)


def _said(shape: Shape, mine: bytes | None, other: bytes | None) -> str:
    mine_key, other_key = (None if row is None else shape.key_in(row) for row in (mine, other))
    if mine_key == other_key:
        return f"{shape.table}: the row {mine_key} was altered in the target"
    return f"{shape.table}: the row {mine_key} stands where the target has {other_key}"
