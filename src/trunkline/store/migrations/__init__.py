"""Bringing a database's tables and views up to what this version of Trunkline needs."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from trunkline.store.copy.capture import refuse_moved
from trunkline.store.ports.database import DatabaseUnusable

if TYPE_CHECKING:
    import sqlalchemy as sa


def revisions() -> list[str]:
    """Every migration that this program knows, oldest first: the first four digits of its file."""
    files = resources.files(__package__).joinpath("versions").iterdir()
    return sorted(file.name[:4] for file in files if file.name[:4].isdigit())


def upgrade(path: Path) -> None:
    """Make the SQLite database if there is none, and migrate it, in one transaction.

    Two processes that do so at once are let in one after the other. Raises DatabaseUnusable when the
    file is newer than this program, was moved to PostgreSQL, is no database, or cannot be opened.
    """
    try:
        _refuse_moved(path)
        if _revision(path) == revisions()[-1]:
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
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return None if row is None else str(row[0])


def _refuse_newer(path: Path, revision: str | None) -> None:
    if revision is not None and revision not in revisions():
        raise DatabaseUnusable(
            f"the database {path} has schema {revision}, and this program knows up to "
            f"{revisions()[-1]}: use the newer Trunkline that wrote it"
        )


def migrate(path: Path, to: str = "head") -> None:
    """Take the SQLite database to a revision, up or down, in one transaction; ``upgrade`` guards it.

    Nobody else may have it open on the way down: what the newer revision added goes.
    """
    # SQLAlchemy takes long to import, and most starts do not need it.
    from sqlalchemy.exc import DBAPIError

    from trunkline.store.sqlite.connect import core_engine

    engine = core_engine(path)
    _without_foreign_keys(engine)
    try:
        with engine.begin() as connection:
            apply(connection, to)
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


def apply(connection: sa.Connection, to: str = "head") -> None:
    """Take the database behind the connection to a revision, up or down, in its transaction."""
    # Alembic takes most of a second to import; most starts do not need it.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "trunkline.store:migrations")
    config.attributes["connection"] = connection
    down = to != "head" and to < (_revision_on(connection) or "")
    (command.downgrade if down else command.upgrade)(config, to)


def _revision_on(connection: sa.Connection) -> str | None:
    from alembic.migration import MigrationContext

    return MigrationContext.configure(connection).get_current_revision()


def views(dialect: str, revision: str) -> list[str]:
    """The statements of ``views/<dialect>_<revision>.sql``, for migrations."""
    file = resources.files(__package__).joinpath("views", f"{dialect}_{revision}.sql")
    return [part for part in file.read_text().split(";\n") if part.strip()]
