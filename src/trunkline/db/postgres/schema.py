"""Bringing a PostgreSQL database up to what this version needs: synchronous, before all else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg
import structlog

from trunkline.db import migrations
from trunkline.db.port import DatabaseUnavailable, DatabaseUnusable
from trunkline.db.postgres.connect import CONNECT_SECONDS, core_engine
from trunkline.db.secrets import Key

log = structlog.get_logger()


def shown(url: str) -> str:
    """The database for people: without user and password."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "postgresql://…"
    return f"postgresql://{parts.netloc.rpartition('@')[2]}{parts.path}"


def upgrade(url: str) -> None:
    """Migrate the database, in one transaction; of two processes the second finds it done.

    Raises DatabaseUnavailable, and DatabaseUnusable when it is newer than this program.
    """
    with _connected(url) as connection:
        found = _revision(connection)
        if found == migrations.revisions()[-1]:
            return
        if found is not None and found not in migrations.revisions():
            raise DatabaseUnusable(
                f"the database {shown(url)} has schema {found}, and this program knows up to "
                f"{migrations.revisions()[-1]}: use the newer Trunkline that wrote it"
            )
    migrate(url)


def migrate(url: str, to: str = "head") -> None:
    """Take the database to a revision, up or down, in one transaction; ``upgrade`` guards it.

    The engine's transactions begin with a lock, so nobody else migrates or manages meanwhile.
    """
    from sqlalchemy.exc import DBAPIError

    engine = core_engine(url)
    try:
        with engine.begin() as connection:
            migrations.apply(connection, to)
    except DBAPIError as error:
        raise DatabaseUnavailable(f"cannot migrate {shown(url)}: {error.orig}") from error
    finally:
        engine.dispose()


def check_key(url: str, key: Key) -> None:
    """Raises DatabaseUnusable unless the database's secrets are under this key (or it has none)."""
    mark = key.derive("which key").hex()[:16]
    with _connected(url) as connection:
        connection.execute(
            "INSERT INTO meta (key, value) VALUES ('key_check', %s) ON CONFLICT DO NOTHING", (mark,)
        )
        row = connection.execute("SELECT value FROM meta WHERE key = 'key_check'").fetchone()
    if row is None or row[0] != mark:
        raise DatabaseUnusable(
            f"the database {shown(url)} belongs to another secret.key: put that file back"
        )


def warn_if_not_durable(url: str) -> None:
    """Say so in the log where the server is set to lose what it has acknowledged."""
    with _connected(url) as connection:
        for name in ("fsync", "full_page_writes"):
            row = connection.execute("SELECT current_setting(%s)", (name,)).fetchone()
            if row != ("on",):
                log.warning("database.not_durable", setting=name, mend=f"set {name} = on")


@contextmanager
def _connected(url: str) -> Iterator[psycopg.Connection]:
    """A connection and one transaction; raises DatabaseUnavailable."""
    try:
        with psycopg.connect(
            url, connect_timeout=int(CONNECT_SECONDS), application_name="trunkline"
        ) as connection:
            yield connection
    except psycopg.Error as error:
        text = str(error).partition("\n")[0].replace(url, shown(url))
        raise DatabaseUnavailable(f"cannot use {shown(url)}: {text}") from error


def _revision(connection: psycopg.Connection) -> str | None:
    """The revision that the database says it has; None for an empty one."""
    there = connection.execute("SELECT to_regclass('alembic_version') IS NOT NULL").fetchone()
    if there is None or not there[0]:
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else str(row[0])
