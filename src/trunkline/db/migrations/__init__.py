"""Bringing a database's tables and views up to what this version of Trunkline needs."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from importlib import resources
from pathlib import Path

from filelock import FileLock

from trunkline.db.port import DatabaseUnusable


def revisions() -> list[str]:
    """Every migration that this program knows, oldest first: the first four digits of its file."""
    files = resources.files(__package__).joinpath("versions").iterdir()
    return sorted(file.name[:4] for file in files if file.name[:4].isdigit())


def upgrade(path: Path) -> None:
    """Make the SQLite database if there is none, and migrate it, in one transaction.

    Two processes that do so at once are let in one after the other. Raises DatabaseUnusable when the
    file is newer than this program, is no database, or cannot be opened.
    """
    try:
        if _revision(path) == revisions()[-1]:
            return
        with FileLock(path.with_name(path.name + ".migrating"), timeout=60):
            _refuse_newer(path, _revision(path))
            _migrate(path)
    except (sqlite3.DatabaseError, OSError) as error:
        raise DatabaseUnusable(f"cannot open the database {path}: {error}") from error


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


def _migrate(path: Path) -> None:
    # Alembic and SQLAlchemy take most of a second to import; most starts need neither.
    from alembic import command
    from alembic.config import Config
    from sqlalchemy.exc import DBAPIError

    from trunkline.db.sqlite.connect import core_engine

    config = Config()
    config.set_main_option("script_location", "trunkline.db:migrations")
    engine = core_engine(path)
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except DBAPIError as error:
        raise sqlite3.DatabaseError(error.orig) from error
    finally:
        engine.dispose()


def views(dialect: str, revision: str) -> list[str]:
    """The statements of ``views/<dialect>_<revision>.sql``, for migrations."""
    file = resources.files(__package__).joinpath("views", f"{dialect}_{revision}.sql")
    return [part for part in file.read_text().split(";\n") if part.strip()]
