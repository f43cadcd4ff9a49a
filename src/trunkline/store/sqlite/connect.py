"""Opening SQLite as Trunkline needs it: WAL, and a commit is on the disk when it returns."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlalchemy as sa

BUSY_SECONDS = 5.0


def connect_writer(path: Path) -> sqlite3.Connection:
    """A connection that writes; transactions are begun and ended by hand.

    A new file is readable by its owner only. synchronous=FULL: NORMAL loses acknowledged rows
    when the power goes. fullfsync matters on macOS only.
    """
    # O_EXCL: to open and close a database that this process has open would drop SQLite's locks on it
    # (https://www.sqlite.org/howtocorrupt.html, 2.2), and with them commits that were acknowledged.
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    prepare(connection)
    return connection


def prepare(connection: sqlite3.Connection) -> None:
    """Set what every writing connection needs."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA fullfsync = ON")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA cache_size = -65536")  # the pages that calls' terms go to


def connect_reader(path: Path) -> sqlite3.Connection:
    """A connection that cannot write."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )
    connection.execute("PRAGMA cache_size = -16384")
    return connection


def core_engine(path: Path) -> sa.Engine:
    """SQLAlchemy Core on the same file; its transactions begin with the write lock."""
    import sqlalchemy as sa

    engine = sa.create_engine(
        "sqlite://", creator=lambda: connect_writer(path), poolclass=sa.pool.NullPool
    )

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def checking_engine(path: Path, repair: bool) -> sa.Engine:
    """One connection, which begins nothing by itself; unlike ``core_engine`` it shuts nobody out."""
    import sqlalchemy as sa

    connect = connect_writer if repair else connect_reader
    return sa.create_engine(
        "sqlite://", creator=lambda: connect(path), poolclass=sa.pool.StaticPool
    )
