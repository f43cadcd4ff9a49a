"""Bringing a PostgreSQL database up to what this version needs: synchronous, before all else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import structlog
from psycopg.conninfo import conninfo_to_dict

from trunkline.store import migrations
from trunkline.store.ports.database import DatabaseUnavailable, DatabaseUnusable
from trunkline.store.postgres.connect import CONNECT_SECONDS, core_engine
from trunkline.store.secrets import InstallationKey

log = structlog.get_logger()


def shown(url: str) -> str:
    """The database for people: without user and password."""
    known = _read(url)
    if known is None:
        return _UNREADABLE
    hosts = [f"[{host}]" if ":" in host else host for host in known.get("host", "").split(",")]
    ports = known["port"].split(",") if "port" in known else [""] * len(hosts)
    ports = ports * len(hosts) if len(ports) == 1 else ports
    places = [
        f"{host}:{port}" if port else host
        for host, port in zip(hosts, ports, strict=False)
        if not host.startswith("/")  # the directory of a socket
    ]
    return f"postgresql://{','.join(places)}/{known.get('dbname', '')}"


_UNREADABLE = "postgresql://…"


def _read(url: str) -> dict[str, str] | None:
    """What libpq reads in it; None if a part of the password may have got elsewhere."""
    try:
        known = {name: str(value) for name, value in conninfo_to_dict(url).items()}
    except psycopg.ProgrammingError:
        return None
    ports = known.get("port", "").split(",")
    strange = any(port and not port.isdecimal() for port in ports)
    return None if strange or set(known.get("dbname", "")) & set("@/") else known


def upgrade(url: str) -> None:
    """Migrate the database, in one transaction; of two processes the second finds it done.

    Raises DatabaseUnavailable, and DatabaseUnusable when it is newer than this program, or a copy into
    it (``trunkline db copy``) is not finished.
    """
    with connected(url) as connection:
        _refuse_unfinished(connection, url)
        found = _revision(connection)
        if found == migrations.revisions()[-1]:
            return
        if found is not None and found not in migrations.revisions():
            raise DatabaseUnusable(
                f"the database {shown(url)} has schema {found}, and this program knows up to "
                f"{migrations.revisions()[-1]}: use the newer Trunkline that wrote it"
            )
    migrate(url)


def exists(url: str) -> bool:
    """Has the database tables of Trunkline, of whichever version? Raises DatabaseUnavailable."""
    with connected(url) as connection:
        return _revision(connection) is not None


def refuse_other_schema(url: str) -> None:
    """Raises DatabaseUnusable unless it is of this program's very schema, and DatabaseUnavailable."""
    with connected(url) as connection:
        _refuse_unfinished(connection, url)
        found = _revision(connection)
    if found in migrations.revisions()[:-1]:
        raise DatabaseUnusable(
            f"{shown(url)} is of an older Trunkline: trunkline up brings it up to date"
        )
    if found is None:
        raise DatabaseUnusable(f"there is nothing of Trunkline in {shown(url)}")
    if found != migrations.revisions()[-1]:
        raise DatabaseUnusable(f"{shown(url)} is of a newer Trunkline: use that one")


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


def check_key(url: str, key: InstallationKey) -> None:
    mark = key.derive("which key").hex()[:16]
    with connected(url) as connection:
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
    with connected(url) as connection:
        for name in ("fsync", "full_page_writes"):
            row = connection.execute("SELECT current_setting(%s)", (name,)).fetchone()
            if row != ("on",):
                log.warning("database.not_durable", setting=name, mend=f"set {name} = on")


@contextmanager
def connected(url: str) -> Iterator[psycopg.Connection]:
    """A connection and one transaction; raises DatabaseUnavailable."""
    if _read(url) is None:  # libpq's own words repeat what it cannot read
        raise DatabaseUnavailable(
            "the database's URL cannot be read: in a password, @ : / ? # [ % are written "
            "%40 %3A %2F %3F %23 %5B %25"
        )
    try:
        with psycopg.connect(
            url, connect_timeout=int(CONNECT_SECONDS), application_name="trunkline"
        ) as connection:
            yield connection
    except psycopg.Error as error:
        text = str(error).partition("\n")[0].replace(url, shown(url))
        raise DatabaseUnavailable(f"cannot use {shown(url)}: {text}") from error


def _refuse_unfinished(connection: psycopg.Connection, url: str) -> None:
    """Until a copy is whole (``store.copy``), nobody else may touch it."""
    found = connection.execute("SELECT to_regclass('copy_state') IS NOT NULL").fetchone()
    if found == (True,):
        raise DatabaseUnusable(
            f"a copy into {shown(url)} is not finished: go on with trunkline db copy --to its URL"
        )


def _revision(connection: psycopg.Connection) -> str | None:
    """The revision that the database says it has; None for an empty one."""
    there = connection.execute("SELECT to_regclass('alembic_version') IS NOT NULL").fetchone()
    if there is None or not there[0]:
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else str(row[0])
