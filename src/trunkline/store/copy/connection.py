"""The connection that a copy writes by, and what PostgreSQL says on it."""

from __future__ import annotations

from typing import Any

import psycopg

from trunkline.store.copy.port import TargetAway, TargetBusy
from trunkline.store.ports.database import DatabaseUnusable
from trunkline.store.postgres.connect import CONNECT_SECONDS
from trunkline.store.postgres.schema import shown

OLDEST = 150000
"""PostgreSQL 15."""

_SETTINGS = (
    "SET statement_timeout = 0",
    "SET idle_in_transaction_session_timeout = 0",
    "SET lock_timeout = '30s'",
    "SET maintenance_work_mem = '256MB'",
    "SET work_mem = '32MB'",
    "SET client_encoding = 'UTF8'",
)
# What is noted as applied is forgotten in SQLite: it has to be on the disk.
_DURABLE = """SELECT set_config('synchronous_commit', 'on', false)
WHERE current_setting('synchronous_commit') IN ('off', 'local')"""
_ALONE = "SELECT pg_try_advisory_lock(hashtext('trunkline copy'))"
_PASSING_CLASSES = {"08", "53", "57", "58", "40", "55"}
"""SQLSTATE: connections, a full disk, a shutdown, the system, conflicts, locks."""


def refuse_other_urls(url: str) -> None:
    """Raises DatabaseUnusable for what is no URL of PostgreSQL's."""
    try:
        known = psycopg.conninfo.conninfo_to_dict(url)
    except psycopg.Error:
        known = {}
    if not known or not url.startswith(("postgresql://", "postgres://")):
        raise DatabaseUnusable(
            "the target is no URL that can be used: take one such as postgresql://user@host:5432/trunkline"
        )


def connect(url: str) -> psycopg.Connection:
    """A connection, alone of its kind on the database. Raises TargetAway, TargetBusy, DatabaseUnusable."""
    try:
        connection: psycopg.Connection[Any] = psycopg.connect(
            url,
            autocommit=True,
            connect_timeout=int(CONNECT_SECONDS),
            application_name="trunkline copy",
            keepalives_idle=20,
            keepalives_interval=5,
            keepalives_count=3,
        )
    except psycopg.Error as error:
        raise TargetAway(f"cannot use {shown(url)}: {said(error, url)}") from None
    try:
        _prepare(connection, url)
    except psycopg.Error as error:
        connection.close()
        raise TargetAway(f"cannot use {shown(url)}: {said(error, url)}") from None
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: psycopg.Connection, url: str) -> None:
    if connection.info.server_version < OLDEST:
        raise DatabaseUnusable(
            f"{shown(url)} is PostgreSQL {connection.info.server_version // 10000}: take 15 or newer"
        )
    encoding = connection.execute("SHOW server_encoding").fetchone()
    if encoding != ("UTF8",):
        raise DatabaseUnusable(f"{shown(url)} is not in UTF8: make it with ENCODING 'UTF8'")
    for statement in (*_SETTINGS, _DURABLE):
        connection.execute(statement)
    if connection.execute(_ALONE).fetchone() != (True,):
        raise TargetBusy(f"another copy writes to {shown(url)}")


def is_passing(error: psycopg.Error) -> bool:
    """May it be better a little later? Did the server or the way to it fail, and not the statement?"""
    if error.sqlstate is None:
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return error.sqlstate[:2] in _PASSING_CLASSES


def said(error: psycopg.Error, url: str) -> str:
    """One line for people, without the password."""
    return str(error).partition("\n")[0].replace(url, shown(url)) or type(error).__name__
