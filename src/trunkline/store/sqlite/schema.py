"""Bringing a SQLite database up to what this version needs, and what refuses one."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from trunkline.store import migrations
from trunkline.store.ports.database import DatabaseUnavailable, DatabaseUnusable
from trunkline.store.secrets import InstallationKey
from trunkline.store.sqlite.connect import connect_reader, connect_writer, core_engine
from trunkline.store.sqlite.copy_marks import refuse_moved
from trunkline.store.sqlite.queries import driven, named
from trunkline.store.sqlite.writer import unavailable

if TYPE_CHECKING:
    import sqlalchemy as sa

_REVISION = "SELECT version_num FROM alembic_version"


def upgrade(path: Path) -> None:
    """Make the SQLite database if there is none, and migrate it, in one transaction.

    Two processes that do so at once are let in one after the other. Raises DatabaseUnusable when the
    file is newer than this program, was moved to PostgreSQL, is no database, or cannot be opened.
    """
    try:
        _refuse_moved(path)
        if _revision(path) == migrations.revisions()[-1]:
            return
        with FileLock(path.with_name(path.name + ".migrating"), timeout=60):
            _refuse_newer(path, _revision(path))
            migrate(path)
    except (sqlite3.DatabaseError, OSError) as error:
        raise DatabaseUnusable(f"cannot open the database {path}: {error}") from error


def _refuse_moved(path: Path) -> None:
    if path.exists():
        with closing(sqlite3.connect(path, timeout=5)) as connection:
            refuse_moved(connection, path)


def _revision(path: Path) -> str | None:
    """The revision that the file says it has; None for a new or an empty one."""
    if not path.exists():
        return None
    with closing(sqlite3.connect(path, timeout=5)) as connection:
        tables = connection.execute(
            "SELECT count(*) FROM sqlite_master WHERE name = 'alembic_version'"
        )
        if not tables.fetchone()[0]:
            return None
        row = connection.execute(_REVISION).fetchone()
        return None if row is None else str(row[0])


def _refuse_newer(path: Path, revision: str | None) -> None:
    if revision is not None and revision not in migrations.revisions():
        raise DatabaseUnusable(
            f"the database {path} has schema {revision}, and this program knows up to "
            f"{migrations.revisions()[-1]}: use the newer Trunkline that wrote it"
        )


def migrate(path: Path, to: str = "head") -> None:
    """Take the SQLite database to a revision, up or down, in one transaction; ``upgrade`` guards it.

    Nobody else may have it open on the way down: what the newer revision added goes.
    """
    # SQLAlchemy takes long to import, and most starts do not need it.
    from sqlalchemy.exc import DBAPIError

    engine = core_engine(path)
    _without_foreign_keys(engine)
    try:
        with engine.begin() as connection:
            migrations.apply(connection, to)
    except DBAPIError as error:
        raise sqlite3.DatabaseError(error.orig) from error
    finally:
        engine.dispose()


def _without_foreign_keys(engine: sa.Engine) -> None:
    """SQLite changes a table's constraints by making it anew, and nothing may go with the old one.

    This cannot be switched within a transaction: https://www.sqlite.org/lang_altertable.html, 7.
    """
    import sqlalchemy as sa

    @sa.event.listens_for(engine, "connect")
    def connect(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA foreign_keys = OFF")


def check_key(path: Path, key: InstallationKey) -> None:
    mark = key.derive("which key").hex()[:16]
    sql = named("meta")
    try:
        with unavailable():
            connection = connect_writer(path)
            try:
                found = driven(sql.key_check(connection))
                if found is None:
                    driven(sql.set_key_check(connection, value=mark))
                    found = driven(sql.key_check(connection))
            finally:
                connection.close()
    except DatabaseUnavailable as error:
        raise DatabaseUnusable(f"{path}: {error}") from error
    if found != mark:
        raise DatabaseUnusable(
            f"the database {path} belongs to another secret.key: put that file back beside it"
        )


def revision(path: Path) -> str:
    """The revision of the database's tables; raises DatabaseUnusable where it has none."""
    try:
        with closing(connect_reader(path)) as connection:
            row = connection.execute(_REVISION).fetchone()
    except sqlite3.DatabaseError as error:
        raise DatabaseUnusable(f"{path} is no database of Trunkline's: {error}") from error
    return str(row[0]) if row else ""


def refuse_other_schema(path: Path) -> None:
    """Raises DatabaseUnusable unless it is of this program's very schema."""
    try:
        with closing(connect_reader(path)) as connection:
            refuse_moved(connection, path)
            row = connection.execute(_REVISION).fetchone()
    except sqlite3.DatabaseError as error:
        raise DatabaseUnusable(f"{path} cannot be read: {error}") from error
    found = row[0] if row else None
    if found in migrations.revisions()[:-1]:
        raise DatabaseUnusable(
            f"{path} is of an older Trunkline: trunkline up brings it up to date"
        )
    if found != migrations.revisions()[-1]:
        raise DatabaseUnusable(f"{path} is of a newer Trunkline: use that one")
