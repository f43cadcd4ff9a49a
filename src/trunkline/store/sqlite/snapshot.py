"""A copy of the database as it is at one moment, made while a server goes on writing."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from trunkline.store.migrations import revisions
from trunkline.store.ports.database import DatabaseUnusable
from trunkline.store.sqlite.connect import checking_engine, connect_reader
from trunkline.store.sqlite.copy_marks import refuse_moved, take_off
from trunkline.store.sqlite.schema import revision
from trunkline.store.sqlite.writer import unavailable

_PAGES_A_STEP = 2048


def copy_database(source: Path, target: Path, progress: Callable[[float], None]) -> None:
    """Copy the database into a new file, for its owner only, and verify the copy.

    The source is read in one transaction, so the copy is one state of it, and no write can make SQLite
    begin anew (https://www.sqlite.org/backup.html); in WAL mode it holds no writer up. Meanwhile the
    ``-wal`` file grows by what is written. Not in the server's own process. Raises DatabaseUnavailable,
    DatabaseUnusable.
    """
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    with unavailable(), closing(connect_reader(source)) as reading, closing(_new(target)) as copy:
        reading.execute("BEGIN")
        refuse_moved(reading, source)  # the calls of since then are elsewhere

        def step(_status: int, left: int, total: int) -> None:
            progress(1 - left / max(1, total))

        reading.backup(copy, pages=_PAGES_A_STEP, progress=step)
        reading.execute("ROLLBACK")
        take_off(copy)  # a copy to PostgreSQL that is under way is of the source only
        copy.execute("PRAGMA journal_mode = DELETE")  # one file, with nothing beside it
    handle = os.open(target, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    examine(target)


def _new(target: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(target, isolation_level=None)
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def examine(path: Path) -> None:
    """Raises DatabaseUnusable unless the database is sound, known, and its counts are right."""
    found = revision(path)
    if found not in revisions():
        raise DatabaseUnusable(f"{path} is of a newer Trunkline (schema {found}): use that one")
    try:
        with closing(connect_reader(path)) as connection:
            trouble = _trouble(connection)
        if not trouble and found == revisions()[-1]:
            trouble = _wrong_count(path)
    except sqlite3.DatabaseError as error:
        trouble = str(error)
    if trouble:
        raise DatabaseUnusable(f"{path} is damaged: {trouble}")


def _trouble(connection: sqlite3.Connection) -> str:
    """What is wrong first; empty if nothing is."""
    found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if found != "ok":
        return str(found)
    broken = connection.execute("PRAGMA foreign_key_check").fetchone()
    if broken is not None:
        return f"a row of {broken[0]} belongs to nothing"
    return ""


def _wrong_count(path: Path) -> str:
    # SQLAlchemy takes long to import.
    from trunkline.store.check import check

    wrong = next(check(checking_engine(path, repair=False), False, ("counts",)), None)
    if wrong is None:
        return ""
    return f"account {wrong.account_id} has {wrong.there} calls where {wrong.counted} are counted: run trunkline db check --repair"
