"""By which role, and by which way, Asterisk reaches its views."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import msgspec
import psycopg
from psycopg.conninfo import make_conninfo

from trunkline.store.ports.database import DatabaseUnavailable, DatabaseUnusable
from trunkline.store.postgres.connect import CONNECT_SECONDS
from trunkline.store.postgres.roles import let_read, said
from trunkline.store.postgres.schema import shown
from trunkline.store.secrets import InstallationKey

_PASSED_ON = (
    *("hostaddr", "sslmode", "sslrootcert", "sslcert", "sslkey", "sslpassword", "sslcrl"),
    *("sslcrldir", "sslsni", "ssl_min_protocol_version", "ssl_max_protocol_version"),
    *("gssencmode", "krbsrvname", "channel_binding", "requirepeer", "target_session_attrs"),
)
"""Parameters of libpq that hold for every connection to this server, whoever makes it."""
_BY_DEFAULT = {
    "sslrootcert": "root.crt",
    "sslcert": "postgresql.crt",
    "sslkey": "postgresql.key",
    "sslcrl": "root.crl",
}
"""Taken from ``~/.postgresql`` unless others are named: the engine has another home, and directory."""
_LONGEST_ROLE = 63


class AsteriskAccess(msgspec.Struct, frozen=True, kw_only=True):
    """How Asterisk reaches its views.

    ``host`` is a name, an address or the directory of a socket; ``options`` are further parameters
    of libpq, with its names.
    """

    host: str
    port: int
    database: str
    role: str
    password: str
    options: tuple[tuple[str, str], ...]

    def __repr__(self) -> str:
        return f"Reading(host={self.host!r}, database={self.database!r}, role={self.role!r})"


def asterisk_reads(url: str, key: InstallationKey) -> AsteriskAccess:
    """Make the role that Asterisk reads a migrated database by, and try it.

    Its password comes from the key. Raises DatabaseUnavailable; DatabaseUnusable when the role cannot
    be made or is not let in, and says what an administrator is to do.
    """
    password = key.derive("asterisk reads").hex()[:48]
    found = _reached(url, password)
    let_read(url, found.role, password)
    _try(found)
    return found


def role_of(database: str) -> str:
    """The name of the role: one for each database of the server (roles belong to all of them)."""
    role = f"{database}_asterisk"
    if re.fullmatch("[a-z0-9_]+", role) and len(role) <= _LONGEST_ROLE:
        return role
    plain = re.sub("[^a-z0-9_]", "_", database.lower())[:40]
    return f"{plain}_{hashlib.sha256(database.encode()).hexdigest()[:8]}_asterisk"


def _reached(url: str, password: str) -> AsteriskAccess:
    """Where a URL leads to in the end: it may leave out what the environment or a file says."""
    try:
        with psycopg.connect(url, connect_timeout=int(CONNECT_SECONDS)) as connection:
            used = {
                option.keyword.decode(): option.val.decode()
                for option in connection.pgconn.info
                if option.val is not None and option.val != option.compiled
            }
            host, name = used.get("host") or connection.info.host, connection.info.dbname
            ports = set(used.get("port", str(connection.info.port)).split(","))
    except psycopg.Error as error:
        raise DatabaseUnavailable(f"cannot use {shown(url)}: {said(error, url)}") from error
    if len(ports) > 1:
        raise DatabaseUnusable(f"{shown(url)} has several ports: Asterisk can use one on all hosts")
    return AsteriskAccess(
        host=host,
        port=int(ports.pop()),
        database=name,
        role=role_of(name),
        password=password,
        options=_passed_on(used),
    )


def _passed_on(used: dict[str, str]) -> tuple[tuple[str, str], ...]:
    folder = Path.home() / ".postgresql"
    files = {name: Path(used.get(name) or folder / file) for name, file in _BY_DEFAULT.items()}
    there = {name: str(file.absolute()) for name, file in files.items() if file.is_file()}
    return tuple((name, value) for name, value in (used | there).items() if name in _PASSED_ON)


def _try(reading: AsteriskAccess) -> None:
    """As Asterisk will: connect as the role, and read."""
    conninfo = make_conninfo(
        "",
        host=reading.host,
        port=reading.port,
        dbname=reading.database,
        user=reading.role,
        password=reading.password,
        connect_timeout=int(CONNECT_SECONDS),
        **dict(reading.options),
    )
    try:
        with psycopg.connect(conninfo) as connection:
            connection.execute("SELECT 1 FROM tl_devices LIMIT 1")
    except psycopg.Error as error:
        raise DatabaseUnusable(
            f"PostgreSQL does not let the role {reading.role} in, by which Asterisk reads its views:"
            f" {said(error)}: have an administrator let it in by its password (pg_hba.conf:"
            f" scram-sha-256, database {reading.database}, user {reading.role})"
        ) from error
