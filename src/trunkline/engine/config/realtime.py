"""Where Asterisk reads devices and routes (its *realtime*): a SQLite file, or views in PostgreSQL.

For PostgreSQL it has ``res_config_pgsql``, with one connection for all look-ups. ``res_pgsql.conf``
knows only host, port, database, user and password; everything else (TLS, time-outs) comes from libpq's
connection service file (libpq, "The Connection Service File"), which the engine's environment names.
What PJSIP has read is kept in memory (``res_sorcery_memory_cache``), so that phones stay known while
PostgreSQL is away. See ``docs/decisions/0009-asterisk-on-postgresql.md``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

SERVICE, SERVICE_FILE = "trunkline", "pg_service.conf"
OVERLAY = "postgresql"
"""The folder beside ``etc/`` whose files replace those for SQLite."""
CACHES = ("trunkline-endpoints", "trunkline-auths", "trunkline-aors")
"""The names of the caches in ``postgresql/sorcery.conf``."""
MODULES = ("res_config_pgsql.so", "res_sorcery_memory_cache.so")
"""What Asterisk must have to read from PostgreSQL."""

LONGEST, LONGEST_NAME = 63, 49
"""Bytes of a value, and of a database's name (res_config_pgsql.c: MAX_DB_OPTION_SIZE, my_database)."""
# A look-up holds the only connection, so a server that is gone has to be noticed soon.
_IMPATIENCE = {
    "connect_timeout": "2",
    "tcp_user_timeout": "3000",
    "keepalives_idle": "5",
    "keepalives_interval": "1",
    "keepalives_count": "3",
}
_PLAIN = re.compile(r"[A-Za-z0-9_./:,+-]+")


class RealtimeError(Exception):
    """Asterisk's files cannot hold these connection values; the message says what to change."""


class PostgresqlViews(msgspec.Struct, frozen=True, kw_only=True):
    """How Asterisk reaches its views: by a role of its own.

    ``host`` is a name, an address or the directory of a socket; ``options`` are further parameters
    of libpq (its names and values), such as ``sslmode``.
    """

    host: str
    port: int
    name: str
    user: str
    password: str
    options: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        return f"PostgresqlViews(host={self.host!r}, port={self.port}, name={self.name!r})"


def overlay(database: Path | PostgresqlViews) -> str | None:
    """The folder of the files that differ for this database."""
    return OVERLAY if isinstance(database, PostgresqlViews) else None


def environment(etc: Path) -> dict[str, str]:
    """What the engine needs in its environment; ``etc`` holds its configuration."""
    file = etc / SERVICE_FILE
    return {"PGSERVICEFILE": str(file), "PGSERVICE": SERVICE} if file.exists() else {}


def placeholders(database: Path | PostgresqlViews) -> dict[str, str]:
    """The placeholders that depend on the database; raises RealtimeError."""
    if isinstance(database, Path):
        return {
            "DATABASE": str(database),
            "DRIVER": "sqlite3",
            "REALTIME_CACHE": "",
            "CUT_OFF": "0",
        }
    return {
        "DRIVER": "pgsql",
        "REALTIME_CACHE": "load = res_sorcery_memory_cache.so",
        # A catalogue that everybody may read: it has this row whenever the database answers.
        "CUT_OFF": '"${REALTIME_FIELD(tl_views,relname,tl_dids,relname)}"=""',
        "DATABASE_HOST": _value("host", database.host),
        "DATABASE_PORT": str(database.port),
        "DATABASE_NAME": _value("database's name", database.name, LONGEST_NAME),
        "DATABASE_USER": _value("user", database.user),
        "DATABASE_PASSWORD": _value("password", database.password),
        "SERVICE": SERVICE,
        "SERVICE_OPTIONS": _service({**_IMPATIENCE, **dict(database.options)}),
    }


def _value(what: str, text: str, longest: int = LONGEST) -> str:
    """As res_pgsql.conf holds it: quoted for libpq, then escaped for Asterisk."""
    quoted = text
    if not _PLAIN.fullmatch(text):
        quoted = "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
    if not text or len(quoted.encode()) > longest or "\n" in text:
        shown = "" if what == "password" else f" {text}"
        raise RealtimeError(
            f"database: Asterisk cannot hold the {what}{shown}: it may have up to {longest}"
            " bytes in one line; give the server or the database a shorter name"
        )
    return quoted.replace(";", "\\;")


def _service(options: Mapping[str, str]) -> str:
    for name, value in options.items():
        if "\n" in value or not re.fullmatch("[a-z_]+", name):
            raise RealtimeError(f"database: {name} has a line break in it")
    return "\n".join(f"{name}={value}" for name, value in sorted(options.items()))
